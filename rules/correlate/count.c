/* SPDX-License-Identifier: Apache-2.0
 *
 * event_count. Sliding: the newest N events, exact for "at least N in (t-T, t]", since an
 * event older than N others is never missed by such a count. Closing: a number.
 */
#include "rules/correlate/window.h"

#define MARK sizeof(struct rul_mark)

static size_t newest_size(const struct rul_corr *corr)
{
    (void)corr;
    return sizeof(struct rul_ring);
}

static void newest_fini(const struct rul_window *w)
{
    rul_ring_fini(w->state, w->pool);
}

static size_t newest_bytes(const struct rul_window *w)
{
    return rul_ring_bytes(w->state, MARK);
}

static int64_t oldest_ns(const struct rul_window *w)
{
    const struct rul_mark *mark = rul_ring_at(w->state, w->pool, MARK, 0);
    return mark->time_ns;
}

static void newest_expire(const struct rul_window *w, int64_t edge_ns)
{
    struct rul_ring *ring = w->state;
    while (ring->n > 0 && oldest_ns(w) <= edge_ns) {
        rul_ring_drop_oldest(ring);
    }
}

static int newest_add(const struct rul_window *w, const struct rul_sample *sample)
{
    struct rul_ring *ring = w->state;
    uint32_t needed = (uint32_t)w->corr->bounds.min;
    if (ring->n == needed) {
        if (sample->mark.time_ns < oldest_ns(w)) {
            return 0;
        }
        rul_ring_drop_oldest(ring);
    }
    return rul_ring_add(ring, w->pool, MARK, &sample->mark, needed);
}

static bool newest_holds(const struct rul_window *w, int64_t edge_ns,
                         struct rul_tally *tally)
{
    const struct rul_ring *ring = w->state;
    (void)edge_ns;
    if (ring->n < w->corr->bounds.min) {
        return false;
    }
    const struct rul_mark *first = rul_ring_at(ring, w->pool, MARK, 0);
    tally->count = ring->n;
    tally->first = *first;
    return true;
}

static void newest_save(const struct rul_window *w, struct hd_buf *out)
{
    const struct rul_ring *ring = w->state;
    rul_ring_save(ring, out);
    for (uint32_t i = 0; i < ring->n; i++) {
        rul_mark_save(out, rul_ring_at(ring, w->pool, MARK, i));
    }
}

static int newest_load(const struct rul_window *w, struct rul_loading *in)
{
    uint32_t n;
    int err = rul_ring_load(w->state, w, MARK, (uint32_t)w->corr->bounds.min, in, &n);
    for (uint32_t i = 0; err == 0 && i < n; i++) {
        const struct rul_sample sample = {.mark = rul_mark_load(in)};
        err = hd_bytes_failed(&in->in) ? HD_ECORRUPT : newest_add(w, &sample);
    }
    return err;
}

const struct rul_window_ops rul_window_newest = {
    .size = newest_size,
    .fini = newest_fini,
    .bytes = newest_bytes,
    .expire = newest_expire,
    .add = newest_add,
    .holds = newest_holds,
    .save = newest_save,
    .load = newest_load,
};

/* ---- closing ---- */

static size_t counter_size(const struct rul_corr *corr)
{
    (void)corr;
    return sizeof(uint64_t);
}

static int counter_add(const struct rul_window *w, const struct rul_sample *sample)
{
    uint64_t *n = w->state;
    (void)sample;
    ++*n;
    return 0;
}

static bool counter_holds(const struct rul_window *w, int64_t edge_ns,
                          struct rul_tally *tally)
{
    const uint64_t *n = w->state;
    (void)edge_ns;
    tally->count = *n;
    return rul_bounds_hold(&w->corr->bounds, *n);
}

static void counter_save(const struct rul_window *w, struct hd_buf *out)
{
    const uint64_t *n = w->state;
    hd_buf_le64(out, *n);
}

static int counter_load(const struct rul_window *w, struct rul_loading *in)
{
    uint64_t *n = w->state;
    *n = hd_bytes_le64(&in->in);
    return 0;
}

const struct rul_window_ops rul_window_counter = {
    .size = counter_size,
    .add = counter_add,
    .holds = counter_holds,
    .save = counter_save,
    .load = counter_load,
};
