/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules list: what a set of rules holds.
 */
#include <haidang/json.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/out.h"
#include "console/rules/load.h"
#include "console/show.h"

static void list_json(const struct rul_rule *rule, struct hd_buf *out)
{
    char hash[20]; /* of the meaning: the same when only the writing differs */
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "id", rule->id);
    hd_json_cstr(&j, "level", rule->level);
    hd_json_cstr(&j, "title", rule->title);
    hd_json_cstr(&j, "title_vi", rule->title_vi);
    hd_json_cstr(&j, "author", rule->author);
    hd_json_bool(&j, "alerts", rule->alerts);
    hd_json_cstr(&j, "status", rule->status);
    hd_json_object(&j, "logsource");
    hd_json_str(&j, "product", rule->logsource.product);
    hd_json_str(&j, "category", rule->logsource.category);
    hd_json_str(&j, "service", rule->logsource.service);
    hd_json_end(&j, '}');
    hd_json_array(&j, "tags");
    for (size_t i = 0; i < rule->n_tags; i++) {
        hd_json_cstr(&j, NULL, rule->tags[i]);
    }
    hd_json_end(&j, ']');
    (void)snprintf(hash, sizeof(hash), "%016" PRIx64, rule->hash);
    hd_json_cstr(&j, "hash", hash);
    hd_json_cstr(&j, "file", rule->file);
    hd_json_u64(&j, "line", rule->line);
    hd_json_end(&j, '}');
    hd_buf_byte(out, '\n');
}

static void list_text(const struct rul_rule *rule, const struct con_show *show,
                      struct hd_buf *out)
{
    bool is_translated = show->is_vietnamese && rule->title_vi[0] != '\0';
    hd_buf_printf(out, "%-36s  %-13s  %s%s\n", rule->id, rule->level,
                  is_translated ? rule->title_vi : rule->title,
                  rule->alerts ? ""
                               : con_show_say(show, "  (feeds a correlation)",
                                              "  (chỉ phục vụ luật tương quan)"));
}

/* ---- which ---- */

static const char *const levels[] = {"informational", "low", "medium", "high",
                                     "critical"};
#define N_LEVELS (sizeof(levels) / sizeof(levels[0]))

static size_t rank(const char *level)
{
    size_t i = 0;
    while (i < N_LEVELS && strcmp(levels[i], level) != 0) {
        i++;
    }
    return i;
}

struct filter {
    size_t level; /* at least */
    struct hd_slice status, tag;
    struct con_sources sources; /* any of them */
};

static int parse_filter(struct filter *f, const struct con_args *args)
{
    const char *level = con_args_value(args, "level");
    *f = (struct filter){.level = level != NULL ? rank(level) : 0,
                         .status = hd_slice_str(con_args_value(args, "status")),
                         .tag = hd_slice_str(con_args_value(args, "tag"))};
    if (f->level == N_LEVELS) {
        struct hd_diag_hint hint;
        return con_fail(
            HD_EXIT_USAGE,
            "--level: '%s' is not one of informational, low, medium, high, critical%s",
            level, hd_diag_hint(hd_slice_str(level), levels, N_LEVELS, &hint));
    }
    return con_sources_parse(&f->sources, args);
}

/* A tag, or what is above it: "attack.t1059" finds "attack.t1059.001". */
static bool has_tag(const struct rul_rule *rule, struct hd_slice tag)
{
    for (size_t i = 0; i < rule->n_tags; i++) {
        struct hd_slice own = hd_slice_str(rule->tags[i]);
        if (hd_slice_starts_nocase(own, tag) &&
            (own.len == tag.len || own.ptr[tag.len] == '.')) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const struct filter *f, const struct rul_rule *rule)
{
    bool has_source = f->sources.n == 0;
    for (size_t i = 0; i < f->sources.n && !has_source; i++) {
        /* all parts asked for are the rule's */
        has_source = rul_logsource_covers(&f->sources.list[i], &rule->logsource);
    }
    return has_source && rank(rule->level) >= f->level &&
           (f->status.len == 0 ||
            hd_slice_eq_nocase(hd_slice_str(rule->status), f->status)) &&
           (f->tag.len == 0 || has_tag(rule, f->tag));
}

/* ---- the command ---- */

static int list(const struct con_rules *rules, const struct filter *filter,
                const struct con_args *args, const struct con_show *show)
{
    bool is_json = con_args_flag(args, "json");
    size_t shown = 0;
    struct hd_buf out;
    hd_buf_init(&out, 0);
    for (size_t i = 0; i < rul_set_count(rules->set); i++) {
        const struct rul_rule *rule = rul_set_rule(rules->set, i);
        if (!is_wanted(filter, rule)) {
            continue;
        }
        shown++;
        if (is_json) {
            list_json(rule, &out);
        } else {
            list_text(rule, show, &out);
        }
    }
    int code = con_out_print(&out);
    hd_buf_fini(&out);
    if (!is_json) {
        (void)fprintf(stderr, "%zu %s %zu %s\n", shown, con_show_say(show, "of", "trong"),
                      rul_set_count(rules->set), con_show_say(show, "rules", "luật"));
    }
    return code;
}

int con_run_rules_list(const struct con_args *args)
{
    struct con_rules rules = {.diags = {.emit = hd_diag_print, .ctx = stderr},
                              .only_read = true};
    struct con_show show = {0};
    struct filter filter;
    int code = parse_filter(&filter, args);
    if (code == HD_EXIT_OK && con_show_init(&show, args) != 0) {
        code = HD_EXIT_USAGE;
    }
    if (code == HD_EXIT_OK) {
        con_rules_load(&rules, args, &(struct con_sources){.n = 0});
        code = con_rules_verdict(&rules);
    }
    if (rules.set != NULL) {
        int listed = list(&rules, &filter, args, &show);
        code = code == HD_EXIT_OK ? listed : code;
    }
    con_show_fini(&show);
    con_rules_fini(&rules);
    return code;
}
