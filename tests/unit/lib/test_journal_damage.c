/* SPDX-License-Identifier: Apache-2.0
 *
 * A small journal cut at every byte, and with a bit flipped in every byte: what is whole
 * is read, what is not is told, and the journal goes on.
 */
#include "tests/unit/lib/journal_helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/log.h>

#include "lib/journal_format.h"

#define FIRST  "00000000000000000001.zst"
#define N      5U
#define SEALED 3U /* entries of the first segment in the journal of two */

struct image {
    const char *dir;
    uint8_t *segment, *mark;
    size_t segment_len, mark_len;
    uint64_t ends[N + 1]; /* where entry n ends; [0] = the header */
};

static void find_ends(struct image *image, uint64_t n)
{
    image->ends[0] = HD_JFMT_SEGMENT_LEN;
    for (uint64_t i = 1; i <= n; i++) {
        struct hd_journal_entry entry = hd_test_entry(i);
        image->ends[i] =
            image->ends[i - 1] + HD_JFMT_ENTRY_LEN + entry.meta.len + entry.payload.len;
    }
}

/* One segment of N entries that is still open, or one of SEALED and what follows. */
static struct image make_image(bool is_sealed)
{
    struct image image = {.dir = hd_test_tmpdir()};
    struct hd_journal_opts opts = {.dir = image.dir};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    find_ends(&image, N);
    opts.segment_bytes = is_sealed ? image.ends[SEALED] + 1 : 0;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    hd_test_append(j, 1, N);
    hd_journal_close(j);
    image.segment = hd_test_slurp(hd_test_path(image.dir, FIRST), &image.segment_len);
    image.mark = hd_test_slurp(hd_test_path(image.dir, "mark"), &image.mark_len);
    if (!is_sealed) {
        assert_int_equal(image.segment_len, image.ends[N]);
    }
    return image;
}

static void drop_image(struct image *image)
{
    free(image->segment);
    free(image->mark);
}

/* The journal as of the image, with its first segment so long. */
static void restore(const struct image *image, size_t len, bool has_mark)
{
    char name[HD_JFMT_NAME_LEN + 1];
    for (uint64_t i = 1; i <= N + 4; i++) {
        hd_jfmt_name(i, name);
        if (i == 1 || image->segment_len == image->ends[N]) {
            (void)unlink(hd_test_path(image->dir, name));
        }
    }
    hd_test_spill(hd_test_path(image->dir, FIRST), image->segment, len);
    hd_test_spill(hd_test_path(image->dir, "mark"), image->mark,
                  has_mark ? image->mark_len : 0);
}

struct tally {
    uint64_t read, told;
    uint64_t last; /* number of the last entry */
};

static struct tally read_all(const char *dir)
{
    struct tally tally = {0};
    struct hd_journal_entry entry;
    struct hd_journal_reader *r = hd_test_reader(dir, NULL);
    int err = hd_journal_reader_next(r, &entry);
    while (err != HD_EAGAIN) {
        if (err == HD_OK) {
            uint64_t n = entry.first / 10;
            assert_true(n > tally.last);
            hd_test_entry_check(&entry, n);
            tally.last = n;
            tally.read++;
        } else {
            assert_true(err == HD_ECORRUPT || err == HD_ENOENT);
            tally.told++;
        }
        err = hd_journal_reader_next(r, &entry);
    }
    hd_journal_reader_close(r);
    return tally;
}

static uint64_t whole_before(const struct image *image, size_t cut)
{
    uint64_t n = 0;
    while (n < N && image->ends[n + 1] <= cut) {
        n++;
    }
    return n;
}

/* Opens for writing, appends entry 99, and reads all. */
static struct tally reopen_and_read(const char *dir, struct hd_journal_recovery *recovery)
{
    struct hd_journal_opts opts = {.dir = dir};
    struct hd_journal *j = NULL;
    assert_int_equal(hd_journal_open(&opts, &j, recovery), HD_OK);
    struct hd_journal_entry entry = hd_test_entry(99);
    assert_int_equal(hd_journal_append(j, &entry), HD_OK);
    assert_int_equal(entry.index, recovery->next_index);
    hd_journal_close(j);
    return read_all(dir);
}

/* Nobody knows that it was more: a torn tail, cut without a word of damage. */
static void test_torn_at_every_byte(void **state)
{
    (void)state;
    struct image image = make_image(false);
    for (size_t cut = 0; cut <= image.segment_len; cut++) {
        struct hd_journal_recovery recovery;
        restore(&image, cut, false);
        struct tally tally = reopen_and_read(image.dir, &recovery);
        uint64_t whole = whole_before(&image, cut);
        assert_int_equal(tally.read, whole + 1);
        assert_int_equal(tally.last, 99);
        assert_int_equal(tally.told, 0);
        assert_int_equal(recovery.entries, whole);
        assert_int_equal(recovery.next_index, whole + 1);
        assert_int_equal(recovery.lost_entries, 0);
        if (cut >= HD_JFMT_SEGMENT_LEN) {
            assert_int_equal(recovery.torn_bytes, cut - image.ends[whole]);
        }
    }
    drop_image(&image);
}

/* The mark says that there was more: it is told, and no index is used twice. */
static void test_durable_bytes_are_missing(void **state)
{
    (void)state;
    struct image image = make_image(false);
    for (size_t cut = 0; cut < image.segment_len; cut++) {
        struct hd_journal_recovery recovery;
        restore(&image, cut, true);
        struct tally tally = reopen_and_read(image.dir, &recovery);
        uint64_t whole = whole_before(&image, cut);
        assert_int_equal(tally.read, whole + 1);
        assert_int_equal(tally.last, 99);
        if (whole > 0) {
            assert_true(tally.told > 0);
        }
        assert_int_equal(recovery.lost_entries, N - whole);
        assert_int_equal(recovery.next_index, N + 1);
    }
    drop_image(&image);
}

static void flip_every_byte(bool is_sealed)
{
    struct image image = make_image(is_sealed);
    uint64_t in_segment = is_sealed ? SEALED : N;
    for (size_t i = 0; i < image.segment_len; i++) {
        struct hd_journal_recovery recovery;
        bool is_in_entry = i >= image.ends[0] && i < image.ends[in_segment];
        image.segment[i] ^= (uint8_t)(1U << i % 8);
        restore(&image, image.segment_len, true);
        struct tally tally = read_all(image.dir);
        assert_int_equal(tally.read, is_in_entry ? N - 1 : N);
        assert_true(tally.told > 0);
        if (!is_sealed) {
            /* the writer keeps what is whole, before and behind the damage */
            tally = reopen_and_read(image.dir, &recovery);
            assert_int_equal(tally.read, is_in_entry ? N : N + 1);
            assert_int_equal(tally.last, 99);
            assert_true(tally.told > 0);
            assert_int_equal(recovery.next_index, N + 1);
            assert_int_equal(recovery.lost_entries, is_in_entry ? 1 : 0);
        }
        image.segment[i] ^= (uint8_t)(1U << i % 8);
    }
    drop_image(&image);
}

static void test_flip_in_an_open_segment(void **state)
{
    (void)state;
    flip_every_byte(false);
}

static void test_flip_in_a_sealed_segment(void **state)
{
    (void)state;
    flip_every_byte(true);
}

/* Without its mark a damaged journal still keeps what later entries vouch for. */
static void test_later_entries_are_witnesses(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal *j = hd_test_journal(dir);
    for (uint64_t n = 1; n <= N; n++) {
        hd_test_append(j, n, n);
    }
    hd_journal_close(j);
    size_t len = 0;
    uint8_t *segment = hd_test_slurp(hd_test_path(dir, FIRST), &len);
    segment[HD_JFMT_SEGMENT_LEN + 20] ^= 1;
    hd_test_spill(hd_test_path(dir, FIRST), segment, len);
    assert_int_equal(unlink(hd_test_path(dir, "mark")), 0);
    struct hd_journal_recovery recovery;
    struct tally tally = reopen_and_read(dir, &recovery);
    assert_int_equal(tally.read, N);
    assert_int_equal(tally.told, 1);
    assert_int_equal(recovery.lost_entries, 1);
    assert_int_equal(recovery.torn_bytes, 0);
    assert_true(recovery.damaged_bytes > 0);
    assert_string_equal(recovery.torn_file, FIRST);
    free(segment);
}

/* No header, no mark, but bytes: they stay, the journal begins above them. */
static void test_foreign_bytes_are_left_alone(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    uint8_t rubbish[1000];
    memset(rubbish, 'x', sizeof(rubbish));
    hd_test_spill(hd_test_path(dir, FIRST), rubbish, sizeof(rubbish));
    struct hd_journal_recovery recovery;
    struct tally tally = reopen_and_read(dir, &recovery);
    assert_int_equal(tally.read, 1);
    assert_true(tally.told > 0);
    assert_int_equal(recovery.damaged_bytes, sizeof(rubbish));
    assert_true(recovery.next_index > 10);
    size_t len = 0;
    uint8_t *still = hd_test_slurp(hd_test_path(dir, FIRST), &len);
    assert_int_equal(len, sizeof(rubbish));
    assert_memory_equal(still, rubbish, len);
    free(still);
}

/* A payload that imitates an entry is not taken for one when its own entry is damaged. */
static void test_imitation_in_a_payload(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal *j = hd_test_journal(dir);
    struct hd_buf fake;
    hd_buf_init(&fake, 0);
    struct hd_journal_entry inner = hd_test_entry(77);
    static const char padding[200];
    inner.index = 2;
    inner.meta = hd_slice(padding, sizeof(padding));
    struct hd_jfmt_uuid guess = {{0}};
    /* one raw block: the inner bytes stand in the file as they are */
    hd_jfmt_entry_encode(&fake, &guess, &inner, 5);
    hd_buf_slice_add(&fake, inner.payload);
    struct hd_buf frame;
    hd_buf_init(&frame, 0);
    static const uint8_t head[] = {0x28, 0xb5, 0x2f, 0xfd, 0x60};
    hd_buf_bytes(&frame, head, sizeof(head));
    hd_buf_le16(&frame, (uint16_t)(fake.len - 256));
    uint32_t block = (uint32_t)fake.len << 3 | 1;
    hd_buf_byte(&frame, (uint8_t)block);
    hd_buf_le16(&frame, (uint16_t)(block >> 8));
    hd_buf_slice_add(&frame, hd_buf_slice(&fake));
    struct hd_journal_entry entry = hd_test_entry(1);
    entry.payload = hd_buf_slice(&frame);
    assert_true(fake.len >= 256);
    assert_int_equal(hd_journal_append(j, &entry), HD_OK);
    hd_test_append(j, 2, 3);
    hd_journal_close(j);
    size_t len = 0;
    uint8_t *segment = hd_test_slurp(hd_test_path(dir, FIRST), &len);
    segment[HD_JFMT_SEGMENT_LEN + 20] ^= 1;
    hd_test_spill(hd_test_path(dir, FIRST), segment, len);
    struct tally tally = read_all(dir);
    assert_int_equal(tally.read, 2);
    assert_int_equal(tally.last, 3);
    free(segment);
    hd_buf_fini(&fake);
    hd_buf_fini(&frame);
}

static bool entry_is(uint64_t index, uint64_t committed)
{
    const struct hd_jfmt_uuid uuid = {{1}};
    struct hd_journal_entry entry = hd_test_entry(1);
    struct hd_jfmt_entry out;
    struct hd_buf bytes;
    entry.index = index;
    hd_buf_init(&bytes, 0);
    hd_jfmt_entry_encode(&bytes, &uuid, &entry, committed);
    enum hd_parse got = hd_jfmt_entry_decode(hd_buf_slice(&bytes), &uuid, &out);
    hd_buf_fini(&bytes);
    return got == HD_PARSE_OK;
}

static bool footer_is(uint64_t first, uint64_t next)
{
    const struct hd_jfmt_uuid uuid = {{1}};
    struct hd_jfmt_footer *footer = calloc(1, sizeof(*footer));
    struct hd_buf bytes;
    assert_non_null(footer);
    footer->first = first;
    footer->next = next;
    hd_buf_init(&bytes, 0);
    hd_jfmt_footer_begin(&bytes, footer, 0);
    hd_jfmt_footer_end(&bytes, &uuid);
    bool is_one = hd_jfmt_footer_decode(hd_buf_slice(&bytes), &uuid, footer);
    hd_buf_fini(&bytes);
    free(footer);
    return is_one;
}

static bool header_is(uint64_t first)
{
    struct hd_jfmt_segment out = {.first = first};
    struct hd_buf bytes;
    hd_buf_init(&bytes, 0);
    hd_jfmt_segment_encode(&bytes, &out);
    bool is_one = hd_jfmt_segment_decode(hd_buf_slice(&bytes), &out);
    hd_buf_fini(&bytes);
    return is_one;
}

static bool mark_is(uint64_t next)
{
    struct hd_jfmt_mark out = {.next = next};
    struct hd_buf bytes;
    hd_buf_init(&bytes, 0);
    hd_jfmt_mark_encode(&bytes, &out);
    bool is_one = hd_jfmt_mark_decode(hd_buf_slice(&bytes), &out);
    hd_buf_fini(&bytes);
    return is_one;
}

static bool name_is(uint64_t first)
{
    char name[HD_JFMT_NAME_LEN + 1];
    hd_jfmt_name(first, name);
    return hd_jfmt_name_parse(name, &first);
}

/* Their checksums hold: somebody wrote them. Behind such a number comes 0. */
static void test_numbers_that_cannot_be(void **state)
{
    static const uint64_t bad[] = {0, HD_JOURNAL_INDEX_MAX + UINT64_C(1), UINT64_MAX};
    const uint64_t most = HD_JOURNAL_INDEX_MAX;
    (void)state;
    assert_true(entry_is(1, 0) && entry_is(most, most) && footer_is(1, most));
    assert_true(header_is(1) && header_is(most) && mark_is(most));
    assert_true(name_is(1) && name_is(most));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(entry_is(bad[i], 0));
        assert_false(footer_is(bad[i], UINT64_MAX));
        assert_false(footer_is(1, bad[i]));
        assert_false(header_is(bad[i]));
        assert_false(mark_is(bad[i]));
        assert_false(name_is(bad[i]));
    }
    assert_false(entry_is(1, most + 1));
}

int main(void)
{
    const struct hd_log_opts quiet = {.level = HD_LOG_ERROR, .fd = -1, .burst = 1};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torn_at_every_byte),
        cmocka_unit_test(test_durable_bytes_are_missing),
        cmocka_unit_test(test_flip_in_an_open_segment),
        cmocka_unit_test(test_flip_in_a_sealed_segment),
        cmocka_unit_test(test_later_entries_are_witnesses),
        cmocka_unit_test(test_foreign_bytes_are_left_alone),
        cmocka_unit_test(test_imitation_in_a_payload),
        cmocka_unit_test(test_numbers_that_cannot_be),
    };
    hd_log_setup(&quiet);
    hd_test_in_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
