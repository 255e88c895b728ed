/* SPDX-License-Identifier: Apache-2.0
 *
 * Counted names, each once, in the order of their coming. Bounded by CON_NAMES_MAX; what
 * comes with others is counted together.
 */
#pragma once
#include <haidang/index.h>
#include <haidang/slice.h>

#define CON_NAMES_MAX 100000U

struct con_name {
    char *text;
    uint64_t count, bytes;
};

struct con_names { /* zeroed at first */
    struct con_name *list;
    size_t n;
    uint64_t others, others_bytes;
    struct hd_index index;
    bool has_index;
};

/* Bytes that are no text are escaped. */
int con_names_add(struct con_names *names, struct hd_slice text,
                  uint64_t count) HD_MUST_USE;
/* The same with bytes, for who counts these, too. */
int con_names_add_bytes(struct con_names *names, struct hd_slice text, uint64_t count,
                        uint64_t bytes) HD_MUST_USE;
void con_names_sort(struct con_names *names); /* most first; nothing is added after */
void con_names_fini(struct con_names *names);

/* "; did you mean "web1"?", or "" when none is near. own: free(); NULL: no memory. */
char *con_names_hint(const struct con_names *names, struct hd_slice word);
