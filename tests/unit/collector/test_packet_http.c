/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include "collector/packet/http.h"

#define assert_text(slice, text) assert_true(hd_slice_eq((slice), HD_SLICE(text)))

static void test_request_head(void **state)
{
    (void)state;
    struct col_http_request r;
    uint32_t used = 0;
    struct hd_slice in = HD_SLICE(
        "POST /a?b HTTP/1.1\r\nHOST:  example.vn \r\nuser-agent: x y\r\n"
        "Content-Length: 12\r\nReferer: http://r/\r\nX-Forwarded-For: 1.2.3.4\r\n"
        "Host: second\r\nnonsense\r\n\r\nbody");
    assert_int_equal(col_http_request(in, false, &r, &used), HD_PARSE_OK);
    assert_int_equal(used, in.len - 4);
    assert_text(r.method, "POST");
    assert_text(r.target, "/a?b");
    assert_text(r.protocol, "HTTP/1.1");
    assert_text(r.host, "example.vn");
    assert_text(r.user_agent, "x y");
    assert_text(r.referer, "http://r/");
    assert_text(r.forwarded_for, "1.2.3.4");
    assert_int_equal(r.content_length, 12);
    assert_false(r.is_chunked);
    for (size_t len = 0; len < used; len++) {
        uint32_t ignored = 0;
        assert_int_equal(col_http_request(hd_slice_head(in, len), false, &r, &ignored),
                         HD_PARSE_MORE);
    }
}

static void test_lenient_and_strict(void **state)
{
    (void)state;
    static const char *const good[] = {
        "GET / HTTP/1.0\n\n",
        "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "GET /a b c HTTP/1.1\r\n\r\n",
        "M-SEARCH * HTTP/1.1\r\n\r\n",
        "BREW /coffee HTTP/1.1\r\n\r\n",
    };
    static const char *const bad[] = {
        "GET / HTTP/2.0\r\n\r\n", "GET /\r\n\r\n",           "get / HTTP/1.1\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n",  "EHLO example.vn\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
        "\x16\x03\x01\r\n",       "GETTING / HTTP/1\r\n",
    };
    struct col_http_request r;
    uint32_t used = 0;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(col_http_request(hd_slice_str(good[i]), false, &r, &used),
                         HD_PARSE_OK);
        assert_int_equal(used, strlen(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(col_http_request(hd_slice_str(bad[i]), false, &r, &used),
                         HD_PARSE_BAD);
        assert_int_equal(col_http_probe(hd_slice_str(bad[i])), HD_PARSE_BAD);
    }
    assert_int_equal(col_http_probe(HD_SLICE("PROPF")), HD_PARSE_MORE);
    assert_int_equal(col_http_probe(HD_SLICE("GET /very-long")), HD_PARSE_MORE);
    assert_int_equal(col_http_probe(HD_SLICE("SSH-2.0-OpenSSH")), HD_PARSE_BAD);
}

static void test_body_length(void **state)
{
    (void)state;
    struct col_http_request r;
    uint32_t used = 0;
    assert_int_equal(
        col_http_request(
            HD_SLICE("PUT / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n"), false,
            &r, &used),
        HD_PARSE_OK);
    assert_true(r.is_chunked);
    assert_int_equal(
        col_http_request(HD_SLICE("PUT / HTTP/1.1\r\nContent-Length: 1 2\r\n\r\n"), false,
                         &r, &used),
        HD_PARSE_OK);
    assert_true(r.is_chunked); /* unknown, which comes to the same */
    /* a head that will never be complete still tells what it has */
    struct hd_slice cut = HD_SLICE("GET /x HTTP/1.1\r\nHost: a\r\nCookie: abc");
    assert_int_equal(col_http_request(cut, true, &r, &used), HD_PARSE_OK);
    assert_text(r.host, "a");
    assert_int_equal(used, cut.len);
    assert_int_equal(col_http_request(HD_SLICE("GET /x HT"), true, &r, &used),
                     HD_PARSE_MORE);
}

static void test_too_many_fields(void **state)
{
    (void)state;
    static char head[8192] = "GET / HTTP/1.1\r\n";
    size_t len = strlen(head);
    for (unsigned i = 0; i <= COL_HTTP_FIELDS_MAX; i++) {
        memcpy(head + len, "a: b\r\n", 6);
        len += 6;
    }
    struct col_http_request r;
    uint32_t used = 0;
    assert_int_equal(col_http_request(hd_slice(head, len), false, &r, &used),
                     HD_PARSE_OK);
    assert_int_equal(used, len);
}

static void test_host_and_port(void **state)
{
    (void)state;
    uint16_t port = 0;
    assert_text(col_http_host(HD_SLICE("example.vn:8080"), &port), "example.vn");
    assert_int_equal(port, 8080);
    assert_text(col_http_host(HD_SLICE("[::1]:80"), &port), "[::1]");
    assert_int_equal(port, 80);
    assert_text(col_http_host(HD_SLICE("2001:db8::1"), &port), "2001:db8::1");
    assert_int_equal(port, 0);
    assert_text(col_http_host(HD_SLICE("example.vn:99999"), &port), "example.vn:99999");
    assert_int_equal(port, 0);
    assert_text(col_http_host(HD_SLICE("example.vn:"), &port), "example.vn:");
    assert_text(col_http_host(HD_SLICE(""), &port), "");
    assert_text(col_http_host(HD_SLICE("12345"), &port), "12345");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_head),  cmocka_unit_test(test_lenient_and_strict),
        cmocka_unit_test(test_body_length),   cmocka_unit_test(test_too_many_fields),
        cmocka_unit_test(test_host_and_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
