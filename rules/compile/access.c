/* SPDX-License-Identifier: Apache-2.0
 *
 * Access sets: which predicates of a rule are looked for in every event. For OR all
 * children, for AND the cheapest child, below NOT nothing but what NOT turns into a
 * positive. Cost is an estimate of how often the predicate will be found.
 */
#include <math.h>

#include "rules/compile/build.h"

/* Bytes of a literal that a database sees. Hyperscan 5.4.0 gives scans up on some sets of
 * longer ones (96 times "a" with one letter changed), and nothing is gained by them. */
#define LITERAL_MAX  32U
#define COST_PRESENT 2000.0
#define COST_RE      40.0
#define COST_NETWORK 300.0 /* many are the site's own */
/* A long list is found by one look; when the rule has another access it is walked. */
#define LIST_LONG 64U
#define COST_LIST 250.0

struct chooser {
    const struct rul_program *p;
    struct rul_access *out;
    uint32_t cap, n;
};

struct hd_slice rul_access_literal(const struct rul_program *p,
                                   const struct rul_pred *pred)
{
    if (pred->cased) {
        /* the databases see folded text, whose bytes need not contain these */
        return HD_SLICE_EMPTY;
    }
    if (pred->op == RUL_OP_CONTAINS || pred->op == RUL_OP_STARTS) {
        return hd_slice_head(pred->text, LITERAL_MAX);
    }
    if (pred->op == RUL_OP_ENDS) {
        size_t len = pred->text.len;
        return hd_slice_from(pred->text, len > LITERAL_MAX ? len - LITERAL_MAX : 0);
    }
    struct hd_slice longest = HD_SLICE_EMPTY;
    if (pred->op == RUL_OP_GLOB) {
        const struct rul_glob *glob = &p->globs[pred->aux];
        for (size_t i = 0; i < glob->n; i++) {
            if (glob->parts[i].text.len > longest.len) {
                longest = glob->parts[i].text;
            }
        }
    }
    return hd_slice_head(longest, LITERAL_MAX);
}

static double pred_cost(const struct rul_program *p, const struct rul_pred *pred)
{
    double len = 0;
    switch (pred->op) {
    case RUL_OP_NULL:
        return (double)INFINITY;
    case RUL_OP_EQ:
        /* short values are event ids, methods, ports: often the same for a whole class */
        len = (double)pred->text.len;
        return pred->cased ? COST_PRESENT : 2400.0 / (1.0 + len * sqrt(len));
    case RUL_OP_RE:
        return p->expressions[pred->aux].mode == RUL_RE_SLOW ? COST_PRESENT : COST_RE;
    case RUL_OP_CIDR:
        return COST_NETWORK;
    default:
        len = (double)rul_access_literal(p, pred).len;
        return len < 1 ? COST_PRESENT : len < 3 ? 800.0 / len : 300.0 / (len * len);
    }
}

/* AND behaves as OR below a negation, and the other way round. */
static bool is_any(const struct rul_node *node, bool negated)
{
    if (node->kind == RUL_EXPR_AT_LEAST) {
        return !negated;
    }
    return (node->kind == RUL_EXPR_OR) != negated;
}

static double cost(const struct rul_program *p, uint32_t ref, bool negated)
{
    if ((ref & RUL_REF_PRED) != 0) {
        const struct rul_pred *pred = &p->preds[ref & RUL_REF_INDEX];
        if (negated) {
            return pred->op == RUL_OP_NULL ? COST_PRESENT : (double)INFINITY;
        }
        return pred_cost(p, pred);
    }
    const struct rul_node *node = &p->nodes[ref];
    if (node->kind == RUL_EXPR_NOT) {
        return cost(p, p->kids[node->first], !negated);
    }
    if (node->kind == RUL_EXPR_AT_LEAST && negated) {
        return (double)INFINITY;
    }
    bool any = is_any(node, negated);
    double result = any ? 0.0 : (double)INFINITY;
    for (uint32_t i = 0; i < node->n; i++) {
        double kid = cost(p, p->kids[node->first + i], negated);
        result = any ? result + kid : fmin(result, kid);
    }
    if (any && node->n > LIST_LONG && isfinite(result)) {
        return fmin(result, COST_LIST);
    }
    return result;
}

static int add(struct chooser *c, uint32_t pred, uint16_t field)
{
    if (c->n == c->cap) {
        return HD_ELIMIT;
    }
    c->out[c->n++] = (struct rul_access){pred, field};
    return 0;
}

static int gather_pred(struct chooser *c, uint32_t index)
{
    const struct rul_pred *pred = &c->p->preds[index];
    bool has_literal = rul_access_literal(c->p, pred).len > 0;
    bool is_equal = pred->op == RUL_OP_EQ && !pred->cased && pred->field != RUL_KEYWORD;
    bool is_re =
        pred->op == RUL_OP_RE && c->p->expressions[pred->aux].mode != RUL_RE_SLOW;
    bool is_network = pred->op == RUL_OP_CIDR;
    return has_literal || is_equal || is_re || is_network
               ? add(c, index, pred->field)
               : add(c, UINT32_MAX, pred->field);
}

static int gather(struct chooser *c, uint32_t ref, bool negated)
{
    if ((ref & RUL_REF_PRED) != 0) {
        uint32_t index = ref & RUL_REF_INDEX;
        return negated ? add(c, UINT32_MAX, c->p->preds[index].field)
                       : gather_pred(c, index);
    }
    const struct rul_node *node = &c->p->nodes[ref];
    const uint32_t *kids = c->p->kids + node->first;
    if (node->kind == RUL_EXPR_NOT) {
        return gather(c, kids[0], !negated);
    }
    if (is_any(node, negated)) {
        int err = 0;
        for (uint32_t i = 0; i < node->n && err == 0; i++) {
            err = gather(c, kids[i], negated);
        }
        return err;
    }
    uint32_t best = 0;
    for (uint32_t i = 1; i < node->n; i++) {
        if (cost(c->p, kids[i], negated) < cost(c->p, kids[best], negated)) {
            best = i;
        }
    }
    return gather(c, kids[best], negated);
}

int rul_access_choose(const struct rul_program *p, uint32_t ref, struct rul_access *out,
                      uint32_t cap, uint32_t *n)
{
    struct chooser c = {.p = p, .out = out, .cap = cap};
    *n = 0;
    if (isinf(cost(p, ref, false))) {
        return 0;
    }
    int err = gather(&c, ref, false);
    *n = c.n;
    return err;
}

double rul_access_cost(const struct rul_program *p, uint32_t ref)
{
    return cost(p, ref, false);
}
