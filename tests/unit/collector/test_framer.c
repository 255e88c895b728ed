/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#include "collector/source/framer.h"

#define LINE_MAX_BYTES 32
#define FRAMES_MAX     16

struct got {
    size_t n;
    uint64_t skipped;
    struct {
        char text[128];
        size_t len;
        bool is_truncated;
    } frame[FRAMES_MAX];
};

static void keep(struct got *got, const struct col_frame *frame)
{
    assert_true(got->n < FRAMES_MAX);
    assert_true(frame->line.len <= LINE_MAX_BYTES);
    memcpy(got->frame[got->n].text, frame->line.ptr, frame->line.len);
    got->frame[got->n].len = frame->line.len;
    got->frame[got->n++].is_truncated = frame->is_truncated;
}

/* Feeds the bytes in two pieces, the way a connection does: what is not used is kept. */
static void feed_split(enum col_framing framing, struct hd_slice in, size_t split,
                       struct got *got)
{
    struct col_framer framer;
    struct col_frame frame;
    uint8_t kept[512];
    size_t n_kept = 0;
    size_t cuts[3] = {0, split, in.len};
    col_framer_init(&framer, framing, LINE_MAX_BYTES);
    *got = (struct got){0};
    for (int part = 0; part < 2; part++) {
        size_t len = cuts[part + 1] - cuts[part];
        memcpy(kept + n_kept, in.ptr + cuts[part], len);
        n_kept += len;
        enum hd_parse r;
        do {
            size_t used = 0;
            r = col_framer_next(&framer, hd_slice(kept, n_kept), &frame, &used);
            if (r == HD_PARSE_OK) {
                keep(got, &frame);
            }
            assert_true(used <= n_kept);
            memmove(kept, kept + used, n_kept - used);
            n_kept -= used;
        } while (r == HD_PARSE_OK);
        assert_int_equal(r, HD_PARSE_MORE);
        assert_true(n_kept < col_framer_need(&framer));
    }
    if (col_framer_end(&framer, hd_slice(kept, n_kept), &frame) == HD_PARSE_OK) {
        keep(got, &frame);
    }
    got->skipped = framer.skipped;
}

/* `expect` is a list of frames; "!" in front = truncated. Same at every split point. */
static void check(enum col_framing framing, struct hd_slice in, const char *const *expect)
{
    size_t n = 0;
    while (expect[n] != NULL) {
        n++;
    }
    for (size_t split = 0; split <= in.len; split++) {
        struct got got;
        feed_split(framing, in, split, &got);
        assert_int_equal(got.n, n);
        for (size_t i = 0; i < n; i++) {
            bool is_truncated = expect[i][0] == '!';
            const char *text = expect[i] + is_truncated;
            assert_int_equal(got.frame[i].len, strlen(text));
            assert_memory_equal(got.frame[i].text, text, strlen(text));
            assert_int_equal(got.frame[i].is_truncated, is_truncated);
        }
    }
}

#define SYSLOG(in, ...)                                                                  \
    check(COL_FRAMING_SYSLOG, HD_SLICE(in), (const char *const[]){__VA_ARGS__, NULL})
#define LINES(in, ...)                                                                   \
    check(COL_FRAMING_LF, HD_SLICE(in), (const char *const[]){__VA_ARGS__, NULL})

static void test_line_feeds(void **state)
{
    (void)state;
    SYSLOG("<34>one\n<34>two\r\n<34>three\n", "<34>one", "<34>two", "<34>three");
    SYSLOG("\n\n<1>a\n\n\n<1>b\n", "<1>a", "<1>b");
    SYSLOG("no priority\n", "no priority");
    SYSLOG("<34>last without end", "<34>last without end");
}

static void test_octet_counting(void **state)
{
    (void)state;
    SYSLOG("7 <34>one8 <34>t\nwo9 <34>three\n", "<34>one", "<34>t\nwo", "<34>three");
    SYSLOG("5 <1>ab\n5 <1>cd", "<1>ab", "<1>cd");
    SYSLOG("9 <34>cut", "!<34>cut");
}

static void test_nul_trailer(void **state)
{
    (void)state;
    SYSLOG("<1>a\0<1>b\0", "<1>a", "<1>b");
    SYSLOG("<1>a\0\n<1>b\0\n", "<1>a", "<1>b");
    SYSLOG("5 <1>a\0<1>b\n", "<1>a", "<1>b");
}

static void test_methods_may_change(void **state)
{
    (void)state;
    SYSLOG("<1>a\n4 <1>b<1>c\n4 <1>d", "<1>a", "<1>b", "<1>c", "<1>d");
}

static void test_numbers_that_are_no_length(void **state)
{
    (void)state;
    SYSLOG("2026 was a year\n", "2026 was a year");
    SYSLOG("0 <1>zero\n", "0 <1>zero");
    SYSLOG("4294967300 <1>x\n", "4294967300 <1>x");
    SYSLOG("99999999 <1>x\n", "99999999 <1>x");
    SYSLOG("123\n", "123");
}

static void test_long_frames_are_cut(void **state)
{
    (void)state;
    SYSLOG("40 <1>3456789012345678901234567890123456789<1>next\n",
           "!<1>34567890123456789012345678901", "<1>next");
    SYSLOG("<1>3456789012345678901234567890123456789\n<1>next\n",
           "!<1>34567890123456789012345678901", "<1>next");
    SYSLOG("<1>34567890123456789012345678901\n<1>n\n", "<1>34567890123456789012345678901",
           "<1>n");
    struct got got;
    struct hd_slice in = HD_SLICE("40 <1>3456789012345678901234567890123456789<1>n\n");
    feed_split(COL_FRAMING_SYSLOG, in, 3, &got);
    assert_int_equal(got.skipped, 8);
}

static void test_plain_lines(void **state)
{
    (void)state;
    LINES("a\n\n5 <1>b\nc", "a", "", "5 <1>b", "c");
    LINES("a\r\n\r\nb\n", "a", "", "b");
    LINES("34567890123456789012345678901234567890\nx\n",
          "!34567890123456789012345678901234", "x");
}

static void test_trim(void **state)
{
    (void)state;
    assert_int_equal(col_frame_trim(HD_SLICE("a\r\n")).len, 1);
    assert_int_equal(col_frame_trim(HD_SLICE("a\0\n")).len, 1);
    assert_int_equal(col_frame_trim(HD_SLICE("\n")).len, 0);
    assert_int_equal(col_frame_trim(HD_SLICE_EMPTY).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_feeds),
        cmocka_unit_test(test_octet_counting),
        cmocka_unit_test(test_nul_trailer),
        cmocka_unit_test(test_methods_may_change),
        cmocka_unit_test(test_numbers_that_are_no_length),
        cmocka_unit_test(test_long_frames_are_cut),
        cmocka_unit_test(test_plain_lines),
        cmocka_unit_test(test_trim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
