/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <string.h>

#include <haidang/utf8.h>

#define S(text) HD_SLICE(text)

static const char *run(void (*op)(struct hd_buf *, struct hd_slice), struct hd_slice in)
{
    static struct hd_buf out;
    hd_buf_fini(&out);
    op(&out, in);
    return hd_buf_cstr(&out);
}

/* Bit by bit, as RFC 3629 defines it: the oracle of hd_utf8_step. */
static size_t slow_step(const uint8_t *p, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (len == 0) {
        return 0;
    }
    size_t need = p[0] < 0x80         ? 1
                  : (p[0] >> 5) == 6  ? 2
                  : (p[0] >> 4) == 14 ? 3
                  : (p[0] >> 3) == 30 ? 4
                                      : 0;
    if (need == 0 || need > len) {
        return 0;
    }
    uint32_t point = need == 1 ? p[0] : p[0] & (0x7fU >> need);
    for (size_t i = 1; i < need; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (p[i] & 0x3fU);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < least[need] || surrogate || point > 0x10ffff ? 0 : need;
}

static void step_is_rfc3629(void **state)
{
    (void)state;
    static const uint8_t tail[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0};
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            for (size_t i = 0; i < sizeof(tail) * sizeof(tail); i++) {
                uint8_t p[] = {(uint8_t)a, (uint8_t)b, tail[i / sizeof(tail)],
                               tail[i % sizeof(tail)]};
                size_t len = i % 5;
                assert_int_equal(hd_utf8_step(hd_slice(p, len)), slow_step(p, len));
                assert_int_equal(hd_utf8_step(hd_slice(p, 4)), slow_step(p, 4));
            }
        }
    }
}

static void validity(void **state)
{
    (void)state;
    assert_true(hd_utf8_is_ascii(S("plain ascii, quite long")));
    assert_false(hd_utf8_is_ascii(S("plain ascii, b\xc3\xa0i")));
    assert_true(hd_utf8_is_ascii(HD_SLICE_EMPTY));
    assert_true(hd_utf8_is_valid(S("C\xe1\xbb\x95ng d\xe1\xbb\x8b"
                                   "ch v\xe1\xbb\xa5 c\xc3\xb4ng")));
    assert_false(hd_utf8_is_valid(S("cut \xe1\xbb")));
    assert_false(hd_utf8_is_valid(S("\xed\xa0\x80")));
    assert_true(hd_utf8_is_valid(HD_SLICE_EMPTY));
}

static void escapes_what_terminals_obey(void **state)
{
    (void)state;
    assert_string_equal(run(hd_utf8_escape, S("ok\x1b[31m\n\x7f")),
                        "ok\\x1b[31m\\x0a\\x7f");
    assert_string_equal(run(hd_utf8_escape, S("\xc2\x9b|\xe2\x80\xae|\xff\xc3")),
                        "\\u{009b}|\\u{202e}|\\xff\\xc3");
    assert_string_equal(run(hd_utf8_escape, S("H\xe1\xba\xa3i \xc4\x90\xc4\x83ng")),
                        "H\xe1\xba\xa3i \xc4\x90\xc4\x83ng");
    assert_string_equal(run(hd_utf8_escape, S("a\0b")), "a\\x00b");
    assert_string_equal(run(hd_utf8_escape, HD_SLICE_EMPTY), "");
}

static void repairs(void **state)
{
    (void)state;
    assert_string_equal(run(hd_utf8_repair, S("a\xff\xe1\xbb"
                                              "b")),
                        "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                        "b");
    assert_string_equal(run(hd_utf8_repair, S("\xc4\x91")), "\xc4\x91");
}

static void folds_vietnamese(void **state)
{
    (void)state;
    /* "TIẾNG Việt" with composed, decomposed and half-composed letters */
    static const char want[] = "ti\xe1\xba\xbfng vi\xe1\xbb\x87t";
    assert_string_equal(run(hd_utf8_fold, S("TI\xe1\xba\xbeNG Vi\xe1\xbb\x87t")), want);
    assert_string_equal(
        run(hd_utf8_fold, S("TIE\xcc\x82\xcc\x81NG Vie\xcc\xa3\xcc\x82t")), want);
    assert_string_equal(
        run(hd_utf8_fold, S("TI\xc3\x8a\xcc\x81NG Vi\xe1\xba\xb9\xcc\x82t")), want);
    assert_string_equal(run(hd_utf8_fold, S("\xc4\x90\xff"
                                            "A")),
                        "\xc4\x91\xff"
                        "a");
    assert_string_equal(run(hd_utf8_fold, S("J\xcc\x8c")), "\xc7\xb0");
    assert_string_equal(
        run(hd_utf8_plain, S("\xc4\x90\xc3\xa0 N\xe1\xba\xb5ng, H\xc3\xa0 "
                             "T\xc4\xa9nh Vie\xcc\xa3\xcc\x82t")),
        "da nang, ha tinh viet");
}

static void folds_long_text_alike(void **state)
{
    (void)state;
    struct hd_buf in;
    struct hd_buf composed;
    struct hd_buf out;
    hd_buf_init(&in, 0);
    hd_buf_init(&composed, 0);
    hd_buf_init(&out, 0);
    for (int i = 0; i < 2000; i++) {
        hd_buf_str(&in, "e\xcc\x82\xcc\x81");
        hd_buf_str(&composed, "\xe1\xba\xbf");
    }
    hd_utf8_fold(&out, hd_buf_slice(&in));
    assert_true(hd_slice_eq(hd_buf_slice(&out), hd_buf_slice(&composed)));
    hd_buf_clear(&in);
    hd_buf_clear(&out);
    hd_buf_byte(&in, 'a');
    for (int i = 0; i < 50000; i++) {
        hd_buf_str(&in, i % 2 ? "\xcc\x81" : "\xcc\xa3");
    }
    hd_utf8_plain(&out, hd_buf_slice(&in));
    assert_string_equal(hd_buf_cstr(&out), "a");
    hd_buf_fini(&in);
    hd_buf_fini(&composed);
    hd_buf_fini(&out);
}

static void widths(void **state)
{
    (void)state;
    assert_int_equal(hd_utf8_width(S("Vi\xe1\xbb\x87t")), 4);
    assert_int_equal(hd_utf8_width(S("Vie\xcc\xa3\xcc\x82t")), 4);
    assert_int_equal(hd_utf8_width(S("\xe6\xbc\xa2\xe5\xad\x97")), 4);
    assert_int_equal(hd_utf8_width(S("a\xff")), 2);
    assert_int_equal(hd_utf8_width(HD_SLICE_EMPTY), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_is_rfc3629),
        cmocka_unit_test(validity),
        cmocka_unit_test(escapes_what_terminals_obey),
        cmocka_unit_test(repairs),
        cmocka_unit_test(folds_vietnamese),
        cmocka_unit_test(folds_long_text_alike),
        cmocka_unit_test(widths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
