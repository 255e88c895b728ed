/* SPDX-License-Identifier: Apache-2.0
 *
 * All segments but the last become write-once, each once, and what hinders is said.
 */
#include "tests/unit/lib/journal_helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/journal_check.h>

#include "lib/keep_freezer.h"

static struct hd_journal *open_journal(const char *dir)
{
    const struct hd_journal_opts opts = {.dir = dir, .segment_bytes = 600};
    struct hd_journal_recovery found;
    struct hd_journal *j = NULL;
    assert_int_equal(hd_journal_open(&opts, &j, &found), HD_OK);
    return j;
}

static unsigned mode_of(const char *dir, uint64_t first)
{
    char path[512];
    struct stat st;
    assert_int_equal(hd_journal_segment_path(dir, first, path, sizeof(path)), HD_OK);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

/* How many of the segments are read-only; the last must not be. */
static size_t count(const char *dir)
{
    struct hd_journal_segments list;
    size_t n = 0;
    assert_int_equal(hd_journal_list(dir, &list), HD_OK);
    for (size_t i = 0; i < list.n; i++) {
        n += mode_of(dir, list.first[i]) == 0440;
    }
    assert_int_equal(mode_of(dir, list.first[list.n - 1]), 0640);
    assert_int_equal(n, list.n - 1);
    free(list.first);
    return n;
}

static void all_but_the_last(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_freezer f = {.dir = dir, .level = HD_FREEZE_READ_ONLY};
    struct hd_journal *j = open_journal(dir);
    hd_test_append(j, 1, 20);
    hd_freezer_step(&f);
    size_t n = count(dir);
    assert_int_equal(f.frozen, n);
    hd_test_append(j, 21, 40);
    hd_freezer_step(&f);
    assert_true(count(dir) > n);
    assert_int_equal(f.frozen, count(dir));
    assert_string_equal(f.why, "");
    assert_int_equal(f.immutable, 0);
    hd_journal_close(j);
    j = open_journal(dir); /* goes on with the last */
    hd_test_append(j, 41, 42);
    hd_journal_close(j);
}

static void where_the_flag_cannot_be_had_that_is_said(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    char path[512], away[600];
    struct hd_freezer f = {.dir = dir, .level = HD_FREEZE_IMMUTABLE};
    struct hd_journal *j = open_journal(dir);
    hd_test_append(j, 1, 20);
    hd_journal_close(j);
    /* what has no flags stands in for a file system that has none */
    assert_int_equal(hd_journal_segment_path(dir, 1, path, sizeof(path)), HD_OK);
    (void)snprintf(away, sizeof(away), "%s.away", path);
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(mkfifo(path, 0640), 0);
    hd_freezer_step(&f);
    assert_non_null(strstr(f.why, "cannot be made immutable: "));
    assert_int_equal(f.immutable, 0);
    assert_int_equal(f.frozen, count(dir)); /* the mode is set all the same */
    hd_freezer_step(&f);
    assert_non_null(strstr(f.why, "cannot be made immutable: "));
}

static void a_directory_that_is_not_there_yet_is_no_problem(void **state)
{
    (void)state;
    struct hd_freezer f = {.dir = "/nowhere/archive", .level = HD_FREEZE_READ_ONLY};
    hd_freezer_step(&f);
    assert_string_equal(f.why, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_but_the_last),
        cmocka_unit_test(where_the_flag_cannot_be_had_that_is_said),
        cmocka_unit_test(a_directory_that_is_not_there_yet_is_no_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
