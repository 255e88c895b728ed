/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdlib.h>

#include <haidang/buf.h>
#include <haidang/loop.h>
#include <haidang/stream.h>

#include "tests/support/alloc.h"
#include "tests/support/certs.h"
#include "tests/support/mock_stream.h"

/* One side of a connection and what happened to it. */
struct end {
    struct hd_stream *stream;
    struct hd_buf got;
    unsigned opens, closes, drains;
    int err;
    char why[256];
    char peer[64], peer_cn[64];
    bool is_echo, has_unsent;
    struct hd_buf unsent;          /* of an echo that met HD_EFULL */
    void (*then)(struct end *end); /* at on_open */
    void (*on_bytes)(struct end *end, struct hd_slice data);
    size_t to_send, sent; /* of a pump */
};

static struct {
    uv_loop_t loop;
    struct hd_listener *listener;
    uint16_t port;
    struct hd_tls *server_tls, *client_tls;
    struct end client, server;
    struct hd_stream_opts server_opts;
    unsigned refusals_without_memory;
} w;

static const char *pki;

static void finish(struct end *end);

static void on_open(void *ctx, struct hd_stream *stream)
{
    struct end *end = ctx;
    assert_ptr_equal(stream, end->stream);
    assert_int_equal(end->closes, 0);
    end->opens++;
    (void)snprintf(end->peer, sizeof(end->peer), "%s", hd_stream_peer(stream));
    (void)snprintf(end->peer_cn, sizeof(end->peer_cn), "%s", hd_stream_peer_cn(stream));
    if (end->then != NULL) {
        end->then(end);
    }
}

static void on_data(void *ctx, struct hd_slice data)
{
    struct end *end = ctx;
    assert_int_equal(end->opens, 1);
    assert_int_equal(end->closes, 0);
    if (end->on_bytes != NULL) {
        end->on_bytes(end, data);
        return;
    }
    if (!end->is_echo) {
        hd_buf_slice_add(&end->got, data);
        return;
    }
    if (end->has_unsent || hd_stream_write(end->stream, data) == HD_EFULL) {
        end->has_unsent = true;
        hd_buf_slice_add(&end->unsent, data);
        hd_stream_pause(end->stream);
    }
}

static void on_drain(void *ctx)
{
    struct end *end = ctx;
    end->drains++;
    if (end->has_unsent) {
        end->has_unsent = false;
        assert_int_equal(hd_stream_write(end->stream, hd_buf_slice(&end->unsent)), HD_OK);
        hd_buf_clear(&end->unsent);
        hd_stream_resume(end->stream);
    }
    if (end->to_send > 0) {
        end->then(end);
    }
}

static void on_close(void *ctx, int err, const char *why)
{
    struct end *end = ctx;
    end->closes++;
    end->err = err;
    end->stream = NULL;
    (void)snprintf(end->why, sizeof(end->why), "%s", why);
}

static const struct hd_stream_ops ops = {on_open, on_data, on_drain, on_close};

static void on_connection(void *ctx, struct hd_listener *listener, uv_stream_t *server)
{
    (void)ctx;
    (void)listener;
    if (w.refusals_without_memory > 0) {
        w.refusals_without_memory--;
        hd_test_alloc_fail_at(1);
        hd_listener_refuse(server);
        hd_test_alloc_stop();
        return;
    }
    if (w.server.stream != NULL || w.server.closes > 0) {
        hd_listener_refuse(server);
        return;
    }
    assert_int_equal(hd_stream_accept(server, &w.server_opts, &w.server.stream), HD_OK);
}

static struct hd_tls *tls_of(enum hd_tls_role role, const char *name)
{
    char cert[256], key[256], why[256] = "";
    (void)snprintf(cert, sizeof(cert), "%s/%s.crt", pki, name);
    (void)snprintf(key, sizeof(key), "%s/%s.key", pki, name);
    const struct hd_tls_opts opts = {.role = role,
                                     .cert_file = cert,
                                     .key_file = key,
                                     .ca_file = hd_test_path(pki, "ca.crt"),
                                     .require_client_cert = role == HD_TLS_SERVER};
    struct hd_tls *tls = NULL;
    if (hd_tls_new(&opts, &tls, why) != HD_OK) {
        fail_msg("%s", why);
    }
    return tls;
}

static int pki_setup(void **state)
{
    (void)state;
    pki = hd_test_pki();
    return 0;
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    assert_int_equal(uv_loop_init(&w.loop), 0);
    const struct hd_listener_opts opts = {.address = "127.0.0.1:0",
                                          .on_connection = on_connection};
    char why[256] = "";
    assert_int_equal(hd_listener_open(&w.loop, &opts, &w.listener, why), HD_OK);
    w.port = hd_listener_port(w.listener);
    assert_true(w.port > 0);
    w.server_opts = (struct hd_stream_opts){.ops = &ops, .ctx = &w.server};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    finish(&w.client);
    finish(&w.server);
    if (w.listener != NULL) {
        hd_listener_close(w.listener);
    }
    assert_int_equal(uv_run(&w.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&w.loop), 0);
    hd_tls_free(w.server_tls);
    hd_tls_free(w.client_tls);
    hd_buf_fini(&w.client.got);
    hd_buf_fini(&w.server.got);
    hd_buf_fini(&w.server.unsent);
    return 0;
}

static void finish(struct end *end)
{
    if (end->stream != NULL) {
        hd_stream_close(end->stream, 0);
        while (end->closes == 0) {
            (void)uv_run(&w.loop, UV_RUN_ONCE);
        }
    }
}

static void run_until_closed(struct end *end)
{
    while (end->closes == 0) {
        assert_true(uv_run(&w.loop, UV_RUN_ONCE) != 0 || end->closes > 0);
    }
}

static void use_tls(void)
{
    w.server_tls = tls_of(HD_TLS_SERVER, "server");
    w.client_tls = tls_of(HD_TLS_CLIENT, "client");
    w.server_opts.tls = w.server_tls;
}

static void connect_with(struct hd_stream_opts opts)
{
    opts.ops = &ops;
    opts.ctx = &w.client;
    opts.tls = w.client_tls;
    assert_int_equal(
        hd_stream_connect(&w.loop, "127.0.0.1", w.port, &opts, &w.client.stream), HD_OK);
    assert_int_equal(w.client.opens, 0); /* never from inside */
}

static void run_until(const unsigned *counter)
{
    while (*counter == 0) {
        assert_true(uv_run(&w.loop, UV_RUN_ONCE) != 0);
    }
}

/* ---- bytes ---- */

static void say_hello(struct end *end)
{
    assert_int_equal(hd_stream_write(end->stream, HD_SLICE("hello ")), HD_OK);
    assert_int_equal(hd_stream_write(end->stream, HD_SLICE("world")), HD_OK);
    assert_int_equal(hd_stream_write(end->stream, HD_SLICE_EMPTY), HD_OK);
}

static void close_at_11(struct end *end, struct hd_slice data)
{
    hd_buf_slice_add(&end->got, data);
    if (end->got.len == 11) {
        hd_stream_close(end->stream, 5000);
        assert_int_equal(hd_stream_write(end->stream, HD_SLICE("x")), HD_ECLOSED);
    }
}

static void check_hello(void)
{
    w.server.is_echo = true;
    w.client.then = say_hello;
    w.client.on_bytes = close_at_11;
    connect_with((struct hd_stream_opts){0});
    run_until_closed(&w.client);
    run_until_closed(&w.server);
    assert_int_equal(w.client.err, HD_ECLOSED);
    assert_int_equal(w.server.err, HD_ECLOSED);
    assert_string_equal(w.server.why, "closed by the peer");
    assert_memory_equal(w.client.got.ptr, "hello world", 11);
    assert_true(strncmp(w.server.peer, "127.0.0.1:", 10) == 0);
    assert_int_equal(w.server.opens, 1);
}

static void test_plain(void **state)
{
    (void)state;
    check_hello();
    assert_string_equal(w.server.peer_cn, "");
}

static void test_tls(void **state)
{
    (void)state;
    use_tls();
    check_hello();
    assert_string_equal(w.server.peer_cn, "web1");
    assert_string_equal(w.client.peer_cn, "localhost");
}

#define ECHO_BYTES ((size_t)64 << 20)

static void pump_some(struct end *end)
{
    static uint8_t chunk[100000];
    while (end->sent < end->to_send) {
        size_t n = end->to_send - end->sent < sizeof(chunk) ? end->to_send - end->sent
                                                            : sizeof(chunk);
        for (size_t i = 0; i < n; i += 1000) {
            chunk[i] = (uint8_t)((end->sent + i) / 1000);
        }
        int err = hd_stream_write(end->stream, hd_slice(chunk, n));
        if (err == HD_EFULL) {
            return;
        }
        assert_int_equal(err, HD_OK);
        end->sent += n;
    }
    end->to_send = 0;
}

static void count_echo(struct end *end, struct hd_slice data)
{
    for (size_t i = 0; i < data.len; i++) {
        size_t at = end->got.max + i; /* got.max doubles as the position */
        if (at % 100000 % 1000 == 0) {
            assert_int_equal(data.ptr[i],
                             (uint8_t)((at / 100000 * 100000 + at % 100000) / 1000));
        }
    }
    end->got.max += data.len;
    if (end->got.max == ECHO_BYTES) {
        hd_stream_close(end->stream, 5000);
    }
}

static void check_back_pressure(void)
{
    w.server.is_echo = true;
    w.server_opts.write_queue_max = 300000;
    w.client.then = pump_some;
    w.client.to_send = ECHO_BYTES;
    w.client.on_bytes = count_echo;
    connect_with((struct hd_stream_opts){.write_queue_max = 500000});
    run_until_closed(&w.client);
    assert_int_equal(w.client.err, HD_ECLOSED);
    assert_int_equal(w.client.got.max, ECHO_BYTES);
    assert_true(w.client.drains > 0);
    run_until_closed(&w.server);
}

static void test_back_pressure_plain(void **state)
{
    (void)state;
    check_back_pressure();
}

static void test_back_pressure_tls(void **state)
{
    (void)state;
    use_tls();
    check_back_pressure();
}

static void send_then_close(struct end *end)
{
    static uint8_t big[3 << 20];
    assert_int_equal(hd_stream_write(end->stream, hd_slice(big, sizeof(big))), HD_OK);
    assert_true(hd_stream_queued(end->stream) > 0);
    hd_stream_close(end->stream, 10000);
    hd_stream_close(end->stream, 10000); /* harmless */
}

static void test_linger_sends_all(void **state)
{
    (void)state;
    use_tls();
    w.client.then = send_then_close;
    connect_with((struct hd_stream_opts){0});
    run_until_closed(&w.server);
    run_until_closed(&w.client);
    assert_int_equal(w.server.got.len, 3 << 20);
    assert_int_equal(w.server.err, HD_ECLOSED);
    assert_int_equal(w.client.err, HD_ECLOSED);
}

static void close_quickly(struct end *end)
{
    static uint8_t big[8 << 20];
    /* more than one queue passes when it is empty; the next does not */
    assert_int_equal(hd_stream_write(end->stream, hd_slice(big, sizeof(big))), HD_OK);
    assert_int_equal(hd_stream_write(end->stream, hd_slice(big, sizeof(big))), HD_EFULL);
    hd_stream_close(end->stream, 50);
}

static void test_slow_reader(void **state)
{
    (void)state;
    static const struct hd_test_step script[] = {{HD_TEST_HOLD}};
    struct hd_test_peer *peer = hd_test_peer_connect(&w.loop, w.port, script, 1);
    w.server.then = close_quickly;
    run_until_closed(&w.server);
    assert_int_equal(w.server.err, HD_ETIMEDOUT);
    assert_non_null(strstr(w.server.why, "did not take"));
    hd_test_peer_close(peer);
    (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    hd_test_peer_free(peer);
}

static void pause_at_once(struct end *end)
{
    hd_stream_pause(end->stream);
    hd_stream_pause(end->stream);
}

static void test_pause(void **state)
{
    (void)state;
    w.server.then = pause_at_once;
    w.server_opts.idle_ms = 300; /* longer than a busy machine keeps us waiting */
    w.client.then = say_hello;
    connect_with((struct hd_stream_opts){0});
    run_until(&w.client.opens);
    uint64_t until = uv_now(&w.loop) + 700;
    while (uv_now(&w.loop) < until) { /* a paused stream is not idle */
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    assert_int_equal(w.server.got.len, 0);
    assert_int_equal(w.server.closes, 0);
    hd_stream_resume(w.server.stream);
    run_until_closed(&w.server); /* then it becomes idle */
    assert_int_equal(w.server.got.len, 11);
    assert_int_equal(w.server.err, HD_ETIMEDOUT);
}

/* ---- ends ---- */

static void close_now(struct end *end)
{
    hd_stream_close(end->stream, 0);
}

static void close_softly(struct end *end)
{
    hd_stream_close(end->stream, 1000);
}

static void test_close_in_every_state(void **state)
{
    (void)state;
    use_tls();
    for (unsigned turns = 0; turns < 24; turns++) {
        for (uint64_t linger_ms = 0; linger_ms <= 1000; linger_ms += 1000) {
            memset(&w.client, 0, sizeof(w.client));
            memset(&w.server, 0, sizeof(w.server));
            connect_with((struct hd_stream_opts){0});
            for (unsigned i = 0; i < turns; i++) {
                (void)uv_run(&w.loop, UV_RUN_NOWAIT);
            }
            hd_stream_close(w.client.stream, linger_ms);
            hd_stream_pause(w.client.stream);
            hd_stream_resume(w.client.stream);
            run_until_closed(&w.client);
            assert_int_equal(w.client.err, HD_ECLOSED);
            if (w.server.stream != NULL) {
                run_until_closed(&w.server);
            }
            assert_true(w.client.closes == 1 && w.server.closes <= 1);
        }
    }
}

static void test_close_in_callbacks(void **state)
{
    (void)state;
    use_tls();
    void (*const then[])(struct end * end) = {close_now, close_softly};
    for (size_t i = 0; i < 2; i++) {
        memset(&w.client, 0, sizeof(w.client));
        memset(&w.server, 0, sizeof(w.server));
        w.client.then = then[i];
        connect_with((struct hd_stream_opts){0});
        run_until_closed(&w.client);
        run_until_closed(&w.server);
        assert_int_equal(w.client.err, HD_ECLOSED);

        memset(&w.client, 0, sizeof(w.client));
        memset(&w.server, 0, sizeof(w.server));
        w.server.then = then[i]; /* in the middle of the feed that ends the handshake */
        w.client.then = say_hello;
        connect_with((struct hd_stream_opts){0});
        run_until_closed(&w.server);
        run_until_closed(&w.client);
        assert_int_equal(w.server.err, HD_ECLOSED);
        assert_int_equal(w.server.got.len, 0);
    }
}

static void finish_at_11(struct end *end, struct hd_slice data)
{
    hd_buf_slice_add(&end->got, data);
    if (end->got.len == 11) {
        hd_stream_finish(end->stream);
        assert_int_equal(hd_stream_write(end->stream, HD_SLICE("x")), HD_ECLOSED);
    }
}

static void say_hello_and_look_away(struct end *end)
{
    say_hello(end);
    hd_stream_pause(end->stream);
}

/* Who does not look yet is heard until he does. */
static void check_finish(void)
{
    w.server.on_bytes = finish_at_11;
    w.client.then = say_hello_and_look_away;
    connect_with((struct hd_stream_opts){0});
    while (w.server.got.len < 11) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    assert_int_equal(hd_stream_write(w.client.stream, HD_SLICE("more")), HD_OK);
    while (w.server.got.len < 15) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    assert_int_equal(w.server.closes, 0);
    assert_int_equal(w.client.closes, 0);
    hd_stream_resume(w.client.stream);
    run_until_closed(&w.server);
    run_until_closed(&w.client);
    assert_int_equal(w.server.err, HD_ECLOSED);
    assert_true(hd_slice_eq(hd_buf_slice(&w.server.got), HD_SLICE("hello worldmore")));
}

static void test_finish_plain(void **state)
{
    (void)state;
    check_finish();
}

static void test_finish_tls(void **state)
{
    (void)state;
    use_tls();
    check_finish();
}

static void test_refused(void **state)
{
    (void)state;
    uint16_t port = w.port;
    hd_listener_close(w.listener);
    w.listener = NULL;
    (void)uv_run(&w.loop, UV_RUN_DEFAULT);
    w.port = port;
    connect_with((struct hd_stream_opts){0});
    run_until_closed(&w.client);
    assert_int_equal(w.client.err, HD_ECONN);
    assert_non_null(strstr(w.client.why, "connect to 127.0.0.1:"));
    assert_non_null(strstr(w.client.why, "connection refused"));
    assert_int_equal(w.client.opens, 0);
}

static void test_next_address(void **state)
{
    (void)state;
    if (access("/etc/hosts", R_OK) != 0) { /* else the answer is up to some DNS server */
        hd_test_skip("no /etc/hosts that says what localhost is");
    }
    /* localhost is ::1 and 127.0.0.1 where both exist; only the latter listens */
    const struct hd_stream_opts opts = {.ops = &ops, .ctx = &w.client};
    assert_int_equal(
        hd_stream_connect(&w.loop, "localhost", w.port, &opts, &w.client.stream), HD_OK);
    run_until(&w.client.opens);
    assert_true(strncmp(w.client.peer, "127.0.0.1:", 10) == 0);
}

static void test_bad_names(void **state)
{
    (void)state;
    const struct hd_stream_opts opts = {.ops = &ops, .ctx = &w.client};
    assert_int_equal(hd_stream_connect(&w.loop, "", 1, &opts, &w.client.stream),
                     HD_EINVAL);
    assert_int_equal(hd_stream_connect(&w.loop, "localhost", 0, &opts, &w.client.stream),
                     HD_EINVAL);
    assert_int_equal(hd_stream_connect(&w.loop, "no..such", 9, &opts, &w.client.stream),
                     HD_OK);
    run_until_closed(&w.client);
    assert_int_equal(w.client.err, HD_ECONN);
    assert_non_null(strstr(w.client.why, "cannot resolve no..such:9"));
}

static void play(const struct hd_test_step *script, size_t n)
{
    struct hd_test_peer *peer = hd_test_peer_connect(&w.loop, w.port, script, n);
    run_until_closed(&w.server);
    hd_test_peer_close(peer);
    for (int i = 0; i < 3; i++) {
        (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    }
    hd_test_peer_free(peer);
}

static void test_not_tls(void **state)
{
    (void)state;
    use_tls();
    static const struct hd_test_step http[] = {
        {HD_TEST_SEND, {(const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18}}};
    play(http, 1);
    assert_int_equal(w.server.err, HD_ETLS);
    assert_string_equal(w.server.why, "the peer speaks HTTP, not TLS");
    assert_int_equal(w.server.opens, 0);
}

static void test_tls_half_open(void **state)
{
    (void)state;
    use_tls();
    static const struct hd_test_step hold[] = {{HD_TEST_HOLD}};
    w.server_opts.handshake_ms = 40;
    play(hold, 1);
    assert_int_equal(w.server.err, HD_ETIMEDOUT);
    assert_non_null(strstr(w.server.why, "did not finish the TLS handshake"));
}

static void test_tls_cut_off(void **state)
{
    (void)state;
    use_tls();
    static const struct hd_test_step fin[] = {{HD_TEST_FIN}};
    play(fin, 1);
    assert_int_equal(w.server.err, HD_ETLS);
    assert_non_null(strstr(w.server.why, "closed during the TLS handshake"));

    memset(&w.server, 0, sizeof(w.server));
    static const struct hd_test_step reset[] = {
        {HD_TEST_SEND, {(const uint8_t *)"\x16\x03\x01", 3}}, {HD_TEST_RESET}};
    play(reset, 2);
    assert_int_equal(w.server.err, HD_ECONN);
    assert_non_null(strstr(w.server.why, "connection reset by peer"));
}

static void test_plain_reset(void **state)
{
    (void)state;
    static const struct hd_test_step reset[] = {
        {HD_TEST_SEND, {(const uint8_t *)"abc", 3}}, {HD_TEST_RESET}};
    play(reset, 2);
    assert_int_equal(w.server.err, HD_ECONN);
    assert_int_equal(w.server.closes, 1);
}

static void test_plain_half_close(void **state)
{
    (void)state;
    w.server.then = say_hello; /* what was written still goes to who said FIN */
    static const struct hd_test_step fin[] = {{HD_TEST_SEND, {(const uint8_t *)"abc", 3}},
                                              {HD_TEST_FIN},
                                              {HD_TEST_AWAIT, {0}, 11}};
    struct hd_test_peer *peer = hd_test_peer_connect(&w.loop, w.port, fin, 3);
    run_until_closed(&w.server);
    while (!hd_test_peer_saw_end(peer)) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    assert_int_equal(hd_test_peer_got(peer).len, 11);
    assert_int_equal(w.server.got.len, 3);
    assert_int_equal(w.server.err, HD_ECLOSED);
    hd_test_peer_free(peer);
}

static void test_wrong_host(void **state)
{
    (void)state;
    use_tls();
    w.client.then = say_hello;
    connect_with((struct hd_stream_opts){.verify_name = "centre.example"});
    run_until_closed(&w.client);
    run_until_closed(&w.server);
    assert_int_equal(w.client.err, HD_ETLS);
    assert_non_null(strstr(w.client.why, "centre.example"));
    assert_non_null(strstr(w.client.why, "localhost"));
    assert_int_equal(w.client.opens, 0);
    assert_int_equal(w.server.opens, 0);
    assert_int_equal(w.server.got.len, 0);
    assert_int_equal(w.server.err, HD_ETLS); /* the alert arrived */
}

static void test_foreign_client(void **state)
{
    (void)state;
    use_tls();
    hd_tls_free(w.client_tls);
    w.client_tls = tls_of(HD_TLS_CLIENT, "foreign");
    connect_with((struct hd_stream_opts){0});
    run_until_closed(&w.server);
    run_until_closed(&w.client);
    assert_int_equal(w.server.err, HD_ETLS);
    assert_non_null(strstr(w.server.why, "unknown CA"));
    assert_int_equal(w.client.err, HD_ETLS);
    assert_non_null(strstr(w.client.why, "refused the connection: unknown CA"));
}

static void test_reload_keeps(void **state)
{
    (void)state;
    use_tls();
    connect_with((struct hd_stream_opts){0});
    run_until(&w.client.opens);
    char why[256];
    assert_int_equal(hd_tls_reload(w.server_tls, why), HD_OK);
    assert_int_equal(hd_tls_reload(w.client_tls, why), HD_OK);
    w.client.on_bytes = close_at_11;
    run_until(&w.server.opens);
    say_hello(&w.server);
    run_until_closed(&w.client);
    assert_int_equal(w.client.err, HD_ECLOSED);
    assert_int_equal(w.client.got.len, 11);
}

static void test_listener_errors(void **state)
{
    (void)state;
    static const char *bad[] = {"nonsense", "127.0.0.1:70000", "203.0.113.7:0"};
    struct hd_listener *listener = NULL;
    char why[256];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct hd_listener_opts opts = {.address = bad[i],
                                              .on_connection = on_connection};
        why[0] = '\0';
        assert_int_equal(hd_listener_open(&w.loop, &opts, &listener, why), HD_EINVAL);
        assert_non_null(strstr(why, bad[i]));
    }
    char taken[32];
    (void)snprintf(taken, sizeof(taken), "127.0.0.1:%u", w.port);
    const struct hd_listener_opts opts = {.address = taken,
                                          .on_connection = on_connection};
    assert_int_equal(hd_listener_open(&w.loop, &opts, &listener, why), HD_EBUSY);
    assert_non_null(strstr(why, "already in use"));
    const struct hd_listener_opts any = {.address = ":0", .on_connection = on_connection};
    assert_int_equal(hd_listener_open(&w.loop, &any, &listener, why), HD_OK);
    assert_true(hd_listener_port(listener) > 0);
    hd_listener_close(listener);
}

static void test_refuse(void **state)
{
    (void)state;
    connect_with((struct hd_stream_opts){0});
    run_until(&w.server.opens);
    static const struct hd_test_step none[] = {{HD_TEST_AWAIT, {0}, 1}};
    struct hd_test_peer *second = hd_test_peer_connect(&w.loop, w.port, none, 1);
    while (!hd_test_peer_saw_end(second)) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    hd_test_peer_free(second);
    assert_int_equal(w.client.closes + w.server.closes, 0);
}

/* A connection that nobody takes would keep libuv from ever offering another one. */
static void test_refuse_without_memory(void **state)
{
    (void)state;
    static const struct hd_test_step none[] = {{HD_TEST_AWAIT, {0}, 1}};
    struct hd_test_peer *peers[3];
    uint64_t deadline = uv_hrtime() + UINT64_C(120000000000);
    w.refusals_without_memory = 3;
    for (size_t i = 0; i < 3; i++) {
        peers[i] = hd_test_peer_connect(&w.loop, w.port, none, 1);
    }
    for (size_t i = 0; i < 3; i++) {
        while (!hd_test_peer_saw_end(peers[i])) {
            (void)uv_run(&w.loop, UV_RUN_NOWAIT);
            assert_true(uv_hrtime() < deadline);
        }
    }
    (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    for (size_t i = 0; i < 3; i++) {
        hd_test_peer_free(peers[i]);
    }
    assert_int_equal(w.refusals_without_memory, 0);
    connect_with((struct hd_stream_opts){0});
    run_until(&w.server.opens);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_plain),
        CASE(test_tls),
        CASE(test_back_pressure_plain),
        CASE(test_back_pressure_tls),
        CASE(test_linger_sends_all),
        CASE(test_slow_reader),
        CASE(test_pause),
        CASE(test_close_in_every_state),
        CASE(test_close_in_callbacks),
        CASE(test_refused),
        CASE(test_next_address),
        CASE(test_bad_names),
        CASE(test_not_tls),
        CASE(test_tls_half_open),
        CASE(test_tls_cut_off),
        CASE(test_plain_reset),
        CASE(test_plain_half_close),
        CASE(test_finish_plain),
        CASE(test_finish_tls),
        CASE(test_wrong_host),
        CASE(test_foreign_client),
        CASE(test_reload_keeps),
        CASE(test_listener_errors),
        CASE(test_refuse),
        CASE(test_refuse_without_memory),
    };
    return cmocka_run_group_tests(tests, pki_setup, NULL);
}
