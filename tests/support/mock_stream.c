/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/mock_stream.h"

#include "tests/support/support.h"

#include <stdlib.h>

#include <haidang/buf.h>
#include <haidang/loop.h>

struct hd_test_peer {
    uv_tcp_t listener;
    uv_tcp_t tcp;
    uv_connect_t connect_req;
    uv_write_t write_req;
    uv_shutdown_t shutdown_req;
    const struct hd_test_step *steps;
    size_t n, at;
    struct hd_buf got;
    bool has_listener, has_tcp, is_listening, saw_end;
    unsigned open_handles;
};

static void play(struct hd_test_peer *peer);

static void handle_closed(uv_handle_t *handle)
{
    ((struct hd_test_peer *)handle->data)->open_handles--;
}

void hd_test_peer_close(struct hd_test_peer *peer)
{
    if (peer->has_listener) {
        peer->has_listener = false;
        uv_close((uv_handle_t *)&peer->listener, handle_closed);
    }
    if (peer->has_tcp) {
        peer->has_tcp = false;
        uv_close((uv_handle_t *)&peer->tcp, handle_closed);
    }
}

static void tcp_open(struct hd_test_peer *peer, uv_loop_t *loop)
{
    assert_int_equal(uv_tcp_init(loop, &peer->tcp), 0);
    peer->tcp.data = peer;
    peer->has_tcp = true;
    peer->open_handles++;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct hd_test_peer *peer = handle->data;
    (void)suggested;
    buf->base = (char *)hd_buf_reserve(&peer->got, 65536);
    buf->len = buf->base == NULL ? 0 : 65536;
}

static void on_read(uv_stream_t *tcp, ssize_t nread, const uv_buf_t *buf)
{
    struct hd_test_peer *peer = tcp->data;
    (void)buf;
    if (nread > 0) {
        peer->got.len += (size_t)nread;
    } else if (nread < 0) {
        peer->saw_end = nread == UV_EOF;
        hd_test_peer_close(peer);
        return;
    }
    play(peer);
}

static void step_written(uv_write_t *req, int status)
{
    struct hd_test_peer *peer = req->data;
    if (status == 0 && peer->has_tcp) {
        peer->at++;
        play(peer);
    }
}

static void step_fin(uv_shutdown_t *req, int status)
{
    struct hd_test_peer *peer = req->data;
    if (status == 0 && peer->has_tcp) {
        peer->at++;
        play(peer);
    }
}

static void step_send(struct hd_test_peer *peer, struct hd_slice data)
{
    uv_buf_t buf = uv_buf_init((char *)data.ptr, (unsigned)data.len);
    peer->write_req.data = peer;
    (void)uv_write(&peer->write_req, (uv_stream_t *)&peer->tcp, &buf, 1, step_written);
}

/* Runs steps until one has to wait. */
static void play(struct hd_test_peer *peer)
{
    uv_stream_t *tcp = (uv_stream_t *)&peer->tcp;
    while (peer->has_tcp && peer->at < peer->n) {
        const struct hd_test_step *step = &peer->steps[peer->at];
        switch (step->kind) {
        case HD_TEST_SEND:
            if (peer->write_req.data == NULL ||
                uv_stream_get_write_queue_size(tcp) == 0) {
                step_send(peer, step->data);
            }
            return;
        case HD_TEST_AWAIT:
            if (peer->got.len < step->n) {
                (void)uv_read_start(tcp, on_alloc, on_read);
                return;
            }
            (void)uv_read_stop(tcp);
            peer->at++;
            break;
        case HD_TEST_FIN:
            peer->shutdown_req.data = peer;
            (void)uv_shutdown(&peer->shutdown_req, tcp, step_fin);
            return;
        case HD_TEST_RESET:
            peer->has_tcp = false;
            (void)uv_tcp_close_reset(&peer->tcp, handle_closed);
            return;
        case HD_TEST_HOLD:
            (void)uv_read_stop(tcp);
            return;
        }
    }
    if (peer->has_tcp) {
        (void)uv_read_start(tcp, on_alloc, on_read);
    }
}

static struct hd_test_peer *peer_new(const struct hd_test_step *steps, size_t n)
{
    struct hd_test_peer *peer = calloc(1, sizeof(*peer));
    assert_non_null(peer);
    peer->steps = steps;
    peer->n = n;
    hd_buf_init(&peer->got, 0);
    return peer;
}

static void connected(uv_connect_t *req, int status)
{
    struct hd_test_peer *peer = req->data;
    if (status == 0) {
        play(peer);
    } else {
        hd_test_peer_close(peer);
    }
}

struct hd_test_peer *hd_test_peer_connect(uv_loop_t *loop, uint16_t port,
                                          const struct hd_test_step *steps, size_t n)
{
    struct hd_test_peer *peer = peer_new(steps, n);
    struct sockaddr_in addr;
    tcp_open(peer, loop);
    assert_int_equal(uv_ip4_addr("127.0.0.1", port, &addr), 0);
    peer->connect_req.data = peer;
    assert_int_equal(uv_tcp_connect(&peer->connect_req, &peer->tcp,
                                    (const struct sockaddr *)&addr, connected),
                     0);
    return peer;
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct hd_test_peer *peer = listener->data;
    assert_int_equal(status, 0);
    tcp_open(peer, listener->loop);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&peer->tcp), 0);
    peer->has_listener = false;
    uv_close((uv_handle_t *)listener, handle_closed);
    play(peer);
}

struct hd_test_peer *hd_test_peer_listen(uv_loop_t *loop,
                                         const struct hd_test_step *steps, size_t n)
{
    struct hd_test_peer *peer = peer_new(steps, n);
    struct sockaddr_in addr;
    assert_int_equal(uv_tcp_init(loop, &peer->listener), 0);
    peer->listener.data = peer;
    peer->has_listener = true;
    peer->open_handles++;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &addr), 0);
    assert_int_equal(uv_tcp_bind(&peer->listener, (const struct sockaddr *)&addr, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&peer->listener, 8, on_connection), 0);
    return peer;
}

uint16_t hd_test_peer_port(const struct hd_test_peer *peer)
{
    struct sockaddr_in addr;
    int len = sizeof(addr);
    assert_int_equal(uv_tcp_getsockname(&peer->listener, (struct sockaddr *)&addr, &len),
                     0);
    return ntohs(addr.sin_port);
}

struct hd_slice hd_test_peer_got(const struct hd_test_peer *peer)
{
    return hd_buf_slice(&peer->got);
}

bool hd_test_peer_saw_end(const struct hd_test_peer *peer)
{
    return peer->saw_end;
}

void hd_test_peer_free(struct hd_test_peer *peer)
{
    assert_int_equal(peer->open_handles, 0);
    hd_buf_fini(&peer->got);
    free(peer);
}

void hd_test_cut_everywhere(struct hd_slice whole,
                            const struct hd_test_consumer *consumer)
{
    for (size_t cut = 0; cut <= whole.len; cut++) {
        consumer->begin(consumer->ctx);
        consumer->feed(consumer->ctx, hd_slice_head(whole, cut));
        consumer->feed(consumer->ctx, hd_slice_from(whole, cut));
        consumer->end(consumer->ctx);
    }
    consumer->begin(consumer->ctx);
    for (size_t i = 0; i < whole.len; i++) {
        consumer->feed(consumer->ctx, hd_slice(whole.ptr + i, 1));
    }
    consumer->end(consumer->ctx);
}
