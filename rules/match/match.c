/* SPDX-License-Identifier: Apache-2.0
 *
 * Event -> rules: each field that the class looks at is scanned once, what is found makes
 * rules candidates, candidates are evaluated. No allocation while values fit the scratch,
 * which grows to the largest event seen.
 */
#include <stdlib.h>

#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/inet.h>
#include <haidang/utf8.h>

#include "rules/match/scratch.h"

/* ---- scratch ---- */

static int add_databases(struct rul_scratch *s, const struct rul_dispatch *d)
{
    for (uint32_t i = 0; i < d->n_slots; i++) {
        const struct rul_slot *slot = &d->slots[i];
        if ((slot->literals != NULL &&
             hs_alloc_scratch(slot->literals, &s->hs) != HS_SUCCESS) ||
            (slot->expressions != NULL &&
             hs_alloc_scratch(slot->expressions, &s->hs) != HS_SUCCESS)) {
            return HD_ENOMEM;
        }
    }
    return 0;
}

int rul_scratch_new(const struct rul_set *set, struct rul_scratch **out)
{
    const struct rul_program *p = &set->program;
    struct rul_scratch *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return HD_ENOMEM;
    }
    s->program = p;
    hd_arena_init(&s->folds, 0);
    hd_buf_init(&s->fold_buf, 0);
    uint32_t slots = 1, words = p->n_roots / 64 + 1;
    int err = rul_regex_scratch_new(&s->pcre);
    for (uint16_t i = 0; i < p->n_classes && err == 0; i++) {
        const struct rul_dispatch *d = &p->dispatch[i];
        slots = d->n_slots > slots ? d->n_slots : slots;
        err = add_databases(s, d);
    }
    s->memo = calloc((size_t)p->n_preds + 1, sizeof(*s->memo));
    s->scanned = calloc(slots, sizeof(*s->scanned));
    s->candidates = calloc(words, sizeof(*s->candidates));
    s->touched = calloc(words / 64 + 1, sizeof(*s->touched));
    if (s->memo == NULL || s->scanned == NULL || s->candidates == NULL ||
        s->touched == NULL) {
        err = HD_ENOMEM;
    }
    if (err != 0) {
        rul_scratch_free(s);
        return err;
    }
    *out = s;
    return 0;
}

void rul_scratch_free(struct rul_scratch *s)
{
    if (s == NULL) {
        return;
    }
    (void)hs_free_scratch(s->hs);
    rul_regex_scratch_free(s->pcre);
    hd_arena_fini(&s->folds);
    hd_buf_fini(&s->fold_buf);
    free(s->memo);
    free(s->scanned);
    free(s->candidates);
    free(s->touched);
    free(s);
}

/* ---- folding ---- */

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Eight ASCII bytes to lower case at once. */
static uint64_t lower8(uint64_t x)
{
    uint64_t seven = x & ~HIGHS;
    uint64_t above_z = seven + ONES * (0x7f - 'Z');
    uint64_t from_a = seven + ONES * (0x80 - 'A');
    uint64_t upper = (from_a ^ above_z) & ~x & HIGHS;
    return x | upper >> 2;
}

/* Lower case into out[len]; false when some byte is not ASCII. */
static bool lower_ascii(uint8_t *out, struct hd_slice s)
{
    uint64_t seen = 0;
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) {
        uint64_t x;
        memcpy(&x, s.ptr + i, 8);
        seen |= x;
        x = lower8(x);
        memcpy(out + i, &x, 8);
    }
    for (; i < s.len; i++) {
        seen |= s.ptr[i];
        out[i] = hd_lower(s.ptr[i]);
    }
    return (seen & HIGHS) == 0;
}

struct hd_slice rul_fold_text(struct rul_scratch *s, struct hd_slice text)
{
    if (text.len == 0) {
        return hd_slice("", 0);
    }
    uint8_t *out = hd_arena_bytes(&s->folds, text.len);
    if (out != NULL && lower_ascii(out, text)) {
        return hd_slice(out, text.len);
    }
    hd_buf_clear(&s->fold_buf);
    hd_utf8_fold(&s->fold_buf, text);
    struct hd_slice folded = hd_arena_copy(&s->folds, hd_buf_slice(&s->fold_buf));
    if (s->fold_buf.err != 0 || s->folds.failed) {
        s->stats.no_memory++;
        return hd_slice("", 0);
    }
    return folded;
}

void rul_scratch_stats(const struct rul_scratch *s, struct rul_match_stats *out)
{
    *out = s->stats;
}

struct hd_slice rul_fold_field(const struct rul_matcher *m, uint16_t field)
{
    struct rul_scratch *s = m->s;
    if (s->fold_epoch[field] != s->epoch) {
        s->fold_epoch[field] = s->epoch;
        s->fold[field] = rul_fold_text(s, m->ev->values[field]);
    }
    return s->fold[field];
}

bool rul_values_first(const struct rul_matcher *m, uint16_t field, struct rul_values *v)
{
    const struct rul_lists *lists = &m->ev->lists;
    for (uint16_t i = 0; i < lists->n; i++) {
        if (lists->lists[i].field == field) {
            uint16_t item = lists->lists[i].first;
            *v = (struct rul_values){lists->items[item].value, item};
            return true;
        }
    }
    *v = (struct rul_values){m->ev->values[field], RUL_ITEM_NONE};
    return rul_event_has(m->ev, field);
}

struct hd_slice rul_fold_value(const struct rul_matcher *m, uint16_t field,
                               const struct rul_values *v)
{
    struct rul_scratch *s = m->s;
    if (v->item == RUL_ITEM_NONE) {
        return rul_fold_field(m, field);
    }
    if (s->item_epoch[v->item] != s->epoch) {
        s->item_epoch[v->item] = s->epoch;
        s->item_fold[v->item] = rul_fold_text(s, v->value);
    }
    return s->item_fold[v->item];
}

struct hd_slice rul_fold_keyword(const struct rul_matcher *m, size_t i)
{
    struct rul_keyword_text *t = &m->s->texts[i];
    if (!t->is_folded) {
        t->is_folded = true;
        t->folded = rul_fold_text(m->s, t->raw);
    }
    return t->folded;
}

/* ---- scanning ---- */

struct scan {
    const struct rul_matcher *m;
    const struct rul_slot *slot;
    size_t len; /* of the text */
};

static void add_candidates(struct rul_scratch *s, const uint32_t *rules, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t word = rules[i] / 64;
        s->candidates[word] |= UINT64_C(1) << (rules[i] % 64);
        s->touched[word / 64] |= UINT64_C(1) << (word % 64);
    }
}

static void make_candidates(const struct rul_matcher *m, const struct rul_use *use)
{
    add_candidates(m->s, m->p->rule_refs + use->first_rule, use->n_rules);
}

static void found_literal(const struct rul_matcher *m, const struct rul_use *use,
                          bool at_start, bool at_end)
{
    switch (use->op) {
    case RUL_OP_STARTS:
        if (!at_start) {
            return;
        }
        break;
    case RUL_OP_ENDS:
        if (!at_end) {
            return;
        }
        break;
    default:
        break;
    }
    if (!use->decides) { /* only a piece of it was found */
        make_candidates(m, use);
    } else if (m->s->memo[use->pred] != (m->s->epoch << 2 | RUL_TRUE)) {
        rul_memo_set(m->s, use->pred, RUL_TRUE);
        make_candidates(m, use);
    }
}

static int on_literal(unsigned id, unsigned long long from, unsigned long long to,
                      unsigned flags, void *ctx)
{
    const struct scan *scan = ctx;
    const struct rul_literal *lit = &scan->slot->literal[id];
    (void)from;
    (void)flags;
    for (uint32_t i = 0; i < lit->n_uses; i++) {
        const struct rul_use *use = &scan->m->p->uses[lit->first_use + i];
        found_literal(scan->m, use, to == use->literal_len, to == scan->len);
    }
    return 0;
}

static int on_expression(unsigned id, unsigned long long from, unsigned long long to,
                         unsigned flags, void *ctx)
{
    const struct scan *scan = ctx;
    const struct rul_matcher *m = scan->m;
    uint32_t pred = scan->slot->re_preds[id];
    uint32_t use = scan->slot->re_uses[id];
    (void)from;
    (void)to;
    (void)flags;
    if (m->s->memo[pred] >> 2 == m->s->epoch) {
        return 0;
    }
    bool exact = m->p->expressions[m->p->preds[pred].aux].mode == RUL_RE_EXACT;
    rul_memo_set(m->s, pred, exact ? RUL_TRUE : RUL_MAYBE);
    if (use != 0) {
        make_candidates(m, &m->p->uses[use - 1]);
    }
    return 0;
}

/* A scan that fails (it never should) costs speed, not detections. */
static void all_candidates(const struct rul_matcher *m)
{
    m->s->has_failed = true;
    add_candidates(m->s, m->d->rules, m->d->n_rules);
}

static void scan_database(const struct rul_matcher *m, const struct rul_slot *slot,
                          const hs_database_t *db, match_event_handler on_match,
                          struct hd_slice text)
{
    struct scan scan = {m, slot, text.len};
    const char *ptr = text.ptr != NULL ? (const char *)text.ptr : "";
    if (hs_scan(db, ptr, (unsigned)text.len, 0, m->s->hs, on_match, &scan) !=
        HS_SUCCESS) {
        all_candidates(m);
    }
}

void rul_scan_expressions(const struct rul_matcher *m, uint32_t index)
{
    const struct rul_slot *slot = &m->d->slots[index];
    if (m->s->scanned[index] == m->s->epoch) {
        return;
    }
    m->s->scanned[index] = m->s->epoch;
    if (slot->expressions == NULL) {
        return;
    }
    if (slot->field != RUL_KEYWORD) {
        struct rul_values v;
        for (bool is = rul_values_first(m, slot->field, &v); is;
             is = rul_values_next(m, &v)) {
            scan_database(m, slot, slot->expressions, on_expression, v.value);
        }
        return;
    }
    for (size_t i = 0; i < m->s->n_texts; i++) {
        scan_database(m, slot, slot->expressions, on_expression, m->s->texts[i].raw);
    }
}

/* The predicate holds. */
static void found_use(const struct rul_matcher *m, uint32_t index)
{
    const struct rul_use *use = &m->p->uses[index];
    rul_memo_set(m->s, use->pred, RUL_TRUE);
    make_candidates(m, use);
}

static void look_up(const struct rul_matcher *m, const struct rul_slot *slot,
                    const struct rul_values *v)
{
    if (hd_utf8_is_ascii(v->value) &&
        (slot->equal_lens & RUL_LEN_BIT(v->value.len)) == 0) {
        return;
    }
    struct hd_slice folded = rul_fold_value(m, slot->field, v);
    uint32_t at = (uint32_t)hd_hash(folded) & slot->equal_mask;
    for (; slot->equal[at] != 0; at = (at + 1) & slot->equal_mask) {
        const struct rul_use *use = &m->p->uses[slot->equal[at] - 1];
        if (hd_slice_eq(m->p->preds[use->pred].text, folded)) {
            found_use(m, slot->equal[at] - 1);
            return;
        }
    }
}

static void look_up_networks(const struct rul_matcher *m, const struct rul_slot *slot,
                             struct hd_slice value)
{
    struct hd_ip ip;
    if (hd_ip_parse(value, &ip) != 0) {
        return;
    }
    uint32_t at = rul_networks_find(slot->networks, slot->n_networks, &ip);
    for (; at != 0; at = rul_networks_next(slot->networks, at, &ip)) {
        found_use(m, slot->networks[at - 1].use);
    }
}

/* The databases take ASCII letters of both cases; most text needs no folding for them. */
static void scan_values(const struct rul_matcher *m, const struct rul_slot *slot)
{
    struct rul_values v;
    for (bool is = rul_values_first(m, slot->field, &v); is;
         is = rul_values_next(m, &v)) {
        if (slot->literals != NULL) {
            scan_database(m, slot, slot->literals, on_literal,
                          hd_utf8_is_ascii(v.value) ? v.value
                                                    : rul_fold_value(m, slot->field, &v));
        }
        if (slot->equal != NULL) {
            look_up(m, slot, &v);
        }
        if (slot->n_networks > 0) {
            look_up_networks(m, slot, v.value);
        }
    }
}

static void scan_keywords(const struct rul_matcher *m, const struct rul_slot *slot)
{
    for (size_t i = 0; i < m->s->n_texts; i++) {
        struct hd_slice raw = m->s->texts[i].raw;
        if (m->s->texts[i].is_covered) {
            continue;
        }
        scan_database(m, slot, slot->literals, on_literal,
                      hd_utf8_is_ascii(raw) ? raw : rul_fold_keyword(m, i));
    }
}

static void scan_slot(const struct rul_matcher *m, uint32_t index)
{
    const struct rul_slot *slot = &m->d->slots[index];
    if (slot->field != RUL_KEYWORD && !rul_event_has(m->ev, slot->field)) {
        return;
    }
    if (slot->field != RUL_KEYWORD) {
        scan_values(m, slot);
    } else if (slot->literals != NULL) {
        scan_keywords(m, slot);
    }
    add_candidates(m->s, slot->present, slot->n_present);
    if (slot->re_eager) {
        rul_scan_expressions(m, index);
    }
}

/* ---- one event ---- */

static void add_text(struct rul_scratch *s, struct hd_slice raw)
{
    s->texts[s->n_texts++] = (struct rul_keyword_text){.raw = raw};
}

/* Also members that no rule names are part of the event. False: not added. */
static bool add_unescaped(struct rul_scratch *s, struct hd_slice tree)
{
    if (!rul_tree_has_escapes(tree)) {
        return false;
    }
    uint8_t *room = hd_arena_bytes(&s->folds, tree.len);
    if (room == NULL) {
        s->stats.no_memory++;
        return false;
    }
    add_text(s, hd_slice(room, rul_tree_unescape(tree, room)));
    return true;
}

static bool is_view(struct hd_slice whole, struct hd_slice part)
{
    uintptr_t from = (uintptr_t)whole.ptr, at = (uintptr_t)part.ptr;
    return whole.ptr != NULL && at >= from && at + part.len <= from + whole.len;
}

/* Decoders give one value several names; it is enough to look at it once. */
#define TWINS_SOUGHT 64U

static bool has_text(const struct rul_scratch *s, struct hd_slice raw)
{
    size_t n = s->n_texts < TWINS_SOUGHT ? s->n_texts : TWINS_SOUGHT;
    for (size_t i = 0; i < n; i++) {
        if (s->texts[i].raw.ptr == raw.ptr && s->texts[i].raw.len == raw.len) {
            return true;
        }
    }
    return false;
}

/* Keywords are sought in what stood in the line, be it escaped there: in values that the
 * decoder made from it, not in the constants it added. */
static void add_made_texts(struct rul_scratch *s, const struct rul_event *ev,
                           size_t covered)
{
    struct hd_slice leaves = hd_slice_head(ev->made, covered);
    if (ev->made.ptr != NULL && ev->made.len == 0) {
        return;
    }
    for (uint16_t i = 0; i < ev->n; i++) {
        struct hd_slice value = ev->values[ev->ids[i]];
        if (!is_view(ev->raw, value) &&
            (ev->made.ptr == NULL || is_view(ev->made, value)) && !has_text(s, value)) {
            add_text(s, value);
            s->texts[s->n_texts - 1].is_covered = is_view(leaves, value);
        }
    }
}

bool rul_matcher_begin(struct rul_matcher *m, const struct rul_set *set,
                       struct rul_scratch *s, const struct rul_event *ev)
{
    const struct rul_program *p = &set->program;
    if (hd_fails(s->program == p) || ev->class_id >= p->n_classes ||
        p->dispatch[ev->class_id].n_rules == 0) {
        return false;
    }
    *m = (struct rul_matcher){p, &p->dispatch[ev->class_id], s, ev};
    if (++s->epoch > RUL_EPOCH_MAX) {
        memset(s->memo, 0, (size_t)p->n_preds * sizeof(*s->memo));
        memset(s->fold_epoch, 0, sizeof(s->fold_epoch));
        memset(s->item_epoch, 0, sizeof(s->item_epoch));
        for (uint16_t i = 0; i < p->n_classes; i++) {
            memset(s->scanned, 0, p->dispatch[i].n_slots * sizeof(*s->scanned));
        }
        s->epoch = 1;
    }
    hd_arena_reset(&s->folds);
    s->n_texts = 0;
    if (m->d->has_keywords) {
        if (ev->raw.len > 0) {
            add_text(s, ev->raw);
        }
        bool has_tree = add_unescaped(s, ev->tree);
        add_made_texts(s, ev, has_tree ? ev->leaves : 0);
    }
    return true;
}

/* ---- candidates ---- */

static void forget_candidates(struct rul_scratch *s)
{
    for (uint32_t i = 0; i <= s->program->n_roots / 4096; i++) {
        for (uint64_t bits = s->touched[i]; bits != 0; bits &= bits - 1) {
            s->candidates[i * 64 + (uint32_t)__builtin_ctzll(bits)] = 0;
        }
        s->touched[i] = 0;
    }
}

/* What happens to rules that hold. */
struct outlet {
    const struct rul_set *set;
    rul_on_hit hit;
    rul_on_cost cost; /* or NULL */
    void *ctx;
};

static bool is_hit(const struct rul_matcher *m, uint32_t rule)
{
    return rul_eval(m, m->p->roots[rule]) && rul_eval_filters(m, rule);
}

static bool is_hit_timed(const struct rul_matcher *m, const struct rul_rule *rule,
                         const struct outlet *out)
{
    int64_t began_ns = hd_clock_mono_ns();
    bool is = is_hit(m, rule->index);
    out->cost(out->ctx, rule, (uint64_t)(hd_clock_mono_ns() - began_ns));
    return is;
}

static void eval_word(const struct rul_matcher *m, uint32_t word,
                      const struct outlet *out)
{
    for (uint64_t bits = m->s->candidates[word]; bits != 0; bits &= bits - 1) {
        const struct rul_rule *rule =
            &out->set->rules[word * 64 + (uint32_t)__builtin_ctzll(bits)];
        if (out->cost == NULL ? is_hit(m, rule->index) : is_hit_timed(m, rule, out)) {
            out->hit(out->ctx, rule, m->ev);
        }
    }
}

static void eval_candidates(const struct rul_matcher *m, const struct outlet *out)
{
    for (uint32_t i = 0; i <= m->p->n_roots / 4096; i++) {
        for (uint64_t bits = m->s->touched[i]; bits != 0; bits &= bits - 1) {
            eval_word(m, i * 64 + (uint32_t)__builtin_ctzll(bits), out);
        }
    }
}

void rul_match(const struct rul_set *set, struct rul_scratch *scratch,
               const struct rul_event *ev, rul_on_hit hit, void *ctx)
{
    rul_match_timed(set, scratch, ev, hit, NULL, ctx);
}

void rul_match_timed(const struct rul_set *set, struct rul_scratch *scratch,
                     const struct rul_event *ev, rul_on_hit hit, rul_on_cost cost,
                     void *ctx)
{
    struct rul_matcher m;
    if (!rul_matcher_begin(&m, set, scratch, ev)) {
        return;
    }
    forget_candidates(scratch);
    add_candidates(scratch, m.d->always, m.d->n_always);
    scratch->has_failed = false;
    for (uint32_t i = 0; i < m.d->n_slots; i++) {
        scan_slot(&m, i);
    }
    scratch->decided_epoch = scratch->has_failed ? 0 : scratch->epoch;
    const struct outlet out = {set, hit, cost, ctx};
    eval_candidates(&m, &out);
}
