/* SPDX-License-Identifier: Apache-2.0
 *
 * value_count: the N distinct values seen last, each with its last sighting. Exact for
 * "at least N in (t-T, t]": a value older than N others is never missed by such a count.
 * Each sighting costs the same, however many values there are.
 */
#include "rules/correlate/window.h"

#define NIL     UINT32_MAX
#define CAP_MIN 2U

/* One distinct value and the event that showed it last. */
struct seen {
    struct rul_mark mark;
    uint64_t key;
    uint32_t older, newer; /* in order of time; `newer` chains free entries */
    uint32_t chain;        /* same bucket */
    uint32_t bucket;       /* head of the chain with this number */
};

struct distinct {
    uint32_t block;  /* of `cap` entries */
    uint32_t n, cap; /* cap is a power of two, 0 = none */
    uint32_t oldest, newest, free;
};

static struct seen *entries(const struct rul_window *w, const struct distinct *d)
{
    return rul_pool_at(w->pool, d->block);
}

static size_t distinct_size(const struct rul_corr *corr)
{
    (void)corr;
    return sizeof(struct distinct);
}

static void distinct_fini(const struct rul_window *w)
{
    struct distinct *d = w->state;
    rul_pool_give(w->pool, d->block);
    *d = (struct distinct){0};
}

static size_t distinct_bytes(const struct rul_window *w)
{
    const struct distinct *d = w->state;
    return d->cap == 0 ? 0 : rul_pool_cost(d->cap * sizeof(struct seen));
}

/* ---- entries ---- */

static void unlink_time(struct distinct *d, struct seen *all, uint32_t i)
{
    struct seen *s = &all[i];
    *(s->older == NIL ? &d->oldest : &all[s->older].newer) = s->newer;
    *(s->newer == NIL ? &d->newest : &all[s->newer].older) = s->older;
}

/* Behind everything that is not newer. */
static void link_time(struct distinct *d, struct seen *all, uint32_t i)
{
    struct seen *s = &all[i];
    uint32_t at = d->newest;
    while (at != NIL && all[at].mark.time_ns > s->mark.time_ns) {
        at = all[at].older;
    }
    s->older = at;
    s->newer = at == NIL ? d->oldest : all[at].newer;
    *(s->older == NIL ? &d->oldest : &all[s->older].newer) = i;
    *(s->newer == NIL ? &d->newest : &all[s->newer].older) = i;
}

static uint32_t *bucket_of(const struct distinct *d, struct seen *all, uint64_t key)
{
    return &all[key & (d->cap - 1)].bucket;
}

static void remove_oldest(struct distinct *d, struct seen *all)
{
    uint32_t i = d->oldest;
    unlink_time(d, all, i);
    uint32_t *link = bucket_of(d, all, all[i].key);
    while (*link != i) {
        link = &all[*link].chain;
    }
    *link = all[i].chain;
    all[i].newer = d->free;
    d->free = i;
    d->n--;
}

static void distinct_expire(const struct rul_window *w, int64_t edge_ns)
{
    struct distinct *d = w->state;
    struct seen *all = entries(w, d);
    while (d->n > 0 && all[d->oldest].mark.time_ns <= edge_ns) {
        remove_oldest(d, all);
    }
}

/* From full, or none, to more room; the entries keep their numbers. */
static int widen(const struct rul_window *w, struct distinct *d, uint32_t cap)
{
    uint32_t block = rul_pool_take(w->pool, cap * sizeof(struct seen));
    if (block == RUL_POOL_NONE) {
        return HD_ENOMEM;
    }
    struct seen *all = rul_pool_at(w->pool, block);
    if (d->cap == 0) {
        d->oldest = d->newest = NIL;
    } else {
        memcpy(all, entries(w, d), d->cap * sizeof(struct seen));
    }
    rul_pool_give(w->pool, d->block);
    d->free = NIL;
    for (uint32_t i = cap; i-- > 0;) {
        all[i].bucket = NIL;
        if (i >= d->cap) {
            all[i].newer = d->free;
            d->free = i;
        }
    }
    d->block = block;
    d->cap = cap;
    for (uint32_t i = d->oldest; i != NIL; i = all[i].newer) {
        uint32_t *bucket = bucket_of(d, all, all[i].key);
        all[i].chain = *bucket;
        *bucket = i;
    }
    return 0;
}

static uint32_t find(const struct distinct *d, struct seen *all, uint64_t key)
{
    uint32_t i = d->cap == 0 ? NIL : *bucket_of(d, all, key);
    while (i != NIL && all[i].key != key) {
        i = all[i].chain;
    }
    return i;
}

/* One value more than the largest number that the condition can tell apart. */
uint32_t rul_distinct_needed(const struct rul_corr *corr)
{
    const struct rul_bounds *b = &corr->bounds;
    if (corr->timing == RUL_SLIDING) {
        return (uint32_t)b->min;
    }
    uint64_t most = b->min;
    most = b->max != UINT64_MAX && b->max > most ? b->max : most;
    most = b->not_equal != UINT64_MAX && b->not_equal > most ? b->not_equal : most;
    return (uint32_t)most + 1;
}

static int add_new(const struct rul_window *w, struct distinct *d,
                   const struct rul_sample *sample)
{
    int err = d->n == d->cap ? widen(w, d, d->cap == 0 ? CAP_MIN : d->cap * 2) : 0;
    if (err != 0) {
        return err;
    }
    struct seen *all = entries(w, d);
    uint32_t i = d->free;
    uint32_t *bucket = bucket_of(d, all, sample->key);
    d->free = all[i].newer;
    all[i].mark = sample->mark;
    all[i].key = sample->key;
    all[i].chain = *bucket;
    *bucket = i;
    link_time(d, all, i);
    d->n++;
    return 0;
}

static int distinct_add(const struct rul_window *w, const struct rul_sample *sample)
{
    struct distinct *d = w->state;
    struct seen *all = entries(w, d);
    uint32_t i = find(d, all, sample->key);
    if (i != NIL) {
        if (sample->mark.time_ns >= all[i].mark.time_ns) {
            unlink_time(d, all, i);
            all[i].mark = sample->mark;
            link_time(d, all, i);
        }
        return 0;
    }
    if (d->n == rul_distinct_needed(w->corr)) {
        if (sample->mark.time_ns < all[d->oldest].mark.time_ns) {
            return 0;
        }
        remove_oldest(d, all);
    }
    return add_new(w, d, sample);
}

static bool distinct_holds(const struct rul_window *w, int64_t edge_ns,
                           struct rul_tally *tally)
{
    const struct distinct *d = w->state;
    (void)edge_ns;
    tally->count = d->n;
    if (d->n == 0 || !rul_bounds_hold(&w->corr->bounds, d->n)) {
        return false;
    }
    tally->first = entries(w, d)[d->oldest].mark;
    return true;
}

/* ---- saved state ---- */

static void distinct_save(const struct rul_window *w, struct hd_buf *out)
{
    const struct distinct *d = w->state;
    const struct seen *all = entries(w, d);
    hd_buf_le32(out, d->n);
    hd_buf_le32(out, d->cap);
    uint32_t i = d->n == 0 ? NIL : d->oldest;
    for (; i != NIL; i = all[i].newer) {
        rul_mark_save(out, &all[i].mark);
        hd_buf_le64(out, all[i].key);
    }
}

/* As much room as there was, see rul_ring_save. */
static int take_room(const struct rul_window *w, uint32_t cap)
{
    uint32_t needed = rul_distinct_needed(w->corr), room = CAP_MIN;
    while (room < cap && room < needed) {
        room *= 2;
    }
    return cap == 0 ? 0 : widen(w, w->state, room);
}

static int distinct_load(const struct rul_window *w, struct rul_loading *in)
{
    uint32_t n = hd_bytes_le32(&in->in);
    uint32_t cap = in->has_room ? hd_bytes_le32(&in->in) : 0;
    int err = hd_bytes_failed(&in->in) ? HD_ECORRUPT : take_room(w, cap);
    for (uint32_t i = 0; i < n && err == 0 && !hd_bytes_failed(&in->in); i++) {
        struct rul_sample sample = {.mark = rul_mark_load(in)};
        sample.key = hd_bytes_le64(&in->in);
        err = hd_bytes_failed(&in->in) ? HD_ECORRUPT : distinct_add(w, &sample);
    }
    return err;
}

const struct rul_window_ops rul_window_distinct = {
    .size = distinct_size,
    .fini = distinct_fini,
    .bytes = distinct_bytes,
    .expire = distinct_expire,
    .add = distinct_add,
    .holds = distinct_holds,
    .save = distinct_save,
    .load = distinct_load,
};
