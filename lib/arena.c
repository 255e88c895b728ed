/* SPDX-License-Identifier: Apache-2.0
 *
 * A bump allocator over a list of chunks, each twice as large as the one before.
 */
#include <haidang/arena.h>

#include <stdlib.h>

#define CHUNK_MIN (16U << 10)
#define CHUNK_MAX (1U << 20)
#define ALIGN     16U

struct hd_arena_chunk {
    struct hd_arena_chunk *next;
    size_t cap, used;
    _Alignas(ALIGN) uint8_t data[];
};

void hd_arena_init(struct hd_arena *arena, size_t max)
{
    *arena = (struct hd_arena){.max = max};
}

void hd_arena_fini(struct hd_arena *arena)
{
    struct hd_arena_chunk *chunk = arena->head;
    while (chunk != NULL) {
        struct hd_arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    hd_arena_init(arena, arena->max);
}

void hd_arena_reset(struct hd_arena *arena)
{
    struct hd_arena_chunk *keep = arena->head;
    for (struct hd_arena_chunk *c = arena->head; c != NULL; c = c->next) {
        keep = c->cap > keep->cap ? c : keep;
    }
    struct hd_arena_chunk *chunk = arena->head;
    while (chunk != NULL) {
        struct hd_arena_chunk *next = chunk->next;
        if (chunk != keep) {
            free(chunk);
        }
        chunk = next;
    }
    arena->head = keep;
    arena->total = 0;
    arena->failed = false;
    if (keep != NULL) {
        keep->next = NULL;
        keep->used = 0;
        arena->total = sizeof(*keep) + keep->cap;
    }
}

static struct hd_arena_chunk *add_chunk(struct hd_arena *arena, size_t need)
{
    size_t cap = arena->head == NULL ? CHUNK_MIN : arena->head->cap * 2;
    cap = cap > CHUNK_MAX ? CHUNK_MAX : cap;
    cap = cap < need ? need : cap;
    size_t size = sizeof(struct hd_arena_chunk) + cap;
    if (size < cap || (arena->max != 0 && size > arena->max - arena->total)) {
        return NULL;
    }
    struct hd_arena_chunk *chunk = malloc(size);
    if (chunk == NULL) {
        return NULL;
    }
    *chunk = (struct hd_arena_chunk){.next = arena->head, .cap = cap};
    arena->head = chunk;
    arena->total += size;
    return chunk;
}

static uint8_t *take(struct hd_arena *arena, size_t len, size_t align)
{
    struct hd_arena_chunk *chunk = arena->head;
    if (chunk != NULL) {
        size_t at = (chunk->used + align - 1) & ~(align - 1);
        if (at <= chunk->cap && len <= chunk->cap - at) {
            chunk->used = at + len;
            return chunk->data + at;
        }
    }
    chunk = arena->failed ? NULL : add_chunk(arena, len);
    if (chunk == NULL) {
        arena->failed = true;
        return NULL;
    }
    chunk->used = len;
    return chunk->data;
}

void *hd_arena_alloc(struct hd_arena *arena, size_t n, size_t size)
{
    size_t len = 0;
    if (__builtin_mul_overflow(n, size, &len)) {
        arena->failed = true;
        return NULL;
    }
    uint8_t *at = take(arena, len, ALIGN);
    if (at != NULL) {
        memset(at, 0, len);
    }
    return at;
}

uint8_t *hd_arena_bytes(struct hd_arena *arena, size_t len)
{
    return take(arena, len, 1);
}

struct hd_slice hd_arena_copy(struct hd_arena *arena, struct hd_slice s)
{
    uint8_t *at = take(arena, s.len, 1);
    if (at == NULL || s.len == 0) {
        return hd_slice(at, 0);
    }
    memcpy(at, s.ptr, s.len);
    return hd_slice(at, s.len);
}

const char *hd_arena_str(struct hd_arena *arena, struct hd_slice s)
{
    uint8_t *at = s.len == SIZE_MAX ? NULL : take(arena, s.len + 1, 1);
    if (at == NULL) {
        return "";
    }
    if (s.len > 0) {
        memcpy(at, s.ptr, s.len);
    }
    at[s.len] = 0;
    return (const char *)at;
}

void *hd_arena_grow(struct hd_arena *arena, void *array, size_t n, size_t size)
{
    bool is_full = (n & (n - 1)) == 0; /* 0 or a power of two */
    if (!is_full) {
        return array;
    }
    void *larger = hd_arena_alloc(arena, n == 0 ? 1 : 2 * n, size);
    if (larger != NULL && n > 0) {
        memcpy(larger, array, n * size);
    }
    return larger;
}
