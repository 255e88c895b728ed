/* SPDX-License-Identifier: Apache-2.0
 *
 * `window: session`: a window lasts as long as events of its group follow each other less
 * than `gap` apart, at most `timespan`. Each side of every edge of docs/correlation.md.
 */
#include "tests/unit/rules/correlate_kit.h"

#include <string.h>

#define SESSION(condition, options)                                                      \
    "type: event_count, rules: base, group-by: user.name, timespan: 60s, "               \
    "condition: {" condition "}}\nhaidang: {window: session, gap: 10s" options

/* ---- while counting up ---- */

static void test_gap(void **state)
{
    (void)state;
    for (int64_t late = 0; late <= 1; late++) {
        struct bench b;
        open_bench(&b, SESSION("gte: 3", ""));
        assert_false(hit(&b, 100 * SEC));
        assert_false(hit(&b, 110 * SEC - 1));
        /* exactly `gap` after the one before: the next session */
        assert_int_equal(hit(&b, 120 * SEC - 2 + late), late == 0);
        close_bench(&b);
    }
}

static void test_longest(void **state)
{
    (void)state;
    for (int64_t late = 0; late <= 1; late++) {
        struct bench b;
        open_bench(&b, SESSION("gte: 8", ""));
        for (int64_t i = 0; i < 7; i++) {
            assert_false(hit(&b, (100 + 9 * i) * SEC));
        }
        /* exactly `timespan` after the first: the next session */
        assert_int_equal(hit(&b, 160 * SEC - 1 + late), late == 0);
        if (late == 0) {
            assert_int_equal(b.first_ns, 100 * SEC);
            assert_int_equal(b.last_ns, 160 * SEC - 1);
            assert_int_equal(b.count, 8);
        }
        close_bench(&b);
    }
}

static void test_once_a_session(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, SESSION("gte: 2", ""));
    for (int64_t i = 0; i < 14; i++) { /* 100 .. 155 is one, 160 .. 165 the next */
        assert_int_equal(hit(&b, (100 + 5 * i) * SEC), i == 1 || i == 13);
        assert_int_equal(b.suppressed, 0);
    }
    assert_int_equal(b.first_ns, 160 * SEC);
    assert_string_equal(b.position, "web1/b00t/13");
    assert_false(hit_as(&b, 170 * SEC, "other", NULL)); /* groups have their own */
    assert_true(hit_as(&b, 171 * SEC, "other", NULL));
    close_bench(&b);
}

static void test_reset(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, SESSION("gte: 2", ", reset: true"));
    for (int64_t i = 0; i < 6; i++) {
        assert_int_equal(hit(&b, (100 + i) * SEC), i % 2 == 1);
    }
    assert_int_equal(b.first_ns, 104 * SEC);
    close_bench(&b);
}

/* A late event takes its place; before the first one it begins the session earlier. */
static void test_late(void **state)
{
    (void)state;
    for (int64_t early = 0; early <= 1; early++) {
        struct bench b;
        open_bench(&b, SESSION("gte: 3", ""));
        assert_false(hit(&b, 120 * SEC));
        assert_false(hit(&b, 125 * SEC));
        assert_int_equal(hit(&b, 110 * SEC + 1 - early), early == 0);
        assert_int_equal(bench_stats(&b).capped, early);
        assert_int_equal(b.first_ns, early == 0 ? 110 * SEC + 1 : 0);
        close_bench(&b);
    }
}

static void test_late_and_too_long(void **state)
{
    (void)state;
    for (int64_t early = 0; early <= 1; early++) {
        struct bench b;
        open_bench(&b, "type: event_count, rules: base, timespan: 20s, "
                       "condition: {gte: 4}}\nhaidang: {window: session, gap: 10s");
        assert_false(hit(&b, 110 * SEC));
        assert_false(hit(&b, 119 * SEC));
        assert_false(hit(&b, 125 * SEC));
        assert_int_equal(hit(&b, 105 * SEC + 1 - early), early == 0);
        assert_int_equal(bench_stats(&b).capped, early);
        close_bench(&b);
    }
}

static void test_values(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, "type: value_count, rules: base, timespan: 60s, condition: {field: "
                   "user.name, gte: 3}}\nhaidang: {window: session, gap: 10s");
    assert_false(hit_as(&b, 100 * SEC, "a", NULL));
    assert_false(hit_as(&b, 109 * SEC, "b", NULL));
    assert_false(hit_as(&b, 118 * SEC, "a", NULL));
    assert_true(hit_as(&b, 127 * SEC, "c", NULL)); /* sliding by 10 s never would */
    assert_int_equal(b.first_ns, 100 * SEC);
    assert_int_equal(b.count, 3);
    close_bench(&b);
}

static void test_sum(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, "type: value_sum, rules: base, timespan: 60s, condition: {field: "
                   "source.port, gt: 10}}\nhaidang: {window: session, gap: 10s");
    assert_false(hit_number(&b, "base", 100 * SEC, "a", "10"));
    assert_false(hit_number(&b, "base", 110 * SEC, "a", "6")); /* the next session */
    assert_true(hit_number(&b, "base", 111 * SEC, "a", "4.5"));
    assert_false(hit_number(&b, "base", 112 * SEC, "a", "-9"));
    assert_false(hit_number(&b, "base", 113 * SEC, "a", "50")); /* once a session */
    close_bench(&b);
}

/* Groups that no event can join any more go. */
static void test_dropped(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, SESSION("gte: 2", ""));
    assert_false(hit_as(&b, 100 * SEC, "a", NULL));
    assert_false(hit_as(&b, 140 * SEC - 1, "b", NULL));
    assert_int_equal(bench_stats(&b).groups, 2);
    assert_false(hit_as(&b, 140 * SEC, "c", NULL)); /* the watermark is at 110 */
    assert_int_equal(bench_stats(&b).groups, 2);
    assert_int_equal(bench_stats(&b).evicted, 0);
    close_bench(&b);
}

/* ---- at the end ---- */

static void test_end_by_gap(void **state)
{
    (void)state;
    for (int64_t over = 0; over <= 1; over++) {
        struct bench b;
        open_bench(&b, SESSION("lt: 3", ""));
        assert_false(hit(&b, 100 * SEC));
        assert_false(hit(&b, 109 * SEC));
        /* the watermark is 30 s behind */
        assert_int_equal(close_at(&b, 149 * SEC - 1 + over), over);
        (void)close_at(&b, 500 * SEC);
        assert_int_equal(b.fired, 1);
        assert_int_equal(b.count, 2);
        assert_int_equal(b.first_ns, 100 * SEC);
        assert_int_equal(b.last_ns, 109 * SEC);
        assert_int_equal(bench_stats(&b).groups, 0);
        close_bench(&b);
    }
}

static void test_end_by_length(void **state)
{
    (void)state;
    for (int64_t over = 0; over <= 1; over++) {
        struct bench b;
        open_bench(&b, "type: event_count, rules: base, timespan: 20s, "
                       "condition: {lte: 4}}\nhaidang: {window: session, gap: 10s");
        assert_false(hit(&b, 100 * SEC));
        assert_false(hit(&b, 109 * SEC));
        assert_false(hit(&b, 118 * SEC));
        /* exactly `timespan` after the first is the next session's */
        assert_false(hit(&b, 120 * SEC - 1 + over));
        assert_false(close_at(&b, 150 * SEC - 1));
        assert_true(close_at(&b, 151 * SEC));
        assert_int_equal(b.count, over == 0 ? 4 : 3);
        assert_int_equal(b.last_ns, over == 0 ? 120 * SEC - 1 : 118 * SEC);
        assert_int_equal(close_at(&b, 161 * SEC), over);
        assert_int_equal(b.first_ns, over == 0 ? 100 * SEC : 120 * SEC);
        close_bench(&b);
    }
}

/* What arrives late joins, or parts, sessions as if it had come in time. */
static void test_end_with_late(void **state)
{
    (void)state;
    for (int64_t joins = 0; joins <= 1; joins++) {
        struct bench b;
        open_bench(&b, SESSION("eq: 3", ""));
        assert_false(hit(&b, 100 * SEC));
        assert_false(hit(&b, 118 * SEC));
        assert_false(hit(&b, 108 * SEC + joins));
        assert_int_equal(close_at(&b, 300 * SEC), joins);
        close_bench(&b);
    }
}

/* More events than may wait for their place: the oldest take theirs. */
static void test_end_capped(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, SESSION("lte: 600", ""));
    for (int64_t i = 0; i < 600; i++) {
        assert_false(hit(&b, 100 * SEC + i * 10000000)); /* 6 s */
    }
    assert_int_equal(bench_stats(&b).capped, 0);
    assert_false(hit(&b, 100 * SEC + 1)); /* those after it have theirs */
    assert_int_equal(bench_stats(&b).capped, 1);
    assert_true(close_at(&b, 300 * SEC));
    assert_int_equal(b.count, 600);
    close_bench(&b);
}

/* To others a session that is over is an event at its end. */
static void test_end_to_others(void **state)
{
    (void)state;
    for (int64_t late = 0; late <= 1; late++) {
        struct bench b;
        char text[1024];
        (void)snprintf(text, sizeof(text),
                       "%s}\nname: lower\n---\ntitle: upper\ncorrelation: {type: "
                       "event_count, rules: lower, timespan: 10s, condition: {gte: 2}}\n"
                       "haidang: {null_group: false",
                       SESSION("lte: 5", ""));
        open_bench(&b, text);
        assert_false(hit_as(&b, 100 * SEC, "a", NULL)); /* over at 110 */
        assert_false(hit_as(&b, 110 * SEC - 1 + late, "b", NULL));
        assert_true(close_at(&b, 300 * SEC));
        assert_int_equal(b.fired, late == 0 ? 3 : 2);
        close_bench(&b);
    }
}

/* ---- a restart ---- */

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

static void test_restart(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, SESSION("gte: 3", ""));
    assert_false(hit(&b, 100 * SEC));
    assert_false(hit(&b, 109 * SEC));
    restart(&b);
    assert_true(hit(&b, 118 * SEC));
    assert_int_equal(b.first_ns, 100 * SEC);
    assert_string_equal(b.position, "web1/b00t/1");
    restart(&b);
    assert_false(hit(&b, 119 * SEC)); /* it has fired */
    close_bench(&b);
    open_bench(&b, SESSION("eq: 5", ""));
    assert_false(hit(&b, 100 * SEC)); /* in its place */
    assert_false(hit(&b, 131 * SEC)); /* wait for theirs: */
    assert_false(hit(&b, 108 * SEC));
    assert_false(hit(&b, 124 * SEC));
    restart(&b);
    assert_false(hit(&b, 116 * SEC));
    assert_true(close_at(&b, 171 * SEC));
    assert_int_equal(b.count, 5);
    close_bench(&b);
}

/* ---- reading ---- */

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *correlation, *place, *what;
    } rows[] = {
        {"type: event_count, rules: base, timespan: 10s, condition: {gte: 3}}\n"
         "haidang: {window: session",
         ":19:19:", "needs 'haidang.gap'"},
        {"type: event_count, rules: base, timespan: 10s, condition: {gte: 3}}\n"
         "haidang: {gap: 5s",
         ":19:16:", "belongs to 'haidang.window: session'"},
        {"type: event_count, rules: base, timespan: 10s, condition: {gte: 3}}\n"
         "haidang: {gap: 5s, window: tumbling",
         ":19:16:", "belongs to 'haidang.window: session'"},
        {"type: event_count, rules: base, timespan: 10s, condition: {gte: 3}}\n"
         "haidang: {window: session, gap: 11s",
         ":19:33:", "must not exceed 'timespan'"},
        {SESSION("gte: 3", "x"),
         ":19:33:", "'gap' must be a number with s, m, h, d or w"},
        {SESSION("lt: 3", ", reset: true"), ":19:", "while counting up"},
        {"type: temporal, rules: [base, second], timespan: 10s}\n"
         "haidang: {window: session, gap: 5s",
         ":19:19:", "a temporal has no sessions"},
        {"type: temporal_ordered, rules: [base, second], timespan: 10s}\n"
         "haidang: {window: session, gap: 5s",
         ":19:19:", "a temporal_ordered has no sessions"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_refused(rows[i].correlation, rows[i].place, rows[i].what);
    }
}

static uint64_t hash_with(const char *correlation)
{
    struct bench b;
    open_bench(&b, correlation);
    uint64_t hash = rul_set_find(b.kit.set, HD_SLICE("corr"))->hash;
    close_bench(&b);
    return hash;
}

/* `gap` may be as long as `timespan`, and is part of the meaning. */
static void test_gap_is_meaning(void **state)
{
    (void)state;
    static const char *const gaps[] = {"5s", "10s"};
    uint64_t hashes[2];
    for (unsigned i = 0; i < 2; i++) {
        char text[256];
        (void)snprintf(text, sizeof(text),
                       "type: event_count, rules: base, timespan: 10s, condition: {gte: "
                       "3}}\nhaidang: {window: session, gap: %s",
                       gaps[i]);
        hashes[i] = hash_with(text);
    }
    assert_int_not_equal(hashes[0], hashes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_once_a_session),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_late_and_too_long),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_end_by_gap),
        cmocka_unit_test(test_end_by_length),
        cmocka_unit_test(test_end_with_late),
        cmocka_unit_test(test_end_capped),
        cmocka_unit_test(test_end_to_others),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_gap_is_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
