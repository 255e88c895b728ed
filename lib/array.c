/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/array.h>

#include <stdbool.h>
#include <stdlib.h>

void *hd_array_grow(void *array, size_t n, size_t size)
{
    bool is_full = n == 0 || (n >= HD_ARRAY_MIN && (n & (n - 1)) == 0);
    if (!is_full) {
        return array;
    }
    return reallocarray(array, n == 0 ? HD_ARRAY_MIN : 2 * n, size);
}
