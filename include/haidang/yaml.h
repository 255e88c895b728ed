/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML text -> tree of nodes that know their line and column, for everything that people
 * write: configuration, rules, decoders, inventories. Scalars stay text: what they mean
 * is the reader's business. Bounded in bytes, depth, keys and nodes. Aliases are refused
 * unless asked for, and then counted as what they stand for; tags are always refused,
 * keys that are given twice too. The tree lives in the caller's arena and is freed with
 * it. Below: what readers of trees have in common. Thread: the caller's; no state.
 */
#pragma once
#include <haidang/arena.h>
#include <haidang/diag.h>

#define HD_YAML_BYTES_MAX (4U << 20)
#define HD_YAML_DEPTH_MAX 32U
#define HD_YAML_NODES_MAX 200000U /* of a text; values: with aliases expanded */
#define HD_YAML_KEYS_MAX  2000U   /* of one map */

enum hd_yaml_kind { HD_YAML_SCALAR, HD_YAML_LIST, HD_YAML_MAP };

struct hd_yaml {
    enum hd_yaml_kind kind;
    bool is_plain;         /* scalar without quotes: may be null, a number, a boolean */
    bool is_quoted;        /* scalar in quotes: its text starts one column later */
    bool is_one_line;      /* scalar that ends in the line where it starts */
    unsigned line, column; /* from 1; columns in bytes */
    struct hd_slice text;  /* scalars */
    const struct hd_yaml *key;   /* inside a map: the key of this value */
    const struct hd_yaml *first; /* children in order */
    const struct hd_yaml *next;
    uint32_t n;      /* children */
    uint32_t weight; /* nodes from here down */
};

/* What is read and where to complain. */
struct hd_yaml_source {
    const char *file;
    struct hd_diags *diags;
    size_t bytes_max;   /* 0 = HD_YAML_BYTES_MAX */
    uint32_t nodes_max; /* 0 = HD_YAML_NODES_MAX */
    bool has_aliases;   /* anchors and aliases may be used */
};

/* Documents of `text` as a list through `next`, NULL when there is none. HD_EPARSE (all
 * that is wrong was reported), HD_ENOMEM. When nothing but tags, anchors and repeated
 * keys was wrong, *docs is there all the same, without these: a reader may go on to tell
 * of other mistakes. Else it is NULL on error. */
int hd_yaml_parse(const struct hd_yaml_source *src, struct hd_slice text,
                  struct hd_arena *arena, const struct hd_yaml **docs) HD_MUST_USE;

/* ---- reading a tree ---- */

/* Reports at a node. */
void hd_yaml_error(const struct hd_yaml_source *src, const struct hd_yaml *node,
                   const char *fmt, ...) HD_PRINTF(3, 4);
/* Reports at a byte of a scalar's text; of a text in several lines, at its start. */
void hd_yaml_error_at(const struct hd_yaml_source *src, const struct hd_yaml *node,
                      size_t offset, const char *fmt, ...) HD_PRINTF(4, 5);

/* Value of a key; NULL when it is not there or `map` is no map. */
const struct hd_yaml *hd_yaml_get(const struct hd_yaml *map, const char *key);
/* A plain `null`, `~` or nothing at all. */
bool hd_yaml_is_null(const struct hd_yaml *node);
bool hd_yaml_is(const struct hd_yaml *scalar, const char *text);

/* The item after `last` (NULL: the first) or NULL; what is no list is a list of one. */
const struct hd_yaml *hd_yaml_item(const struct hd_yaml *node,
                                   const struct hd_yaml *last);

/* Reports unless the node is of the kind; `what` starts the message. */
bool hd_yaml_want(const struct hd_yaml_source *src, const struct hd_yaml *node,
                  enum hd_yaml_kind kind, const char *what);
/* Text of a scalar; reports and yields "" for another kind. */
struct hd_slice hd_yaml_text(const struct hd_yaml_source *src, const struct hd_yaml *node,
                             const char *what);

/* Reports a key that is not among `names`, with the one that was perhaps meant. `what` is
 * the map it stands in, NULL for none. */
void hd_yaml_unknown_key(const struct hd_yaml_source *src, const struct hd_yaml *key,
                         const char *what, const char *const *names, size_t n);

/* One key of a map's schema. */
struct hd_yaml_key {
    const char *name;
    bool is_required;
    void (*read)(void *ctx, const struct hd_yaml_source *src,
                 const struct hd_yaml *value);
};
#define HD_YAML_SCHEMA_MAX 32U /* keys of a schema */

/* Calls the reader of each key that is given, in the order of the table; reports unknown
 * keys and missing ones. `keys` ends with a NULL name. */
void hd_yaml_read_map(const struct hd_yaml_source *src, const struct hd_yaml *node,
                      const char *what, const struct hd_yaml_key *keys, void *ctx);
