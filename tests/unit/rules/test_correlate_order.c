/* SPDX-License-Identifier: Apache-2.0
 *
 * temporal and temporal_ordered: one test on each side of every edge.
 */
#include "tests/unit/rules/correlate_kit.h"

#include <stdio.h>

#define ALL                 "rules: [base, second, third], group-by: user.name, timespan: 10s"
#define TEMPORAL(condition) "type: temporal, " ALL condition
#define ORDERED(condition)  "type: temporal_ordered, " ALL condition

/* "a100 b105": base at 100 s, second at 105 s; c is third. An agent may follow: "a100@2".
 * Which word (from 1) fired, 0 = none. */
static int play(struct bench *b, const char *script)
{
    static const char *const names[] = {"base", "second", "third"};
    struct hd_slice rest = hd_slice_str(script), word;
    int n = 0, at = 0;
    while (hd_slice_split(&rest, ' ', &word)) {
        int rule = word.ptr[0] - 'a', agent = 1;
        char position[64];
        long time = 0;
        size_t i = 1;
        for (; i < word.len && word.ptr[i] != '@'; i++) {
            time = time * 10 + (word.ptr[i] - '0');
        }
        agent = i + 1 < word.len ? word.ptr[i + 1] - '0' : agent;
        (void)snprintf(position, sizeof(position), "agent%d/boot/%llu", agent,
                       (unsigned long long)++b->seq);
        bool fired = hit_rule(b, names[rule], time * SEC, position, "u", NULL);
        n++;
        at = fired && at == 0 ? n : at;
    }
    return at;
}

static int fired_at(const char *correlation, const char *script)
{
    struct bench b;
    open_bench(&b, correlation);
    int at = play(&b, script);
    close_bench(&b);
    return at;
}

static unsigned fired_after(const char *correlation, const char *script)
{
    struct bench b;
    open_bench(&b, correlation);
    (void)play(&b, script);
    (void)close_at(&b, 10000 * SEC);
    unsigned fired = b.fired;
    close_bench(&b);
    return fired;
}

/* ---- temporal ---- */

static void test_all_rules(void **state)
{
    (void)state;
    assert_int_equal(fired_at(TEMPORAL(""), "a100 b101 c102"), 3);
    assert_int_equal(fired_at(TEMPORAL(""), "c100 b101 a102"), 3);
    assert_int_equal(fired_at(TEMPORAL(""), "a100 b101 a102 b103"), 0);
    assert_int_equal(fired_at(TEMPORAL(""), "a100 b101 c110"), 0); /* exactly T old */
    assert_int_equal(fired_at(TEMPORAL(""), "a101 b101 c110"), 3);
    assert_int_equal(fired_at(TEMPORAL(""), "a100 b101 a105 c110"), 4); /* seen again */
    assert_int_equal(fired_at(TEMPORAL(""), "b105 c106 a100"), 3);      /* late */
    assert_int_equal(fired_at(TEMPORAL(""), "b105 c110 a100"), 0);
}

static void test_detection(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, TEMPORAL(""));
    assert_int_equal(play(&b, "a100 b101 a102 c103"), 4);
    assert_int_equal(b.count, 3);
    assert_int_equal(b.first_ns, 101 * SEC);
    assert_int_equal(b.last_ns, 103 * SEC);
    assert_string_equal(b.position, "agent1/boot/2");
    assert_string_equal(b.group, "user.name=u;");
    assert_int_equal(play(&b, "a104 a105 a112"), 0); /* while it holds on */
    assert_int_equal(play(&b, "b113 c113"), 2);      /* T after it fired */
    assert_int_equal(b.suppressed, 0);               /* it was false between: 112 */
    close_bench(&b);
}

static void test_counts(void **state)
{
    (void)state;
    assert_int_equal(fired_at(TEMPORAL(", condition: {gte: 2}"), "a100 a101 c102"), 3);
    assert_int_equal(fired_at(TEMPORAL(", condition: {gt: 2}"), "a100 c101 b102"), 3);
    assert_int_equal(fired_at(TEMPORAL(", condition: {gte: 2}"), "a100 c110"), 0);
    struct bench b;
    open_bench(&b, TEMPORAL(", condition: {gte: 2}"));
    assert_int_equal(play(&b, "a100 b111 b112 c113"), 4);
    assert_int_equal(b.count, 2);
    assert_int_equal(b.first_ns, 112 * SEC);
    close_bench(&b);
}

static void test_one_event_of_two_rules(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, "type: temporal, rules: [base, second], timespan: 10s");
    assert_false(hit_rule(&b, "base", 100 * SEC, "a/b/1", "u", NULL));
    assert_true(hit_rule(&b, "second", 100 * SEC, "a/b/1", "u", NULL));
    close_bench(&b);
}

static void test_boolean(void **state)
{
    (void)state;
#define BOOL(text) TEMPORAL(", condition: " text)
    assert_int_equal(fired_at(BOOL("base and second"), "a100 b101"), 2);
    assert_int_equal(fired_at(BOOL("base and second"), "a100 c101 b110"), 0);
    assert_int_equal(fired_at(BOOL("base or third"), "b100 c101"), 2);
    assert_int_equal(fired_at(BOOL("base and (second or third)"), "b100 c101 a102"), 3);
    assert_int_equal(fired_at(BOOL("base and (second or third)"), "b100 c101"), 0);
    assert_int_equal(fired_at(BOOL("not (not base or not second)"), "a100 b101"), 2);
    assert_int_equal(fired_at("type: temporal, timespan: 10s, condition: base and second",
                              "a100 b101"),
                     2); /* the rules are those that are named */
}

/* ---- not: tested when the window of an event has ended ---- */

static void test_not_edges(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, BOOL("base and not second"));
    assert_int_equal(play(&b, "a100"), 0);
    assert_false(close_at(&b, 140 * SEC - 1)); /* one of 109 might still come */
    assert_true(close_at(&b, 140 * SEC));
    assert_int_equal(b.count, 1);
    assert_int_equal(b.first_ns, 100 * SEC);
    assert_int_equal(b.last_ns, 100 * SEC);
    assert_string_equal(b.position, "agent1/boot/1");
    assert_int_equal(bench_stats(&b).groups, 0);
    close_bench(&b);
}

static void test_not(void **state)
{
    (void)state;
    static const struct {
        const char *condition, *script;
        unsigned fired;
    } rows[] = {
        {"base and not second", "a100 b109", 0},
        {"base and not second", "a100 b110", 1}, /* [100, 110) */
        {"base and not second", "b99 a100", 1},  /* before the window began */
        {"base and not second", "a100 b100", 0}, /* the same time is inside */
        {"base and not second", "b105 a100", 0}, /* late */
        {"base and not second", "b110 a100", 1},
        {"base and not second", "b100", 0},
        {"base and not second", "a100 c101", 1},
        {"base and not (second or third)", "a100 c101", 0},
        {"base and second and not third", "a100 b105", 1},
        {"base and second and not third", "a100 b110", 0},
        {"base and second and not third", "a100 b105 c106", 0},
        /* the window of the first a holds a c, that of the second does not */
        {"base and second and not third", "a100 c101 a102 b103", 1},
        {"(base and not second) or third", "c100", 1},
        {"(base and not second) or third", "a100 b101", 0},
        /* fires once; T later again */
        {"base and not second", "a100 a101 a102", 1},
        {"base and not second", "a100 a109", 1},
        {"base and not second", "a100 a110", 2},
        {"base and not second", "a100 a105 b110 a112 a113", 2}, /* false at 105 */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text), BOOL("%s"), rows[i].condition);
        unsigned fired = fired_after(text, rows[i].script);
        if (fired != rows[i].fired) {
            fail_msg("%s with %s: fired %u", rows[i].condition, rows[i].script, fired);
        }
    }
}

static void test_not_suppressed(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, BOOL("base and not second"));
    assert_int_equal(play(&b, "a100 a101 a105 a110"), 0);
    (void)close_at(&b, 1000 * SEC);
    assert_int_equal(b.fired, 2);
    assert_int_equal(b.suppressed, 2);
    assert_int_equal(b.first_ns, 110 * SEC);
    close_bench(&b);
}

static void test_counts_at_end(void **state)
{
    (void)state;
    assert_int_equal(fired_after(TEMPORAL(", condition: {eq: 2}"), "a100 b101"), 1);
    assert_int_equal(fired_after(TEMPORAL(", condition: {eq: 2}"), "a100 b109 c109"), 1);
    assert_int_equal(fired_after(TEMPORAL(", condition: {eq: 2}"), "a100 b110"), 0);
    assert_int_equal(fired_after(TEMPORAL(", condition: {lt: 2}"), "a100"), 1);
    assert_int_equal(fired_after(TEMPORAL(", condition: {gte: 2, lte: 2}"), "a100 b101"),
                     1);
    assert_int_equal(fired_after(TEMPORAL(", condition: {neq: 2}"), "a100 b100"), 0);
}

/* ---- temporal_ordered ---- */

static void test_order(void **state)
{
    (void)state;
    assert_int_equal(fired_at(ORDERED(""), "a100 b101 c102"), 3);
    assert_int_equal(fired_at(ORDERED(""), "b100 a101 c102"), 0);
    assert_int_equal(fired_at(ORDERED(""), "a100 c101 b102 c103"), 4);
    assert_int_equal(fired_at(ORDERED(""), "a100 b101 c110"), 0); /* exactly T old */
    assert_int_equal(fired_at(ORDERED(""), "a101 b101 c110"), 3);
    /* the second a is after the b: the first alone begins the chain, and it is too old */
    assert_int_equal(fired_at(ORDERED(""), "a100 b101 a105 c110"), 0);
    assert_int_equal(fired_at(ORDERED(""), "a100 b101 a105 b106 c110"), 5);
    /* late events take their place */
    assert_int_equal(fired_at(ORDERED(""), "b101 c102 a100"), 3);
    assert_int_equal(fired_at(ORDERED(""), "a100 c102 b101"), 3);
    assert_int_equal(fired_at(ORDERED(""), "a100 c101 b102"), 0);
}

static void test_order_detection(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, ORDERED(""));
    assert_int_equal(play(&b, "a100 a101 b102 a103 c104"), 5);
    assert_int_equal(b.count, 3);
    assert_int_equal(b.first_ns, 101 * SEC); /* the latest that begins it */
    assert_int_equal(b.last_ns, 104 * SEC);
    assert_string_equal(b.position, "agent1/boot/2");
    close_bench(&b);
}

static void test_equal_times(void **state)
{
    (void)state;
    /* one agent: as it numbered them; two: nobody knows, so either order will do */
    assert_int_equal(fired_at(ORDERED(""), "a100 b100 c100"), 3);
    assert_int_equal(fired_at(ORDERED(""), "c100 b100 a100"), 0);
    assert_int_equal(fired_at(ORDERED(""), "c100@2 b100@1 a100@3"), 3);
    assert_int_equal(fired_at(ORDERED(""), "b100@1 a100@1 c100@2"), 0);
    assert_int_equal(fired_at(ORDERED(""), "b100@1 c100@1 a100@2"), 3);
}

static void test_order_conditions(void **state)
{
    (void)state;
    assert_int_equal(fired_at(ORDERED(", condition: {gte: 2}"), "a100 c101"), 2);
    assert_int_equal(fired_at(ORDERED(", condition: {gte: 2}"), "c100 b101 a102"), 0);
    assert_int_equal(fired_at(ORDERED(", condition: {gt: 2}"), "a100 b101 c101"), 3);
    assert_int_equal(
        fired_at(ORDERED(", condition: base and (second or third)"), "c99 a100 c101"), 3);
    assert_int_equal(
        fired_at(ORDERED(", condition: base and (second or third)"), "c99 b100 a101"), 0);
    assert_int_equal(
        fired_after(ORDERED(", condition: base and third and not second"), "a100 c101"),
        1);
    assert_int_equal(
        fired_after(ORDERED(", condition: base and third and not second"), "c100 a101"),
        0);
    assert_int_equal(fired_after(ORDERED(", condition: base and third and not second"),
                                 "a100 c101 b109"),
                     0);
    assert_int_equal(fired_after(ORDERED(", condition: base and third and not second"),
                                 "a100 c101 b110"),
                     1);
}

/* ---- limits ---- */

static void test_pending_limit(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, "type: temporal_ordered, rules: [base, second], timespan: 1h");
    for (uint32_t i = 0; i < 600; i++) {
        assert_int_equal(play(&b, "a100"), 0);
    }
    assert_int_equal(bench_stats(&b).capped, 88); /* of one time, and too many */
    assert_int_equal(play(&b, "b101"), 1);
    close_bench(&b);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *correlation, *place, *what;
    } rows[] = {
        {BOOL("base and nobody"), ":18:117:", "none of the rules"},
        {BOOL("not base"), ":18:", "without 'not'"},
        {BOOL("base or not second"), ":18:", "without 'not'"},
        {BOOL("base and not base"), ":18:", "nothing can meet"},
        {BOOL("1 of them"), ":18:", "'of' has no place"},
        {BOOL("base and"), ":18:116:", "ends where a name"},
        {TEMPORAL(", condition: {gte: 4}"), ":18:", "fewer rules"},
        {TEMPORAL(", condition: {gte: 2, field: x}"), ":18:", "no field"},
        {ORDERED(", condition: {eq: 2}"), ":18:", "'gte', 'gt' or names"},
        {"type: temporal, rules: [base, second, base], timespan: 1m",
         ":18:53:", "named twice"},
        {"type: temporal, timespan: 1m", ":18:", "'rules' is missing"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_refused(rows[i].correlation, rows[i].place, rows[i].what);
    }
}

static void test_too_many_alternatives(void **state)
{
    (void)state;
    char text[4096] = "type: temporal, timespan: 1m, condition: (r0 or s0)";
    struct kit kit;
    char yaml[16384] = "";
    for (int i = 1; i < 8; i++) {
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof(text) - len, " and (r%d or s%d)", i, i);
    }
    for (int i = 0; i < 16; i++) {
        size_t len = strlen(yaml);
        (void)snprintf(
            yaml + len, sizeof(yaml) - len,
            "title: t\nname: %c%d\nid: i%d\nlogsource: {product: p}\ndetection: "
            "{s: {F: x}, condition: s}\n---\n",
            i % 2 == 0 ? 'r' : 's', i / 2, i);
    }
    size_t len = strlen(yaml);
    (void)snprintf(yaml + len, sizeof(yaml) - len, "title: c\ncorrelation: {%s}\n", text);
    kit_load(&kit, yaml);
    assert_int_equal(kit.errors, 1);
    assert_non_null(strstr(kit.first.text, "too many alternatives"));
    kit_free(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_rules),
        cmocka_unit_test(test_detection),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_one_event_of_two_rules),
        cmocka_unit_test(test_boolean),
        cmocka_unit_test(test_not_edges),
        cmocka_unit_test(test_not),
        cmocka_unit_test(test_not_suppressed),
        cmocka_unit_test(test_counts_at_end),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_order_detection),
        cmocka_unit_test(test_equal_times),
        cmocka_unit_test(test_order_conditions),
        cmocka_unit_test(test_pending_limit),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_many_alternatives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
