/* SPDX-License-Identifier: Apache-2.0
 *
 * The syslog sources over real sockets, IPv4 and IPv6, plain and TLS.
 */
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <haidang/stream.h>

#include "collector/metrics.h"
#include "tests/support/alloc.h"
#include "tests/support/certs.h"
#include "tests/unit/collector/fake_sink.h"

#define DENSE    100U /* allocations that fail one by one; then ever fewer of them */
#define THIN_OUT 8U

struct fixture {
    struct fake_env fe;
    struct col_conf_source conf;
    char listen[64], name[64];
    uint16_t port;
    int family;
};

static const char *pki;

static int make_pki(void **state)
{
    (void)state;
    pki = hd_test_pki();
    return 0;
}

static struct sockaddr_storage address(int family, uint16_t port, socklen_t *len)
{
    struct sockaddr_storage at = {0};
    if (family == AF_INET6) {
        *(struct sockaddr_in6 *)&at =
            (struct sockaddr_in6){.sin6_family = AF_INET6,
                                  .sin6_port = htons(port),
                                  .sin6_addr = in6addr_loopback};
        *len = sizeof(struct sockaddr_in6);
    } else {
        *(struct sockaddr_in *)&at =
            (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr = {htonl(INADDR_LOOPBACK)}};
        *len = sizeof(struct sockaddr_in);
    }
    return at;
}

static uint16_t free_port(int family, int type)
{
    socklen_t len;
    struct sockaddr_storage at = address(family, 0, &len);
    int fd = socket(family, type, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(close(fd), 0);
    return ntohs(((struct sockaddr_in *)&at)->sin_port); /* at the same place in both */
}

static int dial(const struct fixture *f, int type)
{
    socklen_t len;
    struct sockaddr_storage at = address(f->family, f->port, &len);
    int fd = socket(f->family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, len), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

static bool has_v6(void)
{
    socklen_t len;
    struct sockaddr_storage at = address(AF_INET6, 0, &len);
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    bool is_there = fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0;
    (void)close(fd);
    return is_there;
}

/* listen: NULL = the loopback address of the family */
static struct fixture *setup(enum col_kind kind, int family, const char *listen)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    fake_env_init(&f->fe);
    f->family = family;
    f->port = free_port(family, kind == COL_KIND_SYSLOG_UDP ? SOCK_DGRAM : SOCK_STREAM);
    const char *host = listen != NULL       ? listen
                       : family == AF_INET6 ? "[::1]"
                                            : "127.0.0.1";
    (void)snprintf(f->listen, sizeof(f->listen), "%s:%u", host, (unsigned)f->port);
    f->conf = fake_conf(kind);
    f->conf.listen = f->listen;
    return f;
}

static void start(struct fixture *f)
{
    fake_env_open(&f->fe,
                  f->conf.kind == COL_KIND_SYSLOG_UDP ? col_udp_open : col_tcp_open,
                  &f->conf);
}

static void teardown(struct fixture *f)
{
    fake_env_close(&f->fe);
    fake_env_fini(&f->fe);
    free(f);
}

static struct col_source_stats stats_of(const struct fixture *f)
{
    struct col_source_stats stats;
    f->fe.source->ops->stats(f->fe.source, &stats);
    return stats;
}

/* ---- UDP ---- */

static void check_udp(int family, const char *listen, const char *peer)
{
    struct fixture *f = setup(COL_KIND_SYSLOG_UDP, family, listen);
    start(f);
    int fd = dial(f, SOCK_DGRAM);
    say(fd, "<13>one\n");
    say(fd, "<13>two\nlines\r\n");
    assert_int_equal(send(fd, "", 0, 0), 0);
    assert_int_equal(send(fd, "<13>nul\0\n", 9, 0), 9);
    fake_env_wait(&f->fe, 3);
    FAKE_EXPECT(&f->fe.sink, "<13>one", "<13>two\nlines", "<13>nul");
    assert_string_equal(f->fe.sink.lines[0].peer, peer);
    assert_int_equal(close(fd), 0);
    teardown(f);
}

static void test_udp(void **state)
{
    (void)state;
    check_udp(AF_INET, NULL, "127.0.0.1");
    if (has_v6()) {
        check_udp(AF_INET6, NULL, "::1");
        check_udp(AF_INET6, "", "::1");
    }
    check_udp(AF_INET, "", "127.0.0.1"); /* one socket, both families */
}

static void test_udp_long_and_many(void **state)
{
    (void)state;
    struct fixture *f = setup(COL_KIND_SYSLOG_UDP, AF_INET, NULL);
    static char text[3000];
    start(f);
    int fd = dial(f, SOCK_DGRAM);
    memset(text, 'x', sizeof(text) - 1);
    say(fd, text);
    fake_env_wait(&f->fe, 1);
    assert_int_equal(fake_sink_line(&f->fe.sink, 0).len, 1000);
    assert_int_equal(f->fe.sink.lines[0].flags, HD_BATCH_TRUNCATED);
    for (int i = 0; i < 200; i++) {
        say(fd, "<13>x");
    }
    fake_env_wait(&f->fe, 201);
    assert_int_equal(close(fd), 0);
    teardown(f);
}

static void test_udp_counts_what_is_lost(void **state)
{
    (void)state;
    struct fixture *f = setup(COL_KIND_SYSLOG_UDP, AF_INET, NULL);
    f->conf.receive_buffer = 64U << 10;
    start(f);
    int fd = dial(f, SOCK_DGRAM);
    f->fe.source->ops->pause(f->fe.source);
    for (int i = 0; i < 1000; i++) {
        (void)send(fd, "<13>burst", 9, MSG_DONTWAIT);
    }
    assert_string_equal(stats_of(f).state, "paused");
    f->fe.source->ops->resume(f->fe.source);
    struct col_source_stats stats;
    do {
        (void)uv_run(&f->fe.loop, UV_RUN_ONCE);
        stats = stats_of(f);
    } while (stats.lines + stats.dropped < 1000);
    assert_true(stats.dropped > 0 && stats.lines > 0);
    /* the pause was the spool's */
    assert_int_equal(f->fe.sink.lost[HD_LOSS_SPOOL_FULL], stats.dropped);
    assert_int_equal(f->fe.sink.lost[HD_LOSS_KERNEL_DROPS], 0);
    f->fe.sink.room = 0; /* the sink refuses: a drop as well */
    say(fd, "<13>refused");
    while (stats_of(f).dropped == stats.dropped) {
        (void)uv_run(&f->fe.loop, UV_RUN_ONCE);
    }
    assert_int_equal(f->fe.sink.lost[HD_LOSS_SPOOL_FULL], stats.dropped + 1);
    assert_int_equal(f->fe.sink.lost_bytes[HD_LOSS_SPOOL_FULL], strlen("<13>refused"));
    assert_int_equal(close(fd), 0);
    teardown(f);
}

static void test_udp_tells_what_the_kernel_dropped(void **state)
{
    (void)state;
    struct fixture *f = setup(COL_KIND_SYSLOG_UDP, AF_INET, NULL);
    f->conf.receive_buffer = 64U << 10;
    start(f);
    int fd = dial(f, SOCK_DGRAM);
    for (int i = 0; i < 1000; i++) { /* nobody reads meanwhile */
        (void)send(fd, "<13>burst", 9, MSG_DONTWAIT);
    }
    while (stats_of(f).lines + stats_of(f).dropped < 1000) {
        (void)uv_run(&f->fe.loop, UV_RUN_ONCE);
    }
    assert_true(stats_of(f).dropped > 0);
    assert_int_equal(f->fe.sink.lost[HD_LOSS_KERNEL_DROPS], stats_of(f).dropped);
    assert_int_equal(f->fe.sink.lost[HD_LOSS_SPOOL_FULL], 0);
    assert_int_equal(close(fd), 0);
    teardown(f);
}

/* A paused socket that is closed: what it holds is refused, not forgotten. */
static void test_udp_counts_what_it_leaves(void **state)
{
    (void)state;
    struct fixture *f = setup(COL_KIND_SYSLOG_UDP, AF_INET, NULL);
    start(f);
    int fd = dial(f, SOCK_DGRAM);
    f->fe.source->ops->pause(f->fe.source);
    f->fe.sink.room = 0;
    for (int i = 0; i < 600; i++) {
        assert_int_equal(send(fd, "<13>late", 8, 0), 8);
    }
    fake_env_close(&f->fe);
    assert_int_equal(f->fe.sink.lost[HD_LOSS_SPOOL_FULL], 600);
    assert_int_equal(close(fd), 0);
    fake_env_fini(&f->fe);
    free(f);
}

/* ---- TCP ---- */

static void check_tcp(int family, const char *listen, const char *peer)
{
    struct fixture *f = setup(COL_KIND_SYSLOG_TCP, family, listen);
    start(f);
    int a = dial(f, SOCK_STREAM);
    int b = dial(f, SOCK_STREAM);
    say(a, "<13>a1\n<13>a2 is no");
    say(b, "7 <13>b1\n6 <13>b2");
    fake_env_wait(&f->fe, 3);
    say(a, "t whole\n");
    fake_env_wait(&f->fe, 4);
    assert_true(
        hd_slice_eq(fake_sink_line(&f->fe.sink, 3), HD_SLICE("<13>a2 is not whole")));
    assert_string_equal(f->fe.sink.lines[3].peer, peer);
    say(b, "<13>last without end");
    assert_int_equal(close(b), 0);
    fake_env_wait(&f->fe, 5);
    assert_int_equal(close(a), 0);
    teardown(f);
}

static void test_tcp(void **state)
{
    (void)state;
    check_tcp(AF_INET, NULL, "127.0.0.1");
    if (has_v6()) {
        check_tcp(AF_INET6, NULL, "::1");
    }
    check_tcp(AF_INET, "", "127.0.0.1");
}

static void test_tcp_back_pressure(void **state)
{
    (void)state;
    struct fixture *f = setup(COL_KIND_SYSLOG_TCP, AF_INET, NULL);
    start(f);
    int fd = dial(f, SOCK_STREAM);
    f->fe.sink.room = 2;
    say(fd, "<13>1\n<13>2\n<13>3\n<13>4\n<13>5");
    fake_env_wait(&f->fe, 2);
    f->fe.source->ops->pause(f->fe.source);
    say(fd, " more\n");
    fake_env_quiet(&f->fe, 40);
    f->fe.sink.room = 1;
    f->fe.source->ops->resume(f->fe.source);
    fake_env_wait(&f->fe, 3);
    f->fe.sink.room = SIZE_MAX;
    f->fe.source->ops->resume(f->fe.source);
    fake_env_wait(&f->fe, 5);
    FAKE_EXPECT(&f->fe.sink, "<13>1", "<13>2", "<13>3", "<13>4", "<13>5 more");
    assert_int_equal(close(fd), 0);
    teardown(f);
}

static void test_tcp_long_frames(void **state)
{
    (void)state;
    struct fixture *f = setup(COL_KIND_SYSLOG_TCP, AF_INET, NULL);
    struct hd_buf text;
    hd_buf_init(&text, 0);
    hd_buf_str(&text, "200000 <13>");
    for (int i = 0; i < 200000 - 4; i++) {
        hd_buf_byte(&text, 'x');
    }
    hd_buf_str(&text, "<13>next\n");
    start(f);
    int fd = dial(f, SOCK_STREAM);
    for (size_t sent = 0; sent < text.len;) {
        ssize_t n = send(fd, text.ptr + sent, text.len - sent, MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        (void)uv_run(&f->fe.loop, UV_RUN_NOWAIT);
    }
    fake_env_wait(&f->fe, 2);
    assert_int_equal(f->fe.sink.lines[0].flags, HD_BATCH_TRUNCATED);
    assert_true(hd_slice_eq(fake_sink_line(&f->fe.sink, 1), HD_SLICE("<13>next")));
    hd_buf_fini(&text);
    assert_int_equal(close(fd), 0);
    teardown(f);
}

static void test_tcp_refuses_too_many(void **state)
{
    (void)state;
    struct fixture *f = setup(COL_KIND_SYSLOG_TCP, AF_INET, NULL);
    f->conf.connections_max = 2;
    start(f);
    int a = dial(f, SOCK_STREAM);
    int b = dial(f, SOCK_STREAM);
    say(a, "<13>a\n");
    say(b, "<13>b\n");
    fake_env_wait(&f->fe, 2);
    int c = dial(f, SOCK_STREAM);
    fake_env_quiet(&f->fe, 30);
    char byte;
    assert_true(recv(c, &byte, 1, MSG_DONTWAIT) <= 0);
    assert_int_equal(close(a), 0);
    while (HD_METRIC_GET(col_metrics, COL_CONNECTIONS) > 1) {
        (void)uv_run(&f->fe.loop, UV_RUN_ONCE);
    }
    int d = dial(f, SOCK_STREAM);
    say(d, "<13>d\n");
    fake_env_wait(&f->fe, 3);
    assert_int_equal(close(b), 0);
    assert_int_equal(close(c), 0);
    assert_int_equal(close(d), 0);
    teardown(f);
}

/* What is on its way when the source is closed belongs to the agent already. */
static void test_tcp_close_keeps_what_came(void **state)
{
    (void)state;
    struct fixture *f = setup(COL_KIND_SYSLOG_TCP, AF_INET, NULL);
    start(f);
    int fd = dial(f, SOCK_STREAM);
    say(fd, "<13>1\n<13>unfinished");
    fake_env_wait(&f->fe, 1);
    fake_env_close(&f->fe);
    FAKE_EXPECT(&f->fe.sink, "<13>1", "<13>unfinished");
    assert_int_equal(close(fd), 0);
    fake_env_fini(&f->fe);
    free(f);
}

/* ---- the end ---- */

static void count_drained(void *ctx)
{
    unsigned *drained = ctx;
    (*drained)++;
}

static void run_until(struct fixture *f, const unsigned *counter)
{
    while (*counter == 0) {
        (void)uv_run(&f->fe.loop, UV_RUN_ONCE);
    }
}

static void run_until_ended(struct fixture *f, int fd)
{
    char byte;
    while (recv(fd, &byte, 1, MSG_DONTWAIT) != 0) {
        assert_int_equal(errno, EAGAIN);
        (void)uv_run(&f->fe.loop, UV_RUN_ONCE);
    }
}

/* A sender that notices the end, and one that says nothing any more. */
static void test_tcp_drain(void **state)
{
    (void)state;
    struct fixture *f = setup(COL_KIND_SYSLOG_TCP, AF_INET, NULL);
    unsigned drained = 0;
    start(f);
    int a = dial(f, SOCK_STREAM);
    int b = dial(f, SOCK_STREAM);
    say(a, "<13>a1\n");
    say(b, "<13>b without end");
    fake_env_wait(&f->fe, 1);
    f->fe.source->ops->drain(f->fe.source, count_drained, &drained);
    run_until_ended(f, a);
    say(a, "<13>a2\n<13>a3\n"); /* sent before it looked */
    assert_int_equal(close(a), 0);
    run_until(f, &drained);
    FAKE_EXPECT(&f->fe.sink, "<13>a1", "<13>a2", "<13>a3", "<13>b without end");
    assert_int_equal(HD_METRIC_GET(col_metrics, COL_CONNECTIONS_CUT), 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len;
    struct sockaddr_storage at = address(AF_INET, f->port, &len);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, len), -1); /* nobody is there */
    assert_int_equal(close(fd), 0);
    assert_int_equal(close(b), 0);
    assert_int_equal(drained, 1);
    teardown(f);
}

/* What the spool does not take yet is waited for. */
static void test_tcp_drain_of_a_full_sink(void **state)
{
    (void)state;
    struct fixture *f = setup(COL_KIND_SYSLOG_TCP, AF_INET, NULL);
    unsigned drained = 0;
    start(f);
    int fd = dial(f, SOCK_STREAM);
    f->fe.sink.room = 1;
    say(fd, "<13>1\n<13>2\n");
    fake_env_wait(&f->fe, 1);
    f->fe.source->ops->pause(f->fe.source);
    f->fe.source->ops->drain(f->fe.source, count_drained, &drained);
    say(fd, "<13>3\n");
    assert_int_equal(close(fd), 0);
    fake_env_quiet(&f->fe, 600); /* longer than anybody may be quiet */
    assert_int_equal(drained, 0);
    f->fe.sink.room = SIZE_MAX;
    f->fe.source->ops->resume(f->fe.source);
    run_until(f, &drained);
    FAKE_EXPECT(&f->fe.sink, "<13>1", "<13>2", "<13>3");
    teardown(f);
}

static void test_tcp_drain_cuts_off(void **state)
{
    (void)state;
    struct fixture *f = setup(COL_KIND_SYSLOG_TCP, AF_INET, NULL);
    unsigned drained = 0;
    uint64_t before = HD_METRIC_GET(col_metrics, COL_CONNECTIONS_CUT);
    start(f);
    int fd = dial(f, SOCK_STREAM);
    say(fd, "<13>first\n");
    fake_env_wait(&f->fe, 1);
    f->fe.source->ops->drain(f->fe.source, count_drained, &drained);
    while (drained == 0) { /* it does not notice */
        (void)send(fd, "<13>and on\n", 11, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)uv_run(&f->fe.loop, UV_RUN_ONCE);
    }
    assert_int_equal(HD_METRIC_GET(col_metrics, COL_CONNECTIONS_CUT), before + 1);
    assert_true(f->fe.sink.n > 2);
    assert_int_equal(close(fd), 0);
    teardown(f);
}

/* ---- TLS ---- */

struct client {
    struct hd_stream *stream;
    struct hd_tls *tls;
    const char *text;
    bool is_open, is_closed;
    int err;
};

static void client_open(void *ctx, struct hd_stream *stream)
{
    struct client *c = ctx;
    c->is_open = true;
    assert_int_equal(hd_stream_write(stream, hd_slice_str(c->text)), HD_OK);
    hd_stream_close(stream, 1000);
}

static void client_data(void *ctx, struct hd_slice data)
{
    (void)ctx;
    (void)data;
}

static void client_close(void *ctx, int err, const char *why)
{
    struct client *c = ctx;
    (void)why;
    c->is_closed = true;
    c->err = err;
}

static const struct hd_stream_ops client_ops = {
    .on_open = client_open, .on_data = client_data, .on_close = client_close};

static void send_tls(struct fixture *f, const char *cert, const char *text,
                     struct client *c)
{
    char why[256], crt[64], key[64];
    (void)snprintf(crt, sizeof(crt), "%s.crt", cert == NULL ? "none" : cert);
    (void)snprintf(key, sizeof(key), "%s.key", cert == NULL ? "none" : cert);
    *c = (struct client){.text = text};
    const struct hd_tls_opts tls = {
        .role = HD_TLS_CLIENT,
        .cert_file = cert == NULL ? NULL : hd_test_path(pki, crt),
        .key_file = cert == NULL ? NULL : hd_test_path(pki, key),
        .ca_file = hd_test_path(pki, "ca.crt")};
    assert_int_equal(hd_tls_new(&tls, &c->tls, why), HD_OK);
    const struct hd_stream_opts opts = {.ops = &client_ops, .ctx = c, .tls = c->tls};
    assert_int_equal(
        hd_stream_connect(&f->fe.loop, "127.0.0.1", f->port, &opts, &c->stream), HD_OK);
    while (!c->is_closed) {
        (void)uv_run(&f->fe.loop, UV_RUN_ONCE);
    }
    hd_tls_free(c->tls);
}

static void set_tls(struct fixture *f)
{
    f->conf.tls =
        (struct col_conf_tls){.cert = (char *)(uintptr_t)hd_test_path(pki, "server.crt"),
                              .key = (char *)(uintptr_t)hd_test_path(pki, "server.key"),
                              .ca = (char *)(uintptr_t)hd_test_path(pki, "ca.crt")};
}

static struct fixture *setup_tls(bool client_cert)
{
    struct fixture *f = setup(COL_KIND_SYSLOG_TLS, AF_INET, NULL);
    set_tls(f);
    f->conf.client_cert = client_cert;
    start(f);
    return f;
}

static void test_tls(void **state)
{
    (void)state;
    struct client c;
    struct fixture *f = setup_tls(true);
    send_tls(f, "client", "<13>over TLS\n11 <13>counted", &c);
    fake_env_wait(&f->fe, 2);
    FAKE_EXPECT(&f->fe.sink, "<13>over TLS", "<13>counted");
    send_tls(f, NULL, "<13>nobody\n", &c);
    send_tls(f, "foreign", "<13>foreigner\n", &c);
    fake_env_quiet(&f->fe, 30);
    f->fe.source->ops->reload(f->fe.source);
    send_tls(f, "client", "<13>after reload\n", &c);
    fake_env_wait(&f->fe, 3);
    teardown(f);
}

static void test_tls_without_client_certificates(void **state)
{
    (void)state;
    struct client c;
    struct fixture *f = setup_tls(false);
    send_tls(f, NULL, "<13>nobody\n", &c);
    fake_env_wait(&f->fe, 1);
    teardown(f);
}

static void test_tls_garbage(void **state)
{
    (void)state;
    struct fixture *f = setup_tls(true);
    int fd = dial(f, SOCK_STREAM);
    say(fd, "<13>plain text on a TLS port\n");
    fake_env_quiet(&f->fe, 30);
    assert_int_equal(close(fd), 0);
    teardown(f);
}

/* ---- lack of memory ---- */

static struct fixture *setup_any(enum col_kind kind)
{
    struct fixture *f = setup(kind, AF_INET, NULL);
    if (kind == COL_KIND_SYSLOG_TLS) {
        set_tls(f);
    }
    return f;
}

static int open_any(struct fixture *f, char why[256])
{
    col_source_open *open =
        f->conf.kind == COL_KIND_SYSLOG_UDP ? col_udp_open : col_tcp_open;
    return open(&f->fe.env, &f->conf, &f->fe.source, why);
}

/* One line on a connection of its own, whatever the kind. */
static void send_line(struct fixture *f, const char *line)
{
    struct client c;
    if (f->conf.kind == COL_KIND_SYSLOG_TLS) {
        send_tls(f, "client", line, &c);
        return;
    }
    int fd = dial(f, f->conf.kind == COL_KIND_SYSLOG_UDP ? SOCK_DGRAM : SOCK_STREAM);
    say(fd, line);
    assert_int_equal(close(fd), 0);
}

/* Each allocation of the start fails once: it says so, or serves. */
static void test_lack_of_memory_at_the_start(void **state)
{
    static const enum col_kind kinds[] = {COL_KIND_SYSLOG_UDP, COL_KIND_SYSLOG_TCP,
                                          COL_KIND_SYSLOG_TLS};
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        bool has_failed = true;
        for (unsigned n = 1; has_failed; n += n < DENSE ? 1 : n / THIN_OUT) {
            char why[256] = "";
            struct fixture *f = setup_any(kinds[i]);
            hd_test_alloc_fail_at(n);
            int err = open_any(f, why);
            hd_test_alloc_stop();
            has_failed = hd_test_alloc_failed();
            if (err == HD_OK) {
                send_line(f, "<13>served\n");
                fake_env_wait(&f->fe, 1);
                teardown(f);
            } else {
                assert_true(err == HD_ENOMEM || err == HD_ETLS || err == HD_EBUSY ||
                            err == HD_EINVAL);
                fake_env_fini(&f->fe); /* says when a handle is still open */
                free(f);
            }
        }
    }
}

static bool has_ended(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN);
}

/* The test's sink asserts that it gets memory, and libuv aborts when its table of
 * descriptors cannot grow: let both be large enough. */
static void grow_what_may_not_fail(struct fixture *f)
{
    enum { CROWD = 16, LINE = 900 };
    int fd[CROWD];
    char text[LINE + 2] = "";
    memset(text, 'x', LINE);
    text[LINE] = '\n';
    for (size_t i = 0; i < CROWD; i++) {
        fd[i] = dial(f, SOCK_STREAM);
        say(fd[i], text);
    }
    fake_env_wait(&f->fe, CROWD);
    for (size_t i = 0; i < CROWD; i++) {
        assert_int_equal(close(fd[i]), 0);
    }
    while (HD_METRIC_GET(col_metrics, COL_CONNECTIONS) > 0) {
        (void)uv_run(&f->fe.loop, UV_RUN_ONCE);
    }
}

/* Each allocation for a connection fails once: its line comes, or the sender sees that
 * the connection ended; the next sender is served. */
static void test_lack_of_memory_for_a_sender(void **state)
{
    (void)state;
    struct fixture *f = setup(COL_KIND_SYSLOG_TCP, AF_INET, NULL);
    start(f);
    grow_what_may_not_fail(f);
    HD_TEST_ALLOC_EACH(n)
    {
        f->fe.sink.n = 0;
        f->fe.sink.text.len = 0;
        int fd = dial(f, SOCK_STREAM);
        say(fd, "<13>half");
        for (int turns = 0; turns < 5; turns++) {
            (void)uv_run(&f->fe.loop, UV_RUN_NOWAIT);
        }
        (void)send(fd, " whole\n", 7, MSG_NOSIGNAL);
        while (f->fe.sink.n == 0 && !has_ended(fd)) {
            (void)uv_run(&f->fe.loop, UV_RUN_NOWAIT);
        }
        hd_test_alloc_stop();
        assert_int_equal(close(fd), 0);
        while (HD_METRIC_GET(col_metrics, COL_CONNECTIONS) > 0) {
            (void)uv_run(&f->fe.loop, UV_RUN_ONCE);
        }
        size_t before = f->fe.sink.n;
        send_line(f, "<13>next\n");
        fake_env_wait(&f->fe, before + 1);
        assert_true(
            hd_slice_eq(fake_sink_line(&f->fe.sink, before), HD_SLICE("<13>next")));
    }
    teardown(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_udp),
        cmocka_unit_test(test_udp_long_and_many),
        cmocka_unit_test(test_udp_counts_what_is_lost),
        cmocka_unit_test(test_udp_tells_what_the_kernel_dropped),
        cmocka_unit_test(test_udp_counts_what_it_leaves),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_tcp_back_pressure),
        cmocka_unit_test(test_tcp_long_frames),
        cmocka_unit_test(test_tcp_refuses_too_many),
        cmocka_unit_test(test_tcp_close_keeps_what_came),
        cmocka_unit_test(test_tcp_drain),
        cmocka_unit_test(test_tcp_drain_of_a_full_sink),
        cmocka_unit_test(test_tcp_drain_cuts_off),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_without_client_certificates),
        cmocka_unit_test(test_tls_garbage),
        cmocka_unit_test(test_lack_of_memory_at_the_start),
        cmocka_unit_test(test_lack_of_memory_for_a_sender),
    };
    return cmocka_run_group_tests(tests, make_pki, NULL);
}
