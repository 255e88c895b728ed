/* SPDX-License-Identifier: Apache-2.0
 *
 * temporal and temporal_ordered. Which rules were seen is remembered as one last sighting
 * each. Where the order matters, events wait in `pending` until no earlier one can come,
 * so that a late event takes its place among them.
 */
#include "rules/correlate/temporal.h"

#include "rules/correlate/terms.h"

#define STEP sizeof(struct rul_step)
#define MARK sizeof(struct rul_mark)

struct order {
    int64_t settled_ns; /* everything earlier is in the marks; RUL_NEVER = nothing */
    struct rul_ring pending;
    struct rul_ring starts;  /* of windows to be tested */
    struct rul_mark marks[]; /* what is settled; `tip` behind it, see tip_of */
};

static void init_marks(struct rul_mark *marks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        marks[i] = (struct rul_mark){.time_ns = RUL_NEVER};
    }
}

static size_t n_marks(const struct rul_corr *corr)
{
    return (size_t)corr->n_refs + RUL_STARTS_OF(corr);
}

static void save_marks(struct hd_buf *out, const struct rul_mark *marks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rul_mark_save(out, &marks[i]);
    }
}

static void load_marks(struct rul_loading *in, struct rul_mark *marks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        marks[i] = rul_mark_load(in);
    }
}

/* ---- temporal: the last sightings ---- */

static size_t seen_size(const struct rul_corr *corr)
{
    return n_marks(corr) * MARK;
}

static void seen_init(const struct rul_window *w)
{
    init_marks(w->state, n_marks(w->corr));
}

static int seen_add(const struct rul_window *w, const struct rul_sample *sample)
{
    const struct rul_step step = {sample->mark, sample->ref};
    rul_terms_step(w->corr, w->state, NULL, &step, 1);
    return 0;
}

static bool seen_holds(const struct rul_window *w, int64_t edge_ns,
                       struct rul_tally *tally)
{
    return rul_terms_hold(w->corr, w->state, NULL, edge_ns, tally);
}

static void seen_save(const struct rul_window *w, struct hd_buf *out)
{
    save_marks(out, w->state, n_marks(w->corr));
}

static int seen_load(const struct rul_window *w, struct rul_loading *in)
{
    load_marks(in, w->state, n_marks(w->corr));
    return 0;
}

const struct rul_window_ops rul_window_seen = {
    .size = seen_size,
    .init = seen_init,
    .add = seen_add,
    .holds = seen_holds,
    .save = seen_save,
    .load = seen_load,
};

/* ---- events that wait for their order ---- */

static size_t order_size(const struct rul_corr *corr)
{
    size_t parts = corr->timing == RUL_STARTED ? 1 : 2;
    return sizeof(struct order) + parts * n_marks(corr) * MARK;
}

static void order_init(const struct rul_window *w)
{
    struct order *o = w->state;
    o->settled_ns = RUL_NEVER;
    init_marks(o->marks, n_marks(w->corr));
}

static void order_fini(const struct rul_window *w)
{
    struct order *o = w->state;
    rul_ring_fini(&o->pending, w->pool);
    rul_ring_fini(&o->starts, w->pool);
}

static size_t order_bytes(const struct rul_window *w)
{
    const struct order *o = w->state;
    return rul_ring_bytes(&o->pending, STEP) + rul_ring_bytes(&o->starts, MARK);
}

static const struct rul_step *pending_at(const struct rul_window *w, uint32_t i)
{
    const struct order *o = w->state;
    return rul_ring_at(&o->pending, w->pool, STEP, i);
}

/* The events of one time, from the i-th on. */
static uint32_t copy_run(const struct rul_window *w, uint32_t i,
                         struct rul_step run[RUL_PENDING_MAX])
{
    const struct order *o = w->state;
    uint32_t n = 0;
    int64_t time_ns = pending_at(w, i)->mark.time_ns;
    while (i + n < o->pending.n && pending_at(w, i + n)->mark.time_ns == time_ns) {
        run[n] = *pending_at(w, i + n);
        n++;
    }
    return n;
}

/* An event of a rule that is wanted starts a window. One of a time is enough. */
static int start_window(const struct rul_window *w, const struct rul_step *step)
{
    struct order *o = w->state;
    if (w->corr->timing != RUL_STARTED || (w->corr->wanted >> step->ref & 1U) == 0) {
        return 0;
    }
    if (o->starts.n > 0) {
        const struct rul_mark *newest =
            rul_ring_at(&o->starts, w->pool, MARK, o->starts.n - 1);
        if (newest->time_ns == step->mark.time_ns) {
            return 0;
        }
    }
    if (o->starts.n == RUL_STARTS_MAX) {
        ++*w->capped;
        return 0;
    }
    return rul_ring_add(&o->starts, w->pool, MARK, &step->mark, RUL_STARTS_MAX);
}

static int take_run(const struct rul_window *w, const struct rul_step *run, uint32_t n)
{
    struct order *o = w->state;
    int err = 0;
    rul_terms_step(w->corr, o->marks, o->marks + w->corr->n_refs, run, n);
    for (uint32_t i = 0; i < n && err == 0; i++) {
        err = start_window(w, &run[i]);
    }
    return err;
}

static int settle_run(const struct rul_window *w)
{
    struct order *o = w->state;
    struct rul_step run[RUL_PENDING_MAX];
    uint32_t n = copy_run(w, 0, run);
    o->settled_ns = run[0].mark.time_ns + 1;
    for (uint32_t i = 0; i < n; i++) {
        rul_ring_drop_oldest(&o->pending);
    }
    return take_run(w, run, n);
}

static int order_add(const struct rul_window *w, const struct rul_sample *sample)
{
    struct order *o = w->state;
    const struct rul_step step = {sample->mark, sample->ref};
    int err = 0;
    if (o->pending.n == RUL_PENDING_MAX) {
        err = settle_run(w);
    }
    if (err == 0 && sample->mark.time_ns < o->settled_ns) {
        ++*w->capped; /* its place was given up for lack of room: it counts as last */
        return take_run(w, &step, 1);
    }
    return err != 0 ? err
                    : rul_ring_add(&o->pending, w->pool, STEP, &step, RUL_PENDING_MAX);
}

static void order_save(const struct rul_window *w, struct hd_buf *out)
{
    const struct order *o = w->state;
    hd_buf_le64(out, (uint64_t)o->settled_ns);
    save_marks(out, o->marks, n_marks(w->corr));
    rul_ring_save(&o->starts, out);
    for (uint32_t i = 0; i < o->starts.n; i++) {
        rul_mark_save(out, rul_ring_at(&o->starts, w->pool, MARK, i));
    }
    rul_ring_save(&o->pending, out);
    for (uint32_t i = 0; i < o->pending.n; i++) {
        rul_mark_save(out, &pending_at(w, i)->mark);
        hd_buf_le32(out, (uint32_t)pending_at(w, i)->ref);
    }
}

static int load_ring(const struct rul_window *w, struct rul_loading *in, bool is_pending)
{
    struct order *o = w->state;
    struct rul_ring *ring = is_pending ? &o->pending : &o->starts;
    uint32_t limit = is_pending ? RUL_PENDING_MAX : RUL_STARTS_MAX, n;
    int err = rul_ring_load(ring, w, is_pending ? STEP : MARK, limit, in, &n);
    err = err == 0 && n > limit ? HD_ECORRUPT : err;
    for (uint32_t i = 0; i < n && err == 0; i++) {
        struct rul_step step = {.mark = rul_mark_load(in)};
        step.ref = is_pending ? hd_bytes_le32(&in->in) : 0;
        if (hd_bytes_failed(&in->in) || step.ref >= w->corr->n_refs) {
            return HD_ECORRUPT;
        }
        err = is_pending ? rul_ring_add(ring, w->pool, STEP, &step, limit)
                         : rul_ring_add(ring, w->pool, MARK, &step.mark, limit);
    }
    return err;
}

static int order_load(const struct rul_window *w, struct rul_loading *in)
{
    struct order *o = w->state;
    o->settled_ns = (int64_t)hd_bytes_le64(&in->in);
    load_marks(in, o->marks, n_marks(w->corr));
    int err = load_ring(w, in, false);
    return err != 0 ? err : load_ring(w, in, true);
}

/* ---- temporal_ordered ---- */

/* Marks with all that is pending but the newest run: most events are of the newest time
 * or later, and only late ones need a look at what is before. */
static struct rul_mark *tip_of(const struct rul_window *w)
{
    struct order *o = w->state;
    return o->marks + n_marks(w->corr);
}

static void step_run(const struct rul_window *w, struct rul_mark *marks, uint32_t from)
{
    struct rul_step run[RUL_PENDING_MAX];
    uint32_t n = copy_run(w, from, run);
    rul_terms_step(w->corr, marks, marks + w->corr->n_refs, run, n);
}

/* Where the newest run begins; there is one. */
static uint32_t newest_run(const struct rul_window *w)
{
    const struct order *o = w->state;
    uint32_t i = o->pending.n - 1;
    int64_t time_ns = pending_at(w, i)->mark.time_ns;
    while (i > 0 && pending_at(w, i - 1)->mark.time_ns == time_ns) {
        i--;
    }
    return i;
}

static void rebuild_tip(const struct rul_window *w)
{
    const struct order *o = w->state;
    memcpy(tip_of(w), o->marks, n_marks(w->corr) * MARK);
    uint32_t end = o->pending.n == 0 ? 0 : newest_run(w);
    for (uint32_t i = 0; i < end; i++) {
        if (i == 0 ||
            pending_at(w, i - 1)->mark.time_ns != pending_at(w, i)->mark.time_ns) {
            step_run(w, tip_of(w), i);
        }
    }
}

static void chain_expire(const struct rul_window *w, int64_t edge_ns)
{
    struct order *o = w->state;
    while (o->pending.n > 0 && pending_at(w, 0)->mark.time_ns <= edge_ns) {
        rul_ring_drop_oldest(&o->pending);
    }
}

static int chain_add(const struct rul_window *w, const struct rul_sample *sample)
{
    const struct order *o = w->state;
    int err = 0;
    while (err == 0 && o->pending.n > 0 &&
           pending_at(w, 0)->mark.time_ns < w->watermark_ns) {
        err = settle_run(w);
    }
    int64_t newest_ns =
        o->pending.n == 0 ? RUL_NEVER : pending_at(w, o->pending.n - 1)->mark.time_ns;
    if (o->pending.n > 0 && sample->mark.time_ns > newest_ns) {
        step_run(w, tip_of(w), newest_run(w));
    }
    err = err != 0 ? err : order_add(w, sample);
    if (o->pending.n <= 1 || sample->mark.time_ns < newest_ns) {
        rebuild_tip(w);
    }
    return err;
}

static bool chain_holds(const struct rul_window *w, int64_t edge_ns,
                        struct rul_tally *tally)
{
    const struct order *o = w->state;
    struct rul_mark marks[RUL_REFS_MAX + 2 * RUL_CHAINS_MAX];
    const struct rul_mark *from = o->pending.n == 0 ? o->marks : tip_of(w);
    memcpy(marks, from, n_marks(w->corr) * MARK);
    if (o->pending.n > 0) {
        step_run(w, marks, newest_run(w));
    }
    return rul_terms_hold(w->corr, marks, marks + w->corr->n_refs, edge_ns, tally);
}

static int chain_load(const struct rul_window *w, struct rul_loading *in)
{
    int err = order_load(w, in);
    rebuild_tip(w);
    return err;
}

const struct rul_window_ops rul_window_chain = {
    .size = order_size,
    .init = order_init,
    .fini = order_fini,
    .bytes = order_bytes,
    .expire = chain_expire,
    .add = chain_add,
    .holds = chain_holds,
    .save = order_save,
    .load = chain_load,
};

/* ---- tested at their end ---- */

static bool started_holds(const struct rul_window *w, int64_t edge_ns,
                          struct rul_tally *tally)
{
    const struct order *o = w->state;
    return rul_terms_hold(w->corr, o->marks, o->marks + w->corr->n_refs, edge_ns, tally);
}

const struct rul_window_ops rul_window_started = {
    .size = order_size,
    .init = order_init,
    .fini = order_fini,
    .bytes = order_bytes,
    .add = order_add,
    .holds = started_holds,
    .save = order_save,
    .load = order_load,
};

static int64_t first_end(const struct rul_window *w)
{
    const struct order *o = w->state;
    if (o->starts.n == 0) {
        return INT64_MAX;
    }
    const struct rul_mark *first = rul_ring_at(&o->starts, w->pool, MARK, 0);
    return first->time_ns + w->corr->timespan_ns;
}

int64_t rul_started_due(const struct rul_window *w)
{
    const struct order *o = w->state;
    int64_t end_ns = first_end(w);
    int64_t next_ns = o->pending.n == 0
                          ? INT64_MAX
                          : pending_at(w, 0)->mark.time_ns + w->corr->timespan_ns;
    return end_ns < next_ns ? end_ns : next_ns;
}

bool rul_started_next(const struct rul_window *w, int64_t watermark_ns,
                      struct rul_verdict *verdict)
{
    struct order *o = w->state;
    for (;;) {
        int64_t end_ns = first_end(w);
        int64_t next_ns = o->pending.n == 0 ? INT64_MAX : pending_at(w, 0)->mark.time_ns;
        if (end_ns > next_ns && next_ns < watermark_ns) {
            if (settle_run(w) != 0) {
                ++*w->capped;
            }
            continue;
        }
        if (o->starts.n == 0 || end_ns > next_ns || end_ns > watermark_ns) {
            return false;
        }
        verdict->start_ns = end_ns - w->corr->timespan_ns;
        verdict->holds = started_holds(w, verdict->start_ns - 1, &verdict->tally);
        rul_ring_drop_oldest(&o->starts);
        return true;
    }
}
