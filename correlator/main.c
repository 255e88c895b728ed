/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang-correlator: takes batches from agents, archives them, finds attacks in them and
 * publishes alerts.
 */
#include <stdio.h>

#include <haidang/main.h>

#include "correlator/program.h"

static struct cor_conf conf;
static struct cor_program *program;

static int check(const void *given, struct hd_diags *diags)
{
    return cor_program_load(program, given, diags);
}

static int start(void *ctx, uv_loop_t *loop, const void *given)
{
    return cor_program_start(ctx, loop, given);
}

static void reload(void *ctx)
{
    cor_program_reload(ctx);
}

static void stop(void *ctx)
{
    cor_program_stop(ctx);
}

int main(int argc, char **argv)
{
    if (cor_program_new(&program) != HD_OK) {
        (void)fprintf(stderr, "haidang-correlator: out of memory\n");
        return HD_EXIT_RUNTIME;
    }
    const struct hd_program skeleton = {
        .name = "haidang-correlator",
        .summary = "takes log lines from agents, keeps them, finds attacks in them",
        .default_config = "/etc/haidang/correlator.yml",
        .schema = &cor_conf_schema,
        .conf = &conf,
        .log = &conf.log,
        .check = check,
        .start = start,
        .reload = reload,
        .stop = stop,
        .ctx = program,
    };
    int code = hd_program_run(&skeleton, argc, argv);
    cor_program_free(program);
    return code;
}
