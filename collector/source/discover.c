/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/discover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/log.h>

#include "collector/metrics.h"
#include "collector/source/paths.h"
#include "collector/source/rotated.h"
#include "collector/source/watch.h"

#define PATTERN_KEY_LEN 9

int col_discovery_init(struct col_discovery *d, struct col_nodes *nodes,
                       struct col_guard *guard)
{
    size_t n = nodes->conf->n_paths;
    *d = (struct col_discovery){.nodes = nodes, .guard = guard};
    d->is_new = calloc(n, sizeof(*d->is_new));
    d->since = calloc(n, sizeof(*d->since));
    return d->is_new == NULL || d->since == NULL ? HD_ENOMEM : HD_OK;
}

void col_discovery_fini(struct col_discovery *d)
{
    free(d->is_new);
    free(d->since);
}

/* ---- what is told ---- */

static void say_refused(struct col_discovery *d, const char *path, const struct stat *st,
                        int err)
{
    if (!col_told_first(&d->refused, st)) {
        return;
    }
    COL_COUNT(COL_FILES_SKIPPED, 1);
    HD_LOG(WARN, "file", "cannot read a file; it is tried again when it changes",
           HD_KV_STR("file", path), HD_KV_ERR(err));
}

static void say_too_many(struct col_discovery *d, const char *path)
{
    if (!d->is_waiting) {
        HD_LOG(WARN, "file", "too many files at once: raise files_max",
               HD_KV_STR("file", path),
               HD_KV_INT("files_max", d->nodes->conf->files_max));
    }
    d->is_waiting = true;
    COL_COUNT(COL_FILES_SKIPPED, 1);
}

static void say_no_memory(struct col_discovery *d, const char *path)
{
    d->is_incomplete = true;
    COL_COUNT(COL_FILE_ERRORS, 1);
    HD_LOG(ERROR, "file", "no memory for one more name; it is tried again soon",
           HD_KV_STR("file", path));
}

static void say_unreadable(struct col_discovery *d, const char *path, int err)
{
    d->is_incomplete = true;
    COL_COUNT(COL_FILE_ERRORS, 1);
    HD_LOG(WARN, "file", "a file or directory cannot be read; it is tried again soon",
           HD_KV_STR("file", path), HD_KV_ERR(err));
}

/* No event tells when it is over: descriptors lack, memory, the disk has trouble. */
static bool is_passing(int err)
{
    return err == HD_ELIMIT || err == HD_ENOMEM || err == HD_EAGAIN || err == HD_EIO;
}

/* ---- names ---- */

static int open_file(struct col_discovery *d, const char *path, const struct stat *st)
{
    /* O_NONBLOCK: a FIFO that took the file's place must not hold up the loop */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int err = fd >= 0 ? HD_OK : hd_err_from_errno(errno);
    if (is_passing(err)) {
        say_unreadable(d, path, err);
    } else if (err != HD_OK && err != HD_ENOENT) {
        say_refused(d, path, st, err);
    }
    return fd;
}

/* NULL: there is nothing to follow, or it cannot be. */
static struct col_node *open_node(struct col_discovery *d, const char *path,
                                  const struct stat *st, const char *name, bool *is_known)
{
    struct col_node *n = NULL;
    int fd = open_file(d, path, st);
    if (fd < 0) {
        return NULL;
    }
    int err = col_nodes_make(d->nodes, fd, name, is_known, &n);
    if (err == HD_ENOMEM) {
        say_no_memory(d, name);
    } else if (err == HD_EIO) {
        say_unreadable(d, path, err);
    }
    if (err != HD_OK) {
        return NULL;
    }
    n->generation = d->generation;
    return n;
}

static bool is_excluded(const struct col_discovery *d, const char *path)
{
    char dir[COL_PATH_MAX];
    const char *name = col_paths_split(path, dir);
    for (size_t i = 0; i < d->nodes->conf->n_exclude; i++) {
        if (col_paths_match(d->nodes->conf->exclude[i], name)) {
            return true;
        }
    }
    return false;
}

/* Before the first lines may come, nothing may be told: the guard looks again then. */
static bool tell_closed(struct col_discovery *d, size_t pattern, const char *path)
{
    if (d->is_first_walk) {
        return false;
    }
    bool is_told = col_guard_refused(d->guard, pattern, path) == HD_OK;
    d->is_incomplete = d->is_incomplete || !is_told;
    return is_told;
}

static void on_known(struct col_discovery *d, struct col_node *n, const char *path)
{
    bool is_closed = d->nodes->conf->tampering && col_guard_is_closed(path);
    n->generation = d->generation;
    n->is_rotated = false;
    n->is_ending = false;
    if (!is_closed) {
        col_guard_found_name(d->guard, n);
    } else if (!n->is_closed) {
        n->is_closed = tell_closed(d, d->pattern, path);
    }
}

static void on_match(void *ctx, const char *path)
{
    struct col_discovery *d = ctx;
    struct stat st;
    bool is_known;
    if (is_excluded(d, path) || stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        return;
    }
    struct col_node *n = col_nodes_by_inode(d->nodes, st.st_dev, st.st_ino);
    if (n != NULL) {
        on_known(d, n, path);
        return;
    }
    if (d->nodes->n >= (size_t)d->nodes->conf->files_max) {
        say_too_many(d, path);
        return;
    }
    n = open_node(d, path, &st, path, &is_known);
    if (n == NULL) {
        if (col_guard_is_closed(path)) {
            (void)tell_closed(d, d->pattern, path);
        }
        return;
    }
    n->pattern = d->pattern;
    bool is_passed = !is_known && d->is_first_walk && d->is_new[d->pattern] &&
                     d->nodes->conf->start == COL_START_END;
    n->is_new = !is_known && !is_passed;
    if (is_passed && col_tail_seek_end(&n->tail, d->nodes->env->sink) != HD_OK) {
        HD_LOG(WARN, "file", "cannot find the end of a file; reading all of it",
               HD_KV_STR("file", path));
    }
    col_nodes_start(d->nodes, n);
}

enum renamed {
    RENAMED_NOW,    /* seen to be renamed: read it from where its mark says or from 0 */
    RENAMED_MARKED, /* while no agent ran; it has a mark */
    RENAMED_UNREAD, /* while no agent ran, and made after the newest that has one */
};

/* A file that once had the matching name `was`. */
static void on_renamed(struct col_discovery *d, const char *path, const char *was,
                       enum renamed how)
{
    struct stat st, original;
    bool is_known;
    if (is_excluded(d, was) || stat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
        col_nodes_by_inode(d->nodes, st.st_dev, st.st_ino) != NULL) {
        return;
    }
    if (d->nodes->n >= (size_t)d->nodes->conf->files_max) {
        say_too_many(d, path);
        return;
    }
    struct col_node *n = open_node(d, path, &st, was, &is_known);
    if (n == NULL) {
        return;
    }
    if (how == RENAMED_MARKED && !is_known) {
        col_nodes_drop(n); /* it was rewritten: not a log any more */
        return;
    }
    if (how == RENAMED_UNREAD && stat(was, &original) == 0) {
        (void)col_tail_adopt(&n->tail, &original, d->nodes->env->sink);
    }
    n->is_rotated = true;
    col_nodes_start(d->nodes, n);
}

static void on_rotated(void *ctx, const char *path, const char *was, bool is_marked)
{
    on_renamed(ctx, path, was, is_marked ? RENAMED_MARKED : RENAMED_UNREAD);
}

static void on_dir(void *ctx, const char *dir, const char *name, bool is_last)
{
    struct col_discovery *d = ctx;
    int err = col_watch_dir(d->nodes->watch, dir, name, is_last);
    if (err == HD_ENOMEM) {
        say_no_memory(d, dir);
    } else if (err != HD_OK) {
        HD_LOG(WARN, "file",
               "a directory cannot be watched: new files in it are not seen",
               HD_KV_STR("dir", dir), HD_KV_ERR(err));
    }
    if (d->is_first_walk && is_last) {
        const struct col_rotated_query query = {
            .dir = dir,
            .pattern = name,
            .sink = d->nodes->env->sink,
            .since_ns = d->is_new[d->pattern] ? UINT64_MAX : d->since[d->pattern]};
        col_rotated_find(&query, on_rotated, d);
    }
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)    ? "a directory"
           : S_ISFIFO(mode) ? "a FIFO"
           : S_ISSOCK(mode) ? "a socket"
           : S_ISLNK(mode)  ? "a symbolic link that leads to nothing"
                            : "a device";
}

static void on_other(void *ctx, const char *path, const struct stat *st)
{
    struct col_discovery *d = ctx;
    if (is_excluded(d, path)) {
        return;
    }
    d->passed_over++;
    if (col_told_first(&d->passed, st)) {
        HD_LOG(WARN, "file", "a name that matches is no regular file: it is passed over",
               HD_KV_STR("file", path), HD_KV_STR("is", kind_of(st->st_mode)));
    }
}

static void on_unreadable(void *ctx, const char *dir, int err)
{
    if (err == HD_ENOMEM) {
        say_no_memory(ctx, dir);
        return;
    }
    if (is_passing(err)) {
        say_unreadable(ctx, dir, err);
        return;
    }
    HD_LOG(WARN, "file", "a directory cannot be read", HD_KV_STR("dir", dir),
           HD_KV_ERR(err));
}

/* Rotated, removed, or its directory cannot be entered any more. */
static void on_lost_name(struct col_discovery *d, struct col_node *n)
{
    struct stat st;
    if (!n->is_rotated) {
        n->is_rotated = true;
        n->data_ns = hd_clock_mono_ns();
        col_guard_lost_name(d->guard, n);
        col_nodes_push_ready(d->nodes, n);
    }
    if (n->is_named && !n->is_closed && stat(n->path, &st) != 0 && errno == EACCES) {
        n->is_closed = tell_closed(d, n->pattern, n->path);
    }
}

/* Nodes that no name leads to any more. */
static void sweep(struct col_discovery *d)
{
    for (size_t i = 0; i < d->nodes->n; i++) {
        if (d->nodes->list[i]->generation != d->generation) {
            on_lost_name(d, d->nodes->list[i]);
        }
    }
}

void col_discover(struct col_discovery *d)
{
    const struct col_paths_ops ops = {on_dir, on_match, on_other, on_unreadable, d};
    d->generation++;
    d->is_waiting = d->is_incomplete = false;
    d->passed_over = 0;
    col_watch_begin(d->nodes->watch);
    for (d->pattern = 0; d->pattern < d->nodes->conf->n_paths; d->pattern++) {
        int err = col_paths_walk(d->nodes->conf->paths[d->pattern], &ops);
        if (err != HD_OK) {
            HD_LOG(WARN, "file", "a path pattern cannot be followed",
                   HD_KV_STR("path", d->nodes->conf->paths[d->pattern]), HD_KV_ERR(err));
        }
    }
    col_watch_end(d->nodes->watch);
    sweep(d);
}

/* ---- the first walk ---- */

static struct hd_slice pattern_key(const char *pattern, uint8_t out[PATTERN_KEY_LEN])
{
    uint64_t hash = hd_hash_stable(hd_slice_str(pattern), 0);
    out[0] = 'p';
    memcpy(out + 1, &hash, sizeof(hash));
    return hd_slice(out, PATTERN_KEY_LEN);
}

void col_discover_first(struct col_discovery *d)
{
    const struct col_sink *sink = d->nodes->env->sink;
    uint64_t now_ns = (uint64_t)hd_clock_wall_ns();
    uint8_t key[PATTERN_KEY_LEN];
    for (size_t i = 0; i < d->nodes->conf->n_paths; i++) {
        struct hd_slice mark =
            sink->last_mark(sink->ctx, pattern_key(d->nodes->conf->paths[i], key));
        d->is_new[i] = mark.len != sizeof(d->since[i]);
        d->since[i] = now_ns;
        if (!d->is_new[i]) {
            memcpy(&d->since[i], mark.ptr, mark.len);
        }
    }
    d->is_first_walk = true;
    col_discover(d);
    d->is_first_walk = false;
    col_guard_recall(d->guard);
    col_discover_touch(d);
}

void col_discover_touch(const struct col_discovery *d)
{
    const struct col_sink *sink = d->nodes->env->sink;
    uint8_t key[PATTERN_KEY_LEN];
    for (size_t i = 0; i < d->nodes->conf->n_paths; i++) {
        sink->mark(sink->ctx, pattern_key(d->nodes->conf->paths[i], key),
                   hd_slice(&d->since[i], sizeof(d->since[i])));
    }
}

void col_discover_renamed(struct col_discovery *d, const char *path, const char *was)
{
    on_renamed(d, path, was, RENAMED_NOW);
}
