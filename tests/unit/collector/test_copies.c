/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies and archives beside a file: which can hold what was there, and how often the
 * directory is read for that.
 */
#include "tests/unit/collector/file_kit.h"

#include <stdio.h>
#include <string.h>

#include <haidang/clock.h>

#include "collector/source/copies.h"

static struct fixture *f;
static struct col_copies copies;

static int open_dir(void **state)
{
    (void)state;
    f = setup("app.log");
    col_copies_init(&copies);
    return 0;
}

static int close_dir(void **state)
{
    (void)state;
    col_copies_fini(&copies);
    teardown(f);
    return 0;
}

/* `text` stands in the archive, `len` bytes were in the log. */
static bool explains(const char *name, struct hd_slice text, uint64_t len)
{
    FILE *file = fopen(in_dir(f, name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
    const struct col_copies_query query = {
        .path = in_dir(f, "app.log"), .len = len, .gone_ns = INT64_MAX};
    bool is_explained = col_copies_is_compressed(&copies, &query);
    assert_int_equal(remove(in_dir(f, name)), 0);
    return is_explained;
}

#define GZ(bytes, isize) HD_SLICE("\x1f\x8b\x08" bytes isize)

static void test_what_archives_can_hold(void **state)
{
    (void)state;
    assert_true(explains("app.log.1.gz", GZ("some bytes", "\x10\x00\x00\x00"), 16));
    assert_false(explains("app.log.1.gz", GZ("some bytes", "\x10\x00\x00\x00"), 17));
    assert_true(explains("app-20261121.gz", GZ("some bytes", "\x00\x40\x00\x00"), 16384));
    assert_false(explains("app.log.gz", GZ("some bytes", "\xff\xff\xff\x00"), 99999));
    assert_false(explains("other.log.1.gz", GZ("some bytes", "\x10\x00\x00\x00"), 16));
    assert_false(explains("app.log.1.gz", HD_SLICE(""), 0));
    assert_false(explains("app.log.1.gz", HD_SLICE("\x1f\x8b\x08"), 0));
    assert_false(explains("app.log.1.gz", HD_SLICE("no such thing at all\0\0\0"), 10));
    assert_true(explains("app.log.xz",
                         HD_SLICE("\xfd"
                                  "7zXZ and more"),
                         10000));
    assert_false(explains("app.log.xz",
                          HD_SLICE("\xfd"
                                   "7zXZ and more"),
                          10000000));
    assert_true(explains("app.log.bz2", HD_SLICE("BZh9 and more"), 100));
    assert_true(explains("app.log.zst", HD_SLICE("\x28\xb5\x2f\xfd and more"), 100));
    assert_false(explains("app.log.zst", HD_SLICE("BZh9 and more"), 100));
    assert_true(explains("app.log.lz4", HD_SLICE("\x04\x22\x4d\x18 and more"), 100));
    assert_true(explains("app.log.Z", HD_SLICE("\x1f\x9d and more"), 100));
    assert_true(explains("app.log.zip", HD_SLICE("PK\x03\x04 and more"), 100));
}

/* Of files that were gone when the directory was read nothing can have come since. */
static void test_a_directory_is_read_once_for_many(void **state)
{
    (void)state;
    struct col_copies_query query = {.path = in_dir(f, "app.log"), .len = 16};
    query.gone_ns = hd_clock_mono_ns();
    assert_false(col_copies_is_compressed(&copies, &query));
    archive(f, "app.log.1.gz", 16);
    assert_false(col_copies_is_compressed(&copies, &query)); /* it is not looked for */
    query.gone_ns = hd_clock_mono_ns();
    assert_true(col_copies_is_compressed(&copies, &query));
    query.path = "/nowhere/app.log";
    assert_false(col_copies_is_compressed(&copies, &query));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_archives_can_hold, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(test_a_directory_is_read_once_for_many, open_dir,
                                        close_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
