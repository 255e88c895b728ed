/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include <haidang/clock.h>

#include "correlator/losses/day.h"
#include "correlator/losses/losses.h"
#include "correlator/metrics.h"

static char dir[512];
static uint64_t max_bytes;

static struct cor_losses *open_ledger(void)
{
    struct cor_losses *losses;
    char why[256];
    const struct hd_journal_opts opts = {.dir = dir, .max_bytes = max_bytes};
    assert_int_equal(cor_losses_open(&opts, &losses, why), HD_OK);
    return losses;
}

static int setup(void **state)
{
    (void)state;
    max_bytes = 0;
    (void)snprintf(dir, sizeof(dir), "%s/losses", hd_test_tmpdir());
    return 0;
}

static struct hd_loss gap(uint64_t first, uint64_t last)
{
    int64_t now_ns = hd_clock_wall_ns();
    struct hd_loss loss = {.kind = HD_LOSS_GAP,
                           .time_ns = now_ns,
                           .first_ns = now_ns,
                           .last_ns = now_ns,
                           .count = last - first + 1,
                           .first_seq = first,
                           .last_seq = last,
                           .agent = "web1"};
    (void)snprintf(loss.at, sizeof(loss.at), "web1/boot/%u", (unsigned)first);
    return loss;
}

static void add(struct cor_losses *losses, uint64_t first, uint64_t last)
{
    struct hd_loss loss = gap(first, last);
    assert_int_equal(cor_losses_add(losses, &loss), HD_OK);
}

struct seen {
    unsigned n;
    uint64_t sum;
};

static void see(void *ctx, const struct hd_loss *loss)
{
    struct seen *seen = ctx;
    seen->n++;
    seen->sum += loss->count;
}

static struct seen all_of(struct cor_losses *losses)
{
    struct seen seen = {0};
    assert_int_equal(cor_losses_each(losses, see, &seen), HD_OK);
    return seen;
}

static void the_same_fact_is_there_once_also_after_a_restart(void **state)
{
    (void)state;
    struct cor_losses *losses = open_ledger();
    add(losses, 11, 20);
    add(losses, 11, 20);
    add(losses, 31, 31);
    assert_int_equal(all_of(losses).n, 0); /* not durable yet */
    assert_int_equal(cor_losses_flush(losses), HD_OK);
    assert_int_equal(all_of(losses).n, 2);
    cor_losses_free(losses);
    losses = open_ledger();
    add(losses, 11, 20);
    assert_int_equal(cor_losses_flush(losses), HD_OK);
    assert_int_equal(all_of(losses).n, 2);
    assert_int_equal(all_of(losses).sum, 11);
    assert_int_equal(cor_losses_of_day(losses, HD_LOSS_GAP), 11);
    assert_int_equal(cor_losses_of_day(losses, HD_LOSS_LATE), 0);
    cor_losses_free(losses);
}

static void what_is_noted_becomes_one_record(void **state)
{
    (void)state;
    struct cor_losses *losses = open_ledger();
    cor_losses_note(losses, HD_LOSS_LATE, HD_SLICE("web1"), 3);
    cor_losses_note(losses, HD_LOSS_LATE, HD_SLICE("web1"), 4);
    cor_losses_note(losses, HD_LOSS_LATE, HD_SLICE("web2"), 0);
    assert_int_equal(cor_losses_flush(losses), HD_OK);
    assert_int_equal(all_of(losses).n, 0);
    assert_int_equal(cor_losses_settle(losses), HD_OK);
    assert_int_equal(all_of(losses).n, 1);
    assert_int_equal(all_of(losses).sum, 7);
    cor_losses_note(losses, HD_LOSS_LATE, HD_SLICE("web1"), 3);
    assert_int_equal(cor_losses_settle(losses), HD_OK);
    assert_int_equal(all_of(losses).n, 2); /* no place to know it by: another one */
    cor_losses_free(losses);
}

static void what_the_loop_tells_is_settled_when_durable(void **state)
{
    (void)state;
    struct cor_losses *losses = open_ledger();
    struct hd_loss one = gap(1, 5), again = gap(1, 5);
    assert_true(cor_losses_is_settled(losses));
    cor_losses_tell(losses, &one);
    cor_losses_tell(losses, &again);
    assert_false(cor_losses_is_settled(losses));
    cor_losses_take(losses);
    assert_false(cor_losses_is_settled(losses));
    assert_int_equal(cor_losses_flush(losses), HD_OK);
    assert_true(cor_losses_is_settled(losses));
    assert_int_equal(all_of(losses).n, 1);
    cor_losses_free(losses);
}

static void a_full_disk_keeps_them_for_later(void **state)
{
    (void)state;
    max_bytes = 400;
    struct cor_losses *losses = open_ledger();
    uint64_t waits = COR_READ(COR_M_LOSS_WAITS);
    for (unsigned i = 1; i <= 100; i++) {
        add(losses, 10 * i, 10 * i);
    }
    struct hd_loss told = gap(7, 7);
    cor_losses_tell(losses, &told);
    cor_losses_take(losses);
    assert_int_equal(cor_losses_flush(losses), HD_ENOSPC);
    assert_int_equal(COR_READ(COR_M_LOSS_WAITS), waits + 1);
    assert_false(cor_losses_is_settled(losses));
    assert_int_equal(all_of(losses).n, 0);
    cor_losses_free(losses); /* the next process is told again */
    max_bytes = 0;
    losses = open_ledger();
    add(losses, 10, 10);
    assert_int_equal(cor_losses_flush(losses), HD_OK);
    assert_int_equal(all_of(losses).n, 1);
    cor_losses_free(losses);
}

static void many_become_several_entries(void **state)
{
    (void)state;
    struct cor_losses *losses = open_ledger();
    for (unsigned i = 1; i <= 5000; i++) {
        add(losses, 2 * i, 2 * i);
    }
    assert_int_equal(cor_losses_flush(losses), HD_OK);
    assert_int_equal(all_of(losses).n, 5000);
    cor_losses_free(losses);
}

static void a_day_forgets_what_is_older(void **state)
{
    (void)state;
    const int64_t hour = 3600 * HD_NS_PER_SEC;
    struct cor_day day = {0};
    for (unsigned i = 0; i < 100; i++) {
        cor_day_add(&day, HD_LOSS_GAP, i * hour, 1);
    }
    assert_int_equal(cor_day_sum(&day, HD_LOSS_GAP, 99 * hour), COR_DAY_HOURS);
    cor_day_add(&day, HD_LOSS_GAP, 10 * hour, 1000); /* told much later */
    assert_int_equal(cor_day_sum(&day, HD_LOSS_GAP, 99 * hour), COR_DAY_HOURS);
    assert_int_equal(cor_day_sum(&day, HD_LOSS_GAP, 109 * hour), 15);
    assert_int_equal(cor_day_sum(&day, HD_LOSS_GAP, 1000 * hour), 0);
    assert_int_equal(cor_day_sum(&day, HD_LOSS_LATE, 99 * hour), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_same_fact_is_there_once_also_after_a_restart, setup),
        cmocka_unit_test_setup(what_is_noted_becomes_one_record, setup),
        cmocka_unit_test_setup(what_the_loop_tells_is_settled_when_durable, setup),
        cmocka_unit_test_setup(a_full_disk_keeps_them_for_later, setup),
        cmocka_unit_test_setup(many_become_several_entries, setup),
        cmocka_unit_test(a_day_forgets_what_is_older),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
