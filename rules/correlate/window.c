/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/correlate/window.h"

#include <stdlib.h>

/* ---- ring ---- */

void rul_ring_fini(struct rul_ring *ring)
{
    free(ring->marks);
    *ring = (struct rul_ring){0};
}

size_t rul_ring_bytes(const struct rul_ring *ring)
{
    return (size_t)ring->cap * sizeof(*ring->marks);
}

struct rul_mark *rul_ring_at(const struct rul_ring *ring, uint32_t i)
{
    uint32_t at = ring->first + i;
    return &ring->marks[at < ring->cap ? at : at - ring->cap];
}

static void drop_oldest(struct rul_ring *ring)
{
    ring->first = ring->first + 1 == ring->cap ? 0 : ring->first + 1;
    ring->n--;
}

void rul_ring_expire(struct rul_ring *ring, int64_t edge_ns)
{
    while (ring->n > 0 && rul_ring_at(ring, 0)->time_ns <= edge_ns) {
        drop_oldest(ring);
    }
}

static int widen_ring(struct rul_ring *ring, uint32_t limit)
{
    uint32_t cap = ring->cap == 0 ? 1 : ring->cap * 2;
    cap = cap > limit ? limit : cap;
    struct rul_mark *marks = calloc(cap, sizeof(*marks));
    if (marks == NULL) {
        return HD_ENOMEM;
    }
    for (uint32_t i = 0; i < ring->n; i++) {
        marks[i] = *rul_ring_at(ring, i);
    }
    free(ring->marks);
    *ring = (struct rul_ring){marks, 0, ring->n, cap};
    return 0;
}

int rul_ring_add(struct rul_ring *ring, const struct rul_mark *mark, uint32_t limit)
{
    if (ring->n == limit) {
        if (mark->time_ns < rul_ring_at(ring, 0)->time_ns) {
            return 0;
        }
        drop_oldest(ring);
    } else if (ring->n == ring->cap) {
        int err = widen_ring(ring, limit);
        if (err != 0) {
            return err;
        }
    }
    uint32_t i = ring->n++;
    while (i > 0 && rul_ring_at(ring, i - 1)->time_ns > mark->time_ns) {
        *rul_ring_at(ring, i) = *rul_ring_at(ring, i - 1);
        i--;
    }
    *rul_ring_at(ring, i) = *mark;
    return 0;
}

/* ---- distinct values ---- */

void rul_distinct_fini(struct rul_distinct *d)
{
    free(d->seen);
    free(d->buckets);
    *d = (struct rul_distinct){0};
}

size_t rul_distinct_bytes(const struct rul_distinct *d)
{
    return (size_t)d->cap * (sizeof(*d->seen) + sizeof(*d->buckets));
}

static uint32_t *bucket_of(const struct rul_distinct *d, uint64_t key)
{
    return &d->buckets[key & (d->cap - 1)];
}

static void unlink_time(struct rul_distinct *d, uint32_t i)
{
    struct rul_seen *s = &d->seen[i];
    *(s->older == RUL_NIL ? &d->oldest : &d->seen[s->older].newer) = s->newer;
    *(s->newer == RUL_NIL ? &d->newest : &d->seen[s->newer].older) = s->older;
}

/* Behind everything that is not newer. */
static void link_time(struct rul_distinct *d, uint32_t i)
{
    struct rul_seen *s = &d->seen[i];
    uint32_t at = d->newest;
    while (at != RUL_NIL && d->seen[at].mark.time_ns > s->mark.time_ns) {
        at = d->seen[at].older;
    }
    s->older = at;
    s->newer = at == RUL_NIL ? d->oldest : d->seen[at].newer;
    *(s->older == RUL_NIL ? &d->oldest : &d->seen[s->older].newer) = i;
    *(s->newer == RUL_NIL ? &d->newest : &d->seen[s->newer].older) = i;
}

static void remove_oldest(struct rul_distinct *d)
{
    uint32_t i = d->oldest;
    unlink_time(d, i);
    uint32_t *link = bucket_of(d, d->seen[i].key);
    while (*link != i) {
        link = &d->seen[*link].chain;
    }
    *link = d->seen[i].chain;
    d->seen[i].newer = d->free;
    d->free = i;
    d->n--;
}

void rul_distinct_expire(struct rul_distinct *d, int64_t edge_ns)
{
    while (d->n > 0 && d->seen[d->oldest].mark.time_ns <= edge_ns) {
        remove_oldest(d);
    }
}

static int widen_distinct(struct rul_distinct *d)
{
    uint32_t cap = d->cap == 0 ? 2 : d->cap * 2;
    struct rul_seen *seen = reallocarray(d->seen, cap, sizeof(*seen));
    if (seen == NULL) {
        return HD_ENOMEM;
    }
    d->seen = seen;
    uint32_t *buckets = malloc((size_t)cap * sizeof(*buckets));
    if (buckets == NULL) {
        return HD_ENOMEM;
    }
    for (uint32_t i = 0; i < cap; i++) {
        buckets[i] = RUL_NIL;
    }
    free(d->buckets);
    d->buckets = buckets;
    if (d->cap == 0) {
        d->oldest = d->newest = RUL_NIL;
    }
    d->free = RUL_NIL;
    for (uint32_t i = cap; i-- > d->cap;) {
        d->seen[i].newer = d->free;
        d->free = i;
    }
    d->cap = cap;
    for (uint32_t i = d->oldest; i != RUL_NIL; i = d->seen[i].newer) {
        uint32_t *bucket = bucket_of(d, d->seen[i].key);
        d->seen[i].chain = *bucket;
        *bucket = i;
    }
    return 0;
}

static uint32_t find(const struct rul_distinct *d, uint64_t key)
{
    uint32_t i = d->cap == 0 ? RUL_NIL : *bucket_of(d, key);
    while (i != RUL_NIL && d->seen[i].key != key) {
        i = d->seen[i].chain;
    }
    return i;
}

int rul_distinct_see(struct rul_distinct *d, uint64_t key, const struct rul_mark *mark,
                     uint32_t limit)
{
    uint32_t i = find(d, key);
    if (i != RUL_NIL) {
        if (mark->time_ns >= d->seen[i].mark.time_ns) {
            unlink_time(d, i);
            d->seen[i].mark = *mark;
            link_time(d, i);
        }
        return 0;
    }
    if (d->n == limit) {
        if (mark->time_ns < d->seen[d->oldest].mark.time_ns) {
            return 0;
        }
        remove_oldest(d);
    }
    if (d->n == d->cap) {
        int err = widen_distinct(d);
        if (err != 0) {
            return err;
        }
    }
    i = d->free;
    d->free = d->seen[i].newer;
    d->seen[i] =
        (struct rul_seen){.mark = *mark, .key = key, .chain = *bucket_of(d, key)};
    *bucket_of(d, key) = i;
    link_time(d, i);
    d->n++;
    return 0;
}
