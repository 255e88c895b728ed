/* SPDX-License-Identifier: Apache-2.0
 *
 * Intake and uplink against a scripted correlator: real spool, real TLS, one loop.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/fs.h>

#include "collector/intake/intake.h"
#include "collector/intake/state.h"
#include "collector/uplink/uplink.h"
#include "tests/support/alloc.h"
#include "tests/support/certs.h"
#include "tests/unit/collector/fake_correlator.h"

#define MS INT64_C(1000000)

struct fixture {
    uv_loop_t loop;
    uv_timer_t guard;
    bool is_late, is_closed;
    struct fake_correlator fc[2];
    struct col_conf conf;
    char addresses[2][32];
    char *correlators[2];
    struct col_intake *intake;
    struct col_uplink *uplink;
    unsigned spooled, full, room;
    size_t lines; /* that a correlator has kept */
    uint64_t sum;
};

static const char *pki;

static int make_pki(void **state)
{
    (void)state;
    pki = hd_test_pki();
    return 0;
}

/* ---- fixture ---- */

static void on_line(void *ctx, const struct hd_batch_record *record,
                    const struct hd_batch_source *source)
{
    struct fixture *f = ctx;
    assert_true(hd_slice_eq(source->name, HD_SLICE("the source")));
    f->lines++;
    f->sum += record->seq;
}

static void on_spooled(void *ctx)
{
    struct fixture *f = ctx;
    f->spooled++;
    if (f->uplink != NULL) {
        col_uplink_kick(f->uplink);
    }
}

static void on_full(void *ctx)
{
    struct fixture *f = ctx;
    f->full++;
}

static void on_room(void *ctx)
{
    struct fixture *f = ctx;
    f->room++;
}

static void report(void *ctx, struct hd_wire_heartbeat *heartbeat)
{
    (void)ctx;
    heartbeat->n = 10;
    for (uint16_t i = 0; i < 10; i++) {
        heartbeat->stats[i] = (struct hd_wire_stat_value){(uint16_t)(i + 1), i};
    }
}

static void on_acked(void *ctx)
{
    (void)ctx;
}

static void on_streams(void *ctx)
{
    (void)ctx;
}

static const struct col_intake_ops intake_ops = {on_spooled, on_full, on_room, on_streams,
                                                 on_streams};
static const struct col_uplink_ops uplink_ops = {report, on_acked};

static void set_conf(struct fixture *f)
{
    f->conf = (struct col_conf){
        .state_dir = (char *)(uintptr_t)hd_test_tmpdir(),
        .line_max = 1000,
        .batch_bytes = 1U << 20,
        .batch_time_ns = 5 * MS,
        .batch_level = 1,
        .spool_max = 64U << 20,
        .spool_segment = 1U << 20,
        .uplink = {.correlators = f->correlators,
                   .n_correlators = 1,
                   .tls = {.cert = strdup(hd_test_path(pki, "client.crt")),
                           .key = strdup(hd_test_path(pki, "client.key")),
                           .ca = strdup(hd_test_path(pki, "ca.crt"))},
                   .retry_first_ns = 20 * MS,
                   .retry_max_ns = 50 * MS,
                   .ack_timeout_ns = 60000 * MS,
                   .fail_back_ns = 100 * MS}};
}

static void open_intake(struct fixture *f)
{
    char why[256] = "";
    const struct col_intake_opts opts = {.loop = &f->loop,
                                         .conf = &f->conf,
                                         .agent = "web1",
                                         .ops = &intake_ops,
                                         .ctx = f};
    if (col_intake_open(&opts, &f->intake, why) != HD_OK) {
        fail_msg("%s", why);
    }
    assert_int_equal(col_intake_settle(f->intake), HD_OK);
}

static void open_uplink(struct fixture *f)
{
    char why[256] = "";
    const struct col_uplink_opts opts = {.loop = &f->loop,
                                         .conf = &f->conf.uplink,
                                         .agent = "web1",
                                         .intake = f->intake,
                                         .ops = &uplink_ops,
                                         .ctx = f};
    if (col_uplink_open(&opts, &f->uplink, why) != HD_OK) {
        fail_msg("%s", why);
    }
}

static void open_correlator(struct fixture *f, size_t i, uint16_t port)
{
    fake_correlator_open(&f->fc[i], &f->loop, pki, port);
    f->fc[i].line = on_line;
    f->fc[i].ctx = f;
    (void)snprintf(f->addresses[i], sizeof(f->addresses[i]), "127.0.0.1:%u",
                   (unsigned)f->fc[i].port);
    f->correlators[i] = f->addresses[i];
}

static struct fixture *setup(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(uv_timer_init(&f->loop, &f->guard), 0);
    open_correlator(f, 0, 0);
    set_conf(f);
    open_intake(f);
    return f;
}

static void on_guard(uv_timer_t *timer)
{
    ((struct fixture *)timer->data)->is_late = true;
}

static void on_closed(void *ctx)
{
    ((struct fixture *)ctx)->is_closed = true;
}

/* Runs the loop until the condition holds; fails after two minutes. */
#define WAIT(f, condition)                                                               \
    do {                                                                                 \
        guard((f), 120000);                                                              \
        while (!(condition) && !(f)->is_late) {                                          \
            (void)uv_run(&(f)->loop, UV_RUN_ONCE);                                       \
        }                                                                                \
        (void)uv_timer_stop(&(f)->guard);                                                \
        assert_true(condition);                                                          \
    } while (0)

static void guard(struct fixture *f, uint64_t ms)
{
    f->is_late = false;
    f->guard.data = f;
    uv_update_time(&f->loop);
    (void)uv_timer_start(&f->guard, on_guard, ms, 0);
}

static void run_for(struct fixture *f, uint64_t ms)
{
    guard(f, ms);
    while (!f->is_late) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
}

static void close_agent(struct fixture *f)
{
    if (f->uplink != NULL) {
        f->is_closed = false;
        col_uplink_close(f->uplink, on_closed, f);
        f->uplink = NULL;
        WAIT(f, f->is_closed);
    }
    f->is_closed = false;
    col_intake_close(f->intake, on_closed, f);
    WAIT(f, f->is_closed);
    f->intake = NULL;
}

static void teardown(struct fixture *f)
{
    if (f->intake != NULL) {
        close_agent(f);
    }
    fake_correlator_close(&f->fc[0]);
    if (f->fc[1].loop != NULL) {
        fake_correlator_close(&f->fc[1]);
    }
    uv_close((uv_handle_t *)&f->guard, NULL);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f->conf.uplink.tls.cert);
    free(f->conf.uplink.tls.key);
    free(f->conf.uplink.tls.ca);
    free(f);
}

static int add_line(struct fixture *f, const char *text)
{
    const struct hd_batch_source source = {.host = HD_SLICE("web1"),
                                           .kind = HD_SLICE("file"),
                                           .name = HD_SLICE("the source"),
                                           .format = HD_SLICE("auto")};
    const struct col_sink *sink = col_intake_sink(f->intake);
    return sink->add(sink->ctx, &source, INT64_C(1790000000000000000), 0,
                     hd_slice_str(text));
}

/* So many lines in batches of `each`. */
static void add_lines(struct fixture *f, size_t n, size_t each)
{
    for (size_t i = 1; i <= n; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "line %zu", i);
        assert_int_equal(add_line(f, text), HD_OK);
        if (i % each == 0) {
            col_intake_flush(f->intake);
        }
    }
    col_intake_flush(f->intake);
    WAIT(f, col_intake_is_idle(f->intake));
}

static uint64_t sum_to(uint64_t n)
{
    return n * (n + 1) / 2;
}

/* ---- tests ---- */

static void test_lines_arrive(void **state)
{
    (void)state;
    struct fixture *f = setup();
    open_uplink(f);
    assert_int_equal(add_line(f, "by time"), HD_OK); /* closed by the timer */
    WAIT(f, f->lines == 1);
    add_lines(f, 99, 10);
    WAIT(f, col_uplink_is_drained(f->uplink) && f->lines == 100);
    assert_int_equal(f->sum, sum_to(100));
    assert_string_equal(f->fc[0].agent, "web1");
    assert_int_equal(f->fc[0].repeats + f->fc[0].gaps, 0);
    assert_int_equal(f->fc[0].heartbeats, 1);
    close_agent(f);
    WAIT(f, f->fc[0].byes == 1);
    teardown(f);
}

static void test_credits_hold_back(void **state)
{
    (void)state;
    struct fixture *f = setup();
    f->fc[0].acks_nothing = true;
    f->fc[0].credits = 1000;
    add_lines(f, 100, 5);
    open_uplink(f);
    WAIT(f, f->fc[0].batches > 0);
    run_for(f, 100);
    unsigned sent = f->fc[0].batches;
    assert_true(sent >= 1 && sent < 10);
    f->fc[0].acks_nothing = false;
    fake_correlator_ack(&f->fc[0]);
    WAIT(f, f->lines == 100 && col_uplink_is_drained(f->uplink));
    teardown(f);
}

static void test_resends_after_a_cut(void **state)
{
    (void)state;
    struct fixture *f = setup();
    f->fc[0].drop_after = 3; /* the third is kept but not acknowledged */
    add_lines(f, 100, 10);
    open_uplink(f);
    WAIT(f, f->lines == 100 && col_uplink_is_drained(f->uplink));
    assert_int_equal(f->sum, sum_to(100));
    assert_true(f->fc[0].hellos >= 3);
    assert_int_equal(f->fc[0].repeats, 0); /* WELCOME said what it holds */
    teardown(f);
}

static void test_restart_continues(void **state)
{
    (void)state;
    struct fixture *f = setup();
    add_lines(f, 30, 10);
    open_uplink(f);
    WAIT(f, f->lines == 30 && col_uplink_is_drained(f->uplink));
    char boot[33];
    memcpy(boot, f->fc[0].boot, sizeof(boot));
    close_agent(f);
    open_intake(f);
    add_lines(f, 30, 10);
    f->fc[0].last = 30; /* as it is; the position was saved, so nothing comes again */
    open_uplink(f);
    WAIT(f, f->lines == 60);
    assert_string_equal(f->fc[0].boot, boot);
    assert_int_equal(f->sum, sum_to(60));
    assert_int_equal(f->fc[0].gaps + f->fc[0].repeats, 0);
    assert_int_equal(f->fc[0].first_spooled, 31);
    assert_int_equal(f->fc[0].acknowledged, 30); /* known over a restart */
    teardown(f);
}

/* Text that does not compress well: `n` characters and a NUL. */
static void fill_random(char *text, size_t n, uint64_t *random)
{
    for (size_t i = 0; i < n; i++) {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        text[i] = (char)('!' + *random % 90);
    }
    text[n] = '\0';
}

static void test_spool_is_given_back(void **state)
{
    (void)state;
    struct fixture *f = setup();
    char text[900];
    uint64_t random = 88172645463325252ULL;
    open_uplink(f);
    for (size_t i = 0; i < 16000; i++) {
        fill_random(text, sizeof(text) - 1, &random);
        while (add_line(f, text) == HD_EFULL) {
            (void)uv_run(&f->loop, UV_RUN_ONCE);
        }
    }
    col_intake_flush(f->intake);
    WAIT(f, f->lines == 16000 && col_uplink_is_drained(f->uplink));
    struct col_intake_status status;
    close_agent(f);
    open_intake(f);
    col_intake_status(f->intake, &status);
    assert_true(status.spool_bytes < 10U << 20);
    assert_int_equal(status.last_spooled, 16000);
    teardown(f);
}

/* Nobody takes the lines until the spool is full: then sources wait, nothing is lost, and
 * all goes on once a correlator acknowledges. */
static void test_full_spool(void **state)
{
    (void)state;
    struct fixture *f = setup();
    char text[900];
    uint64_t random = 88172645463325252ULL;
    struct col_intake_status status;
    size_t taken = 0;
    close_agent(f);
    f->conf.spool_max = 4U << 20;
    f->fc[0].credits = 0;
    open_intake(f);
    open_uplink(f);
    do {
        fill_random(text, sizeof(text) - 1, &random);
        taken += add_line(f, text) == HD_OK;
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        col_intake_status(f->intake, &status);
    } while (status.spool_err == HD_OK);
    assert_int_equal(status.spool_err, HD_ENOSPC);
    assert_int_equal(add_line(f, text), HD_EFULL);
    assert_true(f->full > 0 && taken > 3000);
    f->fc[0].credits = 4U << 20;
    fake_correlator_ack(&f->fc[0]);
    WAIT(f, f->lines == taken);
    WAIT(f, f->room == f->full);
    assert_int_equal(add_line(f, text), HD_OK);
    WAIT(f, f->lines == taken + 1);
    assert_int_equal(f->sum, sum_to(taken + 1));
    assert_int_equal(f->fc[0].gaps + f->fc[0].repeats, 0);
    /* the retry that was due when room was made finds nothing left to write */
    run_for(f, 1200);
    assert_int_equal(f->full, f->room);
    assert_int_equal(add_line(f, text), HD_OK);
    WAIT(f, f->lines == taken + 2);
    teardown(f);
}

static void test_bye(void **state)
{
    (void)state;
    for (int code = HD_WIRE_BYE_NORMAL; code <= HD_WIRE_BYE_SHUTDOWN + 1; code++) {
        struct fixture *f = setup();
        f->fc[0].bye = code;
        add_lines(f, 5, 5);
        open_uplink(f);
        WAIT(f, f->fc[0].hellos == 2);
        f->fc[0].bye = -1;
        WAIT(f, f->lines == 5);
        teardown(f);
    }
}

static void test_newer_version(void **state)
{
    (void)state;
    struct fixture *f = setup();
    f->fc[0].version = HD_WIRE_VERSION + 1;
    open_uplink(f);
    WAIT(f, f->fc[0].byes == 2);
    f->fc[0].version = HD_WIRE_VERSION;
    f->fc[0].sends_unknown = true;
    add_lines(f, 5, 5);
    WAIT(f, f->lines == 5);
    teardown(f);
}

static void test_nonsense(void **state)
{
    (void)state;
    static const struct hd_slice nonsense[] = {
        HD_SLICE("HTTP/1.1 400 Bad Request\r\n\r\n"),
        HD_SLICE("\xff\xff\xff\xff"),
        HD_SLICE("\0\0\0\1\2"),                           /* WELCOME without a body */
        HD_SLICE("\0\0\0\x0d\4\0\0\0\0\0\0\0\1\0\0\1\0"), /* ACK before WELCOME */
        HD_SLICE("\0\0\0\1\1"),                           /* HELLO */
    };
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        struct fixture *f = setup();
        f->fc[0].garbage = nonsense[i];
        add_lines(f, 5, 5);
        open_uplink(f);
        WAIT(f, f->fc[0].hellos == 2);
        f->fc[0].garbage = HD_SLICE_EMPTY;
        WAIT(f, f->lines == 5);
        teardown(f);
    }
}

static void test_ack_of_what_was_not_sent(void **state)
{
    (void)state;
    struct fixture *f = setup();
    f->fc[0].over_ack = 1000;
    add_lines(f, 5, 5);
    open_uplink(f);
    WAIT(f, f->fc[0].hellos == 2);
    f->fc[0].over_ack = 0;
    WAIT(f, f->lines == 5 && col_uplink_is_drained(f->uplink));
    teardown(f);
}

/* A restored backup: the correlator holds more of this boot than the spool ever had. */
static void test_rolled_back_spool_is_refused(void **state)
{
    (void)state;
    struct fixture *f = setup();
    struct col_intake_status status;
    col_intake_status(f->intake, &status);
    (void)snprintf(f->fc[0].boot, sizeof(f->fc[0].boot), "%s", status.boot);
    f->fc[0].last = 1000;
    add_lines(f, 5, 5);
    open_uplink(f);
    WAIT(f, f->fc[0].byes == 2);
    assert_int_equal(f->fc[0].batches, 0);
    teardown(f);
}

static void check_rest(struct fixture *f, uint64_t entries, uint64_t lines)
{
    struct col_feed_rest rest;
    col_uplink_rest(f->uplink, &rest);
    assert_int_equal(rest.entries, entries);
    assert_int_equal(rest.lines, lines);
    assert_true((rest.bytes > 0) == (entries > 0));
}

/* Never sent, sent and not acknowledged, refused, acknowledged in part, after a restart:
 * what is not acknowledged is told as such. */
static void test_what_is_not_acknowledged_is_told(void **state)
{
    (void)state;
    struct fixture *f = setup();
    uint16_t port = f->fc[0].port;
    fake_correlator_close(&f->fc[0]);
    add_lines(f, 40, 10);
    open_uplink(f);
    check_rest(f, 4, 40);
    open_correlator(f, 0, port);
    f->fc[0].acks_nothing = true;
    WAIT(f, f->fc[0].batches == 4);
    check_rest(f, 4, 40);
    fake_correlator_cut(&f->fc[0]);
    f->fc[0].bye = HD_WIRE_BYE_FULL;
    f->fc[0].hellos = 0;
    WAIT(f, f->fc[0].hellos == 1 && !fake_correlator_is_busy(&f->fc[0]));
    run_for(f, 10);
    check_rest(f, 4, 40);
    assert_false(col_uplink_is_drained(f->uplink));
    assert_true(col_uplink_oldest_ns(f->uplink) != 0);
    close_agent(f);
    open_intake(f);
    add_lines(f, 5, 5);
    open_uplink(f);
    check_rest(f, 5, 45);
    f->fc[0].bye = -1;
    f->fc[0].acks_nothing = false;
    WAIT(f, col_uplink_is_drained(f->uplink));
    check_rest(f, 0, 0);
    close_agent(f);
    open_intake(f);
    open_uplink(f);
    check_rest(f, 0, 0);
    teardown(f);
}

static void test_fail_over_and_back(void **state)
{
    (void)state;
    struct fixture *f = setup();
    uint16_t port = f->fc[0].port;
    open_correlator(f, 1, 0);
    f->conf.uplink.n_correlators = 2;
    add_lines(f, 5, 5);
    open_uplink(f);
    WAIT(f, f->lines == 5);
    assert_int_equal(f->fc[1].hellos, 0);
    fake_correlator_close(&f->fc[0]);
    add_lines(f, 5, 5);
    WAIT(f, f->lines == 10);
    assert_int_equal(f->fc[1].hellos, 1);
    assert_int_equal(f->fc[1].repeats, 0);
    open_correlator(f, 0, port);
    WAIT(f, f->fc[0].hellos == 1);
    assert_int_equal(f->fc[0].acknowledged, 10); /* by the other one */
    assert_int_equal(f->fc[1].byes, 1);
    add_lines(f, 5, 5);
    WAIT(f, f->lines == 15);
    assert_int_equal(f->fc[1].hellos, 1);
    assert_int_equal(f->sum, sum_to(15));
    teardown(f);
}

static void test_wrong_certificates(void **state)
{
    (void)state;
    struct fixture *f = setup();
    char why[256] = "";
    struct col_uplink *up = NULL;
    const struct col_uplink_opts opts = {.loop = &f->loop,
                                         .conf = &f->conf.uplink,
                                         .agent = "web1",
                                         .intake = f->intake,
                                         .ops = &uplink_ops,
                                         .ctx = f};
    char *key = f->conf.uplink.tls.key;
    f->conf.uplink.tls.key = (char *)(uintptr_t)hd_test_path(pki, "server.key");
    assert_int_not_equal(col_uplink_open(&opts, &up, why), HD_OK);
    assert_true(why[0] != '\0');
    f->conf.uplink.tls.key = key;
    /* a correlator by another authority is not talked to */
    char *ca = f->conf.uplink.tls.ca;
    f->conf.uplink.tls.ca = (char *)(uintptr_t)hd_test_path(pki, "foreign-ca.crt");
    open_uplink(f);
    WAIT(f, f->fc[0].connections == 3);
    assert_int_equal(f->fc[0].hellos, 0);
    f->conf.uplink.tls.ca = ca;
    teardown(f);
}

static void test_status(void **state)
{
    (void)state;
    struct fixture *f = setup();
    struct hd_buf text;
    f->fc[0].bye = HD_WIRE_BYE_IDENTITY;
    add_lines(f, 10, 5);
    open_uplink(f);
    WAIT(f, f->fc[0].hellos == 1 && !fake_correlator_is_busy(&f->fc[0]));
    run_for(f, 10);
    hd_buf_init(&text, 0);
    struct hd_json json = hd_json(&text);
    hd_json_object(&json, NULL);
    col_uplink_status(f->uplink, &json);
    hd_json_array(&json, "problems");
    col_uplink_problems(f->uplink, &json);
    hd_json_end(&json, ']');
    hd_json_end(&json, '}');
    assert_non_null(strstr(hd_buf_cstr(&text), "must be the CN of our certificate"));
    check_rest(f, 2, 10);
    assert_true(col_uplink_oldest_ns(f->uplink) == INT64_C(1790000000000000000));
    hd_buf_fini(&text);
    teardown(f);
}

/* A source that is new to a batch takes memory. When it lacks, sources wait: every line
 * is taken in the end. */
static void test_lack_of_memory_for_a_line(void **state)
{
    (void)state;
    struct fixture *f = setup();
    const struct col_sink *sink = col_intake_sink(f->intake);
    char name[HD_BATCH_NAME_MAX + 1];
    unsigned lines = 0;
    memset(name, 'x', HD_BATCH_NAME_MAX);
    name[HD_BATCH_NAME_MAX] = '\0';
    HD_TEST_ALLOC_EACH(n)
    {
        int err = HD_OK;
        for (unsigned i = 0; i < 50 && err == HD_OK; i++) {
            int len = snprintf(name, sizeof(name), "%u", lines);
            name[len] = 'x';
            const struct hd_batch_source source = {
                .kind = HD_SLICE("file"),
                .name = hd_slice_head(hd_slice_str(name), HD_BATCH_NAME_MAX)};
            unsigned room = f->room;
            err = sink->add(sink->ctx, &source, 1, 0, HD_SLICE("line"));
            if (err != HD_OK) {
                hd_test_alloc_stop();
                assert_int_equal(err, HD_EFULL);
                WAIT(f, f->room > room);
                err = sink->add(sink->ctx, &source, 1, 0, HD_SLICE("line"));
            }
            assert_int_equal(err, HD_OK);
            lines++;
        }
        hd_test_alloc_stop();
        col_intake_flush(f->intake);
        WAIT(f, col_intake_is_idle(f->intake));
    }
    struct col_intake_status status;
    col_intake_status(f->intake, &status);
    assert_int_equal(status.last_spooled, lines);
    teardown(f);
}

static bool has_mark(const struct fixture *f, const char *key_hex)
{
    struct hd_buf text;
    char path[600];
    (void)snprintf(path, sizeof(path), "%s/" COL_STATE_FILE, f->conf.state_dir);
    hd_buf_init(&text, 0);
    assert_int_equal(hd_fs_read(path, COL_STATE_MAX, &text), HD_OK);
    bool is_there = hd_slice_find(hd_buf_slice(&text), hd_slice_str(key_hex)) != HD_NPOS;
    hd_buf_fini(&text);
    return is_there;
}

static void on_checkpoint(void *ctx, int err, uint64_t covered)
{
    (void)covered;
    assert_int_equal(err, HD_OK);
    ((struct fixture *)ctx)->is_closed = true;
}

/* Marks age by a clock that nobody sets: one that was wrong by months when the agent
 * started, and is put right, makes no file unknown. */
static void test_marks_outlive_a_step_of_the_clock(void **state)
{
    (void)state;
    int64_t wall_ns = INT64_C(1790000000) * HD_NS_PER_SEC;
    int64_t mono_ns = HD_NS_PER_SEC;
    hd_clock_fake(&wall_ns, &mono_ns);
    struct fixture *f = setup();
    const struct col_sink *sink = col_intake_sink(f->intake);
    assert_int_equal(add_line(f, "before"), HD_OK);
    sink->mark(sink->ctx, HD_SLICE("one"), HD_SLICE("mark"));
    col_intake_flush(f->intake);
    WAIT(f, col_intake_is_idle(f->intake));
    wall_ns += 100 * 86400 * HD_NS_PER_SEC;
    assert_int_equal(add_line(f, "after"), HD_OK);
    sink->mark(sink->ctx, HD_SLICE("two"), HD_SLICE("mark"));
    col_intake_flush(f->intake);
    WAIT(f, col_intake_is_idle(f->intake));
    f->is_closed = false;
    assert_int_equal(col_intake_checkpoint(f->intake, 0, on_checkpoint, f), HD_OK);
    WAIT(f, f->is_closed);
    assert_true(has_mark(f, "mark 6f6e65 ")); /* one */
    assert_true(has_mark(f, "mark 74776f ")); /* two */
    close_agent(f);
    hd_clock_fake(NULL, NULL);
    teardown(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lack_of_memory_for_a_line),
        cmocka_unit_test(test_marks_outlive_a_step_of_the_clock),
        cmocka_unit_test(test_lines_arrive),
        cmocka_unit_test(test_credits_hold_back),
        cmocka_unit_test(test_resends_after_a_cut),
        cmocka_unit_test(test_restart_continues),
        cmocka_unit_test(test_spool_is_given_back),
        cmocka_unit_test(test_full_spool),
        cmocka_unit_test(test_bye),
        cmocka_unit_test(test_newer_version),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_ack_of_what_was_not_sent),
        cmocka_unit_test(test_rolled_back_spool_is_refused),
        cmocka_unit_test(test_what_is_not_acknowledged_is_told),
        cmocka_unit_test(test_fail_over_and_back),
        cmocka_unit_test(test_wrong_certificates),
        cmocka_unit_test(test_status),
    };
    return cmocka_run_group_tests(tests, make_pki, NULL);
}
