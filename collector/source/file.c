/* SPDX-License-Identifier: Apache-2.0
 *
 * Source `file`: decides which files are tailed and when each is read; the reading itself
 * is tail.c. Agent loop thread.
 *
 * A file is a node from when its name matches until nothing was written to it for
 * rotated_keep after its name stopped matching: a rotated file is read to its end through
 * its descriptor. inotify says when to look; after a look it is not asked again for
 * COALESCE_MS, so a busy file costs a few wake-ups a second and an idle one none. Files
 * take turns. Bounds: files_max nodes, each with one descriptor and one watch.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/log.h>
#include <haidang/loop.h>

#include "collector/metrics.h"
#include "collector/source/paths.h"
#include "collector/source/rotated.h"
#include "collector/source/source.h"
#include "collector/source/tail.h"
#include "collector/source/told.h"
#include "collector/source/watch.h"
#include "collector/source/zone.h"

#define COALESCE_MS     40U
#define TURNS           8U /* reads before other handles of the loop have their turn */
#define POLL_NS         HD_NS_PER_SEC       /* of files that cannot be watched */
#define MEMORY_NS       (HD_NS_PER_SEC / 4) /* then files that found none are tried again */
#define PATTERN_KEY_LEN 9

struct node {
    struct col_tail tail;
    char *path;
    struct hd_batch_source source;
    struct node *next_ready;
    int wd;
    int64_t data_ns;    /* monotonic: when something was taken last */
    int64_t partial_ns; /* when to take what waits at the end; 0 = nothing waits */
    unsigned generation;
    bool is_ready, is_rotated, flush, is_ending;
};

struct file_source {
    struct col_source base;
    struct hd_owner owner;
    const struct col_source_env *env;
    const struct col_conf_source *conf;
    struct col_multiline multiline;
    struct col_watch *watch;
    uv_poll_t poll;
    uv_timer_t coalesce, deadline;
    uv_idle_t turn; /* runs while nodes are ready */
    struct node **nodes;
    size_t n_nodes;
    struct node *ready_head, *ready_tail;
    unsigned generation;
    bool is_first_walk, is_paused, is_waiting; /* waiting: files_max keeps files out */
    bool lacks_memory;                         /* and a file or directory was left out */
    bool *is_new;                              /* per pattern: never watched before */
    uint64_t *since; /* per pattern: wall clock of its first watch, ns */
    size_t pattern;  /* being walked */
    struct col_told refused, passed;
    uint64_t passed_over;         /* in this walk */
    struct col_source_stats gone; /* sums of closed nodes */
    void (*closed)(void *ctx);
    void *closed_ctx;
};

static void walk_all(struct file_source *fs);

static struct file_source *from_base(struct col_source *source)
{
    return HD_CONTAINER(source, struct file_source, base);
}

/* ---- ready queue ---- */

static void push_ready(struct file_source *fs, struct node *n)
{
    if (n->is_ready) {
        return;
    }
    n->is_ready = true;
    n->next_ready = NULL;
    if (fs->ready_tail == NULL) {
        fs->ready_head = n;
    } else {
        fs->ready_tail->next_ready = n;
    }
    fs->ready_tail = n;
}

static struct node *pop_ready(struct file_source *fs)
{
    struct node *n = fs->ready_head;
    fs->ready_head = n->next_ready;
    fs->ready_tail = fs->ready_head == NULL ? NULL : fs->ready_tail;
    n->is_ready = false;
    return n;
}

static void push_front(struct file_source *fs, struct node *n)
{
    n->is_ready = true;
    n->next_ready = fs->ready_head;
    fs->ready_head = n;
    fs->ready_tail = fs->ready_tail == NULL ? n : fs->ready_tail;
}

/* ---- nodes ---- */

static struct node *node_by_inode(const struct file_source *fs, dev_t dev, ino_t ino)
{
    for (size_t i = 0; i < fs->n_nodes; i++) {
        if (fs->nodes[i]->tail.ino == ino && fs->nodes[i]->tail.dev == dev) {
            return fs->nodes[i];
        }
    }
    return NULL;
}

static void free_node(struct file_source *fs, struct node *n)
{
    if (n->wd >= 0) {
        col_watch_unwatch(fs->watch, n->wd);
    }
    fs->gone.lines += n->tail.lines;
    fs->gone.bytes += n->tail.bytes;
    fs->gone.truncated += n->tail.truncated;
    col_tail_close(&n->tail);
    free(n->path);
    free(n);
    COL_COUNT(COL_FILES, -1);
}

/* Not while it is ready. */
static void end_node(struct file_source *fs, struct node *n)
{
    for (size_t i = 0; i < fs->n_nodes; i++) {
        if (fs->nodes[i] == n) {
            fs->nodes[i] = fs->nodes[--fs->n_nodes];
            break;
        }
    }
    if (col_tail_links(&n->tail) == 0) {
        col_tail_forget(&n->tail, fs->env->sink);
    }
    HD_LOG(DEBUG, "file", "done with a rotated or removed file",
           HD_KV_STR("file", n->path), HD_KV_UINT("bytes", n->tail.offset));
    free_node(fs, n);
}

static void say_refused(struct file_source *fs, const char *path, const struct stat *st,
                        int err)
{
    if (!col_told_first(&fs->refused, st)) {
        return;
    }
    COL_COUNT(COL_FILES_SKIPPED, 1);
    HD_LOG(WARN, "file", "cannot read a file; it is tried again when it changes",
           HD_KV_STR("file", path), HD_KV_ERR(err));
}

static void say_too_many(struct file_source *fs, const char *path)
{
    if (!fs->is_waiting) {
        HD_LOG(WARN, "file", "too many files at once: raise files_max",
               HD_KV_STR("file", path), HD_KV_INT("files_max", fs->conf->files_max));
    }
    fs->is_waiting = true;
    COL_COUNT(COL_FILES_SKIPPED, 1);
}

static void watch_node(struct file_source *fs, struct node *n)
{
    n->wd = col_watch_file(fs->watch, n->tail.fd);
    if (n->wd < 0) {
        HD_LOG(
            WARN, "file",
            "a file cannot be watched and is polled; raise fs.inotify.max_user_watches",
            HD_KV_STR("file", n->path), HD_KV_ERR(n->wd));
    }
}

static void drop_new(struct node *n)
{
    col_tail_close(&n->tail);
    free(n->path);
    free(n);
}

/* A record's source name is bounded: of a longer path its end tells more. */
static struct hd_slice source_name(const char *path)
{
    struct hd_slice name = hd_slice_str(path);
    return name.len <= HD_BATCH_NAME_MAX
               ? name
               : hd_slice_from(name, name.len - HD_BATCH_NAME_MAX);
}

static void say_no_memory(struct file_source *fs, const char *path)
{
    fs->lacks_memory = true;
    COL_COUNT(COL_FILE_ERRORS, 1);
    HD_LOG(ERROR, "file", "no memory for one more name; it is tried again soon",
           HD_KV_STR("file", path));
}

/* own: takes fd. `name` is what records say. NULL when there is nothing to do. */
static struct node *new_node(struct file_source *fs, int fd, const char *name,
                             bool *is_known)
{
    struct node *n = calloc(1, sizeof(*n));
    char *path = strdup(name);
    if (n == NULL || path == NULL) {
        say_no_memory(fs, name);
        (void)close(fd);
        free(path);
        free(n);
        return NULL;
    }
    n->path = path;
    n->data_ns = hd_clock_mono_ns();
    n->generation = fs->generation;
    if (col_tail_open(&n->tail, fd, fs->env->sink, is_known) != HD_OK ||
        node_by_inode(fs, n->tail.dev, n->tail.ino) != NULL) {
        drop_new(n);
        return NULL;
    }
    n->source = (struct hd_batch_source){.host = fs->env->host,
                                         .kind = HD_SLICE("file"),
                                         .name = source_name(n->path),
                                         .format = hd_slice_str(fs->conf->format),
                                         .zone = col_zone_of(fs->conf, fs->env)};
    return n;
}

static void start_node(struct file_source *fs, struct node *n)
{
    watch_node(fs, n);
    fs->nodes[fs->n_nodes++] = n;
    COL_COUNT(COL_FILES, 1);
    push_ready(fs, n);
}

static int open_file(struct file_source *fs, const char *path, const struct stat *st)
{
    /* O_NONBLOCK: a FIFO that took the file's place must not hold up the loop */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno != ENOENT) {
        say_refused(fs, path, st, hd_err_from_errno(errno));
    }
    return fd;
}

/* ---- which files ---- */

static bool is_excluded(const struct file_source *fs, const char *path)
{
    char dir[COL_PATH_MAX];
    const char *name = col_paths_split(path, dir);
    for (size_t i = 0; i < fs->conf->n_exclude; i++) {
        if (col_paths_match(fs->conf->exclude[i], name)) {
            return true;
        }
    }
    return false;
}

static void on_match(void *ctx, const char *path)
{
    struct file_source *fs = ctx;
    struct stat st;
    bool is_known;
    if (is_excluded(fs, path) || stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        return;
    }
    struct node *n = node_by_inode(fs, st.st_dev, st.st_ino);
    if (n != NULL) {
        n->generation = fs->generation;
        n->is_rotated = false;
        n->is_ending = false;
        return;
    }
    if (fs->n_nodes >= (size_t)fs->conf->files_max) {
        say_too_many(fs, path);
        return;
    }
    int fd = open_file(fs, path, &st);
    n = fd < 0 ? NULL : new_node(fs, fd, path, &is_known);
    if (n == NULL) {
        return;
    }
    if (!is_known && fs->is_first_walk && fs->is_new[fs->pattern] &&
        fs->conf->start == COL_START_END &&
        col_tail_seek_end(&n->tail, fs->env->sink) != HD_OK) {
        HD_LOG(WARN, "file", "cannot find the end of a file; reading all of it",
               HD_KV_STR("file", path));
    }
    start_node(fs, n);
}

enum renamed {
    RENAMED_NOW,    /* seen to be renamed: read it from where its mark says or from 0 */
    RENAMED_MARKED, /* while no agent ran; it has a mark */
    RENAMED_UNREAD, /* while no agent ran, and made after the newest that has one */
};

/* A file that once had the matching name `was`. */
static void on_renamed(struct file_source *fs, const char *path, const char *was,
                       enum renamed how)
{
    struct stat st, original;
    bool is_known;
    if (is_excluded(fs, was) || stat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
        node_by_inode(fs, st.st_dev, st.st_ino) != NULL) {
        return;
    }
    if (fs->n_nodes >= (size_t)fs->conf->files_max) {
        say_too_many(fs, path);
        return;
    }
    int fd = open_file(fs, path, &st);
    struct node *n = fd < 0 ? NULL : new_node(fs, fd, was, &is_known);
    if (n == NULL) {
        return;
    }
    if (how == RENAMED_MARKED && !is_known) {
        drop_new(n); /* it was rewritten: not a log any more */
        return;
    }
    if (how == RENAMED_UNREAD && stat(was, &original) == 0) {
        col_tail_adopt(&n->tail, &original, fs->env->sink);
    }
    n->is_rotated = true;
    start_node(fs, n);
}

static void on_rotated(void *ctx, const char *path, const char *was, bool is_marked)
{
    on_renamed(ctx, path, was, is_marked ? RENAMED_MARKED : RENAMED_UNREAD);
}

static void on_dir(void *ctx, const char *dir, const char *name, bool is_last)
{
    struct file_source *fs = ctx;
    int err = col_watch_dir(fs->watch, dir, name, is_last);
    if (err == HD_ENOMEM) {
        say_no_memory(fs, dir);
    } else if (err != HD_OK) {
        HD_LOG(WARN, "file",
               "a directory cannot be watched: new files in it are not seen",
               HD_KV_STR("dir", dir), HD_KV_ERR(err));
    }
    if (fs->is_first_walk && is_last) {
        const struct col_rotated_query query = {
            .dir = dir,
            .pattern = name,
            .sink = fs->env->sink,
            .since_ns = fs->is_new[fs->pattern] ? UINT64_MAX : fs->since[fs->pattern]};
        col_rotated_find(&query, on_rotated, fs);
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
    struct file_source *fs = ctx;
    if (is_excluded(fs, path)) {
        return;
    }
    fs->passed_over++;
    if (col_told_first(&fs->passed, st)) {
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
    HD_LOG(WARN, "file", "a directory cannot be read", HD_KV_STR("dir", dir),
           HD_KV_ERR(err));
}

/* Nodes that no name leads to any more are rotated or removed. */
static void sweep(struct file_source *fs)
{
    for (size_t i = 0; i < fs->n_nodes; i++) {
        struct node *n = fs->nodes[i];
        if (n->generation != fs->generation && !n->is_rotated) {
            n->is_rotated = true;
            n->data_ns = hd_clock_mono_ns();
            push_ready(fs, n);
        }
    }
}

static void walk_all(struct file_source *fs)
{
    const struct col_paths_ops ops = {on_dir, on_match, on_other, on_unreadable, fs};
    fs->generation++;
    fs->is_waiting = fs->lacks_memory = false;
    fs->passed_over = 0;
    col_watch_begin(fs->watch);
    for (fs->pattern = 0; fs->pattern < fs->conf->n_paths; fs->pattern++) {
        int err = col_paths_walk(fs->conf->paths[fs->pattern], &ops);
        if (err != HD_OK) {
            HD_LOG(WARN, "file", "a path pattern cannot be followed",
                   HD_KV_STR("path", fs->conf->paths[fs->pattern]), HD_KV_ERR(err));
        }
    }
    col_watch_end(fs->watch);
    sweep(fs);
}

/* ---- reading ---- */

static void after_read(struct file_source *fs, struct node *n,
                       enum col_tail_result result)
{
    int64_t now_ns = hd_clock_mono_ns();
    n->partial_ns = 0;
    switch (result) {
    case COL_TAIL_EOF:
        if (n->is_ending) {
            end_node(fs, n);
        }
        break;
    case COL_TAIL_PARTIAL:
        n->partial_ns = now_ns + fs->conf->partial_timeout_ns;
        break;
    case COL_TAIL_PENDING:
        n->partial_ns = now_ns + fs->conf->multiline.timeout_ns;
        break;
    case COL_TAIL_RESTART:
        COL_COUNT(COL_FILES_TRUNCATED, 1);
        HD_LOG(INFO, "file", "a file was truncated; it is read from its beginning",
               HD_KV_STR("file", n->path));
        push_ready(fs, n);
        break;
    case COL_TAIL_MORE:
        push_ready(fs, n);
        break;
    case COL_TAIL_FULL:
        push_front(fs, n);
        break;
    case COL_TAIL_ERROR:
        COL_COUNT(COL_FILE_ERRORS, 1);
        HD_LOG(WARN, "file", "a file cannot be read; it is tried again when it changes",
               HD_KV_STR("file", n->path), HD_KV_ERR(HD_EIO));
        break;
    }
}

/* One turn of one file; false when the sink is full. */
static bool read_node(struct file_source *fs, struct node *n)
{
    const struct col_tail_opts opts = {.sink = fs->env->sink,
                                       .source = &n->source,
                                       .multiline = &fs->multiline,
                                       .line_max = fs->env->line_max,
                                       .scratch = fs->env->scratch};
    uint64_t before = n->tail.offset;
    bool flush = n->flush;
    enum col_tail_result result = col_tail_read(&n->tail, &opts, flush);
    n->flush = flush && (result == COL_TAIL_FULL || result == COL_TAIL_MORE);
    if (n->tail.offset != before) {
        n->data_ns = hd_clock_mono_ns();
        n->is_ending = false;
    }
    after_read(fs, n, result);
    return result != COL_TAIL_FULL;
}

static int64_t node_deadline(const struct file_source *fs, const struct node *n)
{
    int64_t at = n->partial_ns != 0 ? n->partial_ns : INT64_MAX;
    int64_t end = n->data_ns + fs->conf->rotated_keep_ns;
    if (n->is_rotated && end < at) {
        at = end;
    }
    if (n->wd < 0) {
        int64_t poll = hd_clock_mono_ns() + POLL_NS;
        at = poll < at ? poll : at;
    }
    return at;
}

static void on_deadline(uv_timer_t *timer);

static void arm_deadline(struct file_source *fs)
{
    int64_t at = INT64_MAX;
    for (size_t i = 0; i < fs->n_nodes; i++) {
        int64_t one =
            fs->nodes[i]->is_ready ? INT64_MAX : node_deadline(fs, fs->nodes[i]);
        at = one < at ? one : at;
    }
    int64_t retry = hd_clock_mono_ns() + MEMORY_NS;
    at = fs->lacks_memory && retry < at ? retry : at;
    if (at == INT64_MAX || fs->is_paused) {
        (void)uv_timer_stop(&fs->deadline);
        return;
    }
    int64_t wait_ns = at - hd_clock_mono_ns();
    uint64_t wait_ms = wait_ns < 0 ? 0 : (uint64_t)(wait_ns / HD_NS_PER_MS) + 1;
    (void)uv_timer_start(&fs->deadline, on_deadline, wait_ms, 0);
}

static void on_turn(uv_idle_t *idle);

static void read_ready(struct file_source *fs)
{
    bool is_full = false;
    bool was_waiting = fs->is_waiting;
    size_t before = fs->n_nodes;
    for (unsigned i = 0; i < TURNS && fs->ready_head != NULL && !is_full; i++) {
        is_full = fs->is_paused || !read_node(fs, pop_ready(fs));
    }
    if (was_waiting && fs->n_nodes < before) {
        walk_all(fs);
    }
    if (fs->ready_head != NULL && !is_full) {
        (void)uv_idle_start(&fs->turn, on_turn);
    } else {
        (void)uv_idle_stop(&fs->turn);
        arm_deadline(fs);
    }
}

static void on_turn(uv_idle_t *idle)
{
    read_ready(HD_CONTAINER(idle, struct file_source, turn));
}

static void on_deadline(uv_timer_t *timer)
{
    struct file_source *fs = HD_CONTAINER(timer, struct file_source, deadline);
    int64_t now_ns = hd_clock_mono_ns();
    if (fs->lacks_memory) {
        walk_all(fs);
    }
    for (size_t i = 0; i < fs->n_nodes; i++) {
        struct node *n = fs->nodes[i];
        if (n->is_rotated && n->data_ns + fs->conf->rotated_keep_ns <= now_ns) {
            n->is_ending = true;
            n->flush = true;
            push_ready(fs, n);
        } else if (n->partial_ns != 0 && n->partial_ns <= now_ns) {
            n->flush = true;
            push_ready(fs, n);
        } else if (n->wd < 0) {
            push_ready(fs, n);
        }
    }
    read_ready(fs);
}

/* ---- inotify ---- */

static void on_file_event(void *ctx, int wd)
{
    struct file_source *fs = ctx;
    for (size_t i = 0; i < fs->n_nodes; i++) {
        if (fs->nodes[i]->wd == wd) {
            push_ready(fs, fs->nodes[i]);
            return;
        }
    }
}

static void on_names(void *ctx)
{
    walk_all(ctx);
}

static void on_moved(void *ctx, const char *path, const char *was)
{
    on_renamed(ctx, path, was, RENAMED_NOW);
}

static void on_overflow(void *ctx)
{
    struct file_source *fs = ctx;
    HD_LOG(WARN, "file", "file events were lost; looking at every file");
    walk_all(fs);
    for (size_t i = 0; i < fs->n_nodes; i++) {
        push_ready(fs, fs->nodes[i]);
    }
}

static void on_watch(uv_poll_t *poll, int status, int events);

static void on_coalesced(uv_timer_t *timer)
{
    struct file_source *fs = HD_CONTAINER(timer, struct file_source, coalesce);
    (void)uv_poll_start(&fs->poll, UV_READABLE, on_watch);
}

static void on_watch(uv_poll_t *poll, int status, int events)
{
    struct file_source *fs = HD_CONTAINER(poll, struct file_source, poll);
    (void)status;
    (void)events;
    col_watch_read(fs->watch);
    (void)uv_poll_stop(&fs->poll);
    (void)uv_timer_start(&fs->coalesce, on_coalesced, COALESCE_MS, 0);
    if (!fs->is_paused) {
        read_ready(fs);
    }
}

/* ---- ops ---- */

static void file_pause(struct col_source *source)
{
    struct file_source *fs = from_base(source);
    fs->is_paused = true;
    (void)uv_idle_stop(&fs->turn);
}

static void file_resume(struct col_source *source)
{
    struct file_source *fs = from_base(source);
    fs->is_paused = false;
    (void)uv_idle_start(&fs->turn, on_turn);
}

static void file_stats(const struct col_source *source, struct col_source_stats *out)
{
    const struct file_source *fs = HD_CONTAINER(source, const struct file_source, base);
    *out = fs->gone;
    for (size_t i = 0; i < fs->n_nodes; i++) {
        out->lines += fs->nodes[i]->tail.lines;
        out->bytes += fs->nodes[i]->tail.bytes;
        out->truncated += fs->nodes[i]->tail.truncated;
    }
    out->passed_over = fs->passed_over;
    out->state = fs->is_paused      ? "paused"
                 : fs->n_nodes == 0 ? "waiting for the file"
                 : fs->is_waiting   ? "too many files"
                                    : "open";
}

static void file_freed(void *ctx)
{
    struct file_source *fs = ctx;
    void (*closed)(void *) = fs->closed;
    void *closed_ctx = fs->closed_ctx;
    for (size_t i = 0; i < fs->n_nodes; i++) {
        free_node(fs, fs->nodes[i]);
    }
    col_watch_close(fs->watch);
    free(fs->nodes);
    free(fs->is_new);
    free(fs->since);
    free(fs->base.name);
    free(fs);
    if (closed != NULL) {
        closed(closed_ctx);
    }
}

static void close_handles(struct file_source *fs)
{
    hd_owner_close(&fs->owner, (uv_handle_t *)&fs->poll);
    hd_owner_close(&fs->owner, (uv_handle_t *)&fs->coalesce);
    hd_owner_close(&fs->owner, (uv_handle_t *)&fs->deadline);
    hd_owner_close(&fs->owner, (uv_handle_t *)&fs->turn);
    hd_owner_finish(&fs->owner);
}

static void file_close(struct col_source *source, void (*closed)(void *ctx), void *ctx)
{
    struct file_source *fs = from_base(source);
    fs->closed = closed;
    fs->closed_ctx = ctx;
    close_handles(fs);
}

static const struct col_source_ops file_ops = {.kind = "file",
                                               .pause = file_pause,
                                               .resume = file_resume,
                                               .stats = file_stats,
                                               .close = file_close};

/* ---- open ---- */

static struct hd_slice pattern_key(const char *pattern, uint8_t out[PATTERN_KEY_LEN])
{
    uint64_t hash = hd_hash_stable(hd_slice_str(pattern), 0);
    out[0] = 'p';
    memcpy(out + 1, &hash, sizeof(hash));
    return hd_slice(out, PATTERN_KEY_LEN);
}

/* The first walk tells patterns that were never watched from those that were: in the
 * latter, an unknown file came while no agent ran, and is read from its beginning. */
static void first_walk(struct file_source *fs)
{
    const struct col_sink *sink = fs->env->sink;
    uint64_t now_ns = (uint64_t)hd_clock_wall_ns();
    uint8_t key[PATTERN_KEY_LEN];
    for (size_t i = 0; i < fs->conf->n_paths; i++) {
        struct hd_slice mark =
            sink->last_mark(sink->ctx, pattern_key(fs->conf->paths[i], key));
        fs->is_new[i] = mark.len != sizeof(fs->since[i]);
        fs->since[i] = now_ns;
        if (!fs->is_new[i]) {
            memcpy(&fs->since[i], mark.ptr, mark.len);
        }
    }
    fs->is_first_walk = true;
    walk_all(fs);
    fs->is_first_walk = false;
    for (size_t i = 0; i < fs->conf->n_paths; i++) {
        sink->mark(sink->ctx, pattern_key(fs->conf->paths[i], key),
                   hd_slice(&fs->since[i], sizeof(fs->since[i])));
    }
}

static int init_parts(struct file_source *fs)
{
    const struct col_watch_ops ops = {on_file_event, on_names, on_moved, on_overflow, fs};
    fs->nodes = calloc((size_t)fs->conf->files_max, sizeof(struct node *));
    fs->is_new = calloc(fs->conf->n_paths, sizeof(*fs->is_new));
    fs->since = calloc(fs->conf->n_paths, sizeof(*fs->since));
    fs->base.name = strdup(fs->conf->paths[0]);
    if (fs->nodes == NULL || fs->is_new == NULL || fs->since == NULL ||
        fs->base.name == NULL) {
        return HD_ENOMEM;
    }
    return col_watch_open(&ops, &fs->watch);
}

static void init_handles(struct file_source *fs)
{
    uv_loop_t *loop = fs->env->loop;
    (void)uv_poll_init(loop, &fs->poll, col_watch_fd(fs->watch));
    (void)uv_timer_init(loop, &fs->coalesce);
    (void)uv_timer_init(loop, &fs->deadline);
    (void)uv_idle_init(loop, &fs->turn);
    hd_owner_add(&fs->owner, (uv_handle_t *)&fs->poll);
    hd_owner_add(&fs->owner, (uv_handle_t *)&fs->coalesce);
    hd_owner_add(&fs->owner, (uv_handle_t *)&fs->deadline);
    hd_owner_add(&fs->owner, (uv_handle_t *)&fs->turn);
}

int col_file_open(const struct col_source_env *env, const struct col_conf_source *conf,
                  struct col_source **out, char why[256])
{
    struct file_source *fs = calloc(1, sizeof(*fs));
    if (fs == NULL) {
        return HD_ENOMEM;
    }
    fs->base.ops = &file_ops;
    fs->env = env;
    fs->conf = conf;
    fs->multiline =
        (struct col_multiline){.kind = (enum col_multiline_kind)conf->multiline.kind,
                               .prefix = hd_slice_str(conf->multiline.starts_with),
                               .max_lines = (uint32_t)conf->multiline.max_lines,
                               .max_bytes = env->line_max};
    hd_owner_init(&fs->owner, file_freed, fs);
    int err = init_parts(fs);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "inotify: %s%s", hd_err_text(err),
                       err == HD_ELIMIT ? " (fs.inotify.max_user_instances)" : "");
        hd_owner_finish(&fs->owner);
        return err;
    }
    init_handles(fs);
    first_walk(fs);
    (void)uv_poll_start(&fs->poll, UV_READABLE, on_watch);
    (void)uv_idle_start(&fs->turn, on_turn);
    *out = &fs->base;
    return HD_OK;
}
