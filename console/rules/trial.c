/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules test RULE --events FILE: event by event, which parts of a rule's
 * condition held, which did not, and with which values. Each search of a rule is compiled
 * as a rule of its own beside it, and the engine is asked: what is shown is what the
 * engine did.
 */
#include <haidang/json.h>
#include <haidang/num.h>
#include <haidang/utf8.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "console/out.h"
#include "console/rules/documents.h"
#include "console/rules/load.h"
#include "console/rules/steps.h"
#include "console/rules/test.h"
#include "console/yaml_out.h"

#define RULES_MAX     16U
#define PARTS_MAX     64U
#define DEFAULT_LIMIT 20U
#define OUT_FLUSH     ((size_t)64 << 10)
#define STEPS_SHOWN   8U /* comparisons of a search that hold, and that do not */
#define VALUE_SHOWN   160U

struct part {
    char *name;
    const struct rul_rule *rule; /* the search as a rule */
};

struct subject {
    const struct rul_rule *rule; /* NULL: refused */
    char *file, *condition;
    unsigned line;
    struct part parts[PARTS_MAX];
    size_t n;
    uint64_t met, fired;
    bool fires; /* on the event at hand */
};

struct trial {
    struct con_rules rules;
    struct con_events events;
    struct con_show show;
    struct rul_scratch *scratch;
    struct hd_buf yaml; /* the searches as rules */
    struct hd_buf out;
    struct hd_json json;
    bool is_json;
    struct subject subjects[RULES_MAX];
    size_t n;
    uint64_t limit, seen;
    /* of the search being shown */
    bool is_in_filter;
    unsigned shown[2], left_out;
    int err;
};

static const char *say(const struct trial *t, const char *en, const char *vi)
{
    return con_show_say(&t->show, en, vi);
}

/* ---- searches as rules ---- */

static void add_part(struct trial *t, struct subject *s, const struct hd_yaml *logsource,
                     const struct hd_yaml *search)
{
    const struct hd_yaml key = {
        .kind = HD_YAML_SCALAR, .is_plain = true, .text = HD_SLICE("part")};
    struct hd_yaml value = *search;
    if (s->n == PARTS_MAX) {
        return;
    }
    s->parts[s->n].name = hd_slice_dup(search->key->text);
    t->err = s->parts[s->n].name == NULL ? HD_ENOMEM : t->err;
    hd_buf_printf(&t->yaml, "---\ntitle: part\nid: part-%zu-%zu\n",
                  (size_t)(s - t->subjects), s->n);
    con_yaml_write_member(&t->yaml, logsource, 0);
    hd_buf_str(&t->yaml, "detection:\n");
    value.key = &key;
    con_yaml_write_member(&t->yaml, &value, 1);
    hd_buf_str(&t->yaml, "  condition: part\n");
    s->n++;
}

static char *condition_text(const struct hd_yaml *condition)
{
    struct hd_buf text;
    hd_buf_init(&text, 0);
    for (const struct hd_yaml *c = hd_yaml_item(condition, NULL); c != NULL;
         c = hd_yaml_item(condition, c)) {
        hd_buf_str(&text, text.len > 0 ? " | " : "");
        hd_buf_slice_add(&text, hd_slice_trim(c->text));
    }
    char *copy = hd_slice_dup(hd_buf_slice(&text));
    hd_buf_fini(&text);
    return copy;
}

static int take_document(void *ctx, const char *file, const struct hd_yaml *doc)
{
    struct trial *t = ctx;
    const struct hd_yaml *detection = hd_yaml_get(doc, "detection");
    const struct hd_yaml *condition = hd_yaml_get(detection, "condition");
    const struct hd_yaml *logsource = hd_yaml_get(doc, "logsource");
    if (condition == NULL || logsource == NULL) {
        return HD_EXIT_OK; /* a correlation or a filter, or refused when it is loaded */
    }
    if (t->n == RULES_MAX) {
        return con_fail(HD_EXIT_USAGE,
                        "rules test --events: more than %u rules; name fewer", RULES_MAX);
    }
    struct subject *s = &t->subjects[t->n++];
    s->line = doc->line;
    s->file = hd_slice_dup(hd_slice_str(file));
    s->condition = condition_text(condition);
    t->err = s->file == NULL || s->condition == NULL ? HD_ENOMEM : t->err;
    for (const struct hd_yaml *v = detection->first; v != NULL; v = v->next) {
        if (v != condition) {
            add_part(t, s, logsource, v);
        }
    }
    return t->err == 0 ? HD_EXIT_OK
                       : con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(t->err));
}

/* "part-1-2": subject 1, search 2. */
static bool take_part(struct trial *t, const struct rul_rule *rule)
{
    struct hd_slice rest = hd_slice_str(rule->id), word;
    uint32_t numbers[2] = {0};
    if (!hd_slice_starts(rest, HD_SLICE("part-")) || !hd_slice_split(&rest, '-', &word)) {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        if (!hd_slice_split(&rest, '-', &word) ||
            hd_num_u32(word, UINT32_MAX, &numbers[i]) != 0) {
            return false;
        }
    }
    if (numbers[0] >= t->n || numbers[1] >= t->subjects[numbers[0]].n) {
        return false;
    }
    t->subjects[numbers[0]].parts[numbers[1]].rule = rule;
    return true;
}

static void find_rules(struct trial *t)
{
    for (size_t i = 0; i < rul_set_count(t->rules.set); i++) {
        const struct rul_rule *rule = rul_set_rule(t->rules.set, i);
        for (size_t k = 0; !take_part(t, rule) && k < t->n; k++) {
            struct subject *s = &t->subjects[k];
            bool is_it = s->line == rule->line &&
                         hd_slice_eq(hd_slice_str(s->file), hd_slice_str(rule->file));
            s->rule = is_it ? rule : s->rule;
        }
    }
}

/* The rules of the command line and, from memory, their searches. */
static int load(struct trial *t, const struct con_args *args)
{
    char path[64];
    struct con_sources declared;
    const char *operands[RULES_MAX + 1];
    struct con_args more = *args;
    int code = con_sources_parse(&declared, args);
    int fd = memfd_create("searches", MFD_CLOEXEC);
    if (code != HD_EXIT_OK || fd < 0 || t->yaml.err != 0 ||
        write(fd, t->yaml.ptr, t->yaml.len) != (ssize_t)t->yaml.len) {
        (void)close(fd);
        return code != HD_EXIT_OK ? code
                                  : con_fail(HD_EXIT_RUNTIME,
                                             "the searches cannot be written to memory");
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    for (size_t i = 0; i < args->n_operands; i++) {
        operands[i] = args->operands[i];
    }
    operands[args->n_operands] = path;
    more.operands = operands;
    more.n_operands++;
    con_rules_load(&t->rules, &more, &declared);
    (void)close(fd);
    if (t->rules.set == NULL) {
        return con_rules_verdict(&t->rules);
    }
    find_rules(t);
    return HD_EXIT_OK;
}

/* ---- one search of one event ---- */

static struct hd_slice value_of(const struct trial *t, const struct rul_step *step,
                                bool *is_there)
{
    const struct rul_event *ev = t->events.ev;
    if (step->field == RUL_FIELD_NONE) {
        *is_there = true;
        return ev->raw;
    }
    *is_there = rul_event_has(ev, step->field);
    return rul_event_get(ev, step->field);
}

static void step_json(struct trial *t, const struct rul_step *step)
{
    bool is_there = false;
    struct hd_slice value = value_of(t, step, &is_there);
    hd_json_object(&t->json, NULL);
    hd_json_u64(&t->json, "depth", step->depth);
    hd_json_cstr(&t->json, "kind", con_step_kind(step));
    hd_json_bool(&t->json, "holds", step->holds);
    if (step->kind == RUL_STEP_ANY) {
        hd_json_u64(&t->json, "at_least", step->n);
    }
    if (step->kind == RUL_STEP_COMPARE) {
        hd_json_str(&t->json, "text", step->text);
        if (is_there) {
            hd_json_str(&t->json, "value", value);
        } else {
            hd_json_null(&t->json, "value");
        }
    }
    hd_json_end(&t->json, '}');
}

static void step_text(struct trial *t, const struct rul_step *step)
{
    bool is_there = false;
    struct hd_slice value = value_of(t, step, &is_there);
    if (step->kind == RUL_STEP_COMPARE && t->shown[step->holds]++ >= STEPS_SHOWN) {
        t->left_out++;
        return;
    }
    hd_buf_printf(&t->out, "    %s %*s", step->holds ? "+" : "-", 2 * (int)step->depth,
                  "");
    con_step_write(&t->show, step, &t->out);
    if (step->kind == RUL_STEP_COMPARE) {
        hd_buf_str(&t->out, "   <- ");
        if (is_there) {
            hd_json_quote(&t->out, hd_slice_head(value, VALUE_SHOWN));
            hd_buf_str(&t->out, value.len > VALUE_SHOWN ? "..." : "");
        } else {
            hd_buf_str(&t->out, say(t, "no such field", "không có trường này"));
        }
    }
    hd_buf_byte(&t->out, '\n');
}

static void on_step(void *ctx, const struct rul_step *step)
{
    struct trial *t = ctx;
    t->is_in_filter |= step->kind == RUL_STEP_FILTER;
    if (t->is_in_filter) {
        return; /* of the set, not of the search */
    }
    if (t->is_json) {
        step_json(t, step);
    } else {
        step_text(t, step);
    }
}

/* The first step is the search as a whole. */
static void on_root(void *ctx, const struct rul_step *step)
{
    int *holds = ctx;
    *holds = *holds < 0 ? step->holds : *holds;
}

static void show_part(struct trial *t, const struct part *part)
{
    int holds = -1;
    const struct rul_hit hit = {part->rule, t->events.ev};
    if (part->rule == NULL) {
        return;
    }
    int err = rul_explain_steps(t->rules.set, t->scratch, &hit, on_root, &holds);
    if (t->is_json) {
        hd_json_object(&t->json, NULL);
        hd_json_cstr(&t->json, "name", part->name);
        hd_json_bool(&t->json, "holds", holds == 1);
        hd_json_array(&t->json, "steps");
    } else {
        hd_buf_printf(&t->out, "  %s: ", part->name);
        con_test_mark(&t->show, holds == 1, say(t, "holds", "đúng"),
                      say(t, "does not hold", "không đúng"), &t->out);
        hd_buf_byte(&t->out, '\n');
    }
    t->is_in_filter = false;
    t->shown[0] = t->shown[1] = t->left_out = 0;
    err = err == 0 ? rul_explain_steps(t->rules.set, t->scratch, &hit, on_step, t) : err;
    if (t->is_json) {
        hd_json_end(&t->json, ']');
        hd_json_end(&t->json, '}');
    } else if (t->left_out > 0) {
        hd_buf_printf(&t->out, "      ... %s %u\n",
                      say(t, "comparisons not shown:", "phép so sánh không hiện:"),
                      t->left_out);
    }
    t->err = t->err == 0 ? err : t->err;
}

/* ---- one event ---- */

static void show_json(struct trial *t, const struct subject *s, bool is_met)
{
    t->json = hd_json(&t->out);
    hd_json_object(&t->json, NULL);
    hd_json_u64(&t->json, "event", t->events.lines.number);
    hd_json_object(&t->json, "rule");
    hd_json_cstr(&t->json, "id", s->rule->id);
    hd_json_cstr(&t->json, "title", s->rule->title);
    hd_json_end(&t->json, '}');
    hd_json_bool(&t->json, "meets", is_met);
    hd_json_bool(&t->json, "fires", s->fires);
    hd_json_cstr(&t->json, "condition", s->condition);
    hd_json_array(&t->json, "parts");
    for (size_t i = 0; is_met && i < s->n; i++) {
        show_part(t, &s->parts[i]);
    }
    hd_json_end(&t->json, ']');
    hd_json_end(&t->json, '}');
    hd_buf_byte(&t->out, '\n');
}

/* Of what log source the event is, and of which the rule. */
static void show_sources(struct trial *t, const struct subject *s)
{
    const struct rul_class *class = rul_set_class(t->rules.set, t->events.ev->class_id);
    hd_buf_printf(&t->out, "  %s ",
                  say(t, "its log source is", "nguồn nhật ký của sự kiện:"));
    for (uint16_t i = 0; class != NULL && i < class->n; i++) {
        hd_buf_str(&t->out, i > 0 ? " + " : "");
        con_source_write(&class->sources[i], &t->out);
    }
    if (class == NULL || class->n == 0) {
        hd_buf_str(&t->out,
                   say(t, "not known to any decoder", "chưa bộ giải mã nào biết"));
    }
    hd_buf_printf(&t->out, ", %s ", say(t, "the rule wants", "luật cần"));
    con_source_write(&s->rule->logsource, &t->out);
    hd_buf_byte(&t->out, '\n');
}

static void show_text(struct trial *t, const struct subject *s, bool is_met)
{
    hd_buf_printf(&t->out, "%s %" PRIu64 ", %s: ", say(t, "event", "sự kiện"),
                  t->events.lines.number, s->rule->title);
    con_test_mark(&t->show, s->fires, say(t, "fires", "khớp"),
                  say(t, "does not fire", "không khớp"), &t->out);
    hd_buf_byte(&t->out, '\n');
    if (!is_met) {
        show_sources(t, s);
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        show_part(t, &s->parts[i]);
    }
    hd_buf_printf(&t->out, "  %s: %s\n", say(t, "condition", "điều kiện"), s->condition);
}

static void on_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    struct trial *t = ctx;
    (void)ev;
    for (size_t i = 0; i < t->n; i++) {
        t->subjects[i].fires |= t->subjects[i].rule == rule;
    }
}

static void take_event(struct trial *t)
{
    for (size_t i = 0; i < t->n; i++) {
        t->subjects[i].fires = false;
    }
    rul_match(t->rules.set, t->scratch, t->events.ev, on_hit, t);
    bool is_shown = t->limit == 0 || t->seen < t->limit;
    t->seen++;
    for (size_t i = 0; i < t->n; i++) {
        struct subject *s = &t->subjects[i];
        bool is_met = s->rule != NULL &&
                      rul_class_has(t->rules.set, t->events.ev->class_id, s->rule);
        s->met += is_met;
        s->fired += s->fires;
        if (s->rule == NULL || !is_shown) {
            continue;
        }
        if (t->is_json) {
            show_json(t, s, is_met);
        } else {
            show_text(t, s, is_met);
        }
    }
}

/* ---- the run ---- */

static void flush(struct trial *t)
{
    int err = con_out_flush(&t->out);
    t->err = t->err == 0 ? err : t->err;
}

static void sum_up(struct trial *t)
{
    for (size_t i = 0; i < t->n && !t->is_json; i++) {
        const struct subject *s = &t->subjects[i];
        if (s->rule != NULL) {
            hd_buf_printf(&t->out, "%s: %s %" PRIu64 ", %s %" PRIu64 ", %s %" PRIu64 "\n",
                          s->rule->title, say(t, "events", "số sự kiện"), t->seen,
                          say(t, "of its log source", "đúng nguồn nhật ký"), s->met,
                          say(t, "fired on", "khớp"), s->fired);
        }
    }
    flush(t);
}

static int run(struct trial *t)
{
    int more = 0;
    t->err = rul_scratch_new(t->rules.set, &t->scratch);
    while (t->err == 0 && (more = con_lines_fill(&t->events.lines)) > 0) {
        while (t->err == 0 && con_events_next(&t->events)) {
            take_event(t);
            if (t->out.len > OUT_FLUSH) {
                flush(t);
            }
        }
        flush(t);
    }
    t->err = t->err == 0 && more < 0 ? more : t->err;
    sum_up(t);
    return t->err == 0 ? con_rules_verdict(&t->rules)
                       : con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(t->err));
}

static int parse_limit(struct trial *t, const struct con_args *args)
{
    const char *text = con_args_value(args, "limit");
    t->limit = t->is_json ? 0 : DEFAULT_LIMIT;
    if (text != NULL && hd_num_u64(hd_slice_str(text), UINT32_MAX, &t->limit) != 0) {
        return con_fail(HD_EXIT_USAGE, "--limit: '%s' is not a number", text);
    }
    if (args->n_operands == 0 || args->n_operands > RULES_MAX) {
        return con_fail(HD_EXIT_USAGE, "rules test --events: name 1 to %u rule files",
                        RULES_MAX);
    }
    return con_show_init(&t->show, args) == 0 ? HD_EXIT_OK : HD_EXIT_USAGE;
}

static void free_trial(struct trial *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct subject *s = &t->subjects[i];
        for (size_t k = 0; k < s->n; k++) {
            free(s->parts[k].name);
        }
        free(s->file);
        free(s->condition);
    }
    rul_scratch_free(t->scratch);
    con_rules_fini(&t->rules);
    con_show_fini(&t->show);
    hd_buf_fini(&t->yaml);
    hd_buf_fini(&t->out);
    free(t);
}

int con_test_events(const struct con_args *args)
{
    struct trial *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(HD_ENOMEM));
    }
    t->rules.diags = (struct hd_diags){.emit = hd_diag_print, .ctx = stderr};
    t->is_json = con_args_flag(args, "json");
    hd_buf_init(&t->yaml, 0);
    hd_buf_init(&t->out, 0);
    int code = parse_limit(t, args);
    code = code == HD_EXIT_OK ? con_documents_each(args, take_document, t) : code;
    code = code == HD_EXIT_OK ? load(t, args) : code;
    if (code == HD_EXIT_OK) {
        code = con_events_open(&t->events, args, t->rules.set);
        code = code == HD_EXIT_OK ? run(t) : code;
        con_events_close(&t->events);
    }
    free_trial(t);
    return code;
}
