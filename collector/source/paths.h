/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks a path pattern: reports the directories to watch and the files that match. Each
 * component may hold glob(7) characters; a hidden name matches only a component that
 * starts with a dot. Symbolic links are followed: to a file, the directories where its
 * links lead are on the way, too. Blocks in readdir and stat; no state is kept.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include <haidang/err.h>

#define COL_PATH_MAX   4096
#define COL_PATH_DEPTH 64
#define COL_PATH_LINKS 16 /* links that lead to one file */

struct stat;

struct col_paths_ops {
    /* An entry of `dir` whose name matches `name` would matter: a directory on the way,
     * or (is_last) a file. Called for directories that exist. */
    void (*dir)(void *ctx, const char *dir, const char *name, bool is_last);
    void (*file)(void *ctx, const char *path);
    /* What matches is no file: a directory, a FIFO, a link that leads nowhere (then `st`
     * is the link's). */
    void (*other)(void *ctx, const char *path, const struct stat *st);
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
