/* SPDX-License-Identifier: Apache-2.0
 *
 * Dispatch: for each class of events the rules whose log source covers it, and per field
 * what to look for. All that a class looks for is first collected as entries, sorted, and
 * then laid out slot by slot. Where an earlier class has the same entries in a field (of
 * Windows events most do), its slot is taken.
 */
#include <stdlib.h>

#include <haidang/hash.h>

#include "rules/compile/build.h"

#define NO_RULE UINT32_MAX

enum entry_kind {
    ENTRY_LITERAL,
    ENTRY_EQUAL,
    ENTRY_NETWORK,
    ENTRY_RE,
    ENTRY_PRESENT,
    ENTRY_KINDS
};

struct entry {
    uint16_t field;
    uint8_t kind; /* enum entry_kind */
    uint32_t pred;
    uint32_t rule; /* of the set; NO_RULE: an expression that is only evaluated */
    struct hd_slice literal; /* of a network its bytes, by which they are sorted */
};

struct laid { /* a slot, and of what it was made */
    uint64_t hash;
    struct entry *entries;
    size_t n;
    const struct rul_slot *slot;
};

struct plan { /* one class being built, and what is kept of those before it */
    struct rul_program *p;
    struct rul_dispatch *d;
    struct rul_share *share;
    struct entry *entries;
    uint32_t n_entries;
    uint32_t n_uses, n_refs;
    struct rul_access *access; /* scratch of RUL_ATOMS_MAX */
    struct hd_slice *literals; /* scratch of the slot at hand */
    uint32_t n_literals;
    struct laid *laid;
    uint32_t n_laid;
};

static bool covers(const struct rul_logsource *rule, const struct rul_class *class)
{
    for (uint16_t i = 0; i < class->n; i++) {
        if (rul_logsource_covers(rule, &class->sources[i])) {
            return true;
        }
    }
    return false;
}

/* ---- collecting ---- */

static int add_entry(struct plan *plan, struct entry entry)
{
    int err = rul_grow(&plan->entries, plan->n_entries, sizeof(*plan->entries));
    if (err == 0) {
        plan->entries[plan->n_entries++] = entry;
    }
    return err;
}

/* Rules are added in ascending order. */
static void add_always(struct rul_dispatch *d, uint32_t rule)
{
    if (d->n_always == 0 || d->always[d->n_always - 1] != rule) {
        d->always[d->n_always++] = rule;
    }
}

_Static_assert(sizeof(struct hd_cidr) == 17, "base and bits, and no padding");

static uint8_t kind_of(const struct rul_pred *pred)
{
    switch (pred->op) {
    case RUL_OP_EQ:
        return ENTRY_EQUAL;
    case RUL_OP_CIDR:
        return ENTRY_NETWORK;
    case RUL_OP_RE:
        return ENTRY_RE;
    default:
        return ENTRY_LITERAL;
    }
}

static int add_access(struct plan *plan, const struct rul_access *access, uint32_t rule)
{
    struct entry e = {.field = access->field, .pred = access->pred, .rule = rule};
    if (access->pred == UINT32_MAX) {
        e.kind = ENTRY_PRESENT;
        e.pred = 0;
        if (access->field == RUL_KEYWORD) { /* there is always a line */
            add_always(plan->d, rule);
            return 0;
        }
        return add_entry(plan, e);
    }
    const struct rul_pred *pred = &plan->p->preds[access->pred];
    e.kind = kind_of(pred);
    if (e.kind == ENTRY_NETWORK) {
        const struct hd_cidr *net = &plan->p->networks[pred->aux];
        e.literal = hd_slice(net, sizeof(*net));
    } else if (e.kind == ENTRY_LITERAL) {
        e.literal = rul_access_literal(plan->p, pred);
    } else if (e.kind == ENTRY_EQUAL) {
        e.literal = pred->text;
    }
    return add_entry(plan, e);
}

/* Every expression of a rule belongs into the database of its field. */
static int add_expressions(struct plan *plan, uint32_t ref)
{
    if ((ref & RUL_REF_PRED) != 0) {
        uint32_t index = ref & RUL_REF_INDEX;
        const struct rul_pred *pred = &plan->p->preds[index];
        plan->d->has_keywords |= pred->field == RUL_KEYWORD;
        if (pred->op != RUL_OP_RE) {
            return 0;
        }
        return add_entry(plan, (struct entry){.field = pred->field,
                                              .kind = ENTRY_RE,
                                              .pred = index,
                                              .rule = NO_RULE});
    }
    const struct rul_node *node = &plan->p->nodes[ref];
    int err = 0;
    for (uint32_t i = 0; i < node->n && err == 0; i++) {
        err = add_expressions(plan, plan->p->kids[node->first + i]);
    }
    return err;
}

static int add_rule(struct plan *plan, uint32_t rule)
{
    uint32_t root = plan->p->roots[rule];
    uint32_t n = 0;
    int err = rul_access_choose(plan->p, root, plan->access, RUL_ATOMS_MAX, &n);
    if (err == 0 && n == 0) {
        add_always(plan->d, rule);
    }
    for (uint32_t i = 0; i < n && err == 0; i++) {
        err = add_access(plan, &plan->access[i], rule);
    }
    err = err != 0 ? err : add_expressions(plan, root);
    for (uint32_t i = plan->p->first_filter[rule];
         i < plan->p->first_filter[rule + 1] && err == 0; i++) {
        err = add_expressions(plan, plan->p->filter_uses[i].ref);
    }
    return err;
}

static int collect(struct plan *plan, const struct rul_class *class,
                   struct rul_doc *const *docs)
{
    struct rul_program *p = plan->p;
    struct rul_dispatch *d = plan->d;
    d->rules = hd_arena_alloc(&p->arena, p->n_roots, sizeof(*d->rules));
    if (d->rules == NULL) {
        return HD_ENOMEM;
    }
    for (uint32_t i = 0; i < p->n_roots; i++) {
        if (p->roots[i] != UINT32_MAX && covers(&docs[i]->logsource, class)) {
            d->rules[d->n_rules++] = i;
        }
    }
    d->always = hd_arena_alloc(&p->arena, d->n_rules, sizeof(*d->always));
    d->decided = hd_arena_alloc(&p->arena, p->n_preds / 64 + 1, sizeof(*d->decided));
    if (d->always == NULL || d->decided == NULL) {
        return HD_ENOMEM;
    }
    int err = 0;
    for (uint32_t i = 0; i < d->n_rules && err == 0; i++) {
        err = add_rule(plan, d->rules[i]);
    }
    return err;
}

static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->field != y->field) {
        return x->field < y->field ? -1 : 1;
    }
    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    int order = hd_slice_cmp(x->literal, y->literal);
    if (order != 0) {
        return order;
    }
    if (x->pred != y->pred) {
        return x->pred < y->pred ? -1 : 1;
    }
    return x->rule < y->rule ? -1 : x->rule > y->rule;
}

/* ---- laying out ---- */

static int add_ref(struct plan *plan, uint32_t rule)
{
    int err = rul_grow(&plan->p->rule_refs, plan->n_refs, sizeof(*plan->p->rule_refs));
    if (err == 0) {
        plan->p->rule_refs[plan->n_refs++] = rule;
    }
    return err;
}

static bool decides(const struct rul_program *p, const struct entry *e)
{
    return e->kind == ENTRY_EQUAL || e->kind == ENTRY_NETWORK ||
           (e->kind == ENTRY_LITERAL && p->preds[e->pred].op != RUL_OP_GLOB &&
            e->literal.len == p->preds[e->pred].text.len);
}

/* One use from the entries [from, to) of one predicate. */
static int add_use(struct plan *plan, const struct entry *from, const struct entry *to,
                   uint32_t *index)
{
    struct rul_program *p = plan->p;
    int err = rul_grow(&p->uses, plan->n_uses, sizeof(*p->uses));
    if (err != 0) {
        return err;
    }
    struct rul_use *use = &p->uses[plan->n_uses];
    *use = (struct rul_use){.pred = from->pred,
                            .op = p->preds[from->pred].op,
                            .decides = decides(p, from),
                            .literal_len = (uint32_t)from->literal.len,
                            .first_rule = plan->n_refs};
    uint32_t last = NO_RULE;
    for (; from < to && err == 0; from++) {
        if (from->rule != NO_RULE && from->rule != last) {
            err = add_ref(plan, from->rule);
            last = from->rule;
        }
    }
    use->n_rules = plan->n_refs - use->first_rule;
    *index = plan->n_uses++;
    return err;
}

static const struct entry *same_pred(const struct entry *from, const struct entry *end)
{
    const struct entry *to = from;
    while (to < end && to->pred == from->pred) {
        to++;
    }
    return to;
}

static int lay_literals(struct plan *plan, struct rul_slot *slot,
                        const struct entry *from, const struct entry *end)
{
    size_t n = (size_t)(end - from);
    slot->literal = hd_arena_alloc(&plan->p->arena, n, sizeof(*slot->literal));
    plan->literals = hd_arena_alloc(&plan->p->arena, n, sizeof(*plan->literals));
    if (slot->literal == NULL || plan->literals == NULL) {
        return HD_ENOMEM;
    }
    plan->n_literals = 0;
    while (from < end) {
        struct hd_slice text = from->literal;
        struct rul_literal *lit = &slot->literal[slot->n_literals++];
        lit->first_use = plan->n_uses;
        plan->literals[plan->n_literals++] = text;
        while (from < end && hd_slice_eq(from->literal, text)) {
            const struct entry *to = same_pred(from, end);
            uint32_t use = 0;
            int err = add_use(plan, from, to, &use);
            if (err != 0) {
                return err;
            }
            lit->n_uses++;
            from = to;
        }
    }
    return n == 0
               ? 0
               : rul_share_literals(plan->share, slot, plan->literals, plan->n_literals);
}

static int lay_equal(struct plan *plan, struct rul_slot *slot, const struct entry *from,
                     const struct entry *end)
{
    uint32_t size = 4;
    while (size < 2 * (size_t)(end - from)) {
        size *= 2;
    }
    slot->equal = hd_arena_alloc(&plan->p->arena, size, sizeof(*slot->equal));
    if (slot->equal == NULL) {
        return HD_ENOMEM;
    }
    slot->equal_mask = size - 1;
    while (from < end) {
        const struct entry *to = same_pred(from, end);
        uint32_t use = 0;
        int err = add_use(plan, from, to, &use);
        if (err != 0) {
            return err;
        }
        uint32_t at = (uint32_t)hd_hash(from->literal) & slot->equal_mask;
        while (slot->equal[at] != 0) {
            at = (at + 1) & slot->equal_mask;
        }
        slot->equal[at] = use + 1;
        slot->equal_lens |= RUL_LEN_BIT(from->literal.len);
        from = to;
    }
    return 0;
}

static int lay_networks(struct plan *plan, struct rul_slot *slot,
                        const struct entry *from, const struct entry *end)
{
    const struct rul_program *p = plan->p;
    slot->networks =
        hd_arena_alloc(&plan->p->arena, (size_t)(end - from), sizeof(*slot->networks));
    if (slot->networks == NULL) {
        return HD_ENOMEM;
    }
    while (from < end) {
        const struct entry *to = same_pred(from, end);
        struct rul_network *net = &slot->networks[slot->n_networks++];
        net->net = p->networks[p->preds[from->pred].aux];
        int err = add_use(plan, from, to, &net->use);
        if (err != 0) {
            return err;
        }
        from = to;
    }
    rul_networks_link(slot->networks, slot->n_networks);
    return 0;
}

static int lay_expressions(struct plan *plan, struct rul_slot *slot,
                           const struct entry *from, const struct entry *end)
{
    size_t n = (size_t)(end - from);
    slot->re_preds = hd_arena_alloc(&plan->p->arena, n, sizeof(*slot->re_preds));
    slot->re_uses = hd_arena_alloc(&plan->p->arena, n, sizeof(*slot->re_uses));
    if (slot->re_preds == NULL || slot->re_uses == NULL) {
        return HD_ENOMEM;
    }
    while (from < end) {
        const struct entry *to = same_pred(from, end);
        uint32_t at = slot->n_re++;
        slot->re_preds[at] = from->pred;
        if (from->rule != NO_RULE) {
            uint32_t use = 0;
            int err = add_use(plan, from, to, &use);
            if (err != 0) {
                return err;
            }
            slot->re_uses[at] = use + 1;
            slot->re_eager = true;
        }
        from = to;
    }
    return n == 0 ? 0 : rul_share_expressions(plan->share, plan->p, slot);
}

/* Rules that are candidates whenever the field is there: what no database can find, and
 * expressions that turned out to be too much for Hyperscan. */
static int lay_present(struct plan *plan, struct rul_slot *slot, const struct entry *from,
                       const struct entry *end)
{
    const struct rul_program *p = plan->p;
    size_t n = (size_t)(end - from);
    for (uint32_t i = 0; i < slot->n_re; i++) {
        n += slot->re_uses[i] != 0 ? p->uses[slot->re_uses[i] - 1].n_rules : 0;
    }
    slot->present = hd_arena_alloc(&plan->p->arena, n, sizeof(*slot->present));
    if (slot->present == NULL) {
        return HD_ENOMEM;
    }
    for (; from < end; from++) {
        slot->present[slot->n_present++] = from->rule;
    }
    for (uint32_t i = 0; i < slot->n_re; i++) {
        const struct rul_pred *pred = &p->preds[slot->re_preds[i]];
        if (slot->re_uses[i] == 0 || p->expressions[pred->aux].mode != RUL_RE_SLOW) {
            continue;
        }
        const struct rul_use *use = &p->uses[slot->re_uses[i] - 1];
        for (uint32_t k = 0; k < use->n_rules; k++) {
            slot->present[slot->n_present++] = p->rule_refs[use->first_rule + k];
        }
    }
    return 0;
}

static int lay_slot(struct plan *plan, struct rul_slot *slot, const struct entry *from,
                    const struct entry *end)
{
    const struct entry *bounds[ENTRY_KINDS + 1] = {from};
    for (unsigned kind = 0; kind < ENTRY_KINDS; kind++) {
        const struct entry *at = bounds[kind];
        while (at < end && at->kind == kind) {
            at++;
        }
        bounds[kind + 1] = at;
    }
    slot->field = from->field;
    const struct entry *const *of = bounds;
    int err = lay_literals(plan, slot, of[ENTRY_LITERAL], of[ENTRY_LITERAL + 1]);
    if (err == 0 && of[ENTRY_EQUAL] < of[ENTRY_EQUAL + 1]) {
        err = lay_equal(plan, slot, of[ENTRY_EQUAL], of[ENTRY_EQUAL + 1]);
    }
    if (err == 0) {
        err = lay_networks(plan, slot, of[ENTRY_NETWORK], of[ENTRY_NETWORK + 1]);
    }
    if (err == 0) {
        err = lay_expressions(plan, slot, of[ENTRY_RE], of[ENTRY_RE + 1]);
    }
    return err != 0 ? err
                    : lay_present(plan, slot, of[ENTRY_PRESENT], of[ENTRY_PRESENT + 1]);
}

/* ---- slots that an earlier class has ---- */

static uint64_t hash_of(const struct entry *from, const struct entry *to)
{
    uint64_t hash = (uint64_t)from->field;
    for (; from < to; from++) {
        hash = hash * UINT64_C(0x9e3779b97f4a7c15) + from->pred;
        hash = hash * UINT64_C(0x9e3779b97f4a7c15) + from->rule + from->kind;
    }
    return hash;
}

static bool same_entries(const struct laid *laid, const struct entry *from)
{
    for (size_t i = 0; i < laid->n; i++) {
        const struct entry *e = &laid->entries[i];
        if (e->field != from[i].field || e->kind != from[i].kind ||
            e->pred != from[i].pred || e->rule != from[i].rule) {
            return false;
        }
    }
    return true;
}

static const struct rul_slot *find_laid(const struct plan *plan, uint64_t hash,
                                        const struct entry *from, size_t n)
{
    for (uint32_t i = 0; i < plan->n_laid; i++) {
        const struct laid *laid = &plan->laid[i];
        if (laid->hash == hash && laid->n == n && same_entries(laid, from)) {
            return laid->slot;
        }
    }
    return NULL;
}

static int keep_laid(struct plan *plan, const struct laid *slot)
{
    struct entry *copy = malloc(slot->n * sizeof(*copy));
    int err = rul_grow(&plan->laid, plan->n_laid, sizeof(*plan->laid));
    if (copy == NULL || err != 0) {
        free(copy);
        return HD_ENOMEM;
    }
    memcpy(copy, slot->entries, slot->n * sizeof(*copy));
    plan->laid[plan->n_laid] = *slot;
    plan->laid[plan->n_laid++].entries = copy;
    return 0;
}

static int add_slot(struct plan *plan, struct entry *from, struct entry *to)
{
    struct rul_slot *slot = &plan->d->slots[plan->d->n_slots++];
    struct laid laid = {hash_of(from, to), from, (size_t)(to - from), slot};
    const struct rul_slot *same = find_laid(plan, laid.hash, from, laid.n);
    if (same == NULL) {
        int err = lay_slot(plan, slot, from, to);
        return err != 0 ? err : keep_laid(plan, &laid);
    }
    *slot = *same;
    slot->owns_literals = slot->owns_expressions = false;
    return 0;
}

static int lay_out(struct plan *plan)
{
    struct rul_dispatch *d = plan->d;
    struct entry *end = plan->entries + plan->n_entries;
    uint32_t fields = 0;
    for (uint32_t i = 0; i < plan->n_entries; i++) {
        uint32_t pred = plan->entries[i].pred;
        if (decides(plan->p, &plan->entries[i])) {
            d->decided[pred / 64] |= UINT64_C(1) << (pred % 64);
        }
        fields += i == 0 || plan->entries[i].field != plan->entries[i - 1].field;
    }
    d->slots = hd_arena_alloc(&plan->p->arena, fields, sizeof(*d->slots));
    if (d->slots == NULL) {
        return HD_ENOMEM;
    }
    for (struct entry *from = plan->entries; from < end;) {
        struct entry *to = from;
        while (to < end && to->field == from->field) {
            to++;
        }
        int err = add_slot(plan, from, to);
        if (err != 0) {
            return err;
        }
        from = to;
    }
    return 0;
}

static int build_class(struct plan *plan, const struct rul_class *class,
                       struct rul_doc *const *docs)
{
    plan->n_entries = 0;
    int err = collect(plan, class, docs);
    if (err != 0 || plan->n_entries == 0) {
        return err;
    }
    qsort(plan->entries, plan->n_entries, sizeof(*plan->entries), compare);
    return lay_out(plan);
}

static void plan_fini(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->n_laid; i++) {
        free(plan->laid[i].entries);
    }
    free(plan->laid);
    rul_share_free(plan->share);
    free(plan->access);
    free(plan->entries);
}

static int self_test(const struct rul_program *p, const struct rul_dispatch *d,
                     struct hd_diags *diags)
{
    for (uint32_t i = 0; i < d->n_slots; i++) {
        char why[256];
        int err = rul_slot_self_test(p, &d->slots[i], why);
        if (err == HD_ECORRUPT) {
            hd_diag_error(diags, NULL, 0, 0,
                          "the pattern library (%s) fails the self-test: %s. Use another "
                          "version of Hyperscan or Vectorscan",
                          hs_version(), why);
        }
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

int rul_dispatch_build(struct rul_program *p, const struct rul_compile_opts *opts,
                       struct rul_doc *const *docs, struct hd_diags *diags)
{
    struct plan plan = {.p = p};
    p->dispatch = calloc((size_t)opts->n_classes + 1, sizeof(*p->dispatch));
    plan.access = calloc(RUL_ATOMS_MAX, sizeof(*plan.access));
    int err = rul_share_new(&plan.share);
    if (p->dispatch == NULL || plan.access == NULL || err != 0) {
        plan_fini(&plan);
        return HD_ENOMEM;
    }
    p->n_classes = opts->n_classes;
    for (uint16_t i = 0; i < opts->n_classes && err == 0; i++) {
        plan.d = &p->dispatch[i];
        err = build_class(&plan, &opts->classes[i], docs);
        if (err == 0 && !opts->no_self_test) {
            err = self_test(p, plan.d, diags);
        }
    }
    plan_fini(&plan);
    return err;
}

void rul_dispatch_fini(struct rul_dispatch *d)
{
    for (uint32_t i = 0; i < d->n_slots; i++) {
        const struct rul_slot *slot = &d->slots[i];
        (void)hs_free_database(slot->owns_literals ? slot->literals : NULL);
        (void)hs_free_database(slot->owns_expressions ? slot->expressions : NULL);
    }
}
