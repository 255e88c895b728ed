/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdlib.h>

#include "tests/support/alloc.h"
#include <haidang/slice.h>

#define S(text) HD_SLICE(text)

static void classes_are_ascii_only(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t b = (uint8_t)c;
        assert_int_equal(hd_is_digit(b), c >= '0' && c <= '9');
        assert_int_equal(hd_is_upper(b), c >= 'A' && c <= 'Z');
        assert_int_equal(hd_is_lower(b), c >= 'a' && c <= 'z');
        assert_int_equal(hd_is_alpha(b), hd_is_upper(b) || hd_is_lower(b));
        assert_int_equal(hd_is_space(b), c == ' ' || (c >= 9 && c <= 13));
        assert_int_equal(hd_lower(b), hd_is_upper(b) ? c + 32 : c);
    }
}

static void compares(void **state)
{
    (void)state;
    assert_true(hd_slice_eq(HD_SLICE_EMPTY, S("")));
    assert_true(hd_slice_eq_nocase(S("AbC"), S("aBc")));
    assert_false(hd_slice_eq_nocase(S("ab["), S("ab{")));
    assert_true(hd_slice_ends(S("access.log"), S(".log")));
    assert_false(hd_slice_ends(S("log"), S("access.log")));
    assert_true(hd_slice_ends_nocase(S("A.LOG"), S(".log")));
    assert_true(hd_slice_starts_nocase(S("HTTP/1.1"), S("http/")));
    assert_false(hd_slice_starts_nocase(S("HT"), S("http/")));
    assert_true(hd_slice_cmp(S("a"), S("ab")) < 0);
    assert_true(hd_slice_cmp(S("b"), S("ab")) > 0);
    assert_true(hd_slice_cmp(S("\xff"), S("a")) > 0);
    assert_int_equal(hd_slice_cmp(S("ab"), S("ab")), 0);
    assert_int_equal(hd_slice_cmp(HD_SLICE_EMPTY, S("")), 0);
}

static void finds(void **state)
{
    (void)state;
    assert_int_equal(hd_slice_find(S("a\0bc"), S("\0b")), 1);
    assert_int_equal(hd_slice_find(S("abc"), S("")), 0);
    assert_int_equal(hd_slice_find(HD_SLICE_EMPTY, HD_SLICE_EMPTY), 0);
    assert_true(hd_slice_find(S("abc"), S("abcd")) == HD_NPOS);
    assert_true(hd_slice_find(HD_SLICE_EMPTY, S("a")) == HD_NPOS);
    assert_int_equal(hd_slice_find_byte(S("abc"), 'c'), 2);
    assert_true(hd_slice_find_byte(HD_SLICE_EMPTY, 'c') == HD_NPOS);
    assert_int_equal(hd_slice_find_nocase(S("xxFoOfoobar"), S("FOOBAR")), 5);
    assert_int_equal(hd_slice_find_nocase(S("aAab"), S("Ab")), 2);
    assert_int_equal(hd_slice_find_nocase(S("/../x"), S("../X")), 1);
    assert_true(hd_slice_find_nocase(S("aaaa"), S("ab")) == HD_NPOS);
    assert_int_equal(hd_slice_find_nocase(S("abc"), S("")), 0);
}

static void cuts(void **state)
{
    (void)state;
    assert_true(hd_slice_eq(hd_slice_from(S("abc"), 9), S("")));
    assert_true(hd_slice_eq(hd_slice_head(S("abc"), 9), S("abc")));
    assert_null(hd_slice_from(HD_SLICE_EMPTY, 3).ptr);
    assert_true(hd_slice_eq(hd_slice_trim(S(" \t a b\r\n")), S("a b")));
    assert_true(hd_slice_eq(hd_slice_trim(S("  ")), S("")));
}

static void splits(void **state)
{
    (void)state;
    struct hd_slice rest = S("a,b,");
    struct hd_slice head;
    assert_true(hd_slice_split(&rest, ',', &head));
    assert_true(hd_slice_eq(head, S("a")));
    assert_true(hd_slice_split(&rest, ',', &head));
    assert_true(hd_slice_eq(head, S("b")));
    assert_true(hd_slice_split(&rest, ',', &head));
    assert_true(hd_slice_eq(head, S("")));
    assert_false(hd_slice_split(&rest, ',', &head));
}

static void duplicates(void **state)
{
    (void)state;
    char *text = hd_slice_dup(S("abc"));
    assert_string_equal(text, "abc");
    free(text);
    text = hd_slice_dup(HD_SLICE_EMPTY);
    assert_string_equal(text, "");
    free(text);
    hd_test_alloc_fail_at(1);
    text = hd_slice_dup(S("abc"));
    hd_test_alloc_stop();
    assert_true((text == NULL) == hd_test_alloc_failed());
    free(text);
}

static void hex(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *at = c == 0 ? NULL : strchr(digits, c);
        int place = at == NULL ? -1 : (int)(at - digits);
        assert_int_equal(hd_hex_value((uint8_t)c), place > 15 ? place - 6 : place);
    }
    assert_true(hd_slice_is_hex(HD_SLICE("09af")));
    assert_true(hd_slice_is_hex(HD_SLICE_EMPTY));
    assert_false(hd_slice_is_hex(HD_SLICE("0A")));
    assert_false(hd_slice_is_hex(HD_SLICE("0g")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_ascii_only),
        cmocka_unit_test(compares),
        cmocka_unit_test(finds),
        cmocka_unit_test(cuts),
        cmocka_unit_test(splits),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
