/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of the compiler: what becomes shared, what gives access to a rule, what
 * Hyperscan cannot do, and that a library which loses matches is found out.
 */
#include "tests/unit/rules/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/compile/build.h"
#include "rules/snapshot.h"

#define RULE(name, detection)                                                            \
    "title: " name "\nlogsource: {product: p}\ndetection: {" detection "}\n---\n"

static void load(struct kit *kit, const char *yaml)
{
    kit_load(kit, yaml);
    if (kit->errors != 0) {
        fail_msg("%s", kit->first.text);
    }
}

static void test_interning(void **state)
{
    (void)state;
    struct kit kit;
    load(&kit, RULE("a", "s: {F|contains: [x, y], G: z}, condition: s") RULE(
                   "b", "s: {F|contains: [Y, w]}, t: {F: '*x*'}, condition: s or t"));
    const struct rul_program *p = &kit.set->program;
    assert_int_equal(p->n_preds, 4); /* contains x, y, w; G = z */
    kit_free(&kit);
}

/* "field:literal" of the rule's access set, sorted as chosen; "always" for none. */
static void check_access(const char *detection, const char *expected)
{
    struct kit kit;
    struct rul_access access[16];
    uint32_t n = 0;
    char yaml[1024], got[512] = "";
    (void)snprintf(yaml, sizeof(yaml),
                   "title: t\nlogsource: {product: p}\ndetection: {%s}\n", detection);
    load(&kit, yaml);
    const struct rul_program *p = &kit.set->program;
    assert_int_equal(rul_access_choose(p, p->roots[0], access, 16, &n), 0);
    for (uint32_t i = 0; i < n; i++) {
        struct hd_slice text = HD_SLICE("*");
        if (access[i].pred != UINT32_MAX) {
            const struct rul_pred *pred = &p->preds[access[i].pred];
            text = pred->op == RUL_OP_EQ     ? pred->text
                   : pred->op == RUL_OP_RE   ? HD_SLICE("re")
                   : pred->op == RUL_OP_CIDR ? HD_SLICE("net")
                                             : rul_access_literal(p, pred);
        }
        struct hd_slice field = access[i].field == RUL_KEYWORD
                                    ? HD_SLICE("keyword")
                                    : rul_fields_name(kit.set->fields, access[i].field);
        size_t len = strlen(got);
        (void)snprintf(got + len, sizeof(got) - len, "%s%.*s:%.*s", len ? " " : "",
                       HD_SLICE_FMT(field), HD_SLICE_FMT(text));
    }
    if (strcmp(n == 0 ? "always" : got, expected) != 0) {
        fail_msg("%s: access by '%s', not '%s'", detection, got, expected);
    }
    kit_free(&kit);
}

/* A long list gives access before a value that says little. */
static void test_access_of_lists(void **state)
{
    (void)state;
    for (int n = 64; n <= 65; n++) {
        struct kit kit;
        struct rul_access access[80];
        uint32_t n_access = 0;
        char yaml[2048] = "title: t\nlogsource: {product: p}\ndetection:\n"
                          "  s: {E: 12, H|contains: [";
        for (int i = 0; i < n; i++) {
            size_t len = strlen(yaml);
            (void)snprintf(yaml + len, sizeof(yaml) - len, "%sx%02d%02d",
                           i > 0 ? "," : "", i, i);
        }
        size_t end = strlen(yaml);
        (void)snprintf(yaml + end, sizeof(yaml) - end, "]}\n  condition: s\n");
        load(&kit, yaml);
        const struct rul_program *p = &kit.set->program;
        assert_int_equal(rul_access_choose(p, p->roots[0], access, 80, &n_access), 0);
        assert_int_equal(n_access, n > 64 ? n : 1);
        kit_free(&kit);
    }
}

static void test_access(void **state)
{
    (void)state;
    check_access("s: {F|contains: [abcd, efgh]}, condition: s", "F:abcd F:efgh");
    check_access("s: {F|contains: ab, G|contains: abcdefgh}, condition: s", "G:abcdefgh");
    check_access("s: {F|contains|all: [a, bc, defg]}, condition: s", "F:defg");
    check_access("s: {F: a, G|contains: abcdef}, n: {H: x}, condition: s and not n",
                 "G:abcdef");
    check_access("s: {F: GET}, k: {G|contains: [/etc/passwd, ../../, union select]}, "
                 "condition: s and k",
                 "G:/etc/passwd G:../../ G:union select");
    check_access("s: {F: x}, condition: not s", "always");
    check_access("s: {F: xyz}, t: {G: abc}, condition: s or not t", "always");
    check_access("s: {F: xyz}, t: {G: abc}, condition: not (not s or not t)", "F:xyz");
    check_access("s: {F: null}, condition: s", "always");
    check_access("s: {F: null}, condition: not s", "F:*");
    check_access("s: {F|re: 'a.b'}, condition: s", "F:re");
    check_access("s: {F|re: 'a.b', G|contains: longliteral}, condition: s",
                 "G:longliteral");
    check_access("s: {F|cidr: 10.0.0.0/8}, condition: s", "F:net");
    check_access("s: {F|cidr: 10.0.0.0/8, G: abcd}, condition: s", "G:abcd");
    check_access("s: {F|cidr: 10.0.0.0/8}, condition: not s", "always");
    check_access("s: {F|gte: 3}, condition: s", "F:*");
    check_access("s: {F: 'ab*cdef?g'}, condition: s", "F:cdef");
    check_access("s: {F: '?*?'}, condition: s", "F:*");
    check_access("s: {F|cased: LongLiteral}, condition: s", "F:*");
    check_access("s: [needle], condition: s", "keyword:needle");
    check_access("a: {F: xx}, b: {F: yy}, c: {F: zz}, condition: 2 of them",
                 "F:xx F:yy F:zz");
    check_access("a: {F: xx}, b: {F: yy}, c: {F: zz}, condition: not 2 of them",
                 "always");
}

static void check_mode(const char *re, enum rul_re_mode mode)
{
    struct kit kit;
    char yaml[1024];
    (void)snprintf(yaml, sizeof(yaml),
                   "title: t\nlogsource: {product: p}\ndetection: {s: {F|re: '%s'}, "
                   "condition: s}\n",
                   re);
    load(&kit, yaml);
    assert_int_equal(kit.set->program.n_expressions, 1);
    const struct rul_expression *e = &kit.set->program.expressions[0];
    if (e->mode != mode) {
        fail_msg("%s: mode %d", re, e->mode);
    }
    assert_int_equal(e->pcre != NULL, mode != RUL_RE_EXACT);
    kit_free(&kit);
}

static void test_expression_modes(void **state)
{
    (void)state;
    check_mode("a(b|c){2,5}$", RUL_RE_EXACT);
    check_mode("(?<!x)abc", RUL_RE_PREFILTER);
    check_mode("(ab|cd)\\1", RUL_RE_PREFILTER);
    check_mode("(a{0,65535}){0,10}", RUL_RE_SLOW);
}

/* A rule whose expression is too much for Hyperscan is evaluated all the same. */
static void test_slow_expression(void **state)
{
    (void)state;
    struct kit kit;
    load(&kit, RULE("slow", "s: {F|re: '^(a{0,65535}){0,10}b$'}, condition: s")
                   RULE("quick", "s: {F|re: 'ab$'}, condition: s"));
    kit_event(&kit, "p", "", "");
    kit_set(&kit, "F", "aaab");
    assert_string_equal(kit_match(&kit), "slow quick");
    kit_event(&kit, "p", "", "");
    kit_set(&kit, "F", "xaab");
    assert_string_equal(kit_match(&kit), "quick");
    kit_free(&kit);
}

/* What backtracks without end is cut off and does not match. */
static void test_hostile_expression(void **state)
{
    (void)state;
    struct kit kit;
    char value[4001];
    load(&kit, RULE("hostile", "s: {F|re: '(?=(x+x+)+[yz])x'}, condition: s"));
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = 0;
    kit_event(&kit, "p", "", "");
    kit_set(&kit, "F", value);
    assert_string_equal(kit_match(&kit), "");
    struct rul_match_stats stats;
    rul_scratch_stats(kit.scratch, &stats);
    assert_int_equal(stats.regex_limit, 1);
    assert_int_equal(stats.no_memory, 0);
    kit_free(&kit);
}

static void test_self_test(void **state)
{
    (void)state;
    struct kit kit;
    char why[256] = "";
    load(&kit,
         RULE("a", "s: {F|contains: [abc, bcd, x, 'Long One', '/']}, condition: s"));
    const struct rul_program *p = &kit.set->program;
    struct rul_dispatch *d = &p->dispatch[1];
    struct rul_slot *slot = &d->slots[0];
    assert_int_equal(d->n_slots, 1);
    assert_int_equal(rul_slot_self_test(p, slot, why), 0);
    /* as if the library had lost one of them */
    struct hd_slice literals[8];
    uint32_t n = slot->n_literals;
    for (uint32_t i = 0; i < n; i++) {
        literals[i] =
            rul_access_literal(p, &p->preds[p->uses[slot->literal[i].first_use].pred]);
    }
    hs_database_t *good = slot->literals;
    slot->literals = NULL;
    assert_int_equal(rul_slot_compile_literals(slot, literals, n - 1), 0);
    assert_int_equal(rul_slot_self_test(p, slot, why), HD_ECORRUPT);
    assert_non_null(strstr(why, "of 5 literals expected"));
    (void)hs_free_database(slot->literals);
    slot->literals = good;
    kit_free(&kit);
}

static void test_self_test_expressions(void **state)
{
    (void)state;
    struct kit kit;
    char why[256] = "";
    load(&kit,
         RULE("a", "s: {F|re: ['ab[0-9]{3}c+', '^\\d\\w\\s(?:x|y)z?$']}, condition: s"));
    struct rul_program *p = &kit.set->program;
    struct rul_dispatch *d = &p->dispatch[1];
    struct rul_slot *slot = &d->slots[0];
    assert_int_equal(rul_slot_self_test(p, slot, why), 0);
    /* the database of other expressions */
    const char *old = p->expressions[0].cstr;
    hs_database_t *good = slot->expressions;
    p->expressions[0].cstr = "never";
    slot->expressions = NULL;
    assert_int_equal(rul_slot_compile_expressions(p, slot), 0);
    p->expressions[0].cstr = old;
    assert_int_equal(rul_slot_self_test(p, slot, why), HD_ECORRUPT);
    assert_non_null(strstr(why, "wrong on a text made for"));
    (void)hs_free_database(slot->expressions);
    slot->expressions = good;
    kit_free(&kit);
}

/* Two classes that look for the same in a field have one database, and where it leads to
 * the same rules one slot; and it is theirs alone when one of them looks for more. */
static void test_sharing(void **state)
{
    (void)state;
    struct kit kit;
    load(&kit, RULE("a", "s: {F|contains: [abcdef, ghijkl], G|re: 'a.b', H|contains: x}, "
                         "condition: s") "title: b\n"
                                         "logsource: {product: p, category: c}\n"
                                         "detection: {s: {H|contains: xyz, "
                                         "F|contains: y}, t: {F|contains: abcdef}, "
                                         "condition: s or t}\n");
    const struct rul_slot *one = kit.set->program.dispatch[1].slots;
    const struct rul_slot *other = kit.set->program.dispatch[2].slots;
    uint16_t h = rul_fields_find(kit.set->fields, HD_SLICE("H"));
    assert_int_equal(one->field, other->field);
    assert_ptr_equal(one->literals, other->literals);
    assert_true(one->owns_literals != other->owns_literals);
    assert_ptr_not_equal(one->literal, other->literal);
    assert_ptr_equal(one[1].re_uses, other[1].re_uses);
    assert_ptr_equal(one[1].expressions, other[1].expressions);
    assert_true(one[1].owns_expressions != other[1].owns_expressions);
    assert_int_equal(kit.set->program.dispatch[1].n_slots, 2);
    assert_int_equal(kit.set->program.dispatch[2].n_slots, 3);
    assert_int_equal(other[2].field, h);
    assert_true(other[2].owns_literals);
    kit_event(&kit, "p", "c", "");
    kit_set(&kit, "F", "yABCDEF");
    kit_set(&kit, "G", "aab");
    kit_set(&kit, "H", "xyz");
    assert_string_equal(kit_match(&kit), "a b");
    kit_event(&kit, "p", "", "");
    kit_set(&kit, "F", "yABCDEF");
    kit_set(&kit, "G", "aab");
    kit_set(&kit, "H", "xyz");
    assert_string_equal(kit_match(&kit), "a");
    kit_free(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interning),
        cmocka_unit_test(test_access),
        cmocka_unit_test(test_access_of_lists),
        cmocka_unit_test(test_expression_modes),
        cmocka_unit_test(test_slow_expression),
        cmocka_unit_test(test_hostile_expression),
        cmocka_unit_test(test_self_test),
        cmocka_unit_test(test_self_test_expressions),
        cmocka_unit_test(test_sharing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
