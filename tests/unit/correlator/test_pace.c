/* SPDX-License-Identifier: Apache-2.0
 *
 * How much may be on its way to the disk, against disks that are imagined.
 */
#include "tests/support/support.h"

#include "correlator/intake/pace.h"

#define MIB (UINT64_C(1) << 20)

static void test_alone_there_is_room(void **state)
{
    struct cor_pace p;
    (void)state;
    cor_pace_init(&p, 4 * MIB);
    assert_true(cor_pace_take(&p, 100 * MIB)); /* however large */
    assert_false(cor_pace_take(&p, 1));
    cor_pace_done(&p, 100 * MIB, 0, 1);
    assert_int_equal(p.queued, 0);
    assert_true(cor_pace_take(&p, 3 * MIB));
    assert_true(cor_pace_take(&p, MIB));
    assert_false(cor_pace_take(&p, 1));
}

/* A flood of 256 KiB batches onto a disk that writes `rate` bytes a millisecond, and all
 * that waits with one sync. The longest wait within the second half. */
static uint64_t flood(struct cor_pace *p, uint64_t rate, unsigned rounds)
{
    const uint64_t batch = MIB / 4;
    uint64_t now_ms = 1000, longest = 0, taken_ms = now_ms, waiting = 0;
    for (unsigned round = 0; round < rounds; round++) {
        uint64_t group = waiting, group_ms = taken_ms; /* the disk takes what is there */
        waiting = 0;
        taken_ms = now_ms;
        while (cor_pace_take(p, batch)) {
            waiting += batch;
        }
        now_ms += group / rate + 1;
        for (uint64_t left = group; left > 0; left -= batch) {
            cor_pace_done(p, batch, group_ms, now_ms);
        }
        uint64_t waited = group > 0 ? now_ms - group_ms : 0;
        longest = round > rounds / 2 && waited > longest ? waited : longest;
    }
    return longest;
}

static void test_slow_disk(void **state)
{
    struct cor_pace p;
    (void)state;
    cor_pace_init(&p, 64 * MIB);
    assert_in_range(flood(&p, 4 << 10, 100), 100, 600); /* 4 MiB/s */
    assert_in_range(p.limit, MIB, 2 * MIB);
}

static void test_fast_disk(void **state)
{
    struct cor_pace p;
    (void)state;
    cor_pace_init(&p, 64 * MIB);
    (void)flood(&p, 1 << 20, 100); /* 1 GiB/s: never too slow */
    assert_int_equal(p.limit, 64 * MIB);
}

static void test_disk_that_gets_well(void **state)
{
    struct cor_pace p;
    (void)state;
    cor_pace_init(&p, 64 * MIB);
    (void)flood(&p, 4 << 10, 100);
    assert_true(p.limit < 2 * MIB);
    while (p.queued > 0) {
        cor_pace_done(&p, MIB / 4, 0, 0);
    }
    (void)flood(&p, 1 << 20, 100);
    assert_int_equal(p.limit, 64 * MIB);
}

/* Nobody had to wait: there is no reason to allow more. */
static void test_idle_does_not_grow(void **state)
{
    struct cor_pace p;
    (void)state;
    cor_pace_init(&p, 64 * MIB);
    (void)flood(&p, 4 << 10, 100);
    while (p.queued > 0) {
        cor_pace_done(&p, MIB / 4, 0, 0);
    }
    uint64_t limit = p.limit;
    p.is_short = false;
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(cor_pace_take(&p, 1000));
        cor_pace_done(&p, 1000, 5000 + i, 5001 + i);
    }
    assert_int_equal(p.limit, limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone_there_is_room),
        cmocka_unit_test(test_slow_disk),
        cmocka_unit_test(test_fast_disk),
        cmocka_unit_test(test_disk_that_gets_well),
        cmocka_unit_test(test_idle_does_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
