/* SPDX-License-Identifier: Apache-2.0
 *
 * The compiled form of a set: predicates interned over all rules, expressions as arrays,
 * and for each class of events the databases that find the few rules worth evaluating.
 * Immutable once built; shared by threads.
 *
 * Glossary. access set: predicates of a rule of which at least one holds whenever the
 * rule does; only they are looked for. candidate: a rule with an access predicate found,
 * to be evaluated exactly. slot: what a class looks for in one field.
 */
#pragma once
#include <stdatomic.h>

#include <hs/hs.h>

#include "rules/compile/networks.h"
#include "rules/match/regex.h"
#include "rules/parse/ast.h"

/* The pseudo-field of keywords: the raw line and the values made from it. */
#define RUL_KEYWORD RUL_FIELD_NONE

struct rul_pred {
    uint8_t op; /* enum rul_op */
    bool cased;
    uint8_t part; /* enum rul_time_part */
    uint16_t field;
    uint32_t aux; /* index of glob, expression, network, number; or the other field */
    struct hd_slice text;
};

struct rul_glob {
    const struct rul_part *parts;
    size_t n;
};

enum rul_re_mode {
    RUL_RE_EXACT,     /* Hyperscan decides */
    RUL_RE_PREFILTER, /* Hyperscan finds candidates, PCRE2 decides */
    RUL_RE_SLOW       /* PCRE2 alone, whenever the rule is evaluated */
};

struct rul_expression {
    struct hd_slice pattern;
    const char *cstr; /* the same, NUL-terminated */
    unsigned flags;   /* enum rul_re_flag */
    enum rul_re_mode mode;
    struct rul_regex *pcre; /* NULL while mode is RUL_RE_EXACT */
};

/* A reference is a predicate (top bit set) or a node. */
#define RUL_REF_PRED  UINT32_C(0x80000000)
#define RUL_REF_INDEX UINT32_C(0x7fffffff)

struct rul_node {
    enum rul_expr_kind kind; /* never RUL_EXPR_ATOM */
    uint32_t at_least;
    uint32_t first, n; /* in kids */
};

/* ---- what a class looks for ---- */

struct rul_use { /* one access predicate, and rules of a class to which it leads */
    uint32_t pred;
    uint8_t op;           /* RUL_OP_CONTAINS, _STARTS, _ENDS; else found anywhere */
    bool decides;         /* finding it there is all that the predicate asks */
    uint32_t literal_len; /* of what is in the database */
    uint32_t first_rule, n_rules; /* in rule_refs */
};

struct rul_literal {
    uint32_t first_use, n_uses;
};

/* Slots of classes that look for the same are copies which own nothing. */
struct rul_slot {
    uint16_t field;
    hs_database_t *literals; /* NULL = none; ids are indexes into literal[] */
    struct rul_literal *literal;
    uint32_t n_literals;
    uint32_t *equal; /* hash table of use + 1, 0 = free */
    uint32_t equal_mask;
    uint64_t equal_lens;          /* lengths of the values in it, see RUL_LEN_BIT */
    struct rul_network *networks; /* their uses are indexes of uses */
    uint32_t n_networks;
    hs_database_t *expressions; /* ids are predicates */
    uint32_t *re_preds;         /* ascending; all expressions of the class in the field */
    uint32_t *re_uses;          /* beside: use + 1, 0 = no access predicate */
    uint32_t n_re;
    bool re_eager;                        /* some expression is an access predicate */
    bool owns_literals, owns_expressions; /* else they are another slot's */
    uint32_t *present; /* rules of the set that are candidates when the field is there */
    uint32_t n_present;
};

#define RUL_LEN_BIT(len) (UINT64_C(1) << ((len) < 63 ? (len) : 63))

struct rul_dispatch { /* one class */
    uint32_t *rules;  /* indexes in the set, ascending */
    uint32_t n_rules;
    uint32_t *always; /* those of them without an access set, ascending */
    uint32_t n_always;
    struct rul_slot *slots; /* ascending field; the keyword slot is the last */
    uint32_t n_slots;
    uint64_t *decided; /* bitmap over predicates: false when no database finds them */
    bool has_keywords;
};

/* A filter of a rule. The count is all of a set that ever changes. */
struct rul_filter_use {
    uint32_t rule, filter; /* in the set */
    uint32_t ref;          /* holds: the hit stands */
    _Atomic uint64_t held_back;
};

struct rul_program {
    struct hd_arena arena; /* texts, small arrays */
    struct rul_pred *preds;
    struct rul_node *nodes;
    uint32_t *kids;
    uint32_t n_preds, n_nodes, n_kids;
    struct rul_glob *globs;
    struct rul_expression *expressions;
    struct hd_cidr *networks;
    double *numbers;
    uint32_t n_globs, n_expressions, n_networks, n_numbers;
    uint32_t *roots; /* per rule of the set; UINT32_MAX = no detection */
    struct rul_filter_use *filter_uses; /* by rule */
    uint32_t n_roots, n_filter_uses;
    uint32_t *first_filter;        /* per rule, and the end: indexes of filter_uses */
    struct rul_use *uses;          /* of all slots */
    uint32_t *rule_refs;           /* rules of the set */
    struct rul_dispatch *dispatch; /* per class id */
    uint16_t n_classes;
};

struct rul_compile_opts {
    struct rul_fields *fields;
    const struct rul_class *classes;
    uint16_t n_classes;
    bool no_self_test;
    bool no_databases; /* no dispatch either: nothing is matched */
};

/* docs[i] becomes root i. Reports what it refuses (HD_EPARSE), HD_ECORRUPT when the
 * pattern library fails its test (reported with its version), HD_ENOMEM. */
int rul_program_build(struct rul_program *p, const struct rul_compile_opts *opts,
                      struct rul_doc *const *docs, uint32_t n_docs,
                      struct hd_diags *diags) HD_MUST_USE;
void rul_program_fini(struct rul_program *p);
