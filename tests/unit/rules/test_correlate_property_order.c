/* SPDX-License-Identifier: Apache-2.0
 *
 * temporal and temporal_ordered against a quadratic reference: the reference keeps every
 * event and looks at every window anew, as docs/correlation.md defines it, on random
 * streams with late and equal times, several agents, and restarts in between.
 * HD_CORRELATE_STEPS as in test_correlate_property.c.
 */
#include "tests/unit/rules/correlate_kit.h"

#include <stdio.h>
#include <stdlib.h>

#include <haidang/num.h>

#define RUN      500
#define GROUPS   2
#define LATENESS (30 * SEC)
/* Beside the rules whose events begin windows: */
#define ALIGNED 8U  /* windows stand one behind the other */
#define RESETS  16U /* what has fired is not counted any more; slides */

struct past { /* an event that was accepted */
    int64_t time;
    int arrival, group, rule, agent;
};

struct outcome {
    int64_t group, first, last, suppressed;
};

struct outcomes {
    struct outcome list[2 * RUN];
    int n;
};

/* Is the condition met by these events? *first: of the detection. */
typedef bool holds_fn(const struct past *window, int n, int64_t *first);

struct row {
    const char *rule;
    int64_t span;
    holds_fn *holds;
    unsigned starts; /* rules whose events begin windows, as bits; none: it slides */
};

static bool slides(const struct row *row)
{
    return row->starts == 0 || row->starts == RESETS;
}

/* ---- conditions, from their definition ---- */

static bool last_of(const struct past *window, int n, int rule, int64_t *time)
{
    bool found = false;
    for (int i = 0; i < n; i++) {
        if (window[i].rule == rule && (!found || window[i].time > *time)) {
            *time = window[i].time;
            found = true;
        }
    }
    return found;
}

static bool all_three(const struct past *window, int n, int64_t *first)
{
    int64_t t[3] = {0};
    for (int rule = 0; rule < 3; rule++) {
        if (!last_of(window, n, rule, &t[rule])) {
            return false;
        }
    }
    *first = t[0] < t[1] ? t[0] : t[1];
    *first = t[2] < *first ? t[2] : *first;
    return true;
}

static int seen(const struct past *window, int n, int64_t t[3])
{
    int count = 0;
    for (int rule = 0; rule < 3; rule++) {
        count += last_of(window, n, rule, &t[count]);
    }
    return count;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static bool two_or_more(const struct past *window, int n, int64_t *first)
{
    int64_t t[3] = {0};
    int count = seen(window, n, t);
    qsort(t, (size_t)count, sizeof(t[0]), by_value);
    *first = count < 2 ? 0 : t[count - 2];
    return count >= 2;
}

static bool exactly_two(const struct past *window, int n, int64_t *first)
{
    int64_t t[3] = {0};
    int count = seen(window, n, t);
    *first = t[0] < t[1] ? t[0] : t[1];
    return count == 2;
}

static bool a_and_b_or_c(const struct past *window, int n, int64_t *first)
{
    int64_t a = 0, b = 0, c = 0;
    bool has_b = last_of(window, n, 1, &b), has_c = last_of(window, n, 2, &c);
    if (!last_of(window, n, 0, &a) || (!has_b && !has_c)) {
        return false;
    }
    int64_t other = has_b ? b : c; /* the first alternative that holds is told */
    *first = a < other ? a : other;
    return true;
}

static bool a_not_b(const struct past *window, int n, int64_t *first)
{
    int64_t b = 0;
    return last_of(window, n, 0, first) && !last_of(window, n, 1, &b);
}

static bool a_b_not_c(const struct past *window, int n, int64_t *first)
{
    int64_t a = 0, b = 0, c = 0;
    bool holds = last_of(window, n, 0, &a) && last_of(window, n, 1, &b) &&
                 !last_of(window, n, 2, &c);
    *first = a < b ? a : b;
    return holds;
}

static bool a_not_b_or_c(const struct past *window, int n, int64_t *first)
{
    return a_not_b(window, n, first) || last_of(window, n, 2, first);
}

static bool precedes(const struct past *x, const struct past *y)
{
    return x->time < y->time ||
           (x->time == y->time && (x->agent != y->agent || x->arrival < y->arrival));
}

/* Events of the rule that may follow one of these. */
static int followers(const struct past *window, int n, int rule, const struct past **from,
                     int n_from)
{
    const struct past *next[RUN];
    int n_next = 0;
    for (int k = 0; k < n; k++) {
        bool reached = false;
        for (int f = 0; f < n_from && window[k].rule == rule; f++) {
            reached |= precedes(from[f], &window[k]);
        }
        if (reached) {
            next[n_next++] = &window[k];
        }
    }
    memcpy(from, next, (size_t)n_next * sizeof(next[0]));
    return n_next;
}

/* The latest event of the first rule from which the others can be reached in order. */
static bool in_order(const struct past *window, int n, const int *rules, int n_rules,
                     int64_t *first)
{
    bool found = false;
    for (int i = 0; i < n; i++) {
        const struct past *from[RUN] = {&window[i]};
        int n_from = window[i].rule == rules[0] ? 1 : 0;
        for (int r = 1; r < n_rules && n_from > 0; r++) {
            n_from = followers(window, n, rules[r], from, n_from);
        }
        if (n_from > 0 && (!found || window[i].time > *first)) {
            *first = window[i].time;
            found = true;
        }
    }
    return found;
}

static bool order_abc(const struct past *window, int n, int64_t *first)
{
    return in_order(window, n, (const int[]){0, 1, 2}, 3, first);
}

static bool order_of_two(const struct past *window, int n, int64_t *first)
{
    return in_order(window, n, (const int[]){0, 1}, 2, first) ||
           in_order(window, n, (const int[]){0, 2}, 2, first) ||
           in_order(window, n, (const int[]){1, 2}, 2, first);
}

static bool order_ac_not_b(const struct past *window, int n, int64_t *first)
{
    int64_t b = 0;
    return in_order(window, n, (const int[]){0, 2}, 2, first) &&
           !last_of(window, n, 1, &b);
}

/* ---- the reference ---- */

struct reference {
    struct past past[RUN];
    int n;
    int64_t seen;
    struct {
        int64_t newest, fired, suppressed;
        int used; /* arrivals before have fired, and are not counted any more */
        bool armed;
    } groups[GROUPS];
};

/* Events of a group in [from, to). */
static int collect(const struct reference *r, int group, int64_t from, int64_t to,
                   struct past *out)
{
    int n = 0;
    for (int i = 0; i < r->n; i++) {
        const struct past *p = &r->past[i];
        if (p->group == group && p->time >= from && p->time < to &&
            p->arrival >= r->groups[group].used) {
            out[n++] = *p;
        }
    }
    return n;
}

static void step_sliding(struct reference *r, const struct row *row,
                         const struct past *event, struct outcomes *out)
{
    static struct past window[RUN];
    int64_t first = 0;
    int g = event->group;
    if (event->time > r->groups[g].newest) {
        r->groups[g].newest = event->time;
    }
    int64_t edge = r->groups[g].newest - row->span;
    int n = collect(r, g, edge + 1, INT64_MAX, window);
    bool was_true = row->holds(window, n, &first);
    r->groups[g].armed |= !was_true || r->groups[g].fired <= edge;
    r->groups[g].suppressed = was_true ? r->groups[g].suppressed : 0;
    r->past[r->n++] = *event;
    n = collect(r, g, edge + 1, INT64_MAX, window);
    if (!row->holds(window, n, &first)) {
        return;
    }
    if (!r->groups[g].armed) {
        r->groups[g].suppressed++;
        return;
    }
    out->list[out->n++] =
        (struct outcome){g, first, r->groups[g].newest, r->groups[g].suppressed};
    r->groups[g].armed = row->starts == RESETS;
    r->groups[g].used = row->starts == RESETS ? event->arrival + 1 : 0;
    r->groups[g].fired = r->groups[g].newest;
    r->groups[g].suppressed = 0;
}

static int by_time(const void *a, const void *b)
{
    const struct past *x = a, *y = b;
    return x->time < y->time ? -1 : x->time > y->time;
}

/* All windows [k T, (k + 1) T) of one group. */
static void test_aligned(struct reference *r, const struct row *row, int group,
                         struct outcomes *out)
{
    static struct past window[RUN];
    int64_t first = 0;
    for (int64_t from = 0; from <= r->seen; from += row->span) {
        int n = collect(r, group, from, from + row->span, window);
        if (n > 0 && row->holds(window, n, &first)) {
            out->list[out->n++] = (struct outcome){group, window[0].time, 0, 0};
        }
    }
}

/* All windows of one group, in order of their starts. */
static void test_windows(struct reference *r, const struct row *row, int group,
                         struct outcomes *out)
{
    static struct past window[RUN];
    int64_t last = INT64_MIN, fired = INT64_MIN, suppressed = 0, first = 0;
    bool armed = true;
    for (int i = 0; i < r->n; i++) {
        int64_t s = r->past[i].time;
        if (r->past[i].group != group || (row->starts >> r->past[i].rule & 1U) == 0 ||
            s == last) {
            continue;
        }
        int n = collect(r, group, s, s + row->span, window);
        bool holds = row->holds(window, n, &first);
        bool is_fresh = last == INT64_MIN || s - last >= row->span;
        armed |= is_fresh || !holds || fired <= s - row->span;
        suppressed = is_fresh || !holds ? 0 : suppressed;
        last = s;
        if (holds && armed) {
            out->list[out->n++] = (struct outcome){group, first, 0, suppressed};
            armed = false;
            fired = s;
            suppressed = 0;
        } else {
            suppressed += holds;
        }
    }
}

static void step(struct reference *r, const struct row *row, const struct past *event,
                 struct outcomes *out)
{
    r->seen = event->time > r->seen ? event->time : r->seen;
    if (event->time < r->seen - LATENESS) {
        return;
    }
    if (slides(row)) {
        step_sliding(r, row, event, out);
    } else {
        r->past[r->n++] = *event;
    }
}

/* ---- the engine ---- */

static bool is_sliding; /* the rule under test; others do not say their last time */

static void on_detection(void *ctx, const struct rul_detection *d,
                         const struct rul_event_copy *last)
{
    struct outcomes *out = ctx;
    assert_non_null(last);
    out->list[out->n++] =
        (struct outcome){d->group[0].value.ptr[1] - '0', d->first_ns,
                         is_sliding ? d->last_ns : 0, (int64_t)d->suppressed};
}

static void feed(struct bench *b, const struct past *event, struct outcomes *out)
{
    static const char *const names[] = {"base", "second", "third"};
    struct rul_event_copy *copy = NULL;
    char position[64], user[8];
    (void)snprintf(position, sizeof(position), "a%d/b/%d", event->agent, event->arrival);
    (void)snprintf(user, sizeof(user), "g%d", event->group);
    kit_event(&b->kit, "p", "", "");
    b->kit.ev->time_ns = event->time;
    rul_event_set(b->kit.ev, RUL_F_USER_NAME, hd_slice_str(user));
    assert_int_equal(rul_event_copy(b->kit.ev, &copy), 0);
    const struct rul_rule *rule =
        rul_set_find(b->kit.set, hd_slice_str(names[event->rule]));
    assert_int_equal(
        rul_correlate(b->c, rule, copy, hd_slice_str(position), on_detection, out), 0);
    free(copy);
}

static void restart(struct bench *b)
{
    const struct rul_correlator_opts opts = {0};
    struct hd_buf saved;
    hd_buf_init(&saved, 0);
    assert_int_equal(rul_correlator_save(b->c, &saved), 0);
    rul_correlator_free(b->c);
    assert_int_equal(rul_correlator_new(&opts, &b->c), 0);
    assert_int_equal(rul_correlator_use(b->c, b->kit.set), 0);
    assert_int_equal(rul_correlator_load(b->c, hd_buf_slice(&saved)), 0);
    hd_buf_fini(&saved);
}

/* ---- both ---- */

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (uint32_t)(*seed >> 33);
}

static int by_outcome(const void *a, const void *b)
{
    const struct outcome *x = a, *y = b;
    int64_t d = x->group != y->group ? x->group - y->group : x->first - y->first;
    d = d != 0 ? d : x->suppressed - y->suppressed;
    return d < 0 ? -1 : d > 0;
}

static void compare(const struct row *row, struct outcomes *got,
                    struct outcomes *expected, uint64_t seed)
{
    if (!slides(row)) { /* windows of several groups have no order among them */
        qsort(got->list, (size_t)got->n, sizeof(got->list[0]), by_outcome);
        qsort(expected->list, (size_t)expected->n, sizeof(got->list[0]), by_outcome);
    }
    for (int i = 0; i < got->n && i < expected->n; i++) {
        const struct outcome *a = &got->list[i], *b = &expected->list[i];
        if (a->group != b->group || a->first != b->first || a->last != b->last ||
            a->suppressed != b->suppressed) {
            fail_msg("%s, seed %llu, detection %d: got group %lld first %lld last %lld "
                     "suppressed %lld, expected %lld %lld %lld %lld",
                     row->rule, (unsigned long long)seed, i, (long long)a->group,
                     (long long)a->first, (long long)a->last, (long long)a->suppressed,
                     (long long)b->group, (long long)b->first, (long long)b->last,
                     (long long)b->suppressed);
        }
    }
    if (got->n != expected->n) {
        fail_msg("%s, seed %llu: %d detections, expected %d", row->rule,
                 (unsigned long long)seed, got->n, expected->n);
    }
}

static struct past make_event(uint64_t *state, int i, int64_t *now)
{
    struct past event = {.arrival = i,
                         .group = (int)(next_random(state) % GROUPS),
                         .rule = (int)(next_random(state) % 3),
                         .agent = (int)(next_random(state) % 2)};
    *now += (int64_t)(next_random(state) % 3 == 0 ? next_random(state) % 9 : 0) * SEC;
    uint32_t kind = next_random(state) % 20;
    event.time = kind < 13   ? *now
                 : kind < 19 ? *now - (int64_t)(next_random(state) % 31) * SEC
                             : *now - (int64_t)(next_random(state) % 60) * SEC;
    return event;
}

/* Returns how many detections there were. */
static int run(const struct row *row, uint64_t seed)
{
    static struct outcomes got, expected;
    static struct reference reference;
    struct bench b;
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "rules: [base, second, third], group-by: user.name, %s", row->rule);
    open_bench(&b, text);
    got.n = expected.n = 0;
    memset(&reference, 0, sizeof(reference));
    for (int g = 0; g < GROUPS; g++) {
        reference.groups[g].fired = INT64_MIN;
    }
    is_sliding = slides(row);
    uint64_t state = seed;
    int64_t now = 1000 * SEC;
    for (int i = 0; i < RUN; i++) {
        const struct past event = make_event(&state, i, &now);
        step(&reference, row, &event, &expected);
        feed(&b, &event, &got);
        if (next_random(&state) % 64 == 0) {
            restart(&b);
        }
    }
    rul_correlator_advance(b.c, now + 1000 * SEC);
    rul_correlator_close(b.c, on_detection, &got);
    qsort(reference.past, (size_t)reference.n, sizeof(reference.past[0]), by_time);
    for (int g = 0; g < GROUPS && !slides(row); g++) {
        (row->starts == ALIGNED ? test_aligned : test_windows)(&reference, row, g,
                                                               &expected);
    }
    assert_int_equal(bench_stats(&b).capped, 0);
    compare(row, &got, &expected, seed);
    close_bench(&b);
    return got.n;
}

static const struct row rows[] = {
    {"type: temporal, timespan: 12s", 12 * SEC, all_three, 0},
    {"type: temporal, timespan: 5s, condition: {gte: 2}", 5 * SEC, two_or_more, 0},
    {"type: temporal, timespan: 40s, condition: {gt: 1}", 40 * SEC, two_or_more, 0},
    {"type: temporal, timespan: 8s, condition: base and (second or third)", 8 * SEC,
     a_and_b_or_c, 0},
    {"type: temporal_ordered, timespan: 15s", 15 * SEC, order_abc, 0},
    {"type: temporal_ordered, timespan: 50s", 50 * SEC, order_abc, 0},
    {"type: temporal_ordered, timespan: 6s, condition: base and second and third",
     6 * SEC, order_abc, 0},
    {"type: temporal, timespan: 10s, condition: base and not second", 10 * SEC, a_not_b,
     1U},
    {"type: temporal, timespan: 45s, condition: base and not second", 45 * SEC, a_not_b,
     1U},
    {"type: temporal, timespan: 9s, condition: base and second and not third", 9 * SEC,
     a_b_not_c, 3U},
    {"type: temporal, timespan: 7s, condition: (base and not second) or third", 7 * SEC,
     a_not_b_or_c, 5U},
    {"type: temporal, timespan: 6s, condition: {eq: 2}", 6 * SEC, exactly_two, 7U},
    {"type: temporal_ordered, timespan: 11s, condition: base and third and not second",
     11 * SEC, order_ac_not_b, 5U},
    {"type: temporal_ordered, timespan: 9s, condition: {gte: 2}", 9 * SEC, order_of_two,
     0},
    {"type: temporal, timespan: 12s}\nhaidang: {window: tumbling", 12 * SEC, all_three,
     ALIGNED},
    {"type: temporal, timespan: 10s, condition: base and not second}\nhaidang: {window: "
     "tumbling",
     10 * SEC, a_not_b, ALIGNED},
    {"type: temporal_ordered, timespan: 20s}\nhaidang: {window: tumbling", 20 * SEC,
     order_abc, ALIGNED},
    {"type: temporal, timespan: 12s}\nhaidang: {reset: true", 12 * SEC, all_three,
     RESETS},
    {"type: temporal_ordered, timespan: 30s}\nhaidang: {reset: true", 30 * SEC, order_abc,
     RESETS},
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
        detections[i % ROWS] += (uint64_t)run(&rows[i % ROWS], (i + 1) * 104729);
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
