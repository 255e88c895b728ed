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

#include "rules/correlate/core.h"
#include "rules/correlate/heir.h"
#include "rules/correlate/key.h"

#define MEMORY_DEFAULT   (UINT64_C(64) << 20)
#define LATENESS_DEFAULT (30 * HD_NS_PER_SEC)

/* ---- life time ---- */

static void free_states(struct rul_corr_state *states, uint32_t n)
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
    c->quota = opts->rule_max != 0 ? opts->rule_max : c->memory_max / 4;
    c->lateness_ns = opts->lateness_ns != 0 ? opts->lateness_ns : LATENESS_DEFAULT;
    c->is_driven = opts->is_driven;
    c->on_heir = opts->on_heir;
    c->heir_ctx = opts->heir_ctx;
    c->on_short = opts->on_short;
    c->short_ctx = opts->short_ctx;
    c->seen_ns = INT64_MIN;
    c->next_close_ns = INT64_MAX;
    c->emitted_tail = &c->emitted;
    hd_buf_init(&c->key, 0);
    hd_buf_init(&c->text, 0);
    int err = hd_random(&c->seed, sizeof(c->seed));
    err = err != 0 ? err : rul_positions_new(&c->positions);
    err = err != 0 ? err : rul_pool_new(&c->pool);
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
    rul_pool_free(c->pool);
    free(c->first_counted);
    free(c->counted);
    rul_positions_free(c->positions);
    hd_buf_fini(&c->key);
    hd_buf_fini(&c->text);
    rul_set_unref(c->set);
    free(c);
}

/* ---- taking a set ---- */

static uint32_t find_ref(const struct rul_corr *corr, uint32_t rule)
{
    uint32_t i = 0;
    while (i < corr->n_refs && corr->refs[i].rule != rule) {
        i++;
    }
    return i;
}

/* Calls for every rule that a correlation counts; one named twice counts once. */
static void each_counted(const struct rul_set *set,
                         void (*each)(uint32_t *first, struct rul_counted *counted,
                                      uint32_t rule, struct rul_counted what),
                         uint32_t *first, struct rul_counted *counted)
{
    for (uint32_t i = 0; i < set->n_corrs; i++) {
        for (uint32_t k = 0; k < set->corrs[i].n_refs; k++) {
            uint32_t rule = set->corrs[i].refs[k].rule;
            if (find_ref(&set->corrs[i], rule) == k) {
                each(first, counted, rule, (struct rul_counted){i, k});
            }
        }
    }
}

static void tally_counted(uint32_t *first, struct rul_counted *counted, uint32_t rule,
                          struct rul_counted what)
{
    (void)counted;
    (void)what;
    first[rule + 2]++;
}

static void put_counted(uint32_t *first, struct rul_counted *counted, uint32_t rule,
                        struct rul_counted what)
{
    counted[first[rule + 1]++] = what;
}

/* Which correlations count which rule, as arrays: those of a rule stand from first[rule]
 * to first[rule + 1]. */
static int index_rules(const struct rul_set *set, uint32_t **first,
                       struct rul_counted **counted)
{
    size_t total = 0;
    for (uint32_t i = 0; i < set->n_corrs; i++) {
        total += set->corrs[i].n_refs;
    }
    *first = calloc((size_t)set->n_rules + 2, sizeof(**first));
    *counted = calloc(total + 1, sizeof(**counted));
    if (*first == NULL || *counted == NULL) {
        free(*first);
        free(*counted);
        return HD_ENOMEM;
    }
    each_counted(set, tally_counted, *first, NULL);
    for (uint32_t i = 2; i < set->n_rules + 2; i++) {
        (*first)[i] += (*first)[i - 1];
    }
    each_counted(set, put_counted, *first, *counted);
    return 0;
}

void rul_event_move(struct rul_event_copy *ev, const struct rul_set *from,
                    const struct rul_set *to)
{
    for (uint16_t i = 0; i < ev->n; i++) {
        ev->values[i].id =
            rul_fields_find(to->fields, rul_fields_name(from->fields, ev->values[i].id));
    }
    ev->class_id = 0;
}

/* Events kept by open windows carry field ids and a class of the old set. */
static void move_events(struct rul_groups *groups, const struct rul_set *from,
                        const struct rul_set *to)
{
    uint32_t at = groups->stalest;
    while (at != RUL_POOL_NONE) {
        struct rul_group *g = rul_group_at(groups, at);
        const struct rul_closing *closing = rul_group_closing(groups, g);
        if (closing != NULL && closing->event != NULL) {
            rul_event_move(closing->event, from, to);
        }
        at = g->newer;
    }
}

static bool means_the_same(const struct rul_rule *a, const struct rul_rule *b)
{
    return a->hash == b->hash && strcmp(a->id, b->id) == 0;
}

/* The state in use of the correlation with this id. */
static struct rul_corr_state *state_of(const struct rul_correlator *c, const char *id)
{
    for (uint32_t i = 0; i < c->n_states; i++) {
        if (strcmp(c->set->rules[c->states[i].corr->rule].id, id) == 0) {
            return &c->states[i];
        }
    }
    return NULL;
}

void rul_heir_tell(struct rul_correlator *c, struct hd_slice id, uint32_t groups,
                   enum rul_heir heir)
{
    const struct rul_heritage heritage = {id, groups, heir};
    c->stats.kept += heir == RUL_HEIR_KEPT;
    c->stats.forgotten += heir != RUL_HEIR_KEPT;
    if (c->on_heir != NULL) {
        c->on_heir(c->heir_ctx, &heritage);
    }
}

static enum rul_heir judge(const struct rul_correlator *c,
                           const struct rul_corr_state *old, const struct rul_set *set,
                           const struct rul_corr *corr)
{
    const struct rul_sign was = rul_sign_of(c->set, old->corr);
    const struct rul_sign is = rul_sign_of(set, corr);
    return rul_heir_judge(&was, &is);
}

/* What has changed and can go on is copied: the old state stays whole until nothing can
 * fail any more. */
static int hand_on(struct rul_correlator *c, const struct rul_set *set,
                   struct rul_corr_state *states)
{
    int err = 0;
    for (uint32_t i = 0; i < set->n_corrs && err == 0; i++) {
        const struct rul_rule *rule = &set->rules[set->corrs[i].rule];
        const struct rul_corr_state *old = state_of(c, rule->id);
        if (old != NULL && !means_the_same(&c->set->rules[old->corr->rule], rule) &&
            judge(c, old, set, &set->corrs[i]) == RUL_HEIR_KEPT) {
            err = rul_state_hand_on(c, old, set, &states[i]);
        }
    }
    return err;
}

/* What has not changed is moved. */
static void inherit(struct rul_correlator *c, struct rul_corr_state *state,
                    const struct rul_set *set)
{
    const struct rul_rule *rule = &set->rules[state->corr->rule];
    struct rul_corr_state *old = state_of(c, rule->id);
    if (old == NULL || !means_the_same(&c->set->rules[old->corr->rule], rule)) {
        return;
    }
    state->groups = old->groups;
    state->groups.corr = state->corr;
    state->next_close_ns = old->next_close_ns;
    state->swept_ns = old->swept_ns;
    old->groups = (struct rul_groups){0};
    move_events(&state->groups, c->set, set);
}

/* Whatever has groups still was not moved. */
static void tell_heirs(struct rul_correlator *c, const struct rul_set *set)
{
    for (uint32_t i = 0; i < c->n_states; i++) {
        const struct rul_corr_state *old = &c->states[i];
        const char *id = c->set->rules[old->corr->rule].id;
        const struct rul_corr *corr = rul_corr_of_id(set, id);
        if (old->groups.n > 0) {
            rul_heir_tell(c, hd_slice_str(id), old->groups.n,
                          corr == NULL ? RUL_HEIR_GONE : judge(c, old, set, corr));
        }
    }
}

void rul_correlator_recount(struct rul_correlator *c)
{
    c->bytes = 0;
    c->next_close_ns = INT64_MAX;
    for (uint32_t i = 0; i < c->n_states; i++) {
        const struct rul_corr_state *state = &c->states[i];
        c->bytes += state->groups.bytes;
        c->next_close_ns = state->next_close_ns < c->next_close_ns ? state->next_close_ns
                                                                   : c->next_close_ns;
    }
}

static void init_states(const struct rul_correlator *c, const struct rul_set *set,
                        struct rul_corr_state *states)
{
    for (uint32_t i = 0; i < set->n_corrs; i++) {
        states[i].corr = &set->corrs[i];
        states[i].next_close_ns = INT64_MAX;
        states[i].swept_ns = INT64_MIN;
        states[i].event = RUL_NO_PLACE;
        rul_groups_init(&states[i].groups, &set->corrs[i], c->pool, c->seed);
    }
}

int rul_correlator_use(struct rul_correlator *c, struct rul_set *set)
{
    if (set == c->set) {
        return 0;
    }
    struct rul_corr_state *states = calloc((size_t)set->n_corrs + 1, sizeof(*states));
    uint32_t *first = NULL;
    struct rul_counted *counted = NULL;
    if (states == NULL || index_rules(set, &first, &counted) != 0) {
        free(states);
        return HD_ENOMEM;
    }
    init_states(c, set, states);
    int err = hand_on(c, set, states);
    if (err != 0) {
        free_states(states, set->n_corrs);
        free(first);
        free(counted);
        return err;
    }
    for (uint32_t i = 0; i < set->n_corrs; i++) {
        inherit(c, &states[i], set);
    }
    tell_heirs(c, set);
    free_states(c->states, c->n_states);
    free(c->first_counted);
    free(c->counted);
    rul_set_unref(c->set);
    c->states = states;
    c->n_states = set->n_corrs;
    c->first_counted = first;
    c->counted = counted;
    c->set = rul_set_ref(set);
    rul_correlator_recount(c);
    return 0;
}

/* ---- events ---- */

/* Nothing happens after it was received: a clock that is ahead, or a line that pretends,
 * must neither move the watermark past everybody else's hits nor the window of its group
 * past the hits that follow. */
int64_t rul_event_time(const struct rul_event_copy *ev)
{
    bool is_ahead = ev->recv_ns > 0 && ev->time_ns > ev->recv_ns;
    return is_ahead ? ev->recv_ns : ev->time_ns;
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
    uint32_t ref = corr == NULL ? 0 : find_ref(corr, rule->index);
    int64_t time_ns = rul_event_time(ev);
    if (corr == NULL || ref == corr->n_refs || time_ns < detection->first_ns ||
        time_ns > detection->last_ns) {
        return false;
    }
    struct hd_buf key;
    hd_buf_init(&key, 0);
    bool same = rul_key_add(&key, ev, corr->refs[ref].group, corr->n_group,
                            corr->has_null_group) &&
                key.err == 0;
    struct hd_slice rest = hd_buf_slice(&key);
    for (size_t i = 0; same && i < detection->n_group; i++) {
        same = rul_group_value_eq(rul_key_next(&rest), detection->group[i].value);
    }
    hd_buf_fini(&key);
    return same;
}

/* The value that the event of a detection has in a field; ptr NULL: none. */
static struct hd_slice emitted_value(const struct rul_corr *corr,
                                     const struct rul_detection *detection,
                                     uint16_t field)
{
    for (uint8_t i = 0; i < corr->n_group; i++) {
        if (corr->group_fields[i] == field) {
            return detection->group[i].value;
        }
    }
    return HD_SLICE_EMPTY;
}

bool rul_detection_counts(const struct rul_set *set, const struct rul_detection *upper,
                          const struct rul_detection *lower)
{
    const struct rul_corr *corr = find_corr(set, upper->rule->index);
    const struct rul_corr *below = find_corr(set, lower->rule->index);
    uint32_t ref = corr == NULL ? 0 : find_ref(corr, lower->rule->index);
    if (corr == NULL || below == NULL || ref == corr->n_refs ||
        lower->end_ns < upper->first_ns || lower->end_ns > upper->last_ns) {
        return false;
    }
    bool same = true;
    for (uint8_t i = 0; i < corr->n_group && same; i++) {
        struct hd_slice value = emitted_value(below, lower, corr->refs[ref].group[i]);
        same = rul_group_value_eq(value, upper->group[i].value);
    }
    return same;
}

bool rul_counts_detections(const struct rul_set *set, const struct rul_rule *rule)
{
    const struct rul_corr *corr = find_corr(set, rule->index);
    return corr != NULL && corr->level > 1;
}

/* ---- memory ---- */

static struct rul_corr_state *largest(struct rul_correlator *c)
{
    struct rul_corr_state *most = &c->states[0];
    for (uint32_t i = 1; i < c->n_states; i++) {
        if (c->states[i].groups.bytes > most->groups.bytes) {
            most = &c->states[i];
        }
    }
    return most;
}

static void evict(struct rul_correlator *c, struct rul_corr_state *state)
{
    struct rul_groups *groups = &state->groups;
    size_t before = groups->bytes;
    rul_groups_remove(groups, groups->stalest);
    c->bytes -= before - groups->bytes;
    state->evicted++;
    c->stats.evicted++;
}

uint64_t rul_correlator_evicted(const struct rul_correlator *c)
{
    return c->stats.evicted;
}

void rul_correlator_each_evicted(struct rul_correlator *c, rul_on_evicted each, void *ctx)
{
    for (uint32_t i = 0; i < c->n_states; i++) {
        struct rul_corr_state *state = &c->states[i];
        if (state->evicted > 0) {
            each(ctx, &c->set->rules[state->corr->rule], state->evicted);
            state->evicted = 0;
        }
    }
}

/* Without an event for so long, nothing of the group counts any more. */
static int64_t life_of(const struct rul_corr *corr)
{
    return corr->timing == RUL_SESSION_NOW ? corr->gap_ns : corr->timespan_ns;
}

/* Groups that no event can join any more go without a word: dropping them changes no
 * detection. */
static void drop_expired(struct rul_correlator *c, struct rul_corr_state *state)
{
    int64_t edge_ns = rul_watermark(c);
    for (int budget = edge_ns == INT64_MIN ? 0 : 2; budget > 0; budget--) {
        struct rul_groups *groups = &state->groups;
        uint32_t at = groups->stalest;
        if (at == RUL_POOL_NONE || at == groups->freshest ||
            !rul_counts_up(state->corr) ||
            rul_group_at(groups, at)->newest_ns > edge_ns - life_of(state->corr)) {
            return;
        }
        rul_groups_remove(groups, at);
    }
}

/* Is there one besides the group used last? */
static bool has_stale(const struct rul_corr_state *state)
{
    return state->groups.stalest != state->groups.freshest;
}

/* Back below the limits; the group just used stays. */
static void make_room(struct rul_correlator *c, struct rul_corr_state *state)
{
    while (state->groups.bytes > c->quota && has_stale(state)) {
        evict(c, state);
    }
    while (c->bytes > c->memory_max) {
        struct rul_corr_state *most = has_stale(state) ? state : largest(c);
        if (most->groups.stalest == RUL_POOL_NONE ||
            (most == state && !has_stale(state))) {
            return;
        }
        evict(c, most);
    }
}

/* ---- hits ---- */

bool rul_try_again(const struct rul_correlator *c, int err)
{
    return err == HD_ENOMEM && c->on_short != NULL && c->on_short(c->short_ctx);
}

static int count_one(struct rul_hit *h)
{
    struct rul_correlator *c = h->c;
    size_t before = h->state->groups.bytes;
    int err = rul_hit_count(h);
    while (rul_try_again(c, err)) {
        err = rul_hit_count(h);
    }
    drop_expired(c, h->state);
    c->bytes += h->state->groups.bytes - before;
    make_room(c, h->state);
    return err;
}

/* In every correlation that counts the rule; one that cannot does not stop the others. */
static int count_all(struct rul_hit *h, uint32_t rule)
{
    struct rul_correlator *c = h->c;
    int result = 0;
    for (uint32_t i = c->first_counted[rule]; i < c->first_counted[rule + 1]; i++) {
        h->state = &c->states[c->counted[i].corr];
        h->ref = c->counted[i].ref;
        int err = count_one(h);
        result = err != 0 ? err : result;
    }
    return result;
}

/* Detections that are events to other correlations; these may bring forth more. */
static void count_emitted(struct rul_correlator *c, rul_on_detection fire, void *ctx)
{
    for (struct rul_emitted *e = c->emitted; e != NULL; e = e->next) {
        struct rul_hit h = {.c = c,
                            .ev = e->ev,
                            .shown = e->shown,
                            .is_emitted = true,
                            .mark = {e->ev->time_ns, e->place},
                            .fire = fire,
                            .ctx = ctx};
        c->stats.lost += count_all(&h, e->rule->index) != 0;
    }
    while (c->emitted != NULL) { /* some are shown by later ones: none goes before */
        struct rul_emitted *next = c->emitted->next;
        rul_emitted_free(c->emitted);
        c->emitted = next;
    }
    c->emitted_tail = &c->emitted;
}

int rul_correlate(struct rul_correlator *c, const struct rul_rule *rule,
                  const struct rul_event_copy *ev, struct hd_slice position,
                  rul_on_detection on_detection, void *ctx)
{
    int64_t time_ns = rul_event_time(ev);
    if (c->set == NULL || rul_set_rule(c->set, rule->index) != rule || time_ns < 0 ||
        time_ns > RUL_TIME_MAX) {
        return HD_EINVAL;
    }
    if (!c->is_driven) {
        rul_correlator_advance(c, time_ns);
        rul_correlator_close(c, on_detection, ctx);
    }
    if (c->first_counted[rule->index] == c->first_counted[rule->index + 1]) {
        return 0;
    }
    if (time_ns < rul_watermark(c)) {
        c->stats.late++;
        return 0;
    }
    struct rul_hit h = {.c = c,
                        .ev = ev,
                        .shown = ev,
                        .mark = {.time_ns = time_ns},
                        .fire = on_detection,
                        .ctx = ctx};
    int err = rul_positions_put(c->positions, position, &h.mark.place);
    while (rul_try_again(c, err)) {
        err = rul_positions_put(c->positions, position, &h.mark.place);
    }
    err = err != 0 ? err : count_all(&h, rule->index);
    count_emitted(c, on_detection, ctx);
    return err;
}

/* ---- time ---- */

int64_t rul_watermark(const struct rul_correlator *c)
{
    return c->seen_ns < INT64_MIN + c->lateness_ns ? INT64_MIN
                                                   : c->seen_ns - c->lateness_ns;
}

void rul_correlator_advance(struct rul_correlator *c, int64_t watermark_ns)
{
    if (watermark_ns > c->seen_ns && watermark_ns <= RUL_TIME_MAX) {
        c->seen_ns = watermark_ns;
    }
}

/* Those that are counted come first, so that what their windows bring forth is there when
 * the windows of those that count are tested. */
void rul_correlator_close(struct rul_correlator *c, rul_on_detection on_detection,
                          void *ctx)
{
    if (c->next_close_ns > rul_watermark(c)) {
        return;
    }
    for (uint32_t i = 0; i < c->n_states; i++) {
        struct rul_hit h = {
            .c = c, .state = &c->states[i], .fire = on_detection, .ctx = ctx};
        rul_hit_close(&h);
        count_emitted(c, on_detection, ctx);
    }
    rul_correlator_recount(c);
}

uint64_t rul_correlator_late(const struct rul_correlator *c)
{
    return c->stats.late;
}

void rul_correlator_stats(const struct rul_correlator *c,
                          struct rul_correlator_stats *out)
{
    *out = c->stats;
    out->groups = 0;
    for (uint32_t i = 0; i < c->n_states; i++) {
        out->groups += c->states[i].groups.n;
    }
    out->bytes = c->bytes;
}
