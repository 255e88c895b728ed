/* SPDX-License-Identifier: Apache-2.0
 *
 * Sequence numbers are compared modulo 2^32 (RFC 9293 section 3.4). Offsets below count
 * from the first byte that is neither consumed nor to be skipped. Buffers are allocated
 * when first needed and kept.
 */
#include "collector/packet/stream.h"

#include <stdlib.h>
#include <string.h>

struct buffer {
    struct col_flow_stream *owner; /* NULL = free */
    uint64_t taken;                /* when, by count */
    uint32_t have;                 /* bytes in order */
    uint32_t early_at, early_end;  /* a stretch that lies further on; 0, 0 = none */
    uint8_t bytes[COL_STREAM_CAP];
};

struct col_stream_pool {
    uint16_t max;
    uint16_t in_use;
    uint64_t taken;
    uint64_t stolen;
    struct buffer *buffers[];
};

int col_stream_pool_new(uint16_t max, struct col_stream_pool **out)
{
    struct col_stream_pool *pool =
        calloc(1, sizeof(*pool) + max * sizeof(pool->buffers[0]));
    *out = pool;
    if (pool == NULL) {
        return HD_ENOMEM;
    }
    pool->max = max;
    return HD_OK;
}

void col_stream_pool_free(struct col_stream_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    for (uint16_t i = 0; i < pool->max; i++) {
        free(pool->buffers[i]);
    }
    free(pool);
}

uint64_t col_stream_stolen(const struct col_stream_pool *pool)
{
    return pool->stolen;
}

uint16_t col_stream_in_use(const struct col_stream_pool *pool)
{
    return pool->in_use;
}

/* ---- buffers ---- */

static struct buffer *buffer_of(const struct col_stream_pool *pool,
                                const struct col_flow_stream *s)
{
    return s->buf == COL_STREAM_NONE ? NULL : pool->buffers[s->buf];
}

static void give_back(struct col_stream_pool *pool, struct col_flow_stream *s)
{
    struct buffer *b = buffer_of(pool, s);
    if (b != NULL) {
        b->owner = NULL;
        s->buf = COL_STREAM_NONE;
        pool->in_use--;
    }
}

static void lose(struct col_stream_pool *pool, struct col_flow_stream *s)
{
    give_back(pool, s);
    s->state = COL_STREAM_LOST;
    s->skip = 0;
}

void col_stream_release(struct col_stream_pool *pool, struct col_flow_stream *s)
{
    give_back(pool, s);
    s->state = COL_STREAM_DONE;
}

/* A free buffer's index; else the one that was taken first. */
static uint16_t choose(const struct col_stream_pool *pool)
{
    uint16_t oldest = COL_STREAM_NONE;
    for (uint16_t i = 0; i < pool->max; i++) {
        const struct buffer *b = pool->buffers[i];
        if (b == NULL || b->owner == NULL) {
            return i;
        }
        if (oldest == COL_STREAM_NONE || b->taken < pool->buffers[oldest]->taken) {
            oldest = i;
        }
    }
    return oldest;
}

/* The stream's buffer, taken when it has none; NULL when there is none to be had. */
static struct buffer *take(struct col_stream_pool *pool, struct col_flow_stream *s)
{
    if (s->buf != COL_STREAM_NONE) {
        return pool->buffers[s->buf];
    }
    uint16_t index = choose(pool);
    if (index == COL_STREAM_NONE) {
        return NULL;
    }
    if (pool->buffers[index] == NULL) {
        pool->buffers[index] = malloc(sizeof(*pool->buffers[index]));
        if (pool->buffers[index] == NULL) {
            return NULL;
        }
    } else if (pool->buffers[index]->owner != NULL) {
        pool->stolen++;
        lose(pool, pool->buffers[index]->owner);
    }
    struct buffer *b = pool->buffers[index];
    b->owner = s;
    b->taken = pool->taken++;
    b->have = 0;
    b->early_at = b->early_end = 0;
    s->buf = index;
    pool->in_use++;
    return b;
}

/* ---- placing a segment ---- */

struct placed {
    int64_t off; /* of the first byte */
    uint32_t len;
    struct hd_slice data;
};

static void cut_front(struct placed *p, uint32_t n)
{
    p->off += n;
    p->len -= n;
    p->data = hd_slice_from(p->data, n);
}

/* Takes what is to be skipped off the segment; false when that was all of it. */
static bool pass_skipped(struct col_flow_stream *s, struct placed *p)
{
    if (s->skip == 0) {
        return true;
    }
    int64_t end = p->off + p->len;
    if (end <= (int64_t)s->skip) {
        if (end > 0) {
            s->next_seq += (uint32_t)end;
            s->skip -= (uint32_t)end;
        }
        return false;
    }
    if (p->off < (int64_t)s->skip) {
        cut_front(p, (uint32_t)((int64_t)s->skip - p->off));
    }
    p->off -= s->skip;
    s->next_seq += s->skip;
    s->skip = 0;
    return true;
}

/* Keeps a segment that came before its turn; false when it cannot be kept. */
static bool keep_early(struct col_stream_pool *pool, struct col_flow_stream *s,
                       const struct placed *p)
{
    if (p->off + p->len > COL_STREAM_CAP || p->data.len != p->len) {
        return false;
    }
    struct buffer *b = take(pool, s);
    if (b == NULL) {
        return false;
    }
    uint32_t from = (uint32_t)p->off;
    uint32_t to = from + p->len;
    if (b->early_end == 0) {
        b->early_at = from;
        b->early_end = from;
    }
    if (from < b->early_at || from > b->early_end) {
        return false;
    }
    if (to > b->early_end) {
        uint32_t seen = b->early_end - from;
        memcpy(b->bytes + b->early_end, p->data.ptr + seen, p->len - seen);
        b->early_end = to;
    }
    return true;
}

/* Bytes that continue what the buffer holds, as far as they fit. */
static void append(struct buffer *b, const struct placed *p)
{
    uint32_t room = COL_STREAM_CAP - b->have;
    uint32_t len = p->data.len < room ? (uint32_t)p->data.len : room;
    uint32_t start = b->have;
    uint32_t end = start + len;
    if (b->early_end == 0 || end < b->early_at) {
        memcpy(b->bytes + start, p->data.ptr, len);
        b->have = end;
        return;
    }
    memcpy(b->bytes + start, p->data.ptr, b->early_at - start);
    b->have = b->early_end;
    if (end > b->early_end) {
        memcpy(b->bytes + b->early_end, p->data.ptr + (b->early_end - start),
               end - b->early_end);
        b->have = end;
    }
    b->early_at = b->early_end = 0;
}

static enum col_stream_result resume_after_gap(struct col_stream_pool *pool,
                                               struct col_flow_stream *s,
                                               const struct placed *p,
                                               struct hd_slice *view)
{
    give_back(pool, s);
    s->next_seq += (uint32_t)p->off;
    s->state = COL_STREAM_SYNCED;
    *view = p->data;
    return COL_STREAM_GAP;
}

enum col_stream_result col_stream_push(struct col_stream_pool *pool,
                                       struct col_flow_stream *s,
                                       const struct col_segment *segment,
                                       struct hd_slice *view)
{
    *view = HD_SLICE_EMPTY;
    if (s->state == COL_STREAM_DONE || segment->len == 0) {
        return COL_STREAM_NOTHING;
    }
    bool was_lost = s->state == COL_STREAM_LOST;
    if (s->state != COL_STREAM_SYNCED) {
        s->next_seq = segment->seq;
        s->state = COL_STREAM_SYNCED;
    }
    struct placed p = {(int32_t)(segment->seq - s->next_seq), segment->len,
                       segment->data};
    if (was_lost) {
        return resume_after_gap(pool, s, &p, view);
    }
    if (!pass_skipped(s, &p)) {
        return COL_STREAM_NOTHING;
    }
    struct buffer *b = buffer_of(pool, s);
    uint32_t have = b == NULL ? 0 : b->have;
    if (p.off + p.len <= have) {
        return COL_STREAM_NOTHING;
    }
    if (p.off < have) {
        cut_front(&p, (uint32_t)(have - p.off));
    }
    if (p.off > have) {
        return keep_early(pool, s, &p) ? COL_STREAM_NOTHING
                                       : resume_after_gap(pool, s, &p, view);
    }
    if (b == NULL) {
        *view = p.data;
        return COL_STREAM_DATA;
    }
    append(b, &p);
    *view = hd_slice(b->bytes, b->have);
    return COL_STREAM_DATA;
}

/* Keeps the bytes of `view` after `used`; false when they cannot be kept. */
static bool keep_rest(struct col_stream_pool *pool, struct col_flow_stream *s,
                      struct hd_slice view, uint32_t used)
{
    struct hd_slice left = hd_slice_from(view, used);
    struct buffer *b = buffer_of(pool, s);
    if (b == NULL) {
        b = left.len <= COL_STREAM_CAP ? take(pool, s) : NULL;
        if (b == NULL) {
            return false;
        }
        memcpy(b->bytes, left.ptr, left.len);
        b->have = (uint32_t)left.len;
        return true;
    }
    uint32_t end = b->early_end != 0 ? b->early_end : b->have;
    memmove(b->bytes, b->bytes + used, end - used);
    b->have -= used;
    if (b->early_end != 0) {
        b->early_at -= used;
        b->early_end -= used;
    }
    return true;
}

/* Bytes between the view and the end of the segment: cut by the snapshot length, or more
 * than a buffer takes. */
static uint32_t missing(const struct col_flow_stream *s,
                        const struct col_segment *segment, struct hd_slice view)
{
    uint32_t view_end = s->next_seq + (uint32_t)view.len;
    int32_t cut = (int32_t)(segment->seq + segment->len - view_end);
    return cut > 0 ? (uint32_t)cut : 0;
}

bool col_stream_is_cut(const struct col_flow_stream *s, const struct col_segment *segment,
                       struct hd_slice view)
{
    return view.len >= COL_STREAM_CAP || missing(s, segment, view) != 0;
}

void col_stream_consume(struct col_stream_pool *pool, struct col_flow_stream *s,
                        const struct col_segment *segment, struct hd_slice view,
                        uint32_t used)
{
    uint32_t absent = missing(s, segment, view);
    uint32_t skip = used > view.len ? used - (uint32_t)view.len : 0;
    struct buffer *b = buffer_of(pool, s);
    bool has_early = b != NULL && b->early_end != 0;
    if (used < view.len || has_early) {
        if (absent != 0 || skip != 0 || !keep_rest(pool, s, view, used)) {
            lose(pool, s);
            return;
        }
        s->next_seq += used;
        return;
    }
    if (absent > skip) {
        lose(pool, s);
        return;
    }
    give_back(pool, s);
    s->next_seq += (uint32_t)view.len + absent;
    s->skip = skip - absent;
}
