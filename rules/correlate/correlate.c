/* SPDX-License-Identifier: Apache-2.0
 *
 * Correlation rules over hits. Each hit is looked up in the correlations that count its
 * rule; each of them has its own groups and its own share of the memory. What the
 * specification leaves open is decided in docs/correlation.md.
 */
#include "rules/correlate/correlate.h"

#include <stdlib.h>

#include <haidang/clock.h>
#include <haidang/hash.h>

#include "rules/correlate/groups.h"
#include "rules/correlate/key.h"
#include "rules/correlate/positions.h"

#define MEMORY_DEFAULT   (UINT64_C(64) << 20)
#define LATENESS_DEFAULT (30 * HD_NS_PER_SEC)
#define TIME_MAX         (INT64_MAX / 2) /* year 2116: windows end without overflow */

struct counted { /* one correlation that counts a rule */
    uint32_t corr;
    const struct rul_corr_ref *ref;
};

struct state { /* one correlation */
    const struct rul_corr *corr;
    struct rul_groups groups;
    int64_t next_close_ns; /* earliest end of an open window; INT64_MAX = none */
};

struct rul_correlator {
    size_t memory_max, quota;
    int64_t lateness_ns;
    int64_t seen_ns; /* largest event time; INT64_MIN before the first */
    struct rul_set *set;
    struct state *states; /* per correlation of the set */
    uint32_t n_states;
    uint32_t *first_counted; /* per rule of the set, and one more */
    struct counted *counted;
    struct rul_positions *positions;
    struct hd_buf key, text;
    struct rul_correlator_stats stats;
};

/* One hit on its way through. */
struct hit {
    struct rul_correlator *c;
    struct state *state;
    const struct rul_corr_ref *ref;
    const struct rul_event_copy *ev;
    struct rul_mark mark;
    rul_on_detection fire;
    void *ctx;
};

/* ---- life time ---- */

static void free_states(struct state *states, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        rul_groups_fini(&states[i].groups);
    }
    free(states);
}

int rul_correlator_new(const struct rul_correlator_opts *opts,
                       struct rul_correlator **out)
{
    struct rul_correlator *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return HD_ENOMEM;
    }
    c->memory_max = opts->memory_max != 0 ? opts->memory_max : MEMORY_DEFAULT;
    c->quota = c->memory_max / 4;
    c->lateness_ns = opts->lateness_ns != 0 ? opts->lateness_ns : LATENESS_DEFAULT;
    c->seen_ns = INT64_MIN;
    hd_buf_init(&c->key, 0);
    hd_buf_init(&c->text, 0);
    int err = rul_positions_new(&c->positions);
    if (err != 0) {
        rul_correlator_free(c);
        return err;
    }
    *out = c;
    return 0;
}

void rul_correlator_free(struct rul_correlator *c)
{
    if (c == NULL) {
        return;
    }
    free_states(c->states, c->n_states);
    free(c->first_counted);
    free(c->counted);
    rul_positions_free(c->positions);
    hd_buf_fini(&c->key);
    hd_buf_fini(&c->text);
    rul_set_unref(c->set);
    free(c);
}

/* ---- taking a set ---- */

static const struct rul_corr_ref *find_ref(const struct rul_corr *corr, uint32_t rule)
{
    for (uint32_t i = 0; i < corr->n_refs; i++) {
        if (corr->refs[i].rule == rule) {
            return &corr->refs[i];
        }
    }
    return NULL;
}

/* Which correlations count which rule, as arrays; a rule named twice counts once. */
static int index_rules(const struct rul_set *set, uint32_t **first,
                       struct counted **counted)
{
    size_t total = 0;
    for (uint32_t i = 0; i < set->n_corrs; i++) {
        total += set->corrs[i].n_refs;
    }
    *first = calloc((size_t)set->n_rules + 1, sizeof(**first));
    *counted = calloc(total + 1, sizeof(**counted));
    if (*first == NULL || *counted == NULL) {
        free(*first);
        free(*counted);
        return HD_ENOMEM;
    }
    uint32_t n = 0;
    for (uint32_t rule = 0; rule < set->n_rules; rule++) {
        (*first)[rule] = n;
        for (uint32_t i = 0; set->rules[rule].feeds && i < set->n_corrs; i++) {
            const struct rul_corr_ref *ref = find_ref(&set->corrs[i], rule);
            if (ref != NULL) {
                (*counted)[n++] = (struct counted){i, ref};
            }
        }
    }
    (*first)[set->n_rules] = n;
    return 0;
}

/* Events kept by open windows carry field ids and a class of the old set. */
static void move_events(struct rul_groups *groups, const struct rul_set *from,
                        const struct rul_set *to)
{
    for (struct rul_group *g = groups->stalest; g != NULL; g = g->newer) {
        struct rul_event_copy *ev = g->closing == NULL ? NULL : g->closing->event;
        for (uint16_t i = 0; ev != NULL && i < ev->n; i++) {
            ev->values[i].id = rul_fields_find(
                to->fields, rul_fields_name(from->fields, ev->values[i].id));
        }
        if (ev != NULL) {
            ev->class_id = 0;
        }
    }
}

static void inherit(struct rul_correlator *c, struct state *state,
                    const struct rul_set *set)
{
    const struct rul_rule *rule = &set->rules[state->corr->rule];
    for (uint32_t i = 0; i < c->n_states; i++) {
        const struct rul_rule *old = &c->set->rules[c->states[i].corr->rule];
        if (old->hash == rule->hash && strcmp(old->id, rule->id) == 0) {
            state->groups = c->states[i].groups;
            state->next_close_ns = c->states[i].next_close_ns;
            c->states[i].groups = (struct rul_groups){0};
            move_events(&state->groups, c->set, set);
        }
    }
}

int rul_correlator_use(struct rul_correlator *c, struct rul_set *set)
{
    if (set == c->set) {
        return 0;
    }
    struct state *states = calloc((size_t)set->n_corrs + 1, sizeof(*states));
    uint32_t *first = NULL;
    struct counted *counted = NULL;
    if (states == NULL || index_rules(set, &first, &counted) != 0) {
        free(states);
        return HD_ENOMEM;
    }
    for (uint32_t i = 0; i < set->n_corrs; i++) {
        states[i].corr = &set->corrs[i];
        states[i].next_close_ns = INT64_MAX;
        inherit(c, &states[i], set);
    }
    free_states(c->states, c->n_states);
    free(c->first_counted);
    free(c->counted);
    rul_set_unref(c->set);
    c->states = states;
    c->n_states = set->n_corrs;
    c->first_counted = first;
    c->counted = counted;
    c->set = rul_set_ref(set);
    return 0;
}

/* ---- events ---- */

/* Nothing happens after it was received: a clock that is ahead, or a line that pretends,
 * must neither move the watermark past everybody else's hits nor the window of its group
 * past the hits that follow. */
static int64_t event_time(const struct rul_event_copy *ev)
{
    bool is_ahead = ev->recv_ns > 0 && ev->time_ns > ev->recv_ns;
    return is_ahead ? ev->recv_ns : ev->time_ns;
}

/* Key of the fields into c->key; false when the event lacks one (counted) or memory is
 * short (c->key.err). */
static bool make_key(struct rul_correlator *c, const struct rul_event_copy *ev,
                     const uint16_t *fields, uint8_t n)
{
    hd_buf_clear(&c->key);
    bool has_all = rul_key_add(&c->key, ev, fields, n);
    c->stats.no_group += !has_all;
    return has_all && c->key.err == 0;
}

static const struct rul_corr *find_corr(const struct rul_set *set, uint32_t rule)
{
    for (uint32_t i = 0; i < set->n_corrs; i++) {
        if (set->corrs[i].rule == rule) {
            return &set->corrs[i];
        }
    }
    return NULL;
}

bool rul_detection_covers(const struct rul_set *set,
                          const struct rul_detection *detection,
                          const struct rul_rule *rule, const struct rul_event_copy *ev)
{
    const struct rul_corr *corr = find_corr(set, detection->rule->index);
    const struct rul_corr_ref *ref = corr == NULL ? NULL : find_ref(corr, rule->index);
    int64_t time_ns = event_time(ev);
    if (ref == NULL || time_ns < detection->first_ns || time_ns > detection->last_ns) {
        return false;
    }
    struct hd_buf key;
    hd_buf_init(&key, 0);
    bool same = rul_key_add(&key, ev, ref->group, corr->n_group) && key.err == 0;
    struct hd_slice rest = hd_buf_slice(&key);
    for (size_t i = 0; same && i < detection->n_group; i++) {
        same = hd_slice_eq(rul_key_next(&rest), detection->group[i].value);
    }
    hd_buf_fini(&key);
    return same;
}

/* ---- firing ---- */

/* What a detection says, but for the counts. */
static void fire(const struct hit *h, const struct rul_group *g,
                 struct rul_detection *detection, const struct rul_mark *first,
                 const struct rul_event_copy *ev)
{
    struct rul_correlator *c = h->c;
    const struct rul_corr *corr = h->state->corr;
    struct hd_slice rest = hd_slice(g->key, g->key_len);
    detection->rule = &c->set->rules[corr->rule];
    detection->first_ns = first->time_ns;
    detection->last_ns = g->newest_ns;
    detection->n_group = corr->n_group;
    for (uint8_t i = 0; i < corr->n_group; i++) {
        detection->group[i].field = corr->group_names[i];
        detection->group[i].value = rul_key_next(&rest);
    }
    hd_buf_clear(&c->text);
    rul_positions_get(c->positions, first, &c->text);
    detection->first_position = hd_buf_slice(&c->text);
    c->stats.fired++;
    h->fire(h->ctx, detection, ev);
}

/* ---- gt and gte: sliding window, fires while counting up ---- */

static uint32_t live(const struct rul_corr *corr, const struct rul_group *g)
{
    return corr->n_values > 0 ? g->distinct.n : g->ring.n;
}

static int count_sliding(struct hit *h, struct rul_group *g, uint64_t value)
{
    const struct rul_corr *corr = h->state->corr;
    uint32_t needed = (uint32_t)corr->bounds.min;
    g->newest_ns = h->mark.time_ns > g->newest_ns ? h->mark.time_ns : g->newest_ns;
    int64_t edge = g->newest_ns - corr->timespan_ns;
    rul_ring_expire(&g->ring, edge);
    rul_distinct_expire(&g->distinct, edge);
    bool was_false = live(corr, g) < needed;
    g->is_armed |= was_false || g->fired_ns <= edge;
    g->swallowed = was_false ? 0 : g->swallowed;
    int err = 0;
    if (h->mark.time_ns > edge) {
        err = corr->n_values > 0 ? rul_distinct_see(&g->distinct, value, &h->mark, needed)
                                 : rul_ring_add(&g->ring, &h->mark, needed);
    }
    if (err != 0 || live(corr, g) < needed) {
        return err;
    }
    if (!g->is_armed) {
        g->swallowed++;
        return 0;
    }
    struct rul_detection detection = {.count = live(corr, g), .suppressed = g->swallowed};
    const struct rul_mark *first = corr->n_values > 0
                                       ? &g->distinct.seen[g->distinct.oldest].mark
                                       : rul_ring_at(&g->ring, 0);
    g->is_armed = false;
    g->fired_ns = g->newest_ns;
    g->swallowed = 0;
    fire(h, g, &detection, first, h->ev);
    return 0;
}

/* ---- lt, lte, eq, neq: windows of T, tested at their end ---- */

static bool within(const struct rul_bounds *b, uint64_t count)
{
    return count >= b->min && count <= b->max && count != b->not_equal;
}

/* One value more than the largest that the condition can tell apart. */
static uint32_t values_needed(const struct rul_bounds *b)
{
    uint64_t most = b->min;
    most = b->max != UINT64_MAX && b->max > most ? b->max : most;
    most = b->not_equal != UINT64_MAX && b->not_equal > most ? b->not_equal : most;
    return (uint32_t)most + 1;
}

static int count_closing(struct hit *h, struct rul_group *g, uint64_t value)
{
    const struct rul_corr *corr = h->state->corr;
    struct rul_closing *w = g->closing;
    if (corr->n_values > 0) {
        int err =
            rul_distinct_see(&g->distinct, value, &h->mark, values_needed(&corr->bounds));
        if (err != 0) {
            return err;
        }
        w->count = g->distinct.n;
    } else {
        w->count++;
    }
    if (g->newest_ns == INT64_MIN || h->mark.time_ns < w->first.time_ns) {
        w->first = h->mark;
    }
    if (h->mark.time_ns >= g->newest_ns) {
        struct rul_event_copy *copy = NULL;
        int err = rul_event_copy_dup(h->ev, &copy);
        if (err != 0) {
            return err;
        }
        free(w->event);
        w->event = copy;
        g->newest_ns = h->mark.time_ns;
    }
    int64_t end = (w->index + 1) * corr->timespan_ns;
    if (end < h->state->next_close_ns) {
        h->state->next_close_ns = end;
    }
    return 0;
}

/* Windows of one correlation that ended before the watermark, stalest first. */
static void close_windows(struct hit *h, int64_t watermark_ns)
{
    struct state *state = h->state;
    const struct rul_corr *corr = state->corr;
    if (state->next_close_ns > watermark_ns) {
        return;
    }
    state->next_close_ns = INT64_MAX;
    struct rul_group *g = state->groups.stalest;
    while (g != NULL) {
        struct rul_group *next = g->newer;
        int64_t end = (g->closing->index + 1) * corr->timespan_ns;
        if (end > watermark_ns) {
            state->next_close_ns =
                end < state->next_close_ns ? end : state->next_close_ns;
        } else {
            struct rul_detection detection = {.count = g->closing->count};
            if (within(&corr->bounds, g->closing->count) && g->closing->event != NULL) {
                fire(h, g, &detection, &g->closing->first, g->closing->event);
            }
            rul_groups_remove(&state->groups, g);
        }
        g = next;
    }
}

static int64_t watermark(const struct rul_correlator *c)
{
    return c->seen_ns < INT64_MIN + c->lateness_ns ? INT64_MIN
                                                   : c->seen_ns - c->lateness_ns;
}

void rul_correlator_close(struct rul_correlator *c, rul_on_detection on_detection,
                          void *ctx)
{
    struct hit h = {.c = c, .fire = on_detection, .ctx = ctx};
    for (uint32_t i = 0; i < c->n_states; i++) {
        h.state = &c->states[i];
        close_windows(&h, watermark(c));
    }
}

/* ---- memory ---- */

static size_t total_bytes(const struct rul_correlator *c)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < c->n_states; i++) {
        bytes += c->states[i].groups.bytes;
    }
    return bytes;
}

static struct rul_groups *largest(struct rul_correlator *c)
{
    struct rul_groups *most = &c->states[0].groups;
    for (uint32_t i = 1; i < c->n_states; i++) {
        if (c->states[i].groups.bytes > most->bytes) {
            most = &c->states[i].groups;
        }
    }
    return most;
}

/* Groups that no event can join any more go without a word: dropping them changes no
 * detection. */
static void drop_expired(struct rul_correlator *c, struct state *state)
{
    int64_t edge = watermark(c);
    for (int budget = 2; budget > 0; budget--) {
        struct rul_group *g = state->groups.stalest;
        if (g == NULL || g->closing != NULL || g == state->groups.freshest ||
            g->newest_ns > edge - state->corr->timespan_ns) {
            return;
        }
        rul_groups_remove(&state->groups, g);
    }
}

/* Back below the limits; the group just used stays. */
static void make_room(struct rul_correlator *c, struct state *state)
{
    struct rul_groups *own = &state->groups;
    while (own->bytes > c->quota && own->stalest != own->freshest) {
        rul_groups_remove(own, own->stalest);
        c->stats.evicted++;
    }
    size_t total = total_bytes(c);
    while (total > c->memory_max) {
        struct rul_groups *most = own->stalest != own->freshest ? own : largest(c);
        if (most->stalest == NULL || (most == own && own->stalest == own->freshest)) {
            return;
        }
        total -= most->stalest->bytes;
        rul_groups_remove(most, most->stalest);
        c->stats.evicted++;
    }
}

/* ---- a hit ---- */

static int64_t window_index(int64_t time_ns, int64_t span_ns)
{
    int64_t index = time_ns / span_ns;
    return index * span_ns > time_ns ? index - 1 : index;
}

/* The same event through another rule of the same correlation. */
static bool is_repeat(const struct rul_group *g, const struct rul_mark *mark)
{
    return mark->prefix != RUL_NO_PREFIX && g->last.prefix == mark->prefix &&
           g->last.seq == mark->seq;
}

static int correlate_one(struct hit *h)
{
    struct rul_correlator *c = h->c;
    const struct rul_corr *corr = h->state->corr;
    uint64_t value = 0;
    if (corr->n_values > 0) {
        if (!make_key(c, h->ev, h->ref->values, corr->n_values)) {
            return c->key.err;
        }
        value = hd_hash(hd_buf_slice(&c->key));
    }
    if (!make_key(c, h->ev, h->ref->group, corr->n_group)) {
        return c->key.err;
    }
    struct hd_slice key = hd_buf_slice(&c->key);
    int64_t index =
        corr->immediate ? 0 : window_index(h->mark.time_ns, corr->timespan_ns);
    struct rul_group *g = rul_groups_find(&h->state->groups, key, index);
    int err = 0;
    if (g == NULL) {
        err = rul_groups_add(&h->state->groups, key, !corr->immediate, index, &g);
        if (err == 0) {
            g->last.prefix = RUL_NO_PREFIX;
        }
    }
    if (err != 0 || is_repeat(g, &h->mark)) {
        return err;
    }
    g->last = h->mark;
    err = corr->immediate ? count_sliding(h, g, value) : count_closing(h, g, value);
    rul_groups_touch(&h->state->groups, g);
    drop_expired(c, h->state);
    make_room(c, h->state);
    return err;
}

int rul_correlate(struct rul_correlator *c, const struct rul_rule *rule,
                  const struct rul_event_copy *ev, struct hd_slice position,
                  rul_on_detection on_detection, void *ctx)
{
    int64_t time_ns = event_time(ev);
    if (c->set == NULL || rul_set_rule(c->set, rule->index) != rule || time_ns < 0 ||
        time_ns > TIME_MAX) {
        return HD_EINVAL;
    }
    rul_correlator_advance(c, time_ns);
    rul_correlator_close(c, on_detection, ctx);
    uint32_t from = c->first_counted[rule->index];
    uint32_t to = c->first_counted[rule->index + 1];
    if (from < to && time_ns < watermark(c)) {
        c->stats.late++;
        return 0;
    }
    struct hit h = {.c = c, .ev = ev, .fire = on_detection, .ctx = ctx};
    h.mark.time_ns = time_ns;
    int err = from < to ? rul_positions_put(c->positions, position, &h.mark) : 0;
    for (uint32_t i = from; i < to && err == 0; i++) {
        h.state = &c->states[c->counted[i].corr];
        h.ref = c->counted[i].ref;
        err = correlate_one(&h);
    }
    return err;
}

void rul_correlator_advance(struct rul_correlator *c, int64_t watermark_ns)
{
    if (watermark_ns > c->seen_ns && watermark_ns <= TIME_MAX) {
        c->seen_ns = watermark_ns;
    }
}

void rul_correlator_stats(const struct rul_correlator *c,
                          struct rul_correlator_stats *out)
{
    *out = c->stats;
    out->groups = 0;
    for (uint32_t i = 0; i < c->n_states; i++) {
        out->groups += c->states[i].groups.n;
    }
    out->bytes = total_bytes(c);
}
