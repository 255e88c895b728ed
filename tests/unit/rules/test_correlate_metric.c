/* SPDX-License-Identifier: Apache-2.0
 *
 * value_sum, value_avg, value_percentile: one test on each side of every edge.
 */
#include "tests/unit/rules/correlate_kit.h"

#include <stdio.h>

#define METRIC(type, condition)                                                          \
    "type: " type ", rules: base, group-by: user.name, timespan: 10s, condition: "       \
    "{field: source.port, " condition "}"

/* Feeds numbers a second apart; which of them (from 1) fired, 0 = none. */
static int fired_at(const char *correlation, const char *const *numbers)
{
    struct bench b;
    int at = 0;
    open_bench(&b, correlation);
    for (int i = 0; numbers[i] != NULL && at == 0; i++) {
        at = hit_number(&b, "base", (100 + i) * SEC, "u", numbers[i]) ? i + 1 : 0;
    }
    close_bench(&b);
    return at;
}

#define NUMBERS(...)                                                                     \
    (const char *const[])                                                                \
    {                                                                                    \
        __VA_ARGS__, NULL                                                                \
    }

static void test_sum(void **state)
{
    (void)state;
    assert_int_equal(
        fired_at(METRIC("value_sum", "gt: 10"), NUMBERS("4", "6", "0.000001")), 3);
    assert_int_equal(fired_at(METRIC("value_sum", "gte: 10"), NUMBERS("4", "6", "1")), 2);
    assert_int_equal(
        fired_at(METRIC("value_sum", "gte: 10"), NUMBERS("4", "5.999999", "0")), 0);
    /* ten tenths are one */
    assert_int_equal(
        fired_at(METRIC("value_sum", "gte: 0.3"), NUMBERS("0.1", "0.1", "0.1")), 3);
    assert_int_equal(
        fired_at(METRIC("value_sum", "gt: 0.3"), NUMBERS("0.1", "0.1", "0.1")), 0);
    assert_int_equal(fired_at(METRIC("value_sum", "gte: 5"), NUMBERS("10", "1")), 1);
    assert_int_equal(fired_at(METRIC("value_sum", "gte: 5"), NUMBERS("-10", "14", "1")),
                     3);
}

static void test_sum_window(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, METRIC("value_sum", "gte: 10"));
    assert_false(hit_number(&b, "base", 100 * SEC, "u", "5"));
    assert_false(hit_number(&b, "base", 110 * SEC, "u", "5")); /* exactly T old */
    assert_false(hit_number(&b, "base", 115 * SEC, "v", "5")); /* another group */
    assert_true(hit_number(&b, "base", 120 * SEC - 1, "u", "5"));
    assert_int_equal(b.count, 2);
    assert_int_equal(b.first_ns, 110 * SEC);
    assert_string_equal(b.position, "web1/b00t/2");
    /* late, and inside the window */
    assert_false(hit_number(&b, "base", 112 * SEC, "u", "-1"));
    assert_int_equal(bench_stats(&b).late, 0);
    close_bench(&b);
}

static void test_no_number(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, METRIC("value_sum", "gte: 1"));
    static const char *const bad[] = {"",  "x", "1x", "0x10", "nan", "9000000000001",
                                      NULL};
    for (size_t i = 0; bad[i] != NULL; i++) {
        assert_false(hit_number(&b, "base", 100 * SEC, "u", bad[i]));
        assert_int_equal(bench_stats(&b).no_number, i + 1);
    }
    assert_false(hit_number(&b, "base", 100 * SEC, "u", NULL));
    assert_int_equal(bench_stats(&b).no_number, 7);
    assert_true(hit_number(&b, "base", 100 * SEC, "u", "9000000000000"));
    assert_int_equal(b.count, 1);
    close_bench(&b);
}

static void test_average(void **state)
{
    (void)state;
    assert_int_equal(fired_at(METRIC("value_avg", "gt: 5"), NUMBERS("5", "5", "5")), 0);
    assert_int_equal(fired_at(METRIC("value_avg", "gte: 5"), NUMBERS("4", "6")), 2);
    /* 10/3 is above 3.333333 by less than a millionth */
    assert_int_equal(
        fired_at(METRIC("value_avg", "gt: 3.333333"), NUMBERS("3", "3", "4")), 3);
    assert_int_equal(
        fired_at(METRIC("value_avg", "gt: 3.333334"), NUMBERS("3", "3", "4")), 0);
}

static void test_percentile(void **state)
{
    (void)state;
    /* the median of four is the second, of five the third */
    assert_int_equal(fired_at(METRIC("value_percentile", "percentile: 50, gt: 2"),
                              NUMBERS("1", "2", "3", "4")),
                     0);
    assert_int_equal(fired_at(METRIC("value_percentile", "percentile: 50, gt: 2"),
                              NUMBERS("1", "2", "3", "4", "5")),
                     5);
    assert_int_equal(fired_at(METRIC("value_percentile", "percentile: 50, gte: 2"),
                              NUMBERS("1", "2", "3")),
                     3);
    assert_int_equal(fired_at(METRIC("value_percentile", "percentile: 100, gte: 9"),
                              NUMBERS("8", "1", "9")),
                     3);
    assert_int_equal(fired_at(METRIC("value_percentile", "percentile: 1, gte: 2"),
                              NUMBERS("1", "3", "4")),
                     0);
}

/* ---- tested when a window has ended ---- */

static unsigned fired_after(const char *correlation, const char *const *numbers)
{
    struct bench b;
    open_bench(&b, correlation);
    for (int i = 0; numbers[i] != NULL; i++) {
        assert_false(hit_number(&b, "base", (100 + i) * SEC, "u", numbers[i]));
    }
    (void)close_at(&b, 1000 * SEC);
    unsigned fired = b.fired;
    close_bench(&b);
    return fired;
}

static void test_closing(void **state)
{
    (void)state;
    static const struct {
        const char *correlation;
        unsigned fired;
    } rows[] = {
        {METRIC("value_sum", "lt: 6"), 0},
        {METRIC("value_sum", "lte: 6"), 1},
        {METRIC("value_sum", "lt: 6.000001"), 1},
        {METRIC("value_sum", "eq: 6"), 1},
        {METRIC("value_sum", "eq: 5.999999"), 0},
        {METRIC("value_sum", "neq: 6"), 0},
        {METRIC("value_sum", "neq: 7"), 1},
        {METRIC("value_sum", "gt: 5, lt: 7"), 1},
        {METRIC("value_sum", "gt: 6, lt: 7"), 0},
        {METRIC("value_sum", "gte: 6, lte: 6"), 1},
        {METRIC("value_avg", "lt: 2"), 0},
        {METRIC("value_avg", "lte: 2"), 1},
        {METRIC("value_percentile", "percentile: 67, lt: 3"), 0},
        {METRIC("value_percentile", "percentile: 66, lt: 3"), 1},
        {METRIC("value_percentile", "percentile: 66, eq: 2"), 1},
        {METRIC("value_percentile", "percentile: 67, eq: 2"), 0},
        {METRIC("value_percentile", "percentile: 34, neq: 2"), 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (fired_after(rows[i].correlation, NUMBERS("3", "1", "2")) != rows[i].fired) {
            fail_msg("%s: not fired %u times", rows[i].correlation, rows[i].fired);
        }
    }
}

static void test_closing_edge(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, METRIC("value_sum", "lte: 3"));
    (void)hit_number(&b, "base", 110 * SEC - 1, "u", "1");
    (void)hit_number(&b, "base", 110 * SEC, "u", "7");
    (void)hit_number(&b, "base", 105 * SEC, "u", "2");
    assert_false(close_at(&b, 140 * SEC - 1));
    assert_true(close_at(&b, 140 * SEC));
    assert_int_equal(b.count, 2);
    assert_int_equal(b.first_ns, 105 * SEC);
    assert_int_equal(b.last_ns, 110 * SEC - 1);
    assert_false(close_at(&b, 1000 * SEC));
    close_bench(&b);
}

/* ---- limits ---- */

static void test_cap(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, "type: value_sum, rules: base, timespan: 1h, condition: {field: "
                   "source.port, gte: 10001}");
    for (int i = 0; i < 10000; i++) {
        assert_false(hit_number(&b, "base", 100 * SEC + i, "u", "1"));
    }
    assert_int_equal(bench_stats(&b).capped, 0);
    assert_false(hit_number(&b, "base", 200 * SEC, "u", "1")); /* the oldest goes */
    assert_int_equal(bench_stats(&b).capped, 1);
    assert_true(hit_number(&b, "base", 200 * SEC, "u", "2"));
    assert_int_equal(b.count, 10000);
    close_bench(&b);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *correlation, *place, *what;
    } rows[] = {
        {METRIC("value_percentile", "gte: 5"), ":18:", "needs 'percentile'"},
        {METRIC("value_percentile", "percentile: 0, gte: 5"), ":18:", "from 1 to 100"},
        {METRIC("value_percentile", "percentile: 101, gte: 5"), ":18:", "from 1 to 100"},
        {METRIC("value_sum", "percentile: 5, gte: 5"), ":18:", "only a value_percentile"},
        {METRIC("value_sum", "gte: many"), ":18:", "a number up to"},
        {METRIC("value_sum", "gte: 9000000000001"), ":18:", "a number up to"},
        {METRIC("value_sum", "above: 3"), ":18:", "unknown comparison"},
        {METRIC("value_sum", "gt: 3, lt: 3"), ":18:", "no number can meet"},
        {METRIC("value_sum", "gt: 3, lte: 3"), ":18:", "no number can meet"},
        {"type: value_sum, rules: base, timespan: 1m, condition: {field: x}",
         ":18:", "needs a comparison"},
        {"type: value_sum, rules: base, timespan: 1m, condition: {field: [x, y], gt: 1}",
         ":18:", "one field"},
        {"type: value_avg, rules: base, timespan: 1m, condition: {gt: 1}",
         ":18:", "needs 'field'"},
        {"type: value_avg, rules: base, timespan: 1m", ":18:", "'condition' is missing"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_refused(rows[i].correlation, rows[i].place, rows[i].what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum),          cmocka_unit_test(test_sum_window),
        cmocka_unit_test(test_no_number),    cmocka_unit_test(test_average),
        cmocka_unit_test(test_percentile),   cmocka_unit_test(test_closing),
        cmocka_unit_test(test_closing_edge), cmocka_unit_test(test_cap),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
