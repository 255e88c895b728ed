/* SPDX-License-Identifier: Apache-2.0
 *
 * All sources as one thing. They close each in its own time, and what they counted can be
 * asked for until the last has closed: a heartbeat may fall into that time.
 */
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/source/sources.h"
#include "tests/unit/collector/fake_sink.h"

#define SENDERS 5

struct fixture {
    struct fake_env fe;
    struct col_conf conf;
    struct col_conf_source list[4];
    char tcp[32], other[32], udp[32], pattern[512];
    char *paths[1];
    struct col_sources *sources;
    uint16_t tcp_port, udp_port;
    bool is_closed;
};

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

static int dial(int type, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

static void set_conf(struct fixture *f)
{
    f->tcp_port = free_port(SOCK_STREAM);
    f->udp_port = free_port(SOCK_DGRAM);
    (void)snprintf(f->tcp, sizeof(f->tcp), "127.0.0.1:%u", (unsigned)f->tcp_port);
    (void)snprintf(f->udp, sizeof(f->udp), "127.0.0.1:%u", (unsigned)f->udp_port);
    (void)snprintf(f->pattern, sizeof(f->pattern), "%s/*.log", hd_test_tmpdir());
    f->paths[0] = f->pattern;
    f->list[0] = fake_conf(COL_KIND_FILE);
    f->list[0].paths = f->paths;
    f->list[0].n_paths = 1;
    f->list[1] = fake_conf(COL_KIND_SYSLOG_UDP);
    f->list[1].listen = f->udp;
    f->list[2] = fake_conf(COL_KIND_SYSLOG_TCP);
    f->list[2].listen = f->tcp;
    f->conf = (struct col_conf){.sources = f->list, .n_sources = 3};
}

static void on_closed(void *ctx)
{
    ((struct fixture *)ctx)->is_closed = true;
}

static uint64_t lines_of(const struct fixture *f)
{
    struct col_source_stats stats;
    col_sources_stats(f->sources, &stats);
    return stats.lines;
}

static void test_counts_are_kept_while_closing(void **state)
{
    (void)state;
    struct fixture f = {0};
    char why[256] = "";
    int fd[SENDERS];
    fake_env_init(&f.fe);
    set_conf(&f);
    assert_int_equal(col_sources_open(&f.fe.env, &f.conf, &f.sources, why), HD_OK);
    for (size_t i = 0; i < SENDERS; i++) {
        fd[i] = dial(SOCK_STREAM, f.tcp_port);
        say(fd[i], "<13>over tcp\n");
    }
    int udp = dial(SOCK_DGRAM, f.udp_port);
    say(udp, "<13>over udp\n");
    fake_env_wait(&f.fe, SENDERS + 1);
    assert_int_equal(lines_of(&f), SENDERS + 1);
    unsigned turns = 0;
    col_sources_close(f.sources, on_closed, &f);
    while (!f.is_closed) {
        assert_int_equal(lines_of(&f), SENDERS + 1);
        (void)uv_run(&f.fe.loop, UV_RUN_NOWAIT);
        turns++;
    }
    assert_true(turns > 1); /* some had closed while others had not */
    for (size_t i = 0; i < SENDERS; i++) {
        assert_int_equal(close(fd[i]), 0);
    }
    assert_int_equal(close(udp), 0);
    fake_env_fini(&f.fe);
}

static const char *state_of(const struct fixture *f, const char *kind)
{
    static char state[32];
    struct hd_buf text;
    hd_buf_init(&text, 0);
    struct hd_json json = hd_json(&text);
    col_sources_status(f->sources, &json);
    const char *at = strstr(hd_buf_cstr(&text), kind);
    at = at == NULL ? NULL : strstr(at, "\"state\":\"");
    assert_non_null(at);
    at += strlen("\"state\":\"");
    (void)snprintf(state, sizeof(state), "%.*s", (int)strcspn(at, "\""), at);
    hd_buf_fini(&text);
    return state;
}

static void run_turns(struct fixture *f)
{
    for (unsigned i = 0; i < 20; i++) {
        (void)uv_run(&f->fe.loop, UV_RUN_NOWAIT);
    }
}

static void expect_states(struct fixture *f, const char *of_udp, const char *of_tcp)
{
    run_turns(f);
    assert_string_equal(state_of(f, "syslog-udp"), of_udp);
    assert_string_equal(state_of(f, "syslog-tcp"), of_tcp);
}

static void test_streams_are_held_alone(void **state)
{
    (void)state;
    struct fixture f = {0};
    char why[256] = "";
    fake_env_init(&f.fe);
    set_conf(&f);
    assert_int_equal(col_sources_open(&f.fe.env, &f.conf, &f.sources, why), HD_OK);
    expect_states(&f, "open", "open");
    col_sources_hold(f.sources);
    expect_states(&f, "open", "paused");
    col_sources_pause(f.sources);
    expect_states(&f, "paused", "paused");
    col_sources_resume(f.sources); /* they are held still */
    expect_states(&f, "open", "paused");
    col_sources_pause(f.sources);
    col_sources_release(f.sources); /* the pause is not over */
    expect_states(&f, "paused", "paused");
    col_sources_resume(f.sources);
    expect_states(&f, "open", "open");
    col_sources_close(f.sources, on_closed, &f);
    while (!f.is_closed) {
        (void)uv_run(&f.fe.loop, UV_RUN_ONCE);
    }
    fake_env_fini(&f.fe);
}

/* A flood of one listener must not cost the other its turns, whatever is read meanwhile.
 */
static void test_a_turn_that_is_cut_short_comes_again(void **state)
{
    (void)state;
    struct fixture f = {0};
    char why[256] = "";
    fake_env_init(&f.fe);
    set_conf(&f);
    (void)snprintf(f.other, sizeof(f.other), "127.0.0.1:%u",
                   (unsigned)free_port(SOCK_STREAM));
    f.list[3] = fake_conf(COL_KIND_SYSLOG_TCP);
    f.list[3].listen = f.other;
    f.conf.n_sources = 4;
    assert_int_equal(col_sources_open(&f.fe.env, &f.conf, &f.sources, why), HD_OK);
    col_sources_hold(f.sources);
    col_sources_release(f.sources);
    assert_string_equal(state_of(&f, f.tcp), "open");
    assert_string_equal(state_of(&f, f.other), "paused");
    for (unsigned i = 0; i < 20 && strcmp(state_of(&f, f.other), "open") != 0; i++) {
        (void)uv_run(&f.fe.loop, UV_RUN_NOWAIT);
    }
    assert_string_equal(state_of(&f, f.other), "open");
    col_sources_hold(f.sources); /* amid its turn */
    col_sources_pause(f.sources);
    col_sources_resume(f.sources);
    run_turns(&f); /* of those that are no streams */
    assert_string_equal(state_of(&f, f.other), "paused");
    col_sources_release(f.sources);
    assert_string_equal(state_of(&f, f.other), "open");
    assert_string_equal(state_of(&f, f.tcp), "paused");
    run_turns(&f);
    assert_string_equal(state_of(&f, f.tcp), "open");
    f.is_closed = false;
    col_sources_close(f.sources, on_closed, &f);
    while (!f.is_closed) {
        (void)uv_run(&f.fe.loop, UV_RUN_ONCE);
    }
    fake_env_fini(&f.fe);
}

static void test_what_was_opened_is_closed_on_failure(void **state)
{
    (void)state;
    struct fixture f = {0};
    char why[256] = "";
    fake_env_init(&f.fe);
    set_conf(&f);
    f.list[1].listen = f.tcp; /* as the one after it */
    f.list[1].kind = COL_KIND_SYSLOG_TCP;
    assert_int_equal(col_sources_open(&f.fe.env, &f.conf, &f.sources, why), HD_EBUSY);
    assert_non_null(strstr(why, "source 2 (syslog-tcp)"));
    assert_null(f.sources);
    fake_env_fini(&f.fe); /* says when a handle is still open */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_are_kept_while_closing),
        cmocka_unit_test(test_streams_are_held_alone),
        cmocka_unit_test(test_a_turn_that_is_cut_short_comes_again),
        cmocka_unit_test(test_what_was_opened_is_closed_on_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
