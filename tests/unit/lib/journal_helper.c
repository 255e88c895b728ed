/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/lib/journal_helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

void hd_test_in_memory(void)
{
    if (access("/dev/shm", W_OK | X_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 0);
    }
}

struct hd_journal_entry hd_test_entry(uint64_t n)
{
    static char text[4096];
    static uint8_t frame[8192];
    static char meta[64];
    size_t len = 0;
    for (uint64_t i = 0; i <= n % 7; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "entry %llu line %llu of the journal\n",
                                (unsigned long long)n, (unsigned long long)i);
    }
    size_t frame_len = ZSTD_compress(frame, sizeof(frame), text, len, 1);
    assert_false(ZSTD_isError(frame_len));
    int meta_len = snprintf(meta, sizeof(meta), "meta %llu", (unsigned long long)n);
    return (struct hd_journal_entry){
        .first = n * 10,
        .last = n * 10 + n % 7,
        .time_min = (int64_t)n * 1000,
        .time_max = (int64_t)n * 1000 + 999,
        .count = (uint32_t)(n % 7 + 1),
        .raw_len = (uint32_t)len,
        .meta = hd_slice(meta, n % 3 == 0 ? 0 : (size_t)meta_len),
        .payload = hd_slice(frame, frame_len),
    };
}

void hd_test_entry_check(const struct hd_journal_entry *entry, uint64_t n)
{
    struct hd_journal_entry want = hd_test_entry(n);
    assert_int_equal(entry->first, want.first);
    assert_int_equal(entry->last, want.last);
    assert_int_equal(entry->time_min, want.time_min);
    assert_int_equal(entry->time_max, want.time_max);
    assert_int_equal(entry->count, want.count);
    assert_int_equal(entry->raw_len, want.raw_len);
    assert_true(hd_slice_eq(entry->meta, want.meta));
    assert_int_equal(entry->payload.len, want.payload.len);
    if (entry->payload.ptr != NULL) {
        assert_memory_equal(entry->payload.ptr, want.payload.ptr, want.payload.len);
    }
}

struct hd_journal *hd_test_journal(const char *dir)
{
    struct hd_journal_opts opts = {.dir = dir};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    return j;
}

void hd_test_append(struct hd_journal *j, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n <= to; n++) {
        struct hd_journal_entry entry = hd_test_entry(n);
        assert_int_equal(hd_journal_append(j, &entry), HD_OK);
        assert_int_equal(entry.index, n);
    }
    assert_int_equal(hd_journal_commit(j), HD_OK);
}

struct hd_journal_reader *hd_test_reader(const char *dir, const char *name)
{
    struct hd_journal_reader *r = NULL;
    assert_int_equal(hd_journal_reader_open(dir, name, &r), HD_OK);
    return r;
}

void hd_test_read(struct hd_journal_reader *r, uint64_t from, uint64_t to)
{
    struct hd_journal_entry entry;
    for (uint64_t n = from; n <= to; n++) {
        int err = hd_journal_reader_next(r, &entry);
        if (err != HD_OK) {
            fail_msg("entry %llu: %s", (unsigned long long)n, hd_err_name(err));
        }
        assert_int_equal(entry.index, n);
        hd_test_entry_check(&entry, n);
    }
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_EAGAIN);
}

const char *hd_test_path(const char *dir, const char *name)
{
    static char paths[2][4096];
    static int turn;
    turn = !turn;
    (void)snprintf(paths[turn], sizeof(paths[0]), "%s/%s", dir, name);
    return paths[turn];
}

uint8_t *hd_test_slurp(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    (void)fseek(file, 0, SEEK_END);
    *len = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*len + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *len, file), *len);
    (void)fclose(file);
    return data;
}

void hd_test_spill(const char *path, const uint8_t *data, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}
