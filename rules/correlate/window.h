/* SPDX-License-Identifier: Apache-2.0
 *
 * What one group remembers of its events, no more than its condition needs: the newest N
 * events (event_count), the N distinct values seen last (value_count). Exact for "at
 * least N in (t-T, t]": an event or value older than N others is never missed by such a
 * count. Pure state: no rules, no clock.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <haidang/err.h>

#define RUL_NIL UINT32_MAX

/* One event: when, and where it stands in the archive (positions.h). */
struct rul_mark {
    int64_t time_ns;
    uint64_t seq;
    uint32_t prefix;
};

/* Marks in order of time, equal times in order of arrival. All zero = empty. */
struct rul_ring {
    struct rul_mark *marks;
    uint32_t first, n, cap;
};

void rul_ring_fini(struct rul_ring *ring);
size_t rul_ring_bytes(const struct rul_ring *ring);
/* The i-th oldest. */
struct rul_mark *rul_ring_at(const struct rul_ring *ring, uint32_t i);
/* Forgets marks at or before the edge. */
void rul_ring_expire(struct rul_ring *ring, int64_t edge_ns);
/* Adds one, keeps the newest `limit`. */
int rul_ring_add(struct rul_ring *ring, const struct rul_mark *mark,
                 uint32_t limit) HD_MUST_USE;

/* One distinct value and the event that showed it last. */
struct rul_seen {
    struct rul_mark mark;
    uint64_t key;
    uint32_t older, newer; /* in order of time; `newer` chains free entries */
    uint32_t chain;        /* same bucket */
};

/* Distinct values. All zero = empty. */
struct rul_distinct {
    struct rul_seen *seen;
    uint32_t *buckets; /* cap of them */
    uint32_t n, cap;   /* cap is a power of two */
    uint32_t oldest, newest, free;
};

void rul_distinct_fini(struct rul_distinct *d);
size_t rul_distinct_bytes(const struct rul_distinct *d);
void rul_distinct_expire(struct rul_distinct *d, int64_t edge_ns);
/* One sighting; keeps the `limit` values seen last. */
int rul_distinct_see(struct rul_distinct *d, uint64_t key, const struct rul_mark *mark,
                     uint32_t limit) HD_MUST_USE;
