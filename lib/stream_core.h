/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream from inside: shared by lib/stream.c (bytes) and lib/stream_connect.c (how it
 * comes to a connection). The timer lives as long as the stream; the TCP handle is
 * replaced for each address that is tried.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/inet.h>
#include <haidang/loop.h>
#include <haidang/stream.h>

enum hd_stream_state {
    HD_STREAM_RESOLVING,
    HD_STREAM_CONNECTING,
    HD_STREAM_RETRYING,  /* the handle of a failed attempt is closing */
    HD_STREAM_OPENING,   /* accepted: it begins with the next timer */
    HD_STREAM_HANDSHAKE, /* TLS */
    HD_STREAM_OPEN,
    HD_STREAM_LINGER, /* sends what is left, then waits for the peer's end */
    HD_STREAM_GONE,   /* handles are closing; nothing happens any more but on_close */
};

struct hd_stream_dial;

struct hd_stream {
    struct hd_owner owner;
    uv_loop_t *loop;
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_connect_t connect_req;
    uv_write_t write_req;
    uv_shutdown_t shutdown_req;
    const struct hd_stream_ops *ops;
    void *ctx;
    struct hd_tls *tls;
    struct hd_tls_session *session;
    struct hd_stream_dial *dial; /* until connected */
    char *verify_name;

    enum hd_stream_state state;
    bool has_tcp;
    bool is_paused;
    bool is_corked;    /* inside on_read: what is written goes out at its end */
    bool is_writing;   /* write_req is in flight */
    bool wants_drain;  /* HD_EFULL was said */
    bool is_finishing; /* we have nothing more to say; the peer may have */
    bool has_shut;     /* close_notify was sent */
    bool has_fin;      /* FIN was sent or is being sent */
    bool has_peer_fin; /* nothing more will come */
    bool is_silent;    /* creation failed: no on_close */

    uint64_t handshake_ms;
    uint64_t idle_ms;
    uint64_t deadline; /* of the handshake, in loop time */
    uint64_t last_read;
    size_t write_queue_max;
    struct hd_buf plain;  /* not yet encrypted; TLS only */
    struct hd_buf out;    /* ready for the socket */
    struct hd_buf flight; /* being written */

    int err;
    char why[256];
    char peer[HD_IP_TEXT_MAX + 9];
    char peer_ip[HD_IP_TEXT_MAX];
};

int hd_stream_new(uv_loop_t *loop, const struct hd_stream_opts *opts,
                  const char *verify_name, struct hd_stream **out) HD_MUST_USE;
/* The TCP handle is connected: name the peer, then handshake or on_open. */
void hd_stream_begin(struct hd_stream *stream);
/* Ends now; on_close will say `err` and the text. */
void hd_stream_fail(struct hd_stream *stream, int err, const char *fmt, ...)
    HD_PRINTF(3, 4);
/* Closes without on_close: the caller is told by a return code. */
void hd_stream_discard(struct hd_stream *stream);

/* lib/stream_connect.c */
void hd_stream_dial_next(struct hd_stream *stream);
void hd_stream_dial_cancel(struct hd_stream *stream);
