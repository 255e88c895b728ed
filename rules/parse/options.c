/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/parse/options.h"

#include <haidang/hash.h>
#include <haidang/num.h>

#include "rules/parse/ast.h"

static int read_flag(const struct rul_reader *r, const struct hd_yaml *v, bool *out)
{
    return v->kind == HD_YAML_SCALAR && hd_num_bool(v->text, out) == 0
               ? 0
               : rul_refuse(r, v, "'haidang.%.*s' wants true or false",
                            HD_SLICE_FMT(v->key->text));
}

static int read_window(const struct rul_reader *r, const struct hd_yaml *v,
                       struct rul_corr_options *options)
{
    if (hd_yaml_is(v, "session")) {
        options->window = RUL_WINDOW_SESSION;
    } else if (hd_yaml_is(v, "tumbling")) {
        options->window = RUL_WINDOW_TUMBLING;
    } else if (hd_yaml_is(v, "sliding")) {
        options->window = RUL_WINDOW_SLIDING;
    } else {
        return rul_refuse(r, v, "'haidang.window' must be sliding, tumbling or session");
    }
    return 0;
}

int rul_option_read(const struct rul_reader *r, const struct hd_yaml *v,
                    struct rul_corr_options *options)
{
    options->at = options->at == NULL ? v->key : options->at;
    if (hd_yaml_is(v->key, "null_group")) {
        return read_flag(r, v, &options->null_group);
    }
    if (hd_yaml_is(v->key, "reset")) {
        return read_flag(r, v, &options->reset);
    }
    if (hd_yaml_is(v->key, "window")) {
        options->window_at = v;
        return read_window(r, v, options);
    }
    if (hd_yaml_is(v->key, "gap")) {
        options->gap_at = v;
        return rul_time_read(r, v, &options->gap_ns);
    }
    if (hd_yaml_is(v->key, "output")) {
        return rul_refuse(r, v->key,
                          "there is no 'haidang.output': rules that a correlation counts "
                          "raise no alerts unless it says 'generate: true'");
    }
    return rul_refuse(r, v->key,
                      "unknown key 'haidang.%.*s': title_vi, description_vi, delivery, "
                      "examples, window, gap, null_group and reset are known",
                      HD_SLICE_FMT(v->key->text));
}

static int check_session(const struct rul_reader *r, const struct rul_corr_options *o,
                         const struct rul_doc *doc)
{
    if (doc->rule.type == RUL_TEMPORAL || doc->rule.type == RUL_TEMPORAL_ORDERED) {
        return rul_refuse(r, o->window_at,
                          "'haidang.window: session' is for what counts events or "
                          "values: a %s has no sessions",
                          rul_rule_type_name(doc->rule.type));
    }
    if (o->gap_at == NULL) {
        return rul_refuse(r, o->window_at,
                          "'haidang.window: session' needs 'haidang.gap': without an "
                          "event for so long, a session is over");
    }
    return o->gap_ns <= doc->corr->timespan_ns
               ? 0
               : rul_refuse(r, o->gap_at,
                            "'haidang.gap' must not exceed 'timespan', the longest that "
                            "a session may last");
}

int rul_options_check(const struct rul_reader *r, const struct rul_doc *doc)
{
    const struct rul_corr_options *o = &doc->options;
    if (doc->corr == NULL) {
        return rul_refuse(r, o->at, "only a correlation has this option");
    }
    if (o->window == RUL_WINDOW_SESSION) {
        return check_session(r, o, doc);
    }
    return o->gap_at == NULL
               ? 0
               : rul_refuse(r, o->gap_at,
                            "'haidang.gap' belongs to 'haidang.window: session'");
}

/* What says what would hold without it changes nothing. */
uint64_t rul_options_hash(const struct rul_corr_options *options, uint64_t hash)
{
    uint8_t bits[] = {options->null_group, options->reset, (uint8_t)options->window};
    bool is_plain =
        !options->null_group && !options->reset && options->window == RUL_WINDOW_SLIDING;
    if (!is_plain) {
        hash = hd_hash_stable(hd_slice(bits, sizeof(bits)), hash);
    }
    return options->gap_ns == 0
               ? hash
               : hd_hash_stable(hd_slice(&options->gap_ns, sizeof(options->gap_ns)),
                                hash);
}
