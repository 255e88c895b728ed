/* SPDX-License-Identifier: Apache-2.0
 *
 * Bump allocator: everything that lives exactly as long as its arena (the nodes of one
 * file, the trees of one load, the texts of one set). One thread at a time. Failure is
 * sticky, so that a builder may ask once at the end. Not for the way of a line.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include <haidang/slice.h>

struct hd_arena_chunk;

struct hd_arena {
    struct hd_arena_chunk *head; /* the one being filled */
    size_t total;                /* bytes asked from malloc */
    size_t max;                  /* of them; 0 = no limit */
    bool failed;                 /* some allocation was refused */
};

void hd_arena_init(struct hd_arena *arena, size_t max);
void hd_arena_fini(struct hd_arena *arena); /* usable again as if initialised */
/* Forgets the contents, keeps the largest chunk. */
void hd_arena_reset(struct hd_arena *arena);

/* Zeroed, aligned for any type; NULL on failure. n * size is checked. */
void *hd_arena_alloc(struct hd_arena *arena, size_t n, size_t size);
/* Not zeroed, not aligned. */
uint8_t *hd_arena_bytes(struct hd_arena *arena, size_t len);
/* Copies; an empty slice on failure. */
struct hd_slice hd_arena_copy(struct hd_arena *arena, struct hd_slice s);
/* NUL-terminated copy; "" on failure. */
const char *hd_arena_str(struct hd_arena *arena, struct hd_slice s);
/* Makes room for one more element of an array that grows by doubling; the old one stays
 * in the arena. NULL on failure. */
void *hd_arena_grow(struct hd_arena *arena, void *array, size_t n, size_t size);
