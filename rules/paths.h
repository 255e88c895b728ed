/* SPDX-License-Identifier: Apache-2.0
 *
 * Field names as paths through JSON objects: a tree whose nodes are the places of objects
 * and whose edges are member names, so that a tokenizer goes from a member to its field
 * in one look-up and knows what holds nothing of interest. "a.b.c" is reached by nested
 * objects, by the one member "a.b.c", and by every mixture of both. Written while a set
 * is loaded, then read-only.
 */
#pragma once
#include <haidang/arena.h>
#include <haidang/err.h>

#define RUL_PATH_PARTS_MAX                                                               \
    16U /* members in a path; the last takes the rest of a name                          \
         */
#define RUL_PATH_ROOT 0U
#define RUL_PATH_NONE UINT32_MAX /* nothing that a rule or decoder names lies there */

struct rul_path_node {
    uint16_t field;     /* RUL_FIELD_NONE: the place is no field itself */
    bool is_lifted;     /* members that are unknown here are those of the root */
    bool lifts_members; /* so are the members of every object in it */
    bool is_leaf;       /* no members are known here */
    bool is_text;       /* an object here is a value: its text */
    bool is_restored;   /* members were renamed and escaped; see rul_paths_restore */
};

struct rul_path_edge {
    uint64_t hash;
    uint32_t parent;
    uint32_t child; /* 0: free, as no edge leads to the root */
    struct hd_slice key;
};

struct rul_paths {
    struct hd_arena arena;
    struct rul_path_node *nodes;
    struct rul_path_edge *edges;
    uint32_t n_nodes, n_edges;
    uint32_t mask;   /* slots - 1 */
    uint32_t lifted; /* the place in an object that lifts its members */
};

int rul_paths_init(struct rul_paths *paths) HD_MUST_USE;
void rul_paths_fini(struct rul_paths *paths);

/* The name leads to the field from now on. */
int rul_paths_add(struct rul_paths *paths, struct hd_slice name,
                  uint16_t field) HD_MUST_USE;

/* Members of the object at `path` are taken for members of the root; with ".*" behind the
 * path, members of the objects in it. */
int rul_paths_lift(struct rul_paths *paths, struct hd_slice path) HD_MUST_USE;

/* Members of the object at `path` are lifted, too, but lost their capital ("image" is
 * Image), and the backslashes and quotes of their values were escaped once more. */
int rul_paths_restore(struct rul_paths *paths, struct hd_slice path) HD_MUST_USE;

/* Objects at the path are values of its field, spelled as they were. */
int rul_paths_text(struct rul_paths *paths, struct hd_slice path) HD_MUST_USE;

/* Where a member of an object is. Blanks in unknown names do not count: "Threat Name" is
 * ThreatName. */
uint32_t rul_paths_step(const struct rul_paths *paths, uint32_t node,
                        struct hd_slice key);
