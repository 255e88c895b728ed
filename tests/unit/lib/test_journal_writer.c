/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/lib/journal_helper.h"

#include <haidang/journal_writer.h>

#define N 500U

struct run {
    uv_loop_t loop;
    struct hd_journal_writer *w;
    uint64_t submitted, reported, durable;
    unsigned drained, closed;
    int last_err;
    uint64_t until;   /* submit so many, then close */
    bool is_resubmit; /* go on from on_drain */
};

static void submit_some(struct run *run)
{
    while (run->submitted < run->until) {
        struct hd_journal_entry entry = hd_test_entry(run->submitted + 1);
        int err = hd_journal_writer_submit(run->w, &entry,
                                           (void *)(uintptr_t)(run->submitted + 1));
        if (err == HD_EFULL) {
            return;
        }
        assert_int_equal(err, HD_OK);
        run->submitted++;
    }
}

static void on_closed(void *ctx)
{
    struct run *run = ctx;
    run->closed++;
}

static void on_durable(void *ctx, int err, uint64_t index, void *token)
{
    struct run *run = ctx;
    run->reported++;
    assert_int_equal((uintptr_t)token, run->reported);
    run->last_err = err;
    if (err == HD_OK) {
        run->durable++;
        assert_int_equal(index, run->durable);
    } else {
        assert_int_equal(index, 0);
    }
    if (run->reported == run->until) {
        hd_journal_writer_close(run->w, on_closed, run);
        struct hd_journal_entry entry = hd_test_entry(1);
        assert_int_equal(hd_journal_writer_submit(run->w, &entry, NULL), HD_ECLOSED);
    }
}

static void on_drain(void *ctx)
{
    struct run *run = ctx;
    run->drained++;
    if (run->is_resubmit) {
        submit_some(run);
    }
}

static void start(struct run *run, const struct hd_journal_opts *journal,
                  uint64_t queue_bytes)
{
    assert_int_equal(uv_loop_init(&run->loop), 0);
    struct hd_journal_writer_opts opts = {
        .journal = *journal,
        .loop = &run->loop,
        .queue_bytes = queue_bytes,
        .on_durable = on_durable,
        .on_drain = on_drain,
        .ctx = run,
    };
    struct hd_journal_recovery recovery;
    assert_int_equal(hd_journal_writer_open(&opts, &run->w, &recovery), HD_OK);
}

static void finish(struct run *run)
{
    assert_int_equal(uv_run(&run->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(run->closed, 1);
    assert_int_equal(uv_loop_close(&run->loop), 0);
}

static void test_group_commit_in_order(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct run run = {.until = N};
    start(&run, &(struct hd_journal_opts){.dir = dir}, 0);
    submit_some(&run);
    assert_int_equal(run.submitted, N);
    assert_true(hd_journal_writer_queued(run.w) > 0);
    /* what a reader sees now is what was committed, whole */
    struct hd_journal_reader *r = hd_test_reader(dir, NULL);
    finish(&run);
    assert_int_equal(run.durable, N);
    assert_int_equal(run.drained, 0);
    hd_test_read(r, 1, N);
    hd_journal_reader_close(r);
}

static void test_back_pressure(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct run run = {.until = N, .is_resubmit = true};
    start(&run, &(struct hd_journal_opts){.dir = dir}, 4000);
    submit_some(&run);
    assert_true(run.submitted < N);
    assert_true(hd_journal_writer_queued(run.w) <= 4000);
    finish(&run);
    assert_int_equal(run.durable, N);
    assert_true(run.drained > 0);
    struct hd_journal_reader *r = hd_test_reader(dir, NULL);
    hd_test_read(r, 1, N);
    hd_journal_reader_close(r);
}

static void test_one_entry_above_the_bound(void **state)
{
    (void)state;
    struct run run = {.until = 3, .is_resubmit = true};
    start(&run, &(struct hd_journal_opts){.dir = hd_test_tmpdir()}, 1);
    submit_some(&run);
    assert_int_equal(run.submitted, 1);
    finish(&run);
    assert_int_equal(run.durable, 3);
}

static void test_full_journal(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct run run = {.until = N};
    start(&run, &(struct hd_journal_opts){.dir = dir, .max_bytes = 20000}, 0);
    submit_some(&run);
    finish(&run);
    assert_int_equal(run.last_err, HD_ENOSPC);
    assert_true(run.durable > 50);
    assert_true(run.durable < N);
    struct hd_journal_reader *r = hd_test_reader(dir, NULL);
    hd_test_read(r, 1, run.durable);
    hd_journal_reader_close(r);
}

static void test_bad_entry_fails_alone(void **state)
{
    (void)state;
    struct run run = {.until = 3};
    start(&run, &(struct hd_journal_opts){.dir = hd_test_tmpdir()}, 0);
    struct hd_journal_entry entry = hd_test_entry(1);
    assert_int_equal(hd_journal_writer_submit(run.w, &entry, (void *)1), HD_OK);
    entry.payload = HD_SLICE("");
    assert_int_equal(hd_journal_writer_submit(run.w, &entry, NULL), HD_EINVAL);
    entry.payload = HD_SLICE("not a frame");
    assert_int_equal(hd_journal_writer_submit(run.w, &entry, (void *)2), HD_OK);
    run.submitted = 2;
    submit_some(&run);
    finish(&run);
    assert_int_equal(run.last_err, HD_OK);
    assert_int_equal(run.durable, 2);
}

static void test_close_drains(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct run run = {.until = 40};
    start(&run, &(struct hd_journal_opts){.dir = dir}, 0);
    submit_some(&run);
    run.until = 0;
    hd_journal_writer_trim(run.w);
    hd_journal_writer_close(run.w, on_closed, &run);
    finish(&run);
    assert_int_equal(run.durable, 40);
    /* the lock is free again */
    hd_journal_close(hd_test_journal(dir));
}

static void test_open_fails(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal *j = hd_test_journal(dir);
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    struct hd_journal_writer_opts opts = {
        .journal = {.dir = dir}, .loop = &loop, .on_durable = on_durable};
    struct hd_journal_recovery recovery;
    struct hd_journal_writer *w = NULL;
    assert_int_equal(hd_journal_writer_open(&opts, &w, &recovery), HD_EBUSY);
    assert_null(w);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    hd_journal_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group_commit_in_order),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_one_entry_above_the_bound),
        cmocka_unit_test(test_full_journal),
        cmocka_unit_test(test_bad_entry_fails_alone),
        cmocka_unit_test(test_close_drains),
        cmocka_unit_test(test_open_fails),
    };
    hd_test_in_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
