/* SPDX-License-Identifier: Apache-2.0
 *
 * value_sum, value_avg and value_percentile. Numbers are millionths, so that a sum that
 * gives back what it took is exact. A percentile is compared without being computed:
 * the p-th of n values is below X when at least ceil(p n / 100) of them are, so counting
 * the values on each side of the few numbers of the condition is enough.
 */
#include "rules/correlate/window.h"

__extension__ typedef __int128 wide __attribute__((aligned(8)));

#define HIGH_MAX (INT64_C(1) << 60) /* of a saved sum: more is damage */

enum { MIN, MAX, NOT_EQUAL, LIMITS };

struct totals {
    wide sum;
    uint64_t n;
    uint64_t below[LIMITS], up_to[LIMITS]; /* values < and <= each number */
};

struct number { /* in the ring */
    struct rul_mark mark;
    int64_t value;
};

struct samples {
    struct totals totals;
    struct rul_ring ring;
};

/* ---- totals ---- */

static void count(struct totals *t, const struct rul_limits *limits, int64_t value,
                  int step)
{
    const int64_t against[LIMITS] = {limits->min, limits->max, limits->not_equal};
    t->sum += step * (wide)value;
    t->n += (uint64_t)(int64_t)step;
    for (size_t i = 0; i < LIMITS; i++) {
        t->below[i] += value < against[i] ? (uint64_t)(int64_t)step : 0;
        t->up_to[i] += value <= against[i] ? (uint64_t)(int64_t)step : 0;
    }
}

/* The metric against one number: < 0, 0, > 0. */
static int compare(const struct totals *t, const struct rul_corr *corr, int which)
{
    const struct rul_limits *l = &corr->limits;
    const int64_t against[LIMITS] = {l->min, l->max, l->not_equal};
    if (corr->type == RUL_VALUE_PERCENTILE) {
        uint64_t rank = (t->n * l->percentile + 99) / 100;
        return t->below[which] >= rank ? -1 : t->up_to[which] < rank;
    }
    wide other = against[which];
    if (corr->type == RUL_VALUE_AVG) {
        other *= (wide)t->n;
    }
    return t->sum < other ? -1 : t->sum > other;
}

static bool holds(const struct totals *t, const struct rul_corr *corr)
{
    const struct rul_limits *l = &corr->limits;
    if (t->n == 0) {
        return false;
    }
    int low = l->has_min ? compare(t, corr, MIN) : 1;
    int high = l->has_max ? compare(t, corr, MAX) : -1;
    return (low > 0 || (low == 0 && !l->is_min_open)) &&
           (high < 0 || (high == 0 && !l->is_max_open)) &&
           (!l->has_not_equal || compare(t, corr, NOT_EQUAL) != 0);
}

/* ---- sliding ---- */

static size_t samples_size(const struct rul_corr *corr)
{
    (void)corr;
    return sizeof(struct samples);
}

static void samples_fini(const struct rul_window *w)
{
    struct samples *s = w->state;
    rul_ring_fini(&s->ring, w->pool);
}

static size_t samples_bytes(const struct rul_window *w)
{
    const struct samples *s = w->state;
    return rul_ring_bytes(&s->ring, sizeof(struct number));
}

static const struct number *oldest(const struct rul_window *w)
{
    const struct samples *s = w->state;
    return rul_ring_at(&s->ring, w->pool, sizeof(struct number), 0);
}

static void drop_oldest(const struct rul_window *w)
{
    struct samples *s = w->state;
    count(&s->totals, &w->corr->limits, oldest(w)->value, -1);
    rul_ring_drop_oldest(&s->ring);
}

static void samples_expire(const struct rul_window *w, int64_t edge_ns)
{
    const struct samples *s = w->state;
    while (s->ring.n > 0 && oldest(w)->mark.time_ns <= edge_ns) {
        drop_oldest(w);
    }
}

static int samples_add(const struct rul_window *w, const struct rul_sample *sample)
{
    struct samples *s = w->state;
    const struct number number = {sample->mark, sample->number};
    if (s->ring.n == RUL_SAMPLES_MAX) {
        ++*w->capped;
        if (sample->mark.time_ns < oldest(w)->mark.time_ns) {
            return 0;
        }
        drop_oldest(w);
    }
    int err = rul_ring_add(&s->ring, w->pool, sizeof(number), &number, RUL_SAMPLES_MAX);
    if (err == 0) {
        count(&s->totals, &w->corr->limits, number.value, 1);
    }
    return err;
}

static bool samples_holds(const struct rul_window *w, int64_t edge_ns,
                          struct rul_tally *tally)
{
    const struct samples *s = w->state;
    (void)edge_ns;
    if (!holds(&s->totals, w->corr)) {
        return false;
    }
    tally->count = s->totals.n;
    tally->first = oldest(w)->mark;
    return true;
}

static void samples_save(const struct rul_window *w, struct hd_buf *out)
{
    const struct samples *s = w->state;
    rul_ring_save(&s->ring, out);
    for (uint32_t i = 0; i < s->ring.n; i++) {
        const struct number *number = rul_ring_at(&s->ring, w->pool, sizeof(*number), i);
        rul_mark_save(out, &number->mark);
        hd_buf_le64(out, (uint64_t)number->value);
    }
}

static int samples_load(const struct rul_window *w, struct rul_loading *in)
{
    struct samples *s = w->state;
    uint32_t n;
    int err = rul_ring_load(&s->ring, w, sizeof(struct number), RUL_SAMPLES_MAX, in, &n);
    for (uint32_t i = 0; err == 0 && i < n; i++) {
        struct rul_sample sample = {.mark = rul_mark_load(in)};
        sample.number = (int64_t)hd_bytes_le64(&in->in);
        err = hd_bytes_failed(&in->in) ? HD_ECORRUPT : samples_add(w, &sample);
    }
    return err;
}

const struct rul_window_ops rul_window_samples = {
    .size = samples_size,
    .fini = samples_fini,
    .bytes = samples_bytes,
    .expire = samples_expire,
    .add = samples_add,
    .holds = samples_holds,
    .save = samples_save,
    .load = samples_load,
};

/* ---- closing ---- */

static size_t totals_size(const struct rul_corr *corr)
{
    (void)corr;
    return sizeof(struct totals);
}

static int totals_add(const struct rul_window *w, const struct rul_sample *sample)
{
    count(w->state, &w->corr->limits, sample->number, 1);
    return 0;
}

static bool totals_holds(const struct rul_window *w, int64_t edge_ns,
                         struct rul_tally *tally)
{
    const struct totals *t = w->state;
    (void)edge_ns;
    tally->count = t->n;
    return holds(t, w->corr);
}

static void totals_save(const struct rul_window *w, struct hd_buf *out)
{
    const struct totals *t = w->state;
    hd_buf_le64(out, (uint64_t)t->sum);
    hd_buf_le64(out, (uint64_t)(t->sum >> 64));
    hd_buf_le64(out, t->n);
    for (size_t i = 0; i < LIMITS; i++) {
        hd_buf_le64(out, t->below[i]);
        hd_buf_le64(out, t->up_to[i]);
    }
}

static int totals_load(const struct rul_window *w, struct rul_loading *in)
{
    struct totals *t = w->state;
    uint64_t low = hd_bytes_le64(&in->in);
    int64_t high = (int64_t)hd_bytes_le64(&in->in);
    if (high > HIGH_MAX || high < -HIGH_MAX) {
        return HD_ECORRUPT;
    }
    t->sum = (wide)high * ((wide)1 << 64) + low;
    t->n = hd_bytes_le64(&in->in);
    for (size_t i = 0; i < LIMITS; i++) {
        t->below[i] = hd_bytes_le64(&in->in);
        t->up_to[i] = hd_bytes_le64(&in->in);
    }
    return 0;
}

const struct rul_window_ops rul_window_totals = {
    .size = totals_size,
    .add = totals_add,
    .holds = totals_holds,
    .save = totals_save,
    .load = totals_load,
};
