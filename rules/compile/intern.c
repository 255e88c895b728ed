/* SPDX-License-Identifier: Apache-2.0
 *
 * Interning: equal comparisons of different rules become one predicate, so that an event
 * answers each at most once. Expression trees become arrays, cheap tests first.
 */
#include <stdlib.h>

#include <haidang/buf.h>
#include <haidang/hash.h>

#include "rules/compile/build.h"
#include "rules/match/regex_cost.h"

struct rul_interner {
    struct rul_program *p;
    struct rul_fields *fields;
    struct hd_buf key;         /* canonical bytes of the atom at hand */
    struct hd_arena keys;      /* those of all predicates */
    struct hd_slice *pred_key; /* per predicate */
    uint32_t *slots;           /* predicate + 1; 0 = free */
    uint32_t mask;
};

int rul_grow(void *array, uint32_t n, size_t item)
{
    /* doubles at powers of two, so that the capacity needs no keeping */
    if (n != 0 && (n < 16 || (n & (n - 1)) != 0)) {
        return 0;
    }
    void *old = NULL;
    memcpy(&old, array, sizeof(old));
    void *grown = reallocarray(old, n == 0 ? 16 : (size_t)n * 2, item);
    if (grown == NULL) {
        return HD_ENOMEM;
    }
    memcpy(array, &grown, sizeof(grown));
    return 0;
}

int rul_interner_new(struct rul_program *p, struct rul_fields *fields,
                     struct rul_interner **out)
{
    struct rul_interner *in = calloc(1, sizeof(*in));
    if (in == NULL) {
        return HD_ENOMEM;
    }
    in->p = p;
    in->fields = fields;
    in->mask = 1023;
    in->slots = calloc(in->mask + 1U, sizeof(*in->slots));
    hd_buf_init(&in->key, 0);
    hd_arena_init(&in->keys, 0);
    if (in->slots == NULL) {
        rul_interner_free(in);
        return HD_ENOMEM;
    }
    *out = in;
    return 0;
}

void rul_interner_free(struct rul_interner *in)
{
    if (in != NULL) {
        free(in->slots);
        free(in->pred_key);
        hd_buf_fini(&in->key);
        hd_arena_fini(&in->keys);
        free(in);
    }
}

/* ---- predicates ---- */

static void make_key(struct rul_interner *in, const struct rul_atom *atom, uint16_t field)
{
    struct hd_buf *key = &in->key;
    hd_buf_clear(key);
    hd_buf_byte(key, (uint8_t)atom->op);
    hd_buf_byte(key, atom->cased);
    hd_buf_byte(key, (uint8_t)atom->re_flags);
    hd_buf_le16(key, field);
    if (atom->op >= RUL_OP_LT && atom->op <= RUL_OP_NUMBER) {
        hd_buf_byte(key, (uint8_t)atom->part);
        hd_buf_bytes(key, &atom->number, sizeof(atom->number));
    } else if (atom->op == RUL_OP_CIDR) {
        hd_buf_bytes(key, atom->net.base.byte, sizeof(atom->net.base.byte));
        hd_buf_byte(key, atom->net.bits);
    } else {
        hd_buf_slice_add(key, atom->text);
    }
    for (size_t i = 0; i < atom->n_parts; i++) {
        hd_buf_byte(key, (uint8_t)atom->parts[i].kind);
        hd_buf_le32(key, (uint32_t)atom->parts[i].text.len);
        hd_buf_slice_add(key, atom->parts[i].text);
    }
}

static int fill_glob(struct rul_program *p, const struct rul_atom *atom, uint32_t *index)
{
    struct rul_part *parts = hd_arena_alloc(&p->arena, atom->n_parts, sizeof(*parts));
    int err = rul_grow(&p->globs, p->n_globs, sizeof(*p->globs));
    if (parts == NULL || err != 0) {
        return HD_ENOMEM;
    }
    for (size_t i = 0; i < atom->n_parts; i++) {
        parts[i].kind = atom->parts[i].kind;
        parts[i].text = hd_arena_copy(&p->arena, atom->parts[i].text);
    }
    *index = p->n_globs;
    p->globs[p->n_globs++] = (struct rul_glob){parts, atom->n_parts};
    return 0;
}

/* The same expression in several fields is kept once. */
static int fill_expression(struct rul_program *p, const struct rul_atom *atom,
                           uint32_t *index)
{
    for (*index = 0; *index < p->n_expressions; ++*index) {
        if (p->expressions[*index].flags == atom->re_flags &&
            hd_slice_eq(p->expressions[*index].pattern, atom->text)) {
            return 0;
        }
    }
    int err = rul_grow(&p->expressions, p->n_expressions, sizeof(*p->expressions));
    if (err != 0) {
        return err;
    }
    const char *cstr = hd_arena_str(&p->arena, atom->text);
    struct rul_expression *e = &p->expressions[p->n_expressions++];
    *e = (struct rul_expression){
        .pattern = hd_slice(cstr, atom->text.len), .cstr = cstr, .flags = atom->re_flags};
    if (!rul_regex_cost(e->pattern).is_costly) {
        return 0;
    }
    e->mode = RUL_RE_SLOW;
    return rul_regex_new(e->pattern, e->flags, &e->pcre);
}

static int fill_network(struct rul_program *p, const struct rul_atom *atom,
                        uint32_t *index)
{
    int err = rul_grow(&p->networks, p->n_networks, sizeof(*p->networks));
    if (err == 0) {
        *index = p->n_networks;
        p->networks[p->n_networks++] = atom->net;
    }
    return err;
}

static int fill_number(struct rul_program *p, const struct rul_atom *atom,
                       uint32_t *index)
{
    int err = rul_grow(&p->numbers, p->n_numbers, sizeof(*p->numbers));
    if (err == 0) {
        *index = p->n_numbers;
        p->numbers[p->n_numbers++] = atom->number;
    }
    return err;
}

static int fill_pred(struct rul_interner *in, const struct rul_atom *atom,
                     struct rul_pred *pred)
{
    uint16_t other = 0;
    int err = 0;
    switch (atom->op) {
    case RUL_OP_GLOB:
        return fill_glob(in->p, atom, &pred->aux);
    case RUL_OP_RE:
        return fill_expression(in->p, atom, &pred->aux);
    case RUL_OP_CIDR:
        return fill_network(in->p, atom, &pred->aux);
    case RUL_OP_LT:
    case RUL_OP_LTE:
    case RUL_OP_GT:
    case RUL_OP_GTE:
    case RUL_OP_NUMBER:
        return fill_number(in->p, atom, &pred->aux);
    case RUL_OP_REF_EQ:
    case RUL_OP_REF_CONTAINS:
    case RUL_OP_REF_STARTS:
    case RUL_OP_REF_ENDS:
        err = rul_fields_add(in->fields, atom->text, &other);
        pred->aux = other;
        return err;
    default:
        pred->text = hd_arena_copy(&in->p->arena, atom->text);
        return in->p->arena.failed ? HD_ENOMEM : 0;
    }
}

static int widen(struct rul_interner *in)
{
    uint32_t mask = in->mask * 2 + 1;
    uint32_t *slots = calloc((size_t)mask + 1, sizeof(*slots));
    if (slots == NULL) {
        return HD_ENOMEM;
    }
    for (uint32_t i = 0; i < in->p->n_preds; i++) {
        uint32_t at = (uint32_t)hd_hash(in->pred_key[i]) & mask;
        while (slots[at] != 0) {
            at = (at + 1) & mask;
        }
        slots[at] = i + 1;
    }
    free(in->slots);
    in->slots = slots;
    in->mask = mask;
    return 0;
}

static int add_pred(struct rul_interner *in, const struct rul_atom *atom, uint16_t field,
                    uint32_t *slot)
{
    struct rul_program *p = in->p;
    int err = rul_grow(&p->preds, p->n_preds, sizeof(*p->preds));
    if (err == 0) {
        err = rul_grow(&in->pred_key, p->n_preds, sizeof(*in->pred_key));
    }
    struct rul_pred pred = {.op = (uint8_t)atom->op,
                            .cased = atom->cased,
                            .part = (uint8_t)atom->part,
                            .field = field};
    if (err == 0) {
        err = fill_pred(in, atom, &pred);
    }
    if (err != 0) {
        return err;
    }
    in->pred_key[p->n_preds] = hd_arena_copy(&in->keys, hd_buf_slice(&in->key));
    p->preds[p->n_preds++] = pred;
    *slot = p->n_preds;
    if (in->keys.failed) {
        return HD_ENOMEM;
    }
    return p->n_preds > in->mask / 2 ? widen(in) : 0;
}

static int intern_atom(struct rul_interner *in, const struct rul_atom *atom,
                       uint32_t *ref)
{
    uint16_t field = RUL_KEYWORD;
    int err = atom->field.len == 0 ? 0 : rul_fields_add(in->fields, atom->field, &field);
    if (err != 0) {
        return err;
    }
    make_key(in, atom, field);
    if (in->key.err != 0) {
        return in->key.err;
    }
    struct hd_slice key = hd_buf_slice(&in->key);
    uint32_t at = (uint32_t)hd_hash(key) & in->mask;
    while (in->slots[at] != 0) {
        if (hd_slice_eq(in->pred_key[in->slots[at] - 1], key)) {
            *ref = (in->slots[at] - 1) | RUL_REF_PRED;
            return 0;
        }
        at = (at + 1) & in->mask;
    }
    uint32_t index = in->p->n_preds;
    err = add_pred(in, atom, field, &in->slots[at]);
    *ref = index | RUL_REF_PRED;
    return err;
}

/* ---- trees ---- */

static unsigned cost_of(const struct rul_program *p, uint32_t ref)
{
    static const uint8_t costs[] = {
        [RUL_OP_EQ] = 2,         [RUL_OP_CONTAINS] = 10,
        [RUL_OP_STARTS] = 2,     [RUL_OP_ENDS] = 2,
        [RUL_OP_GLOB] = 20,      [RUL_OP_PRESENT] = 1,
        [RUL_OP_NULL] = 1,       [RUL_OP_RE] = 60,
        [RUL_OP_CIDR] = 8,       [RUL_OP_LT] = 5,
        [RUL_OP_LTE] = 5,        [RUL_OP_GT] = 5,
        [RUL_OP_GTE] = 5,        [RUL_OP_NUMBER] = 5,
        [RUL_OP_REF_EQ] = 4,     [RUL_OP_REF_CONTAINS] = 12,
        [RUL_OP_REF_STARTS] = 4, [RUL_OP_REF_ENDS] = 4,
    };
    if ((ref & RUL_REF_PRED) != 0) {
        const struct rul_pred *pred = &p->preds[ref & RUL_REF_INDEX];
        return costs[pred->op] * (pred->field == RUL_KEYWORD ? 3U : 1U);
    }
    const struct rul_node *node = &p->nodes[ref];
    unsigned sum = 1;
    for (uint32_t i = 0; i < node->n && sum < 1000000; i++) {
        sum += cost_of(p, p->kids[node->first + i]);
    }
    return sum;
}

struct kid {
    unsigned cost;
    uint32_t ref;
};

static int by_cost(const void *a, const void *b)
{
    const struct kid *x = a, *y = b;
    if (x->cost != y->cost) {
        return x->cost < y->cost ? -1 : 1;
    }
    return x->ref < y->ref ? -1 : x->ref > y->ref;
}

static int emit_node(struct rul_interner *in, const struct rul_expr *expr,
                     struct kid *kids, uint32_t n, uint32_t *ref)
{
    struct rul_program *p = in->p;
    for (uint32_t i = 0; i < n; i++) {
        kids[i].cost = cost_of(p, kids[i].ref);
    }
    qsort(kids, n, sizeof(*kids), by_cost);
    int err = rul_grow(&p->nodes, p->n_nodes, sizeof(*p->nodes));
    uint32_t first = p->n_kids;
    for (uint32_t i = 0; i < n && err == 0; i++) {
        err = rul_grow(&p->kids, p->n_kids, sizeof(*p->kids));
        if (err == 0) {
            p->kids[p->n_kids++] = kids[i].ref;
        }
    }
    if (err == 0) {
        *ref = p->n_nodes;
        p->nodes[p->n_nodes++] = (struct rul_node){expr->kind, expr->at_least, first, n};
    }
    return err;
}

/* Kids of the same operator are taken up into the parent: (a or b) or c. */
static size_t count_flat(const struct rul_expr *expr, enum rul_expr_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < expr->n; i++) {
        bool same = expr->kids[i]->kind == kind && kind != RUL_EXPR_NOT &&
                    kind != RUL_EXPR_AT_LEAST;
        n += same ? count_flat(expr->kids[i], kind) : 1;
    }
    return n;
}

static int intern_kids(struct rul_interner *in, struct rul_expr *expr,
                       enum rul_expr_kind kind, struct kid *kids, uint32_t *n)
{
    for (size_t i = 0; i < expr->n; i++) {
        struct rul_expr *kid = expr->kids[i];
        bool same =
            kid->kind == kind && kind != RUL_EXPR_NOT && kind != RUL_EXPR_AT_LEAST;
        int err = same ? intern_kids(in, kid, kind, kids, n)
                       : rul_intern_expr(in, kid, &kids[*n].ref);
        if (err != 0) {
            return err;
        }
        *n += same ? 0U : 1U;
    }
    return 0;
}

int rul_intern_expr(struct rul_interner *in, struct rul_expr *expr, uint32_t *ref)
{
    if (expr->compiled != 0) {
        *ref = expr->compiled - 1;
        return 0;
    }
    int err = 0;
    if (expr->kind == RUL_EXPR_ATOM) {
        err = intern_atom(in, expr->atom, ref);
    } else {
        uint32_t n = 0;
        struct kid *kids = calloc(count_flat(expr, expr->kind) + 1, sizeof(*kids));
        if (kids == NULL) {
            return HD_ENOMEM;
        }
        err = intern_kids(in, expr, expr->kind, kids, &n);
        if (err == 0) {
            err = emit_node(in, expr, kids, n, ref);
        }
        free(kids);
    }
    if (err == 0) {
        expr->compiled = *ref + 1;
    }
    return err;
}
