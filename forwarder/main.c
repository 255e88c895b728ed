/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang-forwarder: brings alerts to the national centre and to whoever else is
 * configured, over HTTPS, with a receipt for each.
 */
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include <haidang/harden.h>
#include <haidang/log.h>
#include <haidang/main.h>

#include "forwarder/forwarder.h"
#include "forwarder/render_command.h"

static struct fwd_conf conf;
static struct fwd_program *program;

static int check(const void *given, struct hd_diags *diags)
{
    return fwd_program_check(given, diags);
}

static int start(void *ctx, uv_loop_t *loop, const void *given)
{
    (void)ctx;
    int code = fwd_program_start(loop, given, &program);
    if (code == HD_EXIT_OK && hd_harden_process() != HD_OK) {
        HD_LOG(WARN, "forwarder", "this system lets others read our memory");
    }
    return code;
}

static void reload(void *ctx)
{
    (void)ctx;
    fwd_program_reload(program);
}

static void stop(void *ctx)
{
    (void)ctx;
    fwd_program_stop(program);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "render") == 0) {
        return fwd_render_command(argc - 2, argv + 2);
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)fprintf(stderr, "haidang-forwarder: libcurl does not start\n");
        return HD_EXIT_RUNTIME;
    }
    const struct hd_program skeleton = {
        .name = "haidang-forwarder",
        .summary = "sends alerts to the national centre over HTTPS, with receipts",
        .default_config = "/etc/haidang/forwarder.yml",
        .schema = &fwd_conf_schema,
        .conf = &conf,
        .log = &conf.log,
        .check = check,
        .start = start,
        .reload = reload,
        .stop = stop,
    };
    int code = hd_program_run(&skeleton, argc, argv);
    curl_global_cleanup();
    return code;
}
