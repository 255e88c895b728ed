/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "rules/parse/condition.h"

static struct rul_cond cond;

/* Writes the tree with all parentheses. */
static void print(uint16_t index, char *out, size_t cap)
{
    const struct rul_cond_node *n = &cond.nodes[index];
    char left[512] = "", right[512] = "";
    switch (n->kind) {
    case RUL_COND_NAME:
        (void)snprintf(out, cap, "%.*s", HD_SLICE_FMT(n->text));
        break;
    case RUL_COND_SELECT:
        (void)snprintf(out, cap, "%d of %.*s",
                       n->quantity == RUL_COND_ALL ? -1 : (int)n->quantity,
                       HD_SLICE_FMT(n->text));
        break;
    case RUL_COND_NOT:
        print(n->left, left, sizeof(left));
        (void)snprintf(out, cap, "!%s", left);
        break;
    default:
        print(n->left, left, sizeof(left));
        print(n->right, right, sizeof(right));
        (void)snprintf(out, cap, "(%s %c %s)", left, n->kind == RUL_COND_AND ? '&' : '|',
                       right);
        break;
    }
}

static void check_tree(const char *text, const char *expected)
{
    char got[4096];
    assert_int_equal(rul_cond_parse(hd_slice_str(text), &cond), 0);
    print(cond.root, got, sizeof(got));
    assert_string_equal(got, expected);
}

static void test_trees(void **state)
{
    (void)state;
    check_tree("selection", "selection");
    check_tree("a and b or c", "((a & b) | c)");
    check_tree("a or b and c", "(a | (b & c))");
    check_tree("not a and b", "(!a & b)");
    check_tree("not (a or b)", "!(a | b)");
    check_tree("not not a", "!!a");
    check_tree("1 of sel_* and not 1 of filter_main_*",
               "(1 of sel_* & !1 of filter_main_*)");
    check_tree("all of them", "-1 of them");
    check_tree("any of them", "1 of them");
    check_tree("2 of sel*", "2 of sel*");
    check_tree("ALL OF them AND NOT x", "(-1 of them & !x)");
    check_tree("  ( ( a ) )\n and\tb", "(a & b)");
    check_tree("all and any", "(all & any)");
    check_tree("nota or android", "(nota | android)");
}

static void check_error(const char *text, size_t offset, const char *part)
{
    assert_int_equal(rul_cond_parse(hd_slice_str(text), &cond), HD_EPARSE);
    assert_int_equal(cond.error_offset, offset);
    if (strstr(cond.error, part) == NULL) {
        fail_msg("'%s': '%s' does not say '%s'", text, cond.error, part);
    }
}

static void test_errors(void **state)
{
    (void)state;
    check_error("", 0, "ends");
    check_error("a and", 5, "ends");
    check_error("a and and b", 6, "name was expected");
    check_error("(a or b", 7, "')'");
    check_error("a)", 1, "without '('");
    check_error("a b", 2, "'and' or 'or'");
    check_error("1 of", 4, "them");
    check_error("1 x", 2, "'of'");
    check_error("0 of them", 0, "1 to 1000");
    check_error("99999999999 of them", 0, "1 to 1000");
    check_error("sel*", 0, "pattern");
    check_error("a | count() > 5", 2, "correlation");
    check_error("| count()", 0, "correlation");
    check_error("a && b", 2, "unexpected");
}

static void test_limits(void **state)
{
    (void)state;
    char deep[4096];
    memset(deep, '(', 2000);
    memset(deep + 2000, ')', 2000);
    deep[2000] = 'a';
    assert_int_equal(rul_cond_parse(hd_slice(deep, 4000), &cond), HD_EPARSE);
    char wide[8192] = "a";
    for (size_t i = 0; i < 1000; i++) {
        memcpy(wide + 1 + i * 6, " or aa", 6);
    }
    assert_int_equal(rul_cond_parse(hd_slice(wide, 6001), &cond), HD_EPARSE);
    assert_string_equal(cond.error, "condition is too long");
}

static void test_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool matches;
    } rows[] = {{"a*", "abc", true},     {"a*", "a", true},     {"*c", "abc", true},
                {"a*c", "abc", true},    {"a*c", "abd", false}, {"abc", "abc", true},
                {"abc", "abcd", false},  {"*", "", true},       {"a*b*c", "axbxc", true},
                {"a*b*c", "axc", false}, {"A*", "abc", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(
            rul_cond_matches(hd_slice_str(rows[i].pattern), hd_slice_str(rows[i].name)),
            rows[i].matches);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
