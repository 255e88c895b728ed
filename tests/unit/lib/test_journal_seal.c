/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealed segments: stated, signed, chained; and whatever is changed in them is found.
 */
#include "tests/unit/lib/journal_helper.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/journal_check.h>

#include "lib/journal_format.h"

#define N          12U
#define SEGMENT    600U /* bytes: a few entries each */
#define SEGS_MAX   16U
#define CHECK_KEYS 2U

struct world {
    const char *dir;
    struct hd_sign_key *key[CHECK_KEYS]; /* key[0] seals */
    struct hd_journal_segments list;
    struct hd_check_segment segs[SEGS_MAX];
    unsigned found[HD_CHECK_PROBLEMS];
    struct hd_check_finding first;
    unsigned n_found;
};

static struct hd_sign_key *make_key(const char *name)
{
    struct hd_sign_key *key = NULL;
    const char *path = hd_test_path(hd_test_tmpdir(), name);
    assert_int_equal(hd_sign_key_make(path), HD_OK);
    assert_int_equal(hd_sign_key_load(path, &key), HD_OK);
    return key;
}

static struct hd_journal *journal_open(struct world *w)
{
    struct hd_journal_opts opts = {
        .dir = w->dir, .segment_bytes = SEGMENT, .seal_key = w->key[0]};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    return j;
}

static void world_open(struct world *w)
{
    *w = (struct world){.dir = hd_test_tmpdir()};
    w->key[0] = make_key("key");
    w->key[1] = make_key("other");
}

/* N entries; opened anew after half of them, so that one hash is of a file read back. */
static void world_fill(struct world *w)
{
    world_open(w);
    struct hd_journal *j = journal_open(w);
    hd_test_append(j, 1, N / 2);
    hd_journal_close(j);
    j = journal_open(w);
    hd_test_append(j, N / 2 + 1, N);
    hd_journal_close(j);
    assert_int_equal(hd_journal_list(w->dir, &w->list), HD_OK);
    assert_in_range(w->list.n, 3, SEGS_MAX);
}

static void world_close(struct world *w)
{
    free(w->list.first);
    hd_sign_key_free(w->key[0]);
    hd_sign_key_free(w->key[1]);
}

static void note(void *ctx, const struct hd_check_finding *finding)
{
    struct world *w = ctx;
    w->found[finding->problem]++;
    if (w->n_found++ == 0) {
        w->first = *finding;
    }
}

static const char *segment_path(const struct world *w, size_t i)
{
    static char path[512];
    assert_int_equal(
        hd_journal_segment_path(w->dir, w->list.first[i], path, sizeof(path)), HD_OK);
    return path;
}

/* Checks the segments but for `without`; returns how many problems there are. */
static unsigned check_without(struct world *w, size_t n_keys, size_t without)
{
    struct hd_check_opts opts = {
        .keys = w->key, .n_keys = n_keys, .found = note, .ctx = w};
    opts.journal = w->list.has_journal ? w->list.journal : NULL;
    struct hd_check *check = NULL;
    memset(w->found, 0, sizeof(w->found));
    w->n_found = 0;
    assert_int_equal(hd_check_open(&opts, &check), HD_OK);
    for (size_t i = 0; i < w->list.n; i++) {
        bool is_last = i + 1 == w->list.n;
        if (i != without) {
            assert_int_equal(hd_check_segment(check, segment_path(w, i), is_last,
                                              is_last ? w->list.durable : 0, &w->segs[i]),
                             HD_OK);
        }
    }
    hd_check_close(check);
    return w->n_found;
}

static unsigned check(struct world *w)
{
    return check_without(w, 1, SIZE_MAX);
}

static void sealed_segments_are_stated_and_chained(void **state)
{
    (void)state;
    struct world w;
    world_fill(&w);
    assert_int_equal(check(&w), 0);
    uint64_t entries = 0;
    for (size_t i = 0; i < w.list.n; i++) {
        bool is_last = i + 1 == w.list.n;
        assert_int_equal(w.segs[i].is_sealed, !is_last);
        assert_int_equal(w.segs[i].is_vouched, !is_last);
        entries += w.segs[i].entries;
        if (!is_last) {
            assert_int_equal(w.segs[i].seal.previous, i == 0 ? 0 : w.list.first[i - 1]);
            assert_int_equal(w.segs[i].seal.entries, w.segs[i].entries);
            assert_int_equal(w.segs[i].seal.records, w.segs[i].records);
        }
    }
    assert_int_equal(entries, N);
    world_close(&w);
}

static void sealed_segments_are_read_as_ever(void **state)
{
    (void)state;
    struct world w;
    world_fill(&w);
    struct hd_journal_reader *r = hd_test_reader(w.dir, NULL);
    hd_test_read(r, 1, N);
    hd_journal_reader_close(r);
    world_close(&w);
}

static void without_a_key_nothing_is_stated(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    struct hd_journal_opts opts = {.dir = w.dir, .segment_bytes = SEGMENT};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    hd_test_append(j, 1, N);
    hd_journal_close(j);
    assert_int_equal(hd_journal_list(w.dir, &w.list), HD_OK);
    assert_int_equal(check(&w), 0);
    assert_true(w.segs[0].is_sealed);
    assert_false(w.segs[0].is_stated);
    world_close(&w);
}

/* Entries that a reader finds, each as it was written. */
static unsigned count_readable(const struct world *w)
{
    struct hd_journal_reader *r = hd_test_reader(w->dir, NULL);
    struct hd_journal_entry entry;
    unsigned n = 0;
    uint64_t last = 0;
    int err;
    do {
        err = hd_journal_reader_next(r, &entry);
        if (err == HD_OK) {
            assert_true(entry.first > last);
            hd_test_entry_check(&entry, entry.index);
            last = entry.first;
            n++;
        }
    } while (err == HD_OK || err == HD_ECORRUPT || err == HD_ENOENT);
    assert_int_equal(err, HD_EAGAIN);
    hd_journal_reader_close(r);
    return n;
}

/* Where in a file a byte stands decides by what its change is found; found it is, and no
 * more than the entry that it belongs to is lost to readers. */
static void a_flip_of_any_bit_is_found(void **state)
{
    (void)state;
    struct world w;
    size_t len = 0;
    world_fill(&w);
    const char *path = segment_path(&w, 1);
    uint8_t *bytes = hd_test_slurp(path, &len);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t i = 0; i < len; i++) {
        uint8_t flipped = bytes[i] ^ (uint8_t)(1U << (i % 8));
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)i), 1);
        if (check(&w) == 0) {
            fail_msg("a flip at %zu of %zu is not found", i, len);
        }
        assert_int_equal(w.first.segment, w.list.first[1]);
        if (count_readable(&w) < N - 1) {
            fail_msg("a flip at %zu of %zu costs more than its entry", i, len);
        }
        assert_int_equal(pwrite(fd, &bytes[i], 1, (off_t)i), 1);
    }
    assert_int_equal(check(&w), 0);
    (void)close(fd);
    free(bytes);
    world_close(&w);
}

/* Damage within one entry leaves the others to be counted, and is named to the entry. */
static void damage_is_named_to_the_entry(void **state)
{
    (void)state;
    struct world w;
    size_t len = 0;
    world_fill(&w);
    check(&w);
    uint64_t entries = w.segs[1].entries;
    uint8_t *bytes = hd_test_slurp(segment_path(&w, 1), &len);
    bytes[64 + 80 + 20] ^= 0x40;
    hd_test_spill(segment_path(&w, 1), bytes, len);
    assert_true(check(&w) > 0);
    assert_int_equal(w.first.problem, HD_CHECK_DAMAGE);
    assert_int_equal(w.first.index, w.list.first[1]);
    assert_int_equal(w.first.offset, 64);
    assert_int_equal(w.found[HD_CHECK_DAMAGE], 1);
    assert_int_equal(w.found[HD_CHECK_MISSING], 0);
    assert_int_equal(w.found[HD_CHECK_HASH], 1);
    assert_int_equal(w.found[HD_CHECK_CHAIN], 0);
    assert_int_equal(w.segs[1].entries, entries - 1);
    free(bytes);
    world_close(&w);
}

static void a_segment_that_was_taken_away_is_missed(void **state)
{
    (void)state;
    struct world w;
    world_fill(&w);
    assert_true(check_without(&w, 1, 1) > 0);
    assert_int_equal(w.found[HD_CHECK_MISSING], 1);
    assert_int_equal(w.found[HD_CHECK_CHAIN], 1);
    assert_int_equal(check_without(&w, 1, 0), 0); /* as retention does */
    world_close(&w);
}

static void keys_must_be_known(void **state)
{
    (void)state;
    struct world w;
    world_fill(&w);
    assert_int_equal(check_without(&w, 0, SIZE_MAX), w.list.n - 1);
    assert_int_equal(w.found[HD_CHECK_KEY], w.list.n - 1);
    assert_false(w.segs[0].is_vouched);
    world_close(&w);
}

/* Rotation: the next life seals with another key, and the chain goes on. */
static void a_new_key_goes_on_with_the_chain(void **state)
{
    (void)state;
    struct world w;
    world_fill(&w);
    struct hd_sign_key *old = w.key[0];
    w.key[0] = w.key[1];
    w.key[1] = old;
    struct hd_journal *j = journal_open(&w);
    hd_test_append(j, N + 1, 2 * N);
    hd_journal_close(j);
    free(w.list.first);
    assert_int_equal(hd_journal_list(w.dir, &w.list), HD_OK);
    assert_in_range(w.list.n, 4, SEGS_MAX);
    assert_int_equal(check_without(&w, 2, SIZE_MAX), 0);
    assert_true(check_without(&w, 1, SIZE_MAX) > 0);
    assert_int_equal(w.found[HD_CHECK_KEY], w.n_found);
    world_close(&w);
}

/* Whoever can write files but has no key cannot seal what he changed. */
static void a_forged_seal_is_found(void **state)
{
    (void)state;
    struct world w, forger;
    size_t len = 0;
    world_fill(&w);
    world_fill(&forger);
    uint8_t *bytes = hd_test_slurp(segment_path(&forger, 1), &len);
    hd_test_spill(segment_path(&w, 1), bytes, len);
    assert_true(check(&w) > 0);
    assert_int_equal(w.found[HD_CHECK_HEADER], 1);
    assert_int_equal(w.found[HD_CHECK_KEY], 1);
    assert_true(w.found[HD_CHECK_CHAIN] > 0);
    free(bytes);
    world_close(&w);
    world_close(&forger);
}

/* Nothing is written any more: what is there is sealed all the same when it is old. */
/* Begun by a clock that was ahead: it is not to stay open until that time comes. */
static void a_clock_that_was_ahead_holds_no_segment_open(void **state)
{
    (void)state;
    struct world w;
    int64_t wall = INT64_C(1700000000000000000), mono = 0;
    world_open(&w);
    hd_clock_fake(&wall, &mono);
    struct hd_journal_opts opts = {
        .dir = w.dir, .segment_ns = 1000, .seal_key = w.key[0]};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    hd_test_append(j, 1, 2);
    wall -= 999;
    assert_int_equal(hd_journal_trim(j), 0);
    hd_test_append(j, 3, 3);
    assert_int_equal(hd_journal_list(w.dir, &w.list), HD_OK);
    assert_int_equal(w.list.n, 1);
    free(w.list.first);
    wall -= 1;
    assert_int_equal(hd_journal_trim(j), 0);
    hd_test_append(j, 4, 4);
    assert_int_equal(hd_journal_list(w.dir, &w.list), HD_OK);
    assert_int_equal(check(&w), 0);
    assert_true(w.list.n == 2 && w.list.first[1] == 4 && w.segs[0].is_vouched);
    hd_journal_close(j);
    hd_clock_fake(NULL, NULL);
    world_close(&w);
}

/* The header of the second segment says that it was made then. */
static void say_made(const struct world *w, int64_t created_ns)
{
    struct hd_jfmt_segment header;
    struct hd_buf bytes;
    size_t len;
    uint8_t *whole = hd_test_slurp(segment_path(w, 1), &len);
    assert_true(hd_jfmt_segment_decode(hd_slice(whole, len), &header));
    header.created_ns = created_ns;
    hd_buf_init(&bytes, 0);
    hd_jfmt_segment_encode(&bytes, &header);
    memcpy(whole, bytes.ptr, bytes.len);
    hd_test_spill(segment_path(w, 1), whole, len);
    hd_buf_fini(&bytes);
    free(whole);
}

/* Such as an imported one's: nothing that stands there may be more than wrong. */
static void any_time_may_stand_in_a_header(void **state)
{
    static const int64_t times[] = {INT64_MAX, 0, -1, INT64_MIN, INT64_MIN + 1};
    (void)state;
    struct world w;
    world_fill(&w);
    struct hd_journal_opts opts = {.dir = w.dir,
                                   .segment_bytes = SEGMENT,
                                   .segment_ns = 1,
                                   .retain_min_ns = INT64_MAX,
                                   .retain_ns = INT64_MAX};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct hd_journal_recovery recovery;
        struct hd_journal *j = NULL;
        say_made(&w, times[i]);
        opts.retain_ns = times[i] < 0 ? INT64_MAX : 1; /* its age is beyond all bounds */
        assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
        assert_int_equal(hd_journal_trim(j), 0);
        hd_journal_close(j);
        assert_int_equal(access(segment_path(&w, 0), F_OK), 0);
    }
    world_close(&w);
}

static void an_old_segment_is_sealed_without_another_entry(void **state)
{
    (void)state;
    struct world w;
    int64_t wall = INT64_C(1700000000000000000), mono = 0;
    world_open(&w);
    hd_clock_fake(&wall, &mono);
    struct hd_journal_opts opts = {
        .dir = w.dir, .segment_ns = 1000, .seal_key = w.key[0]};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    hd_test_append(j, 1, 2);
    wall += 999;
    assert_int_equal(hd_journal_trim(j), 0);
    assert_int_equal(hd_journal_list(w.dir, &w.list), HD_OK);
    assert_int_equal(check(&w), 0);
    assert_false(w.segs[0].is_sealed);
    wall += 1;
    assert_int_equal(hd_journal_trim(j), 0);
    free(w.list.first);
    assert_int_equal(hd_journal_list(w.dir, &w.list), HD_OK);
    assert_int_equal(check(&w), 0);
    assert_true(w.segs[0].is_vouched);
    struct hd_journal_reader *r = hd_test_reader(w.dir, NULL);
    hd_test_read(r, 1, 2);
    hd_test_append(j, 3, 3);
    hd_test_read(r, 3, 3);
    hd_journal_reader_close(r);
    hd_journal_close(j);
    hd_clock_fake(NULL, NULL);
    world_close(&w);
}

static bool stop(void *ctx, uint64_t bytes)
{
    (void)ctx;
    return bytes == 0;
}

static void a_check_ends_when_told(void **state)
{
    (void)state;
    struct world w;
    struct hd_check_opts opts = {.found = note, .progress = stop, .ctx = &w};
    struct hd_check *check = NULL;
    world_fill(&w);
    assert_int_equal(hd_check_open(&opts, &check), HD_OK);
    assert_int_equal(hd_check_segment(check, segment_path(&w, 0), false, 0, &w.segs[0]),
                     HD_ECLOSED);
    assert_int_equal(hd_check_segment(check, "/nonexistent", false, 0, &w.segs[0]),
                     HD_EINVAL);
    assert_int_equal(
        hd_check_segment(check, "/x/00000000000000000001.zst", false, 0, &w.segs[0]),
        HD_ENOENT);
    hd_check_close(check);
    world_close(&w);
}

struct patience {
    struct world world; /* first: of the findings */
    unsigned asked, until;
    uint64_t at;
};

static bool stop_later(void *ctx, uint64_t bytes)
{
    struct patience *p = ctx;
    p->at = bytes;
    return ++p->asked < p->until;
}

/* Nothing verifies for megabytes: the end is not waited for. */
static void a_check_ends_within_damage(void **state)
{
    (void)state;
    struct patience p = {.until = 4};
    struct hd_check_opts opts = {.found = note, .progress = stop_later, .ctx = &p};
    struct hd_check *check = NULL;
    struct hd_check_segment seg;
    size_t len = (size_t)8 << 20;
    uint8_t *bytes = calloc(1, len);
    assert_non_null(bytes);
    world_fill(&p.world);
    hd_test_spill(segment_path(&p.world, 0), bytes, len);
    assert_int_equal(hd_check_open(&opts, &check), HD_OK);
    assert_int_equal(hd_check_segment(check, segment_path(&p.world, 0), false, 0, &seg),
                     HD_ECLOSED);
    assert_int_equal(p.asked, p.until);
    assert_in_range(p.at, 1, len / 2);
    p.until = UINT_MAX;
    assert_int_equal(hd_check_segment(check, segment_path(&p.world, 0), false, 0, &seg),
                     HD_OK);
    assert_int_equal(p.at, len);
    assert_int_equal(p.world.found[HD_CHECK_DAMAGE], 1);
    hd_check_close(check);
    free(bytes);
    world_close(&p.world);
}

int main(void)
{
    hd_test_in_memory();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_segments_are_stated_and_chained),
        cmocka_unit_test(sealed_segments_are_read_as_ever),
        cmocka_unit_test(without_a_key_nothing_is_stated),
        cmocka_unit_test(a_flip_of_any_bit_is_found),
        cmocka_unit_test(damage_is_named_to_the_entry),
        cmocka_unit_test(a_segment_that_was_taken_away_is_missed),
        cmocka_unit_test(keys_must_be_known),
        cmocka_unit_test(a_new_key_goes_on_with_the_chain),
        cmocka_unit_test(a_forged_seal_is_found),
        cmocka_unit_test(a_clock_that_was_ahead_holds_no_segment_open),
        cmocka_unit_test(any_time_may_stand_in_a_header),
        cmocka_unit_test(an_old_segment_is_sealed_without_another_entry),
        cmocka_unit_test(a_check_ends_when_told),
        cmocka_unit_test(a_check_ends_within_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
