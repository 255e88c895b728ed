/* SPDX-License-Identifier: Apache-2.0
 *
 * The shipped decoders: every example in their files holds, and real logs are understood.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include <haidang/buf.h>
#include <haidang/clock.h>
#include <haidang/fs.h>

#include "rules/decode/decode.h"

static void test_examples(void **state)
{
    (void)state;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    unsigned examples = 0;
    assert_int_equal(
        rul_decoders_test(hd_test_source("rules/decoders"), &diags, &examples), 0);
    assert_int_equal(diags.errors, 0);
    assert_in_range(examples, 40, 100000);
}

/* Writes the YAML blocks of the manual that are decoders into one file each. */
static unsigned write_blocks(struct hd_slice manual, const char *dir)
{
    unsigned n = 0;
    struct hd_slice mark = HD_SLICE("```yaml\ndecoder:"), end = HD_SLICE("\n```");
    for (;;) {
        size_t at = hd_slice_find(manual, mark);
        if (at == HD_NPOS) {
            return n;
        }
        manual = hd_slice_from(manual, at + strlen("```yaml\n"));
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%u.yml", dir, n++);
        struct hd_slice block = hd_slice_head(manual, hd_slice_find(manual, end));
        assert_int_equal(hd_fs_write_atomic(path, block, 0644), 0);
    }
}

/* What the manual shows is a decoder, and its examples hold. */
static void test_manual(void **state)
{
    (void)state;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    struct hd_buf manual;
    unsigned examples = 0;
    const char *dir = hd_test_tmpdir();
    hd_buf_init(&manual, 0);
    assert_int_equal(
        hd_fs_read(hd_test_source("docs/adding-a-decoder.md"), 1 << 20, &manual), 0);
    assert_int_equal(write_blocks(hd_buf_slice(&manual), dir), 2);
    assert_int_equal(rul_decoders_test(dir, &diags, &examples), 0);
    assert_int_equal(examples, 1);
    hd_buf_fini(&manual);
}

struct fixture {
    struct rul_fields *fields;
    struct rul_decoders *decoders;
    struct rul_decode_scratch *scratch;
    struct rul_event *ev;
};

static void open_fixture(struct fixture *fx)
{
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    struct rul_decoders_opts opts = {.dir = hd_test_source("rules/decoders")};
    assert_int_equal(rul_fields_new(&fx->fields), 0);
    assert_int_equal(rul_decoders_load(&opts, fx->fields, &fx->decoders, &diags), 0);
    assert_int_equal(rul_decode_scratch_new(&fx->scratch), 0);
    fx->ev = calloc(1, sizeof(*fx->ev));
    assert_non_null(fx->ev);
}

static void close_fixture(struct fixture *fx)
{
    rul_decode_scratch_free(fx->scratch);
    rul_decoders_free(fx->decoders);
    rul_fields_free(fx->fields);
    free(fx->ev);
}

struct coverage {
    unsigned lines, decoded, patterns;
};

static struct coverage cover(const char *file)
{
    struct fixture fx;
    struct coverage found = {0};
    struct hd_buf text;
    struct hd_batch_source source = {.host = HD_SLICE("agent"),
                                     .format = HD_SLICE("auto")};
    open_fixture(&fx);
    hd_buf_init(&text, 0);
    assert_int_equal(hd_fs_read(file, 16 << 20, &text), 0);
    struct hd_slice rest = hd_buf_slice(&text), line;
    while (hd_slice_split(&rest, '\n', &line)) {
        struct rul_record record = {&source, hd_clock_wall_ns(), line};
        if (line.len == 0) {
            continue;
        }
        rul_decode(fx.decoders, fx.scratch, &record, fx.ev);
        found.lines++;
        found.decoded += fx.ev->class_id != 0 ? 1 : 0;
        found.patterns += fx.ev->pattern != NULL ? 1 : 0;
    }
    hd_buf_fini(&text);
    close_fixture(&fx);
    print_message("%s: %u lines, %u decoded, %u by a pattern\n", file, found.lines,
                  found.decoded, found.patterns);
    return found;
}

/* Real logs: what share of the lines must have a class and a pattern, in per mille. */
static void check_coverage(const char *name, unsigned decoded, unsigned patterns)
{
    const char *file = hd_test_shared(name);
    if (file == NULL) {
        hd_test_skip("shared logs are not here");
    }
    struct coverage found = cover(file);
    assert_in_range(found.lines, 1990, 2010);
    assert_in_range(found.decoded * 1000 / found.lines, decoded, 1000);
    assert_in_range(found.patterns * 1000 / found.lines, patterns, 1000);
}

static void test_openssh(void **state)
{
    (void)state;
    check_coverage("loghub/OpenSSH_2k.log", 1000, 990);
}

static void test_linux(void **state)
{
    (void)state;
    check_coverage("loghub/Linux_2k.log", 1000, 850);
}

static void test_apache(void **state)
{
    (void)state;
    check_coverage("loghub/Apache_2k.log", 1000, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples), cmocka_unit_test(test_manual),
        cmocka_unit_test(test_openssh),  cmocka_unit_test(test_linux),
        cmocka_unit_test(test_apache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
