/* SPDX-License-Identifier: Apache-2.0
 *
 * The intake: who may connect, and what becomes of those who say something wrong.
 */
#include "tests/unit/correlator/intake_world.h"

#include <stdio.h>

#include <haidang/hash.h>

#include "correlator/metrics.h"
#include "tests/support/certs.h"

/* ---- who may ---- */

static void the_name_must_be_the_certificates(void **state)
{
    (void)state;
    open_intake();
    struct fake_agent_opts opts = agent(10);
    opts.name = "web2";
    expect_bye(fake_agent_new(&opts), HD_WIRE_BYE_IDENTITY, "\"web1\"");
}

static void without_a_certificate_nobody_enters(void **state)
{
    (void)state;
    static const char *const who[][2] = {{NULL, "ca"}, {"foreign", "ca"}};
    open_intake();
    uint64_t before = COR_READ(COR_M_HANDSHAKE_FAILED);
    for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
        struct hd_tls *client = intake_tls(HD_TLS_CLIENT, who[i][0], who[i][1]);
        struct fake_agent_opts opts = agent(10);
        opts.tls = client;
        w.closed = 0;
        struct fake_agent *a = fake_agent_new(&opts);
        UNTIL(w.closed == 1 && COR_READ(COR_M_HANDSHAKE_FAILED) == before + i + 1);
        assert_int_equal(fake_agent_acked(a), 0);
        fake_agent_free(a);
        hd_tls_free(client);
    }
}

/* ---- what is said wrong ---- */

static void versions_must_meet(void **state)
{
    (void)state;
    open_intake();
    struct fake_agent *a = silent();
    struct hd_buf out;
    hd_buf_init(&out, 0);
    hd_wire_encode(&out, &(struct hd_wire_frame){.type = HD_WIRE_HELLO,
                                                 .u.hello = {.version_min = 2,
                                                             .version_max = 3,
                                                             .agent = HD_SLICE("web1"),
                                                             .boot = HD_SLICE(BOOT)}});
    fake_agent_say(a, hd_buf_slice(&out));
    hd_buf_fini(&out);
    expect_bye(a, HD_WIRE_BYE_VERSION, "speaks version 1");
}

static void garbage_ends_the_connection(void **state)
{
    (void)state;
    open_intake();
    static const struct hd_slice garbage[] = {
        HD_SLICE("GET / HTTP/1.1\r\n\r\n"), HD_SLICE("\0\0\0\0"),
        HD_SLICE("\xff\xff\xff\xff\1"), HD_SLICE("\0\0\0\2\1\0")};
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        w.closed = 0;
        struct fake_agent *a = silent();
        fake_agent_say(a, garbage[i]);
        expect_bye(a, HD_WIRE_BYE_PROTOCOL, "no frame of the protocol");
    }
    /* and on a port that expects TLS */
    uint64_t before = COR_READ(COR_M_HANDSHAKE_FAILED);
    struct fake_agent_opts opts = agent(1);
    opts.tls = NULL;
    w.closed = 0;
    struct fake_agent *a = fake_agent_new(&opts);
    UNTIL(w.closed == 1 && COR_READ(COR_M_HANDSHAKE_FAILED) == before + 1);
    fake_agent_free(a);
}

static void wrong_order_ends_the_connection(void **state)
{
    (void)state;
    open_intake();
    struct hd_buf out;
    hd_buf_init(&out, 0);
    struct fake_agent *a = silent();
    fake_agent_batch(a, 1, &out);
    fake_agent_say(a, hd_buf_slice(&out));
    expect_bye(a, HD_WIRE_BYE_PROTOCOL, "HELLO comes first");
    w.closed = 0;
    a = silent();
    say_hello(a);
    say_hello(a);
    expect_bye(a, HD_WIRE_BYE_PROTOCOL, "HELLO comes once");
    w.closed = 0;
    a = silent();
    say_hello(a);
    hd_buf_clear(&out);
    hd_wire_encode(&out, &(struct hd_wire_frame){.type = HD_WIRE_ACK});
    fake_agent_say(a, hd_buf_slice(&out));
    expect_bye(a, HD_WIRE_BYE_PROTOCOL, "does not send this");
    hd_buf_fini(&out);
}

struct wrong {
    const char *text;
    void (*spoil)(struct hd_wire_batch *batch);
};

static void spoil_crc(struct hd_wire_batch *b)
{
    b->crc32c ^= 1;
}
static void spoil_count(struct hd_wire_batch *b)
{
    b->count++;
}
static void spoil_first(struct hd_wire_batch *b)
{
    b->first = 0;
}
static void spoil_len(struct hd_wire_batch *b)
{
    b->raw_len++;
}
static void spoil_size(struct hd_wire_batch *b)
{
    b->raw_len = UINT32_MAX;
}
static void spoil_payload(struct hd_wire_batch *b)
{
    b->payload = HD_SLICE("this is not zstd");
    b->crc32c = hd_crc32c(0, b->payload.ptr, b->payload.len);
}

static void bad_batches_end_the_connection(void **state)
{
    (void)state;
    static const struct wrong wrongs[] = {
        {"checksum", spoil_crc},   {"no frame", spoil_count},
        {"no frame", spoil_first}, {"as long as it says", spoil_len},
        {"no frame", spoil_size},  {"one zstd frame", spoil_payload}};
    open_intake();
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        struct hd_buf good, bad;
        struct hd_wire_frame frame;
        size_t used;
        w.closed = 0;
        struct fake_agent *a = silent();
        say_hello(a);
        hd_buf_init(&good, 0);
        hd_buf_init(&bad, 0);
        fake_agent_batch(a, 1, &good);
        assert_int_equal(hd_wire_decode(hd_buf_slice(&good), &frame, &used), HD_PARSE_OK);
        wrongs[i].spoil(&frame.u.batch);
        hd_wire_encode(&bad, &frame);
        fake_agent_say(a, hd_buf_slice(&bad));
        expect_bye(a, HD_WIRE_BYE_PROTOCOL, wrongs[i].text);
        hd_buf_fini(&good);
        hd_buf_fini(&bad);
    }
    check_archive(BOOT, 0);
}

/* ---- streams cut anywhere ---- */

/* HELLO and two batches, cut in two at every place: the same is archived. */
static void frames_may_be_cut_anywhere(void **state)
{
    (void)state;
    open_intake();
    for (size_t cut = 1;; cut++) {
        char boot[33];
        struct hd_buf all;
        (void)snprintf(boot, sizeof(boot), "%032zx", cut);
        struct fake_agent_opts opts = agent(3);
        opts.boot = boot;
        opts.batch_lines = 2;
        opts.is_silent = true;
        struct fake_agent *a = fake_agent_new(&opts);
        UNTIL(fake_agent_is_open(a));
        hd_buf_init(&all, 0);
        fake_agent_hello(a, &all);
        fake_agent_batch(a, 1, &all);
        fake_agent_batch(a, 3, &all);
        if (cut >= all.len) {
            hd_buf_fini(&all);
            fake_agent_free(a);
            return;
        }
        fake_agent_say(a, hd_slice_head(hd_buf_slice(&all), cut));
        (void)uv_run(&w.loop, UV_RUN_NOWAIT); /* so that it travels alone */
        (void)uv_run(&w.loop, UV_RUN_NOWAIT);
        fake_agent_say(a, hd_slice_from(hd_buf_slice(&all), cut));
        UNTIL(fake_agent_acked(a) == 3);
        hd_buf_fini(&all);
        fake_agent_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_name_must_be_the_certificates),
        TEST(without_a_certificate_nobody_enters),
        TEST(versions_must_meet),
        TEST(garbage_ends_the_connection),
        TEST(wrong_order_ends_the_connection),
        TEST(bad_batches_end_the_connection),
        TEST(frames_may_be_cut_anywhere),
    };
    w.pki = hd_test_pki();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
