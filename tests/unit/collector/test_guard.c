/* SPDX-License-Identifier: Apache-2.0
 *
 * What the file source tells of files that were emptied, removed, replaced or closed, and
 * what it does not: rotations of all kinds.
 */
#include "tests/unit/collector/file_kit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/clock.h>

#define NOBODY   65534
#define DEPTH    19U
#define QUIET_MS 200U /* longer than removed_after of these tests */

/* ---- helpers ---- */

/* The newest line is a report that begins so, about the file of this name. */
static void expect_report(const struct fixture *f, const char *what, const char *name,
                          const char *rest)
{
    char want[1024];
    const struct fake_sink *sink = &f->fe.sink;
    (void)snprintf(want, sizeof(want), "%s file.path=\"%s\"%s", what, in_dir(f, name),
                   rest);
    struct hd_slice got = fake_sink_line(sink, sink->n - 1);
    if (!hd_slice_eq(got, hd_slice_str(want))) {
        fail_msg("got %.*s, expected %s", HD_SLICE_FMT(got), want);
    }
    assert_string_equal(sink->lines[sink->n - 1].source, "files");
}

static void empty(const struct fixture *f, const char *name)
{
    assert_int_equal(truncate(in_dir(f, name), 0), 0);
}

static void drop(const struct fixture *f, const char *name)
{
    assert_int_equal(unlink(in_dir(f, name)), 0);
}

static void copy(const struct fixture *f, const char *from, const char *to)
{
    static char text[1 << 16];
    FILE *file = fopen(in_dir(f, from), "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    append(f, to, text);
}

/* So many lines that a file is known by its first kilobyte. */
static size_t append_many(const struct fixture *f, const char *name, unsigned from,
                          unsigned n)
{
    char text[1 << 14];
    size_t len = 0;
    for (unsigned i = from; i < from + n; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "line %05u of the log as it was written\n", i);
    }
    append(f, name, text);
    return len;
}

static struct fixture *follow(const char *name, unsigned lines)
{
    struct fixture *f = setup(name);
    (void)append_many(f, name, 0, lines);
    start(f);
    fake_env_wait(&f->fe, lines);
    return f;
}

static void pause_source(struct fixture *f)
{
    f->fe.source->ops->pause(f->fe.source);
}

static void resume_source(struct fixture *f)
{
    f->fe.source->ops->resume(f->fe.source);
}

/* ---- in place ---- */

static void emptied(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 2);
    empty(f, "app.log");
    fake_env_wait(&f->fe, 3);
    expect_report(f, "log-emptied", "app.log",
                  " size_bytes=0 read_bytes=80 unread_bytes=0");
    append(f, "app.log", "anew\n");
    fake_env_wait(&f->fe, 4);
    empty(f, "app.log");
    append(f, "app.log", "again\n");
    fake_env_wait(&f->fe, 6);
    assert_true(hd_slice_eq(fake_sink_line(&f->fe.sink, 5), HD_SLICE("again")));
    assert_int_equal(f->fe.sink.lost[HD_LOSS_UNREAD], 0);
    teardown(f);
}

static void cut_and_changed(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 50);
    assert_int_equal(truncate(in_dir(f, "app.log"), 1600), 0);
    fake_env_wait(&f->fe, 91);
    struct hd_slice told = fake_sink_line(&f->fe.sink, 50);
    assert_true(hd_slice_starts(told, HD_SLICE("log-cut file.path=")));
    assert_true(
        hd_slice_ends(told, HD_SLICE(" size_bytes=1600 read_bytes=2000 unread_bytes=0")));
    assert_int_equal(truncate(in_dir(f, "app.log"), 1200), 0);
    (void)append_many(f, "app.log", 90, 30);
    fake_env_wait(&f->fe, 152);
    assert_true(hd_slice_starts(fake_sink_line(&f->fe.sink, 91),
                                HD_SLICE("log-changed file.path=")));
    teardown(f);
}

static void a_report_is_there_once(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 2);
    fake_sink_commit(&f->fe.sink);
    empty(f, "app.log");
    fake_env_wait(&f->fe, 3);
    restart(f, true); /* it was not durable */
    fake_env_wait(&f->fe, 3);
    expect_report(f, "log-emptied", "app.log",
                  " size_bytes=0 read_bytes=80 unread_bytes=0");
    restart(f, false);
    fake_env_quiet(&f->fe, QUIET_MS);
    fake_sink_commit(&f->fe.sink);
    fake_env_close(&f->fe);
    append(f, "app.log", "something else, now\n");
    start(f);
    fake_env_wait(&f->fe, 4);
    fake_sink_commit(&f->fe.sink);
    fake_env_close(&f->fe);
    empty(f, "app.log"); /* while no agent runs */
    start(f);
    fake_env_wait(&f->fe, 5);
    expect_report(f, "log-emptied", "app.log",
                  " size_bytes=0 read_bytes=20 unread_bytes=0");
    teardown(f);
}

static void a_report_waits_for_room(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 2);
    f->fe.sink.room = 0;
    empty(f, "app.log");
    append(f, "app.log", "behind\n");
    fake_env_quiet(&f->fe, QUIET_MS);
    f->fe.sink.room = SIZE_MAX;
    resume_source(f);
    fake_env_wait(&f->fe, 4);
    assert_true(hd_slice_starts(fake_sink_line(&f->fe.sink, 2), HD_SLICE("log-emptied")));
    assert_true(hd_slice_eq(fake_sink_line(&f->fe.sink, 3), HD_SLICE("behind")));
    teardown(f);
}

/* At its end it is told what became of it; while that cannot be, nobody runs in circles.
 */
static void who_cannot_tell_waits(void **state)
{
    (void)state;
    struct fixture *f = setup("app.log");
    unsigned turns = 0;
    f->conf.removed_after_ns = 60 * HD_NS_PER_SEC;
    f->conf.rotated_keep_ns = HD_NS_PER_SEC / 20;
    append(f, "app.log", "one\n");
    start(f);
    fake_env_wait(&f->fe, 1);
    f->fe.sink.room = 0;
    drop(f, "app.log");
    int64_t end_ns = hd_clock_mono_ns() + 3 * HD_NS_PER_SEC / 10;
    while (hd_clock_mono_ns() < end_ns) {
        (void)uv_run(&f->fe.loop, UV_RUN_ONCE);
        turns++;
    }
    assert_in_range(turns, 0, 20);
    f->fe.sink.room = SIZE_MAX;
    fake_env_wait(&f->fe, 2);
    expect_report(f, "log-removed", "app.log", " read_bytes=4");
    teardown(f);
}

static void what_was_not_read_is_lost(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 2);
    pause_source(f);
    append(f, "app.log", "never read\n");
    fake_env_quiet(&f->fe, QUIET_MS);
    empty(f, "app.log");
    resume_source(f);
    fake_env_wait(&f->fe, 3);
    expect_report(f, "log-emptied", "app.log",
                  " size_bytes=0 read_bytes=80 unread_bytes=11");
    assert_int_equal(f->fe.sink.lost[HD_LOSS_UNREAD], 11);
    teardown(f);
}

/* ---- copies ---- */

static void copytruncate_is_a_rotation(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 2);
    pause_source(f);
    append(f, "app.log", "unread\n");
    fake_env_quiet(&f->fe, QUIET_MS);
    copy(f, "app.log", "app-20261121.log");
    empty(f, "app.log");
    append(f, "app.log", "new\n");
    resume_source(f);
    fake_env_wait(&f->fe, 4);
    fake_env_quiet(&f->fe, QUIET_MS);
    assert_int_equal(f->fe.sink.lost[HD_LOSS_UNREAD], 0);
    restart(f, false); /* the copy is known */
    append(f, "app.log", "newer\n");
    fake_env_wait(&f->fe, 5);
    fake_env_quiet(&f->fe, QUIET_MS);
    teardown(f);
}

static void copytruncate_that_compresses(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 2);
    archive(f, "app.log.1.gz", 80);
    empty(f, "app.log");
    append(f, "app.log", "new\n");
    fake_env_wait(&f->fe, 3);
    fake_env_quiet(&f->fe, QUIET_MS);
    teardown(f);
}

/* As containers log: the copy stands beside the file, not beside the link to it. */
static void copytruncate_behind_a_link(void **state)
{
    (void)state;
    struct fixture *f = setup("*.log");
    assert_int_equal(mkdir(in_dir(f, "pod"), 0700), 0);
    (void)append_many(f, "pod/0", 0, 2);
    assert_int_equal(symlink("pod/0", in_dir(f, "a.log")), 0);
    start(f);
    fake_env_wait(&f->fe, 2);
    copy(f, "pod/0", "pod/0.20261121");
    empty(f, "pod/0");
    append(f, "pod/0", "new\n");
    fake_env_wait(&f->fe, 3);
    fake_env_quiet(&f->fe, QUIET_MS);
    drop(f, "pod/0");
    drop(f, "pod/0.20261121");
    assert_int_equal(rmdir(in_dir(f, "pod")), 0);
    drop(f, "a.log");
    fake_env_quiet(&f->fe, QUIET_MS); /* the container is no more */
    teardown(f);
}

static void an_older_archive_explains_nothing(void **state)
{
    (void)state;
    int64_t wall_ns = hd_clock_wall_ns() + 3600 * HD_NS_PER_SEC;
    int64_t mono_ns = hd_clock_mono_ns();
    struct fixture *f = setup("app.log");
    archive(f, "app.log.1.gz", 100); /* an hour ago, as we see it */
    hd_clock_fake(&wall_ns, &mono_ns);
    append(f, "app.log", "one\n");
    start(f);
    fake_env_wait(&f->fe, 1);
    empty(f, "app.log");
    fake_env_wait(&f->fe, 2);
    hd_clock_fake(NULL, NULL);
    teardown(f);
}

/* Whoever empties a log can as well make a file beside it. */
static void an_archive_that_holds_nothing_explains_nothing(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 2);
    append(f, "app.log.1.gz", "");
    empty(f, "app.log");
    fake_env_wait(&f->fe, 3);
    expect_report(f, "log-emptied", "app.log",
                  " size_bytes=0 read_bytes=80 unread_bytes=0");
    append(f, "app.log.1.gz", "this is no compressed file, whatever its name says");
    append(f, "app.log", "anew\n");
    fake_env_wait(&f->fe, 4);
    empty(f, "app.log");
    fake_env_wait(&f->fe, 5);
    archive(f, "app.log.1.gz", 11); /* less than there was */
    append(f, "app.log", "twelve bytes\n");
    fake_env_wait(&f->fe, 6);
    drop(f, "app.log");
    fake_env_wait(&f->fe, 7);
    expect_report(f, "log-removed", "app.log", " read_bytes=13");
    teardown(f);
}

/* ---- copies that the pattern matches ---- */

static void a_copy_that_matches_is_not_read_again(void **state)
{
    (void)state;
    struct fixture *f = setup("app.log*");
    (void)append_many(f, "app.log", 0, 50);
    start(f);
    fake_env_wait(&f->fe, 50);
    copy(f, "app.log", "app.log.1");
    empty(f, "app.log");
    append(f, "app.log", "new\n");
    fake_env_wait(&f->fe, 51);
    fake_env_quiet(&f->fe, QUIET_MS);
    fake_sink_commit(&f->fe.sink);
    restart(f, true);
    fake_env_quiet(&f->fe, QUIET_MS);
    move(f, "app.log.1", "app.log.2");
    copy(f, "app.log", "app.log.1"); /* four bytes are enough when it is truncated */
    empty(f, "app.log");
    append(f, "app.log", "newer\n");
    fake_env_wait(&f->fe, 52);
    fake_env_quiet(&f->fe, QUIET_MS);
    teardown(f);
}

/* Written between our last look and the rotation: only the copy has it. */
static void what_only_the_copy_has_is_read_there(void **state)
{
    (void)state;
    struct fixture *f = setup("app.log*");
    (void)append_many(f, "app.log", 0, 50);
    start(f);
    fake_env_wait(&f->fe, 50);
    pause_source(f);
    append(f, "app.log", "unread\n");
    fake_env_quiet(&f->fe, QUIET_MS);
    copy(f, "app.log", "app.log.1");
    empty(f, "app.log");
    append(f, "app.log", "new\n");
    resume_source(f);
    fake_env_wait(&f->fe, 52);
    fake_env_quiet(&f->fe, QUIET_MS);
    size_t at =
        hd_slice_eq(fake_sink_line(&f->fe.sink, 50), HD_SLICE("unread")) ? 50 : 51;
    assert_true(hd_slice_eq(fake_sink_line(&f->fe.sink, at), HD_SLICE("unread")));
    const char *source = f->fe.sink.lines[at].source;
    assert_string_equal(source + strlen(source) - strlen("/app.log"), "/app.log");
    assert_int_equal(f->fe.sink.lost[HD_LOSS_UNREAD], 0);
    teardown(f);
}

/* It has no name any more when the truncation is seen. */
static void a_copy_that_is_compressed_at_once(void **state)
{
    (void)state;
    struct fixture *f = setup("app.log*");
    f->conf.exclude = (char *[]){(char *)(uintptr_t) "*.gz"};
    f->conf.n_exclude = 1;
    (void)append_many(f, "app.log", 0, 50);
    start(f);
    fake_env_wait(&f->fe, 50);
    pause_source(f);
    append(f, "app.log", "unread\n");
    fake_env_quiet(&f->fe, QUIET_MS);
    copy(f, "app.log", "app.log.1");
    fake_env_quiet(&f->fe, QUIET_MS);
    empty(f, "app.log");
    archive(f, "app.log.1.gz", 2007);
    drop(f, "app.log.1");
    append(f, "app.log", "new\n");
    fake_env_quiet(&f->fe, QUIET_MS);
    resume_source(f);
    fake_env_wait(&f->fe, 52);
    fake_env_quiet(&f->fe, QUIET_MS);
    assert_int_equal(f->fe.sink.lost[HD_LOSS_UNREAD], 0);
    teardown(f);
}

/* However long nothing could be read: the truncation is seen first. */
static void a_copy_waits_for_what_is_paused(void **state)
{
    (void)state;
    int64_t wall_ns = hd_clock_wall_ns();
    int64_t mono_ns = hd_clock_mono_ns();
    struct fixture *f = setup("app.log*");
    hd_clock_fake(&wall_ns, &mono_ns);
    (void)append_many(f, "app.log", 0, 50);
    start(f);
    fake_env_wait(&f->fe, 50);
    copy(f, "app.log", "app.log.1");
    fake_env_quiet(&f->fe, QUIET_MS); /* it is looked at, and waits */
    pause_source(f);
    assert_int_equal(chmod(in_dir(f, "app.log.1"), 0640), 0); /* a look at it is due */
    append(f, "app.log", "not in the copy\n");
    fake_env_quiet(&f->fe, QUIET_MS);
    empty(f, "app.log");
    append(f, "app.log", "new\n");
    mono_ns += 3600 * HD_NS_PER_SEC;
    resume_source(f);
    fake_env_wait(&f->fe, 51);
    fake_env_quiet(&f->fe, QUIET_MS);
    assert_int_equal(f->fe.sink.lost[HD_LOSS_UNREAD], 16);
    hd_clock_fake(NULL, NULL);
    teardown(f);
}

/* Written and read after the copy was made, gone with the truncation: nothing is told,
 * for nothing is lost, and nothing comes twice. */
static void check_short_copy(const char *pattern)
{
    struct fixture *f = setup(pattern);
    (void)append_many(f, "app.log", 0, 50);
    start(f);
    fake_env_wait(&f->fe, 50);
    copy(f, "app.log", "app.log.1");
    fake_env_quiet(&f->fe, QUIET_MS / 4);
    append(f, "app.log", "not in the copy\n");
    fake_env_wait(&f->fe, 51);
    empty(f, "app.log");
    append(f, "app.log", "new\n");
    fake_env_wait(&f->fe, 52);
    fake_env_quiet(&f->fe, QUIET_MS);
    restart(f, false);
    fake_env_quiet(&f->fe, QUIET_MS);
    teardown(f);
}

static void a_copy_may_be_shorter_than_what_was_read(void **state)
{
    (void)state;
    check_short_copy("app.log");
    check_short_copy("app.log*");
}

static void a_copy_that_matches_while_down(void **state)
{
    (void)state;
    struct fixture *f = setup("app.log*");
    (void)append_many(f, "app.log", 0, 50);
    start(f);
    fake_env_wait(&f->fe, 50);
    fake_sink_commit(&f->fe.sink);
    fake_env_close(&f->fe);
    append(f, "app.log", "unread\n");
    copy(f, "app.log", "app.log.1");
    empty(f, "app.log");
    append(f, "app.log", "new\n");
    start(f);
    fake_env_wait(&f->fe, 52);
    fake_env_quiet(&f->fe, QUIET_MS);
    teardown(f);
}

/* The clock stands still, so that whoever waits waits for ever. */
static void a_file_that_only_begins_alike_is_read(void **state)
{
    (void)state;
    int64_t wall_ns = hd_clock_wall_ns();
    int64_t mono_ns = hd_clock_mono_ns();
    struct fixture *f = setup("app.log*");
    hd_clock_fake(&wall_ns, &mono_ns);
    (void)append_many(f, "app.log", 0, 50);
    start(f);
    fake_env_wait(&f->fe, 50);
    (void)append_many(f, ".other", 0, 30);
    append(f, ".other", "here it is another one\n");
    move(f, ".other", "app.log.other");
    fake_env_wait(&f->fe, 81);
    copy(f, "app.log", "app.log.copy"); /* nobody truncates: it is a file of its own */
    fake_env_quiet(&f->fe, QUIET_MS);
    mono_ns += 3 * HD_NS_PER_SEC;
    append(f, "app.log.copy", "with more\n");
    fake_env_quiet(&f->fe, QUIET_MS / 2); /* it may still be growing */
    mono_ns += 3 * HD_NS_PER_SEC;
    move(f, "app.log.copy", "app.log.3"); /* a look at it is due */
    append(f, "app.log", "this one too\n");
    fake_env_wait(&f->fe, 81 + 51 + 1);
    hd_clock_fake(NULL, NULL);
    teardown(f);
}

/* ---- removed, replaced ---- */

static void removed(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 2);
    drop(f, "app.log");
    fake_env_wait(&f->fe, 3);
    expect_report(f, "log-removed", "app.log", " read_bytes=80");
    restart(f, false);
    fake_env_quiet(&f->fe, QUIET_MS);
    teardown(f);
}

static void removed_once_however_we_end(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 2);
    fake_sink_commit(&f->fe.sink);
    drop(f, "app.log");
    fake_env_wait(&f->fe, 3);
    restart(f, true);
    fake_env_wait(&f->fe, 3);
    expect_report(f, "log-removed", "app.log", " read_bytes=80");
    restart(f, false);
    fake_env_quiet(&f->fe, QUIET_MS);
    teardown(f);
}

static void renamed_and_removed(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 2);
    move(f, "app.log", ".hidden");
    fake_env_quiet(&f->fe, QUIET_MS);
    drop(f, ".hidden");
    fake_env_wait(&f->fe, 3);
    expect_report(f, "log-removed", "app.log", " read_bytes=80");
    teardown(f);
}

static void a_successor_is_a_rotation(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 2);
    drop(f, "app.log");
    append(f, "app.log", "the next one\n");
    fake_env_wait(&f->fe, 3);
    fake_env_quiet(&f->fe, QUIET_MS);
    move(f, "app.log", "app.log.1");
    append(f, "app.log", "one more\n");
    fake_env_wait(&f->fe, 4);
    drop(f, "app.log.1");
    fake_env_quiet(&f->fe, QUIET_MS);
    restart(f, false);
    fake_env_quiet(&f->fe, QUIET_MS);
    teardown(f);
}

static void compressed_without_a_successor(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 2);
    move(f, "app.log", "app.log.1");
    archive(f, "app.log.1.gz", 80);
    drop(f, "app.log.1");
    fake_env_quiet(&f->fe, QUIET_MS);
    restart(f, false);
    fake_env_quiet(&f->fe, QUIET_MS);
    teardown(f);
}

static void rotated_while_down_is_a_rotation(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 2);
    fake_sink_commit(&f->fe.sink);
    fake_env_close(&f->fe);
    move(f, "app.log", "app.log.1");
    start(f);
    fake_env_quiet(&f->fe, QUIET_MS);
    fake_env_close(&f->fe);
    archive(f, "app.log.1.gz", 80);
    drop(f, "app.log.1");
    start(f);
    fake_env_quiet(&f->fe, QUIET_MS);
    teardown(f);
}

/* As sed -i does: what it leaves out is gone, the rest is what was there. */
static void replaced_by_older_content(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 50);
    (void)append_many(f, ".sed", 0, 40);
    move(f, ".sed", "app.log");
    fake_env_wait(&f->fe, 91);
    expect_report(f, "log-replaced", "app.log", " read_bytes=2000");
    fake_sink_commit(&f->fe.sink);
    (void)append_many(f, ".sed", 10, 25); /* its first lines are left out */
    move(f, ".sed", "app.log");
    fake_env_wait(&f->fe, 117);
    expect_report(f, "log-replaced", "app.log", " read_bytes=1600");
    restart(f, false);
    fake_env_quiet(&f->fe, QUIET_MS);
    teardown(f);
}

static void replaced_while_down(void **state)
{
    (void)state;
    struct fixture *f = follow("app.log", 50);
    fake_sink_commit(&f->fe.sink);
    fake_env_close(&f->fe);
    (void)append_many(f, ".sed", 0, 40);
    move(f, ".sed", "app.log");
    start(f);
    fake_env_wait(&f->fe, 91);
    assert_true(
        hd_slice_starts(fake_sink_line(&f->fe.sink, 50), HD_SLICE("log-replaced ")));
    restart(f, false);
    fake_env_quiet(&f->fe, QUIET_MS);
    teardown(f);
}

static void old_files_are_removed_by_retention(void **state)
{
    (void)state;
    int64_t wall_ns = hd_clock_wall_ns();
    int64_t mono_ns = hd_clock_mono_ns();
    hd_clock_fake(&wall_ns, &mono_ns);
    struct fixture *f = setup("*.log");
    append(f, "old.log", "1\n");
    append(f, "live.log", "2\n");
    start(f);
    fake_env_wait(&f->fe, 2);
    mono_ns += 43200 * HD_NS_PER_SEC;
    append(f, "live.log", "3\n");
    fake_env_wait(&f->fe, 3);
    mono_ns += 43200 * HD_NS_PER_SEC;
    append(f, "live.log", "4\n");
    fake_env_wait(&f->fe, 4);
    fake_env_quiet(&f->fe, QUIET_MS);
    hd_clock_fake(NULL, NULL);
    drop(f, "old.log");
    fake_env_quiet(&f->fe, QUIET_MS);
    teardown(f);
}

static void a_directory_of_many_may_go(void **state)
{
    (void)state;
    struct fixture *f = setup("*/app.log");
    assert_int_equal(mkdir(in_dir(f, "c1"), 0700), 0);
    assert_int_equal(mkdir(in_dir(f, "c2"), 0700), 0);
    append(f, "c1/app.log", "1\n");
    append(f, "c2/app.log", "2\n");
    start(f);
    fake_env_wait(&f->fe, 2);
    drop(f, "c1/app.log");
    assert_int_equal(rmdir(in_dir(f, "c1")), 0);
    fake_env_quiet(&f->fe, QUIET_MS);
    drop(f, "c2/app.log");
    fake_env_wait(&f->fe, 3);
    expect_report(f, "log-removed", "c2/app.log", " read_bytes=2");
    teardown(f);
}

/* ---- closed ---- */

static void closed_to_us(void **state)
{
    (void)state;
    struct fixture *f = setup("logs/a.log");
    bool is_root = geteuid() == 0; /* root reads everything: be nobody */
    if (is_root) {
        assert_int_equal(chown(f->dir, NOBODY, NOBODY), 0);
        assert_int_equal(seteuid(NOBODY), 0);
    }
    assert_int_equal(mkdir(in_dir(f, "logs"), 0700), 0);
    append(f, "logs/a.log", "1\n");
    start(f);
    fake_env_wait(&f->fe, 1);
    assert_int_equal(chmod(in_dir(f, "logs/a.log"), 0), 0);
    fake_env_wait(&f->fe, 2);
    expect_report(f, "log-unreadable", "logs/a.log", "");
    restart(f, false);
    fake_env_quiet(&f->fe, QUIET_MS);
    assert_int_equal(chmod(in_dir(f, "logs/a.log"), 0600), 0);
    append(f, "logs/a.log", "2\n");
    fake_env_wait(&f->fe, 3);
    assert_int_equal(chmod(in_dir(f, "logs"), 0), 0);
    fake_env_wait(&f->fe, 4);
    expect_report(f, "log-unreadable", "logs/a.log", "");
    assert_int_equal(chmod(in_dir(f, "logs"), 0700), 0);
    teardown(f);
    if (is_root) {
        assert_int_equal(seteuid(0), 0);
    }
}

/* ---- settings ---- */

static void nothing_is_told_when_switched_off(void **state)
{
    (void)state;
    struct fixture *f = setup("app.log");
    f->conf.tampering = false;
    append(f, "app.log", "1\n");
    start(f);
    fake_env_wait(&f->fe, 1);
    empty(f, "app.log");
    append(f, "app.log", "2\n");
    fake_env_wait(&f->fe, 2);
    drop(f, "app.log");
    fake_env_quiet(&f->fe, QUIET_MS);
    restart(f, false);
    fake_env_quiet(&f->fe, QUIET_MS);
    teardown(f);
}

static void names_are_written_safely(void **state)
{
    (void)state;
    struct fixture *f = setup("*.log");
    append(f, "a\" \\b\n.log", "1\n");
    start(f);
    fake_env_wait(&f->fe, 1);
    drop(f, "a\" \\b\n.log");
    fake_env_wait(&f->fe, 2);
    assert_true(hd_slice_ends(fake_sink_line(&f->fe.sink, 1),
                              HD_SLICE("/a\\\" \\\\b\\\\x0a.log\" read_bytes=2")));
    teardown(f);
}

/* Each of its bytes is written as five, and the line is read on all the same. */
static void the_longest_names(void **state)
{
    (void)state;
    char name[200];
    struct fixture *f = setup("*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*.log");
    memset(name, 0xff, sizeof(name));
    name[sizeof(name) - 1] = '\0';
    int home = open(".", O_RDONLY | O_DIRECTORY);
    assert_true(home >= 0);
    assert_int_equal(chdir(f->dir), 0);
    for (unsigned i = 0; i < DEPTH; i++) {
        assert_int_equal(mkdir(name, 0700), 0);
        assert_int_equal(chdir(name), 0);
    }
    int fd = open("a.log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_int_equal(write(fd, "1\n", 2), 2);
    start(f);
    fake_env_wait(&f->fe, 1);
    assert_int_equal(ftruncate(fd, 0), 0);
    fake_env_wait(&f->fe, 2);
    struct hd_slice told = fake_sink_line(&f->fe.sink, 1);
    assert_true(hd_slice_starts(told, HD_SLICE("log-emptied file.path=\"/")));
    assert_true(told.len > (sizeof(name) - 1) * DEPTH * 5);
    assert_int_equal(write(fd, "2\n", 2), 2);
    assert_int_equal(close(fd), 0);
    fake_env_wait(&f->fe, 3);
    assert_int_equal(fchdir(home), 0);
    assert_int_equal(close(home), 0);
    teardown(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emptied),
        cmocka_unit_test(cut_and_changed),
        cmocka_unit_test(a_report_is_there_once),
        cmocka_unit_test(a_report_waits_for_room),
        cmocka_unit_test(who_cannot_tell_waits),
        cmocka_unit_test(what_was_not_read_is_lost),
        cmocka_unit_test(copytruncate_is_a_rotation),
        cmocka_unit_test(copytruncate_that_compresses),
        cmocka_unit_test(copytruncate_behind_a_link),
        cmocka_unit_test(an_older_archive_explains_nothing),
        cmocka_unit_test(an_archive_that_holds_nothing_explains_nothing),
        cmocka_unit_test(a_copy_that_matches_is_not_read_again),
        cmocka_unit_test(what_only_the_copy_has_is_read_there),
        cmocka_unit_test(a_copy_that_is_compressed_at_once),
        cmocka_unit_test(a_copy_waits_for_what_is_paused),
        cmocka_unit_test(a_copy_may_be_shorter_than_what_was_read),
        cmocka_unit_test(a_copy_that_matches_while_down),
        cmocka_unit_test(a_file_that_only_begins_alike_is_read),
        cmocka_unit_test(removed),
        cmocka_unit_test(removed_once_however_we_end),
        cmocka_unit_test(renamed_and_removed),
        cmocka_unit_test(a_successor_is_a_rotation),
        cmocka_unit_test(compressed_without_a_successor),
        cmocka_unit_test(rotated_while_down_is_a_rotation),
        cmocka_unit_test(replaced_by_older_content),
        cmocka_unit_test(replaced_while_down),
        cmocka_unit_test(old_files_are_removed_by_retention),
        cmocka_unit_test(a_directory_of_many_may_go),
        cmocka_unit_test(closed_to_us),
        cmocka_unit_test(nothing_is_told_when_switched_off),
        cmocka_unit_test(names_are_written_safely),
        cmocka_unit_test(the_longest_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
