/* SPDX-License-Identifier: Apache-2.0
 *
 * Which request for a time stamp is next, and what it costs to know: directories are read
 * when they have changed, and no request is looked at twice.
 */
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/stamp.h>

#include "forwarder/stamp_queue.h"

#define MANY   2000U
#define MADE_S 1700000000

static char base[256], dirs[2][300];
static const char *const paths[] = {dirs[0], dirs[1]};
static unsigned reads, stats;
static struct fwd_stamp_queue queue;

/* The linker brings calls of these here (--wrap). */
int __real_hd_fs_each(const char *dir, int (*each)(void *ctx, const char *name),
                      void *ctx);
int __wrap_hd_fs_each(const char *dir, int (*each)(void *ctx, const char *name),
                      void *ctx);
int __real_stat(const char *path, struct stat *st);
int __wrap_stat(const char *path, struct stat *st);

int __wrap_hd_fs_each(const char *dir, int (*each)(void *ctx, const char *name),
                      void *ctx)
{
    reads++;
    return __real_hd_fs_each(dir, each, ctx);
}

int __wrap_stat(const char *path, struct stat *st)
{
    stats++;
    return __real_stat(path, st);
}

static void put(unsigned dir, uint64_t first, const char *end, int64_t made_s)
{
    char path[400];
    const struct timespec times[2] = {{.tv_sec = made_s}, {.tv_sec = made_s}};
    assert_int_equal(hd_stamp_file(dirs[dir], first, end, path, sizeof(path)), HD_OK);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void ask(unsigned dir, uint64_t first, int64_t made_s)
{
    put(dir, first, HD_STAMP_REQUEST_END, MADE_S + made_s);
}

static void answer(const struct fwd_stamp_ask *it)
{
    put(it->dir == dirs[1], it->first, HD_STAMP_REPLY_END, MADE_S);
}

/* As if nothing was changed for a while. */
static void settle(void)
{
    for (unsigned i = 0; i < 2; i++) {
        static int64_t ago_s = 1000000;
        const struct timespec times[2] = {{.tv_sec = MADE_S - ago_s},
                                          {.tv_sec = MADE_S - ago_s}};
        ago_s--;
        assert_int_equal(utimensat(AT_FDCWD, dirs[i], times, 0), 0);
    }
}

static void look(void)
{
    assert_int_equal(fwd_stamp_queue_look(&queue), HD_OK);
}

static struct fwd_stamp_ask take(void)
{
    struct fwd_stamp_ask it = {.first = 0};
    assert_true(fwd_stamp_queue_take(&queue, &it));
    return it;
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(base, sizeof(base), "%s", hd_test_tmpdir());
    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(dirs[i], sizeof(dirs[i]), "%s/%u", base, i);
        assert_int_equal(hd_fs_mkdirs(dirs[i], 0750), HD_OK);
    }
    assert_int_equal(fwd_stamp_queue_init(&queue, paths, 2), HD_OK);
    reads = stats = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fwd_stamp_queue_fini(&queue);
    return 0;
}

/* ---- tests ---- */

static void newest_and_oldest_by_turns_over_all_directories(void **state)
{
    (void)state;
    static const uint64_t order[] = {50, 10, 4, 20, 3};
    ask(0, 10, 1);
    ask(0, 20, 2);
    ask(1, 3, 3);
    ask(1, 4, 4);
    ask(0, 50, 5);
    put(0, 60, HD_STAMP_REQUEST_END, MADE_S + 6);
    put(0, 60, HD_STAMP_REPLY_END, MADE_S + 7);
    put(0, 60, ".tsr.tmp-abcdef", MADE_S);
    look();
    assert_int_equal(fwd_stamp_queue_waiting(&queue), 5);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        assert_int_equal(take().first, order[i]);
    }
    struct fwd_stamp_ask none;
    assert_false(fwd_stamp_queue_take(&queue, &none));
}

static void what_comes_joins_and_nothing_comes_twice(void **state)
{
    (void)state;
    ask(0, 1, 1);
    ask(0, 2, 2);
    ask(0, 3, 3);
    look();
    assert_int_equal(take().first, 3); /* not answered yet */
    ask(0, 4, 4);
    look();
    assert_int_equal(fwd_stamp_queue_waiting(&queue), 3);
    assert_int_equal(take().first, 1);
    assert_int_equal(take().first, 4);
    assert_int_equal(take().first, 2);
}

static void what_failed_waits_until_all_had_their_turn(void **state)
{
    (void)state;
    ask(0, 1, 1);
    ask(0, 2, 2);
    look();
    assert_int_equal(take().first, 2);
    fwd_stamp_queue_set_aside(&queue);
    look();
    struct fwd_stamp_ask it = take();
    assert_int_equal(it.first, 1);
    answer(&it);
    assert_int_equal(fwd_stamp_queue_waiting(&queue), 1);
    look();
    assert_int_equal(fwd_stamp_queue_waiting(&queue), 1);
    assert_int_equal(take().first, 2);
}

/* Also when nothing in the directory has changed since. */
static void what_failed_alone_comes_again(void **state)
{
    (void)state;
    ask(0, 1, 1);
    settle();
    look();
    assert_int_equal(take().first, 1);
    fwd_stamp_queue_set_aside(&queue);
    look();
    assert_int_equal(take().first, 1);
    look(); /* it was answered by somebody, or is gone */
    assert_int_equal(fwd_stamp_queue_waiting(&queue), 0);
}

static void many_are_listed_once(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= MANY; i++) {
        ask(i % 2, i, i);
    }
    settle();
    look();
    assert_int_equal(reads, 2);
    assert_in_range(stats, MANY, MANY + 2);
    unsigned taken = 0;
    struct fwd_stamp_ask it;
    while (fwd_stamp_queue_take(&queue, &it)) {
        taken++;
    }
    assert_int_equal(taken, MANY);
    assert_int_equal(reads, 2);
    assert_in_range(stats, MANY, MANY + 2);
}

static void a_directory_that_has_not_changed_is_not_read(void **state)
{
    (void)state;
    ask(0, 1, 1);
    settle();
    look();
    struct fwd_stamp_ask it = take();
    reads = 0;
    look();
    look();
    assert_int_equal(reads, 0);
    answer(&it);
    look();
    assert_int_equal(reads, 1);
    assert_int_equal(fwd_stamp_queue_waiting(&queue), 0);
}

static void one_that_cannot_be_read_keeps_no_other_back(void **state)
{
    (void)state;
    ask(1, 7, 1);
    assert_int_equal(rmdir(dirs[0]), 0);
    look(); /* nothing was sealed there yet */
    assert_int_equal(fwd_stamp_queue_waiting(&queue), 1);
    fwd_stamp_queue_fini(&queue);
    assert_int_equal(fwd_stamp_queue_init(&queue, paths, 2), HD_OK);
    FILE *file = fopen(dirs[0], "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_not_equal(fwd_stamp_queue_look(&queue), HD_OK);
    assert_int_equal(take().first, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(newest_and_oldest_by_turns_over_all_directories,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_comes_joins_and_nothing_comes_twice, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_failed_waits_until_all_had_their_turn, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_failed_alone_comes_again, setup, teardown),
        cmocka_unit_test_setup_teardown(many_are_listed_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_has_not_changed_is_not_read,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_cannot_be_read_keeps_no_other_back,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
