/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/lib/compact_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

/* ---- a journal ---- */

static struct hd_sign_key *make_key(const char *name)
{
    struct hd_sign_key *key = NULL;
    const char *path = hd_test_path(hd_test_tmpdir(), name);
    assert_int_equal(hd_sign_key_make(path), HD_OK);
    assert_int_equal(hd_sign_key_load(path, &key), HD_OK);
    return key;
}

struct hd_journal_entry cw_entry_of(uint64_t n, unsigned lines)
{
    static char text[16384];
    static uint8_t frame[32768];
    static char meta[32];
    size_t len = 0;
    for (unsigned i = 0; i < lines; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "entry %llu line %u: Failed password for u%llu\n",
                                (unsigned long long)n, i,
                                (unsigned long long)(n * 7919 + i * 104729) % 10007);
    }
    size_t frame_len = ZSTD_compress(frame, sizeof(frame), text, len, -20);
    assert_false(ZSTD_isError(frame_len));
    int meta_len = snprintf(meta, sizeof(meta), "meta %llu", (unsigned long long)n);
    return (struct hd_journal_entry){.first = n * 100,
                                     .last = n * 100 + lines - 1,
                                     .time_min = (int64_t)n * 1000,
                                     .time_max = (int64_t)n * 1000 + 9,
                                     .count = lines,
                                     .raw_len = (uint32_t)len,
                                     .meta = hd_slice(meta, (size_t)meta_len),
                                     .payload = hd_slice(frame, frame_len)};
}

void cw_check_entry(const struct hd_journal_entry *got, unsigned lines)
{
    static uint8_t text[2][16384];
    struct hd_journal_entry want = cw_entry_of(got->index, lines);
    size_t n =
        ZSTD_decompress(text[0], sizeof(text[0]), got->payload.ptr, got->payload.len);
    size_t m =
        ZSTD_decompress(text[1], sizeof(text[1]), want.payload.ptr, want.payload.len);
    assert_true(!ZSTD_isError(n) && n == m && memcmp(text[0], text[1], n) == 0);
    assert_true(got->first == want.first && got->last == want.last);
    assert_true(got->time_min == want.time_min && got->time_max == want.time_max);
    assert_true(got->count == want.count && got->raw_len == want.raw_len);
    assert_true(hd_slice_eq(got->meta, want.meta));
}

struct hd_journal *cw_journal_open(struct cw *w, uint64_t retain_bytes)
{
    struct hd_journal_opts opts = {.dir = w->dir,
                                   .segment_bytes = SEGMENT,
                                   .retain_bytes = retain_bytes,
                                   .seal_key = w->key[0],
                                   .keys = w->secrets,
                                   .key = w->secret};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    return j;
}

void cw_append(struct hd_journal *j, uint64_t from, uint64_t to, unsigned lines)
{
    for (uint64_t n = from; n <= to; n++) {
        struct hd_journal_entry entry = cw_entry_of(n, lines);
        assert_int_equal(hd_journal_append(j, &entry), HD_OK);
        assert_true(entry.index == n);
    }
    assert_int_equal(hd_journal_commit(j), HD_OK);
}

void cw_list(struct cw *w)
{
    free(w->list.first);
    assert_int_equal(hd_journal_list(w->dir, &w->list), HD_OK);
    assert_in_range(w->list.n, 3, SEGS_MAX);
}

void cw_make(struct cw *w)
{
    *w = (struct cw){.dir = hd_test_tmpdir()};
    w->key[0] = make_key("key");
    w->key[1] = make_key("other");
    assert_int_equal(hd_journal_keys_new(&w->secrets), HD_OK);
}

void cw_fill(struct cw *w, uint64_t n, unsigned lines)
{
    struct hd_journal *j = cw_journal_open(w, 0);
    cw_append(j, 1, n, lines);
    hd_journal_close(j);
    cw_list(w);
}

void cw_open(struct cw *w)
{
    cw_make(w);
    cw_fill(w, N, 60);
}

void cw_close(struct cw *w)
{
    free(w->list.first);
    hd_sign_key_free(w->key[0]);
    hd_sign_key_free(w->key[1]);
    hd_journal_keys_free(w->secrets);
}

/* ---- what is asked ---- */

void cw_note(void *ctx, const struct hd_check_finding *finding)
{
    struct cw *w = ctx;
    w->found[finding->problem]++;
    w->n_found++;
}

const char *cw_segment_path(const struct cw *w, size_t i)
{
    static char path[512];
    assert_int_equal(
        hd_journal_segment_path(w->dir, w->list.first[i], path, sizeof(path)), HD_OK);
    return path;
}

unsigned cw_check(struct cw *w)
{
    struct hd_check_opts opts = {.keys = w->key,
                                 .n_keys = 1,
                                 .secrets = w->secrets,
                                 .journal = w->list.journal,
                                 .found = cw_note,
                                 .ctx = w};
    struct hd_check *c = NULL;
    memset(w->found, 0, sizeof(w->found));
    w->n_found = 0;
    assert_int_equal(hd_check_open(&opts, &c), HD_OK);
    for (size_t i = 0; i < w->list.n; i++) {
        bool is_last = i + 1 == w->list.n;
        assert_int_equal(hd_check_segment(c, cw_segment_path(w, i), is_last,
                                          is_last ? w->list.durable : 0, &w->segs[i]),
                         HD_OK);
        if (hd_check_compacted(c) != NULL) {
            w->compacted = *hd_check_compacted(c);
        }
    }
    hd_check_close(c);
    return w->n_found;
}

bool cw_drop(void *ctx, const struct hd_journal_entry *entry)
{
    const struct cw *w = ctx;
    return entry->index >= w->drop_from && entry->index <= w->drop_to &&
           (w->drop_each == 0 || entry->index % w->drop_each == 0);
}

struct hd_compact_opts cw_compact_opts(struct cw *w)
{
    return (struct hd_compact_opts){.dir = w->dir,
                                    .level = 19,
                                    .key = w->key[0],
                                    .keys = w->key,
                                    .n_keys = 1,
                                    .secrets = w->secrets,
                                    .drop = w->drop_to > 0 ? cw_drop : NULL,
                                    .found = cw_note,
                                    .ctx = w};
}

struct hd_compact_result cw_compact_with(const struct hd_compact_opts *opts,
                                         uint64_t first)
{
    struct hd_compact_result result;
    struct hd_compact *c = NULL;
    assert_int_equal(hd_compact_open(opts, &c), HD_OK);
    assert_int_equal(hd_compact_segment(c, first, &result), HD_OK);
    hd_compact_close(c);
    return result;
}

struct hd_compact_result cw_compact(struct cw *w, size_t i)
{
    const struct hd_compact_opts opts = cw_compact_opts(w);
    return cw_compact_with(&opts, w->list.first[i]);
}

unsigned cw_read_all(struct cw *w, unsigned lines, unsigned *gaps)
{
    struct hd_journal_reader *r = hd_test_reader(w->dir, NULL);
    struct hd_journal_entry entry;
    unsigned n = 0;
    int err;
    hd_journal_reader_use_keys(r, w->secrets);
    *gaps = 0;
    while ((err = hd_journal_reader_next(r, &entry)) != HD_EAGAIN) {
        *gaps += err == HD_ENOENT;
        if (err == HD_OK) {
            cw_check_entry(&entry, lines);
            n++;
        } else {
            assert_int_equal(err, HD_ENOENT);
        }
    }
    hd_journal_reader_close(r);
    return n;
}
