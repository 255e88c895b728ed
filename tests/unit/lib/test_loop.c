/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <haidang/loop.h>

struct thing {
    struct hd_owner owner;
    uv_timer_t timer[3];
    unsigned closed;
    bool *freed;
};

static void thing_freed(void *ctx)
{
    struct thing *thing = ctx;
    *thing->freed = true;
    free(thing);
}

static struct thing *thing_new(uv_loop_t *loop, bool *freed)
{
    struct thing *thing = calloc(1, sizeof(*thing));
    assert_non_null(thing);
    *freed = false;
    thing->freed = freed;
    hd_owner_init(&thing->owner, thing_freed, thing);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(uv_timer_init(loop, &thing->timer[i]), 0);
        hd_owner_add(&thing->owner, (uv_handle_t *)&thing->timer[i]);
    }
    return thing;
}

static void test_owner(void **state)
{
    (void)state;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    bool freed;
    struct thing *thing = thing_new(&loop, &freed);
    for (int i = 0; i < 3; i++) {
        assert_true(hd_owner_is_open(&thing->owner));
        hd_owner_close(&thing->owner, (uv_handle_t *)&thing->timer[i]);
        hd_owner_close(&thing->owner, (uv_handle_t *)&thing->timer[i]); /* harmless */
        assert_false(freed);
    }
    hd_owner_finish(&thing->owner);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_true(freed);

    thing = calloc(1, sizeof(*thing));
    assert_non_null(thing);
    freed = false;
    thing->freed = &freed;
    hd_owner_init(&thing->owner, thing_freed, thing);
    hd_owner_finish(&thing->owner); /* no handle: at once */
    assert_true(freed);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void thing_handle_closed(void *ctx, uv_handle_t *handle)
{
    struct thing *thing = ctx;
    if (++thing->closed == 1) { /* replaced once, in its old place */
        assert_int_equal(uv_timer_init(handle->loop, (uv_timer_t *)handle), 0);
        hd_owner_add(&thing->owner, handle);
        for (int i = 0; i < 3; i++) {
            hd_owner_close(&thing->owner, (uv_handle_t *)&thing->timer[i]);
        }
    }
}

static void test_owner_replaces(void **state)
{
    (void)state;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    bool freed;
    struct thing *thing = thing_new(&loop, &freed);
    thing->owner.handle_closed = thing_handle_closed;
    hd_owner_close(&thing->owner, (uv_handle_t *)&thing->timer[1]);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_true(freed);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_errors(void **state)
{
    (void)state;
    assert_int_equal(hd_err_from_uv(0), HD_OK);
    assert_int_equal(hd_err_from_uv(UV_EOF), HD_ECLOSED);
    assert_int_equal(hd_err_from_uv(UV_ECANCELED), HD_ECLOSED);
    assert_int_equal(hd_err_from_uv(UV_ECONNRESET), HD_ECONN);
    assert_int_equal(hd_err_from_uv(UV_EAI_NONAME), HD_ECONN);
    assert_int_equal(hd_err_from_uv(UV_ETIMEDOUT), HD_ETIMEDOUT);
    assert_int_equal(hd_err_from_uv(UV_ENOMEM), HD_ENOMEM);
    assert_int_equal(hd_err_from_uv(UV_EACCES), HD_EACCES);
}

struct caught {
    unsigned stops, reloads;
    uv_async_t work; /* what keeps the loop running */
    struct hd_signals *signals;
};

static void on_stop(void *ctx)
{
    struct caught *caught = ctx;
    if (++caught->stops == 2) {
        hd_signals_close(caught->signals);
        uv_close((uv_handle_t *)&caught->work, NULL);
    } else {
        assert_int_equal(kill(getpid(), SIGTERM), 0);
    }
}

static void on_reload(void *ctx)
{
    struct caught *caught = ctx;
    caught->reloads++;
    assert_int_equal(kill(getpid(), SIGINT), 0);
}

static void test_signals(void **state)
{
    (void)state;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    struct caught caught = {0};
    const struct hd_signals_ops ops = {on_stop, on_reload, &caught};
    assert_int_equal(hd_signals_open(&loop, &ops, &caught.signals), HD_OK);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0); /* does not hold the loop */
    assert_int_equal(uv_async_init(&loop, &caught.work, NULL), 0);
    assert_int_equal(kill(getpid(), SIGPIPE), 0);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(caught.stops, 2);
    assert_int_equal(caught.reloads, 1);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_backoff(void **state)
{
    (void)state;
    struct hd_backoff backoff = {.base_ms = 100, .cap_ms = 5000, .floor_ms = 50};
    uint64_t ceiling = 100;
    uint64_t largest = 0;
    for (int i = 0; i < 200; i++) {
        uint64_t wait = hd_backoff_next_ms(&backoff);
        assert_true(wait >= 50 && wait <= ceiling);
        largest = wait > largest ? wait : largest;
        ceiling = ceiling * 2 > 5000 ? 5000 : ceiling * 2;
    }
    assert_true(largest > 2500); /* 190 throws above the middle of none: 2^-190 */
    hd_backoff_reset(&backoff);
    assert_true(hd_backoff_next_ms(&backoff) <= 100);

    struct hd_backoff flat = {.base_ms = 10, .cap_ms = 20, .floor_ms = 30};
    assert_int_equal(hd_backoff_next_ms(&flat), 30);
    struct hd_backoff wide = {.base_ms = UINT64_MAX, .cap_ms = UINT64_MAX};
    (void)hd_backoff_next_ms(&wide);
    (void)hd_backoff_next_ms(&wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owner),   cmocka_unit_test(test_owner_replaces),
        cmocka_unit_test(test_errors),  cmocka_unit_test(test_signals),
        cmocka_unit_test(test_backoff),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
