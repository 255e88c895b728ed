/* SPDX-License-Identifier: Apache-2.0
 *
 * Which changes of a correlation let it go on with its groups, and what it then does
 * (docs/correlation.md, "Reload"): each by a reload, and by a restart with other rules.
 */
#include "tests/unit/rules/correlate_kit.h"

#include <stdio.h>

enum way { RELOAD, RESTART, WAYS };

struct told {
    unsigned n;
    uint32_t groups;
    enum rul_heir heir;
};

static void on_heir(void *ctx, const struct rul_heritage *heritage)
{
    struct told *told = ctx;
    told->n++;
    told->groups = heritage->groups;
    told->heir = heritage->heir;
}

/* The bench goes on with this correlation instead of its own. */
static void change(struct bench *b, enum way way, const char *correlation,
                   struct told *told)
{
    struct bench after;
    struct hd_buf saved;
    *told = (struct told){0};
    hd_buf_init(&saved, 0);
    open_with(&after, correlation,
              &(struct rul_correlator_opts){.on_heir = on_heir, .heir_ctx = told});
    assert_int_equal(rul_correlator_save(b->c, &saved), 0);
    if (way ==
        RELOAD) { /* into what is there, which tells nobody: so the old set first */
        assert_int_equal(rul_correlator_use(after.c, b->kit.set), 0);
        assert_int_equal(rul_correlator_load(after.c, hd_buf_slice(&saved)), 0);
        assert_int_equal(told->n, 0);
        assert_int_equal(rul_correlator_use(after.c, after.kit.set), 0);
    } else {
        assert_int_equal(rul_correlator_load(after.c, hd_buf_slice(&saved)), 0);
    }
    after.seq = b->seq;
    hd_buf_fini(&saved);
    close_bench(b);
    *b = after;
}

/* ---- which changes ---- */

#define COUNT(condition, rest)                                                           \
    "type: event_count, rules: base, timespan: 10s, group-by: user.name, condition: "    \
    "{" condition "}" rest
#define VALUES(condition)                                                                \
    "type: value_count, rules: base, timespan: 10s, group-by: user.name, condition: "    \
    "{field: source.port, " condition "}"
#define NUMBERS(condition, rest)                                                         \
    "type: value_percentile, rules: base, timespan: 10s, condition: {field: "            \
    "source.port, percentile: 50, " condition "}" rest
#define ORDER(type, span, condition)                                                     \
    "type: " type ", rules: [base, second], timespan: " span ", condition: " condition
#define OPTIONS(text) "}\nhaidang: {" text
#define SESSION(gap)  OPTIONS("window: session, gap: " gap)

#define SAME          RUL_HEIRS /* nothing to be told */

static const struct row {
    const char *before, *after;
    enum rul_heir heir;
} rows[] = {
    {COUNT("gte: 5", ""), COUNT("gte: 5", ""), SAME},
    {COUNT("gte: 5", ""), COUNT("gte: 6", ""), RUL_HEIR_KEPT},
    {COUNT("gte: 5", ""), COUNT("gt: 3", ""), RUL_HEIR_KEPT},
    {COUNT("gte: 5", ""), COUNT("gte: 5", ", generate: true"), RUL_HEIR_KEPT},
    {COUNT("gte: 5", ""), COUNT("gte: 5", OPTIONS("reset: true")), RUL_HEIR_KEPT},
    {COUNT("gte: 5", ""), COUNT("lte: 5", ""), RUL_HEIR_WINDOW},
    {COUNT("gte: 5", ""), COUNT("gte: 5", OPTIONS("window: tumbling")), RUL_HEIR_WINDOW},
    {COUNT("gte: 5", ""), COUNT("gte: 5", SESSION("5s")), RUL_HEIR_WINDOW},
    {COUNT("gte: 5", ""), COUNT("gte: 5", OPTIONS("null_group: true")), RUL_HEIR_GROUP},
    {COUNT("gte: 5", ""),
     "type: event_count, rules: base, timespan: 1h, group-by: user.name, condition: "
     "{gte: 5}",
     RUL_HEIR_KEPT},
    {COUNT("gte: 5", ""),
     "type: event_count, rules: base, timespan: 10s, group-by: source.ip, condition: "
     "{gte: 5}",
     RUL_HEIR_GROUP},
    {COUNT("gte: 5", ""),
     "type: event_count, rules: [base, second], timespan: 10s, group-by: user.name, "
     "condition: {gte: 5}",
     RUL_HEIR_COUNTED},
    {COUNT("gte: 5", ""), VALUES("gte: 5"), RUL_HEIR_TYPE},
    {COUNT("eq: 5", ""), COUNT("eq: 6", ""), RUL_HEIR_KEPT},
    {COUNT("eq: 5", ""),
     "type: event_count, rules: base, timespan: 11s, group-by: user.name, condition: "
     "{eq: 5}",
     RUL_HEIR_TIMESPAN},
    {VALUES("gte: 5"), VALUES("gte: 3"), RUL_HEIR_KEPT},
    {VALUES("gte: 5"),
     "type: value_count, rules: base, timespan: 10s, group-by: user.name, condition: "
     "{field: source.ip, gte: 5}",
     RUL_HEIR_COUNTED},
    {NUMBERS("gte: 900", ""), NUMBERS("gte: 901", ""), RUL_HEIR_KEPT},
    {NUMBERS("lte: 0", ""), NUMBERS("lte: 1", ""), RUL_HEIR_CONDITION},
    {COUNT("gte: 5", SESSION("5s")), COUNT("gte: 4", SESSION("6s")), RUL_HEIR_KEPT},
    {COUNT("lte: 5", SESSION("5s")), COUNT("lte: 4", SESSION("6s")), RUL_HEIR_KEPT},
    {NUMBERS("gte: 900", SESSION("5s")), NUMBERS("gte: 901", SESSION("5s")),
     RUL_HEIR_CONDITION},
    {ORDER("temporal", "10s", "base and second"), ORDER("temporal", "1m", "{gte: 2}"),
     RUL_HEIR_KEPT},
    {ORDER("temporal", "10s", "base and second"),
     ORDER("temporal", "10s", "base and not second"), RUL_HEIR_WINDOW},
    {ORDER("temporal", "10s", "base and not second"),
     ORDER("temporal", "11s", "base and not second"), RUL_HEIR_TIMESPAN},
    {ORDER("temporal", "10s", "base and not second"),
     ORDER("temporal", "10s", "second and not base"), RUL_HEIR_CONDITION},
    {ORDER("temporal_ordered", "10s", "base and second"),
     ORDER("temporal_ordered", "1m", "base and second"), RUL_HEIR_KEPT},
    {ORDER("temporal_ordered", "10s", "base and second"),
     ORDER("temporal_ordered", "10s", "base or second"), RUL_HEIR_CONDITION},
};

static void test_which_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (enum way way = RELOAD; way < WAYS; way++) {
            struct bench b;
            struct told told;
            open_bench(&b, rows[i].before);
            (void)hit_number(&b, "base", 100 * SEC, "a", "7");
            assert_int_equal(bench_stats(&b).groups, 1);
            change(&b, way, rows[i].after, &told);
            if (told.n != (rows[i].heir != SAME) ||
                (told.n == 1 && (told.heir != rows[i].heir || told.groups != 1))) {
                fail_msg("%s\n-> %s: told %u, %s", rows[i].before, rows[i].after, told.n,
                         rul_heir_text(told.heir));
            }
            bool is_kept = rows[i].heir == SAME || rows[i].heir == RUL_HEIR_KEPT;
            assert_int_equal(bench_stats(&b).groups, is_kept);
            assert_int_equal(bench_stats(&b).kept, rows[i].heir == RUL_HEIR_KEPT);
            assert_int_equal(bench_stats(&b).forgotten, !is_kept);
            close_bench(&b);
        }
    }
}

/* A rule that is counted means something else; and one that is gone. */
static void test_what_is_counted(void **state)
{
    (void)state;
    struct bench b;
    struct kit other;
    struct told told = {0};
    open_with(&b, COUNT("gte: 5", ""),
              &(struct rul_correlator_opts){.on_heir = on_heir, .heir_ctx = &told});
    (void)hit(&b, 100 * SEC);
    kit_load(&other, "title: base\nname: base\nlogsource: {product: p}\ndetection: {s: "
                     "{F: y}, condition: s}\n---\n"
                     "title: corr\nid: corr\ncorrelation: {" COUNT("gte: 5", "") "}\n");
    assert_int_equal(rul_correlator_use(b.c, other.set), 0);
    assert_int_equal(told.heir, RUL_HEIR_COUNTED);
    kit_free(&b.kit);
    b.kit = other;
    (void)hit(&b, 101 * SEC);
    kit_load(&other, "title: base\nname: base\nlogsource: {product: p}\ndetection: {s: "
                     "{F: y}, condition: s}\n");
    assert_int_equal(rul_correlator_use(b.c, other.set), 0);
    assert_int_equal(told.n, 2);
    assert_int_equal(told.heir, RUL_HEIR_GONE);
    kit_free(&b.kit);
    b.kit = other;
    close_bench(&b);
}

/* ---- what they then do ---- */

static void each_way(void (*play)(struct bench *b, enum way way))
{
    for (enum way way = RELOAD; way < WAYS; way++) {
        struct bench b;
        play(&b, way);
        close_bench(&b);
    }
}

static void higher(struct bench *b, enum way way)
{
    struct told told;
    open_bench(b, COUNT("gte: 3", ""));
    assert_false(hit(b, 100 * SEC));
    assert_false(hit(b, 101 * SEC));
    change(b, way, COUNT("gte: 4", ""), &told);
    assert_false(hit(b, 102 * SEC));
    assert_true(hit(b, 103 * SEC));
    assert_int_equal(b->count, 4);
    assert_string_equal(b->position, "web1/b00t/1");
}

/* Already more than enough: the next event says so, with the newest that are needed. */
static void lower(struct bench *b, enum way way)
{
    struct told told;
    open_bench(b, COUNT("gte: 6", ""));
    for (int i = 0; i < 4; i++) {
        assert_false(hit(b, (100 + i) * SEC));
    }
    change(b, way, COUNT("gte: 3", ""), &told);
    assert_true(hit(b, 104 * SEC));
    assert_int_equal(b->count, 3);
    assert_string_equal(b->position, "web1/b00t/3");
    assert_false(hit(b, 105 * SEC)); /* once */
}

#define SPAN(span)                                                                       \
    "type: event_count, rules: base, timespan: " span ", group-by: user.name, "          \
    "condition: {gte: 3}"

static void longer(struct bench *b, enum way way)
{
    struct told told;
    open_bench(b, SPAN("10s"));
    assert_false(hit(b, 100 * SEC));
    assert_false(hit(b, 101 * SEC));
    change(b, way, SPAN("1m"), &told);
    assert_true(hit(b, 120 * SEC));
    assert_int_equal(b->first_ns, 100 * SEC);
}

static void shorter(struct bench *b, enum way way)
{
    struct told told;
    open_bench(b, SPAN("1m"));
    assert_false(hit(b, 100 * SEC));
    assert_false(hit(b, 119 * SEC));
    change(b, way, SPAN("10s"), &told);
    assert_false(hit(b, 120 * SEC));
    assert_true(hit(b, 121 * SEC));
    assert_int_equal(b->first_ns, 119 * SEC);
}

/* Of three values more than two were counted, but perhaps not all: what is to be told
 * from five now cannot be. Of one it can. */
static void values(struct bench *b, enum way way)
{
    static const char *const ports[] = {"1", "2", "3", "4"};
    struct told told;
    open_bench(b, VALUES("eq: 2"));
    for (int i = 0; i < 4; i++) {
        assert_false(hit_number(b, "base", 101 * SEC, "many", ports[i]));
    }
    assert_false(hit_number(b, "base", 101 * SEC, "one", "1"));
    change(b, way, VALUES("lte: 5"), &told);
    assert_int_equal(told.groups, 2);
    assert_int_equal(bench_stats(b).groups, 1);
    assert_true(close_at(b, 200 * SEC));
    assert_string_equal(b->group, "user.name=one;");
    assert_int_equal(b->count, 1);
}

static void numbers(struct bench *b, enum way way)
{
    struct told told;
    open_bench(b, NUMBERS("gt: 50", ""));
    assert_false(hit_number(b, "base", 100 * SEC, "a", "10"));
    assert_false(hit_number(b, "base", 101 * SEC, "a", "20"));
    change(b, way, NUMBERS("gt: 15", ""), &told);
    assert_true(hit_number(b, "base", 102 * SEC, "a", "30"));
    assert_int_equal(b->count, 3);
}

static void sessions(struct bench *b, enum way way)
{
    struct told told;
    open_bench(b, COUNT("gte: 5", SESSION("2s")));
    assert_false(hit(b, 100 * SEC));
    assert_false(hit(b, 101 * SEC));
    change(b, way, COUNT("gte: 3", SESSION("5s")), &told);
    assert_true(hit(b, 105 * SEC)); /* it goes on with the longer gap */
    assert_int_equal(b->first_ns, 100 * SEC);
}

static void sightings(struct bench *b, enum way way)
{
    struct told told;
    open_bench(b, ORDER("temporal", "10s", "base and second"));
    assert_false(hit_number(b, "base", 100 * SEC, "a", NULL));
    change(b, way, ORDER("temporal", "1m", "{gte: 2}"), &told);
    assert_true(hit_number(b, "second", 130 * SEC, "a", NULL));
    assert_int_equal(b->first_ns, 100 * SEC);
}

static void test_what_they_do(void **state)
{
    (void)state;
    each_way(higher);
    each_way(lower);
    each_way(longer);
    each_way(shorter);
    each_way(values);
    each_way(numbers);
    each_way(sessions);
    each_way(sightings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_changes),
        cmocka_unit_test(test_what_is_counted),
        cmocka_unit_test(test_what_they_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
