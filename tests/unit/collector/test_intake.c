/* SPDX-License-Identifier: Apache-2.0
 *
 * How far the intake lets its sources run ahead of the spool: of streams a kill takes
 * what is not written yet, of files and datagrams it takes no more than a pause would.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include <haidang/hash.h>

#include "collector/intake/intake.h"

#define LINE_LEN 1000U

static struct {
    uv_loop_t loop;
    struct col_conf conf;
    struct col_intake *intake;
    const struct col_sink *sink;
    char dir[512];
    unsigned holds, releases;
    bool is_full, is_held, is_closed;
    uint64_t random;
} f;

static const struct hd_batch_source tcp = {.host = HD_SLICE("web1"),
                                           .kind = HD_SLICE("syslog-tcp"),
                                           .name = HD_SLICE(":601"),
                                           .format = HD_SLICE("auto")};
static const struct hd_batch_source udp = {.host = HD_SLICE("web1"),
                                           .kind = HD_SLICE("syslog-udp"),
                                           .name = HD_SLICE(":514"),
                                           .format = HD_SLICE("auto")};

static void on_spooled(void *ctx)
{
    (void)ctx;
}

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

static void on_hold(void *ctx)
{
    (void)ctx;
    assert_false(f.is_held);
    f.is_held = true;
    f.holds++;
}

static void on_release(void *ctx)
{
    (void)ctx;
    assert_true(f.is_held);
    f.is_held = false;
    f.releases++;
}

static const struct col_intake_ops ops = {on_spooled, on_full, on_room, on_hold,
                                          on_release};

static int setup(void **state)
{
    char why[256];
    (void)state;
    memset(&f, 0, sizeof(f));
    assert_int_equal(uv_loop_init(&f.loop), 0);
    (void)snprintf(f.dir, sizeof(f.dir), "%s", hd_test_tmpdir());
    f.conf = (struct col_conf){.state_dir = f.dir,
                               .spool_max = 64U << 20,
                               .spool_segment = 16U << 20,
                               .batch_bytes = 1U << 20,
                               .batch_time_ns = INT64_C(60000000000),
                               .batch_level = 1};
    assert_int_equal(col_intake_open(&(struct col_intake_opts){.loop = &f.loop,
                                                               .conf = &f.conf,
                                                               .agent = "web1",
                                                               .ops = &ops},
                                     &f.intake, why),
                     HD_OK);
    f.sink = col_intake_sink(f.intake);
    return 0;
}

static void on_closed(void *ctx)
{
    (void)ctx;
    f.is_closed = true;
}

static void close_intake(struct col_intake *intake)
{
    f.is_closed = false;
    col_intake_close(intake, on_closed, NULL);
    while (!f.is_closed) {
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    }
}

static int teardown(void **state)
{
    (void)state;
    close_intake(f.intake);
    assert_int_equal(uv_run(&f.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f.loop), 0);
    return 0;
}

/* Lines that compress as logs do: half of each is its own. */
static struct hd_slice next_line(void)
{
    static uint8_t text[LINE_LEN];
    for (size_t i = 0; i < LINE_LEN / 2; i += sizeof(f.random)) {
        f.random = hd_hash(hd_slice(&f.random, sizeof(f.random)));
        memcpy(text + i, &f.random, sizeof(f.random));
    }
    memset(text + LINE_LEN / 2, 'x', LINE_LEN / 2);
    return hd_slice(text, LINE_LEN);
}

static int add_stream(void)
{
    return f.sink->add_stream(f.sink->ctx, &tcp, 1, 0, next_line());
}

static int add_datagram(void)
{
    return f.sink->add(f.sink->ctx, &udp, 1, 0, next_line());
}

/* Bytes that it took until it took no more; nothing becomes durable meanwhile. */
static size_t fill(int (*add)(void))
{
    size_t taken = 0;
    while (add() == HD_OK) {
        taken += LINE_LEN;
    }
    return taken;
}

static void test_streams_are_held_back_and_others_are_not(void **state)
{
    (void)state;
    size_t of_streams = fill(add_stream);
    assert_in_range(of_streams, 1U << 20, COL_INTAKE_STREAM_MAX);
    assert_true(f.is_held);
    assert_false(f.is_full);
    size_t of_datagrams = fill(add_datagram);
    assert_true(f.is_full);
    assert_true(of_datagrams > COL_INTAKE_STREAM_MAX / 2);
}

static void test_held_streams_go_on_with_the_spool(void **state)
{
    (void)state;
    for (unsigned turn = 0; turn < 4; turn++) {
        assert_true(fill(add_stream) > 0);
        while (f.is_held) {
            (void)uv_run(&f.loop, UV_RUN_ONCE);
        }
    }
    assert_int_equal(f.holds, 4);
    assert_int_equal(f.releases, 4);
}

/* Datagrams without end do not keep streams from their share. */
static void test_others_do_not_hold_streams(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COL_INTAKE_STREAM_MAX / LINE_LEN; i++) {
        if (add_datagram() != HD_OK) {
            break; /* the spool compresses badly, and is full already */
        }
    }
    while (f.is_full) {
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    }
    assert_int_equal(f.holds, 0);
    assert_int_equal(add_stream(), HD_OK);
}

/* What streams hold leaves with the batches that carry it, one after the other. */
static void test_half_batches_are_closed_early(void **state)
{
    struct col_intake_status before, after;
    (void)state;
    (void)fill(add_stream);
    col_intake_status(f.intake, &before);
    assert_true(before.last_given >= COL_INTAKE_STREAM_MAX / (LINE_LEN + 64));
    while (f.is_held || !col_intake_is_idle(f.intake)) {
        (void)uv_run(&f.loop, UV_RUN_ONCE); /* no batch waits for batch_time */
    }
    col_intake_status(f.intake, &after);
    assert_int_equal(after.last_spooled, before.last_given);
}

static void wait_idle(void)
{
    while (!col_intake_is_idle(f.intake)) {
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    }
}

/* The next agent knows what lies on disk, and that alone. */
static void reopen(void)
{
    char why[256];
    const struct col_intake_opts opts = {
        .loop = &f.loop, .conf = &f.conf, .agent = "web1", .ops = &ops};
    close_intake(f.intake);
    assert_int_equal(col_intake_open(&opts, &f.intake, why), HD_OK);
    f.sink = col_intake_sink(f.intake);
}

/* However many marks are set meanwhile that have nothing to do with lines, such as those
 * of files that went away: a line and its position are on disk together. */
static void test_marks_go_with_their_lines(void **state)
{
    (void)state;
    const struct hd_slice key = HD_SLICE("the file of the line");
    for (unsigned i = 0; i < 1000; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "gone %u", i);
        f.sink->mark(f.sink->ctx, hd_slice_str(name), HD_SLICE("somewhere"));
    }
    assert_int_equal(f.sink->add(f.sink->ctx, &udp, 1, 0, next_line()), HD_OK);
    f.sink->mark(f.sink->ctx, key, HD_SLICE("after it"));
    col_intake_flush(f.intake);
    wait_idle();
    reopen();
    assert_true(hd_slice_eq(f.sink->last_mark(f.sink->ctx, key), HD_SLICE("after it")));
}

/* None is forgotten of a file that may be followed. */
static void test_marks_of_all_files_are_kept(void **state)
{
    struct col_conf_source sources[8];
    char key[24];
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        sources[i] =
            (struct col_conf_source){.kind = COL_KIND_FILE, .files_max = COL_FILES_MAX};
    }
    f.conf.sources = sources;
    f.conf.n_sources = 8;
    reopen();
    for (unsigned n = 0; n < 8 * COL_FILES_MAX; n++) {
        (void)snprintf(key, sizeof(key), "file %u", n);
        f.sink->mark(f.sink->ctx, hd_slice_str(key), HD_SLICE("x"));
    }
    assert_int_equal(col_intake_settle(f.intake), HD_OK);
    for (unsigned n = 0; n < 8 * COL_FILES_MAX; n++) {
        (void)snprintf(key, sizeof(key), "name %u", n);
        f.sink->mark(f.sink->ctx, hd_slice_str(key), HD_SLICE("x"));
    }
    for (unsigned n = 0; n < 8 * COL_FILES_MAX; n++) {
        (void)snprintf(key, sizeof(key), "file %u", n);
        assert_int_equal(f.sink->last_mark(f.sink->ctx, hd_slice_str(key)).len, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_streams_are_held_back_and_others_are_not,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_held_streams_go_on_with_the_spool, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_marks_go_with_their_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_marks_of_all_files_are_kept, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_others_do_not_hold_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_batches_are_closed_early, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
