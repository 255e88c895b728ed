/* SPDX-License-Identifier: Apache-2.0
 *
 * What the intake makes of losses: lines in the spool, read back from it here.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/journal.h>
#include <haidang/loss.h>

#include "collector/intake/intake.h"

static struct fixture {
    uv_loop_t loop;
    struct col_conf conf;
    struct col_intake *intake;
    char dir[512], file[600], spool[600];
    bool is_full, is_closed;
} f;

static const struct hd_batch_source udp = {.host = HD_SLICE("web1"),
                                           .kind = HD_SLICE("syslog-udp"),
                                           .name = HD_SLICE(":514"),
                                           .format = HD_SLICE("auto")};

static void on_full(void *ctx)
{
    (void)ctx;
    f.is_full = true;
}

static void on_room(void *ctx)
{
    (void)ctx;
    f.is_full = false;
}

static void on_spooled(void *ctx)
{
    (void)ctx;
}

static void on_streams(void *ctx)
{
    (void)ctx;
}

static const struct col_intake_ops ops = {on_spooled, on_full, on_room, on_streams,
                                          on_streams};

static void open_agent(void)
{
    char why[256];
    assert_int_equal(col_intake_open(&(struct col_intake_opts){.loop = &f.loop,
                                                               .conf = &f.conf,
                                                               .agent = "web1",
                                                               .ops = &ops},
                                     &f.intake, why),
                     HD_OK);
}

static void on_closed(void *ctx)
{
    (void)ctx;
    f.is_closed = true;
}

static void close_agent(void)
{
    f.is_closed = false;
    col_intake_close(f.intake, on_closed, NULL);
    while (!f.is_closed) {
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    }
}

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    (void)snprintf(f.dir, sizeof(f.dir), "%s/agent", hd_test_tmpdir());
    (void)snprintf(f.file, sizeof(f.file), "%s/losses", f.dir);
    (void)snprintf(f.spool, sizeof(f.spool), "%s/spool", f.dir);
    f.conf = (struct col_conf){.state_dir = f.dir,
                               .line_max = 4096,
                               .batch_bytes = 1U << 20,
                               .batch_time_ns = 10 * HD_NS_PER_MS,
                               .batch_level = 1,
                               .spool_max = 64U << 20,
                               .spool_segment = 1U << 20};
    assert_int_equal(uv_loop_init(&f.loop), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)uv_run(&f.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f.loop), 0);
    return 0;
}

static void settle(void)
{
    col_intake_flush(f.intake);
    while (!col_intake_is_idle(f.intake)) {
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    }
}

static void lose(enum hd_loss_kind kind, uint64_t count, uint64_t bytes)
{
    const struct col_sink *sink = col_intake_sink(f.intake);
    sink->lost(sink->ctx, &udp, kind, count, bytes);
}

static int add(unsigned flags, struct hd_slice line)
{
    const struct col_sink *sink = col_intake_sink(f.intake);
    return sink->add(sink->ctx, &udp, hd_clock_wall_ns(), flags, line);
}

struct reports {
    unsigned n;
    struct hd_loss all[8];
};

static void read_batch(struct hd_batch_reader *reader, struct hd_slice frame,
                       struct reports *out)
{
    struct hd_batch_info info;
    const struct hd_batch_source *sources;
    struct hd_batch_record record;
    assert_int_equal(hd_batch_reader_open(reader, frame, &info), HD_OK);
    (void)hd_batch_reader_sources(reader, &sources);
    while (hd_batch_reader_next(reader, &record) == 1) {
        if (hd_slice_eq(sources[record.source].kind, HD_SLICE(HD_LOSS_SOURCE_KIND))) {
            assert_true(out->n < 8);
            assert_true(
                hd_slice_eq(sources[record.source].name, HD_SLICE(HD_LOSS_SOURCE_NAME)));
            assert_int_equal(hd_loss_decode(record.line, &out->all[out->n++]), HD_OK);
        }
    }
}

static struct reports read_spool(void)
{
    struct reports out = {0};
    struct hd_journal_reader *spool;
    struct hd_journal_entry entry;
    struct hd_batch_reader *reader;
    assert_int_equal(hd_batch_reader_new(&reader), HD_OK);
    assert_int_equal(hd_journal_reader_open(f.spool, NULL, &spool), HD_OK);
    while (hd_journal_reader_next(spool, &entry) == HD_OK) {
        read_batch(reader, entry.payload, &out);
    }
    hd_journal_reader_close(spool);
    hd_batch_reader_free(reader);
    return out;
}

static void losses_become_one_line_a_kind_and_source(void **state)
{
    (void)state;
    open_agent();
    for (unsigned i = 0; i < 5; i++) {
        lose(HD_LOSS_KERNEL_DROPS, 100, 0);
        lose(HD_LOSS_SPOOL_FULL, 1, 80);
    }
    assert_int_equal(add(HD_BATCH_TRUNCATED, HD_SLICE("cut")), HD_OK);
    assert_int_equal(add(0, HD_SLICE("whole")), HD_OK);
    settle();
    assert_int_equal(read_spool().n, 0); /* the burst goes on */
    col_intake_report(f.intake);
    col_intake_report(f.intake); /* nothing more */
    settle();
    struct reports got = read_spool();
    assert_int_equal(got.n, 3);
    assert_int_equal(got.all[0].kind, HD_LOSS_KERNEL_DROPS);
    assert_int_equal(got.all[0].count, 500);
    assert_string_equal(got.all[0].source, "syslog-udp :514");
    assert_int_equal(got.all[1].kind, HD_LOSS_SPOOL_FULL);
    assert_int_equal(got.all[1].count, 5);
    assert_int_equal(got.all[1].bytes, 400);
    assert_int_equal(got.all[2].kind, HD_LOSS_TRUNCATED);
    assert_int_equal(got.all[2].count, 1);
    close_agent();
    assert_int_equal(access(f.file, F_OK), -1);
}

static bool is_refused(void)
{
    struct col_intake_status status;
    (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    col_intake_status(f.intake, &status);
    return status.spool_err != HD_OK;
}

/* An uplink that is not connected holds everything. */
static struct hd_journal_reader *hold_spool(void)
{
    struct hd_journal_reader *reader;
    struct hd_journal_entry entry;
    assert_int_equal(add(0, HD_SLICE("first")), HD_OK);
    settle();
    assert_int_equal(hd_journal_reader_open(f.spool, "uplink", &reader), HD_OK);
    assert_int_equal(hd_journal_reader_next(reader, &entry), HD_OK);
    return reader;
}

static void fill_spool(void)
{
    uint8_t line[4096];
    uint32_t x = 1;
    while (!is_refused()) {
        for (size_t i = 0; i < sizeof(line); i++) { /* what does not compress */
            x = x * 1664525U + 1013904223U;
            line[i] = (uint8_t)(x >> 24);
        }
        int err = add(0, hd_slice(line, sizeof(line)));
        assert_true(err == HD_OK || err == HD_EFULL);
    }
    assert_true(f.is_full);
}

static void what_a_full_spool_refuses_the_next_agent_reports(void **state)
{
    (void)state;
    f.conf.spool_max = 2U << 20;
    open_agent();
    struct hd_journal_reader *uplink = hold_spool();
    fill_spool();
    lose(HD_LOSS_KERNEL_DROPS, 42, 0);
    col_intake_report(f.intake);
    close_agent();
    assert_int_equal(access(f.file, F_OK), 0);
    f.conf.spool_max = 64U << 20;
    open_agent();
    while (access(f.file, F_OK) == 0) {
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    }
    struct reports got = read_spool();
    unsigned found = 0;
    for (unsigned i = 0; i < got.n; i++) {
        found += got.all[i].kind == HD_LOSS_KERNEL_DROPS && got.all[i].count == 42;
    }
    assert_int_equal(found, 1);
    close_agent();
    hd_journal_reader_close(uplink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(losses_become_one_line_a_kind_and_source, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_full_spool_refuses_the_next_agent_reports,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
