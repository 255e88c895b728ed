/* SPDX-License-Identifier: Apache-2.0
 *
 * Reassembly against the plainest model: what was sent.
 */
#include "tests/support/support.h"

#include "collector/packet/stream.h"

static struct col_stream_pool *pool;
static struct col_flow_stream s;

static int setup(void **state)
{
    (void)state;
    s = (struct col_flow_stream){.buf = COL_STREAM_NONE};
    return col_stream_pool_new(2, &pool);
}

static int teardown(void **state)
{
    (void)state;
    col_stream_pool_free(pool);
    return 0;
}

static struct col_segment segment(uint32_t seq, const char *text)
{
    return (struct col_segment){seq, (uint32_t)strlen(text), hd_slice_str(text)};
}

/* Pushes and says what was in order, as text; uses `used` bytes of it. */
static const char *push(uint32_t seq, const char *text, uint32_t used)
{
    static char seen[512];
    struct hd_slice view;
    struct col_segment seg = segment(seq, text);
    enum col_stream_result r = col_stream_push(pool, &s, &seg, &view);
    if (r == COL_STREAM_NOTHING) {
        return "";
    }
    assert_true(view.len < sizeof(seen) - 1);
    size_t mark = r == COL_STREAM_GAP ? 1 : 0;
    seen[0] = '!';
    memcpy(seen + mark, view.ptr, view.len);
    seen[mark + view.len] = '\0';
    col_stream_consume(pool, &s, &seg, view,
                       used == UINT32_MAX ? (uint32_t)view.len : used);
    return seen;
}

#define ALL UINT32_MAX

static void test_in_order_is_not_copied(void **state)
{
    (void)state;
    assert_string_equal(push(100, "abc", ALL), "abc");
    assert_string_equal(push(103, "def", ALL), "def");
    assert_string_equal(push(103, "def", ALL), "");    /* sent again */
    assert_string_equal(push(104, "efgh", ALL), "gh"); /* with more */
    assert_int_equal(col_stream_in_use(pool), 0);
}

static void test_rest_waits(void **state)
{
    (void)state;
    assert_string_equal(push(100, "abc", 1), "abc");
    assert_int_equal(col_stream_in_use(pool), 1);
    assert_string_equal(push(103, "de", 0), "bcde");
    assert_string_equal(push(105, "f", 4), "bcdef");
    assert_string_equal(push(106, "g", ALL), "fg");
    assert_int_equal(col_stream_in_use(pool), 0);
}

static void test_early_segments_wait(void **state)
{
    (void)state;
    assert_string_equal(push(100, "ab", 0), "ab");
    assert_string_equal(push(104, "ef", 0), "");
    assert_string_equal(push(106, "gh", 0), "");
    assert_string_equal(push(104, "EFGHij", 0), ""); /* first copy counts */
    assert_string_equal(push(102, "cdXXXXXXkl", ALL), "abcdefghijkl");
    assert_int_equal(col_stream_in_use(pool), 0);
    assert_string_equal(push(112, "m", ALL), "m");
}

static void test_gap_starts_anew(void **state)
{
    (void)state;
    assert_string_equal(push(100, "ab", 0), "ab");
    assert_string_equal(push(100 + COL_STREAM_CAP, "far", 0), "!far");
    assert_string_equal(push(103 + COL_STREAM_CAP, "on", ALL), "faron");
    /* two holes are one too many */
    assert_string_equal(push(110 + COL_STREAM_CAP, "x", 0), "");
    assert_string_equal(push(120 + COL_STREAM_CAP, "y", ALL), "!y");
}

static void test_skip_runs_over_segments(void **state)
{
    (void)state;
    assert_string_equal(push(100, "ab", 12), "ab");
    assert_string_equal(push(102, "cdef", ALL), "");
    assert_string_equal(push(108, "ijkl", ALL), "");    /* a hole in what is skipped */
    assert_string_equal(push(111, "lmno", ALL), "mno"); /* the skipped part ends inside */
    assert_string_equal(push(115, "p", ALL), "p");
}

static void test_sequence_numbers_wrap(void **state)
{
    (void)state;
    assert_string_equal(push(0xfffffffeU, "ab", 0), "ab");
    assert_string_equal(push(2, "e", 0), "");
    assert_string_equal(push(0, "cd", ALL), "abcde");
    assert_string_equal(push(3, "f", ALL), "f");
}

static void test_cut_segment_loses_its_unit(void **state)
{
    (void)state;
    struct hd_slice view;
    struct col_segment seg = segment(100, "abc");
    seg.len = 10;
    assert_int_equal(col_stream_push(pool, &s, &seg, &view), COL_STREAM_DATA);
    assert_true(col_stream_is_cut(&s, &seg, view));
    col_stream_consume(pool, &s, &seg, view, 1);
    assert_string_equal(push(110, "next", ALL), "!next");
    /* but what is skipped may well be missing */
    seg.seq = 114;
    assert_int_equal(col_stream_push(pool, &s, &seg, &view), COL_STREAM_DATA);
    col_stream_consume(pool, &s, &seg, view, 12);
    assert_string_equal(push(124, "..ok", ALL), "ok");
}

static void test_oldest_buffer_is_taken(void **state)
{
    (void)state;
    struct col_flow_stream first = s;
    assert_string_equal(push(1, "a", 0), "a");
    struct col_flow_stream others[2] = {first, first};
    for (int i = 0; i < 2; i++) {
        struct hd_slice view;
        struct col_segment seg = segment(1, "b");
        assert_int_equal(col_stream_push(pool, &others[i], &seg, &view), COL_STREAM_DATA);
        col_stream_consume(pool, &others[i], &seg, view, 0);
    }
    assert_int_equal(col_stream_stolen(pool), 1);
    assert_int_equal(s.state, COL_STREAM_LOST);
    assert_string_equal(push(2, "c", ALL), "!c");
    col_stream_release(pool, &others[0]);
    col_stream_release(pool, &others[1]);
    assert_int_equal(col_stream_in_use(pool), 0);
}

static void test_unit_longer_than_a_buffer(void **state)
{
    (void)state;
    static char big[COL_STREAM_CAP];
    memset(big, 'x', sizeof(big) - 1);
    struct hd_slice view;
    struct col_segment seg = segment(0, big);
    assert_int_equal(col_stream_push(pool, &s, &seg, &view), COL_STREAM_DATA);
    col_stream_consume(pool, &s, &seg, view, 0);
    seg = segment(COL_STREAM_CAP - 1, "yz");
    assert_int_equal(col_stream_push(pool, &s, &seg, &view), COL_STREAM_DATA);
    assert_int_equal(view.len, COL_STREAM_CAP);
    assert_true(col_stream_is_cut(&s, &seg, view));
    col_stream_consume(pool, &s, &seg, view, 0);
    assert_int_equal(s.state, COL_STREAM_LOST);
    assert_int_equal(col_stream_in_use(pool), 0);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_in_order_is_not_copied),     test(test_rest_waits),
        test(test_early_segments_wait),        test(test_gap_starts_anew),
        test(test_skip_runs_over_segments),    test(test_sequence_numbers_wrap),
        test(test_cut_segment_loses_its_unit), test(test_oldest_buffer_is_taken),
        test(test_unit_longer_than_a_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
