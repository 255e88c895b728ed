/* SPDX-License-Identifier: Apache-2.0
 *
 * A bump allocator over a list of blocks.
 */
#include "rules/decode/pool.h"

#include <stdalign.h>
#include <stdlib.h>

#define BLOCK_SIZE ((size_t)16 << 10)

struct rul_pool_block {
    struct rul_pool_block *next;
    size_t size;
    alignas(max_align_t) uint8_t bytes[];
};

void rul_pool_fini(struct rul_pool *pool)
{
    while (pool->blocks != NULL) {
        struct rul_pool_block *next = pool->blocks->next;
        free(pool->blocks);
        pool->blocks = next;
    }
    pool->left = 0;
}

void *rul_pool_alloc(struct rul_pool *pool, size_t size)
{
    size_t step = alignof(max_align_t);
    size_t need = (size + step - 1U) / step * step;
    if (pool->err != 0) {
        return NULL;
    }
    if (need > pool->left) {
        size_t room = need > BLOCK_SIZE ? need : BLOCK_SIZE;
        struct rul_pool_block *block = calloc(1, sizeof(*block) + room);
        if (block == NULL) {
            pool->err = HD_ENOMEM;
            return NULL;
        }
        block->next = pool->blocks;
        block->size = room;
        pool->blocks = block;
        pool->left = room;
    }
    void *at = pool->blocks->bytes + (pool->blocks->size - pool->left);
    pool->left -= need;
    return at;
}

struct hd_slice rul_pool_copy(struct rul_pool *pool, struct hd_slice s)
{
    uint8_t *own = rul_pool_alloc(pool, s.len + 1);
    if (own == NULL) {
        return HD_SLICE("");
    }
    if (s.len > 0) {
        memcpy(own, s.ptr, s.len);
    }
    return hd_slice(own, s.len);
}

void *rul_pool_grow(struct rul_pool *pool, void *array, size_t n, size_t size)
{
    bool is_full = (n & (n - 1)) == 0; /* 0 or a power of two */
    if (!is_full) {
        return array;
    }
    void *larger = rul_pool_alloc(pool, size * (n == 0 ? 1 : 2 * n));
    if (larger != NULL && n > 0) {
        memcpy(larger, array, n * size);
    }
    return larger;
}
