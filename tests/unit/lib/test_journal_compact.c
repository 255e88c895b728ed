/* SPDX-License-Identifier: Apache-2.0
 *
 * Segments written anew: smaller, the same content, the same chain; and whatever is
 * changed in them is found.
 */
#include "tests/unit/lib/journal_helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include <haidang/clock.h>
#include <haidang/compacted.h>
#include <haidang/fs.h>
#include <haidang/journal_compact.h>
#include <haidang/journal_copy.h>

#include "lib/journal_priv.h"

#define N        60U
#define SEGMENT  20000U
#define SEGS_MAX 32U
#define SECRET   "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"

struct world {
    const char *dir;
    struct hd_sign_key *key[2]; /* key[0] seals */
    struct hd_journal_keys *secrets;
    const struct hd_journal_key *secret; /* NULL: not encrypted */
    struct hd_journal_segments list;
    struct hd_check_segment segs[SEGS_MAX];
    struct hd_compacted compacted; /* of the segment checked last */
    unsigned found[HD_CHECK_PROBLEMS], n_found;
    uint64_t drop_from, drop_to, drop_each;
};

/* ---- a journal ---- */

static struct hd_sign_key *make_key(const char *name)
{
    struct hd_sign_key *key = NULL;
    const char *path = hd_test_path(hd_test_tmpdir(), name);
    assert_int_equal(hd_sign_key_make(path), HD_OK);
    assert_int_equal(hd_sign_key_load(path, &key), HD_OK);
    return key;
}

/* Compressed badly, so that there is something to gain. Static. */
static struct hd_journal_entry entry_of(uint64_t n, unsigned lines)
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

static void check_entry(const struct hd_journal_entry *got, unsigned lines)
{
    static uint8_t text[2][16384];
    struct hd_journal_entry want = entry_of(got->index, lines);
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

static struct hd_journal *journal_open(struct world *w, uint64_t retain_bytes)
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

static void append(struct hd_journal *j, uint64_t from, uint64_t to, unsigned lines)
{
    for (uint64_t n = from; n <= to; n++) {
        struct hd_journal_entry entry = entry_of(n, lines);
        assert_int_equal(hd_journal_append(j, &entry), HD_OK);
        assert_true(entry.index == n);
    }
    assert_int_equal(hd_journal_commit(j), HD_OK);
}

static void list(struct world *w)
{
    free(w->list.first);
    assert_int_equal(hd_journal_list(w->dir, &w->list), HD_OK);
    assert_in_range(w->list.n, 3, SEGS_MAX);
}

static void world_make(struct world *w)
{
    *w = (struct world){.dir = hd_test_tmpdir()};
    w->key[0] = make_key("key");
    w->key[1] = make_key("other");
    assert_int_equal(hd_journal_keys_new(&w->secrets), HD_OK);
}

static void world_fill(struct world *w, uint64_t n, unsigned lines)
{
    struct hd_journal *j = journal_open(w, 0);
    append(j, 1, n, lines);
    hd_journal_close(j);
    list(w);
}

static void world_open(struct world *w)
{
    world_make(w);
    world_fill(w, N, 60);
}

static void world_close(struct world *w)
{
    free(w->list.first);
    hd_sign_key_free(w->key[0]);
    hd_sign_key_free(w->key[1]);
    hd_journal_keys_free(w->secrets);
}

/* ---- what is asked ---- */

static void note(void *ctx, const struct hd_check_finding *finding)
{
    struct world *w = ctx;
    w->found[finding->problem]++;
    w->n_found++;
}

static const char *segment_path(const struct world *w, size_t i)
{
    static char path[512];
    assert_int_equal(
        hd_journal_segment_path(w->dir, w->list.first[i], path, sizeof(path)), HD_OK);
    return path;
}

/* Problems of all segments. */
static unsigned check(struct world *w)
{
    struct hd_check_opts opts = {.keys = w->key,
                                 .n_keys = 1,
                                 .secrets = w->secrets,
                                 .journal = w->list.journal,
                                 .found = note,
                                 .ctx = w};
    struct hd_check *c = NULL;
    memset(w->found, 0, sizeof(w->found));
    w->n_found = 0;
    assert_int_equal(hd_check_open(&opts, &c), HD_OK);
    for (size_t i = 0; i < w->list.n; i++) {
        bool is_last = i + 1 == w->list.n;
        assert_int_equal(hd_check_segment(c, segment_path(w, i), is_last,
                                          is_last ? w->list.durable : 0, &w->segs[i]),
                         HD_OK);
        if (hd_check_compacted(c) != NULL) {
            w->compacted = *hd_check_compacted(c);
        }
    }
    hd_check_close(c);
    return w->n_found;
}

static bool drop(void *ctx, const struct hd_journal_entry *entry)
{
    const struct world *w = ctx;
    return entry->index >= w->drop_from && entry->index <= w->drop_to &&
           (w->drop_each == 0 || entry->index % w->drop_each == 0);
}

static struct hd_compact_opts compact_opts(struct world *w)
{
    return (struct hd_compact_opts){.dir = w->dir,
                                    .level = 19,
                                    .key = w->key[0],
                                    .keys = w->key,
                                    .n_keys = 1,
                                    .secrets = w->secrets,
                                    .drop = w->drop_to > 0 ? drop : NULL,
                                    .found = note,
                                    .ctx = w};
}

static struct hd_compact_result compact_with(const struct hd_compact_opts *opts,
                                             uint64_t first)
{
    struct hd_compact_result result;
    struct hd_compact *c = NULL;
    assert_int_equal(hd_compact_open(opts, &c), HD_OK);
    assert_int_equal(hd_compact_segment(c, first, &result), HD_OK);
    hd_compact_close(c);
    return result;
}

static struct hd_compact_result compact(struct world *w, size_t i)
{
    const struct hd_compact_opts opts = compact_opts(w);
    return compact_with(&opts, w->list.first[i]);
}

/* Reads on from the oldest: entries, each as it was written, and gaps. */
static unsigned read_all(struct world *w, unsigned lines, unsigned *gaps)
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
            check_entry(&entry, lines);
            n++;
        } else {
            assert_int_equal(err, HD_ENOENT);
        }
    }
    hd_journal_reader_close(r);
    return n;
}

/* ---- tests ---- */

static void a_segment_becomes_smaller_and_stays_what_it_was(void **state)
{
    (void)state;
    struct world w;
    struct stat before, after;
    unsigned gaps;
    world_open(&w);
    assert_int_equal(chmod(segment_path(&w, 0), 0600), 0);
    assert_int_equal(stat(segment_path(&w, 0), &before), 0);
    uint64_t lines = 0;
    for (size_t i = 0; i + 1 < w.list.n; i++) {
        struct hd_compact_result r = compact(&w, i);
        assert_int_equal(r.outcome, HD_COMPACT_DONE);
        assert_true(r.after_bytes * 2 < r.before_bytes && r.dropped == 0);
        lines += r.entries * 60;
    }
    assert_int_equal(stat(segment_path(&w, 0), &after), 0);
    assert_int_equal(after.st_mode, before.st_mode);
    assert_true(after.st_size < before.st_size);
    assert_int_equal(check(&w), 0);
    for (size_t i = 0; i + 1 < w.list.n; i++) {
        assert_true(w.segs[i].is_compacted && w.segs[i].is_vouched);
        assert_int_equal(w.segs[i].seal.records, w.segs[i].records);
        lines -= w.segs[i].records;
    }
    assert_true(lines == 0);
    assert_memory_equal(w.compacted.before, w.compacted.after, HD_SHA256_LEN);
    assert_int_equal(read_all(&w, 60, &gaps), N);
    assert_int_equal(gaps, 0);
    /* once is enough, and nothing lies about */
    assert_int_equal(compact(&w, 0).outcome, HD_COMPACT_NOTHING);
    assert_int_equal(
        access(hd_test_path(w.dir, ".compact/00000000000000000001.zst"), F_OK), -1);
    world_close(&w);
}

static void readers_that_are_there_read_on(void **state)
{
    (void)state;
    struct world w;
    struct hd_journal_entry entry;
    struct hd_journal_cursor at;
    world_open(&w);
    struct hd_journal_reader *open = hd_test_reader(w.dir, NULL);
    struct hd_journal_reader *saved = hd_test_reader(w.dir, NULL);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(hd_journal_reader_next(open, &entry), HD_OK);
        assert_int_equal(hd_journal_reader_next(saved, &entry), HD_OK);
    }
    hd_journal_reader_tell(saved, &at); /* an offset that is not there any more */
    hd_journal_reader_close(saved);
    assert_int_equal(compact(&w, 0).outcome, HD_COMPACT_DONE);
    saved = hd_test_reader(w.dir, NULL);
    assert_int_equal(hd_journal_reader_seek(saved, &at), HD_OK);
    for (uint64_t n = 4; n <= N; n++) {
        assert_int_equal(hd_journal_reader_next(open, &entry), HD_OK);
        assert_true(entry.index == n);
        assert_int_equal(hd_journal_reader_next(saved, &entry), HD_OK);
        assert_true(entry.index == n);
        check_entry(&entry, 60);
    }
    hd_journal_reader_close(open);
    hd_journal_reader_close(saved);
    world_close(&w);
}

static void what_is_dropped_is_stated_and_not_missing(void **state)
{
    (void)state;
    struct world w;
    unsigned gaps;
    uint8_t before[HD_SHA256_LEN];
    world_open(&w);
    uint64_t last = w.list.first[1] - 1;
    w.drop_from = 2;
    w.drop_to = 3;
    struct hd_compact_result r = compact(&w, 0);
    assert_int_equal(r.outcome, HD_COMPACT_DONE);
    assert_true(r.dropped == 2 && r.entries == last);
    w.list.n = 1; /* the first one's statement */
    w.list.durable = 0;
    assert_int_equal(check(&w), 0);
    memcpy(before, w.compacted.before, sizeof(before));
    assert_true(memcmp(before, w.compacted.after, sizeof(before)) != 0);
    assert_int_equal(w.compacted.n_dropped, 1);
    /* later more: what was dropped adds up, what was there first is remembered */
    w.drop_from = last - 1;
    w.drop_to = last;
    assert_int_equal(compact(&w, 0).outcome, HD_COMPACT_DONE);
    w.drop_from = 1;
    w.drop_to = 4;
    assert_int_equal(compact(&w, 0).outcome, HD_COMPACT_DONE);
    assert_int_equal(compact(&w, 0).outcome, HD_COMPACT_NOTHING);
    assert_int_equal(check(&w), 0);
    assert_memory_equal(before, w.compacted.before, sizeof(before));
    assert_int_equal(w.compacted.n_dropped, 2);
    assert_true(w.compacted.dropped[0].first == 1 && w.compacted.dropped[0].last == 4);
    assert_true(w.compacted.dropped[1].last == last);
    assert_true(hd_compacted_dropped(&w.compacted) == 6);
    list(&w);
    assert_int_equal(check(&w), 0);
    assert_int_equal(read_all(&w, 60, &gaps), N - 6);
    assert_true(gaps >= 1);
    world_close(&w);
}

/* The age that the writer has: it is written down, made anew, and taken back. */
static void write_least(struct world *w, int64_t age_ns)
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
    struct world w;
    unsigned gaps;
    int64_t wall = HD_NS_PER_SEC * 1000000, mono = HD_NS_PER_SEC;
    hd_clock_fake(&wall, &mono);
    world_open(&w);
    w.drop_from = 1;
    w.drop_to = N;
    assert_int_equal(access(hd_test_path(w.dir, "write-once-min"), F_OK), -1);
    write_least(&w, 100 * HD_NS_PER_SEC);
    wall += 99 * HD_NS_PER_SEC;
    struct hd_compact_result r = compact(&w, 0);
    assert_true(r.outcome == HD_COMPACT_DONE && r.is_young && r.dropped == 0);
    assert_int_equal(compact(&w, 0).outcome, HD_COMPACT_NOTHING);
    wall -= 200 * HD_NS_PER_SEC; /* the clock is set back: it is no older for that */
    r = compact(&w, 0);
    assert_true(r.outcome == HD_COMPACT_NOTHING && r.is_young);
    assert_int_equal(read_all(&w, 60, &gaps), N);
    /* what the caller asks for counts, too; the longer of both */
    wall += 301 * HD_NS_PER_SEC;
    struct hd_compact_opts opts = compact_opts(&w);
    opts.keep_ns = 201 * HD_NS_PER_SEC;
    assert_true(compact_with(&opts, 1).is_young);
    write_least(&w, 300 * HD_NS_PER_SEC);
    assert_true(compact(&w, 0).is_young);
    write_least(&w, 0);
    opts.keep_ns = 200 * HD_NS_PER_SEC;
    r = compact_with(&opts, 1);
    assert_true(r.outcome == HD_COMPACT_DONE && !r.is_young && r.dropped == r.entries);
    assert_int_equal(check(&w), 0);
    hd_clock_fake(NULL, NULL);
    world_close(&w);
}

/* Each byte of the line changed, and the line cut anywhere. */
static void an_age_that_cannot_be_read_lets_nothing_go(void **state)
{
    (void)state;
    struct world w;
    size_t len;
    struct hd_compact *c = NULL;
    world_open(&w);
    write_least(&w, HD_NS_PER_SEC);
    const char *path = hd_test_path(w.dir, "write-once-min");
    uint8_t *line = hd_test_slurp(path, &len);
    assert_int_equal(len, 45);
    struct hd_compact_opts opts = compact_opts(&w);
    for (size_t i = 0; i < 2 * len; i++) {
        line[i % len] ^= i < len ? 1 : 0;
        hd_test_spill(path, line, i < len ? len : i - len);
        opts.drop = drop;
        assert_int_equal(hd_compact_open(&opts, &c), HD_ECORRUPT);
        opts.drop = NULL; /* needs no age */
        assert_int_equal(hd_compact_open(&opts, &c), HD_OK);
        hd_compact_close(c);
        line[i % len] ^= i < len ? 1 : 0;
    }
    write_least(&w, HD_NS_PER_SEC); /* the writer's next start mends it */
    opts.drop = drop;
    assert_int_equal(hd_compact_open(&opts, &c), HD_OK);
    hd_test_spill(path, line, 3);
    struct hd_compact_result r;
    assert_int_equal(hd_compact_segment(c, 1, &r), HD_ECORRUPT);
    hd_compact_close(c);
    free(line);
    world_close(&w);
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
    struct world w;
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    struct hd_compact *c = NULL;
    world_open(&w);
    struct hd_io_ops ops = *hd_io_system().ops;
    const struct hd_io io = {&ops, &ops};
    const struct hd_journal_opts opts = {
        .dir = w.dir, .segment_bytes = SEGMENT, .retain_min_ns = 3600 * HD_NS_PER_SEC};
    ops.pwritev = refuse_write;
    assert_int_equal(hd_journal_open_io(&opts, &io, &j, &recovery), HD_OK);
    struct hd_compact_opts how = compact_opts(&w);
    how.drop = drop;
    assert_int_equal(hd_compact_open(&how, &c), HD_ECORRUPT); /* rather nothing */
    ops.pwritev = hd_io_system().ops->pwritev;
    assert_int_equal(hd_journal_trim(j), 0);
    w.drop_to = N;
    assert_true(compact(&w, 0).is_young);
    hd_journal_close(j);
    world_close(&w);
}

static void a_segment_may_become_empty(void **state)
{
    (void)state;
    struct world w;
    unsigned gaps;
    world_open(&w);
    uint64_t dropped = w.list.first[2] - w.list.first[1];
    w.drop_from = w.list.first[1];
    w.drop_to = w.list.first[2] - 1;
    struct hd_compact_result r = compact(&w, 1);
    assert_int_equal(r.outcome, HD_COMPACT_DONE);
    assert_true(r.dropped == dropped && r.after_bytes < 4096);
    assert_int_equal(check(&w), 0);
    assert_true(w.segs[1].entries == 0 && w.segs[1].is_vouched);
    assert_true(w.segs[1].follows == w.list.first[2]);
    assert_int_equal(read_all(&w, 60, &gaps), N - dropped);
    assert_int_equal(gaps, 1);
    world_close(&w);
}

static void what_a_named_reader_needs_is_not_dropped(void **state)
{
    (void)state;
    struct world w;
    struct hd_journal_entry entry;
    struct hd_journal_cursor at;
    world_open(&w);
    struct hd_journal_reader *r = hd_test_reader(w.dir, "slow");
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
    }
    hd_journal_reader_tell(r, &at);
    assert_int_equal(hd_journal_reader_save(r, &at, false), HD_OK);
    w.drop_from = 1;
    w.drop_to = N;
    assert_true(compact(&w, 0).dropped == 4);
    assert_true(compact(&w, 1).dropped == 0);
    hd_journal_reader_close(r);
    world_close(&w);
}

static void what_is_too_scattered_stays(void **state)
{
    (void)state;
    struct world w;
    unsigned gaps;
    world_make(&w);
    world_fill(&w, 2000, 1);
    uint64_t in_first = w.list.first[1] - 1;
    assert_true(in_first > 100);
    w.drop_from = 1;
    w.drop_to = 2000;
    w.drop_each = 2;
    struct hd_compact_result r = compact(&w, 0);
    uint64_t want = in_first / 2;
    uint64_t most = want < HD_COMPACTED_RUNS_MAX ? want : HD_COMPACTED_RUNS_MAX;
    assert_int_equal(r.outcome, HD_COMPACT_DONE);
    assert_true(r.dropped == most && r.scattered == want - most);
    assert_int_equal(check(&w), 0);
    assert_int_equal(read_all(&w, 1, &gaps), 2000 - most);
    world_close(&w);
}

static void only_what_is_vouched_for_is_touched(void **state)
{
    (void)state;
    struct world w;
    size_t len;
    world_open(&w);
    struct hd_compact_opts opts = compact_opts(&w);
    uint8_t *whole = hd_test_slurp(segment_path(&w, 0), &len);
    opts.keys = &w.key[1]; /* a key that nothing was signed with */
    assert_int_equal(compact_with(&opts, 1).outcome, HD_COMPACT_REFUSED);
    assert_true(w.found[HD_CHECK_KEY] > 0);
    whole[300] ^= 1;
    hd_test_spill(segment_path(&w, 0), whole, len);
    assert_int_equal(compact(&w, 0).outcome, HD_COMPACT_REFUSED);
    assert_true(w.found[HD_CHECK_DAMAGE] > 0);
    size_t now;
    uint8_t *after = hd_test_slurp(segment_path(&w, 0), &now);
    assert_int_equal(now, len);
    assert_memory_equal(after, whole, len);
    /* the segment in use has no statement */
    assert_int_equal(compact(&w, w.list.n - 1).outcome, HD_COMPACT_UNSIGNED);
    free(after);
    free(whole);
    world_close(&w);
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
    struct world w;
    struct hd_compact *c = NULL;
    struct hd_compact_result result;
    size_t old_len, aside_len;
    world_open(&w);
    struct hd_io_ops ops = *hd_io_system().ops;
    const struct hd_io io = {.ops = &ops};
    const struct hd_compact_opts opts = compact_opts(&w);
    const char *aside = hd_test_path(w.dir, ".compact/00000000000000000001.zst");
    uint8_t *old = hd_test_slurp(segment_path(&w, 0), &old_len);
    ops.sync = refuse_dir_sync;
    assert_int_equal(hd_compact_open_io(&opts, &io, &c), HD_OK);
    assert_int_equal(hd_compact_segment(c, 1, &result), HD_EIO);
    hd_compact_close(c);
    uint8_t *kept = hd_test_slurp(aside, &aside_len);
    assert_int_equal(aside_len, old_len);
    assert_memory_equal(kept, old, old_len);
    assert_int_equal(check(&w), 0);
    assert_int_equal(compact(&w, 0).outcome, HD_COMPACT_NOTHING);
    assert_int_equal(access(aside, F_OK), -1);
    free(kept);
    free(old);
    world_close(&w);
}

/* By the user who owns the directory, when root compacts it. */
static void a_link_aside_is_not_followed(void **state)
{
    (void)state;
    struct world w;
    struct hd_compact *c = NULL;
    struct hd_compact_result result;
    struct hd_journal_copy *copy = NULL;
    struct hd_check_file file;
    char victim[512];
    size_t len;
    world_open(&w);
    (void)snprintf(victim, sizeof(victim), "%s/victim", w.dir);
    hd_test_spill(victim, (const uint8_t *)"of root", 7);
    const struct hd_compact_opts opts = compact_opts(&w);
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
    world_close(&w);
}

static void one_at_a_time(void **state)
{
    (void)state;
    struct world w;
    struct hd_compact *a = NULL, *b = NULL;
    struct hd_compact_result result;
    world_open(&w);
    const struct hd_compact_opts opts = compact_opts(&w);
    assert_int_equal(hd_compact_open(&opts, &a), HD_OK);
    assert_int_equal(hd_compact_open(&opts, &b), HD_EBUSY);
    assert_int_equal(hd_compact_segment(a, 999, &result), HD_ENOENT);
    hd_compact_close(a);
    world_close(&w);
}

/* Its statements, its content, its header: found each time, and told of nothing else. */
static void a_flip_of_any_bit_is_found(void **state)
{
    (void)state;
    struct world w;
    size_t len;
    world_open(&w);
    w.drop_from = 2;
    w.drop_to = w.list.first[1] - 2; /* few entries are left: a short file */
    assert_int_equal(compact(&w, 0).outcome, HD_COMPACT_DONE);
    uint8_t *whole = hd_test_slurp(segment_path(&w, 0), &len);
    w.list.n = 1;
    for (size_t at = 0; at < len; at++) {
        whole[at] ^= (uint8_t)(1U << (at % 8));
        hd_test_spill(segment_path(&w, 0), whole, len);
        if (check(&w) == 0 && w.segs[0].is_vouched) {
            fail_msg("a change at %zu of %zu is not found", at, len);
        }
        whole[at] ^= (uint8_t)(1U << (at % 8));
    }
    hd_test_spill(segment_path(&w, 0), whole, len);
    assert_int_equal(check(&w), 0);
    free(whole);
    world_close(&w);
}

static void a_compaction_of_another_segment_is_found(void **state)
{
    (void)state;
    struct world w;
    size_t len;
    world_open(&w);
    assert_int_equal(compact(&w, 1).outcome, HD_COMPACT_DONE);
    uint8_t *other = hd_test_slurp(segment_path(&w, 1), &len);
    hd_test_spill(segment_path(&w, 2), other, len);
    assert_true(check(&w) > 0);
    assert_true(w.found[HD_CHECK_STATEMENT] == 1);
    free(other);
    world_close(&w);
}

static void the_writer_goes_on_and_knows_the_new_sizes(void **state)
{
    (void)state;
    struct world w;
    struct stat st;
    unsigned gaps;
    uint64_t bytes = 0;
    world_open(&w);
    struct hd_journal *j = journal_open(&w, 0);
    uint64_t before = hd_journal_bytes(j);
    for (size_t i = 0; i + 1 < w.list.n; i++) {
        assert_int_equal(compact(&w, i).outcome, HD_COMPACT_DONE);
    }
    append(j, N + 1, 2 * N, 60); /* begins new segments */
    list(&w);
    for (size_t i = 0; i < w.list.n; i++) {
        assert_int_equal(stat(segment_path(&w, i), &st), 0);
        bytes += (uint64_t)st.st_size;
    }
    assert_true(hd_journal_bytes(j) == bytes && bytes < 2 * before);
    assert_int_equal(check(&w), 0);
    assert_int_equal(read_all(&w, 60, &gaps), 2 * N);
    hd_journal_close(j);
    world_close(&w);
}

static void what_compaction_frees_is_room_at_once(void **state)
{
    (void)state;
    struct world w;
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    world_open(&w);
    struct hd_journal_opts opts = {
        .dir = w.dir, .segment_bytes = SEGMENT, .seal_key = w.key[0]};
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    opts.max_bytes = hd_journal_bytes(j);
    hd_journal_close(j);
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    struct hd_journal_entry entry = entry_of(N + 1, 60);
    assert_int_equal(hd_journal_append(j, &entry), HD_ENOSPC);
    assert_int_equal(compact(&w, 0).outcome, HD_COMPACT_DONE);
    assert_int_equal(hd_journal_append(j, &entry), HD_OK);
    hd_journal_close(j);
    world_close(&w);
}

static void what_is_encrypted_stays_so(void **state)
{
    (void)state;
    struct world w;
    unsigned gaps;
    world_make(&w);
    assert_int_equal(hd_journal_keys_add(w.secrets, HD_SLICE(SECRET), &w.secret), HD_OK);
    world_fill(&w, N, 60);
    struct hd_compact_opts opts = compact_opts(&w);
    opts.secrets = NULL;
    assert_int_equal(compact_with(&opts, 1).outcome, HD_COMPACT_LOCKED);
    assert_int_equal(check(&w), 0);
    assert_false(w.segs[0].is_compacted);
    uint64_t entries = w.segs[0].entries;
    struct hd_compact_result r = compact(&w, 0);
    assert_int_equal(r.outcome, HD_COMPACT_DONE);
    assert_true(r.after_bytes * 2 < r.before_bytes);
    assert_int_equal(check(&w), 0);
    assert_true(w.segs[0].is_compacted && w.segs[0].encrypted == entries &&
                w.segs[0].locked == 0);
    assert_int_equal(read_all(&w, 60, &gaps), N);
    size_t len;
    uint8_t *whole = hd_test_slurp(segment_path(&w, 0), &len);
    assert_null(memmem(whole, len, "Failed", 6));
    free(whole);
    world_close(&w);
}

static void statements_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct world w;
    struct hd_buf text;
    struct hd_compacted c, back;
    struct hd_slice statement;
    uint8_t signature[HD_SIGNATURE_LEN];
    world_make(&w);
    hd_buf_init(&text, HD_COMPACTED_MAX);
    c = (struct hd_compacted){.first = 7, .entries = 3, .records = 30, .bytes = 99};
    for (uint64_t i = 0; i < HD_COMPACTED_RUNS_MAX; i++) {
        assert_true(
            hd_compacted_drop(&c, UINT64_MAX / 2 + 3 * i, UINT64_MAX / 2 + 3 * i + 1));
    }
    assert_false(hd_compacted_drop(&c, UINT64_MAX - 2, UINT64_MAX - 2));
    assert_int_equal(hd_compacted_encode(&text, &c, w.key[0]), HD_OK);
    assert_int_equal(
        hd_compacted_decode(hd_buf_slice(&text), &back, &statement, signature), HD_OK);
    assert_int_equal(back.n_dropped, HD_COMPACTED_RUNS_MAX);
    assert_true(back.first == 7 && back.records == 30);
    assert_int_equal(hd_sign_verify(w.key[0], statement, signature), HD_OK);
    for (size_t len = 0; len + 1 < text.len; len++) {
        assert_true(hd_compacted_decode(hd_slice(text.ptr, len), &back, &statement,
                                        signature) != HD_OK);
    }
    c.dropped[1] = c.dropped[0]; /* not in order */
    hd_buf_clear(&text);
    assert_int_equal(hd_compacted_encode(&text, &c, w.key[0]), HD_OK);
    assert_int_equal(
        hd_compacted_decode(hd_buf_slice(&text), &back, &statement, signature),
        HD_EPARSE);
    hd_buf_fini(&text);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_becomes_smaller_and_stays_what_it_was),
        cmocka_unit_test(readers_that_are_there_read_on),
        cmocka_unit_test(what_is_dropped_is_stated_and_not_missing),
        cmocka_unit_test(what_is_too_young_keeps_all),
        cmocka_unit_test(an_age_that_cannot_be_read_lets_nothing_go),
        cmocka_unit_test(an_age_is_written_down_when_there_is_room),
        cmocka_unit_test(a_segment_may_become_empty),
        cmocka_unit_test(what_a_named_reader_needs_is_not_dropped),
        cmocka_unit_test(what_is_too_scattered_stays),
        cmocka_unit_test(only_what_is_vouched_for_is_touched),
        cmocka_unit_test(the_old_file_stays_until_the_exchange_is_durable),
        cmocka_unit_test(a_link_aside_is_not_followed),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(a_flip_of_any_bit_is_found),
        cmocka_unit_test(a_compaction_of_another_segment_is_found),
        cmocka_unit_test(the_writer_goes_on_and_knows_the_new_sizes),
        cmocka_unit_test(what_compaction_frees_is_room_at_once),
        cmocka_unit_test(what_is_encrypted_stays_so),
        cmocka_unit_test(statements_that_cannot_be_are_refused),
    };
    hd_test_in_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
