/* SPDX-License-Identifier: Apache-2.0
 *
 * A real process writes a journal and is killed, fifty times, at random moments, while
 * two other processes follow it. Whatever it said was committed is there; the followers
 * see every entry once, in order, through all of it.
 */
#include "tests/unit/lib/journal_helper.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 50
#define END    INT64_MAX /* time of the last entry of all */

struct child {
    pid_t pid;
    int pipe; /* read end */
};

static struct child start(int (*run)(const char *dir, int out), const char *dir)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ends[0]);
        _exit(run(dir, ends[1]));
    }
    (void)close(ends[1]);
    return (struct child){pid, ends[0]};
}

static struct hd_journal *open_small(const char *dir)
{
    struct hd_journal_opts opts = {.dir = dir, .segment_bytes = 20000};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    int err = hd_journal_open(&opts, &j, &recovery);
    return err == HD_OK && recovery.damaged_bytes == 0 && recovery.lost_entries == 0
               ? j
               : NULL;
}

/* Says the number of the last entry after each commit; ends by being killed. */
static int write_for_ever(const char *dir, int out)
{
    struct hd_journal *j = open_small(dir);
    if (j == NULL) {
        return 1;
    }
    for (;;) {
        uint64_t n = hd_journal_next_index(j);
        for (uint64_t last = n + n % 5; n <= last; n++) {
            struct hd_journal_entry entry = hd_test_entry(n);
            if (hd_journal_append(j, &entry) != HD_OK) {
                return 2;
            }
        }
        uint64_t said = n - 1;
        if (hd_journal_commit(j) != HD_OK || write(out, &said, sizeof(said)) < 0) {
            return 3;
        }
    }
}

static int follow(const char *dir, int out)
{
    struct hd_journal_reader *r = NULL;
    char name[32];
    (void)snprintf(name, sizeof(name), "follower-%ld", (long)getpid());
    if (hd_journal_reader_open(dir, name, &r) != HD_OK) {
        return 1;
    }
    int fd = hd_journal_reader_fd(r);
    uint64_t n = 0;
    if (fd < 0 || write(out, &n, sizeof(n)) < 0) { /* ready */
        return 1;
    }
    for (;;) {
        struct hd_journal_entry entry;
        int err = hd_journal_reader_next(r, &entry);
        if (err == HD_EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLIN};
            if (poll(&p, 1, 60000) != 1) {
                return 2;
            }
            hd_journal_reader_drain(r);
            continue;
        }
        if (err != HD_OK || entry.index != n + 1) {
            return 3;
        }
        if (entry.time_max == END) {
            hd_journal_reader_close(r);
            return 0;
        }
        hd_test_entry_check(&entry, ++n);
    }
}

static uint64_t await(const struct child *child)
{
    uint64_t said = 0;
    assert_int_equal(read(child->pipe, &said, sizeof(said)), sizeof(said));
    return said;
}

/* Kills the writer and returns the last entry that it promised. */
static uint64_t kill_writer(struct child *writer)
{
    assert_int_equal(kill(writer->pid, SIGKILL), 0);
    int status = 0;
    assert_int_equal(waitpid(writer->pid, &status, 0), writer->pid);
    assert_true(WIFSIGNALED(status));
    uint64_t said = 0;
    uint64_t promised = 0;
    while (read(writer->pipe, &said, sizeof(said)) == sizeof(said)) {
        promised = said;
    }
    (void)close(writer->pipe);
    return promised;
}

static uint64_t read_all(const char *dir)
{
    struct hd_journal_reader *r = hd_test_reader(dir, NULL);
    struct hd_journal_entry entry;
    uint64_t n = 0;
    while (hd_journal_reader_next(r, &entry) == HD_OK) {
        n++;
        assert_int_equal(entry.index, n);
        hd_test_entry_check(&entry, n);
    }
    hd_journal_reader_close(r);
    return n;
}

static void test_kill_fifty_times(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    hd_journal_close(open_small(dir));
    struct child followers[2];
    for (int i = 0; i < 2; i++) {
        followers[i] = start(follow, dir);
        (void)await(&followers[i]);
    }
    uint64_t x = 88172645463325252U;
    for (int round = 0; round < ROUNDS; round++) {
        struct child writer = start(write_for_ever, dir);
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        uint64_t promised = 0;
        for (uint64_t i = 0; i <= x % 30; i++) {
            promised = await(&writer);
        }
        uint64_t later = kill_writer(&writer);
        promised = later > promised ? later : promised;
        /* the mark alone must show what was promised, before anything is recovered */
        assert_true(read_all(dir) >= promised);
        struct hd_journal *j = open_small(dir);
        assert_non_null(j);
        assert_true(hd_journal_next_index(j) > promised);
        assert_int_equal(read_all(dir), hd_journal_next_index(j) - 1);
        hd_journal_close(j);
    }
    struct hd_journal *j = open_small(dir);
    struct hd_journal_entry end = hd_test_entry(1);
    end.time_max = END;
    assert_int_equal(hd_journal_append(j, &end), HD_OK);
    hd_journal_close(j);
    for (int i = 0; i < 2; i++) {
        int status = 0;
        assert_int_equal(waitpid(followers[i].pid, &status, 0), followers[i].pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        (void)close(followers[i].pipe);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill_fifty_times)};
    hd_test_in_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
