/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <haidang/inet.h>

static struct hd_ip ip_of(const char *text)
{
    struct hd_ip ip = {{0}};
    assert_int_equal(hd_ip_parse(hd_slice_str(text), &ip), HD_OK);
    return ip;
}

static void text_both_ways(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:c000:201"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::102:304", "::102:304"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[HD_IP_TEXT_MAX];
        struct hd_ip ip = ip_of(cases[i].in);
        assert_int_equal(hd_ip_format(&ip, text), strlen(cases[i].out));
        assert_string_equal(text, cases[i].out);
    }
}

static void bad_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.4 ",
        "1..2.3",
        ":",
        ":::",
        "1:2:3:4:5:6:7",
        "::1::",
        "12345::",
        "1:2:3:4:5:6:7:8:9",
        "::1.2.3",
        "1.2.3.4::",
        "fe80::1%eth0",
        "[::1]",
        "::1:",
        ":1::",
        "g::",
        "1:2:3:4:5:6:7:1.2.3.4",
        "1::2:3:4:5:6:7:8",
    };
    struct hd_ip ip;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(hd_ip_parse(hd_slice_str(bad[i]), &ip), HD_EPARSE);
    }
}

/* inet_pton is the oracle, over many generated texts. */
static void agrees_with_inet_pton(void **state)
{
    (void)state;
    static const char *const parts[] = {"",  ":", "::",      "0",   "1",  "ffff",
                                        "a", ".", "1.2.3.4", "255", "00", "12345"};
    enum { N = sizeof(parts) / sizeof(parts[0]) };
    uint64_t x = 88172645463325252U;
    for (int round = 0; round < 200000; round++) {
        char text[128] = "";
        size_t len = 0;
        for (int i = 0; i < 2 + round % 16; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            const char *part = parts[x % N];
            memcpy(text + len, part, strlen(part) + 1);
            len += strlen(part);
        }
        struct hd_ip ip;
        uint8_t want[16];
        uint8_t v4[4];
        int good = inet_pton(AF_INET6, text, want) == 1;
        if (inet_pton(AF_INET, text, v4) == 1) {
            good = 1;
            memcpy(want, hd_ip_v4(v4).byte, 16);
        }
        int err = hd_ip_parse(hd_slice_str(text), &ip);
        assert_int_equal(err == HD_OK, good);
        if (good) {
            assert_memory_equal(ip.byte, want, 16);
        }
    }
}

static void kinds(void **state)
{
    (void)state;
    static const char *const private_ones[] = {"127.0.0.1", "10.1.2.3",   "172.16.0.1",
                                               "::1",       "172.31.9.9", "192.168.1.1",
                                               "fd00::1",   "fe80::1",    "169.254.1.1"};
    static const char *const others[] = {"172.32.0.1", "11.0.0.1", "2001:db8::1",
                                         "8.8.8.8",    "::",       "192.169.0.1"};
    for (size_t i = 0; i < sizeof(private_ones) / sizeof(private_ones[0]); i++) {
        struct hd_ip ip = ip_of(private_ones[i]);
        assert_true(hd_ip_is_private(&ip));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct hd_ip ip = ip_of(others[i]);
        assert_false(hd_ip_is_private(&ip));
    }
    struct hd_ip home = ip_of("127.9.9.9");
    assert_true(hd_ip_is_loopback(&home) && hd_ip_is_v4(&home));
}

static bool in_net(const char *net, const char *ip)
{
    struct hd_cidr cidr;
    struct hd_ip address = ip_of(ip);
    assert_int_equal(hd_cidr_parse(hd_slice_str(net), &cidr), HD_OK);
    return hd_cidr_has(&cidr, &address);
}

static void networks(void **state)
{
    (void)state;
    assert_true(in_net("10.0.0.0/8", "10.255.0.1"));
    assert_false(in_net("10.0.0.0/8", "11.0.0.1"));
    assert_true(in_net("192.0.2.128/25", "192.0.2.200"));
    assert_false(in_net("192.0.2.128/25", "192.0.2.100"));
    assert_true(in_net("192.0.2.1", "192.0.2.1"));
    assert_true(in_net("0.0.0.0/0", "8.8.8.8"));
    assert_false(in_net("0.0.0.0/0", "2001:db8::1"));
    assert_true(in_net("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(in_net("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(in_net("::/0", "2001:db8::1"));
    assert_false(in_net("::/0", "192.0.2.1"));
    struct hd_cidr cidr;
    assert_int_equal(hd_cidr_parse(HD_SLICE("10.0.0.1/8"), &cidr), HD_EINVAL);
    assert_int_equal(hd_cidr_parse(HD_SLICE("10.0.0.0/33"), &cidr), HD_ERANGE);
    assert_int_equal(hd_cidr_parse(HD_SLICE("::/129"), &cidr), HD_ERANGE);
    assert_int_equal(hd_cidr_parse(HD_SLICE("10.0.0.0/"), &cidr), HD_EPARSE);
    assert_int_equal(hd_cidr_parse(HD_SLICE("10.0.0.0/-1"), &cidr), HD_EPARSE);
}

static void host_and_port(void **state)
{
    (void)state;
    struct hd_hostport hp;
    assert_int_equal(hd_hostport_parse(HD_SLICE("log.example.vn:6514"), &hp), HD_OK);
    assert_string_equal(hp.host, "log.example.vn");
    assert_int_equal(hp.port, 6514);
    assert_int_equal(hd_hostport_parse(HD_SLICE("[2001:db8::1]:514"), &hp), HD_OK);
    assert_string_equal(hp.host, "2001:db8::1");
    assert_int_equal(hd_hostport_parse(HD_SLICE(":0"), &hp), HD_OK);
    assert_string_equal(hp.host, "");
    static const char *const bad[] = {
        "",      "host", "host:", "::1:514", "[::1]", "[::1]5", "[::1:514", "[1.2.3.4]:5",
        "a b:1", "h:-1", "[]:1",  "h\n:1",   "h:1 "};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(hd_hostport_parse(hd_slice_str(bad[i]), &hp), HD_EPARSE);
    }
    assert_int_equal(hd_hostport_parse(HD_SLICE("h:65536"), &hp), HD_ERANGE);
    char longer[HD_HOST_MAX + 3];
    memset(longer, 'a', sizeof(longer));
    longer[HD_HOST_MAX] = ':';
    longer[HD_HOST_MAX + 1] = '1';
    assert_int_equal(hd_hostport_parse(hd_slice(longer, HD_HOST_MAX + 2), &hp),
                     HD_EPARSE);
}

static void socket_addresses(void **state)
{
    (void)state;
    struct hd_buf out;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(514)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(1)};
    struct sockaddr local = {.sa_family = AF_UNIX};
    v4.sin_addr.s_addr = htonl(0xc0000201);
    v6.sin6_addr.s6_addr[15] = 1;
    hd_buf_init(&out, 0);
    hd_sockaddr_format(&out, (const struct sockaddr *)&v4);
    hd_buf_byte(&out, ' ');
    hd_sockaddr_format(&out, (const struct sockaddr *)&v6);
    hd_buf_byte(&out, ' ');
    hd_sockaddr_format(&out, &local);
    assert_string_equal(hd_buf_cstr(&out), "192.0.2.1:514 [::1]:1 unix");
    hd_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_both_ways),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(agrees_with_inet_pton),
        cmocka_unit_test(kinds),
        cmocka_unit_test(networks),
        cmocka_unit_test(host_and_port),
        cmocka_unit_test(socket_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
