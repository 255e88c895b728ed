/* SPDX-License-Identifier: Apache-2.0
 *
 * Correlation: one test on each side of every edge that docs/correlation.md names.
 */
#include "tests/unit/rules/correlate_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(condition, rest)                                                           \
    "type: event_count, rules: base, timespan: 10s, condition: {" condition "}" rest

static void test_window_edge(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT("gte: 2", ""));
    assert_false(hit(&b, 100 * SEC));
    assert_false(hit(&b, 110 * SEC)); /* exactly T old is outside */
    assert_true(hit(&b, 120 * SEC - 1));
    assert_int_equal(b.count, 2);
    assert_int_equal(b.first_ns, 110 * SEC);
    assert_int_equal(b.last_ns, 120 * SEC - 1);
    assert_string_equal(b.position, "web1/b00t/2");
    close_bench(&b);
}

static void test_counts(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT("gte: 3", ""));
    assert_false(hit(&b, 100 * SEC));
    assert_false(hit(&b, 100 * SEC));
    assert_true(hit(&b, 100 * SEC));
    close_bench(&b);
    open_bench(&b, COUNT("gt: 3", ""));
    for (int i = 0; i < 3; i++) {
        assert_false(hit(&b, 100 * SEC));
    }
    assert_true(hit(&b, 100 * SEC));
    assert_int_equal(b.count, 4);
    close_bench(&b);
    open_bench(&b, COUNT("gte: 1", ""));
    assert_true(hit(&b, 100 * SEC));
    close_bench(&b);
}

static void test_fires_once(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT("gte: 2", ""));
    assert_false(hit(&b, 100 * SEC));
    assert_true(hit(&b, 101 * SEC));
    for (int i = 2; i < 11; i++) {
        assert_false(hit(&b, (100 + i) * SEC)); /* still true: swallowed */
    }
    assert_true(hit(&b, 111 * SEC)); /* T after it fired */
    assert_int_equal(b.suppressed, 9);
    for (int i = 112; i < 121; i++) {
        assert_false(hit(&b, i * SEC));
    }
    assert_false(hit(&b, 121 * SEC - 1));
    assert_true(hit(&b, 121 * SEC));
    close_bench(&b);
}

static void test_rearm_when_false(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT("gte: 3", ""));
    (void)hit(&b, 100 * SEC);
    (void)hit(&b, 101 * SEC);
    assert_true(hit(&b, 109 * SEC));
    /* at 111 the events of 100 and 101 are gone: false, and true again with these */
    assert_false(hit(&b, 111 * SEC));
    assert_true(hit(&b, 111 * SEC));
    assert_int_equal(b.suppressed, 0);
    close_bench(&b);
    open_bench(&b, COUNT("gte: 3", ""));
    (void)hit(&b, 100 * SEC);
    (void)hit(&b, 101 * SEC);
    assert_true(hit(&b, 102 * SEC));
    assert_false(hit(&b, 103 * SEC));
    assert_false(hit(&b, 110 * SEC)); /* 101, 102, 103 remain: it never became false */
    close_bench(&b);
}

static void test_lateness(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, "type: event_count, rules: base, timespan: 1h, condition: {gte: 3}");
    assert_false(hit(&b, 1000 * SEC));
    assert_false(hit(&b, 970 * SEC)); /* 30 s late: in time */
    assert_int_equal(bench_stats(&b).late, 0);
    assert_false(hit(&b, 970 * SEC - 1));
    assert_int_equal(bench_stats(&b).late, 1);
    assert_true(hit(&b, 999 * SEC));
    assert_int_equal(b.first_ns, 970 * SEC);
    assert_int_equal(b.last_ns, 1000 * SEC);
    rul_correlator_advance(b.c, 2000 * SEC);
    assert_false(hit(&b, 1969 * SEC));
    assert_int_equal(bench_stats(&b).late, 2);
    close_bench(&b);
}

static bool hit_received(struct bench *b, int64_t time_ns, int64_t recv_ns)
{
    struct rul_event_copy *copy = NULL;
    unsigned before = b->fired;
    kit_event(&b->kit, "p", "", "");
    b->kit.ev->time_ns = time_ns;
    b->kit.ev->recv_ns = recv_ns;
    rul_event_set(b->kit.ev, RUL_F_USER_NAME, HD_SLICE("root"));
    assert_int_equal(rul_event_copy(b->kit.ev, &copy), 0);
    const struct rul_rule *rule = rul_set_find(b->kit.set, HD_SLICE("base"));
    assert_int_equal(
        rul_correlate(b->c, rule, copy, HD_SLICE_EMPTY, bench_on_detection, b), 0);
    free(copy);
    return b->fired != before;
}

/* A time after the receipt counts as the receipt: nobody else becomes late, and the
 * window of the group does not run away. */
static void test_clock_ahead(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT("gte: 2", ", group-by: user.name"));
    assert_false(hit_received(&b, 5000 * SEC, 1000 * SEC));
    assert_true(hit_received(&b, 1001 * SEC, 1001 * SEC));
    assert_int_equal(b.first_ns, 1000 * SEC);
    assert_int_equal(b.last_ns, 1001 * SEC);
    assert_int_equal(bench_stats(&b).late, 0);
    close_bench(&b);
    open_bench(&b, COUNT("gte: 2", ", group-by: user.name"));
    assert_false(hit_received(&b, 5000 * SEC, 5000 * SEC));
    assert_false(hit_received(&b, 1001 * SEC, 5001 * SEC));
    assert_int_equal(bench_stats(&b).late, 1);
    close_bench(&b);
}

/* A late event is counted, but the window ends at the newest. */
static void test_late_outside_window(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT("gte: 2", ""));
    assert_false(hit(&b, 120 * SEC));
    assert_false(hit(&b, 110 * SEC));
    assert_true(hit(&b, 110 * SEC + 1));
    close_bench(&b);
}

static void test_groups(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT("gte: 2", ", group-by: [source.ip, user.name]"));
    assert_false(hit_as(&b, 100 * SEC, "root", "192.0.2.1"));
    assert_false(hit_as(&b, 100 * SEC, "root", "192.0.2.2"));
    assert_false(hit_as(&b, 100 * SEC, "admin", "192.0.2.1"));
    assert_true(hit_as(&b, 100 * SEC, "ROOT", "::ffff:192.0.2.1"));
    assert_string_equal(b.group, "source.ip=192.0.2.1;user.name=root;");
    assert_false(hit_as(&b, 100 * SEC, "root", "2001:DB8:0:0::1"));
    assert_true(hit_as(&b, 100 * SEC, "root", "2001:db8::1"));
    assert_int_equal(bench_stats(&b).groups, 4);
    /* a value cannot pretend to be two */
    assert_false(hit_as(&b, 100 * SEC, "a", "b\x01"));
    assert_false(hit_as(&b, 100 * SEC,
                        "\x01"
                        "a",
                        "b"));
    close_bench(&b);
}

static void test_absent_field(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT("gte: 1", ", group-by: user.name"));
    assert_false(hit_as(&b, 100 * SEC, NULL, "192.0.2.1"));
    assert_int_equal(bench_stats(&b).no_group, 1);
    assert_true(hit_as(&b, 100 * SEC, "", "192.0.2.1")); /* empty is a value */
    close_bench(&b);
}

static void test_long_keys(void **state)
{
    (void)state;
    struct bench b;
    char one[2000], two[2000];
    memset(one, 'a', sizeof(one));
    memset(two, 'a', sizeof(two));
    one[1999] = two[1999] = 0;
    two[1998] = 'b';
    open_bench(&b, COUNT("gte: 2", ", group-by: user.name"));
    assert_false(hit_as(&b, 100 * SEC, one, NULL));
    assert_false(hit_as(&b, 100 * SEC, two, NULL));
    assert_true(hit_as(&b, 100 * SEC, one, NULL));
    close_bench(&b);
}

#define VALUES(condition)                                                                \
    "type: value_count, rules: base, group-by: source.ip, timespan: 10s, "               \
    "condition: {field: user.name, " condition "}"

static void test_value_count(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, VALUES("gte: 3"));
    assert_false(hit_as(&b, 100 * SEC, "a", "1.1.1.1"));
    assert_false(hit_as(&b, 101 * SEC, "b", "1.1.1.1"));
    assert_false(hit_as(&b, 102 * SEC, "A", "1.1.1.1"));
    assert_false(hit_as(&b, 103 * SEC, NULL, "1.1.1.1"));
    assert_int_equal(bench_stats(&b).no_group, 1);
    assert_false(hit_as(&b, 103 * SEC, "c", "2.2.2.2"));
    assert_true(hit_as(&b, 103 * SEC, "c", "1.1.1.1"));
    assert_int_equal(b.count, 3);
    assert_string_equal(b.position, "web1/b00t/2"); /* "a" was seen again later */
    assert_false(hit_as(&b, 104 * SEC, "d", "1.1.1.1"));
    close_bench(&b);
}

static void test_value_window(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, VALUES("gt: 1"));
    assert_false(hit_as(&b, 100 * SEC, "a", "1.1.1.1"));
    assert_false(hit_as(&b, 110 * SEC, "b", "1.1.1.1"));
    assert_true(hit_as(&b, 120 * SEC - 1, "c", "1.1.1.1"));
    close_bench(&b);
}

static void test_value_tuples(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, "type: value_count, rules: base, timespan: 10s, condition: {field: "
                   "[user.name, source.ip], gte: 3}");
    assert_false(hit_as(&b, 100 * SEC, "a", "1.1.1.1"));
    assert_false(hit_as(&b, 100 * SEC, "a", "1.1.1.2"));
    assert_false(hit_as(&b, 100 * SEC, "a", "1.1.1.1"));
    assert_true(hit_as(&b, 100 * SEC, "b", "1.1.1.1"));
    close_bench(&b);
}

/* ---- conditions that are tested when a window ends ---- */

static void test_close_edges(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT("lt: 3", ", group-by: user.name"));
    (void)hit(&b, 100 * SEC); /* window [100, 110) */
    (void)hit(&b, 110 * SEC - 1);
    (void)hit(&b, 110 * SEC); /* window [110, 120) */
    (void)hit(&b, 111 * SEC);
    (void)hit(&b, 112 * SEC);
    assert_false(close_at(&b, 140 * SEC - 1)); /* an event of 109 might still come */
    assert_true(close_at(&b, 140 * SEC));
    assert_int_equal(b.fired, 1);
    assert_int_equal(b.count, 2);
    assert_int_equal(b.first_ns, 100 * SEC);
    assert_int_equal(b.last_ns, 110 * SEC - 1);
    assert_string_equal(b.position, "web1/b00t/1");
    assert_string_equal(b.group, "user.name=root;");
    assert_false(close_at(&b, 150 * SEC)); /* three is not below three */
    assert_int_equal(bench_stats(&b).groups, 0);
    close_bench(&b);
}

static unsigned fired_for(const char *condition, int events)
{
    struct bench b;
    char text[256];
    (void)snprintf(text, sizeof(text), COUNT("%s", ""), condition);
    open_bench(&b, text);
    for (int i = 0; i < events; i++) {
        assert_false(hit(&b, 100 * SEC));
    }
    (void)close_at(&b, 1000 * SEC);
    unsigned fired = b.fired;
    close_bench(&b);
    return fired;
}

static void test_close_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *condition;
        int events;
        unsigned fired;
    } rows[] = {
        {"eq: 3", 2, 0},          {"eq: 3", 3, 1},          {"eq: 3", 4, 0},
        {"neq: 3", 2, 1},         {"neq: 3", 3, 0},         {"lte: 3", 3, 1},
        {"lte: 3", 4, 0},         {"lt: 3", 2, 1},          {"lt: 3", 3, 0},
        {"gt: 1, lte: 3", 1, 0},  {"gt: 1, lte: 3", 2, 1},  {"gt: 1, lte: 3", 3, 1},
        {"gt: 1, lte: 3", 4, 0},  {"gte: 2, lt: 4", 2, 1},  {"gte: 2, neq: 3", 3, 0},
        {"gte: 2, neq: 3", 4, 1}, {"gte: 2, neq: 3", 1, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned fired = fired_for(rows[i].condition, rows[i].events);
        if (fired != rows[i].fired) {
            fail_msg("{%s} with %d events: fired %u", rows[i].condition, rows[i].events,
                     fired);
        }
    }
}

static void test_close_values(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, VALUES("eq: 2"));
    (void)hit_as(&b, 100 * SEC, "a", "1.1.1.1");
    (void)hit_as(&b, 101 * SEC, "b", "1.1.1.1");
    (void)hit_as(&b, 102 * SEC, "a", "1.1.1.1");
    for (const char *user = "abcdefgh"; *user != 0; user++) {
        (void)hit_as(&b, 103 * SEC, user, "2.2.2.2");
    }
    /* any later hit closes windows, too */
    assert_true(hit_as(&b, 200 * SEC, "x", "3.3.3.3"));
    assert_int_equal(b.fired, 1);
    assert_int_equal(b.count, 2);
    assert_string_equal(b.group, "source.ip=1.1.1.1;");
    close_bench(&b);
}

/* ---- several rules ---- */

static void test_two_rules(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, "type: event_count, rules: [base, second, base], timespan: 10s, "
                   "condition: {gte: 3}");
    assert_false(hit_rule(&b, "base", 100 * SEC, "a/b/1", "u", NULL));
    /* one event that both rules match counts once */
    assert_false(hit_rule(&b, "second", 100 * SEC, "a/b/1", "u", NULL));
    assert_false(hit_rule(&b, "second", 100 * SEC, "a/b/2", "u", NULL));
    assert_true(hit_rule(&b, "second", 100 * SEC, "a/c/2", "u", NULL));
    assert_string_equal(b.position, "a/b/1");
    close_bench(&b);
}

static void test_aliases(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, "type: event_count, rules: [base, second], timespan: 10s, condition: "
                   "{gte: 2}, group-by: who, aliases: {who: {base: user.name, second: "
                   "source.ip}}");
    assert_false(hit_rule(&b, "base", 100 * SEC, "a/b/1", "x", "y"));
    assert_false(hit_rule(&b, "second", 100 * SEC, "a/b/2", "z", "y"));
    assert_true(hit_rule(&b, "second", 100 * SEC, "a/b/3", "z", "X"));
    assert_string_equal(b.group, "who=x;");
    close_bench(&b);
}

static void check_alerts(const char *rest, bool base_alerts)
{
    struct bench b;
    char text[256];
    (void)snprintf(text, sizeof(text), COUNT("gte: 2", "%s"), rest);
    open_bench(&b, text);
    const struct rul_rule *base = rul_set_find(b.kit.set, HD_SLICE("base"));
    const struct rul_rule *second = rul_set_find(b.kit.set, HD_SLICE("second"));
    const struct rul_rule *corr = rul_set_find(b.kit.set, HD_SLICE("corr"));
    assert_true(base->feeds);
    assert_int_equal(base->alerts, base_alerts);
    assert_false(second->feeds);
    assert_true(second->alerts);
    assert_true(corr->alerts);
    assert_int_equal(corr->type, RUL_EVENT_COUNT);
    close_bench(&b);
}

/* ---- whose events they were ---- */

struct asked {
    struct bench *b;
    unsigned calls;
};

static struct rul_event_copy *event_of(struct bench *b, int64_t time_ns, const char *user,
                                       const char *ip)
{
    struct rul_event_copy *copy = NULL;
    kit_event(&b->kit, "p", "", "");
    b->kit.ev->time_ns = time_ns;
    rul_event_set(b->kit.ev, RUL_F_USER_NAME, hd_slice_str(user));
    rul_event_set(b->kit.ev, RUL_F_SOURCE_IP, hd_slice_str(ip));
    assert_int_equal(rul_event_copy(b->kit.ev, &copy), 0);
    return copy;
}

static void ask(void *ctx, const struct rul_detection *d,
                const struct rul_event_copy *last)
{
    static const struct {
        const char *rule, *user, *ip;
        int64_t time;
        bool covered;
    } rows[] = {
        {"base", "ROOT", "x", 100 * SEC, true},
        {"base", "root", "x", 105 * SEC, true},
        {"base", "admin", "x", 100 * SEC, false},
        {"base", "root", "x", 99 * SEC, false},
        {"base", "root", "x", 106 * SEC, false},
        {"second", "x", "Root", 100 * SEC, true},
        {"second", "root", "x", 100 * SEC, false},
        {"corr", "root", "x", 100 * SEC, false},
    };
    struct asked *asked = ctx;
    struct rul_set *set = asked->b->kit.set;
    assert_non_null(last);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rul_event_copy *ev =
            event_of(asked->b, rows[i].time, rows[i].user, rows[i].ip);
        const struct rul_rule *rule = rul_set_find(set, hd_slice_str(rows[i].rule));
        assert_int_equal(rul_detection_covers(set, d, rule, ev), rows[i].covered);
        free(ev);
    }
    asked->calls++;
}

static void test_covers(void **state)
{
    (void)state;
    struct bench b;
    struct asked asked = {&b, 0};
    open_bench(&b, "type: event_count, rules: [base, second], timespan: 10s, condition: "
                   "{gte: 2}, group-by: who, aliases: {who: {base: user.name, second: "
                   "source.ip}}");
    const struct rul_rule *rule = rul_set_find(b.kit.set, HD_SLICE("base"));
    for (int i = 0; i < 2; i++) {
        struct rul_event_copy *ev = event_of(&b, (100 + 5 * i) * SEC, "rOOt", "y");
        assert_int_equal(rul_correlate(b.c, rule, ev, HD_SLICE_EMPTY, ask, &asked), 0);
        free(ev);
    }
    assert_int_equal(asked.calls, 1);
    close_bench(&b);
}

static void test_generate(void **state)
{
    (void)state;
    check_alerts("", false);
    check_alerts(", generate: false", false);
    check_alerts(", generate: true", true);
}

/* ---- limits ---- */

static void test_quota(void **state)
{
    (void)state;
    struct bench b;
    const struct rul_correlator_opts opts = {.memory_max = 256U << 10};
    open_with(&b, COUNT("gte: 2", ", group-by: user.name"), &opts);
    char user[32];
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(user, sizeof(user), "user%d", i);
        (void)hit_as(&b, 100 * SEC, user, NULL);
    }
    struct rul_correlator_stats s = bench_stats(&b);
    assert_true(s.bytes <= opts.memory_max / 4);
    assert_true(s.evicted > 0);
    assert_int_equal(s.groups + s.evicted, 5000);
    assert_true(hit_as(&b, 100 * SEC, "user4999", NULL)); /* the freshest stay */
    assert_false(hit_as(&b, 100 * SEC, "user0", NULL));
    close_bench(&b);
}

static void test_expired_groups(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, COUNT("gte: 2", ", group-by: user.name"));
    char user[32];
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(user, sizeof(user), "user%d", i);
        (void)hit_as(&b, (100 + i) * SEC, user, NULL);
    }
    assert_true(bench_stats(&b).groups < 50);
    assert_int_equal(bench_stats(&b).evicted, 0);
    close_bench(&b);
}

static void test_bad_times(void **state)
{
    (void)state;
    struct bench b;
    struct rul_event_copy *copy = NULL;
    open_bench(&b, COUNT("gte: 1", ""));
    const struct rul_rule *rule = rul_set_find(b.kit.set, HD_SLICE("base"));
    const int64_t times[] = {INT64_MIN, -1, INT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        kit_event(&b.kit, "p", "", "");
        b.kit.ev->time_ns = times[i];
        assert_int_equal(rul_event_copy(b.kit.ev, &copy), 0);
        assert_int_equal(
            rul_correlate(b.c, rule, copy, HD_SLICE_EMPTY, bench_on_detection, &b),
            HD_EINVAL);
        free(copy);
    }
    rul_correlator_advance(b.c, INT64_MAX);
    assert_true(hit(&b, 5 * SEC));
    close_bench(&b);
}

/* Time is told: before that nothing is too late and nothing expires; hits do not move it,
 * nor end windows. */
static void test_driven(void **state)
{
    (void)state;
    struct bench b;
    open_with(&b, COUNT("eq: 1", ", group-by: user.name"),
              &(struct rul_correlator_opts){.is_driven = true});
    (void)hit_as(&b, 500 * SEC, "a", NULL);
    (void)hit_as(&b, 100 * SEC, "b", NULL);
    (void)hit_as(&b, 900 * SEC, "c", NULL);
    assert_int_equal(b.fired, 0);
    assert_int_equal(bench_stats(&b).late, 0);
    assert_true(close_at(&b, 600 * SEC));
    assert_int_equal(b.fired, 2);
    close_bench(&b);
    open_with(&b, COUNT("gte: 3", ", group-by: user.name"),
              &(struct rul_correlator_opts){.is_driven = true});
    (void)hit_as(&b, 500 * SEC, "a", NULL);
    (void)hit_as(&b, 501 * SEC, "b", NULL);
    (void)hit_as(&b, 502 * SEC, "c", NULL);
    assert_int_equal(bench_stats(&b).groups, 3);
    rul_correlator_advance(b.c, 600 * SEC);
    (void)hit_as(&b, 599 * SEC, "d", NULL);
    assert_int_equal(bench_stats(&b).groups, 2); /* two go with each hit */
    close_bench(&b);
}

/* ---- a new set ---- */

static void test_reload(void **state)
{
    (void)state;
    struct bench b;
    struct kit second;
    open_bench(&b, COUNT("gte: 3", ", group-by: user.name"));
    (void)hit(&b, 100 * SEC);
    (void)hit(&b, 100 * SEC);
    kit_load(&second, "title: new first\nname: zero\nlogsource: {product: p}\ndetection: "
                      "{s: {ZZ: x}, condition: s}\n---\n" BASE
                      "title: corr renamed\nid: corr\ncorrelation: {" COUNT(
                          "gte: 3", ", group-by: user.name") "}\n");
    assert_int_equal(second.errors, 0);
    assert_int_equal(rul_correlator_use(b.c, second.set), 0);
    kit_free(&b.kit);
    b.kit = second;
    assert_true(hit(&b, 101 * SEC));
    assert_string_equal(b.position, "web1/b00t/1");
    assert_string_equal(b.rule, "corr renamed");

    (void)hit_as(&b, 200 * SEC, "other", NULL);
    (void)hit_as(&b, 200 * SEC, "other", NULL);
    kit_load(&second, BASE "title: corr\nid: corr\ncorrelation: {" COUNT(
                          "gte: 4", ", group-by: source.ip") "}\n");
    assert_int_equal(rul_correlator_use(b.c, second.set), 0);
    kit_free(&b.kit);
    b.kit = second;
    assert_int_equal(bench_stats(&b).groups, 0); /* another meaning: no state */
    close_bench(&b);
}

static void test_reload_open_window(void **state)
{
    (void)state;
    struct bench b;
    struct kit second;
    open_bench(&b, COUNT("eq: 2", ", group-by: user.name"));
    (void)hit(&b, 100 * SEC);
    kit_load(&second, BASE "title: corr\nid: corr\ncorrelation: {" COUNT(
                          "eq: 2", ", group-by: user.name") "}\n");
    assert_int_equal(rul_correlator_use(b.c, second.set), 0);
    kit_free(&b.kit);
    b.kit = second;
    (void)hit(&b, 101 * SEC);
    assert_true(close_at(&b, 200 * SEC));
    assert_int_equal(b.count, 2);
    close_bench(&b);
}

static void test_foreign_rule(void **state)
{
    (void)state;
    struct bench a, b;
    struct rul_event_copy *copy = NULL;
    open_bench(&a, COUNT("gte: 1", ""));
    open_bench(&b, COUNT("gte: 1", ""));
    kit_event(&b.kit, "p", "", "");
    assert_int_equal(rul_event_copy(b.kit.ev, &copy), 0);
    assert_int_equal(rul_correlate(a.c, rul_set_rule(b.kit.set, 0), copy, HD_SLICE_EMPTY,
                                   bench_on_detection, &a),
                     HD_EINVAL);
    free(copy);
    close_bench(&a);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_edge),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_fires_once),
        cmocka_unit_test(test_rearm_when_false),
        cmocka_unit_test(test_lateness),
        cmocka_unit_test(test_clock_ahead),
        cmocka_unit_test(test_late_outside_window),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_absent_field),
        cmocka_unit_test(test_long_keys),
        cmocka_unit_test(test_value_count),
        cmocka_unit_test(test_value_window),
        cmocka_unit_test(test_value_tuples),
        cmocka_unit_test(test_close_edges),
        cmocka_unit_test(test_close_conditions),
        cmocka_unit_test(test_close_values),
        cmocka_unit_test(test_two_rules),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_covers),
        cmocka_unit_test(test_generate),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_expired_groups),
        cmocka_unit_test(test_bad_times),
        cmocka_unit_test(test_driven),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_reload_open_window),
        cmocka_unit_test(test_foreign_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
