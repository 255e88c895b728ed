/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that fails, state that is damaged, rules that have changed: what correlations
 * remember is kept or given up as a whole, and nothing is counted twice.
 */
#include "tests/unit/rules/correlate_kit.h"

#include <stdlib.h>
#include <string.h>

#include <haidang/bytes.h>

#include "tests/support/alloc.h"

#define HITS 60

/* One of each kind of window, and correlations of correlations. */
static const char all_kinds[] =
    "type: event_count, rules: [base, second], group-by: user.name, timespan: 10s, "
    "condition: {gte: 3}}\nname: corr\n"
    "---\ntitle: k2\nname: k2\ncorrelation: {type: event_count, rules: base, timespan: "
    "10s, condition: {lt: 30}}\n"
    "---\ntitle: k3\ncorrelation: {type: value_count, rules: base, timespan: 20s, "
    "condition: {field: user.name, gte: 3}}\n"
    "---\ntitle: k4\ncorrelation: {type: value_sum, rules: base, timespan: 10s, "
    "condition: {field: source.port, gt: 3}}\n"
    "---\ntitle: k5\ncorrelation: {type: value_percentile, rules: base, timespan: 10s, "
    "condition: {field: source.port, percentile: 50, lt: 9}}\n"
    "---\ntitle: k6\ncorrelation: {type: temporal, rules: [base, second], group-by: "
    "user.name, timespan: 10s}\n"
    "---\ntitle: k7\ncorrelation: {type: temporal_ordered, rules: [base, second], "
    "group-by: user.name, timespan: 10s}\n"
    "---\ntitle: k8\ncorrelation: {type: temporal, timespan: 10s, condition: base and "
    "not second}\n"
    "---\ntitle: k9\ncorrelation: {type: event_count, rules: [corr, k2], timespan: 1m, "
    "condition: {gte: 2}}\nhaidang: {reset: true}\n"
    "---\ntitle: kA\ncorrelation: {type: value_count, rules: base, group-by: "
    "source.port, timespan: 30s, condition: {field: user.name, gte: 2}}\n"
    "haidang: {window: session, gap: 6s}\n"
    "---\ntitle: kB\ncorrelation: {type: value_count, rules: [base, second], timespan: "
    "9s, condition: {field: user.name, gte: 3, lte: 6}}\n"
    "haidang: {window: session, gap: 5s";

static struct bench b;
static struct rul_event_copy *copies[HITS];

static void make_copies(void)
{
    for (int i = 0; i < HITS; i++) {
        char user[8], port[8];
        (void)snprintf(user, sizeof(user), "u%d", i % 4);
        (void)snprintf(port, sizeof(port), "%d", i % 5);
        kit_event(&b.kit, "p", "", "");
        b.kit.ev->time_ns = (1000 + i - (i % 3 == 0 ? 4 : 0)) * SEC;
        rul_event_set(b.kit.ev, RUL_F_USER_NAME, hd_slice_str(user));
        rul_event_set(b.kit.ev, RUL_F_SOURCE_PORT, hd_slice_str(port));
        assert_int_equal(rul_event_copy(b.kit.ev, &copies[i]), 0);
    }
}

static int setup(void **state)
{
    (void)state;
    open_bench(&b, all_kinds);
    make_copies();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < HITS; i++) {
        free(copies[i]);
    }
    close_bench(&b);
    return 0;
}

/* ---- memory that fails ---- */

struct seen { /* all detections, in order */
    struct hd_buf text;
};

static void on_detection(void *ctx, const struct rul_detection *d,
                         const struct rul_event_copy *last)
{
    struct seen *seen = ctx;
    unsigned was = hd_test_alloc_pause();
    (void)last;
    hd_buf_printf(&seen->text, "%s %lld %lld %llu %llu %.*s\n", d->rule->title,
                  (long long)d->first_ns, (long long)d->last_ns,
                  (unsigned long long)d->count, (unsigned long long)d->suppressed,
                  HD_SLICE_FMT(d->first_position));
    hd_test_alloc_resume(was);
}

static bool again(void *ctx)
{
    unsigned *waits = ctx;
    ++*waits;
    return true;
}

static struct rul_correlator *new_correlator(unsigned *waits)
{
    struct rul_correlator *c = NULL;
    const struct rul_correlator_opts opts = {.on_short = again, .short_ctx = waits};
    int err = rul_correlator_new(&opts, &c);
    err = err == HD_ENOMEM ? rul_correlator_new(&opts, &c) : err;
    assert_int_equal(err, 0);
    err = rul_correlator_use(c, b.kit.set);
    err = err == HD_ENOMEM ? rul_correlator_use(c, b.kit.set) : err;
    assert_int_equal(err, 0);
    return c;
}

static void play(struct rul_correlator *c, int from, int to, struct seen *seen)
{
    for (int i = from; i < to; i++) {
        char position[32];
        int n = snprintf(position, sizeof(position), "a%d/b/%d", i % 2, i);
        for (unsigned rule = 0; rule <= (i % 3 == 1); rule++) {
            assert_int_equal(rul_correlate(c, rul_set_rule(b.kit.set, rule), copies[i],
                                           hd_slice(position, (size_t)n), on_detection,
                                           seen),
                             0);
        }
    }
    rul_correlator_advance(c, (1000 + to + (to == HITS ? 200 : 0)) * SEC);
    rul_correlator_close(c, on_detection, seen);
}

/* What is seen with no failure. */
static void play_all(struct seen *seen)
{
    unsigned waits = 0;
    struct rul_correlator *c = new_correlator(&waits);
    hd_buf_init(&seen->text, 0);
    play(c, 0, HITS, seen);
    rul_correlator_free(c);
    assert_int_equal(waits, 0);
    for (const char *title = "123456789AB"; *title != 0; title++) {
        char name[4] = {'k', *title, ' ', 0};
        const char *sought = *title == '1' ? "corr " : name;
        assert_true(hd_slice_find(hd_buf_slice(&seen->text), hd_slice_str(sought)) !=
                    HD_NPOS);
    }
}

/* Every allocation fails once: all is detected all the same, once. */
static void test_every_failure(void **state)
{
    (void)state;
    struct seen expected, got;
    play_all(&expected);
    hd_buf_init(&got.text, 0);
    HD_TEST_ALLOC_EACH(n)
    {
        unsigned waits = 0;
        struct rul_correlator_stats stats;
        hd_buf_clear(&got.text);
        struct rul_correlator *c = new_correlator(&waits);
        play(c, 0, HITS, &got);
        hd_test_alloc_stop();
        rul_correlator_stats(c, &stats);
        assert_int_equal(stats.lost, 0);
        assert_true(waits <= 1);
        if (!hd_slice_eq(hd_buf_slice(&got.text), hd_buf_slice(&expected.text))) {
            fail_msg("failure %u:\n%.*s\nexpected:\n%.*s", n,
                     HD_SLICE_FMT(hd_buf_slice(&got.text)),
                     HD_SLICE_FMT(hd_buf_slice(&expected.text)));
        }
        rul_correlator_free(c);
    }
    hd_buf_fini(&got.text);
    hd_buf_fini(&expected.text);
}

/* What a correlator saves that was loaded from it. */
static void load_new(struct hd_buf *saved)
{
    unsigned waits = 0;
    struct rul_correlator *c = new_correlator(&waits);
    assert_int_equal(rul_correlator_load(c, hd_buf_slice(saved)), 0);
    hd_buf_clear(saved);
    assert_int_equal(rul_correlator_save(c, saved), 0);
    rul_correlator_free(c);
}

/* Saving, loading and taking up a set say so when memory fails, and can be done again. */
static void test_failure_while_saving(void **state)
{
    (void)state;
    unsigned waits = 0;
    struct seen seen;
    hd_buf_init(&seen.text, 0);
    struct rul_correlator *c = new_correlator(&waits);
    play(c, 0, HITS / 2, &seen);
    struct hd_buf whole;
    hd_buf_init(&whole, 0);
    assert_int_equal(rul_correlator_save(c, &whole), 0);
    load_new(&whole); /* from now on places have the numbers that loading gives them */
    HD_TEST_ALLOC_EACH(n)
    {
        struct hd_buf saved, twice;
        hd_buf_init(&saved, 0);
        hd_buf_init(&twice, 0);
        int err = rul_correlator_save(c, &saved);
        bool failed = hd_test_alloc_failed();
        assert_int_equal(err, failed ? HD_ENOMEM : 0);
        struct rul_correlator *other = new_correlator(&waits);
        failed = hd_test_alloc_failed();
        err = rul_correlator_load(other, hd_buf_slice(&whole));
        hd_test_alloc_stop();
        assert_int_equal(err, hd_test_alloc_failed() && !failed ? HD_ENOMEM : 0);
        if (err != 0) {
            struct rul_correlator_stats stats;
            rul_correlator_stats(other, &stats);
            assert_int_equal(stats.groups, 0);
            assert_int_equal(rul_correlator_load(other, hd_buf_slice(&whole)), 0);
        }
        assert_int_equal(rul_correlator_save(other, &twice), 0);
        assert_true(hd_slice_eq(hd_buf_slice(&twice), hd_buf_slice(&whole)));
        rul_correlator_free(other);
        hd_buf_fini(&saved);
        hd_buf_fini(&twice);
    }
    hd_buf_fini(&whole);
    hd_buf_fini(&seen.text);
    rul_correlator_free(c);
}

/* What groups take decides which of them goes when memory is short: it is the same after
 * a restart, also where a window had more events before. */
static void test_as_large_as_before(void **state)
{
    (void)state;
    unsigned waits = 0;
    struct seen seen;
    hd_buf_init(&seen.text, 0);
    struct rul_correlator *c = new_correlator(&waits);
    for (int i = 0; i < HITS; i += 3) {
        struct hd_buf saved;
        struct rul_correlator_stats was, is;
        struct rul_correlator *other = new_correlator(&waits);
        play(c, i, i + 3, &seen);
        copies[i + 2]->time_ns += 30 * SEC; /* many that are counted go at once */
        play(c, i + 2, i + 3, &seen);
        hd_buf_init(&saved, 0);
        assert_int_equal(rul_correlator_save(c, &saved), 0);
        assert_int_equal(rul_correlator_load(other, hd_buf_slice(&saved)), 0);
        rul_correlator_stats(c, &was);
        rul_correlator_stats(other, &is);
        assert_int_equal(is.groups, was.groups);
        assert_int_equal(is.bytes, was.bytes);
        rul_correlator_free(other);
        hd_buf_fini(&saved);
    }
    hd_buf_fini(&seen.text);
    rul_correlator_free(c);
}

/* A value that its decoder has unescaped lies beside the line, and may be as long. */
static void test_long_values_count(void **state)
{
    (void)state;
    static char text[60001];
    struct bench now;
    open_bench(&now, "type: event_count, rules: base, timespan: 10s, condition: {lt: 9}");
    memset(text, 'x', sizeof(text) - 1);
    (void)hit_as(&now, 1000 * SEC, text, "192.0.2.1");
    assert_in_range(bench_stats(&now).bytes, sizeof(text), 2 * sizeof(text));
    close_bench(&now);
}

/* Where events came from is remembered as long as something refers to it: a correlator
 * that runs for years sees more agents and boots than it has room for. */
static void test_origins_are_forgotten(void **state)
{
    (void)state;
    struct bench now;
    struct hd_buf saved;
    hd_buf_init(&saved, 0);
    open_bench(&now,
               "type: event_count, rules: base, timespan: 10s, condition: {gte: 9}");
    for (unsigned i = 0; i < 50; i++) {
        char position[64];
        (void)snprintf(position, sizeof(position), "a/boot-%u/1", i);
        (void)hit_rule(&now, "base", (1000 + i) * SEC, position, "u", "192.0.2.1");
    }
    assert_int_equal(rul_correlator_save(now.c, &saved), 0);
    size_t before = saved.len;
    assert_true(hd_slice_find(hd_buf_slice(&saved), HD_SLICE("a/boot-3/")) != HD_NPOS);
    close_bench(&now);
    open_bench(&now,
               "type: event_count, rules: base, timespan: 10s, condition: {gte: 9}");
    assert_int_equal(rul_correlator_load(now.c, hd_buf_slice(&saved)), 0);
    hd_buf_clear(&saved);
    assert_int_equal(rul_correlator_save(now.c, &saved), 0);
    assert_true(saved.len < before);
    assert_true(hd_slice_find(hd_buf_slice(&saved), HD_SLICE("a/boot-3/")) == HD_NPOS);
    assert_true(hd_slice_find(hd_buf_slice(&saved), HD_SLICE("a/boot-49/")) != HD_NPOS);
    close_bench(&now);
    hd_buf_fini(&saved);
}

/* ---- state that is damaged ---- */

static void test_damage(void **state)
{
    (void)state;
    unsigned waits = 0;
    struct seen seen;
    struct rul_correlator_stats stats;
    hd_buf_init(&seen.text, 0);
    struct rul_correlator *c = new_correlator(&waits);
    play(c, 0, HITS / 2, &seen);
    struct hd_buf saved;
    hd_buf_init(&saved, 0);
    assert_int_equal(rul_correlator_save(c, &saved), 0);
    for (size_t len = 0; len < saved.len; len++) {
        assert_int_equal(rul_correlator_load(c, hd_slice(saved.ptr, len)), HD_ECORRUPT);
        rul_correlator_stats(c, &stats);
        assert_true(stats.groups == 0 || len < 8); /* no look at what is no state */
    }
    hd_buf_byte(&saved, 0); /* more than there should be */
    assert_int_equal(rul_correlator_load(c, hd_buf_slice(&saved)), HD_ECORRUPT);
    saved.len--;
    saved.ptr[7]++; /* a version to come */
    assert_int_equal(rul_correlator_load(c, hd_buf_slice(&saved)), HD_EVERSION);
    saved.ptr[7]--;
    assert_int_equal(rul_correlator_load(c, hd_buf_slice(&saved)), 0);
    rul_correlator_stats(c, &stats);
    assert_int_not_equal(stats.groups, 0);
    assert_int_equal(stats.forgotten, 0);
    hd_buf_fini(&saved);
    hd_buf_fini(&seen.text);
    rul_correlator_free(c);
}

/* The one group of an event_count, without what its ring has room for. */
static void put_roomless(struct hd_bytes *in, struct hd_buf *out)
{
    hd_buf_le64(out, hd_bytes_le64(in) - sizeof(uint32_t));
    uint32_t key = hd_bytes_le32(in);
    hd_buf_le32(out, key);
    hd_buf_slice_add(out, hd_bytes_view(in, key + 8U + 8U + 4U + 1U));
    hd_buf_le32(out, hd_bytes_le32(in));
    (void)hd_bytes_le32(in);
    hd_buf_slice_add(out, hd_bytes_view(in, hd_bytes_left(in)));
}

/* As version 3 or 4 wrote it: without the head of the one state there is, or with one
 * that says nothing of room. */
static void make_old(const struct hd_buf *saved, uint8_t version, struct hd_buf *out)
{
    struct hd_bytes in = hd_bytes(hd_buf_slice(saved));
    (void)hd_bytes_view(&in, 24); /* magic seed seen */
    for (uint32_t n = hd_bytes_le32(&in); n > 0; n--) {
        (void)hd_bytes_view(&in, hd_bytes_le32(&in));
    }
    assert_int_equal(hd_bytes_le32(&in), 1);
    (void)hd_bytes_view(&in, hd_bytes_le32(&in) + 8U); /* id hash */
    hd_buf_clear(out);
    hd_buf_bytes(out, saved->ptr, saved->len - hd_bytes_left(&in));
    struct hd_slice head = hd_bytes_view(&in, hd_bytes_le32(&in));
    if (version > 3) {
        hd_buf_le32(out, (uint32_t)(head.len - sizeof(uint32_t)));
        hd_buf_slice_add(out, hd_slice_head(head, head.len - sizeof(uint32_t)));
    }
    put_roomless(&in, out);
    assert_false(hd_bytes_failed(&in));
    out->ptr[7] = (uint8_t)('0' + version);
}

static void test_versions_before(void **state)
{
    (void)state;
    struct bench same, changed;
    struct hd_buf saved, old;
    hd_buf_init(&saved, 0);
    hd_buf_init(&old, 0);
    open_bench(&same,
               "type: event_count, rules: base, timespan: 1m, condition: {gte: 3}");
    open_bench(&changed,
               "type: event_count, rules: base, timespan: 1m, condition: {gte: 2}");
    (void)hit(&same, 100 * SEC);
    (void)hit(&same, 101 * SEC);
    assert_int_equal(rul_correlator_save(same.c, &saved), 0);
    for (uint8_t version = 3; version <= 4; version++) {
        make_old(&saved, version, &old);
        assert_int_equal(rul_correlator_load(same.c, hd_buf_slice(&old)), 0);
        assert_true(hit(&same, 102 * SEC));
        assert_int_equal(rul_correlator_load(changed.c, hd_buf_slice(&old)), 0);
        /* of version 3 nobody knows what it was */
        assert_int_equal(bench_stats(&changed).forgotten, 1);
        assert_int_equal(bench_stats(&changed).kept, version - 3);
    }
    hd_buf_fini(&old);
    hd_buf_fini(&saved);
    close_bench(&same);
    close_bench(&changed);
}

/* ---- times far away ---- */

/* A line may say any year, and a clock may be a century ahead: what remembers them is
 * read again all the same. */
static void test_far_times(void **state)
{
    (void)state;
    static const int64_t years_ns = INT64_MAX - SEC, last_ns = INT64_MAX / 2;
    struct bench old, new;
    struct hd_buf saved;
    hd_buf_init(&saved, 0);
    const char *rule = "type: event_count, rules: base, timespan: 1m, condition: {lt: 9}";
    open_bench(&old, rule);
    open_bench(&new, rule);
    for (unsigned i = 0; i < 2; i++) {
        kit_event(&old.kit, "p", "", "");
        old.kit.ev->time_ns = i == 0 ? years_ns : last_ns;
        old.kit.ev->recv_ns = i == 0 ? 1000 * SEC : last_ns;
        struct rul_event_copy *copy = NULL;
        assert_int_equal(rul_event_copy(old.kit.ev, &copy), 0);
        assert_int_equal(rul_correlate(old.c, rul_set_rule(old.kit.set, 0), copy,
                                       HD_SLICE("a/b/1"), bench_on_detection, &old),
                         0);
        free(copy);
        hd_buf_clear(&saved);
        assert_int_equal(rul_correlator_save(old.c, &saved), 0);
        assert_int_equal(rul_correlator_load(new.c, hd_buf_slice(&saved)), 0);
        assert_int_equal(bench_stats(&new).groups, 1);
    }
    hd_buf_fini(&saved);
    close_bench(&old);
    close_bench(&new);
}

/* ---- rules that have changed ---- */

struct told {
    unsigned n;
    char rule[64];
    uint32_t groups;
    enum rul_heir heir;
};

static void on_heir(void *ctx, const struct rul_heritage *heritage)
{
    struct told *told = ctx;
    told->n++;
    told->groups = heritage->groups;
    told->heir = heritage->heir;
    (void)snprintf(told->rule, sizeof(told->rule), "%.*s", HD_SLICE_FMT(heritage->id));
}

#define TWO(first, second)                                                               \
    "type: event_count, rules: base, timespan: 1m, condition: {gte: " first "}}\n"       \
    "---\ntitle: other\nid: other\ncorrelation: {type: event_count, rules: base, "       \
    "group-by: " second ", timespan: 1m, condition: {gte: 5}"

/* Which of a rule's groups go on is in test_correlate_heir.c. */
static void test_changed_rules(void **state)
{
    (void)state;
    struct bench old, new;
    struct hd_buf saved;
    struct told told = {0}, loaded = {0};
    hd_buf_init(&saved, 0);
    open_with(&old, TWO("5", "user.name"),
              &(struct rul_correlator_opts){.on_heir = on_heir, .heir_ctx = &told});
    open_with(&new, TWO("5", "source.ip"),
              &(struct rul_correlator_opts){.on_heir = on_heir, .heir_ctx = &loaded});
    for (int i = 0; i < 4; i++) {
        assert_false(hit_as(&old, (100 + i) * SEC, i % 2 == 0 ? "a" : "b", NULL));
    }
    assert_int_equal(rul_correlator_save(old.c, &saved), 0);
    assert_int_equal(rul_correlator_use(old.c, old.kit.set), 0);
    assert_int_equal(told.n, 0);
    assert_int_equal(rul_correlator_use(old.c, new.kit.set), 0); /* a reload */
    assert_int_equal(bench_stats(&old).forgotten, 1);
    assert_int_equal(bench_stats(&old).groups, 1);
    assert_int_equal(rul_correlator_load(new.c, hd_buf_slice(&saved)), 0); /* a restart */
    assert_int_equal(bench_stats(&new).forgotten, 1);
    const struct told *both[] = {&told, &loaded};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(both[i]->n, 1);
        assert_string_equal(both[i]->rule, "other");
        assert_int_equal(both[i]->groups, 2);
        assert_int_equal(both[i]->heir, RUL_HEIR_GROUP);
    }
    assert_true(hit_as(&new, 104 * SEC, "a", NULL)); /* the one that stayed counts on */
    assert_string_equal(new.rule, "corr");
    hd_buf_fini(&saved);
    close_bench(&old);
    close_bench(&new);
}

/* A rule that remembers nothing has nothing to lose. */
static void test_changed_without_state(void **state)
{
    (void)state;
    struct bench old, new;
    open_bench(&old, TWO("5", "user.name"));
    open_bench(&new, TWO("6", "source.ip"));
    assert_int_equal(rul_correlator_use(old.c, new.kit.set), 0);
    assert_int_equal(bench_stats(&old).forgotten, 0);
    close_bench(&old);
    close_bench(&new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failure_while_saving, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_as_large_as_before, setup, teardown),
        cmocka_unit_test(test_long_values_count),
        cmocka_unit_test(test_origins_are_forgotten),
        cmocka_unit_test(test_versions_before),
        cmocka_unit_test(test_far_times),
        cmocka_unit_test(test_changed_rules),
        cmocka_unit_test(test_changed_without_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
