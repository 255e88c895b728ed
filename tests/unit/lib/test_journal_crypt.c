/* SPDX-License-Identifier: Apache-2.0
 *
 * Encrypted journals: what was written is read with the key and not without; what was
 * changed is found; keys change from one segment to the next.
 */
#include "tests/unit/lib/journal_helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include <haidang/hash.h>
#include <haidang/journal_check.h>
#include <haidang/journal_copy.h>
#include <haidang/journal_part.h>
#include <haidang/log.h>

#include "lib/journal_format.h"

#define N        12U
#define FIRST    "00000000000000000001.zst"
#define KEY_A    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
#define KEY_B    "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
#define KEY_RAW  "thirty-two bytes, as they are...\n"
#define SEGS_MAX 8U

struct world {
    const char *dir;
    struct hd_journal_keys *keys, *none;
    const struct hd_journal_key *a, *b;
    struct hd_check_finding first; /* found */
    unsigned n_found;
};

static void world_open(struct world *w)
{
    *w = (struct world){.dir = hd_test_tmpdir()};
    assert_int_equal(hd_journal_keys_new(&w->keys), HD_OK);
    assert_int_equal(hd_journal_keys_new(&w->none), HD_OK);
    assert_int_equal(hd_journal_keys_add(w->keys, HD_SLICE(KEY_A), &w->a), HD_OK);
    assert_int_equal(hd_journal_keys_add(w->keys, HD_SLICE(KEY_B), &w->b), HD_OK);
}

static void world_close(struct world *w)
{
    hd_journal_keys_free(w->keys);
    hd_journal_keys_free(w->none);
}

static int try_open(const struct world *w, const struct hd_journal_keys *keys,
                    const struct hd_journal_key *key, struct hd_journal **j)
{
    struct hd_journal_opts opts = {.dir = w->dir, .keys = keys, .key = key};
    struct hd_journal_recovery recovery;
    return hd_journal_open(&opts, j, &recovery);
}

/* Entries from..to, in a life of the writer of their own. */
static void write_life(const struct world *w, const struct hd_journal_key *key,
                       uint64_t from, uint64_t to)
{
    struct hd_journal *j = NULL;
    assert_int_equal(try_open(w, w->keys, key, &j), HD_OK);
    hd_test_append(j, from, to);
    hd_journal_close(j);
}

static void read_with(const struct world *w, const struct hd_journal_keys *keys,
                      uint64_t to)
{
    struct hd_journal_reader *r = hd_test_reader(w->dir, NULL);
    hd_journal_reader_use_keys(r, keys);
    hd_test_read(r, 1, to);
    hd_journal_reader_close(r);
}

static void note(void *ctx, const struct hd_check_finding *finding)
{
    struct world *w = ctx;
    if (w->n_found++ == 0) {
        w->first = *finding;
    }
}

static struct hd_check_segment check_first(struct world *w,
                                           const struct hd_journal_keys *secrets)
{
    const struct hd_check_opts opts = {.found = note, .ctx = w, .secrets = secrets};
    struct hd_check_segment seg;
    struct hd_check *check = NULL;
    w->n_found = 0;
    assert_int_equal(hd_check_open(&opts, &check), HD_OK);
    assert_int_equal(hd_check_segment(check, hd_test_path(w->dir, FIRST), true, 0, &seg),
                     HD_OK);
    hd_check_close(check);
    return seg;
}

/* ---- written and read ---- */

static void test_only_the_key_opens(void **state)
{
    (void)state;
    struct world w;
    struct hd_journal_entry entry;
    world_open(&w);
    write_life(&w, w.a, 1, N);
    read_with(&w, w.keys, N);
    struct hd_journal_reader *r = hd_test_reader(w.dir, NULL);
    for (int i = 0; i < 3; i++) { /* it stays, and nothing is handed out */
        hd_journal_reader_use_keys(r, i == 2 ? w.none : NULL);
        assert_int_equal(hd_journal_reader_next(r, &entry), HD_ENOKEY);
    }
    struct hd_journal_key_id want = hd_journal_key_id(w.a);
    struct hd_journal_key_id missing = hd_journal_reader_missing_key(r);
    assert_true(hd_journal_key_id_eq(&missing, &want));
    assert_int_equal(hd_journal_reader_skipped(r), 0);
    assert_int_equal(hd_journal_reader_next_header(r, &entry), HD_OK);
    assert_int_equal(entry.index, 1);
    hd_journal_reader_use_keys(r, w.keys);
    hd_test_read(r, 2, N);
    hd_journal_reader_close(r);
    world_close(&w);
}

/* What zstd makes of the file: frames from end to end, and no text. */
static void test_the_file_is_of_zstd_and_says_nothing(void **state)
{
    (void)state;
    struct world w;
    size_t len = 0;
    world_open(&w);
    write_life(&w, w.a, 1, N);
    uint8_t *file = hd_test_slurp(hd_test_path(w.dir, FIRST), &len);
    char text[64];
    size_t at = 0;
    while (at < len) {
        size_t size = ZSTD_findFrameCompressedSize(file + at, len - at);
        assert_false(ZSTD_isError(size));
        at += size;
    }
    assert_int_equal(ZSTD_decompress(text, sizeof(text), file, len), 0);
    struct hd_journal_entry entry = hd_test_entry(1);
    assert_null(memmem(file, len, entry.payload.ptr, entry.payload.len));
    assert_null(memmem(file, len, "of the journal", 14));
    free(file);
    world_close(&w);
}

static void test_the_stored_size_leads_back(void **state)
{
    (void)state;
    struct world w;
    struct hd_journal_entry entry;
    struct hd_journal_cursor at;
    world_open(&w);
    write_life(&w, w.a, 1, N);
    struct hd_journal_reader *r = hd_test_reader(w.dir, NULL);
    hd_journal_reader_use_keys(r, w.keys);
    for (uint64_t n = 1; n <= N; n++) {
        assert_int_equal(hd_journal_reader_next_header(r, &entry), HD_OK);
        hd_journal_reader_tell(r, &at);
        at.offset -= entry.stored;
        at.index = entry.index;
        assert_int_equal(hd_journal_reader_seek(r, &at), HD_OK);
        assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
        hd_test_entry_check(&entry, n);
    }
    hd_journal_reader_close(r);
    world_close(&w);
}

static void test_a_payload_of_the_largest_size(void **state)
{
    (void)state;
    struct world w;
    struct hd_journal *j = NULL;
    world_open(&w);
    uint8_t *text = malloc(HD_JOURNAL_PAYLOAD_MAX);
    uint8_t *frame = calloc(1, HD_JOURNAL_PAYLOAD_MAX);
    assert_true(text != NULL && frame != NULL);
    assert_int_equal(hd_random(text, HD_JOURNAL_PAYLOAD_MAX), HD_OK);
    size_t raw = HD_JOURNAL_PAYLOAD_MAX - 1024;
    size_t len = ZSTD_compress(frame, HD_JOURNAL_PAYLOAD_MAX, text, raw, 1);
    while (!ZSTD_isError(len) && len < HD_JOURNAL_PAYLOAD_MAX) {
        raw += HD_JOURNAL_PAYLOAD_MAX - len;
        len = ZSTD_compress(frame, HD_JOURNAL_PAYLOAD_MAX, text, raw, 1);
    }
    assert_int_equal(len, HD_JOURNAL_PAYLOAD_MAX);
    struct hd_journal_entry entry = {.count = 1, .payload = hd_slice(frame, len)};
    assert_int_equal(try_open(&w, w.keys, w.a, &j), HD_OK);
    assert_int_equal(hd_journal_append(j, &entry), HD_OK);
    hd_journal_close(j);
    struct hd_journal_reader *r = hd_test_reader(w.dir, NULL);
    hd_journal_reader_use_keys(r, w.keys);
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
    assert_true(hd_slice_eq(entry.payload, hd_slice(frame, len)));
    hd_journal_reader_close(r);
    free(text);
    free(frame);
    world_close(&w);
}

/* ---- changed ---- */

static void put_le32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

/* Somebody who knows the format makes the checksums of the entry right. */
static void make_right(uint8_t *file, uint8_t *entry, size_t meta, size_t payload)
{
    uint32_t crc = hd_crc32c(0, file + 24, 16);
    put_le32(entry + 72, hd_crc32c(0, entry + HD_JFMT_ENTRY_LEN + meta, payload));
    crc = hd_crc32c(crc, entry, HD_JFMT_ENTRY_LEN - 4);
    put_le32(entry + 76, hd_crc32c(crc, entry + HD_JFMT_ENTRY_LEN, meta));
}

/* The second of the entries was changed and its checksums hold: everything else is read,
 * and the check names it. */
static void expect_content_bad(struct world *w, size_t at, size_t stored, size_t byte)
{
    struct hd_journal_reader *r = hd_test_reader(w->dir, NULL);
    struct hd_journal_entry entry;
    hd_journal_reader_use_keys(r, w->keys);
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
    int err = hd_journal_reader_next(r, &entry);
    if (err != HD_ECORRUPT) {
        fail_msg("byte %zu of the entry: %s", byte, hd_err_name(err));
    }
    assert_int_equal(hd_journal_reader_skipped(r), stored);
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
    hd_test_entry_check(&entry, 3);
    hd_journal_reader_close(r);
    struct hd_check_segment seg = check_first(w, w->keys);
    assert_int_equal(w->n_found, 1);
    assert_int_equal(w->first.problem, HD_CHECK_CONTENT);
    assert_int_equal(w->first.index, 2);
    assert_int_equal(w->first.offset, at);
    assert_int_equal(w->first.bytes, stored);
    assert_int_equal(seg.entries, 3);
    assert_int_equal(seg.locked, 0);
}

static void test_every_byte_is_authenticated(void **state)
{
    (void)state;
    struct world w;
    size_t len = 0;
    struct hd_journal_entry entry;
    world_open(&w);
    write_life(&w, w.a, 1, 3);
    const char *path = hd_test_path(w.dir, FIRST);
    struct hd_journal_reader *r = hd_test_reader(w.dir, NULL);
    assert_int_equal(hd_journal_reader_next_header(r, &entry), HD_OK);
    size_t at = HD_JFMT_SEGMENT_LEN + entry.stored;
    assert_int_equal(hd_journal_reader_next_header(r, &entry), HD_OK);
    size_t stored = entry.stored, meta = entry.meta.len, payload = entry.payload.len;
    hd_journal_reader_close(r);
    uint8_t *file = hd_test_slurp(path, &len);
    uint8_t *changed = malloc(len);
    assert_non_null(changed);
    for (size_t byte = 24; byte < stored; byte++) { /* before: the frame's own sizes */
        size_t in_box =
            byte < HD_JFMT_ENTRY_LEN + meta ? SIZE_MAX : byte - HD_JFMT_ENTRY_LEN - meta;
        bool is_lead = in_box < 16; /* its frame, the method, and which key it needs */
        if ((byte >= 72 && byte < HD_JFMT_ENTRY_LEN) || is_lead) {
            continue;
        }
        memcpy(changed, file, len);
        changed[at + byte] ^= 4;
        make_right(changed, changed + at, meta, payload);
        hd_test_spill(path, changed, len);
        expect_content_bad(&w, at, stored, byte);
    }
    free(changed);
    free(file);
    world_close(&w);
}

/* The box of one entry in the place of another's: of the same key and salt. */
static void test_a_box_belongs_to_its_entry(void **state)
{
    (void)state;
    struct world w;
    size_t len = 0;
    struct hd_journal *j = NULL;
    world_open(&w);
    assert_int_equal(try_open(&w, w.keys, w.a, &j), HD_OK);
    for (uint64_t n = 0; n < 3; n++) {
        struct hd_journal_entry entry = hd_test_entry(7);
        assert_int_equal(hd_journal_append(j, &entry), HD_OK);
    }
    hd_journal_close(j);
    const char *path = hd_test_path(w.dir, FIRST);
    uint8_t *file = hd_test_slurp(path, &len);
    size_t stored = (len - HD_JFMT_SEGMENT_LEN) / 3;
    struct hd_journal_entry like = hd_test_entry(7);
    size_t head = HD_JFMT_ENTRY_LEN + like.meta.len;
    uint8_t *second = file + HD_JFMT_SEGMENT_LEN + stored;
    memcpy(second + head, file + HD_JFMT_SEGMENT_LEN + head, stored - head);
    make_right(file, second, like.meta.len, stored - head);
    hd_test_spill(path, file, len);
    (void)check_first(&w, w.keys);
    assert_int_equal(w.n_found, 1);
    assert_int_equal(w.first.problem, HD_CHECK_CONTENT);
    assert_int_equal(w.first.index, 2);
    free(file);
    world_close(&w);
}

static void test_a_method_of_tomorrow_is_not_damage(void **state)
{
    (void)state;
    struct world w;
    size_t len = 0;
    struct hd_journal_entry entry;
    world_open(&w);
    write_life(&w, w.a, 1, 1);
    const char *path = hd_test_path(w.dir, FIRST);
    uint8_t *file = hd_test_slurp(path, &len);
    struct hd_journal_entry like = hd_test_entry(1);
    size_t head = HD_JFMT_ENTRY_LEN + like.meta.len;
    uint8_t *first = file + HD_JFMT_SEGMENT_LEN;
    first[head + 8] = 2;
    make_right(file, first, like.meta.len, len - HD_JFMT_SEGMENT_LEN - head);
    hd_test_spill(path, file, len);
    struct hd_journal_reader *r = hd_test_reader(w.dir, NULL);
    hd_journal_reader_use_keys(r, w.keys);
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_EVERSION);
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_EVERSION);
    hd_journal_reader_close(r);
    free(file);
    world_close(&w);
}

static void test_a_check_without_the_key(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    write_life(&w, w.a, 1, N);
    struct hd_check_segment seg = check_first(&w, NULL);
    struct hd_journal_key_id want = hd_journal_key_id(w.a);
    assert_int_equal(w.n_found, 0);
    assert_int_equal(seg.entries, N);
    assert_int_equal(seg.encrypted, N);
    assert_int_equal(seg.locked, N);
    assert_true(hd_journal_key_id_eq(&seg.key, &want));
    assert_true(hd_journal_key_id_eq(&seg.missing, &want));
    seg = check_first(&w, w.keys);
    assert_int_equal(w.n_found, 0);
    assert_int_equal(seg.encrypted, N);
    assert_int_equal(seg.locked, 0);
    world_close(&w);
}

/* ---- keys change ---- */

static size_t keys_of_segments(const struct world *w, struct hd_journal_key_id *out)
{
    struct hd_journal_segments list;
    assert_int_equal(hd_journal_list(w->dir, &list), HD_OK);
    assert_true(list.n <= SEGS_MAX);
    for (size_t i = 0; i < list.n; i++) {
        char path[512];
        size_t len = 0;
        struct hd_jfmt_segment header;
        assert_int_equal(
            hd_journal_segment_path(w->dir, list.first[i], path, sizeof(path)), HD_OK);
        uint8_t *file = hd_test_slurp(path, &len);
        assert_true(hd_jfmt_segment_decode(hd_slice(file, len), &header));
        out[i] = header.key;
        free(file);
    }
    free(list.first);
    return list.n;
}

static void test_another_key_begins_another_segment(void **state)
{
    (void)state;
    struct world w;
    struct hd_journal_key_id got[SEGS_MAX];
    struct hd_journal_entry entry;
    world_open(&w);
    struct hd_journal_key_id a = hd_journal_key_id(w.a), b = hd_journal_key_id(w.b);
    write_life(&w, NULL, 1, 3);
    write_life(&w, w.a, 4, 6);
    write_life(&w, w.a, 7, 9); /* the same one goes on */
    write_life(&w, w.b, 10, 12);
    write_life(&w, NULL, 13, 15);
    assert_int_equal(keys_of_segments(&w, got), 4);
    assert_true(hd_journal_key_id_is_none(&got[0]) && hd_journal_key_id_is_none(&got[3]));
    assert_true(hd_journal_key_id_eq(&got[1], &a) && hd_journal_key_id_eq(&got[2], &b));
    read_with(&w, w.keys, 15);
    struct hd_journal_keys *only_b = w.none;
    assert_int_equal(hd_journal_keys_add(only_b, HD_SLICE(KEY_B), NULL), HD_OK);
    struct hd_journal_reader *r = hd_test_reader(w.dir, NULL);
    hd_journal_reader_use_keys(r, only_b);
    for (uint64_t n = 1; n <= 15; n++) {
        bool is_locked = n >= 4 && n <= 9;
        int err = hd_journal_reader_next(r, &entry);
        assert_int_equal(err, is_locked ? HD_ENOKEY : HD_OK);
        if (is_locked) {
            assert_int_equal(hd_journal_reader_next_header(r, &entry), HD_OK);
        }
        assert_int_equal(entry.index, n);
    }
    assert_int_equal(hd_journal_reader_next(r, &entry), HD_EAGAIN);
    hd_journal_reader_close(r);
    /* the writer minds the last segment, which needs no key; A may be forgotten */
    struct hd_journal *j = NULL;
    assert_int_equal(try_open(&w, only_b, NULL, &j), HD_OK);
    hd_journal_close(j);
    world_close(&w);
}

/* Begun and left without an entry: it is made anew for the key. */
static void test_an_empty_segment_takes_the_key(void **state)
{
    (void)state;
    struct world w;
    struct hd_journal_key_id got[SEGS_MAX];
    world_open(&w);
    write_life(&w, NULL, 1, 1);
    assert_int_equal(truncate(hd_test_path(w.dir, FIRST), HD_JFMT_SEGMENT_LEN), 0);
    assert_int_equal(unlink(hd_test_path(w.dir, "mark")), 0);
    write_life(&w, w.a, 1, 3);
    struct hd_journal_key_id a = hd_journal_key_id(w.a);
    assert_int_equal(keys_of_segments(&w, got), 1);
    assert_true(hd_journal_key_id_eq(&got[0], &a));
    read_with(&w, w.keys, 3);
    world_close(&w);
}

static void expect_refused(const struct world *w, const struct hd_journal_keys *keys,
                           const struct hd_journal_key *key)
{
    size_t before_len = 0, len = 0;
    struct hd_journal *j = NULL;
    const char *path = hd_test_path(w->dir, FIRST);
    uint8_t *before = hd_test_slurp(path, &before_len);
    assert_int_equal(try_open(w, keys, key, &j), HD_ENOKEY);
    uint8_t *file = hd_test_slurp(path, &len);
    assert_int_equal(len, before_len);
    assert_memory_equal(file, before, len);
    free(before);
    free(file);
}

static void test_a_writer_with_the_wrong_key_is_refused(void **state)
{
    (void)state;
    struct world w;
    const struct hd_journal_key *b = NULL;
    world_open(&w);
    write_life(&w, w.a, 1, 3);
    FILE *file = fopen(hd_test_path(w.dir, FIRST), "ab");
    assert_non_null(file);
    (void)fputs("a tail that a crash has torn", file);
    (void)fclose(file);
    expect_refused(&w, NULL, NULL);
    expect_refused(&w, w.none, NULL);
    assert_int_equal(hd_journal_keys_add(w.none, HD_SLICE(KEY_B), &b), HD_OK);
    expect_refused(&w, w.none, b);
    write_life(&w, w.a, 4, 5);
    read_with(&w, w.keys, 5);
    world_close(&w);
}

struct seen {
    uint8_t salt_nonce[64][HD_JFMT_SALT_LEN + HD_JFMT_NONCE_LEN];
    size_t n;
};

static int see_box(void *ctx, const struct hd_journal_entry *entry, struct hd_slice bytes)
{
    struct seen *seen = ctx;
    struct hd_jfmt_box box;
    (void)bytes;
    assert_int_equal(hd_jfmt_box_decode(entry->payload, &box), HD_OK);
    uint8_t *to = seen->salt_nonce[seen->n++];
    memcpy(to, box.salt, sizeof(box.salt));
    memcpy(to + sizeof(box.salt), box.nonce, sizeof(box.nonce));
    return HD_OK;
}

/* The same entries, index and all, written in three lives over the same place. */
static void test_no_nonce_comes_twice(void **state)
{
    (void)state;
    struct world w;
    struct seen seen = {.n = 0};
    struct hd_check_segment seg;
    world_open(&w);
    const struct hd_check_opts opts = {.found = note, .entry = see_box, .ctx = &seen};
    for (int life = 0; life < 3; life++) {
        struct hd_check *check = NULL;
        write_life(&w, w.a, 1, N);
        assert_int_equal(hd_check_open(&opts, &check), HD_OK);
        assert_int_equal(
            hd_check_segment(check, hd_test_path(w.dir, FIRST), true, 0, &seg), HD_OK);
        hd_check_close(check);
        assert_int_equal(truncate(hd_test_path(w.dir, FIRST), HD_JFMT_SEGMENT_LEN), 0);
        assert_int_equal(unlink(hd_test_path(w.dir, "mark")), 0);
    }
    assert_int_equal(seen.n, 3 * N);
    for (size_t i = 0; i < seen.n; i++) {
        for (size_t k = 0; k < i; k++) {
            /* not even under another salt */
            assert_memory_not_equal(seen.salt_nonce[i] + HD_JFMT_SALT_LEN,
                                    seen.salt_nonce[k] + HD_JFMT_SALT_LEN,
                                    HD_JFMT_NONCE_LEN);
            bool is_same_life = i / N == k / N;
            assert_int_equal(
                memcmp(seen.salt_nonce[i], seen.salt_nonce[k], HD_JFMT_SALT_LEN) == 0,
                is_same_life);
        }
    }
    world_close(&w);
}

/* ---- elsewhere ---- */

struct copying {
    struct hd_journal_copy *copy;
};

static int copy_entry(void *ctx, const struct hd_journal_entry *entry,
                      struct hd_slice bytes)
{
    const struct copying *c = ctx;
    return hd_journal_copy_entry(c->copy, entry, bytes);
}

static void ignore(void *ctx, const struct hd_check_finding *finding)
{
    (void)ctx;
    (void)finding;
}

/* Entry by entry, without the key and under a damaged header: they stay as they are. */
static void test_a_copy_needs_no_key(void **state)
{
    (void)state;
    struct world w, to;
    struct copying c;
    struct hd_check *check = NULL;
    struct hd_check_segment seg;
    struct hd_journal_segments list;
    size_t len = 0;
    world_open(&w);
    write_life(&w, w.a, 1, N);
    assert_int_equal(hd_journal_list(w.dir, &list), HD_OK);
    const char *path = hd_test_path(w.dir, FIRST);
    uint8_t *file = hd_test_slurp(path, &len);
    file[20] ^= 1; /* the header's key id */
    hd_test_spill(path, file, len);
    world_open(&to);
    const struct hd_check_opts opts = {
        .journal = list.journal, .found = ignore, .entry = copy_entry, .ctx = &c};
    assert_int_equal(hd_journal_copy_open(to.dir, &c.copy), HD_OK);
    assert_int_equal(hd_journal_copy_begin(c.copy, list.journal, 1), HD_OK);
    assert_int_equal(hd_check_open(&opts, &check), HD_OK);
    assert_int_equal(hd_check_segment(check, path, true, 0, &seg), HD_OK);
    assert_int_equal(hd_journal_copy_end(c.copy), HD_OK);
    assert_int_equal(hd_journal_copy_place(c.copy, 1), HD_OK);
    hd_check_close(check);
    seg = check_first(&to, to.keys);
    assert_int_equal(to.n_found, 0);
    assert_int_equal(seg.entries, N);
    assert_int_equal(seg.encrypted, N);
    assert_int_equal(seg.locked, 0);
    struct hd_journal_key_id want = hd_journal_key_id(w.a);
    assert_true(hd_journal_key_id_eq(&seg.key, &want));
    assert_int_equal(hd_journal_copy_mark(c.copy, &seg), HD_OK);
    hd_journal_copy_close(c.copy);
    read_with(&to, to.keys, N);
    free(file);
    free(list.first);
    world_close(&w);
    world_close(&to);
}

static void test_a_part_of_a_file(void **state)
{
    (void)state;
    struct world w;
    struct hd_buf room;
    struct hd_journal_entry entry;
    struct stat st;
    world_open(&w);
    write_life(&w, w.a, 1, 2);
    const char *path = hd_test_path(w.dir, FIRST);
    assert_int_equal(stat(path, &st), 0);
    struct hd_journal_part part = {.fd = open(path, O_RDONLY),
                                   .bytes = (uint64_t)st.st_size};
    assert_true(part.fd >= 0);
    hd_buf_init(&room, 0);
    assert_int_equal(hd_journal_part_entry(&part, HD_JFMT_SEGMENT_LEN, &room, &entry),
                     HD_ENOKEY);
    struct hd_journal_key_id want = hd_journal_key_id(w.a);
    assert_true(hd_journal_key_id_eq(&part.missing, &want));
    part.keys = w.keys;
    assert_int_equal(hd_journal_part_entry(&part, HD_JFMT_SEGMENT_LEN, &room, &entry),
                     HD_OK);
    hd_test_entry_check(&entry, 1);
    hd_buf_fini(&room);
    (void)close(part.fd);
    world_close(&w);
}

/* ---- key files ---- */

static const char *key_file(const char *name, const char *text, mode_t mode)
{
    const char *path = hd_test_path(hd_test_tmpdir(), name);
    hd_test_spill(path, (const uint8_t *)text, strlen(text));
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static void test_what_a_key_file_may_hold(void **state)
{
    (void)state;
    struct world w;
    const struct hd_journal_key *key = NULL;
    world_open(&w);
    static const char *const bad[] = {"",
                                      "\n",
                                      "00112233",
                                      KEY_A "00",
                                      KEY_A "\n\n\n",
                                      ("x0112233445566778899aabbccddeeff"
                                       "00112233445566778899aabbccddeeff")};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(
            hd_journal_keys_load(w.none, key_file("bad.key", bad[i], 0600), &key),
            HD_EPARSE);
    }
    assert_int_equal(hd_journal_keys_count(w.none), 0);
    assert_int_equal(hd_journal_keys_load(w.keys, key_file("a.key", KEY_A, 0600), &key),
                     HD_OK);
    assert_ptr_equal(key, w.a); /* the same one is there once */
    assert_int_equal(hd_journal_keys_count(w.keys), 2);
    const char *path = key_file("raw.key", KEY_RAW, 0600);
    assert_int_equal(truncate(path, HD_JOURNAL_KEY_LEN), 0);
    assert_int_equal(hd_journal_keys_load(w.keys, path, &key), HD_OK);
    assert_int_equal(hd_journal_keys_count(w.keys), 3);
    assert_int_equal(
        hd_journal_keys_load(w.keys, key_file("open.key", KEY_B, 0640), &key), HD_EACCES);
    assert_int_equal(hd_journal_keys_load(w.keys, "/nonexistent", &key), HD_ENOENT);
    world_close(&w);
}

/* As `openssl kdf -keylen 6 -kdfopt digest:SHA256 -kdfopt hexkey:0011..ff -kdfopt
 * "info:haidang key id 1" HKDF` says it. */
static void test_the_id_is_the_keys(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    struct hd_journal_key_id id = hd_journal_key_id(w.a);
    assert_string_equal(hd_journal_key_name(&id).text, "cdbcaf29dfe8");
    world_close(&w);
}

struct bad_keys {
    char names[256];
    int last;
};

static void note_bad_key(void *ctx, const char *name, int err)
{
    struct bad_keys *bad = ctx;
    size_t len = strlen(bad->names);
    (void)snprintf(bad->names + len, sizeof(bad->names) - len, "%s ", name);
    bad->last = err;
}

static void test_keys_of_a_directory_and_of_systemd(void **state)
{
    (void)state;
    struct world w;
    struct bad_keys bad = {"", HD_OK};
    const struct hd_journal_key *key = NULL;
    struct hd_journal_key_id id, got;
    world_open(&w);
    const char *dir = hd_test_tmpdir();
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/new.key", dir);
    assert_int_equal(hd_journal_key_make(path, &id), HD_OK);
    assert_int_equal(hd_journal_key_make(path, &id), HD_EEXIST);
    hd_test_spill(hd_test_path(dir, "README"), (const uint8_t *)"no key", 6);
    hd_test_spill(hd_test_path(dir, "bad.key"), (const uint8_t *)"no key", 6);
    assert_int_equal(chmod(hd_test_path(dir, "bad.key"), 0600), 0);
    assert_int_equal(hd_journal_keys_load_dir(w.none, dir, note_bad_key, &bad), HD_OK);
    assert_string_equal(bad.names, "bad.key ");
    assert_int_equal(bad.last, HD_EPARSE);
    assert_int_equal(hd_journal_keys_count(w.none), 1);
    assert_non_null(hd_journal_keys_find(w.none, &id));
    assert_int_equal(hd_journal_keys_load(w.none, path, &key), HD_OK);
    got = hd_journal_key_id(key);
    assert_true(hd_journal_key_id_eq(&got, &id));

    assert_int_equal(hd_journal_keys_load(w.none, "credential:new.key", &key), HD_ENOENT);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir, 1), 0);
    assert_int_equal(hd_journal_keys_load(w.none, "credential:new.key", &key), HD_OK);
    assert_int_equal(chmod(path, 0440), 0); /* as systemd may show it */
    assert_int_equal(hd_journal_keys_load(w.none, "credential:new.key", &key), HD_OK);
    assert_int_equal(hd_journal_keys_load(w.none, "credential:../x", &key), HD_ENOENT);
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(hd_journal_keys_load(w.none, "credential:new.key", &key), HD_EACCES);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    struct hd_journal_keys *none = NULL;
    char why[256];
    assert_int_equal(hd_journal_keys_load_dir(w.none, dir, note_bad_key, &bad), HD_OK);
    assert_string_equal(bad.names, "bad.key bad.key new.key ");
    assert_int_equal(bad.last, HD_EACCES);
    assert_int_equal(hd_journal_keys_open(dir, NULL, 0, &none, why), HD_EPARSE);
    assert_non_null(strstr(why, "bad.key: it is no key"));
    (void)snprintf(path, sizeof(path), "%s/none", dir);
    assert_int_equal(hd_journal_keys_load_dir(w.none, path, note_bad_key, &bad),
                     HD_ENOENT);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_key_opens),
        cmocka_unit_test(test_the_file_is_of_zstd_and_says_nothing),
        cmocka_unit_test(test_the_stored_size_leads_back),
        cmocka_unit_test(test_a_payload_of_the_largest_size),
        cmocka_unit_test(test_every_byte_is_authenticated),
        cmocka_unit_test(test_a_box_belongs_to_its_entry),
        cmocka_unit_test(test_a_method_of_tomorrow_is_not_damage),
        cmocka_unit_test(test_a_check_without_the_key),
        cmocka_unit_test(test_another_key_begins_another_segment),
        cmocka_unit_test(test_an_empty_segment_takes_the_key),
        cmocka_unit_test(test_a_writer_with_the_wrong_key_is_refused),
        cmocka_unit_test(test_no_nonce_comes_twice),
        cmocka_unit_test(test_a_copy_needs_no_key),
        cmocka_unit_test(test_a_part_of_a_file),
        cmocka_unit_test(test_what_a_key_file_may_hold),
        cmocka_unit_test(test_the_id_is_the_keys),
        cmocka_unit_test(test_keys_of_a_directory_and_of_systemd),
    };
    const struct hd_log_opts quiet = {.level = HD_LOG_ERROR, .fd = -1, .burst = 1};
    hd_test_in_memory();
    hd_log_setup(&quiet);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
