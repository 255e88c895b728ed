/* SPDX-License-Identifier: Apache-2.0
 *
 * The real haidang-correlator under many agents of this process: a thousand that come at
 * once; a load under which it is killed three times; all agents that come back at once
 * after a kill (HD_AGENTS=5000; 300 otherwise). In the end every line is in the archive
 * exactly once, read the way zstdcat would.
 */
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/loop.h>
#include <haidang/num.h>

#include "tests/support/certs.h"
#include "tests/support/fake_agent.h"

#define AGENTS_MAX  10000U
#define PATIENCE_MS 400000U /* of a busy machine; only a failure takes so long */

static const char *pki;

static struct world {
    uv_loop_t loop;
    uv_timer_t deadline;
    struct hd_signals *signals;
    struct hd_tls *client;
    char dir[512], config[600], program[600];
    uint16_t port;
    pid_t pid;
    unsigned done, welcomed;
    struct fake_agent *agents[AGENTS_MAX];
    unsigned n_agents;
} w;

/* ---- the program ---- */

static void write_config(void)
{
    char text[4096];
    (void)snprintf(text, sizeof(text),
                   "listen: 127.0.0.1:%u\n"
                   "state_dir: %s/state\n"
                   "status: unix:%s/status.sock\n"
                   "tls: {cert: %s/server.crt, key: %s/server.key, ca: %s/ca.crt}\n"
                   "archive: {dir: %s/archive, reserve: 0, segment: 4MiB}\n"
                   "alerts: {dir: %s/alerts, reserve: 0}\n"
                   "rules: {decoders: %s/rules/decoders, library: %s/rules/library}\n"
                   "intake: {handshakes_per_second: 2000, handshakes_per_address: 64}\n"
                   "log: {level: warn}\n",
                   w.port, w.dir, w.dir, pki, pki, pki, w.dir, w.dir,
                   getenv("HD_SOURCE_DIR"), getenv("HD_SOURCE_DIR"));
    (void)snprintf(w.config, sizeof(w.config), "%s/correlator.yml", w.dir);
    assert_int_equal(hd_fs_write_atomic(w.config, hd_slice_str(text), 0600), HD_OK);
}

static void start_program(void)
{
    w.pid = fork();
    assert_true(w.pid >= 0);
    if (w.pid == 0) {
        execl(w.program, w.program, "--config", w.config, (char *)NULL);
        _exit(127);
    }
}

static int end_program(int signal_number)
{
    int status = 0;
    assert_int_equal(kill(w.pid, signal_number), 0);
    assert_int_equal(waitpid(w.pid, &status, 0), w.pid);
    w.pid = 0;
    return status;
}

/* ---- the world ---- */

static void stopped(void *ctx)
{
    (void)ctx;
}

/* A port that is free now and stays the same over restarts. */
static uint16_t free_port(void)
{
    char why[256];
    struct hd_listener *listener = NULL;
    const struct hd_listener_opts opts = {.address = "127.0.0.1:0"};
    assert_int_equal(hd_listener_open(&w.loop, &opts, &listener, why), HD_OK);
    uint16_t port = hd_listener_port(listener);
    hd_listener_close(listener);
    (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    return port;
}

static int setup(void **state)
{
    char why[256], cert[512], key[512], ca[512];
    (void)state;
    memset(&w, 0, sizeof(w));
    (void)snprintf(w.dir, sizeof(w.dir), "%s", hd_test_tmpdir());
    (void)snprintf(w.program, sizeof(w.program), "%s/correlator/haidang-correlator",
                   getenv("HD_BUILD_DIR"));
    (void)snprintf(cert, sizeof(cert), "%s/client.crt", pki);
    (void)snprintf(key, sizeof(key), "%s/client.key", pki);
    (void)snprintf(ca, sizeof(ca), "%s/ca.crt", pki);
    assert_int_equal(uv_loop_init(&w.loop), 0);
    (void)uv_timer_init(&w.loop, &w.deadline);
    assert_int_equal(
        hd_signals_open(&w.loop, &(struct hd_signals_ops){.stop = stopped}, &w.signals),
        HD_OK);
    const struct hd_tls_opts opts = {
        .role = HD_TLS_CLIENT, .cert_file = cert, .key_file = key, .ca_file = ca};
    assert_int_equal(hd_tls_new(&opts, &w.client, why), HD_OK);
    w.port = free_port();
    write_config();
    start_program();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (w.pid != 0) {
        (void)end_program(SIGKILL);
    }
    for (unsigned i = 0; i < w.n_agents; i++) {
        fake_agent_free(w.agents[i]);
    }
    hd_signals_close(w.signals);
    uv_close((uv_handle_t *)&w.deadline, NULL);
    (void)uv_run(&w.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w.loop), 0);
    hd_tls_free(w.client);
    return 0;
}

static void too_late(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("not done in time: %u of %u agents", w.done, w.n_agents);
}

static void run_until_done(unsigned want)
{
    (void)uv_timer_start(&w.deadline, too_late, PATIENCE_MS, 0);
    while (w.done < want) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    (void)uv_timer_stop(&w.deadline);
}

static uint64_t acked(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < w.n_agents; i++) {
        sum += fake_agent_acked(w.agents[i]);
    }
    return sum;
}

static void run_until_acked(uint64_t lines)
{
    (void)uv_timer_start(&w.deadline, too_late, PATIENCE_MS, 0);
    while (acked() < lines) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    (void)uv_timer_stop(&w.deadline);
}

static void run_until_welcomed(unsigned want)
{
    (void)uv_timer_start(&w.deadline, too_late, PATIENCE_MS, 0);
    while (w.welcomed < want) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    (void)uv_timer_stop(&w.deadline);
}

static double seconds_since(int64_t began_ns)
{
    return (double)(hd_clock_mono_ns() - began_ns) / HD_NS_PER_SEC;
}

/* A signal before the program is ready to take it would say nothing. */
static void run_until_connected(void)
{
    (void)uv_timer_start(&w.deadline, too_late, PATIENCE_MS, 0);
    while (!fake_agent_is_open(w.agents[0])) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    (void)uv_timer_stop(&w.deadline);
}

static void count_done(void *ctx, struct fake_agent *agent)
{
    (void)ctx;
    (void)agent;
    w.done++;
}

static void count_welcome(void *ctx, struct fake_agent *agent,
                          const struct hd_wire_frame *frame)
{
    (void)ctx;
    (void)agent;
    w.welcomed += frame->type == HD_WIRE_WELCOME;
}

static void add_agents(unsigned n, uint64_t lines, uint32_t batch_lines)
{
    for (unsigned i = 0; i < n; i++) {
        char boot[33];
        (void)snprintf(boot, sizeof(boot), "%032x", i);
        const struct fake_agent_opts opts = {.loop = &w.loop,
                                             .port = w.port,
                                             .tls = w.client,
                                             .name = "web1",
                                             .boot = boot,
                                             .lines = lines,
                                             .batch_lines = batch_lines,
                                             .retry_ms = 100,
                                             .on_frame = count_welcome,
                                             .on_done = count_done};
        w.agents[w.n_agents++] = fake_agent_new(&opts);
    }
}

/* ---- the archive, as zstdcat sees it ---- */

struct tally {
    uint8_t *seen; /* n agents x lines */
    uint64_t lines;
    unsigned n;
    unsigned agent; /* whose batch is being read */
    uint64_t records;
};

/* {"v":1,"agent":"web1","boot":"00..2a",...}: which agent this batch is of. */
static void read_head(struct tally *t, struct hd_slice line)
{
    size_t at = hd_slice_find(line, HD_SLICE("\"boot\":\""));
    uint64_t number = 0;
    assert_int_not_equal(at, HD_NPOS);
    assert_int_equal(hd_num_hex_u64(hd_slice_head(hd_slice_from(line, at + 8 + 16), 16),
                                    UINT64_MAX, &number),
                     HD_OK);
    assert_true(number < t->n);
    t->agent = (unsigned)number;
}

/* 1790000000.001 0 web1 line 42 nothing happened here */
static void read_record(struct tally *t, struct hd_slice line)
{
    uint64_t seq = 0;
    size_t at = hd_slice_find(line, HD_SLICE(" line "));
    assert_int_not_equal(at, HD_NPOS);
    assert_true(hd_num_prefix_u64(hd_slice_from(line, at + 6), 20, UINT64_MAX, &seq) > 0);
    assert_in_range(seq, 1, t->lines);
    assert_int_equal(t->seen[t->agent * t->lines + seq - 1]++, 0);
    t->records++;
}

static int read_segment(void *ctx, const char *name)
{
    struct tally *t = ctx;
    char path[800];
    struct hd_buf file, text;
    if (!hd_slice_ends(hd_slice_str(name), HD_SLICE(".zst"))) {
        return 0;
    }
    (void)snprintf(path, sizeof(path), "%s/archive/%s", w.dir, name);
    hd_buf_init(&file, 0);
    hd_buf_init(&text, 0);
    assert_int_equal(hd_fs_read(path, (size_t)256 << 20, &file), HD_OK);
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {file.ptr, file.len, 0};
    size_t rc = 0;
    while (in.pos < in.size) {
        ZSTD_outBuffer out = {hd_buf_reserve(&text, 1 << 20), 1 << 20, 0};
        assert_non_null(out.dst);
        rc = ZSTD_decompressStream(stream, &out, &in);
        assert_false(ZSTD_isError(rc));
        text.len += out.pos;
    }
    (void)ZSTD_freeDStream(stream);
    struct hd_slice rest = hd_buf_slice(&text), line;
    while (hd_slice_split(&rest, '\n', &line)) {
        if (line.len > 0 && line.ptr[0] == '{') {
            read_head(t, line);
        } else if (line.len > 0) {
            read_record(t, line);
        }
    }
    hd_buf_fini(&file);
    hd_buf_fini(&text);
    return 0;
}

static void check_archive(unsigned agents, uint64_t lines)
{
    char path[600];
    struct tally t = {.n = agents, .lines = lines};
    t.seen = calloc(agents, lines);
    assert_non_null(t.seen);
    (void)snprintf(path, sizeof(path), "%s/archive", w.dir);
    assert_int_equal(hd_fs_each(path, read_segment, &t), 0);
    assert_int_equal(t.records, agents * lines);
    free(t.seen);
}

/* ---- tests ---- */

static void a_thousand_agents_at_once(void **state)
{
    (void)state;
    enum { AGENTS = 1000, LINES = 200 };
    add_agents(AGENTS, LINES, LINES);
    run_until_done(AGENTS);
    int status = end_program(SIGTERM);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    check_archive(AGENTS, LINES);
}

static void killed_three_times_under_load(void **state)
{
    (void)state;
    enum { AGENTS = 20, LINES = 50000 };
    add_agents(AGENTS, LINES, 500);
    for (unsigned i = 0; i < 3; i++) {
        run_until_acked((i + 1) * (uint64_t)AGENTS * LINES / 5);
        (void)end_program(SIGKILL);
        start_program();
    }
    run_until_done(AGENTS);
    run_until_connected();
    int status = end_program(SIGTERM);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    check_archive(AGENTS, LINES);
}

/* Descriptors for so many, here and in the program. */
static void raise_descriptors(uint64_t want)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < want) {
        limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    if (limit.rlim_cur < want) {
        skip();
    }
}

static void all_come_back_at_once(void **state)
{
    (void)state;
    enum { LINES = 60 };
    uint64_t agents = 300;
    if (getenv("HD_AGENTS") != NULL) {
        assert_int_equal(
            hd_num_u64(hd_slice_str(getenv("HD_AGENTS")), AGENTS_MAX, &agents), HD_OK);
    }
    raise_descriptors(agents + 200);
    (void)end_program(SIGKILL);
    start_program(); /* with those descriptors */
    add_agents((unsigned)agents, LINES, LINES / 3);
    run_until_acked(agents * LINES / 3);
    (void)end_program(SIGKILL);
    w.welcomed = 0;
    int64_t began_ns = hd_clock_mono_ns();
    start_program();
    run_until_welcomed((unsigned)agents);
    double welcomed = seconds_since(began_ns);
    run_until_done((unsigned)agents);
    double done = seconds_since(began_ns);
    int status = end_program(SIGTERM);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    check_archive((unsigned)agents, LINES);
    print_message(
        "%llu agents came back at once: all welcomed %.1f s after the start, all "
        "acknowledged after %.1f s; %llu lines, each archived once\n",
        (unsigned long long)agents, welcomed, done, (unsigned long long)agents * LINES);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_thousand_agents_at_once),
        TEST(killed_three_times_under_load),
        TEST(all_come_back_at_once),
    };
    pki = hd_test_pki();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
