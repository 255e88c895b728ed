/* SPDX-License-Identifier: Apache-2.0 */
#include "forwarder/stamps.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/log.h>
#include <haidang/loop.h>
#include <haidang/slice.h>
#include <haidang/stamp.h>

#include "forwarder/metrics.h"
#include "forwarder/stamp_queue.h"

#define MODULE     "timestamp"
#define LOOK_MS    2000U
#define REPLY_MODE 0640
#define ERROR_MAX  320U

struct fwd_stamps {
    struct fwd_stamps_opts opts;
    struct hd_owner owner;
    uv_timer_t timer;
    uv_work_t work; /* what touches the disk is done aside, one thing at a time: */
    int (*aside)(struct fwd_stamps *stamps);
    void (*after)(struct fwd_stamps *stamps, int err);
    int result;
    bool is_busy; /* the work has `queue`, `request`, `reply` and `ask` */
    bool is_gone; /* the timer */
    char *own_dir;
    struct fwd_stamp_queue queue;
    struct fwd_stamp_ask ask; /* at hand */
    struct hd_buf request, reply;
    struct fwd_http_target target;
    struct fwd_http_call *call; /* NULL: none is on its way */
    struct hd_stamp_ca *ca;
    struct hd_backoff backoff;
    uint64_t pending, stamped;
    int64_t look_ns;    /* look again then; monotonic */
    int64_t failing_ns; /* since then, monotonic; 0 = all is well */
    int64_t last_ns;    /* when the last stamp was put there */
    char error[ERROR_MAX];
};

static void go_on(struct fwd_stamps *s);
static void close_idle(struct fwd_stamps *s);
static void on_timer(uv_timer_t *timer);

static void again_in(struct fwd_stamps *s, uint64_t ms)
{
    (void)uv_timer_start(&s->timer, on_timer, ms, 0);
}

/* ---- aside ---- */

static void work(uv_work_t *request)
{
    struct fwd_stamps *s = HD_CONTAINER(request, struct fwd_stamps, work);
    s->result = s->aside(s);
}

static void worked(uv_work_t *request, int status)
{
    struct fwd_stamps *s = HD_CONTAINER(request, struct fwd_stamps, work);
    (void)status; /* nobody cancels it */
    s->is_busy = false;
    if (hd_owner_is_open(&s->owner)) {
        s->after(s, s->result);
    } else {
        close_idle(s);
    }
}

/* `aside` on another thread, then `after` on the loop, unless we are closed. */
static void do_aside(struct fwd_stamps *s, int (*aside)(struct fwd_stamps *stamps),
                     void (*after)(struct fwd_stamps *stamps, int err))
{
    s->aside = aside;
    s->after = after;
    s->is_busy = uv_queue_work(s->opts.loop, &s->work, work, worked) == 0;
    if (hd_fails(s->is_busy)) { /* it has all its arguments */
        again_in(s, LOOK_MS);
    }
}

/* ---- how it went ---- */

static void fail(struct fwd_stamps *s, const char *what, const char *why)
{
    (void)snprintf(s->error, sizeof(s->error), "%s%s", what, why);
    HD_METRIC_ADD(fwd_metrics, FWD_M_STAMPS_FAILED, 1);
    HD_LOG(WARN, MODULE, "no time stamp", HD_KV_STR("url", s->opts.conf->url),
           HD_KV_STR("why", s->error));
    s->failing_ns = s->failing_ns == 0 ? hd_clock_mono_ns() : s->failing_ns;
    again_in(s, hd_backoff_next_ms(&s->backoff));
}

/* The request at hand; others have their turn before it is tried again. */
static void fail_ask(struct fwd_stamps *s, const char *what, const char *why)
{
    fwd_stamp_queue_set_aside(&s->queue);
    fail(s, what, why);
}

/* ---- one request ---- */

static int store(struct fwd_stamps *s)
{
    char path[PATH_MAX];
    int err =
        hd_stamp_file(s->ask.dir, s->ask.first, HD_STAMP_REPLY_END, path, sizeof(path));
    return err == HD_OK ? hd_fs_write_atomic(path, hd_buf_slice(&s->reply), REPLY_MODE)
                        : err;
}

static void stored(struct fwd_stamps *s, int err)
{
    if (err != HD_OK) {
        fail_ask(s, "the stamp cannot be stored: ", hd_err_text(err));
        return;
    }
    HD_METRIC_ADD(fwd_metrics, FWD_M_STAMPED, 1);
    s->stamped++;
    s->pending = fwd_stamp_queue_waiting(&s->queue);
    s->last_ns = hd_clock_wall_ns();
    s->failing_ns = 0;
    s->error[0] = '\0';
    hd_backoff_reset(&s->backoff);
    go_on(s);
}

static void on_answer(void *ctx, const struct fwd_http_result *result)
{
    struct fwd_stamps *s = ctx;
    char why[HD_STAMP_WHY] = "";
    s->call = NULL;
    if (result->err != HD_OK) {
        fail_ask(s, "", result->error);
    } else if (result->status != 200) {
        (void)snprintf(why, sizeof(why), "%ld", result->status);
        fail_ask(s, "the authority answers with HTTP status ", why);
    } else if (hd_stamp_verify_reply(s->ca, hd_buf_slice(&s->request),
                                     s->opts.conf->policy, result->body, why) != HD_OK) {
        fail_ask(s, "the reply is refused: ", why);
    } else {
        hd_buf_clear(&s->reply);
        hd_buf_slice_add(&s->reply, result->body);
        do_aside(s, store, stored);
    }
}

/* HD_EEXIST: somebody has answered it. */
static int read_request(struct fwd_stamps *s)
{
    char request[PATH_MAX], reply[PATH_MAX];
    const struct fwd_stamp_ask *ask = &s->ask;
    int err = hd_stamp_file(ask->dir, ask->first, HD_STAMP_REQUEST_END, request,
                            sizeof(request));
    err = err == HD_OK ? hd_stamp_file(ask->dir, ask->first, HD_STAMP_REPLY_END, reply,
                                       sizeof(reply))
                       : err;
    hd_buf_clear(&s->request);
    if (err == HD_OK && access(reply, F_OK) == 0) {
        return HD_EEXIST;
    }
    return err == HD_OK ? hd_fs_read(request, HD_STAMP_MAX, &s->request) : err;
}

static void send_request(struct fwd_stamps *s, int err)
{
    if (err == HD_EEXIST || err == HD_ENOENT) { /* its segment is gone */
        go_on(s);
        return;
    }
    err = err == HD_OK ? fwd_http_send(s->opts.http, &s->target,
                                       hd_buf_slice(&s->request), on_answer, s, &s->call)
                       : err;
    if (err != HD_OK) {
        fail_ask(s, "a request cannot be read or sent: ", hd_err_text(err));
    }
}

/* ---- which is next ---- */

static int look(struct fwd_stamps *s)
{
    return fwd_stamp_queue_look(&s->queue);
}

static void next(struct fwd_stamps *s)
{
    s->pending = fwd_stamp_queue_waiting(&s->queue);
    if (fwd_stamp_queue_take(&s->queue, &s->ask)) {
        do_aside(s, read_request, send_request);
    } else {
        again_in(s, LOOK_MS);
    }
}

/* What cannot be read keeps what waits not back. */
static void looked(struct fwd_stamps *s, int err)
{
    s->pending = fwd_stamp_queue_waiting(&s->queue);
    if (err != HD_OK && s->pending == s->queue.set_aside) {
        fail(s, "the requests cannot be read: ", hd_err_text(err));
    } else {
        next(s);
    }
}

static void go_on(struct fwd_stamps *s)
{
    int64_t now_ns = hd_clock_mono_ns();
    if (now_ns < s->look_ns) {
        next(s);
        return;
    }
    s->look_ns = now_ns + (int64_t)LOOK_MS * HD_NS_PER_MS;
    do_aside(s, look, looked);
}

static void on_timer(uv_timer_t *timer)
{
    struct fwd_stamps *s = HD_CONTAINER(timer, struct fwd_stamps, timer);
    if (s->call == NULL && !s->is_busy) {
        go_on(s);
    }
}

/* ---- life ---- */

int fwd_stamps_check(const struct fwd_conf_timestamp *conf, struct hd_diags *diags)
{
    struct hd_stamp_ca *ca = NULL;
    int err = hd_stamp_ca_load(conf->ca, &ca);
    hd_stamp_ca_free(ca);
    if (err != HD_OK) {
        hd_diag_error(diags, NULL, 0, 0, "timestamp.ca: %s: %s", conf->ca,
                      err == HD_EPARSE ? "no PEM certificate in it" : hd_err_text(err));
        return HD_EXIT_CERT;
    }
    return HD_EXIT_OK;
}

static void stamps_free(struct fwd_stamps *s)
{
    if (s == NULL) {
        return;
    }
    hd_stamp_ca_free(s->ca);
    hd_buf_fini(&s->request);
    hd_buf_fini(&s->reply);
    fwd_stamp_queue_fini(&s->queue);
    free(s->own_dir);
    free(s);
}

/* When nothing of it is at work any more. */
static void close_idle(struct fwd_stamps *s)
{
    if (s->is_busy || !s->is_gone) {
        return;
    }
    void (*freed)(void *ctx) = s->opts.freed;
    void *ctx = s->opts.ctx;
    stamps_free(s);
    freed(ctx);
}

static void timer_gone(void *ctx)
{
    struct fwd_stamps *s = ctx;
    s->is_gone = true;
    close_idle(s);
}

/* Where the correlator asks, and where we ask for the receipts. */
static int open_queue(struct fwd_stamps *s, const struct fwd_stamps_opts *opts)
{
    size_t n = opts->conf->n_dirs;
    const char **dirs = calloc(n + 1, sizeof(*dirs));
    s->own_dir = hd_slice_dup(hd_slice_str(opts->own_dir));
    int err = dirs == NULL || s->own_dir == NULL ? HD_ENOMEM : HD_OK;
    if (err == HD_OK) {
        memcpy(dirs, opts->conf->dirs, n * sizeof(*dirs));
        dirs[n] = s->own_dir;
        err = fwd_stamp_queue_init(&s->queue, dirs, n + 1);
    }
    free(dirs);
    return err;
}

int fwd_stamps_open(const struct fwd_stamps_opts *opts, struct fwd_stamps **out)
{
    const struct fwd_conf_timestamp *conf = opts->conf;
    struct fwd_stamps *s = calloc(1, sizeof(*s));
    int err = s == NULL ? HD_ENOMEM : hd_stamp_ca_load(conf->ca, &s->ca);
    err = err == HD_OK ? open_queue(s, opts) : err;
    if (err != HD_OK) {
        stamps_free(s);
        return err;
    }
    s->opts = *opts;
    s->target = (struct fwd_http_target){
        .url = conf->url,
        .method = FWD_POST,
        .content_type = "application/timestamp-query",
        .ca_file = conf->tls_ca,
        .connect_timeout_ms = (uint64_t)(conf->timeout / HD_NS_PER_MS),
        .timeout_ms = (uint64_t)(conf->timeout / HD_NS_PER_MS),
        .response_max = HD_STAMP_MAX,
        .is_plain_allowed = true,
    };
    s->backoff = (struct hd_backoff){
        .base_ms = (uint64_t)(conf->retry_first / HD_NS_PER_MS),
        .cap_ms = (uint64_t)(conf->retry_max / HD_NS_PER_MS),
        .floor_ms = (uint64_t)(conf->retry_first / HD_NS_PER_MS),
    };
    hd_buf_init(&s->request, HD_STAMP_MAX + 1);
    hd_buf_init(&s->reply, HD_STAMP_MAX + 1);
    hd_owner_init(&s->owner, timer_gone, s);
    (void)uv_timer_init(opts->loop, &s->timer);
    hd_owner_add(&s->owner, (uv_handle_t *)&s->timer);
    again_in(s, 0);
    *out = s;
    return HD_OK;
}

void fwd_stamps_reload(struct fwd_stamps *s)
{
    struct hd_stamp_ca *ca = NULL;
    int err = hd_stamp_ca_load(s->opts.conf->ca, &ca);
    if (err == HD_OK) {
        hd_stamp_ca_free(s->ca);
        s->ca = ca;
    } else {
        HD_LOG(ERROR, MODULE, "not reloaded: it goes on as before",
               HD_KV_STR("ca", s->opts.conf->ca), HD_KV_ERR(err));
    }
    hd_backoff_reset(&s->backoff);
    again_in(s, 0);
}

void fwd_stamps_close(struct fwd_stamps *s)
{
    if (s->call != NULL) {
        fwd_http_cancel(s->call);
        s->call = NULL;
    }
    hd_owner_close(&s->owner, (uv_handle_t *)&s->timer);
    hd_owner_finish(&s->owner);
}

/* ---- telling ---- */

static uint64_t failing_s(const struct fwd_stamps *s)
{
    return s->failing_ns == 0
               ? 0
               : (uint64_t)((hd_clock_mono_ns() - s->failing_ns) / HD_NS_PER_SEC);
}

void fwd_stamps_refresh(const struct fwd_stamps *s)
{
    HD_METRIC_SET(fwd_metrics, FWD_M_STAMPS_PENDING, s->pending);
    HD_METRIC_SET(fwd_metrics, FWD_M_STAMPS_FAILING, failing_s(s));
}

void fwd_stamps_status(const struct fwd_stamps *s, struct hd_json *j)
{
    hd_json_object(j, "timestamp");
    hd_json_cstr(j, "url", s->opts.conf->url);
    hd_json_u64(j, "stamped", s->stamped);
    hd_json_u64(j, "pending", s->pending);
    if (s->last_ns > 0) {
        hd_json_time(j, "last", s->last_ns, 3);
    }
    hd_json_u64(j, "failing_s", failing_s(s));
    hd_json_cstr(j, "last_error", s->error);
    hd_json_end(j, '}');
}

bool fwd_stamps_problem(const struct fwd_stamps *s, char text[384])
{
    uint64_t since_s = failing_s(s);
    if (s->failing_ns == 0 || since_s < (uint64_t)(s->opts.conf->alarm / HD_NS_PER_SEC)) {
        return false;
    }
    (void)snprintf(text, 384, "no time stamps for %llu s: %.300s",
                   (unsigned long long)since_s, s->error);
    return true;
}
