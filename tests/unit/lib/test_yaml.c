/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/buf.h>
#include <haidang/yaml.h>

#include "tests/support/alloc.h"

struct doc {
    struct hd_arena arena;
    char reports[4096]; /* "line:column text\n" each */
    const struct hd_yaml *root;
    int err;
};

static void keep(void *ctx, const struct hd_diag *diag)
{
    struct doc *doc = ctx;
    size_t len = strlen(doc->reports);
    (void)snprintf(doc->reports + len, sizeof(doc->reports) - len, "%u:%u %s\n",
                   diag->line, diag->column, diag->text);
}

/* own: the caller ends the arena of what is returned, before the next call. */
static struct doc *parse_as(struct hd_slice text, bool has_aliases)
{
    static struct doc doc;
    doc = (struct doc){0};
    struct hd_diags diags = {keep, &doc, 0, 0};
    const struct hd_yaml_source src = {
        .file = "f.yml", .diags = &diags, .has_aliases = has_aliases};
    hd_arena_init(&doc.arena, 0);
    doc.err = hd_yaml_parse(&src, text, &doc.arena, &doc.root);
    assert_int_equal(doc.err != 0, diags.errors > 0);
    return &doc;
}

static struct doc *parse(struct hd_slice text)
{
    return parse_as(text, true);
}

static void check_refused(const char *text, const char *message)
{
    struct doc *d = parse(hd_slice_str(text));
    assert_int_equal(d->err, HD_EPARSE);
    if (strstr(d->reports, message) == NULL) {
        fail_msg("'%s' does not say '%s'", d->reports, message);
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
    assert_true(hd_yaml_is(hd_yaml_get(d->root, "title"), "x"));
    const struct hd_yaml *list = hd_yaml_get(d->root, "list");
    assert_int_equal(list->kind, HD_YAML_LIST);
    assert_int_equal(list->n, 3);
    assert_int_equal(list->line, 3);
    assert_int_equal(list->first->column, 5);
    assert_true(list->first->is_quoted);
    assert_false(hd_yaml_is_null(list->first));
    assert_true(hd_yaml_is_null(list->first->next));
    assert_int_equal(list->first->next->next->n, 2);
    const struct hd_yaml *k = hd_yaml_get(hd_yaml_get(d->root, "map"), "k");
    assert_int_equal(k->text.len, 0);
    assert_false(hd_yaml_is_null(k));
    assert_true(hd_yaml_is(hd_yaml_get(d->root->next, "second"), "1"));
    assert_null(hd_yaml_get(d->root, "second"));
    assert_null(d->root->next->next);
    hd_arena_fini(&d->arena);
}

static void test_aliases(void **state)
{
    (void)state;
    struct doc *d = parse(HD_SLICE("a: &x [1, 2]\nb: *x\nc: *x\n"));
    assert_int_equal(d->err, 0);
    assert_int_equal(hd_yaml_get(d->root, "b")->n, 2);
    assert_int_equal(hd_yaml_get(d->root, "c")->n, 2);
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
    check_refused("a: 1\nb: 2\na: 3\n", "3:1 key \"a\" is given again (first on line 1)");
    check_refused("[a]: 1\n", "1:1 a key must be a word");
    check_refused("a: [1\n", "2:1 not valid YAML: ");
    check_refused("a: 1\nb:\n  ô: \xff\n", "3:7 not UTF-8 text: ");
    check_refused("a: 'x\n", "2:1 not valid YAML: ");
    check_refused("a: b: c\n", "1:5 not valid YAML: ");
    check_refused("\xff\xfe a", "1:1 not UTF-8 text: ");
    char deep[400];
    memset(deep, '[', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = 0;
    check_refused(deep, "nested deeper than 32");
}

/* What does not hinder reading is told at once, and the rest of the tree is there. */
static void test_all_is_told(void **state)
{
    (void)state;
    struct doc *d =
        parse_as(HD_SLICE("a: &x 1\na: 2\nb: !!str c\nb: [&y z]\nd: e\n"), false);
    assert_int_equal(d->err, HD_EPARSE);
    assert_string_equal(d->reports,
                        "1:4 anchors (&name) are not supported: write it out\n"
                        "2:1 key \"a\" is given again (first on line 1)\n"
                        "3:4 tags (!name) are not supported\n"
                        "4:1 key \"b\" is given again (first on line 3)\n"
                        "4:5 anchors (&name) are not supported: write it out\n");
    assert_int_equal(d->root->n, 3);
    assert_true(hd_yaml_is(hd_yaml_get(d->root, "a"), "1"));
    assert_true(hd_yaml_is(hd_yaml_get(d->root, "d"), "e"));
    hd_arena_fini(&d->arena);
    d = parse_as(HD_SLICE("a: *x\nb: *y\n"), false);
    assert_int_equal(d->err, HD_EPARSE);
    assert_string_equal(d->reports,
                        "1:4 aliases (*name) are not supported: write it out\n"
                        "2:4 aliases (*name) are not supported: write it out\n");
    assert_null(d->root);
    hd_arena_fini(&d->arena);
}

static void test_too_much_to_tell(void **state)
{
    (void)state;
    struct hd_buf text;
    hd_buf_init(&text, 0);
    for (int i = 0; i < 200; i++) {
        hd_buf_str(&text, "a: 1\n");
    }
    struct doc *d = parse(hd_buf_slice(&text));
    assert_int_equal(d->err, HD_EPARSE);
    assert_null(d->root);
    hd_arena_fini(&d->arena);
    hd_buf_fini(&text);
}

/* Columns are bytes; lines end where libyaml says so. */
static void test_places(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf"
                               "một: hai\r\n"
                               "ba: [bốn, \"năm\", 'sáu',\n bảy]\r"
                               "tám: 😀\xc2\x85"
                               "chín: |\n  mười\n"
                               "x:\n  - ế: {y: ỹ, z: }\n";
    struct doc *d = parse(hd_slice(text, sizeof(text) - 1));
    assert_int_equal(d->err, 0);
    const struct hd_yaml *v = d->root->first;
    assert_int_equal(v->key->line, 1);
    assert_int_equal(v->key->column, 1);
    assert_int_equal(v->column, 1 + strlen("một: "));
    v = v->next->first;
    assert_int_equal(v->column, 1 + strlen("ba: ["));
    v = v->next;
    assert_int_equal(v->column, 1 + strlen("ba: [bốn, "));
    assert_true(v->is_quoted && v->is_one_line && !v->is_plain);
    v = v->next;
    assert_int_equal(v->column, 1 + strlen("ba: [bốn, \"năm\", "));
    v = v->next;
    assert_int_equal(v->line, 3);
    assert_int_equal(v->column, 2);
    v = hd_yaml_get(d->root, "tám");
    assert_int_equal(v->line, 4);
    assert_int_equal(v->column, 1 + strlen("tám: "));
    v = hd_yaml_get(d->root, "chín");
    assert_int_equal(v->line, 5);
    assert_false(v->is_one_line);
    assert_int_equal(v->column, 1 + strlen("chín: "));
    v = hd_yaml_get(hd_yaml_get(d->root, "x")->first, "ế");
    assert_int_equal(v->line, 8);
    assert_int_equal(v->column, 1 + strlen("  - ế: "));
    assert_int_equal(v->first->next->key->column, 1 + strlen("  - ế: {y: ỹ, "));
    assert_true(hd_yaml_is_null(v->first->next));
    hd_arena_fini(&d->arena);
    check_refused("á: \"ê\" ô\n", "1:10 not valid YAML: ");
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
    for (size_t i = 0; i < HD_YAML_NODES_MAX + 1; i++) {
        hd_buf_str(&text, "- 1\n");
    }
    check_refused(hd_buf_cstr(&text), "too many values");
    hd_buf_clear(&text);
    for (size_t i = 0; i < HD_YAML_BYTES_MAX; i += 64) {
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

/* ---- readers ---- */

struct read {
    char order[64];
    const struct hd_yaml_source *src;
};

static void note(void *ctx, const struct hd_yaml_source *src, const struct hd_yaml *value)
{
    struct read *r = ctx;
    assert_ptr_equal(src, r->src);
    struct hd_slice text = hd_yaml_text(src, value, "it");
    size_t len = strlen(r->order);
    (void)snprintf(r->order + len, sizeof(r->order) - len, "%.*s=%.*s ",
                   HD_SLICE_FMT(value->key->text), HD_SLICE_FMT(text));
}

static void test_read_map(void **state)
{
    (void)state;
    static const struct hd_yaml_key keys[] = {
        {"first", true, note}, {"second", false, note}, {"third", true, note}, {0}};
    struct doc *d = parse(HD_SLICE("second: 2\nfrist: 0\nfirst: [x]\nqqqqqqqq: 1\n"));
    assert_int_equal(d->err, 0);
    struct hd_diags diags = {keep, d, 0, 0};
    const struct hd_yaml_source src = {.file = "f.yml", .diags = &diags};
    struct read r = {.src = &src};
    hd_yaml_read_map(&src, d->root, "a thing", keys, &r);
    assert_string_equal(r.order, "first= second=2 ");
    assert_string_equal(d->reports,
                        "2:1 unknown key \"frist\" of a thing; did you mean \"first\"?\n"
                        "4:1 unknown key \"qqqqqqqq\" of a thing\n"
                        "3:8 it must be a single value\n"
                        "1:1 a thing needs \"third\"\n");
    d->reports[0] = 0;
    hd_yaml_read_map(&src, d->root->first, "a thing", keys, &r);
    assert_string_equal(d->reports, "1:9 a thing must be a mapping\n");
    hd_arena_fini(&d->arena);
}

static void test_items(void **state)
{
    (void)state;
    struct doc *d = parse(HD_SLICE("one: 1\nmany: [1, 2]\nnone: []\n"));
    assert_int_equal(d->err, 0);
    const struct hd_yaml *one = hd_yaml_get(d->root, "one");
    assert_ptr_equal(hd_yaml_item(one, NULL), one);
    assert_null(hd_yaml_item(one, one));
    const struct hd_yaml *many = hd_yaml_get(d->root, "many");
    assert_ptr_equal(hd_yaml_item(many, NULL), many->first);
    assert_true(hd_yaml_is(hd_yaml_item(many, many->first), "2"));
    assert_null(hd_yaml_item(many, many->first->next));
    assert_null(hd_yaml_item(hd_yaml_get(d->root, "none"), NULL));
    hd_arena_fini(&d->arena);
}

static void test_error_at(void **state)
{
    (void)state;
    struct doc *d = parse(HD_SLICE("a: bc\nd: 'ef'\ng: \"h\n  i\"\n"));
    assert_int_equal(d->err, 0);
    struct hd_diags diags = {keep, d, 0, 0};
    const struct hd_yaml_source src = {.file = "f.yml", .diags = &diags};
    for (const struct hd_yaml *v = d->root->first; v != NULL; v = v->next) {
        hd_yaml_error_at(&src, v, 1, "%d", 1);
        hd_yaml_error(&src, v, "%d", 0);
    }
    assert_string_equal(d->reports, "1:5 1\n1:4 0\n2:6 1\n2:4 0\n3:4 1\n3:4 0\n");
    hd_arena_fini(&d->arena);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    HD_TEST_ALLOC_EACH(n)
    {
        struct hd_arena arena;
        struct hd_diags diags = {0};
        const struct hd_yaml_source src = {
            .file = "f", .diags = &diags, .has_aliases = true};
        const struct hd_yaml *docs = NULL;
        hd_arena_init(&arena, 0);
        int err = hd_yaml_parse(
            &src, HD_SLICE("a: &x [b, {c: 'd'}]\ne: *x\n---\nf: |\n g\n"), &arena, &docs);
        hd_test_alloc_stop();
        assert_int_equal(err, hd_test_alloc_failed() ? HD_ENOMEM : HD_OK);
        assert_int_equal(docs == NULL, err != HD_OK);
        hd_arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_alias_bomb),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_all_is_told), cmocka_unit_test(test_too_much_to_tell),
        cmocka_unit_test(test_places),      cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_empty),       cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_read_map),    cmocka_unit_test(test_items),
        cmocka_unit_test(test_error_at),    cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
