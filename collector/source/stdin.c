/* SPDX-License-Identifier: Apache-2.0
 *
 * Source `stdin`: lines of a pipe, a terminal or a redirected file. What epoll cannot
 * watch (regular files) is read in turns of an idle handle.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/log.h>
#include <haidang/loop.h>

#include "collector/conf.h"
#include "collector/metrics.h"
#include "collector/source/lines.h"
#include "collector/source/source.h"
#include "collector/source/zone.h"

#define READ_LEN     65536U
#define COALESCE_MS  10U
#define COALESCE_MAX 4096U /* a read of more than this is not slow */

struct stdin_source {
    struct col_source base;
    struct hd_owner owner;
    const struct col_source_env *env;
    struct hd_batch_source source;
    struct col_lines lines;
    int fd;
    bool can_poll, is_paused, is_ended;
    uv_poll_t poll;
    uv_idle_t turn;
    uv_timer_t coalesce;
    struct col_source_stats stats;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

static void on_readable(uv_poll_t *poll, int status, int events);
static void on_turn(uv_idle_t *turn);

static struct stdin_source *from_base(struct col_source *source)
{
    return HD_CONTAINER(source, struct stdin_source, base);
}

static void start_reading(struct stdin_source *ss)
{
    if (ss->is_paused || ss->is_ended || ss->lines.is_full) {
        return;
    }
    if (ss->can_poll) {
        (void)uv_poll_start(&ss->poll, UV_READABLE, on_readable);
    } else {
        (void)uv_idle_start(&ss->turn, on_turn);
    }
}

static void stop_reading(struct stdin_source *ss)
{
    (void)uv_idle_stop(&ss->turn);
    if (ss->can_poll) {
        (void)uv_poll_stop(&ss->poll);
    }
}

static void on_coalesced(uv_timer_t *timer)
{
    start_reading(HD_CONTAINER(timer, struct stdin_source, coalesce));
}

static void end_input(struct stdin_source *ss)
{
    stop_reading(ss);
    ss->is_ended = true;
    col_lines_end(&ss->lines);
    HD_LOG(INFO, "stdin", "standard input has ended",
           HD_KV_UINT("lines", ss->stats.lines));
    if (ss->env->at_end != NULL) {
        ss->env->at_end(ss->env->ctx);
    }
}

/* Bytes read; 0 at the end; < 0 nothing now. */
static ssize_t read_some(struct stdin_source *ss)
{
    ssize_t n = read(ss->fd, ss->env->scratch, READ_LEN);
    if (n > 0) {
        int err = col_lines_feed(&ss->lines, hd_slice(ss->env->scratch, (size_t)n));
        if (err == HD_EFULL) {
            stop_reading(ss);
        } else if (err != HD_OK) {
            HD_LOG(ERROR, "stdin", "what was read cannot be kept and is lost",
                   HD_KV_INT("bytes", n), HD_KV_ERR(err));
        }
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        if (n < 0) {
            HD_LOG(ERROR, "stdin", "cannot read", HD_KV_ERR(hd_err_from_errno(errno)));
        }
        end_input(ss);
    }
    return n;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct stdin_source *ss = HD_CONTAINER(poll, struct stdin_source, poll);
    (void)status;
    (void)events;
    ssize_t n = read_some(ss);
    if (n > 0 && n < (ssize_t)COALESCE_MAX && !ss->lines.is_full) {
        (void)uv_poll_stop(&ss->poll);
        (void)uv_timer_start(&ss->coalesce, on_coalesced, COALESCE_MS, 0);
    }
}

static void on_turn(uv_idle_t *turn)
{
    (void)read_some(HD_CONTAINER(turn, struct stdin_source, turn));
}

/* ---- ops ---- */

static void stdin_pause(struct col_source *source)
{
    struct stdin_source *ss = from_base(source);
    ss->is_paused = true;
    stop_reading(ss);
}

static void stdin_resume(struct col_source *source)
{
    struct stdin_source *ss = from_base(source);
    ss->is_paused = false;
    if (!ss->lines.is_full || col_lines_retry(&ss->lines) == HD_OK) {
        start_reading(ss);
    }
}

static void stdin_stats(const struct col_source *source, struct col_source_stats *out)
{
    const struct stdin_source *ss = HD_CONTAINER(source, const struct stdin_source, base);
    *out = ss->stats;
    out->state = ss->is_ended ? "ended" : ss->is_paused ? "paused" : "open";
}

static void stdin_freed(void *ctx)
{
    struct stdin_source *ss = ctx;
    void (*closed)(void *) = ss->closed;
    void *closed_ctx = ss->closed_ctx;
    col_lines_fini(&ss->lines);
    free(ss->base.name);
    free(ss);
    if (closed != NULL) {
        closed(closed_ctx);
    }
}

static void stdin_close(struct col_source *source, void (*closed)(void *ctx), void *ctx)
{
    struct stdin_source *ss = from_base(source);
    ss->closed = closed;
    ss->closed_ctx = ctx;
    if (!ss->is_ended) {
        stop_reading(ss);
        col_lines_end(&ss->lines);
    }
    hd_owner_close(&ss->owner, (uv_handle_t *)&ss->turn);
    hd_owner_close(&ss->owner, (uv_handle_t *)&ss->coalesce);
    if (ss->can_poll) {
        hd_owner_close(&ss->owner, (uv_handle_t *)&ss->poll);
    }
    hd_owner_finish(&ss->owner);
}

static const struct col_source_ops stdin_ops = {.kind = "stdin",
                                                .is_stream = true,
                                                .pause = stdin_pause,
                                                .resume = stdin_resume,
                                                .stats = stdin_stats,
                                                .close = stdin_close};

int col_stdin_open(const struct col_source_env *env, const struct col_conf_source *conf,
                   struct col_source **out, char why[256])
{
    struct stat st;
    if (fstat(STDIN_FILENO, &st) != 0) {
        (void)snprintf(why, 256, "standard input is closed");
        return HD_EINVAL;
    }
    struct stdin_source *ss = calloc(1, sizeof(*ss));
    if (ss == NULL) {
        return HD_ENOMEM;
    }
    ss->base.ops = &stdin_ops;
    ss->base.name = strdup(conf->name != NULL && conf->name[0] ? conf->name : "stdin");
    ss->env = env;
    ss->fd = STDIN_FILENO;
    ss->source = (struct hd_batch_source){.host = env->host,
                                          .kind = HD_SLICE("stdin"),
                                          .name = hd_slice_str(ss->base.name),
                                          .format = hd_slice_str(conf->format),
                                          .zone = col_zone_of(conf, env)};
    col_lines_init(&ss->lines, COL_FRAMING_LF, env->line_max, env->sink, &ss->source,
                   &ss->stats);
    hd_owner_init(&ss->owner, stdin_freed, ss);
    if (ss->base.name == NULL) {
        hd_owner_finish(&ss->owner);
        return HD_ENOMEM;
    }
    (void)uv_idle_init(env->loop, &ss->turn);
    hd_owner_add(&ss->owner, (uv_handle_t *)&ss->turn);
    (void)uv_timer_init(env->loop, &ss->coalesce);
    hd_owner_add(&ss->owner, (uv_handle_t *)&ss->coalesce);
    ss->can_poll = uv_poll_init(env->loop, &ss->poll, ss->fd) == 0;
    if (ss->can_poll) {
        hd_owner_add(&ss->owner, (uv_handle_t *)&ss->poll);
    }
    start_reading(ss);
    *out = &ss->base;
    return HD_OK;
}
