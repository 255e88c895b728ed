/* SPDX-License-Identifier: Apache-2.0
 *
 * Sources `syslog-tcp` and `syslog-tls`: listeners with many senders (RFC 6587, RFC
 * 5425). Each connection owns its framer and at most one unfinished frame. Back-pressure:
 * while the sink is full no connection is read, so senders wait in TCP. A connection that
 * brings little rests for COALESCE_MS, so that slow senders cost handfuls of lines a
 * wake-up. One that brings much reads once in an iteration of the loop, and after a pause
 * connections take turns, TURNS at a time: so one flood, or many, leave room for others.
 * A connection ends alone: nothing that a sender does touches the others.
 *
 * The end loses nothing: senders get our FIN, and what they still send is taken until
 * theirs comes, or nothing did for QUIET_MS. Only who sends on for DRAIN_MS is cut off.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/inet.h>
#include <haidang/log.h>
#include <haidang/loop.h>
#include <haidang/stream.h>
#include <haidang/tls.h>

#include "collector/conf.h"
#include "collector/metrics.h"
#include "collector/source/lines.h"
#include "collector/source/source.h"
#include "collector/source/zone.h"

#define COALESCE_MS  10U
#define COALESCE_MAX 16384U /* a read of more than this is not slow */
#define TURNS        8U     /* reads of 64 KiB: half a batch */
#define QUIET_MS     500U
#define DRAIN_MS     5000U

struct conn {
    struct tcp_source *owner;
    struct conn *prev, *next;
    struct hd_stream *stream;
    struct col_lines lines;
    struct hd_batch_source source;
    char peer_ip[HD_IP_TEXT_MAX];
    bool is_open, is_resting;
    bool is_yielding; /* until the next iteration */
    bool is_quiet;    /* nothing came since the last look of the end */
};

struct tcp_source {
    struct col_source base;
    struct hd_owner owner;
    const struct col_source_env *env;
    const struct col_conf_source *conf;
    struct hd_listener *listener;
    struct hd_tls *tls;        /* NULL = plain */
    uv_timer_t coalesce, look; /* look: after the connections, at the end */
    uv_idle_t again;           /* runs while connections wait for their turns */
    struct conn *conns;
    struct conn *turn; /* the next one's; NULL = the first */
    size_t n_conns;
    size_t waiting; /* have not had their turns since the pause */
    bool is_paused, is_draining, is_closing;
    bool was_held; /* since the last look not everybody could be heard */
    unsigned looks_left;
    struct col_source_stats stats;
    void (*drained)(void *ctx);
    void *drained_ctx;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

static struct tcp_source *from_base(struct col_source *source)
{
    return HD_CONTAINER(source, struct tcp_source, base);
}

static void finish_close(struct tcp_source *ts)
{
    if (ts->is_closing && ts->n_conns == 0) {
        hd_owner_close(&ts->owner, (uv_handle_t *)&ts->coalesce);
        hd_owner_close(&ts->owner, (uv_handle_t *)&ts->look);
        hd_owner_close(&ts->owner, (uv_handle_t *)&ts->again);
        hd_owner_finish(&ts->owner);
    }
}

static void finish_drain(struct tcp_source *ts)
{
    if (ts->is_draining && ts->n_conns == 0 && ts->drained != NULL) {
        void (*drained)(void *) = ts->drained;
        ts->drained = NULL;
        (void)uv_timer_stop(&ts->look);
        drained(ts->drained_ctx);
    }
}

/* ---- one connection ---- */

static void on_coalesced(uv_timer_t *timer)
{
    struct tcp_source *ts = HD_CONTAINER(timer, struct tcp_source, coalesce);
    for (struct conn *c = ts->conns; c != NULL; c = c->next) {
        if (c->is_resting) {
            c->is_resting = false;
            if (!ts->is_paused && ts->waiting == 0 && !c->lines.is_full) {
                hd_stream_resume(c->stream);
            }
        }
    }
}

static void rest_for_a_while(struct conn *c)
{
    struct tcp_source *ts = c->owner;
    c->is_resting = true;
    hd_stream_pause(c->stream);
    if (!uv_is_active((uv_handle_t *)&ts->coalesce)) {
        (void)uv_timer_start(&ts->coalesce, on_coalesced, COALESCE_MS, 0);
    }
}

static void on_open(void *ctx, struct hd_stream *stream)
{
    struct conn *c = ctx;
    (void)snprintf(c->peer_ip, sizeof(c->peer_ip), "%s", hd_stream_peer_ip(stream));
    c->source.peer = hd_slice_str(c->peer_ip);
    c->source.host = c->source.peer;
    c->is_open = true;
    if (c->owner->is_paused) {
        hd_stream_pause(stream);
    }
    if (c->owner->is_draining) {
        hd_stream_finish(stream);
    }
}

static void after_feed(struct conn *c, int err)
{
    if (err == HD_EFULL) {
        hd_stream_pause(c->stream);
    } else if (err != HD_OK) {
        HD_LOG(WARN, "tcp", "ending a connection that cannot be buffered",
               HD_KV_STR("peer", hd_stream_peer(c->stream)), HD_KV_ERR(err));
        hd_stream_close(c->stream, 0);
    }
}

/* Its turn: what it held while the sink was full first. */
static void go_on(struct conn *c)
{
    int err = c->is_open && c->lines.is_full ? col_lines_retry(&c->lines) : HD_OK;
    c->is_yielding = false;
    after_feed(c, err);
    if (err == HD_OK && c->is_open && !c->is_resting && !c->owner->is_paused) {
        hd_stream_resume(c->stream);
    }
}

static void on_again(uv_idle_t *idle)
{
    struct tcp_source *ts = HD_CONTAINER(idle, struct tcp_source, again);
    for (struct conn *c = ts->conns; c != NULL && !ts->is_paused; c = c->next) {
        if (c->is_yielding) {
            go_on(c);
        }
    }
    for (unsigned i = 0; i < TURNS && ts->waiting > 0 && !ts->is_paused; i++) {
        struct conn *c = ts->turn != NULL ? ts->turn : ts->conns;
        ts->turn = c->next;
        ts->waiting--;
        go_on(c);
    }
    if (ts->waiting == 0 || ts->is_paused) {
        (void)uv_idle_stop(idle);
    }
}

static void yield(struct conn *c)
{
    c->is_yielding = true;
    hd_stream_pause(c->stream);
    (void)uv_idle_start(&c->owner->again, on_again);
}

static void on_data(void *ctx, struct hd_slice data)
{
    struct conn *c = ctx;
    int err = col_lines_feed(&c->lines, data);
    c->is_quiet = false;
    after_feed(c, err);
    if (err != HD_OK || c->is_resting || c->is_yielding || c->owner->is_paused) {
        return;
    }
    if (data.len < COALESCE_MAX) {
        rest_for_a_while(c);
    } else if (c->owner->n_conns > 1) {
        yield(c);
    }
}

static void on_close(void *ctx, int err, const char *why)
{
    struct conn *c = ctx;
    struct tcp_source *ts = c->owner;
    if (c->is_open) {
        col_lines_end(&c->lines);
    }
    if (err != HD_ECLOSED) {
        COL_COUNT(COL_CONNECTIONS_FAILED, 1);
        HD_LOG(INFO, "tcp", "a syslog connection failed",
               HD_KV_STR("listener", ts->base.name), HD_KV_STR("peer", c->peer_ip),
               HD_KV_STR("why", why), HD_KV_ERR(err));
    }
    if (c->prev != NULL) {
        c->prev->next = c->next;
    } else {
        ts->conns = c->next;
    }
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    ts->n_conns--;
    ts->turn = ts->turn == c ? c->next : ts->turn;
    ts->waiting = ts->waiting > ts->n_conns ? ts->n_conns : ts->waiting;
    COL_COUNT(COL_CONNECTIONS, -1);
    col_lines_fini(&c->lines);
    free(c);
    finish_drain(ts);
    finish_close(ts);
}

static const struct hd_stream_ops stream_ops = {
    .on_open = on_open, .on_data = on_data, .on_close = on_close};

/* ---- the listener ---- */

static struct conn *new_conn(struct tcp_source *ts)
{
    struct conn *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    c->owner = ts;
    c->source = (struct hd_batch_source){.kind = hd_slice_str(ts->base.ops->kind),
                                         .name = hd_slice_str(ts->base.name),
                                         .format = hd_slice_str(ts->conf->format),
                                         .zone = col_zone_of(ts->conf, ts->env)};
    col_lines_init(&c->lines, COL_FRAMING_SYSLOG, ts->env->line_max, ts->env->sink,
                   &c->source, &ts->stats);
    return c;
}

static void on_connection(void *ctx, struct hd_listener *listener, uv_stream_t *server)
{
    struct tcp_source *ts = ctx;
    (void)listener;
    bool is_too_many = ts->n_conns >= (size_t)ts->conf->connections_max;
    struct conn *c = is_too_many ? NULL : new_conn(ts);
    if (c == NULL) {
        hd_listener_refuse(server);
        COL_COUNT(COL_CONNECTIONS_REFUSED, 1);
        HD_LOG(WARN, "tcp",
               is_too_many ? "a sender was refused: raise connections_max"
                           : "a sender was refused: out of memory",
               HD_KV_STR("listener", ts->base.name), HD_KV_UINT("open", ts->n_conns));
        return;
    }
    const struct hd_stream_opts opts = {
        .ops = &stream_ops,
        .ctx = c,
        .tls = ts->tls,
        .idle_ms = (uint64_t)(ts->conf->idle_timeout_ns / HD_NS_PER_MS)};
    int err = hd_stream_accept(server, &opts, &c->stream);
    if (err != HD_OK) {
        COL_COUNT(COL_CONNECTIONS_FAILED, 1);
        HD_LOG(WARN, "tcp", "a sender could not be accepted",
               HD_KV_STR("listener", ts->base.name), HD_KV_ERR(err));
        col_lines_fini(&c->lines);
        free(c);
        return;
    }
    c->next = ts->conns;
    if (c->next != NULL) {
        c->next->prev = c;
    }
    ts->conns = c;
    ts->n_conns++;
    ts->waiting += ts->waiting > 0; /* it may be met on the way round */
    COL_COUNT(COL_CONNECTIONS, 1);
}

/* ---- ops ---- */

static void tcp_pause(struct col_source *source)
{
    struct tcp_source *ts = from_base(source);
    ts->is_paused = ts->was_held = true;
    (void)uv_idle_stop(&ts->again);
    for (struct conn *c = ts->conns; c != NULL; c = c->next) {
        if (c->is_open) {
            hd_stream_pause(c->stream);
        }
    }
}

static void tcp_resume(struct col_source *source)
{
    struct tcp_source *ts = from_base(source);
    ts->is_paused = false;
    ts->waiting = ts->n_conns;
    if (ts->n_conns > 0) {
        (void)uv_idle_start(&ts->again, on_again);
    }
}

/* ---- the end ---- */

static void cut_off(struct conn *c)
{
    COL_COUNT(COL_CONNECTIONS_CUT, 1);
    HD_LOG(
        WARN, "tcp",
        "a sender was cut off: it did not stop sending although it was told to end, or "
        "the spool is full; what it sent last is lost",
        HD_KV_STR("listener", c->owner->base.name), HD_KV_STR("peer", c->peer_ip));
    hd_stream_close(c->stream, 0);
}

/* While connections are not read nobody is known to be quiet. */
static void on_look(uv_timer_t *timer)
{
    struct tcp_source *ts = HD_CONTAINER(timer, struct tcp_source, look);
    bool is_last = --ts->looks_left == 0;
    bool was_held = ts->was_held;
    ts->was_held = ts->is_paused || ts->waiting > 0;
    for (struct conn *c = ts->conns; c != NULL; c = c->next) {
        if (c->is_quiet && !was_held) {
            hd_stream_close(c->stream, 0);
        } else if (is_last) {
            cut_off(c);
        }
        c->is_quiet = true;
    }
}

static void tcp_drain(struct col_source *source, void (*drained)(void *ctx), void *ctx)
{
    struct tcp_source *ts = from_base(source);
    ts->drained = drained;
    ts->drained_ctx = ctx;
    ts->is_draining = true;
    hd_listener_close(ts->listener);
    ts->listener = NULL;
    for (struct conn *c = ts->conns; c != NULL; c = c->next) {
        c->is_quiet = true;
        if (c->is_open) {
            hd_stream_finish(c->stream);
        }
    }
    ts->looks_left = DRAIN_MS / QUIET_MS;
    (void)uv_timer_start(&ts->look, on_look, QUIET_MS, QUIET_MS);
    finish_drain(ts);
}

static void tcp_stats(const struct col_source *source, struct col_source_stats *out)
{
    const struct tcp_source *ts = HD_CONTAINER(source, const struct tcp_source, base);
    *out = ts->stats;
    out->state = ts->is_paused ? "paused" : "open";
}

static void tcp_freed(void *ctx)
{
    struct tcp_source *ts = ctx;
    void (*closed)(void *) = ts->closed;
    void *closed_ctx = ts->closed_ctx;
    hd_tls_free(ts->tls);
    free(ts->base.name);
    free(ts);
    if (closed != NULL) {
        closed(closed_ctx);
    }
}

static void tcp_close(struct col_source *source, void (*closed)(void *ctx), void *ctx)
{
    struct tcp_source *ts = from_base(source);
    ts->closed = closed;
    ts->closed_ctx = ctx;
    ts->is_closing = true;
    hd_listener_close(ts->listener);
    for (struct conn *c = ts->conns; c != NULL; c = c->next) {
        hd_stream_close(c->stream, 0);
    }
    finish_close(ts);
}

static void tcp_reload(struct col_source *source)
{
    struct tcp_source *ts = from_base(source);
    char why[256];
    if (ts->tls == NULL) {
        return;
    }
    int err = hd_tls_reload(ts->tls, why);
    if (err != HD_OK) {
        HD_LOG(ERROR, "tcp", "certificates were not reloaded; the old ones stay in force",
               HD_KV_STR("listener", ts->base.name), HD_KV_STR("why", why),
               HD_KV_ERR(err));
    } else {
        HD_LOG(INFO, "tcp", "certificates reloaded",
               HD_KV_STR("listener", ts->base.name));
    }
}

static const struct col_source_ops tcp_ops = {.kind = "syslog-tcp",
                                              .is_stream = true,
                                              .pause = tcp_pause,
                                              .resume = tcp_resume,
                                              .stats = tcp_stats,
                                              .close = tcp_close,
                                              .drain = tcp_drain};
static const struct col_source_ops tls_ops = {.kind = "syslog-tls",
                                              .is_stream = true,
                                              .pause = tcp_pause,
                                              .resume = tcp_resume,
                                              .stats = tcp_stats,
                                              .close = tcp_close,
                                              .reload = tcp_reload,
                                              .drain = tcp_drain};

/* ---- open ---- */

static int open_tls(struct tcp_source *ts, char why[256])
{
    const struct col_conf_tls *tls = &ts->conf->tls;
    return hd_tls_new(&(struct hd_tls_opts){.role = HD_TLS_SERVER,
                                            .cert_file = tls->cert,
                                            .key_file = tls->key,
                                            .ca_file = tls->ca,
                                            .crl_file = tls->crl,
                                            .require_client_cert = ts->conf->client_cert},
                      &ts->tls, why);
}

int col_tcp_open(const struct col_source_env *env, const struct col_conf_source *conf,
                 struct col_source **out, char why[256])
{
    struct tcp_source *ts = calloc(1, sizeof(*ts));
    if (ts == NULL) {
        return HD_ENOMEM;
    }
    bool is_tls = conf->kind == COL_KIND_SYSLOG_TLS;
    const char *name = conf->name != NULL && conf->name[0] ? conf->name : conf->listen;
    ts->base.ops = is_tls ? &tls_ops : &tcp_ops;
    ts->base.name = strdup(name);
    ts->env = env;
    ts->conf = conf;
    hd_owner_init(&ts->owner, tcp_freed, ts);
    int err = ts->base.name == NULL ? HD_ENOMEM : HD_OK;
    err = err == HD_OK && is_tls ? open_tls(ts, why) : err;
    if (err == HD_OK) {
        const struct hd_listener_opts opts = {
            .address = conf->listen, .on_connection = on_connection, .ctx = ts};
        err = hd_listener_open(env->loop, &opts, &ts->listener, why);
        /* its syntax was checked with the configuration: it cannot be had */
        err = err == HD_EINVAL ? HD_EBUSY : err;
    }
    if (err != HD_OK) {
        hd_owner_finish(&ts->owner);
        return err;
    }
    (void)uv_timer_init(env->loop, &ts->coalesce);
    hd_owner_add(&ts->owner, (uv_handle_t *)&ts->coalesce);
    (void)uv_idle_init(env->loop, &ts->again);
    hd_owner_add(&ts->owner, (uv_handle_t *)&ts->again);
    (void)uv_timer_init(env->loop, &ts->look);
    hd_owner_add(&ts->owner, (uv_handle_t *)&ts->look);
    *out = &ts->base;
    return HD_OK;
}
