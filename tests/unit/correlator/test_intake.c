/* SPDX-License-Identifier: Apache-2.0
 *
 * The intake: what agents send is archived once, whatever happens to them and to it.
 */
#include "tests/unit/correlator/intake_world.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "correlator/metrics.h"
#include "tests/support/certs.h"

/* ---- the good case ---- */

static void what_is_acknowledged_is_archived_once(void **state)
{
    (void)state;
    open_intake();
    struct fake_agent_opts opts = agent(10050);
    struct fake_agent *a = fake_agent_new(&opts);
    UNTIL(w.done == 1);
    assert_int_equal(fake_agent_acked(a), 10050);
    check_archive(BOOT, 10050);
    fake_agent_free(a);
}

/* A new intake on the same archive: with its table, and without. */
static void a_restart_knows_what_is_durable(void **state)
{
    (void)state;
    for (unsigned round = 1; round <= 4; round++) {
        open_intake();
        w.done = 0;
        struct fake_agent_opts opts = agent(500 * round);
        struct fake_agent *a = fake_agent_new(&opts);
        UNTIL(w.done == 1);
        fake_agent_free(a);
        close_intake();
        if (round % 2 == 0) {
            assert_int_equal(remove(w.snapshot), 0);
        }
    }
    check_archive(BOOT, 2000);
}

/* ---- two connections of one agent ---- */

static void a_newer_connection_supersedes(void **state)
{
    (void)state;
    open_intake();
    uint64_t before = COR_READ(COR_M_SUPERSEDED);
    struct fake_agent_opts opts = agent(20000);
    struct fake_agent *old = fake_agent_new(&opts);
    UNTIL(fake_agent_acked(old) > 0);
    struct fake_agent *young = fake_agent_new(&opts);
    UNTIL(fake_agent_acked(young) == 20000 && w.closed >= 1);
    assert_int_equal(COR_READ(COR_M_SUPERSEDED), before + 1);
    check_archive(BOOT, 20000);
    fake_agent_free(old);
    fake_agent_free(young);
}

/* Dropped and back again and again, with batches in flight each time. */
static void resends_are_recognised(void **state)
{
    (void)state;
    open_intake();
    struct fake_agent_opts opts = agent(20000);
    opts.retry_ms = 1;
    struct fake_agent *a = fake_agent_new(&opts);
    for (unsigned i = 0; i < 15; i++) {
        UNTIL(fake_agent_is_open(a) && fake_agent_sent(a) > fake_agent_acked(a));
        fake_agent_drop(a);
        UNTIL(!fake_agent_is_open(a));
    }
    UNTIL(w.done == 1);
    check_archive(BOOT, 20000);
    fake_agent_free(a);
}

/* ---- what is missing is written down ---- */

struct gaps {
    unsigned n;
    struct hd_loss last;
};

static void see_gap(void *ctx, const struct hd_loss *loss)
{
    struct gaps *gaps = ctx;
    assert_int_equal(loss->kind, HD_LOSS_GAP);
    gaps->n++;
    gaps->last = *loss;
}

static void open_with_ledger(void)
{
    char dir[600], why[256];
    (void)snprintf(dir, sizeof(dir), "%s.losses", w.dir);
    const struct hd_journal_opts opts = {.dir = dir};
    assert_int_equal(cor_losses_open(&opts, &w.opts.losses, why), HD_OK);
    open_intake();
}

/* What the state thread does. */
static struct gaps write_gaps(void)
{
    struct gaps gaps = {0};
    cor_losses_take(w.opts.losses);
    assert_int_equal(cor_losses_flush(w.opts.losses), HD_OK);
    assert_int_equal(cor_losses_each(w.opts.losses, see_gap, &gaps), HD_OK);
    return gaps;
}

static void close_with_ledger(void)
{
    close_intake();
    cor_losses_free(w.opts.losses);
    w.opts.losses = NULL;
}

/* An agent that has nothing below `first_spooled` any more. */
static void hello_from(uint64_t first_spooled)
{
    struct hd_buf out, copy;
    size_t used;
    struct hd_wire_frame frame;
    struct fake_agent *a = silent();
    hd_buf_init(&out, 0);
    hd_buf_init(&copy, 0);
    fake_agent_hello(a, &out);
    assert_int_equal(hd_wire_decode(hd_buf_slice(&out), &frame, &used), HD_PARSE_OK);
    frame.u.hello.first_spooled = first_spooled;
    hd_wire_encode(&copy, &frame);
    fake_agent_batch(a, first_spooled, &copy);
    fake_agent_say(a, hd_buf_slice(&copy));
    UNTIL(fake_agent_acked(a) >= first_spooled);
    fake_agent_free(a);
    hd_buf_fini(&copy);
    hd_buf_fini(&out);
}

static void a_gap_is_written_down_once_whatever_is_killed(void **state)
{
    (void)state;
    struct hd_buf out;
    hd_buf_init(&out, 0);
    open_with_ledger();
    struct fake_agent *a = silent();
    say_hello(a);
    fake_agent_batch(a, 1, &out);
    fake_agent_batch(a, 301, &out);
    fake_agent_say(a, hd_buf_slice(&out));
    UNTIL(fake_agent_acked(a) >= 301);
    fake_agent_free(a);
    hd_buf_fini(&out);
    /* killed before the ledger was written: nor may the table know of the gap */
    close_with_ledger();
    assert_int_equal(access(w.snapshot, F_OK), -1);
    open_with_ledger();
    hello_from(401);
    struct gaps gaps = write_gaps();
    assert_int_equal(gaps.n, 1);
    assert_int_equal(gaps.last.count, 200);
    assert_int_equal(gaps.last.first_seq, 101);
    assert_int_equal(gaps.last.last_seq, 300);
    assert_string_equal(gaps.last.agent, "web1");
    close_with_ledger();
    /* killed before the table was written: the ledger knows what was told */
    assert_int_equal(remove(w.snapshot), 0);
    open_with_ledger();
    hello_from(501);
    assert_int_equal(write_gaps().n, 1);
    close_with_ledger();
}

/* ---- a full archive ---- */

static void note(void *ctx, const char *text)
{
    (void)snprintf(ctx, 512, "%s", text);
}

static void a_full_archive_sends_agents_away_and_recovers(void **state)
{
    (void)state;
    char problem[512] = "";
    w.opts.archive.max_bytes = 64U << 10;
    open_intake();
    struct fake_agent_opts opts = agent(UINT32_MAX);
    opts.retry_ms = 50;
    struct fake_agent *a = fake_agent_new(&opts);
    UNTIL(w.closed > 2);
    assert_int_equal(fake_agent_bye(a), HD_WIRE_BYE_FULL);
    cor_intake_problems(w.intake, note, problem);
    assert_non_null(strstr(problem, "takes no more"));
    uint64_t acked = fake_agent_acked(a);
    assert_true(acked > 0);
    fake_agent_free(a);
    close_intake();

    w.opts.archive.max_bytes = 0;
    w.done = 0;
    open_intake();
    opts = agent(acked + 1000);
    a = fake_agent_new(&opts);
    UNTIL(w.done == 1);
    check_archive(BOOT, acked + 1000);
    problem[0] = '\0';
    cor_intake_problems(w.intake, note, problem);
    assert_string_equal(problem, "");
    fake_agent_free(a);
}

/* ---- status ---- */

static void status_tells_of_agents(void **state)
{
    (void)state;
    open_intake();
    struct fake_agent_opts opts = agent(250);
    struct fake_agent *a = fake_agent_new(&opts);
    UNTIL(w.done == 1);
    struct hd_buf beat;
    hd_buf_init(&beat, 0);
    hd_wire_encode(&beat, &(struct hd_wire_frame){
                              .type = HD_WIRE_HEARTBEAT,
                              .u.heartbeat = {.n = 3,
                                              .stats = {{HD_WIRE_STAT_SPOOL_BYTES, 4242},
                                                        {HD_WIRE_STAT_DROPPED, 7},
                                                        {60000, 1}}}});
    fake_agent_say(a, hd_buf_slice(&beat));
    for (unsigned i = 0; i < 20; i++) {
        (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    }
    struct hd_buf out;
    hd_buf_init(&out, 0);
    struct hd_json json = hd_json(&out);
    hd_json_object(&json, NULL);
    cor_intake_status(w.intake, &json);
    hd_json_end(&json, '}');
    const char *text = hd_buf_cstr(&out);
    assert_non_null(strstr(text, "\"agent\":\"web1\""));
    assert_non_null(strstr(text, "\"connected\":true"));
    assert_non_null(strstr(text, "\"last_seq\":250"));
    assert_non_null(strstr(text, "\"spool_bytes\":4242"));
    assert_non_null(strstr(text, "\"dropped\":7"));
    cor_intake_refresh(w.intake);
    assert_int_equal(COR_READ(COR_M_AGENTS), 1);
    hd_buf_fini(&out);
    hd_buf_fini(&beat);
    fake_agent_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_acknowledged_is_archived_once),
        TEST(a_restart_knows_what_is_durable),
        TEST(a_newer_connection_supersedes),
        TEST(resends_are_recognised),
        TEST(a_gap_is_written_down_once_whatever_is_killed),
        TEST(a_full_archive_sends_agents_away_and_recovers),
        TEST(status_tells_of_agents),
    };
    w.pki = hd_test_pki();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
