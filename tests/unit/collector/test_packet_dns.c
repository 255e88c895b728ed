/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include "collector/packet/dns.h"
#include "tests/support/frames.h"

#define HEADER(answers) "\x12\x34\x81\x80\0\1\0" answers "\0\0\0\0"
#define QUESTION        "\2ab\2vn\0\0\1\0\1"

static void assert_text(const struct col_dns_text *text, const char *expected)
{
    assert_int_equal(text->len, strlen(expected));
    assert_memory_equal(text->text, expected, text->len);
}

/* Parses a message with one answer and gives the answer's data as text. */
static bool rdata_of(struct hd_slice message, struct col_dns_text *out)
{
    struct col_dns dns;
    struct col_dns_answer answer;
    assert_int_equal(col_dns_parse(message, &dns), HD_PARSE_OK);
    assert_text(&dns.name, "ab.vn");
    size_t at = dns.answers_at;
    assert_int_equal(col_dns_next(&dns, &at, &answer), HD_PARSE_OK);
    assert_int_equal(at, message.len);
    return col_dns_rdata(&dns, &answer, out);
}

static void test_data_of_each_type(void **state)
{
    (void)state;
    struct col_dns_text text;
    assert_true(rdata_of(HD_SLICE(HEADER("\1") QUESTION "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4"
                                                        "\xcb\0\x71\x09"),
                         &text));
    assert_text(&text, "203.0.113.9");
    assert_true(
        rdata_of(HD_SLICE(HEADER("\1") QUESTION "\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10"
                                                "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0"
                                                "\0\5"),
                 &text));
    assert_text(&text, "2001:db8::5");
    assert_true(rdata_of(
        HD_SLICE(HEADER("\1") QUESTION "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\5\2ww\xc0\x0c"),
        &text));
    assert_text(&text, "ww.ab.vn");
    assert_true(rdata_of(HD_SLICE(HEADER("\1") QUESTION
                                  "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\x06\0\x0a\1m\xc0\x0c"),
                         &text));
    assert_text(&text, "10 m.ab.vn");
    assert_true(rdata_of(HD_SLICE(HEADER("\1") QUESTION
                                  "\xc0\x0c\0\x21\0\1\0\0\0\x3c\0\x0a\0\1\0\2\1\xbb\1m"
                                  "\xc0\x0c"),
                         &text));
    assert_text(&text, "1 2 443 m.ab.vn");
    assert_true(rdata_of(HD_SLICE(HEADER("\1") QUESTION
                                  "\xc0\x0c\0\x10\0\1\0\0\0\x3c\0\x09\3a b\4\\\"\x01."),
                         &text));
    assert_text(&text, "a b\\\\\"\\001.");
    /* an address of three bytes, a type without text */
    assert_false(rdata_of(
        HD_SLICE(HEADER("\1") QUESTION "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\3\xcb\0\x71"),
        &text));
    assert_false(rdata_of(
        HD_SLICE(HEADER("\1") QUESTION "\xc0\x0c\0\x41\0\1\0\0\0\x3c\0\2\0\1"), &text));
}

static void test_hostile_names(void **state)
{
    (void)state;
    struct col_dns_text name;
    size_t end = 0;
    /* a pointer to itself, forward, in a circle, behind the end */
    assert_int_equal(col_dns_name(HD_SLICE("\xc0\x00"), 0, &name, &end), HD_PARSE_BAD);
    assert_int_equal(col_dns_name(HD_SLICE("\xc0\x02\0"), 0, &name, &end), HD_PARSE_BAD);
    assert_int_equal(col_dns_name(HD_SLICE("\1a\xc0\x00"), 2, &name, &end), HD_PARSE_BAD);
    assert_int_equal(col_dns_name(HD_SLICE("\1a\xc0"), 0, &name, &end), HD_PARSE_BAD);
    assert_int_equal(col_dns_name(HD_SLICE("\x3fshort"), 0, &name, &end), HD_PARSE_BAD);
    assert_int_equal(col_dns_name(HD_SLICE("\x41xx"), 0, &name, &end), HD_PARSE_BAD);
    /* dots and controls inside a label are not what they seem */
    assert_int_equal(col_dns_name(HD_SLICE("\4a.\\\n\0"), 0, &name, &end), HD_PARSE_OK);
    assert_text(&name, "a\\.\\\\\\010");
    assert_int_equal(end, 6);
    assert_int_equal(col_dns_name(HD_SLICE("\0"), 0, &name, &end), HD_PARSE_OK);
    assert_int_equal(name.len, 0);
    /* 255 bytes and no more, each label legal */
    uint8_t wire[512];
    for (size_t i = 0; i < sizeof(wire); i++) {
        wire[i] = i % 64 == 0 ? 63 : 1;
    }
    assert_int_equal(col_dns_name(hd_slice(wire, sizeof(wire)), 0, &name, &end),
                     HD_PARSE_BAD);
    wire[192] = 61;
    wire[254] = 0;
    assert_int_equal(col_dns_name(hd_slice(wire, sizeof(wire)), 0, &name, &end),
                     HD_PARSE_OK);
    assert_int_equal(name.len, (63 * 3 + 61) * 4 + 3);
}

static void test_every_truncation(void **state)
{
    (void)state;
    static const uint8_t address[4] = {192, 0, 2, 1};
    uint8_t bytes[512];
    size_t len = hd_test_dns("a.example.vn", 1, address, bytes);
    size_t question = 12 + 14 + 4;
    for (size_t n = 0; n <= len; n++) {
        struct col_dns dns;
        struct col_dns_answer answer;
        enum hd_parse r = col_dns_parse(hd_slice(bytes, n), &dns);
        assert_int_equal(r, n < question ? HD_PARSE_BAD : HD_PARSE_OK);
        if (r == HD_PARSE_OK) {
            size_t at = dns.answers_at;
            assert_int_equal(col_dns_next(&dns, &at, &answer),
                             n < len ? HD_PARSE_BAD : HD_PARSE_OK);
        }
    }
}

static void test_claims_are_not_believed(void **state)
{
    (void)state;
    struct col_dns dns;
    assert_int_equal(
        col_dns_parse(HD_SLICE("\0\1\1\0\xff\xff\xff\xff\0\0\0\0" QUESTION), &dns),
        HD_PARSE_OK);
    assert_text(&dns.name, "ab.vn");
    assert_int_equal(dns.answers_at, 0);
    assert_int_equal(col_dns_parse(HD_SLICE("\0\1\1\0\0\0\0\0\0\0\0\0"), &dns),
                     HD_PARSE_BAD);
    assert_int_equal(col_dns_parse(HD_SLICE("\0\1\x79\0\0\1\0\0\0\0\0\0" QUESTION), &dns),
                     HD_PARSE_BAD);
}

static void test_names_of_numbers(void **state)
{
    (void)state;
    char text[16];
    assert_string_equal(col_dns_type_text(28, text), "AAAA");
    assert_string_equal(col_dns_type_text(65400, text), "TYPE65400");
    assert_string_equal(col_dns_rcode_text(0x8183, text), "NXDOMAIN");
    assert_string_equal(col_dns_rcode_text(0x818d, text), "RCODE13");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_of_each_type),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_claims_are_not_believed),
        cmocka_unit_test(test_names_of_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
