/* SPDX-License-Identifier: Apache-2.0
 *
 * What a rule saw in an event. Everything is asked of the matcher's own evaluation, so
 * that what people are told is what happened.
 */
#include "rules/explain.h"

#include "rules/decode/json_scan.h"
#include "rules/match/scratch.h"

struct explain {
    const struct rul_matcher *m;
    uint16_t *ids;
    size_t n, cap;
};

static void add_field(struct explain *x, uint16_t field)
{
    for (size_t i = 0; i < x->n; i++) {
        if (x->ids[i] == field) {
            return;
        }
    }
    if (x->n < x->cap && field != RUL_KEYWORD) {
        x->ids[x->n++] = field;
    }
}

/* Fields of the positive predicates that hold, in the parts that hold. */
static void explain(struct explain *x, uint32_t ref)
{
    if (!rul_eval(x->m, ref)) {
        return;
    }
    if ((ref & RUL_REF_PRED) != 0) {
        const struct rul_pred *pred = &x->m->p->preds[ref & RUL_REF_INDEX];
        if (pred->op != RUL_OP_NULL) {
            add_field(x, pred->field);
        }
        return;
    }
    const struct rul_node *node = &x->m->p->nodes[ref];
    for (uint32_t i = 0; i < node->n && node->kind != RUL_EXPR_NOT; i++) {
        explain(x, x->m->p->kids[node->first + i]);
    }
}

size_t rul_hit_fields(const struct rul_set *set, struct rul_scratch *scratch,
                      const struct rul_hit *hit, uint16_t *ids, size_t cap)
{
    const struct rul_matcher m = {
        &set->program, &set->program.dispatch[hit->ev->class_id], scratch, hit->ev};
    struct explain x = {.m = &m, .ids = ids, .cap = cap};
    explain(&x, set->program.roots[hit->rule->index]);
    return x.n;
}

size_t rul_explain_fields(const struct rul_set *set, const struct rul_rule *rule,
                          const struct rul_event *ev, uint16_t *ids, size_t cap)
{
    struct rul_scratch *scratch = NULL;
    struct rul_matcher m;
    uint32_t root = set->program.roots[rule->index];
    if (root == UINT32_MAX || rul_scratch_new(set, &scratch) != 0) {
        return 0;
    }
    struct explain x = {.m = &m, .ids = ids, .cap = cap};
    if (rul_matcher_begin(&m, set, scratch, ev)) {
        explain(&x, root);
    }
    rul_scratch_free(scratch);
    return x.n;
}

bool rul_is_json_object(struct hd_slice text)
{
    return rul_json_scan(text, NULL, NULL, NULL) == HD_PARSE_OK;
}

/* ---- which fields a rule needs ---- */

static bool is_there(const uint64_t *fields, uint16_t field)
{
    return (fields[field >> 6] >> (field & 63U) & 1U) != 0;
}

/* Can it be true of an event that has no other fields? */
static bool can_hold(const struct rul_program *p, uint32_t ref, const uint64_t *fields)
{
    if ((ref & RUL_REF_PRED) != 0) {
        const struct rul_pred *pred = &p->preds[ref & RUL_REF_INDEX];
        return pred->field == RUL_KEYWORD || pred->op == RUL_OP_NULL ||
               is_there(fields, pred->field);
    }
    const struct rul_node *node = &p->nodes[ref];
    uint32_t can = 0;
    for (uint32_t i = 0; i < node->n && node->kind != RUL_EXPR_NOT; i++) {
        can += can_hold(p, p->kids[node->first + i], fields);
    }
    switch (node->kind) {
    case RUL_EXPR_NOT:
        return true;
    case RUL_EXPR_AND:
        return can == node->n;
    default:
        return can >= (node->kind == RUL_EXPR_OR ? 1 : node->at_least);
    }
}

bool rul_can_fire(const struct rul_set *set, const struct rul_rule *rule,
                  const uint64_t *fields)
{
    uint32_t root = set->program.roots[rule->index];
    return root != UINT32_MAX && can_hold(&set->program, root, fields);
}

static void gather_missing(struct explain *x, const struct rul_program *p, uint32_t ref,
                           const uint64_t *fields)
{
    if (can_hold(p, ref, fields)) {
        return;
    }
    if ((ref & RUL_REF_PRED) != 0) {
        add_field(x, p->preds[ref & RUL_REF_INDEX].field);
        return;
    }
    const struct rul_node *node = &p->nodes[ref];
    for (uint32_t i = 0; i < node->n; i++) {
        gather_missing(x, p, p->kids[node->first + i], fields);
    }
}

size_t rul_missing_fields(const struct rul_set *set, const struct rul_rule *rule,
                          const uint64_t *fields, uint16_t *ids, size_t cap)
{
    struct explain x = {.ids = ids, .cap = cap};
    uint32_t root = set->program.roots[rule->index];
    if (root != UINT32_MAX) {
        gather_missing(&x, &set->program, root, fields);
    }
    return x.n;
}
