/* SPDX-License-Identifier: Apache-2.0
 *
 * Write-once files, and what retention and recovery of a journal do with them. The flag
 * needs root and a file system that knows it: skipped, and said so, elsewhere.
 */
#include "tests/unit/lib/journal_helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/freeze.h>
#include <haidang/fs.h>
#include <haidang/journal_check.h>

#include "lib/journal_priv.h"

#define SEGMENT 600U
#define SECOND  HD_NS_PER_SEC

static const char *make_file(void)
{
    const char *path = hd_test_path(hd_test_tmpdir(), "file");
    assert_int_equal(hd_fs_write_atomic(path, HD_SLICE("text"), 0640), HD_OK);
    return path;
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static int lift(const char *path)
{
    struct hd_frozen was;
    return hd_freeze_lift(path, &was);
}

static bool has_flags(void)
{
    const char *path = make_file();
    return hd_freeze_flag(path) == HD_OK && lift(path) == HD_OK;
}

static void the_right_to_write_goes_and_comes_back(void **state)
{
    (void)state;
    const char *path = make_file();
    assert_int_equal(hd_freeze_mode(path), HD_OK);
    assert_int_equal(mode_of(path), 0440);
    assert_int_equal(hd_freeze_mode(path), HD_OK);
    assert_int_equal(lift(path), HD_OK);
    assert_int_equal(mode_of(path), 0640 & ~0020);
    assert_int_equal(lift(path), HD_OK);
    assert_int_equal(hd_freeze_mode("/nowhere/file"), HD_ENOENT);
    assert_int_equal(hd_freeze_flag("/nowhere/file"), HD_ENOENT);
    assert_int_equal(lift("/nowhere/file"), HD_ENOENT);
}

static void an_immutable_file_cannot_be_removed_before_that_is_lifted(void **state)
{
    (void)state;
    if (!has_flags()) {
        hd_test_skip("no right or no file system for FS_IMMUTABLE_FL");
    }
    const char *path = make_file();
    assert_int_equal(hd_freeze_flag(path), HD_OK);
    assert_int_equal(hd_freeze_flag(path), HD_OK);
    assert_int_not_equal(unlink(path), 0);
    assert_int_not_equal(chmod(path, 0666), 0);
    assert_int_equal(lift(path), HD_OK);
    assert_int_equal(unlink(path), 0);
}

static void where_there_is_no_flag_that_is_said(void **state)
{
    (void)state;
    assert_int_equal(hd_freeze_flag("/proc/self/status"), HD_EUNSUPPORTED);
}

/* ---- a journal ---- */

struct world {
    char dir[256];
    int64_t wall, mono;
    struct hd_journal_segments list;
};

static struct hd_journal *open_journal(struct world *w,
                                       const struct hd_journal_opts *more)
{
    struct hd_journal_opts opts = *more;
    struct hd_journal_recovery found;
    struct hd_journal *j = NULL;
    opts.dir = w->dir;
    opts.segment_bytes = SEGMENT;
    assert_int_equal(hd_journal_open(&opts, &j, &found), HD_OK);
    return j;
}

/* Entries 1 to 20 at one time, in several segments. */
static void world_open(struct world *w)
{
    const struct hd_journal_opts none = {.dir = NULL};
    *w = (struct world){.wall = 1000 * SECOND, .mono = SECOND};
    (void)snprintf(w->dir, sizeof(w->dir), "%s/journal", hd_test_tmpdir());
    hd_clock_fake(&w->wall, &w->mono);
    struct hd_journal *j = open_journal(w, &none);
    hd_test_append(j, 1, 20);
    hd_journal_close(j);
    assert_int_equal(hd_journal_list(w->dir, &w->list), HD_OK);
    assert_in_range(w->list.n, 4, 20);
}

static void world_close(struct world *w)
{
    hd_clock_fake(NULL, NULL);
    free(w->list.first);
}

static const char *file(const struct world *w, size_t i)
{
    static char path[2][512];
    static unsigned turn;
    turn ^= 1;
    assert_int_equal(
        hd_journal_segment_path(w->dir, w->list.first[i], path[turn], sizeof(path[turn])),
        HD_OK);
    return path[turn];
}

static void retention_removes_what_is_write_once(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    bool has_flag = has_flags();
    for (size_t i = 0; i + 1 < w.list.n; i++) {
        assert_int_equal(hd_freeze_mode(file(&w, i)), HD_OK);
        assert_true(!has_flag || hd_freeze_flag(file(&w, i)) == HD_OK);
    }
    const struct hd_journal_opts opts = {.retain_ns = 10 * SECOND};
    struct hd_journal *j = open_journal(&w, &opts);
    w.wall += 60 * SECOND;
    assert_int_equal(hd_journal_trim(j), w.list.n - 1);
    assert_int_not_equal(access(file(&w, 0), F_OK), 0);
    hd_journal_close(j);
    world_close(&w);
}

static void nothing_younger_than_the_minimum_goes(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    const struct hd_journal_opts opts = {.retain_bytes = 1, .retain_min_ns = 10 * SECOND};
    struct hd_journal *j = open_journal(&w, &opts);
    w.wall += 9 * SECOND;
    hd_journal_release(j, 20); /* not for that either */
    assert_int_equal(hd_journal_trim(j), 0);
    assert_int_equal(access(file(&w, 0), F_OK), 0);
    w.wall += 2 * SECOND;
    assert_int_equal(hd_journal_trim(j), w.list.n - 1);
    hd_journal_close(j);
    world_close(&w);
}

static int refuse_unlink(void *ctx, const char *path)
{
    (void)ctx;
    (void)path;
    return HD_EACCES;
}

/* The flag was set, and the right to lift it is gone. */
static void what_cannot_be_removed_hinders_no_start(void **state)
{
    (void)state;
    struct world w;
    struct hd_journal_recovery found;
    struct hd_journal *j = NULL;
    world_open(&w);
    const struct hd_journal_opts opts = {
        .dir = w.dir, .segment_bytes = SEGMENT, .retain_bytes = 1};
    struct hd_io_ops ops = *hd_io_system().ops;
    const struct hd_io io = {.ops = &ops};
    ops.unlink = refuse_unlink;
    assert_int_equal(hd_journal_open_io(&opts, &io, &j, &found), HD_OK);
    assert_int_equal(hd_journal_trim(j), HD_EACCES); /* told each time */
    hd_test_append(j, 21, 30);
    hd_journal_close(j);
    assert_int_equal(access(file(&w, 0), F_OK), 0);
    world_close(&w);
}

/* Refused because of the flag, then for another reason. */
static int refuse_and_fail(void *ctx, const char *path)
{
    unsigned *calls = ctx;
    (void)path;
    return ++*calls % 2 == 1 ? HD_EACCES : HD_EIO;
}

static void what_is_lifted_and_cannot_go_is_write_once_again(void **state)
{
    (void)state;
    struct world w;
    struct hd_journal_recovery found;
    struct hd_journal *j = NULL;
    unsigned calls = 0;
    world_open(&w);
    bool has_flag = has_flags();
    assert_int_equal(hd_freeze_mode(file(&w, 0)), HD_OK);
    assert_true(!has_flag || hd_freeze_flag(file(&w, 0)) == HD_OK);
    const struct hd_journal_opts opts = {
        .dir = w.dir, .segment_bytes = SEGMENT, .retain_bytes = 1};
    struct hd_io_ops ops = *hd_io_system().ops;
    const struct hd_io io = {.ops = &ops, .ctx = &calls};
    ops.unlink = refuse_and_fail;
    assert_int_equal(hd_journal_open_io(&opts, &io, &j, &found), HD_OK);
    assert_int_equal(hd_journal_trim(j), HD_EIO);
    assert_int_equal(calls % 2, 0);
    hd_journal_close(j);
    assert_int_equal(mode_of(file(&w, 0)), 0440);
    if (has_flag) {
        assert_int_not_equal(unlink(file(&w, 0)), 0);
    }
    assert_int_equal(lift(file(&w, 0)), HD_OK);
    world_close(&w);
}

/* A power cut took the name of the segment after it. */
static void a_last_segment_that_is_write_once_is_taken_up_again(void **state)
{
    (void)state;
    struct world w;
    const struct hd_journal_opts none = {.dir = NULL};
    world_open(&w);
    bool has_flag = has_flags();
    size_t last = w.list.n - 2;
    assert_int_equal(hd_freeze_mode(file(&w, last)), HD_OK);
    assert_true(!has_flag || hd_freeze_flag(file(&w, last)) == HD_OK);
    assert_int_equal(unlink(file(&w, last + 1)), 0);
    struct hd_journal *j = open_journal(&w, &none);
    hd_test_append(j, hd_journal_next_index(j), hd_journal_next_index(j) + 3);
    hd_journal_close(j);
    assert_int_equal(lift(file(&w, last)), HD_OK);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_to_write_goes_and_comes_back),
        cmocka_unit_test(an_immutable_file_cannot_be_removed_before_that_is_lifted),
        cmocka_unit_test(where_there_is_no_flag_that_is_said),
        cmocka_unit_test(retention_removes_what_is_write_once),
        cmocka_unit_test(nothing_younger_than_the_minimum_goes),
        cmocka_unit_test(what_cannot_be_removed_hinders_no_start),
        cmocka_unit_test(what_is_lifted_and_cannot_go_is_write_once_again),
        cmocka_unit_test(a_last_segment_that_is_write_once_is_taken_up_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
