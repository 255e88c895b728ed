/* SPDX-License-Identifier: Apache-2.0
 *
 * The real correlator fed over mutual TLS with batches that were made before the clock
 * starts: lines/s until all are acknowledged (durable in the archive), lines/s until all
 * are examined with the shipped rules, processor time and peak memory of the correlator.
 *
 *     bench_intake [batches]      of 4,000 lines of 200 bytes each; default 200
 */
#include "tests/support/support.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/hash.h>
#include <haidang/loop.h>
#include <haidang/num.h>
#include <haidang/stream.h>
#include <haidang/wire.h>

#include "tests/support/certs.h"

#define BATCH_LINES 4000U
#define LINE_BYTES  200U
#define BOOT        "0123456789abcdef0123456789abcdef"

static struct bench {
    uv_loop_t loop;
    struct hd_signals *signals;
    struct hd_stream *stream;
    struct hd_tls *tls;
    struct hd_buf *frames, in;
    unsigned n, sent, acked;
    uint64_t credits, in_flight;
    char dir[512], config[600], socket[600];
    uint16_t port;
    pid_t pid;
    int64_t began_ns, archived_ns, examined_ns;
    uint64_t hits, alerts, suppressed;
} b;

static void must_at(bool ok, const char *what, int line)
{
    if (!ok) {
        (void)fprintf(stderr, "bench_intake:%d: not so: %s\n", line, what);
        exit(1);
    }
}
#define must(what) must_at((what), #what, __LINE__)

/* ---- what is sent ---- */

/* What servers write all day; nothing that a rule looks for. */
static size_t make_line(char out[LINE_BYTES + 64], unsigned i)
{
    unsigned random = i * 2654435761U;
    unsigned a = random % 250, c = (random >> 8) % 60, d = (random >> 4) % 100000;
    int len;
    switch (i % 3) {
    case 0:
        len = snprintf(out, LINE_BYTES + 64,
                       "203.0.113.%u - - [21/Nov/2026:07:50:%02u +0700] \"GET /page/%u "
                       "HTTP/1.1\" 200 5120 \"https://example.vn/\" \"Mozilla/5.0 (X11; "
                       "Linux x86_64; rv:120.0) Gecko\"",
                       a, c, d);
        break;
    case 1:
        len = snprintf(out, LINE_BYTES + 64,
                       "<38>Nov 21 07:50:37 web%u sshd[%u]: Connection from 192.0.2.10 "
                       "port %u on 192.0.2.1 port 22 rdomain \"\"",
                       a, 1000 + c, d % 65536);
        break;
    default:
        len =
            snprintf(out, LINE_BYTES + 64,
                     "<30>Nov 21 07:50:37 web%u systemd[%u]: Started Session %u of User "
                     "deploy.",
                     a, 1 + c, d);
        break;
    }
    for (size_t at = (size_t)len; at < LINE_BYTES; at++) {
        out[at] = at % 9 == 0 ? ' ' : (char)('a' + (random >> (at % 24)) % 26);
    }
    return LINE_BYTES;
}

static void make_batch(struct hd_batch_builder *builder, unsigned k)
{
    const struct hd_batch_source source = {.host = HD_SLICE("web1"),
                                           .kind = HD_SLICE("file"),
                                           .name = HD_SLICE("/var/log/all.log"),
                                           .format = HD_SLICE("auto")};
    struct hd_slice frame;
    struct hd_batch_info info;
    uint16_t index;
    int64_t now = hd_clock_wall_ns();
    must(hd_batch_builder_source(builder, &source, &index) == HD_OK);
    for (unsigned i = 0; i < BATCH_LINES; i++) {
        char line[LINE_BYTES + 64];
        size_t len = make_line(line, k * BATCH_LINES + i);
        must(hd_batch_builder_add(builder, index, now + i * 1000, 0,
                                  hd_slice(line, len)) == HD_OK);
    }
    must(hd_batch_builder_close(builder, (uint64_t)k * BATCH_LINES + 1, &frame, &info) ==
         HD_OK);
    hd_buf_init(&b.frames[k], 0);
    hd_wire_encode(
        &b.frames[k],
        &(struct hd_wire_frame){.type = HD_WIRE_BATCH,
                                .u.batch = {.first = info.first,
                                            .last = info.last,
                                            .time_min = info.time_min,
                                            .time_max = info.time_max,
                                            .count = info.count,
                                            .raw_len = info.raw_len,
                                            .crc32c = hd_crc32c(0, frame.ptr, frame.len),
                                            .payload = frame}});
    must(b.frames[k].err == 0);
}

static void make_batches(void)
{
    struct hd_batch_builder *builder;
    b.frames = calloc(b.n, sizeof(*b.frames));
    must(b.frames != NULL);
    must(hd_batch_builder_new("web1", BOOT, HD_BATCH_RAW_MAX, 1, &builder) == HD_OK);
    for (unsigned k = 0; k < b.n; k++) {
        make_batch(builder, k);
    }
    hd_batch_builder_free(builder);
}

/* ---- the agent's side ---- */

static void send_some(void)
{
    while (b.sent < b.n) {
        size_t len = b.frames[b.sent].len;
        if (b.in_flight > 0 && b.in_flight + len > b.credits) {
            return;
        }
        if (hd_stream_write(b.stream, hd_buf_slice(&b.frames[b.sent])) != HD_OK) {
            return;
        }
        b.in_flight += len;
        b.sent++;
    }
}

static void acknowledged(uint64_t durable, uint64_t credits)
{
    b.credits = credits;
    while (b.acked < b.n && (uint64_t)(b.acked + 1) * BATCH_LINES <= durable) {
        b.in_flight -= b.frames[b.acked++].len;
    }
    if (b.acked == b.n && b.archived_ns == 0) {
        b.archived_ns = hd_clock_mono_ns();
    }
    send_some();
}

static void on_open(void *ctx, struct hd_stream *stream)
{
    struct hd_buf out;
    (void)ctx;
    hd_buf_init(&out, 0);
    hd_wire_encode(&out, &(struct hd_wire_frame){
                             .type = HD_WIRE_HELLO,
                             .u.hello = {.version_min = 1,
                                         .version_max = 1,
                                         .agent = HD_SLICE("web1"),
                                         .boot = HD_SLICE(BOOT),
                                         .program = HD_SLICE("bench"),
                                         .first_spooled = 1,
                                         .last_spooled = (uint64_t)b.n * BATCH_LINES}});
    must(hd_stream_write(stream, hd_buf_slice(&out)) == HD_OK);
    hd_buf_fini(&out);
}

static void on_data(void *ctx, struct hd_slice data)
{
    struct hd_wire_frame frame;
    size_t used;
    (void)ctx;
    hd_buf_slice_add(&b.in, data);
    while (hd_wire_decode(hd_buf_slice(&b.in), &frame, &used) == HD_PARSE_OK) {
        if (frame.type == HD_WIRE_WELCOME) {
            b.began_ns = hd_clock_mono_ns();
            acknowledged(0, frame.u.welcome.credits);
        } else if (frame.type == HD_WIRE_ACK) {
            acknowledged(frame.u.ack.last_durable, frame.u.ack.credits);
        }
        hd_buf_consume(&b.in, used);
    }
}

static void on_drain(void *ctx)
{
    (void)ctx;
    send_some();
}

static void on_close(void *ctx, int err, const char *why)
{
    (void)ctx;
    (void)err;
    if (b.archived_ns == 0) {
        (void)fprintf(stderr, "connection lost: %s\n", why);
        exit(1);
    }
}

static const struct hd_stream_ops ops = {on_open, on_data, on_drain, on_close};

/* ---- the correlator ---- */

static void stopped(void *ctx)
{
    (void)ctx;
}

static uint16_t free_port(void)
{
    char why[256];
    struct hd_listener *listener = NULL;
    const struct hd_listener_opts opts = {.address = "127.0.0.1:0"};
    must(hd_listener_open(&b.loop, &opts, &listener, why) == HD_OK);
    uint16_t port = hd_listener_port(listener);
    hd_listener_close(listener);
    (void)uv_run(&b.loop, UV_RUN_NOWAIT);
    return port;
}

static void start_program(const char *pki)
{
    char text[4096], program[600];
    const char *source = getenv("HD_SOURCE_DIR"), *build = getenv("HD_BUILD_DIR");
    (void)snprintf(text, sizeof(text),
                   "listen: 127.0.0.1:%u\nstate_dir: %s/state\nstatus: unix:%s\n"
                   "tls: {cert: %s/server.crt, key: %s/server.key, ca: %s/ca.crt}\n"
                   "archive: {dir: %s/archive, reserve: 0}\n"
                   "alerts: {dir: %s/alerts, reserve: 0}\n"
                   "rules: {decoders: %s/rules/decoders, library: %s/rules/library}\n"
                   "log: {level: warn}\n",
                   b.port, b.dir, b.socket, pki, pki, pki, b.dir, b.dir, source, source);
    must(hd_fs_write_atomic(b.config, hd_slice_str(text), 0600) == HD_OK);
    (void)snprintf(program, sizeof(program), "%s/correlator/haidang-correlator", build);
    b.pid = fork();
    must(b.pid >= 0);
    if (b.pid == 0) {
        execl(program, program, "--config", b.config, (char *)NULL);
        _exit(127);
    }
    for (unsigned i = 0; access(b.socket, F_OK) != 0; i++) {
        must(i < 2000);
        (void)poll(NULL, 0, 10);
    }
    (void)poll(NULL, 0, 100);
}

/* One counter from /metrics. */
static uint64_t metric(const char *name)
{
    static char text[65536];
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    const char get[] = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    uint64_t value = 0;
    must(strlen(b.socket) < sizeof(addr.sun_path));
    memcpy(addr.sun_path, b.socket, strlen(b.socket) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    must(fd >= 0);
    must(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
    must(write(fd, get, sizeof(get) - 1) == (ssize_t)sizeof(get) - 1);
    size_t len = 0;
    ssize_t got;
    while ((got = read(fd, text + len, sizeof(text) - len - 1)) > 0) {
        len += (size_t)got;
    }
    text[len] = '\0';
    (void)close(fd);
    char *at = text;
    while ((at = strstr(at, name)) != NULL) {
        at += strlen(name);
        if (*at == ' ' &&
            hd_num_prefix_u64(hd_slice_str(at + 1), 20, UINT64_MAX, &value) > 0) {
            return value;
        }
    }
    return 0;
}

static void report(void)
{
    struct rusage usage;
    int status;
    double lines = (double)b.n * BATCH_LINES;
    must(kill(b.pid, SIGTERM) == 0);
    must(wait4(b.pid, &status, 0, &usage) == b.pid);
    double cpu = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
                 (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    (void)printf("lines                 %.0f of %u bytes, %u batches\n", lines,
                 LINE_BYTES, b.n);
    (void)printf("archived and durable  %.0f lines/s\n",
                 lines / ((double)(b.archived_ns - b.began_ns) / 1e9));
    (void)printf("examined, all rules   %.0f lines/s\n",
                 lines / ((double)(b.examined_ns - b.began_ns) / 1e9));
    (void)printf("hits %" PRIu64 ", alerts %" PRIu64 ", suppressed %" PRIu64 "\n", b.hits,
                 b.alerts, b.suppressed);
    (void)printf("correlator            %.2f CPU-s per million lines, peak %ld MiB\n",
                 cpu * 1e6 / lines, usage.ru_maxrss / 1024);
}

int main(int argc, char **argv)
{
    char why[256], cert[512], key[512], ca[512];
    uint32_t n = 200;
    if (argc > 1 && hd_num_u32(hd_slice_str(argv[1]), 100000, &n) != HD_OK) {
        return 2;
    }
    b.n = n;
    const char *pki = hd_test_pki();
    (void)snprintf(b.dir, sizeof(b.dir), "%s", hd_test_tmpdir());
    (void)snprintf(b.config, sizeof(b.config), "%s/correlator.yml", b.dir);
    (void)snprintf(b.socket, sizeof(b.socket), "%s/status.sock", b.dir);
    (void)snprintf(cert, sizeof(cert), "%s/client.crt", pki);
    (void)snprintf(key, sizeof(key), "%s/client.key", pki);
    (void)snprintf(ca, sizeof(ca), "%s/ca.crt", pki);
    must(uv_loop_init(&b.loop) == 0);
    must(hd_signals_open(&b.loop, &(struct hd_signals_ops){.stop = stopped},
                         &b.signals) == HD_OK);
    const struct hd_tls_opts opts = {
        .role = HD_TLS_CLIENT, .cert_file = cert, .key_file = key, .ca_file = ca};
    must(hd_tls_new(&opts, &b.tls, why) == HD_OK);
    hd_buf_init(&b.in, 0);
    make_batches();
    b.port = free_port();
    start_program(pki);
    const struct hd_stream_opts stream = {.ops = &ops, .tls = b.tls};
    must(hd_stream_connect(&b.loop, "127.0.0.1", b.port, &stream, &b.stream) == HD_OK);
    while (b.archived_ns == 0) {
        (void)uv_run(&b.loop, UV_RUN_ONCE);
    }
    while (metric("haidang_correlator_detect_lines_total") <
           (uint64_t)b.n * BATCH_LINES) {
        (void)poll(NULL, 0, 10);
    }
    b.examined_ns = hd_clock_mono_ns();
    b.hits = metric("haidang_correlator_detect_hits_total");
    b.alerts = metric("haidang_correlator_alerts_published_total");
    b.suppressed = metric("haidang_correlator_alerts_suppressed_total");
    report();
    return 0;
}
