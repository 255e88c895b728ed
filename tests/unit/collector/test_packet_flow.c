/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <haidang/clock.h>

#include "collector/packet/flow.h"

struct ended {
    unsigned n[4]; /* by enum col_flow_end */
    uint16_t last_port;
};

static void ended(void *ctx, struct col_flow *flow, enum col_flow_end how)
{
    struct ended *e = ctx;
    e->n[how]++;
    e->last_port = col_flow_port(flow, COL_TO_SERVER);
}

static struct col_flow_table *make(uint32_t max, struct ended *e)
{
    struct col_flow_table *t = NULL;
    *e = (struct ended){0};
    struct col_flow_opts opts = {.max = max, .ended = ended, .ctx = e};
    assert_int_equal(col_flow_table_new(&opts, &t), HD_OK);
    return t;
}

static struct col_packet packet(uint8_t proto, uint16_t src_port, uint16_t dst_port,
                                uint8_t flags, int64_t seconds)
{
    static const uint8_t src[4] = {192, 0, 2, 1};
    static const uint8_t dst[4] = {192, 0, 2, 2};
    return (struct col_packet){.src = hd_ip_v4(src),
                               .dst = hd_ip_v4(dst),
                               .src_port = src_port,
                               .dst_port = dst_port,
                               .proto = proto,
                               .tcp_flags = flags,
                               .wire_len = 100,
                               .ns = seconds * HD_NS_PER_SEC};
}

static struct col_packet answer(struct col_packet p, uint8_t flags)
{
    struct hd_ip ip = p.src;
    uint16_t port = p.src_port;
    p.src = p.dst;
    p.dst = ip;
    p.src_port = p.dst_port;
    p.dst_port = port;
    p.tcp_flags = flags;
    return p;
}

/* Sees the packet; the flow. */
static struct col_flow *see(struct col_flow_table *t, struct col_packet p,
                            enum col_dir expected, bool is_new_expected)
{
    enum col_dir dir = COL_TO_SERVER;
    bool is_new = false;
    struct col_flow *flow = col_flow_lookup(t, &p, &dir, &is_new);
    assert_non_null(flow);
    assert_int_equal(dir, expected);
    assert_int_equal(is_new, is_new_expected);
    (void)col_flow_update(t, flow, dir, &p);
    return flow;
}

static void open_tcp(struct col_flow_table *t, uint16_t port, int64_t seconds)
{
    struct col_packet syn = packet(COL_PROTO_TCP, port, 80, COL_TCP_SYN, seconds);
    (void)see(t, syn, COL_TO_SERVER, true);
    (void)see(t, answer(syn, COL_TCP_SYN | COL_TCP_ACK), COL_TO_CLIENT, false);
    syn.tcp_flags = COL_TCP_ACK;
    (void)see(t, syn, COL_TO_SERVER, false);
}

static void test_who_is_the_server(void **state)
{
    (void)state;
    struct ended e;
    struct col_flow_table *t = make(64, &e);
    /* SYN decides, whatever the ports; then SYN ACK; then the lower port */
    (void)see(t, packet(COL_PROTO_TCP, 22, 4000, COL_TCP_SYN, 0), COL_TO_SERVER, true);
    (void)see(t, packet(COL_PROTO_TCP, 4001, 23, COL_TCP_SYN | COL_TCP_ACK, 0),
              COL_TO_CLIENT, true);
    (void)see(t, packet(COL_PROTO_TCP, 80, 4002, COL_TCP_ACK, 0), COL_TO_CLIENT, true);
    (void)see(t, packet(COL_PROTO_TCP, 4003, 80, COL_TCP_ACK, 0), COL_TO_SERVER, true);
    /* datagrams: who comes first, unless only that one has a well-known port */
    (void)see(t, packet(COL_PROTO_UDP, 53, 4004, 0, 0), COL_TO_CLIENT, true);
    (void)see(t, packet(COL_PROTO_UDP, 5000, 4004, 0, 0), COL_TO_SERVER, true);
    (void)see(t, packet(COL_PROTO_UDP, 4004, 5000, 0, 0), COL_TO_SERVER, true);
    col_flow_table_free(t);
}

static void test_each_class_has_its_time(void **state)
{
    (void)state;
    struct ended e;
    struct col_flow_table *t = make(64, &e);
    open_tcp(t, 1000, 0);
    (void)see(t, packet(COL_PROTO_TCP, 1001, 80, COL_TCP_SYN, 0), COL_TO_SERVER, true);
    (void)see(t, packet(COL_PROTO_UDP, 1002, 53, 0, 0), COL_TO_SERVER, true);
    assert_int_equal(col_flow_deadline(t), 30 * HD_NS_PER_SEC);
    assert_int_equal(col_flow_expire(t, 30 * HD_NS_PER_SEC - 1, 9), 0);
    assert_int_equal(col_flow_expire(t, 30 * HD_NS_PER_SEC, 9), 1);
    assert_int_equal(e.last_port, 1001);
    assert_int_equal(col_flow_expire(t, 60 * HD_NS_PER_SEC, 9), 1);
    assert_int_equal(e.last_port, 1002);
    assert_int_equal(col_flow_expire(t, 3599 * HD_NS_PER_SEC, 9), 0);
    assert_int_equal(col_flow_expire(t, 3600 * HD_NS_PER_SEC, 9), 1);
    assert_int_equal(e.n[COL_END_TIMEOUT], 3);
    assert_int_equal(col_flow_count(t), 0);
    assert_int_equal(col_flow_deadline(t), INT64_MAX);
    col_flow_table_free(t);
}

static void test_activity_keeps_a_flow(void **state)
{
    (void)state;
    struct ended e;
    struct col_flow_table *t = make(64, &e);
    (void)see(t, packet(COL_PROTO_UDP, 1, 53, 0, 0), COL_TO_SERVER, true);
    (void)see(t, packet(COL_PROTO_UDP, 2, 53, 0, 1), COL_TO_SERVER, true);
    (void)see(t, packet(COL_PROTO_UDP, 1, 53, 0, 50), COL_TO_SERVER, false);
    assert_int_equal(col_flow_expire(t, 100 * HD_NS_PER_SEC, 9), 1);
    assert_int_equal(e.last_port, 2);
    assert_int_equal(col_flow_flush(t, 9), 1);
    assert_int_equal(e.n[COL_END_SHUTDOWN], 1);
    col_flow_table_free(t);
}

/* A capture clock that is set back must not make flows immortal. */
static void test_clock_set_back(void **state)
{
    (void)state;
    struct ended e;
    struct col_flow_table *t = make(64, &e);
    (void)see(t, packet(COL_PROTO_UDP, 1, 53, 0, 100000), COL_TO_SERVER, true);
    assert_int_equal(col_flow_expire(t, (100000 - 59) * HD_NS_PER_SEC, 9), 0);
    assert_int_equal(col_flow_expire(t, 0, 9), 1);
    struct col_packet p = packet(COL_PROTO_UDP, 1, 53, 0, 0);
    p.ns = INT64_MIN;
    (void)see(t, p, COL_TO_SERVER, true);
    assert_int_equal(col_flow_expire(t, INT64_MAX, 9), 1);
    col_flow_table_free(t);
}

static void test_least_established_gives_way(void **state)
{
    (void)state;
    struct ended e;
    struct col_flow_table *t = make(4, &e);
    open_tcp(t, 1000, 0);
    (void)see(t, packet(COL_PROTO_UDP, 1001, 53, 0, 1), COL_TO_SERVER, true);
    (void)see(t, packet(COL_PROTO_TCP, 1002, 80, COL_TCP_SYN, 2), COL_TO_SERVER, true);
    open_tcp(t, 1003, 3);
    struct col_packet rst = packet(COL_PROTO_TCP, 1003, 80, COL_TCP_RST, 3);
    (void)see(t, rst, COL_TO_SERVER, false); /* lingers */
    static const uint16_t order[] = {1003, 1002, 2000, 2001};
    for (uint16_t i = 0; i < 4; i++) {
        (void)see(t, packet(COL_PROTO_TCP, (uint16_t)(2000 + i), 80, COL_TCP_SYN, 4),
                  COL_TO_SERVER, true);
        assert_int_equal(e.last_port, order[i]);
        assert_int_equal(col_flow_count(t), 4);
    }
    assert_int_equal(e.n[COL_END_FORCED], 4);
    assert_int_equal(col_flow_evicted(t), 3); /* what lingers has said all it had to */
    col_flow_table_free(t);
}

static void test_close_takes_both_sides(void **state)
{
    (void)state;
    struct ended e;
    struct col_flow_table *t = make(64, &e);
    open_tcp(t, 1000, 0);
    struct col_packet fin = packet(COL_PROTO_TCP, 1000, 80, COL_TCP_FIN | COL_TCP_ACK, 1);
    struct col_flow *f = see(t, fin, COL_TO_SERVER, false);
    assert_int_equal(f->class_, COL_FLOW_OPEN); /* half closed may last */
    f = see(t, answer(fin, COL_TCP_FIN | COL_TCP_ACK), COL_TO_CLIENT, false);
    assert_int_equal(f->class_, COL_FLOW_HALF);
    fin.tcp_flags = COL_TCP_ACK;
    f = see(t, fin, COL_TO_SERVER, false);
    assert_int_equal(f->class_, COL_FLOW_LINGER);
    assert_int_equal(f->side[COL_TO_SERVER].packets, 4);
    (void)see(t, fin, COL_TO_SERVER, false);
    assert_int_equal(f->side[COL_TO_SERVER].packets, 4);
    assert_int_equal(col_flow_expire(t, 6 * HD_NS_PER_SEC, 9), 1);
    col_flow_table_free(t);
}

/* Many flows come, go and come back: no one is lost, none is found twice. */
static void test_many_flows(void **state)
{
    (void)state;
    struct ended e;
    struct col_flow_table *t = make(1000, &e);
    uint32_t seed = 12345;
    unsigned begun = 0;
    for (unsigned i = 0; i < 200000; i++) {
        seed = seed * 1664525U + 1013904223U;
        struct col_packet p =
            packet(seed & 1U ? COL_PROTO_UDP : COL_PROTO_TCP, (uint16_t)(seed >> 20),
                   (uint16_t)(seed >> 17 & 3U), COL_TCP_SYN, i / 1000);
        enum col_dir dir = COL_TO_SERVER;
        bool is_new = false;
        struct col_flow *flow = col_flow_lookup(t, &p, &dir, &is_new);
        begun += is_new;
        (void)col_flow_update(t, flow, dir, &p);
        if (i % 100 == 0) {
            (void)col_flow_expire(t, p.ns, 3);
        }
        unsigned gone = e.n[0] + e.n[1] + e.n[2];
        assert_int_equal(begun - gone, col_flow_count(t));
        assert_true(col_flow_count(t) <= 1000);
    }
    assert_true(begun > 100000);
    while (col_flow_flush(t, 7) > 0) {
    }
    assert_int_equal(begun, e.n[0] + e.n[1] + e.n[2] + e.n[3]);
    col_flow_table_free(t);
}

static void test_vlans_and_pings_apart(void **state)
{
    (void)state;
    struct ended e;
    struct col_flow_table *t = make(64, &e);
    struct col_packet p = packet(COL_PROTO_UDP, 1, 53, 0, 0);
    (void)see(t, p, COL_TO_SERVER, true);
    p.vlans = 1;
    p.vlan[0] = 7;
    (void)see(t, p, COL_TO_SERVER, true);
    struct col_packet ping = packet(COL_PROTO_ICMP, 9, 9, 0, 0);
    ping.icmp_type = 8;
    (void)see(t, ping, COL_TO_SERVER, true);
    struct col_packet pong = answer(ping, 0);
    pong.icmp_type = 0;
    (void)see(t, pong, COL_TO_CLIENT, false);
    ping.src_port = ping.dst_port = 10;
    (void)see(t, ping, COL_TO_SERVER, true);
    struct col_packet unreachable = packet(COL_PROTO_ICMP, 0, 0, 0, 0);
    unreachable.icmp_type = 3;
    (void)see(t, unreachable, COL_TO_SERVER, true);
    unreachable.icmp_type = 11;
    (void)see(t, unreachable, COL_TO_SERVER, true);
    assert_int_equal(col_flow_count(t), 6);
    col_flow_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_the_server),
        cmocka_unit_test(test_each_class_has_its_time),
        cmocka_unit_test(test_activity_keeps_a_flow),
        cmocka_unit_test(test_clock_set_back),
        cmocka_unit_test(test_least_established_gives_way),
        cmocka_unit_test(test_close_takes_both_sides),
        cmocka_unit_test(test_many_flows),
        cmocka_unit_test(test_vlans_and_pings_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
