/* SPDX-License-Identifier: Apache-2.0
 *
 * Each case runs the skeleton in a child process, as main() would, and looks at what the
 * child said and with which code it ended.
 */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <haidang/fs.h>
#include <haidang/loop.h>
#include <haidang/main.h>

struct conf {
    struct hd_log_conf log;
    char *behave;
};

static const struct hd_conf_item items[] = {HD_LOG_CONF_ITEM(struct conf, log),
                                            {.key = "behave",
                                             .type = HD_CONF_STRING,
                                             .offset = offsetof(struct conf, behave),
                                             .def = "well",
                                             .help = "What to do."},
                                            {0}};
static const struct hd_conf_schema schema = {items, sizeof(struct conf), NULL};

static struct conf conf;

struct thing {
    struct hd_owner owner;
    uv_timer_t timer;
    bool is_deaf, is_signalled;
};

static int check(const void *ctx, struct hd_diags *diags)
{
    const struct conf *c = ctx;
    if (strcmp(c->behave, "badly") == 0) {
        hd_diag_error(diags, NULL, 0, 0, "bad behaviour");
        return HD_EXIT_CERT;
    }
    if (strcmp(c->behave, "sloppily") == 0) {
        hd_diag_error(diags, NULL, 0, 0, "sloppy behaviour");
    }
    if (strcmp(c->behave, "signalled") == 0) {
        (void)raise(SIGHUP); /* while the configuration is being looked at */
    }
    return HD_EXIT_OK;
}

static void tick(uv_timer_t *timer)
{
    struct thing *t = HD_CONTAINER(timer, struct thing, timer);
    hd_program_fail(HD_EXIT_STORE);
    hd_owner_close(&t->owner, (uv_handle_t *)timer);
}

static void freed(void *ctx)
{
    (void)ctx;
}

static int start(void *ctx, uv_loop_t *loop, const void *given)
{
    struct thing *t = ctx;
    const struct conf *c = given;
    if (strcmp(c->behave, "refuse") == 0) {
        return HD_EXIT_BIND;
    }
    t->is_deaf = strcmp(c->behave, "deaf") == 0;
    t->is_signalled = strcmp(c->behave, "signalled") == 0;
    bool ends = strcmp(c->behave, "fail") == 0;
    hd_owner_init(&t->owner, freed, NULL);
    (void)uv_timer_init(loop, &t->timer);
    hd_owner_add(&t->owner, (uv_handle_t *)&t->timer);
    (void)uv_timer_start(&t->timer, tick, ends ? 0 : 3600 * 1000, 0);
    return HD_EXIT_OK;
}

static void reload(void *ctx)
{
    (void)ctx;
    (void)fputs("reloaded\n", stderr);
}

static void stop(void *ctx)
{
    struct thing *t = ctx;
    (void)fputs("told to stop\n", stderr);
    if (!t->is_deaf) {
        hd_owner_close(&t->owner, (uv_handle_t *)&t->timer);
    }
}

struct child {
    pid_t pid;
    int out;
    char text[8192];
    size_t len;
};

static void child_main(int out, char **argv)
{
    static struct thing thing;
    static const struct hd_program program = {"haidang-x", "a test", "/nonexistent/x.yml",
                                              &schema,     &conf,    &conf.log,
                                              check,       start,    reload,
                                              stop,        &thing};
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(out, STDERR_FILENO);
    int code = hd_program_run(&program, argc, argv);
    if (thing.is_signalled) {
        (void)raise(SIGHUP); /* while main() puts things away */
        (void)raise(SIGTERM);
    }
    (void)fflush(stdout);
    _exit(code);
}

static struct child spawn(const char *a, const char *b, const char *c)
{
    int ends[2];
    struct child child = {0};
    char *argv[] = {"haidang-x", (char *)a, (char *)b, (char *)c, NULL};
    assert_int_equal(pipe(ends), 0);
    (void)fflush(stdout);
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        (void)close(ends[0]);
        child_main(ends[1], argv);
    }
    (void)close(ends[1]);
    child.out = ends[0];
    return child;
}

/* Reads until the child has said `what` (NULL: until it closes its output). */
static void expect(struct child *child, const char *what)
{
    while (what == NULL || strstr(child->text, what) == NULL) {
        ssize_t n = read(child->out, child->text + child->len,
                         sizeof(child->text) - 1 - child->len);
        if (n <= 0) {
            if (what != NULL) {
                print_error("never said \"%s\", but:\n%s", what, child->text);
                fail();
            }
            return;
        }
        child->len += (size_t)n;
        child->text[child->len] = '\0';
    }
}

static int finish(struct child *child)
{
    int status = 0;
    expect(child, NULL);
    (void)close(child->out);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static const char *config(const char *text)
{
    static char path[512];
    (void)snprintf(path, sizeof(path), "%s/x.yml", hd_test_tmpdir());
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(text), 0600), HD_OK);
    return path;
}

static void command_line(void **state)
{
    (void)state;
    static const struct {
        const char *arg, *says;
        int code;
    } cases[] = {
        {"--help", "Usage: haidang-x [--config FILE] [--check]", HD_EXIT_OK},
        {"-h", "a test", HD_EXIT_OK},
        {"--version", "haidang-x 0.", HD_EXIT_OK},
        {"--help-config",
         "| `log.level` | one of `error`, `warn`, `info`, `debug` | `info` |",
         HD_EXIT_OK},
        {"--nonsense", "Try \"haidang-x --help\".", HD_EXIT_USAGE},
        {"stray", "unexpected \"stray\"", HD_EXIT_USAGE},
        {"--config", "Try \"haidang-x --help\".", HD_EXIT_USAGE},
        {NULL, "/nonexistent/x.yml: error: cannot be read: not found", HD_EXIT_CONFIG},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct child child = spawn(cases[i].arg, NULL, NULL);
        expect(&child, cases[i].says);
        assert_int_equal(finish(&child), cases[i].code);
    }
}

static void checks_configurations(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
        int code;
    } cases[] = {
        {"behave: well\n", "x.yml: good\n", HD_EXIT_OK},
        {"behave: badly\n", "error: bad behaviour\n", HD_EXIT_CERT},
        {"behave: sloppily\n", "error: sloppy behaviour\n", HD_EXIT_CONFIG},
        {"log: {levle: info}\n", "x.yml:1:7: error: unknown key \"levle\"",
         HD_EXIT_CONFIG},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct child child = spawn("--check", "-c", config(cases[i].yaml));
        expect(&child, cases[i].says);
        assert_int_equal(finish(&child), cases[i].code);
    }
}

static void runs_reloads_and_stops(void **state)
{
    (void)state;
    struct child child = spawn("-c", config("log: {format: json}\n"), NULL);
    expect(&child, "\"text\":\"started\"");
    assert_int_equal(kill(child.pid, SIGHUP), 0);
    expect(&child, "reloaded\n");
    assert_int_equal(kill(child.pid, SIGTERM), 0);
    assert_int_equal(finish(&child), HD_EXIT_OK);
    assert_non_null(strstr(child.text, "told to stop\n"));
    assert_non_null(strstr(child.text, "\"text\":\"ended\",\"exit\":0"));
}

static void a_second_signal_ends_at_once(void **state)
{
    (void)state;
    struct child child = spawn("-c", config("behave: deaf\n"), NULL);
    expect(&child, "started");
    assert_int_equal(kill(child.pid, SIGINT), 0);
    expect(&child, "told to stop\n");
    assert_int_equal(kill(child.pid, SIGINT), 0);
    assert_int_equal(finish(&child), HD_EXIT_RUNTIME);
    assert_non_null(strstr(child.text, "ended before everything was closed"));
}

/* Before the loop runs and after it has ended, a signal that is for the loop must not end
 * the process in its place. */
static void signals_at_the_edges_wait(void **state)
{
    (void)state;
    struct child child = spawn("-c", config("behave: signalled\n"), NULL);
    expect(&child, "reloaded\n");
    assert_int_equal(kill(child.pid, SIGTERM), 0);
    assert_int_equal(finish(&child), HD_EXIT_OK);
    assert_non_null(strstr(child.text, "told to stop\n"));
}

static void exit_codes_of_the_room(void **state)
{
    (void)state;
    struct child child = spawn("-c", config("behave: refuse\n"), NULL);
    assert_int_equal(finish(&child), HD_EXIT_BIND);
    assert_null(strstr(child.text, "started"));
    child = spawn("-c", config("behave: fail\n"), NULL);
    assert_int_equal(finish(&child), HD_EXIT_STORE);
}

static void tells_the_service_manager(void **state)
{
    (void)state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char said[128];
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", hd_test_tmpdir());
    HD_AUTO_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", at.sun_path, 1), 0);
    struct child child = spawn("-c", config(""), NULL);
    static const char *const words[] = {
        "READY=1", "RELOADING=1\nMONOTONIC_USEC=", "READY=1", "STOPPING=1"};
    static const int signums[] = {SIGHUP, 0, SIGTERM, 0};
    for (size_t i = 0; i < 4; i++) {
        ssize_t n = recv(fd, said, sizeof(said) - 1, 0);
        assert_true(n > 0);
        said[n] = '\0';
        assert_ptr_equal(strstr(said, words[i]), said);
        if (signums[i] != 0) {
            assert_int_equal(kill(child.pid, signums[i]), 0);
        }
    }
    assert_int_equal(finish(&child), HD_EXIT_OK);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_line),
        cmocka_unit_test(checks_configurations),
        cmocka_unit_test(runs_reloads_and_stops),
        cmocka_unit_test(a_second_signal_ends_at_once),
        cmocka_unit_test(signals_at_the_edges_wait),
        cmocka_unit_test(exit_codes_of_the_room),
        cmocka_unit_test(tells_the_service_manager),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
