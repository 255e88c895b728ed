/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include "collector/uplink/targets.h"
#include "collector/uplink/window.h"

static struct col_window window;

static int send_batch(uint64_t first, uint64_t last, uint32_t wire_len)
{
    return col_window_sent(&window, &(struct col_window_batch){.first = first,
                                                               .last = last,
                                                               .index = last / 10,
                                                               .wire_len = wire_len});
}

static void test_credits(void **state)
{
    (void)state;
    col_window_open(&window, 0, 1000);
    assert_true(col_window_may_send(&window, 600));
    assert_int_equal(send_batch(1, 10, 600), HD_OK);
    assert_true(col_window_may_send(&window, 400));
    assert_false(col_window_may_send(&window, 401));
    assert_int_equal(send_batch(11, 20, 400), HD_OK);
    struct col_window_batch settled = {0};
    assert_int_equal(col_window_ack(&window, 10, 1000, &settled), 1);
    assert_int_equal(settled.last, 10);
    assert_int_equal(window.in_flight, 400);
    assert_true(col_window_may_send(&window, 600));
}

static void test_large_frame_goes_alone(void **state)
{
    (void)state;
    col_window_open(&window, 0, 100);
    assert_true(col_window_may_send(&window, 5000));
    assert_int_equal(send_batch(1, 10, 5000), HD_OK);
    assert_false(col_window_may_send(&window, 1));
    col_window_open(&window, 0, 0);
    assert_false(col_window_may_send(&window, 1));
}

static void test_acks(void **state)
{
    (void)state;
    struct col_window_batch settled = {0};
    col_window_open(&window, 5, 10000);
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(send_batch(i * 10 + 6, i * 10 + 15, 10), HD_OK);
    }
    assert_int_equal(col_window_ack(&window, 12, 10000, &settled), 0);
    assert_int_equal(col_window_oldest(&window)->first, 6);
    assert_int_equal(col_window_ack(&window, 35, 10000, &settled), 3);
    assert_int_equal(settled.last, 35);
    assert_int_equal(col_window_ack(&window, 15, 10000, &settled), 0);
    assert_int_equal(col_window_ack(&window, 46, 10000, &settled), HD_EPEER);
    assert_int_equal(col_window_ack(&window, 45, 0, &settled), 1);
    assert_null(col_window_oldest(&window));
    assert_false(col_window_may_send(&window, 1));
}

static void test_full_and_disorder(void **state)
{
    (void)state;
    col_window_open(&window, 0, UINT32_MAX);
    for (uint64_t i = 1; i <= COL_WINDOW_BATCHES; i++) {
        assert_true(col_window_may_send(&window, 1));
        assert_int_equal(send_batch(i, i, 1), HD_OK);
    }
    assert_false(col_window_may_send(&window, 1));
    assert_int_equal(send_batch(1000, 1000, 1), HD_EFULL);
    struct col_window_batch settled;
    assert_int_equal(col_window_ack(&window, 3, UINT32_MAX, &settled), 3);
    assert_int_equal(send_batch(4, 4, 1), HD_EBUG);
}

static void test_targets(void **state)
{
    (void)state;
    struct col_targets t;
    col_targets_init(&t, 3);
    assert_false(col_targets_has_better(&t));
    assert_false(col_targets_failure(&t, false));
    assert_true(col_targets_failure(&t, false));
    assert_int_equal(t.current, 1);
    assert_true(col_targets_has_better(&t));
    assert_false(col_targets_failure(&t, false));
    col_targets_success(&t);
    assert_false(col_targets_failure(&t, false));
    assert_int_equal(t.current, 1);
    assert_true(col_targets_failure(&t, true));
    assert_true(col_targets_failure(&t, true));
    assert_int_equal(t.current, 0);
    col_targets_select(&t, 2);
    assert_int_equal(t.current, 2);
    col_targets_init(&t, 1);
    for (int i = 0; i < 5; i++) {
        assert_false(col_targets_failure(&t, true));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credits), cmocka_unit_test(test_large_frame_goes_alone),
        cmocka_unit_test(test_acks),    cmocka_unit_test(test_full_and_disorder),
        cmocka_unit_test(test_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
