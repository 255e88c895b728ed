/* SPDX-License-Identifier: Apache-2.0
 *
 * The program as people run it: what it refuses and with which exit code, and what a
 * kill -9 between request and receipt leads to.
 */
#include "tests/unit/forwarder/world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <haidang/fs.h>

#include "tests/support/certs.h"

static struct world w;
static const char *pki;

static int setup_all(void **state)
{
    (void)state;
    pki = hd_test_pki();
    return 0;
}

static int setup(void **state)
{
    (void)state;
    world_init(&w, pki);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_fini(&w);
    return 0;
}

/* ---- the process ---- */

static struct {
    uv_process_t process;
    uv_pipe_t err;
    char text[16384];
    size_t len;
    int64_t code;
    bool has_ended;
} child;

static void on_exit_child(uv_process_t *process, int64_t code, int signal)
{
    (void)signal;
    child.code = code;
    child.has_ended = true;
    uv_close((uv_handle_t *)process, NULL);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    buf->base = child.text + child.len;
    buf->len = sizeof(child.text) - 1 - child.len;
}

static void on_text(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    if (n < 0) {
        uv_close((uv_handle_t *)stream, NULL);
        return;
    }
    child.len += (size_t)n;
    child.text[child.len] = '\0';
}

static void spawn(const char *flag)
{
    char program[4096], conf[512], flag_copy[32];
    const char *build = getenv("HD_BUILD_DIR");
    (void)snprintf(program, sizeof(program), "%s/forwarder/haidang-forwarder",
                   build == NULL ? "." : build);
    (void)snprintf(conf, sizeof(conf), "%s/forwarder.yml", w.dir);
    (void)snprintf(flag_copy, sizeof(flag_copy), "%s", flag == NULL ? "" : flag);
    assert_int_equal(hd_fs_write_atomic(conf, hd_slice_str(w.conf_text), 0600), HD_OK);
    char config_flag[] = "--config";
    char *argv[] = {program, config_flag, conf, flag == NULL ? NULL : flag_copy, NULL};
    memset(&child, 0, sizeof(child));
    assert_int_equal(uv_pipe_init(&w.loop, &child.err, 0), 0);
    uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE},
                                    {.flags = UV_IGNORE},
                                    {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
                                     .data.stream = (uv_stream_t *)&child.err}};
    const uv_process_options_t opts = {.file = program,
                                       .args = argv,
                                       .stdio = stdio,
                                       .stdio_count = 3,
                                       .exit_cb = on_exit_child};
    assert_int_equal(uv_spawn(&w.loop, &child.process, &opts), 0);
    assert_int_equal(uv_read_start((uv_stream_t *)&child.err, on_alloc, on_text), 0);
}

static bool child_has_ended(struct world *world, unsigned n)
{
    (void)world;
    (void)n;
    return child.has_ended && uv_is_closing((uv_handle_t *)&child.err);
}

static void expect_exit(int code, const char *text)
{
    world_until(&w, child_has_ended, 0);
    if (child.code != code || strstr(child.text, text) == NULL) {
        fail_msg("exit %d (expected %d):\n%s", (int)child.code, code, child.text);
    }
}

/* The configuration with one text in it replaced. */
static void change(const char *from, const char *to)
{
    char changed[sizeof(w.conf_text)];
    char *at = strstr(w.conf_text, from);
    assert_non_null(at);
    (void)snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - w.conf_text),
                   w.conf_text, to, at + strlen(from));
    (void)snprintf(w.conf_text, sizeof(w.conf_text), "%s", changed);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        int code;
        const char *text;
    } sample[] = {
        {"https://", "http://", HD_EXIT_REFUSED, "http:// is refused"},
        {"https://", "ftp://", HD_EXIT_REFUSED, "ftp:// is refused"},
        {"accept_unofficial_profile: vn-ncsc-alert@0.1.0\n", "", HD_EXIT_REFUSED,
         "is observed, not official"},
        {"vn-ncsc-alert@0.1.0", "vn-ncsc-alert@0.1.1", HD_EXIT_REFUSED,
         "accept_unofficial_profile: vn-ncsc-alert@0.1.0"},
        {"value: 0123456789abcdef01234567", "value: xyz", HD_EXIT_CONFIG,
         "24 lower case hex digits"},
        {"/token\n", "/no-token\n", HD_EXIT_CONFIG, "no-token"},
        {"/ca.crt", "/no.crt", HD_EXIT_CERT, "no.crt: no such file"},
        {"name: a\n", "name: A\n", HD_EXIT_CONFIG, "a-z, 0-9 and -"},
        {"localhost:", "user:pw@localhost:", HD_EXIT_CONFIG, "token_file"},
        {"retry_first", "retry_frist", HD_EXIT_CONFIG, "retry_first"},
    };
    for (size_t i = 0; i < sizeof(sample) / sizeof(sample[0]); i++) {
        world_conf(&w, "");
        change(sample[i].from, sample[i].to);
        spawn(i % 2 == 0 ? "--check" : NULL);
        expect_exit(sample[i].code, sample[i].text);
    }
    assert_int_equal(chmod(hd_test_path(w.dir, "token"), 0640), 0);
    world_conf(&w, "");
    spawn(NULL);
    expect_exit(HD_EXIT_REFUSED, "group or others may read it");
    assert_int_equal(chmod(hd_test_path(w.dir, "token"), 0600), 0);
    spawn("--check");
    expect_exit(HD_EXIT_OK, "");
}

static void test_killed_before_the_receipt(void **state)
{
    (void)state;
    world_centre(&w, "server", "200 hang 200", false);
    world_conf(&w, "");
    world_alerts(&w, 3);
    spawn(NULL);
    world_until(&w, world_has_got, 2); /* the second has arrived, nobody said so */
    assert_int_equal(uv_process_kill(&child.process, SIGKILL), 0);
    world_until(&w, child_has_ended, 0);
    spawn(NULL);
    world_until(&w, world_has_got, 4);
    world_wait(&w, 50);
    assert_int_equal(uv_process_kill(&child.process, SIGTERM), 0);
    expect_exit(HD_EXIT_OK, "");
    assert_int_equal(w.n_got, 4);
    assert_string_equal(w.got[0].signature, "alert 1");
    assert_string_equal(w.got[1].signature, "alert 2");
    assert_string_equal(w.got[2].signature, "alert 2");
    assert_string_equal(w.got[3].signature, "alert 3");
    assert_string_equal(world_outcomes(&w, "a"),
                        "begun delivered begun begun delivered begun delivered");
    json_t *list = world_receipts(&w);
    assert_false(json_is_true(json_object_get(json_array_get(list, 2), "resend")));
    assert_true(json_is_true(json_object_get(json_array_get(list, 3), "resend")));
    json_decref(list);
    assert_null(strstr(child.text, "s3cr3t"));
}

static void test_second_forwarder(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_conf(&w, "");
    world_start(&w);
    spawn(NULL);
    expect_exit(HD_EXIT_STORE, "another forwarder writes here");
}

/* Messages of the golden alerts, as the command line gives them. */
static void test_render_command(void **state)
{
    (void)state;
    char command[8192];
    char alerts[1024], messages[1024], profile[1024];
    (void)snprintf(alerts, sizeof(alerts), "%s",
                   hd_test_source("tests/unit/forwarder/golden_alerts.jsonl"));
    (void)snprintf(messages, sizeof(messages), "%s",
                   hd_test_source("tests/unit/forwarder/golden_messages.jsonl"));
    (void)snprintf(profile, sizeof(profile), "%s",
                   hd_test_source("forwarder/profiles/vn-ncsc-alert-0.1.0.json"));
    const char *build = getenv("HD_BUILD_DIR");
    (void)snprintf(command, sizeof(command),
                   "head -12 %s | %s/forwarder/haidang-forwarder render %s "
                   "vendor_id=vendor-example unit_id=unit-example "
                   "sensor_id=0123456789abcdef01234567 > %s/out && head -12 %s | cmp - "
                   "%s/out",
                   alerts, build == NULL ? "." : build, profile, w.dir, messages, w.dir);
    assert_int_equal(system(command), 0); /* lint: banned a test drives a pipeline */
}

static void test_sample(void **state)
{
    (void)state;
    struct fwd_conf conf;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    assert_int_equal(hd_conf_load(hd_test_source("packaging/etc/forwarder.yml"),
                                  &fwd_conf_schema, &conf, &diags),
                     HD_OK);
    assert_int_equal(conf.n_destinations, 1);
    hd_conf_free(&fwd_conf_schema, &conf);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_refusals),         CASE(test_killed_before_the_receipt),
        CASE(test_second_forwarder), CASE(test_render_command),
        CASE(test_sample),
    };
    return cmocka_run_group_tests(tests, setup_all, NULL);
}
