/* SPDX-License-Identifier: Apache-2.0
 *
 * The `correlation` map (specification v2.1, "Sigma Correlation Rules"): event_count and
 * value_count. Names are resolved when the whole set has been read.
 */
#include <haidang/clock.h>
#include <haidang/num.h>

#include "rules/parse/ast.h"

#define COUNT_MAX UINT64_C(1000000)
#define SPAN_MAX  (INT64_C(365) * 86400)

/* One word or a list of words into names[cap]. */
static int read_words(struct rul_reader *r, const struct hd_yaml *node,
                      struct rul_name *names, size_t cap, size_t *n)
{
    size_t count = node->kind == HD_YAML_LIST ? node->n : 1;
    if (node->kind == HD_YAML_MAP || count == 0 || count > cap) {
        return rul_refuse(r, node, "a word or a list of 1 to %zu words was expected here",
                          cap);
    }
    const struct hd_yaml *word = node->kind == HD_YAML_LIST ? node->first : node;
    for (; *n < count; word = word->next) {
        if (word->kind != HD_YAML_SCALAR || word->text.len == 0) {
            return rul_refuse(r, word, "a word was expected here");
        }
        names[(*n)++] = (struct rul_name){word->text, word->line, word->column};
    }
    return 0;
}

static int read_timespan(struct rul_reader *r, const struct hd_yaml *node,
                         struct rul_corr_ast *corr)
{
    static const struct {
        uint8_t unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    struct hd_slice text = node->text;
    if (node->kind == HD_YAML_SCALAR && text.len >= 2) {
        struct hd_slice number = hd_slice_head(text, text.len - 1);
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
            uint64_t n = 0;
            if (text.ptr[text.len - 1] == units[i].unit &&
                hd_num_u64(number, (uint64_t)SPAN_MAX / units[i].seconds, &n) == 0 &&
                n > 0) {
                corr->timespan_ns = (int64_t)(n * units[i].seconds) * HD_NS_PER_SEC;
                return 0;
            }
        }
    }
    return rul_refuse(r, node,
                      "'timespan' must be a number with s, m, h, d or w, at most a year");
}

/* ---- condition ---- */

static int narrow(struct rul_reader *r, const struct hd_yaml *v, uint64_t n,
                  struct rul_bounds *b)
{
    if (hd_yaml_is(v->key, "gt")) {
        b->min = n + 1 > b->min ? n + 1 : b->min;
    } else if (hd_yaml_is(v->key, "gte")) {
        b->min = n > b->min ? n : b->min;
    } else if (hd_yaml_is(v->key, "lt")) {
        if (n == 0) {
            return rul_refuse(r, v, "no count is below 0");
        }
        b->max = n - 1 < b->max ? n - 1 : b->max;
    } else if (hd_yaml_is(v->key, "lte")) {
        b->max = n < b->max ? n : b->max;
    } else if (hd_yaml_is(v->key, "eq")) {
        b->min = n > b->min ? n : b->min;
        b->max = n < b->max ? n : b->max;
    } else if (hd_yaml_is(v->key, "neq")) {
        b->not_equal = n;
    } else {
        return rul_refuse(r, v->key,
                          "unknown comparison: gt, gte, lt, lte, eq and neq "
                          "are known");
    }
    return 0;
}

static int check_bounds(struct rul_reader *r, const struct hd_yaml *node,
                        const struct rul_bounds *b)
{
    if (b->min > b->max) {
        return rul_refuse(r, node, "no count can meet this condition");
    }
    if (b->min == 0 && b->max == UINT64_MAX && b->not_equal == UINT64_MAX) {
        return rul_refuse(r, node, "the condition needs a number above 0");
    }
    if (b->min == 0) {
        hd_diag_warn(r->diags, r->file, node->line, node->column,
                     "a group without any event is never seen: the condition is tested "
                     "only for groups with at least one");
    }
    return 0;
}

static int read_condition(struct rul_reader *r, const struct hd_yaml *node,
                          bool wants_field, struct rul_corr_ast *corr)
{
    corr->bounds = (struct rul_bounds){0, UINT64_MAX, UINT64_MAX};
    if (node->kind != HD_YAML_MAP) {
        return rul_refuse(r, node, "'condition' must be a map like 'gte: 10'");
    }
    for (const struct hd_yaml *v = node->first; v != NULL; v = v->next) {
        int err = 0;
        if (hd_yaml_is(v->key, "field")) {
            err = wants_field
                      ? read_words(r, v, corr->values, RUL_VALUES_MAX, &corr->n_values)
                      : rul_refuse(r, v->key, "an event_count has no field");
        } else {
            uint64_t n = 0;
            if (v->kind != HD_YAML_SCALAR || hd_num_u64(v->text, COUNT_MAX, &n) != 0) {
                return rul_refuse(r, v, "a number from 0 to 1000000 was expected here");
            }
            err = narrow(r, v, n, &corr->bounds);
        }
        if (err != 0) {
            return err;
        }
    }
    if (wants_field && corr->n_values == 0) {
        return rul_refuse(r, node, "a value_count needs 'field' in its condition");
    }
    return check_bounds(r, node, &corr->bounds);
}

/* ---- aliases ---- */

static int read_alias(struct rul_reader *r, const struct hd_yaml *node,
                      struct rul_alias *alias)
{
    alias->name = node->key->text;
    if (node->kind != HD_YAML_MAP || node->n == 0 || node->n > RUL_REFS_MAX) {
        return rul_refuse(r, node, "an alias is a map of 1 to %u rules to fields",
                          RUL_REFS_MAX);
    }
    for (const struct hd_yaml *v = node->first; v != NULL; v = v->next) {
        if (v->kind != HD_YAML_SCALAR || v->text.len == 0) {
            return rul_refuse(r, v, "a field name was expected here");
        }
        alias->map[alias->n].rule =
            (struct rul_name){v->key->text, v->key->line, v->key->column};
        alias->map[alias->n++].field = v->text;
    }
    return 0;
}

static int read_aliases(struct rul_reader *r, const struct hd_yaml *node,
                        struct rul_corr_ast *corr)
{
    if (node->kind != HD_YAML_MAP || node->n > RUL_ALIASES_MAX) {
        return rul_refuse(r, node, "'aliases' must be a map of at most %u names",
                          RUL_ALIASES_MAX);
    }
    int err = 0;
    for (const struct hd_yaml *v = node->first; v != NULL && err == 0; v = v->next) {
        err = read_alias(r, v, &corr->aliases[corr->n_aliases++]);
    }
    return err;
}

/* ---- the map ---- */

static int read_type(struct rul_reader *r, const struct hd_yaml *node,
                     enum rul_rule_type *type)
{
    const struct hd_yaml *word = hd_yaml_get(node, "type");
    if (word == NULL) {
        return rul_refuse(r, node, "'type' is missing");
    }
    if (!hd_yaml_is(word, "event_count") && !hd_yaml_is(word, "value_count")) {
        return rul_refuse(r, word,
                          "this type of correlation is not supported: event_count and "
                          "value_count are");
    }
    *type = hd_yaml_is(word, "event_count") ? RUL_EVENT_COUNT : RUL_VALUE_COUNT;
    return 0;
}

static int read_member(struct rul_reader *r, const struct hd_yaml *v,
                       enum rul_rule_type type, struct rul_corr_ast *corr)
{
    if (hd_yaml_is(v->key, "type")) {
        return 0;
    }
    if (hd_yaml_is(v->key, "rules")) {
        return read_words(r, v, corr->rules, RUL_REFS_MAX, &corr->n_rules);
    }
    if (hd_yaml_is(v->key, "group-by")) {
        return read_words(r, v, corr->group, RUL_GROUP_MAX, &corr->n_group);
    }
    if (hd_yaml_is(v->key, "timespan")) {
        return read_timespan(r, v, corr);
    }
    if (hd_yaml_is(v->key, "condition")) {
        return read_condition(r, v, type == RUL_VALUE_COUNT, corr);
    }
    if (hd_yaml_is(v->key, "aliases")) {
        return read_aliases(r, v, corr);
    }
    if (hd_yaml_is(v->key, "generate")) {
        return v->kind == HD_YAML_SCALAR && hd_num_bool(v->text, &corr->generate) == 0
                   ? 0
                   : rul_refuse(r, v, "'generate' wants true or false");
    }
    return rul_refuse(r, v->key,
                      "unknown key of a correlation: type, rules, group-by, timespan, "
                      "condition, aliases and generate are known");
}

int rul_correlation_read(struct rul_reader *r, const struct hd_yaml *node,
                         struct rul_doc *doc)
{
    struct rul_corr_ast *corr = hd_arena_alloc(r->load, 1, sizeof(*corr));
    if (corr == NULL) {
        return HD_ENOMEM;
    }
    doc->corr = corr;
    if (node->kind != HD_YAML_MAP) {
        return rul_refuse(r, node, "'correlation' must be a map");
    }
    int err = read_type(r, node, &doc->rule.type);
    for (const struct hd_yaml *v = node->first; v != NULL && err == 0; v = v->next) {
        err = read_member(r, v, doc->rule.type, corr);
    }
    static const char *const needed[] = {"rules", "timespan", "condition"};
    for (size_t i = 0; err == 0 && i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (hd_yaml_get(node, needed[i]) == NULL) {
            err = rul_refuse(r, node, "'%s' is missing", needed[i]);
        }
    }
    return err;
}
