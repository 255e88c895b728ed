/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/alloc.h"
#include "tests/unit/collector/records.h"
#include <haidang/clock.h>

#define GET                                                                              \
    "GET /index.html?a=1 HTTP/1.1\r\nHost: www.example.vn:8080\r\n"                      \
    "User-Agent: curl/7.88.1\r\n\r\n"

/* ---- flows ---- */

static void test_tcp_flow_is_announced_twice(void **state)
{
    (void)state;
    struct records r;
    records_open(&r, &(struct col_inspect_opts){.interface = "eth0"});
    struct hd_test_talk t = hd_test_talk(records_frame, &r);
    t.vlan = 7;
    hd_test_open(&t);
    hd_test_tcp(&t, 0, COL_TCP_ACK | COL_TCP_PSH, HD_SLICE(GET));
    hd_test_tcp(&t, 1, COL_TCP_ACK, HD_SLICE("HTTP/1.1 200 OK\r\n\r\n"));
    t.ns += 3 * HD_NS_PER_SEC;
    hd_test_close(&t);
    assert_int_equal(records_count(&r, "flow"), 2);
    const json_t *begin = records_get(&r, "flow", 0);
    const json_t *end = records_get(&r, "flow", 1);
    assert_string_equal(records_text(begin, "flow.state"), "new");
    assert_string_equal(records_text(begin, "timestamp"), "2026-09-21T14:13:20.000000Z");
    assert_string_equal(records_text(begin, "src_ip"), "192.0.2.10");
    assert_int_equal(records_int(begin, "src_port"), 50123);
    assert_string_equal(records_text(begin, "dest_ip"), "198.51.100.80");
    assert_int_equal(records_int(begin, "dest_port"), 80);
    assert_string_equal(records_text(begin, "proto"), "TCP");
    assert_string_equal(records_text(begin, "in_iface"), "eth0");
    assert_int_equal(json_array_size(json_object_get(begin, "vlan")), 1);
    assert_string_equal(records_text(end, "flow.state"), "closed");
    assert_string_equal(records_text(end, "app_proto"), "http");
    assert_int_equal(records_int(end, "flow.pkts_toserver"), 5);
    assert_int_equal(records_int(end, "flow.pkts_toclient"), 3);
    assert_int_equal(records_int(end, "flow.age"), 3);
    assert_int_equal(records_int(end, "flow_id"), records_int(begin, "flow_id"));
    assert_string_equal(records_text(end, "community_id"),
                        records_text(begin, "community_id"));
    assert_string_equal(records_text(end, "tcp.tcp_flags"), "1b");
    assert_string_equal(records_text(end, "tcp.tcp_flags_ts"), "1b");
    assert_string_equal(records_text(end, "tcp.tcp_flags_tc"), "13");
    assert_true(json_is_true(json_object_get(json_object_get(end, "tcp"), "fin")));
    /* late packets say nothing; a new SYN on the same ports is a new flow */
    hd_test_tcp(&t, 1, COL_TCP_ACK, HD_SLICE_EMPTY);
    assert_int_equal(records_count(&r, "flow"), 2);
    hd_test_open(&t);
    assert_int_equal(records_count(&r, "flow"), 3);
    records_flush(&r);
    assert_int_equal(records_count(&r, "flow"), 4);
    assert_string_equal(records_text(records_get(&r, "flow", 3), "flow.reason"),
                        "shutdown");
    records_close(&r);
}

static void test_refused_connection_closes_by_reset(void **state)
{
    (void)state;
    struct records r;
    records_open(&r, NULL);
    struct hd_test_talk t = hd_test_talk(records_frame, &r);
    hd_test_tcp(&t, 0, COL_TCP_SYN, HD_SLICE_EMPTY);
    hd_test_tcp(&t, 1, COL_TCP_RST | COL_TCP_ACK, HD_SLICE_EMPTY);
    const json_t *end = records_get(&r, "flow", 1);
    assert_string_equal(records_text(end, "flow.state"), "closed");
    assert_string_equal(records_text(end, "tcp.tcp_flags_ts"), "02");
    assert_string_equal(records_text(end, "tcp.tcp_flags_tc"), "14");
    records_close(&r);
}

/* Somebody between may forge a reset to be left alone: the talk goes on, so do we. */
static void test_forged_reset_hides_nothing(void **state)
{
    (void)state;
    struct records r;
    records_open(&r, NULL);
    struct hd_test_talk t = hd_test_talk(records_frame, &r);
    hd_test_open(&t);
    hd_test_tcp(&t, 0, COL_TCP_RST, HD_SLICE_EMPTY);
    assert_int_equal(records_count(&r, "flow"), 2);
    hd_test_tcp(&t, 1, COL_TCP_ACK, HD_SLICE("data that was under way"));
    assert_int_equal(records_count(&r, "flow"), 2);
    hd_test_tcp(&t, 0, COL_TCP_ACK, HD_SLICE("GET /hidden HTTP/1.1\r\n\r\n"));
    assert_int_equal(records_count(&r, "flow"), 3);
    assert_string_equal(records_text(records_get(&r, "http", 0), "http.url"), "/hidden");
    records_close(&r);
}

static void test_icmp_echo_is_one_flow(void **state)
{
    (void)state;
    static uint8_t bytes[HD_TEST_FRAME_MAX];
    struct records r;
    records_open(&r, NULL);
    struct hd_test_frame ping = {.src = "192.0.2.1",
                                 .dst = "192.0.2.2",
                                 .proto = COL_PROTO_ICMP,
                                 .type = 8,
                                 .src_port = 77};
    struct hd_test_frame pong = {.src = "192.0.2.2",
                                 .dst = "192.0.2.1",
                                 .proto = COL_PROTO_ICMP,
                                 .type = 0,
                                 .src_port = 77};
    records_frame(&r, 1, hd_slice(bytes, hd_test_frame(&ping, bytes)));
    records_frame(&r, 2, hd_slice(bytes, hd_test_frame(&pong, bytes)));
    (void)col_inspect_tick(r.inspector, 61 * HD_NS_PER_SEC, 10);
    assert_int_equal(records_count(&r, "flow"), 2);
    const json_t *end = records_get(&r, "flow", 1);
    assert_string_equal(records_text(end, "proto"), "ICMP");
    assert_string_equal(records_text(end, "timestamp"), "1970-01-01T00:01:01.000000Z");
    assert_string_equal(records_text(end, "flow.end"), "1970-01-01T00:00:00.000000Z");
    assert_string_equal(records_text(end, "flow.state"), "timeout");
    assert_string_equal(records_text(end, "src_ip"), "192.0.2.1");
    assert_int_equal(records_int(end, "icmp_type"), 8);
    assert_int_equal(records_int(end, "flow.pkts_toserver"), 1);
    assert_int_equal(records_int(end, "flow.pkts_toclient"), 1);
    assert_int_equal(col_inspect_deadline(r.inspector), INT64_MAX);
    records_close(&r);
}

/* ---- applications ---- */

static void check_get(const struct records *r)
{
    const json_t *http = records_get(r, "http", 0);
    assert_string_equal(records_text(http, "http.http_method"), "GET");
    assert_string_equal(records_text(http, "http.hostname"), "www.example.vn");
    assert_int_equal(records_int(http, "http.http_port"), 8080);
    assert_string_equal(records_text(http, "http.url"), "/index.html?a=1");
    assert_string_equal(records_text(http, "http.http_user_agent"), "curl/7.88.1");
    assert_string_equal(records_text(http, "http.protocol"), "HTTP/1.1");
    assert_int_equal(records_count(r, "http"), 1);
}

/* Sends `bytes` in two segments, in order or not; both twice when `again`. */
static void send_split(struct hd_test_talk *t, struct hd_slice bytes, size_t split,
                       bool is_swapped)
{
    struct hd_slice part[2] = {hd_slice_head(bytes, split), hd_slice_from(bytes, split)};
    uint32_t start = t->seq[0];
    for (unsigned i = 0; i < 2; i++) {
        unsigned which = is_swapped ? 1 - i : i;
        t->seq[0] = start + (which == 1 ? (uint32_t)split : 0);
        hd_test_tcp(t, 0, COL_TCP_ACK, part[which]);
        t->seq[0] -= (uint32_t)part[which].len;
        hd_test_tcp(t, 0, COL_TCP_ACK, part[which]); /* sent again: changes nothing */
    }
    t->seq[0] = start + (uint32_t)bytes.len;
}

static void test_http_request_is_seen_however_it_is_split(void **state)
{
    (void)state;
    struct hd_slice get = HD_SLICE(GET);
    for (size_t split = 0; split <= get.len; split++) {
        for (int is_swapped = 0; is_swapped < 2; is_swapped++) {
            struct records r;
            records_open(&r, NULL);
            struct hd_test_talk t = hd_test_talk(records_frame, &r);
            hd_test_open(&t);
            send_split(&t, get, split, is_swapped != 0);
            check_get(&r);
            records_close(&r);
        }
    }
}

static void check_hello(const struct records *r)
{
    const json_t *tls = records_get(r, "tls", 0);
    assert_string_equal(records_text(tls, "tls.sni"), "www.example.vn");
    assert_string_equal(records_text(tls, "tls.version"), "TLS 1.3");
    assert_int_equal(strlen(records_text(tls, "tls.ja4")), 36);
    assert_memory_equal(records_text(tls, "tls.ja4"), "t13d0304h2_", 11);
    const json_t *alpns = json_object_get(json_object_get(tls, "tls"), "client_alpns");
    assert_int_equal(json_array_size(alpns), 2);
    assert_string_equal(json_string_value(json_array_get(alpns, 1)), "http/1.1");
    assert_int_equal(records_count(r, "tls"), 1);
}

static void test_client_hello_is_seen_however_it_is_split(void **state)
{
    (void)state;
    uint8_t bytes[2048];
    struct hd_slice hello =
        hd_slice(bytes, hd_test_client_hello("www.example.vn", bytes));
    for (size_t split = 0; split <= hello.len; split++) {
        for (int is_swapped = 0; is_swapped < 2; is_swapped++) {
            struct records r;
            records_open(&r, NULL);
            struct hd_test_talk t = hd_test_talk(records_frame, &r);
            hd_test_open(&t);
            send_split(&t, hello, split, is_swapped != 0);
            check_hello(&r);
            records_close(&r);
        }
    }
}

static void test_client_hello_byte_by_byte(void **state)
{
    (void)state;
    uint8_t bytes[2048];
    size_t len = hd_test_client_hello("www.example.vn", bytes);
    struct records r;
    records_open(&r, NULL);
    struct hd_test_talk t = hd_test_talk(records_frame, &r);
    hd_test_open(&t);
    for (size_t i = 0; i < len; i++) {
        hd_test_tcp(&t, 0, COL_TCP_ACK, hd_slice(bytes + i, 1));
    }
    check_hello(&r);
    records_close(&r);
}

static void test_client_hello_after_starttls_and_connect(void **state)
{
    (void)state;
    uint8_t bytes[2048];
    struct hd_slice hello =
        hd_slice(bytes, hd_test_client_hello("www.example.vn", bytes));
    struct records r;
    records_open(&r, NULL);
    struct hd_test_talk smtp = hd_test_talk(records_frame, &r);
    smtp.server_port = 25;
    hd_test_open(&smtp);
    hd_test_tcp(&smtp, 1, COL_TCP_ACK, HD_SLICE("220 mail.example.vn ESMTP\r\n"));
    hd_test_tcp(&smtp, 0, COL_TCP_ACK, HD_SLICE("EHLO client\r\n"));
    hd_test_tcp(&smtp, 0, COL_TCP_ACK, HD_SLICE("STARTTLS\r\n"));
    hd_test_tcp(&smtp, 0, COL_TCP_ACK, hello);
    check_hello(&r);
    struct hd_test_talk proxy = hd_test_talk(records_frame, &r);
    proxy.server_port = 3128;
    hd_test_open(&proxy);
    hd_test_tcp(&proxy, 0, COL_TCP_ACK,
                HD_SLICE("CONNECT www.example.vn:443 HTTP/1.1\r\n\r\n"));
    hd_test_tcp(&proxy, 0, COL_TCP_ACK, hello);
    assert_int_equal(records_count(&r, "tls"), 2);
    assert_string_equal(records_text(records_get(&r, "http", 0), "http.http_method"),
                        "CONNECT");
    records_close(&r);
}

static void test_requests_on_one_connection(void **state)
{
    (void)state;
    struct records r;
    records_open(&r, NULL);
    struct hd_test_talk t = hd_test_talk(records_frame, &r);
    hd_test_open(&t);
    /* two in one segment, the first with a body that comes later and looks like one */
    hd_test_tcp(&t, 0, COL_TCP_ACK,
                HD_SLICE("GET /a HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\n"
                         "Content-Length: 40\r\n\r\n"));
    hd_test_tcp(&t, 0, COL_TCP_ACK, HD_SLICE("GET /not HTTP/1.1\r\n\r\n"));
    hd_test_tcp(&t, 0, COL_TCP_ACK, HD_SLICE("1234567890123456789"));
    assert_int_equal(records_count(&r, "http"), 2);
    hd_test_tcp(&t, 0, COL_TCP_ACK,
                HD_SLICE("\rPUT /c HTTP/1.1\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n5\r\nhello"));
    hd_test_tcp(&t, 0, COL_TCP_ACK, HD_SLICE("\r\n0\r\n\r\n"));
    hd_test_tcp(&t, 0, COL_TCP_ACK, HD_SLICE("GET /d HTTP/1.1\r\n\r\n"));
    assert_int_equal(records_count(&r, "http"), 4);
    assert_string_equal(records_text(records_get(&r, "http", 1), "http.url"), "/b");
    assert_string_equal(records_text(records_get(&r, "http", 3), "http.url"), "/d");
    /* a segment that was not captured: the next request is found all the same */
    t.seq[0] += 70000;
    hd_test_tcp(&t, 0, COL_TCP_ACK, HD_SLICE("GET /e HTTP/1.1\r\n\r\n"));
    assert_string_equal(records_text(records_get(&r, "http", 4), "http.url"), "/e");
    records_close(&r);
}

static void test_snapshot_length_cuts_a_head(void **state)
{
    (void)state;
    struct records r;
    records_open(&r, NULL);
    r.snap = 54 + 60;
    struct hd_test_talk t = hd_test_talk(records_frame, &r);
    hd_test_open(&t);
    hd_test_tcp(&t, 0, COL_TCP_ACK,
                HD_SLICE("GET /long HTTP/1.1\r\nHost: example.vn\r\nCookie: "
                         "0123456789012345678901234567890123456789\r\n\r\n"));
    hd_test_tcp(&t, 0, COL_TCP_ACK, HD_SLICE("GET /next HTTP/1.1\r\n\r\n"));
    assert_int_equal(records_count(&r, "http"), 2);
    assert_string_equal(records_text(records_get(&r, "http", 0), "http.hostname"),
                        "example.vn");
    assert_string_equal(records_text(records_get(&r, "http", 1), "http.url"), "/next");
    records_close(&r);
}

static void test_dns_query_and_answer(void **state)
{
    (void)state;
    uint8_t bytes[512];
    static const uint8_t address[4] = {203, 0, 113, 9};
    struct records r;
    records_open(&r, NULL);
    struct hd_test_talk t = hd_test_talk(records_frame, &r);
    t.server_port = 53;
    hd_test_udp(&t, 0, hd_slice(bytes, hd_test_dns("www.mic.gov.vn", 1, NULL, bytes)));
    hd_test_udp(&t, 1, hd_slice(bytes, hd_test_dns("www.mic.gov.vn", 1, address, bytes)));
    assert_int_equal(records_count(&r, "dns"), 2);
    const json_t *query = records_get(&r, "dns", 0);
    assert_string_equal(records_text(query, "dns.type"), "query");
    assert_string_equal(records_text(query, "dns.rrname"), "www.mic.gov.vn");
    assert_string_equal(records_text(query, "dns.rrtype"), "A");
    assert_int_equal(records_int(query, "dns.id"), 0x1234);
    const json_t *answer = records_get(&r, "dns", 1);
    assert_string_equal(records_text(answer, "dns.type"), "answer");
    assert_string_equal(records_text(answer, "dns.flags"), "8180");
    assert_string_equal(records_text(answer, "dns.rcode"), "NOERROR");
    assert_string_equal(records_text(answer, "src_ip"), "192.0.2.10");
    const json_t *first =
        json_array_get(json_object_get(json_object_get(answer, "dns"), "answers"), 0);
    assert_string_equal(records_text(first, "rrname"), "www.mic.gov.vn");
    assert_string_equal(records_text(first, "rdata"), "203.0.113.9");
    assert_int_equal(records_int(first, "ttl"), 300);
    /* on an odd port a query is known by its shape, a random datagram is not one */
    t.server_port = 5353;
    hd_test_udp(&t, 0, hd_slice(bytes, hd_test_dns("printer.local", 28, NULL, bytes)));
    assert_int_equal(records_count(&r, "dns"), 3);
    t.server_port = 137;
    hd_test_udp(&t, 0, hd_slice(bytes, hd_test_dns("FHEPFCELFDBO", 32, NULL, bytes)));
    assert_int_equal(records_count(&r, "dns"), 3);
    t.server_port = 9999;
    hd_test_udp(&t, 0, HD_SLICE("this is surely no question of names"));
    assert_int_equal(records_count(&r, "dns"), 3);
    records_close(&r);
}

static void test_dns_over_tcp(void **state)
{
    (void)state;
    uint8_t bytes[2 + 512] = {0};
    size_t len = hd_test_dns("example.vn", 16, NULL, bytes + 2);
    bytes[1] = (uint8_t)len;
    for (size_t split = 0; split <= len + 2; split++) {
        struct records r;
        records_open(&r, NULL);
        struct hd_test_talk t = hd_test_talk(records_frame, &r);
        t.server_port = 53;
        hd_test_open(&t);
        send_split(&t, hd_slice(bytes, len + 2), split, false);
        send_split(&t, hd_slice(bytes, len + 2), split, false);
        assert_int_equal(records_count(&r, "dns"), 2);
        assert_string_equal(records_text(records_get(&r, "dns", 1), "dns.rrtype"), "TXT");
        records_close(&r);
    }
}

/* ---- bounds ---- */

static void test_flow_table_gives_way(void **state)
{
    (void)state;
    struct records r;
    records_open(&r, &(struct col_inspect_opts){.flows_max = 8});
    for (uint16_t port = 1; port <= 100; port++) {
        struct hd_test_talk t = hd_test_talk(records_frame, &r);
        t.server_port = port;
        hd_test_tcp(&t, 0, COL_TCP_SYN, HD_SLICE_EMPTY);
    }
    struct col_packet_stats stats;
    col_inspect_stats(r.inspector, &stats);
    assert_int_equal(stats.flows, 100);
    assert_int_equal(stats.flows_open, 8);
    assert_int_equal(stats.flows_evicted, 92);
    assert_int_equal(records_count(&r, "flow"), 192);
    assert_string_equal(records_text(records_get(&r, "flow", 191), "flow.state"), "new");
    records_close(&r);
}

static void test_buffers_are_taken_from_who_waits_longest(void **state)
{
    (void)state;
    struct records r;
    records_open(&r, &(struct col_inspect_opts){.buffers_max = 2});
    struct hd_test_talk t[3];
    for (uint16_t i = 0; i < 3; i++) {
        t[i] = hd_test_talk(records_frame, &r);
        t[i].client_port = (uint16_t)(40000 + i);
        hd_test_open(&t[i]);
        hd_test_tcp(&t[i], 0, COL_TCP_ACK, HD_SLICE("GET /x HTTP/1.1\r\nHos"));
    }
    for (int i = 0; i < 3; i++) {
        hd_test_tcp(&t[i], 0, COL_TCP_ACK, HD_SLICE("t: a\r\n\r\n"));
    }
    assert_int_equal(records_count(&r, "http"), 2);
    struct col_packet_stats stats;
    col_inspect_stats(r.inspector, &stats);
    assert_true(stats.units_lost > 0);
    records_close(&r);
}

/* Every prefix of every frame of a conversation: nothing but fewer records. */
static void frame_cut_everywhere(void *ctx, int64_t ns, struct hd_slice frame)
{
    struct records *r = ctx;
    for (size_t len = 0; len <= frame.len; len++) {
        r->snap = len == 0 ? 1 : len;
        records_frame(r, ns, frame);
    }
}

static void test_every_truncation(void **state)
{
    (void)state;
    uint8_t bytes[2048];
    struct records r;
    records_open(&r, NULL);
    struct hd_test_talk t = hd_test_talk(frame_cut_everywhere, &r);
    t.client = "2001:db8::1";
    t.server = "2001:db8::2";
    t.vlan = 5;
    hd_test_open(&t);
    hd_test_tcp(&t, 0, COL_TCP_ACK,
                hd_slice(bytes, hd_test_client_hello("www.example.vn", bytes)));
    hd_test_tcp(&t, 0, COL_TCP_ACK, HD_SLICE(GET));
    hd_test_udp(&t, 0, hd_slice(bytes, hd_test_dns("www.mic.gov.vn", 1, NULL, bytes)));
    struct col_packet_stats stats;
    col_inspect_stats(r.inspector, &stats);
    assert_true(stats.cut > 0);
    records_flush(&r);
    records_close(&r);
}

static void count_record(void *ctx, struct hd_slice line)
{
    size_t *count = ctx;
    assert_true(line.len > 0);
    *count += 1;
}

static void inspect_frame(void *ctx, int64_t ns, struct hd_slice frame)
{
    struct col_captured captured = {.ns = ns,
                                    .wire_len = (uint32_t)frame.len,
                                    .link = COL_LINK_ETHERNET,
                                    .bytes = frame};
    col_inspect_frame(ctx, &captured);
}

/* Whatever allocation fails, what can be said without it is said. */
static void test_out_of_memory(void **state)
{
    (void)state;
    size_t most = 0;
    HD_TEST_ALLOC_EACH(n)
    {
        size_t count = 0;
        struct col_inspector *in = NULL;
        struct col_inspect_opts opts = {.emit = count_record, .ctx = &count};
        int err = col_inspector_new(&opts, &in);
        if (err == HD_OK) {
            struct hd_test_talk t = hd_test_talk(inspect_frame, in);
            hd_test_open(&t);
            hd_test_tcp(&t, 0, COL_TCP_ACK, HD_SLICE("GET / HT"));
            hd_test_tcp(&t, 0, COL_TCP_ACK, HD_SLICE("TP/1.1\r\n\r\n"));
            hd_test_close(&t);
            while (col_inspect_flush(in, 8) > 0) {
            }
        } else {
            assert_true(err == HD_ENOMEM || err == HD_EUNSUPPORTED);
        }
        hd_test_alloc_stop();
        col_inspector_free(in);
        most = count > most ? count : most;
    }
    assert_int_equal(most, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp_flow_is_announced_twice),
        cmocka_unit_test(test_refused_connection_closes_by_reset),
        cmocka_unit_test(test_forged_reset_hides_nothing),
        cmocka_unit_test(test_icmp_echo_is_one_flow),
        cmocka_unit_test(test_http_request_is_seen_however_it_is_split),
        cmocka_unit_test(test_client_hello_is_seen_however_it_is_split),
        cmocka_unit_test(test_client_hello_byte_by_byte),
        cmocka_unit_test(test_client_hello_after_starttls_and_connect),
        cmocka_unit_test(test_requests_on_one_connection),
        cmocka_unit_test(test_snapshot_length_cuts_a_head),
        cmocka_unit_test(test_dns_query_and_answer),
        cmocka_unit_test(test_dns_over_tcp),
        cmocka_unit_test(test_flow_table_gives_way),
        cmocka_unit_test(test_buffers_are_taken_from_who_waits_longest),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
