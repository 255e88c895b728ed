/* SPDX-License-Identifier: Apache-2.0
 *
 * What one group remembers of its events, no more than its condition needs. A kind of
 * window is a row of operations; its state is zeroed memory inside the group until
 * `init`. Pure state: no clock, no look-ups.
 *
 * Glossary. mark: when an event was and where it stands in the archive. sample: an event
 * as a window sees it. edge: events at or before it are outside of a sliding window.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/bytes.h>

#include "rules/correlate/pool.h"
#include "rules/snapshot.h"

#define RUL_NEVER       INT64_MIN
#define RUL_TIME_MAX    (INT64_MAX / 2)     /* year 2116: of an event */
#define RUL_TIME_LIMIT  (INT64_MAX / 4 * 3) /* year 2189: of a window's end */
#define RUL_SAMPLES_MAX 10000U              /* numbers of one group and window */
#define RUL_PENDING_MAX 512U  /* events of one group whose order may still change */
#define RUL_STARTS_MAX  4096U /* windows of one group that are to be tested */

struct rul_mark {
    int64_t time_ns;
    uint64_t place; /* positions.h */
};

struct rul_sample {
    struct rul_mark mark;
    uint64_t key;   /* hash of the value (value_count) */
    int64_t number; /* millionths (value_sum, value_avg, value_percentile) */
    uint32_t ref;   /* which of the correlation's rules */
};

struct rul_tally { /* what a detection says */
    uint64_t count;
    struct rul_mark first, last; /* last: time_ns RUL_NEVER = the group's newest */
    bool is_ambiguous; /* the order holds only if events of one time came in that order */
};

struct rul_window {
    const struct rul_corr *corr;
    struct rul_pool *pool;
    void *state;
    int64_t watermark_ns; /* no event comes that is earlier */
    uint64_t *capped;     /* events that a limit kept from being counted exactly */
};

struct rul_loading;
struct rul_prefixes;

struct rul_window_ops {
    size_t (*size)(const struct rul_corr *corr); /* of the state; a multiple of 8 */
    void (*init)(const struct rul_window *w);    /* NULL: zeroed is empty */
    void (*fini)(const struct rul_window *w);    /* NULL: nothing else to give back */
    size_t (*bytes)(const struct rul_window *w); /* NULL: nothing besides the state */
    void (*expire)(const struct rul_window *w, int64_t edge_ns); /* NULL: never */
    int (*add)(const struct rul_window *w, const struct rul_sample *sample);
    bool (*holds)(const struct rul_window *w, int64_t edge_ns, struct rul_tally *tally);
    void (*save)(const struct rul_window *w, struct hd_buf *out);
    int (*load)(const struct rul_window *w, struct rul_loading *in);
};

extern const struct rul_window_ops rul_window_newest;   /* event_count, sliding */
extern const struct rul_window_ops rul_window_counter;  /* event_count, closing */
extern const struct rul_window_ops rul_window_distinct; /* value_count */
extern const struct rul_window_ops rul_window_samples;  /* value_sum ..., sliding */
extern const struct rul_window_ops rul_window_totals;   /* value_sum ..., closing */
extern const struct rul_window_ops rul_window_seen;     /* temporal */
extern const struct rul_window_ops rul_window_chain;    /* temporal_ordered */
extern const struct rul_window_ops rul_window_session;  /* what counts, in sessions */
extern const struct rul_window_ops rul_window_started;  /* both, with windows that begin
                                                           with events */

/* So many values a group of a value_count keeps. */
uint32_t rul_distinct_needed(const struct rul_corr *corr);

/* ---- rings of marks, with something behind each ---- */

/* In order of time, equal times in order of arrival. All zero = empty. */
struct rul_ring {
    uint32_t block, first, n, cap;
};

void rul_ring_fini(struct rul_ring *ring, struct rul_pool *pool);
size_t rul_ring_bytes(const struct rul_ring *ring, size_t size);
/* The i-th oldest. */
void *rul_ring_at(const struct rul_ring *ring, const struct rul_pool *pool, size_t size,
                  uint32_t i);
void rul_ring_drop_oldest(struct rul_ring *ring);
/* Puts the entry, which begins with its mark, in its place; there must be room below
 * `limit`. */
int rul_ring_add(struct rul_ring *ring, struct rul_pool *pool, size_t size,
                 const void *entry, uint32_t limit) HD_MUST_USE;

/* ---- saved state ---- */

struct rul_loading {
    struct hd_bytes in;
    struct rul_prefixes *prefixes; /* NULL: saved a moment ago, places are as they were */
    bool has_room;                 /* says what room there was, too */
    bool is_short;                 /* of memory: what was loaded is not whole */
};

/* How many entries there are, and room for how many: what a group takes decides which one
 * has to go, so a ring is as large after a restart as it was before. */
void rul_ring_save(const struct rul_ring *ring, struct hd_buf *out);
/* Into an empty ring: takes the room, at most of `limit`, and says how many entries
 * follow. */
int rul_ring_load(struct rul_ring *ring, const struct rul_window *w, size_t size,
                  uint32_t limit, struct rul_loading *in, uint32_t *n) HD_MUST_USE;
void rul_mark_save(struct hd_buf *out, const struct rul_mark *mark);
struct rul_mark rul_mark_load(struct rul_loading *in);
