/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/buf.h>

#include "rules/parse/yaml.h"

struct doc {
    struct hd_arena arena;
    struct hd_diag_first first;
    const struct rul_yaml *root;
    int err;
};

static struct doc *parse(struct hd_slice text)
{
    static struct doc doc;
    doc = (struct doc){0};
    struct hd_diags diags = {hd_diag_keep_first, &doc.first, 0, 0};
    hd_arena_init(&doc.arena, 0);
    doc.err = rul_yaml_parse(&doc.arena, "f.yml", text, &doc.root, &diags);
    assert_int_equal(doc.err != 0, diags.errors > 0);
    return &doc;
}

static void check_refused(const char *text, const char *message)
{
    struct doc *d = parse(hd_slice_str(text));
    assert_int_equal(d->err, HD_EPARSE);
    if (strstr(d->first.text, message) == NULL) {
        fail_msg("'%s' does not say '%s'", d->first.text, message);
    }
    hd_arena_fini(&d->arena);
}

static void test_tree(void **state)
{
    (void)state;
    struct doc *d = parse(HD_SLICE("title: x\n"
                                   "list:\n"
                                   "  - 'a b'\n"
                                   "  - null\n"
                                   "  - [1, 2]\n"
                                   "map: {k: ''}\n"
                                   "---\n"
                                   "second: 1\n"));
    assert_int_equal(d->err, 0);
    assert_true(rul_yaml_is(rul_yaml_get(d->root, "title"), "x"));
    const struct rul_yaml *list = rul_yaml_get(d->root, "list");
    assert_int_equal(list->type, RUL_YAML_LIST);
    assert_int_equal(list->n, 3);
    assert_int_equal(list->line, 3);
    assert_int_equal(list->first->column, 5);
    assert_true(list->first->quoted);
    assert_false(rul_yaml_is_null(list->first));
    assert_true(rul_yaml_is_null(list->first->next));
    assert_int_equal(list->first->next->next->n, 2);
    const struct rul_yaml *k = rul_yaml_get(rul_yaml_get(d->root, "map"), "k");
    assert_int_equal(k->text.len, 0);
    assert_false(rul_yaml_is_null(k));
    assert_true(rul_yaml_is(rul_yaml_get(d->root->next, "second"), "1"));
    assert_null(rul_yaml_get(d->root, "second"));
    assert_null(d->root->next->next);
    hd_arena_fini(&d->arena);
}

static void test_aliases(void **state)
{
    (void)state;
    struct doc *d = parse(HD_SLICE("a: &x [1, 2]\nb: *x\nc: *x\n"));
    assert_int_equal(d->err, 0);
    assert_int_equal(rul_yaml_get(d->root, "b")->n, 2);
    assert_int_equal(rul_yaml_get(d->root, "c")->n, 2);
    assert_int_equal(d->root->n, 3);
    hd_arena_fini(&d->arena);
    check_refused("a: *nowhere\n", "alias of an anchor");
    check_refused("a: &x [*x]\n", "alias of an anchor");
}

static void test_alias_bomb(void **state)
{
    (void)state;
    struct hd_buf text;
    hd_buf_init(&text, 0);
    hd_buf_str(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 20; i++) {
        hd_buf_printf(&text, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++) {
            hd_buf_printf(&text, "%s*a%d", k ? ", " : "", i - 1);
        }
        hd_buf_str(&text, "]\n");
    }
    check_refused(hd_buf_cstr(&text), "too many values");
    hd_buf_fini(&text);
}

static void test_refused(void **state)
{
    (void)state;
    check_refused("a: 1\nb: 2\na: 3\n", "f.yml:3:1: error: key 'a' is given twice");
    check_refused("[a]: 1\n", "key must be");
    check_refused("a: [1\n", "f.yml:");
    check_refused("a: \xff\n", "f.yml:");
    check_refused("a: 'x\n", "f.yml:");
    char deep[400];
    memset(deep, '[', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = 0;
    check_refused(deep, "nested too deeply");
}

static void test_sizes(void **state)
{
    (void)state;
    struct hd_buf text;
    hd_buf_init(&text, 0);
    for (int i = 0; i < 2100; i++) {
        hd_buf_printf(&text, "k%d: 1\n", i);
    }
    check_refused(hd_buf_cstr(&text), "keys in one map");
    hd_buf_clear(&text);
    for (size_t i = 0; i < RUL_YAML_NODES_MAX + 1; i++) {
        hd_buf_str(&text, "- 1\n");
    }
    check_refused(hd_buf_cstr(&text), "too many values");
    hd_buf_clear(&text);
    for (size_t i = 0; i < RUL_YAML_BYTES_MAX; i += 64) {
        hd_buf_printf(&text, "#%63s\n", "");
    }
    check_refused(hd_buf_cstr(&text), "larger than");
    hd_buf_fini(&text);
}

static void test_empty(void **state)
{
    (void)state;
    struct doc *d = parse(HD_SLICE_EMPTY);
    assert_int_equal(d->err, 0);
    assert_null(d->root);
    hd_arena_fini(&d->arena);
}

/* No prefix of a rule may do anything but parse or be refused. */
static void test_prefixes(void **state)
{
    (void)state;
    struct hd_slice text = HD_SLICE("title: &a x\ntags: [a.b, *a]\nd:\n  s:\n    - A|re: "
                                    "\"x\\ty\"\n    - |\n      b\n  c: >-\n    1 of s\n");
    for (size_t n = 0; n <= text.len; n++) {
        char *copy = malloc(n + 1);
        assert_non_null(copy);
        memcpy(copy, text.ptr, n);
        hd_arena_fini(&parse(hd_slice(copy, n))->arena);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),       cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_alias_bomb), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_sizes),      cmocka_unit_test(test_empty),
        cmocka_unit_test(test_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
