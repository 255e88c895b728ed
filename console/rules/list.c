/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules list: what a set of rules holds.
 */
#include <haidang/json.h>

#include <stdio.h>
#include <string.h>

#include "console/rules/load.h"

static void list_json(const struct rul_rule *rule, struct hd_buf *out)
{
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "id", rule->id);
    hd_json_cstr(&j, "level", rule->level);
    hd_json_cstr(&j, "title", rule->title);
    hd_json_cstr(&j, "title_vi", rule->title_vi);
    hd_json_cstr(&j, "author", rule->author);
    hd_json_bool(&j, "alerts", rule->alerts);
    hd_json_array(&j, "tags");
    for (size_t i = 0; i < rule->n_tags; i++) {
        hd_json_cstr(&j, NULL, rule->tags[i]);
    }
    hd_json_end(&j, ']');
    hd_json_cstr(&j, "file", rule->file);
    hd_json_u64(&j, "line", rule->line);
    hd_json_end(&j, '}');
    hd_buf_byte(out, '\n');
}

static void list_text(const struct rul_rule *rule, bool is_vietnamese, struct hd_buf *out)
{
    const char *title =
        is_vietnamese && rule->title_vi[0] != '\0' ? rule->title_vi : rule->title;
    hd_buf_printf(out, "%-36s  %-13s  %s%s\n", rule->id, rule->level, title,
                  rule->alerts ? "" : "  (feeds a correlation)");
}

int con_run_rules_list(const struct con_args *args)
{
    struct con_rules rules;
    int code = con_rules_load(&rules, args, hd_diag_print, stderr);
    const char *lang = con_args_value(args, "lang");
    struct hd_buf out;
    hd_buf_init(&out, 0);
    for (size_t i = 0; rules.set != NULL && i < rul_set_count(rules.set); i++) {
        const struct rul_rule *rule = rul_set_rule(rules.set, i);
        if (con_args_flag(args, "json")) {
            list_json(rule, &out);
        } else {
            list_text(rule, lang != NULL && strcmp(lang, "vi") == 0, &out);
        }
    }
    (void)fwrite(out.ptr, 1, out.len, stdout);
    hd_buf_fini(&out);
    code = code == HD_EXIT_OK ? con_rules_verdict(&rules) : code;
    con_rules_fini(&rules);
    return code;
}
