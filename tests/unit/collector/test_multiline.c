/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <string.h>

#include "collector/source/multiline.h"

static struct col_multiline make(enum col_multiline_kind kind)
{
    return (struct col_multiline){
        .kind = kind, .prefix = HD_SLICE("== "), .max_lines = 5, .max_bytes = 60};
}

/* The first event of `in`, asked with every shorter prefix too: a verdict that was given
 * must not change when more bytes come. */
static size_t first_event(enum col_multiline_kind kind, struct hd_slice in)
{
    struct col_multiline m = make(kind);
    size_t used = 0;
    size_t result = 0;
    if (col_multiline_next(&m, in, &used) == HD_PARSE_OK) {
        result = used;
    }
    for (size_t cut = 0; cut < in.len; cut++) {
        if (col_multiline_next(&m, hd_slice_head(in, cut), &used) == HD_PARSE_OK) {
            assert_int_equal(used, result);
        }
    }
    return result;
}

static enum col_starts starts(enum col_multiline_kind kind, struct hd_slice head,
                              bool is_whole)
{
    struct col_multiline m = make(kind);
    return col_multiline_starts(&m, head, is_whole);
}

static void test_time(void **state)
{
    (void)state;
    static const char *const yes[] = {"2026-11-21 07:50:37 INFO x",
                                      "2026/11/21 x",
                                      "[2026-11-21T07:50:37Z] x",
                                      "Nov 21 07:50:37 web1 x",
                                      "Nov  1 07:50:37 x",
                                      "Sat Nov 21 07:50:37 2026 x",
                                      "<34>Nov 21 07:50:37 x",
                                      "21/Nov/2026:07:50 x",
                                      "[21-Nov-2026 07:50:37] x",
                                      "07:50:37.123 x",
                                      "1790000000.5 x",
                                      "21/11/2026 x"};
    static const char *const no[] = {
        "",       " 2026-11-21", "    at java.lang.X", "Caused by: x",
        "<html>", "...",         "20261-1-21 x",       "November 21"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        struct hd_slice s = hd_slice_str(yes[i]);
        assert_int_equal(starts(COL_MULTILINE_TIME, s, true), COL_STARTS_YES);
        for (size_t cut = 0; cut < s.len; cut++) {
            assert_int_not_equal(starts(COL_MULTILINE_TIME, hd_slice_head(s, cut), false),
                                 COL_STARTS_NO);
        }
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        assert_int_equal(starts(COL_MULTILINE_TIME, hd_slice_str(no[i]), true),
                         COL_STARTS_NO);
    }
}

static void test_prefix(void **state)
{
    (void)state;
    assert_int_equal(starts(COL_MULTILINE_PREFIX, HD_SLICE("== a"), false), 1);
    assert_int_equal(starts(COL_MULTILINE_PREFIX, HD_SLICE("=="), false),
                     COL_STARTS_UNKNOWN);
    assert_int_equal(starts(COL_MULTILINE_PREFIX, HD_SLICE("=="), true), COL_STARTS_NO);
    assert_int_equal(starts(COL_MULTILINE_PREFIX, HD_SLICE("a"), false), COL_STARTS_NO);
    assert_int_equal(first_event(COL_MULTILINE_PREFIX, HD_SLICE("== a\nb\nc\n== d\n")),
                     9);
    assert_int_equal(first_event(COL_MULTILINE_PREFIX, HD_SLICE("b\nc\n== d\n")), 4);
}

static void test_indent(void **state)
{
    (void)state;
    struct hd_slice trace = HD_SLICE("Error: x\n  at a\n\tat b\n\nnext\n");
    assert_int_equal(first_event(COL_MULTILINE_INDENT, trace), 23);
    assert_int_equal(first_event(COL_MULTILINE_INDENT, HD_SLICE("a\nb\n")), 2);
    assert_int_equal(first_event(COL_MULTILINE_INDENT, HD_SLICE("a\n b\n")), 0);
    assert_int_equal(first_event(COL_MULTILINE_INDENT, HD_SLICE("a\n b\nc")), 5);
}

static void test_limits(void **state)
{
    (void)state;
    assert_int_equal(first_event(COL_MULTILINE_INDENT, HD_SLICE("a\n \n \n \n \n \n \n")),
                     2 + 4 * 2);
    struct hd_slice wide = HD_SLICE("012345678901234567890123456789\n"
                                    " 12345678901234567890123456789\n"
                                    " 1\n");
    assert_int_equal(first_event(COL_MULTILINE_INDENT, wide), 31);
}

static void test_more_tells_whole_lines(void **state)
{
    (void)state;
    struct col_multiline m = make(COL_MULTILINE_INDENT);
    size_t used = 0;
    assert_int_equal(col_multiline_next(&m, HD_SLICE("a\n b\n c"), &used), HD_PARSE_MORE);
    assert_int_equal(used, 5);
    assert_int_equal(col_multiline_next(&m, HD_SLICE_EMPTY, &used), HD_PARSE_MORE);
    assert_int_equal(used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_indent),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_more_tells_whole_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
