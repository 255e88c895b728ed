/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules convert: rules as Sigma once more, normalised: one way to write them, all
 * that they say. Loading the output gives the same comparisons.
 */
#include <stdio.h>

#include "console/out.h"
#include "console/rules/documents.h"
#include "console/yaml_out.h"

/* Keys in the order of the specification; others follow as they were. */
static const char *const order[] = {
    "title",     "id",          "name",       "taxonomy", "related",
    "status",    "description", "references", "author",   "license",
    "date",      "modified",    "tags",       "level",    "logsource",
    "detection", "correlation", "filter",     "fields",   "falsepositives",
};
#define N_ORDER (sizeof(order) / sizeof(order[0]))

static bool is_ordered(const struct hd_yaml *key)
{
    for (size_t i = 0; i < N_ORDER; i++) {
        if (hd_yaml_is(key, order[i])) {
            return true;
        }
    }
    return false;
}

struct convert {
    struct hd_buf out;
    size_t n;
    bool has_failed;
};

static int convert_one(void *ctx, const char *file, const struct hd_yaml *doc)
{
    struct convert *c = ctx;
    if (doc->kind != HD_YAML_MAP) {
        (void)fprintf(stderr, "%s:%u:%u: error: a rule must be a map\n", file, doc->line,
                      doc->column);
        c->has_failed = true;
        return HD_EXIT_OK;
    }
    hd_buf_str(&c->out, c->n++ > 0 ? "---\n" : "");
    for (size_t i = 0; i < N_ORDER; i++) {
        const struct hd_yaml *value = hd_yaml_get(doc, order[i]);
        if (value != NULL) {
            con_yaml_write_member(&c->out, value, 0);
        }
    }
    for (const struct hd_yaml *v = doc->first; v != NULL; v = v->next) {
        if (!is_ordered(v->key)) {
            con_yaml_write_member(&c->out, v, 0);
        }
    }
    return con_out_print(&c->out);
}

int con_run_rules_convert(const struct con_args *args)
{
    struct convert c = {.n = 0};
    hd_buf_init(&c.out, 0);
    int code = con_documents_each(args, convert_one, &c);
    hd_buf_fini(&c.out);
    return code == HD_EXIT_OK && c.has_failed ? HD_EXIT_CONFIG : code;
}
