/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoder files: what is wrong is reported where it stands, all of it; memory that runs
 * out is an error and nothing else.
 */
#include "tests/support/alloc.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include <haidang/buf.h>
#include <haidang/fs.h>

#include "rules/decode/decoder.h"

/* All diagnostics as "line:column text\n". */
static void collect(void *ctx, const struct hd_diag *diag)
{
    hd_buf_printf(ctx, "%u:%u %s\n", diag->line, diag->column, diag->text);
}

static const char *directory_with(const char *yaml)
{
    static char path[512];
    const char *dir = hd_test_tmpdir();
    (void)snprintf(path, sizeof(path), "%s/a.yml", dir);
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(yaml), 0644), 0);
    return dir;
}

static void expect(const char *yaml, const char *want)
{
    struct hd_buf got;
    struct rul_fields *fields;
    struct rul_decoders *decoders = NULL;
    hd_buf_init(&got, 0);
    struct hd_diags diags = {.emit = collect, .ctx = &got};
    struct rul_decoders_opts opts = {.dir = directory_with(yaml)};
    assert_int_equal(rul_fields_new(&fields), 0);
    int rc = rul_decoders_load(&opts, fields, &decoders, &diags);
    assert_int_equal(rc, want[0] == '\0' ? 0 : HD_EPARSE);
    assert_string_equal(hd_buf_cstr(&got), want);
    rul_decoders_free(decoders);
    rul_fields_free(fields);
    hd_buf_fini(&got);
}

#define HEAD  "decoder: x\nmatch: {program: [x]}\n"
#define CLASS "logsource: {product: linux}\n"

static void test_errors(void **state)
{
    (void)state;
    expect(HEAD CLASS, "");
    expect("decoder: x\n" CLASS "pattern: []\n",
           "3:1 unknown key \"pattern\" of a decoder; did you mean \"patterns\"?\n"
           "1:1 a decoder needs \"match\"\n");
}

static void test_all_are_reported(void **state)
{
    (void)state;
    expect(HEAD "logsource: {produkt: linux}\n"
                "map: {a: \"b:ipp\"}\n"
                "patterns:\n"
                "  - {id: p, text: \"a <b:wort>\"}\n"
                "  - {id: p, text: \"a <b\"}\n"
                "  - {id: q}\n"
                "  - {text: \"z\"}\n",
           "3:13 unknown key \"produkt\" of a log source; did you mean \"product\"?\n"
           "4:13 unknown filter \"ipp\"; did you mean \"ip\"?\n"
           "6:25 unknown capture type wort; did you mean \"word\"?\n"
           "7:22 \"<\" without \">\" (write << for the byte)\n"
           "7:5 a pattern of this id is in line 6\n"
           "8:5 a pattern needs \"text\"\n"
           "9:5 a pattern needs \"id\"\n");
}

static void test_make(void **state)
{
    (void)state;
    expect("table: t\nvalues: {1: one}\n---\n" HEAD CLASS
           "make: [{field: a, text: \"<b>\", table: t, when: {c: d}}]\n",
           "");
    expect("table: t\nvalues: [1]\n---\ntable: t\nvalues: {}\n---\n" HEAD CLASS "make:\n"
           "  - {field: a, text: \"b\"}\n"
           "  - {field: a, text: \"<b\"}\n"
           "  - {field: a, text: \"<b:ip>\"}\n"
           "  - {field: a, text: \"<b>\", table: u}\n"
           "  - {text: \"<b>\"}\n",
           "2:9 \"values\" must be a mapping\n"
           "4:1 there is a table of this name already\n"
           "11:22 a text to make has a field and at most 16 parts\n"
           "12:23 \"<\" without \">\" (write << for the byte)\n"
           "13:22 fields have no types here\n"
           "14:36 no table of this name stands before\n"
           "15:5 a field to make needs \"field\"\n");
}

static void test_values(void **state)
{
    (void)state;
    expect("decoder: a b\nmatch: []\n" CLASS,
           "1:10 a decoder's name is 1 to 64 letters, digits, - and _\n"
           "2:8 \"match\" must be a mapping\n");
    expect(HEAD CLASS "map: {a: b, b: c, c: a}\n", "");
    expect(HEAD CLASS "map: {a: [b, b, b, b, b], b: [c, c, c, c, c]}\n",
           "4:6 the map leads from here to more than 24 fields\n");
}

static void test_not_yaml(void **state)
{
    (void)state;
    struct hd_diags diags = {0};
    struct rul_fields *fields;
    struct rul_decoders *decoders = NULL;
    struct rul_decoders_opts opts = {.dir = directory_with("a: [\nb: }")};
    assert_int_equal(rul_fields_new(&fields), 0);
    assert_int_equal(rul_decoders_load(&opts, fields, &decoders, &diags), HD_EPARSE);
    assert_int_equal(diags.errors, 1);
    opts.dir = "/nonexistent/decoders";
    assert_int_equal(rul_decoders_load(&opts, fields, &decoders, &diags), HD_ENOENT);
    opts.dir = directory_with(HEAD CLASS);
    opts.time_zone = "Asia/Nowhere";
    assert_int_not_equal(rul_decoders_load(&opts, fields, &decoders, &diags), 0);
    assert_int_equal(diags.errors, 3);
    rul_fields_free(fields);
}

/* A directory with some of the shipped decoders: all would take a minute. */
static const char *some_decoders(void)
{
    static const char *const names[] = {"json.yml", "pam.yml"};
    const char *dir = hd_test_tmpdir();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[512];
        struct hd_buf text;
        hd_buf_init(&text, 0);
        (void)snprintf(path, sizeof(path), "rules/decoders/%s", names[i]);
        assert_int_equal(hd_fs_read(hd_test_source(path), 1 << 20, &text), 0);
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        assert_int_equal(hd_fs_write_atomic(path, hd_buf_slice(&text), 0644), 0);
        hd_buf_fini(&text);
    }
    return dir;
}

static void test_alloc_failures(void **state)
{
    (void)state;
    struct rul_decoders_opts opts = {.dir = some_decoders()};
    HD_TEST_ALLOC_EACH(n)
    {
        struct rul_fields *fields = NULL;
        struct rul_decoders *decoders = NULL;
        struct rul_decode_scratch *scratch = NULL;
        struct hd_diags diags = {0};
        int rc = rul_fields_new(&fields);
        if (rc == 0) {
            rc = rul_decoders_load(&opts, fields, &decoders, &diags);
        }
        if (rc == 0) {
            rc = rul_decode_scratch_new(&scratch);
        }
        hd_test_alloc_stop();
        if (rc != 0 && rc != HD_ENOMEM) {
            fail_msg("allocation %u: %s", n, hd_err_name(rc));
        }
        rul_decode_scratch_free(scratch);
        rul_decoders_free(decoders);
        rul_fields_free(fields);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),   cmocka_unit_test(test_all_are_reported),
        cmocka_unit_test(test_make),     cmocka_unit_test(test_values),
        cmocka_unit_test(test_not_yaml), cmocka_unit_test(test_alloc_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
