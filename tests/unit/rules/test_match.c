/* SPDX-License-Identifier: Apache-2.0
 *
 * What a detection means: the examples of the specification and the edges of each
 * modifier.
 */
#include "tests/unit/rules/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void load_detection(struct kit *kit, const char *detection)
{
    char yaml[8192];
    (void)snprintf(yaml, sizeof(yaml),
                   "title: hit\nlogsource: {product: p}\ndetection:\n%s", detection);
    kit_load(kit, yaml);
    if (kit->err != 0 || kit->errors != 0) {
        fail_msg("%s: %s", detection, kit->first.text);
    }
}

/* One selection `body`, tried with field F = value (NULL: absent). */
struct row {
    const char *body;
    const char *value;
    bool hit;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char detection[4096];
        struct kit kit;
        (void)snprintf(detection, sizeof(detection), "  s:\n    %s\n  condition: s\n",
                       rows[i].body);
        load_detection(&kit, detection);
        kit_event(&kit, "p", "", "");
        kit_set(&kit, "G", "other");
        if (rows[i].value != NULL) {
            kit_set(&kit, "F", rows[i].value);
        }
        if ((strcmp(kit_match(&kit), "hit") == 0) != rows[i].hit) {
            fail_msg("%s on '%s': expected %d", rows[i].body,
                     rows[i].value ? rows[i].value : "(absent)", rows[i].hit);
        }
        kit_free(&kit);
    }
}
#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void test_strings(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"F: abc", "abc", true},
        {"F: abc", "ABC", true},
        {"F: ABC", "abc", true},
        {"F: abc", "abcd", false},
        {"F: abc", NULL, false},
        {"F: ''", "", true},
        {"F: ''", "x", false},
        {"F: ''", NULL, false},
        {"F: null", NULL, true},
        {"F: null", "", false},
        {"F: 'null'", "null", true},
        {"F: [null, x]", NULL, true},
        {"F: [null, x]", "x", true},
        {"F: 4624", "4624", true},
        {"F: true", "True", true},
        {"F|contains: b", "abc", true},
        {"F|contains: ''", "", true},
        {"F|contains: ''", NULL, false},
        {"F|startswith: ab", "abc", true},
        {"F|startswith: b", "abc", false},
        {"F|endswith: BC", "abc", true},
        {"F|endswith: b", "abc", false},
        {"F|contains: [x, bc]", "abc", true},
        {"F|contains|all: [a, c]", "abc", true},
        {"F|contains|all: [a, d]", "abc", false},
        {"F|startswith: abc", "ab", false},
        {"F|endswith: abc", "bc", false},
    };
    CHECK(rows);
}

static void test_wildcards(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"F: 'a*c'", "abbbc", true},
        {"F: 'a*c'", "ac", true},
        {"F: 'a*c'", "acb", false},
        {"F: 'a?c'", "abc", true},
        {"F: 'a?c'", "ac", false},
        {"F: 'a?c'",
         "a\xe1\xba\xa1"
         "c",
         true},
        {"F: 'a?c'",
         "a\xff"
         "c",
         true},
        {"F: '*'", "", true},
        {"F: '*'", NULL, false},
        {"F: '?*'", "", false},
        {"F: '?*'", "x", true},
        {"F: '*b*'", "abc", true},
        {"F: 'a**c'", "abc", true},
        {"F: '*a?b*c'", "zzaab_axb__c", true},
        {"F: '*a?b*c'", "zzaab_axb__cd", false},
        {"F: 'a\\*c'", "a*c", true},
        {"F: 'a\\*c'", "abc", false},
        {"F: 'a\\?c'", "a?c", true},
        {"F: 'a\\\\*'", "a\\x", true},
        {"F: 'a\\\\*'", "ax", false},
        {"F: 'a\\\\\\*'", "a\\*", true},
        {"F: 'a\\\\\\*'", "a\\x", false},
        {"F: 'a\\b'", "a\\b", true},
        {"F: 'a\\\\b'", "a\\b", true},
        {"F: 'a\\\\\\\\b'", "a\\\\b", true},
        {"F: 'C:\\'", "c:\\", true},
        {"F|contains: 'a*b'", "xaYYbx", true},
        {"F|startswith: '*b'", "aab", true},
    };
    CHECK(rows);
}

static void test_unicode(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"F: 'Nguy\xe1\xbb\x85n'", "NGUY\xe1\xbb\x84N", true},
        {"F|contains: '\xc4\x90\xc4\x83ng'",
         "tr\xc3\xaan \xc4\x91\xc4\x83ng xu\xe1\xbb\x91ng", true},
        /* composed in the rule, decomposed in the event, and the other way round */
        {"F: 'caf\xc3\xa9'", "cafe\xcc\x81", true},
        {"F: 'cafe\xcc\x81'", "caf\xc3\xa9", true},
        {"F|endswith: '\xc3\xa9'", "cafe\xcc\x81", true},
        {"F|contains: '\xc3\xa9'", "CAFE\xcc\x81S", true},
        {"F|re: 'caf\xc3\xa9'", "caf\xc3\xa9", true},
    };
    CHECK(rows);
}

static void test_modifiers(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"F|cased: Abc", "Abc", true},
        {"F|cased: Abc", "abc", false},
        {"F|contains|cased: Bc", "aBcd", true},
        {"F|contains|cased: Bc", "abcd", false},
        {"F|exists: true", "", true},
        {"F|exists: true", NULL, false},
        {"F|exists: false", NULL, true},
        {"F|exists: no", "x", false},
        {"F|lt: 10", "9.5", true},
        {"F|lt: 10", "10", false},
        {"F|lte: 10", "10", true},
        {"F|gt: 10", "10", false},
        {"F|gt: 10", "11", true},
        {"F|gte: 10", "10", true},
        {"F|gte: 10", "ten", false},
        {"F|gte: 10", NULL, false},
        {"F|neq: a", "b", true},
        {"F|neq: a", "A", false},
        {"F|neq: [a, b]", "b", false},
        {"F|neq: a", NULL, true},
        {"F|cidr: 10.0.0.0/8", "10.1.2.3", true},
        {"F|cidr: 10.0.0.0/8", "11.1.2.3", false},
        {"F|cidr: 10.0.0.0/8", "10.1.2.3x", false},
        {"F|cidr: 2001:db8::/32", "2001:DB8::1", true},
        {"F|cidr: [192.168.0.0/16, 10.0.0.0/8]", "10.0.0.1", true},
        {"F|cidr: [10.0.0.0/8, 10.1.0.0/16, 10.1.2.0/24]", "10.9.0.1", true},
        {"F|cidr|neq: [10.1.0.0/16, 10.1.2.0/24]", "10.1.2.1", false},
        {"F|cidr: 0.0.0.0/0", "1.2.3.4", true},
        {"F|fieldref: G", "OTHER", true},
        {"F|fieldref: G", "another", false},
        {"F|fieldref|endswith: G", "another", true},
        {"F|fieldref|startswith: G", "others", true},
        {"F|fieldref|contains: G", "xotherx", true},
        {"F|fieldref: H", "other", false},
        {"F|fieldref: G", NULL, false},
    };
    CHECK(rows);
}

static void test_expressions(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"F|re: 'b.d'", "abcde", true},
        {"F|re: 'B.d'", "abcde", false},
        {"F|re: '(?i)B.D'", "abcde", true},
        {"F|re|i: 'B.D'", "abcde", true},
        {"F|re: '^b'", "a\nb", false},
        {"F|re|m: '^b'", "a\nb", true},
        {"F|re: 'a.b'", "a\nb", false},
        {"F|re|s: 'a.b'", "a\nb", true},
        {"F|re|i|s: 'A.b'", "a\nb", true},
        {"F|re: '^abc$'", "abc", true},
        {"F|re: '.*'", "", true},
        {"F|re: '.*'", NULL, false},
        {"F|re: ['x', 'c$']", "abc", true},
        {"F|re|all: ['^a', 'c$']", "abc", true},
        {"F|re|all: ['^a', 'd$']", "abc", false},
        /* what Hyperscan only prefilters */
        {"F|re: '(?<!x)abc'", "yabc", true},
        {"F|re: '(?<!x)abc'", "xabc", false},
        {"F|re: '(ab|cd)\\1'", "zabab", true},
        {"F|re: '(ab|cd)\\1'", "zabcd", false},
    };
    CHECK(rows);
}

static void test_encodings(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"F|windash|contains: ' -x'", "cmd /x", true},
        {"F|windash|contains: ' /x'", "cmd -x", true},
        {"F|contains|windash: ' -x'", "cmd \xe2\x80\x93x", true},
        {"F|contains|windash: ' -x -y'", "cmd /x \xe2\x80\x95y", true},
        {"F|windash|contains: 'a-b'", "a/b", false},
        {"F|base64: foo", "Zm9v", true},
        {"F|base64|contains: foobar", "xZm9vYmFyx", true},
        {"F|base64offset|contains: http://", "aHR0cDovL", true},
        {"F|base64offset|contains: http://", "ZZodHRwOi8vZZ", true},
        {"F|base64offset|contains: http://", "ZZZodHRwOi8vZ", true},
        {"F|base64offset|contains: http://", "xxx", false},
        {"F|wide|base64offset|contains: ab", "YQBiA", true},
        {"F|utf16|base64|startswith: a", "//5hAA==", true},
        {"F|utf16be|base64: a", "AGE=", true},
        {"F|utf16le|base64: '\xf0\x9f\x98\x80'", "PdgA3g==", true},
    };
    CHECK(rows);
}

static void test_shapes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"F: a\n    G: OTHER", "a", true},
        {"F: a\n    G: x", "a", false},
        {"- F: x\n    - G: other", "a", true},
        {"- F: x\n    - G: y", "a", false},
        {"- F: a\n      G: y\n    - F: a\n      G: other", "a", true},
        {"- word\n    - key", "the KEYhole", true},
        {"- word\n    - key", "nothing", false},
        {"'|all': [the, hole]", "the KEYhole", true},
        {"'|all': [the, door]", "the KEYhole", false},
        {"- 'k?y*le'", "the KEYhole", true},
        {"'|re': '^the.*e$'", "the keyhole", true},
        {"'|re': '^the.*E$'", "the keyhole", false},
        {"keyhole", "the KEYhole", true},
        /* a keyword is sought in every value, not across two */
        {"- 'holeother'", "the keyhole", false},
    };
    CHECK(rows);
}

static void check_condition(const char *condition, const char *present, bool hit)
{
    struct kit kit;
    char detection[2048];
    (void)snprintf(detection, sizeof(detection),
                   "  sel_a: {A: '1'}\n  sel_b: {B: '1'}\n  sel_c: {C: '1'}\n"
                   "  other: {D: '1'}\n  _hidden: {E: '1'}\n  condition: %s\n",
                   condition);
    load_detection(&kit, detection);
    kit_event(&kit, "p", "", "");
    for (const char *f = present; *f != 0; f++) {
        kit_set(&kit, (const char[]){*f, 0}, "1");
    }
    if ((strcmp(kit_match(&kit), "hit") == 0) != hit) {
        fail_msg("'%s' with %s: expected %d", condition, present, hit);
    }
    kit_free(&kit);
}

static void test_conditions(void **state)
{
    (void)state;
    check_condition("sel_a and sel_b", "AB", true);
    check_condition("sel_a and sel_b", "A", false);
    check_condition("sel_a or sel_b", "B", true);
    check_condition("not sel_a", "", true);
    check_condition("not sel_a", "A", false);
    check_condition("1 of sel_*", "C", true);
    check_condition("1 of sel_*", "D", false);
    check_condition("all of sel_*", "ABC", true);
    check_condition("all of sel_*", "AB", false);
    check_condition("2 of sel_*", "AC", true);
    check_condition("2 of sel_*", "A", false);
    check_condition("not 2 of sel_*", "A", true);
    check_condition("not 2 of sel_*", "AB", false);
    check_condition("not all of sel_*", "AB", true);
    check_condition("1 of them", "D", true);
    check_condition("1 of them", "E", false);
    check_condition("all of them", "ABCD", true);
    check_condition("1 of _hid*", "E", true);
    check_condition("sel_a and not 1 of sel_b*", "A", true);
    check_condition("sel_a and not 1 of sel_b*", "AB", false);
    check_condition("not (sel_a or sel_b)", "C", true);
    check_condition("not (sel_a and sel_b)", "A", true);
    check_condition("not (not sel_a)", "A", true);
    check_condition("not (not sel_a)", "", false);
    check_condition("[sel_a and sel_b, sel_c]", "C", true);
    check_condition("[sel_a and sel_b, sel_c]", "A", false);
}

static void test_logsource(void **state)
{
    (void)state;
    struct kit kit;
    kit_load(&kit, "title: all\nlogsource: {product: Linux}\ndetection: {s: {F: x}, "
                   "condition: s}\n---\n"
                   "title: ssh\nlogsource: {product: linux, service: sshd}\ndetection: "
                   "{s: {F: x}, condition: s}\n---\n"
                   "title: win\nlogsource: {product: windows}\ndetection: {s: {F: x}, "
                   "condition: s}\n");
    assert_int_equal(kit.errors, 0);
    kit_event(&kit, "linux", "", "sshd");
    kit_set(&kit, "F", "x");
    assert_string_equal(kit_match(&kit), "all ssh");
    kit_event(&kit, "linux", "", "");
    kit_set(&kit, "F", "x");
    assert_string_equal(kit_match(&kit), "all");
    kit_event(&kit, "windows", "", "");
    kit_set(&kit, "F", "X");
    assert_string_equal(kit_match(&kit), "win");
    kit.ev->class_id = 0;
    assert_string_equal(kit_match(&kit), "");
    kit.ev->class_id = 999;
    assert_string_equal(kit_match(&kit), "");
    kit_free(&kit);
}

/* Keywords in the raw line, and in values that are not views of it. */
static void test_keywords_raw(void **state)
{
    (void)state;
    struct kit kit;
    load_detection(&kit, "  s: ['bad thing']\n  condition: s\n");
    kit_event(&kit, "p", "", "");
    kit.ev->raw = HD_SLICE("prefix Bad Thing suffix");
    assert_string_equal(kit_match(&kit), "hit");
    kit.ev->raw = HD_SLICE("prefix bad\\u0020thing");
    assert_string_equal(kit_match(&kit), "");
    rul_event_set(kit.ev, RUL_F_MESSAGE, HD_SLICE("bad thing"));
    assert_string_equal(kit_match(&kit), "hit");
    /* what a decoder adds on its own is no part of the line */
    kit.ev->made = HD_SLICE("something else");
    assert_string_equal(kit_match(&kit), "");
    struct hd_slice made = HD_SLICE("a bad thing");
    rul_event_set(kit.ev, RUL_F_MESSAGE, hd_slice_from(made, 2));
    kit.ev->made = made;
    assert_string_equal(kit_match(&kit), "hit");
    kit.ev->made = hd_slice_head(made, 0);
    assert_string_equal(kit_match(&kit), "");
    /* JSON: members that no rule names, too */
    kit.ev->tree = HD_SLICE("{\"x\":\"a \\u0042ad\\u0020Thing\"}");
    assert_string_equal(kit_match(&kit), "hit");
    kit.ev->tree = HD_SLICE("{\"x\":\"a bad\\tthing\"}");
    assert_string_equal(kit_match(&kit), "");
    kit.ev->tree = HD_SLICE("<x>a bad&#32;thing</x>");
    assert_string_equal(kit_match(&kit), "hit");
    kit_free(&kit);
}

static void test_explain(void **state)
{
    (void)state;
    struct kit kit;
    load_detection(&kit, "  a: {A: x, B|contains: y}\n  b: {C: z}\n  n: {D: q}\n"
                         "  condition: (a or b) and not n\n");
    kit_event(&kit, "p", "", "");
    kit_set(&kit, "A", "x");
    kit_set(&kit, "B", "xyx");
    kit_set(&kit, "D", "no");
    uint16_t ids[8];
    const struct rul_rule *rule = rul_set_rule(kit.set, 0);
    assert_int_equal(rul_explain_fields(kit.set, rule, kit.ev, ids, 8), 2);
    const struct rul_fields *fields = rul_set_fields(kit.set);
    assert_true(hd_slice_eq(rul_fields_name(fields, ids[0]), HD_SLICE("A")));
    assert_true(hd_slice_eq(rul_fields_name(fields, ids[1]), HD_SLICE("B")));
    assert_int_equal(rul_explain_fields(kit.set, rule, kit.ev, ids, 1), 1);
    kit_set(&kit, "D", "q");
    assert_int_equal(rul_explain_fields(kit.set, rule, kit.ev, ids, 8), 0);
    kit_free(&kit);
}

/* Values far larger than the scratch starts with, and many events through one scratch. */
static void test_large_values(void **state)
{
    (void)state;
    struct kit kit;
    load_detection(&kit, "  s: {F|endswith: needle}\n  condition: s\n");
    size_t len = 3U << 20;
    char *big = malloc(len + 8);
    assert_non_null(big);
    memset(big, 'A', len);
    memcpy(big + len, "NEEDLE", 7);
    for (int i = 0; i < 200; i++) {
        kit_event(&kit, "p", "", "");
        kit_set(&kit, "F", i % 10 == 0 ? big : "x needle");
        assert_string_equal(kit_match(&kit), "hit");
        kit_set(&kit, "F", "needles");
        assert_string_equal(kit_match(&kit), "");
    }
    free(big);
    kit_free(&kit);
}

/* Longer than what the databases are given, and of a kind that makes some versions of
 * Hyperscan give a scan up. */
static void test_long_literals(void **state)
{
    (void)state;
    enum { LEN = 96 };
    static const char *const modifiers[] = {"contains", "startswith", "endswith"};
    for (size_t m = 0; m < 3; m++) {
        char yaml[4 * LEN * 2], value[LEN + 2], other[LEN + 2];
        memset(value, 'a', LEN);
        value[LEN] = 0;
        size_t n =
            (size_t)snprintf(yaml, sizeof(yaml), "  s:\n    F|%s:\n", modifiers[m]);
        for (size_t at = 10; at <= 50; at += 20) {
            memcpy(other, value, LEN + 1);
            other[at] = 'b';
            n += (size_t)snprintf(yaml + n, sizeof(yaml) - n, "      - %s\n", other);
        }
        (void)snprintf(yaml + n, sizeof(yaml) - n, "  condition: s\n");
        struct kit kit;
        load_detection(&kit, yaml);
        kit_event(&kit, "p", "", "");
        for (size_t at = 0; at < LEN; at += 10) {
            memcpy(other, value, LEN + 1);
            other[at] = 'B';
            kit_set(&kit, "F", other);
            bool hit = at == 10 || at == 30 || at == 50;
            assert_string_equal(kit_match(&kit), hit ? "hit" : "");
        }
        kit_free(&kit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),       cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_unicode),       cmocka_unit_test(test_modifiers),
        cmocka_unit_test(test_expressions),   cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_shapes),        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_logsource),     cmocka_unit_test(test_keywords_raw),
        cmocka_unit_test(test_explain),       cmocka_unit_test(test_large_values),
        cmocka_unit_test(test_long_literals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
