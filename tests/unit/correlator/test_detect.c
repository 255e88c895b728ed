/* SPDX-License-Identifier: Apache-2.0
 *
 * From the archive to the alert journal: detectors and the state thread, as threads.
 */
#include "tests/unit/correlator/detect_helper.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/journal_check.h>

#include "correlator/metrics.h"
#include "tests/support/alloc.h"

#define DENSE 16U /* allocations that fail one by one; then ever fewer of them */

static void an_attack_becomes_one_alert(void **state)
{
    (void)state;
    world_archive("web1", 8, "Failed", "203.0.113.9");
    world_archive("web1", 1, "Accepted", "203.0.113.9");
    world_detect(9);
    struct world_alerts a = world_alerts();
    assert_int_equal(a.n, 2);
    const json_t *alert = a.all[0];
    assert_string_equal(hd_alert_text(alert, "rule.title"), "Guessing");
    assert_string_equal(hd_alert_text(alert, "source.ip"), "203.0.113.9");
    assert_string_equal(
        json_string_value(json_object_get(hd_alert_at(alert, "group"), "source.ip")),
        "203.0.113.9");
    assert_int_equal(hd_alert_int(alert, "count", 0), 6);
    const json_t *evidence = hd_alert_at(alert, "evidence");
    assert_int_equal(json_array_size(evidence), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(hd_alert_int(json_array_get(evidence, i), "seq", 0), i + 1);
    }
    world_drop(&a);
}

/* Nothing new: nothing published, whether the cursor was saved or lost in a crash. */
static void a_replay_publishes_nothing_again(void **state)
{
    (void)state;
    world_archive("web1", 8, "Failed", "203.0.113.9");
    world_archive("web1", 1, "Accepted", "203.0.113.9");
    world_detect(9);
    world_expect(1, 1);
    world_start(1);
    world_stop();
    world_expect(1, 1);
    world_forget_cursors();
    uint64_t replayed = COR_READ(COR_M_REPLAYED);
    world_detect(9);
    world_expect(1, 1);
    assert_int_equal(COR_READ(COR_M_REPLAYED), replayed + 2);
}

static void an_attack_cut_by_a_restart_is_seen_once(void **state)
{
    (void)state;
    world_archive("web1", 4, "Failed", "203.0.113.9");
    world_detect(4);
    world_expect(0, 0);
    world_archive("web1", 4, "Failed", "203.0.113.9");
    world_detect(8);
    world_expect(1, 0);
    world_archive("web1", 1, "Failed", "203.0.113.9");
    world_detect(9);
    world_expect(1, 0);
}

static void repeats_are_counted(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RUL_SUPPRESS_SEVERITIES; i++) {
        w.opts.suppress.window_ns[i] = 30 * HD_NS_PER_SEC;
    }
    world_archive("web1", 5, "Accepted", "203.0.113.9");
    world_archive("web1", 1, "Accepted", "203.0.113.10");
    w.now_ns += 31 * HD_NS_PER_SEC;
    world_archive("web1", 1, "Accepted", "203.0.113.9");
    world_detect(7);
    struct world_alerts a = world_alerts();
    assert_int_equal(a.n, 3);
    assert_int_equal(hd_alert_int(a.all[2], "suppressed", -1), 4);
    world_drop(&a);
    /* the window outlives the process */
    world_archive("web1", 1, "Accepted", "203.0.113.9");
    world_detect(1);
    world_expect(0, 3);
}

static void several_detectors_see_everything_once(void **state)
{
    (void)state;
    static const char *const agents[] = {"web1", "web2", "db1", "mail", "dns1", "app7"};
    for (size_t i = 0; i < 6; i++) {
        char ip[32];
        w.seq = 0;
        (void)snprintf(ip, sizeof(ip), "203.0.113.%zu", i + 1);
        world_archive(agents[i], 8, "Failed", ip);
        world_archive(agents[i], 1, "Accepted", ip);
    }
    uint64_t before = world_lines();
    world_start(3);
    world_examined(before, 54);
    world_stop();
    assert_int_equal(world_lines(), before + 54);
    world_expect(6, 6);
}

/* Two messages of one line: what one thread has of it the other does not touch. */
static void a_line_may_hit_more_rules_than_a_message_holds(void **state)
{
    (void)state;
    const unsigned n_rules = COR_HITS_MAX + 50, n_lines = 10;
    struct hd_buf text;
    hd_buf_init(&text, 0);
    for (unsigned i = 0; i < n_rules; i++) {
        hd_buf_printf(&text,
                      "---\ntitle: Rule %u\nname: r%u\nlogsource: {product: linux}\n"
                      "detection: {s: {event.outcome: success}, condition: s}\n",
                      i, i);
    }
    hd_buf_byte(&text, 0);
    world_use_rules((const char *)text.ptr);
    hd_buf_fini(&text);
    uint64_t published = COR_READ(COR_M_PUBLISHED);
    world_archive("web1", n_lines, "Accepted", "203.0.113.9");
    world_detect(n_lines);
    assert_int_equal(COR_READ(COR_M_PUBLISHED) - published, n_lines * n_rules);
}

static void rules_count_what_becomes_of_their_hits(void **state)
{
    (void)state;
    w.opts.suppress.window_ns[HD_SEV_LOW] = 300 * HD_NS_PER_SEC;
    world_archive("web1", 8, "Failed", "203.0.113.9");
    world_archive("web1", 3, "Accepted", "203.0.113.9");
    world_detect(11);
    world_expect_counts("failed", 8, 0, 0, 0);
    world_expect_counts("guessing", 1, 1, 0, 0);
    world_expect_counts("accepted", 3, 1, 2, 0);
    /* the first event of all is a sample: its rules were timed */
    assert_int_equal(cor_rule_read(&world_counts(w.in_force, "failed")->timed), 1);
    assert_true(cor_rule_read(&world_counts(w.in_force, "failed")->timed_ns) > 0);
    world_detect(0); /* warmed up: known hits are not counted again */
    world_expect_counts("failed", 8, 0, 0, 0);
}

/* Ten in a minute, of which two may pass; the next minute's first says the rest. */
static void a_noisy_rule_is_reported_and_throttled(void **state)
{
    (void)state;
    uint64_t noisy = COR_READ(COR_M_NOISY), throttled = COR_READ(COR_M_THROTTLED);
    const int64_t minute_ns = 60 * HD_NS_PER_SEC;
    w.opts.noise = (struct cor_noise_opts){.rate = 9, .throttle = 2};
    w.now_ns = (w.now_ns / minute_ns - 2) * minute_ns;
    world_archive("web1", 10, "Accepted", "203.0.113.9");
    w.now_ns += minute_ns;
    world_archive("web1", 1, "Accepted", "203.0.113.9");
    world_detect(11);
    struct world_alerts a = world_alerts();
    assert_int_equal(a.n, 3);
    assert_int_equal(hd_alert_int(a.all[1], "throttled", 0), 0);
    assert_int_equal(hd_alert_int(a.all[2], "throttled", 0), 8);
    world_drop(&a);
    world_expect_counts("accepted", 11, 3, 0, 8);
    assert_int_equal(COR_READ(COR_M_THROTTLED), throttled + 8);
    assert_int_equal(COR_READ(COR_M_NOISY), noisy + 1);
    const struct cor_rule_counts *c = world_counts(w.in_force, "accepted");
    assert_true(cor_noise_is_noisy(c, hd_clock_wall_ns()));
    assert_false(cor_noise_is_noisy(c, hd_clock_wall_ns() + 2 * minute_ns));
    assert_false(
        cor_noise_is_noisy(world_counts(w.in_force, "failed"), hd_clock_wall_ns()));
}

/* The alert journal is full: detection waits, the cursor stays, nothing is lost. */
static void alerts_that_cannot_be_written_come_later(void **state)
{
    (void)state;
    w.opts.alerts.max_bytes = 6000;
    for (unsigned i = 0; i < 20; i++) {
        char ip[32];
        (void)snprintf(ip, sizeof(ip), "203.0.113.%u", i);
        world_archive("web1", 1, "Accepted", ip);
    }
    world_start(1);
    for (unsigned i = 0; cor_state_trouble(w.state) == HD_OK; i++) {
        assert_true(i < 15000);
        (void)poll(NULL, 0, 2);
    }
    assert_int_equal(cor_state_trouble(w.state), HD_ENOSPC);
    assert_string_equal(cor_state_trouble_with(w.state), "alerts cannot be published");
    world_stop();
    struct world_alerts a = world_alerts();
    assert_in_range(a.n, 1, 19);
    world_drop(&a);
    w.opts.alerts.max_bytes = 0;
    world_catch_up();
    world_expect(0, 20);
}

#define LEVEL_RULES                                                                      \
    "---\n"                                                                              \
    "title: Everywhere\n"                                                                \
    "id: ecfd1fcd-d465-49ce-a04e-c5d55affd633\n"                                         \
    "status: test\n"                                                                     \
    "correlation:\n"                                                                     \
    "  type: event_count\n"                                                              \
    "  rules: [guessing]\n"                                                              \
    "  timespan: 5m\n"                                                                   \
    "  condition: {gte: 2}\n"                                                            \
    "level: high\n"

/* The alert about two attacks shows lines of both, and none of what was no attack. */
static void evidence_goes_down_to_the_lines(void **state)
{
    (void)state;
    char text[4096];
    (void)snprintf(text, sizeof(text), "%s" LEVEL_RULES, world_rules);
    world_use_rules(text);
    world_archive("web1", 5, "Failed", "203.0.113.1"); /* one too few */
    world_archive("web1", 6, "Failed", "203.0.113.2");
    world_archive("web1", 6, "Failed", "203.0.113.3");
    world_detect(17);
    struct world_alerts a = world_alerts();
    assert_int_equal(world_count(&a, "Everywhere"), 1);
    const json_t *evidence = NULL;
    for (unsigned i = 0; i < a.n; i++) {
        if (strcmp(hd_alert_text(a.all[i], "rule.title"), "Everywhere") == 0) {
            evidence = hd_alert_at(a.all[i], "evidence");
        }
    }
    assert_int_equal(json_array_size(evidence), HD_ALERT_EVIDENCE_MAX);
    for (size_t i = 0; i < HD_ALERT_EVIDENCE_MAX; i++) { /* five and five of twelve */
        assert_int_equal(hd_alert_int(json_array_get(evidence, i), "seq", 0),
                         i < 5 ? 6 + i : 8 + i);
    }
    world_drop(&a);
}

/* ---- memory that fails ---- */

static void detect_with_a_failure(const char *home, const char *thread, unsigned n)
{
    uint64_t published = COR_READ(COR_M_PUBLISHED), invalid = COR_READ(COR_M_INVALID);
    (void)snprintf(w.alerts_dir, sizeof(w.alerts_dir), "%s/%s-%u", home, thread, n);
    (void)remove(w.snapshot);
    world_forget_cursors();
    hd_test_alloc_fail_in(thread, n);
    world_start(1);
    for (unsigned i = 0; COR_READ(COR_M_PUBLISHED) < published + 2; i++) {
        assert_true(i < 15000);
        (void)poll(NULL, 0, 1);
    }
    world_stop();
    assert_int_equal(COR_READ(COR_M_INVALID), invalid);
    world_expect(1, 1);
}

/* Each allocation of a thread fails once, then ever fewer of them: the same alerts come
 * all the same, and each once. */
static void nothing_is_lost_for_lack_of_memory(void **state)
{
    static const char *const threads[] = {"detect-0", "state"};
    (void)state;
    const char *home = hd_test_tmpdir();
    world_remember(HD_NS_PER_MS * 10);
    world_archive("web1", 8, "Failed", "203.0.113.9");
    world_archive("web1", 1, "Accepted", "203.0.113.9");
    for (size_t i = 0; i < 2 && hd_test_alloc_can_fail(); i++) {
        bool failed = true;
        for (unsigned n = 1; failed; n += 1 + n / DENSE) {
            detect_with_a_failure(home, threads[i], n);
            failed = hd_test_alloc_failed_in();
        }
    }
    hd_test_alloc_fail_in("", 0);
}

/* ---- the end of segments ---- */

static bool first_alerts_are_sealed(void)
{
    const struct hd_check_opts opts = {.n_keys = 0};
    struct hd_journal_segments list;
    struct hd_check_segment seg = {.first = 0};
    struct hd_check *check;
    char path[600];
    assert_int_equal(hd_journal_list(w.alerts_dir, &list), HD_OK);
    if (list.n > 0) {
        assert_int_equal(
            hd_journal_segment_path(w.alerts_dir, list.first[0], path, sizeof(path)),
            HD_OK);
        assert_int_equal(hd_check_open(&opts, &check), HD_OK);
        assert_int_equal(hd_check_peek(check, path, &seg), HD_OK);
        hd_check_close(check);
    }
    free(list.first);
    return seg.is_sealed;
}

/* Nothing more comes; what is there is sealed while the program runs, and not before. */
static void old_alerts_are_sealed_though_none_follow(void **state)
{
    (void)state;
    uint64_t before = world_lines();
    w.opts.alerts.segment_ns = 50 * HD_NS_PER_MS;
    w.opts.snapshot = w.snapshot;
    w.opts.snapshot_ns = 10 * HD_NS_PER_MS;
    world_start(1);
    world_archive("web1", 1, "Accepted", "203.0.113.9");
    world_examined(before, 1);
    for (unsigned i = 0; !first_alerts_are_sealed(); i++) {
        assert_true(i < 15000);
        (void)poll(NULL, 0, 2);
    }
    world_stop();
    world_expect(0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(an_attack_becomes_one_alert),
        WORLD_TEST(a_replay_publishes_nothing_again),
        WORLD_TEST(an_attack_cut_by_a_restart_is_seen_once),
        WORLD_TEST(repeats_are_counted),
        WORLD_TEST(several_detectors_see_everything_once),
        WORLD_TEST(a_line_may_hit_more_rules_than_a_message_holds),
        WORLD_TEST(rules_count_what_becomes_of_their_hits),
        WORLD_TEST(a_noisy_rule_is_reported_and_throttled),
        WORLD_TEST(alerts_that_cannot_be_written_come_later),
        WORLD_TEST(evidence_goes_down_to_the_lines),
        WORLD_TEST(nothing_is_lost_for_lack_of_memory),
        WORLD_TEST(old_alerts_are_sealed_though_none_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
