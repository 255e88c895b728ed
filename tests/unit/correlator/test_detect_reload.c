/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules that are replaced while detection goes on.
 */
#include "tests/unit/correlator/detect_helper.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/fs.h>

#include "correlator/metrics.h"

/* The first detector is at a set whose fields have other numbers, the others are not:
 * whoever sees an agent's lines, they are correlated with the rest. */
static void detectors_need_not_change_rules_together(void **state)
{
    (void)state;
    static const char *const agents[] = {"web1", "web2", "db1", "mail", "dns1", "app7"};
    char text[4096];
    uint64_t before = world_lines(), seen = 0;
    (void)snprintf(text, sizeof(text),
                   "title: More fields\nid: more\nlogsource: {product: linux}\n"
                   "detection: {s: {aaa: x, bbb: y}, condition: s}\n---\n%s",
                   world_rules);
    assert_int_equal(hd_fs_write_atomic(w.rules, hd_slice_str(text), 0600), HD_OK);
    struct cor_rules *again = world_load(w.rules);
    world_start(3);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < 6; i++) {
            char ip[32];
            (void)snprintf(ip, sizeof(ip), "203.0.113.%zu", i + 1);
            world_archive(agents[i], 3, "Failed", ip);
            seen += 3;
        }
        world_examined(before, seen);
        assert_int_equal(round == 0 ? world_use(again) : HD_OK, HD_OK);
    }
    world_stop();
    world_expect(6, 0);
    cor_rules_unref(again);
}

/* Which of the agents the first of two detectors has: its lines hit the other rules. */
static unsigned agents_of_the_first(const char *const agents[6])
{
    unsigned found = 0;
    uint64_t before = world_lines();
    world_start(2);
    assert_int_equal(world_use(w.other), HD_OK);
    for (size_t i = 0; i < 6; i++) {
        world_archive(agents[i], 1, "Failed", "203.0.113.1");
    }
    world_examined(before, 6);
    world_stop();
    struct world_alerts a = world_alerts();
    for (unsigned i = 0; i < a.n; i++) {
        for (unsigned k = 0; k < 6; k++) {
            bool is_it = strcmp(hd_alert_text(a.all[i], "agent.name"), agents[k]) == 0;
            found |= is_it ? 1U << k : 0;
        }
    }
    world_drop(&a);
    assert_in_range(found, 1, 62); /* some, not all */
    return found;
}

/* One had no room for a set. What comes next is new to the state thread all the same,
 * also when only the lines of that one hit anything. */
static void a_detector_may_have_missed_a_set(void **state)
{
    (void)state;
    static const char *const agents[6] = {"web1", "web2", "db1", "mail", "dns1", "app7"};
    w.warm_up_ns = 0; /* what was examined is not counted again */
    unsigned first = agents_of_the_first(agents);
    struct cor_rules *missed = NULL, *last = NULL;
    assert_int_equal(cor_rules_new(w.in_force->set, w.in_force, &missed), HD_OK);
    assert_int_equal(cor_rules_new(w.other->set, w.other, &last), HD_OK);
    uint64_t before = world_lines(), seen = 0;
    world_start(2);
    assert_int_equal(world_use_in(0, missed, 1), HD_OK);
    for (unsigned turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < 6; i++) {
            if ((first >> i & 1U) == (turn == 0)) {
                world_archive(agents[i], 1, "Failed", "203.0.113.2");
                seen++;
            }
        }
        world_examined(before, seen);
        if (turn == 0) {
            assert_int_equal(world_use_in(0, last, 2), HD_OK);
            assert_int_equal(world_use_in(1, last, 2), HD_OK);
        }
    }
    world_stop();
    struct world_alerts a = world_alerts();
    unsigned raised = 0;
    for (unsigned i = 0; i < a.n; i++) {
        raised += strcmp(hd_alert_text(a.all[i], "source.ip"), "203.0.113.2") == 0;
    }
    assert_int_equal(raised, 6 - __builtin_popcount(first));
    world_drop(&a);
    cor_rules_unref(missed);
    cor_rules_unref(last);
}

static void new_rules_work_from_the_next_batch_on(void **state)
{
    (void)state;
    world_archive("web1", 2, "Accepted", "203.0.113.9");
    uint64_t before = world_lines();
    world_start(1);
    world_examined(before, 2);
    assert_int_equal(world_use(w.other), HD_OK);
    struct cor_enrich *enrich = NULL;
    struct hd_diags diags = {0};
    assert_int_equal(cor_enrich_load(&(struct cor_enrich_opts){0}, &enrich, &diags),
                     HD_OK);
    assert_int_equal(cor_state_use(w.state, enrich), HD_OK);
    cor_enrich_unref(enrich);
    world_archive("web1", 1, "Failed", "203.0.113.9");
    world_archive("web1", 1, "Accepted", "203.0.113.9");
    world_examined(before, 4);
    world_stop();
    struct world_alerts a = world_alerts();
    assert_int_equal(world_count(&a, "Accepted"), 2);
    assert_int_equal(world_count(&a, "Session"), 1);
    world_drop(&a);
}

/* Lines from before the reload are shown as far as the rule that they hit means the same,
 * whatever numbers its fields have now. */
static void evidence_outlives_a_reload(void **state)
{
    (void)state;
    char text[4096];
    (void)snprintf(text, sizeof(text),
                   "title: More fields\nid: more\nlogsource: {product: linux}\n"
                   "detection: {s: {aaa: x, bbb: y}, condition: s}\n---\n%s",
                   world_rules);
    assert_int_equal(hd_fs_write_atomic(w.rules, hd_slice_str(text), 0600), HD_OK);
    struct cor_rules *same = world_load(w.rules);
    uint64_t before = world_lines();
    world_start(1);
    world_archive("web1", 5, "Failed", "203.0.113.9");
    world_examined(before, 5);
    assert_int_equal(world_use(same), HD_OK);
    world_archive("web1", 1, "Failed", "203.0.113.9");
    world_examined(before, 6);
    world_stop();
    struct world_alerts a = world_alerts();
    assert_int_equal(a.n, 1);
    const json_t *evidence = hd_alert_at(a.all[0], "evidence");
    assert_int_equal(json_array_size(evidence), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(hd_alert_int(json_array_get(evidence, i), "seq", 0), i + 1);
    }
    world_drop(&a);
    cor_rules_unref(same);
}

static void counts_go_with_the_rule(void **state)
{
    (void)state;
    struct cor_rules *again;
    world_archive("web1", 3, "Accepted", "203.0.113.9");
    world_detect(3);
    assert_int_equal(cor_rules_new(w.in_force->set, w.in_force, &again), HD_OK);
    assert_ptr_equal(world_counts(again, "accepted"),
                     world_counts(w.in_force, "accepted"));
    cor_rules_unref(w.in_force);
    w.in_force = again;
    world_expect_counts("accepted", 3, 3, 0, 0);
    assert_int_equal(cor_rule_read(&world_counts(w.other, "any")->hits), 0);
}

/* ---- rules replaced under load ---- */

#define SWAP_BATCHES 150U
#define SWAP_LINES   40U

struct seen {
    uint64_t n, twice;
    bool seq[SWAP_BATCHES * SWAP_LINES + 1];
};

static void mark_seen(void *ctx, const json_t *alert)
{
    struct seen *seen = ctx;
    const json_t *first = json_array_get(json_object_get(alert, "evidence"), 0);
    int64_t seq = hd_alert_int(first, "seq", 0);
    assert_in_range(seq, 1, SWAP_BATCHES * SWAP_LINES);
    seen->n++;
    seen->twice += seen->seq[seq];
    seen->seq[seq] = true;
}

static struct seen *read_seen(void)
{
    char why[256];
    struct cor_publish *p;
    struct seen *seen = calloc(1, sizeof(*seen));
    const struct hd_journal_opts opts = {.dir = w.alerts_dir};
    assert_non_null(seen);
    assert_int_equal(cor_publish_open(&opts, &p, why), HD_OK);
    assert_int_equal(cor_publish_tail(p, UINT32_MAX, mark_seen, seen), HD_OK);
    cor_publish_close(p);
    return seen;
}

/* Every line raises an alert. Between any two batches the rules are replaced, by a set
 * that holds the same rule beside others and back again. */
static void swaps_under_load_lose_and_double_nothing(void **state)
{
    (void)state;
    char both[4096], path[600];
    (void)snprintf(both, sizeof(both), "%s---\n%s", world_rules, world_other_rules);
    (void)snprintf(path, sizeof(path), "%s/both.yml", hd_test_tmpdir());
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(both), 0600), HD_OK);
    struct cor_rules *more = world_load(path);
    uint64_t before = world_lines();
    world_start(1);
    for (unsigned i = 0; i < SWAP_BATCHES; i++) {
        world_archive("web1", SWAP_LINES, "Accepted", "203.0.113.9");
        /* full: it has not taken up those before; then this one need not come */
        (void)!world_use(i % 2 == 0 ? more : w.in_force);
    }
    world_examined(before, (uint64_t)SWAP_BATCHES * SWAP_LINES);
    world_stop();
    assert_int_equal(world_lines(), before + (uint64_t)SWAP_BATCHES * SWAP_LINES);
    struct seen *seen = read_seen();
    assert_int_equal(seen->n, SWAP_BATCHES * SWAP_LINES);
    assert_int_equal(seen->twice, 0);
    world_expect_counts("accepted", SWAP_BATCHES * SWAP_LINES, SWAP_BATCHES * SWAP_LINES,
                        0, 0);
    assert_true(COR_READ(COR_M_SWAP_PAUSE) > 0);
    free(seen);
    cor_rules_unref(more);
}

/* ---- correlations that change ---- */

static struct cor_rules *load_changed(const char *from, const char *to)
{
    char text[4096], *place;
    (void)snprintf(text, sizeof(text), "%s" WORLD_SLOW_RULE, world_rules);
    place = strstr(text, from);
    assert_non_null(place);
    memcpy(place, to, strlen(to));
    assert_int_equal(hd_fs_write_atomic(w.rules, hd_slice_str(text), 0600), HD_OK);
    return world_load(w.rules);
}

static void expect_heir(const struct cor_rules *rules, const char *name,
                        enum rul_heir heir)
{
    assert_int_equal(atomic_load(&world_counts(rules, name)->heir), heir + 1U);
}

/* A correlation that a reload changes keeps its groups or begins anew, and says so; one
 * that it leaves alone counts on. */
static void a_changed_correlation_says_what_it_keeps(void **state)
{
    (void)state;
    world_use_slow_rule();
    world_archive("web1", 5, "Failed", "203.0.113.9");
    uint64_t before = world_lines();
    world_start(1);
    world_examined(before, 5);
    struct cor_rules *lower = load_changed("{gte: 6}", "{gte: 4}"); /* of "Guessing" */
    struct cor_rules *anew = load_changed("[source.ip]", "[host.name]");
    assert_int_equal(world_use(lower), HD_OK);
    world_archive("web1", 1, "Failed", "203.0.113.9");
    world_examined(before, 6);
    assert_int_equal(world_use(anew), HD_OK);
    world_archive("web1", 1, "Failed", "203.0.113.9");
    world_examined(before, 7);
    world_stop();
    assert_int_equal(COR_READ(COR_M_KEPT), 1);
    assert_int_equal(COR_READ(COR_M_FORGOTTEN), 1);
    expect_heir(lower, "guessing", RUL_HEIR_KEPT);
    expect_heir(anew, "guessing", RUL_HEIR_GROUP);
    struct world_alerts a = world_alerts();
    assert_int_equal(world_count(&a, "Guessing"), 1); /* four of six, before it is anew */
    assert_int_equal(world_count(&a, "Slow"), 1);     /* six of seven */
    world_drop(&a);
    cor_rules_unref(lower);
    cor_rules_unref(anew);
}

/* ---- a set that cannot be taken up ---- */

static atomic_bool fails;
static atomic_uint tried;

int __real_cor_memory_use(struct cor_memory *memory, const struct cor_rules *rules);
int __wrap_cor_memory_use(struct cor_memory *memory, const struct cor_rules *rules);

int __wrap_cor_memory_use(struct cor_memory *memory, const struct cor_rules *rules)
{
    tried++;
    return fails ? HD_ECORRUPT : __real_cor_memory_use(memory, rules);
}

static void a_set_that_cannot_be_taken_up_is_tried_once(void **state)
{
    (void)state;
    uint64_t before = world_lines();
    fails = true;
    tried = 0;
    world_start(1);
    assert_int_equal(world_use(w.other), HD_OK);
    for (unsigned i = 0; i < 6; i++) { /* a rule that both sets have would go on */
        world_archive("web1", 1, "Failed", "203.0.113.9");
    }
    world_examined(before, 6);
    while (COR_READ(COR_M_RULES_REFUSED) == 0) {
        (void)poll(NULL, 0, 2);
    }
    fails = false;
    struct cor_rules *again = NULL;
    assert_int_equal(cor_rules_new(w.other->set, w.other, &again), HD_OK);
    assert_int_equal(world_use(again), HD_OK);
    world_archive("web1", 1, "Failed", "203.0.113.9");
    world_examined(before, 7);
    world_stop();
    assert_int_equal(tried, 2);
    assert_int_equal(COR_READ(COR_M_RULES_REFUSED), 0);
    struct world_alerts a = world_alerts();
    assert_int_equal(world_count(&a, "Session"), 1);
    world_drop(&a);
    cor_rules_unref(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(detectors_need_not_change_rules_together),
        WORLD_TEST(a_detector_may_have_missed_a_set),
        WORLD_TEST(new_rules_work_from_the_next_batch_on),
        WORLD_TEST(evidence_outlives_a_reload),
        WORLD_TEST(counts_go_with_the_rule),
        WORLD_TEST(a_set_that_cannot_be_taken_up_is_tried_once),
        WORLD_TEST(swaps_under_load_lose_and_double_nothing),
        WORLD_TEST(a_changed_correlation_says_what_it_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
