/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/correlate/positions.h"
#include "rules/correlate/window.h"

#define CAP_STEP 8U /* below this rings grow one by one: most groups stay small */

void rul_ring_fini(struct rul_ring *ring, struct rul_pool *pool)
{
    rul_pool_give(pool, ring->block);
    *ring = (struct rul_ring){0};
}

size_t rul_ring_bytes(const struct rul_ring *ring, size_t size)
{
    return ring->cap == 0 ? 0 : rul_pool_cost(ring->cap * size);
}

static uint8_t *slot(const struct rul_ring *ring, uint8_t *base, size_t size, uint32_t i)
{
    uint32_t at = ring->first + i;
    return base + (at < ring->cap ? at : at - ring->cap) * size;
}

void *rul_ring_at(const struct rul_ring *ring, const struct rul_pool *pool, size_t size,
                  uint32_t i)
{
    return slot(ring, rul_pool_at(pool, ring->block), size, i);
}

void rul_ring_drop_oldest(struct rul_ring *ring)
{
    ring->first = ring->first + 1 == ring->cap ? 0 : ring->first + 1;
    ring->n--;
}

static int widen(struct rul_ring *ring, struct rul_pool *pool, size_t size,
                 uint32_t limit)
{
    uint32_t cap = ring->cap < CAP_STEP ? ring->cap + 1 : ring->cap * 2;
    cap = cap > limit ? limit : cap;
    uint32_t block = rul_pool_take(pool, cap * size);
    if (block == RUL_POOL_NONE) {
        return HD_ENOMEM;
    }
    uint8_t *to = rul_pool_at(pool, block);
    for (uint32_t i = 0; i < ring->n; i++) {
        memcpy(to + i * size, rul_ring_at(ring, pool, size, i), size);
    }
    rul_pool_give(pool, ring->block);
    *ring = (struct rul_ring){block, 0, ring->n, cap};
    return 0;
}

static int64_t time_of(const uint8_t *entry)
{
    struct rul_mark mark;
    memcpy(&mark, entry, sizeof(mark));
    return mark.time_ns;
}

int rul_ring_add(struct rul_ring *ring, struct rul_pool *pool, size_t size,
                 const void *entry, uint32_t limit)
{
    if (ring->n == ring->cap) {
        int err = widen(ring, pool, size, limit);
        if (err != 0) {
            return err;
        }
    }
    uint8_t *base = rul_pool_at(pool, ring->block);
    int64_t time_ns = time_of(entry);
    uint32_t i = ring->n++;
    while (i > 0 && time_of(slot(ring, base, size, i - 1)) > time_ns) {
        memcpy(slot(ring, base, size, i), slot(ring, base, size, i - 1), size);
        i--;
    }
    memcpy(slot(ring, base, size, i), entry, size);
    return 0;
}

/* ---- saved state ---- */

void rul_ring_save(const struct rul_ring *ring, struct hd_buf *out)
{
    hd_buf_le32(out, ring->n);
    hd_buf_le32(out, ring->cap);
}

int rul_ring_load(struct rul_ring *ring, const struct rul_window *w, size_t size,
                  uint32_t limit, struct rul_loading *in, uint32_t *n)
{
    *n = hd_bytes_le32(&in->in);
    uint32_t cap = in->has_room ? hd_bytes_le32(&in->in) : 0;
    cap = cap > limit ? limit : cap;
    if (hd_bytes_failed(&in->in)) {
        return HD_ECORRUPT;
    }
    if (cap > 0) {
        ring->block = rul_pool_take(w->pool, cap * size);
        ring->cap = ring->block == RUL_POOL_NONE ? 0 : cap;
    }
    return ring->cap < cap ? HD_ENOMEM : 0;
}

void rul_mark_save(struct hd_buf *out, const struct rul_mark *mark)
{
    hd_buf_le64(out, (uint64_t)mark->time_ns);
    hd_buf_le64(out, mark->place);
}

struct rul_mark rul_mark_load(struct rul_loading *in)
{
    struct rul_mark mark = {.time_ns = (int64_t)hd_bytes_le64(&in->in)};
    mark.place = hd_bytes_le64(&in->in);
    if (mark.time_ns != RUL_NEVER &&
        (mark.time_ns < 0 || mark.time_ns > RUL_TIME_LIMIT)) {
        in->in.failed = true;
    }
    if (in->prefixes != NULL && rul_prefixes_move(in->prefixes, &mark.place) != 0) {
        in->is_short = true;
    }
    return mark;
}
