/* SPDX-License-Identifier: Apache-2.0
 *
 * Hash index: a 64-bit hash -> position in an array that the owner keeps. Open addressing
 * with linear probing; removal shifts back, so it never fills with tombstones. Grows by
 * doubling; the bound is the owner's array. One thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/err.h>

#define HD_INDEX_NONE UINT32_MAX

struct hd_index_slot {
    uint64_t hash;
    uint32_t at; /* position + 1; 0 = free */
};

struct hd_index {
    struct hd_index_slot *slots;
    uint32_t mask; /* slots - 1 */
    uint32_t used;
};

/* Is the thing at `at` the one that ctx describes? */
typedef bool (*hd_index_same)(const void *ctx, uint32_t at);

/* Room for `want` things without growing. */
int hd_index_init(struct hd_index *index, uint32_t want) HD_MUST_USE;
void hd_index_fini(struct hd_index *index);
/* Position of the thing with this hash for which `same` holds, or HD_INDEX_NONE. */
uint32_t hd_index_find(const struct hd_index *index, uint64_t hash, hd_index_same same,
                       const void *ctx);
/* The caller has made sure that it is not there. */
int hd_index_add(struct hd_index *index, uint64_t hash, uint32_t at) HD_MUST_USE;
void hd_index_remove(struct hd_index *index, uint64_t hash, uint32_t at);
