/* SPDX-License-Identifier: Apache-2.0
 *
 * What a Sigma document says, normalised: modifiers expanded, names resolved. Strings of
 * expressions live as long as the load, of `struct rul_rule` as long as the set.
 */
#pragma once
#include <haidang/yaml.h>

#include "rules/parse/expr.h"
#include "rules/parse/options.h"
#include "rules/set.h"

#define RUL_GROUP_MAX   8U  /* group-by fields */
#define RUL_VALUES_MAX  4U  /* fields of a value_count */
#define RUL_REFS_MAX    64U /* rules of one correlation */
#define RUL_ALIASES_MAX 16U

struct rul_name { /* a word of the file and where it stands */
    struct hd_slice text;
    unsigned line, column;
};

struct rul_alias {
    struct hd_slice name;
    size_t n;
    struct {
        struct rul_name rule;
        struct hd_slice field;
    } map[RUL_REFS_MAX];
};

/* What a count is compared with: min <= count <= max and count != not_equal. */
struct rul_bounds {
    uint64_t min, max;  /* max: UINT64_MAX = none */
    uint64_t not_equal; /* UINT64_MAX = none */
};

/* The same for value_sum, value_avg and value_percentile, in millionths. */
struct rul_limits {
    int64_t min, max, not_equal;
    bool has_min, has_max, has_not_equal;
    bool is_min_open, is_max_open; /* gt, lt */
    uint8_t percentile;            /* 1 .. 100 */
};

#define RUL_LIMIT_UNIT 1000000.0
/* A finite number of moderate size -> millionths, rounded; false for others. */
bool rul_limit_of(struct hd_slice text, int64_t *out);

struct rul_cond;

struct rul_corr_ast {
    struct rul_name rules[RUL_REFS_MAX];
    size_t n_rules;
    struct rul_name group[RUL_GROUP_MAX];
    size_t n_group;
    struct rul_name values[RUL_VALUES_MAX];
    size_t n_values;
    struct rul_alias aliases[RUL_ALIASES_MAX];
    size_t n_aliases;
    int64_t timespan_ns;
    struct rul_bounds bounds;
    struct rul_limits limits;
    const struct rul_cond *expr;     /* condition over rule names; NULL: numbers */
    const struct hd_yaml *condition; /* where it stands; NULL: all rules */
    bool generate;
};

struct rul_filter_ast {
    bool is_any;            /* every rule whose log source it covers */
    struct rul_name *rules; /* else: these */
    size_t n_rules;
};

struct rul_example { /* lives as long as the set */
    struct rul_example *next;
    bool must_match;
    struct hd_slice *lines;
    size_t n_lines;
    const char *format, *host;
    uint32_t repeat;  /* the lines are played so often */
    int64_t every_ns; /* between two lines */
    unsigned line;
};

struct rul_doc {
    struct rul_doc *next;
    struct rul_rule rule;
    struct rul_logsource logsource;
    struct rul_expr *expr;     /* detections, filters */
    struct rul_corr_ast *corr; /* correlations */
    struct rul_corr_options options;
    struct rul_filter_ast *filter; /* filters; `rule` is then only its texts */
    struct rul_filter_link {       /* of a detection: what must hold besides */
        struct rul_filter_link *next;
        uint32_t filter; /* in the set */
        struct rul_expr *expr;
    } * filters;
    struct rul_example *examples;
    unsigned column;
    uint64_t regex_work;
    bool is_only_needed; /* not chosen itself, see select.h */
};

struct rul_placeholders;

/* Where a document is read from and what its pieces live in. */
struct rul_reader {
    struct hd_arena *load; /* trees: until the set is compiled */
    struct hd_arena *keep; /* texts of the rule: as long as the set */
    const char *file;
    struct hd_diags *diags;
    const struct rul_placeholders *placeholders; /* NULL: none are known */
    /* Of the rule being read: */
    uint64_t atoms, regex_work; /* see match/regex_cost.h */
    uint64_t inserted;          /* hash over the values that placeholders stood for */
};

/* Reports at a node. Returns HD_EPARSE. */
int rul_refuse(const struct rul_reader *r, const struct hd_yaml *at, const char *fmt, ...)
    HD_PRINTF(3, 4);

/* One YAML document -> rule. HD_EPARSE (reported) or HD_ENOMEM. */
int rul_doc_read(struct rul_reader *r, const struct hd_yaml *root,
                 struct rul_doc **out) HD_MUST_USE;
/* The `detection` (or `filter`) map -> expression. */
int rul_detection_read(struct rul_reader *r, const struct hd_yaml *detection,
                       struct rul_expr **out) HD_MUST_USE;
/* One field with its modifiers and values -> expression; key NULL = keywords. */
int rul_item_read(struct rul_reader *r, const struct hd_yaml *key,
                  const struct hd_yaml *value, struct rul_expr **out) HD_MUST_USE;
/* The `filter` map -> doc->filter and doc->expr. */
int rul_filter_read(struct rul_reader *r, const struct hd_yaml *node,
                    struct rul_doc *doc) HD_MUST_USE;
int rul_correlation_read(struct rul_reader *r, const struct hd_yaml *node,
                         struct rul_doc *doc) HD_MUST_USE;
/* "10m" -> nanoseconds. */
int rul_time_read(const struct rul_reader *r, const struct hd_yaml *node,
                  int64_t *out) HD_MUST_USE;
int rul_examples_read(struct rul_reader *r, const struct hd_yaml *node,
                      struct rul_example **out) HD_MUST_USE;

struct rul_expr *rul_expr_new(struct rul_reader *r, enum rul_expr_kind kind, size_t n);
