/* SPDX-License-Identifier: Apache-2.0
 *
 * One TCP connection on a loop, plain or TLS: the two layers under every framer. A stream
 * belongs to its loop's thread. After close (by either side) exactly one on_close comes,
 * and the stream is freed after it; no callback follows.
 */
#pragma once
#include <stdbool.h>
#include <uv.h>

#include <haidang/err.h>
#include <haidang/slice.h>
#include <haidang/tls.h>

struct hd_stream;

struct hd_stream_ops {
    void (*on_open)(void *ctx, struct hd_stream *stream); /* connected, handshake done */
    void (*on_data)(void *ctx, struct hd_slice data);     /* valid in the call */
    void (*on_drain)(
        void *ctx); /* after HD_EFULL: the queue has room again; may be NULL */
    /* err: HD_ECLOSED after an orderly end, else the reason; `why` for people. */
    void (*on_close)(void *ctx, int err, const char *why);
};

struct hd_stream_opts {
    const struct hd_stream_ops *ops;
    void *ctx;
    struct hd_tls *tls; /* NULL = plain; borrowed for the stream's life */
    const char
        *verify_name; /* TLS clients: name in the server's certificate; NULL = host */
    uint64_t handshake_ms;  /* connect + TLS handshake must end in time; 0 = 10 s */
    uint64_t idle_ms;       /* close when nothing arrives for so long; 0 = never */
    size_t write_queue_max; /* bytes; hd_stream_write says HD_EFULL above; 0 = 4 MiB */
};

/* Resolves (off the loop), connects, handshakes. Failures come through on_close, never
 * from inside this call. own: *out until on_close. */
int hd_stream_connect(uv_loop_t *loop, const char *host, uint16_t port,
                      const struct hd_stream_opts *opts,
                      struct hd_stream **out) HD_MUST_USE;
/* Takes the next connection of a listener; on failure it is refused. on_open comes later,
 * not from inside this call. own: *out until on_close. */
int hd_stream_accept(uv_stream_t *server, const struct hd_stream_opts *opts,
                     struct hd_stream **out) HD_MUST_USE;

/* Sends or queues a copy (encrypted when TLS). HD_EFULL: nothing was queued; wait for
 * on_drain. A write larger than the queue's limit passes when the queue is empty.
 * HD_ECLOSED after close, HD_EAGAIN before on_open. What is written inside on_data, or
 * while the socket is busy, goes out together in full TLS records. */
int hd_stream_write(struct hd_stream *stream, struct hd_slice data) HD_MUST_USE;
size_t hd_stream_queued(
    const struct hd_stream *stream); /* bytes not yet with the kernel */

/* Stop reading: TCP back-pressure. Inside on_data: what is left of the current read (at
 * most 64 KiB) still comes. */
void hd_stream_pause(struct hd_stream *stream);
void hd_stream_resume(struct hd_stream *stream);
/* Asks the peer to end: what is queued is sent, then FIN. What it still sends comes as
 * before, until its end; nothing more can be written. No close_notify goes before the
 * FIN: rsyslog peeks for the end with recv(2), and would take an alert for a sign of
 * life. */
void hd_stream_finish(struct hd_stream *stream);
/* Orderly: what is queued is sent first, then close_notify and FIN, then the peer's FIN
 * is awaited; all that for at most linger_ms (0 = drop it all at once). Afterwards no
 * callback but on_close, with HD_ECLOSED or, when something could not be sent, why. */
void hd_stream_close(struct hd_stream *stream, uint64_t linger_ms);

const char *hd_stream_peer(const struct hd_stream *stream);    /* "192.0.2.1:50123" */
const char *hd_stream_peer_ip(const struct hd_stream *stream); /* "192.0.2.1" */
const char *hd_stream_peer_cn(const struct hd_stream *stream); /* verified; "" if none */

/* ---- listening ---- */

struct hd_listener;
struct hd_listener_opts {
    const char *address; /* "host:port"; port 0 = any */
    int backlog;         /* 0 = 511 */
    /* One connection waits: call hd_stream_accept, or hd_listener_refuse. */
    void (*on_connection)(void *ctx, struct hd_listener *listener, uv_stream_t *server);
    void *ctx;
};
/* `why`: which address and what is wrong. HD_EINVAL, HD_EACCES, HD_EBUSY. */
int hd_listener_open(uv_loop_t *loop, const struct hd_listener_opts *opts,
                     struct hd_listener **out, char why[256]) HD_MUST_USE;
uint16_t hd_listener_port(const struct hd_listener *listener);
/* Accepts and closes at once; needs no memory. Of a struct hd_listener only. */
void hd_listener_refuse(uv_stream_t *server);
void hd_listener_close(struct hd_listener *listener);
