/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts TCP segments in order as far as a dissector needs it: the bytes not consumed yet
 * lie together from next_seq on. In the common case they are the segment itself and
 * nothing is copied; a unit that is split over segments waits in a buffer of a small
 * pool. One stretch may arrive early; the first copy of a byte counts. One thread.
 */
#pragma once
#include <stdint.h>

#include "collector/packet/flow.h"
#include <haidang/err.h>
#include <haidang/slice.h>

#define COL_STREAM_CAP 8192U /* bytes of one unit that waits: a ClientHello, a head */

struct col_stream_pool; /* `max` buffers; taken from whoever waits longest when empty */
int col_stream_pool_new(uint16_t max, struct col_stream_pool **out) HD_MUST_USE;
void col_stream_pool_free(struct col_stream_pool *pool);
/* Units given up because their buffer was needed for a newer one. */
uint64_t col_stream_stolen(const struct col_stream_pool *pool);
uint16_t col_stream_in_use(const struct col_stream_pool *pool);

enum col_stream_result {
    COL_STREAM_NOTHING, /* seen before, skipped, or early: nothing new in order */
    COL_STREAM_DATA,    /* *view is what is in order and not consumed */
    COL_STREAM_GAP,     /* bytes are missing for good; *view starts after them */
};

struct col_segment {
    uint32_t seq;         /* of the first payload byte */
    uint32_t len;         /* payload as sent */
    struct hd_slice data; /* payload as captured */
};

/* *view is valid until the next call for this pool. Call col_stream_consume after. */
enum col_stream_result col_stream_push(struct col_stream_pool *pool,
                                       struct col_flow_stream *s,
                                       const struct col_segment *segment,
                                       struct hd_slice *view);
/* The view cannot grow any more: the rest of the segment was not captured, or it is as
 * long as a buffer. */
bool col_stream_is_cut(const struct col_flow_stream *s, const struct col_segment *segment,
                       struct hd_slice view);
/* `used` bytes of `view` are done with; more than it has are skipped as they come. The
 * rest is kept for the next push. */
void col_stream_consume(struct col_stream_pool *pool, struct col_flow_stream *s,
                        const struct col_segment *segment, struct hd_slice view,
                        uint32_t used);
/* Nothing more is wanted; gives the buffer back. */
void col_stream_release(struct col_stream_pool *pool, struct col_flow_stream *s);
