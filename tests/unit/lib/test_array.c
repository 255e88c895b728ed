/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdint.h>
#include <stdlib.h>

#include <haidang/array.h>

#include "tests/support/alloc.h"

static void push(uint64_t **array, size_t *n, uint64_t value)
{
    uint64_t *more = hd_array_grow(*array, *n, sizeof(*more));
    assert_non_null(more);
    *array = more;
    more[(*n)++] = value;
}

static void grows_and_shrinks(void **state)
{
    (void)state;
    uint64_t *array = NULL;
    size_t n = 0;
    for (size_t top = 1; top < 2000; top *= 3) {
        while (n < top) {
            push(&array, &n, n);
        }
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(array[i], i);
        }
        n /= 2;
    }
    free(array);
}

static void limits(void **state)
{
    (void)state;
    static char one;
    assert_ptr_equal(hd_array_grow(&one, 5, 1), &one);
    if (hd_test_alloc_can_fail()) {
        assert_null(hd_array_grow(NULL, 0, SIZE_MAX / 2));
        hd_test_alloc_fail_at(1);
        void *none = hd_array_grow(NULL, 0, 1);
        hd_test_alloc_stop();
        assert_null(none);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_shrinks),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
