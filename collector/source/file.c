/* SPDX-License-Identifier: Apache-2.0
 *
 * Source `file`: decides when each file is read. Which files there are is discover.c, the
 * files that are followed nodes.c, the reading itself tail.c. Agent loop thread.
 *
 * A file is followed from when its name matches until nothing was written to it for
 * rotated_keep after its name stopped matching: a rotated file is read to its end through
 * its descriptor. inotify says when to look; after a look it is not asked again for
 * COALESCE_MS, so a busy file costs a few wake-ups a second and an idle one none. Files
 * take turns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/log.h>
#include <haidang/loop.h>

#include "collector/metrics.h"
#include "collector/source/discover.h"
#include "collector/source/guard.h"
#include "collector/source/nodes.h"
#include "collector/source/shadow.h"
#include "collector/source/source.h"
#include "collector/source/tail.h"
#include "collector/source/watch.h"

#define COALESCE_MS 40U
#define TOUCH_NS    (86400 * HD_NS_PER_SEC)
#define TURNS       8U /* reads before other handles of the loop have their turn */
#define POLL_NS     HD_NS_PER_SEC       /* of files that cannot be watched */
#define RETRY_NS    (HD_NS_PER_SEC / 4) /* then what failed is tried again */

struct file_source {
    struct col_source base;
    struct hd_owner owner;
    const struct col_source_env *env;
    const struct col_conf_source *conf;
    struct col_multiline multiline;
    struct col_watch *watch;
    struct col_nodes nodes;
    struct col_guard guard;
    struct col_discovery discovery;
    uv_poll_t poll;
    uv_timer_t coalesce, deadline;
    uv_idle_t turn;     /* runs while nodes are ready */
    int64_t touched_ns; /* monotonic: the marks of all files were, see touch_marks */
    bool is_paused;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

static struct file_source *from_base(struct col_source *source)
{
    return HD_CONTAINER(source, struct file_source, base);
}

/* ---- reading ---- */

static void after_read(struct file_source *fs, struct col_node *n,
                       enum col_tail_result result)
{
    int64_t now_ns = hd_clock_mono_ns();
    bool was_failing = n->retry_ns != 0;
    n->partial_ns = n->retry_ns = 0;
    switch (result) {
    case COL_TAIL_EOF:
        if (n->is_ending && col_guard_end(&fs->guard, n) == HD_OK) {
            col_nodes_end(&fs->nodes, n);
        } else if (n->is_ending) {
            n->retry_ns = now_ns + RETRY_NS;
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
        col_nodes_push_ready(&fs->nodes, n);
        break;
    case COL_TAIL_MORE:
        col_nodes_push_ready(&fs->nodes, n);
        break;
    case COL_TAIL_FULL:
        col_nodes_push_front(&fs->nodes, n);
        break;
    case COL_TAIL_ERROR:
        COL_COUNT(COL_FILE_ERRORS, 1);
        n->retry_ns = now_ns + RETRY_NS;
        n->data_ns = now_ns; /* a rotated one is not given up meanwhile */
        if (!was_failing) {
            HD_LOG(WARN, "file", "a file cannot be read; it is tried again and again",
                   HD_KV_STR("file", n->path), HD_KV_ERR(HD_EIO));
        }
        break;
    }
}

/* One turn of one file; false when the sink is full. */
static bool read_node(struct file_source *fs, struct col_node *n)
{
    const struct col_tail_opts opts = {.sink = fs->env->sink,
                                       .source = &n->source,
                                       .multiline = &fs->multiline,
                                       .line_max = fs->env->line_max,
                                       .scratch = fs->env->scratch};
    uint64_t before = n->tail.offset;
    if (col_shadow_waits(&fs->nodes, n)) {
        n->partial_ns = 0;
        return true;
    }
    bool flush = n->flush;
    enum col_tail_result result = col_tail_read(&n->tail, &opts, flush);
    if (result == COL_TAIL_RESTART && col_guard_restart(&fs->guard, n) != HD_OK) {
        result = COL_TAIL_FULL;
    } else if (result != COL_TAIL_RESTART && result != COL_TAIL_ERROR) {
        n->intact_ns = hd_clock_wall_ns();
    }
    n->flush = flush && (result == COL_TAIL_FULL || result == COL_TAIL_MORE);
    if (n->tail.offset != before) {
        n->data_ns = hd_clock_mono_ns();
        n->is_ending = n->is_new = false;
        col_guard_took(&fs->guard, n);
    }
    after_read(fs, n, result);
    return result != COL_TAIL_FULL;
}

static int64_t node_deadline(const struct file_source *fs, const struct col_node *n)
{
    int64_t at = n->partial_ns != 0 ? n->partial_ns : INT64_MAX;
    int64_t end = n->data_ns + fs->conf->rotated_keep_ns;
    if (n->is_rotated && end < at) {
        at = end;
    }
    if (n->retry_ns != 0) {
        at = n->retry_ns; /* before that it fails again */
    }
    if (n->judge_ns != 0 && n->judge_ns < at) {
        at = n->judge_ns;
    }
    if (n->shadow_ns != 0 && n->shadow_ns < at) {
        at = n->shadow_ns;
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
    for (size_t i = 0; i < fs->nodes.n; i++) {
        int64_t one = fs->nodes.list[i]->is_ready ? INT64_MAX
                                                  : node_deadline(fs, fs->nodes.list[i]);
        at = one < at ? one : at;
    }
    int64_t retry = hd_clock_mono_ns() + RETRY_NS;
    bool has_more = fs->discovery.is_incomplete || col_guard_is_behind(&fs->guard) ||
                    fs->nodes.ready_head != NULL; /* no room, and nobody paused us */
    at = has_more && retry < at ? retry : at;
    int64_t touch = fs->touched_ns + TOUCH_NS;
    at = touch < at ? touch : at;
    if (fs->is_paused) {
        (void)uv_timer_stop(&fs->deadline);
        return;
    }
    int64_t wait_ns = at - hd_clock_mono_ns();
    /* never at once: the loop runs a timer that starts itself so for ever */
    uint64_t wait_ms = wait_ns < 0 ? 1 : (uint64_t)(wait_ns / HD_NS_PER_MS) + 1;
    (void)uv_timer_start(&fs->deadline, on_deadline, wait_ms, 0);
}

static void on_turn(uv_idle_t *idle);

static void read_ready(struct file_source *fs)
{
    bool is_full = !fs->is_paused && col_guard_catch_up(&fs->guard) != HD_OK;
    bool was_waiting = fs->discovery.is_waiting;
    size_t before = fs->nodes.n;
    for (unsigned i = 0; i < TURNS && fs->nodes.ready_head != NULL && !is_full; i++) {
        is_full = fs->is_paused || !read_node(fs, col_nodes_pop_ready(&fs->nodes));
    }
    if (was_waiting && fs->nodes.n < before) {
        col_discover(&fs->discovery);
    }
    if (fs->nodes.ready_head != NULL && !is_full) {
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

/* Marks that nobody asks for are forgotten in the end. Those in use must not be, however
 * long nothing is written: after a restart all of such a file would be read again, and
 * of a pattern that was forgotten new files would be passed over. */
static void touch_marks(struct file_source *fs, int64_t now_ns)
{
    for (size_t i = 0; i < fs->nodes.n; i++) {
        struct col_node *n = fs->nodes.list[i];
        col_tail_touch(&n->tail, fs->env->sink);
        if (n->data_ns + TOUCH_NS <= now_ns) {
            col_guard_idle(&fs->guard, n);
        } else {
            col_guard_touch(&fs->guard, n);
        }
    }
    col_discover_touch(&fs->discovery);
    fs->touched_ns = now_ns;
}

static void on_deadline(uv_timer_t *timer)
{
    struct file_source *fs = HD_CONTAINER(timer, struct file_source, deadline);
    int64_t now_ns = hd_clock_mono_ns();
    if (fs->discovery.is_incomplete) {
        col_discover(&fs->discovery);
    }
    if (fs->touched_ns + TOUCH_NS <= now_ns) {
        touch_marks(fs, now_ns);
    }
    for (size_t i = 0; i < fs->nodes.n; i++) {
        struct col_node *n = fs->nodes.list[i];
        if (n->judge_ns != 0 && n->judge_ns <= now_ns) {
            col_guard_judge(&fs->guard, n);
        }
        if (n->retry_ns > now_ns) {
            continue;
        }
        if (n->is_rotated && n->data_ns + fs->conf->rotated_keep_ns <= now_ns) {
            n->is_ending = true;
            n->flush = true;
            col_nodes_push_ready(&fs->nodes, n);
        } else if (n->partial_ns != 0 && n->partial_ns <= now_ns) {
            n->flush = true;
            col_nodes_push_ready(&fs->nodes, n);
        } else if (n->wd < 0 || n->retry_ns != 0 ||
                   (n->shadow_ns != 0 && n->shadow_ns <= now_ns)) {
            col_nodes_push_ready(&fs->nodes, n);
        }
    }
    read_ready(fs);
}

/* ---- inotify ---- */

static void on_node_event(struct file_source *fs, struct col_node *n)
{
    col_nodes_push_ready(&fs->nodes, n);
    if (fs->is_paused) {
        col_tail_note_end(&n->tail);
    }
    col_guard_notice(&fs->guard, n);
}

static void on_file_event(void *ctx, int wd)
{
    struct file_source *fs = ctx;
    for (size_t i = 0; i < fs->nodes.n; i++) {
        if (fs->nodes.list[i]->wd == wd) {
            on_node_event(fs, fs->nodes.list[i]);
            return;
        }
    }
}

static void on_names(void *ctx)
{
    struct file_source *fs = ctx;
    col_discover(&fs->discovery);
}

static void on_moved(void *ctx, const char *path, const char *was)
{
    struct file_source *fs = ctx;
    col_discover_renamed(&fs->discovery, path, was);
}

static void on_overflow(void *ctx)
{
    struct file_source *fs = ctx;
    HD_LOG(WARN, "file", "file events were lost; looking at every file");
    col_discover(&fs->discovery);
    for (size_t i = 0; i < fs->nodes.n; i++) {
        col_nodes_push_ready(&fs->nodes, fs->nodes.list[i]);
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
    col_nodes_stats(&fs->nodes, out);
    out->passed_over = fs->discovery.passed_over;
    out->state = fs->is_paused              ? "paused"
                 : fs->nodes.n == 0         ? "waiting for the file"
                 : fs->discovery.is_waiting ? "too many files"
                                            : "open";
}

static void file_freed(void *ctx)
{
    struct file_source *fs = ctx;
    void (*closed)(void *) = fs->closed;
    void *closed_ctx = fs->closed_ctx;
    col_guard_fini(&fs->guard);
    col_nodes_fini(&fs->nodes);
    col_discovery_fini(&fs->discovery);
    col_watch_close(fs->watch);
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

static int init_parts(struct file_source *fs)
{
    const struct col_watch_ops ops = {on_file_event, on_names, on_moved, on_overflow, fs};
    fs->base.name = strdup(fs->conf->paths[0]);
    int err = fs->base.name == NULL ? HD_ENOMEM : col_watch_open(&ops, &fs->watch);
    err = err == HD_OK ? col_nodes_init(&fs->nodes, fs->env, fs->conf, fs->watch) : err;
    return err == HD_OK ? col_discovery_init(&fs->discovery, &fs->nodes, &fs->guard)
                        : err;
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
    col_guard_init(&fs->guard, &fs->nodes);
    int err = init_parts(fs);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "inotify: %s%s", hd_err_text(err),
                       err == HD_ELIMIT ? " (fs.inotify.max_user_instances)" : "");
        hd_owner_finish(&fs->owner);
        return err;
    }
    init_handles(fs);
    fs->touched_ns = hd_clock_mono_ns();
    col_discover_first(&fs->discovery);
    (void)uv_poll_start(&fs->poll, UV_READABLE, on_watch);
    (void)uv_idle_start(&fs->turn, on_turn);
    *out = &fs->base;
    return HD_OK;
}
