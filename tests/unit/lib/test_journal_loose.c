/* SPDX-License-Identifier: Apache-2.0
 *
 * Segments that were copied away from their journal are read as far as they verify.
 */
#include "tests/unit/lib/journal_helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/journal_check.h>
#include <haidang/journal_loose.h>

#define SEGMENT_BYTES 4096U

static char dir[512];
static struct hd_journal_segments segs;

/* Entries 1 to 100, in several segments; listed. */
static int setup(void **state)
{
    struct hd_journal_recovery found;
    struct hd_journal *j = NULL;
    (void)state;
    (void)snprintf(dir, sizeof(dir), "%s", hd_test_tmpdir());
    const struct hd_journal_opts opts = {.dir = dir, .segment_bytes = SEGMENT_BYTES};
    assert_int_equal(hd_journal_open(&opts, &j, &found), HD_OK);
    hd_test_append(j, 1, 100);
    hd_journal_close(j);
    assert_int_equal(hd_journal_list(dir, &segs), HD_OK);
    assert_true(segs.n > 3);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(segs.first);
    return 0;
}

static const char *path_of(const char *where, uint64_t first)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%020llu.zst", (unsigned long long)first);
    return hd_test_path(where, name);
}

/* Own: a directory with the segments but no mark. */
static const char *copy(void)
{
    const char *to = hd_test_tmpdir();
    for (size_t i = 0; i < segs.n; i++) {
        size_t len;
        uint8_t *data = hd_test_slurp(path_of(dir, segs.first[i]), &len);
        hd_test_spill(path_of(to, segs.first[i]), data, len);
        free(data);
    }
    return to;
}

static void there_may_be_none(void **state)
{
    (void)state;
    struct hd_journal_reader *r = NULL;
    assert_int_equal(hd_journal_loose_open(hd_test_tmpdir(), &r), HD_ENOENT);
    assert_int_equal(hd_journal_loose_open("/nonexistent/x", &r), HD_ENOENT);
}

static void copies_are_read_as_far_as_they_verify(void **state)
{
    (void)state;
    struct hd_journal_reader *r = NULL;
    const char *to = copy();
    assert_int_equal(hd_journal_loose_open(to, &r), HD_OK);
    assert_int_equal(hd_journal_reader_lag(r), 100);
    hd_test_read(r, 1, 100);
    hd_journal_reader_close(r);

    /* the last one cut within its last entry */
    struct stat last;
    const char *path = path_of(to, segs.first[segs.n - 1]);
    assert_int_equal(stat(path, &last), 0);
    assert_int_equal(truncate(path, last.st_size - 1), 0);
    assert_int_equal(hd_journal_loose_open(to, &r), HD_OK);
    hd_test_read(r, 1, 99);
    hd_journal_reader_close(r);

    /* the last one cut within its header: it ends with the one before */
    assert_int_equal(truncate(path, 20), 0);
    assert_int_equal(hd_journal_loose_open(to, &r), HD_OK);
    hd_test_read(r, 1, segs.first[segs.n - 1] - 1);
    hd_journal_reader_close(r);
}

static void copies_may_lack_segments(void **state)
{
    (void)state;
    struct hd_journal_reader *r = NULL;
    struct hd_journal_entry entry;
    const char *to = copy();
    assert_int_equal(unlink(path_of(to, segs.first[0])), 0);
    assert_int_equal(unlink(path_of(to, segs.first[2])), 0);
    assert_int_equal(hd_journal_loose_open(to, &r), HD_OK);
    for (uint64_t i = segs.first[1]; i < segs.first[2]; i++) {
        assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
        hd_test_entry_check(&entry, i);
    }
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_ENOENT);
    hd_test_read(r, segs.first[3], 100);
    hd_journal_reader_close(r);
}

static void an_entry_ends_where_its_lengths_say(void **state)
{
    (void)state;
    struct hd_journal_cursor at = {.index = 2}, behind;
    struct hd_journal_entry entry;
    struct hd_journal_reader *r = hd_test_reader(dir, NULL);
    assert_int_equal(hd_journal_reader_next_header(r, &entry), HD_OK);
    hd_journal_reader_tell(r, &at);
    assert_int_equal(hd_journal_reader_next_header(r, &entry), HD_OK);
    hd_journal_reader_tell(r, &behind);
    assert_int_equal(behind.offset - at.offset, entry.stored);
    assert_int_equal(entry.stored, 80 + entry.meta.len + entry.payload.len);
    hd_journal_reader_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(there_may_be_none, setup, teardown),
        cmocka_unit_test_setup_teardown(copies_are_read_as_far_as_they_verify, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(copies_may_lack_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(an_entry_ends_where_its_lengths_say, setup,
                                        teardown),
    };
    hd_test_in_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
