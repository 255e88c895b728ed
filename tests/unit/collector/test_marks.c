/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/buf.h>
#include <haidang/journal.h>

#include "collector/intake/marks.h"
#include "collector/intake/state.h"
#include "collector/source/source.h"
#include "tests/support/alloc.h"

#define BOOT "9f86d081884c7d659a2feaa0c55ad015"

static struct col_marks *make(size_t max)
{
    struct col_marks *marks = NULL;
    assert_int_equal(col_marks_new(max, &marks), HD_OK);
    return marks;
}

static struct hd_slice key_of(unsigned n)
{
    static char text[16];
    (void)snprintf(text, sizeof(text), "key-%u", n);
    return hd_slice_str(text);
}

static void set(struct col_marks *marks, unsigned n, const char *value, int64_t now_s)
{
    assert_int_equal(col_marks_set(marks, key_of(n), hd_slice_str(value), now_s), HD_OK);
}

static void expect(struct col_marks *marks, unsigned n, const char *value)
{
    struct hd_slice got = col_marks_get(marks, key_of(n), 1);
    if (!hd_slice_eq(got, hd_slice_str(value))) {
        fail_msg("key %u: \"%.*s\" instead of \"%s\"", n, HD_SLICE_FMT(got), value);
    }
}

static void count_each(void *ctx, struct hd_slice key, struct hd_slice mark,
                       int64_t touched_s)
{
    (void)key;
    (void)mark;
    (void)touched_s;
    ++*(size_t *)ctx;
}

static size_t count_durable(const struct col_marks *marks)
{
    size_t n = 0;
    col_marks_each(marks, count_each, &n);
    return n;
}

static void test_latest_and_durable(void **state)
{
    (void)state;
    struct col_marks *marks = make(100);
    struct hd_buf first, second;
    hd_buf_init(&first, 0);
    hd_buf_init(&second, 0);
    set(marks, 1, "a", 1);
    set(marks, 2, "b", 1);
    col_marks_take_meta(marks, &first);
    set(marks, 1, "a longer value", 1);
    col_marks_take_meta(marks, &second);
    expect(marks, 1, "a longer value");
    assert_int_equal(count_durable(marks), 0);
    assert_int_equal(col_marks_durable(marks, hd_buf_slice(&first)), HD_OK);
    assert_int_equal(count_durable(marks), 2);
    expect(marks, 1, "a longer value");
    /* recovery from the first meta alone */
    struct col_marks *after = make(100);
    assert_int_equal(col_marks_restore(after, hd_buf_slice(&first), 1), HD_OK);
    expect(after, 1, "a");
    assert_int_equal(col_marks_restore(after, hd_buf_slice(&second), 1), HD_OK);
    expect(after, 1, "a longer value");
    expect(after, 2, "b");
    col_marks_free(after);
    hd_buf_fini(&first);
    hd_buf_fini(&second);
    col_marks_free(marks);
}

static void test_forget(void **state)
{
    (void)state;
    struct col_marks *marks = make(100);
    struct hd_buf meta;
    hd_buf_init(&meta, 0);
    set(marks, 1, "a", 1);
    col_marks_take_meta(marks, &meta);
    assert_int_equal(col_marks_durable(marks, hd_buf_slice(&meta)), HD_OK);
    set(marks, 1, "", 1);
    hd_buf_clear(&meta);
    col_marks_take_meta(marks, &meta);
    assert_int_equal(count_durable(marks), 1);
    assert_int_equal(col_marks_durable(marks, hd_buf_slice(&meta)), HD_OK);
    assert_int_equal(col_marks_count(marks), 0);
    hd_buf_fini(&meta);
    col_marks_free(marks);
}

static void test_meta_is_bounded(void **state)
{
    (void)state;
    struct col_marks *marks = make(10000);
    unsigned n = 0;
    while (!col_marks_is_full(marks)) {
        set(marks, n++, "0123456789012345678901234567890123456789", 1);
    }
    struct hd_buf meta;
    hd_buf_init(&meta, 0);
    col_marks_take_meta(marks, &meta);
    assert_true(meta.len <= HD_JOURNAL_META_MAX);
    assert_true(n > 60);
    assert_int_equal(col_marks_durable(marks, hd_buf_slice(&meta)), HD_OK);
    assert_int_equal(count_durable(marks), n);
    hd_buf_clear(&meta);
    col_marks_take_meta(marks, &meta);
    assert_int_equal(meta.len, 0);
    hd_buf_fini(&meta);
    col_marks_free(marks);
}

/* Of a thousand files that go at once the marks have time; those of the lines that are
 * put together meanwhile have not. */
static void test_late_ones_wait(void **state)
{
    (void)state;
    struct col_marks *marks = make(10000);
    struct hd_buf meta;
    hd_buf_init(&meta, 0);
    for (unsigned n = 0; n < 1000; n++) {
        assert_int_equal(col_marks_set_late(marks, key_of(n), HD_SLICE("x"), 1), HD_OK);
    }
    assert_false(col_marks_is_full(marks));
    for (unsigned n = 2000; n < 2050; n++) {
        set(marks, n, "of a line", 1);
    }
    set(marks, 5, "of a line", 1);
    assert_int_equal(col_marks_set_late(marks, key_of(5), HD_SLICE("still"), 1), HD_OK);
    col_marks_take_meta(marks, &meta);
    assert_true(meta.len <= HD_JOURNAL_META_MAX);
    struct col_marks *after = make(10000);
    assert_int_equal(col_marks_restore(after, hd_buf_slice(&meta), 1), HD_OK);
    for (unsigned n = 2000; n < 2050; n++) {
        expect(after, n, "of a line");
    }
    expect(after, 5, "still");
    while (meta.len > 0) {
        hd_buf_clear(&meta);
        col_marks_take_meta(marks, &meta);
        assert_int_equal(col_marks_restore(after, hd_buf_slice(&meta), 1), HD_OK);
    }
    assert_int_equal(count_durable(after), 1050);
    hd_buf_fini(&meta);
    col_marks_free(after);
    col_marks_free(marks);
}

static void test_many_and_eviction(void **state)
{
    (void)state;
    struct col_marks *marks = make(500);
    char value[16];
    for (unsigned n = 0; n < 2000; n++) {
        (void)snprintf(value, sizeof(value), "v%u", n);
        set(marks, n, value, n);
        col_marks_settle(marks);
    }
    assert_int_equal(col_marks_count(marks), 500);
    assert_int_equal(col_marks_evicted(marks), 1500);
    for (unsigned n = 0; n < 2000; n++) {
        (void)snprintf(value, sizeof(value), "v%u", n);
        expect(marks, n, n < 1500 ? "" : value);
    }
    col_marks_free(marks);
}

static void test_limits(void **state)
{
    (void)state;
    struct col_marks *marks = make(10);
    uint8_t bytes[COL_MARK_MAX + 1] = {0};
    struct hd_slice key = HD_SLICE("k");
    assert_int_equal(col_marks_set(marks, key, hd_slice(bytes, COL_MARK_MAX - 1), 1),
                     HD_OK);
    assert_int_equal(col_marks_set(marks, key, hd_slice(bytes, COL_MARK_MAX), 1),
                     HD_ELIMIT);
    assert_int_equal(col_marks_set(marks, HD_SLICE_EMPTY, key, 1), HD_ELIMIT);
    col_marks_free(marks);
}

static void test_wrong_metas(void **state)
{
    (void)state;
    struct col_marks *marks = make(10);
    struct hd_buf meta;
    hd_buf_init(&meta, 0);
    set(marks, 1, "value", 1);
    col_marks_take_meta(marks, &meta);
    for (size_t len = 0; len < meta.len; len++) {
        int err = col_marks_restore(marks, hd_slice(meta.ptr, len), 1);
        assert_int_equal(err, len <= 1 ? HD_OK : HD_EPARSE);
    }
    assert_int_equal(col_marks_restore(marks, HD_SLICE("\2"), 1), HD_EPARSE);
    assert_int_equal(col_marks_restore(marks, HD_SLICE("\1\0\1x"), 1), HD_EPARSE);
    hd_buf_fini(&meta);
    col_marks_free(marks);
}

static struct hd_slice write_state(struct hd_buf *text, unsigned n)
{
    struct col_marks *marks = make(1000);
    const struct col_state state = {
        .boot = BOOT, .index = 812, .last = 40961, .acked = 39210};
    for (unsigned i = 0; i < n; i++) {
        set(marks, i, "value", 1000);
    }
    set(marks, n, "old", 0);
    col_marks_settle(marks);
    hd_buf_clear(text);
    col_state_format(&state, marks, COL_STATE_KEEP_S + 500, text);
    col_marks_free(marks);
    return hd_buf_slice(text);
}

static void test_state_file(void **state)
{
    (void)state;
    struct hd_buf text;
    struct col_state got;
    hd_buf_init(&text, 0);
    for (unsigned n = 0; n < 300; n += 99) {
        struct col_marks *marks = make(1000);
        struct hd_slice in = write_state(&text, n);
        assert_int_equal(col_state_parse(in, &got, marks), HD_OK);
        assert_string_equal(got.boot, BOOT);
        assert_int_equal(got.index, 812);
        assert_int_equal(got.last, 40961);
        assert_int_equal(got.acked, 39210);
        assert_int_equal(col_marks_count(marks), n); /* the old one is left out */
        col_marks_free(marks);
    }
    hd_buf_fini(&text);
}

static void test_damaged_state_file(void **state)
{
    (void)state;
    struct hd_buf text;
    struct col_state got;
    hd_buf_init(&text, 0);
    struct hd_slice in = write_state(&text, 3);
    for (size_t i = 0; i < in.len; i++) {
        struct col_marks *marks = make(10);
        text.ptr[i] ^= 1;
        assert_int_not_equal(col_state_parse(in, &got, marks), HD_OK);
        text.ptr[i] ^= 1;
        assert_int_not_equal(col_state_parse(hd_slice_head(in, i), &got, marks), HD_OK);
        col_marks_free(marks);
    }
    hd_buf_fini(&text);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    HD_TEST_ALLOC_EACH(n)
    {
        struct col_marks *marks = NULL;
        int err = col_marks_new(1000, &marks);
        for (unsigned i = 0; err == HD_OK && i < 100; i++) {
            char key[8];
            (void)snprintf(key, sizeof(key), "%u", i % 60);
            err = col_marks_set(marks, hd_slice_str(key),
                                hd_slice_str(i < 60 ? "v" : "longer"), 1);
        }
        hd_test_alloc_stop();
        assert_true(err == HD_OK || err == HD_ENOMEM);
        col_marks_free(marks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latest_and_durable), cmocka_unit_test(test_forget),
        cmocka_unit_test(test_meta_is_bounded),    cmocka_unit_test(test_late_ones_wait),
        cmocka_unit_test(test_many_and_eviction),  cmocka_unit_test(test_limits),
        cmocka_unit_test(test_wrong_metas),        cmocka_unit_test(test_state_file),
        cmocka_unit_test(test_damaged_state_file), cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
