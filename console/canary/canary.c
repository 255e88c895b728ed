/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang canary: from the command line to the exit status.
 */
#include "console/canary/canary.h"

#include <stdio.h>
#include <string.h>

#include <haidang/num.h>

#include "console/out.h"

#define KEY_FILE   "/etc/haidang/canary.key"
#define TIMEOUT_NS (30 * HD_NS_PER_SEC)

struct canary {
    struct con_show show;
    bool as_json;
    struct hd_buf out;
    size_t n, failed;
};

static void on_over(void *ctx, const struct con_canary_shot *shot)
{
    struct canary *c = ctx;
    c->n++;
    c->failed += shot->why[0] != '\0';
    if (c->as_json) {
        con_canary_show_json(shot, &c->out);
    } else {
        con_canary_show_text(&c->show, shot, &c->out);
    }
    /* as it comes; that it cannot be written shows at the end */
    int err = con_out_flush(&c->out);
    c->out.err = c->out.err == HD_OK ? err : c->out.err;
}

static int sum_up(struct canary *c, const struct con_canary_plan *plan)
{
    if (!c->as_json) {
        hd_buf_printf(
            &c->out, "%zu %s, %zu %s", c->n,
            con_show_say(&c->show, c->n == 1 ? "canary" : "canaries", "lượt thử"),
            c->failed, con_show_say(&c->show, "failed", "hỏng"));
        if (plan->uncovered > 0) {
            hd_buf_printf(&c->out, "; %zu %s", plan->uncovered,
                          con_show_say(&c->show, "rules have no example that can be sent",
                                       "luật không có ví dụ gửi được"));
        }
        hd_buf_byte(&c->out, '\n');
    }
    int code = con_out_print(&c->out);
    return code == HD_EXIT_OK && c->failed > 0 ? HD_EXIT_RUNTIME : code;
}

static int load_key(const struct con_args *args, struct hd_sign_key **key)
{
    const char *path = con_args_value(args, "key");
    path = path != NULL ? path : KEY_FILE;
    int err = hd_sign_key_load(path, key);
    if (err == HD_ENOENT) {
        err = hd_sign_key_make(path);
        err = err != HD_OK ? err : hd_sign_key_load(path, key);
        if (err == HD_OK) {
            (void)con_fail(0,
                           "made the key %s; copy %s.pub into the directory canary.keys "
                           "of the correlator, which reads it at its start",
                           path, path);
        }
    }
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_CERT, "--key %s: %s", path, hd_err_text(err));
}

static int timeout_of(const struct con_args *args, int64_t *ns)
{
    const char *text = con_args_value(args, "timeout");
    *ns = TIMEOUT_NS;
    return text == NULL || (hd_num_duration(hd_slice_str(text), ns) == HD_OK && *ns > 0)
               ? HD_EXIT_OK
               : con_fail(HD_EXIT_USAGE, "--timeout is a duration such as 10s, not '%s'",
                          text);
}

static int send_and_trace(struct canary *c, const struct con_args *args,
                          const struct rul_set *set, struct con_canary_targets *targets)
{
    struct hd_sign_key *key = NULL;
    struct con_canary_trace *trace = NULL;
    struct con_canary_plan plan;
    struct con_canary_run_opts opts = {
        .plan = &plan, .targets = targets, .on_over = on_over, .ctx = c};
    int code = con_canary_plan_make(args, set, targets, &plan);
    code = code != HD_EXIT_OK ? code : timeout_of(args, &opts.timeout_ns);
    code = code != HD_EXIT_OK ? code : load_key(args, &key);
    code = code != HD_EXIT_OK ? code : con_canary_trace_new(args, &plan, &trace);
    if (code == HD_EXIT_OK) {
        opts.trace = trace;
        opts.key = key;
        int err = con_canary_run(&opts);
        code = err == HD_OK ? sum_up(c, &plan)
                            : con_fail(HD_EXIT_STORE, "a journal cannot be read: %s",
                                       hd_err_text(err));
    }
    con_canary_trace_free(trace);
    hd_sign_key_free(key);
    con_canary_plan_fini(&plan);
    return code;
}

static int run(struct canary *c, const struct con_args *args)
{
    const struct con_sources none = {.n = 0};
    struct con_rules rules = {.diags = {.emit = hd_diag_print, .ctx = stderr},
                              .only_read = true};
    struct con_canary_targets targets;
    int code = con_canary_targets_new(args, &targets);
    if (code != HD_EXIT_OK) {
        return code;
    }
    con_rules_load(&rules, args, &none);
    code = rules.set == NULL ? con_rules_verdict(&rules)
                             : send_and_trace(c, args, rules.set, &targets);
    con_rules_fini(&rules);
    con_canary_targets_free(&targets);
    return code;
}

int con_run_canary(const struct con_args *args)
{
    struct canary c = {.as_json = con_args_flag(args, "json")};
    if (con_show_init(&c.show, args) != HD_OK) {
        return HD_EXIT_USAGE;
    }
    hd_buf_init(&c.out, 0);
    int code = run(&c, args);
    hd_buf_fini(&c.out);
    con_show_fini(&c.show);
    return code;
}
