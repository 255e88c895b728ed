/* SPDX-License-Identifier: Apache-2.0
 *
 * The skeleton of every daemon's main(): command line (--config FILE, --check, --version,
 * --help, --help-config), configuration, log, one loop, signals, exit code. The room
 * gives callbacks; only main() calls exit.
 */
#pragma once
#include <stdbool.h>
#include <uv.h>

#include <haidang/conf.h>
#include <haidang/err.h>
#include <haidang/program_conf.h>

struct hd_program {
    const char *name;           /* "haidang-agent" */
    const char *summary;        /* one line for --help */
    const char *default_config; /* "/etc/haidang/agent.yml" */
    const struct hd_conf_schema *schema;
    void *conf;                    /* target of the schema, static in main.c */
    const struct hd_log_conf *log; /* inside *conf; NULL = info, text */
    /* Extra checks for --check and start: files named by the configuration can be read,
     * parse, verify. Reports to diags. Returns an HD_EXIT_* code. May be NULL. */
    int (*check)(const void *conf, struct hd_diags *diags);
    /* Starts everything on the loop; returns HD_EXIT_OK or the code to end with (and has
     * said why, and begun to close what it had opened; stop is not called). Must not
     * block. */
    int (*start)(void *ctx, uv_loop_t *loop, const void *conf);
    void (*reload)(void *ctx); /* SIGHUP; may be NULL */
    void (*stop)(void *ctx);   /* close all handles; the loop then ends by itself. Called
                                  once; a second SIGTERM or SIGINT ends the loop at once */
    void *ctx;
};

/* Runs until the loop ends. Returns the exit code for main(). Says READY=1 to systemd's
 * notify socket after a good start, STOPPING=1 at the end. */
int hd_program_run(const struct hd_program *program, int argc, char **argv);
/* The program will end with another code than 0 (call from the loop, then stop). */
void hd_program_fail(int exit_code);

extern const char hd_version[]; /* "0.1.0" */
