/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation of the agent's thread fails once, while the uplink opens, connects to
 * a correlator in another thread and empties the spool: it says that it cannot start, or
 * everything arrives.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/intake/intake.h"
#include "collector/uplink/uplink.h"
#include "tests/support/alloc.h"
#include "tests/support/certs.h"
#include "tests/unit/collector/fake_correlator.h"

#define MS       INT64_C(1000000)
#define BATCHES  3U
#define DENSE    100U /* allocations that fail one by one; then ever fewer of them */
#define THIN_OUT 8U

static const char *pki;
static const char *home;

/* The correlator's side: a loop of its own. */
struct side {
    uv_thread_t thread;
    uv_loop_t loop;
    uv_async_t stop;
    struct fake_correlator fc;
};

struct world {
    uv_loop_t loop;
    struct side side;
    struct col_conf conf;
    char dir[512], address[32], file[3][512];
    char *correlators[1];
    struct col_intake *intake;
    struct col_uplink *uplink;
    bool is_closed;
};

/* ---- the correlator ---- */

static void on_line(void *ctx, const struct hd_batch_record *record,
                    const struct hd_batch_source *source)
{
    (void)ctx;
    (void)record;
    (void)source;
}

static void on_stop(uv_async_t *stop)
{
    struct side *side = stop->data;
    fake_correlator_close(&side->fc);
    uv_close((uv_handle_t *)stop, NULL);
}

static void serve(void *arg)
{
    struct side *side = arg;
    (void)uv_run(&side->loop, UV_RUN_DEFAULT);
}

static void start_correlator(struct world *w)
{
    struct side *side = &w->side;
    assert_int_equal(uv_loop_init(&side->loop), 0);
    assert_int_equal(uv_async_init(&side->loop, &side->stop, on_stop), 0);
    side->stop.data = side;
    fake_correlator_open(&side->fc, &side->loop, pki, 0);
    side->fc.line = on_line;
    (void)snprintf(w->address, sizeof(w->address), "127.0.0.1:%u", side->fc.port);
    w->correlators[0] = w->address;
    assert_int_equal(uv_thread_create(&side->thread, serve, side), 0);
}

static void stop_correlator(struct world *w)
{
    assert_int_equal(uv_async_send(&w->side.stop), 0);
    assert_int_equal(uv_thread_join(&w->side.thread), 0);
    assert_int_equal(uv_loop_close(&w->side.loop), 0);
}

/* ---- the agent ---- */

static void nothing(void *ctx)
{
    (void)ctx;
}

static void on_spooled(void *ctx)
{
    struct world *w = ctx;
    if (w->uplink != NULL) {
        col_uplink_kick(w->uplink);
    }
}

static void report(void *ctx, struct hd_wire_heartbeat *heartbeat)
{
    (void)ctx;
    heartbeat->n = 10; /* as the agent reports */
    for (uint16_t i = 0; i < 10; i++) {
        heartbeat->stats[i] = (struct hd_wire_stat_value){(uint16_t)(i + 1), i};
    }
}

static const struct col_intake_ops intake_ops = {on_spooled, nothing, nothing};
static const struct col_uplink_ops uplink_ops = {report, nothing};

static void set_conf(struct world *w, unsigned n)
{
    static const char *const name[] = {"client.crt", "client.key", "ca.crt"};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(w->file[i], sizeof(w->file[i]), "%s/%s", pki, name[i]);
    }
    (void)snprintf(w->dir, sizeof(w->dir), "%s/agent-%u", home, n);
    w->conf = (struct col_conf){
        .state_dir = w->dir,
        .line_max = 1000,
        .batch_bytes = 1U << 20,
        .batch_time_ns = 5 * MS,
        .batch_level = 1,
        .spool_max = 64U << 20,
        .spool_segment = 1U << 20,
        .uplink = {.correlators = w->correlators,
                   .n_correlators = 1,
                   .tls = {.cert = w->file[0], .key = w->file[1], .ca = w->file[2]},
                   .retry_first_ns = MS,
                   .retry_max_ns = 2 * MS,
                   .ack_timeout_ns = 60000 * MS,
                   .fail_back_ns = 100 * MS}};
}

static void fill_spool(struct world *w)
{
    const struct hd_batch_source source = {
        .host = HD_SLICE("h"), .kind = HD_SLICE("file"), .name = HD_SLICE("/x")};
    char why[256] = "";
    const struct col_intake_opts opts = {.loop = &w->loop,
                                         .conf = &w->conf,
                                         .agent = "web1",
                                         .ops = &intake_ops,
                                         .ctx = w};
    assert_int_equal(col_intake_open(&opts, &w->intake, why), HD_OK);
    const struct col_sink *sink = col_intake_sink(w->intake);
    for (unsigned i = 0; i < BATCHES; i++) {
        assert_int_equal(sink->add(sink->ctx, &source, 1, 0, HD_SLICE("line")), HD_OK);
        col_intake_flush(w->intake);
    }
    while (!col_intake_is_idle(w->intake)) {
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    }
}

static void on_closed(void *ctx)
{
    ((struct world *)ctx)->is_closed = true;
}

static void run_until_closed(struct world *w)
{
    while (!w->is_closed) {
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    }
}

static void deliver(struct world *w)
{
    char why[256] = "";
    const struct col_uplink_opts opts = {.loop = &w->loop,
                                         .conf = &w->conf.uplink,
                                         .agent = "web1",
                                         .intake = w->intake,
                                         .ops = &uplink_ops,
                                         .ctx = w};
    int err = col_uplink_open(&opts, &w->uplink, why);
    if (err != HD_OK) {
        w->uplink = NULL;
        assert_true(err == HD_ENOMEM || err == HD_ETLS);
        return;
    }
    while (!col_uplink_is_drained(w->uplink)) {
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    }
    col_uplink_close(w->uplink, on_closed, w);
    run_until_closed(w);
    w->uplink = NULL;
}

/* True: the failure happened. */
static bool deliver_with_a_failure(unsigned n)
{
    struct world w = {0};
    assert_int_equal(uv_loop_init(&w.loop), 0);
    start_correlator(&w);
    set_conf(&w, n);
    fill_spool(&w);
    hd_test_alloc_fail_at(n);
    deliver(&w);
    hd_test_alloc_stop();
    w.is_closed = false;
    col_intake_close(w.intake, on_closed, &w);
    run_until_closed(&w);
    (void)uv_run(&w.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w.loop), 0);
    stop_correlator(&w);
    assert_int_equal(w.side.fc.gaps, 0);
    return hd_test_alloc_failed();
}

static void test_no_allocation_is_one_too_many(void **state)
{
    (void)state;
    bool has_failed = true;
    home = hd_test_tmpdir();
    for (unsigned n = 1; has_failed; n += n < DENSE ? 1 : n / THIN_OUT) {
        has_failed = deliver_with_a_failure(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_allocation_is_one_too_many),
    };
    pki = hd_test_pki();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
