/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/array.h>
#include <haidang/bytes.h>
#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/log.h>
#include <haidang/utf8.h>

#include "collector/metrics.h"
#include "collector/source/paths.h"
#include "collector/source/shadow.h"

#define RETRY_NS  (HD_NS_PER_SEC / 4)
#define KEY_LEN   17U
#define HEAD_LEN  17U /* of a name's mark, before the path */
#define PATH_KEPT (COL_MARK_MAX - KEY_LEN - HEAD_LEN)
#define TEXT_MAX  (8U * COL_PATH_MAX) /* each byte of a path becomes five at most */

enum { NAME_IS_CLOSED = 1 }; /* that it cannot be opened was told */

void col_guard_init(struct col_guard *g, struct col_nodes *nodes)
{
    *g = (struct col_guard){.nodes = nodes};
    hd_buf_init(&g->text, TEXT_MAX);
    col_copies_init(&g->copies);
}

bool col_guard_is_behind(const struct col_guard *g)
{
    return g->next_name < g->n_names;
}

static void free_names(struct col_guard *g)
{
    for (size_t i = 0; i < g->n_names; i++) {
        free(g->names[i].path);
    }
    free(g->names);
    g->names = NULL;
    g->n_names = g->next_name = 0;
}

void col_guard_fini(struct col_guard *g)
{
    free_names(g);
    col_copies_fini(&g->copies);
    hd_buf_fini(&g->text);
}

static const struct col_sink *sink_of(const struct col_guard *g)
{
    return g->nodes->env->sink;
}

/* ---- the mark of a name ---- */

static void put_le64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static struct hd_slice pattern_prefix(const struct col_guard *g, size_t pattern,
                                      uint8_t out[KEY_LEN])
{
    out[0] = 'n';
    put_le64(out + 1, hd_hash_stable(hd_slice_str(g->nodes->conf->paths[pattern]), 0));
    return hd_slice(out, 9);
}

static struct hd_slice name_key(const struct col_guard *g, size_t pattern,
                                const char *path, uint8_t out[KEY_LEN])
{
    (void)pattern_prefix(g, pattern, out);
    put_le64(out + 9, hd_hash_stable(hd_slice_str(path), 0));
    return hd_slice(out, KEY_LEN);
}

/* mark = flags(1) dev(8) ino(8) path */
static void set_name(const struct col_guard *g, const struct col_guard_name *name,
                     uint8_t flags)
{
    uint8_t key[KEY_LEN], mark[HEAD_LEN + PATH_KEPT];
    size_t len = strlen(name->path);
    if (len <= PATH_KEPT) {
        mark[0] = flags;
        put_le64(mark + 1, (uint64_t)name->dev);
        put_le64(mark + 9, (uint64_t)name->ino);
        memcpy(mark + HEAD_LEN, name->path, len);
        sink_of(g)->mark(sink_of(g)->ctx, name_key(g, name->pattern, name->path, key),
                         hd_slice(mark, HEAD_LEN + len));
    }
}

/* False: there is none. `path` stays as it is. */
static bool get_name(const struct col_guard *g, struct col_guard_name *name,
                     uint8_t *flags)
{
    uint8_t key[KEY_LEN];
    struct hd_bytes in = hd_bytes(sink_of(g)->last_mark(
        sink_of(g)->ctx, name_key(g, name->pattern, name->path, key)));
    *flags = hd_bytes_u8(&in);
    name->dev = (dev_t)hd_bytes_le64(&in);
    name->ino = (ino_t)hd_bytes_le64(&in);
    return !hd_bytes_failed(&in);
}

static void forget_name(const struct col_guard *g, size_t pattern, const char *path)
{
    uint8_t key[KEY_LEN];
    sink_of(g)->mark(sink_of(g)->ctx, name_key(g, pattern, path, key), HD_SLICE_EMPTY);
}

static struct col_guard_name name_of(const struct col_node *n)
{
    return (struct col_guard_name){
        .pattern = n->pattern, .path = n->path, .dev = n->tail.dev, .ino = n->tail.ino};
}

/* Unless another file has it by now. */
static void forget_name_of(const struct col_guard *g, const struct col_node *n)
{
    struct col_guard_name name = name_of(n);
    uint8_t flags;
    if (n->is_named && get_name(g, &name, &flags) && name.dev == n->tail.dev &&
        name.ino == n->tail.ino) {
        forget_name(g, n->pattern, n->path);
    }
}

/* ---- where it really is ---- */

#define DELETED " (deleted)"

/* Names may be links; copies and archives stand beside the file itself. */
static void real_path(const struct col_node *n, char out[COL_PATH_MAX])
{
    char link[64];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", n->tail.fd);
    ssize_t len = readlink(link, out, COL_PATH_MAX - 1);
    if (len <= 0) {
        (void)snprintf(out, COL_PATH_MAX, "%s", n->path);
        return;
    }
    struct hd_slice text = hd_slice(out, (size_t)len);
    bool is_deleted = hd_slice_ends(text, HD_SLICE(DELETED));
    out[text.len - (is_deleted ? sizeof(DELETED) - 1 : 0)] = '\0';
}

/* ---- telling ---- */

static void put_path(struct hd_buf *out, const char *path)
{
    struct hd_buf plain;
    hd_buf_init(&plain, TEXT_MAX);
    hd_utf8_escape(&plain, hd_slice_str(path));
    for (size_t i = 0; i < plain.len; i++) {
        if (plain.ptr[i] == '"' || plain.ptr[i] == '\\') {
            hd_buf_byte(out, '\\');
        }
        hd_buf_byte(out, plain.ptr[i]);
    }
    out->err = out->err != 0 ? out->err : plain.err;
    hd_buf_fini(&plain);
}

static void begin(struct col_guard *g, const char *what, const char *path)
{
    hd_buf_clear(&g->text);
    hd_buf_printf(&g->text, "%s file.path=\"", what);
    put_path(&g->text, path);
    hd_buf_byte(&g->text, '"');
}

static int tell(struct col_guard *g)
{
    const struct hd_batch_source source = {.host = g->nodes->env->host,
                                           .kind = HD_SLICE(COL_GUARD_SOURCE_KIND),
                                           .name = HD_SLICE(COL_GUARD_SOURCE_NAME),
                                           .format = HD_SLICE(COL_GUARD_FORMAT)};
    const struct col_sink *sink = sink_of(g);
    int err = g->text.err != 0 ? HD_EFULL
                               : sink->add(sink->ctx, &source, hd_clock_wall_ns(), 0,
                                           hd_buf_slice(&g->text));
    if (err == HD_OK) {
        COL_COUNT(COL_FILES_HARMED, 1);
        HD_LOG(WARN, "file", "no rotation explains what happened to a file",
               HD_KV_SLICE("what", hd_buf_slice(&g->text)));
    }
    return err == HD_EFULL ? HD_EFULL : HD_OK;
}

/* ---- truncated, rewritten ---- */

static const char *const now_names[] = {
    [COL_TAIL_EMPTY] = "log-emptied",
    [COL_TAIL_SHORTER] = "log-cut",
    [COL_TAIL_CHANGED] = "log-changed",
    [COL_TAIL_OTHER] = "log-emptied",
};

static bool is_compressed(struct col_guard *g, const struct col_node *n, const char *real,
                          enum col_tail_now now)
{
    const struct col_copies_query query = {
        .path = real,
        .len = n->tail.offset,
        .since_ns = n->intact_ns != 0 ? n->intact_ns : n->tail.marked_s * HD_NS_PER_SEC,
        .gone_ns = INT64_MAX};
    bool begins_anew = now == COL_TAIL_EMPTY || now == COL_TAIL_OTHER;
    return begins_anew && col_copies_is_compressed(&g->copies, &query);
}

static int tell_restart(struct col_guard *g, const struct col_node *n,
                        enum col_tail_now now, uint64_t size)
{
    begin(g, now_names[now], n->path);
    hd_buf_printf(&g->text,
                  " size_bytes=%" PRIu64 " read_bytes=%" PRIu64 " unread_bytes=%" PRIu64,
                  size, n->tail.offset, col_tail_unread(&n->tail, 0));
    return tell(g);
}

static void adopt(struct col_guard *g, const struct col_node *n, struct col_node *copy)
{
    const struct stat original = {.st_dev = n->tail.dev, .st_ino = n->tail.ino};
    bool is_short =
        col_tail_compare(copy->tail.fd, &n->tail, sink_of(g)) == COL_TAIL_SHORT_COPY;
    /* of a short one all was read in the original */
    if (!is_short || col_tail_seek_end(&copy->tail, sink_of(g)) != HD_OK) {
        (void)col_tail_adopt(&copy->tail, &original, sink_of(g));
    }
    col_nodes_rename_source(copy, n);
    copy->is_new = false;
}

/* What the copy has beyond our position is read there. own: fd. */
static bool follow_copy(struct col_guard *g, const struct col_node *n, int fd)
{
    struct stat st;
    struct col_node *copy = NULL;
    bool is_known;
    if (fstat(fd, &st) == 0) {
        copy = col_nodes_by_inode(g->nodes, st.st_dev, st.st_ino);
    }
    if (copy != NULL) {
        (void)close(fd);
        if (copy->is_new && col_shadow_is_beside(copy, n)) {
            adopt(g, n, copy);
            col_nodes_push_ready(g->nodes, copy);
        }
        return true;
    }
    if (g->nodes->n >= (size_t)g->nodes->conf->files_max) {
        (void)close(fd);
        return false;
    }
    int err = col_nodes_make(g->nodes, fd, n->path, &is_known, &copy);
    if (err != HD_OK) {
        return false;
    }
    adopt(g, n, copy);
    copy->is_rotated = true;
    col_nodes_start(g->nodes, copy);
    return true;
}

/* own: one that is followed already and waits for this (shadow.c), which may have lost
 * its name again by now; else one beside it, or -1. */
static int find_copy(const struct col_guard *g, const struct col_node *n,
                     const char *real)
{
    for (size_t i = 0; i < g->nodes->n; i++) {
        const struct col_node *other = g->nodes->list[i];
        if (other->is_new && other != n && col_shadow_is_beside(other, n) &&
            col_tail_compare(other->tail.fd, &n->tail, sink_of(g)) != COL_TAIL_NO_COPY) {
            return fcntl(other->tail.fd, F_DUPFD_CLOEXEC, 0);
        }
    }
    return col_copies_find(real, &n->tail, sink_of(g));
}

static uint64_t size_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

int col_guard_restart(struct col_guard *g, struct col_node *n)
{
    uint64_t size = 0;
    char real[COL_PATH_MAX];
    real_path(n, real);
    int copy = find_copy(g, n, real);
    enum col_tail_now now = col_tail_judge(&n->tail, &size);
    if (g->nodes->conf->tampering && copy < 0 && !is_compressed(g, n, real, now) &&
        tell_restart(g, n, now, size) != HD_OK) {
        return HD_EFULL;
    }
    uint64_t kept = copy >= 0 ? size_of(copy) : 0;
    kept = copy >= 0 && follow_copy(g, n, copy) ? kept : 0;
    uint64_t unread = col_tail_unread(&n->tail, kept);
    col_tail_restart(&n->tail, sink_of(g));
    if (unread > 0) {
        sink_of(g)->lost(sink_of(g)->ctx, &n->source, HD_LOSS_UNREAD, unread, 0);
    }
    return HD_OK;
}

/* ---- names in use ---- */

static bool is_disputed(const struct col_guard *g, const struct col_node *n)
{
    for (size_t i = 0; i < g->nodes->n; i++) {
        const struct col_node *other = g->nodes->list[i];
        if (other->is_undecided && other != n && strcmp(other->path, n->path) == 0) {
            return true;
        }
    }
    return false;
}

/* The mark of a name is that of a file which lost it until that is decided. */
void col_guard_took(struct col_guard *g, struct col_node *n)
{
    struct col_guard_name name = name_of(n);
    if (!n->is_named && !n->is_rotated && g->nodes->conf->tampering &&
        n->tail.offset > 0 && !col_guard_is_behind(g) && !is_disputed(g, n)) {
        n->is_named = true;
        set_name(g, &name, 0);
    }
}

/* ---- gone ---- */

static bool has_wildcard_dir(const char *pattern)
{
    char dir[COL_PATH_MAX];
    (void)col_paths_split(pattern, dir);
    return strpbrk(dir, "*?[") != NULL;
}

struct gone {
    const struct col_guard_name *name;
    const char *real; /* where it was; the name may have been a link */
    const struct col_tail *old;
    int64_t since_ns; /* it was there until then, or later */
    int64_t gone_ns;  /* monotonic: it was gone by then */
};

/* With its directory, of which there are many: a container, a site, a user. */
static bool went_with_directory(const struct col_guard *g, const struct gone *gone)
{
    char dir[COL_PATH_MAX], link_dir[COL_PATH_MAX];
    struct stat st;
    (void)col_paths_split(gone->real, dir);
    (void)col_paths_split(gone->name->path, link_dir);
    bool is_one_of_many = has_wildcard_dir(g->nodes->conf->paths[gone->name->pattern]) ||
                          strcmp(dir, link_dir) != 0;
    return is_one_of_many && stat(dir, &st) != 0 && errno == ENOENT;
}

static bool is_older_content(const struct col_guard *g, const char *path,
                             const struct col_tail *old)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool is_older =
        fd >= 0 &&
        (col_tail_begins_as(old, fd) ||
         (old->fd >= 0 && col_copies_shares_line(fd, old->fd, g->nodes->env->scratch)));
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_older;
}

/* The file has no name any more. HD_EFULL: not told. */
static int tell_gone(struct col_guard *g, const struct gone *gone)
{
    const char *path = gone->name->path;
    struct stat st;
    bool is_there = stat(path, &st) == 0;
    bool is_gone = !is_there && (errno == ENOENT || errno == ENOTDIR);
    const struct col_copies_query query = {.path = gone->real,
                                           .len = gone->old->offset,
                                           .since_ns = gone->since_ns,
                                           .gone_ns = gone->gone_ns};
    if (col_copies_is_compressed(&g->copies, &query)) {
        return HD_OK;
    }
    if (is_there && S_ISREG(st.st_mode) && is_older_content(g, path, gone->old)) {
        begin(g, "log-replaced", path);
    } else if (is_gone && !went_with_directory(g, gone)) {
        begin(g, "log-removed", path);
    } else {
        return HD_OK;
    }
    hd_buf_printf(&g->text, " read_bytes=%" PRIu64, gone->old->offset);
    return tell(g);
}

void col_guard_lost_name(struct col_guard *g, struct col_node *n)
{
    n->lost_ns = hd_clock_wall_ns();
    n->is_undecided = n->is_named;
    n->is_unlinked = false;
    n->judge_ns = 0;
    col_guard_notice(g, n);
}

void col_guard_notice(const struct col_guard *g, struct col_node *n)
{
    if (!n->is_undecided) {
        return;
    }
    bool is_news = !n->is_unlinked && col_tail_links(&n->tail) == 0;
    n->is_unlinked = n->is_unlinked || is_news;
    if (is_news || n->judge_ns == 0) {
        n->judge_ns = hd_clock_mono_ns() + g->nodes->conf->removed_after_ns;
    }
}

void col_guard_found_name(struct col_guard *g, struct col_node *n)
{
    struct col_guard_name name = name_of(n);
    n->is_undecided = false;
    n->judge_ns = 0;
    if (n->is_closed) {
        n->is_closed = false;
        set_name(g, &name, 0);
    }
}

static int judge(struct col_guard *g, struct col_node *n)
{
    struct col_guard_name name = name_of(n);
    char real[COL_PATH_MAX];
    int64_t gone_ns = n->judge_ns != 0 && n->is_unlinked
                          ? n->judge_ns - g->nodes->conf->removed_after_ns
                          : INT64_MAX;
    const struct gone gone = {&name, real, &n->tail, n->lost_ns, gone_ns};
    real_path(n, real);
    n->judge_ns = 0;
    if (!n->is_undecided || col_tail_links(&n->tail) > 0) {
        return HD_OK; /* it was renamed, and may yet be removed */
    }
    if (tell_gone(g, &gone) != HD_OK) {
        return HD_EFULL;
    }
    n->is_undecided = false;
    forget_name_of(g, n);
    for (size_t i = 0; i < g->nodes->n; i++) {
        struct col_node *next = g->nodes->list[i];
        if (next != n && strcmp(next->path, n->path) == 0) {
            col_guard_took(g, next);
        }
    }
    return HD_OK;
}

void col_guard_judge(struct col_guard *g, struct col_node *n)
{
    if (judge(g, n) != HD_OK) {
        n->judge_ns = hd_clock_mono_ns() + RETRY_NS;
    }
}

int col_guard_end(struct col_guard *g, struct col_node *n)
{
    int err = judge(g, n);
    if (err == HD_OK) {
        forget_name_of(g, n);
    }
    return err;
}

/* ---- quiet, closed ---- */

void col_guard_touch(const struct col_guard *g, const struct col_node *n)
{
    struct col_guard_name name = name_of(n);
    uint8_t flags;
    if (n->is_named && !n->is_rotated) {
        (void)get_name(g, &name, &flags);
    }
}

void col_guard_idle(struct col_guard *g, struct col_node *n)
{
    forget_name_of(g, n);
    n->is_named = false;
}

bool col_guard_is_closed(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool is_closed = fd < 0 && (errno == EACCES || errno == EPERM);
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_closed;
}

int col_guard_refused(struct col_guard *g, size_t pattern, const char *path)
{
    struct col_guard_name name = {.pattern = pattern, .path = (char *)(uintptr_t)path};
    uint8_t flags;
    if (!g->nodes->conf->tampering || !get_name(g, &name, &flags) ||
        (flags & NAME_IS_CLOSED) != 0) {
        return HD_OK;
    }
    begin(g, "log-unreadable", path);
    int err = tell(g);
    if (err == HD_OK) {
        set_name(g, &name, NAME_IS_CLOSED);
    }
    return err;
}

/* ---- while no agent ran ---- */

struct recall {
    struct col_guard *guard;
    size_t pattern;
};

static void recall_one(void *ctx, struct hd_slice key, struct hd_slice mark)
{
    const struct recall *r = ctx;
    struct col_guard *g = r->guard;
    struct hd_bytes in = hd_bytes(mark);
    struct col_guard_name name = {.pattern = r->pattern};
    (void)key;
    hd_bytes_skip(&in, 1);
    name.dev = (dev_t)hd_bytes_le64(&in);
    name.ino = (ino_t)hd_bytes_le64(&in);
    struct hd_slice path = hd_bytes_view(&in, hd_bytes_left(&in));
    struct col_guard_name *more = hd_array_grow(g->names, g->n_names, sizeof(*more));
    g->names = more != NULL ? more : g->names;
    name.path = more == NULL || hd_bytes_failed(&in) ? NULL : hd_slice_dup(path);
    if (name.path != NULL) {
        g->names[g->n_names++] = name;
    }
}

void col_guard_recall(struct col_guard *g)
{
    uint8_t key[KEY_LEN];
    const struct col_sink *sink = sink_of(g);
    size_t n = g->nodes->conf->tampering ? g->nodes->conf->n_paths : 0;
    g->recalled_ns = hd_clock_mono_ns();
    for (size_t i = 0; i < n; i++) {
        struct recall recall = {g, i};
        sink->each_mark(sink->ctx, pattern_prefix(g, i, key), recall_one, &recall);
    }
}

static void take_up(struct col_guard *g, const struct col_guard_name *name,
                    struct col_node *n)
{
    if (strcmp(n->path, name->path) != 0) {
        forget_name(g, name->pattern, name->path); /* it has another name that matches */
        return;
    }
    n->is_named = true;
    n->pattern = name->pattern;
    if (n->is_rotated) {
        col_guard_lost_name(g, n);
    }
}

/* It is not followed: another file has its name, or none, or it is closed to us. */
static int miss(struct col_guard *g, const struct col_guard_name *name)
{
    struct stat st;
    struct col_tail old;
    const struct col_sink *sink = sink_of(g);
    if (col_guard_is_closed(name->path)) {
        return col_guard_refused(g, name->pattern, name->path);
    }
    if (stat(name->path, &st) == 0 && st.st_dev == name->dev && st.st_ino == name->ino) {
        return HD_OK; /* there are too many files */
    }
    col_tail_recall(&old, name->dev, name->ino, sink);
    const struct gone gone = {name, name->path, &old, old.marked_s * HD_NS_PER_SEC,
                              g->recalled_ns};
    int err = tell_gone(g, &gone);
    if (err == HD_OK) {
        forget_name(g, name->pattern, name->path);
        col_tail_forget(&old, sink);
    }
    return err;
}

int col_guard_catch_up(struct col_guard *g)
{
    while (g->next_name < g->n_names) {
        const struct col_guard_name *name = &g->names[g->next_name];
        struct col_node *n = col_nodes_by_inode(g->nodes, name->dev, name->ino);
        if (n != NULL) {
            take_up(g, name, n);
        } else if (miss(g, name) != HD_OK) {
            return HD_EFULL;
        }
        g->next_name++;
    }
    free_names(g);
    return HD_OK;
}
