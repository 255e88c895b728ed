/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/uplink/uplink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/log.h>
#include <haidang/loop.h>
#include <haidang/main.h>
#include <haidang/stream.h>

#include "collector/metrics.h"
#include "collector/uplink/feed.h"
#include "collector/uplink/probe.h"
#include "collector/uplink/targets.h"
#include "collector/uplink/window.h"

#define HEARTBEAT_MS   10000U
#define IDLE_MS        35000U /* three answers are missing: the correlator is gone */
#define LINGER_MS      1000U
#define QUEUE_MAX      (512U << 10) /* sent but still in this process */
#define RECEIVE_MAX    (64U << 10)  /* of one frame from a correlator */
#define FRAME_OVERHEAD 64U          /* of a BATCH frame around its payload, at most */
#define BACKOFF_FLOOR  10           /* part of retry_first that is always waited */
#define EXPIRY_WARN_S  (14 * INT64_C(86400))

enum state { WAITING, CONNECTING, GREETING, OPEN, DRAINING, CLOSING };

static const char *const state_names[] = {"waiting",   "connecting", "greeting",
                                          "connected", "draining",   "closing"};

struct col_uplink {
    struct hd_owner owner;
    struct col_uplink_opts opts;
    struct hd_tls *tls;
    struct hd_stream *stream; /* NULL = none */
    struct col_feed feed;
    struct col_window window;
    struct col_targets targets;
    struct col_probe probe;
    struct hd_backoff backoff;
    struct hd_buf in, out;
    enum state state;
    uv_timer_t retry, heartbeat, fail_back;
    int64_t
        progress_ns; /* monotonic: something was acknowledged, or the first was sent */
    int64_t last_ack_ns; /* wall clock; 0 = never */
    size_t switch_to;    /* DRAINING: the target to go to */
    bool is_refused;     /* the last BYE said that repeating makes no sense */
    bool is_failed;      /* since the last success */
    bool is_probe_open, is_feed_open;
    char why[256];      /* why the connection at hand ends, or ended */
    char last_why[256]; /* the last failure, for people */
    void (*closed)(void *ctx);
    void *closed_ctx;
};

static void connect_now(struct col_uplink *up);
static void pump(struct col_uplink *up);

static const char *target_name(const struct col_uplink *up)
{
    return up->opts.conf->correlators[up->targets.current];
}

static void set_state(struct col_uplink *up, enum state state)
{
    up->state = state;
    COL_SET(COL_CONNECTED, state == OPEN || state == DRAINING);
}

/* ---- sending ---- */

static int send_frame(struct col_uplink *up, const struct hd_wire_frame *frame)
{
    hd_buf_clear(&up->out);
    hd_wire_encode(&up->out, frame);
    if (up->out.err != HD_OK) {
        return up->out.err;
    }
    return hd_stream_write(up->stream, hd_buf_slice(&up->out));
}

static void send_bye(struct col_uplink *up, enum hd_wire_bye code, const char *text)
{
    struct hd_wire_frame frame = {.type = HD_WIRE_BYE};
    frame.u.bye.code = (uint16_t)code;
    frame.u.bye.text = hd_slice_str(text);
    (void)send_frame(up, &frame); /* the connection ends either way */
}

/* Ends the connection for a reason of our own; on_close goes on from there. */
static void leave(struct col_uplink *up, enum hd_wire_bye code, const char *why)
{
    (void)snprintf(up->why, sizeof(up->why), "%s", why);
    send_bye(up, code, why);
    hd_stream_close(up->stream, LINGER_MS);
}

static int send_hello(struct col_uplink *up)
{
    struct col_intake_status status;
    struct hd_wire_frame frame = {.type = HD_WIRE_HELLO};
    char program[64];
    col_intake_status(up->opts.intake, &status);
    int n = snprintf(program, sizeof(program), "haidang-agent %s", hd_version);
    struct hd_wire_hello *hello = &frame.u.hello;
    hello->version_min = HD_WIRE_VERSION;
    hello->version_max = HD_WIRE_VERSION;
    hello->agent = hd_slice_str(up->opts.agent);
    hello->boot = hd_slice_str(status.boot);
    hello->program = hd_slice(program, (size_t)n);
    (void)col_feed_oldest_ns(&up->feed, &hello->first_spooled);
    /* the disk thread may be ahead of what this loop was told */
    hello->last_spooled = hello->first_spooled > status.last_spooled
                              ? hello->first_spooled
                              : status.last_spooled;
    hello->acknowledged = up->feed.acked_last;
    return send_frame(up, &frame);
}

static void send_heartbeat(struct col_uplink *up)
{
    struct hd_wire_frame frame = {.type = HD_WIRE_HEARTBEAT};
    up->opts.ops->report(up->opts.ctx, &frame.u.heartbeat);
    (void)send_frame(up, &frame); /* a full queue is no reason to end */
}

/* Sends the entry at hand. HD_EFULL: not now. */
static int send_entry(struct col_uplink *up, const struct hd_journal_cursor *after)
{
    const struct hd_journal_entry *entry = &up->feed.entry;
    struct hd_wire_frame frame = {.type = HD_WIRE_BATCH};
    frame.u.batch = (struct hd_wire_batch){
        .first = entry->first,
        .last = entry->last,
        .time_min = entry->time_min,
        .time_max = entry->time_max,
        .count = entry->count,
        .raw_len = entry->raw_len,
        .crc32c = hd_crc32c(0, entry->payload.ptr, entry->payload.len),
        .payload = entry->payload};
    int err = send_frame(up, &frame);
    if (err != HD_OK) {
        return err;
    }
    if (up->window.count == 0) {
        up->progress_ns = hd_clock_mono_ns();
    }
    const struct col_window_batch batch = {.first = entry->first,
                                           .last = entry->last,
                                           .index = entry->index,
                                           .time_min = entry->time_min,
                                           .wire_len = (uint32_t)up->out.len,
                                           .after = *after};
    COL_COUNT(COL_SENT_BATCHES, 1);
    col_feed_sent(&up->feed);
    return col_window_sent(&up->window, &batch);
}

static void pump(struct col_uplink *up)
{
    int err = HD_OK;
    while (up->state == OPEN && err == HD_OK &&
           hd_stream_queued(up->stream) < QUEUE_MAX) {
        struct hd_journal_cursor after;
        err = col_feed_peek(&up->feed, &after);
        if (err != HD_OK) {
            break;
        }
        uint32_t len = (uint32_t)up->feed.entry.payload.len + FRAME_OVERHEAD;
        if (!col_window_may_send(&up->window, len)) {
            break;
        }
        err = send_entry(up, &after);
    }
    COL_SET(COL_IN_FLIGHT, up->window.in_flight);
    if (err != HD_OK && err != HD_EAGAIN && err != HD_EFULL && err != HD_ECLOSED) {
        HD_LOG(ERROR, "uplink", "the spool cannot be sent", HD_KV_ERR(err));
        leave(up, HD_WIRE_BYE_SHUTDOWN, hd_err_text(err));
    }
}

void col_uplink_kick(struct col_uplink *up)
{
    pump(up);
}

/* ---- receiving ---- */

static void succeed(struct col_uplink *up)
{
    hd_backoff_reset(&up->backoff);
    col_targets_success(&up->targets);
    if (up->is_failed) {
        HD_LOG(INFO, "uplink", "a correlator takes our lines again",
               HD_KV_STR("correlator", target_name(up)));
    }
    up->is_failed = false;
    up->is_refused = false;
}

static void on_fail_back(uv_timer_t *timer)
{
    struct col_uplink *up = HD_CONTAINER(timer, struct col_uplink, fail_back);
    if (up->state == OPEN) {
        col_probe_start(&up->probe, up->targets.current);
    }
}

static void arm_fail_back(struct col_uplink *up)
{
    if (col_targets_has_better(&up->targets)) {
        uint64_t wait_ms = (uint64_t)(up->opts.conf->fail_back_ns / HD_NS_PER_MS);
        (void)uv_timer_start(&up->fail_back, on_fail_back, wait_ms, 0);
    }
}

static void on_heartbeat(uv_timer_t *timer);

static void on_welcome(struct col_uplink *up, const struct hd_wire_welcome *welcome)
{
    struct col_intake_status status;
    col_intake_status(up->opts.intake, &status);
    if (up->state != GREETING) {
        leave(up, HD_WIRE_BYE_PROTOCOL, "the correlator said WELCOME twice");
        return;
    }
    if (welcome->version != HD_WIRE_VERSION) {
        up->is_refused = true;
        leave(up, HD_WIRE_BYE_VERSION, "the correlator speaks another protocol version");
        return;
    }
    if (welcome->last_durable > status.last_given) {
        up->is_refused = true;
        leave(up, HD_WIRE_BYE_PROTOCOL,
              "the correlator holds newer lines of this spool than the spool itself; was "
              "state_dir restored from a backup? Move it away to begin a new spool");
        return;
    }
    col_window_open(&up->window, welcome->last_durable, welcome->credits);
    int err = col_feed_rewind(&up->feed);
    err = err == HD_OK ? col_feed_skip_to(&up->feed, welcome->last_durable) : err;
    if (err != HD_OK) {
        leave(up, HD_WIRE_BYE_SHUTDOWN, hd_err_text(err));
        return;
    }
    set_state(up, OPEN);
    up->progress_ns = hd_clock_mono_ns();
    HD_LOG(INFO, "uplink", "connected", HD_KV_STR("correlator", target_name(up)),
           HD_KV_UINT("last_durable", welcome->last_durable));
    (void)uv_timer_start(&up->heartbeat, on_heartbeat, HEARTBEAT_MS, HEARTBEAT_MS);
    arm_fail_back(up);
    send_heartbeat(up);
    pump(up);
}

static void switch_if_drained(struct col_uplink *up)
{
    if (up->state == DRAINING && up->window.count == 0) {
        leave(up, HD_WIRE_BYE_NORMAL, "going back to the preferred correlator");
    }
}

static void on_ack(struct col_uplink *up, const struct hd_wire_ack *ack)
{
    struct col_window_batch settled = {0};
    uint64_t before = up->window.acknowledged;
    uint64_t in_flight = up->window.in_flight;
    int n = col_window_ack(&up->window, ack->last_durable, ack->credits, &settled);
    if (n < 0) {
        leave(up, HD_WIRE_BYE_PROTOCOL,
              "the correlator acknowledged what was never sent");
        return;
    }
    if (up->window.acknowledged > before) {
        COL_COUNT(COL_ACKED_LINES, up->window.acknowledged - before);
        up->progress_ns = hd_clock_mono_ns();
        up->last_ack_ns = hd_clock_wall_ns();
        succeed(up);
    }
    if (n > 0) {
        col_feed_acked(&up->feed, &settled.after, settled.last,
                       in_flight - up->window.in_flight);
    }
    pump(up);
    switch_if_drained(up);
    if (n > 0) {
        up->opts.ops->on_acked(up->opts.ctx);
    }
}

static void on_bye(struct col_uplink *up, const struct hd_wire_bye_body *bye)
{
    static const char *const what[] = {
        "the correlator ended the connection",
        "the correlator does not speak our protocol version",
        ("the correlator does not accept our name: `agent` must be the CN of our "
         "certificate"),
        "the correlator found our messages wrong",
        "the archive of the correlator is full",
        "the correlator has too many agents connecting at once",
        "the correlator shuts down"};
    bool is_known = bye->code < sizeof(what) / sizeof(what[0]);
    up->is_refused = bye->code == HD_WIRE_BYE_VERSION ||
                     bye->code == HD_WIRE_BYE_IDENTITY ||
                     bye->code == HD_WIRE_BYE_PROTOCOL;
    (void)snprintf(up->why, sizeof(up->why), "%s",
                   is_known ? what[bye->code] : "the correlator said BYE");
    HD_LOG(WARN, "uplink", up->why, HD_KV_STR("correlator", target_name(up)),
           HD_KV_UINT("code", bye->code), HD_KV_SLICE("text", bye->text));
    hd_stream_close(up->stream, LINGER_MS);
}

static void on_frame(struct col_uplink *up, const struct hd_wire_frame *frame)
{
    switch (frame->type) {
    case HD_WIRE_WELCOME:
        on_welcome(up, &frame->u.welcome);
        break;
    case HD_WIRE_ACK:
        if (up->state == OPEN || up->state == DRAINING) {
            on_ack(up, &frame->u.ack);
        } else {
            leave(up, HD_WIRE_BYE_PROTOCOL, "the correlator acknowledged before WELCOME");
        }
        break;
    case HD_WIRE_HEARTBEAT:
        if (up->state == OPEN) {
            succeed(up);
        }
        break;
    case HD_WIRE_BYE:
        on_bye(up, &frame->u.bye);
        break;
    case HD_WIRE_HELLO:
    case HD_WIRE_BATCH:
        leave(up, HD_WIRE_BYE_PROTOCOL, "the correlator talks like an agent");
        break;
    default:
        COL_COUNT(COL_UNKNOWN_FRAMES, 1);
        break;
    }
}

/* A connection that is being left brings nothing more (hd_stream says so), so after each
 * frame the state tells whether to go on. */
static void on_data(void *ctx, struct hd_slice data)
{
    struct col_uplink *up = ctx;
    size_t done = 0;
    hd_buf_slice_add(&up->in, data);
    struct hd_slice in = hd_buf_slice(&up->in);
    bool is_wrong = up->in.err != HD_OK;
    while (!is_wrong) {
        struct hd_wire_frame frame;
        size_t used = 0;
        struct hd_slice rest = hd_slice_from(in, done);
        if (hd_wire_frame_len(rest) > RECEIVE_MAX) {
            is_wrong = true;
            break;
        }
        enum hd_parse got = hd_wire_decode(rest, &frame, &used);
        is_wrong = got == HD_PARSE_BAD;
        if (got != HD_PARSE_OK) {
            break;
        }
        done += used;
        on_frame(up, &frame);
    }
    hd_buf_consume(&up->in, done);
    if (is_wrong) {
        leave(up, HD_WIRE_BYE_PROTOCOL, "the correlator sent a malformed frame");
    }
}

/* ---- connection ---- */

static void on_open(void *ctx, struct hd_stream *stream)
{
    struct col_uplink *up = ctx;
    (void)stream;
    set_state(up, GREETING);
    int err = col_feed_rewind(&up->feed);
    err = err == HD_OK ? send_hello(up) : err;
    if (err != HD_OK) {
        (void)snprintf(up->why, sizeof(up->why), "HELLO: %s", hd_err_text(err));
        hd_stream_close(up->stream, 0);
    }
}

static void on_drain(void *ctx)
{
    pump(ctx);
}

static void on_heartbeat(uv_timer_t *timer)
{
    struct col_uplink *up = HD_CONTAINER(timer, struct col_uplink, heartbeat);
    int64_t quiet_ns = hd_clock_mono_ns() - up->progress_ns;
    if (up->window.count > 0 && quiet_ns > up->opts.conf->ack_timeout_ns) {
        leave(up, HD_WIRE_BYE_NORMAL,
              "the correlator acknowledged nothing in ack_timeout");
        return;
    }
    send_heartbeat(up);
}

static void on_retry(uv_timer_t *timer)
{
    connect_now(HD_CONTAINER(timer, struct col_uplink, retry));
}

/* The next attempt. What was refused by name or version waits long: it takes a person. */
static void retry_later(struct col_uplink *up)
{
    bool is_other = col_targets_failure(&up->targets, up->is_refused);
    uint64_t wait_ms = hd_backoff_next_ms(&up->backoff);
    if (up->is_refused && (!is_other || up->targets.current == 0)) {
        wait_ms = up->backoff.cap_ms / 2 + wait_ms / 2;
    }
    up->is_failed = true;
    (void)snprintf(up->last_why, sizeof(up->last_why), "%s", up->why);
    set_state(up, WAITING);
    (void)uv_timer_start(&up->retry, on_retry, wait_ms, 0);
}

static void finish_close(struct col_uplink *up)
{
    if (up->stream != NULL || up->is_probe_open || up->is_feed_open) {
        return;
    }
    hd_owner_close(&up->owner, (uv_handle_t *)&up->retry);
    hd_owner_close(&up->owner, (uv_handle_t *)&up->heartbeat);
    hd_owner_close(&up->owner, (uv_handle_t *)&up->fail_back);
    hd_owner_close(&up->owner, (uv_handle_t *)&up->feed.timer);
    hd_owner_finish(&up->owner);
}

static void on_close(void *ctx, int err, const char *why)
{
    struct col_uplink *up = ctx;
    bool is_switch = up->state == DRAINING && up->window.count == 0;
    up->stream = NULL;
    hd_buf_fini(&up->in);
    col_window_open(&up->window, up->window.acknowledged, 0);
    COL_SET(COL_IN_FLIGHT, 0);
    (void)uv_timer_stop(&up->heartbeat);
    (void)uv_timer_stop(&up->fail_back);
    if (up->state == CLOSING) {
        finish_close(up);
        return;
    }
    if (col_feed_rewind(&up->feed) != HD_OK) { /* what was sent waits again */
        HD_LOG(WARN, "uplink", "the spool reader cannot go back; the next HELLO tries");
    }
    if (is_switch) {
        col_targets_select(&up->targets, up->switch_to);
        set_state(up, WAITING);
        (void)uv_timer_start(&up->retry, on_retry, 0, 0);
        return;
    }
    if (up->why[0] == '\0') {
        (void)snprintf(up->why, sizeof(up->why), "%s", why);
    }
    HD_LOG(WARN, "uplink", "no connection to a correlator",
           HD_KV_STR("correlator", target_name(up)), HD_KV_STR("why", up->why),
           HD_KV_ERR(err));
    retry_later(up);
}

static const struct hd_stream_ops stream_ops = {
    .on_open = on_open, .on_data = on_data, .on_drain = on_drain, .on_close = on_close};

static void connect_now(struct col_uplink *up)
{
    struct hd_stream_opts opts = {.ops = &stream_ops,
                                  .ctx = up,
                                  .tls = up->tls,
                                  .idle_ms = IDLE_MS,
                                  .write_queue_max = QUEUE_MAX};
    COL_COUNT(COL_CONNECTS, 1);
    set_state(up, CONNECTING);
    up->why[0] = '\0';
    up->is_refused = false;
    int err = col_uplink_dial(up->opts.loop, up->opts.conf, up->targets.current, &opts,
                              &up->stream);
    if (err != HD_OK) {
        up->stream = NULL;
        (void)snprintf(up->why, sizeof(up->why), "%s: %s", target_name(up),
                       hd_err_text(err));
        retry_later(up);
    }
}

static void on_probed(void *ctx, size_t target)
{
    struct col_uplink *up = ctx;
    if (up->state != OPEN) {
        return;
    }
    if (target >= up->targets.current) {
        arm_fail_back(up);
        return;
    }
    HD_LOG(INFO, "uplink", "a preferred correlator can be reached again",
           HD_KV_STR("correlator", up->opts.conf->correlators[target]));
    up->switch_to = target;
    set_state(up, DRAINING);
    switch_if_drained(up);
}

/* ---- life ---- */

static void on_freed(void *ctx)
{
    struct col_uplink *up = ctx;
    void (*closed)(void *) = up->closed;
    void *closed_ctx = up->closed_ctx;
    if (up->feed.reader != NULL) {
        col_feed_fini(&up->feed);
    }
    hd_tls_free(up->tls);
    hd_buf_fini(&up->in);
    hd_buf_fini(&up->out);
    free(up);
    if (closed != NULL) {
        closed(closed_ctx);
    }
}

static void on_probe_cancelled(void *ctx)
{
    struct col_uplink *up = ctx;
    up->is_probe_open = false;
    finish_close(up);
}

static void on_feed_closed(void *ctx)
{
    struct col_uplink *up = ctx;
    up->is_feed_open = false;
    finish_close(up);
}

static void init_parts(struct col_uplink *up)
{
    const struct col_conf_uplink *conf = up->opts.conf;
    uv_loop_t *loop = up->opts.loop;
    col_targets_init(&up->targets, conf->n_correlators);
    up->backoff = (struct hd_backoff){
        .base_ms = (uint64_t)(conf->retry_first_ns / HD_NS_PER_MS),
        .cap_ms = (uint64_t)(conf->retry_max_ns / HD_NS_PER_MS),
        .floor_ms = (uint64_t)(conf->retry_first_ns / HD_NS_PER_MS) / BACKOFF_FLOOR};
    up->probe = (struct col_probe){.loop = loop,
                                   .conf = conf,
                                   .tls = up->tls,
                                   .done = on_probed,
                                   .cancelled = on_probe_cancelled,
                                   .ctx = up};
    hd_buf_init(&up->in, 2U * RECEIVE_MAX);
    hd_buf_init(&up->out, HD_WIRE_FRAME_MAX + 8U);
    hd_owner_init(&up->owner, on_freed, up);
    (void)uv_timer_init(loop, &up->retry);
    hd_owner_add(&up->owner, (uv_handle_t *)&up->retry);
    (void)uv_timer_init(loop, &up->heartbeat);
    hd_owner_add(&up->owner, (uv_handle_t *)&up->heartbeat);
    (void)uv_timer_init(loop, &up->fail_back);
    hd_owner_add(&up->owner, (uv_handle_t *)&up->fail_back);
}

int col_uplink_open(const struct col_uplink_opts *opts, struct col_uplink **out,
                    char why[256])
{
    const struct col_conf_tls *tls = &opts->conf->tls;
    struct col_uplink *up = calloc(1, sizeof(*up));
    if (up == NULL) {
        return HD_ENOMEM;
    }
    up->opts = *opts;
    int err = hd_tls_new(&(struct hd_tls_opts){.role = HD_TLS_CLIENT,
                                               .cert_file = tls->cert,
                                               .key_file = tls->key,
                                               .ca_file = tls->ca,
                                               .crl_file = tls->crl},
                         &up->tls, why);
    if (err != HD_OK) {
        free(up);
        return err;
    }
    init_parts(up);
    err = col_feed_open(&up->feed, &up->owner, opts->loop, opts->intake);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "spool reader: %s", hd_err_text(err));
        finish_close(up);
        return err;
    }
    up->is_feed_open = true;
    connect_now(up);
    *out = up;
    return HD_OK;
}

void col_uplink_close(struct col_uplink *up, void (*closed)(void *ctx), void *ctx)
{
    bool can_talk = up->state == OPEN || up->state == DRAINING;
    up->closed = closed;
    up->closed_ctx = ctx;
    set_state(up, CLOSING);
    (void)uv_timer_stop(&up->retry);
    if (up->stream != NULL) {
        if (can_talk) {
            send_bye(up, HD_WIRE_BYE_NORMAL, "the agent ends");
        }
        hd_stream_close(up->stream, can_talk ? LINGER_MS : 0);
    }
    up->is_probe_open = col_probe_cancel(&up->probe);
    col_feed_close(&up->feed, on_feed_closed, up);
}

void col_uplink_reload(struct col_uplink *up)
{
    char why[256];
    int err = hd_tls_reload(up->tls, why);
    if (err != HD_OK) {
        HD_LOG(ERROR, "uplink",
               "certificates were not reloaded; the old ones stay in force",
               HD_KV_STR("why", why), HD_KV_ERR(err));
        return;
    }
    HD_LOG(INFO, "uplink", "certificates reloaded",
           HD_KV_INT("expires_in_days", hd_tls_expires_in_s(up->tls) / 86400));
    if (up->state == WAITING) {
        (void)uv_timer_start(&up->retry, on_retry, 0, 0);
    }
}

/* ---- what is known ---- */

bool col_uplink_is_drained(const struct col_uplink *up)
{
    return up->window.count == 0 && col_feed_is_empty(&up->feed);
}

int64_t col_uplink_oldest_ns(struct col_uplink *up)
{
    const struct col_window_batch *oldest = col_window_oldest(&up->window);
    uint64_t first;
    if (oldest != NULL) {
        return oldest->time_min;
    }
    return col_feed_is_empty(&up->feed) ? 0 : col_feed_oldest_ns(&up->feed, &first);
}

void col_uplink_rest(const struct col_uplink *up, struct col_feed_rest *out)
{
    col_feed_rest(&up->feed, out);
}

void col_uplink_status(struct col_uplink *up, struct hd_json *json)
{
    int64_t oldest_ns = col_uplink_oldest_ns(up);
    int64_t lag_ns = oldest_ns == 0 ? 0 : hd_clock_wall_ns() - oldest_ns;
    hd_json_object(json, "uplink");
    hd_json_cstr(json, "state", state_names[up->state]);
    hd_json_cstr(json, "correlator", target_name(up));
    if (up->last_ack_ns != 0) {
        hd_json_time(json, "last_ack", up->last_ack_ns, 3);
    }
    hd_json_i64(json, "lag_s", lag_ns < 0 ? 0 : lag_ns / HD_NS_PER_SEC);
    hd_json_end(json, '}');
}

void col_uplink_problems(const struct col_uplink *up, struct hd_json *json)
{
    char text[400];
    if (up->is_failed) {
        (void)snprintf(text, sizeof(text), "no correlator takes our lines: %s",
                       up->last_why);
        hd_json_cstr(json, NULL, text);
    }
    int64_t expires_s = hd_tls_expires_in_s(up->tls);
    if (expires_s < EXPIRY_WARN_S) {
        (void)snprintf(text, sizeof(text), "the certificate %s %lld days",
                       expires_s < 0 ? "has expired for" : "expires in",
                       (long long)(expires_s < 0 ? -expires_s : expires_s) / 86400);
        hd_json_cstr(json, NULL, text);
    }
}
