/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/lib/journal_helper.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include <haidang/clock.h>

#include "lib/journal_priv.h"

#define FIRST "00000000000000000001.zst"

static unsigned count_segments(const char *dir)
{
    unsigned n = 0;
    DIR *entries = opendir(dir);
    assert_non_null(entries);
    for (struct dirent *e = readdir(entries); e != NULL; e = readdir(entries)) {
        n += strstr(e->d_name, ".zst") != NULL;
    }
    (void)closedir(entries);
    return n;
}

static struct hd_journal *open_small(const char *dir, uint64_t segment_bytes,
                                     uint64_t retain_bytes)
{
    struct hd_journal_opts opts = {
        .dir = dir, .segment_bytes = segment_bytes, .retain_bytes = retain_bytes};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    return j;
}

static void test_append_commit_read(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal_reader *r = hd_test_reader(dir, NULL);
    struct hd_journal_entry entry;
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_EAGAIN);
    struct hd_journal *j = hd_test_journal(dir);
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_EAGAIN);
    assert_int_equal(hd_journal_next_index(j), 1);
    struct hd_journal_entry one = hd_test_entry(1);
    assert_int_equal(hd_journal_append(j, &one), HD_OK);
    /* not durable yet: nobody may see it */
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_EAGAIN);
    assert_int_equal(hd_journal_commit(j), HD_OK);
    hd_test_read(r, 1, 1);
    hd_test_append(j, 2, 100);
    assert_int_equal(hd_journal_reader_lag(r), 99);
    hd_test_read(r, 2, 100);
    assert_int_equal(hd_journal_reader_lag(r), 0);
    hd_journal_close(j);
    hd_journal_reader_close(r);
}

static void check_rest(struct hd_journal_reader *r, struct hd_journal *j,
                       uint64_t entries, const struct hd_journal_cursor *from)
{
    struct hd_journal_rest rest;
    assert_int_equal(hd_journal_reader_rest(r, from, &rest), HD_OK);
    assert_int_equal(rest.entries, entries);
    if (entries == 0) {
        assert_int_equal(rest.bytes, 0);
    } else {
        assert_in_range(rest.bytes, 1, hd_journal_bytes(j) - 1);
    }
}

/* From every position: entries to the last, bytes that shrink with each entry. */
static void test_what_is_left(void **state)
{
    (void)state;
    enum { N = 200 };
    const char *dir = hd_test_tmpdir();
    struct hd_journal_reader *r = hd_test_reader(dir, NULL);
    struct hd_journal_cursor at = {0};
    struct hd_journal_rest rest, before = {.bytes = UINT64_MAX};
    struct hd_journal_entry entry;
    assert_int_equal(hd_journal_reader_rest(r, &at, &rest), HD_OK);
    assert_int_equal(rest.entries + rest.bytes, 0);
    struct hd_journal *j = open_small(dir, 4096, 0);
    hd_test_append(j, 1, N);
    check_rest(r, j, N, &at);
    for (uint64_t n = 1; n <= N; n++) {
        hd_journal_reader_tell(r, &at);
        check_rest(r, j, N - n + 1, &at);
        assert_int_equal(hd_journal_reader_rest(r, &at, &rest), HD_OK);
        assert_true(rest.bytes < before.bytes);
        before = rest;
        assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
    }
    hd_journal_reader_tell(r, &at);
    check_rest(r, j, 0, &at);
    hd_test_append(j, N + 1, N + 1);
    check_rest(r, j, 1, &at);
    hd_journal_close(j);
    hd_journal_reader_close(r);
}

static void test_headers_only(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal *j = open_small(dir, 4096, 0);
    hd_test_append(j, 1, 60);
    struct hd_journal_reader *r = hd_test_reader(dir, NULL);
    struct hd_journal_entry entry;
    for (uint64_t n = 1; n <= 60; n++) {
        assert_int_equal(hd_journal_reader_next_header(r, &entry), HD_OK);
        assert_null(entry.payload.ptr);
        hd_test_entry_check(&entry, n);
    }
    assert_int_equal(hd_journal_reader_next_header(r, &entry), HD_EAGAIN);
    hd_journal_reader_close(r);
    hd_journal_close(j);
}

static void test_index_goes_on_after_reopen(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    uint64_t n = 1;
    for (int round = 0; round < 8; round++) {
        struct hd_journal *j = open_small(dir, 1500, 1);
        assert_int_equal(hd_journal_next_index(j), n);
        hd_test_append(j, n, n + 6);
        n += 7;
        hd_journal_close(j);
    }
    /* no reader: all but the last segment went, and still the index is known */
    assert_int_equal(count_segments(dir), 1);
    struct hd_journal_reader *r = hd_test_reader(dir, NULL);
    struct hd_journal_entry entry;
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
    assert_true(entry.index > 40);
    hd_test_entry_check(&entry, entry.index);
    hd_journal_reader_close(r);
}

static void test_one_writer(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal *j = hd_test_journal(dir);
    struct hd_journal_opts opts = {.dir = dir};
    struct hd_journal_recovery recovery;
    struct hd_journal *second = NULL;
    assert_int_equal(hd_journal_open(&opts, &second, &recovery), HD_EBUSY);
    assert_null(second);
    hd_journal_close(j);
    hd_journal_close(hd_test_journal(dir));
}

static void test_refused_arguments(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal *j = hd_test_journal(dir);
    struct hd_journal_entry entry = hd_test_entry(1);
    entry.payload.len--;
    assert_int_equal(hd_journal_append(j, &entry), HD_EINVAL);
    entry.payload = HD_SLICE("not a frame of zstd");
    assert_int_equal(hd_journal_append(j, &entry), HD_EINVAL);
    entry.payload = HD_SLICE("");
    assert_int_equal(hd_journal_append(j, &entry), HD_EINVAL);
    static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 'x'};
    entry.payload = hd_slice(skippable, sizeof(skippable));
    assert_int_equal(hd_journal_append(j, &entry), HD_EINVAL);
    entry = hd_test_entry(1);
    char *meta = calloc(1, HD_JOURNAL_META_MAX + 1);
    entry.meta = hd_slice(meta, HD_JOURNAL_META_MAX + 1);
    assert_int_equal(hd_journal_append(j, &entry), HD_EINVAL);
    entry.meta.len--;
    assert_int_equal(hd_journal_append(j, &entry), HD_OK);
    hd_journal_close(j);
    struct hd_journal_opts opts = {.dir = ""};
    struct hd_journal_recovery recovery;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_EINVAL);
    struct hd_journal_reader *r = NULL;
    assert_int_equal(hd_journal_reader_open(dir, "Bad/Name", &r), HD_EINVAL);
    assert_int_equal(hd_journal_reader_open(dir, "", &r), HD_EINVAL);
    assert_int_equal(hd_journal_reader_open("", NULL, &r), HD_EINVAL);
    free(meta);
}

/* The text that zstdcat prints: all frames of the file, one after the other. */
static char *zstdcat(const char *path)
{
    size_t len = 0;
    uint8_t *data = hd_test_slurp(path, &len);
    char *text = calloc(1, 1 << 20);
    size_t n = ZSTD_decompress(text, (1 << 20) - 1, data, len);
    if (ZSTD_isError(n)) {
        fail_msg("%s: %s", path, ZSTD_getErrorName(n));
    }
    free(data);
    return text;
}

static void test_segments_are_zstd_files(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal *j = open_small(dir, 2000, 0);
    hd_test_append(j, 1, 40);
    char want[64];
    unsigned found = 0;
    DIR *entries = opendir(dir);
    for (struct dirent *e = readdir(entries); e != NULL; e = readdir(entries)) {
        if (strstr(e->d_name, ".zst") == NULL) {
            continue;
        }
        char *text = zstdcat(hd_test_path(dir, e->d_name));
        for (unsigned n = 1; n <= 40; n++) {
            (void)snprintf(want, sizeof(want), "entry %u line 0 ", n);
            found += strstr(text, want) != NULL;
        }
        free(text);
    }
    (void)closedir(entries);
    assert_int_equal(found, 40);
    assert_true(count_segments(dir) > 2);
    hd_journal_close(j);
}

/* ---- readers and cursors ---- */

static void test_named_reader_resumes(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    /* opened before there is a journal */
    struct hd_journal_reader *r = hd_test_reader(hd_test_path(dir, "j"), "uplink");
    struct hd_journal_entry entry;
    struct hd_journal_cursor cursor = {0};
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_EAGAIN);
    assert_int_equal(hd_journal_reader_save(r, &cursor, false), HD_EAGAIN);
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/j", dir);
    struct hd_journal *j = open_small(path, 2000, 0);
    hd_test_append(j, 1, 30);
    for (uint64_t n = 1; n <= 12; n++) {
        assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
        hd_journal_reader_tell(r, &cursor);
        assert_int_equal(cursor.index, n + 1);
        assert_int_equal(hd_journal_reader_save(r, &cursor, n % 5 == 0), HD_OK);
    }
    struct hd_journal_reader *other = NULL;
    assert_int_equal(hd_journal_reader_open(path, "uplink", &other), HD_EBUSY);
    hd_journal_reader_close(r);
    r = hd_test_reader(path, "uplink");
    hd_test_read(r, 13, 30);
    hd_journal_reader_tell(r, &cursor);
    assert_int_equal(hd_journal_reader_save(r, &cursor, true), HD_OK);
    hd_journal_reader_close(r);
    r = hd_test_reader(path, "uplink");
    hd_test_read(r, 31, 30);
    hd_test_append(j, 31, 33);
    hd_test_read(r, 31, 33);
    hd_journal_reader_close(r);
    r = hd_test_reader(path, NULL);
    assert_int_equal(hd_journal_reader_save(r, &cursor, true), HD_EINVAL);
    hd_journal_reader_close(r);
    hd_journal_close(j);
}

static void test_torn_cursor_leaves_the_one_before(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal *j = hd_test_journal(dir);
    hd_test_append(j, 1, 9);
    struct hd_journal_reader *r = hd_test_reader(dir, "a");
    struct hd_journal_cursor cursor = {0};
    struct hd_journal_entry entry;
    for (int n = 1; n <= 5; n++) {
        assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
        hd_journal_reader_tell(r, &cursor);
        assert_int_equal(hd_journal_reader_save(r, &cursor, false), HD_OK);
    }
    hd_journal_reader_close(r);
    const char *path = hd_test_path(dir, "readers/a");
    size_t len = 0;
    uint8_t *text = hd_test_slurp(path, &len);
    assert_int_equal(len, 256);
    unsigned newest = 0;
    for (size_t i = 0; i < len; i++) {
        text[i] ^= 0x10;
        hd_test_spill(path, text, len);
        text[i] ^= 0x10;
        r = hd_test_reader(dir, "a");
        assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
        assert_true(entry.index == 6 || entry.index == 5);
        newest += entry.index == 6;
        hd_journal_reader_close(r);
    }
    assert_int_equal(newest, 128);
    hd_test_spill(path, (const uint8_t *)"rubbish", 7);
    r = hd_test_reader(dir, "a");
    hd_test_read(r, 1, 9);
    hd_journal_reader_close(r);
    free(text);
    hd_journal_close(j);
}

static void test_seek(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal *j = open_small(dir, 3000, 0);
    hd_test_append(j, 1, 80);
    struct hd_journal_reader *r = hd_test_reader(dir, NULL);
    struct hd_journal_entry entry;
    for (uint64_t n = 80; n >= 1; n--) {
        /* without a hint, with a wrong one, with the right one */
        struct hd_journal_cursor cursor = {.index = n};
        for (int how = 0; how < 3; how++) {
            assert_int_equal(hd_journal_reader_seek(r, &cursor), HD_OK);
            assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
            hd_test_entry_check(&entry, n);
            struct hd_journal_cursor after;
            hd_journal_reader_tell(r, &after);
            cursor.segment = after.segment;
            cursor.offset = how == 0 ? 65 : after.offset;
        }
        int64_t time = (int64_t)n * 1000 + 500;
        assert_int_equal(hd_journal_reader_seek_time(r, time), HD_OK);
        do {
            assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
            assert_true(entry.index <= n);
        } while (entry.time_max < time);
        assert_int_equal(entry.index, n);
    }
    assert_int_equal(hd_journal_reader_seek_end(r), HD_OK);
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_EAGAIN);
    assert_int_equal(hd_journal_reader_seek_time(r, INT64_MAX), HD_OK);
    while (hd_journal_reader_next(r, &entry) == HD_OK) {
        assert_true(entry.index > 60);
    }
    hd_test_append(j, 81, 82);
    hd_test_read(r, 81, 82);
    assert_int_equal(hd_journal_reader_seek(r, &(struct hd_journal_cursor){.index = 500}),
                     HD_OK);
    hd_test_read(r, 83, 82);
    hd_test_append(j, 83, 83);
    hd_test_read(r, 83, 83);
    hd_journal_reader_close(r);
    hd_journal_close(j);
}

static void test_another_journal_in_its_place(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal *j = hd_test_journal(dir);
    hd_test_append(j, 1, 9);
    struct hd_journal_reader *r = hd_test_reader(dir, "a");
    struct hd_journal_cursor cursor;
    hd_test_read(r, 1, 9);
    hd_journal_reader_tell(r, &cursor);
    assert_int_equal(hd_journal_reader_save(r, &cursor, false), HD_OK);
    hd_journal_close(j);
    assert_int_equal(unlink(hd_test_path(dir, FIRST)), 0);
    assert_int_equal(unlink(hd_test_path(dir, "mark")), 0);
    j = hd_test_journal(dir);
    hd_test_append(j, 1, 3);
    hd_test_read(r, 1, 3);
    hd_journal_reader_close(r);
    r = hd_test_reader(dir, "a");
    hd_test_read(r, 1, 3);
    hd_journal_reader_close(r);
    hd_journal_close(j);
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

static void test_follow(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    char deep[4096];
    (void)snprintf(deep, sizeof(deep), "%s/a/b", dir);
    struct hd_journal_reader *r = hd_test_reader(deep, NULL);
    int fd = hd_journal_reader_fd(r);
    assert_true(fd >= 0);
    assert_false(is_readable(fd, 0));
    struct hd_journal *j = hd_test_journal(deep);
    for (uint64_t n = 1; n <= 5; n++) {
        hd_test_append(j, n, n);
        assert_true(is_readable(fd, 5000));
        hd_journal_reader_drain(r);
        hd_test_read(r, n, n);
        assert_false(is_readable(fd, 0));
    }
    hd_journal_close(j);
    hd_journal_reader_close(r);
}

/* ---- retention and limits ---- */

static void test_retention_waits_for_readers(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal *j = open_small(dir, 2000, 4000);
    struct hd_journal_reader *slow = hd_test_reader(dir, "slow");
    struct hd_journal_reader *fast = hd_test_reader(dir, "fast");
    struct hd_journal_cursor cursor;
    hd_test_append(j, 1, 200);
    hd_test_read(fast, 1, 200);
    hd_journal_reader_tell(fast, &cursor);
    assert_int_equal(hd_journal_reader_save(fast, &cursor, false), HD_OK);
    unsigned all = count_segments(dir);
    assert_int_equal(hd_journal_trim(j), 0);
    hd_test_read(slow, 1, 200);
    assert_int_equal(count_segments(dir), all);
    assert_int_equal(
        hd_journal_reader_save(slow, &(struct hd_journal_cursor){.index = 100}, false),
        HD_OK);
    int removed = hd_journal_trim(j);
    assert_true(removed > 0);
    assert_int_equal(count_segments(dir), all - (unsigned)removed);
    struct hd_journal_entry entry;
    assert_int_equal(
        hd_journal_reader_seek(slow, &(struct hd_journal_cursor){.index = 9}), HD_OK);
    assert_int_equal(hd_journal_reader_next(slow, &entry), HD_ENOENT);
    assert_int_equal(hd_journal_reader_next(slow, &entry), HD_OK);
    assert_true(entry.index > 9 && entry.index <= 100);
    hd_test_read(slow, entry.index + 1, 200);
    assert_int_equal(hd_journal_removed_unread(j), 0);
    hd_journal_reader_close(slow);
    hd_journal_reader_close(fast);
    hd_journal_close(j);
}

static void test_retention_may_be_told_to_go_on(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal_opts opts = {
        .dir = dir, .segment_bytes = 2000, .retain_bytes = 6000, .retain_unread = true};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    struct hd_journal_reader *r = hd_test_reader(dir, "slow");
    struct hd_journal_entry entry;
    hd_test_append(j, 1, 5);
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
    hd_test_append(j, 6, 200);
    assert_true(hd_journal_bytes(j) < 9000);
    /* the segment in hand is still read to its end */
    uint64_t last = 1;
    int err = hd_journal_reader_next(r, &entry);
    while (err == HD_OK) {
        assert_int_equal(entry.index, last + 1);
        last = entry.index;
        err = hd_journal_reader_next(r, &entry);
    }
    assert_int_equal(err, HD_ENOENT);
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
    assert_true(entry.index > last + 1);
    assert_true(hd_journal_removed_unread(j) >= entry.index - last - 1);
    hd_test_read(r, entry.index + 1, 200);
    hd_journal_reader_close(r);
    hd_journal_close(j);
}

static void test_retention_and_sealing_by_age(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    int64_t wall = INT64_C(1790000000) * HD_NS_PER_SEC;
    int64_t mono = 1;
    hd_clock_fake(&wall, &mono);
    struct hd_journal_opts opts = {
        .dir = dir, .segment_ns = 60 * HD_NS_PER_SEC, .retain_ns = 600 * HD_NS_PER_SEC};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    for (uint64_t n = 1; n <= 40; n++) {
        hd_test_append(j, n, n);
        wall += 30 * HD_NS_PER_SEC;
    }
    /* two entries a segment, ten minutes kept */
    assert_in_range(count_segments(dir), 10, 12);
    hd_journal_close(j);
    /* who opens it knows the ages, too */
    wall += 300 * HD_NS_PER_SEC;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    assert_in_range(count_segments(dir), 5, 7);
    hd_journal_close(j);
    hd_clock_fake(NULL, NULL);
}

static int open_counted(void *ctx, const char *path, int flags, int *fd)
{
    size_t *n = ctx;
    *n += hd_slice_ends(hd_slice_str(path), HD_SLICE(".zst"));
    return hd_io_system().ops->open(NULL, path, flags, fd);
}

/* Each file is asked for its size; the oldest and the last for more. */
static void test_each_segment_is_opened_once(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    const struct hd_journal_opts opts = {.dir = dir, .segment_bytes = 600};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    size_t n = 0;
    struct hd_io_ops ops = *hd_io_system().ops;
    const struct hd_io io = {.ops = &ops, .ctx = &n};
    ops.open = open_counted;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    hd_test_append(j, 1, 60);
    hd_journal_close(j);
    assert_int_equal(hd_journal_open_io(&opts, &io, &j, &recovery), HD_OK);
    assert_true(count_segments(dir) > 6 && n == (size_t)count_segments(dir) + 3);
    hd_journal_close(j);
}

static void test_max_bytes(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal_opts opts = {
        .dir = dir, .segment_bytes = 2000, .max_bytes = 8000, .retain_bytes = 1};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    struct hd_journal_reader *r = hd_test_reader(dir, "uplink");
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    struct hd_journal_entry got;
    assert_int_equal(hd_journal_reader_next(r, &got), HD_EAGAIN);
    uint64_t n = 1;
    int err = HD_OK;
    while (err == HD_OK) {
        struct hd_journal_entry entry = hd_test_entry(n);
        err = hd_journal_append(j, &entry);
        n += err == HD_OK;
    }
    assert_int_equal(err, HD_ENOSPC);
    assert_in_range(hd_journal_bytes(j), 6500, 8600);
    assert_int_equal(hd_journal_commit(j), HD_OK);
    hd_test_read(r, 1, n - 1);
    struct hd_journal_entry entry = hd_test_entry(n);
    assert_int_equal(hd_journal_append(j, &entry), HD_ENOSPC);
    /* acknowledged: now it goes on, and even the segment in use gives way */
    struct hd_journal_cursor cursor;
    hd_journal_reader_tell(r, &cursor);
    assert_int_equal(hd_journal_reader_save(r, &cursor, false), HD_OK);
    hd_test_append(j, n, n + 9);
    hd_test_read(r, n, n + 9);
    assert_true(count_segments(dir) <= 2);
    hd_journal_reader_close(r);
    hd_journal_close(j);
}

static void test_what_is_released_goes_when_it_was_read(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal *j = open_small(dir, 1000, 0);
    struct hd_journal_reader *r = hd_test_reader(dir, "slow");
    struct hd_journal_reader *any = hd_test_reader(dir, NULL);
    struct hd_journal_entry entry;
    struct hd_journal_cursor at;
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_EAGAIN);
    hd_test_append(j, 1, 40);
    unsigned before = count_segments(dir);
    uint64_t bytes = hd_journal_bytes(j);
    assert_true(before > 3);
    hd_journal_release(j, 20);
    assert_int_equal(hd_journal_trim(j), 0); /* "slow" has read nothing */
    hd_test_read(r, 1, 40);
    hd_journal_reader_tell(r, &at);
    assert_int_equal(hd_journal_reader_save(r, &at, false), HD_OK);
    int removed = hd_journal_trim(j);
    assert_true(removed > 0 && count_segments(dir) == before - (unsigned)removed);
    assert_true(hd_journal_removed_bytes(j) == bytes - hd_journal_bytes(j));
    /* a segment with an entry that is not released stays whole */
    assert_int_equal(hd_journal_reader_next(any, &entry), HD_OK);
    assert_true(entry.index > 1 && entry.index <= 20);
    hd_journal_release(j, UINT64_MAX);
    assert_true(hd_journal_trim(j) > 0);
    assert_int_equal(count_segments(dir), 1);
    hd_journal_reader_close(any);
    hd_journal_reader_close(r);
    hd_journal_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_commit_read),
        cmocka_unit_test(test_what_is_left),
        cmocka_unit_test(test_headers_only),
        cmocka_unit_test(test_index_goes_on_after_reopen),
        cmocka_unit_test(test_one_writer),
        cmocka_unit_test(test_refused_arguments),
        cmocka_unit_test(test_segments_are_zstd_files),
        cmocka_unit_test(test_named_reader_resumes),
        cmocka_unit_test(test_torn_cursor_leaves_the_one_before),
        cmocka_unit_test(test_seek),
        cmocka_unit_test(test_another_journal_in_its_place),
        cmocka_unit_test(test_follow),
        cmocka_unit_test(test_retention_waits_for_readers),
        cmocka_unit_test(test_retention_may_be_told_to_go_on),
        cmocka_unit_test(test_retention_and_sealing_by_age),
        cmocka_unit_test(test_what_is_released_goes_when_it_was_read),
        cmocka_unit_test(test_each_segment_is_opened_once),
        cmocka_unit_test(test_max_bytes),
    };
    hd_test_in_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
