/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of which something was said, so that it is said once. Bounded: of more than
 * COL_TOLD_MAX the one told first is forgotten. Agent loop thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define COL_TOLD_MAX 256U

struct col_told {
    struct {
        dev_t dev;
        ino_t ino;
    } file[COL_TOLD_MAX];
    size_t n; /* told in all */
};

/* True: not told yet; it is now. */
bool col_told_first(struct col_told *told, const struct stat *st);
