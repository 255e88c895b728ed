/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation of the intake's thread fails once, while an agent in another thread
 * connects, delivers and is connected again: nothing ends, nothing is lost or doubled,
 * and what was not taken is sent again.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/journal_writer.h>
#include <haidang/loop.h>

#include "correlator/intake/intake.h"
#include "correlator/metrics.h"
#include "tests/support/alloc.h"
#include "tests/support/certs.h"
#include "tests/support/fake_agent.h"

#define BOOT     "0123456789abcdef0123456789abcdef"
#define LINES    300U
#define DENSE    150U /* allocations that fail one by one; then ever fewer of them */
#define THIN_OUT 8U

static const char *pki;

/* The agent's side: a loop of its own. */
struct side {
    uv_thread_t thread;
    uv_loop_t loop;
    uv_async_t done; /* on the intake's loop */
    struct hd_tls *tls;
    struct fake_agent *agent;
    uint16_t port;
};

static struct world {
    uv_loop_t loop;
    struct hd_signals *signals;
    struct cor_intake *intake;
    struct hd_tls *tls;
    const char *home;
    char dir[512], snapshot[600];
    bool is_done, is_shut;
} w;

static struct hd_tls *tls(enum hd_tls_role role, const char *name)
{
    char cert[256], key[256], ca[256], why[256];
    struct hd_tls *out = NULL;
    (void)snprintf(cert, sizeof(cert), "%s/%s.crt", pki, name);
    (void)snprintf(key, sizeof(key), "%s/%s.key", pki, name);
    (void)snprintf(ca, sizeof(ca), "%s/ca.crt", pki);
    const struct hd_tls_opts opts = {.role = role,
                                     .cert_file = cert,
                                     .key_file = key,
                                     .ca_file = ca,
                                     .require_client_cert = role == HD_TLS_SERVER};
    assert_int_equal(hd_tls_new(&opts, &out, why), HD_OK);
    return out;
}

static void stopped(void *ctx)
{
    (void)ctx;
}

static void delivered(void *ctx, struct fake_agent *agent)
{
    struct side *side = ctx;
    fake_agent_free(agent);
    assert_int_equal(uv_async_send(&side->done), 0);
}

static void live(void *arg)
{
    struct side *side = arg;
    const struct fake_agent_opts opts = {.loop = &side->loop,
                                         .port = side->port,
                                         .tls = side->tls,
                                         .name = "web1",
                                         .boot = BOOT,
                                         .lines = LINES,
                                         .retry_ms = 1,
                                         .on_done = delivered,
                                         .ctx = side};
    (void)fake_agent_new(&opts);
    (void)uv_run(&side->loop, UV_RUN_DEFAULT);
}

static void is_done(uv_async_t *async)
{
    w.is_done = true;
    uv_close((uv_handle_t *)async, NULL);
}

static void is_shut(void *ctx)
{
    (void)ctx;
    w.is_shut = true;
}

static void open_intake(unsigned n)
{
    char why[256];
    (void)snprintf(w.dir, sizeof(w.dir), "%s/archive-%u", w.home, n);
    (void)snprintf(w.snapshot, sizeof(w.snapshot), "%s.json", w.dir);
    const struct cor_intake_opts opts = {.loop = &w.loop,
                                         .tls = w.tls,
                                         .agents_max = 20,
                                         .agents_remembered = 30,
                                         .handshakes_max = 16,
                                         .handshakes_per_second = 10000,
                                         .handshakes_per_address = 16,
                                         .memory = 8U << 20,
                                         .idle_ms = 60000,
                                         .archive = {.dir = w.dir},
                                         .snapshot = w.snapshot};
    assert_int_equal(cor_intake_open(&opts, &w.intake, why), HD_OK);
    assert_int_equal(cor_intake_listen(w.intake, "127.0.0.1:0", why), HD_OK);
}

/* Each sequence is there once, except for batches whose ACK was lost with its connection:
 * those are recognised, so once it is for all. */
static void check_archive(void)
{
    struct hd_journal_reader *reader;
    struct hd_journal_entry entry;
    unsigned seen[LINES + 1] = {0};
    int err;
    assert_int_equal(hd_journal_reader_open(w.dir, NULL, &reader), HD_OK);
    while ((err = hd_journal_reader_next(reader, &entry)) == HD_OK) {
        for (uint64_t s = entry.first; s <= entry.last && s <= LINES; s++) {
            seen[s]++;
        }
    }
    assert_int_equal(err, HD_EAGAIN);
    for (unsigned s = 1; s <= LINES; s++) {
        assert_int_equal(seen[s], 1);
    }
    hd_journal_reader_close(reader);
}

/* True: the failure happened. */
static bool deliver_with_a_failure(unsigned n)
{
    struct side side = {.tls = tls(HD_TLS_CLIENT, "client")};
    w.is_done = w.is_shut = false;
    open_intake(n);
    side.port = cor_intake_port(w.intake, 0);
    assert_int_equal(uv_loop_init(&side.loop), 0);
    assert_int_equal(uv_async_init(&w.loop, &side.done, is_done), 0);
    assert_int_equal(uv_thread_create(&side.thread, live, &side), 0);
    hd_test_alloc_fail_at(n);
    while (!w.is_done) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    cor_intake_close(w.intake, is_shut, NULL);
    while (!w.is_shut) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    hd_test_alloc_stop();
    assert_int_equal(uv_thread_join(&side.thread), 0);
    assert_int_equal(uv_loop_close(&side.loop), 0);
    hd_tls_free(side.tls);
    return hd_test_alloc_failed();
}

static void no_allocation_is_one_too_many(void **state)
{
    (void)state;
    uint64_t missing = COR_READ(COR_M_MISSING);
    const struct hd_signals_ops ops = {.stop = stopped};
    bool has_failed = true;
    assert_int_equal(uv_loop_init(&w.loop), 0);
    assert_int_equal(hd_signals_open(&w.loop, &ops, &w.signals), HD_OK);
    w.tls = tls(HD_TLS_SERVER, "server");
    w.home = hd_test_tmpdir();
    for (unsigned n = 1; has_failed; n += n < DENSE ? 1 : n / THIN_OUT) {
        has_failed = deliver_with_a_failure(n);
        check_archive();
    }
    assert_int_equal(COR_READ(COR_M_MISSING), missing);
    hd_signals_close(w.signals);
    (void)uv_run(&w.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w.loop), 0);
    hd_tls_free(w.tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_allocation_is_one_too_many),
    };
    pki = hd_test_pki();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
