/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop: lines are sent as long as few enough are on their way (a datagram that no
 * buffer holds is lost), and whenever a journal has grown it is read. Nothing is asked
 * for at intervals; the timer stands at the time when the next shot is given up.
 */
#include "console/canary/canary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/loop.h>

#define ON_WAY_MAX 64U /* lines of one target */

struct watch { /* of one journal */
    uv_poll_t poll;
    struct run *run;
};

struct run {
    const struct con_canary_run_opts *opts;
    uv_loop_t loop;
    struct hd_owner owner;
    uv_timer_t timer;
    struct watch watches[CON_CANARY_JOURNALS];
    unsigned n_watches;
    size_t n_over;
    struct hd_buf line;
    bool is_stopping;
    int err;
};

static void advance(struct run *run);

/* ---- one shot ---- */

static void shot_over(struct run *run, struct con_canary_shot *shot)
{
    shot->is_over = true;
    shot->target->on_way -= shot->target->on_way < shot->sent - shot->archived
                                ? shot->target->on_way
                                : shot->sent - shot->archived;
    run->n_over++;
    run->opts->on_over(run->opts->ctx, shot);
}

static void give_up(struct run *run, struct con_canary_shot *shot, const char *why)
{
    if (shot->why[0] == '\0') {
        (void)snprintf(shot->why, sizeof(shot->why), "%s", why);
    }
    shot_over(run, shot);
}

static const char *what_is_missing(const struct con_canary_shot *shot)
{
    return shot->sent < shot->parts       ? "it could not be sent in time"
           : shot->archived < shot->parts ? "it is not in the archive"
           : shot->alert_ns == 0          ? "it raised no alert"
                                          : "the forwarder has no receipt of it";
}

static bool has_arrived(const struct run *run, const struct con_canary_shot *shot)
{
    return con_canary_trace_has_receipts(run->opts->trace) ? shot->receipt_ns != 0
                                                           : shot->alert_ns != 0;
}

static int64_t deadline_of(const struct run *run, const struct con_canary_shot *shot)
{
    return shot->sent_ns + run->opts->timeout_ns;
}

/* ---- sending ---- */

static int send_part(struct run *run, struct con_canary_shot *shot)
{
    hd_buf_clear(&run->line);
    int err = con_canary_plan_line(shot, run->opts->key, &run->line);
    if (err == HD_OK) {
        err = shot->target->ops->send(shot->target, hd_buf_slice(&run->line));
    }
    if (err == HD_OK) {
        shot->sent++;
        shot->sent_ns = hd_clock_mono_ns();
        shot->target->on_way++;
    }
    return err;
}

/* As much as may be on its way. A shot that is queued behind others has no time yet. */
static void send_shot(struct run *run, struct con_canary_shot *shot)
{
    struct con_canary_target *target = shot->target;
    int err = HD_OK;
    while (err == HD_OK && target->is_ready && shot->sent < shot->parts &&
           target->on_way < ON_WAY_MAX) {
        err = send_part(run, shot);
    }
    if (err != HD_OK && err != HD_EAGAIN) {
        give_up(run, shot,
                target->why[0] != '\0' ? target->why
                : err == HD_EINVAL     ? "its example cannot be put into a line"
                                       : hd_err_text(err));
    }
}

/* Shots of one target follow one another: the next begins when all of this are sent. */
static void send_all(struct run *run)
{
    const struct con_canary_target *waiting = NULL;
    for (size_t i = 0; i < run->opts->plan->n; i++) {
        struct con_canary_shot *shot = &run->opts->plan->shots[i];
        if (shot->is_over || shot->target == waiting) {
            continue;
        }
        if (shot->target->why[0] != '\0') {
            give_up(run, shot, shot->target->why);
            continue;
        }
        send_shot(run, shot);
        waiting = !shot->is_over && shot->sent < shot->parts ? shot->target : waiting;
    }
}

/* ---- waiting ---- */

static void judge_all(struct run *run)
{
    int64_t now_ns = hd_clock_mono_ns();
    for (size_t i = 0; i < run->opts->plan->n; i++) {
        struct con_canary_shot *shot = &run->opts->plan->shots[i];
        if (shot->is_over) {
            continue;
        }
        if (shot->why[0] != '\0' || has_arrived(run, shot)) {
            shot_over(run, shot);
        } else if (shot->sent_ns != 0 && now_ns >= deadline_of(run, shot)) {
            give_up(run, shot, what_is_missing(shot));
        }
    }
}

static void on_timer(uv_timer_t *timer)
{
    advance(HD_CONTAINER(timer, struct run, timer));
}

static void set_timer(struct run *run)
{
    int64_t next_ns = INT64_MAX, now_ns = hd_clock_mono_ns();
    for (size_t i = 0; i < run->opts->plan->n; i++) {
        const struct con_canary_shot *shot = &run->opts->plan->shots[i];
        if (!shot->is_over && shot->sent_ns != 0 && deadline_of(run, shot) < next_ns) {
            next_ns = deadline_of(run, shot);
        }
    }
    if (next_ns != INT64_MAX) {
        int64_t wait_ns = next_ns > now_ns ? next_ns - now_ns : 0;
        (void)uv_timer_start(&run->timer, on_timer,
                             (uint64_t)(wait_ns / HD_NS_PER_MS) + 1, 0);
    }
}

static void stop(struct run *run)
{
    if (run->is_stopping) {
        return;
    }
    run->is_stopping = true;
    for (size_t i = 0; i < run->opts->targets->n; i++) {
        struct con_canary_target *target = &run->opts->targets->list[i];
        target->ops->close(target);
    }
    for (unsigned i = 0; i < run->n_watches; i++) {
        hd_owner_close(&run->owner, (uv_handle_t *)&run->watches[i].poll);
    }
    hd_owner_close(&run->owner, (uv_handle_t *)&run->timer);
}

/* Whatever has happened: what has come is read, what can be sent is sent. */
static void advance(struct run *run)
{
    if (run->is_stopping) {
        return;
    }
    run->err = con_canary_trace_read(run->opts->trace);
    if (run->err == HD_OK) {
        judge_all(run);
        send_all(run);
    }
    if (run->err != HD_OK || run->n_over == run->opts->plan->n) {
        stop(run);
    } else {
        set_timer(run);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    advance(HD_CONTAINER(poll, struct watch, poll)->run);
}

static void on_ready(void *ctx)
{
    advance(ctx);
}

/* ---- begin ---- */

static int watch_journals(struct run *run)
{
    int fds[CON_CANARY_JOURNALS];
    int n = con_canary_trace_fds(run->opts->trace, fds);
    for (int i = 0; i < n; i++) {
        struct watch *watch = &run->watches[i];
        int status = uv_poll_init(&run->loop, &watch->poll, fds[i]);
        if (status != 0) {
            return hd_err_from_uv(status);
        }
        watch->run = run;
        hd_owner_add(&run->owner, (uv_handle_t *)&watch->poll);
        run->n_watches++;
        (void)uv_poll_start(&watch->poll, UV_READABLE, on_poll);
    }
    return n < 0 ? n : HD_OK;
}

static void open_targets(struct run *run)
{
    for (size_t i = 0; i < run->opts->targets->n; i++) {
        struct con_canary_target *target = &run->opts->targets->list[i];
        target->on_ready = on_ready;
        target->ctx = run;
        target->ops->open(target, &run->loop);
    }
}

int con_canary_run(const struct con_canary_run_opts *opts)
{
    struct run run = {.opts = opts};
    int status = uv_loop_init(&run.loop);
    if (status != 0) {
        return hd_err_from_uv(status);
    }
    hd_buf_init(&run.line, 0);
    hd_owner_init(&run.owner, NULL, NULL);
    (void)uv_timer_init(&run.loop, &run.timer);
    hd_owner_add(&run.owner, (uv_handle_t *)&run.timer);
    run.err = watch_journals(&run);
    if (run.err == HD_OK) {
        open_targets(&run);
        advance(&run);
    } else {
        stop(&run);
    }
    (void)uv_run(&run.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&run.loop);
    hd_buf_fini(&run.line);
    return run.err;
}
