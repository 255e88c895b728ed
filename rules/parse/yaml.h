/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML text -> tree of nodes that know their line and column (libyaml events). Scalars
 * stay text: what they mean is the reader's business. Bounded in bytes, depth and nodes,
 * aliases counted as what they stand for; duplicate keys are errors.
 */
#pragma once
#include <haidang/arena.h>
#include <haidang/diag.h>

#define RUL_YAML_BYTES_MAX (4U << 20)
#define RUL_YAML_DEPTH_MAX 32U
#define RUL_YAML_NODES_MAX 200000U /* of a file, aliases expanded */
#define RUL_YAML_KEYS_MAX  2000U   /* of one map */

enum rul_yaml_type { RUL_YAML_SCALAR, RUL_YAML_LIST, RUL_YAML_MAP };

struct rul_yaml {
    enum rul_yaml_type type;
    bool plain;            /* scalar without quotes: may be null, a number, a boolean */
    bool quoted;           /* scalar in quotes: its text starts one column later */
    unsigned line, column; /* from 1 */
    struct hd_slice text;  /* scalars */
    const struct rul_yaml *key;   /* inside a map: the key of this value */
    const struct rul_yaml *first; /* children in order */
    const struct rul_yaml *next;
    size_t n;      /* children */
    size_t weight; /* nodes from here down */
};

/* Documents of `text` as a list through `next` (NULL when there is none). Nodes live in
 * `arena`. HD_EPARSE (reported), HD_ENOMEM. */
int rul_yaml_parse(struct hd_arena *arena, const char *file, struct hd_slice text,
                   const struct rul_yaml **docs, struct hd_diags *diags) HD_MUST_USE;

/* Value of a key, or NULL. */
const struct rul_yaml *rul_yaml_get(const struct rul_yaml *map, const char *key);
/* A plain `null`, `~` or nothing at all. */
bool rul_yaml_is_null(const struct rul_yaml *node);
bool rul_yaml_is(const struct rul_yaml *scalar, const char *text);
