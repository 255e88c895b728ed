/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules coverage: which rules can fire at all. Without events: those whose log
 * source some decoder gives. With events (a file, the archive): those whose log source
 * came, with fields that let the rule become true.
 */
#include <haidang/clock.h>
#include <haidang/json.h>
#include <haidang/num.h>
#include <haidang/utf8.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "console/out.h"
#include "console/rules/load.h"
#include "console/rules/seen.h"
#include "console/rules/steps.h"
#include "console/unlock.h"

#define SOURCES_SHOWN 20U
#define TACTICS_MAX   64U

enum verdict { CAN_FIRE, NO_FIELDS, NOT_SEEN, NO_SOURCE, N_VERDICTS };

static const char *const verdict_words[] = {"can-fire", "no-fields", "not-seen",
                                            "no-source"};

struct row { /* of either table */
    struct rul_logsource source;
    struct hd_slice tactic;
    uint32_t rules, can_fire;
};

struct coverage {
    struct con_rules rules;
    struct con_show show;
    struct con_seen seen;
    bool has_events, is_json;
    enum verdict *verdicts; /* per rule */
    uint32_t totals[N_VERDICTS];
    struct row *sources;
    size_t n_sources;
    struct row tactics[TACTICS_MAX];
    size_t n_tactics;
    struct hd_buf out;
    struct hd_json json;
};

static const char *say(const struct coverage *c, const char *en, const char *vi)
{
    return con_show_say(&c->show, en, vi);
}

/* ---- verdicts ---- */

static enum verdict judge_detection(const struct coverage *c, const struct rul_rule *rule)
{
    enum verdict best = NO_SOURCE;
    for (uint16_t i = 0; i < rul_set_classes(c->rules.set) && best != CAN_FIRE; i++) {
        if (!rul_class_has(c->rules.set, i, rule)) {
            continue;
        }
        enum verdict here = !c->has_events                   ? CAN_FIRE
                            : c->seen.classes[i].events == 0 ? NOT_SEEN
                            : rul_can_fire(c->rules.set, rule, c->seen.classes[i].fields)
                                ? CAN_FIRE
                                : NO_FIELDS;
        best = here < best ? here : best;
    }
    return best;
}

/* As good as the best of the rules whose hits it takes. */
static enum verdict judge_correlation(const struct coverage *c,
                                      const struct rul_rule *rule)
{
    const struct rul_rule *refs[64];
    size_t n = rul_explain_refs(c->rules.set, rule, refs, 64);
    enum verdict best = NO_SOURCE;
    for (size_t i = 0; i < n; i++) {
        enum verdict its = c->verdicts[refs[i]->index];
        best = its < best ? its : best;
    }
    return best;
}

static struct row *find_source(struct coverage *c, const struct rul_logsource *source)
{
    for (size_t i = 0; i < c->n_sources; i++) {
        if (hd_slice_eq_nocase(c->sources[i].source.product, source->product) &&
            hd_slice_eq_nocase(c->sources[i].source.category, source->category) &&
            hd_slice_eq_nocase(c->sources[i].source.service, source->service)) {
            return &c->sources[i];
        }
    }
    c->sources[c->n_sources].source = *source; /* room for one a rule */
    return &c->sources[c->n_sources++];
}

/* Not t1059, g0016, ds0005: techniques, groups and the like are numbered. */
static bool is_tactic(struct hd_slice name)
{
    bool is_good = name.len > 0;
    for (size_t i = 0; i < name.len; i++) {
        is_good = is_good && !hd_is_digit(name.ptr[i]);
    }
    return is_good;
}

static void count_tactics(struct coverage *c, const struct rul_rule *rule, bool can_fire)
{
    for (size_t i = 0; i < rule->n_tags; i++) {
        struct hd_slice tag = hd_slice_str(rule->tags[i]);
        struct hd_slice name = hd_slice_from(tag, sizeof("attack.") - 1);
        if (!hd_slice_starts_nocase(tag, HD_SLICE("attack.")) || !is_tactic(name)) {
            continue;
        }
        size_t k = 0;
        while (k < c->n_tactics && !hd_slice_eq_nocase(c->tactics[k].tactic, name)) {
            k++;
        }
        if (k == TACTICS_MAX) {
            continue;
        }
        c->n_tactics += k == c->n_tactics;
        c->tactics[k].tactic = name;
        c->tactics[k].rules++;
        c->tactics[k].can_fire += can_fire;
    }
}

static void judge(struct coverage *c)
{
    static const char *const tactics[] = {
        /* in the order of an attack; what else is met comes behind */
        "reconnaissance",
        "resource-development",
        "initial-access",
        "execution",
        "persistence",
        "privilege-escalation",
        "stealth",
        "defense-evasion",
        "defense-impairment",
        "credential-access",
        "discovery",
        "lateral-movement",
        "collection",
        "command-and-control",
        "exfiltration",
        "impact"};
    for (size_t i = 0; i < sizeof(tactics) / sizeof(tactics[0]); i++) {
        c->tactics[c->n_tactics++].tactic = hd_slice_str(tactics[i]);
    }
    for (size_t i = 0; i < rul_set_count(c->rules.set); i++) { /* correlations are last */
        const struct rul_rule *rule = rul_set_rule(c->rules.set, i);
        bool is_detection = rule->type == RUL_DETECTION;
        enum verdict verdict =
            is_detection ? judge_detection(c, rule) : judge_correlation(c, rule);
        c->verdicts[i] = verdict;
        c->totals[verdict]++;
        count_tactics(c, rule, verdict == CAN_FIRE);
        if (is_detection) {
            struct row *row = find_source(c, &rule->logsource);
            row->rules++;
            row->can_fire += verdict == CAN_FIRE;
        }
    }
}

static int by_rules(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->rules != y->rules ? (x->rules < y->rules ? 1 : -1) : 0;
}

/* ---- out ---- */

static void write_row(struct coverage *c, struct hd_slice name, const struct row *row)
{
    unsigned percent =
        row->rules == 0 ? 0 : (unsigned)(100.0 * row->can_fire / row->rules);
    const char *colour = !c->show.has_colour ? "" : percent > 0 ? "\033[32m" : "\033[33m";
    hd_buf_str(&c->out, "  ");
    hd_buf_slice_add(&c->out, name);
    for (size_t i = name.len; i < 56; i++) {
        hd_buf_byte(&c->out, ' ');
    }
    hd_buf_printf(&c->out, " %6u %8u  %s%3u %%%s\n", row->rules, row->can_fire, colour,
                  percent, c->show.has_colour ? "\033[0m" : "");
}

static void write_head(struct coverage *c, const char *en, const char *vi)
{
    struct hd_slice title = hd_slice_str(say(c, en, vi));
    hd_buf_byte(&c->out, '\n');
    hd_buf_slice_add(&c->out, title);
    size_t width = 0; /* of characters, not bytes */
    for (size_t i = 0; i < title.len; i++) {
        width += (title.ptr[i] & 0xc0) != 0x80;
    }
    for (; width < 58; width++) {
        hd_buf_byte(&c->out, ' ');
    }
    hd_buf_printf(&c->out, "%s\n", say(c, " rules can fire", "  luật   dùng được"));
}

static void write_source_row(struct coverage *c, const struct row *row)
{
    struct hd_buf name;
    hd_buf_init(&name, 0);
    con_source_write(&row->source, &name);
    if (c->is_json) {
        hd_json_object(&c->json, NULL);
        hd_json_str(&c->json, "logsource", hd_buf_slice(&name));
        hd_json_u64(&c->json, "rules", row->rules);
        hd_json_u64(&c->json, "can_fire", row->can_fire);
        hd_json_end(&c->json, '}');
    } else {
        write_row(c, hd_buf_slice(&name), row);
    }
    hd_buf_fini(&name);
}

static void write_text(struct coverage *c)
{
    hd_buf_printf(&c->out, "%zu %s: %u %s", rul_set_count(c->rules.set),
                  say(c, "rules", "luật"), c->totals[CAN_FIRE],
                  say(c, "can fire", "có thể khớp"));
    hd_buf_printf(&c->out, ", %u %s", c->totals[NO_SOURCE],
                  say(c, "have a log source that no decoder gives",
                      "có nguồn nhật ký mà chưa bộ giải mã nào cho"));
    if (c->has_events) {
        hd_buf_printf(&c->out, ", %u %s, %u %s", c->totals[NOT_SEEN],
                      say(c, "have one that did not come", "có nguồn chưa thấy gửi về"),
                      c->totals[NO_FIELDS],
                      say(c, "want fields that never came", "cần trường chưa từng thấy"));
        hd_buf_printf(&c->out, "\n%" PRIu64 " %s, %" PRIu64 " %s", c->seen.events,
                      say(c, "events", "sự kiện"), c->seen.unknown,
                      say(c, "of no log source", "không rõ nguồn"));
    }
    hd_buf_byte(&c->out, '\n');
    write_head(c, "log source", "nguồn nhật ký");
    for (size_t i = 0; i < c->n_sources && i < SOURCES_SHOWN; i++) {
        write_source_row(c, &c->sources[i]);
    }
    if (c->n_sources > SOURCES_SHOWN) {
        hd_buf_printf(&c->out, "  %s %zu (--json)\n",
                      say(c, "and others:", "và các nguồn khác:"),
                      c->n_sources - SOURCES_SHOWN);
    }
    write_head(c, "ATT&CK tactic", "chiến thuật ATT&CK");
    for (size_t i = 0; i < c->n_tactics; i++) {
        if (c->tactics[i].rules > 0) {
            write_row(c, c->tactics[i].tactic, &c->tactics[i]);
        }
    }
}

/* Fields that events of the rule's log source never had. */
static size_t missing_fields(const struct coverage *c, const struct rul_rule *rule,
                             uint16_t *ids, size_t cap)
{
    uint64_t fields[CON_SEEN_WORDS] = {0};
    for (uint16_t i = 0; i < rul_set_classes(c->rules.set); i++) {
        for (size_t k = 0; k < CON_SEEN_WORDS && rul_class_has(c->rules.set, i, rule);
             k++) {
            fields[k] |= c->seen.classes[i].fields[k];
        }
    }
    return rul_missing_fields(c->rules.set, rule, fields, ids, cap);
}

static void write_missing(struct coverage *c, const struct rul_rule *rule)
{
    uint16_t ids[16];
    enum verdict verdict = c->verdicts[rule->index];
    size_t n = verdict == NO_FIELDS && rule->type == RUL_DETECTION
                   ? missing_fields(c, rule, ids, 16)
                   : 0;
    if (c->is_json) {
        hd_json_object(&c->json, NULL);
        hd_json_cstr(&c->json, "id", rule->id);
        hd_json_cstr(&c->json, "title", rule->title);
        hd_json_cstr(&c->json, "level", rule->level);
        hd_json_cstr(&c->json, "reason", verdict_words[verdict]);
        hd_json_array(&c->json, "fields");
    } else {
        hd_buf_printf(&c->out, "%-36s  %-13s  %-9s  %s", rule->id, rule->level,
                      verdict_words[verdict], rule->title);
        hd_buf_str(&c->out, n > 0 ? " :" : "");
    }
    for (size_t i = 0; i < n; i++) {
        struct hd_slice name = rul_fields_name(rul_set_fields(c->rules.set), ids[i]);
        if (c->is_json) {
            hd_json_str(&c->json, NULL, name);
        } else {
            hd_buf_byte(&c->out, ' ');
            hd_utf8_escape(&c->out, name);
        }
    }
    if (c->is_json) {
        hd_json_end(&c->json, ']');
        hd_json_end(&c->json, '}');
    } else {
        hd_buf_byte(&c->out, '\n');
    }
}

static void write_all_missing(struct coverage *c)
{
    for (size_t i = 0; i < rul_set_count(c->rules.set); i++) {
        if (c->verdicts[i] != CAN_FIRE) {
            write_missing(c, rul_set_rule(c->rules.set, i));
        }
    }
}

static void write_json(struct coverage *c, bool has_missing)
{
    c->json = hd_json(&c->out);
    hd_json_object(&c->json, NULL);
    hd_json_u64(&c->json, "rules", rul_set_count(c->rules.set));
    hd_json_u64(&c->json, "can_fire", c->totals[CAN_FIRE]);
    hd_json_u64(&c->json, "no_fields", c->totals[NO_FIELDS]);
    hd_json_u64(&c->json, "not_seen", c->totals[NOT_SEEN]);
    hd_json_u64(&c->json, "no_source", c->totals[NO_SOURCE]);
    hd_json_u64(&c->json, "events", c->seen.events);
    hd_json_u64(&c->json, "unknown", c->seen.unknown);
    hd_json_array(&c->json, "sources");
    for (size_t i = 0; i < c->n_sources; i++) {
        write_source_row(c, &c->sources[i]);
    }
    hd_json_end(&c->json, ']');
    hd_json_array(&c->json, "tactics");
    for (size_t i = 0; i < c->n_tactics; i++) {
        if (c->tactics[i].rules > 0) {
            hd_json_object(&c->json, NULL);
            hd_json_str(&c->json, "tactic", c->tactics[i].tactic);
            hd_json_u64(&c->json, "rules", c->tactics[i].rules);
            hd_json_u64(&c->json, "can_fire", c->tactics[i].can_fire);
            hd_json_end(&c->json, '}');
        }
    }
    hd_json_end(&c->json, ']');
    if (has_missing) {
        hd_json_array(&c->json, "missing");
        write_all_missing(c);
        hd_json_end(&c->json, ']');
    }
    hd_json_end(&c->json, '}');
    hd_buf_byte(&c->out, '\n');
}

static int write_out(struct coverage *c, const struct con_args *args)
{
    bool has_missing = con_args_flag(args, "missing");
    if (c->is_json) {
        write_json(c, has_missing);
    } else if (has_missing) {
        write_all_missing(c);
    } else {
        write_text(c);
    }
    int code = con_out_print(&c->out);
    return code == HD_EXIT_OK ? con_rules_verdict(&c->rules) : code;
}

/* ---- the command ---- */

static int look(struct coverage *c, const struct con_args *args)
{
    const char *archive = con_args_value(args, "archive");
    const char *since = con_args_value(args, "since");
    int64_t back = 0;
    if (hd_num_duration(hd_slice_str(since != NULL ? since : "24h"), &back) != 0) {
        return con_fail(HD_EXIT_USAGE,
                        "--since: '%s' is not a duration like 90m, 24h, 7d", since);
    }
    if (con_args_value(args, "events") != NULL) {
        return con_seen_events(&c->seen, args);
    }
    if (archive == NULL) {
        return HD_EXIT_OK;
    }
    struct hd_journal_keys *keys = NULL;
    int code = con_unlock(args, &keys);
    if (code != HD_EXIT_OK) {
        return code;
    }
    c->seen.keys = keys;
    int err = access(archive, R_OK | X_OK) == 0
                  ? con_seen_archive(&c->seen, archive, hd_clock_wall_ns() - back)
                  : hd_err_from_errno(errno);
    hd_journal_keys_free(keys);
    if (c->seen.unreadable > 0) {
        (void)fprintf(stderr, "haidang: %" PRIu64 " entries of %s cannot be read\n",
                      c->seen.unreadable, archive);
    }
    char why[CON_UNLOCK_WHY];
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_STORE, "the archive %s cannot be read: %s",
                                   archive, con_unlock_text(err, &c->seen.missing, why));
}

static int cover(struct coverage *c, const struct con_args *args)
{
    size_t n = rul_set_count(c->rules.set) + 1;
    c->verdicts = calloc(n, sizeof(*c->verdicts));
    c->sources = calloc(n, sizeof(*c->sources));
    if (c->verdicts == NULL || c->sources == NULL ||
        con_seen_init(&c->seen, c->rules.set) != HD_OK) {
        return con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(HD_ENOMEM));
    }
    c->has_events =
        con_args_value(args, "events") != NULL || con_args_value(args, "archive") != NULL;
    int code = look(c, args);
    if (code != HD_EXIT_OK) {
        return code;
    }
    judge(c);
    qsort(c->sources, c->n_sources, sizeof(*c->sources), by_rules);
    return write_out(c, args);
}

int con_run_rules_coverage(const struct con_args *args)
{
    struct coverage c = {.rules = {.diags = {.emit = hd_diag_print, .ctx = stderr}},
                         .is_json = con_args_flag(args, "json")};
    struct con_sources declared;
    if (con_args_value(args, "events") != NULL &&
        con_args_value(args, "archive") != NULL) {
        return con_fail(HD_EXIT_USAGE, "rules coverage: --events or --archive, not both");
    }
    int code = con_sources_parse(&declared, args);
    if (code == HD_EXIT_OK && con_show_init(&c.show, args) != 0) {
        code = HD_EXIT_USAGE;
    }
    if (code == HD_EXIT_OK) {
        con_rules_load(&c.rules, args, &declared);
        hd_buf_init(&c.out, 0);
        code = c.rules.set != NULL ? cover(&c, args) : con_rules_verdict(&c.rules);
    }
    con_seen_fini(&c.seen);
    free(c.verdicts);
    free(c.sources);
    hd_buf_fini(&c.out);
    con_show_fini(&c.show);
    con_rules_fini(&c.rules);
    return code;
}
