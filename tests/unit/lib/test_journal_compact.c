/* SPDX-License-Identifier: Apache-2.0
 *
 * Segments written anew: smaller, the same content, the same chain; and whatever is
 * changed in them is found.
 */
#include "tests/unit/lib/compact_world.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void a_segment_becomes_smaller_and_stays_what_it_was(void **state)
{
    (void)state;
    struct cw w;
    struct stat before, after;
    unsigned gaps;
    cw_open(&w);
    assert_int_equal(chmod(cw_segment_path(&w, 0), 0600), 0);
    assert_int_equal(stat(cw_segment_path(&w, 0), &before), 0);
    uint64_t lines = 0;
    for (size_t i = 0; i + 1 < w.list.n; i++) {
        struct hd_compact_result r = cw_compact(&w, i);
        assert_int_equal(r.outcome, HD_COMPACT_DONE);
        assert_true(r.after_bytes * 2 < r.before_bytes && r.dropped == 0);
        lines += r.entries * 60;
    }
    assert_int_equal(stat(cw_segment_path(&w, 0), &after), 0);
    assert_int_equal(after.st_mode, before.st_mode);
    assert_true(after.st_size < before.st_size);
    assert_int_equal(cw_check(&w), 0);
    for (size_t i = 0; i + 1 < w.list.n; i++) {
        assert_true(w.segs[i].is_compacted && w.segs[i].is_vouched);
        assert_int_equal(w.segs[i].seal.records, w.segs[i].records);
        lines -= w.segs[i].records;
    }
    assert_true(lines == 0);
    assert_memory_equal(w.compacted.before, w.compacted.after, HD_SHA256_LEN);
    assert_int_equal(cw_read_all(&w, 60, &gaps), N);
    assert_int_equal(gaps, 0);
    /* once is enough, and nothing lies about */
    assert_int_equal(cw_compact(&w, 0).outcome, HD_COMPACT_NOTHING);
    assert_int_equal(
        access(hd_test_path(w.dir, ".compact/00000000000000000001.zst"), F_OK), -1);
    cw_close(&w);
}

static void readers_that_are_there_read_on(void **state)
{
    (void)state;
    struct cw w;
    struct hd_journal_entry entry;
    struct hd_journal_cursor at;
    cw_open(&w);
    struct hd_journal_reader *open = hd_test_reader(w.dir, NULL);
    struct hd_journal_reader *saved = hd_test_reader(w.dir, NULL);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(hd_journal_reader_next(open, &entry), HD_OK);
        assert_int_equal(hd_journal_reader_next(saved, &entry), HD_OK);
    }
    hd_journal_reader_tell(saved, &at); /* an offset that is not there any more */
    hd_journal_reader_close(saved);
    assert_int_equal(cw_compact(&w, 0).outcome, HD_COMPACT_DONE);
    saved = hd_test_reader(w.dir, NULL);
    assert_int_equal(hd_journal_reader_seek(saved, &at), HD_OK);
    for (uint64_t n = 4; n <= N; n++) {
        assert_int_equal(hd_journal_reader_next(open, &entry), HD_OK);
        assert_true(entry.index == n);
        assert_int_equal(hd_journal_reader_next(saved, &entry), HD_OK);
        assert_true(entry.index == n);
        cw_check_entry(&entry, 60);
    }
    hd_journal_reader_close(open);
    hd_journal_reader_close(saved);
    cw_close(&w);
}

static void what_is_dropped_is_stated_and_not_missing(void **state)
{
    (void)state;
    struct cw w;
    unsigned gaps;
    uint8_t before[HD_SHA256_LEN];
    cw_open(&w);
    uint64_t last = w.list.first[1] - 1;
    w.drop_from = 2;
    w.drop_to = 3;
    struct hd_compact_result r = cw_compact(&w, 0);
    assert_int_equal(r.outcome, HD_COMPACT_DONE);
    assert_true(r.dropped == 2 && r.entries == last);
    w.list.n = 1; /* the first one's statement */
    w.list.durable = 0;
    assert_int_equal(cw_check(&w), 0);
    memcpy(before, w.compacted.before, sizeof(before));
    assert_true(memcmp(before, w.compacted.after, sizeof(before)) != 0);
    assert_int_equal(w.compacted.n_dropped, 1);
    /* later more: what was dropped adds up, what was there first is remembered */
    w.drop_from = last - 1;
    w.drop_to = last;
    assert_int_equal(cw_compact(&w, 0).outcome, HD_COMPACT_DONE);
    w.drop_from = 1;
    w.drop_to = 4;
    assert_int_equal(cw_compact(&w, 0).outcome, HD_COMPACT_DONE);
    assert_int_equal(cw_compact(&w, 0).outcome, HD_COMPACT_NOTHING);
    assert_int_equal(cw_check(&w), 0);
    assert_memory_equal(before, w.compacted.before, sizeof(before));
    assert_int_equal(w.compacted.n_dropped, 2);
    assert_true(w.compacted.dropped[0].first == 1 && w.compacted.dropped[0].last == 4);
    assert_true(w.compacted.dropped[1].last == last);
    assert_true(hd_compacted_dropped(&w.compacted) == 6);
    cw_list(&w);
    assert_int_equal(cw_check(&w), 0);
    assert_int_equal(cw_read_all(&w, 60, &gaps), N - 6);
    assert_true(gaps >= 1);
    cw_close(&w);
}

static void a_segment_may_become_empty(void **state)
{
    (void)state;
    struct cw w;
    unsigned gaps;
    cw_open(&w);
    uint64_t dropped = w.list.first[2] - w.list.first[1];
    w.drop_from = w.list.first[1];
    w.drop_to = w.list.first[2] - 1;
    struct hd_compact_result r = cw_compact(&w, 1);
    assert_int_equal(r.outcome, HD_COMPACT_DONE);
    assert_true(r.dropped == dropped && r.after_bytes < 4096);
    assert_int_equal(cw_check(&w), 0);
    assert_true(w.segs[1].entries == 0 && w.segs[1].is_vouched);
    assert_true(w.segs[1].follows == w.list.first[2]);
    assert_int_equal(cw_read_all(&w, 60, &gaps), N - dropped);
    assert_int_equal(gaps, 1);
    cw_close(&w);
}

static void what_a_named_reader_needs_is_not_dropped(void **state)
{
    (void)state;
    struct cw w;
    struct hd_journal_entry entry;
    struct hd_journal_cursor at;
    cw_open(&w);
    struct hd_journal_reader *r = hd_test_reader(w.dir, "slow");
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
    }
    hd_journal_reader_tell(r, &at);
    assert_int_equal(hd_journal_reader_save(r, &at, false), HD_OK);
    w.drop_from = 1;
    w.drop_to = N;
    assert_true(cw_compact(&w, 0).dropped == 4);
    assert_true(cw_compact(&w, 1).dropped == 0);
    hd_journal_reader_close(r);
    cw_close(&w);
}

static void what_is_too_scattered_stays(void **state)
{
    (void)state;
    struct cw w;
    unsigned gaps;
    cw_make(&w);
    cw_fill(&w, 2000, 1);
    uint64_t in_first = w.list.first[1] - 1;
    assert_true(in_first > 100);
    w.drop_from = 1;
    w.drop_to = 2000;
    w.drop_each = 2;
    struct hd_compact_result r = cw_compact(&w, 0);
    uint64_t want = in_first / 2;
    uint64_t most = want < HD_COMPACTED_RUNS_MAX ? want : HD_COMPACTED_RUNS_MAX;
    assert_int_equal(r.outcome, HD_COMPACT_DONE);
    assert_true(r.dropped == most && r.scattered == want - most);
    assert_int_equal(cw_check(&w), 0);
    assert_int_equal(cw_read_all(&w, 1, &gaps), 2000 - most);
    cw_close(&w);
}

static void only_what_is_vouched_for_is_touched(void **state)
{
    (void)state;
    struct cw w;
    size_t len;
    cw_open(&w);
    struct hd_compact_opts opts = cw_compact_opts(&w);
    uint8_t *whole = hd_test_slurp(cw_segment_path(&w, 0), &len);
    opts.keys = &w.key[1]; /* a key that nothing was signed with */
    assert_int_equal(cw_compact_with(&opts, 1).outcome, HD_COMPACT_REFUSED);
    assert_true(w.found[HD_CHECK_KEY] > 0);
    whole[300] ^= 1;
    hd_test_spill(cw_segment_path(&w, 0), whole, len);
    assert_int_equal(cw_compact(&w, 0).outcome, HD_COMPACT_REFUSED);
    assert_true(w.found[HD_CHECK_DAMAGE] > 0);
    size_t now;
    uint8_t *after = hd_test_slurp(cw_segment_path(&w, 0), &now);
    assert_int_equal(now, len);
    assert_memory_equal(after, whole, len);
    /* the segment in use has no statement */
    assert_int_equal(cw_compact(&w, w.list.n - 1).outcome, HD_COMPACT_UNSIGNED);
    free(after);
    free(whole);
    cw_close(&w);
}

static void one_at_a_time(void **state)
{
    (void)state;
    struct cw w;
    struct hd_compact *a = NULL, *b = NULL;
    struct hd_compact_result result;
    cw_open(&w);
    const struct hd_compact_opts opts = cw_compact_opts(&w);
    assert_int_equal(hd_compact_open(&opts, &a), HD_OK);
    assert_int_equal(hd_compact_open(&opts, &b), HD_EBUSY);
    assert_int_equal(hd_compact_segment(a, 999, &result), HD_ENOENT);
    hd_compact_close(a);
    cw_close(&w);
}

/* Its statements, its content, its header: found each time, and told of nothing else. */
static void a_flip_of_any_bit_is_found(void **state)
{
    (void)state;
    struct cw w;
    size_t len;
    cw_open(&w);
    w.drop_from = 2;
    w.drop_to = w.list.first[1] - 2; /* few entries are left: a short file */
    assert_int_equal(cw_compact(&w, 0).outcome, HD_COMPACT_DONE);
    uint8_t *whole = hd_test_slurp(cw_segment_path(&w, 0), &len);
    w.list.n = 1;
    for (size_t at = 0; at < len; at++) {
        whole[at] ^= (uint8_t)(1U << (at % 8));
        hd_test_spill(cw_segment_path(&w, 0), whole, len);
        if (cw_check(&w) == 0 && w.segs[0].is_vouched) {
            fail_msg("a change at %zu of %zu is not found", at, len);
        }
        whole[at] ^= (uint8_t)(1U << (at % 8));
    }
    hd_test_spill(cw_segment_path(&w, 0), whole, len);
    assert_int_equal(cw_check(&w), 0);
    free(whole);
    cw_close(&w);
}

static void a_compaction_of_another_segment_is_found(void **state)
{
    (void)state;
    struct cw w;
    size_t len;
    cw_open(&w);
    assert_int_equal(cw_compact(&w, 1).outcome, HD_COMPACT_DONE);
    uint8_t *other = hd_test_slurp(cw_segment_path(&w, 1), &len);
    hd_test_spill(cw_segment_path(&w, 2), other, len);
    assert_true(cw_check(&w) > 0);
    assert_true(w.found[HD_CHECK_STATEMENT] == 1);
    free(other);
    cw_close(&w);
}

static void the_writer_goes_on_and_knows_the_new_sizes(void **state)
{
    (void)state;
    struct cw w;
    struct stat st;
    unsigned gaps;
    uint64_t bytes = 0;
    cw_open(&w);
    struct hd_journal *j = cw_journal_open(&w, 0);
    uint64_t before = hd_journal_bytes(j);
    for (size_t i = 0; i + 1 < w.list.n; i++) {
        assert_int_equal(cw_compact(&w, i).outcome, HD_COMPACT_DONE);
    }
    cw_append(j, N + 1, 2 * N, 60); /* begins new segments */
    cw_list(&w);
    for (size_t i = 0; i < w.list.n; i++) {
        assert_int_equal(stat(cw_segment_path(&w, i), &st), 0);
        bytes += (uint64_t)st.st_size;
    }
    assert_true(hd_journal_bytes(j) == bytes && bytes < 2 * before);
    assert_int_equal(cw_check(&w), 0);
    assert_int_equal(cw_read_all(&w, 60, &gaps), 2 * N);
    hd_journal_close(j);
    cw_close(&w);
}

static void what_compaction_frees_is_room_at_once(void **state)
{
    (void)state;
    struct cw w;
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    cw_open(&w);
    struct hd_journal_opts opts = {
        .dir = w.dir, .segment_bytes = SEGMENT, .seal_key = w.key[0]};
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    opts.max_bytes = hd_journal_bytes(j);
    hd_journal_close(j);
    assert_int_equal(hd_journal_open(&opts, &j, &recovery), HD_OK);
    struct hd_journal_entry entry = cw_entry_of(N + 1, 60);
    assert_int_equal(hd_journal_append(j, &entry), HD_ENOSPC);
    assert_int_equal(cw_compact(&w, 0).outcome, HD_COMPACT_DONE);
    assert_int_equal(hd_journal_append(j, &entry), HD_OK);
    hd_journal_close(j);
    cw_close(&w);
}

static void what_is_encrypted_stays_so(void **state)
{
    (void)state;
    struct cw w;
    unsigned gaps;
    cw_make(&w);
    assert_int_equal(hd_journal_keys_add(w.secrets, HD_SLICE(SECRET), &w.secret), HD_OK);
    cw_fill(&w, N, 60);
    struct hd_compact_opts opts = cw_compact_opts(&w);
    opts.secrets = NULL;
    assert_int_equal(cw_compact_with(&opts, 1).outcome, HD_COMPACT_LOCKED);
    assert_int_equal(cw_check(&w), 0);
    assert_false(w.segs[0].is_compacted);
    uint64_t entries = w.segs[0].entries;
    struct hd_compact_result r = cw_compact(&w, 0);
    assert_int_equal(r.outcome, HD_COMPACT_DONE);
    assert_true(r.after_bytes * 2 < r.before_bytes);
    assert_int_equal(cw_check(&w), 0);
    assert_true(w.segs[0].is_compacted && w.segs[0].encrypted == entries &&
                w.segs[0].locked == 0);
    assert_int_equal(cw_read_all(&w, 60, &gaps), N);
    size_t len;
    uint8_t *whole = hd_test_slurp(cw_segment_path(&w, 0), &len);
    assert_null(memmem(whole, len, "Failed", 6));
    free(whole);
    cw_close(&w);
}

static void statements_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct cw w;
    struct hd_buf text;
    struct hd_compacted c, back;
    struct hd_slice statement;
    uint8_t signature[HD_SIGNATURE_LEN];
    cw_make(&w);
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
    cw_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_becomes_smaller_and_stays_what_it_was),
        cmocka_unit_test(readers_that_are_there_read_on),
        cmocka_unit_test(what_is_dropped_is_stated_and_not_missing),
        cmocka_unit_test(a_segment_may_become_empty),
        cmocka_unit_test(what_a_named_reader_needs_is_not_dropped),
        cmocka_unit_test(what_is_too_scattered_stays),
        cmocka_unit_test(only_what_is_vouched_for_is_touched),
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
