/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads that fail once, each in its turn: what is asked again must be what would have
 * come, whatever the reader or the opening writer was doing.
 */
#include "tests/unit/lib/journal_helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/log.h>

#include "lib/journal_priv.h"

#define N 12U /* entries, three in a segment */

/* The kernel, but for one call. */
struct faulty {
    struct hd_io system;
    unsigned fail_at; /* the n-th call from now; 0 = none */
    bool has_failed;
};

static bool is_due(struct faulty *f)
{
    bool is_now = f->fail_at == 1;
    f->fail_at -= f->fail_at > 0;
    f->has_failed |= is_now;
    return is_now;
}

static int faulty_open(void *ctx, const char *path, int flags, int *fd)
{
    struct faulty *f = ctx;
    *fd = -1;
    return is_due(f) ? HD_EIO : f->system.ops->open(f->system.ctx, path, flags, fd);
}

static int faulty_pread(void *ctx, int fd, struct iovec to, uint64_t at, size_t *got)
{
    struct faulty *f = ctx;
    *got = 0;
    return is_due(f) ? HD_EIO : f->system.ops->pread(f->system.ctx, fd, to, at, got);
}

static int faulty_size(void *ctx, int fd, uint64_t *len)
{
    struct faulty *f = ctx;
    return is_due(f) ? HD_EIO : f->system.ops->size(f->system.ctx, fd, len);
}

static int faulty_list(void *ctx, const char *dir,
                       int (*each)(void *to, const char *name), void *to)
{
    struct faulty *f = ctx;
    return is_due(f) ? HD_EIO : f->system.ops->list(f->system.ctx, dir, each, to);
}

static struct faulty faulty;

static struct hd_io faulty_io(unsigned fail_at)
{
    static struct hd_io_ops ops;
    faulty = (struct faulty){.system = hd_io_system(), .fail_at = fail_at};
    ops = *faulty.system.ops;
    ops.open = faulty_open;
    ops.pread = faulty_pread;
    ops.size = faulty_size;
    ops.list = faulty_list;
    return (struct hd_io){&ops, &faulty};
}

static const char *fresh_dir(void)
{
    static const char *base;
    static char dir[512];
    static unsigned n;
    base = base == NULL ? hd_test_tmpdir() : base;
    (void)snprintf(dir, sizeof(dir), "%s/%u", base, n++);
    return dir;
}

static struct hd_journal *segments_journal(const char *dir)
{
    struct hd_journal_entry entry = hd_test_entry(1);
    uint64_t size = HD_JFMT_ENTRY_LEN + entry.meta.len + entry.payload.len;
    const struct hd_journal_opts opts = {.dir = dir, .segment_bytes = 7 * size / 2};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    return j;
}

/* Reads entries from..to and nothing after them; one call may fail. */
static void read_despite(struct hd_journal_reader *r, uint64_t from, uint64_t to)
{
    uint64_t n = from;
    for (;;) {
        struct hd_journal_entry entry;
        bool had_failed = faulty.has_failed;
        int err = hd_journal_reader_next(r, &entry);
        if (err == HD_OK) {
            hd_test_entry_check(&entry, n);
            assert_int_equal(entry.index, n);
            n++;
        } else if (faulty.has_failed == had_failed) {
            assert_int_equal(err, HD_EAGAIN);
            break;
        }
    }
    assert_int_equal(n, to + 1);
    assert_int_equal(hd_journal_reader_skipped(r), 0);
}

/* From the oldest, then what is written while it reads. */
static void test_reader_reads_on(void **state)
{
    (void)state;
    bool is_more = true;
    for (unsigned fail_at = 1; is_more; fail_at++) {
        const char *dir = fresh_dir();
        struct hd_journal *j = segments_journal(dir);
        hd_test_append(j, 1, N / 2 + 1);
        struct hd_io io = faulty_io(fail_at);
        struct hd_journal_reader *r = NULL;
        assert_int_equal(hd_journal_reader_open_io(dir, NULL, &io, &r), HD_OK);
        read_despite(r, 1, N / 2 + 1);
        hd_test_append(j, N / 2 + 2, N);
        read_despite(r, N / 2 + 2, N);
        is_more = faulty.has_failed;
        hd_journal_reader_close(r);
        hd_journal_close(j);
    }
}

/* From a saved position, with and without a hint that holds. */
static void check_resume(uint64_t offset_error)
{
    bool is_more = true;
    for (unsigned fail_at = 1; is_more; fail_at++) {
        const char *dir = fresh_dir();
        struct hd_journal *j = segments_journal(dir);
        hd_test_append(j, 1, N);
        struct hd_io io = faulty_io(0);
        struct hd_journal_reader *r = NULL;
        struct hd_journal_cursor at;
        struct hd_journal_entry entry;
        assert_int_equal(hd_journal_reader_open_io(dir, NULL, &io, &r), HD_OK);
        for (unsigned n = 1; n < 5; n++) {
            assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
        }
        hd_journal_reader_tell(r, &at);
        at.offset += offset_error;
        assert_int_equal(hd_journal_reader_seek(r, &at), HD_OK);
        faulty.fail_at = fail_at;
        read_despite(r, 5, N);
        is_more = faulty.has_failed;
        hd_journal_reader_close(r);
        hd_journal_close(j);
    }
}

static void test_reader_resumes(void **state)
{
    (void)state;
    check_resume(0);
    check_resume(1);
    check_resume(70000);
}

/* A writer that cannot read does not open, and takes nothing away. */
static void test_writer_opens_later(void **state)
{
    (void)state;
    bool is_more = true;
    for (unsigned fail_at = 1; is_more; fail_at++) {
        const char *dir = fresh_dir();
        struct hd_journal *j = segments_journal(dir);
        hd_test_append(j, 1, N);
        hd_journal_close(j);
        struct hd_io io = faulty_io(fail_at);
        const struct hd_journal_opts opts = {.dir = dir};
        struct hd_journal_recovery recovery;
        int err = hd_journal_open_io(&opts, &io, &j, &recovery);
        is_more = faulty.has_failed;
        if (err != HD_OK) {
            assert_true(is_more);
            assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
        }
        assert_int_equal(recovery.next_index, N + 1);
        assert_int_equal(recovery.torn_bytes + recovery.damaged_bytes, 0);
        hd_test_append(j, N + 1, N + 1);
        struct hd_journal_reader *r = hd_test_reader(dir, NULL);
        hd_test_read(r, 1, N + 1);
        hd_journal_reader_close(r);
        hd_journal_close(j);
    }
}

int main(void)
{
    hd_test_in_memory();
    const struct hd_log_opts quiet = {.level = HD_LOG_ERROR, .fd = -1, .burst = 1};
    hd_log_setup(&quiet);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_reads_on),
        cmocka_unit_test(test_reader_resumes),
        cmocka_unit_test(test_writer_opens_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
