/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of this directory: the steps from documents to a program.
 */
#pragma once
#include "rules/compile/program.h"

/* Grows a heap array for one more item. */
int rul_grow(void *array, uint32_t n, size_t item) HD_MUST_USE;

struct rul_interner;
int rul_interner_new(struct rul_program *p, struct rul_fields *fields,
                     struct rul_interner **out) HD_MUST_USE;
void rul_interner_free(struct rul_interner *in);
/* Expression tree -> reference. */
int rul_intern_expr(struct rul_interner *in, struct rul_expr *expr,
                    uint32_t *ref) HD_MUST_USE;

/* One way into a rule: a predicate, or (pred == UINT32_MAX) the presence of a field. */
struct rul_access {
    uint32_t pred;
    uint16_t field;
};
/* Access set of a rule into out[cap]; *n = 0 when it has none. HD_ELIMIT. */
int rul_access_choose(const struct rul_program *p, uint32_t ref, struct rul_access *out,
                      uint32_t cap, uint32_t *n) HD_MUST_USE;
/* The estimate by which it chooses: how often, in a million events, its members will be
 * found. INFINITY: there is no such set. */
double rul_access_cost(const struct rul_program *p, uint32_t ref);
/* What of a predicate goes into a literal database; empty = nothing can. */
struct hd_slice rul_access_literal(const struct rul_program *p,
                                   const struct rul_pred *pred);

int rul_dispatch_build(struct rul_program *p, const struct rul_compile_opts *opts,
                       struct rul_doc *const *docs, struct hd_diags *diags) HD_MUST_USE;
void rul_dispatch_fini(struct rul_dispatch *d);
int rul_slot_compile_literals(struct rul_slot *slot, const struct hd_slice *literals,
                              uint32_t n) HD_MUST_USE;
int rul_slot_compile_expressions(struct rul_program *p,
                                 struct rul_slot *slot) HD_MUST_USE;

struct rul_share; /* databases of the program being built */
int rul_share_new(struct rul_share **out) HD_MUST_USE;
void rul_share_free(struct rul_share *share);
/* As rul_slot_compile_*, unless an earlier slot has the same database. The literals and
 * slots live as long as the share. */
int rul_share_literals(struct rul_share *share, struct rul_slot *slot,
                       const struct hd_slice *literals, uint32_t n) HD_MUST_USE;
int rul_share_expressions(struct rul_share *share, struct rul_program *p,
                          struct rul_slot *slot) HD_MUST_USE;

/* Of the databases that the slot owns. HD_ECORRUPT: `why` says what was missed. */
int rul_slot_self_test(const struct rul_program *p, const struct rul_slot *slot,
                       char why[256]) HD_MUST_USE;
