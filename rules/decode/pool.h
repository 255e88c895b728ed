/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory of a compiled decoder set: allocated piece by piece while it is loaded, freed
 * whole. The error is sticky, so that a loader asks once. Not for the hot path.
 */
#pragma once
#include <haidang/err.h>
#include <haidang/slice.h>

struct rul_pool {
    struct rul_pool_block *blocks;
    size_t left; /* bytes free at the end of the newest block */
    int err;     /* 0 or HD_ENOMEM; once set, allocations yield NULL */
};

void rul_pool_fini(struct rul_pool *pool);

/* Zeroed and aligned for any type; NULL when out of memory. */
void *rul_pool_alloc(struct rul_pool *pool, size_t size);

/* A NUL-terminated copy that lives as long as the pool; "" when out of memory. */
struct hd_slice rul_pool_copy(struct rul_pool *pool, struct hd_slice s);

/* Makes room for one more element of an array that grows by doubling. The old array stays
 * in the pool. NULL when out of memory. */
void *rul_pool_grow(struct rul_pool *pool, void *array, size_t n, size_t size);
