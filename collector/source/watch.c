/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/watch.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <haidang/array.h>

#include "collector/source/paths.h"

#define DIR_EVENTS                                                                       \
    (IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |  \
     IN_MOVE_SELF | IN_ONLYDIR)
#define FILE_EVENTS (IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF)
#define GONE_EVENTS (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)
#define READ_LEN    16384
#define MOVES_MAX                                                                        \
    64U /* renames remembered in one read; more cost a look at names only                \
         */

struct dir {
    int wd;
    char *path, *name;
    bool is_last;
    unsigned generation;
};

struct move {
    uint32_t cookie; /* != 0: its first half was seen */
    int wd;          /* directory where it is now */
    char *now, *was; /* name there; full path before the first rename */
};

struct col_watch {
    struct col_watch_ops ops;
    int fd;
    struct dir *dirs;
    size_t n_dirs;
    unsigned generation;
    struct move moves[MOVES_MAX];
    size_t n_moves;
    bool is_name, is_overflow;
};

int col_watch_open(const struct col_watch_ops *ops, struct col_watch **out)
{
    struct col_watch *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return HD_ENOMEM;
    }
    w->ops = *ops;
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0) {
        int err = errno == EMFILE ? HD_ELIMIT : hd_err_from_errno(errno);
        free(w);
        return err;
    }
    *out = w;
    return HD_OK;
}

static void free_dir(struct dir *d)
{
    free(d->path);
    free(d->name);
}

static void forget_moves(struct col_watch *w)
{
    for (size_t i = 0; i < w->n_moves; i++) {
        free(w->moves[i].now);
        free(w->moves[i].was);
    }
    w->n_moves = 0;
}

void col_watch_close(struct col_watch *w)
{
    if (w == NULL) {
        return;
    }
    for (size_t i = 0; i < w->n_dirs; i++) {
        free_dir(&w->dirs[i]);
    }
    forget_moves(w);
    free(w->dirs);
    (void)close(w->fd);
    free(w);
}

int col_watch_fd(const struct col_watch *w)
{
    return w->fd;
}

/* ---- directories ---- */

void col_watch_begin(struct col_watch *w)
{
    w->generation++;
}

static struct dir *find_dir(struct col_watch *w, const char *path, const char *name)
{
    for (size_t i = 0; i < w->n_dirs; i++) {
        if (strcmp(w->dirs[i].path, path) == 0 && strcmp(w->dirs[i].name, name) == 0) {
            return &w->dirs[i];
        }
    }
    return NULL;
}

static struct dir *add_dir(struct col_watch *w, const char *path, const char *name)
{
    struct dir *dirs = hd_array_grow(w->dirs, w->n_dirs, sizeof(*dirs));
    if (dirs == NULL) {
        return NULL;
    }
    w->dirs = dirs;
    struct dir *d = &w->dirs[w->n_dirs];
    *d = (struct dir){.path = strdup(path), .name = strdup(name)};
    if (d->path == NULL || d->name == NULL) {
        free_dir(d);
        return NULL;
    }
    w->n_dirs++;
    return d;
}

int col_watch_dir(struct col_watch *w, const char *path, const char *name, bool is_last)
{
    int wd = inotify_add_watch(w->fd, path, DIR_EVENTS);
    if (wd < 0) {
        return errno == ENOSPC ? HD_ELIMIT : hd_err_from_errno(errno);
    }
    struct dir *d = find_dir(w, path, name);
    d = d != NULL ? d : add_dir(w, path, name);
    if (d == NULL) {
        return HD_ENOMEM;
    }
    d->wd = wd;
    d->is_last = is_last;
    d->generation = w->generation;
    return HD_OK;
}

static bool is_used(const struct col_watch *w, int wd)
{
    for (size_t i = 0; i < w->n_dirs; i++) {
        if (w->dirs[i].wd == wd) {
            return true;
        }
    }
    return false;
}

void col_watch_end(struct col_watch *w)
{
    for (size_t i = 0; i < w->n_dirs;) {
        if (w->dirs[i].generation == w->generation) {
            i++;
            continue;
        }
        int wd = w->dirs[i].wd;
        free_dir(&w->dirs[i]);
        w->dirs[i] = w->dirs[--w->n_dirs];
        if (!is_used(w, wd)) {
            (void)inotify_rm_watch(w->fd, wd);
        }
    }
}

int col_watch_file(struct col_watch *w, int fd)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int wd = inotify_add_watch(w->fd, path, FILE_EVENTS);
    return wd >= 0 ? wd : errno == ENOSPC ? HD_ELIMIT : hd_err_from_errno(errno);
}

void col_watch_unwatch(struct col_watch *w, int wd)
{
    (void)inotify_rm_watch(w->fd, wd);
}

/* ---- events ---- */

static const char *dir_of(const struct col_watch *w, int wd)
{
    for (size_t i = 0; i < w->n_dirs; i++) {
        if (w->dirs[i].wd == wd) {
            return w->dirs[i].path;
        }
    }
    return NULL;
}

static char *join(const char *dir, const char *name)
{
    char *path = NULL;
    bool is_root = strcmp(dir, "/") == 0;
    return asprintf(&path, "%s/%s", is_root ? "" : dir, name) < 0 ? NULL : path;
}

/* First half of a rename: of a name that matters, or of one that such a file has by now.
 */
static void moved_from(struct col_watch *w, const struct inotify_event *event,
                       bool is_match)
{
    for (size_t i = 0; i < w->n_moves; i++) {
        struct move *m = &w->moves[i];
        if (m->wd == event->wd && m->now != NULL && strcmp(m->now, event->name) == 0) {
            m->cookie = event->cookie;
            return;
        }
    }
    const char *dir = dir_of(w, event->wd);
    if (is_match && dir != NULL && w->n_moves < MOVES_MAX) {
        w->moves[w->n_moves++] = (struct move){
            .cookie = event->cookie, .wd = event->wd, .was = join(dir, event->name)};
    }
}

static void moved_to(struct col_watch *w, const struct inotify_event *event)
{
    for (size_t i = 0; i < w->n_moves; i++) {
        struct move *m = &w->moves[i];
        if (m->cookie == event->cookie) {
            free(m->now);
            m->now = strdup(event->name);
            m->wd = event->wd;
            m->cookie = 0;
            return;
        }
    }
}

static bool on_dir_event(struct col_watch *w, const struct inotify_event *event)
{
    bool is_ours = false;
    bool is_last_match = false;
    for (size_t i = 0; i < w->n_dirs; i++) {
        const struct dir *d = &w->dirs[i];
        if (d->wd != event->wd) {
            continue;
        }
        is_ours = true;
        if ((event->mask & GONE_EVENTS) != 0 || event->len == 0) { /* of itself */
            w->is_name = true;
        } else if (event->len > 0 && col_paths_match(d->name, event->name)) {
            w->is_name = true;
            is_last_match = is_last_match || d->is_last;
        }
    }
    if (is_ours && event->len > 0 && (event->mask & IN_MOVED_FROM) != 0) {
        moved_from(w, event, is_last_match);
    }
    if (is_ours && event->len > 0 && (event->mask & IN_MOVED_TO) != 0) {
        moved_to(w, event);
    }
    return is_ours;
}

static void on_event(struct col_watch *w, const struct inotify_event *event)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        w->is_overflow = true;
    } else if (!on_dir_event(w, event) && (event->mask & IN_IGNORED) == 0) {
        w->ops.file(w->ops.ctx, event->wd);
    }
}

static void report_moves(struct col_watch *w)
{
    for (size_t i = 0; i < w->n_moves; i++) {
        struct move *m = &w->moves[i];
        const char *dir = m->now == NULL ? NULL : dir_of(w, m->wd);
        char *path = dir == NULL ? NULL : join(dir, m->now);
        if (path != NULL && m->was != NULL) {
            w->ops.moved(w->ops.ctx, path, m->was);
        }
        free(path);
    }
    forget_moves(w);
}

void col_watch_read(struct col_watch *w)
{
    _Alignas(struct inotify_event) char events[READ_LEN];
    ssize_t n;
    w->is_name = false;
    w->is_overflow = false;
    while ((n = read(w->fd, events, sizeof(events))) > 0) {
        for (char *at = events; at < events + n;) {
            const struct inotify_event *event = (const void *)at;
            on_event(w, event);
            at += sizeof(*event) + event->len;
        }
    }
    report_moves(w);
    if (w->is_overflow) {
        w->ops.overflow(w->ops.ctx);
    } else if (w->is_name) {
        w->ops.names(w->ops.ctx);
    }
}
