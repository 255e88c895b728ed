/* SPDX-License-Identifier: Apache-2.0
 *
 * The `correlation` map (specification v2.1, "Sigma Correlation Rules"; conditions over
 * rule names as SEP 198 has them). Names are resolved when the whole set has been read.
 */
#include <math.h>

#include <haidang/clock.h>
#include <haidang/num.h>

#include "rules/parse/ast.h"
#include "rules/parse/condition.h"

#define COUNT_MAX UINT64_C(1000000)
#define SPAN_MAX  (INT64_C(365) * 86400)
#define LIMIT_MAX 9e12

static bool is_temporal(enum rul_rule_type type)
{
    return type == RUL_TEMPORAL || type == RUL_TEMPORAL_ORDERED;
}

static bool is_metric(enum rul_rule_type type)
{
    return type == RUL_VALUE_SUM || type == RUL_VALUE_AVG || type == RUL_VALUE_PERCENTILE;
}

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

int rul_time_read(const struct rul_reader *r, const struct hd_yaml *node, int64_t *out)
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
                *out = (int64_t)(n * units[i].seconds) * HD_NS_PER_SEC;
                return 0;
            }
        }
    }
    return rul_refuse(r, node,
                      "'%.*s' must be a number with s, m, h, d or w, at most a year",
                      HD_SLICE_FMT(node->key->text));
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

static int read_number(struct rul_reader *r, const struct hd_yaml *v,
                       struct rul_bounds *bounds)
{
    uint64_t n = 0;
    if (v->kind != HD_YAML_SCALAR || hd_num_u64(v->text, COUNT_MAX, &n) != 0) {
        return rul_refuse(r, v, "a number from 0 to 1000000 was expected here");
    }
    return narrow(r, v, n, bounds);
}

/* ---- conditions of value_sum, value_avg, value_percentile ---- */

bool rul_limit_of(struct hd_slice text, int64_t *out)
{
    double number = 0;
    if (hd_num_double(text, &number) != 0 || number > LIMIT_MAX || number < -LIMIT_MAX) {
        return false;
    }
    *out = (int64_t)llround(number * RUL_LIMIT_UNIT);
    return true;
}

static void raise_min(struct rul_limits *l, int64_t n, bool is_open)
{
    if (!l->has_min || n > l->min || (n == l->min && is_open)) {
        l->min = n;
        l->is_min_open = is_open;
    }
    l->has_min = true;
}

static void lower_max(struct rul_limits *l, int64_t n, bool is_open)
{
    if (!l->has_max || n < l->max || (n == l->max && is_open)) {
        l->max = n;
        l->is_max_open = is_open;
    }
    l->has_max = true;
}

static int read_limit(struct rul_reader *r, const struct hd_yaml *v, struct rul_limits *l)
{
    int64_t n = 0;
    if (v->kind != HD_YAML_SCALAR || !rul_limit_of(v->text, &n)) {
        return rul_refuse(r, v, "a number up to 9e12 was expected here");
    }
    if (hd_yaml_is(v->key, "gt") || hd_yaml_is(v->key, "gte")) {
        raise_min(l, n, hd_yaml_is(v->key, "gt"));
    } else if (hd_yaml_is(v->key, "lt") || hd_yaml_is(v->key, "lte")) {
        lower_max(l, n, hd_yaml_is(v->key, "lt"));
    } else if (hd_yaml_is(v->key, "eq")) {
        raise_min(l, n, false);
        lower_max(l, n, false);
    } else if (hd_yaml_is(v->key, "neq")) {
        l->has_not_equal = true;
        l->not_equal = n;
    } else {
        return rul_refuse(r, v->key,
                          "unknown comparison: gt, gte, lt, lte, eq and neq are known");
    }
    return 0;
}

static int read_percentile(struct rul_reader *r, const struct hd_yaml *v,
                           enum rul_rule_type type, struct rul_limits *l)
{
    uint64_t p = 0;
    if (type != RUL_VALUE_PERCENTILE) {
        return rul_refuse(r, v->key, "only a value_percentile has a percentile");
    }
    if (v->kind != HD_YAML_SCALAR || hd_num_u64(v->text, 100, &p) != 0 || p == 0) {
        return rul_refuse(r, v, "a whole number from 1 to 100 was expected here");
    }
    l->percentile = (uint8_t)p;
    return 0;
}

static int check_limits(struct rul_reader *r, const struct hd_yaml *node,
                        enum rul_rule_type type, const struct rul_corr_ast *corr)
{
    const struct rul_limits *l = &corr->limits;
    if (corr->n_values > 1) {
        return rul_refuse(r, node, "one field of numbers was expected, not several");
    }
    if (type == RUL_VALUE_PERCENTILE && l->percentile == 0) {
        return rul_refuse(r, node,
                          "a value_percentile needs 'percentile' in its condition: how "
                          "rare a text is cannot be asked here");
    }
    if (!l->has_min && !l->has_max && !l->has_not_equal) {
        return rul_refuse(r, node, "the condition needs a comparison like 'gte: 10'");
    }
    if (l->has_min && l->has_max &&
        (l->min > l->max || (l->min == l->max && (l->is_min_open || l->is_max_open)))) {
        return rul_refuse(r, node, "no number can meet this condition");
    }
    return 0;
}

/* ---- any condition ---- */

static int read_criterion(struct rul_reader *r, const struct hd_yaml *v,
                          enum rul_rule_type type, struct rul_corr_ast *corr)
{
    if (hd_yaml_is(v->key, "field")) {
        if (type == RUL_EVENT_COUNT || is_temporal(type)) {
            return rul_refuse(r, v->key, "a correlation of this type has no field");
        }
        return read_words(r, v, corr->values, RUL_VALUES_MAX, &corr->n_values);
    }
    if (hd_yaml_is(v->key, "percentile")) {
        return read_percentile(r, v, type, &corr->limits);
    }
    return is_metric(type) ? read_limit(r, v, &corr->limits)
                           : read_number(r, v, &corr->bounds);
}

static int add_names(struct rul_reader *r, const struct hd_yaml *node,
                     const struct rul_cond *cond, struct rul_corr_ast *corr)
{
    for (uint16_t i = 0; i < cond->n; i++) {
        struct hd_slice text = cond->nodes[i].text;
        bool is_known = cond->nodes[i].kind != RUL_COND_NAME;
        for (size_t k = 0; k < corr->n_rules && !is_known; k++) {
            is_known = hd_slice_eq(corr->rules[k].text, text);
        }
        if (!is_known && corr->n_rules == RUL_REFS_MAX) {
            return rul_refuse(r, node, "more than %u rules", RUL_REFS_MAX);
        }
        if (!is_known) {
            corr->rules[corr->n_rules++] =
                (struct rul_name){text, node->line, node->column};
        }
    }
    return 0;
}

/* "rule_a and not rule_b" */
static int read_expression(struct rul_reader *r, const struct hd_yaml *node,
                           struct rul_corr_ast *corr)
{
    struct rul_cond *cond = hd_arena_alloc(r->load, 1, sizeof(*cond));
    if (cond == NULL) {
        return HD_ENOMEM;
    }
    corr->expr = cond;
    if (rul_cond_parse(node->text, cond) != 0) {
        unsigned quote = node->is_quoted ? 1 : 0;
        hd_diag_error(r->diags, r->file, node->line,
                      node->column + quote + (unsigned)cond->error_offset, "%s",
                      cond->error);
        return HD_EPARSE;
    }
    return 0;
}

static int read_condition(struct rul_reader *r, const struct hd_yaml *node,
                          enum rul_rule_type type, struct rul_corr_ast *corr)
{
    corr->condition = node;
    if (is_temporal(type) && node->kind == HD_YAML_SCALAR) {
        return read_expression(r, node, corr);
    }
    if (node->kind != HD_YAML_MAP) {
        return rul_refuse(r, node, "'condition' must be a map like 'gte: 10'");
    }
    int err = 0;
    for (const struct hd_yaml *v = node->first; v != NULL && err == 0; v = v->next) {
        err = read_criterion(r, v, type, corr);
    }
    if (err == 0 && (type == RUL_VALUE_COUNT || is_metric(type)) && corr->n_values == 0) {
        err = rul_refuse(r, node, "a %s needs 'field' in its condition",
                         rul_rule_type_name(type));
    }
    if (err != 0) {
        return err;
    }
    return is_metric(type) ? check_limits(r, node, type, corr)
                           : check_bounds(r, node, &corr->bounds);
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
    for (*type = RUL_EVENT_COUNT; *type < RUL_RULE_TYPES; ++*type) {
        if (hd_yaml_is(word, rul_rule_type_name(*type))) {
            return 0;
        }
    }
    return rul_refuse(r, word,
                      "this type of correlation is not known: event_count, value_count, "
                      "value_sum, value_avg, value_percentile, temporal and "
                      "temporal_ordered are");
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
        return rul_time_read(r, v, &corr->timespan_ns);
    }
    if (hd_yaml_is(v->key, "condition")) {
        return read_condition(r, v, type, corr);
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

static int check_needed(struct rul_reader *r, const struct hd_yaml *node,
                        const struct rul_doc *doc)
{
    if (doc->corr->n_rules == 0) {
        return rul_refuse(r, node, "'rules' is missing");
    }
    if (doc->corr->timespan_ns == 0) {
        return rul_refuse(r, node, "'timespan' is missing");
    }
    if (doc->corr->condition == NULL && !is_temporal(doc->rule.type)) {
        return rul_refuse(r, node, "'condition' is missing");
    }
    return 0;
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
    corr->bounds = (struct rul_bounds){0, UINT64_MAX, UINT64_MAX};
    int err = read_type(r, node, &doc->rule.type);
    for (const struct hd_yaml *v = node->first; v != NULL && err == 0; v = v->next) {
        err = read_member(r, v, doc->rule.type, corr);
    }
    if (err == 0 && corr->expr != NULL && corr->n_rules == 0) {
        err = add_names(r, corr->condition, corr->expr, corr);
    }
    return err != 0 ? err : check_needed(r, node, doc);
}
