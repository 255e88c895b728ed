/* SPDX-License-Identifier: Apache-2.0
 *
 * The condition of a Sigma rule (specification v2.1, "Condition"). Pure parser into the
 * caller's array:
 *
 *     or      = and *("or" and)          and   = not *("and" not)
 *     not     = "not" not / primary      primary = "(" or ")" / select / name
 *     select  = ("all" / "any" / number) "of" ("them" / pattern)
 *     pattern = name with "*" for any characters
 *
 * The words of the grammar are recognised in lower or upper case.
 */
#pragma once
#include <haidang/err.h>
#include <haidang/slice.h>

#define RUL_COND_NODES_MAX 512U
#define RUL_COND_DEPTH_MAX 32U

enum rul_cond_kind {
    RUL_COND_NAME,   /* text */
    RUL_COND_SELECT, /* quantity of what `text` matches; "them" as text */
    RUL_COND_NOT,    /* left */
    RUL_COND_AND,    /* left, right */
    RUL_COND_OR
};

#define RUL_COND_ALL UINT32_MAX

struct rul_cond_node {
    enum rul_cond_kind kind;
    uint16_t left, right;
    uint32_t quantity; /* RUL_COND_ALL or at least so many */
    size_t offset;     /* of text in the condition */
    struct hd_slice text;
};

struct rul_cond {
    struct rul_cond_node nodes[RUL_COND_NODES_MAX];
    uint16_t n;
    uint16_t root;
    size_t error_offset; /* where and what, when parsing fails */
    const char *error;
};

/* HD_EPARSE: see error and error_offset. */
int rul_cond_parse(struct hd_slice text, struct rul_cond *cond) HD_MUST_USE;

/* Does a name match a pattern with "*"? Case matters. */
bool rul_cond_matches(struct hd_slice pattern, struct hd_slice name);
