/* SPDX-License-Identifier: Apache-2.0
 *
 * The program haidang-agent as it is installed, against a scripted correlator: exit
 * codes, standard input, syslog, status, and SIGKILL at any moment.
 */
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <haidang/fs.h>
#include <haidang/num.h>

#include "tests/support/certs.h"
#include "tests/unit/collector/fake_correlator.h"

#define LINES_MAX 200000U

struct fixture {
    uv_loop_t loop;
    uv_timer_t guard;
    bool is_late;
    struct fake_correlator fc;
    uv_process_t process;
    bool is_running;
    int64_t exit_code;
    int signal;
    int input[2];              /* standard input of the agent: pipe */
    const char *state;         /* state_dir */
    char dir[80], config[100]; /* short: a Unix socket is in it */
    uint8_t *seen;             /* per number at the end of a line: how often it came */
    size_t lines;
    char last[256], last_peer[64], last_kind[32];
};

static const char *pki;

static int make_pki(void **state)
{
    (void)state;
    pki = hd_test_pki();
    return 0;
}

/* Lines end in " N". */
static void on_line(void *ctx, const struct hd_batch_record *record,
                    const struct hd_batch_source *source)
{
    struct fixture *f = ctx;
    uint64_t n;
    size_t at = record->line.len;
    while (at > 0 && hd_is_digit(record->line.ptr[at - 1])) {
        at--;
    }
    if (hd_num_u64(hd_slice_from(record->line, at), LINES_MAX - 1, &n) == HD_OK) {
        f->seen[n]++;
    }
    f->lines++;
    (void)snprintf(f->last, sizeof(f->last), "%.*s", HD_SLICE_FMT(record->line));
    (void)snprintf(f->last_peer, sizeof(f->last_peer), "%.*s",
                   HD_SLICE_FMT(source->peer));
    (void)snprintf(f->last_kind, sizeof(f->last_kind), "%.*s",
                   HD_SLICE_FMT(source->kind));
}

static void write_config(struct fixture *f, const char *sources)
{
    char text[4096];
    int n =
        snprintf(text, sizeof(text),
                 "agent: web1\n"
                 "state_dir: %s\n"
                 "status: unix:%s/agent.sock\n"
                 "batch_time: 20ms\n"
                 "spool_segment: 1MiB\n"
                 "uplink:\n"
                 "  correlators: [\"127.0.0.1:%u\"]\n"
                 "  retry_first: 20ms\n"
                 "  retry_max: 100ms\n"
                 "  tls: {cert: %s, key: %s, ca: %s}\n"
                 "sources:\n%s",
                 f->state, f->dir, (unsigned)f->fc.port, hd_test_path(pki, "client.crt"),
                 hd_test_path(pki, "client.key"), hd_test_path(pki, "ca.crt"), sources);
    (void)snprintf(f->config, sizeof(f->config), "%s/agent.yml", f->dir);
    assert_int_equal(hd_fs_write_atomic(f->config, hd_slice(text, (size_t)n), 0600),
                     HD_OK);
}

static struct fixture *setup(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->seen = calloc(LINES_MAX, 1);
    assert_non_null(f->seen);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(uv_timer_init(&f->loop, &f->guard), 0);
    (void)snprintf(f->dir, sizeof(f->dir), "%s", hd_test_tmpdir());
    f->state = "state";
    fake_correlator_open(&f->fc, &f->loop, pki, 0);
    f->fc.line = on_line;
    f->fc.ctx = f;
    return f;
}

static void on_exit_cb(uv_process_t *process, int64_t exit_code, int term_signal)
{
    struct fixture *f = process->data;
    f->is_running = false;
    f->exit_code = exit_code;
    f->signal = term_signal;
    uv_close((uv_handle_t *)process, NULL);
}

static void start(struct fixture *f)
{
    char program[512];
    const char *build = getenv("HD_BUILD_DIR");
    (void)snprintf(program, sizeof(program), "%s/collector/haidang-agent",
                   build == NULL ? "build/dev" : build);
    char *args[] = {program, (char *)(uintptr_t) "--config", f->config, NULL};
    assert_int_equal(pipe2(f->input, O_CLOEXEC), 0);
    uv_stdio_container_t stdio[] = {
        {.flags = UV_INHERIT_FD, .data.fd = f->input[0]},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
    };
    const uv_process_options_t options = {.exit_cb = on_exit_cb,
                                          .file = program,
                                          .args = args,
                                          .stdio = stdio,
                                          .stdio_count = 3};
    f->process.data = f;
    assert_int_equal(uv_spawn(&f->loop, &f->process, &options), 0);
    f->is_running = true;
    assert_int_equal(close(f->input[0]), 0);
}

static void on_guard(uv_timer_t *timer)
{
    ((struct fixture *)timer->data)->is_late = true;
}

static void guard(struct fixture *f, uint64_t ms)
{
    f->is_late = false;
    f->guard.data = f;
    uv_update_time(&f->loop);
    (void)uv_timer_start(&f->guard, on_guard, ms, 0);
}

#define WAIT(f, condition)                                                               \
    do {                                                                                 \
        guard((f), 120000);                                                              \
        while (!(condition) && !(f)->is_late) {                                          \
            (void)uv_run(&(f)->loop, UV_RUN_ONCE);                                       \
        }                                                                                \
        (void)uv_timer_stop(&(f)->guard);                                                \
        assert_true(condition);                                                          \
    } while (0)

static void stop(struct fixture *f, int signal)
{
    if (f->is_running) {
        assert_int_equal(uv_process_kill(&f->process, signal), 0);
        WAIT(f, !f->is_running);
    }
    (void)close(f->input[1]);
}

static void teardown(struct fixture *f)
{
    fake_correlator_close(&f->fc);
    uv_close((uv_handle_t *)&f->guard, NULL);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f->seen);
    free(f);
}

static void expect_exit(struct fixture *f, int code)
{
    start(f);
    WAIT(f, !f->is_running);
    (void)close(f->input[1]);
    assert_int_equal(f->exit_code, code);
}

/* A free port: bound, asked for, let go. */
static uint16_t free_port(int type)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, type, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(close(fd), 0);
    return ntohs(at.sin_port);
}

static int connect_to(int type, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* ---- tests ---- */

static void test_exit_codes(void **state)
{
    (void)state;
    struct fixture *f = setup();
    write_config(f, "  - {kind: stdin, colour: red}\n");
    expect_exit(f, HD_EXIT_CONFIG);
    write_config(f, "  - {kind: file}\n");
    expect_exit(f, HD_EXIT_CONFIG);
    write_config(f, "  - {kind: syslog-tcp, listen: \"192.0.2.1:514\"}\n");
    expect_exit(f, HD_EXIT_BIND);
    char sources[256];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(sources, sizeof(sources),
                   "  - {kind: syslog-udp, listen: \"127.0.0.1:%u\"}\n",
                   (unsigned)ntohs(at.sin_port));
    write_config(f, sources);
    expect_exit(f, HD_EXIT_BIND);
    assert_int_equal(close(fd), 0);
    (void)snprintf(sources, sizeof(sources),
                   "  - {kind: syslog-tls, listen: \"127.0.0.1:0\", tls: {cert: %s, key: "
                   "%s, ca: %s}}\n",
                   hd_test_path(pki, "expired.crt"), hd_test_path(pki, "expired.key"),
                   hd_test_path(pki, "ca.crt"));
    write_config(f, sources);
    expect_exit(f, HD_EXIT_CERT);
    f->state = "agent.yml"; /* a file, not a directory */
    write_config(f, "  - {kind: stdin}\n");
    expect_exit(f, HD_EXIT_STORE);
    teardown(f);
}

static void test_stdin_to_the_end(void **state)
{
    (void)state;
    struct fixture *f = setup();
    write_config(f, "  - {kind: stdin, exit_at_eof: true}\n");
    start(f);
    say(f->input[1], "first 1\n\nthird 3\nlast without end 4");
    assert_int_equal(close(f->input[1]), 0);
    WAIT(f, !f->is_running);
    assert_int_equal(f->exit_code, 0);
    assert_int_equal(f->lines, 4);
    assert_string_equal(f->last, "last without end 4");
    assert_string_equal(f->last_kind, "stdin");
    teardown(f);
}

static void read_status(struct fixture *f, const char *path, char *out, size_t cap)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char request[128];
    size_t len = 0;
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/agent.sock", f->dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    say(fd, request);
    ssize_t n;
    while (len + 1 < cap && (n = read(fd, out + len, cap - len - 1)) > 0) {
        len += (size_t)n;
    }
    out[len] = '\0';
    assert_int_equal(close(fd), 0);
}

static void test_syslog_and_status(void **state)
{
    (void)state;
    struct fixture *f = setup();
    char sources[512], status[16384];
    uint16_t tcp = free_port(SOCK_STREAM);
    uint16_t udp = free_port(SOCK_DGRAM);
    (void)snprintf(sources, sizeof(sources),
                   "  - {kind: syslog-tcp, name: lan, listen: \"127.0.0.1:%u\"}\n"
                   "  - {kind: syslog-udp, listen: \"127.0.0.1:%u\"}\n",
                   (unsigned)tcp, (unsigned)udp);
    write_config(f, sources);
    start(f);
    WAIT(f, f->fc.hellos == 1); /* then its listeners are open, too */
    int fd = connect_to(SOCK_STREAM, tcp);
    say(fd, "<13>a 1\n11 <13>b\nc 222<13>d 3");
    WAIT(f, f->lines == 2);
    assert_string_equal(f->last, "<13>b\nc 222");
    assert_string_equal(f->last_peer, "127.0.0.1");
    assert_int_equal(close(fd), 0);
    WAIT(f, f->lines == 3);
    assert_string_equal(f->last, "<13>d 3");
    fd = connect_to(SOCK_DGRAM, udp);
    say(fd, "<13>e 4\n");
    WAIT(f, f->lines == 4);
    assert_string_equal(f->last, "<13>e 4");
    assert_string_equal(f->last_kind, "syslog-udp");
    assert_int_equal(close(fd), 0);
    read_status(f, "/status", status, sizeof(status));
    assert_non_null(strstr(status, "\"program\":\"haidang-agent\""));
    assert_non_null(strstr(status, "\"state\":\"degraded\",\"problems\":[\"the "
                                   "certificate expires in"));
    assert_non_null(strstr(status, "\"state\":\"connected\""));
    assert_non_null(
        strstr(status, "{\"kind\":\"syslog-tcp\",\"name\":\"lan\",\"lines\":3"));
    read_status(f, "/metrics", status, sizeof(status));
    assert_non_null(strstr(status, "haidang_agent_lines_total 4\n"));
    assert_int_equal(uv_process_kill(&f->process, SIGHUP), 0);
    stop(f, SIGTERM);
    assert_int_equal(f->exit_code, 0);
    assert_int_equal(f->fc.byes, 1);
    teardown(f);
}

static void append(struct fixture *f, const char *name, size_t from, size_t n)
{
    char path[512];
    char line[64];
    (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    FILE *file = fopen(path, "ae");
    assert_non_null(file);
    for (size_t i = from; i < from + n; i++) {
        (void)snprintf(line, sizeof(line), "a line of %s %zu\n", name, i);
        assert_true(fputs(line, file) >= 0);
    }
    assert_int_equal(fclose(file), 0);
}

/* Lines are written, files rotated, the agent killed at any moment, connections cut: in
 * the end each line was taken exactly once. */
static void test_sigkill(void **state)
{
    (void)state;
    struct fixture *f = setup();
    size_t written = 0;
    char sources[512];
    (void)snprintf(sources, sizeof(sources),
                   "  - {kind: file, start: begin, paths: [\"%s/*.log\"]}\n", f->dir);
    write_config(f, sources);
    start(f);
    for (unsigned round = 0; round < 60; round++) {
        for (int i = 0; i < 10; i++) {
            append(f, round % 2 ? "a.log" : "b.log", written, 200);
            written += 200;
            guard(f, 5);
            while (!f->is_late) {
                (void)uv_run(&f->loop, UV_RUN_ONCE);
            }
        }
        if (round % 7 == 3) {
            char from[512], to[512];
            (void)snprintf(from, sizeof(from), "%s/a.log", f->dir);
            (void)snprintf(to, sizeof(to), "%s/a.log.%u", f->dir, round);
            assert_int_equal(rename(from, to), 0);
        }
        if (round % 5 == 2) {
            fake_correlator_cut(&f->fc);
        }
        if (round % 6 == 5) {
            stop(f, SIGKILL);
            assert_int_equal(f->signal, SIGKILL);
            if (round % 12 == 5) {
                append(f, "a.log", written, 100);
                written += 100;
            }
            start(f);
        }
    }
    WAIT(f, f->lines >= written);
    stop(f, SIGTERM);
    for (size_t i = 0; i < written; i++) {
        if (f->seen[i] != 1) {
            fail_msg("line %zu came %u times", i, (unsigned)f->seen[i]);
        }
    }
    assert_int_equal(f->lines, written);
    assert_int_equal(f->fc.gaps, 0);
    teardown(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_stdin_to_the_end),
        cmocka_unit_test(test_syslog_and_status),
        cmocka_unit_test(test_sigkill),
    };
    return cmocka_run_group_tests(tests, make_pki, NULL);
}
