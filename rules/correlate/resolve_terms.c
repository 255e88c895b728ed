/* SPDX-License-Identifier: Apache-2.0
 *
 * The condition of a temporal correlation -> alternatives, of which one must hold: sets
 * of rules that must have been seen, and of rules that must not. What would need too
 * many is refused.
 */
#include "rules/parse/condition.h"
#include "rules/snapshot.h"

struct terms {
    struct rul_term list[RUL_TERMS_MAX];
    uint32_t n;
};

struct resolver {
    struct rul_set *set;
    const struct rul_doc *doc;
    const struct rul_corr *corr;
    struct hd_diags *diags;
    struct hd_arena scratch;
};

static int refuse(const struct resolver *r, size_t offset, const char *why)
{
    const struct hd_yaml *at = r->doc->corr->condition;
    unsigned quote = at->is_quoted ? 1 : 0;
    unsigned column = at->column + (at->is_one_line ? quote + (unsigned)offset : 0);
    hd_diag_error(r->diags, r->doc->rule.file, at->line, column, "%s", why);
    return HD_EPARSE;
}

/* ---- sets of alternatives ---- */

/* One that contradicts itself, or is there already, adds nothing. */
static int add_term(const struct resolver *r, struct terms *terms, uint64_t needed,
                    uint64_t absent)
{
    if ((needed & absent) != 0) {
        return 0;
    }
    for (uint32_t i = 0; i < terms->n; i++) {
        if (terms->list[i].needed == needed && terms->list[i].absent == absent) {
            return 0;
        }
    }
    if (terms->n == RUL_TERMS_MAX) {
        return refuse(r, 0, "the condition has too many alternatives (more than 64)");
    }
    terms->list[terms->n++] = (struct rul_term){.needed = needed, .absent = absent};
    return 0;
}

static int add_product(const struct resolver *r, const struct terms *a,
                       const struct terms *b, struct terms *out)
{
    int err = 0;
    for (uint32_t i = 0; i < a->n && err == 0; i++) {
        for (uint32_t k = 0; k < b->n && err == 0; k++) {
            err = add_term(r, out, a->list[i].needed | b->list[k].needed,
                           a->list[i].absent | b->list[k].absent);
        }
    }
    return err;
}

static int add_both(const struct resolver *r, const struct terms *a,
                    const struct terms *b, struct terms *out)
{
    *out = *a;
    int err = 0;
    for (uint32_t k = 0; k < b->n && err == 0; k++) {
        err = add_term(r, out, b->list[k].needed, b->list[k].absent);
    }
    return err;
}

/* ---- from the expression ---- */

static int find_ref(const struct resolver *r, const struct rul_cond_node *node,
                    uint64_t *bit)
{
    uint32_t rule = rul_names_find(r->set->names, node->text);
    for (uint32_t i = 0; i < r->corr->n_refs; i++) {
        if (rule != UINT32_MAX && r->corr->refs[i].rule == rule) {
            *bit = UINT64_C(1) << i;
            return 0;
        }
    }
    return refuse(r, node->offset, "this is none of the rules of the correlation");
}

static int expand(struct resolver *r, uint16_t index, bool negated, struct terms *out);

static int expand_pair(struct resolver *r, const struct rul_cond_node *node, bool negated,
                       struct terms *out)
{
    struct terms *a = hd_arena_alloc(&r->scratch, 1, sizeof(*a));
    struct terms *b = hd_arena_alloc(&r->scratch, 1, sizeof(*b));
    if (a == NULL || b == NULL) {
        return HD_ENOMEM;
    }
    int err = expand(r, node->left, negated, a);
    err = err != 0 ? err : expand(r, node->right, negated, b);
    if (err != 0) {
        return err;
    }
    bool is_and = (node->kind == RUL_COND_AND) != negated;
    return is_and ? add_product(r, a, b, out) : add_both(r, a, b, out);
}

static int expand(struct resolver *r, uint16_t index, bool negated, struct terms *out)
{
    const struct rul_cond_node *node = &r->doc->corr->expr->nodes[index];
    uint64_t bit = 0;
    if (node->kind == RUL_COND_NOT) {
        return expand(r, node->left, !negated, out);
    }
    if (node->kind == RUL_COND_SELECT) {
        return refuse(r, node->offset, "'of' has no place among the names of rules");
    }
    if (node->kind != RUL_COND_NAME) {
        return expand_pair(r, node, negated, out);
    }
    int err = find_ref(r, node, &bit);
    return err != 0 ? err : add_term(r, out, negated ? 0 : bit, negated ? bit : 0);
}

/* ---- from numbers ---- */

/* Every choice of `want` rules, in order; `chosen` of those before `next`. */
static int add_choices(const struct resolver *r, uint64_t chosen, uint32_t next,
                       uint32_t want, struct terms *out)
{
    if (want == 0) {
        return add_term(r, out, chosen, 0);
    }
    int err = 0;
    for (uint32_t i = next; i + want <= r->corr->n_refs && err == 0; i++) {
        err = add_choices(r, chosen | UINT64_C(1) << i, i + 1, want - 1, out);
    }
    return err;
}

static uint64_t all_refs(const struct rul_corr *corr)
{
    return corr->n_refs == 64 ? UINT64_MAX : (UINT64_C(1) << corr->n_refs) - 1;
}

static int from_numbers(const struct resolver *r, struct terms *out)
{
    const struct rul_bounds *b = &r->corr->bounds;
    if (b->min > r->corr->n_refs) {
        return refuse(r, 0, "the correlation has fewer rules than this");
    }
    if (r->corr->type == RUL_TEMPORAL) {
        return 0; /* counted, not enumerated */
    }
    if (b->max < r->corr->n_refs || b->not_equal != UINT64_MAX || b->min == 0) {
        return refuse(r, 0, "a temporal_ordered has 'gte', 'gt' or names of rules");
    }
    return add_choices(r, 0, 0, (uint32_t)b->min, out);
}

/* ---- the whole ---- */

static int check_refs(const struct resolver *r)
{
    for (uint32_t i = 0; i < r->corr->n_refs; i++) {
        for (uint32_t k = 0; k < i; k++) {
            const struct rul_name *name = &r->doc->corr->rules[i];
            if (r->corr->refs[i].rule == r->corr->refs[k].rule) {
                hd_diag_error(r->diags, r->doc->rule.file, name->line, name->column,
                              "'%.*s' is named twice", HD_SLICE_FMT(name->text));
                return HD_EPARSE;
            }
        }
    }
    return 0;
}

static int make_terms(struct resolver *r, struct terms *out)
{
    const struct rul_corr_ast *ast = r->doc->corr;
    int err = check_refs(r);
    if (err != 0) {
        return err;
    }
    if (ast->condition == NULL) {
        return add_term(r, out, all_refs(r->corr), 0);
    }
    if (ast->expr == NULL) {
        return from_numbers(r, out);
    }
    err = expand(r, ast->expr->root, false, out);
    if (err == 0 && out->n == 0) {
        return refuse(r, 0, "nothing can meet this condition");
    }
    for (uint32_t i = 0; i < out->n && err == 0; i++) {
        if (out->list[i].needed == 0) {
            err = refuse(r, 0,
                         "the condition can be met by nothing at all: it needs a rule "
                         "without 'not', since only events can begin a window");
        }
    }
    return err;
}

/* Where order matters, the needed rules of each alternative in the order of `rules`. */
static int put_order(const struct resolver *r, struct terms *terms, struct rul_corr *corr)
{
    uint8_t *order = hd_arena_alloc(&r->set->keep, RUL_CHAINS_MAX, 1);
    if (order == NULL) {
        return HD_ENOMEM;
    }
    corr->order = order;
    for (uint32_t i = 0; i < terms->n; i++) {
        struct rul_term *term = &terms->list[i];
        term->first = (uint16_t)corr->n_starts;
        for (uint32_t k = 0; k < corr->n_refs; k++) {
            if ((term->needed >> k & 1U) == 0) {
                continue;
            }
            if (corr->n_starts == RUL_CHAINS_MAX) {
                return refuse(r, 0, "the condition has too many alternatives in order");
            }
            order[corr->n_starts++] = (uint8_t)k;
            term->n++;
        }
    }
    return 0;
}

static int put_terms(const struct resolver *r, struct terms *terms, struct rul_corr *corr)
{
    struct rul_term *kept = hd_arena_alloc(&r->set->keep, terms->n + 1U, sizeof(*kept));
    int err = corr->type == RUL_TEMPORAL_ORDERED ? put_order(r, terms, corr) : 0;
    if (kept == NULL) {
        return HD_ENOMEM;
    }
    uint64_t absent = 0;
    memcpy(kept, terms->list, terms->n * sizeof(*kept));
    for (uint32_t i = 0; i < terms->n; i++) {
        corr->wanted |= kept[i].needed;
        absent |= kept[i].absent;
    }
    corr->terms = kept;
    corr->n_terms = terms->n;
    bool counts_up = corr->bounds.max == UINT64_MAX &&
                     corr->bounds.not_equal == UINT64_MAX && corr->bounds.min > 0;
    corr->wanted = terms->n == 0 ? all_refs(corr) : corr->wanted;
    corr->timing = (terms->n == 0 ? counts_up : absent == 0) ? RUL_SLIDING : RUL_STARTED;
    return err;
}

int rul_terms_resolve(struct rul_set *set, const struct rul_doc *doc,
                      struct rul_corr *corr, struct hd_diags *diags)
{
    struct resolver r = {.set = set, .doc = doc, .corr = corr, .diags = diags};
    hd_arena_init(&r.scratch, 0);
    struct terms *terms = hd_arena_alloc(&r.scratch, 1, sizeof(*terms));
    int err = terms == NULL ? HD_ENOMEM : make_terms(&r, terms);
    err = err != 0 ? err : put_terms(&r, terms, corr);
    hd_arena_fini(&r.scratch);
    return err;
}
