/* SPDX-License-Identifier: Apache-2.0
 *
 * JA4 and SNI against the captures and expectations that come with JA4's description.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/collector/records.h"

static const char *const captures[] = {
    "badcurveball.pcap",
    "dhcpv6.pcap",
    "gre-erspan-vxlan.pcap",
    "gre-sample.pcap",
    "http1.pcapng",
    "macos_tcp_flags.pcap",
    "quic-tls-handshake.pcapng",
    "socks4-https.pcap",
    "ssh2-malformed.pcap",
    "ssh2.pcapng",
    "tcpdump-geneve.pcap",
    "tls-handshake.pcapng",
    "tls-non-ascii-alpn.pcapng",
    "tls-sni.pcapng",
    "tls3.pcapng",
};

static bool has_port(const json_t *record, const char *key, const json_t *expected)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "%d", (int)records_int(record, key));
    return strcmp(text, json_string_value(expected)) == 0;
}

/* The n-th tls record of the connection that the expectation describes. */
static const json_t *find(const struct records *r, const json_t *expected, size_t n)
{
    size_t count = records_count(r, "tls");
    for (size_t i = 0; i < count; i++) {
        const json_t *tls = records_get(r, "tls", i);
        if (strcmp(records_text(tls, "src_ip"), records_text(expected, "src")) == 0 &&
            strcmp(records_text(tls, "dest_ip"), records_text(expected, "dst")) == 0 &&
            has_port(tls, "src_port", json_object_get(expected, "srcport")) &&
            has_port(tls, "dest_port", json_object_get(expected, "dstport")) &&
            n-- == 0) {
            return tls;
        }
    }
    return NULL;
}

static size_t check_one(const struct records *r, const json_t *expected)
{
    static const char *const keys[] = {"JA4.1", "JA4.2"};
    size_t checked = 0;
    if (strcmp(records_text(expected, "quic"), "") != 0) {
        return 0;
    }
    for (size_t i = 0; i < 2; i++) {
        const json_t *ja4 = json_object_get(expected, keys[i]);
        if (ja4 == NULL || json_string_value(ja4)[0] != 't') {
            continue;
        }
        const json_t *tls = find(r, expected, i);
        assert_non_null(tls);
        assert_string_equal(records_text(tls, "tls.ja4"), json_string_value(ja4));
        const json_t *domain = json_object_get(expected, "domain");
        if (domain != NULL) {
            assert_string_equal(records_text(tls, "tls.sni"), json_string_value(domain));
        }
        checked++;
    }
    return checked;
}

static size_t check_file(const char *path)
{
    char expectations[1024];
    json_error_t error;
    struct records r;
    size_t checked = 0;
    (void)snprintf(expectations, sizeof(expectations), "%s.json", path);
    json_t *list = json_load_file(expectations, 0, &error);
    assert_non_null(list);
    records_open(&r, NULL);
    records_file(&r, path);
    for (size_t i = 0; i < json_array_size(list); i++) {
        checked += check_one(&r, json_array_get(list, i));
    }
    assert_int_equal(records_count(&r, "tls"), checked);
    print_message("%s: %zu\n", path, checked);
    json_decref(list);
    records_close(&r);
    return checked;
}

static void test_reference_captures(void **state)
{
    (void)state;
    size_t checked = 0;
    for (size_t i = 0; i < sizeof(captures) / sizeof(captures[0]); i++) {
        char name[128];
        (void)snprintf(name, sizeof(name), "pcap/ja4/%s", captures[i]);
        const char *path = hd_test_shared(name);
        if (path == NULL) {
            hd_test_skip("the reference captures are not there");
        }
        char copy[512];
        (void)snprintf(copy, sizeof(copy), "%s", path);
        checked += check_file(copy);
    }
    assert_true(checked > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reference_captures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
