/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules check | list | test: what an author of rules needs, with the same
 * compiler as the correlator's.
 */
#include <haidang/clock.h>
#include <haidang/json.h>

#include <stdio.h>
#include <string.h>

#include "console/command.h"
#include "console/data.h"
#include "rules/set.h"

struct loaded {
    struct rul_set *set;
    struct hd_diags diags;
    int err;
    int64_t took_ms;
};

/* Reads the rules named on the command line (or those installed); every problem is
 * printed. */
static struct loaded load(const struct con_args *args)
{
    const char *installed = con_data_rules();
    const struct rul_set_opts opts = {
        .decoders_dir = con_data_decoders(args),
        .rules = args->n_operands > 0 ? args->operands : &installed,
        .n_rules = args->n_operands > 0 ? args->n_operands : 1,
        .placeholders_dir = con_args_value(args, "placeholders"),
        .keep_going = true,
    };
    struct loaded loaded = {.diags = {.emit = hd_diag_print, .ctx = stderr}};
    int64_t start = hd_clock_mono_ns();
    loaded.err = rul_set_load(&opts, &loaded.set, &loaded.diags);
    loaded.took_ms = (hd_clock_mono_ns() - start) / HD_NS_PER_MS;
    return loaded;
}

static int finish(struct loaded *loaded)
{
    int code = HD_EXIT_OK;
    if (loaded->set == NULL) {
        code = con_fail(HD_EXIT_CONFIG, "no rules could be loaded: %s",
                        hd_err_text(loaded->err));
    } else if (loaded->diags.errors > 0) {
        code = HD_EXIT_CONFIG;
    }
    if (loaded->set != NULL) {
        rul_set_unref(loaded->set);
    }
    return code;
}

int con_run_rules_check(const struct con_args *args)
{
    struct loaded loaded = load(args);
    (void)printf("%zu rules, %u errors, %u warnings, %lld ms\n",
                 loaded.set != NULL ? rul_set_count(loaded.set) : 0, loaded.diags.errors,
                 loaded.diags.warnings, (long long)loaded.took_ms);
    return finish(&loaded);
}

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
    struct loaded loaded = load(args);
    const char *lang = con_args_value(args, "lang");
    struct hd_buf out;
    hd_buf_init(&out, 0);
    for (size_t i = 0; loaded.set != NULL && i < rul_set_count(loaded.set); i++) {
        const struct rul_rule *rule = rul_set_rule(loaded.set, i);
        if (con_args_flag(args, "json")) {
            list_json(rule, &out);
        } else {
            list_text(rule, lang != NULL && strcmp(lang, "vi") == 0, &out);
        }
    }
    (void)fwrite(out.ptr, 1, out.len, stdout);
    hd_buf_fini(&out);
    return finish(&loaded);
}

int con_run_rules_test(const struct con_args *args)
{
    struct loaded loaded = load(args);
    unsigned examples = 0;
    unsigned failed = 0;
    if (loaded.set != NULL) {
        failed = rul_set_test(loaded.set, &loaded.diags, &examples);
        (void)printf("%u examples, %u failed\n", examples, failed);
    }
    int code = finish(&loaded);
    if (code == HD_EXIT_OK && failed > 0) {
        code = HD_EXIT_CONFIG;
    }
    return code;
}
