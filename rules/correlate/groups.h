/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups of one correlation rule: found by key, kept in order of their last event so that
 * the stalest goes first when memory is short.
 */
#pragma once
#include "rules/correlate/window.h"
#include "rules/snapshot.h"

struct rul_group {
    struct rul_group *chain;         /* same bucket */
    struct rul_group *older, *newer; /* by last arrival */
    uint64_t hash;                   /* of the key */
    int64_t newest_ns;               /* largest event time */
    int64_t fired_ns;                /* newest_ns when it fired last; INT64_MIN = never */
    uint64_t swallowed;              /* events since then that would have fired again */
    struct rul_mark last;            /* of the event that arrived last */
    struct rul_ring ring;            /* event_count, sliding */
    struct rul_distinct distinct;    /* value_count */
    struct rul_closing *closing;     /* windows tested at their end; else NULL */
    size_t bytes;                    /* accounted */
    uint32_t key_len;
    bool is_armed;
    uint8_t key[]; /* per group-by field u16 length and canonical value */
};

/* A window that is tested at its end: [index*T, (index+1)*T). */
struct rul_closing {
    int64_t index;
    uint64_t count;
    struct rul_mark first;
    struct rul_event_copy *event; /* the last by event time; owned */
};

struct rul_groups {
    struct rul_group **buckets;
    uint32_t mask, n;
    struct rul_group *stalest, *freshest;
    size_t bytes;
};

void rul_groups_fini(struct rul_groups *groups);
struct rul_group *rul_groups_find(const struct rul_groups *groups, struct hd_slice key,
                                  int64_t index);
/* A new one, freshest. closing: the window's index counts as part of the key. */
int rul_groups_add(struct rul_groups *groups, struct hd_slice key, bool closing,
                   int64_t index, struct rul_group **out) HD_MUST_USE;
void rul_groups_remove(struct rul_groups *groups, struct rul_group *group);
/* Makes it the freshest and accounts for its size. */
void rul_groups_touch(struct rul_groups *groups, struct rul_group *group);

/* own: the caller frees with free(). A copy of a copy. */
int rul_event_copy_dup(const struct rul_event_copy *ev,
                       struct rul_event_copy **out) HD_MUST_USE;
