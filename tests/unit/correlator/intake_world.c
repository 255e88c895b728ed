/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/correlator/intake_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/archive_meta.h>
#include <haidang/loop.h>

#include "tests/support/certs.h"

struct intake_world w;

struct hd_tls *intake_tls(enum hd_tls_role role, const char *name, const char *ca)
{
    static char cert[256], key[256], anchor[256];
    struct hd_tls *out = NULL;
    char why[256];
    (void)snprintf(cert, sizeof(cert), "%s/%s.crt", w.pki, name == NULL ? "x" : name);
    (void)snprintf(key, sizeof(key), "%s/%s.key", w.pki, name == NULL ? "x" : name);
    (void)snprintf(anchor, sizeof(anchor), "%s/%s.crt", w.pki, ca);
    const struct hd_tls_opts opts = {.role = role,
                                     .cert_file = name == NULL ? NULL : cert,
                                     .key_file = name == NULL ? NULL : key,
                                     .ca_file = anchor,
                                     .require_client_cert = role == HD_TLS_SERVER};
    int err = hd_tls_new(&opts, &out, why);
    if (err != HD_OK) {
        print_error("%s\n", why);
    }
    assert_int_equal(err, HD_OK);
    return out;
}

void open_intake(void)
{
    char why[256] = "";
    int err = cor_intake_open(&w.opts, &w.intake, why);
    if (err != HD_OK) {
        print_error("%s\n", why);
    }
    assert_int_equal(err, HD_OK);
    assert_int_equal(cor_intake_listen(w.intake, "127.0.0.1:0", why), HD_OK);
}

static void stopped(void *ctx)
{
    (void)ctx;
}

int setup(void **state)
{
    (void)state;
    w = (struct intake_world){.pki = w.pki};
    (void)snprintf(w.dir, sizeof(w.dir), "%s/archive", hd_test_tmpdir());
    (void)snprintf(w.snapshot, sizeof(w.snapshot), "%s.json", w.dir);
    assert_int_equal(uv_loop_init(&w.loop), 0);
    (void)uv_timer_init(&w.loop, &w.deadline);
    assert_int_equal(
        hd_signals_open(&w.loop, &(struct hd_signals_ops){.stop = stopped}, &w.signals),
        HD_OK);
    w.server = intake_tls(HD_TLS_SERVER, "server", "ca");
    w.client = intake_tls(HD_TLS_CLIENT, "client", "ca");
    w.opts = (struct cor_intake_opts){.loop = &w.loop,
                                      .tls = w.server,
                                      .agents_max = 200,
                                      .agents_remembered = 300,
                                      .handshakes_max = 16,
                                      .handshakes_per_second = 10000,
                                      .handshakes_per_address = 16,
                                      .memory = 8U << 20,
                                      .idle_ms = 60000,
                                      .archive = {.dir = w.dir},
                                      .snapshot = w.snapshot};
    return 0;
}

static void shut(void *ctx)
{
    (void)ctx;
    w.is_shut = true;
}

void close_intake(void)
{
    w.is_shut = false;
    cor_intake_close(w.intake, shut, NULL);
    while (!w.is_shut) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    w.intake = NULL;
}

int teardown(void **state)
{
    (void)state;
    if (w.intake != NULL) {
        cor_intake_close(w.intake, NULL, NULL);
    }
    hd_signals_close(w.signals);
    uv_close((uv_handle_t *)&w.deadline, NULL);
    (void)uv_run(&w.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w.loop), 0);
    hd_tls_free(w.server);
    hd_tls_free(w.client);
    return 0;
}

void too_late(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing happened for 120 s");
}

static void count_done(void *ctx, struct fake_agent *agent)
{
    (void)ctx;
    (void)agent;
    w.done++;
}

static void count_closed(void *ctx, struct fake_agent *agent)
{
    (void)ctx;
    (void)agent;
    w.closed++;
}

struct fake_agent_opts agent(uint64_t lines)
{
    return (struct fake_agent_opts){.loop = &w.loop,
                                    .port = cor_intake_port(w.intake, 0),
                                    .tls = w.client,
                                    .name = "web1",
                                    .boot = BOOT,
                                    .lines = lines,
                                    .on_done = count_done,
                                    .on_close = count_closed};
}

/* Every sequence 1..lines of (web1, boot) is in the archive exactly once. */
void check_archive(const char *boot, uint64_t lines)
{
    struct hd_journal_reader *reader;
    struct hd_journal_entry entry;
    uint8_t *seen = calloc(lines + 1, 1);
    assert_non_null(seen);
    assert_int_equal(hd_journal_reader_open(w.dir, NULL, &reader), HD_OK);
    int err;
    while ((err = hd_journal_reader_next(reader, &entry)) == HD_OK) {
        struct hd_archive_meta meta;
        assert_int_equal(hd_archive_meta_decode(entry.meta, &meta), HD_PARSE_OK);
        for (uint64_t s = entry.first;
             hd_slice_eq(meta.boot, hd_slice_str(boot)) && s <= entry.last; s++) {
            assert_true(s <= lines);
            assert_int_equal(seen[s]++, 0);
        }
    }
    assert_int_equal(err, HD_EAGAIN);
    for (uint64_t s = 1; s <= lines; s++) {
        assert_int_equal(seen[s], 1);
    }
    hd_journal_reader_close(reader);
    free(seen);
}

/* ---- what agents say ---- */

struct fake_agent *silent(void)
{
    struct fake_agent_opts opts = agent(1000);
    opts.is_silent = true;
    struct fake_agent *a = fake_agent_new(&opts);
    UNTIL(fake_agent_is_open(a));
    return a;
}

void say_hello(struct fake_agent *a)
{
    struct hd_buf out;
    hd_buf_init(&out, 0);
    fake_agent_hello(a, &out);
    fake_agent_say(a, hd_buf_slice(&out));
    hd_buf_fini(&out);
}

void expect_bye(struct fake_agent *a, enum hd_wire_bye code, const char *text)
{
    UNTIL(w.closed == 1);
    assert_int_equal(fake_agent_bye(a), code);
    if (strstr(fake_agent_bye_text(a), text) == NULL) {
        print_error("%s\n", fake_agent_bye_text(a));
    }
    assert_non_null(strstr(fake_agent_bye_text(a), text));
    fake_agent_free(a);
}
