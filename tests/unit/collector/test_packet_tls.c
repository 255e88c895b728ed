/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include "collector/packet/tls.h"
#include "tests/support/frames.h"

static uint8_t bytes[2048];
static uint8_t scratch[COL_TLS_SCRATCH];

static struct hd_slice hello_bytes(void)
{
    return hd_slice(bytes, hd_test_client_hello("www.example.vn", bytes));
}

static void check(const struct col_tls_hello *hello)
{
    assert_true(hello->has_sni);
    assert_true(hd_slice_eq(hello->sni, HD_SLICE("www.example.vn")));
    assert_int_equal(hello->version, 0x0304);
    assert_int_equal(hello->legacy_version, 0x0303);
    assert_int_equal(hello->ciphers.len, 8);
    assert_int_equal(hello->extension_count, 5);
}

static void test_every_truncation_asks_for_more(void **state)
{
    (void)state;
    struct hd_slice in = hello_bytes();
    struct col_tls_hello hello;
    uint32_t used = 0;
    assert_int_equal(col_tls_client_hello(in, scratch, &hello, &used), HD_PARSE_OK);
    assert_int_equal(used, in.len);
    check(&hello);
    for (size_t len = 0; len < in.len; len++) {
        assert_int_equal(
            col_tls_client_hello(hd_slice_head(in, len), scratch, &hello, &used),
            HD_PARSE_MORE);
    }
}

/* The message in records of `size` bytes each. */
static void test_message_in_many_records(void **state)
{
    (void)state;
    static uint8_t out[8192];
    struct hd_slice in = hello_bytes();
    for (size_t size = 1; size < in.len; size++) {
        size_t len = 0;
        for (size_t at = 5; at < in.len; at += size) {
            size_t n = in.len - at < size ? in.len - at : size;
            uint8_t header[5] = {22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n};
            memcpy(out + len, header, sizeof(header));
            memcpy(out + len + sizeof(header), in.ptr + at, n);
            len += sizeof(header) + n;
        }
        struct col_tls_hello hello;
        uint32_t used = 0;
        assert_int_equal(col_tls_client_hello(hd_slice(out, len), scratch, &hello, &used),
                         HD_PARSE_OK);
        assert_int_equal(used, len);
        check(&hello);
        assert_int_equal(
            col_tls_client_hello(hd_slice(out, len - 1), scratch, &hello, &used),
            HD_PARSE_MORE);
    }
}

static void test_what_is_no_hello(void **state)
{
    (void)state;
    struct col_tls_hello hello;
    uint32_t used = 0;
    struct hd_slice in = hello_bytes();
    bytes[5] = 2; /* ServerHello */
    assert_int_equal(col_tls_client_hello(in, scratch, &hello, &used), HD_PARSE_BAD);
    in = hello_bytes();
    bytes[3] = bytes[4] = 0; /* empty record */
    assert_int_equal(col_tls_client_hello(in, scratch, &hello, &used), HD_PARSE_BAD);
    in = hello_bytes();
    bytes[6] = 1; /* 64 KiB */
    assert_int_equal(col_tls_client_hello(in, scratch, &hello, &used), HD_PARSE_BAD);
    in = hello_bytes();
    bytes[in.len - 8] = 0xff; /* an extension beyond the message */
    assert_int_equal(col_tls_client_hello(in, scratch, &hello, &used), HD_PARSE_BAD);
    assert_int_equal(
        col_tls_client_hello(HD_SLICE("GET / HTTP/1.1"), scratch, &hello, &used),
        HD_PARSE_BAD);
}

static void test_ja4_of_odd_hellos(void **state)
{
    (void)state;
    char ja4[COL_JA4_LEN + 1];
    struct col_tls_hello hello = {.version = 0x0301};
    assert_int_equal(col_ja4(&hello, ja4), HD_OK);
    assert_string_equal(ja4, "t10i000000_000000000000_000000000000");
    hello.alpn = HD_SLICE("\1h");
    assert_int_equal(col_ja4(&hello, ja4), HD_OK);
    assert_memory_equal(ja4, "t10i0000hh", 10);
    hello.alpn = HD_SLICE("\2\xba\xad"); /* as the reference captures have it */
    assert_int_equal(col_ja4(&hello, ja4), HD_OK);
    assert_memory_equal(ja4, "t10i000099", 10);
    hello.alpn = HD_SLICE("\3a-/"); /* first digit of 61, last of 2f */
    assert_int_equal(col_ja4(&hello, ja4), HD_OK);
    assert_memory_equal(ja4, "t10i00006f", 10);
    static uint8_t ciphers[2 * (COL_TLS_CIPHERS_MAX + 1)];
    hello.ciphers = hd_slice(ciphers, sizeof(ciphers) - 2);
    assert_int_equal(col_ja4(&hello, ja4), HD_OK);
    assert_memory_equal(ja4, "t10i9900", 8);
    hello.ciphers = hd_slice(ciphers, sizeof(ciphers));
    assert_int_equal(col_ja4(&hello, ja4), HD_ELIMIT);
    assert_string_equal(ja4, "");
}

static void test_names_of_numbers(void **state)
{
    (void)state;
    char text[8];
    assert_string_equal(col_tls_version_text(0x0304, text), "TLS 1.3");
    assert_string_equal(col_tls_version_text(0x0301, text), "TLSv1");
    assert_string_equal(col_tls_version_text(0x7f1c, text), "0x7f1c");
    assert_true(col_tls_is_grease(0x0a0a));
    assert_true(col_tls_is_grease(0xfafa));
    assert_false(col_tls_is_grease(0x0a1a));
    assert_false(col_tls_is_grease(0x1301));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_truncation_asks_for_more),
        cmocka_unit_test(test_message_in_many_records),
        cmocka_unit_test(test_what_is_no_hello),
        cmocka_unit_test(test_ja4_of_odd_hellos),
        cmocka_unit_test(test_names_of_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
