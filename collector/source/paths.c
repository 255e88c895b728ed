/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/paths.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct walk {
    const struct col_paths_ops *ops;
    char path[COL_PATH_MAX]; /* the directory reached so far, without a last slash */
    size_t len;
};

bool col_paths_match(const char *component, const char *name)
{
    return fnmatch(component, name, FNM_PERIOD) == 0;
}

const char *col_paths_split(const char *path, char dir[COL_PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    (void)snprintf(dir, COL_PATH_MAX, "%.*s", (int)len, path);
    return name;
}

static bool has_wildcard(const char *component)
{
    return strpbrk(component, "*?[\\") != NULL;
}

static bool append(struct walk *w, const char *name)
{
    int n = snprintf(w->path + w->len, sizeof(w->path) - w->len, "/%s", name);
    if (n < 0 || (size_t)n >= sizeof(w->path) - w->len) {
        w->path[w->len] = '\0';
        return false;
    }
    w->len += (size_t)n;
    return true;
}

static void cut_back(struct walk *w, size_t len)
{
    w->len = len;
    w->path[len] = '\0';
}

static const char *dir_path(const struct walk *w)
{
    return w->len == 0 ? "/" : w->path;
}

/* Takes the next component of *rest into `out`; false at the end of the pattern. */
static bool next_component(const char **rest, char out[COL_PATH_MAX])
{
    const char *start = *rest + strspn(*rest, "/");
    size_t len = strcspn(start, "/");
    (void)snprintf(out, COL_PATH_MAX, "%.*s", (int)len, start);
    *rest = start + len;
    return len > 0;
}

/* A name as a pattern that matches only this name. */
static void escape(const char *name, char out[2 * NAME_MAX + 1])
{
    size_t n = 0;
    for (; *name != '\0' && n < 2 * NAME_MAX - 1; name++) {
        if (strchr("*?[]\\", *name) != NULL) {
            out[n++] = '\\';
        }
        out[n++] = *name;
    }
    out[n] = '\0';
}

/* Where the link at `path` leads, into `path`; false: it is no link. */
static bool follow_link(char path[COL_PATH_MAX])
{
    char target[COL_PATH_MAX], dir[COL_PATH_MAX];
    ssize_t len = readlink(path, target, sizeof(target) - 1);
    if (len <= 0) {
        return false;
    }
    target[len] = '\0';
    (void)col_paths_split(path, dir);
    bool is_absolute = target[0] == '/';
    int n = snprintf(path, COL_PATH_MAX, "%s%s%s", is_absolute ? "" : dir,
                     is_absolute ? "" : "/", target);
    return n > 0 && n < COL_PATH_MAX;
}

/* A file behind links is renamed and made anew where it really is. */
static void report_links(const struct walk *w)
{
    char path[COL_PATH_MAX], dir[COL_PATH_MAX], name[2 * NAME_MAX + 1];
    struct stat st;
    memcpy(path, w->path, w->len + 1);
    for (unsigned i = 0; i < COL_PATH_LINKS && follow_link(path); i++) {
        escape(col_paths_split(path, dir), name);
        if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode)) {
            w->ops->dir(w->ops->ctx, dir, name, true);
        }
    }
}

static void enter_last(struct walk *w)
{
    struct stat st;
    if (lstat(w->path, &st) != 0) {
        return;
    }
    if (S_ISLNK(st.st_mode)) {
        struct stat target;
        report_links(w); /* before the look at what is there */
        st = stat(w->path, &target) == 0 ? target : st;
    }
    if (S_ISREG(st.st_mode)) {
        w->ops->file(w->ops->ctx, w->path);
    } else if (w->ops->other != NULL) {
        w->ops->other(w->ops->ctx, w->path, &st);
    }
}

static int step(struct walk *w, const char *rest, unsigned depth);

/* Goes on at one name: a file at the end of the pattern, a directory before. */
static int enter(struct walk *w, const char *name, const char *rest, unsigned depth)
{
    struct stat st;
    size_t len = w->len;
    bool is_last = rest[strspn(rest, "/")] == '\0';
    int err = HD_OK;
    if (!append(w, name)) {
        return HD_ELIMIT;
    }
    if (is_last) {
        enter_last(w);
    } else if (stat(w->path, &st) == 0 && S_ISDIR(st.st_mode)) {
        err = step(w, rest, depth + 1);
    }
    cut_back(w, len);
    return err;
}

static int enter_matches(struct walk *w, const char *component, const char *rest,
                         unsigned depth)
{
    DIR *entries = opendir(dir_path(w));
    int err = HD_OK;
    if (entries == NULL) {
        if (w->ops->unreadable != NULL) {
            w->ops->unreadable(w->ops->ctx, dir_path(w), hd_err_from_errno(errno));
        }
        return HD_OK;
    }
    for (struct dirent *e = readdir(entries); e != NULL && err == HD_OK;
         e = readdir(entries)) {
        bool is_dots = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
        if (!is_dots && col_paths_match(component, e->d_name)) {
            err = enter(w, e->d_name, rest, depth);
        }
    }
    (void)closedir(entries);
    return err;
}

static int step(struct walk *w, const char *rest, unsigned depth)
{
    char component[COL_PATH_MAX];
    struct stat st;
    if (depth > COL_PATH_DEPTH) {
        return HD_ELIMIT;
    }
    if (!next_component(&rest, component)) {
        return HD_OK;
    }
    bool is_last = rest[strspn(rest, "/")] == '\0';
    if (is_last || has_wildcard(component)) {
        w->ops->dir(w->ops->ctx, dir_path(w), component, is_last);
    }
    if (has_wildcard(component)) {
        return enter_matches(w, component, rest, depth);
    }
    size_t len = w->len;
    if (!is_last && append(w, component)) {
        bool is_there = stat(w->path, &st) == 0 && S_ISDIR(st.st_mode);
        cut_back(w, len);
        if (!is_there) {
            /* then entered below: it may have come before the watch */
            w->ops->dir(w->ops->ctx, dir_path(w), component, false);
        }
    }
    return enter(w, component, rest, depth);
}

int col_paths_walk(const char *pattern, const struct col_paths_ops *ops)
{
    struct walk w = {.ops = ops};
    if (strlen(pattern) >= COL_PATH_MAX) {
        return HD_ELIMIT;
    }
    return step(&w, pattern, 0);
}
