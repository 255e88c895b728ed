/* SPDX-License-Identifier: Apache-2.0
 *
 * The disk thread over a disk that fails now and then: each verdict it gives is true.
 * What it called durable is there once, under the index it named, in order; what it
 * called failed is not, unless the journal never healed.
 */
#include "tests/unit/lib/journal_helper.h"

#include <haidang/journal_writer.h>
#include <haidang/log.h>

#include "lib/journal_priv.h"
#include "tests/crash/memfs.h"

#define LIVES 150U
#define N     60U

struct life {
    uv_loop_t loop;
    struct hd_journal_writer *w;
    uint64_t submitted, reported;
    uint64_t index[N + 1]; /* 0 = failed */
    uint64_t durable, failed_last;
    unsigned closed;
};

static void submit(struct life *life)
{
    while (life->submitted < N) {
        struct hd_journal_entry entry = hd_test_entry(life->submitted + 1);
        if (hd_journal_writer_submit(life->w, &entry, NULL) != HD_OK) {
            return;
        }
        life->submitted++;
    }
}

static void on_closed(void *ctx)
{
    struct life *life = ctx;
    life->closed++;
}

static void on_durable(void *ctx, int err, uint64_t index, void *token)
{
    struct life *life = ctx;
    (void)token;
    life->index[++life->reported] = err == HD_OK ? index : 0;
    life->durable += err == HD_OK;
    life->failed_last = err == HD_OK ? 0 : life->failed_last + 1;
    if (life->reported == N) {
        hd_journal_writer_close(life->w, on_closed, life);
    }
}

static void on_drain(void *ctx)
{
    submit(ctx);
}

static void judge(struct life *life, const struct hd_io *io)
{
    struct hd_journal_opts opts = {.dir = "j"};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    struct hd_journal_reader *r = NULL;
    struct hd_journal_entry entry;
    assert_int_equal(hd_journal_open_io(&opts, io, &j, &recovery), HD_OK);
    assert_int_equal(hd_journal_reader_open_io("j", NULL, io, &r), HD_OK);
    for (uint64_t n = 1; n <= N; n++) {
        if (life->index[n] > 0) {
            assert_int_equal(hd_journal_reader_next(r, &entry), HD_OK);
            hd_test_entry_check(&entry, n);
            assert_int_equal(entry.index, life->index[n]);
        }
    }
    int err = hd_journal_reader_next(r, &entry);
    for (uint64_t n = N - life->failed_last + 1; err == HD_OK && n <= N; n++) {
        if (entry.first == n * 10) {
            err = hd_journal_reader_next(r, &entry);
        }
    }
    assert_int_equal(err, HD_EAGAIN);
    hd_journal_reader_close(r);
    hd_journal_close(j);
}

static uint64_t live(uint64_t seed)
{
    static const struct memfs_faults none;
    struct life life = {0};
    struct memfs *fs = memfs_new(seed);
    struct hd_io io = memfs_io(fs);
    struct hd_journal_writer_opts opts = {
        .journal = {.dir = "j", .segment_bytes = 1500},
        .loop = &life.loop,
        .queue_bytes = 3000,
        .on_durable = on_durable,
        .on_drain = on_drain,
        .ctx = &life,
    };
    struct hd_journal_recovery recovery;
    assert_int_equal(uv_loop_init(&life.loop), 0);
    assert_int_equal(hd_journal_writer_open_io(&opts, &io, &life.w, &recovery), HD_OK);
    /* before the first submission the thread only waits */
    struct memfs_faults faults = {.write_eio = 12,
                                  .write_enospc = 9,
                                  .write_short = 5,
                                  .sync_eio = 7,
                                  .truncate_eio = 20,
                                  .open_eio = 20};
    memfs_faults_set(fs, &faults);
    submit(&life);
    assert_int_equal(uv_run(&life.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&life.loop), 0);
    assert_int_equal(life.closed, 1);
    memfs_faults_set(fs, &none);
    judge(&life, &io);
    memfs_free(fs);
    return life.durable;
}

static void test_every_verdict_is_true(void **state)
{
    (void)state;
    uint64_t durable = 0;
    for (uint64_t seed = 1; seed <= LIVES; seed++) {
        durable += live(seed);
    }
    /* the faults are neither everywhere nor nowhere */
    assert_in_range(durable, LIVES * N / 10, LIVES * N * 9 / 10);
}

int main(void)
{
    const struct hd_log_opts quiet = {.level = HD_LOG_ERROR, .fd = -1, .burst = 1};
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_verdict_is_true)};
    hd_log_setup(&quiet);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
