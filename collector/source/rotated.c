/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/rotated.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/log.h>
#include <haidang/slice.h>

#include "collector/source/copies.h"
#include "collector/source/paths.h"
#include "collector/source/tail.h"

/* File times are taken from a clock that ticks this slowly. */
#define TICK_NS (10 * (uint64_t)HD_NS_PER_MS)

/* Longest part of a file's name that the pattern matches, in *was: "app.log" of
 * "app.log.1" or "app.log-20261121". False: none, or the whole name. */
static bool find_old_name(const char *pattern, const char *name, char was[NAME_MAX + 1])
{
    (void)snprintf(was, NAME_MAX + 1, "%s", name);
    size_t len = strlen(was);
    if (len == 0 || col_paths_match(pattern, was)) {
        return false;
    }
    do {
        was[--len] = '\0';
    } while (len > 0 && !col_paths_match(pattern, was));
    return len > 0;
}

static bool stat_in(const char *dir, const char *name, char path[COL_PATH_MAX],
                    struct stat *st)
{
    int n = snprintf(path, COL_PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < COL_PATH_MAX && stat(path, st) == 0 && S_ISREG(st->st_mode);
}

/* Birth of the newest file whose name begins with `was` and that has a mark. */
static uint64_t newest_marked(const struct col_rotated_query *q, const char *was)
{
    char path[COL_PATH_MAX];
    struct stat st;
    uint64_t newest = 0;
    DIR *entries = opendir(q->dir);
    if (entries == NULL) {
        return UINT64_MAX;
    }
    for (struct dirent *e = readdir(entries); e != NULL; e = readdir(entries)) {
        if (strncmp(e->d_name, was, strlen(was)) == 0 &&
            stat_in(q->dir, e->d_name, path, &st) &&
            col_tail_is_marked(path, &st, q->sink)) {
            uint64_t birth = col_tail_birth(path);
            newest = birth > newest ? birth : newest;
        }
    }
    (void)closedir(entries);
    return newest;
}

/* Nobody has read it, and it is not older than what was read: it came and was rotated
 * while no agent ran, or before its first line was durable. */
static bool is_unread(const struct col_rotated_query *q, const char *name,
                      const char *path, const char *was)
{
    uint64_t birth = col_tail_birth(path);
    return q->since_ns != UINT64_MAX && !col_copies_is_archive(name) && birth != 0 &&
           birth + TICK_NS > q->since_ns && birth >= newest_marked(q, was);
}

static void look_at(const struct col_rotated_query *q, const char *name,
                    col_rotated_found *found, void *ctx)
{
    char path[COL_PATH_MAX], was_path[COL_PATH_MAX], was[NAME_MAX + 1];
    struct stat st;
    if (!find_old_name(q->pattern, name, was) || !stat_in(q->dir, name, path, &st)) {
        return;
    }
    int n = snprintf(was_path, sizeof(was_path), "%s/%s", q->dir, was);
    if (n < 0 || n >= (int)sizeof(was_path)) {
        return;
    }
    bool is_marked = col_tail_is_marked(path, &st, q->sink);
    if (is_marked || is_unread(q, name, path, was)) {
        found(ctx, path, was_path, is_marked);
    }
}

void col_rotated_find(const struct col_rotated_query *query, col_rotated_found *found,
                      void *ctx)
{
    DIR *entries = opendir(query->dir);
    if (entries == NULL) {
        HD_LOG(WARN, "file", "rotated files that nobody has read are not looked for",
               HD_KV_STR("dir", query->dir), HD_KV_ERR(hd_err_from_errno(errno)));
        return;
    }
    for (struct dirent *e = readdir(entries); e != NULL; e = readdir(entries)) {
        look_at(query, e->d_name, found, ctx);
    }
    (void)closedir(entries);
}
