/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include "collector/packet/packet.h"
#include "tests/support/frames.h"

static uint8_t bytes[HD_TEST_FRAME_MAX];

static struct hd_slice make(const char *src, const char *dst, uint8_t proto,
                            uint16_t vlan)
{
    struct hd_test_frame f = {.src = src,
                              .dst = dst,
                              .src_port = 4000,
                              .dst_port = 443,
                              .proto = proto,
                              .flags = COL_TCP_SYN,
                              .seq = 77,
                              .type = proto == COL_PROTO_ICMP ? 8 : 128,
                              .vlan = vlan,
                              .payload = HD_SLICE("hello")};
    return hd_slice(bytes, hd_test_frame(&f, bytes));
}

static void check_payload(const struct col_packet *p)
{
    assert_true(hd_slice_eq(p->payload, HD_SLICE("hello")));
    assert_int_equal(p->payload_len, 5);
}

static void test_transports(void **state)
{
    (void)state;
    struct col_packet p;
    char text[HD_IP_TEXT_MAX];
    struct hd_slice frame = make("192.0.2.1", "198.51.100.2", COL_PROTO_TCP, 0);
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p), COL_DECODE_OK);
    (void)hd_ip_format(&p.src, text);
    assert_string_equal(text, "192.0.2.1");
    assert_int_equal(p.src_port, 4000);
    assert_int_equal(p.dst_port, 443);
    assert_int_equal(p.seq, 77);
    assert_int_equal(p.tcp_flags, COL_TCP_SYN);
    check_payload(&p);
    frame = make("2001:db8::1", "2001:db8::2", COL_PROTO_UDP, 0);
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p), COL_DECODE_OK);
    assert_true(p.is_v6);
    check_payload(&p);
    frame = make("192.0.2.1", "198.51.100.2", COL_PROTO_ICMP, 0);
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p), COL_DECODE_OK);
    assert_int_equal(p.icmp_type, 8);
    assert_int_equal(p.src_port, 4000);
    assert_int_equal(p.dst_port, 4000);
    frame = make("2001:db8::1", "2001:db8::2", COL_PROTO_ICMP6, 0);
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p), COL_DECODE_OK);
    assert_int_equal(p.icmp_type, 128);
    frame = make("192.0.2.1", "198.51.100.2", 47, 0);
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p), COL_DECODE_OTHER);
    /* ICMPv6 inside IPv4 is nothing that exists */
    frame = make("192.0.2.1", "198.51.100.2", COL_PROTO_ICMP6, 0);
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p), COL_DECODE_OTHER);
}

/* The same packet behind each link header. */
static void test_link_types(void **state)
{
    (void)state;
    static const struct {
        int link;
        size_t len;
        uint8_t header[20];
    } links[] = {
        {COL_LINK_RAW, 0, {0}},
        {COL_LINK_IPV4, 0, {0}},
        {COL_LINK_NULL, 4, {2, 0, 0, 0}},
        {COL_LINK_NULL, 4, {0, 0, 0, 2}}, /* written on the other kind of machine */
        {COL_LINK_LOOP, 4, {0, 0, 0, 2}},
        {COL_LINK_SLL, 16, {0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0}},
        {COL_LINK_SLL2, 20, {8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6}},
    };
    uint8_t frame[256];
    struct col_packet p;
    struct hd_slice ip =
        hd_slice_from(make("192.0.2.1", "198.51.100.2", COL_PROTO_TCP, 0), 14);
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        memcpy(frame, links[i].header, links[i].len);
        memcpy(frame + links[i].len, ip.ptr, ip.len);
        assert_true(col_link_is_known(links[i].link));
        assert_int_equal(
            col_packet_decode(links[i].link, hd_slice(frame, links[i].len + ip.len), &p),
            COL_DECODE_OK);
        check_payload(&p);
    }
    assert_false(col_link_is_known(105)); /* 802.11 */
    assert_int_equal(col_packet_decode(105, ip, &p), COL_DECODE_NOT_IP);
    assert_int_equal(col_packet_decode(COL_LINK_NULL, HD_SLICE("\1\1\0\0xx"), &p),
                     COL_DECODE_NOT_IP);
}

static void test_vlan_tags(void **state)
{
    (void)state;
    struct col_packet p;
    struct hd_slice one = make("192.0.2.1", "198.51.100.2", COL_PROTO_UDP, 100);
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, one, &p), COL_DECODE_OK);
    assert_int_equal(p.vlans, 1);
    assert_int_equal(p.vlan[0], 100);
    check_payload(&p);
    uint8_t two[256];
    memcpy(two, one.ptr, 12);
    memcpy(two + 12, "\x88\xa8\xe0\x07", 4); /* priority bits are not the id's */
    memcpy(two + 16, one.ptr + 12, one.len - 12);
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, hd_slice(two, one.len + 4), &p),
                     COL_DECODE_OK);
    assert_int_equal(p.vlans, 2);
    assert_int_equal(p.vlan[0], 7);
    assert_int_equal(p.vlan[1], 100);
}

static void test_ipv4_fragments(void **state)
{
    (void)state;
    struct col_packet p;
    struct hd_slice frame = make("192.0.2.1", "198.51.100.2", COL_PROTO_UDP, 0);
    bytes[14 + 6] = 0x20; /* first of several: the datagram is longer than the packet */
    bytes[14 + 20 + 4] = 4;
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p), COL_DECODE_OK);
    assert_true(p.is_fragment);
    assert_int_equal(p.dst_port, 443);
    check_payload(&p);
    bytes[14 + 7] = 5;
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p),
                     COL_DECODE_FRAGMENT);
    assert_int_equal(p.dst_port, 0);
    assert_int_equal(p.proto, COL_PROTO_UDP);
}

/* Puts an extension header between the IPv6 header and what follows. */
static struct hd_slice extend(struct hd_slice frame, uint8_t kind,
                              const uint8_t header[8])
{
    memmove(bytes + 62, bytes + 54, frame.len - 54);
    memcpy(bytes + 54, header, 8);
    bytes[54] = bytes[20];
    bytes[20] = kind;
    bytes[19] = (uint8_t)(bytes[19] + 8);
    return hd_slice(bytes, frame.len + 8);
}

static void test_ipv6_extension_headers(void **state)
{
    (void)state;
    static const uint8_t plain[8] = {0};
    static const uint8_t first[8] = {0, 0, 0, 1};
    static const uint8_t later[8] = {0, 0, 0, 0x10};
    struct col_packet p;
    struct hd_slice frame = make("2001:db8::1", "2001:db8::2", COL_PROTO_TCP, 0);
    frame = extend(frame, 60, plain);
    frame = extend(frame, 44, first);
    frame = extend(frame, 43, plain);
    frame = extend(frame, 0, plain);
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p), COL_DECODE_OK);
    assert_true(p.is_fragment);
    assert_int_equal(p.proto, COL_PROTO_TCP);
    check_payload(&p);
    frame = extend(frame, 44, later);
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p),
                     COL_DECODE_FRAGMENT);
    /* a chain without end is refused */
    frame = make("2001:db8::1", "2001:db8::2", COL_PROTO_TCP, 0);
    for (int i = 0; i < 9; i++) {
        frame = extend(frame, 60, plain);
    }
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p),
                     COL_DECODE_MALFORMED);
}

static void test_contradictions(void **state)
{
    (void)state;
    struct col_packet p;
    struct hd_slice frame = make("192.0.2.1", "198.51.100.2", COL_PROTO_TCP, 0);
    bytes[14] = 0x44; /* header of 16 bytes */
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p),
                     COL_DECODE_MALFORMED);
    frame = make("192.0.2.1", "198.51.100.2", COL_PROTO_TCP, 0);
    bytes[14 + 3] = 19; /* shorter than its header */
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p),
                     COL_DECODE_MALFORMED);
    frame = make("192.0.2.1", "198.51.100.2", COL_PROTO_TCP, 0);
    bytes[14 + 20 + 12] = 0xf0; /* TCP options beyond the packet */
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p),
                     COL_DECODE_MALFORMED);
    frame = make("192.0.2.1", "198.51.100.2", COL_PROTO_UDP, 0);
    bytes[14 + 20 + 5] = 200; /* UDP beyond the packet */
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p),
                     COL_DECODE_MALFORMED);
    /* padding of short frames is no payload, a length of 0 means all there is */
    frame = make("192.0.2.1", "198.51.100.2", COL_PROTO_TCP, 0);
    assert_int_equal(
        col_packet_decode(COL_LINK_ETHERNET, hd_slice(bytes, frame.len + 6), &p),
        COL_DECODE_OK);
    check_payload(&p);
    bytes[14 + 3] = 0;
    assert_int_equal(col_packet_decode(COL_LINK_ETHERNET, frame, &p), COL_DECODE_OK);
    check_payload(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transports),
        cmocka_unit_test(test_link_types),
        cmocka_unit_test(test_vlan_tags),
        cmocka_unit_test(test_ipv4_fragments),
        cmocka_unit_test(test_ipv6_extension_headers),
        cmocka_unit_test(test_contradictions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
