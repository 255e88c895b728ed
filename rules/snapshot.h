/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a rule set, for the files of this room only. Everyone else sees set.h.
 */
#pragma once
#include <stdatomic.h>

#include "rules/compile/program.h"
#include "rules/filter.h"

#define RUL_TERMS_MAX 64U /* alternatives of a condition over rules */
#define RUL_CHAINS_MAX                                                                   \
    256U                   /* rules of all alternatives together, where order matters    \
                            */
#define RUL_LEVELS_MAX 16U /* correlations of correlations */

/* A correlation rule with its names resolved. */
struct rul_corr_ref { /* one rule it counts */
    uint32_t rule;    /* in the set */
    uint16_t group[RUL_GROUP_MAX];
    uint16_t values[RUL_VALUES_MAX];
};

enum rul_timing {
    RUL_SLIDING, /* fires while counting up */
    RUL_ALIGNED, /* windows [kT, (k+1)T), tested at their end; each a group of its own */
    RUL_STARTED, /* windows [s, s+T) from each event that is wanted, tested at their end
                  */
    RUL_SESSION_NOW, /* sessions; fires while counting up */
    RUL_SESSION_END  /* sessions, tested at their end */
};

/* One alternative of a condition over rules; sets of refs as bits. */
struct rul_term {
    uint64_t needed, absent;
    uint16_t first; /* temporal_ordered: needed ones in rul_corr.order */
    uint8_t n;
};

struct rul_corr {
    uint32_t rule; /* itself, in the set */
    uint8_t level; /* 1: counts detection rules only */
    enum rul_rule_type type;
    enum rul_timing timing;
    int64_t timespan_ns;
    int64_t gap_ns;           /* a session is over after this; sessions only */
    struct rul_bounds bounds; /* counts; temporal without terms: of different rules */
    struct rul_limits limits; /* metrics */
    const char *group_names[RUL_GROUP_MAX];
    uint16_t group_fields[RUL_GROUP_MAX]; /* of the event that a detection becomes */
    uint8_t n_group, n_values;
    uint32_t n_refs;
    const struct rul_corr_ref *refs;
    uint64_t wanted; /* refs that some alternative needs */
    const struct rul_term *terms;
    uint32_t n_terms;
    const uint8_t *order; /* refs; see rul_term.first */
    uint32_t n_starts;    /* of them; 0: order does not matter */
    bool has_null_group;  /* events without a group-by field are counted, too */
    bool resets;          /* what has fired does not count any more; rul_counts_up only */
};

/* Else it is tested when a window ends. */
static inline bool rul_counts_up(const struct rul_corr *corr)
{
    return corr->timing == RUL_SLIDING || corr->timing == RUL_SESSION_NOW;
}

static inline bool rul_bounds_hold(const struct rul_bounds *b, uint64_t count)
{
    return count >= b->min && count <= b->max && count != b->not_equal;
}

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
    uint32_t n_left_out;
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

/* Can the names that the correlation counts be found yet? If not, the first that cannot.
 */
const struct rul_name *rul_corr_missing(const struct rul_set *set,
                                        const struct rul_doc *doc);
/* Reports why correlations that wait for each other, or for what is not there, cannot be
 * used. */
void rul_corr_explain(const struct rul_set *set, struct rul_doc *const *waiting, size_t n,
                      struct hd_diags *diags);
/* The condition of a temporal correlation -> alternatives. Reports. */
int rul_terms_resolve(struct rul_set *set, const struct rul_doc *doc,
                      struct rul_corr *corr, struct hd_diags *diags) HD_MUST_USE;

/* Resolves the names of correlation documents. Reports; a correlation that names what is
 * not there is refused (HD_EPARSE). */
int rul_corr_resolve(struct rul_set *set, struct rul_doc *doc, uint32_t index,
                     struct rul_corr *out, struct hd_diags *diags) HD_MUST_USE;

/* Joins filter documents to the rules they name; docs[i] is rule i. Reports. */
int rul_filters_join(struct rul_set *set, const struct rul_doc *filters,
                     struct rul_doc *const *docs, struct hd_arena *load,
                     struct hd_diags *diags) HD_MUST_USE;
