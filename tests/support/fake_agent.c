/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include "tests/support/fake_agent.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/batch.h>
#include <haidang/hash.h>
#include <haidang/loop.h>

#define BATCH_LINES 100U
#define FLIGHTS_MAX 256U
#define TEXT_MAX    900U
#define FIRST_TIME  INT64_C(1790000000000000000)

struct flight {
    uint64_t last;
    size_t bytes;
};

struct fake_agent {
    struct fake_agent_opts opts;
    struct hd_owner owner;
    uv_timer_t retry;
    struct hd_stream *stream;
    struct hd_buf in;
    bool is_open, is_welcome, is_done, is_ending;
    unsigned connections;
    uint64_t sent, acked, credits, in_flight;
    struct flight flights[FLIGHTS_MAX];
    unsigned n_flights;
    int bye;
    char bye_text[256];
};

static void dial(struct fake_agent *a);

/* ---- frames ---- */

void fake_agent_hello(const struct fake_agent *a, struct hd_buf *out)
{
    bool is_empty = a->acked >= a->opts.lines;
    hd_wire_encode(out, &(struct hd_wire_frame){
                            .type = HD_WIRE_HELLO,
                            .u.hello = {.version_min = HD_WIRE_VERSION,
                                        .version_max = HD_WIRE_VERSION,
                                        .agent = hd_slice_str(a->opts.name),
                                        .boot = hd_slice_str(a->opts.boot),
                                        .program = HD_SLICE("fake-agent 1"),
                                        .first_spooled = is_empty ? 0 : a->acked + 1,
                                        .last_spooled = is_empty ? 0 : a->opts.lines}});
    assert_int_equal(out->err, 0);
}

/* The same for each number. */
static const char *random_text(uint64_t seq, char text[TEXT_MAX])
{
    uint64_t x = seq * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; i + 1 < TEXT_MAX; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        text[i] = (char)('!' + x % 90);
    }
    text[TEXT_MAX - 1] = '\0';
    return text;
}

static void add_lines(const struct fake_agent *a, struct hd_batch_builder *b,
                      uint64_t first, uint64_t last)
{
    const struct hd_batch_source source = {.host = hd_slice_str(a->opts.name),
                                           .kind = HD_SLICE("stdin"),
                                           .name = HD_SLICE("fake"),
                                           .format = HD_SLICE("auto")};
    uint16_t index = 0;
    char line[1024], some[TEXT_MAX];
    assert_int_equal(hd_batch_builder_source(b, &source, &index), HD_OK);
    for (uint64_t seq = first; seq <= last; seq++) {
        int len = snprintf(
            line, sizeof(line), "%s line %" PRIu64 " %s", a->opts.name, seq,
            a->opts.is_random ? random_text(seq, some) : "nothing happened here");
        assert_int_equal(hd_batch_builder_add(b, index,
                                              FIRST_TIME + (int64_t)seq * 1000000, 0,
                                              hd_slice(line, (size_t)len)),
                         HD_OK);
    }
}

void fake_agent_batch(const struct fake_agent *a, uint64_t first, struct hd_buf *out)
{
    struct hd_batch_builder *b = NULL;
    struct hd_slice frame;
    struct hd_batch_info info;
    uint64_t last = first + a->opts.batch_lines - 1;
    last = last < a->opts.lines ? last : a->opts.lines;
    assert_int_equal(
        hd_batch_builder_new(a->opts.name, a->opts.boot, HD_BATCH_RAW_MAX, 1, &b), HD_OK);
    add_lines(a, b, first, last);
    assert_int_equal(hd_batch_builder_close(b, first, &frame, &info), HD_OK);
    hd_wire_encode(out, &(struct hd_wire_frame){
                            .type = HD_WIRE_BATCH,
                            .u.batch = {.first = info.first,
                                        .last = info.last,
                                        .time_min = info.time_min,
                                        .time_max = info.time_max,
                                        .count = info.count,
                                        .raw_len = info.raw_len,
                                        .crc32c = hd_crc32c(0, frame.ptr, frame.len),
                                        .payload = frame}});
    assert_int_equal(out->err, 0);
    hd_batch_builder_free(b);
}

void fake_agent_say(struct fake_agent *a, struct hd_slice bytes)
{
    int err = hd_stream_write(a->stream, bytes);
    assert_true(err == HD_OK || err == HD_ECLOSED);
}

/* ---- the window ---- */

static void send_some(struct fake_agent *a)
{
    struct hd_buf out;
    hd_buf_init(&out, 0);
    while (a->is_welcome && a->sent < a->opts.lines && a->n_flights < FLIGHTS_MAX) {
        hd_buf_clear(&out);
        fake_agent_batch(a, a->sent + 1, &out);
        if (a->in_flight > 0 && a->in_flight + out.len > a->credits) {
            break;
        }
        int err = hd_stream_write(a->stream, hd_buf_slice(&out));
        if (err != HD_OK) {
            assert_true(err == HD_EFULL || err == HD_ECLOSED);
            break;
        }
        uint64_t last = a->sent + a->opts.batch_lines;
        a->sent = last < a->opts.lines ? last : a->opts.lines;
        a->flights[a->n_flights++] = (struct flight){a->sent, out.len};
        a->in_flight += out.len;
    }
    hd_buf_fini(&out);
}

static void acknowledged(struct fake_agent *a, uint64_t durable)
{
    unsigned n = 0;
    assert_true(durable >= a->acked);
    a->acked = durable;
    for (unsigned i = 0; i < a->n_flights; i++) {
        if (a->flights[i].last <= durable) {
            a->in_flight -= a->flights[i].bytes;
        } else {
            a->flights[n++] = a->flights[i];
        }
    }
    a->n_flights = n;
    if (durable >= a->opts.lines && !a->is_done) {
        a->is_done = true;
        if (a->opts.on_done != NULL) {
            a->opts.on_done(a->opts.ctx, a);
        }
    }
}

static void on_frame(struct fake_agent *a, const struct hd_wire_frame *frame)
{
    if (frame->type == HD_WIRE_WELCOME) {
        a->is_welcome = true;
        a->credits = frame->u.welcome.credits;
        a->sent = frame->u.welcome.last_durable;
        acknowledged(a, frame->u.welcome.last_durable);
    } else if (frame->type == HD_WIRE_ACK) {
        a->credits = frame->u.ack.credits;
        acknowledged(a, frame->u.ack.last_durable);
    } else if (frame->type == HD_WIRE_BYE) {
        a->bye = frame->u.bye.code;
        a->is_welcome = false;
        (void)snprintf(a->bye_text, sizeof(a->bye_text), "%.*s",
                       HD_SLICE_FMT(frame->u.bye.text));
    }
    if (a->opts.on_frame != NULL) {
        a->opts.on_frame(a->opts.ctx, a, frame);
    }
    if (!a->opts.is_silent) {
        send_some(a);
    }
}

/* ---- the connection ---- */

static void stream_open(void *ctx, struct hd_stream *stream)
{
    struct fake_agent *a = ctx;
    struct hd_buf out;
    (void)stream;
    a->is_open = true;
    a->connections++;
    if (!a->opts.is_silent) {
        hd_buf_init(&out, 0);
        fake_agent_hello(a, &out);
        fake_agent_say(a, hd_buf_slice(&out));
        hd_buf_fini(&out);
    }
}

static void stream_data(void *ctx, struct hd_slice data)
{
    struct fake_agent *a = ctx;
    hd_buf_slice_add(&a->in, data);
    size_t at = 0, used = 0;
    struct hd_wire_frame frame;
    while (at < a->in.len) {
        enum hd_parse rc =
            hd_wire_decode(hd_slice_from(hd_buf_slice(&a->in), at), &frame, &used);
        assert_int_not_equal(rc, HD_PARSE_BAD);
        if (rc == HD_PARSE_MORE) {
            break;
        }
        at += used;
        on_frame(a, &frame);
    }
    hd_buf_consume(&a->in, at);
}

static void stream_drain(void *ctx)
{
    send_some(ctx);
}

static void retry(uv_timer_t *timer)
{
    dial(HD_CONTAINER(timer, struct fake_agent, retry));
}

static void stream_close(void *ctx, int err, const char *why)
{
    struct fake_agent *a = ctx;
    (void)err;
    (void)why;
    a->stream = NULL;
    a->is_open = a->is_welcome = false;
    a->in_flight = a->n_flights = 0;
    hd_buf_clear(&a->in);
    if (a->opts.on_close != NULL && !a->is_ending) {
        a->opts.on_close(a->opts.ctx, a);
    }
    if (a->is_ending) {
        hd_owner_close(&a->owner, (uv_handle_t *)&a->retry);
    } else if (a->opts.retry_ms > 0) {
        (void)uv_timer_start(&a->retry, retry, a->opts.retry_ms, 0);
    }
}

static const struct hd_stream_ops ops = {stream_open, stream_data, stream_drain,
                                         stream_close};

static void dial(struct fake_agent *a)
{
    const struct hd_stream_opts opts = {
        .ops = &ops, .ctx = a, .tls = a->opts.tls, .handshake_ms = 60000};
    assert_int_equal(
        hd_stream_connect(a->opts.loop, a->opts.host, a->opts.port, &opts, &a->stream),
        HD_OK);
}

/* ---- life ---- */

static void freed(void *ctx)
{
    struct fake_agent *a = ctx;
    hd_buf_fini(&a->in);
    free((void *)(uintptr_t)a->opts.name);
    free((void *)(uintptr_t)a->opts.boot);
    free(a);
}

struct fake_agent *fake_agent_new(const struct fake_agent_opts *opts)
{
    struct fake_agent *a = calloc(1, sizeof(*a));
    assert_non_null(a);
    a->opts = *opts;
    a->opts.host = opts->host == NULL ? "127.0.0.1" : opts->host;
    a->opts.name = hd_slice_dup(hd_slice_str(opts->name));
    a->opts.boot = hd_slice_dup(hd_slice_str(opts->boot));
    a->opts.batch_lines = opts->batch_lines == 0 ? BATCH_LINES : opts->batch_lines;
    a->bye = -1;
    hd_buf_init(&a->in, 0);
    hd_owner_init(&a->owner, freed, a);
    (void)uv_timer_init(opts->loop, &a->retry);
    hd_owner_add(&a->owner, (uv_handle_t *)&a->retry);
    dial(a);
    return a;
}

void fake_agent_free(struct fake_agent *a)
{
    a->is_ending = true;
    if (a->stream != NULL) {
        hd_stream_close(a->stream, 0);
    } else {
        hd_owner_close(&a->owner, (uv_handle_t *)&a->retry);
    }
}

void fake_agent_drop(struct fake_agent *a)
{
    hd_stream_close(a->stream, 0);
}

bool fake_agent_is_open(const struct fake_agent *a)
{
    return a->is_open;
}

uint64_t fake_agent_acked(const struct fake_agent *a)
{
    return a->acked;
}

uint64_t fake_agent_sent(const struct fake_agent *a)
{
    return a->sent;
}

unsigned fake_agent_connections(const struct fake_agent *a)
{
    return a->connections;
}

int fake_agent_bye(const struct fake_agent *a)
{
    return a->bye;
}

const char *fake_agent_bye_text(const struct fake_agent *a)
{
    return a->bye_text;
}
