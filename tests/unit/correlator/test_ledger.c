/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdlib.h>

#include <haidang/archive_meta.h>

#include "correlator/intake/ledger.h"

static struct cor_span *take(struct cor_ledger *l, uint64_t first, uint64_t last)
{
    struct cor_span *span;
    uint64_t missing;
    const struct cor_span batch = {.first = first, .last = last, .bytes = 10};
    assert_int_equal(cor_ledger_check(l, first, last), COR_LEDGER_NEW);
    assert_int_equal(cor_ledger_take(l, &batch, &span, &missing), HD_OK);
    return span;
}

static void acknowledges_what_is_contiguous(void **state)
{
    (void)state;
    struct cor_ledger l = {0};
    struct cor_span *a = take(&l, 1, 10), *b = take(&l, 11, 20);
    assert_int_equal(l.in_flight, 2);
    assert_int_equal(l.flight_bytes, 20);
    assert_int_equal(cor_ledger_check(&l, 1, 10), COR_LEDGER_IN_FLIGHT);
    cor_ledger_durable(&l, a);
    assert_int_equal(l.durable, 10);
    assert_int_equal(cor_ledger_check(&l, 1, 10), COR_LEDGER_HELD);
    assert_int_equal(cor_ledger_check(&l, 5, 10), COR_LEDGER_HELD);
    assert_int_equal(cor_ledger_check(&l, 5, 15), COR_LEDGER_OVERLAPS);
    assert_int_equal(cor_ledger_check(&l, 15, 25), COR_LEDGER_OVERLAPS);
    cor_ledger_durable(&l, b);
    assert_int_equal(l.durable, 20);
    assert_null(l.head);
    assert_int_equal(l.flight_bytes, 0);
}

/* The disk was full for one batch and had room for the next: the first one comes again,
 * the second one must not be archived twice, and nothing is acknowledged too early. */
static void a_failed_batch_holds_back_what_follows(void **state)
{
    (void)state;
    struct cor_ledger l = {0};
    struct cor_span *a = take(&l, 1, 10), *b = take(&l, 11, 20), *c = take(&l, 21, 30);
    cor_ledger_failed(&l, a);
    cor_ledger_durable(&l, b);
    assert_int_equal(l.durable, 0);
    assert_int_equal(cor_ledger_check(&l, 11, 20), COR_LEDGER_HELD);
    assert_int_equal(cor_ledger_check(&l, 21, 30), COR_LEDGER_IN_FLIGHT);
    cor_ledger_durable(&l, c);
    assert_int_equal(l.durable, 0);
    assert_non_null(l.head);
    assert_null(l.head->next); /* one run */
    a = take(&l, 1, 10);
    cor_ledger_durable(&l, a);
    assert_int_equal(l.durable, 30);
}

static void what_an_agent_skips_is_lost_and_counted(void **state)
{
    (void)state;
    struct cor_ledger l = {0};
    struct cor_span *span;
    uint64_t missing;
    const struct cor_span first = {.first = 1, .last = 10};
    const struct cor_span later = {.first = 15, .last = 20};
    assert_int_equal(cor_ledger_take(&l, &first, &span, &missing), HD_OK);
    assert_int_equal(missing, 0);
    struct cor_span *second;
    assert_int_equal(cor_ledger_take(&l, &later, &second, &missing), HD_OK);
    assert_int_equal(missing, 4);
    cor_ledger_durable(&l, second);
    assert_int_equal(l.durable, 0); /* the first one is still on its way */
    cor_ledger_durable(&l, span);
    assert_int_equal(l.durable, 20);
}

static void the_floor_ends_waiting_for_what_cannot_come(void **state)
{
    (void)state;
    struct cor_ledger l = {0};
    assert_int_equal(cor_ledger_replay(&l, 1, 10), HD_OK);
    assert_int_equal(cor_ledger_replay(&l, 21, 30), HD_OK);
    assert_int_equal(cor_ledger_replay(&l, 31, 40), HD_OK);
    assert_int_equal(cor_ledger_replay(&l, 5, 8), HD_OK); /* twice in the archive */
    assert_int_equal(l.durable, 10);
    assert_int_equal(cor_ledger_floor(&l, 11, 0, NULL, NULL).lost, 0);
    assert_int_equal(l.durable, 10);
    assert_int_equal(cor_ledger_floor(&l, 0, 0, NULL, NULL).lost, 10);
    assert_int_equal(l.durable, 40);
    assert_int_equal(cor_ledger_floor(&l, 51, 0, NULL, NULL).lost, 10);
    assert_int_equal(l.durable, 50);
    assert_int_equal(cor_ledger_floor(&l, 20, 0, NULL, NULL).lost, 0);
    assert_int_equal(l.durable, 50);
    assert_null(l.head);
}

static void check_absent(struct cor_absent got, uint64_t lost, uint64_t elsewhere)
{
    assert_int_equal(got.lost, lost);
    assert_int_equal(got.elsewhere, elsewhere);
}

static void what_another_correlator_has_is_not_missing(void **state)
{
    (void)state;
    struct cor_ledger l = {0};
    uint64_t missing = 1;
    assert_int_equal(cor_ledger_replay(&l, 1, 100), HD_OK);
    /* 101..200 went to another; 201..210 were lost in the spool */
    check_absent(cor_ledger_floor(&l, 211, 200, NULL, NULL), 10, 100);
    assert_int_equal(l.durable, 210);
    check_absent(cor_ledger_floor(&l, 211, 200, NULL, NULL), 0, 0);
    /* an empty spool: all went to another, and what comes next misses nothing */
    check_absent(cor_ledger_floor(&l, 0, 300, NULL, NULL), 0, 90);
    const struct cor_span batch = {.first = 301, .last = 310};
    struct cor_span *span = NULL;
    assert_int_equal(cor_ledger_take(&l, &batch, &span, &missing), HD_OK);
    assert_int_equal(missing, 0);
    /* while 301..310 is in flight the agent goes away, and comes back with 351 */
    check_absent(cor_ledger_floor(&l, 351, 350, NULL, NULL), 0, 40);
    const struct cor_span later = {.first = 361, .last = 370};
    struct cor_span *second = NULL;
    assert_int_equal(cor_ledger_take(&l, &later, &second, &missing), HD_OK);
    assert_int_equal(missing, 10); /* 351..360 it had */
    cor_ledger_durable(&l, span);
    cor_ledger_durable(&l, second);
    assert_int_equal(l.durable, 370);
    cor_ledger_fini(&l);
}

static void the_floor_waits_for_what_is_in_flight(void **state)
{
    (void)state;
    struct cor_ledger l = {0};
    struct cor_span *a = take(&l, 1, 10);
    assert_int_equal(cor_ledger_floor(&l, 21, 0, NULL, NULL).lost, 10);
    assert_int_equal(cor_ledger_floor(&l, 21, 0, NULL, NULL).lost, 0); /* told once */
    assert_int_equal(l.durable, 0);
    cor_ledger_durable(&l, a);
    assert_int_equal(l.durable, 10);
    struct cor_span *b = take(&l, 21, 30);
    assert_true(b->skips);
    cor_ledger_durable(&l, b);
    assert_int_equal(l.durable, 30);
    take(&l, 31, 40);
    cor_ledger_fini(&l);
}

enum { BATCHES = 200, SIZE = 7, WINDOW = 8 };

/* Sends what is not held, as an agent would after WELCOME. */
static unsigned send_window(struct cor_ledger *l, struct cor_span *window[WINDOW])
{
    unsigned n = 0;
    for (uint64_t next = l->durable / SIZE; n < WINDOW && next < BATCHES; next++) {
        uint64_t first = next * SIZE + 1, last = first + SIZE - 1;
        if (cor_ledger_check(l, first, last) == COR_LEDGER_NEW) {
            window[n++] = take(l, first, last);
        }
    }
    return n;
}

static void settle(struct cor_ledger *l, struct cor_span *span, unsigned held[BATCHES])
{
    static uint64_t random = 7;
    random = random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    if ((random >> 40) % 3 == 0) {
        cor_ledger_failed(l, span);
    } else {
        held[(span->first - 1) / SIZE]++;
        cor_ledger_durable(l, span);
    }
}

/* Random fates and resends: each record is held exactly once, whatever happened. */
static void random_fates_hold_every_batch_once(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        struct cor_ledger l = {0};
        unsigned held[BATCHES] = {0};
        struct cor_span *window[WINDOW];
        while (l.durable < BATCHES * SIZE) {
            unsigned n = send_window(&l, window);
            for (unsigned i = 0; i < n; i++) {
                settle(&l, window[i], held);
            }
        }
        for (unsigned i = 0; i < BATCHES; i++) {
            assert_int_equal(held[i], 1);
        }
        assert_null(l.head);
    }
}

/* ---- meta ---- */

static void meta_round_trip_and_cuts(void **state)
{
    (void)state;
    struct hd_archive_meta in = {HD_SLICE("web1"),
                                 HD_SLICE("0123456789abcdef0123456789abcdef"),
                                 HD_SLICE("[2001:db8::1]:50123"), 1790000000123456789};
    struct hd_buf out;
    hd_buf_init(&out, 0);
    hd_archive_meta_encode(&out, &in);
    struct hd_archive_meta got;
    assert_int_equal(hd_archive_meta_decode(hd_buf_slice(&out), &got), HD_PARSE_OK);
    assert_true(hd_slice_eq(got.agent, in.agent));
    assert_true(hd_slice_eq(got.boot, in.boot));
    assert_true(hd_slice_eq(got.peer, in.peer));
    assert_true(got.taken_ns == in.taken_ns);
    for (size_t len = 0; len < out.len; len++) {
        uint8_t *cut = malloc(len + (len == 0));
        assert_non_null(cut);
        memcpy(cut, out.ptr, len);
        assert_int_equal(hd_archive_meta_decode(hd_slice(cut, len), &got), HD_PARSE_BAD);
        free(cut);
    }
    hd_buf_byte(&out, 'x'); /* of a later version */
    assert_int_equal(hd_archive_meta_decode(hd_buf_slice(&out), &got), HD_PARSE_OK);
    out.ptr[0] = 2;
    assert_int_equal(hd_archive_meta_decode(hd_buf_slice(&out), &got), HD_PARSE_BAD);
    hd_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledges_what_is_contiguous),
        cmocka_unit_test(a_failed_batch_holds_back_what_follows),
        cmocka_unit_test(what_an_agent_skips_is_lost_and_counted),
        cmocka_unit_test(the_floor_ends_waiting_for_what_cannot_come),
        cmocka_unit_test(what_another_correlator_has_is_not_missing),
        cmocka_unit_test(the_floor_waits_for_what_is_in_flight),
        cmocka_unit_test(random_fates_hold_every_batch_once),
        cmocka_unit_test(meta_round_trip_and_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
