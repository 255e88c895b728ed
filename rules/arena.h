/* SPDX-License-Identifier: Apache-2.0
 *
 * Bump allocator of this room: everything that lives exactly as long as its arena (the
 * nodes of one file, the trees of one load, the texts of one set). One thread at a time.
 * Failure is sticky, so that a builder may ask once at the end.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include <haidang/slice.h>

struct rul_arena_chunk;

struct rul_arena {
    struct rul_arena_chunk *head; /* the one being filled */
    size_t total;                 /* bytes asked from malloc */
    size_t max;                   /* of them; 0 = no limit */
    bool failed;                  /* some allocation was refused */
};

void rul_arena_init(struct rul_arena *arena, size_t max);
void rul_arena_fini(struct rul_arena *arena); /* usable again as if initialised */
/* Forgets the contents, keeps the largest chunk. */
void rul_arena_reset(struct rul_arena *arena);

/* Zeroed, aligned for any type; NULL on failure. n * size is checked. */
void *rul_arena_alloc(struct rul_arena *arena, size_t n, size_t size);
/* Not zeroed, not aligned. */
uint8_t *rul_arena_bytes(struct rul_arena *arena, size_t len);
/* Copies; an empty slice on failure. */
struct hd_slice rul_arena_copy(struct rul_arena *arena, struct hd_slice s);
/* NUL-terminated copy; "" on failure. */
const char *rul_arena_str(struct rul_arena *arena, struct hd_slice s);
