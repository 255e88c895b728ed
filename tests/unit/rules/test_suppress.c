/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <haidang/clock.h>

#include "rules/correlate/suppress.h"

#define S HD_NS_PER_SEC

static struct rul_suppress *table(uint32_t entries)
{
    struct rul_suppress_opts opts = {.entries = entries,
                                     .window_ns = {0, 60 * S, 60 * S, 10 * S, 0}};
    struct rul_suppress *s;
    assert_int_equal(rul_suppress_new(&opts, &s), HD_OK);
    return s;
}

static void counts_repeats_and_tells_them_later(void **state)
{
    (void)state;
    struct rul_suppress *s = table(10);
    uint64_t n;
    assert_true(rul_suppress_pass(s, 1, HD_SEV_LOW, 100 * S, &n));
    assert_int_equal(n, 0);
    assert_false(rul_suppress_pass(s, 1, HD_SEV_LOW, 100 * S, &n));
    assert_false(rul_suppress_pass(s, 1, HD_SEV_LOW, 159 * S, &n));
    assert_true(rul_suppress_pass(s, 2, HD_SEV_LOW, 100 * S, &n));
    assert_true(rul_suppress_pass(s, 1, HD_SEV_LOW, 160 * S, &n));
    assert_int_equal(n, 2);
    assert_false(rul_suppress_pass(s, 1, HD_SEV_LOW, 161 * S, &n));
    /* older than the window: another attack, and it does not open the window again */
    assert_true(rul_suppress_pass(s, 1, HD_SEV_LOW, 50 * S, &n));
    assert_int_equal(n, 1);
    assert_false(rul_suppress_pass(s, 1, HD_SEV_LOW, 162 * S, &n));
    rul_suppress_free(s);
}

static void windows_are_by_severity(void **state)
{
    (void)state;
    struct rul_suppress *s = table(10);
    uint64_t n;
    assert_true(rul_suppress_pass(s, 1, HD_SEV_HIGH, 100 * S, &n));
    assert_false(rul_suppress_pass(s, 1, HD_SEV_HIGH, 109 * S, &n));
    assert_true(rul_suppress_pass(s, 1, HD_SEV_HIGH, 110 * S, &n));
    assert_true(rul_suppress_pass(s, 2, HD_SEV_CRITICAL, 100 * S, &n));
    assert_true(rul_suppress_pass(s, 2, HD_SEV_CRITICAL, 100 * S, &n));
    rul_suppress_free(s);
}

static void forgets_what_was_unseen_for_longest(void **state)
{
    (void)state;
    struct rul_suppress *s = table(3);
    uint64_t n;
    for (uint64_t key = 1; key <= 3; key++) {
        assert_true(rul_suppress_pass(s, key, HD_SEV_LOW, 100 * S, &n));
    }
    assert_false(rul_suppress_pass(s, 1, HD_SEV_LOW, 101 * S, &n));
    assert_true(rul_suppress_pass(s, 4, HD_SEV_LOW, 101 * S, &n)); /* 2 goes */
    assert_int_equal(rul_suppress_evicted(s), 1);
    assert_false(rul_suppress_pass(s, 1, HD_SEV_LOW, 101 * S, &n));
    assert_true(rul_suppress_pass(s, 2, HD_SEV_LOW, 101 * S, &n)); /* 3 goes */
    assert_false(rul_suppress_pass(s, 4, HD_SEV_LOW, 101 * S, &n));
    assert_int_equal(rul_suppress_count(s), 3);
    rul_suppress_free(s);
}

static void is_seeded_from_the_past(void **state)
{
    (void)state;
    struct rul_suppress *s = table(3);
    uint64_t n;
    rul_suppress_seed(s, 1, 100 * S);
    rul_suppress_seed(s, 1, 90 * S);
    assert_false(rul_suppress_pass(s, 1, HD_SEV_LOW, 130 * S, &n));
    assert_true(rul_suppress_pass(s, 1, HD_SEV_LOW, 160 * S, &n));
    assert_int_equal(n, 1);
    rul_suppress_free(s);
}

static void keys_depend_on_every_part(void **state)
{
    (void)state;
    struct hd_slice ab[] = {HD_SLICE("a"), HD_SLICE("b")};
    struct hd_slice ba[] = {HD_SLICE("b"), HD_SLICE("a")};
    struct hd_slice joined[] = {HD_SLICE("ab"), HD_SLICE("")};
    struct rul_suppress *s = table(1);
    uint64_t key = rul_suppress_key(s, "r", ab, 2);
    assert_true(key == rul_suppress_key(s, "r", ab, 2));
    assert_true(key != rul_suppress_key(s, "r", ba, 2));
    assert_true(key != rul_suppress_key(s, "r", joined, 2));
    assert_true(key != rul_suppress_key(s, "q", ab, 2));
    assert_true(key != rul_suppress_key(s, "r", ab, 1));
    rul_suppress_free(s);
}

static uint64_t event_key(const struct rul_suppress *s, const char *host,
                          const char *source, const char *user)
{
    return rul_suppress_event_key(
        s, "r",
        &(struct rul_suppress_about){.host = hd_slice_str(host),
                                     .source = hd_slice_str(source),
                                     .user = hd_slice_str(user)});
}

static void events_are_about_a_host_and_who_came(void **state)
{
    (void)state;
    struct rul_suppress *s = table(1);
    uint64_t key = event_key(s, "web1", "203.0.113.9", "root");
    assert_true(key == event_key(s, "web1", "203.0.113.9", "an"));
    assert_true(key != event_key(s, "web2", "203.0.113.9", "root"));
    assert_true(key != event_key(s, "web1", "203.0.113.8", "root"));
    key = event_key(s, "web1", "", "root"); /* nor is "-" an address */
    assert_true(key == event_key(s, "web1", "-", "root"));
    assert_true(key != event_key(s, "web1", "", "an"));
    rul_suppress_free(s);
}

static void members_of_a_group_have_no_order(void **state)
{
    (void)state;
    struct hd_slice ab[] = {HD_SLICE("a"), HD_SLICE("b")};
    struct hd_slice ba[] = {HD_SLICE("b"), HD_SLICE("a")};
    struct rul_suppress *s = table(1);
    uint64_t key = rul_suppress_group_key(s, "r", ab, 2);
    assert_true(key == rul_suppress_group_key(s, "r", ba, 2));
    assert_true(key != rul_suppress_group_key(s, "r", ab, 1));
    rul_suppress_free(s);
}

/* A process that finds what another left decides alike, and knows the same things. */
static void outlives_the_process(void **state)
{
    (void)state;
    struct hd_slice part = HD_SLICE("a");
    struct rul_suppress *s = table(3), *next = table(2), *broken = table(3);
    struct hd_buf saved;
    uint64_t n, key = rul_suppress_key(s, "r", &part, 1);
    hd_buf_init(&saved, 0);
    assert_true(rul_suppress_pass(s, 7, HD_SEV_LOW, 100 * S, &n));
    assert_true(rul_suppress_pass(s, 8, HD_SEV_LOW, 100 * S, &n));
    assert_true(rul_suppress_pass(s, key, HD_SEV_LOW, 100 * S, &n));
    assert_false(rul_suppress_pass(s, key, HD_SEV_LOW, 110 * S, &n));
    assert_int_equal(rul_suppress_save(s, &saved), HD_OK);
    struct hd_bytes in = hd_bytes(hd_buf_slice(&saved));
    assert_int_equal(rul_suppress_load(next, &in), HD_OK);
    assert_int_equal(hd_bytes_left(&in), 0);
    assert_true(rul_suppress_key(next, "r", &part, 1) == key);
    assert_int_equal(rul_suppress_count(next), 2); /* there is less room */
    assert_true(rul_suppress_pass(next, key, HD_SEV_LOW, 160 * S, &n));
    assert_int_equal(n, 1);
    assert_false(rul_suppress_pass(next, 8, HD_SEV_LOW, 150 * S, &n));
    assert_true(rul_suppress_pass(next, 7, HD_SEV_LOW, 150 * S, &n)); /* it had to go */
    in = hd_bytes(hd_slice(saved.ptr, saved.len - 1));
    assert_int_equal(rul_suppress_load(broken, &in), HD_ECORRUPT);
    hd_buf_fini(&saved);
    rul_suppress_free(s);
    rul_suppress_free(next);
    rul_suppress_free(broken);
}

/* A stream about few things with times that go back and forth: asking early must decide
 * as not asking does, in a table that forgets. */
static void asking_early_decides_alike(void **state)
{
    (void)state;
    struct rul_suppress *plain = table(5), *early = table(5);
    uint64_t random = 12345, asked = 0;
    for (unsigned i = 0; i < 100000; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t key = (random >> 33) % 7, n = 0, m = 0;
        enum hd_severity severity = (enum hd_severity)(HD_SEV_LOW + (random >> 40) % 4);
        int64_t time = (i / 10 + (int64_t)((random >> 50) % 80)) * S;
        bool want = rul_suppress_pass(plain, key, severity, time, &n);
        bool is_repeat = rul_suppress_repeat(early, key, severity, time);
        bool got = !is_repeat && rul_suppress_pass(early, key, severity, time, &m);
        assert_true(got == want);
        assert_true(n == m);
        asked += is_repeat;
    }
    assert_true(asked > 10000);
    assert_int_equal(rul_suppress_evicted(plain), rul_suppress_evicted(early));
    rul_suppress_free(plain);
    rul_suppress_free(early);
}

static void an_alert_of_the_past_is_no_repeat_of_itself(void **state)
{
    (void)state;
    struct rul_suppress *s = table(3);
    uint64_t n;
    rul_suppress_seed(s, 1, 100 * S);
    assert_false(rul_suppress_repeat(s, 1, HD_SEV_LOW, 100 * S)); /* ask by its id */
    assert_true(rul_suppress_repeat(s, 1, HD_SEV_LOW, 99 * S));
    assert_true(rul_suppress_repeat(s, 1, HD_SEV_LOW, 101 * S));
    assert_false(rul_suppress_repeat(s, 2, HD_SEV_LOW, 101 * S));
    assert_true(rul_suppress_pass(s, 1, HD_SEV_LOW, 160 * S, &n));
    assert_int_equal(n, 2);
    assert_true(rul_suppress_repeat(s, 1, HD_SEV_LOW, 160 * S)); /* ours, surely */
    rul_suppress_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_repeats_and_tells_them_later),
        cmocka_unit_test(windows_are_by_severity),
        cmocka_unit_test(forgets_what_was_unseen_for_longest),
        cmocka_unit_test(is_seeded_from_the_past),
        cmocka_unit_test(asking_early_decides_alike),
        cmocka_unit_test(an_alert_of_the_past_is_no_repeat_of_itself),
        cmocka_unit_test(keys_depend_on_every_part),
        cmocka_unit_test(events_are_about_a_host_and_who_came),
        cmocka_unit_test(members_of_a_group_have_no_order),
        cmocka_unit_test(outlives_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
