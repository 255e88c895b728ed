/* SPDX-License-Identifier: Apache-2.0
 *
 * What every daemon's main() does: command line, configuration, log, loop, signals. The
 * exit code that a room asked for is the only state outside the frame of hd_program_run,
 * since one process runs one program. Thread: main.
 */
#include <haidang/main.h>

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/notify.h"
#include <haidang/clock.h>
#include <haidang/handed.h>
#include <haidang/log.h>
#include <haidang/loop.h>

enum { PATIENCE_MS = 3000 };

enum mode { MODE_RUN, MODE_CHECK, MODE_VERSION, MODE_HELP, MODE_HELP_CONFIG };

struct options {
    const char *config;
    enum mode mode;
};

struct running {
    const struct hd_program *program;
    uv_loop_t loop;
    struct hd_signals *signals;
    bool is_stopping;
    bool was_forced;
    bool has_started;
};

static int asked_exit; /* lint: global, see above */

void hd_program_fail(int exit_code)
{
    asked_exit = exit_code;
}

/* ---- command line ---- */

static void print_help(const struct hd_program *p)
{
    (void)printf(
        "%s: %s\n\n"
        "Usage: %s [--config FILE] [--check]\n\n"
        "  -c, --config FILE  configuration (default %s)\n"
        "      --check        check the configuration and what it names, then end\n"
        "      --help-config  print every configuration key\n"
        "  -V, --version      print the version\n"
        "  -h, --help         print this\n\n"
        "SIGHUP reads files again, SIGTERM ends. Exit codes: 0 good, 1 failure\n"
        "while running, 2 usage, 3 configuration, 4 certificate or key, 5 address\n"
        "or device, 6 journal directory, 7 refused on purpose.\n",
        p->name, p->summary, p->name, p->default_config);
}

static int parse_options(const struct hd_program *p, int argc, char **argv,
                         struct options *out)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'},
        {"help-config", no_argument, NULL, 'm'},  {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {0}};
    *out = (struct options){p->default_config, MODE_RUN};
    optind = 0;
    for (int c = 0; (c = getopt_long(argc, argv, "c:Vh", known, NULL)) != -1;) {
        switch (c) {
        case 'c':
            out->config = optarg;
            break;
        case 'k':
            out->mode = MODE_CHECK;
            break;
        case 'm':
            out->mode = MODE_HELP_CONFIG;
            break;
        case 'V':
            out->mode = MODE_VERSION;
            break;
        case 'h':
            out->mode = MODE_HELP;
            break;
        default:
            (void)fprintf(stderr, "Try \"%s --help\".\n", p->name);
            return HD_EXIT_USAGE;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "%s: unexpected \"%s\". Try \"%s --help\".\n", p->name,
                      argv[optind], p->name);
        return HD_EXIT_USAGE;
    }
    return HD_EXIT_OK;
}

/* ---- configuration ---- */

static void setup_log(const struct hd_log_conf *conf)
{
    const struct hd_log_opts opts = {
        .level = conf == NULL ? HD_LOG_INFO : (enum hd_log_level)conf->level,
        .json = conf != NULL && conf->format == 1,
        .fd = STDERR_FILENO,
        .burst = HD_LOG_BURST,
    };
    hd_log_setup(&opts);
}

static int load(const struct hd_program *p, const char *config)
{
    struct hd_diags diags = {hd_diag_print, stderr, 0, 0};
    if (hd_conf_load(config, p->schema, p->conf, &diags) != HD_OK) {
        return HD_EXIT_CONFIG;
    }
    setup_log(p->log);
    int code = p->check == NULL ? HD_EXIT_OK : p->check(p->conf, &diags);
    if (code == HD_EXIT_OK && diags.errors > 0) {
        code = HD_EXIT_CONFIG;
    }
    if (code != HD_EXIT_OK) {
        hd_conf_free(p->schema, p->conf);
    }
    return code;
}

/* ---- running ---- */

static void stop(void *ctx)
{
    struct running *r = ctx;
    if (r->is_stopping) {
        r->was_forced = true;
        uv_stop(&r->loop);
        return;
    }
    r->is_stopping = true;
    hd_notify("STOPPING=1");
    HD_LOG(INFO, "program", "stopping");
    r->program->stop(r->program->ctx);
}

static void reload(void *ctx)
{
    struct running *r = ctx;
    char state[64];
    if (r->is_stopping || r->program->reload == NULL) {
        return;
    }
    (void)snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
                   (long long)(hd_clock_mono_ns() / HD_NS_PER_US));
    hd_notify(state);
    HD_LOG(INFO, "program", "reloading");
    r->program->reload(r->program->ctx);
    hd_notify("READY=1");
}

static void out_of_patience(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* Runs what is still to be closed, then tells whether the loop is empty. Threads that a
 * failed start left at work are waited for, since they use what is freed next; but they
 * and an impatient user's leftovers hold the process for a bounded time only. */
static bool drain(struct running *r)
{
    uv_timer_t patience;
    hd_signals_hold(true); /* nothing is left that they could ask for */
    hd_signals_close(r->signals);
    (void)uv_timer_init(&r->loop, &patience);
    if (!r->has_started || r->was_forced) {
        (void)uv_timer_start(&patience, out_of_patience, PATIENCE_MS, 0);
        uv_unref((uv_handle_t *)&patience);
    }
    (void)uv_run(&r->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&patience, NULL);
    (void)uv_run(&r->loop, UV_RUN_NOWAIT);
    return uv_loop_close(&r->loop) == 0;
}

/* Somebody would send to it, and nobody would ever look. */
static bool is_any_socket_left(void)
{
    struct hd_buf name;
    hd_buf_init(&name, 0);
    bool is_left = hd_handed_left(&name);
    if (is_left) {
        HD_LOG(ERROR, "program",
               "a socket was handed over that the configuration does not listen on: "
               "make their addresses the same",
               HD_KV_SLICE("socket", hd_buf_slice(&name)));
    }
    hd_buf_fini(&name);
    return is_left;
}

static int run_loop(struct running *r)
{
    const struct hd_program *p = r->program;
    const struct hd_signals_ops ops = {stop, reload, r};
    char why[256];
    int err = hd_signals_open(&r->loop, &ops, &r->signals);
    if (err != HD_OK) {
        HD_LOG(ERROR, "program", "signals cannot be caught", HD_KV_ERR(err));
        return HD_EXIT_RUNTIME;
    }
    if (hd_handed_take(why) != HD_OK) {
        HD_LOG(ERROR, "program", why);
        return HD_EXIT_CONFIG;
    }
    int code = p->start(p->ctx, &r->loop, p->conf);
    if (code != HD_EXIT_OK) {
        return code;
    }
    r->has_started = true;
    if (is_any_socket_left()) {
        hd_program_fail(HD_EXIT_CONFIG);
        stop(r);
    } else {
        hd_notify("READY=1");
        HD_LOG(INFO, "program", "started", HD_KV_STR("name", p->name),
               HD_KV_STR("version", hd_version), HD_KV_INT("pid", getpid()));
    }
    (void)uv_run(&r->loop, UV_RUN_DEFAULT);
    if (!r->is_stopping) {
        hd_notify("STOPPING=1"); /* its work is done */
    }
    return r->was_forced ? HD_EXIT_RUNTIME : asked_exit;
}

/* *is_whole: nobody uses the program and its configuration any more. */
static int run(const struct hd_program *p, bool *is_whole)
{
    struct running r = {.program = p};
    if (uv_loop_init(&r.loop) != 0) {
        HD_LOG(ERROR, "program", "no event loop can be had");
        return HD_EXIT_RUNTIME;
    }
    int code = run_loop(&r);
    *is_whole = drain(&r);
    if (!*is_whole) {
        HD_LOG(WARN, "program", "ended before everything was closed");
    }
    hd_handed_drop();
    HD_LOG(INFO, "program", "ended", HD_KV_INT("exit", code));
    return code;
}

int hd_program_run(const struct hd_program *program, int argc, char **argv)
{
    struct options options;
    bool is_whole = true;
    int code = parse_options(program, argc, argv, &options);
    asked_exit = HD_EXIT_OK;
    if (code != HD_EXIT_OK) {
        return code;
    }
    switch (options.mode) {
    case MODE_HELP:
        print_help(program);
        return HD_EXIT_OK;
    case MODE_VERSION:
        (void)printf("%s %s\n", program->name, hd_version);
        return HD_EXIT_OK;
    case MODE_HELP_CONFIG:
        hd_conf_manual(program->schema, stdout);
        return HD_EXIT_OK;
    case MODE_CHECK:
    case MODE_RUN:
        break;
    }
    if (options.mode == MODE_RUN) {
        hd_signals_hold(false); /* whoever asks to reload now is heard after the start */
    }
    code = load(program, options.config);
    if (code != HD_EXIT_OK) {
        return code;
    }
    if (options.mode == MODE_CHECK) {
        (void)printf("%s: good\n", options.config);
    } else {
        code = run(program, &is_whole);
    }
    if (is_whole) {
        hd_conf_free(program->schema, program->conf);
    }
    return code;
}
