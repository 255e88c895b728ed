/* SPDX-License-Identifier: Apache-2.0
 *
 * What a correlation can say beyond Sigma: `null_group`, `reset` and `window` of the
 * `haidang` map; and what a detection says about an order that nobody knows.
 */
#include "tests/unit/rules/correlate_kit.h"

#include <string.h>

#define COUNT3(options)                                                                  \
    "type: event_count, rules: base, group-by: user.name, timespan: 10s, "               \
    "condition: {gte: 3}}\nhaidang: {" options
#define ORDERED(options)                                                                 \
    "type: temporal_ordered, rules: [base, second, third], timespan: "                   \
    "10s}\nhaidang: {" options

/* ---- null_group ---- */

static void test_null_group(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT3("null_group: true"));
    assert_false(hit_as(&b, 100 * SEC, NULL, NULL));
    assert_false(hit_as(&b, 101 * SEC, NULL, NULL));
    assert_false(hit_as(&b, 102 * SEC, "", NULL)); /* an empty value is another group */
    assert_false(hit_as(&b, 102 * SEC, "root", NULL));
    assert_true(hit_as(&b, 103 * SEC, NULL, NULL));
    assert_string_equal(b.group, "user.name absent;");
    assert_int_equal(bench_stats(&b).no_group, 0);
    assert_int_equal(bench_stats(&b).groups, 3);
    assert_false(hit_as(&b, 104 * SEC, "", NULL));
    assert_true(hit_as(&b, 105 * SEC, "", NULL));
    assert_string_equal(b.group, "user.name=;");
    close_bench(&b);
}

static void test_no_null_group(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT3("null_group: false"));
    for (int i = 0; i < 5; i++) {
        assert_false(hit_as(&b, (100 + i) * SEC, NULL, NULL));
    }
    assert_int_equal(bench_stats(&b).no_group, 5);
    assert_int_equal(bench_stats(&b).groups, 0);
    close_bench(&b);
}

/* One of two fields is enough to tell groups apart. A counted value that is absent is
 * none, whatever the group says. */
static void test_null_of_two(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, "type: value_count, rules: base, group-by: [user.name, host.name], "
                   "timespan: 10s, condition: {field: source.ip, gte: 2}}\n"
                   "haidang: {null_group: true");
    assert_false(hit_as(&b, 100 * SEC, "a", "192.0.2.1"));
    assert_false(hit_as(&b, 100 * SEC, "b", "192.0.2.2"));
    assert_false(hit_as(&b, 100 * SEC, "a", NULL));
    assert_int_equal(bench_stats(&b).no_group, 1);
    assert_true(hit_as(&b, 101 * SEC, "a", "192.0.2.2"));
    assert_string_equal(b.group, "user.name=a;host.name absent;");
    close_bench(&b);
}

/* To others the detection is an event without that field. */
static void test_null_to_others(void **state)
{
    (void)state;
    static const char *const options[] = {"null_group: false", "null_group: true"};
    for (unsigned i = 0; i < 2; i++) {
        struct bench b;
        char text[1024];
        (void)snprintf(text, sizeof(text),
                       "%s}\nname: lower\n---\ntitle: upper\n"
                       "correlation: {type: event_count, rules: lower, group-by: "
                       "user.name, timespan: 1m, condition: {gte: 1}}\nhaidang: {%s",
                       COUNT3("null_group: true"), options[i]);
        open_bench(&b, text);
        for (int k = 0; k < 3; k++) {
            (void)hit_as(&b, (100 + k) * SEC, NULL, NULL);
        }
        assert_int_equal(b.fired, 1 + i);
        assert_int_equal(bench_stats(&b).no_group, 1 - i);
        close_bench(&b);
    }
}

/* ---- reset ---- */

static void test_reset(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT3("reset: true"));
    for (int i = 1; i <= 9; i++) {
        assert_int_equal(hit(&b, 100 * SEC + i), i % 3 == 0);
        assert_int_equal(b.suppressed, 0);
    }
    assert_int_equal(b.first_ns, 100 * SEC + 7); /* what has fired is used up */
    close_bench(&b);
}

static void test_no_reset(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT3("reset: false"));
    for (int i = 1; i <= 9; i++) {
        assert_int_equal(hit(&b, 100 * SEC + i), i == 3);
    }
    close_bench(&b);
}

/* What comes after the detection counts for the next, however late it is. */
static void test_reset_late(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT3("reset: true"));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hit(&b, (100 + i) * SEC), i == 2);
    }
    assert_false(hit(&b, 93 * SEC));
    assert_false(hit(&b, 92 * SEC)); /* T older than the newest: outside */
    assert_false(hit(&b, 102 * SEC));
    assert_true(hit(&b, 102 * SEC));
    assert_int_equal(b.first_ns, 93 * SEC);
    close_bench(&b);
}

static void test_reset_types(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "type: value_count, rules: base, timespan: 10s, "
        "condition: {field: user.name, gte: 2}}\nhaidang: {reset: true",
        "type: value_sum, rules: base, timespan: 10s, "
        "condition: {field: source.port, gte: 3}}\nhaidang: {reset: true",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench b;
        open_bench(&b, rows[i]);
        for (int k = 1; k <= 6; k++) {
            assert_int_equal(
                hit_number(&b, "base", (100 + k) * SEC, k % 2 == 0 ? "a" : "b", "2"),
                k % 2 == 0);
        }
        close_bench(&b);
    }
}

static bool hit_at(struct bench *b, const char *rule, int64_t second, const char *place)
{
    return hit_rule(b, rule, second * SEC, place, "root", NULL);
}

static void test_reset_order(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, ORDERED("reset: true"));
    assert_false(hit_at(&b, "base", 100, "a/b/1"));
    assert_false(hit_at(&b, "second", 101, "a/b/2"));
    assert_true(hit_at(&b, "third", 102, "a/b/3"));
    assert_false(hit_at(&b, "third", 103, "a/b/4"));
    assert_false(hit_at(&b, "base", 104, "a/b/5"));
    assert_false(hit_at(&b, "second", 105, "a/b/6"));
    assert_true(hit_at(&b, "third", 106, "a/b/7"));
    assert_int_equal(b.first_ns, 104 * SEC);
    close_bench(&b);
}

/* ---- window ---- */

static void test_tumbling_edges(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT3("window: tumbling"));
    assert_false(hit(&b, 108 * SEC));
    assert_false(hit(&b, 109 * SEC));
    assert_false(hit(&b, 110 * SEC)); /* the next window's: sliding would fire */
    assert_false(close_at(&b, 150 * SEC));
    assert_false(hit(&b, 160 * SEC));
    assert_false(hit(&b, 169 * SEC));
    assert_false(hit(&b, 170 * SEC - 1));
    assert_false(hit(&b, 165 * SEC)); /* exact, however many */
    assert_false(close_at(&b, 200 * SEC - 1));
    assert_true(close_at(&b, 200 * SEC));
    assert_int_equal(b.count, 4);
    assert_int_equal(b.first_ns, 160 * SEC);
    close_bench(&b);
}

static void test_tumbling_temporal(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, "type: temporal, timespan: 10s, condition: base and not second}\n"
                   "haidang: {window: tumbling");
    assert_false(hit_at(&b, "second", 109, "a/b/1"));
    assert_false(hit_at(&b, "base", 110, "a/b/2"));
    assert_true(close_at(&b, 150 * SEC)); /* [110, 120) */
    assert_int_equal(b.fired, 1);
    assert_false(hit_at(&b, "second", 160, "a/b/3")); /* before, and yet in it */
    assert_false(hit_at(&b, "base", 169, "a/b/4"));
    assert_false(close_at(&b, 250 * SEC));
    close_bench(&b);
}

static void test_tumbling_order(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, ORDERED("window: tumbling"));
    assert_false(hit_at(&b, "base", 109, "a/b/1"));
    assert_false(hit_at(&b, "third", 112, "a/b/2"));
    assert_false(hit_at(&b, "second", 111, "a/b/3")); /* base is in the one before */
    assert_false(close_at(&b, 160 * SEC));
    assert_false(hit_at(&b, "third", 162, "a/b/4"));
    assert_false(hit_at(&b, "second", 161, "a/b/5"));
    assert_false(hit_at(&b, "base", 160, "a/b/6")); /* late, and first */
    assert_true(close_at(&b, 200 * SEC));
    assert_int_equal(b.count, 3);
    close_bench(&b);
}

/* ---- an order that nobody knows ---- */

static void test_ambiguous(void **state)
{
    (void)state;
    static const struct {
        const char *second, *third;
        int64_t at;
        bool is_ambiguous;
    } rows[] = {
        {"a/b/2", "a/b/3", 100, false}, /* one agent: as it numbered them */
        {"x/b/2", "a/b/3", 100, true},
        {"x/b/2", "a/b/3", 101, true}, /* base and second still share a time */
        {"a/b/2", "x/b/3", 101, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench b;
        open_bench(&b, ORDERED(""));
        assert_false(hit_at(&b, "base", 100, "a/b/1"));
        assert_false(hit_at(&b, "second", 100, rows[i].second));
        assert_true(hit_at(&b, "third", rows[i].at, rows[i].third));
        assert_int_equal(b.is_ambiguous, rows[i].is_ambiguous);
        close_bench(&b);
    }
}

/* An earlier base is surely before: that the latest one may not be does not matter, as
 * long as the earlier one is in the window. */
static void test_surely_in_order(void **state)
{
    (void)state;
    for (int64_t first = 92; first <= 93; first++) {
        struct bench b;
        open_bench(&b, ORDERED(""));
        assert_false(hit_at(&b, "base", first, "a/b/1"));
        assert_false(hit_at(&b, "base", 100, "a/b/2"));
        assert_false(hit_at(&b, "second", 100, "x/b/1"));
        assert_true(hit_at(&b, "third", 102, "a/b/3"));
        assert_int_equal(b.first_ns, 100 * SEC);
        assert_int_equal(b.is_ambiguous, first == 92); /* 92 is exactly T old */
        close_bench(&b);
    }
}

/* ---- reading them ---- */

static void test_refused_options(void **state)
{
    (void)state;
    static const struct {
        const char *correlation, *place, *what;
    } rows[] = {
        {COUNT3("window: hopping"), ":19:", "sliding, tumbling or session"},
        {COUNT3("output: stream"), ":19:11:", "generate: true"},
        {COUNT3("reset: perhaps"), ":19:", "true or false"},
        {COUNT3("null_group: [true]"), ":19:", "true or false"},
        {COUNT3("windows: sliding"), ":19:", "unknown key 'haidang.windows'"},
        {COUNT3("window: tumbling, reset: true"), ":19:", "while counting up"},
        {"type: event_count, rules: base, timespan: 10s, condition: {lt: 3}}\n"
         "haidang: {reset: true",
         ":19:11:", "while counting up"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_refused(rows[i].correlation, rows[i].place, rows[i].what);
    }
}

static void test_only_correlations(void **state)
{
    (void)state;
    struct kit kit;
    kit_load(&kit, "title: t\nlogsource: {product: p}\ndetection: {s: {F: x}, condition: "
                   "s}\nhaidang:\n    null_group: true\n");
    assert_int_equal(kit.errors, 1);
    assert_non_null(strstr(kit.first.text, ":5:5:"));
    assert_non_null(strstr(kit.first.text, "only a correlation"));
    kit_free(&kit);
}

static uint64_t hash_with(const char *correlation)
{
    struct bench b;
    open_bench(&b, correlation);
    uint64_t hash = rul_set_find(b.kit.set, HD_SLICE("corr"))->hash;
    close_bench(&b);
    return hash;
}

/* State of a rule whose options have changed starts anew; saying what holds anyway
 * changes nothing. */
static void test_options_are_meaning(void **state)
{
    (void)state;
    uint64_t plain = hash_with(COUNT3(""));
    assert_int_equal(hash_with(COUNT3("window: sliding, reset: false")), plain);
    assert_int_equal(hash_with(COUNT3("title_vi: x")), plain);
    assert_int_not_equal(hash_with(COUNT3("window: tumbling")), plain);
    assert_int_not_equal(hash_with(COUNT3("reset: true")), plain);
    assert_int_not_equal(hash_with(COUNT3("null_group: true")), plain);
    assert_int_not_equal(hash_with(COUNT3("null_group: true")),
                         hash_with(COUNT3("reset: true")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_group),
        cmocka_unit_test(test_no_null_group),
        cmocka_unit_test(test_null_of_two),
        cmocka_unit_test(test_null_to_others),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_no_reset),
        cmocka_unit_test(test_reset_late),
        cmocka_unit_test(test_reset_types),
        cmocka_unit_test(test_reset_order),
        cmocka_unit_test(test_tumbling_edges),
        cmocka_unit_test(test_tumbling_temporal),
        cmocka_unit_test(test_tumbling_order),
        cmocka_unit_test(test_ambiguous),
        cmocka_unit_test(test_surely_in_order),
        cmocka_unit_test(test_refused_options),
        cmocka_unit_test(test_only_correlations),
        cmocka_unit_test(test_options_are_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
