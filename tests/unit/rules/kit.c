/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/rules/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void kit_load_path_with(struct kit *kit, const char *path,
                        const struct rul_set_opts *given)
{
    memset(kit, 0, sizeof(*kit));
    struct hd_diags diags = {hd_diag_keep_first, &kit->first, 0, 0};
    struct rul_set_opts opts = *given;
    if (path != NULL) {
        opts.rules = &path;
        opts.n_rules = 1;
    }
    opts.keep_going = true;
    kit->err = rul_set_load(&opts, &kit->set, &diags);
    kit->errors = diags.errors;
    kit->warnings = diags.warnings;
    if (kit->err == 0) {
        assert_int_equal(rul_scratch_new(kit->set, &kit->scratch), 0);
        kit->ev = calloc(1, sizeof(*kit->ev));
        assert_non_null(kit->ev);
    }
}

void kit_load_path(struct kit *kit, const char *path, bool no_self_test)
{
    const struct rul_set_opts opts = {.no_self_test = no_self_test};
    kit_load_path_with(kit, path, &opts);
}

void kit_load_with(struct kit *kit, const char *yaml, const struct rul_set_opts *opts)
{
    static const char *dir;
    char path[4096];
    if (dir == NULL) {
        dir = hd_test_tmpdir();
    }
    (void)snprintf(path, sizeof(path), "%s/rules.yml", dir);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(yaml, 1, strlen(yaml), file), strlen(yaml));
    assert_int_equal(fclose(file), 0);
    kit_load_path_with(kit, path, opts);
}

void kit_load(struct kit *kit, const char *yaml)
{
    const struct rul_set_opts opts = {0};
    kit_load_with(kit, yaml, &opts);
}

void kit_free(struct kit *kit)
{
    rul_scratch_free(kit->scratch);
    free(kit->ev);
    rul_set_unref(kit->set);
    kit->set = NULL;
}

void kit_event(struct kit *kit, const char *product, const char *category,
               const char *service)
{
    const struct rul_logsource source = {hd_slice_str(product), hd_slice_str(category),
                                         hd_slice_str(service)};
    rul_event_clear(kit->ev);
    kit->ev->raw = HD_SLICE_EMPTY;
    kit->ev->class_id = rul_set_class_of(kit->set, &source);
    assert_int_not_equal(kit->ev->class_id, 0);
}

void kit_set(struct kit *kit, const char *field, const char *value)
{
    uint16_t id = rul_fields_find(rul_set_fields(kit->set), hd_slice_str(field));
    /* a field that no rule names can only matter to keywords: any free one will do */
    for (uint16_t any = 0; id == RUL_FIELD_NONE && any < RUL_F_WELL_KNOWN; any++) {
        id = rul_event_has(kit->ev, any) ? id : any;
    }
    rul_event_set(kit->ev, id, hd_slice_str(value));
}

static void on_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    struct kit *kit = ctx;
    size_t len = strlen(kit->hits);
    (void)ev;
    (void)snprintf(kit->hits + len, sizeof(kit->hits) - len, "%s%s", len ? " " : "",
                   rule->name[0] ? rule->name : rule->title);
}

const char *kit_match(struct kit *kit)
{
    kit->hits[0] = 0;
    rul_match(kit->set, kit->scratch, kit->ev, on_hit, kit);
    return kit->hits;
}
