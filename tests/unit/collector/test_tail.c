/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/source/tail.h"
#include "tests/unit/collector/fake_sink.h"

struct fixture {
    char path[512];
    struct fake_sink sink;
    struct col_multiline multiline;
    struct hd_batch_source source;
    struct col_tail_opts opts;
    struct col_tail tail;
    bool is_known;
};

static void write_to(const char *path, int flags, const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    assert_int_equal(close(fd), 0);
}

static void append(struct fixture *f, const char *text)
{
    write_to(f->path, O_APPEND, text, strlen(text));
}

static void rewrite(struct fixture *f, const char *text)
{
    write_to(f->path, O_TRUNC, text, strlen(text));
}

static void reopen(struct fixture *f)
{
    col_tail_close(&f->tail);
    int fd = open(f->path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(col_tail_open(&f->tail, fd, &f->sink.sink, &f->is_known), HD_OK);
}

/* Reads until there is nothing more; the last result. */
static enum col_tail_result drain(struct fixture *f, bool flush)
{
    enum col_tail_result r;
    do {
        r = col_tail_read(&f->tail, &f->opts, flush);
        if (r == COL_TAIL_RESTART) {
            col_tail_restart(&f->tail, &f->sink.sink);
        }
    } while (r == COL_TAIL_MORE || r == COL_TAIL_RESTART);
    return r;
}

static struct fixture *setup(size_t line_max)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    (void)snprintf(f->path, sizeof(f->path), "%s/app.log", hd_test_tmpdir());
    fake_sink_init(&f->sink);
    f->multiline = (struct col_multiline){.max_lines = 4, .max_bytes = line_max};
    f->source = (struct hd_batch_source){.name = HD_SLICE("app.log")};
    f->opts = (struct col_tail_opts){.sink = &f->sink.sink,
                                     .source = &f->source,
                                     .multiline = &f->multiline,
                                     .line_max = line_max,
                                     .scratch = malloc(COL_SCRATCH_LEN)};
    assert_non_null(f->opts.scratch);
    f->tail.fd = -1;
    rewrite(f, "");
    reopen(f);
    assert_false(f->is_known);
    return f;
}

static void teardown(struct fixture *f)
{
    col_tail_close(&f->tail);
    fake_sink_fini(&f->sink);
    free(f->opts.scratch);
    free(f);
}

static void test_lines(void **state)
{
    (void)state;
    struct fixture *f = setup(100);
    assert_int_equal(drain(f, false), COL_TAIL_EOF);
    append(f, "one\ntwo\r\n\nfo");
    assert_int_equal(drain(f, false), COL_TAIL_PARTIAL);
    FAKE_EXPECT(&f->sink, "one", "two", "");
    append(f, "ur\n");
    assert_int_equal(drain(f, false), COL_TAIL_EOF);
    FAKE_EXPECT(&f->sink, "one", "two", "", "four");
    teardown(f);
}

static void test_flushed_line_is_not_doubled(void **state)
{
    (void)state;
    struct fixture *f = setup(100);
    append(f, "one");
    assert_int_equal(drain(f, true), COL_TAIL_EOF);
    append(f, "\ntwo");
    assert_int_equal(drain(f, true), COL_TAIL_EOF);
    append(f, "three\n");
    assert_int_equal(drain(f, true), COL_TAIL_EOF);
    FAKE_EXPECT(&f->sink, "one", "two", "three");
    teardown(f);
}

static void test_long_line_is_cut(void **state)
{
    (void)state;
    struct fixture *f = setup(10);
    append(f, "0123456789\n");
    append(f, "0123456789abc");
    assert_int_equal(drain(f, false), COL_TAIL_EOF);
    assert_true(f->tail.is_skipping);
    fake_sink_commit(&f->sink);
    reopen(f); /* a crash in the middle of what is skipped */
    assert_true(f->is_known);
    append(f, "def\nnext\n");
    assert_int_equal(drain(f, false), COL_TAIL_EOF);
    FAKE_EXPECT(&f->sink, "0123456789", "0123456789", "next");
    assert_int_equal(f->sink.lines[0].flags, 0);
    assert_int_equal(f->sink.lines[1].flags, HD_BATCH_TRUNCATED);
    teardown(f);
}

static void test_many_turns(void **state)
{
    (void)state;
    struct fixture *f = setup(1000);
    struct hd_buf text;
    hd_buf_init(&text, 0);
    for (int i = 0; i < 100000; i++) {
        hd_buf_printf(&text, "line number %d\n", i);
    }
    write_to(f->path, O_APPEND, (const char *)text.ptr, text.len);
    assert_int_equal(col_tail_read(&f->tail, &f->opts, false), COL_TAIL_MORE);
    assert_int_equal(drain(f, false), COL_TAIL_EOF);
    assert_int_equal(f->sink.n, 100000);
    assert_true(
        hd_slice_eq(fake_sink_line(&f->sink, 99999), HD_SLICE("line number 99999")));
    assert_int_equal(f->tail.offset, text.len);
    assert_int_equal(f->tail.head_len, COL_TAIL_HEAD_MAX);
    hd_buf_fini(&text);
    teardown(f);
}

/* Whatever was durable when the agent died: every line exactly once. */
static void test_crash_after_any_line(void **state)
{
    (void)state;
    for (size_t durable = 0; durable <= 6; durable++) {
        struct fixture *f = setup(100);
        append(f, "a\nb\nc\n");
        f->sink.room = durable;
        (void)drain(f, false);
        fake_sink_commit(&f->sink);
        f->sink.room = 2;
        append(f, "d\ne\nf\n");
        (void)drain(f, false);
        fake_sink_crash(&f->sink);
        f->sink.room = SIZE_MAX;
        reopen(f);
        assert_int_equal(f->is_known, durable > 0);
        assert_int_equal(drain(f, false), COL_TAIL_EOF);
        FAKE_EXPECT(&f->sink, "a", "b", "c", "d", "e", "f");
        teardown(f);
    }
}

static void test_full_sink(void **state)
{
    (void)state;
    struct fixture *f = setup(100);
    append(f, "a\nb\nc\n");
    f->sink.room = 1;
    assert_int_equal(drain(f, false), COL_TAIL_FULL);
    assert_int_equal(drain(f, false), COL_TAIL_FULL);
    f->sink.room = SIZE_MAX;
    assert_int_equal(drain(f, false), COL_TAIL_EOF);
    FAKE_EXPECT(&f->sink, "a", "b", "c");
    teardown(f);
}

static void test_truncated(void **state)
{
    (void)state;
    struct fixture *f = setup(100);
    append(f, "first one\nfirst two\n");
    (void)drain(f, false);
    rewrite(f, "x\n");
    assert_int_equal(col_tail_read(&f->tail, &f->opts, false), COL_TAIL_RESTART);
    assert_int_equal(drain(f, false), COL_TAIL_EOF);
    rewrite(f, "a rewritten file, longer than what was there before\n");
    assert_int_equal(drain(f, false), COL_TAIL_EOF);
    FAKE_EXPECT(&f->sink, "first one", "first two", "x",
                "a rewritten file, longer than what was there before");
    rewrite(f, "");
    assert_int_equal(drain(f, false), COL_TAIL_EOF);
    assert_int_equal(f->tail.offset, 0);
    teardown(f);
}

static void test_truncated_while_no_agent_ran(void **state)
{
    (void)state;
    struct fixture *f = setup(100);
    append(f, "first one\nfirst two\n");
    (void)drain(f, false);
    rewrite(f, "other text here\nfirst two\nmore\n");
    reopen(f);
    assert_false(f->is_known);
    (void)drain(f, false);
    FAKE_EXPECT(&f->sink, "first one", "first two", "other text here", "first two",
                "more");
    teardown(f);
}

/* Another file under the key of one that was read, as when its inode was used again: told
 * apart by birth time where the file system keeps one, else by content. */
static void test_inode_reuse(void **state)
{
    (void)state;
    struct fixture *f = setup(100);
    append(f, "old 1\nold 2\n");
    (void)drain(f, false);
    uint8_t old_key[COL_TAIL_KEY_LEN];
    memcpy(old_key, f->tail.key, sizeof(old_key));
    (void)snprintf(f->path + strlen(f->path), 8, ".new");
    append(f, "new 1\nnew 2\nnew 3\n");
    reopen(f);
    f->sink.sink.mark(
        &f->sink, hd_slice(f->tail.key, COL_TAIL_KEY_LEN),
        f->sink.sink.last_mark(&f->sink, hd_slice(old_key, sizeof(old_key))));
    reopen(f);
    assert_false(f->is_known);
    (void)drain(f, false);
    FAKE_EXPECT(&f->sink, "old 1", "old 2", "new 1", "new 2", "new 3");
    teardown(f);
}

static void test_start_at_end(void **state)
{
    (void)state;
    struct fixture *f = setup(100);
    append(f, "old\nhalf a li");
    assert_int_equal(col_tail_seek_end(&f->tail, &f->sink.sink), HD_OK);
    assert_int_equal(drain(f, true), COL_TAIL_EOF);
    append(f, "ne\nnew\n");
    assert_int_equal(drain(f, false), COL_TAIL_EOF);
    FAKE_EXPECT(&f->sink, "new");
    teardown(f);
}

static void test_events(void **state)
{
    (void)state;
    struct fixture *f = setup(60);
    f->multiline.kind = COL_MULTILINE_INDENT;
    append(f, "a\n a1\n a2\nb\n");
    assert_int_equal(drain(f, false), COL_TAIL_PENDING);
    FAKE_EXPECT(&f->sink, "a\n a1\n a2");
    append(f, " b1");
    assert_int_equal(drain(f, false), COL_TAIL_PARTIAL);
    append(f, "\n");
    assert_int_equal(drain(f, true), COL_TAIL_EOF);
    FAKE_EXPECT(&f->sink, "a\n a1\n a2", "b\n b1");
    append(f, "c\n c1");
    assert_int_equal(drain(f, true), COL_TAIL_EOF);
    append(f, "\nd\n");
    (void)drain(f, true);
    FAKE_EXPECT(&f->sink, "a\n a1\n a2", "b\n b1", "c\n c1", "d");
    teardown(f);
}

static void test_events_with_long_lines(void **state)
{
    (void)state;
    struct fixture *f = setup(20);
    f->multiline.kind = COL_MULTILINE_INDENT;
    append(f, "a\n 123456789012345678901234567890\n b\nc\n");
    assert_int_equal(drain(f, true), COL_TAIL_EOF);
    FAKE_EXPECT(&f->sink, "a", " 1234567890123456789", " b", "c");
    assert_int_equal(f->sink.lines[1].flags, HD_BATCH_TRUNCATED);
    append(f, "123456789012345678901234567890\n d\n");
    assert_int_equal(drain(f, true), COL_TAIL_EOF);
    assert_int_equal(f->sink.n, 6);
    teardown(f);
}

static void test_any_bytes(void **state)
{
    (void)state;
    struct fixture *f = setup(100);
    write_to(f->path, O_APPEND, "a\0b\n\xff\xfe\n", 7);
    assert_int_equal(drain(f, false), COL_TAIL_EOF);
    assert_int_equal(f->sink.n, 2);
    assert_memory_equal(fake_sink_line(&f->sink, 0).ptr, "a\0b", 3);
    assert_memory_equal(fake_sink_line(&f->sink, 1).ptr, "\xff\xfe", 2);
    teardown(f);
}

static void test_wrong_marks(void **state)
{
    (void)state;
    struct fixture *f = setup(100);
    append(f, "a\nb\n");
    for (size_t len = 1; len <= COL_TAIL_MARK_LEN + 1; len++) {
        uint8_t mark[COL_TAIL_MARK_LEN + 1];
        memset(mark, len % 2 ? 0xff : 0x01, sizeof(mark));
        f->sink.sink.mark(&f->sink, hd_slice(f->tail.key, COL_TAIL_KEY_LEN),
                          hd_slice(mark, len));
        reopen(f);
        assert_false(f->is_known);
        assert_int_equal(f->tail.offset, 0);
    }
    teardown(f);
}

static void test_not_a_file(void **state)
{
    (void)state;
    struct fixture *f = setup(100);
    struct col_tail tail;
    bool is_known;
    int fd = open("/dev/null", O_RDONLY);
    assert_int_equal(col_tail_open(&tail, fd, &f->sink.sink, &is_known), HD_EINVAL);
    assert_int_equal(tail.fd, -1);
    teardown(f);
}

/* Else all of it would be taken for new, and be read once more. */
static void test_unreadable_is_not_another_file(void **state)
{
    (void)state;
    struct fixture *f = setup(100);
    struct col_tail tail;
    bool is_known;
    append(f, "one\ntwo\n");
    assert_int_equal(drain(f, false), COL_TAIL_EOF);
    int fd = open(f->path, O_WRONLY);
    assert_int_equal(col_tail_open(&tail, fd, &f->sink.sink, &is_known), HD_EIO);
    assert_false(is_known);
    assert_int_equal(tail.fd, -1);
    reopen(f);
    assert_true(f->is_known);
    teardown(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_unreadable_is_not_another_file),
        cmocka_unit_test(test_flushed_line_is_not_doubled),
        cmocka_unit_test(test_long_line_is_cut),
        cmocka_unit_test(test_many_turns),
        cmocka_unit_test(test_crash_after_any_line),
        cmocka_unit_test(test_full_sink),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_truncated_while_no_agent_ran),
        cmocka_unit_test(test_inode_reuse),
        cmocka_unit_test(test_start_at_end),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_events_with_long_lines),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_wrong_marks),
        cmocka_unit_test(test_not_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
