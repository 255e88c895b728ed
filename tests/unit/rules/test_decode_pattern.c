/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns, key=value pairs, filters, shapes.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "rules/decode/decoder.h"

struct match_row {
    const char *pattern, *message;
    const char *values; /* joined by "|"; NULL = no match */
};

/* clang-format off */
static const struct match_row matches[] = {
    {"abc", "abc", ""},
    {"abc", "abcd", ""},
    {"abc", "ab", NULL},
    {"a<<b", "a<b", ""},
    {"<x> from <y>", "u from h", "u|h"},
    {"<x> from <y>", " from ", "|"},
    {"<x> from <y>", "u to h", NULL},
    {"<x:until> from <y>", "a from b from c", "a|b from c"},
    {"<x:greedy> from <y>", "a from b from c", "a from b|c"},
    {"<x:greedy>aa<y>", "aaaa", "aa|"},
    {"<x:word> <y:word>", "a b c", "a|b"},
    {"<x:word> <y:word>", " b", NULL},
    {"<x:word>, <y:rest>", "a, b c  ", "a|b c"},
    {"[<x:word>]", "[a]", "a"},
    {"[<x:word>]", "[]", NULL},
    {"[<x>]", "[a b]", "a b"},
    {"port <p:uint> x", "port 22 x", "22"},
    {"port <p:uint> x", "port x x", NULL},
    {"port <p:uint>", "port 99999999999999999999999", "99999999999999999999999"},
    {"from <i:ip> port", "from 192.0.2.1 port", "192.0.2.1"},
    {"from <i:ip>:<p:uint>", "from 192.0.2.1:22", "192.0.2.1|22"},
    {"from <i:ip>: x", "from 192.0.2.1: x", "192.0.2.1"},
    {"from <i:ip>: x", "from 2001:db8::1: x", "2001:db8::1"},
    {"from <i:ip>", "from ::", "::"},
    {"from [<i:ip>]:<p:uint>", "from [2001:db8::1]:22", "2001:db8::1|22"},
    {"from <i:ip>", "from ::ffff:192.0.2.1", "::ffff:192.0.2.1"},
    {"from <i:ip>", "from 192.0.2.256", NULL},
    {"from <i:ip>", "from UNKNOWN", NULL},
    {"from <i:ip>", "from ", NULL},
    {"<a:quoted> <b:quoted>", "\"x \\\"y\\\"\" \"\"", "x \\\"y\\\"|"},
    {"<a:quoted>", "\"x", NULL},
    {"<a:quoted>", "\"x\\", NULL},
    {"<a:quoted>", "x\"", NULL},
    {"[<:time-clf>] <x>", "[21/Nov/2026:07:50:37 +0700] y", "21/Nov/2026:07:50:37 +0700|y"},
    {"[<:time-clf>] <x>", "[21/Nov/2026:07:50] y", NULL},
    {"<:word> <x>", "a b", "a|b"},
    {"a <x>", "a ", ""},
    {"<k:kv>", "a=1 b", "a=1 b"},
};
/* clang-format on */

static void check_match(const struct match_row *row)
{
    struct hd_arena arena;
    struct rul_pattern pattern;
    struct rul_pattern_error err;
    struct hd_slice values[RUL_PATTERN_CAPTURES_MAX];
    hd_arena_init(&arena, 0);
    assert_int_equal(
        rul_pattern_compile(&arena, hd_slice_str(row->pattern), &pattern, &err), 0);
    bool matches_it =
        rul_pattern_match(&pattern, hd_slice_str(row->message), values, NULL);
    if (matches_it != (row->values != NULL)) {
        fail_msg("%s on %s: %d", row->pattern, row->message, matches_it);
    }
    char got[256] = "";
    size_t len = 0;
    for (uint8_t i = 0; matches_it && i < pattern.n_captures; i++) {
        len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%.*s", i > 0 ? "|" : "",
                                HD_SLICE_FMT(values[i]));
    }
    if (matches_it) {
        assert_string_equal(got, row->values);
    }
    hd_arena_fini(&arena);
}

static void test_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
        check_match(&matches[i]);
    }
}

/* Every truncation of every message, in memory of exactly that size. */
static void test_truncations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
        struct hd_arena arena;
        struct rul_pattern pattern;
        struct rul_pattern_error err;
        struct hd_slice values[RUL_PATTERN_CAPTURES_MAX];
        hd_arena_init(&arena, 0);
        assert_int_equal(
            rul_pattern_compile(&arena, hd_slice_str(matches[i].pattern), &pattern, &err),
            0);
        for (size_t cut = 0; cut <= strlen(matches[i].message); cut++) {
            uint8_t *exact = malloc(cut + (cut == 0));
            assert_non_null(exact);
            memcpy(exact, matches[i].message, cut);
            (void)rul_pattern_match(&pattern, hd_slice(exact, cut), values, NULL);
            free(exact);
        }
        hd_arena_fini(&arena);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
        const char *why;
    } rows[] = {
        {"", 0, "an empty pattern"},
        {"a <b", 2, "\"<\" without \">\" (write << for the byte)"},
        {"a <b:ipp>", 5, "unknown capture type ipp; did you mean \"ip\"?"},
        {"a <b c>", 4, "not a field name: b c"},
        {"<a><b>", 6, "nothing says where it ends: a"},
        {"<a:rest> x", 10, "takes everything, so it must come last: a"},
        {"<a:kv> x", 8, "takes everything, so it must come last: a"},
    };
    struct hd_arena arena;
    struct rul_pattern pattern;
    struct rul_pattern_error err;
    hd_arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(
            rul_pattern_compile(&arena, hd_slice_str(rows[i].text), &pattern, &err),
            HD_EPARSE);
        assert_string_equal(err.why, rows[i].why);
        assert_int_equal(err.at, rows[i].at);
    }
    char many[8 * (RUL_PATTERN_CAPTURES_MAX + 1) + 1] = "";
    for (unsigned i = 0; i <= RUL_PATTERN_CAPTURES_MAX; i++) {
        memcpy(many + i * 4UL, "<a>,", 5);
    }
    assert_int_equal(rul_pattern_compile(&arena, hd_slice_str(many), &pattern, &err),
                     HD_EPARSE);
    hd_arena_fini(&arena);
}

/* ---- filters ---- */

struct filter_row {
    enum rul_filter filter;
    const char *value;
    const char *want; /* NULL = does not apply */
};

static const struct filter_row filters[] = {
    {RUL_FILTER_COPY, "", ""},
    {RUL_FILTER_IP, "192.0.2.1", "192.0.2.1"},
    {RUL_FILTER_IP, "::1", "::1"},
    {RUL_FILTER_IP, "a.vn", NULL},
    {RUL_FILTER_IP, "", NULL},
    {RUL_FILTER_IP, "fe80::1%eth0", NULL},
    {RUL_FILTER_NOT_IP, "a.vn", "a.vn"},
    {RUL_FILTER_NOT_IP, "192.0.2.1", NULL},
    {RUL_FILTER_UINT, "17", "17"},
    {RUL_FILTER_UINT, "-17", NULL},
    {RUL_FILTER_UINT, "", NULL},
    {RUL_FILTER_METHOD, "GET /a HTTP/1.1", "GET"},
    {RUL_FILTER_METHOD, "GET", NULL},
    {RUL_FILTER_METHOD, "\\x16\\x03 x", NULL},
    {RUL_FILTER_METHOD, "", NULL},
    {RUL_FILTER_TARGET, "GET /a HTTP/1.1", "/a"},
    {RUL_FILTER_TARGET, "GET /a b c HTTP/1.1", "/a b c"},
    {RUL_FILTER_TARGET, "GET /a b", "/a b"},
    {RUL_FILTER_TARGET, "GET ", NULL},
    {RUL_FILTER_VERSION, "GET /a HTTP/1.1", "HTTP/1.1"},
    {RUL_FILTER_VERSION, "GET /a", NULL},
    {RUL_FILTER_STEM, "/a?b?c", "/a"},
    {RUL_FILTER_STEM, "/a", "/a"},
    {RUL_FILTER_QUERY, "/a?b?c", "b?c"},
    {RUL_FILTER_QUERY, "/a", NULL},
    {RUL_FILTER_PERCENT, "/a%20b", "/a b"},
    {RUL_FILTER_PERCENT, "/a+b?c+d", "/a+b?c d"},
    {RUL_FILTER_PERCENT, "%252e%252E", ".."},
    {RUL_FILTER_PERCENT, "%25252e", "%2e"},
    {RUL_FILTER_PERCENT, "%zz%2", "%zz%2"},
    {RUL_FILTER_PERCENT, "%", "%"},
    {RUL_FILTER_PERCENT, "", ""},
    {RUL_FILTER_LOWER, "TCP", "tcp"},
    {RUL_FILTER_LOWER, "tcp", "tcp"},
    {RUL_FILTER_HOST, "a.vn:80", "a.vn"},
    {RUL_FILTER_HOST, "[2001:db8::1]:80", "2001:db8::1"},
    {RUL_FILTER_HOST, "2001:db8::1", "2001:db8::1"},
    {RUL_FILTER_HOST, "a.vn", "a.vn"},
    {RUL_FILTER_HOST, "", NULL},
    {RUL_FILTER_PORT, "a.vn:80", "80"},
    {RUL_FILTER_PORT, "[2001:db8::1]:80", "80"},
    {RUL_FILTER_PORT, "2001:db8::1", NULL},
    {RUL_FILTER_PORT, "a.vn:x", NULL},
    {RUL_FILTER_BASE, "/usr/bin/x", "x"},
    {RUL_FILTER_BASE, "x", "x"},
    {RUL_FILTER_BASE, "x/", NULL},
};

static void test_filters(void **state)
{
    (void)state;
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        const struct filter_row *row = &filters[i];
        struct rul_decode_arena arena = {.bytes = bytes, .cap = sizeof(bytes)};
        struct hd_slice got = HD_SLICE_EMPTY;
        bool applies =
            rul_filter_apply(row->filter, hd_slice_str(row->value), &arena, &got);
        if (applies != (row->want != NULL) ||
            (applies && !hd_slice_eq(got, hd_slice_str(row->want)))) {
            fail_msg("filter %d of \"%s\": %d \"%.*s\"", row->filter, row->value, applies,
                     HD_SLICE_FMT(got));
        }
    }
}

/* Without room in the arena a value is left out, never cut. */
static void test_full_arena(void **state)
{
    (void)state;
    uint8_t bytes[4];
    struct rul_decode_arena arena = {.bytes = bytes, .cap = sizeof(bytes)};
    struct hd_slice got;
    assert_false(rul_filter_apply(RUL_FILTER_LOWER, HD_SLICE("ABCDE"), &arena, &got));
    assert_false(rul_filter_apply(RUL_FILTER_PERCENT, HD_SLICE("%41%41"), &arena, &got));
    assert_true(rul_filter_apply(RUL_FILTER_LOWER, HD_SLICE("ABCD"), &arena, &got));
    assert_false(rul_filter_apply(RUL_FILTER_LOWER, HD_SLICE("A"), &arena, &got));
}

static void test_shapes(void **state)
{
    (void)state;
    struct hd_slice clf = HD_SLICE("*[dd/aaa/dddd:");
    assert_true(rul_shape_matches(clf, HD_SLICE("1.2.3.4 - - [21/Nov/2026:07:50:37")));
    assert_false(rul_shape_matches(clf, HD_SLICE("sshd[1]: x [21/Nov/2026:")));
    assert_false(rul_shape_matches(clf, HD_SLICE("- [21/Nov/20")));
    assert_false(rul_shape_matches(clf, HD_SLICE("")));
    assert_true(rul_shape_matches(HD_SLICE("dddd/dd"), HD_SLICE("2026/11/21")));
    assert_false(rul_shape_matches(HD_SLICE("dddd/dd"), HD_SLICE("2026-11-21")));
    assert_true(rul_shape_matches(HD_SLICE(""), HD_SLICE("x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),    cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_filters),
        cmocka_unit_test(test_full_arena), cmocka_unit_test(test_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
