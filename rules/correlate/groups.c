/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/correlate/groups.h"

#include <stdlib.h>

#include <haidang/hash.h>

static uint64_t hash_key(struct hd_slice key, int64_t index)
{
    return hd_hash(key) ^ (uint64_t)index * UINT64_C(0x9e3779b97f4a7c15);
}

static int64_t index_of(const struct rul_group *g)
{
    return g->closing == NULL ? 0 : g->closing->index;
}

static size_t size_of(const struct rul_group *g)
{
    size_t bytes = sizeof(*g) + g->key_len + rul_ring_bytes(&g->ring) +
                   rul_distinct_bytes(&g->distinct);
    if (g->closing != NULL) {
        bytes += sizeof(*g->closing);
    }
    if (g->closing != NULL && g->closing->event != NULL) {
        const struct rul_event_copy *ev = g->closing->event;
        bytes += sizeof(*ev) + ev->n * sizeof(ev->values[0]) + ev->raw.len;
    }
    return bytes;
}

static void free_group(struct rul_group *g)
{
    rul_ring_fini(&g->ring);
    rul_distinct_fini(&g->distinct);
    if (g->closing != NULL) {
        free(g->closing->event);
        free(g->closing);
    }
    free(g);
}

void rul_groups_fini(struct rul_groups *groups)
{
    struct rul_group *g = groups->stalest;
    while (g != NULL) {
        struct rul_group *next = g->newer;
        free_group(g);
        g = next;
    }
    free(groups->buckets);
    *groups = (struct rul_groups){0};
}

struct rul_group *rul_groups_find(const struct rul_groups *groups, struct hd_slice key,
                                  int64_t index)
{
    uint64_t hash = hash_key(key, index);
    struct rul_group *g =
        groups->buckets == NULL ? NULL : groups->buckets[hash & groups->mask];
    while (g != NULL && (g->hash != hash || index_of(g) != index ||
                         !hd_slice_eq(hd_slice(g->key, g->key_len), key))) {
        g = g->chain;
    }
    return g;
}

static int widen(struct rul_groups *groups)
{
    uint32_t mask = groups->buckets == NULL ? 15 : groups->mask * 2 + 1;
    struct rul_group **buckets = calloc((size_t)mask + 1, sizeof(struct rul_group *));
    if (buckets == NULL) {
        return HD_ENOMEM;
    }
    for (struct rul_group *g = groups->stalest; g != NULL; g = g->newer) {
        g->chain = buckets[g->hash & mask];
        buckets[g->hash & mask] = g;
    }
    free(groups->buckets);
    groups->buckets = buckets;
    groups->mask = mask;
    return 0;
}

static void unlink_age(struct rul_groups *groups, struct rul_group *g)
{
    *(g->older == NULL ? &groups->stalest : &g->older->newer) = g->newer;
    *(g->newer == NULL ? &groups->freshest : &g->newer->older) = g->older;
}

static void link_freshest(struct rul_groups *groups, struct rul_group *g)
{
    g->older = groups->freshest;
    g->newer = NULL;
    *(g->older == NULL ? &groups->stalest : &g->older->newer) = g;
    groups->freshest = g;
}

int rul_groups_add(struct rul_groups *groups, struct hd_slice key, bool closing,
                   int64_t index, struct rul_group **out)
{
    if (groups->buckets == NULL || groups->n > groups->mask) {
        int err = widen(groups);
        if (err != 0) {
            return err;
        }
    }
    struct rul_group *g = calloc(1, sizeof(*g) + key.len);
    if (g == NULL) {
        return HD_ENOMEM;
    }
    if (closing) {
        g->closing = calloc(1, sizeof(*g->closing));
        if (g->closing == NULL) {
            free(g);
            return HD_ENOMEM;
        }
        g->closing->index = index;
    }
    if (key.len > 0) {
        memcpy(g->key, key.ptr, key.len);
    }
    g->key_len = (uint32_t)key.len;
    g->hash = hash_key(key, index);
    g->newest_ns = INT64_MIN;
    g->fired_ns = INT64_MIN;
    g->is_armed = true;
    g->chain = groups->buckets[g->hash & groups->mask];
    groups->buckets[g->hash & groups->mask] = g;
    groups->n++;
    link_freshest(groups, g);
    *out = g;
    return 0;
}

void rul_groups_remove(struct rul_groups *groups, struct rul_group *group)
{
    struct rul_group **link = &groups->buckets[group->hash & groups->mask];
    while (*link != group) {
        link = &(*link)->chain;
    }
    *link = group->chain;
    unlink_age(groups, group);
    groups->n--;
    groups->bytes -= group->bytes;
    free_group(group);
}

void rul_groups_touch(struct rul_groups *groups, struct rul_group *group)
{
    if (groups->freshest != group) {
        unlink_age(groups, group);
        link_freshest(groups, group);
    }
    size_t bytes = size_of(group);
    groups->bytes += bytes - group->bytes;
    group->bytes = bytes;
}

/* ---- copies of events ---- */

static struct hd_slice put(uint8_t **at, struct hd_slice s)
{
    if (s.len > 0) {
        memcpy(*at, s.ptr, s.len);
    }
    struct hd_slice copy = hd_slice(*at, s.len);
    *at += s.len;
    return copy;
}

static const char *put_text(uint8_t **at, const char *text)
{
    return text == NULL ? NULL
                        : (const char *)put(at, hd_slice(text, strlen(text) + 1)).ptr;
}

int rul_event_copy_dup(const struct rul_event_copy *ev, struct rul_event_copy **out)
{
    size_t head = sizeof(*ev) + ev->n * sizeof(ev->values[0]);
    size_t len = head + ev->raw.len;
    len += ev->decoder == NULL ? 0 : strlen(ev->decoder) + 1;
    len += ev->pattern == NULL ? 0 : strlen(ev->pattern) + 1;
    for (uint16_t i = 0; i < ev->n; i++) {
        len += ev->values[i].value.len;
    }
    struct rul_event_copy *copy = malloc(len);
    if (copy == NULL) {
        return HD_ENOMEM;
    }
    memcpy(copy, ev, head);
    uint8_t *at = (uint8_t *)copy + head;
    copy->raw = put(&at, ev->raw);
    copy->decoder = put_text(&at, ev->decoder);
    copy->pattern = put_text(&at, ev->pattern);
    for (uint16_t i = 0; i < ev->n; i++) {
        copy->values[i].value = put(&at, ev->values[i].value);
    }
    *out = copy;
    return 0;
}
