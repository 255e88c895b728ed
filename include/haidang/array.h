/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrays on the heap that grow by one element at a time. The count alone says how large
 * the block is: a power of two, at least HD_ARRAY_MIN.
 *
 *     struct thing *more = hd_array_grow(t->things, t->n, sizeof(*more));
 *     if (more == NULL) { return HD_ENOMEM; }
 *     t->things = more;
 *     t->things[t->n++] = thing;
 */
#pragma once
#include <stddef.h>

#define HD_ARRAY_MIN 8U

/* Room for one more element of `size` bytes in an array of n that only ever grew with
 * this function (n may have become smaller meanwhile). NULL: out of memory, the array is
 * as it was. own: the caller frees what is returned instead of `array`. */
void *hd_array_grow(void *array, size_t n, size_t size);
