/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of an answer (a JSON array of objects) as they are to be shown.
 */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct con_rows_how {
    bool (*is_wanted)(const void *ctx, const json_t *row); /* NULL: all */
    /* < 0: x comes first; equal ones stay in their order. */
    int (*compare)(const void *ctx, const json_t *x, const json_t *y);
    const void *ctx;
    size_t top; /* at most */
};

/* own: a new array; NULL without memory. */
json_t *con_rows_sorted(const json_t *all, const struct con_rows_how *how);
/* Compares by a number, the largest first; ctx is the member's name. */
int con_rows_by_number(const void *ctx, const json_t *x, const json_t *y);
