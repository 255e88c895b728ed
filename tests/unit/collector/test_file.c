/* SPDX-License-Identifier: Apache-2.0
 *
 * The file source with real files, real inotify and a real loop.
 */
#include "tests/support/support.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/clock.h>

#include "tests/support/alloc.h"
#include "tests/unit/collector/file_kit.h"

#define NOBODY        65534
#define QUEUED_EVENTS 16384U /* fs.inotify.max_queued_events, as the kernel begins */

static void test_follows(void **state)
{
    (void)state;
    struct fixture *f = setup("*.log");
    append(f, "a.log", "a1\n");
    append(f, "b.txt", "no\n");
    start(f);
    fake_env_wait(&f->fe, 1);
    append(f, "a.log", "a2\na3\n");
    fake_env_wait(&f->fe, 3);
    append(f, "c.log", "c1\n");
    fake_env_wait(&f->fe, 4);
    FAKE_EXPECT(&f->fe.sink, "a1", "a2", "a3", "c1");
    assert_non_null(strstr(f->fe.sink.lines[3].source, "/c.log"));
    fake_env_quiet(&f->fe, 60);
    teardown(f);
}

static void link_to(const struct fixture *f, const char *target, const char *name)
{
    assert_int_equal(symlink(target, in_dir(f, name)), 0);
}

/* As containers log: a link to a link to a file, which is rotated where it really is. */
static void test_links_are_followed_through_rotation(void **state)
{
    (void)state;
    struct fixture *f = setup("*.log");
    assert_int_equal(mkdir(in_dir(f, "pods"), 0700), 0);
    assert_int_equal(mkdir(in_dir(f, "disk"), 0700), 0);
    append(f, "disk/a[1]", "one\n");
    link_to(f, "../disk/a[1]", "pods/0");
    link_to(f, "pods/0", "app.log");
    start(f);
    fake_env_wait(&f->fe, 1);
    append(f, "disk/a[1]", "two\n");
    fake_env_wait(&f->fe, 2);
    move(f, "disk/a[1]", "disk/a[1].old");
    append(f, "disk/a[1].old", "three\n");
    append(f, "disk/a[1]", "four\n");
    fake_env_wait(&f->fe, 4);
    /* the link is pointed elsewhere; what the old file still gets is read */
    append(f, "disk/b", "five\n");
    link_to(f, "../disk/b", "pods/1");
    move(f, "pods/1", "pods/0");
    fake_env_wait(&f->fe, 5);
    append(f, "disk/a[1]", "six\n");
    fake_env_wait(&f->fe, 6);
    FAKE_EXPECT(&f->fe.sink, "one", "two", "three", "four", "five", "six");
    assert_non_null(strstr(f->fe.sink.lines[4].source, "/app.log"));
    teardown(f);
}

static void test_a_link_waits_for_its_file(void **state)
{
    (void)state;
    struct fixture *f = setup("*.log");
    assert_int_equal(mkdir(in_dir(f, "disk"), 0700), 0);
    link_to(f, "disk/late", "a.log");
    link_to(f, "b.log", "b.log"); /* leads to itself */
    start(f);
    fake_env_quiet(&f->fe, 60);
    append(f, "disk/late", "here\n");
    fake_env_wait(&f->fe, 1);
    FAKE_EXPECT(&f->fe.sink, "here");
    teardown(f);
}

/* Each allocation of the start fails once: it says so, or all files are read in the end.
 */
static void test_lack_of_memory_at_the_start(void **state)
{
    (void)state;
    HD_TEST_ALLOC_EACH(n)
    {
        char why[256] = "";
        hd_test_alloc_stop();
        struct fixture *f = setup("*/*.log");
        assert_int_equal(mkdir(in_dir(f, "x"), 0700), 0);
        append(f, "x/a.log", "a\n");
        append(f, "x/b.log", "b\n");
        hd_test_alloc_fail_at(n);
        int err = col_file_open(&f->fe.env, &f->conf, &f->fe.source, why);
        hd_test_alloc_stop();
        if (err == HD_OK) {
            fake_env_wait(&f->fe, 2);
            append(f, "x/c.log", "c\n"); /* the directory is watched in the end, too */
            fake_env_wait(&f->fe, 3);
        } else {
            assert_int_equal(err, HD_ENOMEM);
            f->fe.source = NULL;
        }
        teardown(f);
    }
}

static uint64_t passed_over(const struct fixture *f)
{
    struct col_source_stats stats;
    f->fe.source->ops->stats(f->fe.source, &stats);
    return stats.passed_over;
}

/* Told once each, however often the names are looked at. */
static void test_what_is_no_file_is_told(void **state)
{
    (void)state;
    struct fixture *f = setup("*.log");
    char text[8192] = "";
    int saved = dup(STDERR_FILENO);
    FILE *caught = tmpfile();
    assert_non_null(caught);
    assert_int_equal(mkdir(in_dir(f, "dir.log"), 0700), 0);
    assert_int_equal(mkfifo(in_dir(f, "fifo.log"), 0600), 0);
    link_to(f, "nowhere", "link.log");
    append(f, "a.log", "a\n");
    assert_true(dup2(fileno(caught), STDERR_FILENO) >= 0);
    start(f);
    fake_env_wait(&f->fe, 1);
    append(f, "b.log", "b\n"); /* all names are looked at again */
    fake_env_wait(&f->fe, 2);
    assert_int_equal(passed_over(f), 3);
    assert_int_equal(rmdir(in_dir(f, "dir.log")), 0);
    append(f, "c.log", "c\n");
    fake_env_wait(&f->fe, 3);
    assert_int_equal(passed_over(f), 2);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    assert_int_equal(close(saved), 0);
    rewind(caught);
    assert_true(fread(text, 1, sizeof(text) - 1, caught) > 0);
    assert_int_equal(fclose(caught), 0);
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, "is no regular file")) != NULL; at++) {
        n++;
    }
    assert_int_equal(n, 3);
    assert_non_null(strstr(text, "a directory"));
    assert_non_null(strstr(text, "a FIFO"));
    assert_non_null(strstr(text, "leads to nothing"));
    teardown(f);
}

static void test_directories_that_come_later(void **state)
{
    (void)state;
    struct fixture *f = setup("x/*/app.log");
    start(f);
    assert_int_equal(mkdir(in_dir(f, "x"), 0700), 0);
    fake_env_quiet(&f->fe, 60);
    assert_int_equal(mkdir(in_dir(f, "x/y"), 0700), 0);
    append(f, "x/y/app.log", "one\n");
    fake_env_wait(&f->fe, 1);
    assert_int_equal(mkdir(in_dir(f, "x/z"), 0700), 0);
    append(f, "x/z/app.log", "two\n");
    fake_env_wait(&f->fe, 2);
    FAKE_EXPECT(&f->fe.sink, "one", "two");
    teardown(f);
}

static void test_start_end_and_begin(void **state)
{
    (void)state;
    struct fixture *f = setup("*.log");
    f->conf.start = COL_START_END;
    append(f, "old.log", "before\n");
    start(f);
    fake_env_quiet(&f->fe, 60);
    append(f, "old.log", "after\n");
    append(f, "new.log", "fresh\n");
    fake_env_wait(&f->fe, 2);
    restart(f, false);
    fake_env_quiet(&f->fe, 60);
    fake_env_close(&f->fe);
    append(f, "while-down.log", "not missed\n");
    start(f);
    fake_env_wait(&f->fe, 3);
    assert_true(hd_slice_eq(fake_sink_line(&f->fe.sink, 2), HD_SLICE("not missed")));
    teardown(f);
}

static void test_rotation_by_rename(void **state)
{
    (void)state;
    struct fixture *f = setup("app.log");
    start(f);
    append(f, "app.log", "1\n");
    fake_env_wait(&f->fe, 1);
    append(f, "app.log", "2\n");
    move(f, "app.log", "app.log.1");
    append(f, "app.log.1", "3\n"); /* the writer has not noticed yet */
    append(f, "app.log", "4\n");
    fake_env_wait(&f->fe, 4);
    append(f, "app.log.1", "late\n");
    fake_env_wait(&f->fe, 5);
    assert_non_null(strstr(f->fe.sink.lines[4].source, "/app.log"));
    assert_null(strstr(f->fe.sink.lines[4].source, "/app.log.1"));
    teardown(f);
}

/* Files that come and go between two looks are found by the names they were given. */
static void test_rotation_faster_than_we_look(void **state)
{
    (void)state;
    struct fixture *f = setup("app.log");
    start(f);
    append(f, "app.log", "0\n");
    fake_env_wait(&f->fe, 1);
    for (int i = 1; i <= 6; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "%d\n", i);
        for (int k = 5; k > 0; k--) {
            char from[32], to[32];
            (void)snprintf(from, sizeof(from), "app.log.%d", k);
            (void)snprintf(to, sizeof(to), "app.log.%d", k + 1);
            (void)rename(in_dir(f, from), in_dir(f, to));
        }
        move(f, "app.log", "app.log.1");
        append(f, "app.log", text);
    }
    fake_env_wait(&f->fe, 7);
    fake_env_quiet(&f->fe, 60);
    unsigned seen = 0;
    for (size_t i = 0; i < 7; i++) {
        seen |= 1U << (fake_sink_line(&f->fe.sink, i).ptr[0] - '0');
    }
    assert_int_equal(seen, 0x7f);
    teardown(f);
}

static void test_rotated_while_down(void **state)
{
    (void)state;
    struct fixture *f = setup("app.log");
    start(f);
    append(f, "app.log", "1\n");
    fake_env_wait(&f->fe, 1);
    fake_sink_commit(&f->fe.sink);
    fake_env_close(&f->fe);
    append(f, "app.log", "2\n");
    move(f, "app.log", "app.log.1");
    append(f, "app.log", "3\n");
    append(f, "app.log.gz", "not ours\n");
    start(f);
    fake_env_wait(&f->fe, 3);
    fake_env_quiet(&f->fe, 60);
    for (size_t i = 0; i < 3; i++) {
        assert_null(strstr(f->fe.sink.lines[i].source, "/app.log."));
    }
    teardown(f);
}

static void test_copytruncate(void **state)
{
    (void)state;
    struct fixture *f = setup("app.log");
    start(f);
    append(f, "app.log", "one\ntwo\n");
    fake_env_wait(&f->fe, 2);
    append(f, "app.log.1", "one\ntwo\n");
    assert_int_equal(truncate(in_dir(f, "app.log"), 0), 0);
    append(f, "app.log", "three\n");
    fake_env_wait(&f->fe, 3);
    FAKE_EXPECT(&f->fe.sink, "one", "two", "three");
    teardown(f);
}

static void test_vanishes(void **state)
{
    (void)state;
    struct fixture *f = setup("*.log");
    f->conf.rotated_keep_ns = 50 * INT64_C(1000000);
    f->conf.tampering = false;
    append(f, "a.log", "1\nunfinished");
    start(f);
    fake_env_wait(&f->fe, 1);
    assert_int_equal(unlink(in_dir(f, "a.log")), 0);
    fake_env_wait(&f->fe, 2); /* the last line has no end, but it is a line */
    append(f, "a.log", "2\n");
    fake_env_wait(&f->fe, 3);
    FAKE_EXPECT(&f->fe.sink, "1", "unfinished", "2");
    struct col_source_stats stats;
    f->fe.source->ops->stats(f->fe.source, &stats);
    assert_int_equal(stats.lines, 3);
    teardown(f);
}

static void test_partial_line(void **state)
{
    (void)state;
    struct fixture *f = setup("a.log");
    start(f);
    append(f, "a.log", "half");
    fake_env_quiet(&f->fe, 60);
    append(f, "a.log", " whole\n");
    fake_env_wait(&f->fe, 1);
    fake_env_close(&f->fe);
    f->conf.partial_timeout_ns = 30 * INT64_C(1000000);
    start(f);
    append(f, "a.log", "never ended");
    fake_env_wait(&f->fe, 2);
    FAKE_EXPECT(&f->fe.sink, "half whole", "never ended");
    teardown(f);
}

static void test_events(void **state)
{
    (void)state;
    struct fixture *f = setup("a.log");
    f->conf.multiline.kind = COL_MULTILINE_TIME;
    f->conf.multiline.timeout_ns = 30 * INT64_C(1000000);
    start(f);
    append(f, "a.log", "2026-11-21 a\n  more\n2026-11-21 b\n");
    fake_env_wait(&f->fe, 2);
    FAKE_EXPECT(&f->fe.sink, "2026-11-21 a\n  more", "2026-11-21 b");
    teardown(f);
}

static void test_pause(void **state)
{
    (void)state;
    struct fixture *f = setup("a.log");
    append(f, "a.log", "1\n2\n3\n4\n");
    start(f);
    f->fe.sink.room = 2;
    fake_env_wait(&f->fe, 2);
    f->fe.source->ops->pause(f->fe.source);
    f->fe.sink.room = SIZE_MAX;
    append(f, "a.log", "5\n");
    fake_env_quiet(&f->fe, 60);
    f->fe.source->ops->resume(f->fe.source);
    fake_env_wait(&f->fe, 5);
    FAKE_EXPECT(&f->fe.sink, "1", "2", "3", "4", "5");
    teardown(f);
}

static void test_too_many_files(void **state)
{
    (void)state;
    struct fixture *f = setup("*.log");
    f->conf.files_max = 2;
    f->conf.rotated_keep_ns = 20 * INT64_C(1000000);
    append(f, "a.log", "a\n");
    append(f, "b.log", "b\n");
    append(f, "c.log", "c\n");
    start(f);
    fake_env_wait(&f->fe, 2);
    fake_env_quiet(&f->fe, 60);
    assert_int_equal(unlink(in_dir(f, f->fe.sink.lines[0].source +
                                          strlen(f->fe.sink.lines[0].source) - 5)),
                     0);
    fake_env_wait(&f->fe, 3);
    teardown(f);
}

static void test_unreadable_until_changed(void **state)
{
    (void)state;
    struct fixture *f = setup("a.log");
    bool is_root = geteuid() == 0; /* root reads everything: be nobody */
    if (is_root) {
        assert_int_equal(chown(f->dir, NOBODY, NOBODY), 0);
        assert_int_equal(seteuid(NOBODY), 0);
    }
    append(f, "a.log", "secret\n");
    assert_int_equal(chmod(in_dir(f, "a.log"), 0), 0);
    start(f);
    fake_env_quiet(&f->fe, 60);
    assert_int_equal(chmod(in_dir(f, "a.log"), 0600), 0);
    fake_env_wait(&f->fe, 1);
    teardown(f);
    if (is_root) {
        assert_int_equal(seteuid(0), 0);
    }
}

/* With as many free descriptors. */
static struct rlimit limit_files(rlim_t n)
{
    struct rlimit before, less;
    int fd = dup(STDERR_FILENO); /* the lowest that is free */
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    less = (struct rlimit){(rlim_t)fd + n, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
    return before;
}

/* Nothing says when there are descriptors again: neither for a look at the directory nor
 * for what was found in it. */
static void test_lack_of_descriptors_passes(void **state)
{
    (void)state;
    struct fixture *f = setup("*.log");
    const char *const names[] = {"a.log", "b.log"};
    start(f);
    for (rlim_t n = 0; n < 2; n++) {
        append(f, names[n], "1\n");
        struct rlimit before = limit_files(n);
        fake_env_quiet(&f->fe, 100);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        fake_env_wait(&f->fe, (size_t)n + 1);
    }
    teardown(f);
}

static void test_exclude(void **state)
{
    (void)state;
    struct fixture *f = setup("app.log*");
    char *exclude[] = {(char *)(uintptr_t) "*.gz"};
    f->conf.exclude = exclude;
    f->conf.n_exclude = 1;
    append(f, "app.log", "1\n");
    append(f, "app.log.1.gz", "no\n");
    append(f, "app.log.1", "0\n");
    start(f);
    fake_env_wait(&f->fe, 2);
    move(f, "app.log", "app.log.2"); /* stays the same file under a pattern that has it */
    append(f, "app.log.2", "2\n");
    fake_env_wait(&f->fe, 3);
    fake_env_quiet(&f->fe, 60);
    teardown(f);
}

/* Crashes at random moments while a file is written and rotated: each line once. */
static void test_crashes(void **state)
{
    (void)state;
    struct fixture *f = setup("app.log");
    int written = 0;
    f->fe.sink.commit_every = 7;
    start(f);
    fake_sink_commit(&f->fe.sink); /* as the agent settles before the first line */
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 50; i++) {
            char text[32];
            (void)snprintf(text, sizeof(text), "%d\n", written++);
            append(f, "app.log", text);
            (void)uv_run(&f->fe.loop, UV_RUN_NOWAIT);
        }
        if (round % 3 == 1) {
            char to[32];
            (void)snprintf(to, sizeof(to), "app.log.%d", round);
            move(f, "app.log", to);
        }
        if (round % 2 == 1) {
            restart(f, true);
        }
    }
    fake_env_wait(&f->fe, (size_t)written);
    fake_env_quiet(&f->fe, 100);
    bool *seen = calloc((size_t)written, sizeof(*seen));
    assert_non_null(seen);
    for (size_t i = 0; i < f->fe.sink.n; i++) {
        uint64_t n = 0;
        struct hd_slice line = fake_sink_line(&f->fe.sink, i);
        for (size_t k = 0; k < line.len; k++) {
            n = n * 10 + (uint64_t)(line.ptr[k] - '0');
        }
        assert_true(n < (uint64_t)written);
        assert_false(seen[n]);
        seen[n] = true;
    }
    free(seen);
    teardown(f);
}

/* The kernel keeps only so many events: what happened meanwhile is found by looking. */
static void test_lost_events(void **state)
{
    (void)state;
    struct fixture *f = setup("*.log");
    append(f, "a.log", "1\n");
    start(f);
    fake_env_wait(&f->fe, 1);
    for (unsigned i = 0; i < QUEUED_EVENTS; i++) {
        append(f, "flood.log", "");
        assert_int_equal(unlink(in_dir(f, "flood.log")), 0);
    }
    append(f, "a.log", "2\n");
    move(f, "a.log", "a.log.1");
    append(f, "a.log.1", "3\n");
    append(f, "a.log", "4\n");
    append(f, "b.log", "5\n");
    fake_env_wait(&f->fe, 5);
    append(f, "a.log.1", "6\n"); /* and all are watched again */
    fake_env_wait(&f->fe, 6);
    append(f, "b.log", "7\n");
    fake_env_wait(&f->fe, 7);
    teardown(f);
}

static unsigned asked_at_least(const struct fixture *f)
{
    unsigned least = UINT_MAX;
    for (size_t i = 0; i < f->fe.sink.n_marks; i++) {
        const struct fake_mark *m = &f->fe.sink.marks[i];
        least = m->key[0] == 'f' && m->asked < least ? m->asked : least;
    }
    return least;
}

/* The sink forgets marks that nobody asks for: those of quiet files are asked for. */
static void test_marks_of_quiet_files_are_touched(void **state)
{
    (void)state;
    struct fixture *f = setup("*.log");
    int64_t wall_ns = hd_clock_wall_ns();
    int64_t mono_ns = hd_clock_mono_ns();
    hd_clock_fake(&wall_ns, &mono_ns);
    append(f, "quiet.log", "1\n");
    append(f, "busy.log", "2\n");
    start(f);
    fake_env_wait(&f->fe, 2);
    unsigned before = asked_at_least(f);
    mono_ns += 86399 * HD_NS_PER_SEC;
    append(f, "busy.log", "3\n");
    fake_env_wait(&f->fe, 3);
    assert_int_equal(asked_at_least(f), before);
    mono_ns += HD_NS_PER_SEC;
    wall_ns -= 86400 * HD_NS_PER_SEC; /* somebody sets the clock back meanwhile */
    append(f, "busy.log", "4\n");
    while (asked_at_least(f) == before) {
        (void)uv_run(&f->fe.loop, UV_RUN_ONCE);
    }
    hd_clock_fake(NULL, NULL);
    teardown(f);
}

/* Of `kind`: a file's, a name's, a pattern's. */
static struct fake_mark *first_mark(struct fixture *f, uint8_t kind)
{
    struct fake_mark *m = f->fe.sink.marks;
    while (m < f->fe.sink.marks + f->fe.sink.n_marks && m->key[0] != kind) {
        m++;
    }
    assert_true(m < f->fe.sink.marks + f->fe.sink.n_marks);
    return m;
}

/* Those of patterns and of names as well; one that was forgotten all the same, for there
 * were too many, is set again. */
static void test_all_marks_in_use_are_touched(void **state)
{
    (void)state;
    struct fixture *f = setup("*.log");
    int64_t wall_ns = hd_clock_wall_ns();
    int64_t mono_ns = hd_clock_mono_ns();
    hd_clock_fake(&wall_ns, &mono_ns);
    append(f, "a.log", "1\n");
    start(f);
    fake_env_wait(&f->fe, 1);
    f->fe.sink.now_s += 86400;
    mono_ns += 43200 * HD_NS_PER_SEC;
    append(f, "a.log", "2\n");
    fake_env_wait(&f->fe, 2);
    struct fake_mark kept = *first_mark(f, 'f');
    first_mark(f, 'f')->latest_len = 0;
    mono_ns += 43200 * HD_NS_PER_SEC;
    append(f, "a.log", "");
    append(f, "none.log", "");
    while (first_mark(f, 'p')->touched_s < f->fe.sink.now_s) {
        (void)uv_run(&f->fe.loop, UV_RUN_ONCE);
    }
    assert_int_equal(first_mark(f, 'n')->touched_s, f->fe.sink.now_s);
    assert_int_equal(first_mark(f, 'f')->latest_len, kept.latest_len);
    assert_memory_equal(first_mark(f, 'f')->latest, kept.latest, kept.latest_len);
    hd_clock_fake(NULL, NULL);
    teardown(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows),
        cmocka_unit_test(test_links_are_followed_through_rotation),
        cmocka_unit_test(test_a_link_waits_for_its_file),
        cmocka_unit_test(test_what_is_no_file_is_told),
        cmocka_unit_test(test_lack_of_memory_at_the_start),
        cmocka_unit_test(test_directories_that_come_later),
        cmocka_unit_test(test_start_end_and_begin),
        cmocka_unit_test(test_rotation_by_rename),
        cmocka_unit_test(test_rotation_faster_than_we_look),
        cmocka_unit_test(test_rotated_while_down),
        cmocka_unit_test(test_copytruncate),
        cmocka_unit_test(test_vanishes),
        cmocka_unit_test(test_partial_line),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_too_many_files),
        cmocka_unit_test(test_unreadable_until_changed),
        cmocka_unit_test(test_lack_of_descriptors_passes),
        cmocka_unit_test(test_exclude),
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_lost_events),
        cmocka_unit_test(test_marks_of_quiet_files_are_touched),
        cmocka_unit_test(test_all_marks_in_use_are_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
