/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/correlate/groups.h"

#include <stdlib.h>

#include <haidang/hash.h>

#define BUCKETS_MIN 16U

/* ---- what a group is made of ---- */

const struct rul_window_ops *rul_window_for(const struct rul_corr *corr)
{
    bool slides = corr->timing == RUL_SLIDING;
    if (corr->timing == RUL_SESSION_NOW || corr->timing == RUL_SESSION_END) {
        return &rul_window_session;
    }
    switch (corr->type) {
    case RUL_EVENT_COUNT:
        return slides ? &rul_window_newest : &rul_window_counter;
    case RUL_VALUE_COUNT:
        return &rul_window_distinct;
    case RUL_TEMPORAL:
    case RUL_TEMPORAL_ORDERED:
        return corr->timing == RUL_STARTED ? &rul_window_started
               : corr->n_starts == 0       ? &rul_window_seen
                                           : &rul_window_chain;
    default:
        return slides ? &rul_window_samples : &rul_window_totals;
    }
}

static size_t head_size(const struct rul_groups *groups)
{
    return rul_counts_up(groups->corr) ? 0 : sizeof(struct rul_closing);
}

static size_t body_size(const struct rul_groups *groups)
{
    return head_size(groups) + groups->ops->size(groups->corr);
}

struct rul_group *rul_group_at(const struct rul_groups *groups, uint32_t at)
{
    return rul_pool_at(groups->pool, at);
}

struct hd_slice rul_group_key(const struct rul_groups *groups,
                              const struct rul_group *group)
{
    return hd_slice((const uint8_t *)group->body + body_size(groups), group->key_len);
}

struct rul_closing *rul_group_closing(const struct rul_groups *groups,
                                      struct rul_group *group)
{
    return head_size(groups) == 0 ? NULL : (void *)group->body;
}

struct rul_window rul_group_window(const struct rul_groups *groups,
                                   struct rul_group *group)
{
    return (struct rul_window){.corr = groups->corr,
                               .pool = groups->pool,
                               .state = (uint8_t *)group->body + head_size(groups)};
}

/* Values that are written as they are in the line count twice: whether they lie inside of
 * it may change with a restart, what a group takes must not. */
static size_t size_of_event(const struct rul_event_copy *ev)
{
    size_t bytes = sizeof(*ev) + ev->n * sizeof(ev->values[0]) + ev->raw.len;
    for (uint16_t i = 0; i < ev->n; i++) {
        bytes += ev->values[i].value.len;
    }
    return bytes;
}

static size_t size_of(const struct rul_groups *groups, struct rul_group *g)
{
    size_t bytes = rul_pool_cost(sizeof(*g) + body_size(groups) + g->key_len);
    const struct rul_closing *closing = rul_group_closing(groups, g);
    if (groups->ops->bytes != NULL) {
        const struct rul_window w = rul_group_window(groups, g);
        bytes += groups->ops->bytes(&w);
    }
    if (closing != NULL && closing->event != NULL) {
        bytes += size_of_event(closing->event);
    }
    return bytes;
}

static void free_group(struct rul_groups *groups, uint32_t at)
{
    struct rul_group *g = rul_group_at(groups, at);
    struct rul_closing *closing = rul_group_closing(groups, g);
    if (groups->ops->fini != NULL) {
        const struct rul_window w = rul_group_window(groups, g);
        groups->ops->fini(&w);
    }
    if (closing != NULL) {
        free(closing->event);
    }
    rul_pool_give(groups->pool, at);
}

/* ---- life ---- */

void rul_groups_init(struct rul_groups *groups, const struct rul_corr *corr,
                     struct rul_pool *pool, uint64_t seed)
{
    *groups = (struct rul_groups){
        .corr = corr, .ops = rul_window_for(corr), .pool = pool, .seed = seed};
}

void rul_groups_fini(struct rul_groups *groups)
{
    uint32_t at = groups->stalest;
    while (at != RUL_POOL_NONE) {
        uint32_t next = rul_group_at(groups, at)->newer;
        free_group(groups, at);
        at = next;
    }
    free(groups->buckets);
    *groups = (struct rul_groups){0};
}

/* ---- by key ---- */

static uint32_t hash_key(const struct rul_groups *groups, struct hd_slice key)
{
    return (uint32_t)hd_hash_stable(key, groups->seed);
}

uint32_t rul_groups_find(const struct rul_groups *groups, struct hd_slice key)
{
    uint32_t hash = hash_key(groups, key);
    uint32_t at =
        groups->buckets == NULL ? RUL_POOL_NONE : groups->buckets[hash & groups->mask];
    while (at != RUL_POOL_NONE) {
        const struct rul_group *g = rul_group_at(groups, at);
        if (g->hash == hash && hd_slice_eq(rul_group_key(groups, g), key)) {
            return at;
        }
        at = g->chain;
    }
    return at;
}

static int take_buckets(struct rul_groups *groups, uint32_t mask)
{
    uint32_t *buckets = calloc((size_t)mask + 1, sizeof(*buckets));
    if (buckets == NULL) {
        return HD_ENOMEM;
    }
    uint32_t at = groups->stalest;
    while (at != RUL_POOL_NONE) {
        struct rul_group *g = rul_group_at(groups, at);
        g->chain = buckets[g->hash & mask];
        buckets[g->hash & mask] = at;
        at = g->newer;
    }
    groups->bytes += (mask - groups->mask + (groups->buckets == NULL)) * sizeof(*buckets);
    free(groups->buckets);
    groups->buckets = buckets;
    groups->mask = mask;
    return 0;
}

static int widen(struct rul_groups *groups)
{
    return take_buckets(groups,
                        groups->buckets == NULL ? BUCKETS_MIN - 1 : groups->mask * 2 + 1);
}

uint32_t rul_groups_room(const struct rul_groups *groups)
{
    return groups->buckets == NULL ? 0 : groups->mask + 1;
}

int rul_groups_take_room(struct rul_groups *groups, uint32_t room, size_t bytes_max)
{
    bool is_room = room >= BUCKETS_MIN && (room & (room - 1)) == 0 &&
                   room <= bytes_max / sizeof(*groups->buckets);
    return is_room && groups->buckets == NULL ? take_buckets(groups, room - 1) : 0;
}

/* ---- by age ---- */

static void unlink_age(struct rul_groups *groups, const struct rul_group *g)
{
    *(g->older == RUL_POOL_NONE ? &groups->stalest
                                : &rul_group_at(groups, g->older)->newer) = g->newer;
    *(g->newer == RUL_POOL_NONE ? &groups->freshest
                                : &rul_group_at(groups, g->newer)->older) = g->older;
}

static void link_freshest(struct rul_groups *groups, uint32_t at)
{
    struct rul_group *g = rul_group_at(groups, at);
    g->older = groups->freshest;
    g->newer = RUL_POOL_NONE;
    *(g->older == RUL_POOL_NONE ? &groups->stalest
                                : &rul_group_at(groups, g->older)->newer) = at;
    groups->freshest = at;
}

/* ---- changes ---- */

void rul_groups_empty(const struct rul_groups *groups, struct rul_group *group)
{
    const struct rul_window w = rul_group_window(groups, group);
    if (groups->ops->fini != NULL) {
        groups->ops->fini(&w);
    }
    memset(w.state, 0, groups->ops->size(groups->corr));
    if (groups->ops->init != NULL) {
        groups->ops->init(&w);
    }
}

int rul_groups_add(struct rul_groups *groups, struct hd_slice key, uint32_t *at)
{
    if (groups->buckets == NULL || groups->n > groups->mask / 2) {
        int err = widen(groups);
        if (err != 0) {
            return err;
        }
    }
    if (key.len > UINT16_MAX) {
        return HD_ELIMIT;
    }
    size_t head = sizeof(struct rul_group) + body_size(groups);
    *at = rul_pool_take(groups->pool, head + key.len);
    if (*at == RUL_POOL_NONE) {
        return HD_ENOMEM;
    }
    struct rul_group *g = rul_group_at(groups, *at);
    memset(g, 0, head);
    g->key_len = (uint16_t)key.len;
    if (key.len > 0) {
        memcpy((uint8_t *)g + head, key.ptr, key.len);
    }
    g->hash = hash_key(groups, key);
    g->newest_ns = RUL_NEVER;
    g->fired_ns = RUL_NEVER;
    g->is_armed = true;
    if (groups->ops->init != NULL) {
        const struct rul_window w = rul_group_window(groups, g);
        groups->ops->init(&w);
    }
    g->chain = groups->buckets[g->hash & groups->mask];
    groups->buckets[g->hash & groups->mask] = *at;
    groups->n++;
    link_freshest(groups, *at);
    groups->bytes += size_of(groups, g);
    return 0;
}

void rul_groups_remove(struct rul_groups *groups, uint32_t at)
{
    struct rul_group *g = rul_group_at(groups, at);
    uint32_t *link = &groups->buckets[g->hash & groups->mask];
    while (*link != at) {
        link = &rul_group_at(groups, *link)->chain;
    }
    *link = g->chain;
    unlink_age(groups, g);
    groups->n--;
    groups->bytes -= size_of(groups, g);
    free_group(groups, at);
}

void rul_groups_open(struct rul_groups *groups, uint32_t at)
{
    groups->bytes -= size_of(groups, rul_group_at(groups, at));
}

void rul_groups_close(struct rul_groups *groups, uint32_t at)
{
    groups->bytes += size_of(groups, rul_group_at(groups, at));
}

void rul_groups_prepare(const struct rul_groups *groups, const struct rul_group *group)
{
    if (group->newer != RUL_POOL_NONE) {
        __builtin_prefetch(rul_group_at(groups, group->newer), 1);
    }
    if (group->older != RUL_POOL_NONE) {
        __builtin_prefetch(rul_group_at(groups, group->older), 1);
    }
}

void rul_groups_touch(struct rul_groups *groups, uint32_t at)
{
    if (groups->freshest != at) {
        unlink_age(groups, rul_group_at(groups, at));
        link_freshest(groups, at);
    }
}
