/* SPDX-License-Identifier: Apache-2.0
 *
 * `haidang.examples`: lines that must fire the rule and lines that must not.
 *
 *     examples:
 *       match:
 *         - 'Nov 21 07:50:37 web1 sshd[812]: Failed password for root from ...'
 *         - lines: ['...', '...']
 *           repeat: 6
 *           every: 1s
 *       no_match:
 *         - line: '{"event":...}'
 *           format: json
 *           host: web1
 */
#include <haidang/num.h>

#include "rules/parse/ast.h"

#define LINES_MAX  1000U
#define REPEAT_MAX 100000U

static int read_lines(struct rul_reader *r, const struct hd_yaml *node,
                      struct rul_example *ex)
{
    size_t n = node->kind == HD_YAML_LIST ? node->n : 1;
    if (node->kind == HD_YAML_MAP || n == 0 || n > LINES_MAX || ex->n_lines > 0) {
        return rul_refuse(r, node, "an example has one line, or 1 to %u lines",
                          LINES_MAX);
    }
    ex->lines = hd_arena_alloc(r->keep, n, sizeof(*ex->lines));
    if (ex->lines == NULL) {
        return HD_ENOMEM;
    }
    const struct hd_yaml *line = node->kind == HD_YAML_LIST ? node->first : node;
    for (size_t i = 0; i < n; i++, line = line->next) {
        if (line->kind != HD_YAML_SCALAR) {
            return rul_refuse(r, line, "a line is text");
        }
        struct hd_slice text = line->text;
        while (text.len > 0 && text.ptr[text.len - 1] == '\n') {
            text.len--;
        }
        ex->lines[ex->n_lines++] = hd_arena_copy(r->keep, text);
    }
    return r->keep->failed ? HD_ENOMEM : 0;
}

static int read_member(struct rul_reader *r, const struct hd_yaml *v,
                       struct rul_example *ex)
{
    if (hd_yaml_is(v->key, "line") || hd_yaml_is(v->key, "lines")) {
        return read_lines(r, v, ex);
    }
    if (v->kind != HD_YAML_SCALAR) {
        return rul_refuse(r, v, "a single value was expected here");
    }
    if (hd_yaml_is(v->key, "format")) {
        ex->format = hd_arena_str(r->keep, v->text);
        return 0;
    }
    if (hd_yaml_is(v->key, "host")) {
        ex->host = hd_arena_str(r->keep, v->text);
        return 0;
    }
    if (hd_yaml_is(v->key, "repeat")) {
        int err = hd_num_u32(v->text, REPEAT_MAX, &ex->repeat);
        return err == 0 && ex->repeat > 0
                   ? 0
                   : rul_refuse(r, v, "'repeat' must be 1 to %u", REPEAT_MAX);
    }
    if (hd_yaml_is(v->key, "every")) {
        int err = hd_num_duration(v->text, &ex->every_ns);
        return err == 0 ? 0 : rul_refuse(r, v, "'every' must be a time like 500ms or 1s");
    }
    return rul_refuse(r, v->key,
                      "unknown key of an example: line, lines, format, host, repeat and "
                      "every are known");
}

static int read_example(struct rul_reader *r, const struct hd_yaml *node, bool must_match,
                        struct rul_example **out)
{
    struct rul_example *ex = hd_arena_alloc(r->keep, 1, sizeof(*ex));
    if (ex == NULL) {
        return HD_ENOMEM;
    }
    *ex = (struct rul_example){.must_match = must_match,
                               .format = "auto",
                               .host = "",
                               .repeat = 1,
                               .every_ns = INT64_C(1000000000),
                               .line = node->line};
    *out = ex;
    if (node->kind != HD_YAML_MAP) {
        return read_lines(r, node, ex);
    }
    for (const struct hd_yaml *v = node->first; v != NULL; v = v->next) {
        int err = read_member(r, v, ex);
        if (err != 0) {
            return err;
        }
    }
    return ex->n_lines > 0 ? 0 : rul_refuse(r, node, "an example needs a line");
}

int rul_examples_read(struct rul_reader *r, const struct hd_yaml *node,
                      struct rul_example **out)
{
    if (node->kind != HD_YAML_MAP) {
        return rul_refuse(r, node, "'examples' must be a map of match and no_match");
    }
    for (const struct hd_yaml *v = node->first; v != NULL; v = v->next) {
        bool must_match = hd_yaml_is(v->key, "match");
        if (!must_match && !hd_yaml_is(v->key, "no_match")) {
            return rul_refuse(r, v->key, "'examples' knows match and no_match");
        }
        if (v->kind != HD_YAML_LIST) {
            return rul_refuse(r, v, "a list of examples was expected here");
        }
        for (const struct hd_yaml *e = v->first; e != NULL; e = e->next) {
            int err = read_example(r, e, must_match, out);
            if (err != 0) {
                return err;
            }
            out = &(*out)->next;
        }
    }
    return r->keep->failed ? HD_ENOMEM : 0;
}
