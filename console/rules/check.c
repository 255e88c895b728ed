/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules check: every problem of the rules, with the compiler of the correlator.
 */
#include <haidang/json.h>

#include <stdio.h>

#include "console/rules/load.h"
#include "console/show.h"

static const char *const levels[] = {
    [HD_DIAG_ERROR] = "error", [HD_DIAG_WARNING] = "warning", [HD_DIAG_NOTE] = "note"};

static void print_json(void *ctx, const struct hd_diag *diag)
{
    struct hd_buf out;
    hd_buf_init(&out, 0);
    struct hd_json j = hd_json(&out);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "level", levels[diag->level]);
    hd_json_cstr(&j, "file", diag->file != NULL ? diag->file : "");
    hd_json_u64(&j, "line", diag->line);
    hd_json_u64(&j, "column", diag->column);
    hd_json_cstr(&j, "text", diag->text);
    hd_json_end(&j, '}');
    (void)fprintf(ctx, "%s\n", hd_buf_cstr(&out));
    hd_buf_fini(&out);
}

static void sum_up(const struct con_rules *rules, bool is_json)
{
    size_t n = rules->set != NULL ? rul_set_count(rules->set) : 0;
    unsigned errors = rules->diags.errors, warnings = rules->diags.warnings;
    long long ms = rules->took_ms;
    if (is_json) {
        (void)printf("{\"rules\":%zu,\"errors\":%u,\"warnings\":%u,\"ms\":%lld}\n", n,
                     errors, warnings, ms);
    } else if (con_show_env_is_vietnamese()) {
        (void)printf("%zu luật, %u lỗi, %u cảnh báo, %lld ms\n", n, errors, warnings, ms);
    } else {
        (void)printf("%zu rules, %u errors, %u warnings, %lld ms\n", n, errors, warnings,
                     ms);
    }
}

int con_run_rules_check(const struct con_args *args)
{
    bool is_json = con_args_flag(args, "json");
    struct con_rules rules = {.diags = {.emit = is_json ? print_json : hd_diag_print,
                                        .ctx = is_json ? stdout : stderr},
                              .only_read = true};
    con_rules_load(&rules, args, &(struct con_sources){.n = 0});
    sum_up(&rules, is_json);
    int code = con_rules_verdict(&rules);
    if (con_args_flag(args, "strict") && rules.diags.warnings > 0) {
        code = HD_EXIT_CONFIG;
    }
    con_rules_fini(&rules);
    return code;
}
