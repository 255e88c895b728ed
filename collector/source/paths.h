/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks a path pattern: reports the directories to watch and the files that match. Each
 * component may hold glob(7) characters; a hidden name matches only a component that
 * starts with a dot. Blocks in readdir and stat; no state is kept.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include <haidang/err.h>

#define COL_PATH_MAX   4096
#define COL_PATH_DEPTH 64

struct col_paths_ops {
    /* An entry of `dir` whose name matches `name` would matter: a directory on the way,
     * or (is_last) a file. Called for directories that exist. */
    void (*dir)(void *ctx, const char *dir, const char *name, bool is_last);
    void (*file)(void *ctx, const char *path);
    /* A directory on the way cannot be read; may be NULL. */
    void (*unreadable)(void *ctx, const char *dir, int err);
    void *ctx;
};

/* `pattern` is absolute. HD_ELIMIT: too long or too deep. */
int col_paths_walk(const char *pattern, const struct col_paths_ops *ops) HD_MUST_USE;

/* Does a file name match a component? */
bool col_paths_match(const char *component, const char *name);

/* Splits "/a/b/c" at its last slash: *dir (COL_PATH_MAX bytes) and a view of the name. */
const char *col_paths_split(const char *path, char dir[COL_PATH_MAX]);
