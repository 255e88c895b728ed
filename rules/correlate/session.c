/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/correlate/session.h"

struct waiting { /* in the ring */
    struct rul_mark mark;
    uint64_t value; /* sample's key or number */
};

struct session {
    struct rul_mark first, last; /* time_ns RUL_NEVER: none is open */
    struct rul_ring waiting;     /* events that others may still precede */
    uint64_t counted[];          /* what is counted of its events */
};

static const struct rul_window_ops *ops_of(const struct rul_corr *corr)
{
    return corr->type == RUL_EVENT_COUNT   ? &rul_window_counter
           : corr->type == RUL_VALUE_COUNT ? &rul_window_distinct
                                           : &rul_window_totals;
}

/* The window that counts the session's events. */
static struct rul_window inside(const struct rul_window *w)
{
    struct session *s = w->state;
    struct rul_window in = *w;
    in.state = s->counted;
    return in;
}

static size_t session_size(const struct rul_corr *corr)
{
    return sizeof(struct session) + ops_of(corr)->size(corr);
}

static void close_session(const struct rul_window *w)
{
    struct session *s = w->state;
    const struct rul_window in = inside(w);
    if (ops_of(w->corr)->fini != NULL) {
        ops_of(w->corr)->fini(&in);
    }
    memset(s->counted, 0, ops_of(w->corr)->size(w->corr));
    s->first.time_ns = s->last.time_ns = RUL_NEVER;
}

static void session_init(const struct rul_window *w)
{
    struct session *s = w->state;
    s->first.time_ns = s->last.time_ns = RUL_NEVER;
}

static void session_fini(const struct rul_window *w)
{
    struct session *s = w->state;
    close_session(w);
    rul_ring_fini(&s->waiting, w->pool);
}

static size_t session_bytes(const struct rul_window *w)
{
    const struct session *s = w->state;
    const struct rul_window in = inside(w);
    size_t bytes = rul_ring_bytes(&s->waiting, sizeof(struct waiting));
    return ops_of(w->corr)->bytes == NULL ? bytes : bytes + ops_of(w->corr)->bytes(&in);
}

static bool session_holds(const struct rul_window *w, int64_t edge_ns,
                          struct rul_tally *tally)
{
    const struct session *s = w->state;
    const struct rul_window in = inside(w);
    bool holds = ops_of(w->corr)->holds(&in, edge_ns, tally);
    tally->first = s->first;
    tally->last = s->last;
    return holds;
}

static bool is_open(const struct session *s)
{
    return s->first.time_ns != RUL_NEVER;
}

static int64_t end_of(const struct rul_window *w)
{
    const struct session *s = w->state;
    int64_t quiet_ns = s->last.time_ns + w->corr->gap_ns;
    int64_t full_ns = s->first.time_ns + w->corr->timespan_ns;
    return quiet_ns < full_ns ? quiet_ns : full_ns;
}

/* Its bounds take in the event. */
static void widen(struct session *s, const struct rul_mark *mark)
{
    if (!is_open(s) || mark->time_ns < s->first.time_ns) {
        s->first = *mark;
    }
    if (mark->time_ns >= s->last.time_ns) {
        s->last = *mark;
    }
}

/* ---- tested with every event ---- */

bool rul_session_begins(const struct rul_window *w, int64_t time_ns)
{
    return !is_open(w->state) || time_ns >= end_of(w);
}

/* May the session have begun with this event? */
static bool can_precede(const struct rul_window *w, int64_t time_ns)
{
    const struct session *s = w->state;
    return s->first.time_ns - time_ns < w->corr->gap_ns &&
           s->last.time_ns - time_ns < w->corr->timespan_ns;
}

int rul_session_join(const struct rul_window *w, const struct rul_sample *sample)
{
    struct session *s = w->state;
    const struct rul_window in = inside(w);
    int64_t time_ns = sample->mark.time_ns;
    if (is_open(s) && time_ns < s->first.time_ns && !can_precede(w, time_ns)) {
        ++*w->capped;
        return 0;
    }
    int err = ops_of(w->corr)->add(&in, sample);
    if (err == 0) {
        widen(s, &sample->mark);
    }
    return err;
}

/* ---- tested when they are over ---- */

static const struct waiting *oldest(const struct rul_window *w)
{
    const struct session *s = w->state;
    return rul_ring_at(&s->waiting, w->pool, sizeof(struct waiting), 0);
}

static int64_t next_ns(const struct rul_window *w)
{
    const struct session *s = w->state;
    return s->waiting.n == 0 ? INT64_MAX : oldest(w)->mark.time_ns;
}

bool rul_session_is_full(const struct rul_window *w)
{
    const struct session *s = w->state;
    return s->waiting.n == RUL_PENDING_MAX;
}

int64_t rul_session_oldest(const struct rul_window *w)
{
    return oldest(w)->mark.time_ns;
}

int rul_session_wait(const struct rul_window *w, const struct rul_sample *sample)
{
    struct session *s = w->state;
    bool is_value = w->corr->type == RUL_VALUE_COUNT;
    const struct waiting entry = {sample->mark,
                                  is_value ? sample->key : (uint64_t)sample->number};
    if (is_open(s) && sample->mark.time_ns < s->last.time_ns) {
        ++*w->capped; /* those after it had to take their places */
        return 0;
    }
    return rul_session_is_full(w) ? HD_ENOMEM
                                  : rul_ring_add(&s->waiting, w->pool, sizeof(entry),
                                                 &entry, RUL_PENDING_MAX);
}

/* The oldest event that waits takes its place in the open session. */
static int settle(const struct rul_window *w)
{
    struct session *s = w->state;
    const struct rul_window in = inside(w);
    const struct waiting *entry = oldest(w);
    const struct rul_sample sample = {
        .mark = entry->mark, .key = entry->value, .number = (int64_t)entry->value};
    int err = ops_of(w->corr)->add(&in, &sample);
    if (err == 0) {
        widen(s, &sample.mark);
        rul_ring_drop_oldest(&s->waiting);
    }
    return err;
}

int rul_session_next(const struct rul_window *w, int64_t watermark_ns,
                     struct rul_ended *ended)
{
    const struct session *s = w->state;
    for (;;) {
        if (is_open(s) && end_of(w) <= watermark_ns && end_of(w) <= next_ns(w)) {
            *ended = (struct rul_ended){.end_ns = end_of(w)};
            ended->holds = session_holds(w, RUL_NEVER, &ended->tally);
            close_session(w);
            return 0;
        }
        if (next_ns(w) >= watermark_ns) {
            return HD_ENOENT;
        }
        int err = settle(w);
        if (err != 0) {
            return err;
        }
    }
}

int64_t rul_session_due(const struct rul_window *w)
{
    const struct session *s = w->state;
    if (is_open(s)) {
        return end_of(w);
    }
    return s->waiting.n == 0 ? INT64_MAX : next_ns(w) + w->corr->gap_ns;
}

/* ---- saved state ---- */

static void session_save(const struct rul_window *w, struct hd_buf *out)
{
    const struct session *s = w->state;
    const struct rul_window in = inside(w);
    rul_mark_save(out, &s->first);
    rul_mark_save(out, &s->last);
    rul_ring_save(&s->waiting, out);
    for (uint32_t i = 0; i < s->waiting.n; i++) {
        const struct waiting *entry =
            rul_ring_at(&s->waiting, w->pool, sizeof(*entry), i);
        rul_mark_save(out, &entry->mark);
        hd_buf_le64(out, entry->value);
    }
    ops_of(w->corr)->save(&in, out);
}

static int load_waiting(const struct rul_window *w, struct rul_loading *in)
{
    struct session *s = w->state;
    const struct waiting entry = {.mark = rul_mark_load(in),
                                  .value = hd_bytes_le64(&in->in)};
    if (hd_bytes_failed(&in->in) || entry.mark.time_ns == RUL_NEVER) {
        return HD_ECORRUPT;
    }
    return rul_ring_add(&s->waiting, w->pool, sizeof(entry), &entry, RUL_PENDING_MAX);
}

static int session_load(const struct rul_window *w, struct rul_loading *in)
{
    struct session *s = w->state;
    const struct rul_window counted = inside(w);
    s->first = rul_mark_load(in);
    s->last = rul_mark_load(in);
    uint32_t n;
    bool is_known = s->first.time_ns <= s->last.time_ns &&
                    is_open(s) == (s->last.time_ns != RUL_NEVER);
    int err =
        rul_ring_load(&s->waiting, w, sizeof(struct waiting), RUL_PENDING_MAX, in, &n);
    err = err == 0 && (n > RUL_PENDING_MAX || !is_known) ? HD_ECORRUPT : err;
    for (uint32_t i = 0; i < n && err == 0; i++) {
        err = load_waiting(w, in);
    }
    return err != 0 ? err : ops_of(w->corr)->load(&counted, in);
}

const struct rul_window_ops rul_window_session = {
    .size = session_size,
    .init = session_init,
    .fini = session_fini,
    .bytes = session_bytes,
    .add = rul_session_join,
    .holds = session_holds,
    .save = session_save,
    .load = session_load,
};
