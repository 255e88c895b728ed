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
#include <haidang/stamp.h>

#include "forwarder/metrics.h"

#define MODULE     "timestamp"
#define LOOK_MS    2000U
#define REPLY_MODE 0640
#define ERROR_MAX  320U

struct fwd_stamps {
    struct fwd_stamps_opts opts;
    struct hd_owner owner;
    uv_timer_t timer;
    struct fwd_http_target target;
    struct fwd_http_call *call; /* NULL: none is on its way */
    struct hd_stamp_ca *ca;
    struct hd_backoff backoff;
    struct hd_buf request;
    char reply_path[PATH_MAX]; /* of the request at hand */
    uint64_t pending, stamped;
    int64_t failing_ns; /* since then, monotonic; 0 = all is well */
    int64_t last_ns;    /* when the last stamp was put there */
    char error[ERROR_MAX];
};

/* ---- which is next ---- */

struct look {
    struct fwd_stamps *stamps;
    const char *dir;
    uint64_t newest; /* of this directory that has no reply */
};

static bool make_path(char out[PATH_MAX], const char *dir, const char *stem, int stem_len,
                      const char *end)
{
    int len = snprintf(out, PATH_MAX, "%s/%.*s%s", dir, stem_len, stem, end);
    return len > 0 && len < PATH_MAX;
}

static int see(void *ctx, const char *name)
{
    struct look *look = ctx;
    char reply[PATH_MAX];
    uint64_t first = 0;
    int stem = (int)(strlen(name) - strlen(HD_STAMP_REQUEST_END));
    if (!hd_stamp_name_parse(name, HD_STAMP_REQUEST_END, &first) ||
        !make_path(reply, look->dir, name, stem, HD_STAMP_REPLY_END) ||
        access(reply, F_OK) == 0) {
        return HD_OK;
    }
    look->stamps->pending++;
    if (first > look->newest) {
        look->newest = first;
    }
    return HD_OK;
}

/* The newest request of the first directory that has one. HD_ENOENT: there is none. */
static int find_next(struct fwd_stamps *s, char request[PATH_MAX])
{
    const struct fwd_conf_timestamp *conf = s->opts.conf;
    int err = HD_OK;
    bool is_found = false;
    s->pending = 0;
    for (size_t i = 0; err == HD_OK && i < conf->n_dirs; i++) {
        struct look look = {.stamps = s, .dir = conf->dirs[i]};
        char stem[32];
        err = hd_fs_each(look.dir, see, &look);
        err = err == HD_ENOENT ? HD_OK : err; /* nothing was sealed yet */
        if (err == HD_OK && look.newest > 0 && !is_found) {
            int len =
                snprintf(stem, sizeof(stem), "%020llu", (unsigned long long)look.newest);
            is_found = make_path(request, look.dir, stem, len, HD_STAMP_REQUEST_END) &&
                       make_path(s->reply_path, look.dir, stem, len, HD_STAMP_REPLY_END);
        }
    }
    return err != HD_OK || is_found ? err : HD_ENOENT;
}

/* ---- how it went ---- */

static void again_in(struct fwd_stamps *s, uint64_t ms);

static void fail(struct fwd_stamps *s, const char *what, const char *why)
{
    (void)snprintf(s->error, sizeof(s->error), "%s%s", what, why);
    HD_METRIC_ADD(fwd_metrics, FWD_M_STAMPS_FAILED, 1);
    HD_LOG(WARN, MODULE, "no time stamp", HD_KV_STR("url", s->opts.conf->url),
           HD_KV_STR("why", s->error));
    s->failing_ns = s->failing_ns == 0 ? hd_clock_mono_ns() : s->failing_ns;
    again_in(s, hd_backoff_next_ms(&s->backoff));
}

static void keep(struct fwd_stamps *s, struct hd_slice reply)
{
    int err = hd_fs_write_atomic(s->reply_path, reply, REPLY_MODE);
    if (err != HD_OK) {
        fail(s, "the stamp cannot be stored: ", hd_err_text(err));
        return;
    }
    HD_METRIC_ADD(fwd_metrics, FWD_M_STAMPED, 1);
    s->stamped++;
    s->pending--;
    s->last_ns = hd_clock_wall_ns();
    s->failing_ns = 0;
    s->error[0] = '\0';
    hd_backoff_reset(&s->backoff);
    again_in(s, 0);
}

static void on_answer(void *ctx, const struct fwd_http_result *result)
{
    struct fwd_stamps *s = ctx;
    char why[HD_STAMP_WHY] = "";
    s->call = NULL;
    if (result->err != HD_OK) {
        fail(s, "", result->error);
    } else if (result->status != 200) {
        (void)snprintf(why, sizeof(why), "%ld", result->status);
        fail(s, "the authority answers with HTTP status ", why);
    } else if (hd_stamp_verify_reply(s->ca, hd_buf_slice(&s->request),
                                     s->opts.conf->policy, result->body, why) != HD_OK) {
        fail(s, "the reply is refused: ", why);
    } else {
        keep(s, result->body);
    }
}

static int send_next(struct fwd_stamps *s)
{
    char path[PATH_MAX];
    int err = find_next(s, path);
    hd_buf_clear(&s->request);
    err = err == HD_OK ? hd_fs_read(path, HD_STAMP_MAX, &s->request) : err;
    return err == HD_OK ? fwd_http_send(s->opts.http, &s->target,
                                        hd_buf_slice(&s->request), on_answer, s, &s->call)
                        : err;
}

static void on_timer(uv_timer_t *timer)
{
    struct fwd_stamps *s = HD_CONTAINER(timer, struct fwd_stamps, timer);
    int err = s->call == NULL ? send_next(s) : HD_OK;
    if (err == HD_ENOENT) {
        again_in(s, LOOK_MS);
    } else if (err != HD_OK) {
        fail(s, "the requests cannot be read or sent: ", hd_err_text(err));
    }
}

static void again_in(struct fwd_stamps *s, uint64_t ms)
{
    (void)uv_timer_start(&s->timer, on_timer, ms, 0);
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

static void stamps_free(void *ctx)
{
    struct fwd_stamps *s = ctx;
    void (*freed)(void *ctx) = s->opts.freed;
    void *freed_ctx = s->opts.ctx;
    hd_stamp_ca_free(s->ca);
    hd_buf_fini(&s->request);
    free(s);
    freed(freed_ctx);
}

int fwd_stamps_open(const struct fwd_stamps_opts *opts, struct fwd_stamps **out)
{
    const struct fwd_conf_timestamp *conf = opts->conf;
    struct fwd_stamps *s = calloc(1, sizeof(*s));
    int err = s == NULL ? HD_ENOMEM : hd_stamp_ca_load(conf->ca, &s->ca);
    if (err != HD_OK) {
        free(s);
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
    hd_owner_init(&s->owner, stamps_free, s);
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
