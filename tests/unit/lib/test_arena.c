/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdint.h>
#include <string.h>

#include <haidang/arena.h>

#include "tests/support/alloc.h"

static void zeroed_and_aligned(void **state)
{
    (void)state;
    struct hd_arena arena;
    hd_arena_init(&arena, 0);
    for (size_t len = 1; len < 70000; len = len * 2 + 1) {
        assert_non_null(hd_arena_bytes(&arena, 1));
        uint8_t *at = hd_arena_alloc(&arena, len, 1);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(at[i], 0);
        }
        memset(at, 0xff, len);
    }
    assert_false(arena.failed);
    hd_arena_fini(&arena);
    assert_int_equal(arena.total, 0);
}

static void texts(void **state)
{
    (void)state;
    struct hd_arena arena;
    hd_arena_init(&arena, 0);
    struct hd_slice copy = hd_arena_copy(&arena, HD_SLICE("một"));
    assert_true(hd_slice_eq(copy, HD_SLICE("một")));
    assert_string_equal(hd_arena_str(&arena, copy), "một");
    assert_string_equal(hd_arena_str(&arena, HD_SLICE_EMPTY), "");
    assert_int_equal(hd_arena_copy(&arena, HD_SLICE_EMPTY).len, 0);
    assert_false(arena.failed);
    hd_arena_fini(&arena);
}

/* What is refused once stays refused, so that asking at the end is enough. */
static void failure_is_sticky(void **state)
{
    (void)state;
    struct hd_arena arena;
    hd_arena_init(&arena, 64U << 10);
    assert_null(hd_arena_alloc(&arena, SIZE_MAX, 2));
    assert_true(arena.failed);
    assert_null(hd_arena_alloc(&arena, 1, 1));
    hd_arena_fini(&arena);
    assert_false(arena.failed);
    assert_null(hd_arena_bytes(&arena, 64U << 10));
    assert_string_equal(hd_arena_str(&arena, HD_SLICE("x")), "");
    hd_arena_fini(&arena);
    assert_non_null(hd_arena_bytes(&arena, 32U << 10));
    assert_true(arena.total <= arena.max);
    hd_arena_fini(&arena);
}

static void reset_keeps_the_largest(void **state)
{
    (void)state;
    struct hd_arena arena;
    hd_arena_init(&arena, 0);
    assert_non_null(hd_arena_bytes(&arena, 1));
    assert_non_null(hd_arena_bytes(&arena, 300000));
    assert_non_null(hd_arena_bytes(&arena, 1));
    hd_arena_reset(&arena);
    size_t kept = arena.total;
    assert_true(kept >= 300000);
    assert_non_null(hd_arena_bytes(&arena, 300000));
    assert_int_equal(arena.total, kept);
    hd_arena_fini(&arena);
}

static void out_of_memory(void **state)
{
    (void)state;
    HD_TEST_ALLOC_EACH(n)
    {
        struct hd_arena arena;
        hd_arena_init(&arena, 0);
        struct hd_slice one = hd_arena_copy(&arena, HD_SLICE("one"));
        void *large = hd_arena_alloc(&arena, 1000, 1000);
        hd_test_alloc_stop();
        assert_int_equal(arena.failed, hd_test_alloc_failed());
        assert_true(arena.failed == (one.len == 0 || large == NULL));
        hd_arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_and_aligned), cmocka_unit_test(texts),
        cmocka_unit_test(failure_is_sticky),  cmocka_unit_test(reset_keeps_the_largest),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
