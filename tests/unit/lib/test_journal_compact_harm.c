/* SPDX-License-Identifier: Apache-2.0
 *
 * What compaction must not do: take what is too young, lose what it exchanges, write
 * where it is led, believe what cannot be.
 */
#include "tests/unit/lib/compact_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/journal_copy.h>

#include "lib/journal_priv.h"

/* The age that the writer has: it is written down, made anew, and taken back. */
static void write_least(struct cw *w, int64_t age_ns)
{
    const struct hd_journal_opts opts = {.dir = w->dir,
                                         .segment_bytes = SEGMENT,
                                         .retain_min_ns = age_ns,
                                         .seal_key = w->key[0]};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    hd_journal_close(j);
}

static void what_is_too_young_keeps_all(void **state)
{
    (void)state;
    struct cw w;
    unsigned gaps;
    int64_t wall = HD_NS_PER_SEC * 1000000, mono = HD_NS_PER_SEC;
    hd_clock_fake(&wall, &mono);
    cw_open(&w);
    w.drop_from = 1;
    w.drop_to = N;
    assert_int_equal(access(hd_test_path(w.dir, "write-once-min"), F_OK), -1);
    write_least(&w, 100 * HD_NS_PER_SEC);
    wall += 99 * HD_NS_PER_SEC;
    struct hd_compact_result r = cw_compact(&w, 0);
    assert_true(r.outcome == HD_COMPACT_DONE && r.is_young && r.dropped == 0);
    assert_int_equal(cw_compact(&w, 0).outcome, HD_COMPACT_NOTHING);
    wall -= 200 * HD_NS_PER_SEC; /* the clock is set back: it is no older for that */
    r = cw_compact(&w, 0);
    assert_true(r.outcome == HD_COMPACT_NOTHING && r.is_young);
    assert_int_equal(cw_read_all(&w, 60, &gaps), N);
    /* what the caller asks for counts, too; the longer of both */
    wall += 301 * HD_NS_PER_SEC;
    struct hd_compact_opts opts = cw_compact_opts(&w);
    opts.keep_ns = 201 * HD_NS_PER_SEC;
    assert_true(cw_compact_with(&opts, 1).is_young);
    write_least(&w, 300 * HD_NS_PER_SEC);
    assert_true(cw_compact(&w, 0).is_young);
    write_least(&w, 0);
    opts.keep_ns = 200 * HD_NS_PER_SEC;
    r = cw_compact_with(&opts, 1);
    assert_true(r.outcome == HD_COMPACT_DONE && !r.is_young && r.dropped == r.entries);
    assert_int_equal(cw_check(&w), 0);
    hd_clock_fake(NULL, NULL);
    cw_close(&w);
}

/* Each byte of the line changed, and the line cut anywhere. */
static void an_age_that_cannot_be_read_lets_nothing_go(void **state)
{
    (void)state;
    struct cw w;
    size_t len;
    struct hd_compact *c = NULL;
    cw_open(&w);
    write_least(&w, HD_NS_PER_SEC);
    const char *path = hd_test_path(w.dir, "write-once-min");
    uint8_t *line = hd_test_slurp(path, &len);
    assert_int_equal(len, 45);
    struct hd_compact_opts opts = cw_compact_opts(&w);
    for (size_t i = 0; i < 2 * len; i++) {
        line[i % len] ^= i < len ? 1 : 0;
        hd_test_spill(path, line, i < len ? len : i - len);
        opts.drop = cw_drop;
        assert_int_equal(hd_compact_open(&opts, &c), HD_ECORRUPT);
        opts.drop = NULL; /* needs no age */
        assert_int_equal(hd_compact_open(&opts, &c), HD_OK);
        hd_compact_close(c);
        line[i % len] ^= i < len ? 1 : 0;
    }
    write_least(&w, HD_NS_PER_SEC); /* the writer's next start mends it */
    opts.drop = cw_drop;
    assert_int_equal(hd_compact_open(&opts, &c), HD_OK);
    hd_test_spill(path, line, 3);
    struct hd_compact_result r;
    assert_int_equal(hd_compact_segment(c, 1, &r), HD_ECORRUPT);
    hd_compact_close(c);
    free(line);
    cw_close(&w);
}

static int refuse_write(void *ctx, int fd, const struct iovec *iov, int n, uint64_t at,
                        size_t *put)
{
    struct hd_io_ops *ops = ctx;
    bool is_line = n == 1 && iov[0].iov_len == 45; /* of no other length is a write */
    return is_line ? HD_ENOSPC : hd_io_system().ops->pwritev(ops, fd, iov, n, at, put);
}

static void an_age_is_written_down_when_there_is_room(void **state)
{
    (void)state;
    struct cw w;
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    struct hd_compact *c = NULL;
    cw_open(&w);
    struct hd_io_ops ops = *hd_io_system().ops;
    const struct hd_io io = {&ops, &ops};
    const struct hd_journal_opts opts = {
        .dir = w.dir, .segment_bytes = SEGMENT, .retain_min_ns = 3600 * HD_NS_PER_SEC};
    ops.pwritev = refuse_write;
    assert_int_equal(hd_journal_open_io(&opts, &io, &j, &recovery), HD_OK);
    struct hd_compact_opts how = cw_compact_opts(&w);
    how.drop = cw_drop;
    assert_int_equal(hd_compact_open(&how, &c), HD_ECORRUPT); /* rather nothing */
    ops.pwritev = hd_io_system().ops->pwritev;
    assert_int_equal(hd_journal_trim(j), 0);
    w.drop_to = N;
    assert_true(cw_compact(&w, 0).is_young);
    hd_journal_close(j);
    cw_close(&w);
}

static int refuse_dir_sync(void *ctx, int fd)
{
    struct stat st;
    (void)ctx;
    assert_int_equal(fstat(fd, &st), 0);
    return S_ISDIR(st.st_mode) ? HD_EIO : hd_io_system().ops->sync(NULL, fd);
}

/* Nobody can say which of the two names the disk has: both files stay. */
static void the_old_file_stays_until_the_exchange_is_durable(void **state)
{
    (void)state;
    struct cw w;
    struct hd_compact *c = NULL;
    struct hd_compact_result result;
    size_t old_len, aside_len;
    cw_open(&w);
    struct hd_io_ops ops = *hd_io_system().ops;
    const struct hd_io io = {.ops = &ops};
    const struct hd_compact_opts opts = cw_compact_opts(&w);
    const char *aside = hd_test_path(w.dir, ".compact/00000000000000000001.zst");
    uint8_t *old = hd_test_slurp(cw_segment_path(&w, 0), &old_len);
    ops.sync = refuse_dir_sync;
    assert_int_equal(hd_compact_open_io(&opts, &io, &c), HD_OK);
    assert_int_equal(hd_compact_segment(c, 1, &result), HD_EIO);
    hd_compact_close(c);
    uint8_t *kept = hd_test_slurp(aside, &aside_len);
    assert_int_equal(aside_len, old_len);
    assert_memory_equal(kept, old, old_len);
    assert_int_equal(cw_check(&w), 0);
    assert_int_equal(cw_compact(&w, 0).outcome, HD_COMPACT_NOTHING);
    assert_int_equal(access(aside, F_OK), -1);
    free(kept);
    free(old);
    cw_close(&w);
}

/* Sealed and signed as it is: what its header says of the length is not so. */
static void a_length_that_is_not_so_is_told_and_left(void **state)
{
    static const uint32_t lengths[] = {0, 1, (64U << 20) - 1, 64U << 20, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct cw w;
        cw_make(&w);
        struct hd_journal *j = cw_journal_open(&w, 0);
        struct hd_journal_entry entry = cw_entry_of(1, 60);
        entry.raw_len = lengths[i];
        assert_int_equal(hd_journal_append(j, &entry), HD_OK);
        cw_append(j, 2, N, 60);
        hd_journal_close(j);
        cw_list(&w);
        assert_int_equal(cw_check(&w), 0);
        assert_int_equal(cw_compact(&w, 0).outcome, HD_COMPACT_REFUSED);
        assert_int_equal(w.found[HD_CHECK_DAMAGE], 1);
        assert_int_equal(cw_compact(&w, 1).outcome, HD_COMPACT_DONE);
        cw_close(&w);
    }
}

/* By the user who owns the directory, when root compacts it. */
static void a_link_aside_is_not_followed(void **state)
{
    (void)state;
    struct cw w;
    struct hd_compact *c = NULL;
    struct hd_compact_result result;
    struct hd_journal_copy *copy = NULL;
    struct hd_check_file file;
    char victim[512];
    size_t len;
    cw_open(&w);
    (void)snprintf(victim, sizeof(victim), "%s/victim", w.dir);
    hd_test_spill(victim, (const uint8_t *)"of root", 7);
    const struct hd_compact_opts opts = cw_compact_opts(&w);
    assert_int_equal(hd_compact_open(&opts, &c), HD_OK);
    assert_int_equal(
        symlink(victim, hd_test_path(w.dir, ".compact/00000000000000000001.zst")), 0);
    assert_int_equal(hd_compact_segment(c, 1, &result), HD_EEXIST);
    assert_int_equal(hd_compact_segment(c, 1, &result), HD_OK);
    hd_compact_close(c);
    const char *other = hd_test_tmpdir();
    assert_int_equal(hd_journal_copy_open(other, &copy), HD_OK);
    assert_int_equal(
        symlink(victim, hd_test_path(other, ".part/00000000000000000001.zst")), 0);
    assert_int_equal(hd_check_file_open(w.dir, 1, &file), HD_OK);
    assert_int_equal(hd_journal_copy_file(copy, &file, 1000), HD_OK);
    hd_fs_close_fd(&file.fd);
    hd_journal_copy_close(copy);
    uint8_t *now = hd_test_slurp(victim, &len);
    assert_int_equal(len, 7);
    assert_memory_equal(now, "of root", 7);
    free(now);
    cw_close(&w);
}

int main(void)
{
    hd_test_in_memory();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_too_young_keeps_all),
        cmocka_unit_test(an_age_that_cannot_be_read_lets_nothing_go),
        cmocka_unit_test(an_age_is_written_down_when_there_is_room),
        cmocka_unit_test(the_old_file_stays_until_the_exchange_is_durable),
        cmocka_unit_test(a_length_that_is_not_so_is_told_and_left),
        cmocka_unit_test(a_link_aside_is_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
