/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#include <haidang/diag.h>

static void counts_without_a_sink(void **state)
{
    (void)state;
    struct hd_diags diags = {0};
    hd_diag_error(&diags, "f", 1, 1, "one %d", 1);
    hd_diag_warn(&diags, "f", 1, 1, "two");
    hd_diag_add(&diags, HD_DIAG_NOTE, NULL, 0, 0, "three");
    assert_int_equal(diags.errors, 1);
    assert_int_equal(diags.warnings, 1);
}

static void keeps_the_first_error(void **state)
{
    (void)state;
    struct hd_diag_first first = {{0}};
    struct hd_diags diags = {hd_diag_keep_first, &first, 0, 0};
    hd_diag_warn(&diags, "a.yml", 1, 1, "only a warning");
    hd_diag_error(&diags, "a.yml", 2, 7, "bad \"%s\"", "k\x1b[31mey");
    hd_diag_error(&diags, "a.yml", 3, 1, "later");
    assert_string_equal(first.text, "a.yml:2:7: error: bad \"k?[31mey\"");
}

static void prints_every_shape(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    struct hd_diags diags = {hd_diag_print, out, 0, 0};
    hd_diag_error(&diags, NULL, 0, 0, "no file");
    hd_diag_error(&diags, "f", 0, 0, "whole file");
    hd_diag_warn(&diags, "f", 4, 0, "whole line");
    hd_diag_add(&diags, HD_DIAG_NOTE, "f", 4, 2, "here");
    (void)fclose(out);
    assert_string_equal(text, "error: no file\nf: error: whole file\n"
                              "f:4: warning: whole line\nf:4:2: note: here\n");
    free(text);
}

static void nearest_word(void **state)
{
    (void)state;
    const char *const words[] = {"listen", "state_dir", "max", "batch_bytes"};
    assert_string_equal(hd_diag_nearest("lisetn", words, 4), "listen");
    assert_string_equal(hd_diag_nearest("statedir", words, 4), "state_dir");
    assert_string_equal(hd_diag_nearest("batch_byte", words, 4), "batch_bytes");
    assert_null(hd_diag_nearest("qqq", words, 4));
    assert_null(hd_diag_nearest("", words, 4));
    char longer[200];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_null(hd_diag_nearest(longer, words, 4));
    struct hd_diag_hint hint;
    assert_string_equal(hd_diag_hint(HD_SLICE("lisetn"), words, 4, &hint),
                        "; did you mean \"listen\"?");
    assert_string_equal(hd_diag_hint(HD_SLICE("qqq"), words, 4, &hint), "");
    assert_string_equal(hd_diag_hint(HD_SLICE_EMPTY, words, 4, &hint), "");
    assert_string_equal(hd_diag_hint(hd_slice_str(longer), words, 4, &hint), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_without_a_sink),
        cmocka_unit_test(keeps_the_first_error),
        cmocka_unit_test(prints_every_shape),
        cmocka_unit_test(nearest_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
