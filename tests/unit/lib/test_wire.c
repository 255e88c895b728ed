/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#include <haidang/wire.h>

#define BOOT "0123456789abcdef0123456789abcdef"

static const struct hd_wire_frame samples[] = {
    {.type = HD_WIRE_HELLO,
     .u.hello = {1,
                 3,
                 {(const uint8_t *)"web1", 4},
                 {(const uint8_t *)BOOT, 32},
                 {(const uint8_t *)"haidang-agent 0.1.0", 19},
                 5,
                 99,
                 UINT64_C(0x0102030405060708)}},
    {.type = HD_WIRE_WELCOME, .u.welcome = {1, 4 << 20, UINT64_C(0x1122334455667788)}},
    {.type = HD_WIRE_BATCH,
     .u.batch = {11, 13, 100, 200, 3, 4096, 0xdeadbeef, {(const uint8_t *)"payload", 7}}},
    {.type = HD_WIRE_ACK, .u.ack = {13, 65536}},
    {.type = HD_WIRE_HEARTBEAT, .u.heartbeat = {2, {{1, 77}, {999, UINT64_MAX}}}},
    {.type = HD_WIRE_HEARTBEAT, .u.heartbeat = {0}},
    {.type = HD_WIRE_BYE, .u.bye = {4, {(const uint8_t *)"full", 4}}},
};
enum { N_SAMPLES = sizeof(samples) / sizeof(samples[0]) };

static void assert_slice(struct hd_slice a, struct hd_slice b)
{
    assert_true(hd_slice_eq(a, b));
}

static void assert_same_hello(const struct hd_wire_hello *a,
                              const struct hd_wire_hello *b)
{
    assert_int_equal(a->version_min, b->version_min);
    assert_int_equal(a->version_max, b->version_max);
    assert_slice(a->agent, b->agent);
    assert_slice(a->boot, b->boot);
    assert_slice(a->program, b->program);
    assert_int_equal(a->first_spooled, b->first_spooled);
    assert_int_equal(a->last_spooled, b->last_spooled);
    assert_int_equal(a->acknowledged, b->acknowledged);
}

static void assert_same_batch(const struct hd_wire_batch *a,
                              const struct hd_wire_batch *b)
{
    assert_int_equal(a->first, b->first);
    assert_int_equal(a->last, b->last);
    assert_int_equal(a->time_min, b->time_min);
    assert_int_equal(a->time_max, b->time_max);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->raw_len, b->raw_len);
    assert_int_equal(a->crc32c, b->crc32c);
    assert_slice(a->payload, b->payload);
}

static void assert_same(const struct hd_wire_frame *a, const struct hd_wire_frame *b)
{
    assert_int_equal(a->type, b->type);
    switch (a->type) {
    case HD_WIRE_HELLO:
        assert_same_hello(&a->u.hello, &b->u.hello);
        break;
    case HD_WIRE_WELCOME:
        assert_int_equal(a->u.welcome.version, b->u.welcome.version);
        assert_int_equal(a->u.welcome.credits, b->u.welcome.credits);
        assert_int_equal(a->u.welcome.last_durable, b->u.welcome.last_durable);
        break;
    case HD_WIRE_BATCH:
        assert_same_batch(&a->u.batch, &b->u.batch);
        break;
    case HD_WIRE_ACK:
        assert_int_equal(a->u.ack.last_durable, b->u.ack.last_durable);
        assert_int_equal(a->u.ack.credits, b->u.ack.credits);
        break;
    case HD_WIRE_HEARTBEAT:
        assert_int_equal(a->u.heartbeat.n, b->u.heartbeat.n);
        for (uint16_t i = 0; i < a->u.heartbeat.n; i++) {
            assert_int_equal(a->u.heartbeat.stats[i].stat, b->u.heartbeat.stats[i].stat);
            assert_int_equal(a->u.heartbeat.stats[i].value,
                             b->u.heartbeat.stats[i].value);
        }
        break;
    case HD_WIRE_BYE:
        assert_int_equal(a->u.bye.code, b->u.bye.code);
        assert_slice(a->u.bye.text, b->u.bye.text);
        break;
    }
}

static void encode(struct hd_buf *buf, const struct hd_wire_frame *frame)
{
    hd_buf_init(buf, 0);
    hd_wire_encode(buf, frame);
    assert_int_equal(buf->err, 0);
}

/* The decoder sees exactly `len` bytes: a read past them is found by the sanitizers. */
static enum hd_parse decode_copy(const uint8_t *ptr, size_t len,
                                 struct hd_wire_frame *frame, size_t *used)
{
    uint8_t *copy = malloc(len + 1);
    memcpy(copy + 1, ptr, len);
    enum hd_parse got = hd_wire_decode(hd_slice(copy + 1, len), frame, used);
    free(copy);
    return got;
}

static void test_bytes_are_as_documented(void **state)
{
    (void)state;
    struct hd_buf buf;
    encode(&buf, &samples[3]);
    static const uint8_t want[] = {0, 0, 0, 13, 4, 0, 0, 0, 0, 0, 0, 0, 13, 0, 1, 0, 0};
    assert_int_equal(buf.len, sizeof(want));
    assert_memory_equal(buf.ptr, want, sizeof(want));
    hd_buf_fini(&buf);
}

static void test_round_trip_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SAMPLES; i++) {
        struct hd_buf buf;
        encode(&buf, &samples[i]);
        struct hd_wire_frame frame;
        size_t used = 0;
        for (size_t cut = 0; cut < buf.len; cut++) {
            assert_int_equal(decode_copy(buf.ptr, cut, &frame, &used), HD_PARSE_MORE);
            size_t want = cut < 4 ? 0 : buf.len;
            assert_int_equal(hd_wire_frame_len(hd_slice(buf.ptr, cut)), want);
        }
        size_t len = buf.len;
        hd_buf_str(&buf, "next frame");
        assert_int_equal(hd_wire_decode(hd_buf_slice(&buf), &frame, &used), HD_PARSE_OK);
        assert_int_equal(used, len);
        assert_same(&frame, &samples[i]);
        hd_buf_fini(&buf);
    }
}

/* A body that ends too early is bad; one that goes on is bad but for HELLO and BYE. */
static void test_wrong_body_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SAMPLES; i++) {
        struct hd_buf buf;
        struct hd_wire_frame frame;
        size_t used = 0;
        encode(&buf, &samples[i]);
        hd_buf_byte(&buf, 0);
        uint8_t length = buf.ptr[3];
        bool is_open = samples[i].type == HD_WIRE_HELLO || samples[i].type == HD_WIRE_BYE;
        buf.ptr[3] = (uint8_t)(length + 1);
        enum hd_parse want =
            is_open || samples[i].type == HD_WIRE_BATCH ? HD_PARSE_OK : HD_PARSE_BAD;
        assert_int_equal(hd_wire_decode(hd_buf_slice(&buf), &frame, &used), want);
        for (uint8_t n = 1; n < length; n++) {
            buf.ptr[3] = n;
            bool is_payload_cut = samples[i].type == HD_WIRE_BATCH && n + 7U > length;
            bool is_older = samples[i].type == HD_WIRE_HELLO && n + 8U >= length;
            want = is_payload_cut || is_older ? HD_PARSE_OK : HD_PARSE_BAD;
            assert_int_equal(decode_copy(buf.ptr, 4U + n, &frame, &used), want);
        }
        hd_buf_fini(&buf);
    }
}

static void test_lengths_out_of_range(void **state)
{
    (void)state;
    struct hd_wire_frame frame;
    size_t used = 0;
    assert_int_equal(hd_wire_decode(HD_SLICE("\0\0\0\0"), &frame, &used), HD_PARSE_BAD);
    assert_int_equal(hd_wire_decode(HD_SLICE("\xff\xff\xff\xff"), &frame, &used),
                     HD_PARSE_BAD);
    assert_int_equal(hd_wire_decode(HD_SLICE("GET / HTTP/1.1\r\n"), &frame, &used),
                     HD_PARSE_BAD);
    assert_int_equal(hd_wire_frame_len(HD_SLICE("\xff\xff\xff\xff")), 0);
    assert_int_equal(hd_wire_frame_len(HD_SLICE("\0\0\0\0")), 0);
    uint32_t max = HD_WIRE_FRAME_MAX;
    const uint8_t head[] = {(uint8_t)(max >> 24), (uint8_t)(max >> 16),
                            (uint8_t)(max >> 8), (uint8_t)max};
    assert_int_equal(hd_wire_decode(hd_slice(head, 4), &frame, &used), HD_PARSE_MORE);
    assert_int_equal(hd_wire_frame_len(hd_slice(head, 4)), max + 4);
}

static void test_unknown_type(void **state)
{
    (void)state;
    struct hd_wire_frame frame;
    size_t used = 0;
    assert_int_equal(hd_wire_decode(HD_SLICE("\0\0\0\3\xc8xy"), &frame, &used),
                     HD_PARSE_OK);
    assert_int_equal(frame.type, 0xc8);
    assert_int_equal(used, 7);
}

static void assert_bad(const struct hd_wire_frame *frame)
{
    struct hd_buf buf;
    struct hd_wire_frame got;
    size_t used = 0;
    encode(&buf, frame);
    assert_int_equal(hd_wire_decode(hd_buf_slice(&buf), &got, &used), HD_PARSE_BAD);
    hd_buf_fini(&buf);
}

static void test_values_that_cannot_be(void **state)
{
    (void)state;
    struct hd_wire_frame f = samples[0];
    f.u.hello.version_min = 4;
    assert_bad(&f);
    f = samples[0];
    f.u.hello.agent.len = 0;
    assert_bad(&f);
    f = samples[0];
    f.u.hello.boot.len = 31;
    assert_bad(&f);
    f = samples[0];
    f.u.hello.first_spooled = 100;
    assert_bad(&f);
    f = samples[2];
    f.u.batch.first = 0;
    assert_bad(&f);
    f = samples[2];
    f.u.batch.count = 2;
    assert_bad(&f);
    f = samples[2];
    f.u.batch.count = 0;
    assert_bad(&f);
    f = samples[2];
    f.u.batch.time_min = 201;
    assert_bad(&f);
    f = samples[2];
    f.u.batch.raw_len = HD_BATCH_RAW_MAX + 1;
    assert_bad(&f);
    f = samples[2];
    f.u.batch.payload.len = 0;
    assert_bad(&f);
    struct hd_wire_frame got;
    size_t used = 0;
    assert_int_equal(hd_wire_decode(HD_SLICE("\0\0\0\3\5\0\x41"), &got, &used),
                     HD_PARSE_BAD);
}

static void test_encoder_stays_within_bounds(void **state)
{
    (void)state;
    char *text = malloc(70000);
    memset(text, 'x', 70000);
    struct hd_wire_frame f = {.type = HD_WIRE_BYE, .u.bye = {1, hd_slice(text, 70000)}};
    struct hd_buf buf;
    struct hd_wire_frame got;
    size_t used = 0;
    encode(&buf, &f);
    assert_int_equal(hd_wire_decode(hd_buf_slice(&buf), &got, &used), HD_PARSE_OK);
    assert_int_equal(got.u.bye.text.len, 1024);
    hd_buf_fini(&buf);

    hd_buf_init(&buf, 8);
    hd_wire_encode(&buf, &samples[0]);
    assert_int_equal(buf.err, HD_ELIMIT);
    assert_int_equal(buf.len, 0);
    hd_buf_fini(&buf);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_as_documented),
        cmocka_unit_test(test_round_trip_at_every_split),
        cmocka_unit_test(test_wrong_body_length),
        cmocka_unit_test(test_lengths_out_of_range),
        cmocka_unit_test(test_unknown_type),
        cmocka_unit_test(test_values_that_cannot_be),
        cmocka_unit_test(test_encoder_stays_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
