/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for very many small blocks: groups, and what their windows keep. A block is
 * named by 32 bits and has no header, which halves a group of one or two events against
 * malloc. Blocks come in sizes of 8 bytes; each page holds one size and goes back to the
 * system when its last block does. Large blocks are malloc's.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <haidang/err.h>

#define RUL_POOL_NONE  0U
#define RUL_POOL_SMALL 512U /* bytes; larger blocks are malloc's */

struct rul_pool;
int rul_pool_new(struct rul_pool **out) HD_MUST_USE;
/* Frees every small block with it; large ones must have been given back. */
void rul_pool_free(struct rul_pool *pool);

/* Not zeroed. RUL_POOL_NONE: memory is short. */
uint32_t rul_pool_take(struct rul_pool *pool, size_t bytes);
/* RUL_POOL_NONE is ignored. */
void rul_pool_give(struct rul_pool *pool, uint32_t block);
/* Where it is; stays there until it is given back. */
void *rul_pool_at(const struct rul_pool *pool, uint32_t block);
/* What a block of this size really takes. */
size_t rul_pool_cost(size_t bytes);
