/* SPDX-License-Identifier: Apache-2.0
 *
 * Edges are in one open-addressed table. Its hash needs no seed: what is in the table
 * comes from rules and decoders, and a look-up never adds.
 */
#include "rules/paths.h"

#include <stdlib.h>

#include "rules/event.h"

#define SLOTS_FIRST  1024U
#define KEY_STRIPPED 64U /* longer names with blanks are looked up as they are */
#define MULTIPLY_A   UINT64_C(0x9E3779B97F4A7C15)
#define MULTIPLY_B   UINT64_C(0xD6E8FEB86659FD93)

static uint64_t load_some(const uint8_t *at, size_t n)
{
    uint64_t word = 0;
    uint32_t low, high;
    if (n >= 4) {
        memcpy(&low, at, sizeof(low));
        memcpy(&high, at + n - 4, sizeof(high));
        word = (uint64_t)high << 32 | low;
    } else if (n > 0) {
        word = (uint64_t)at[0] << 16 | (uint64_t)at[n / 2] << 8 | at[n - 1];
    }
    return word;
}

static uint64_t hash_of(uint32_t parent, struct hd_slice key)
{
    uint64_t h = (parent + 1U) * MULTIPLY_B ^ key.len;
    size_t at = 0;
    for (; at + 8 < key.len; at += 8) {
        uint64_t word;
        memcpy(&word, key.ptr + at, sizeof(word));
        h = (h ^ word) * MULTIPLY_A;
        h ^= h >> 32;
    }
    h = (h ^ load_some(key.ptr + at, key.len - at)) * MULTIPLY_A;
    return h ^ h >> 29;
}

/* The edge, or the free slot where it belongs. */
static struct rul_path_edge *slot_of(const struct rul_paths *paths, uint64_t hash,
                                     uint32_t parent, struct hd_slice key)
{
    uint32_t at = (uint32_t)hash & paths->mask;
    for (;;) {
        struct rul_path_edge *edge = &paths->edges[at];
        if (edge->child == 0 || (edge->hash == hash && edge->parent == parent &&
                                 hd_slice_eq(edge->key, key))) {
            return edge;
        }
        at = (at + 1) & paths->mask;
    }
}

/* ---- building ---- */

static int add_node(struct rul_paths *paths, uint32_t *node)
{
    struct rul_path_node *nodes =
        hd_arena_grow(&paths->arena, paths->nodes, paths->n_nodes, sizeof(*nodes));
    if (nodes == NULL) {
        return HD_ENOMEM;
    }
    paths->nodes = nodes;
    *node = paths->n_nodes++;
    nodes[*node] = (struct rul_path_node){.field = RUL_FIELD_NONE, .is_leaf = true};
    return 0;
}

int rul_paths_init(struct rul_paths *paths)
{
    uint32_t root;
    *paths = (struct rul_paths){.mask = SLOTS_FIRST - 1};
    hd_arena_init(&paths->arena, 0);
    paths->edges = calloc(SLOTS_FIRST, sizeof(*paths->edges));
    int rc = paths->edges == NULL ? HD_ENOMEM : add_node(paths, &root);
    rc = rc == 0 ? add_node(paths, &paths->lifted) : rc;
    if (rc == 0) {
        paths->nodes[paths->lifted].is_lifted = true;
    } else {
        rul_paths_fini(paths);
    }
    return rc;
}

void rul_paths_fini(struct rul_paths *paths)
{
    free(paths->edges);
    paths->edges = NULL;
    hd_arena_fini(&paths->arena);
}

static int widen(struct rul_paths *paths)
{
    struct rul_paths wide = *paths;
    wide.mask = paths->mask * 2 + 1;
    wide.edges = calloc((size_t)wide.mask + 1, sizeof(*wide.edges));
    if (wide.edges == NULL) {
        return HD_ENOMEM;
    }
    for (uint32_t i = 0; i <= paths->mask; i++) {
        const struct rul_path_edge *edge = &paths->edges[i];
        if (edge->child != 0) {
            *slot_of(&wide, edge->hash, edge->parent, edge->key) = *edge;
        }
    }
    free(paths->edges);
    *paths = wide;
    return 0;
}

/* Leads from `parent` to `child` by the key; to a new node when *child is 0. */
static int add_edge(struct rul_paths *paths, uint32_t parent, struct hd_slice key,
                    uint32_t *child)
{
    uint64_t hash = hash_of(parent, key);
    struct rul_path_edge *edge = slot_of(paths, hash, parent, key);
    if (edge->child != 0) {
        *child = edge->child;
        return 0;
    }
    int rc = paths->n_edges * 2 > paths->mask ? widen(paths) : 0;
    rc = rc == 0 && *child == 0 ? add_node(paths, child) : rc;
    struct hd_slice own = hd_arena_copy(&paths->arena, key);
    if (rc != 0 || paths->arena.failed) {
        return HD_ENOMEM;
    }
    *slot_of(paths, hash, parent, own) =
        (struct rul_path_edge){hash, parent, *child, own};
    paths->n_edges++;
    paths->nodes[parent].is_leaf = false;
    return 0;
}

/* Makes the node of a path and every way to it. */
static int add_path(struct rul_paths *paths, struct hd_slice path, uint32_t *node)
{
    uint32_t nodes[RUL_PATH_PARTS_MAX + 1] = {RUL_PATH_ROOT}; /* behind each part */
    size_t starts[RUL_PATH_PARTS_MAX] = {0};
    int rc = 0;
    unsigned n = 0;
    for (size_t at = 0; rc == 0 && at <= path.len && n < RUL_PATH_PARTS_MAX; n++) {
        struct hd_slice rest = hd_slice_from(path, at);
        size_t len = hd_slice_find_byte(rest, '.');
        bool is_last = len == HD_NPOS || n + 1 == RUL_PATH_PARTS_MAX;
        size_t end = is_last ? path.len : at + len;
        starts[n] = at;
        for (unsigned from = n + 1; rc == 0 && from-- > 0;) {
            struct hd_slice key = hd_slice(path.ptr + starts[from], end - starts[from]);
            rc = add_edge(paths, nodes[from], key, &nodes[n + 1]);
        }
        at = end + 1;
    }
    *node = nodes[n];
    return rc;
}

int rul_paths_add(struct rul_paths *paths, struct hd_slice name, uint16_t field)
{
    uint32_t node;
    int rc = add_path(paths, name, &node);
    if (rc == 0) {
        paths->nodes[node].field = field;
    }
    return rc;
}

int rul_paths_lift(struct rul_paths *paths, struct hd_slice path)
{
    uint32_t node;
    bool lifts_members = hd_slice_ends(path, HD_SLICE(".*"));
    int rc =
        add_path(paths, hd_slice_head(path, path.len - (lifts_members ? 2 : 0)), &node);
    if (rc == 0) {
        paths->nodes[node].is_lifted |= !lifts_members;
        paths->nodes[node].lifts_members |= lifts_members;
    }
    return rc;
}

int rul_paths_restore(struct rul_paths *paths, struct hd_slice path)
{
    uint32_t node;
    int rc = add_path(paths, path, &node);
    if (rc == 0) {
        paths->nodes[node].is_lifted = true;
        paths->nodes[node].is_restored = true;
    }
    return rc;
}

int rul_paths_text(struct rul_paths *paths, struct hd_slice path)
{
    uint32_t node;
    int rc = add_path(paths, path, &node);
    if (rc == 0) {
        paths->nodes[node].is_text = true;
    }
    return rc;
}

/* ---- reading ---- */

static uint32_t find(const struct rul_paths *paths, uint32_t node, struct hd_slice key)
{
    const struct rul_path_edge *edge = slot_of(paths, hash_of(node, key), node, key);
    return edge->child != 0 ? edge->child : RUL_PATH_NONE;
}

static uint32_t find_stripped(const struct rul_paths *paths, uint32_t node,
                              struct hd_slice key)
{
    uint8_t bytes[KEY_STRIPPED];
    size_t n = 0;
    for (size_t i = 0; i < key.len; i++) {
        bytes[n] = key.ptr[i];
        n += key.ptr[i] != ' ' ? 1 : 0;
    }
    return find(paths, node, hd_slice(bytes, n));
}

static uint32_t step_here(const struct rul_paths *paths, uint32_t node,
                          struct hd_slice key)
{
    uint32_t next = find(paths, node, key);
    if (next == RUL_PATH_NONE && key.len <= KEY_STRIPPED && key.len > 0 &&
        memchr(key.ptr, ' ', key.len) != NULL) {
        next = find_stripped(paths, node, key);
    }
    return next;
}

/* By the name with its first letter as a capital. */
static uint32_t step_capital(const struct rul_paths *paths, struct hd_slice key)
{
    uint8_t bytes[KEY_STRIPPED];
    if (key.len == 0 || key.len > sizeof(bytes)) {
        return RUL_PATH_NONE;
    }
    memcpy(bytes, key.ptr, key.len);
    bytes[0] &= hd_is_alpha(bytes[0]) ? 0xDF : 0xFF;
    return step_here(paths, RUL_PATH_ROOT, hd_slice(bytes, key.len));
}

uint32_t rul_paths_step(const struct rul_paths *paths, uint32_t node, struct hd_slice key)
{
    const struct rul_path_node *here = &paths->nodes[node];
    uint32_t next = here->is_leaf ? RUL_PATH_NONE : step_here(paths, node, key);
    if (next == RUL_PATH_NONE && here->is_restored) {
        next = step_capital(paths, key);
    }
    if (next == RUL_PATH_NONE && here->is_lifted) {
        next = step_here(paths, RUL_PATH_ROOT, key);
    }
    if (next == RUL_PATH_NONE && here->lifts_members) {
        next = paths->lifted;
    }
    return next;
}
