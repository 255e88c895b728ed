/* SPDX-License-Identifier: Apache-2.0
 *
 * The server and its clients share one thread: clients are non-blocking sockets, and the
 * loop is turned while they wait.
 */
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/metrics_http.h"
#include "tests/support/alloc.h"
#include <haidang/fs.h>
#include <haidang/metrics.h>

#define T_METRICS(X)                                                                     \
    X(T_LINES, COUNTER, "t_lines_total", "Lines \\ taken\nso far")                       \
    X(T_UDP, COUNTER, "t_drops_total{kind=\"udp\"}", "Drops")                            \
    X(T_TCP, COUNTER, "t_drops_total{kind=\"tcp\"}", "Drops")                            \
    X(T_DEPTH, GAUGE, "t_depth", "Depth")
HD_METRICS_DECLARE(t_metrics, T_METRICS)
HD_METRICS_DEFINE(t_metrics, T_METRICS)

static uv_loop_t loop;
static unsigned refreshed;

static void counters_and_text(void **state)
{
    (void)state;
    struct hd_buf out;
    hd_buf_init(&out, 0);
    HD_METRIC_ADD(t_metrics, T_LINES, 40);
    HD_METRIC_ADD(t_metrics, T_LINES, 2);
    HD_METRIC_SET(t_metrics, T_DEPTH, 7);
    hd_metric_max(&t_metrics[T_DEPTH], 5);
    hd_metric_max(&t_metrics[T_DEPTH], 9);
    assert_int_equal(HD_METRIC_GET(t_metrics, T_DEPTH), 9);
    hd_metrics_format(&out, t_metrics, t_metrics_count);
    assert_string_equal(hd_buf_cstr(&out),
                        "# HELP t_lines_total Lines \\\\ taken\\nso far\n"
                        "# TYPE t_lines_total counter\nt_lines_total 42\n"
                        "# HELP t_drops_total Drops\n# TYPE t_drops_total counter\n"
                        "t_drops_total{kind=\"udp\"} 0\nt_drops_total{kind=\"tcp\"} 0\n"
                        "# HELP t_depth Depth\n# TYPE t_depth gauge\nt_depth 9\n");
    hd_buf_fini(&out);
}

static void requests_at_every_cut(void **state)
{
    (void)state;
    static const char whole[] = "GET /status?x=1 HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
    struct hd_http_request r;
    for (size_t len = 0; len < strlen(whole); len++) {
        assert_int_equal(hd_http_parse(hd_slice(whole, len), &r), HD_PARSE_MORE);
    }
    assert_int_equal(hd_http_parse(hd_slice_str(whole), &r), HD_PARSE_OK);
    assert_true(hd_slice_eq(r.method, HD_SLICE("GET")));
    assert_true(hd_slice_eq(r.path, HD_SLICE("/status")));
    static const char *const bad[] = {
        "\x16\x03\x01",          "get / HTTP/1.1\r\n", "GET  / HTTP/1.1\r\n", "GET /\r\n",
        "GET / HTTP/2.0\r\n",    "GET x HTTP/1.1\r\n", "GET / HTTP/1.1 \r\n", "\r\n",
        "GET /\x80 HTTP/1.1\r\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(hd_http_parse(hd_slice_str(bad[i]), &r), HD_PARSE_BAD);
    }
    assert_int_equal(hd_http_parse(HD_SLICE("GET / HTTP/1.0\n\n"), &r), HD_PARSE_OK);
}

static void refresh(void *ctx)
{
    (void)ctx;
    refreshed++;
}

static void status(void *ctx, struct hd_buf *out)
{
    hd_buf_str(out, ctx);
}

static void more(void *ctx, struct hd_buf *out)
{
    (void)ctx;
    hd_buf_str(out, "[1]");
}

static const struct hd_metrics_page pages[] = {{"/rules", more}, {0}};

static struct hd_metrics_server *serve(const char *listen, uint64_t deadline_ms)
{
    struct hd_metrics_server *server = NULL;
    const struct hd_metrics_server_opts opts = {
        .listen = listen,
        .table = t_metrics,
        .table_len = t_metrics_count,
        .refresh = refresh,
        .status = status,
        .pages = pages,
        .ctx = "{\"program\":\"t\"}",
        .deadline_ms = deadline_ms,
    };
    assert_int_equal(hd_metrics_serve(&loop, &opts, &server), HD_OK);
    return server;
}

static const char *unix_path(void)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "unix:%s/x.sock", hd_test_tmpdir());
    return path;
}

static struct sockaddr_un address_of(const char *listen)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const char *path = listen + strlen("unix:");
    assert_true(strlen(path) < sizeof(at.sun_path));
    memcpy(at.sun_path, path, strlen(path));
    return at;
}

static int connect_unix(const char *listen)
{
    struct sockaddr_un at = address_of(listen);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void turn(void)
{
    (void)uv_run(&loop, UV_RUN_NOWAIT);
}

/* What arrives until the server ends the connection. */
static const char *read_all(int fd)
{
    static char text[1 << 16];
    size_t len = 0;
    for (;;) {
        turn();
        ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);
        if (n > 0) {
            len += (size_t)n;
        } else if (n == 0 || errno != EAGAIN) {
            text[len] = '\0';
            (void)close(fd);
            return text;
        } else {
            struct pollfd p = {.fd = fd, .events = POLLIN};
            (void)poll(&p, 1, 5);
        }
    }
}

static const char *ask(int fd, const char *request)
{
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    return read_all(fd);
}

static void close_server(struct hd_metrics_server *server)
{
    hd_metrics_server_close(server);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
}

static void answers_on_a_unix_socket(void **state)
{
    (void)state;
    struct stat st;
    const char *listen = unix_path();
    struct hd_metrics_server *server = serve(listen, 0);
    assert_int_equal(stat(listen + 5, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    refreshed = 0;
    const char *answer =
        ask(connect_unix(listen), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_ptr_equal(strstr(answer, "HTTP/1.1 200 OK\r\n"), answer);
    assert_non_null(strstr(answer, "text/plain; version=0.0.4"));
    assert_non_null(strstr(answer, "\r\n\r\n# HELP t_lines_total"));
    assert_int_equal(refreshed, 1);
    answer = ask(connect_unix(listen), "GET /status HTTP/1.1\r\n\r\n");
    assert_non_null(strstr(answer, "Content-Length: 15\r\n"));
    assert_non_null(strstr(answer, "\r\n\r\n{\"program\":\"t\"}"));
    answer = ask(connect_unix(listen), "GET /rules HTTP/1.1\r\n\r\n");
    assert_non_null(strstr(answer, "application/json"));
    assert_non_null(strstr(answer, "\r\n\r\n[1]"));
    close_server(server);
    assert_int_equal(stat(listen + 5, &st), -1);
}

static void refuses(void **state)
{
    (void)state;
    const char *listen = unix_path();
    struct hd_metrics_server *server = serve(listen, 0);
    static char flood[9000];
    memset(flood, 'A', sizeof(flood) - 1);
    static const struct {
        const char *request, *answer;
    } cases[] = {
        {"POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "},
        {"GET /other HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "},
        {"\x16\x03\x01\x02\x00\x01", "HTTP/1.1 400 "},
        {"GET / HTTP/9.9\r\n\r\n", "HTTP/1.1 400 "},
        {flood, "HTTP/1.1 431 "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *answer = ask(connect_unix(listen), cases[i].request);
        assert_ptr_equal(strstr(answer, cases[i].answer), answer);
    }
    close_server(server);
}

static void answers_one_byte_at_a_time(void **state)
{
    (void)state;
    const char *listen = unix_path();
    struct hd_metrics_server *server = serve(listen, 0);
    static const char request[] = "GET /status HTTP/1.1\r\nA: b\r\n\r\n";
    int fd = connect_unix(listen);
    for (size_t i = 0; i + 1 < sizeof(request); i++) {
        assert_int_equal(write(fd, &request[i], 1), 1);
        turn();
    }
    assert_non_null(strstr(read_all(fd), "{\"program\":\"t\"}"));
    close_server(server);
}

static void silent_clients_are_dropped(void **state)
{
    (void)state;
    const char *listen = unix_path();
    struct hd_metrics_server *server = serve(listen, 30);
    int silent = connect_unix(listen);
    int half = connect_unix(listen);
    assert_int_equal(write(half, "GET /me", 7), 7);
    assert_string_equal(read_all(silent), "");
    assert_string_equal(read_all(half), "");
    close_server(server);
}

static void a_crowd_does_not_block(void **state)
{
    (void)state;
    const char *listen = unix_path();
    struct hd_metrics_server *server = serve(listen, 60000);
    int fd[40];
    for (size_t i = 0; i < 40; i++) {
        fd[i] = connect_unix(listen);
        turn();
        turn();
    }
    const char *answer = ask(connect_unix(listen), "GET /status HTTP/1.1\r\n\r\n");
    assert_non_null(strstr(answer, "{\"program\":\"t\"}"));
    for (size_t i = 0; i < 40; i++) {
        (void)close(fd[i]);
    }
    close_server(server);
}

static void serves_tcp_on_loopback_only(void **state)
{
    (void)state;
    struct hd_metrics_server *server = serve("127.0.0.1:0", 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(hd_metrics_server_port(server)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    assert_non_null(strstr(ask(fd, "GET /metrics HTTP/1.1\r\n\r\n"), "t_depth"));
    close_server(server);

    static const struct {
        const char *listen;
        int err;
    } cases[] = {{"0.0.0.0:0", HD_EACCES},   {":0", HD_EACCES},
                 {"192.0.2.1:0", HD_EACCES}, {"[::]:0", HD_EACCES},
                 {"host:0", HD_EACCES},      {"127.0.0.1", HD_EPARSE},
                 {"unix:", HD_EPARSE},       {"", HD_EPARSE}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hd_metrics_server_opts opts = {.listen = cases[i].listen};
        assert_int_equal(hd_metrics_serve(&loop, &opts, &server), cases[i].err);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
    }
}

static void stale_sockets_are_replaced(void **state)
{
    (void)state;
    const char *listen = unix_path();
    struct sockaddr_un at = address_of(listen);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    (void)close(fd);
    struct hd_metrics_server *server = serve(listen, 0);
    struct hd_metrics_server *second = NULL;
    struct hd_metrics_server_opts opts = {.listen = listen};
    assert_int_equal(hd_metrics_serve(&loop, &opts, &second), HD_EBUSY);
    close_server(server);
    assert_int_equal(hd_fs_write_atomic(listen + 5, HD_SLICE("precious"), 0600), HD_OK);
    assert_int_equal(hd_metrics_serve(&loop, &opts, &second), HD_EEXIST);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
}

static void closes_in_every_state(void **state)
{
    (void)state;
    static const char request[] = "GET /metrics HTTP/1.1\r\n\r\n";
    for (size_t turns = 0; turns < 6; turns++) {
        const char *listen = unix_path();
        struct hd_metrics_server *server = serve(listen, 0);
        int idle = connect_unix(listen);
        int asks = connect_unix(listen);
        assert_int_equal(write(asks, request, strlen(request)), strlen(request));
        for (size_t i = 0; i < turns; i++) {
            turn();
        }
        close_server(server);
        (void)close(idle);
        (void)close(asks);
    }
}

static void out_of_memory(void **state)
{
    (void)state;
    const char *listen = unix_path();
    struct hd_metrics_server *server = serve(listen, 0);
    static const char request[] = "GET /metrics HTTP/1.1\r\n\r\n";
    for (unsigned n = 1; n < 12; n++) {
        int fd = connect_unix(listen);
        assert_int_equal(write(fd, request, strlen(request)), strlen(request));
        hd_test_alloc_fail_at(n);
        turn();
        turn();
        hd_test_alloc_stop();
        (void)read_all(fd);
    }
    assert_non_null(strstr(ask(connect_unix(listen), request), "t_depth"));
    close_server(server);
}

static int setup(void **state)
{
    (void)state;
    return uv_loop_init(&loop);
}

static int teardown(void **state)
{
    (void)state;
    return uv_loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_text),
        cmocka_unit_test(requests_at_every_cut),
        cmocka_unit_test(answers_on_a_unix_socket),
        cmocka_unit_test(refuses),
        cmocka_unit_test(answers_one_byte_at_a_time),
        cmocka_unit_test(silent_clients_are_dropped),
        cmocka_unit_test(a_crowd_does_not_block),
        cmocka_unit_test(serves_tcp_on_loopback_only),
        cmocka_unit_test(stale_sockets_are_replaced),
        cmocka_unit_test(closes_in_every_state),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
