/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups of one correlation rule: found by key, kept in order of their last event so that
 * the stalest goes first when memory is short. A group is one block of the pool: this
 * head, for windows that are tested at their end a `struct rul_closing`, the state of the
 * window, the key. Groups are named by their blocks.
 */
#pragma once
#include "rules/correlate/window.h"

struct rul_group {
    uint32_t chain;        /* same bucket */
    uint32_t older, newer; /* by last arrival */
    uint32_t hash;         /* of the key */
    int64_t newest_ns;     /* largest event time */
    int64_t fired_ns;      /* when it fired last; RUL_NEVER */
    uint32_t swallowed;    /* events since then that would have fired again */
    uint16_t key_len;
    bool is_armed;
    uint64_t body[];
};

struct rul_closing {
    int64_t end_ns; /* of an aligned window */
    struct rul_mark first;
    struct rul_event_copy *event; /* the last by event time; owned */
    uint64_t place;               /* of it */
};

struct rul_groups {
    const struct rul_corr *corr;
    const struct rul_window_ops *ops;
    struct rul_pool *pool;
    uint64_t seed; /* of the hash: the same state has the same order after a restart */
    uint32_t *buckets;
    uint32_t mask, n;
    uint32_t stalest, freshest;
    size_t bytes;
};

const struct rul_window_ops *rul_window_for(const struct rul_corr *corr);
void rul_groups_init(struct rul_groups *groups, const struct rul_corr *corr,
                     struct rul_pool *pool, uint64_t seed);
void rul_groups_fini(struct rul_groups *groups);

struct rul_group *rul_group_at(const struct rul_groups *groups, uint32_t at);
struct hd_slice rul_group_key(const struct rul_groups *groups,
                              const struct rul_group *group);
/* NULL for windows that are tested while counting up. */
struct rul_closing *rul_group_closing(const struct rul_groups *groups,
                                      struct rul_group *group);
struct rul_window rul_group_window(const struct rul_groups *groups,
                                   struct rul_group *group);

/* What looking up by key has room for. It grows with the groups and counts as memory that
 * they take, so it has to be the same after a restart. Zero, no power of two, more than
 * fits into `bytes_max`: none is taken. */
uint32_t rul_groups_room(const struct rul_groups *groups);
int rul_groups_take_room(struct rul_groups *groups, uint32_t room,
                         size_t bytes_max) HD_MUST_USE;

/* RUL_POOL_NONE: there is none. */
uint32_t rul_groups_find(const struct rul_groups *groups, struct hd_slice key);
/* A new one, freshest. */
int rul_groups_add(struct rul_groups *groups, struct hd_slice key,
                   uint32_t *at) HD_MUST_USE;
void rul_groups_remove(struct rul_groups *groups, uint32_t at);
/* Forgets what its window remembers; between open and close. */
void rul_groups_empty(const struct rul_groups *groups, struct rul_group *group);
/* Around a change of the group, so that its size is accounted for. */
void rul_groups_open(struct rul_groups *groups, uint32_t at);
void rul_groups_close(struct rul_groups *groups, uint32_t at);
/* Says that the group will be touched: the neighbours that this takes are fetched from
 * memory meanwhile. */
void rul_groups_prepare(const struct rul_groups *groups, const struct rul_group *group);
/* Makes it the freshest. */
void rul_groups_touch(struct rul_groups *groups, uint32_t at);
