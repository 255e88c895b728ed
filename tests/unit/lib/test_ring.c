/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <pthread.h>
#include <stdlib.h>

#include <haidang/ring.h>

#define ITEMS ((uintptr_t)200000)

static struct hd_ring *ring_of(size_t cap)
{
    struct hd_ring *ring = NULL;
    assert_int_equal(hd_ring_new(cap, &ring), HD_OK);
    return ring;
}

static void test_one_thread(void **state)
{
    (void)state;
    struct hd_ring *ring = ring_of(3); /* becomes 4 */
    char item[5];
    assert_null(hd_ring_pop(ring));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(hd_ring_push(ring, &item[i]), HD_OK);
    }
    assert_int_equal(hd_ring_push(ring, &item[4]), HD_EFULL);
    assert_int_equal(hd_ring_depth(ring), 4);
    for (int round = 0; round < 100; round++) {
        assert_ptr_equal(hd_ring_pop(ring), &item[round % 4]);
        assert_int_equal(hd_ring_push(ring, &item[round % 4]), HD_OK);
    }
    hd_ring_close(ring);
    assert_true(hd_ring_is_closed(ring));
    assert_int_equal(hd_ring_push(ring, &item[0]), HD_ECLOSED);
    assert_int_equal(hd_ring_push_wait(ring, &item[0]), HD_ECLOSED);
    for (int i = 0; i < 4; i++) { /* what was inside still comes out */
        assert_non_null(hd_ring_pop_wait(ring, -1));
    }
    assert_null(hd_ring_pop_wait(ring, -1));
    assert_int_equal(hd_ring_high_water(ring), 4);
    hd_ring_free(ring, NULL);
}

static void test_limits(void **state)
{
    (void)state;
    struct hd_ring *ring = NULL;
    assert_int_equal(hd_ring_new(0, &ring), HD_EINVAL);
    assert_int_equal(hd_ring_new(((size_t)1 << 20) + 1, &ring), HD_EINVAL);
    ring = ring_of(1);
    assert_int_equal(hd_ring_push(ring, ring), HD_OK);
    assert_int_equal(hd_ring_push(ring, ring), HD_EFULL);
    assert_null(hd_ring_pop_wait(ring, 0) == ring ? NULL : ring);
    assert_null(hd_ring_pop_wait(ring, 1)); /* time over */
    hd_ring_free(ring, NULL);
    hd_ring_free(NULL, NULL);
}

static void test_high_water(void **state)
{
    (void)state;
    struct hd_ring *ring = ring_of(64);
    for (int i = 0; i < 1000; i++) { /* never more than 2 at a time */
        assert_int_equal(hd_ring_push(ring, ring), HD_OK);
        assert_int_equal(hd_ring_push(ring, ring), HD_OK);
        assert_non_null(hd_ring_pop(ring));
        assert_non_null(hd_ring_pop(ring));
    }
    assert_int_equal(hd_ring_high_water(ring), 2);
    hd_ring_free(ring, NULL);
}

static void test_free_drops(void **state)
{
    (void)state;
    struct hd_ring *ring = ring_of(8);
    for (int i = 0; i < 5; i++) {
        void *item = malloc(16);
        assert_non_null(item);
        assert_int_equal(hd_ring_push(ring, item), HD_OK);
    }
    hd_ring_free(ring, free); /* the leak checker counts */
}

static void *produce(void *arg)
{
    struct hd_ring *ring = arg;
    for (uintptr_t i = 1; i <= ITEMS; i++) {
        if (hd_ring_push_wait(ring, (void *)i) != HD_OK) {
            return (void *)i;
        }
    }
    hd_ring_close(ring);
    return NULL;
}

static void test_two_threads(void **state)
{
    (void)state;
    static const size_t caps[] = {1, 2, 64, 4096};
    for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
        struct hd_ring *ring = ring_of(caps[i]);
        pthread_t producer;
        assert_int_equal(pthread_create(&producer, NULL, produce, ring), 0);
        uintptr_t expected = 1;
        void *item;
        while ((item = hd_ring_pop_wait(ring, -1)) != NULL) {
            assert_int_equal((uintptr_t)item, expected);
            expected++;
        }
        assert_int_equal(expected, ITEMS + 1);
        void *ret;
        assert_int_equal(pthread_join(producer, &ret), 0);
        assert_null(ret);
        assert_true(hd_ring_high_water(ring) <= caps[i]);
        hd_ring_free(ring, NULL);
    }
}

static void test_consumer_closes(void **state)
{
    (void)state;
    struct hd_ring *ring = ring_of(2);
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce, ring), 0);
    assert_non_null(hd_ring_pop_wait(ring, -1));
    hd_ring_close(ring); /* the producer waits for room, or soon would */
    void *ret;
    assert_int_equal(pthread_join(producer, &ret), 0);
    assert_non_null(ret);
    hd_ring_free(ring, NULL);
}

struct consumer {
    struct hd_ring *ring;
    uintptr_t expected;
    unsigned wakes;
    bool detached;
};

static void consumer_detached(void *ctx)
{
    ((struct consumer *)ctx)->detached = true;
}

static void consumer_wake(void *ctx)
{
    struct consumer *consumer = ctx;
    consumer->wakes++;
    bool was_closed = hd_ring_is_closed(consumer->ring);
    void *item;
    while ((item = hd_ring_pop(consumer->ring)) != NULL) {
        assert_int_equal((uintptr_t)item, consumer->expected);
        consumer->expected++;
    }
    if (was_closed) {
        hd_ring_detach(consumer->ring, consumer_detached, consumer);
    }
}

static void test_loop_consumes(void **state)
{
    (void)state;
    struct consumer consumer = {.ring = ring_of(256), .expected = 1};
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce, consumer.ring), 0);
    assert_int_equal(hd_ring_attach(consumer.ring, &loop, consumer_wake, &consumer),
                     HD_OK);
    assert_int_equal(hd_ring_attach(consumer.ring, &loop, consumer_wake, &consumer),
                     HD_EBUSY);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_true(consumer.detached);
    assert_int_equal(consumer.expected, ITEMS + 1);
    assert_int_equal(pthread_join(producer, NULL), 0);
    hd_ring_detach(consumer.ring, consumer_detached, &consumer); /* harmless */
    hd_ring_free(consumer.ring, NULL);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void *produce_until_closed(void *arg)
{
    int err;
    do {
        err = hd_ring_push(arg, arg);
    } while (err != HD_ECLOSED);
    return NULL;
}

static void detach_early(void *ctx)
{
    struct consumer *consumer = ctx;
    while (hd_ring_pop(consumer->ring) != NULL) {
        consumer->expected++;
    }
    if (consumer->wakes++ == 3) {
        hd_ring_detach(consumer->ring, consumer_detached, consumer);
    }
}

static void test_detach_while_pushed(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct consumer consumer = {.ring = ring_of(16)};
        uv_loop_t loop;
        assert_int_equal(uv_loop_init(&loop), 0);
        assert_int_equal(hd_ring_attach(consumer.ring, &loop, detach_early, &consumer),
                         HD_OK);
        pthread_t producer;
        assert_int_equal(
            pthread_create(&producer, NULL, produce_until_closed, consumer.ring), 0);
        assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
        assert_true(consumer.detached);
        assert_int_equal(uv_loop_close(&loop), 0); /* the producer still pushes */
        hd_ring_close(consumer.ring);
        assert_int_equal(pthread_join(producer, NULL), 0);
        hd_ring_free(consumer.ring, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_high_water),    cmocka_unit_test(test_free_drops),
        cmocka_unit_test(test_two_threads),   cmocka_unit_test(test_consumer_closes),
        cmocka_unit_test(test_loop_consumes), cmocka_unit_test(test_detach_while_pushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
