/* SPDX-License-Identifier: Apache-2.0
 *
 * What is meant to hurt: every such file is refused with a reason and a position (or
 * bounded), and the good rule beside it works.
 */
#include "tests/unit/rules/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/buf.h>

#include "rules/match/regex_cost.h"

#define SOURCE "logsource: {product: p}\n"

static const char *dir;

static int set_up(void **state)
{
    (void)state;
    dir = hd_test_tmpdir();
    return 0;
}

static void write_file(const char *name, struct hd_slice text)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

/* Loads the bad file between two good ones. */
static void load_beside(struct kit *kit, struct hd_slice bad)
{
    write_file("a.yml",
               HD_SLICE("title: good\n" SOURCE "detection: {s: {F: x}, condition: s}\n"));
    write_file("b.yml", bad);
    write_file("c.yml",
               HD_SLICE("title: fine\n" SOURCE "detection: {s: {F: x}, condition: s}\n"));
    kit_load_path(kit, dir, false);
    assert_int_equal(kit->err, 0);
}

static void check_refused(struct hd_slice bad, const char *message)
{
    struct kit kit;
    load_beside(&kit, bad);
    assert_true(kit.errors > 0);
    if (strstr(kit.first.text, "b.yml") == NULL ||
        strstr(kit.first.text, message) == NULL) {
        fail_msg("'%s', not '%s'", kit.first.text, message);
    }
    kit_event(&kit, "p", "", "");
    kit_set(&kit, "F", "x");
    assert_string_equal(kit_match(&kit), "good fine");
    kit_free(&kit);
}

static void test_bytes(void **state)
{
    (void)state;
    check_refused(HD_SLICE("title: caf\xe9\n" SOURCE), "b.yml:1:12: error: not UTF-8");
    check_refused(HD_SLICE("title: a\0b\n" SOURCE), "b.yml:1:9: error");
    check_refused(HD_SLICE("\xff\xfet\0i\0t\0l\0e\0"), "error: not UTF-8");
    check_refused(HD_SLICE("\x7f"
                           "ELF\x02\x01\x01\0\0\0"),
                  "b.yml:1:1: error");
    check_refused(HD_SLICE("title: [a\n"), "b.yml:2:1: error");
    check_refused(HD_SLICE("title: t\ntitle: u\n" SOURCE), "b.yml:2:1: error");
}

static struct hd_buf text;

static void repeat(const char *piece, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        hd_buf_str(&text, piece);
    }
    assert_int_equal(text.err, 0);
}

static void check_text(const char *message)
{
    check_refused(hd_buf_slice(&text), message);
    hd_buf_fini(&text);
}

static void begin(const char *head)
{
    hd_buf_init(&text, 0);
    hd_buf_str(&text, head);
}

static void test_depth(void **state)
{
    (void)state;
    begin("title: t\n" SOURCE "detection: {condition: s, s: ");
    repeat("[", 1000);
    repeat("]", 1000);
    hd_buf_str(&text, "}\n");
    check_text("b.yml:3:61: error: nested deeper than 32");
    begin("title: t\n" SOURCE "detection: {s: {F: x}, condition: '");
    repeat("(", 2000);
    hd_buf_str(&text, "s");
    repeat(")", 2000);
    hd_buf_str(&text, "'}\n");
    check_text("condition is nested too deeply");
    begin("title: t\n" SOURCE "detection: {s: {F: x}, condition: '");
    repeat("not ", 2000);
    hd_buf_str(&text, "s'}\n");
    check_text("condition is nested too deeply");
    begin("title: t\n" SOURCE "detection: {s: {F: x}, condition: 's");
    repeat(" or s", 2000);
    hd_buf_str(&text, "'}\n");
    check_text("condition is too long");
    begin("title: t\n" SOURCE "detection: {condition: s, s: {F|re: '");
    repeat("(", 300);
    repeat(")", 300);
    hd_buf_str(&text, "'}}\n");
    check_text("b.yml:3:37: error: regular expression, at its byte");
}

static void test_size(void **state)
{
    (void)state;
    /* a billion laughs, as values of a rule */
    begin("title: t\n" SOURCE "x0: &x0 [lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for (unsigned i = 1; i < 10; i++) {
        hd_buf_printf(&text, "x%u: &x%u [*x%u, *x%u, *x%u, *x%u, *x%u, *x%u, *x%u]\n", i,
                      i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    }
    hd_buf_str(&text, "detection: {s: *x9, condition: s}\n");
    check_text("error");
    begin("title: t\n" SOURCE "detection:\n  condition: s\n  s:\n    F:\n");
    repeat("      - x\n", 20001);
    check_text("more than 20000 comparisons");
    begin("title: t\n" SOURCE "detection:\n  condition: s\n  s:\n    F:\n");
    repeat("      - x\n", 210000);
    check_text("error");
    begin("title: t\n" SOURCE "description: ");
    repeat("0123456789abcdef", 300000);
    check_text("cannot be read");
    begin("title: t\n" SOURCE "detection:\n  condition: 1 of s*\n");
    for (unsigned i = 0; i < 300; i++) {
        hd_buf_printf(&text, "  s%u: {F: x}\n", i);
    }
    check_text("more than 256 searches");
    begin("title: t\n" SOURCE "detection: {condition: s, s: {F|re: '");
    repeat("a", 4097);
    hd_buf_str(&text, "'}}\n");
    check_text("regular expression is longer than 4096 bytes");
    begin("title: t\n" SOURCE "detection: {condition: s, s: {F|windash: ' -a");
    repeat(" -b", 12);
    hd_buf_str(&text, "'}}\n");
    check_text("more than 1024 forms");
}

/* As many comparisons as may be: loaded, and found. */
static void test_largest(void **state)
{
    (void)state;
    struct kit kit;
    begin("title: large\n" SOURCE "detection:\n  condition: s\n  s:\n    G|contains:\n");
    for (unsigned i = 0; i < 20000; i++) {
        hd_buf_printf(&text, "      - needle%u.\n", i);
    }
    load_beside(&kit, hd_buf_slice(&text));
    hd_buf_fini(&text);
    assert_int_equal(kit.errors, 0);
    kit_event(&kit, "p", "", "");
    kit_set(&kit, "G", "a Needle19999. in hay");
    assert_string_equal(kit_match(&kit), "large");
    kit_free(&kit);
}

/* ---- expressions ---- */

static void test_costly(void **state)
{
    (void)state;
    static const char *const costly[] = {
        "(.{0,25}a.{0,25}b){2}",
        "(.{0,1000}a.{0,1000}b){3}",
        "[a-z]{1,400}.{1,400}[0-9]{1,400}x",
        "(a{1,1000}){1,1000}",
        "((a?){50}){50}",
        "(.*a){30}",
        "[]{]{1,400}x",
        "(?:[^]]{2,20}\\)){5,}",
        "(ab|cd){10000}",
        "((((ab|cd){10}){10}){10}){3}",
        "((a|b){250}){250}",
        "x{2001}",
        "((ab|cd|.e){30}){30,}",
    };
    static const char *const cheap[] = {
        "",
        "(x+x+)+y",
        "(\\d{1,3}\\.){3}\\d{1,3}",
        "([0-9a-f]{1,4}:){7}",
        ".{1,64}-Path.{1,64}\\\\(a|b).{1,64}",
        "\\\\[^\\\\]{1,256}$",
        ".{1000,}",
        "(.){200,}",
        "x{2000}",
        "(ab|cd){500}",
        "((ab|cd|.e){11}){30}",
        "a{,5}{x}{1,2,3}",
        "\\(.{1,20}\\){9}",
        "[({1,400]{1,9}",
        "(a{1,9}?b){2}",
        "(((((((((((a)))))))))))",
    };
    for (size_t i = 0; i < sizeof(costly) / sizeof(costly[0]); i++) {
        if (!rul_regex_cost(hd_slice_str(costly[i])).is_costly) {
            fail_msg("'%s' is costly", costly[i]);
        }
    }
    for (size_t i = 0; i < sizeof(cheap) / sizeof(cheap[0]); i++) {
        if (rul_regex_cost(hd_slice_str(cheap[i])).is_costly) {
            fail_msg("'%s' is not costly", cheap[i]);
        }
    }
}

/* Each is within bounds, all are not: refused where they become too many. */
static void test_many_expressions(void **state)
{
    (void)state;
    /* width 105, slack 98: 98 of them are 19,894 units, one more is too much */
    begin("title: t\n" SOURCE "detection:\n  condition: s\n  s:\n    F|re:\n");
    for (unsigned i = 0; i < 200; i++) {
        hd_buf_printf(&text, "      - a%03ub.{1,99}c\n", i);
    }
    check_text(
        "b.yml:105:9: error: with this one the rule's regular expressions take too "
        "long to compile: 20097 units, 20000 are allowed");
    begin("title: t\n" SOURCE "detection:\n  condition: s\n  s:\n    F|re:\n");
    for (unsigned i = 0; i < 21; i++) {
        hd_buf_printf(&text, "      - (a|%02u){900}\n", i);
    }
    check_text("b.yml:27:9: error: with this one");
}

/* Every rule is within bounds, the set is not: the rules that still fit are loaded. */
static void test_many_rules_with_expressions(void **state)
{
    (void)state;
    struct kit kit;
    begin("");
    for (unsigned rule = 0; rule < 300; rule++) {
        hd_buf_printf(&text,
                      "%stitle: t%u\n" SOURCE
                      "detection: {s: {F|re: 'x{2000}'}, condition: s}\n",
                      rule > 0 ? "---\n" : "", rule);
    }
    load_beside(&kit, hd_buf_slice(&text));
    assert_int_equal(kit.errors, 300 - 250);
    assert_non_null(
        strstr(kit.first.text, "b.yml:1001:1: error: the regular expressions"));
    kit_event(&kit, "p", "", "");
    kit_set(&kit, "F", "x");
    assert_string_equal(kit_match(&kit), "good fine");
    kit_free(&kit);
}

#define BOMBS                                                                            \
    "title: bomb\n" SOURCE "detection:\n  s: {G|re: '(.{0,900}a.{0,900}b){3}$'}\n"       \
    "  condition: s\n---\n"                                                              \
    "title: look\n" SOURCE "detection:\n  s: {H|re: '(?=(a+)+$)(a+)+b'}\n"               \
    "  condition: s\n"

/* Loads at once (with a warning), says the truth, gives up what takes too long. */
static void test_bombs(void **state)
{
    (void)state;
    struct kit kit;
    char as[201];
    struct rul_match_stats stats;
    memset(as, 'a', sizeof(as));
    as[sizeof(as) - 1] = 0;
    load_beside(&kit, HD_SLICE(BOMBS));
    assert_int_equal(kit.errors, 0);
    assert_int_equal(kit.warnings, 1);
    kit_event(&kit, "p", "", "");
    kit_set(&kit, "G", "1a2b3a4b5a6b");
    assert_string_equal(kit_match(&kit), "bomb");
    kit_event(&kit, "p", "", "");
    kit_set(&kit, "G", "1a2b3a4b5a6c");
    assert_string_equal(kit_match(&kit), "");
    rul_scratch_stats(kit.scratch, &stats);
    assert_int_equal(stats.regex_limit, 0);
    kit_event(&kit, "p", "", "");
    as[150] = '!';
    kit_set(&kit, "H", as);
    kit_set(&kit, "F", "x");
    assert_string_equal(kit_match(&kit), "good fine");
    rul_scratch_stats(kit.scratch, &stats);
    assert_true(stats.regex_limit <= 1);
    kit_free(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_bytes, set_up),
        cmocka_unit_test_setup(test_depth, set_up),
        cmocka_unit_test_setup(test_size, set_up),
        cmocka_unit_test_setup(test_largest, set_up),
        cmocka_unit_test(test_costly),
        cmocka_unit_test_setup(test_many_expressions, set_up),
        cmocka_unit_test_setup(test_many_rules_with_expressions, set_up),
        cmocka_unit_test_setup(test_bombs, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
