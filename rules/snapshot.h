/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a rule set, for the files of this room only. Everyone else sees set.h.
 */
#pragma once
#include <stdatomic.h>

#include "rules/compile/program.h"
#include "rules/filter.h"

/* A correlation rule with its names resolved. */
struct rul_corr_ref { /* one rule it counts */
    uint32_t rule;    /* in the set */
    uint16_t group[RUL_GROUP_MAX];
    uint16_t values[RUL_VALUES_MAX];
};

struct rul_corr {
    uint32_t rule; /* itself, in the set */
    int64_t timespan_ns;
    struct rul_bounds bounds;
    bool immediate; /* gt and gte alone: fires while counting up; else at window close */
    const char *group_names[RUL_GROUP_MAX];
    uint8_t n_group, n_values;
    uint32_t n_refs;
    const struct rul_corr_ref *refs;
};

struct rul_set {
    atomic_uint refs;
    struct hd_arena keep; /* texts of rules, examples, correlations */
    struct rul_fields *fields;
    struct rul_decoders *decoders; /* NULL: classes are made from the rules */
    const struct rul_class *classes;
    uint16_t n_classes;
    struct rul_rule *rules;
    struct rul_example **examples; /* per rule */
    uint32_t n_rules;
    struct rul_names *names; /* ids and names -> rule */
    struct rul_corr *corrs;
    uint32_t n_corrs;
    struct rul_filter *filters;
    uint32_t n_filters;
    struct rul_program program;
    char hash[65];
};

/* Ids and names of rules -> index. */
struct rul_names;
int rul_names_new(struct rul_names **out) HD_MUST_USE;
void rul_names_free(struct rul_names *names);
/* HD_EEXIST: taken, by *index. The name is borrowed. */
int rul_names_add(struct rul_names *names, struct hd_slice name,
                  uint32_t *index) HD_MUST_USE;
/* UINT32_MAX when there is none. */
uint32_t rul_names_find(const struct rul_names *names, struct hd_slice name);

/* Resolves the names of correlation documents. Reports; a correlation that names what is
 * not there is refused (HD_EPARSE). */
int rul_corr_resolve(struct rul_set *set, struct rul_doc *doc, uint32_t index,
                     struct rul_corr *out, struct hd_diags *diags) HD_MUST_USE;

/* Joins filter documents to the rules they name; docs[i] is rule i. Reports. */
int rul_filters_join(struct rul_set *set, const struct rul_doc *filters,
                     struct rul_doc *const *docs, struct hd_arena *load,
                     struct hd_diags *diags) HD_MUST_USE;
