/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules check: every problem of the rules, with the compiler of the correlator.
 */
#include <haidang/json.h>
#include <haidang/utf8.h>

#include <stdio.h>

#include "console/heirs.h"
#include "console/rules/load.h"
#include "console/show.h"
#include "rules/correlate/correlate.h"

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

/* ---- --against ---- */

struct against {
    bool is_json;
    unsigned n;
};

static void put_heir(void *ctx, const struct rul_rule *rule, enum rul_heir heir)
{
    struct against *against = ctx;
    const char *key = rul_heir_key(heir);
    struct hd_buf out;
    hd_buf_init(&out, 0);
    against->n++;
    if (against->is_json) {
        struct hd_json j = hd_json(&out);
        hd_json_object(&j, NULL);
        hd_json_cstr(&j, "correlation", rule->id);
        hd_json_cstr(&j, "title", rule->title);
        hd_json_cstr(&j, "changed", key);
        hd_json_bool(&j, "kept", heir == RUL_HEIR_KEPT);
        hd_json_end(&j, '}');
    } else {
        hd_utf8_escape(&out, hd_slice_str(rule->title));
        hd_buf_printf(&out, " (%s): %s", rule->id,
                      con_heir_text(key, con_show_env_is_vietnamese()));
    }
    (void)printf("%s\n", hd_buf_cstr(&out));
    hd_buf_fini(&out);
}

/* What a reload that replaces the rules in `path` by these does to correlations. */
static int compare(const struct con_args *args, const char *path,
                   const struct rul_set *set, bool is_json)
{
    struct against against = {.is_json = is_json};
    struct con_args old_args = *args;
    struct con_rules old = {.diags = {0}, .only_read = true};
    old_args.operands = &path;
    old_args.n_operands = 1;
    con_rules_load(&old, &old_args, &(struct con_sources){.n = 0});
    int code = con_rules_verdict(&old);
    if (old.set != NULL) {
        rul_set_each_heir(old.set, set, put_heir, &against);
    }
    if (old.set != NULL && against.n == 0 && !is_json) {
        (void)printf("%s\n", con_show_env_is_vietnamese()
                                 ? "không luật tương quan nào đổi nghĩa"
                                 : "no correlation changes its meaning");
    }
    con_rules_fini(&old);
    return code;
}

int con_run_rules_check(const struct con_args *args)
{
    bool is_json = con_args_flag(args, "json");
    struct con_rules rules = {.diags = {.emit = is_json ? print_json : hd_diag_print,
                                        .ctx = is_json ? stdout : stderr},
                              .only_read = true};
    con_rules_load(&rules, args, &(struct con_sources){.n = 0});
    const char *against = con_args_value(args, "against");
    int old_code = against == NULL || rules.set == NULL
                       ? HD_EXIT_OK
                       : compare(args, against, rules.set, is_json);
    sum_up(&rules, is_json);
    int code = con_rules_verdict(&rules);
    code = code != HD_EXIT_OK ? code : old_code;
    if (con_args_flag(args, "strict") && rules.diags.warnings > 0) {
        code = HD_EXIT_CONFIG;
    }
    con_rules_fini(&rules);
    return code;
}
