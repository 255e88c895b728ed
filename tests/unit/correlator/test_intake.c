/* SPDX-License-Identifier: Apache-2.0
 *
 * The intake over real TLS connections on one loop, with a journal of its own.
 *
 * lint: size: all these tests share one world of connections.
 */
#include "tests/support/support.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/archive_meta.h>
#include <haidang/hash.h>
#include <haidang/journal_writer.h>
#include <haidang/loop.h>

#include "correlator/intake/intake_core.h"
#include "correlator/metrics.h"
#include "tests/support/certs.h"
#include "tests/support/fake_agent.h"

#define BOOT "0123456789abcdef0123456789abcdef"

static const char *pki;

static struct world {
    uv_loop_t loop;
    uv_timer_t deadline;
    struct hd_signals *signals; /* SIGPIPE is ignored, as in every program */
    struct cor_intake *intake;
    struct cor_intake_opts opts;
    struct hd_tls *server, *client;
    char dir[512], snapshot[600];
    unsigned done, closed;
    bool is_shut;
} w;

/* ---- the world ---- */

static struct hd_tls *tls(enum hd_tls_role role, const char *name, const char *ca)
{
    static char cert[256], key[256], anchor[256];
    struct hd_tls *out = NULL;
    char why[256];
    (void)snprintf(cert, sizeof(cert), "%s/%s.crt", pki, name == NULL ? "x" : name);
    (void)snprintf(key, sizeof(key), "%s/%s.key", pki, name == NULL ? "x" : name);
    (void)snprintf(anchor, sizeof(anchor), "%s/%s.crt", pki, ca);
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

static void open_intake(void)
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

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    (void)snprintf(w.dir, sizeof(w.dir), "%s/archive", hd_test_tmpdir());
    (void)snprintf(w.snapshot, sizeof(w.snapshot), "%s.json", w.dir);
    assert_int_equal(uv_loop_init(&w.loop), 0);
    (void)uv_timer_init(&w.loop, &w.deadline);
    assert_int_equal(
        hd_signals_open(&w.loop, &(struct hd_signals_ops){.stop = stopped}, &w.signals),
        HD_OK);
    w.server = tls(HD_TLS_SERVER, "server", "ca");
    w.client = tls(HD_TLS_CLIENT, "client", "ca");
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

static void close_intake(void)
{
    w.is_shut = false;
    cor_intake_close(w.intake, shut, NULL);
    while (!w.is_shut) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    w.intake = NULL;
}

static int teardown(void **state)
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

static void too_late(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing happened for 30 s");
}

/* Runs the loop until the condition holds. */
#define UNTIL(condition)                                                                 \
    do {                                                                                 \
        (void)uv_timer_start(&w.deadline, too_late, 120000, 0);                          \
        while (!(condition)) {                                                           \
            (void)uv_run(&w.loop, UV_RUN_ONCE);                                          \
        }                                                                                \
        (void)uv_timer_stop(&w.deadline);                                                \
    } while (0)

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

static struct fake_agent_opts agent(uint64_t lines)
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
static void check_archive(const char *boot, uint64_t lines)
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

/* ---- who may ---- */

static void expect_bye(struct fake_agent *a, enum hd_wire_bye code, const char *text)
{
    UNTIL(w.closed == 1);
    assert_int_equal(fake_agent_bye(a), code);
    if (strstr(fake_agent_bye_text(a), text) == NULL) {
        print_error("%s\n", fake_agent_bye_text(a));
    }
    assert_non_null(strstr(fake_agent_bye_text(a), text));
    fake_agent_free(a);
}

static void the_name_must_be_the_certificates(void **state)
{
    (void)state;
    open_intake();
    struct fake_agent_opts opts = agent(10);
    opts.name = "web2";
    expect_bye(fake_agent_new(&opts), HD_WIRE_BYE_IDENTITY, "\"web1\"");
}

static void without_a_certificate_nobody_enters(void **state)
{
    (void)state;
    static const char *const who[][2] = {{NULL, "ca"}, {"foreign", "ca"}};
    open_intake();
    uint64_t before = COR_READ(COR_M_HANDSHAKE_FAILED);
    for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
        struct hd_tls *client = tls(HD_TLS_CLIENT, who[i][0], who[i][1]);
        struct fake_agent_opts opts = agent(10);
        opts.tls = client;
        w.closed = 0;
        struct fake_agent *a = fake_agent_new(&opts);
        UNTIL(w.closed == 1 && COR_READ(COR_M_HANDSHAKE_FAILED) == before + i + 1);
        assert_int_equal(fake_agent_acked(a), 0);
        fake_agent_free(a);
        hd_tls_free(client);
    }
}

/* ---- what is said wrong ---- */

static struct fake_agent *silent(void)
{
    struct fake_agent_opts opts = agent(1000);
    opts.is_silent = true;
    struct fake_agent *a = fake_agent_new(&opts);
    UNTIL(fake_agent_is_open(a));
    return a;
}

static void versions_must_meet(void **state)
{
    (void)state;
    open_intake();
    struct fake_agent *a = silent();
    struct hd_buf out;
    hd_buf_init(&out, 0);
    hd_wire_encode(&out, &(struct hd_wire_frame){.type = HD_WIRE_HELLO,
                                                 .u.hello = {.version_min = 2,
                                                             .version_max = 3,
                                                             .agent = HD_SLICE("web1"),
                                                             .boot = HD_SLICE(BOOT)}});
    fake_agent_say(a, hd_buf_slice(&out));
    hd_buf_fini(&out);
    expect_bye(a, HD_WIRE_BYE_VERSION, "speaks version 1");
}

static void garbage_ends_the_connection(void **state)
{
    (void)state;
    open_intake();
    static const struct hd_slice garbage[] = {
        HD_SLICE("GET / HTTP/1.1\r\n\r\n"), HD_SLICE("\0\0\0\0"),
        HD_SLICE("\xff\xff\xff\xff\1"), HD_SLICE("\0\0\0\2\1\0")};
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        w.closed = 0;
        struct fake_agent *a = silent();
        fake_agent_say(a, garbage[i]);
        expect_bye(a, HD_WIRE_BYE_PROTOCOL, "no frame of the protocol");
    }
    /* and on a port that expects TLS */
    uint64_t before = COR_READ(COR_M_HANDSHAKE_FAILED);
    struct fake_agent_opts opts = agent(1);
    opts.tls = NULL;
    w.closed = 0;
    struct fake_agent *a = fake_agent_new(&opts);
    UNTIL(w.closed == 1 && COR_READ(COR_M_HANDSHAKE_FAILED) == before + 1);
    fake_agent_free(a);
}

static void say_hello(struct fake_agent *a)
{
    struct hd_buf out;
    hd_buf_init(&out, 0);
    fake_agent_hello(a, &out);
    fake_agent_say(a, hd_buf_slice(&out));
    hd_buf_fini(&out);
}

static void wrong_order_ends_the_connection(void **state)
{
    (void)state;
    open_intake();
    struct hd_buf out;
    hd_buf_init(&out, 0);
    struct fake_agent *a = silent();
    fake_agent_batch(a, 1, &out);
    fake_agent_say(a, hd_buf_slice(&out));
    expect_bye(a, HD_WIRE_BYE_PROTOCOL, "HELLO comes first");
    w.closed = 0;
    a = silent();
    say_hello(a);
    say_hello(a);
    expect_bye(a, HD_WIRE_BYE_PROTOCOL, "HELLO comes once");
    w.closed = 0;
    a = silent();
    say_hello(a);
    hd_buf_clear(&out);
    hd_wire_encode(&out, &(struct hd_wire_frame){.type = HD_WIRE_ACK});
    fake_agent_say(a, hd_buf_slice(&out));
    expect_bye(a, HD_WIRE_BYE_PROTOCOL, "does not send this");
    hd_buf_fini(&out);
}

struct wrong {
    const char *text;
    void (*spoil)(struct hd_wire_batch *batch);
};

static void spoil_crc(struct hd_wire_batch *b)
{
    b->crc32c ^= 1;
}
static void spoil_count(struct hd_wire_batch *b)
{
    b->count++;
}
static void spoil_first(struct hd_wire_batch *b)
{
    b->first = 0;
}
static void spoil_len(struct hd_wire_batch *b)
{
    b->raw_len++;
}
static void spoil_size(struct hd_wire_batch *b)
{
    b->raw_len = UINT32_MAX;
}
static void spoil_payload(struct hd_wire_batch *b)
{
    b->payload = HD_SLICE("this is not zstd");
    b->crc32c = hd_crc32c(0, b->payload.ptr, b->payload.len);
}

static void bad_batches_end_the_connection(void **state)
{
    (void)state;
    static const struct wrong wrongs[] = {
        {"checksum", spoil_crc},   {"no frame", spoil_count},
        {"no frame", spoil_first}, {"as long as it says", spoil_len},
        {"no frame", spoil_size},  {"one zstd frame", spoil_payload}};
    open_intake();
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        struct hd_buf good, bad;
        struct hd_wire_frame frame;
        size_t used;
        w.closed = 0;
        struct fake_agent *a = silent();
        say_hello(a);
        hd_buf_init(&good, 0);
        hd_buf_init(&bad, 0);
        fake_agent_batch(a, 1, &good);
        assert_int_equal(hd_wire_decode(hd_buf_slice(&good), &frame, &used), HD_PARSE_OK);
        wrongs[i].spoil(&frame.u.batch);
        hd_wire_encode(&bad, &frame);
        fake_agent_say(a, hd_buf_slice(&bad));
        expect_bye(a, HD_WIRE_BYE_PROTOCOL, wrongs[i].text);
        hd_buf_fini(&good);
        hd_buf_fini(&bad);
    }
    check_archive(BOOT, 0);
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

/* ---- streams cut anywhere ---- */

/* HELLO and two batches, cut in two at every place: the same is archived. */
static void frames_may_be_cut_anywhere(void **state)
{
    (void)state;
    open_intake();
    for (size_t cut = 1;; cut++) {
        char boot[33];
        struct hd_buf all;
        (void)snprintf(boot, sizeof(boot), "%032zx", cut);
        struct fake_agent_opts opts = agent(3);
        opts.boot = boot;
        opts.batch_lines = 2;
        opts.is_silent = true;
        struct fake_agent *a = fake_agent_new(&opts);
        UNTIL(fake_agent_is_open(a));
        hd_buf_init(&all, 0);
        fake_agent_hello(a, &all);
        fake_agent_batch(a, 1, &all);
        fake_agent_batch(a, 3, &all);
        if (cut >= all.len) {
            hd_buf_fini(&all);
            fake_agent_free(a);
            return;
        }
        fake_agent_say(a, hd_slice_head(hd_buf_slice(&all), cut));
        (void)uv_run(&w.loop, UV_RUN_NOWAIT); /* so that it travels alone */
        (void)uv_run(&w.loop, UV_RUN_NOWAIT);
        fake_agent_say(a, hd_slice_from(hd_buf_slice(&all), cut));
        UNTIL(fake_agent_acked(a) == 3);
        hd_buf_fini(&all);
        fake_agent_free(a);
    }
}

/* Frames larger than the memory that is free wait for it and arrive. */
static void large_frames_share_the_memory(void **state)
{
    (void)state;
    enum { AGENTS = 20 };
    struct fake_agent *agents[AGENTS];
    static char text[901];
    w.opts.memory = 1U << 20;
    open_intake();
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        text[i] = (char)('!' + (i * i * 7 + i / 3) % 90);
    }
    for (unsigned i = 0; i < AGENTS; i++) {
        char boot[33];
        (void)snprintf(boot, sizeof(boot), "%032x", i);
        struct fake_agent_opts opts = agent(3000);
        opts.boot = boot;
        opts.batch_lines = 1000;
        opts.text = text;
        agents[i] = fake_agent_new(&opts);
    }
    UNTIL(w.done == AGENTS);
    for (unsigned i = 0; i < AGENTS; i++) {
        char boot[33];
        (void)snprintf(boot, sizeof(boot), "%032x", i);
        check_archive(boot, 3000);
        fake_agent_free(agents[i]);
    }
}

static bool has_session_with(size_t bytes)
{
    const struct cor_session *s;
    TAILQ_FOREACH(s, &w.intake->sessions, all)
    {
        if (s->in.len == bytes) {
            return true;
        }
    }
    return false;
}

/* Its HELLO is said; *out: its only batch. */
static struct fake_agent *speaker(const char *boot, uint32_t lines, struct hd_buf *out)
{
    struct hd_buf hello;
    struct fake_agent_opts opts = agent(lines);
    opts.boot = boot;
    opts.batch_lines = lines;
    opts.is_silent = true;
    struct fake_agent *a = fake_agent_new(&opts);
    UNTIL(fake_agent_is_open(a));
    hd_buf_init(&hello, 0);
    hd_buf_init(out, 0);
    fake_agent_hello(a, &hello);
    fake_agent_batch(a, 1, out);
    fake_agent_say(a, hd_buf_slice(&hello));
    hd_buf_fini(&hello);
    return a;
}

/* The first has all the memory, the second waits for it, and then the first waits for the
 * disk: behind the second nobody would ever go on. */
static void who_has_the_memory_waits_behind_nobody_who_wants_it(void **state)
{
    (void)state;
    enum { LINES = 18000, REST = 20, BEGIN = 100 };
    struct hd_buf large, other, small;
    open_intake();
    struct fake_agent *first = speaker("00000000000000000000000000000001", LINES, &large);
    struct fake_agent *second =
        speaker("00000000000000000000000000000002", LINES, &other);
    struct fake_agent *third = speaker("00000000000000000000000000000003", 10, &small);
    w.intake->opts.memory = w.intake->pace.limit = w.intake->pace.max = large.len;
    fake_agent_say(first, hd_slice_head(hd_buf_slice(&large), large.len - REST));
    UNTIL(has_session_with(large.len - REST));
    fake_agent_say(second, hd_slice_head(hd_buf_slice(&other), BEGIN));
    UNTIL(!TAILQ_EMPTY(&w.intake->for_memory));
    fake_agent_say(third, hd_buf_slice(&small)); /* on its way to the disk meanwhile */
    fake_agent_say(first, hd_slice_from(hd_buf_slice(&large), large.len - REST));
    UNTIL(fake_agent_acked(third) == 10);
    UNTIL(fake_agent_acked(first) == LINES);
    fake_agent_say(second, hd_slice_from(hd_buf_slice(&other), BEGIN));
    UNTIL(fake_agent_acked(second) == LINES);
    fake_agent_free(first);
    fake_agent_free(second);
    fake_agent_free(third);
    hd_buf_fini(&large);
    hd_buf_fini(&other);
    hd_buf_fini(&small);
}

/* ---- limits ---- */

static void many_handshakes_are_spread(void **state)
{
    (void)state;
    enum { AGENTS = 100 };
    struct fake_agent *agents[AGENTS];
    w.opts.handshakes_max = 2;
    open_intake();
    uint64_t before = COR_READ(COR_M_DEFERRED);
    for (unsigned i = 0; i < AGENTS; i++) {
        char boot[33];
        (void)snprintf(boot, sizeof(boot), "%032x", i);
        struct fake_agent_opts opts = agent(10);
        opts.boot = boot;
        agents[i] = fake_agent_new(&opts);
    }
    UNTIL(w.done == AGENTS);
    assert_true(COR_READ(COR_M_DEFERRED) > before);
    for (unsigned i = 0; i < AGENTS; i++) {
        fake_agent_free(agents[i]);
    }
}

/* A connection that says nothing, from an address of the loopback network. */
static int connect_from(const char *address)
{
    struct sockaddr_in from, to;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(uv_ip4_addr(address, 0, &from), 0);
    assert_int_equal(uv_ip4_addr("127.0.0.1", cor_intake_port(w.intake, 0), &to), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* They stand in front of the agent, take all the places they can get, and stay. */
static void a_silent_crowd_at_one_address_delays_nobody_else(void **state)
{
    (void)state;
    enum { CROWD = 100, SHARE = 3 };
    int crowd[CROWD];
    w.opts.handshakes_max = SHARE + 1;
    w.opts.handshakes_per_address = SHARE;
    open_intake();
    uint64_t crowded = COR_READ(COR_M_CROWDED);
    uint64_t taken = COR_READ(COR_M_CONNECTIONS);
    uint64_t given_up = COR_READ(COR_M_HANDSHAKE_FAILED);
    for (unsigned i = 0; i < CROWD; i++) {
        crowd[i] = connect_from("127.0.0.2");
    }
    struct fake_agent_opts opts = agent(10);
    struct fake_agent *a = fake_agent_new(&opts);
    UNTIL(w.done == 1);
    assert_int_equal(COR_READ(COR_M_CROWDED) - crowded, CROWD - SHARE);
    assert_int_equal(COR_READ(COR_M_CONNECTIONS) - taken, SHARE + 1);
    assert_int_equal(COR_READ(COR_M_HANDSHAKE_FAILED), given_up); /* not by waiting */
    for (unsigned i = 0; i < CROWD; i++) {
        (void)close(crowd[i]);
    }
    UNTIL(COR_READ(COR_M_HANDSHAKE_FAILED) == given_up + SHARE);
    crowd[0] = connect_from("127.0.0.2"); /* the places are free again */
    UNTIL(COR_READ(COR_M_CONNECTIONS) == taken + SHARE + 2);
    (void)close(crowd[0]);
    fake_agent_free(a);
}

static void too_many_connections_are_refused(void **state)
{
    (void)state;
    struct fake_agent *agents[5];
    w.opts.agents_max = 3;
    open_intake();
    uint64_t before = COR_READ(COR_M_REFUSED);
    for (unsigned i = 0; i < 5; i++) {
        char boot[33];
        (void)snprintf(boot, sizeof(boot), "%032x", i);
        struct fake_agent_opts opts = agent(10);
        opts.boot = boot;
        agents[i] = fake_agent_new(&opts);
    }
    UNTIL(w.done == 3 && w.closed == 2);
    assert_int_equal(COR_READ(COR_M_REFUSED), before + 2);
    for (unsigned i = 0; i < 5; i++) {
        fake_agent_free(agents[i]);
    }
}

static void silence_ends_the_connection(void **state)
{
    (void)state;
    w.opts.idle_ms = 1000;
    open_intake();
    struct fake_agent *a = silent();
    say_hello(a);
    expect_bye(a, HD_WIRE_BYE_NORMAL, "nothing was heard for 1 s");
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_acknowledged_is_archived_once),
        TEST(a_restart_knows_what_is_durable),
        TEST(a_gap_is_written_down_once_whatever_is_killed),
        TEST(a_newer_connection_supersedes),
        TEST(resends_are_recognised),
        TEST(the_name_must_be_the_certificates),
        TEST(without_a_certificate_nobody_enters),
        TEST(versions_must_meet),
        TEST(garbage_ends_the_connection),
        TEST(wrong_order_ends_the_connection),
        TEST(bad_batches_end_the_connection),
        TEST(frames_may_be_cut_anywhere),
        TEST(large_frames_share_the_memory),
        TEST(who_has_the_memory_waits_behind_nobody_who_wants_it),
        TEST(many_handshakes_are_spread),
        TEST(a_silent_crowd_at_one_address_delays_nobody_else),
        TEST(too_many_connections_are_refused),
        TEST(silence_ends_the_connection),
        TEST(a_full_archive_sends_agents_away_and_recovers),
        TEST(status_tells_of_agents),
    };
    pki = hd_test_pki();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
