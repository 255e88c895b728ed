/* SPDX-License-Identifier: Apache-2.0
 *
 * Correlation against a quadratic reference: the reference keeps every event and counts
 * again from the definition in docs/correlation.md; both must say the same, in the same
 * order, on random streams with late and equal times and restarts in between. With
 * HD_CORRELATE_STEPS=10000000 so many events are tried; otherwise a few seconds' worth.
 */
#include "tests/unit/rules/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/num.h>

#include "rules/correlate/correlate.h"

#define STEPS    4000
#define RUN      700 /* events of one stream */
#define GROUPS   3
#define LATENESS 30
#define SEC      INT64_C(1000000000)

struct past { /* an event that was accepted */
    int64_t time;
    int arrival, group, value;
    int session; /* of its group, for sessions that are tested with every event */
};

struct outcome {
    int64_t first, last;
    uint64_t count, suppressed;
    int group;
    int first_arrival;
};

struct outcomes {
    struct outcome list[4 * STEPS];
    size_t n;
};

struct spec { /* the rule under test, as the reference sees it */
    bool values, closing;
    int64_t span;
    uint64_t min, max, not_equal;
    bool (*metric)(const struct past *window, int n); /* of numbers; NULL: counts */
    int64_t gap;                                      /* of sessions; 0: other windows */
    bool resets;
    bool is_null; /* events of group 0 have no group-by field */
};

/* The numbers of the stream: -1, -0.5 .. 2. */
static double number_of(const struct past *p)
{
    return (p->value - 2) * 0.5;
}

struct reference {
    struct past past[STEPS];
    int n;
    int64_t seen;
    struct {
        int64_t newest, fired;
        bool armed, any;
        uint64_t swallowed;
        int used;    /* arrivals before have fired, and are not counted any more */
        int session; /* the open one */
    } groups[GROUPS];
    int64_t closed_to; /* windows that ended up to here are done */
    uint64_t late;
};

static bool count_holds(const struct spec *spec, const struct past *window, int n)
{
    return spec->metric != NULL ? spec->metric(window, n) : n >= (int)spec->min;
}

static int by_time(const void *a, const void *b)
{
    const struct past *x = a, *y = b;
    if (x->time != y->time) {
        return x->time < y->time ? -1 : 1;
    }
    return x->arrival - y->arrival;
}

static bool is_counted(const struct reference *r, const struct past *p, int group,
                       int64_t from, int64_t to)
{
    return p->group == group && p->time >= from && p->time < to &&
           p->arrival >= r->groups[group].used;
}

/* Events of a group in [from, to), one (the last) for each value when values count. */
static int collect(const struct reference *r, const struct spec *spec, int group,
                   int64_t from, int64_t to, struct past *out)
{
    int n = 0;
    for (int i = 0; i < r->n; i++) {
        const struct past *p = &r->past[i];
        if (!is_counted(r, p, group, from, to)) {
            continue;
        }
        bool superseded = false;
        for (int k = 0; spec->values && k < r->n; k++) {
            const struct past *q = &r->past[k];
            superseded |= is_counted(r, q, group, from, to) && q->value == p->value &&
                          by_time(p, q) < 0;
        }
        if (!superseded) {
            out[n++] = *p;
        }
    }
    qsort(out, (size_t)n, sizeof(*out), by_time);
    return n;
}

static void step_sliding(struct reference *r, const struct spec *spec,
                         const struct past *event, struct outcomes *out)
{
    static struct past window[STEPS];
    int g = event->group, needed = (int)spec->min;
    if (!r->groups[g].any || event->time > r->groups[g].newest) {
        r->groups[g].newest = event->time;
    }
    int64_t newest = r->groups[g].newest, edge = newest - spec->span;
    int before = collect(r, spec, g, edge + 1, INT64_MAX, window);
    bool was_true = count_holds(spec, window, before);
    if (!r->groups[g].any || !was_true || r->groups[g].fired <= edge) {
        r->groups[g].armed = true;
    }
    if (!was_true) {
        r->groups[g].swallowed = 0;
    }
    r->groups[g].any = true;
    r->past[r->n++] = *event;
    int after = collect(r, spec, g, edge + 1, INT64_MAX, window);
    if (!count_holds(spec, window, after)) {
        return;
    }
    needed = spec->metric != NULL ? after : needed;
    if (!r->groups[g].armed) {
        r->groups[g].swallowed++;
        return;
    }
    const struct past *first = &window[after - needed];
    out->list[out->n++] = (struct outcome){.first = first->time,
                                           .last = newest,
                                           .count = (uint64_t)needed,
                                           .suppressed = r->groups[g].swallowed,
                                           .group = g,
                                           .first_arrival = first->arrival};
    r->groups[g].armed = spec->resets;
    r->groups[g].used = spec->resets ? event->arrival + 1 : 0;
    r->groups[g].fired = newest;
    r->groups[g].swallowed = 0;
}

/* One window of one group that has ended. */
static void close_window(const struct reference *r, const struct spec *spec, int group,
                         int64_t index, struct outcomes *out)
{
    static struct past window[STEPS];
    const struct spec all = {.values = false};
    int64_t from = index * spec->span, to = from + spec->span;
    int n = collect(r, &all, group, from, to, window);
    if (n == 0) {
        return;
    }
    struct outcome o = {.first = window[0].time,
                        .last = window[n - 1].time,
                        .group = group,
                        .first_arrival = window[0].arrival};
    uint64_t count = (uint64_t)collect(r, spec, group, from, to, window);
    bool holds = spec->metric != NULL ? spec->metric(window, (int)count)
                                      : count >= spec->min && count <= spec->max &&
                                            count != spec->not_equal;
    if (holds) {
        o.count = count;
        out->list[out->n++] = o;
    }
}

static void close_windows(struct reference *r, const struct spec *spec,
                          struct outcomes *out)
{
    int64_t watermark = r->seen - LATENESS * SEC;
    while (r->closed_to + spec->span <= watermark) {
        for (int g = 0; g < GROUPS; g++) {
            close_window(r, spec, g, r->closed_to / spec->span, out);
        }
        r->closed_to += spec->span;
    }
}

/* ---- sessions ---- */

static int distinct_values(const struct past *events, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        bool is_new = true;
        for (int k = 0; k < i; k++) {
            is_new &= events[k].value != events[i].value;
        }
        count += is_new;
    }
    return count;
}

/* A session of these events, in order of time: does the condition hold? */
static bool session_holds(const struct spec *spec, const struct past *events, int n,
                          struct outcome *out)
{
    uint64_t count = (uint64_t)(spec->values ? distinct_values(events, n) : n);
    *out = (struct outcome){.first = events[0].time,
                            .last = events[n - 1].time,
                            .count = count,
                            .group = events[0].group,
                            .first_arrival = events[0].arrival};
    return spec->metric != NULL
               ? spec->metric(events, n)
               : count >= spec->min && count <= spec->max && count != spec->not_equal;
}

/* Events of the open session, in order of time. */
static int open_session(const struct reference *r, int group, struct past *out)
{
    int n = 0;
    for (int i = 0; i < r->n; i++) {
        if (r->past[i].group == group && r->past[i].session == r->groups[group].session) {
            out[n++] = r->past[i];
        }
    }
    qsort(out, (size_t)n, sizeof(*out), by_time);
    return n;
}

static void step_session(struct reference *r, const struct spec *spec,
                         const struct past *event, struct outcomes *out)
{
    static struct past events[STEPS];
    int g = event->group, n = open_session(r, g, events);
    int64_t first = n == 0 ? 0 : events[0].time, last = n == 0 ? 0 : events[n - 1].time;
    if (n == 0 || event->time >= last + spec->gap || event->time >= first + spec->span) {
        r->groups[g].session++;
        r->groups[g].armed = true;
    } else if (event->time <= first - spec->gap || event->time <= last - spec->span) {
        return; /* of a session that is over */
    }
    r->past[r->n] = *event;
    r->past[r->n++].session = r->groups[g].session;
    n = open_session(r, g, events);
    if (!r->groups[g].armed || !session_holds(spec, events, n, &out->list[out->n])) {
        return;
    }
    out->n++;
    r->groups[g].armed = false;
    r->groups[g].session += spec->resets;
}

/* Everything is over: every session of the stream, in order of time. */
static void close_sessions(const struct reference *r, const struct spec *spec, int group,
                           struct outcomes *out)
{
    static struct past window[STEPS];
    const struct spec all = {.values = false};
    int n = collect(r, &all, group, 0, INT64_MAX, window);
    for (int from = 0, to = 0; from < n; from = to) {
        for (to = from + 1; to < n; to++) {
            if (window[to].time >= window[to - 1].time + spec->gap ||
                window[to].time >= window[from].time + spec->span) {
                break;
            }
        }
        out->n += session_holds(spec, window + from, to - from, &out->list[out->n]);
    }
}

static void step(struct reference *r, const struct spec *spec, const struct past *event,
                 struct outcomes *out)
{
    r->seen = event->time > r->seen ? event->time : r->seen;
    if (spec->closing && spec->gap == 0) {
        close_windows(r, spec, out);
    }
    if (event->time < r->seen - LATENESS * SEC) {
        r->late++;
    } else if (spec->closing) {
        r->past[r->n++] = *event;
    } else if (spec->gap > 0) {
        step_session(r, spec, event, out);
    } else {
        step_sliding(r, spec, event, out);
    }
}

/* ---- the engine ---- */

static void on_detection(void *ctx, const struct rul_detection *d,
                         const struct rul_event_copy *last)
{
    struct outcomes *out = ctx;
    uint32_t arrival = 0;
    (void)last;
    assert_true(hd_slice_starts(d->first_position, HD_SLICE("a/b/")));
    assert_int_equal(hd_num_u32(hd_slice_from(d->first_position, 4), STEPS, &arrival), 0);
    out->list[out->n++] = (struct outcome){
        .first = d->first_ns,
        .last = d->last_ns,
        .count = d->count,
        .suppressed = d->suppressed,
        .group = d->group[0].value.ptr == NULL ? 0 : d->group[0].value.ptr[1] - '0',
        .first_arrival = (int)arrival,
    };
}

static void feed(struct kit *kit, struct rul_correlator *c, const struct past *event,
                 bool has_group, struct outcomes *out)
{
    char position[64], user[8], value[8], number[8];
    struct rul_event_copy *copy = NULL;
    (void)snprintf(position, sizeof(position), "a/b/%d", event->arrival);
    (void)snprintf(user, sizeof(user), "g%d", event->group);
    (void)snprintf(value, sizeof(value), "v%d", event->value);
    kit_event(kit, "p", "", "");
    kit->ev->time_ns = event->time;
    if (has_group) {
        rul_event_set(kit->ev, RUL_F_USER_NAME, hd_slice_str(user));
    }
    rul_event_set(kit->ev, RUL_F_HOST_NAME, hd_slice_str(value));
    (void)snprintf(number, sizeof(number), "%.1f", number_of(event));
    rul_event_set(kit->ev, RUL_F_SOURCE_PORT, hd_slice_str(number));
    assert_int_equal(rul_event_copy(kit->ev, &copy), 0);
    assert_int_equal(rul_correlate(c, rul_set_rule(kit->set, 0), copy,
                                   hd_slice_str(position), on_detection, out),
                     0);
    free(copy);
}

static int by_window(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct outcome));
}

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (uint32_t)(*seed >> 33);
}

/* A new process that finds what this one saved. */
static void restart(struct rul_correlator **c, struct rul_set *set, uint64_t *late)
{
    const struct rul_correlator_opts opts = {.memory_max = 64U << 20};
    struct rul_correlator_stats stats;
    struct hd_buf saved;
    hd_buf_init(&saved, 0);
    rul_correlator_stats(*c, &stats);
    *late += stats.late;
    assert_int_equal(stats.evicted, 0);
    assert_int_equal(rul_correlator_save(*c, &saved), 0);
    rul_correlator_free(*c);
    assert_int_equal(rul_correlator_new(&opts, c), 0);
    assert_int_equal(rul_correlator_use(*c, set), 0);
    assert_int_equal(rul_correlator_load(*c, hd_buf_slice(&saved)), 0);
    hd_buf_fini(&saved);
}

static void compare(struct outcomes *got, struct outcomes *expected, bool closing,
                    uint64_t seed)
{
    if (closing) { /* windows that end together have no order among them */
        qsort(got->list, got->n, sizeof(got->list[0]), by_window);
        qsort(expected->list, expected->n, sizeof(expected->list[0]), by_window);
    }
    for (size_t i = 0; i < got->n && i < expected->n; i++) {
        const struct outcome *a = &got->list[i], *b = &expected->list[i];
        if (a->first != b->first || a->last != b->last || a->count != b->count ||
            a->suppressed != b->suppressed || a->group != b->group ||
            a->first_arrival != b->first_arrival) {
            fail_msg("seed %llu, detection %zu: got first %lld last %lld count %llu "
                     "suppressed %llu group %d position %d, expected %lld %lld %llu %llu "
                     "%d %d",
                     (unsigned long long)seed, i, (long long)a->first, (long long)a->last,
                     (unsigned long long)a->count, (unsigned long long)a->suppressed,
                     a->group, a->first_arrival, (long long)b->first, (long long)b->last,
                     (unsigned long long)b->count, (unsigned long long)b->suppressed,
                     b->group, b->first_arrival);
        }
    }
    assert_int_equal(got->n, expected->n);
}

static size_t run(const char *rule, const struct spec *spec, uint64_t seed, int steps)
{
    static struct outcomes got, expected;
    static struct reference reference;
    struct kit kit;
    struct rul_correlator *c = NULL;
    const struct rul_correlator_opts opts = {.memory_max = 64U << 20};
    char yaml[2048];
    (void)snprintf(yaml, sizeof(yaml),
                   "title: base\nname: base\nlogsource: {product: p}\ndetection: {s: {F: "
                   "x}, condition: s}\n---\ntitle: corr\ncorrelation: {rules: base, "
                   "group-by: user.name, %s}\n",
                   rule);
    kit_load(&kit, yaml);
    assert_int_equal(kit.errors, 0);
    assert_int_equal(rul_correlator_new(&opts, &c), 0);
    assert_int_equal(rul_correlator_use(c, kit.set), 0);
    memset(&got, 0, sizeof(got));
    memset(&expected, 0, sizeof(expected));
    memset(&reference, 0, sizeof(reference));
    uint64_t state = seed, late = 0;
    int64_t now = 1000 * SEC;
    reference.seen = INT64_MIN;
    for (int i = 0; i < steps; i++) {
        struct past event = {.arrival = i,
                             .group = (int)(next_random(&state) % GROUPS),
                             .value = (int)(next_random(&state) % 7)};
        now +=
            (int64_t)(next_random(&state) % 5 == 0 ? next_random(&state) % 12 : 0) * SEC;
        uint32_t kind = next_random(&state) % 20;
        event.time = kind < 14   ? now
                     : kind < 19 ? now - (int64_t)(next_random(&state) % 31) * SEC
                                 : now - (int64_t)(next_random(&state) % 60) * SEC;
        step(&reference, spec, &event, &expected);
        feed(&kit, c, &event, !spec->is_null || event.group > 0, &got);
        if (next_random(&state) % 64 == 0) {
            restart(&c, kit.set, &late);
        }
    }
    restart(&c, kit.set, &late);
    if (spec->closing && spec->gap > 0) {
        rul_correlator_advance(c, now + spec->span + LATENESS * SEC);
        rul_correlator_close(c, on_detection, &got);
        for (int g = 0; g < GROUPS; g++) {
            close_sessions(&reference, spec, g, &expected);
        }
    }
    assert_int_equal(late, reference.late);
    compare(&got, &expected, spec->closing, seed);
    rul_correlator_free(c);
    kit_free(&kit);
    return got.n;
}

#define NONE UINT64_MAX

static bool sum_above_6(const struct past *window, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += number_of(&window[i]);
    }
    return n > 0 && sum > 6;
}

static bool mean_from_0_75(const struct past *window, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += number_of(&window[i]);
    }
    return n > 0 && sum / n >= 0.75;
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The ceil(p n / 100)-th smallest. */
static double percentile(const struct past *window, int n, int p)
{
    double sorted[STEPS];
    for (int i = 0; i < n; i++) {
        sorted[i] = number_of(&window[i]);
    }
    qsort(sorted, (size_t)n, sizeof(sorted[0]), by_number);
    int rank = 0;
    while (100 * rank < p * n) {
        rank++;
    }
    return sorted[rank - 1];
}

static bool p70_above_1(const struct past *window, int n)
{
    return n > 0 && percentile(window, n, 70) > 1;
}

static bool median_from_0_to_half(const struct past *window, int n)
{
    return n > 0 && percentile(window, n, 50) >= 0 && percentile(window, n, 50) < 0.5;
}

static bool p90_is_not_2(const struct past *window, int n)
{
    return n > 0 && percentile(window, n, 90) != 2;
}

static bool sum_to_minus_1(const struct past *window, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += number_of(&window[i]);
    }
    return n > 0 && sum <= -1;
}

static const struct row {
    const char *rule;
    struct spec spec;
} rows[] = {
    {"type: event_count, timespan: 10s, condition: {gte: 1}",
     {.span = 10 * SEC, .min = 1, .max = NONE, .not_equal = NONE}},
    {"type: event_count, timespan: 10s, condition: {gte: 3}",
     {.span = 10 * SEC, .min = 3, .max = NONE, .not_equal = NONE}},
    {"type: event_count, timespan: 45s, condition: {gt: 8}",
     {.span = 45 * SEC, .min = 9, .max = NONE, .not_equal = NONE}},
    {"type: value_count, timespan: 15s, condition: {field: host.name, gte: 3}",
     {.values = true, .span = 15 * SEC, .min = 3, .max = NONE, .not_equal = NONE}},
    {"type: value_count, timespan: 1m, condition: {field: host.name, gt: 4}",
     {.values = true, .span = 60 * SEC, .min = 5, .max = NONE, .not_equal = NONE}},
    {"type: event_count, timespan: 10s, condition: {lt: 4}",
     {.closing = true, .span = 10 * SEC, .min = 0, .max = 3, .not_equal = NONE}},
    {"type: event_count, timespan: 20s, condition: {gte: 3, lte: 9, neq: 5}",
     {.closing = true, .span = 20 * SEC, .min = 3, .max = 9, .not_equal = 5}},
    {"type: value_count, timespan: 20s, condition: {field: host.name, eq: 3}",
     {.values = true,
      .closing = true,
      .span = 20 * SEC,
      .min = 3,
      .max = 3,
      .not_equal = NONE}},
    {"type: value_count, timespan: 40s, condition: {field: host.name, lte: 5}",
     {.values = true,
      .closing = true,
      .span = 40 * SEC,
      .min = 0,
      .max = 5,
      .not_equal = NONE}},
    {"type: value_sum, timespan: 20s, condition: {field: source.port, gt: 6}",
     {.span = 20 * SEC, .metric = sum_above_6}},
    {"type: value_avg, timespan: 15s, condition: {field: source.port, gte: 0.75}",
     {.span = 15 * SEC, .metric = mean_from_0_75}},
    {"type: value_percentile, timespan: 30s, condition: {field: source.port, percentile: "
     "70, gt: 1}",
     {.span = 30 * SEC, .metric = p70_above_1}},
    {"type: value_percentile, timespan: 20s, condition: {field: source.port, percentile: "
     "50, gte: 0, lt: 0.5}",
     {.closing = true, .span = 20 * SEC, .metric = median_from_0_to_half}},
    {"type: value_percentile, timespan: 20s, condition: {field: source.port, percentile: "
     "90, neq: 2}",
     {.closing = true, .span = 20 * SEC, .metric = p90_is_not_2}},
    {"type: value_sum, timespan: 10s, condition: {field: source.port, lte: -1}",
     {.closing = true, .span = 10 * SEC, .metric = sum_to_minus_1}},
    {"type: event_count, timespan: 20s, condition: {gte: 6}}\nhaidang: {window: tumbling",
     {.closing = true, .span = 20 * SEC, .min = 6, .max = NONE, .not_equal = NONE}},
    {"type: value_sum, timespan: 20s, condition: {field: source.port, gt: 6}}\nhaidang: "
     "{window: tumbling, null_group: true",
     {.closing = true, .span = 20 * SEC, .metric = sum_above_6, .is_null = true}},
    {"type: event_count, timespan: 10s, condition: {gte: 3}}\nhaidang: {null_group: true",
     {.span = 10 * SEC, .min = 3, .max = NONE, .not_equal = NONE, .is_null = true}},
    {"type: event_count, timespan: 20s, condition: {gte: 4}}\nhaidang: {reset: true",
     {.span = 20 * SEC, .min = 4, .max = NONE, .not_equal = NONE, .resets = true}},
    {"type: value_count, timespan: 30s, condition: {field: host.name, gte: "
     "4}}\nhaidang: {reset: true, null_group: true",
     {.values = true,
      .span = 30 * SEC,
      .min = 4,
      .max = NONE,
      .not_equal = NONE,
      .resets = true,
      .is_null = true}},
    {"type: value_sum, timespan: 30s, condition: {field: source.port, gt: 6}}\nhaidang: "
     "{reset: true",
     {.span = 30 * SEC, .metric = sum_above_6, .resets = true}},
    {"type: event_count, timespan: 1m, condition: {gte: 4}}\nhaidang: {window: session, "
     "gap: 8s",
     {.span = 60 * SEC, .min = 4, .max = NONE, .not_equal = NONE, .gap = 8 * SEC}},
    {"type: event_count, timespan: 15s, condition: {gt: 2}}\nhaidang: {window: session, "
     "gap: 15s, reset: true, null_group: true",
     {.span = 15 * SEC,
      .min = 3,
      .max = NONE,
      .not_equal = NONE,
      .gap = 15 * SEC,
      .resets = true,
      .is_null = true}},
    {"type: value_count, timespan: 40s, condition: {field: host.name, gte: "
     "3}}\nhaidang: {window: session, gap: 9s",
     {.values = true,
      .span = 40 * SEC,
      .min = 3,
      .max = NONE,
      .not_equal = NONE,
      .gap = 9 * SEC}},
    {"type: value_sum, timespan: 1m, condition: {field: source.port, gt: 6}}\nhaidang: "
     "{window: session, gap: 12s",
     {.span = 60 * SEC, .metric = sum_above_6, .gap = 12 * SEC}},
    {"type: event_count, timespan: 30s, condition: {lt: 3}}\nhaidang: {window: session, "
     "gap: 7s",
     {.closing = true, .span = 30 * SEC, .max = 2, .not_equal = NONE, .gap = 7 * SEC}},
    {"type: event_count, timespan: 12s, condition: {gte: 2, lte: 9, neq: 4}}\nhaidang: "
     "{window: session, gap: 10s, null_group: true",
     {.closing = true,
      .span = 12 * SEC,
      .min = 2,
      .max = 9,
      .not_equal = 4,
      .gap = 10 * SEC,
      .is_null = true}},
    {"type: value_count, timespan: 45s, condition: {field: host.name, eq: 2}}\nhaidang: "
     "{window: session, gap: 8s",
     {.values = true,
      .closing = true,
      .span = 45 * SEC,
      .min = 2,
      .max = 2,
      .not_equal = NONE,
      .gap = 8 * SEC}},
    {"type: value_percentile, timespan: 50s, condition: {field: source.port, percentile: "
     "90, neq: 2}}\nhaidang: {window: session, gap: 8s",
     {.closing = true, .span = 50 * SEC, .metric = p90_is_not_2, .gap = 8 * SEC}},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void test_streams(void **state)
{
    (void)state;
    const char *wanted = getenv("HD_CORRELATE_STEPS");
    uint64_t steps = ROWS * 8 * RUN;
    if (wanted != NULL) {
        assert_int_equal(hd_num_u64(hd_slice_str(wanted), UINT64_MAX, &steps), 0);
    }
    uint64_t detections[ROWS] = {0};
    for (uint64_t i = 0; i * RUN < steps; i++) {
        const struct row *row = &rows[i % ROWS];
        detections[i % ROWS] += run(row->rule, &row->spec, (i + 1) * 7919, RUN);
    }
    for (size_t i = 0; i < ROWS; i++) {
        assert_in_range(detections[i], steps / RUN / ROWS, UINT64_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
