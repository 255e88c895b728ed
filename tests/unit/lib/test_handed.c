/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets that were handed over, as systemd would: each case runs in a process of its own
 * that has them from descriptor 3 on.
 */
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <haidang/handed.h>
#include <haidang/metrics.h>
#include <haidang/stream.h>

/* ---- a child that is handed sockets ---- */

/* A failed assertion in it would go on with the parent's tests, so it says with its code
 * how it went. */
static void check_in_child(void (*body)(void))
{
    int status = 0;
    (void)fflush(stdout);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void expect(bool is_good, const char *what)
{
    if (!is_good) {
        (void)fprintf(stderr, "in the child: %s\n", what);
        _exit(1);
    }
}

#define EXPECT(condition) expect((condition), #condition)

static void put_at(int fd, int at)
{
    EXPECT(fd >= 0);
    EXPECT(dup2(fd, at) == at);
    if (fd != at) {
        EXPECT(close(fd) == 0);
    }
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

/* Binds a socket of the type to a free port and puts it where it belongs. */
static uint16_t make(int type, int at)
{
    struct sockaddr_in addr = loopback(0);
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, type, 0);
    EXPECT(bind(fd, (struct sockaddr *)&addr, len) == 0);
    EXPECT(type != SOCK_STREAM || listen(fd, 5) == 0);
    EXPECT(getsockname(fd, (struct sockaddr *)&addr, &len) == 0);
    put_at(fd, at);
    return ntohs(addr.sin_port);
}

static void announce(const char *fds, const char *names)
{
    char pid[16];
    (void)snprintf(pid, sizeof(pid), "%d", getpid());
    EXPECT(setenv("LISTEN_PID", pid, 1) == 0 && setenv("LISTEN_FDS", fds, 1) == 0);
    EXPECT(setenv("LISTEN_FDNAMES", names, 1) == 0);
}

static const struct sockaddr *at(const struct sockaddr_in *addr)
{
    return (const struct sockaddr *)addr;
}

/* ---- cases ---- */

static void claims(void)
{
    char why[256];
    struct hd_buf left;
    char text[128];
    struct sockaddr_in tcp = loopback(make(SOCK_STREAM, 3));
    struct sockaddr_in udp = loopback(make(SOCK_DGRAM, 4));
    announce("2", "agents:syslog");
    EXPECT(hd_handed_take(why) == HD_OK);
    EXPECT(getenv("LISTEN_PID") == NULL && getenv("LISTEN_FDS") == NULL &&
           getenv("LISTEN_FDNAMES") == NULL);
    EXPECT(hd_handed_has(SOCK_STREAM, at(&tcp)) && !hd_handed_has(SOCK_DGRAM, at(&tcp)));
    EXPECT(hd_handed_claim(SOCK_STREAM, at(&udp)) == -1);
    EXPECT(hd_handed_claim(SOCK_STREAM, at(&tcp)) == 3);
    EXPECT(hd_handed_claim(SOCK_STREAM, at(&tcp)) == -1); /* one owner */
    EXPECT((fcntl(3, F_GETFL) & O_NONBLOCK) != 0);
    EXPECT((fcntl(3, F_GETFD) & FD_CLOEXEC) != 0);

    hd_buf_init(&left, 0);
    EXPECT(hd_handed_left(&left));
    (void)snprintf(text, sizeof(text), "descriptor 4 (syslog), udp 127.0.0.1:%u",
                   ntohs(udp.sin_port));
    EXPECT(hd_slice_eq(hd_buf_slice(&left), hd_slice_str(text)));
    hd_buf_fini(&left);
    hd_handed_drop();
    EXPECT(!hd_handed_left(&left));
    EXPECT(fcntl(4, F_GETFL) == -1 && fcntl(3, F_GETFL) != -1);
}

static void wildcards(void)
{
    char why[256];
    struct sockaddr_in any_v4 = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(bind(fd, at(&any_v4), sizeof(any_v4)) == 0 && listen(fd, 5) == 0);
    socklen_t len = sizeof(any_v4);
    EXPECT(getsockname(fd, (struct sockaddr *)&any_v4, &len) == 0);
    put_at(fd, 3);
    announce("1", "x");
    EXPECT(hd_handed_take(why) == HD_OK);

    /* ":port" asks for all addresses, and gets those there are */
    uv_loop_t loop;
    char address[16];
    struct hd_listener *listener = NULL;
    (void)snprintf(address, sizeof(address), ":%u", ntohs(any_v4.sin_port));
    EXPECT(uv_loop_init(&loop) == 0);
    const struct hd_listener_opts opts = {.address = address};
    EXPECT(hd_listener_open(&loop, &opts, &listener, why) == HD_OK);
    EXPECT(hd_listener_port(listener) == ntohs(any_v4.sin_port));
    EXPECT(!hd_handed_has(SOCK_STREAM, at(&any_v4)));
    hd_listener_close(listener);
    EXPECT(uv_run(&loop, UV_RUN_DEFAULT) == 0 && uv_loop_close(&loop) == 0);
}

static void never(void *ctx, struct hd_listener *listener, uv_stream_t *server)
{
    (void)ctx;
    (void)listener;
    hd_listener_refuse(server);
}

/* Who connects while nobody runs waits, and is served by the next one. */
static void outlives(void)
{
    char why[256], address[32];
    uint16_t port = make(SOCK_STREAM, 100);
    struct sockaddr_in addr = loopback(port);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    for (int round = 0; round < 2; round++) {
        uv_loop_t loop;
        struct hd_listener *listener = NULL;
        int client = fcntl(100, F_DUPFD, 101); /* a number that is out of the way */
        put_at(socket(AF_INET, SOCK_STREAM, 0), client);
        EXPECT(connect(client, at(&addr), sizeof(addr)) == 0); /* nobody accepts yet */
        put_at(dup(100), 3);
        announce("1", "x");
        EXPECT(hd_handed_take(why) == HD_OK);
        EXPECT(uv_loop_init(&loop) == 0);
        const struct hd_listener_opts opts = {.address = address, .on_connection = never};
        EXPECT(hd_listener_open(&loop, &opts, &listener, why) == HD_OK);
        char byte;
        EXPECT(uv_run(&loop, UV_RUN_ONCE) != 0);
        EXPECT(recv(client, &byte, 1, 0) == 0); /* accepted, and closed */
        hd_listener_close(listener);
        EXPECT(uv_run(&loop, UV_RUN_DEFAULT) == 0 && uv_loop_close(&loop) == 0);
        EXPECT(close(client) == 0);
        hd_handed_drop();
    }
}

static const char *dir;

static void serves_status(void)
{
    char why[256], listen_at[300];
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", dir);
    EXPECT(n > 0 && (size_t)n < sizeof(addr.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0);
    EXPECT(listen(fd, 5) == 0);
    put_at(fd, 3);
    announce("1", "x");
    EXPECT(hd_handed_take(why) == HD_OK);
    uv_loop_t loop;
    struct hd_metrics_server *server = NULL;
    EXPECT(uv_loop_init(&loop) == 0);
    (void)snprintf(listen_at, sizeof(listen_at), "unix:%s", addr.sun_path);
    const struct hd_metrics_server_opts opts = {.listen = listen_at};
    EXPECT(hd_metrics_serve(&loop, &opts, &server) == HD_OK);
    struct hd_buf left;
    hd_buf_init(&left, 0);
    EXPECT(!hd_handed_left(&left));
    hd_metrics_server_close(server);
    EXPECT(uv_run(&loop, UV_RUN_DEFAULT) == 0 && uv_loop_close(&loop) == 0);
    EXPECT(access(addr.sun_path, F_OK) == 0); /* it is not ours to remove */
}

static void of_another_process(void)
{
    char why[256];
    struct hd_buf left;
    (void)make(SOCK_DGRAM, 3);
    EXPECT(setenv("LISTEN_PID", "1", 1) == 0 && setenv("LISTEN_FDS", "1", 1) == 0);
    EXPECT(hd_handed_take(why) == HD_OK);
    hd_buf_init(&left, 0);
    EXPECT(!hd_handed_left(&left) && getenv("LISTEN_FDS") == NULL);
    EXPECT(fcntl(3, F_GETFL) != -1);
}

static void refuse(const char *fds, const char *text)
{
    char why[256] = "";
    announce(fds, "one");
    EXPECT(hd_handed_take(why) == HD_EINVAL);
    expect(strstr(why, text) != NULL, why);
    hd_handed_drop();
}

static void refusals(void)
{
    refuse("65", "at most 64");
    refuse("x", "at most 64");
    put_at(open("/dev/null", O_RDONLY), 3);
    refuse("1", "descriptor 3 (one), which was handed over, is no socket");
    put_at(socket(AF_INET, SOCK_STREAM, 0), 3);
    refuse("1", "descriptor 3 (one), which was handed over, is a connection");
}

static void test_claims(void **state)
{
    (void)state;
    check_in_child(claims);
}

static void test_wildcards(void **state)
{
    (void)state;
    check_in_child(wildcards);
}

static void test_outlives(void **state)
{
    (void)state;
    check_in_child(outlives);
}

static void test_serves_status(void **state)
{
    (void)state;
    dir = hd_test_tmpdir(); /* of this process, which removes it */
    check_in_child(serves_status);
}

static void test_of_another_process(void **state)
{
    (void)state;
    check_in_child(of_another_process);
}

static void test_refusals(void **state)
{
    (void)state;
    check_in_child(refusals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_outlives),
        cmocka_unit_test(test_serves_status),
        cmocka_unit_test(test_of_another_process),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
