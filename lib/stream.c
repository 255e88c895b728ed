/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a connection. Writing: plain -> (encrypt) -> out -> socket; what the
 * socket does not take at once becomes the one write in flight, and everything written
 * meanwhile is gathered, so a busy connection sends full TLS records. Reading: a buffer
 * per read, handed on and freed. Ending: hd_stream_fail (at once) or LINGER (orderly);
 * both end in stream_freed, the only place that says on_close and frees.
 */
#include <haidang/stream.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/stream_core.h"

#define READ_BYTES      65536U
#define HANDSHAKE_MS    10000U
#define WRITE_QUEUE_MAX ((size_t)4 << 20)
#define KEEP_BUF_BYTES  16384U /* a drained buffer above this is given back */
#define ALERT_LINGER_MS 1000U  /* for the TLS alert or the last replies to arrive */
#define KEEPALIVE_S     60U

static void stream_timer(uv_timer_t *timer);
static void stream_flush(struct hd_stream *stream);

/* ---- life ---- */

static void stream_freed(void *ctx)
{
    struct hd_stream *stream = ctx;
    if (!stream->is_silent) {
        stream->ops->on_close(stream->ctx, stream->err, stream->why);
    }
    hd_tls_session_free(stream->session);
    hd_buf_fini(&stream->plain);
    hd_buf_fini(&stream->out);
    hd_buf_fini(&stream->flight);
    free(stream->verify_name);
    free(stream);
}

static void stream_handle_closed(void *ctx, uv_handle_t *handle)
{
    struct hd_stream *stream = ctx;
    if (handle != (uv_handle_t *)&stream->tcp) {
        return;
    }
    stream->has_tcp = false;
    if (stream->state == HD_STREAM_RETRYING) {
        hd_stream_dial_next(stream);
    }
}

int hd_stream_new(uv_loop_t *loop, const struct hd_stream_opts *opts,
                  const char *verify_name, struct hd_stream **out)
{
    struct hd_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return HD_ENOMEM;
    }
    if (verify_name != NULL) {
        stream->verify_name = hd_slice_dup(hd_slice_str(verify_name));
        if (stream->verify_name == NULL) {
            free(stream);
            return HD_ENOMEM;
        }
    }
    stream->loop = loop;
    stream->ops = opts->ops;
    stream->ctx = opts->ctx;
    stream->tls = opts->tls;
    stream->handshake_ms = opts->handshake_ms == 0 ? HANDSHAKE_MS : opts->handshake_ms;
    stream->idle_ms = opts->idle_ms;
    stream->write_queue_max =
        opts->write_queue_max == 0 ? WRITE_QUEUE_MAX : opts->write_queue_max;
    hd_buf_init(&stream->plain, 0);
    hd_buf_init(&stream->out, 0);
    hd_buf_init(&stream->flight, 0);
    hd_owner_init(&stream->owner, stream_freed, stream);
    stream->owner.handle_closed = stream_handle_closed;
    (void)uv_timer_init(loop, &stream->timer);
    hd_owner_add(&stream->owner, (uv_handle_t *)&stream->timer);
    stream->deadline = uv_now(loop) + stream->handshake_ms;
    *out = stream;
    return HD_OK;
}

static void stream_gone(struct hd_stream *stream)
{
    if (stream->state == HD_STREAM_GONE) {
        return;
    }
    stream->state = HD_STREAM_GONE;
    hd_stream_dial_cancel(stream);
    if (stream->has_tcp) {
        hd_owner_close(&stream->owner, (uv_handle_t *)&stream->tcp);
    }
    hd_owner_close(&stream->owner, (uv_handle_t *)&stream->timer);
    hd_owner_finish(&stream->owner);
}

static HD_PRINTF(3, 0) void stream_set_why(struct hd_stream *stream, int err,
                                           const char *fmt, va_list args)
{
    stream->err = err;
    (void)vsnprintf(stream->why, sizeof(stream->why), fmt, args);
}

void hd_stream_fail(struct hd_stream *stream, int err, const char *fmt, ...)
{
    if (stream->state == HD_STREAM_GONE) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    stream_set_why(stream, err, fmt, args);
    va_end(args);
    stream_gone(stream);
}

void hd_stream_discard(struct hd_stream *stream)
{
    stream->is_silent = true;
    stream_gone(stream);
}

static void timer_start(struct hd_stream *stream, uint64_t timeout_ms)
{
    (void)uv_timer_start(&stream->timer, stream_timer, timeout_ms, 0);
}

/* ---- writing ---- */

static void on_plain(void *ctx, struct hd_slice data);

static void on_cipher(void *ctx, struct hd_slice data)
{
    struct hd_stream *stream = ctx;
    hd_buf_slice_add(&stream->out, data);
}

static struct hd_tls_io stream_io(struct hd_stream *stream)
{
    return (struct hd_tls_io){.plain = on_plain, .cipher = on_cipher, .ctx = stream};
}

static void buf_done(struct hd_buf *buf)
{
    if (buf->cap > KEEP_BUF_BYTES) {
        size_t max = buf->max;
        hd_buf_fini(buf);
        hd_buf_init(buf, max);
    } else {
        hd_buf_clear(buf);
    }
}

static bool is_drained(const struct hd_stream *stream)
{
    return !stream->is_writing && stream->out.len == 0 && stream->plain.len == 0;
}

static void say_drain(struct hd_stream *stream)
{
    if (stream->state == HD_STREAM_OPEN && stream->wants_drain &&
        hd_stream_queued(stream) <= stream->write_queue_max / 4) {
        stream->wants_drain = false;
        if (stream->ops->on_drain != NULL) {
            stream->ops->on_drain(stream->ctx);
        }
    }
}

static void write_failed(struct hd_stream *stream, int status)
{
    if (stream->state == HD_STREAM_LINGER && stream->err != HD_ECLOSED) {
        stream_gone(stream); /* it ends for a reason that matters more */
        return;
    }
    hd_stream_fail(stream, hd_err_from_uv(status), "write to %s: %s", stream->peer,
                   uv_strerror(status));
}

static void fin_sent(uv_shutdown_t *req, int status)
{
    struct hd_stream *stream = HD_CONTAINER(req, struct hd_stream, shutdown_req);
    if (stream->state == HD_STREAM_LINGER && (status != 0 || stream->has_peer_fin)) {
        stream_gone(stream);
    }
}

/* One step of the orderly end: everything is with the kernel. */
static void linger_step(struct hd_stream *stream)
{
    if (stream->session != NULL && !stream->has_shut) {
        stream->has_shut = true;
        struct hd_tls_io io = stream_io(stream);
        hd_tls_session_shut(stream->session, &io);
        stream_flush(stream);
        return;
    }
    if (stream->has_fin) {
        return;
    }
    stream->has_fin = true;
    int status =
        uv_shutdown(&stream->shutdown_req, (uv_stream_t *)&stream->tcp, fin_sent);
    if (status != 0) {
        stream_gone(stream);
    }
}

static void write_done(uv_write_t *req, int status)
{
    struct hd_stream *stream = HD_CONTAINER(req, struct hd_stream, write_req);
    stream->is_writing = false;
    if (stream->state == HD_STREAM_GONE) {
        return;
    }
    if (status != 0) {
        write_failed(stream, status);
        return;
    }
    buf_done(&stream->flight);
    stream_flush(stream);
    say_drain(stream);
}

/* Hands `out` to the socket; what it does not take becomes the write in flight. */
static void out_send(struct hd_stream *stream)
{
    uv_stream_t *tcp = (uv_stream_t *)&stream->tcp;
    uv_buf_t buf = uv_buf_init((char *)stream->out.ptr, (unsigned)stream->out.len);
    int n = uv_try_write(tcp, &buf, 1);
    if (n < 0 && n != UV_EAGAIN) {
        write_failed(stream, n);
        return;
    }
    size_t taken = n > 0 ? (size_t)n : 0;
    if (taken == stream->out.len) {
        buf_done(&stream->out);
        return;
    }
    struct hd_buf empty = stream->flight;
    stream->flight = stream->out;
    stream->out = empty;
    buf = uv_buf_init((char *)stream->flight.ptr + taken,
                      (unsigned)(stream->flight.len - taken));
    int status = uv_write(&stream->write_req, tcp, &buf, 1, write_done);
    if (status != 0) {
        write_failed(stream, status);
        return;
    }
    stream->is_writing = true;
}

static bool encrypt_plain(struct hd_stream *stream)
{
    if (stream->plain.err == HD_OK && stream->plain.len > 0) {
        struct hd_tls_io io = stream_io(stream);
        if (hd_tls_session_send(stream->session, hd_buf_slice(&stream->plain), &io) !=
            HD_OK) {
            hd_stream_fail(stream, HD_ETLS, "%s", hd_tls_session_why(stream->session));
            return false;
        }
        buf_done(&stream->plain);
    }
    int err = stream->plain.err != HD_OK ? stream->plain.err : stream->out.err;
    if (err != HD_OK) {
        hd_stream_fail(stream, err, "write to %s: %s", stream->peer, hd_err_text(err));
        return false;
    }
    return true;
}

static void stream_flush(struct hd_stream *stream)
{
    if (stream->is_corked || stream->is_writing || stream->state == HD_STREAM_GONE) {
        return;
    }
    if (!encrypt_plain(stream)) {
        return;
    }
    if (stream->out.len > 0) {
        out_send(stream);
    }
    if ((stream->state == HD_STREAM_LINGER || stream->is_finishing) &&
        is_drained(stream)) {
        linger_step(stream);
    }
}

size_t hd_stream_queued(const struct hd_stream *stream)
{
    size_t queued = stream->plain.len + stream->out.len;
    if (stream->has_tcp) {
        queued += uv_stream_get_write_queue_size((const uv_stream_t *)&stream->tcp);
    }
    return queued;
}

int hd_stream_write(struct hd_stream *stream, struct hd_slice data)
{
    if (stream->state >= HD_STREAM_LINGER || stream->is_finishing) {
        return HD_ECLOSED;
    }
    if (stream->state != HD_STREAM_OPEN) {
        return HD_EAGAIN;
    }
    size_t queued = hd_stream_queued(stream);
    if (queued > 0 && (data.len > stream->write_queue_max ||
                       queued > stream->write_queue_max - data.len)) {
        stream->wants_drain = true;
        return HD_EFULL;
    }
    struct hd_buf *to = stream->session != NULL ? &stream->plain : &stream->out;
    hd_buf_slice_add(to, data);
    stream_flush(stream);
    return HD_OK;
}

/* ---- ending ---- */

void hd_stream_finish(struct hd_stream *stream)
{
    if (stream->state == HD_STREAM_OPEN && !stream->is_finishing) {
        stream->is_finishing = true;
        stream->has_shut = true; /* see the header */
        stream->err = HD_ECLOSED;
        (void)snprintf(stream->why, sizeof(stream->why), "closed");
        stream_flush(stream);
    }
}

static void linger(struct hd_stream *stream, uint64_t linger_ms)
{
    stream->state = HD_STREAM_LINGER;
    timer_start(stream, linger_ms);
    hd_stream_resume(stream); /* to see the peer's FIN */
    stream_flush(stream);
}

/* The peer, or TLS, ended it: let our last bytes out, then on_close says why. */
static void end_softly(struct hd_stream *stream, int err, const char *why)
{
    stream->err = err;
    (void)snprintf(stream->why, sizeof(stream->why), "%s", why);
    if (stream->has_fin && stream->has_peer_fin) {
        stream_gone(stream); /* both have said all */
        return;
    }
    linger(stream, ALERT_LINGER_MS);
}

static void linger_over(struct hd_stream *stream)
{
    size_t queued = hd_stream_queued(stream);
    if (stream->err == HD_ECLOSED && queued > 0) {
        hd_stream_fail(stream, HD_ETIMEDOUT, "closed with %zu bytes that %s did not take",
                       queued, stream->peer);
        return;
    }
    stream_gone(stream);
}

void hd_stream_close(struct hd_stream *stream, uint64_t linger_ms)
{
    if (stream->state >= HD_STREAM_LINGER) {
        if (linger_ms == 0) {
            stream_gone(stream);
        }
        return;
    }
    if (stream->state != HD_STREAM_OPEN || linger_ms == 0) {
        hd_stream_fail(stream, HD_ECLOSED, "closed");
        return;
    }
    stream->err = HD_ECLOSED;
    (void)snprintf(stream->why, sizeof(stream->why), "closed");
    linger(stream, linger_ms);
}

/* ---- reading ---- */

static void stream_opened(struct hd_stream *stream)
{
    stream->state = HD_STREAM_OPEN;
    stream->last_read = uv_now(stream->loop);
    (void)uv_timer_stop(&stream->timer);
    if (stream->idle_ms > 0) {
        timer_start(stream, stream->idle_ms);
    }
    stream->ops->on_open(stream->ctx, stream);
}

static void on_plain(void *ctx, struct hd_slice data)
{
    struct hd_stream *stream = ctx;
    if (stream->state == HD_STREAM_HANDSHAKE) {
        stream_opened(stream);
    }
    if (stream->state == HD_STREAM_OPEN) {
        stream->ops->on_data(stream->ctx, data);
    }
}

static void feed_tls(struct hd_stream *stream, struct hd_slice data)
{
    struct hd_tls_io io = stream_io(stream);
    int err = hd_tls_session_feed(stream->session, data, &io);
    if (stream->state == HD_STREAM_HANDSHAKE && hd_tls_session_is_open(stream->session)) {
        stream_opened(stream);
    }
    if (stream->state >= HD_STREAM_LINGER || err == HD_OK) {
        return;
    }
    if (err == HD_ECLOSED) {
        stream->has_peer_fin = true;
        end_softly(stream, HD_ECLOSED, "closed by the peer");
    } else {
        stream->has_shut = true; /* the session is dead, its alert is in `out` */
        buf_done(&stream->plain);
        end_softly(stream, err, hd_tls_session_why(stream->session));
    }
}

static void take_bytes(struct hd_stream *stream, struct hd_slice data)
{
    stream->last_read = uv_now(stream->loop);
    if (stream->state == HD_STREAM_LINGER) {
        return; /* only the peer's end is of interest */
    }
    stream->is_corked = true;
    if (stream->session != NULL) {
        feed_tls(stream, data);
    } else if (stream->state == HD_STREAM_OPEN) {
        stream->ops->on_data(stream->ctx, data);
    }
    stream->is_corked = false;
    stream_flush(stream);
    say_drain(stream);
}

static void read_failed(struct hd_stream *stream, int status)
{
    if (stream->state == HD_STREAM_LINGER &&
        (stream->err != HD_ECLOSED || is_drained(stream))) {
        stream_gone(stream);
        return;
    }
    hd_stream_fail(stream, hd_err_from_uv(status), "read from %s: %s%s", stream->peer,
                   uv_strerror(status),
                   stream->state == HD_STREAM_HANDSHAKE ? " (during the TLS handshake)"
                                                        : "");
}

/* libuv says EOF for a reset that follows a short read; the socket knows better. */
static int hidden_error(const struct hd_stream *stream)
{
    uv_os_fd_t fd;
    int errnum = 0;
    socklen_t len = sizeof(errnum);
    if (uv_fileno((const uv_handle_t *)&stream->tcp, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &len) != 0) {
        return 0;
    }
    return -errnum;
}

static void peer_ended(struct hd_stream *stream)
{
    int status = hidden_error(stream);
    if (status != 0) {
        read_failed(stream, status);
        return;
    }
    (void)uv_read_stop((uv_stream_t *)&stream->tcp);
    stream->has_peer_fin = true;
    switch (stream->state) {
    case HD_STREAM_LINGER:
        if (is_drained(stream) && stream->has_fin) {
            stream_gone(stream);
        }
        break;
    case HD_STREAM_HANDSHAKE:
        hd_stream_fail(stream, HD_ETLS, "%s closed during the TLS handshake",
                       stream->peer);
        break;
    default:
        if (stream->session != NULL && !stream->is_finishing) {
            hd_stream_fail(stream, HD_ECONN, "%s closed without a TLS close_notify",
                           stream->peer);
        } else {
            end_softly(stream, HD_ECLOSED, "closed by the peer");
        }
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    buf->base = malloc(READ_BYTES);
    buf->len = buf->base == NULL ? 0 : READ_BYTES;
}

static void on_read(uv_stream_t *tcp, ssize_t nread, const uv_buf_t *buf)
{
    struct hd_stream *stream = HD_CONTAINER((uv_tcp_t *)tcp, struct hd_stream, tcp);
    if (stream->state == HD_STREAM_GONE) {
        free(buf->base);
        return;
    }
    if (nread > 0) {
        take_bytes(stream, hd_slice(buf->base, (size_t)nread));
    } else if (nread == UV_EOF) {
        peer_ended(stream);
    } else if (nread < 0) {
        read_failed(stream, (int)nread);
    }
    free(buf->base);
}

void hd_stream_pause(struct hd_stream *stream)
{
    if (stream->state == HD_STREAM_OPEN && !stream->is_paused) {
        stream->is_paused = true;
        (void)uv_read_stop((uv_stream_t *)&stream->tcp);
    }
}

void hd_stream_resume(struct hd_stream *stream)
{
    if (stream->state != HD_STREAM_GONE && stream->is_paused) {
        stream->is_paused = false;
        stream->last_read = uv_now(stream->loop);
        if (!stream->has_peer_fin) {
            (void)uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);
        }
    }
}

/* ---- beginning ---- */

static int start_reading(struct hd_stream *stream)
{
    return uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);
}

static void name_peer(struct hd_stream *stream)
{
    struct sockaddr_storage addr;
    int len = sizeof(addr);
    struct hd_ip ip;
    uint16_t port;
    if (uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&addr, &len) != 0 ||
        hd_sockaddr_ip((const struct sockaddr *)&addr, &ip, &port) != HD_OK) {
        /* it has gone again; the first read will say so */
        (void)snprintf(stream->peer, sizeof(stream->peer), "a peer that has left");
        return;
    }
    (void)hd_ip_format(&ip, stream->peer_ip);
    (void)snprintf(stream->peer, sizeof(stream->peer),
                   hd_ip_is_v4(&ip) ? "%s:%u" : "[%s]:%u", stream->peer_ip, port);
}

static void begin_tls(struct hd_stream *stream)
{
    uint64_t now = uv_now(stream->loop);
    int err = hd_tls_session_new(stream->tls, stream->verify_name, &stream->session);
    if (err != HD_OK) {
        hd_stream_fail(stream, err, "no TLS session: %s", hd_err_text(err));
        return;
    }
    stream->state = HD_STREAM_HANDSHAKE;
    timer_start(stream, stream->deadline > now ? stream->deadline - now : 1);
    int status = start_reading(stream);
    if (status != 0) {
        read_failed(stream, status);
        return;
    }
    take_bytes(stream, HD_SLICE_EMPTY); /* a client speaks first */
}

static void begin_plain(struct hd_stream *stream)
{
    int status = start_reading(stream);
    if (status != 0) {
        read_failed(stream, status);
        return;
    }
    stream_opened(stream);
}

void hd_stream_begin(struct hd_stream *stream)
{
    if (stream->peer[0] == '\0') {
        name_peer(stream);
    }
    (void)uv_tcp_nodelay(&stream->tcp, 1);
    (void)uv_tcp_keepalive(&stream->tcp, 1, KEEPALIVE_S);
    if (stream->tls != NULL) {
        begin_tls(stream);
    } else {
        begin_plain(stream);
    }
}

int hd_stream_accept(uv_stream_t *server, const struct hd_stream_opts *opts,
                     struct hd_stream **out)
{
    struct hd_stream *stream = NULL;
    int err = hd_stream_new(server->loop, opts, NULL, &stream);
    if (err != HD_OK) {
        hd_listener_refuse(server);
        return err;
    }
    (void)uv_tcp_init(server->loop, &stream->tcp);
    hd_owner_add(&stream->owner, (uv_handle_t *)&stream->tcp);
    stream->has_tcp = true;
    stream->state = HD_STREAM_OPENING;
    int status = uv_accept(server, (uv_stream_t *)&stream->tcp);
    if (status != 0) {
        hd_stream_discard(stream);
        return hd_err_from_uv(status);
    }
    name_peer(stream);
    timer_start(stream, 0); /* the caller gets *out before any callback */
    *out = stream;
    return HD_OK;
}

/* ---- time ---- */

static void idle_check(struct hd_stream *stream)
{
    uint64_t now = uv_now(stream->loop);
    uint64_t quiet = now - stream->last_read;
    if (stream->is_paused) {
        timer_start(stream, stream->idle_ms);
    } else if (quiet < stream->idle_ms) {
        timer_start(stream, stream->idle_ms - quiet);
    } else {
        end_softly(stream, HD_ETIMEDOUT, "nothing arrived for too long");
    }
}

static void stream_timer(uv_timer_t *timer)
{
    struct hd_stream *stream = HD_CONTAINER(timer, struct hd_stream, timer);
    switch (stream->state) {
    case HD_STREAM_OPENING:
        hd_stream_begin(stream);
        break;
    case HD_STREAM_HANDSHAKE:
        hd_stream_fail(stream, HD_ETIMEDOUT,
                       "%s did not finish the TLS handshake in time", stream->peer);
        break;
    case HD_STREAM_OPEN:
        idle_check(stream);
        break;
    case HD_STREAM_LINGER:
        linger_over(stream);
        break;
    default: /* dialling has a timer callback of its own */
        break;
    }
}

/* ---- asking ---- */

const char *hd_stream_peer(const struct hd_stream *stream)
{
    return stream->peer;
}

const char *hd_stream_peer_ip(const struct hd_stream *stream)
{
    return stream->peer_ip;
}

const char *hd_stream_peer_cn(const struct hd_stream *stream)
{
    return stream->session == NULL ? "" : hd_tls_session_peer_cn(stream->session);
}
