/* SPDX-License-Identifier: Apache-2.0
 *
 * Scratch bytes of one decode: values that do not stand in the line as such (unescaped,
 * percent-decoded, joined) are made here. Emptied for each line; when it is full the
 * value is left out. One thread.
 */
#pragma once
#include <haidang/slice.h>

struct rul_decode_arena {
    uint8_t *bytes;
    size_t used;
    size_t cap;
};

/* Room for `len` bytes behind what is used, or NULL. Commit with used += what was taken.
 */
static inline uint8_t *rul_decode_arena_room(struct rul_decode_arena *arena, size_t len)
{
    return arena->cap - arena->used < len ? NULL : arena->bytes + arena->used;
}
