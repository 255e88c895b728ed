/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/collector/fake_correlator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/hash.h>

#include "tests/support/certs.h"

/* A peer that has gone is no failure here: the test asks for that, too. */
static void send_bytes(struct fake_peer *peer, struct hd_slice bytes)
{
    int err = hd_stream_write(peer->stream, bytes);
    assert_true(err == HD_OK || err == HD_ECLOSED);
}

static void send_frame(struct fake_peer *peer, const struct hd_wire_frame *frame)
{
    struct hd_buf out;
    hd_buf_init(&out, 0);
    hd_wire_encode(&out, frame);
    assert_int_equal(out.err, 0);
    send_bytes(peer, hd_buf_slice(&out));
    hd_buf_fini(&out);
}

static void send_ack(struct fake_peer *peer)
{
    struct fake_correlator *fc = peer->owner;
    if (fc->sends_unknown) {
        send_bytes(peer, HD_SLICE("\0\0\0\4\x7f"
                                  "abc"));
    }
    struct hd_wire_frame ack = {.type = HD_WIRE_ACK};
    ack.u.ack.last_durable = fc->last + fc->over_ack;
    ack.u.ack.credits = fc->credits;
    send_frame(peer, &ack);
}

static void on_hello(struct fake_peer *peer, const struct hd_wire_hello *hello)
{
    struct fake_correlator *fc = peer->owner;
    fc->hellos++;
    fc->batches_here = 0;
    fc->first_spooled = hello->first_spooled;
    fc->acknowledged = hello->acknowledged;
    fc->last_spooled = hello->last_spooled;
    (void)snprintf(fc->agent, sizeof(fc->agent), "%.*s", HD_SLICE_FMT(hello->agent));
    if (!hd_slice_eq(hello->boot, hd_slice_str(fc->boot))) {
        fc->last = 0;
        (void)snprintf(fc->boot, sizeof(fc->boot), "%.*s", HD_SLICE_FMT(hello->boot));
    }
    struct hd_wire_frame answer = {.type = HD_WIRE_WELCOME};
    if (fc->garbage.len > 0) {
        send_bytes(peer, fc->garbage);
        return;
    }
    if (fc->bye >= 0) {
        answer.type = HD_WIRE_BYE;
        answer.u.bye.code = (uint16_t)fc->bye;
        answer.u.bye.text = HD_SLICE("as the test wants it");
    } else {
        answer.u.welcome.version = fc->version;
        answer.u.welcome.credits = fc->credits;
        answer.u.welcome.last_durable = fc->last;
    }
    send_frame(peer, &answer);
}

static void keep(struct fake_correlator *fc, const struct hd_wire_batch *batch)
{
    struct hd_batch_info info;
    struct hd_batch_record record;
    const struct hd_batch_source *sources;
    assert_int_equal(hd_crc32c(0, batch->payload.ptr, batch->payload.len), batch->crc32c);
    assert_int_equal(hd_batch_reader_open(fc->reader, batch->payload, &info), HD_OK);
    assert_int_equal(info.first, batch->first);
    assert_int_equal(info.last, batch->last);
    assert_int_equal(info.last - info.first + 1, info.count);
    assert_true(hd_slice_eq(info.boot, hd_slice_str(fc->boot)));
    (void)hd_batch_reader_sources(fc->reader, &sources);
    while (hd_batch_reader_next(fc->reader, &record) == 1) {
        if (record.seq > fc->last && fc->line != NULL) {
            fc->line(fc->ctx, &record, &sources[record.source]);
        }
    }
}

static void on_batch(struct fake_peer *peer, const struct hd_wire_batch *batch)
{
    struct fake_correlator *fc = peer->owner;
    fc->batches++;
    fc->batches_here++;
    if (batch->last <= fc->last) {
        fc->repeats++;
    } else {
        fc->gaps += batch->first > fc->last + 1;
        keep(fc, batch);
        fc->last = batch->last;
    }
    if (fc->drop_after > 0 && fc->batches_here >= fc->drop_after) {
        peer->is_cut = true;
        hd_stream_close(peer->stream, 0);
    } else if (!fc->acks_nothing) {
        send_ack(peer);
    }
}

static void on_frame(struct fake_peer *peer, const struct hd_wire_frame *frame)
{
    struct fake_correlator *fc = peer->owner;
    struct hd_wire_frame answer = {.type = HD_WIRE_HEARTBEAT};
    switch (frame->type) {
    case HD_WIRE_HELLO:
        on_hello(peer, &frame->u.hello);
        break;
    case HD_WIRE_BATCH:
        on_batch(peer, &frame->u.batch);
        break;
    case HD_WIRE_HEARTBEAT:
        fc->heartbeats++;
        assert_true(frame->u.heartbeat.n >= 10);
        send_frame(peer, &answer);
        break;
    case HD_WIRE_BYE:
        fc->byes++;
        break;
    default:
        fail_msg("frame of type %d", (int)frame->type);
    }
}

static void on_open(void *ctx, struct hd_stream *stream)
{
    (void)ctx;
    (void)stream;
}

static void on_data(void *ctx, struct hd_slice data)
{
    struct fake_peer *peer = ctx;
    size_t used = 0;
    struct hd_wire_frame frame;
    enum hd_parse got = HD_PARSE_OK;
    hd_buf_slice_add(&peer->in, data);
    while (!peer->is_cut && got == HD_PARSE_OK) {
        got = hd_wire_decode(hd_buf_slice(&peer->in), &frame, &used);
        if (got == HD_PARSE_OK) {
            on_frame(peer, &frame);
            hd_buf_consume(&peer->in, used);
        }
    }
    assert_int_not_equal(got, HD_PARSE_BAD);
}

static void on_close(void *ctx, int err, const char *why)
{
    struct fake_peer *peer = ctx;
    (void)err;
    (void)why;
    hd_buf_fini(&peer->in);
    peer->is_used = false;
    peer->stream = NULL;
}

static const struct hd_stream_ops stream_ops = {
    .on_open = on_open, .on_data = on_data, .on_close = on_close};

static void on_connection(void *ctx, struct hd_listener *listener, uv_stream_t *server)
{
    struct fake_correlator *fc = ctx;
    (void)listener;
    fc->connections++;
    for (size_t i = 0; i < FAKE_CONNS_MAX; i++) {
        struct fake_peer *peer = &fc->peers[i];
        if (!peer->is_used) {
            const struct hd_stream_opts opts = {
                .ops = &stream_ops, .ctx = peer, .tls = fc->tls};
            *peer = (struct fake_peer){.owner = fc, .is_used = true};
            hd_buf_init(&peer->in, 0);
            assert_int_equal(hd_stream_accept(server, &opts, &peer->stream), HD_OK);
            return;
        }
    }
    hd_listener_refuse(server);
}

void fake_correlator_open(struct fake_correlator *fc, uv_loop_t *loop, const char *pki,
                          uint16_t port)
{
    char why[256], address[32];
    *fc = (struct fake_correlator){
        .loop = loop, .credits = 4U << 20, .bye = -1, .version = HD_WIRE_VERSION};
    const struct hd_tls_opts tls = {.role = HD_TLS_SERVER,
                                    .cert_file = hd_test_path(pki, "server.crt"),
                                    .key_file = hd_test_path(pki, "server.key"),
                                    .ca_file = hd_test_path(pki, "ca.crt"),
                                    .require_client_cert = true};
    if (hd_tls_new(&tls, &fc->tls, why) != HD_OK) {
        fail_msg("%s", why);
    }
    assert_int_equal(hd_batch_reader_new(&fc->reader), HD_OK);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)port);
    const struct hd_listener_opts opts = {
        .address = address, .on_connection = on_connection, .ctx = fc};
    if (hd_listener_open(loop, &opts, &fc->listener, why) != HD_OK) {
        fail_msg("%s", why);
    }
    fc->port = hd_listener_port(fc->listener);
}

void fake_correlator_cut(struct fake_correlator *fc)
{
    for (size_t i = 0; i < FAKE_CONNS_MAX; i++) {
        if (fc->peers[i].is_used) {
            hd_stream_close(fc->peers[i].stream, 0);
        }
    }
}

void fake_correlator_ack(struct fake_correlator *fc)
{
    for (size_t i = 0; i < FAKE_CONNS_MAX; i++) {
        if (fc->peers[i].is_used) {
            send_ack(&fc->peers[i]);
        }
    }
}

bool fake_correlator_is_busy(const struct fake_correlator *fc)
{
    for (size_t i = 0; i < FAKE_CONNS_MAX; i++) {
        if (fc->peers[i].is_used) {
            return true;
        }
    }
    return false;
}

void fake_correlator_close(struct fake_correlator *fc)
{
    fake_correlator_cut(fc);
    hd_listener_close(fc->listener);
    while (fake_correlator_is_busy(fc)) {
        (void)uv_run(fc->loop, UV_RUN_ONCE);
    }
    hd_tls_free(fc->tls);
    hd_batch_reader_free(fc->reader);
}
