/* SPDX-License-Identifier: Apache-2.0
 *
 * What is remembered outlives crashes.
 */
#include "tests/unit/correlator/detect_helper.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/hash.h>

#include "correlator/metrics.h"
#include "tests/support/alloc.h"

/* A replay must know the ids of all alerts since the snapshot. */
static void many_alerts_bring_a_snapshot(void **state)
{
    (void)state;
    uint64_t snapshots = COR_READ(COR_M_SNAPSHOTS), before = world_lines();
    world_remember(3600 * HD_NS_PER_SEC);
    w.opts.remember = 40;
    world_start(1);
    for (unsigned i = 0; i < 11; i++) { /* a quarter, and one more */
        assert_int_equal(COR_READ(COR_M_SNAPSHOTS), snapshots);
        world_archive("web1", 1, "Accepted", "203.0.113.9");
        world_examined(before, i + 1);
    }
    for (unsigned i = 0; COR_READ(COR_M_SNAPSHOTS) == snapshots; i++) {
        assert_true(i < 15000);
        (void)poll(NULL, 0, 2);
    }
    world_stop();
}

static void expect_slow(unsigned n)
{
    struct world_alerts a = world_alerts();
    assert_int_equal(world_count(&a, "Slow"), n);
    world_drop(&a);
}

/* In the child: tells when the lines are examined, their alerts published and, if asked
 * for, a snapshot is durable; then waits for its end. */
static void run_to_be_killed(int tell, uint64_t lines, uint64_t alerts, bool saved)
{
    uint64_t snapshots = COR_READ(COR_M_SNAPSHOTS) + saved;
    uint64_t published = COR_READ(COR_M_PUBLISHED) + alerts, before = world_lines();
    world_start(1);
    world_examined(before, lines);
    while (COR_READ(COR_M_PUBLISHED) < published ||
           COR_READ(COR_M_SNAPSHOTS) < snapshots) {
        (void)poll(NULL, 0, 2);
    }
    assert_int_equal(write(tell, "x", 1), 1);
    for (;;) {
        (void)pause();
    }
}

/* One detector, killed when it has done all that. */
static void detect_and_kill(uint64_t lines, uint64_t alerts, bool saved)
{
    int ends[2], status;
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ends[0]);
        run_to_be_killed(ends[1], lines, alerts, saved);
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    (void)close(ends[0]);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static void a_slow_attack_cut_by_kill_9_is_seen_once(void **state)
{
    (void)state;
    world_use_slow_rule();
    world_remember(HD_NS_PER_MS * 10);
    world_archive("web1", 4, "Failed", "203.0.113.9");
    detect_and_kill(4, 0, true);
    w.now_ns += 3000 * HD_NS_PER_SEC;
    /* this one is killed after the alert, and before what it has seen is saved */
    world_remember(3600 * HD_NS_PER_SEC);
    world_archive("web1", 2, "Failed", "203.0.113.9");
    detect_and_kill(2, 1, false);
    expect_slow(1);
    uint64_t replayed = COR_READ(COR_M_REPLAYED);
    world_detect(2);
    assert_int_equal(COR_READ(COR_M_REPLAYED), replayed + 1);
    expect_slow(1);
    world_archive("web1", 3, "Failed", "203.0.113.9");
    world_detect(3);
    expect_slow(1);
}

/* Without the snapshot the same attack passes: the test above sees what it is to see. */
static void a_warm_up_is_not_enough_for_that(void **state)
{
    (void)state;
    world_use_slow_rule();
    world_archive("web1", 4, "Failed", "203.0.113.9");
    world_detect(4);
    w.now_ns += 3000 * HD_NS_PER_SEC;
    world_archive("web1", 2, "Failed", "203.0.113.9");
    world_detect(2);
    expect_slow(0);
}

static void repeats_outlive_kill_9(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RUL_SUPPRESS_SEVERITIES; i++) {
        w.opts.suppress.window_ns[i] = 30 * HD_NS_PER_SEC;
    }
    world_remember(HD_NS_PER_MS * 10);
    world_archive("web1", 5, "Accepted", "203.0.113.9");
    detect_and_kill(5, 1, true);
    w.now_ns += 31 * HD_NS_PER_SEC;
    world_archive("web1", 1, "Accepted", "203.0.113.9");
    world_detect(1);
    struct world_alerts a = world_alerts();
    assert_int_equal(a.n, 2);
    assert_int_equal(hd_alert_int(a.all[1], "suppressed", -1), 4);
    world_drop(&a);
}

static void an_orderly_end_saves_the_last_line(void **state)
{
    (void)state;
    world_use_slow_rule();
    world_remember(3600 * HD_NS_PER_SEC);
    world_archive("web1", 5, "Failed", "203.0.113.9");
    world_detect(5);
    w.now_ns += 3000 * HD_NS_PER_SEC;
    world_archive("web1", 1, "Failed", "203.0.113.9");
    world_detect(1);
    expect_slow(1);
}

/* Damaged, of other detectors, of another archive: as if there were none. */
static void a_snapshot_that_does_not_fit_is_passed_over(void **state)
{
    (void)state;
    world_remember(3600 * HD_NS_PER_SEC);
    world_archive("web1", 4, "Failed", "203.0.113.9");
    world_detect(4);
    struct hd_buf file;
    hd_buf_init(&file, 0);
    assert_int_equal(hd_fs_read(w.snapshot, 1 << 20, &file), HD_OK);
    file.ptr[file.len / 2] ^= 1;
    assert_int_equal(hd_fs_write_atomic(w.snapshot, hd_buf_slice(&file), 0600), HD_OK);
    world_archive("web1", 2, "Failed", "203.0.113.9");
    world_detect(6); /* four of them in the warm-up */
    world_expect(1, 0);
    world_start(2);
    world_stop();
    file.ptr[file.len / 2] ^= 1; /* older than the reader's own cursor */
    assert_int_equal(hd_fs_write_atomic(w.snapshot, hd_buf_slice(&file), 0600), HD_OK);
    world_archive("web1", 1, "Accepted", "203.0.113.9");
    world_detect(7);
    world_expect(1, 1);
    hd_buf_fini(&file);
}

/* The first `len` bytes, for so many detectors. */
static int read_snapshot(const struct hd_buf *file, size_t len, unsigned detectors)
{
    struct cor_cursors cursors = {.n = detectors};
    struct rul_suppress *suppress = NULL;
    struct rul_correlator *correlator = NULL;
    const struct rul_correlator_opts opts = {0};
    assert_int_equal(hd_fs_write_atomic(w.snapshot, hd_slice(file->ptr, len), 0600),
                     HD_OK);
    assert_int_equal(rul_suppress_new(&w.opts.suppress, &suppress), HD_OK);
    assert_int_equal(rul_correlator_new(&opts, &correlator), HD_OK);
    assert_int_equal(rul_correlator_use(correlator, w.in_force->set), HD_OK);
    int err = cor_snapshot_read(
        w.snapshot, w.archive_dir,
        &(struct cor_remembered){suppress, correlator, w.in_force}, &cursors);
    rul_correlator_free(correlator);
    rul_suppress_free(suppress);
    return err;
}

/* What is wrong with a snapshot is told apart; whatever it is, detection starts. */
static void what_is_wrong_with_a_snapshot_is_said(void **state)
{
    (void)state;
    struct hd_buf file;
    world_remember(3600 * HD_NS_PER_SEC);
    world_archive("web1", 4, "Failed", "203.0.113.9");
    world_detect(4);
    hd_buf_init(&file, 0);
    assert_int_equal(hd_fs_read(w.snapshot, 1 << 20, &file), HD_OK);
    assert_int_equal(read_snapshot(&file, file.len, 1), HD_OK);
    for (size_t len = 0; len < file.len; len++) {
        assert_int_equal(read_snapshot(&file, len, 1), HD_ECORRUPT);
    }
    for (size_t i = 0; i < file.len; i++) {
        file.ptr[i] ^= 4;
        assert_int_equal(read_snapshot(&file, file.len, 1),
                         i == 6 || i == 7 ? HD_EVERSION : HD_ECORRUPT);
        file.ptr[i] ^= 4;
    }
    assert_int_equal(read_snapshot(&file, file.len, 2), HD_EINVAL);
    struct cor_memory memory;
    const struct cor_memory_opts opts = {.suppress = w.opts.suppress,
                                         .snapshot = w.snapshot,
                                         .archive_dir = w.archive_dir,
                                         .detectors = 2};
    uint64_t refused = COR_READ(COR_M_SNAPSHOTS_REFUSED);
    assert_int_equal(cor_memory_init(&opts, w.in_force, &memory), HD_OK);
    assert_false(memory.is_resumed);
    assert_int_equal(COR_READ(COR_M_SNAPSHOTS_REFUSED), refused + 1);
    cor_memory_fini(&memory);
    hd_buf_fini(&file);
}

/* Before there was noise in it: 4 bytes less, when there is nothing else in it either. */
static void a_snapshot_of_the_version_before_is_read(void **state)
{
    (void)state;
    const struct cor_cursors cursors = {.n = 1};
    struct hd_buf file, old;
    struct cor_memory memory;
    const struct cor_memory_opts opts = {
        .suppress = w.opts.suppress, .archive_dir = w.archive_dir, .detectors = 1};
    hd_buf_init(&file, 0);
    hd_buf_init(&old, 0);
    assert_int_equal(cor_memory_init(&opts, w.in_force, &memory), HD_OK);
    const struct cor_remembered what = {memory.suppress, memory.correlator, w.in_force};
    assert_int_equal(cor_snapshot_encode(&cursors, &what, &file), HD_OK);
    const size_t head = 12, noise = head + 4 + 24 + 12;
    hd_buf_bytes(&old, file.ptr, noise);
    hd_buf_bytes(&old, file.ptr + noise + 4, file.len - noise - 4);
    old.ptr[6] = '1';
    struct hd_buf crc = hd_buf_fixed(old.ptr + head - 4, 4);
    hd_buf_le32(&crc, hd_crc32c(0, old.ptr + head, old.len - head));
    assert_int_equal(read_snapshot(&old, old.len, 1), HD_OK);
    cor_memory_fini(&memory);
    hd_buf_fini(&old);
    hd_buf_fini(&file);
}

/* Lack of memory while it is read is told from damage; written it is whole or not. */
static void a_snapshot_needs_memory(void **state)
{
    (void)state;
    struct hd_buf file;
    world_remember(3600 * HD_NS_PER_SEC);
    world_archive("web1", 4, "Failed", "203.0.113.9");
    world_detect(4);
    hd_buf_init(&file, 0);
    assert_int_equal(hd_fs_read(w.snapshot, 1 << 20, &file), HD_OK);
    const struct cor_memory_opts opts = {.suppress = w.opts.suppress,
                                         .snapshot = w.snapshot,
                                         .archive_dir = w.archive_dir,
                                         .detectors = 1};
    HD_TEST_ALLOC_EACH(n)
    {
        struct cor_memory memory;
        struct hd_buf again;
        hd_buf_init(&again, 0);
        int err = cor_memory_init(&opts, w.in_force, &memory);
        bool failed = hd_test_alloc_failed();
        assert_true(err == HD_OK || (failed && err == HD_ENOMEM));
        if (err == HD_OK) {
            const struct cor_remembered what = {memory.suppress, memory.correlator,
                                                w.in_force};
            err = cor_snapshot_encode(&memory.resume, &what, &again);
            bool is_whole = hd_slice_eq(hd_buf_slice(&again), hd_buf_slice(&file));
            assert_true(err == HD_OK ? is_whole : hd_test_alloc_failed());
        }
        hd_test_alloc_stop();
        cor_memory_fini(&memory);
        hd_buf_fini(&again);
    }
    hd_buf_fini(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_slow_attack_cut_by_kill_9_is_seen_once),
        WORLD_TEST(a_warm_up_is_not_enough_for_that),
        WORLD_TEST(repeats_outlive_kill_9),
        WORLD_TEST(an_orderly_end_saves_the_last_line),
        WORLD_TEST(a_snapshot_that_does_not_fit_is_passed_over),
        WORLD_TEST(what_is_wrong_with_a_snapshot_is_said),
        WORLD_TEST(many_alerts_bring_a_snapshot),
        WORLD_TEST(a_snapshot_needs_memory),
        WORLD_TEST(a_snapshot_of_the_version_before_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
