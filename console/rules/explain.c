/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules explain: what a rule was compiled to, what in an event makes the engine
 * look at it, and which events meet it.
 */
#include <haidang/json.h>
#include <haidang/utf8.h>

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "console/out.h"
#include "console/rules/load.h"
#include "console/rules/steps.h"

#define RULES_MAX     20U
#define CLASSES_SHOWN 10U

struct explain {
    const struct rul_set *set;
    const struct rul_rule *rule;
    struct con_show show;
    bool is_json;
    struct hd_json json;
    struct hd_buf out;
};

static const char *say(const struct explain *x, const char *en, const char *vi)
{
    return con_show_say(&x->show, en, vi);
}

static void heading(struct explain *x, const char *en, const char *vi)
{
    hd_buf_printf(&x->out, "\n  %s\n", say(x, en, vi));
}

static struct hd_slice field_name(const struct explain *x, uint16_t field)
{
    return field == RUL_FIELD_NONE ? HD_SLICE_EMPTY
                                   : rul_fields_name(rul_set_fields(x->set), field);
}

/* ---- what was compiled ---- */

static void on_step(void *ctx, const struct rul_step *step)
{
    struct explain *x = ctx;
    if (x->is_json) {
        hd_json_object(&x->json, NULL);
        hd_json_u64(&x->json, "depth", step->depth);
        hd_json_cstr(&x->json, "kind", con_step_kind(step));
        if (step->kind == RUL_STEP_ANY) {
            hd_json_u64(&x->json, "at_least", step->n);
        }
        if (step->text.len > 0) {
            hd_json_str(&x->json, "text", step->text);
        }
        if (step->kind == RUL_STEP_COMPARE) {
            hd_json_u64(&x->json, "rules", step->rules);
        }
        hd_json_end(&x->json, '}');
        return;
    }
    hd_buf_printf(&x->out, "    %*s", 2 * (int)step->depth, "");
    con_step_write(&x->show, step, &x->out);
    if (step->kind == RUL_STEP_COMPARE && step->rules > 1) {
        hd_buf_printf(&x->out, "   (%s %u)",
                      say(x, "rules that ask this:", "số luật cùng hỏi:"), step->rules);
    }
    hd_buf_byte(&x->out, '\n');
}

/* ---- access ---- */

static void on_way(void *ctx, const struct rul_way *way)
{
    static const char *const kinds[] = {[RUL_WAY_LITERAL] = "literal",
                                        [RUL_WAY_EQUAL] = "equal",
                                        [RUL_WAY_NETWORK] = "network",
                                        [RUL_WAY_EXPRESSION] = "expression",
                                        [RUL_WAY_PRESENT] = "present"};
    struct explain *x = ctx;
    struct hd_slice field = field_name(x, way->field);
    if (x->is_json) {
        hd_json_object(&x->json, NULL);
        hd_json_cstr(&x->json, "kind", kinds[way->kind]);
        hd_json_str(&x->json, "field", field);
        hd_json_str(&x->json, "text", way->text);
        hd_json_end(&x->json, '}');
        return;
    }
    const char *texts[] = {
        [RUL_WAY_LITERAL] = say(x, "contains", "chứa"),
        [RUL_WAY_EQUAL] = say(x, "is", "bằng"),
        [RUL_WAY_NETWORK] = say(x, "is in", "thuộc mạng"),
        [RUL_WAY_EXPRESSION] = say(x, "matches", "khớp"),
        [RUL_WAY_PRESENT] = say(x, "is there", "có mặt"),
    };
    hd_buf_str(&x->out, "    ");
    hd_utf8_escape(&x->out,
                   field.len > 0 ? field : hd_slice_str(say(x, "the line", "dòng")));
    hd_buf_printf(&x->out, " %s ", texts[way->kind]);
    if (way->kind != RUL_WAY_PRESENT) {
        hd_json_quote(&x->out, way->text);
    }
    hd_buf_byte(&x->out, '\n');
}

static int explain_access(struct explain *x)
{
    double cost = 0;
    size_t before = x->out.len;
    int err = rul_explain_access(x->set, x->rule, on_way, x, &cost);
    bool has_set = isfinite(cost);
    if (x->is_json) {
        return err;
    }
    if (x->out.len == before || !has_set) {
        hd_buf_printf(&x->out, "    %s\n",
                      say(x, "nothing that must be there: evaluated for every event",
                          "không có giá trị bắt buộc: xét với mọi sự kiện"));
    } else {
        hd_buf_printf(
            &x->out, "    (%s %.3g)\n",
            say(x, "expected in a million events:", "ước tính trong một triệu sự kiện:"),
            cost);
    }
    return err;
}

/* ---- classes ---- */

static void class_json(struct explain *x, const struct rul_class *class)
{
    struct hd_buf text;
    hd_buf_init(&text, 0);
    hd_json_object(&x->json, NULL);
    hd_json_u64(&x->json, "id", class->id);
    hd_json_u64(&x->json, "rules", rul_class_rules(x->set, class->id));
    hd_json_array(&x->json, "sources");
    for (uint16_t i = 0; i < class->n; i++) {
        hd_buf_clear(&text);
        con_source_write(&class->sources[i], &text);
        hd_json_str(&x->json, NULL, hd_buf_slice(&text));
    }
    hd_json_end(&x->json, ']');
    hd_json_end(&x->json, '}');
    hd_buf_fini(&text);
}

static void class_text(struct explain *x, const struct rul_class *class)
{
    hd_buf_str(&x->out, "    ");
    for (uint16_t i = 0; i < class->n; i++) {
        hd_buf_str(&x->out, i > 0 ? " + " : "");
        con_source_write(&class->sources[i], &x->out);
    }
    hd_buf_printf(&x->out, "   (%u %s)\n", rul_class_rules(x->set, class->id),
                  say(x, "rules", "luật"));
}

static void explain_classes(struct explain *x)
{
    size_t n = 0;
    for (uint16_t i = 0; i < rul_set_classes(x->set); i++) {
        if (!rul_class_has(x->set, i, x->rule)) {
            continue;
        }
        n++;
        if (x->is_json) {
            class_json(x, rul_set_class(x->set, i));
        } else if (n <= CLASSES_SHOWN) {
            class_text(x, rul_set_class(x->set, i));
        }
    }
    if (n > CLASSES_SHOWN && !x->is_json) {
        hd_buf_printf(&x->out, "    %s %zu\n", say(x, "and more of them:", "và còn nữa:"),
                      n - CLASSES_SHOWN);
    }
    if (n == 0 && !x->is_json) {
        hd_buf_printf(&x->out, "    %s\n",
                      say(x, "none: no decoder gives this log source",
                          "không có: chưa bộ giải mã nào cho nguồn nhật ký này"));
    }
}

/* ---- one rule ---- */

static void explain_correlation(struct explain *x)
{
    const struct rul_rule *refs[64];
    size_t n = rul_explain_refs(x->set, x->rule, refs, 64);
    if (!x->is_json) {
        heading(x, "correlates the hits of", "tương quan các lần khớp của");
    }
    for (size_t i = 0; i < n; i++) {
        if (x->is_json) {
            hd_json_cstr(&x->json, NULL, refs[i]->id);
        } else {
            hd_buf_printf(&x->out, "    %s  %s\n", refs[i]->id, refs[i]->title);
        }
    }
}

static int explain_text(struct explain *x)
{
    const struct rul_rule *rule = x->rule;
    bool is_translated = x->show.is_vietnamese && rule->title_vi[0] != '\0';
    struct rul_hit hit = {.rule = rule};
    hd_buf_printf(
        &x->out, "%s%s%s  (%s)\n  %s\n  %s:%u\n", x->show.has_colour ? "\033[1m" : "",
        is_translated ? rule->title_vi : rule->title, x->show.has_colour ? "\033[0m" : "",
        rule->level, rule->id, rule->file, rule->line);
    if (rule->type != RUL_DETECTION) {
        explain_correlation(x);
        return HD_OK;
    }
    hd_buf_str(&x->out, "  ");
    con_source_write(&rule->logsource, &x->out);
    hd_buf_byte(&x->out, '\n');
    heading(x, "compiled to", "được dịch thành");
    int err = rul_explain_steps(x->set, NULL, &hit, on_step, x);
    heading(x, "looked at when", "được xét khi");
    err = err == HD_OK ? explain_access(x) : err;
    heading(x, "events that meet it", "những sự kiện gặp luật này");
    explain_classes(x);
    return err;
}

static int explain_json(struct explain *x)
{
    const struct rul_rule *rule = x->rule;
    struct rul_hit hit = {.rule = rule};
    int err = HD_OK;
    x->json = hd_json(&x->out);
    hd_json_object(&x->json, NULL);
    hd_json_cstr(&x->json, "id", rule->id);
    hd_json_cstr(&x->json, "title", rule->title);
    hd_json_cstr(&x->json, "level", rule->level);
    hd_json_cstr(&x->json, "file", rule->file);
    hd_json_u64(&x->json, "line", rule->line);
    if (rule->type != RUL_DETECTION) {
        hd_json_array(&x->json, "correlates");
        explain_correlation(x);
        hd_json_end(&x->json, ']');
    } else {
        hd_json_array(&x->json, "compiled");
        err = rul_explain_steps(x->set, NULL, &hit, on_step, x);
        hd_json_end(&x->json, ']');
        hd_json_array(&x->json, "access");
        err = err == HD_OK ? explain_access(x) : err;
        hd_json_end(&x->json, ']');
        hd_json_array(&x->json, "classes");
        explain_classes(x);
        hd_json_end(&x->json, ']');
    }
    hd_json_end(&x->json, '}');
    return err;
}

/* ---- which rules ---- */

static bool is_meant(const struct rul_rule *rule, const char *word)
{
    struct hd_slice sought = hd_slice_str(word);
    return word == NULL || hd_slice_eq_nocase(hd_slice_str(rule->id), sought) ||
           hd_slice_eq_nocase(hd_slice_str(rule->name), sought) ||
           hd_slice_find_nocase(hd_slice_str(rule->title), sought) != HD_NPOS ||
           hd_slice_find_nocase(hd_slice_str(rule->title_vi), sought) != HD_NPOS;
}

static int explain_rules(struct explain *x, const char *word)
{
    size_t n = 0;
    int err = HD_OK;
    for (size_t i = 0; i < rul_set_count(x->set) && err == HD_OK; i++) {
        x->rule = rul_set_rule(x->set, i);
        if (!is_meant(x->rule, word)) {
            continue;
        }
        if (n++ == RULES_MAX) {
            return con_fail(HD_EXIT_USAGE,
                            "more than %u rules are meant; name one by its id",
                            RULES_MAX);
        }
        hd_buf_str(&x->out, n > 1 && !x->is_json ? "\n" : "");
        err = x->is_json ? explain_json(x) : explain_text(x);
        hd_buf_str(&x->out, x->is_json ? "\n" : "");
    }
    if (n == 0) {
        return con_fail(HD_EXIT_CONFIG,
                        "no rule has '%s' as its id, name or in its title",
                        word != NULL ? word : "");
    }
    return err == HD_OK ? HD_EXIT_OK : con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(err));
}

static bool looks_like_path(const char *word)
{
    struct hd_slice text = hd_slice_str(word);
    return hd_slice_ends(text, HD_SLICE(".yml")) ||
           hd_slice_ends(text, HD_SLICE(".yaml")) ||
           hd_slice_starts(text, HD_SLICE("/")) || hd_slice_starts(text, HD_SLICE("./"));
}

int con_run_rules_explain(const struct con_args *args)
{
    struct con_rules rules = {.diags = {.emit = hd_diag_print, .ctx = stderr}};
    struct explain x = {.is_json = con_args_flag(args, "json")};
    struct con_args rest = *args;
    const char *word = NULL;
    if (looks_like_path(args->operands[0]) && access(args->operands[0], F_OK) != 0) {
        return con_fail(HD_EXIT_CONFIG, "%s cannot be found", args->operands[0]);
    }
    if (access(args->operands[0], F_OK) != 0) { /* no file: words of a rule */
        word = args->operands[0];
        rest.operands++;
        rest.n_operands--;
    }
    if (con_show_init(&x.show, args) != 0) {
        return HD_EXIT_USAGE;
    }
    hd_buf_init(&x.out, 0);
    con_rules_load(&rules, &rest, &(struct con_sources){.n = 0});
    x.set = rules.set;
    int code = rules.set != NULL ? explain_rules(&x, word) : con_rules_verdict(&rules);
    int written = con_out_print(&x.out);
    code = code == HD_EXIT_OK ? written : code;
    hd_buf_fini(&x.out);
    con_show_fini(&x.show);
    con_rules_fini(&rules);
    return code;
}
