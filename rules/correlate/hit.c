/* SPDX-License-Identifier: Apache-2.0
 *
 * One hit in one correlation: its group, its window, and whether that fires. Windows
 * slide, or are tested at their end (docs/correlation.md).
 */
#include <stdlib.h>

#include <haidang/clock.h>
#include <haidang/hash.h>

#include "rules/correlate/core.h"
#include "rules/correlate/key.h"
#include "rules/correlate/session.h"
#include "rules/correlate/temporal.h"

#define SWEEP_NS HD_NS_PER_SEC /* how far apart windows of many groups are looked for */

static struct rul_window window_of(struct rul_hit *h, struct rul_group *g)
{
    struct rul_window w = rul_group_window(&h->state->groups, g);
    w.watermark_ns = rul_watermark(h->c);
    w.capped = &h->c->stats.capped;
    return w;
}

/* ---- detections that are events to others ---- */

void rul_emitted_free(struct rul_emitted *e)
{
    if (e != NULL) {
        free(e->ev);
        free(e->kept);
    }
    free(e);
}

/* The event: the group's values under the names of group-by. They live behind it. What
 * the group has no value of, the event lacks. */
static struct rul_event_copy *make_event(const struct rul_corr *corr,
                                         const struct rul_detection *d, int64_t end_ns)
{
    size_t len = sizeof(struct rul_event_copy) + d->n_group * sizeof(struct rul_value);
    size_t at = len;
    for (size_t i = 0; i < d->n_group; i++) {
        len += d->group[i].value.len;
    }
    struct rul_event_copy *ev = calloc(1, len);
    if (ev == NULL) {
        return NULL;
    }
    ev->time_ns = end_ns;
    for (size_t i = 0; i < d->n_group; i++) {
        struct hd_slice value = d->group[i].value;
        uint8_t *to = (uint8_t *)ev + at;
        if (value.ptr == NULL) {
            continue;
        }
        if (value.len > 0) {
            memcpy(to, value.ptr, value.len);
        }
        ev->values[ev->n++] =
            (struct rul_value){corr->group_fields[i], hd_slice(to, value.len)};
        at += value.len;
    }
    return ev;
}

static int emit(struct rul_hit *h, const struct rul_detection *d, int64_t end_ns,
                const struct rul_event_copy *shown, uint64_t place)
{
    struct rul_emitted *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return HD_ENOMEM;
    }
    e->rule = d->rule;
    e->place = place;
    e->shown = shown;
    e->ev = make_event(h->state->corr, d, end_ns);
    int err = e->ev == NULL ? HD_ENOMEM : 0;
    if (err == 0 && shown != h->shown) {
        err = rul_event_copy_dup(shown, &e->kept);
        e->shown = e->kept;
    }
    if (err != 0) {
        rul_emitted_free(e);
        return err;
    }
    *h->c->emitted_tail = e;
    h->c->emitted_tail = &e->next;
    return 0;
}

struct fired {
    struct rul_tally tally;
    uint64_t suppressed;
    int64_t end_ns; /* the time of the event that this is to others */
    const struct rul_event_copy *shown;
    uint64_t place; /* of it */
};

static void tell_others(struct rul_hit *h, const struct rul_detection *d,
                        const struct fired *f)
{
    int err = emit(h, d, f->end_ns, f->shown, f->place);
    while (rul_try_again(h->c, err)) {
        err = emit(h, d, f->end_ns, f->shown, f->place);
    }
    h->c->stats.lost += err != 0;
}

/* Both positions into c->text; returns where the second begins. */
static size_t write_places(struct rul_correlator *c, const struct fired *f)
{
    size_t cut;
    do {
        hd_buf_clear(&c->text);
        rul_positions_get(c->positions, f->tally.first.place, &c->text);
        cut = c->text.len;
        rul_positions_get(c->positions, f->place, &c->text);
    } while (rul_try_again(c, c->text.err));
    return cut;
}

static void fire(struct rul_hit *h, const struct rul_group *g, const struct fired *f)
{
    struct rul_correlator *c = h->c;
    const struct rul_corr *corr = h->state->corr;
    struct hd_slice rest = rul_group_key(&h->state->groups, g);
    bool has_last = f->tally.last.time_ns != RUL_NEVER;
    struct rul_detection d = {
        .rule = &c->set->rules[corr->rule],
        .first_ns = f->tally.first.time_ns,
        .last_ns = has_last ? f->tally.last.time_ns : g->newest_ns,
        .end_ns = f->end_ns,
        .count = f->tally.count,
        .suppressed = f->suppressed,
        .is_ambiguous = f->tally.is_ambiguous,
        .n_group = corr->n_group,
    };
    for (uint8_t i = 0; i < corr->n_group; i++) {
        d.group[i].field = corr->group_names[i];
        d.group[i].value = rul_key_next(&rest);
    }
    size_t cut = write_places(c, f);
    d.first_position = hd_slice_head(hd_buf_slice(&c->text), cut);
    d.last_position = hd_slice_from(hd_buf_slice(&c->text), cut);
    c->stats.fired++;
    h->fire(h->ctx, &d, f->shown);
    if (d.rule->feeds) {
        tell_others(h, &d, f);
    }
}

/* ---- windows that slide: fire while counting up ---- */

static int count_sliding(struct rul_hit *h, struct rul_group *g,
                         const struct rul_sample *sample)
{
    const struct rul_window_ops *ops = h->state->groups.ops;
    const struct rul_window w = window_of(h, g);
    struct fired f = {.tally.last.time_ns = RUL_NEVER};
    g->newest_ns = h->mark.time_ns > g->newest_ns ? h->mark.time_ns : g->newest_ns;
    int64_t edge_ns = g->newest_ns - w.corr->timespan_ns;
    if (ops->expire != NULL) {
        ops->expire(&w, edge_ns);
    }
    bool was_false = !ops->holds(&w, edge_ns, &f.tally);
    g->is_armed |= was_false || g->fired_ns <= edge_ns;
    g->swallowed = was_false ? 0 : g->swallowed;
    int err = h->mark.time_ns > edge_ns ? ops->add(&w, sample) : 0;
    if (err != 0 || !ops->holds(&w, edge_ns, &f.tally)) {
        return err;
    }
    if (!g->is_armed) {
        g->swallowed += g->swallowed < UINT32_MAX;
        return 0;
    }
    f.suppressed = g->swallowed;
    f.tally.last.time_ns = RUL_NEVER;
    f.end_ns = g->newest_ns;
    f.shown = h->shown;
    f.place = h->mark.place;
    g->is_armed = w.corr->resets;
    g->fired_ns = g->newest_ns;
    g->swallowed = 0;
    fire(h, g, &f);
    if (w.corr->resets) {
        rul_groups_empty(&h->state->groups, g);
    }
    return 0;
}

/* Fires at most once a session. */
static int count_session(struct rul_hit *h, struct rul_group *g,
                         const struct rul_sample *sample)
{
    const struct rul_window w = window_of(h, g);
    struct fired f = {.shown = h->shown, .place = h->mark.place};
    if (rul_session_begins(&w, h->mark.time_ns)) {
        rul_groups_empty(&h->state->groups, g);
        g->is_armed = true;
    }
    int err = rul_session_join(&w, sample);
    g->newest_ns = h->mark.time_ns > g->newest_ns ? h->mark.time_ns : g->newest_ns;
    if (err != 0 || !g->is_armed || !rul_window_session.holds(&w, RUL_NEVER, &f.tally)) {
        return err;
    }
    f.end_ns = g->newest_ns;
    g->is_armed = w.corr->resets;
    g->fired_ns = g->newest_ns;
    fire(h, g, &f);
    if (w.corr->resets) {
        rul_groups_empty(&h->state->groups, g);
    }
    return 0;
}

/* ---- windows that are tested at their end ---- */

/* The newest event stays, to be shown. */
static int keep_event(struct rul_hit *h, struct rul_group *g, struct rul_closing *closing)
{
    if (h->mark.time_ns < g->newest_ns) {
        return 0;
    }
    struct rul_event_copy *copy = NULL;
    int err = rul_event_copy_dup(h->shown, &copy);
    if (err == 0) {
        free(closing->event);
        closing->event = copy;
        closing->place = h->mark.place;
        g->newest_ns = h->mark.time_ns;
    }
    return err;
}

/* Windows that all end at different times are not looked for at every single event,
 * unless others wait for them. */
static int64_t look_at(const struct rul_hit *h, int64_t end_ns)
{
    const struct rul_corr_state *state = h->state;
    bool may_wait =
        state->corr->timing != RUL_ALIGNED && !h->c->set->rules[state->corr->rule].feeds;
    int64_t soonest_ns = state->swept_ns + SWEEP_NS;
    return may_wait && end_ns < soonest_ns ? soonest_ns : end_ns;
}

static void expect_close(struct rul_hit *h, int64_t due_ns)
{
    struct rul_corr_state *state = h->state;
    int64_t end_ns = look_at(h, due_ns);
    state->next_close_ns = end_ns < state->next_close_ns ? end_ns : state->next_close_ns;
    h->c->next_close_ns = end_ns < h->c->next_close_ns ? end_ns : h->c->next_close_ns;
}

static int count_aligned(struct rul_hit *h, struct rul_group *g,
                         const struct rul_sample *sample)
{
    const struct rul_window w = window_of(h, g);
    struct rul_closing *closing = rul_group_closing(&h->state->groups, g);
    int64_t span_ns = w.corr->timespan_ns;
    if (g->newest_ns == RUL_NEVER || h->mark.time_ns < closing->first.time_ns) {
        closing->first = h->mark;
    }
    int err = keep_event(h, g, closing); /* before it counts: it may be tried again */
    err = err != 0 ? err : h->state->groups.ops->add(&w, sample);
    closing->end_ns = (h->mark.time_ns / span_ns + 1) * span_ns;
    expect_close(h, closing->end_ns);
    return err;
}

/* False: the window is still open. */
static bool close_aligned(struct rul_hit *h, struct rul_group *g, int64_t watermark_ns)
{
    const struct rul_window w = window_of(h, g);
    const struct rul_closing *closing = rul_group_closing(&h->state->groups, g);
    struct fired f = {
        .end_ns = closing->end_ns, .shown = closing->event, .place = closing->place};
    if (closing->end_ns > watermark_ns) {
        expect_close(h, closing->end_ns);
        return false;
    }
    if (h->state->groups.ops->holds(&w, RUL_NEVER, &f.tally) && f.shown != NULL) {
        f.tally.first = closing->first;
        f.tally.last.time_ns = RUL_NEVER;
        fire(h, g, &f);
    }
    return true;
}

/* Has the condition been false since the last window that held? It has when no window
 * was open for a while. */
static void take_verdict(struct rul_hit *h, struct rul_group *g,
                         struct rul_closing *closing, const struct rul_verdict *v)
{
    int64_t span_ns = h->state->corr->timespan_ns;
    bool is_fresh =
        closing->end_ns == RUL_NEVER || closing->end_ns + span_ns <= v->start_ns;
    closing->end_ns = v->start_ns;
    g->is_armed |= is_fresh || !v->holds || g->fired_ns + span_ns <= v->start_ns;
    g->swallowed = is_fresh || !v->holds ? 0 : g->swallowed;
    if (!v->holds || closing->event == NULL) {
        return;
    }
    if (!g->is_armed) {
        g->swallowed += g->swallowed < UINT32_MAX;
        return;
    }
    const struct fired f = {.tally = v->tally,
                            .suppressed = g->swallowed,
                            .end_ns = v->start_ns + span_ns,
                            .shown = closing->event,
                            .place = closing->place};
    g->is_armed = false;
    g->fired_ns = v->start_ns;
    g->swallowed = 0;
    fire(h, g, &f);
}

/* False: windows are still open. */
static bool close_started(struct rul_hit *h, struct rul_group *g, int64_t watermark_ns)
{
    const struct rul_window w = window_of(h, g);
    struct rul_closing *closing = rul_group_closing(&h->state->groups, g);
    struct rul_verdict verdict;
    while (rul_started_next(&w, watermark_ns, &verdict)) {
        take_verdict(h, g, closing, &verdict);
    }
    int64_t due_ns = rul_started_due(&w);
    expect_close(h, due_ns);
    return due_ns == INT64_MAX;
}

static int count_started(struct rul_hit *h, struct rul_group *g,
                         const struct rul_sample *sample)
{
    const struct rul_window w = window_of(h, g);
    struct rul_closing *closing = rul_group_closing(&h->state->groups, g);
    if (g->newest_ns == RUL_NEVER) {
        closing->end_ns = RUL_NEVER;
    }
    if (!h->is_emitted) {
        (void)close_started(h, g, w.watermark_ns);
    }
    int err = keep_event(h, g, closing);
    err = err != 0 ? err : h->state->groups.ops->add(&w, sample);
    expect_close(h, rul_started_due(&w));
    return err;
}

static int next_session(struct rul_hit *h, const struct rul_window *w,
                        int64_t watermark_ns, struct rul_ended *ended)
{
    int err = rul_session_next(w, watermark_ns, ended);
    while (rul_try_again(h->c, err)) {
        err = rul_session_next(w, watermark_ns, ended);
    }
    return err;
}

/* False: a session is still open. */
static bool close_sessions(struct rul_hit *h, struct rul_group *g, int64_t watermark_ns)
{
    const struct rul_window w = window_of(h, g);
    const struct rul_closing *closing = rul_group_closing(&h->state->groups, g);
    struct rul_ended ended;
    while (next_session(h, &w, watermark_ns, &ended) == 0) {
        const struct fired f = {.tally = ended.tally,
                                .end_ns = ended.end_ns,
                                .shown = closing->event,
                                .place = closing->place};
        if (ended.holds && f.shown != NULL) {
            fire(h, g, &f);
        }
    }
    int64_t due_ns = rul_session_due(&w);
    expect_close(h, due_ns);
    return due_ns == INT64_MAX;
}

static int count_sessions(struct rul_hit *h, struct rul_group *g,
                          const struct rul_sample *sample)
{
    const struct rul_window w = window_of(h, g);
    if (!h->is_emitted) {
        (void)close_sessions(h, g, w.watermark_ns);
    }
    if (rul_session_is_full(&w)) {
        (void)close_sessions(h, g, rul_session_oldest(&w) + 1);
    }
    int err = keep_event(h, g, rul_group_closing(&h->state->groups, g));
    err = err != 0 ? err : rul_session_wait(&w, sample);
    expect_close(h, rul_session_due(&w));
    return err;
}

static bool close_windows(struct rul_hit *h, struct rul_group *g, int64_t watermark_ns)
{
    switch (h->state->corr->timing) {
    case RUL_STARTED:
        return close_started(h, g, watermark_ns);
    case RUL_SESSION_END:
        return close_sessions(h, g, watermark_ns);
    default:
        return close_aligned(h, g, watermark_ns);
    }
}

void rul_hit_close(struct rul_hit *h)
{
    struct rul_corr_state *state = h->state;
    struct rul_groups *groups = &state->groups;
    int64_t watermark_ns = rul_watermark(h->c);
    if (state->next_close_ns > watermark_ns) {
        return;
    }
    state->next_close_ns = INT64_MAX;
    state->swept_ns = watermark_ns;
    uint32_t at = groups->stalest;
    while (at != RUL_POOL_NONE) {
        struct rul_group *g = rul_group_at(groups, at);
        uint32_t next = g->newer;
        rul_groups_open(groups, at);
        bool is_over = close_windows(h, g, watermark_ns);
        rul_groups_close(groups, at);
        if (is_over) {
            rul_groups_remove(groups, at);
        }
        at = next;
    }
}

/* ---- a hit ---- */

/* Key of the fields into c->key; false when the event lacks one and must not (counted) or
 * memory is short (c->key.err). */
static bool make_key(struct rul_hit *h, const uint16_t *fields, uint8_t n, bool has_null)
{
    struct rul_correlator *c = h->c;
    hd_buf_clear(&c->key);
    bool has_all = rul_key_add(&c->key, h->ev, fields, n, has_null);
    c->stats.no_group += !has_all;
    return has_all && c->key.err == 0;
}

/* What is counted of the event; false when it has none of that. */
static bool make_sample(struct rul_hit *h, struct rul_sample *sample)
{
    const struct rul_corr *corr = h->state->corr;
    const struct rul_corr_ref *ref = &corr->refs[h->ref];
    *sample = (struct rul_sample){.mark = h->mark, .ref = h->ref};
    if (corr->type == RUL_VALUE_COUNT) {
        bool has_all = make_key(h, ref->values, corr->n_values, false);
        sample->key = hd_hash_stable(hd_buf_slice(&h->c->key), h->c->seed);
        return has_all;
    }
    if (corr->n_values > 0) {
        bool has_number =
            rul_limit_of(rul_event_copy_get(h->ev, ref->values[0]), &sample->number);
        h->c->stats.no_number += !has_number;
        return has_number;
    }
    return true;
}

/* The same event through another rule of the same correlation? */
static bool is_repeat(struct rul_corr_state *state, uint64_t place, uint32_t at)
{
    if (state->event != place) {
        state->event = place;
        state->n_touched = 0;
    }
    for (uint32_t i = 0; i < state->n_touched; i++) {
        if (state->touched[i] == at) {
            return true;
        }
    }
    return false;
}

static void note_touched(struct rul_corr_state *state, uint32_t at)
{
    if (state->n_touched < RUL_REFS_MAX) {
        state->touched[state->n_touched++] = at;
    }
}

static int count_in(struct rul_hit *h, uint32_t at, const struct rul_sample *sample)
{
    struct rul_groups *groups = &h->state->groups;
    struct rul_group *g = rul_group_at(groups, at);
    rul_groups_prepare(groups, g);
    rul_groups_open(groups, at);
    int err = 0;
    switch (h->state->corr->timing) {
    case RUL_SLIDING:
        err = count_sliding(h, g, sample);
        break;
    case RUL_ALIGNED:
        err = count_aligned(h, g, sample);
        break;
    case RUL_STARTED:
        err = count_started(h, g, sample);
        break;
    case RUL_SESSION_NOW:
        err = count_session(h, g, sample);
        break;
    case RUL_SESSION_END:
        err = count_sessions(h, g, sample);
        break;
    }
    rul_groups_close(groups, at);
    rul_groups_touch(groups, at);
    return err;
}

/* Several rules count an event once; where it matters which rules, each of them. */
static bool counts_events(const struct rul_corr *corr)
{
    return corr->n_refs > 1 && corr->type != RUL_TEMPORAL &&
           corr->type != RUL_TEMPORAL_ORDERED;
}

int rul_hit_count(struct rul_hit *h)
{
    struct rul_correlator *c = h->c;
    const struct rul_corr *corr = h->state->corr;
    struct rul_groups *groups = &h->state->groups;
    struct rul_sample sample;
    hd_buf_clear(&c->key);
    if (!make_sample(h, &sample) ||
        !make_key(h, corr->refs[h->ref].group, corr->n_group, corr->has_null_group)) {
        return c->key.err;
    }
    if (corr->timing == RUL_ALIGNED) { /* each window is a group of its own */
        hd_buf_le64(&c->key, (uint64_t)(h->mark.time_ns / corr->timespan_ns));
    }
    uint32_t at = rul_groups_find(groups, hd_buf_slice(&c->key));
    bool is_new = at == RUL_POOL_NONE;
    int err = c->key.err;
    if (is_new && err == 0) {
        err = rul_groups_add(groups, hd_buf_slice(&c->key), &at);
    }
    if (err != 0) {
        return err;
    }
    bool is_once = counts_events(corr) && !h->is_emitted && h->mark.place != RUL_NO_PLACE;
    if (is_once && is_repeat(h->state, h->mark.place, at) && !is_new) {
        return 0;
    }
    err = count_in(h, at, &sample);
    if (is_once && err == 0) { /* else it is tried again */
        note_touched(h->state, at);
    }
    return err;
}
