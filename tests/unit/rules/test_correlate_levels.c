/* SPDX-License-Identifier: Apache-2.0
 *
 * Correlations of correlations: what a detection is to those that count it, the order in
 * a file, cycles.
 */
#include "tests/unit/rules/correlate_kit.h"

#include <stdio.h>

#define FAILURES                                                                         \
    "title: failures\nname: failures\ncorrelation: {type: event_count, rules: base, "    \
    "group-by: [user.name, source.ip], timespan: 10s, condition: {gte: 3}%s}\n---\n"

static void open_levels(struct bench *b, const char *corr, const char *rest)
{
    char yaml[4096];
    const struct rul_correlator_opts opts = {0};
    memset(b, 0, sizeof(*b));
    (void)snprintf(yaml, sizeof(yaml),
                   BASE "title: corr\nid: corr\ncorrelation: {%s}\n---\n" FAILURES, corr,
                   rest);
    kit_load(&b->kit, yaml);
    if (b->kit.errors != 0) {
        fail_msg("%s: %s", corr, b->kit.first.text);
    }
    assert_int_equal(rul_correlator_new(&opts, &b->c), 0);
    assert_int_equal(rul_correlator_use(b->c, b->kit.set), 0);
}

static const char *fired_by(struct bench *b, const char *rule, int64_t time_ns,
                            const char *user, const char *ip)
{
    char position[64];
    b->rule[0] = 0;
    (void)snprintf(position, sizeof(position), "web1/b00t/%llu",
                   (unsigned long long)++b->seq);
    (void)hit_rule(b, rule, time_ns, position, user, ip);
    return b->rule;
}

/* Many failures, then a success: the example of the specification. The one that counts
 * stands before the one that is counted. */
static void test_chain(void **state)
{
    (void)state;
    struct bench b;
    open_levels(&b,
                "type: temporal_ordered, rules: [failures, second], group-by: user.name, "
                "timespan: 1m",
                "");
    assert_string_equal(fired_by(&b, "second", 90 * SEC, "Root", "x"), "");
    assert_string_equal(fired_by(&b, "base", 100 * SEC, "Root", "x"), "");
    assert_string_equal(fired_by(&b, "base", 101 * SEC, "root", "x"), "");
    assert_string_equal(fired_by(&b, "base", 102 * SEC, "root", "x"), "failures");
    assert_string_equal(fired_by(&b, "second", 103 * SEC, "other", "x"), "");
    assert_string_equal(fired_by(&b, "second", 104 * SEC, "ROOT", "y"), "corr");
    assert_int_equal(b.count, 2);
    assert_int_equal(b.first_ns, 102 * SEC); /* the end of what was counted */
    assert_int_equal(b.last_ns, 104 * SEC);
    assert_string_equal(b.position, "web1/b00t/4");
    assert_string_equal(b.group, "user.name=root;");
    close_bench(&b);
}

/* The end time counts, for the edge of the window, too. */
static void test_end_time(void **state)
{
    (void)state;
    for (int64_t late = 0; late < 2; late++) {
        struct bench b;
        open_levels(&b,
                    "type: temporal_ordered, rules: [failures, second], group-by: "
                    "user.name, timespan: 1m",
                    "");
        for (int i = 0; i < 3; i++) {
            (void)fired_by(&b, "base", (100 + i) * SEC, "root", "x");
        }
        assert_string_equal(fired_by(&b, "second", 162 * SEC - 1 + late, "root", "x"),
                            late ? "" : "corr");
        close_bench(&b);
    }
}

static void test_alias(void **state)
{
    (void)state;
    struct bench b;
    open_levels(&b,
                "type: temporal, rules: [failures, third], group-by: where, timespan: "
                "1m, aliases: {where: {failures: source.ip, third: user.name}}",
                "");
    for (int i = 0; i < 3; i++) {
        (void)fired_by(&b, "base", 100 * SEC, "root", "192.0.2.1");
    }
    assert_string_equal(fired_by(&b, "third", 101 * SEC, "192.0.2.1", "z"), "corr");
    assert_string_equal(b.group, "where=192.0.2.1;");
    close_bench(&b);
}

static void test_absent_group(void **state)
{
    (void)state;
    struct bench b;
    open_levels(&b,
                "type: event_count, rules: failures, group-by: source.port, timespan: "
                "1m, condition: {gte: 1}",
                "");
    for (int i = 0; i < 3; i++) {
        (void)fired_by(&b, "base", 100 * SEC, "root", "x");
    }
    assert_int_equal(b.fired, 1); /* a detection has no other fields than its group */
    assert_int_equal(bench_stats(&b).no_group, 1);
    close_bench(&b);
}

static void test_values_of_groups(void **state)
{
    (void)state;
    struct bench b;
    open_levels(&b,
                "type: value_count, rules: failures, group-by: source.ip, timespan: 1m, "
                "condition: {field: user.name, gte: 2}",
                "");
    for (int i = 0; i < 3; i++) {
        (void)fired_by(&b, "base", 100 * SEC, "root", "x");
    }
    assert_string_equal(fired_by(&b, "base", 101 * SEC, "admin", "x"), "");
    (void)fired_by(&b, "base", 101 * SEC, "admin", "x");
    /* both fire at one event, the counted first */
    assert_string_equal(fired_by(&b, "base", 101 * SEC, "admin", "x"), "corr");
    assert_int_equal(b.fired, 3);
    close_bench(&b);
}

/* A window that is tested at its end brings forth an event of that time, and nobody calls
 * it late. */
static void test_closing_levels(void **state)
{
    (void)state;
    static const char yaml[] = BASE
        "title: few\nname: few\ncorrelation: {type: event_count, rules: base, group-by: "
        "user.name, timespan: 10s, condition: {lte: 2}}\n---\n"
        "title: corr\ncorrelation: {type: temporal, rules: [few, second], group-by: "
        "user.name, timespan: 20s, condition: few and not second}\n";
    for (int with = 0; with < 3; with++) {
        struct bench b = {0};
        const struct rul_correlator_opts opts = {0};
        kit_load(&b.kit, yaml);
        assert_int_equal(b.kit.errors, 0);
        assert_int_equal(rul_correlator_new(&opts, &b.c), 0);
        assert_int_equal(rul_correlator_use(b.c, b.kit.set), 0);
        (void)fired_by(&b, "base", 100 * SEC, "root", "x"); /* few: at 110 */
        if (with > 0) {
            (void)fired_by(&b, "second", (with == 1 ? 129 : 130) * SEC, "root", "x");
        }
        assert_int_equal(close_at(&b, 500 * SEC), true);
        assert_int_equal(b.fired, with == 1 ? 1 : 2);
        assert_int_equal(bench_stats(&b).late, 0);
        if (with != 1) {
            assert_string_equal(b.rule, "corr");
            assert_int_equal(b.first_ns, 110 * SEC);
        }
        close_bench(&b);
    }
}

static void check_alerts(const char *rest, bool lower)
{
    struct bench b;
    char corr[256];
    (void)snprintf(corr, sizeof(corr),
                   "type: event_count, rules: failures, timespan: 1m, condition: {gte: "
                   "1}%s",
                   rest);
    open_levels(&b, corr, "");
    const struct rul_rule *failures = rul_set_find(b.kit.set, HD_SLICE("failures"));
    assert_true(failures->feeds);
    assert_int_equal(failures->alerts, lower);
    assert_false(rul_set_find(b.kit.set, HD_SLICE("base"))->alerts);
    assert_true(rul_set_find(b.kit.set, HD_SLICE("corr"))->alerts);
    close_bench(&b);
}

static void test_generate(void **state)
{
    (void)state;
    check_alerts("", false);
    check_alerts(", generate: true", true);
}

/* ---- what cannot be used ---- */

#define CORR(name, rules)                                                                \
    "title: " name "\nname: " name "\ncorrelation: {type: event_count, rules: " rules    \
    ", timespan: 1m, condition: {gte: 1}}\n---\n"

static void check_refused(const char *yaml, unsigned errors, const char *first,
                          size_t left)
{
    struct kit kit;
    kit_load(&kit, yaml);
    assert_int_equal(kit.err, 0);
    assert_int_equal(kit.errors, errors);
    if (strstr(kit.first.text, first) == NULL) {
        fail_msg("'%s' does not say '%s'", kit.first.text, first);
    }
    assert_int_equal(rul_set_count(kit.set), left);
    kit_free(&kit);
}

static void test_cycles(void **state)
{
    (void)state;
    check_refused(CORR("a", "a"), 1, ":3:41: error: 'a' counts, directly", 0);
    check_refused(BASE CORR("a", "b") CORR("b", "[base, a]") CORR("ok", "base"), 2,
                  "'b' counts, directly", 4);
    check_refused(BASE CORR("a", "b") CORR("b", "c") CORR("c", "a") CORR("d", "a"), 4,
                  "'b' counts, directly", 3);
    check_refused(BASE CORR("d", "a") CORR("a", "a"), 2,
                  "'a' is a correlation that cannot", 3);
    check_refused(CORR("a", "b") CORR("b", "nobody"), 2,
                  "'b' is a correlation that cannot", 0);
}

static void test_depth(void **state)
{
    (void)state;
    char yaml[8192] = BASE CORR("c0", "base");
    struct kit kit;
    for (int i = 1; i <= 16; i++) {
        char one[256];
        (void)snprintf(one, sizeof(one), CORR("c%d", "c%d"), i, i, i - 1);
        strncat(yaml, one, sizeof(yaml) - strlen(yaml) - 1); /* lint: banned bounded */
    }
    kit_load(&kit, yaml);
    assert_int_equal(kit.errors, 1);
    assert_non_null(strstr(kit.first.text, "too many correlations of correlations"));
    assert_int_equal(rul_set_count(kit.set), 3 + 16);
    kit_free(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_end_time),
        cmocka_unit_test(test_alias),
        cmocka_unit_test(test_absent_group),
        cmocka_unit_test(test_values_of_groups),
        cmocka_unit_test(test_closing_levels),
        cmocka_unit_test(test_generate),
        cmocka_unit_test(test_cycles),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
