/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules bench: how fast these rules are on these events, and which of them cost
 * most. Processor time of one thread; the events are in memory before the clock runs.
 */
#include <haidang/json.h>
#include <haidang/num.h>
#include <haidang/utf8.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "console/out.h"
#include "console/rules/load.h"
#include "console/show.h"
#include "rules/explain.h"

#define BYTES_MAX      ((size_t)256 << 20)
#define PROFILED_MAX   20000U
#define DEFAULT_TOP    15U
#define DEFAULT_BUDGET (2.0 * 1e9)

struct cost { /* of one rule over the events profiled */
    const struct rul_rule *rule;
    uint64_t candidate, held;
    double ns;
};

struct bench {
    struct con_rules rules;
    struct con_show show;
    struct con_events events;
    struct rul_scratch *scratch;
    struct hd_buf text;  /* all lines */
    struct hd_buf spans; /* size_t: where each line ends */
    size_t n;
    bool is_cut;
    double budget_ns, decode_ns, both_ns; /* the last two: an event */
    uint64_t hits, passes;
    struct cost *costs; /* per rule */
    size_t n_profiled;
    uint64_t top;
    struct hd_buf out;
    int err;
};

static double cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ---- events into memory ---- */

static int keep_lines(struct bench *b)
{
    struct hd_slice line;
    while (con_lines_next(&b->events.lines, &line) && !b->is_cut) {
        if (hd_slice_trim(line).len == 0) {
            continue;
        }
        b->is_cut = b->text.len + line.len > BYTES_MAX;
        if (!b->is_cut) {
            hd_buf_slice_add(&b->text, line);
            hd_buf_bytes(&b->spans, &b->text.len, sizeof(b->text.len));
            b->n++;
        }
    }
    return b->text.err != 0 ? b->text.err : b->spans.err;
}

static int read_events(struct bench *b)
{
    int more = 0, err = HD_OK;
    while (err == HD_OK && !b->is_cut && (more = con_lines_fill(&b->events.lines)) > 0) {
        err = keep_lines(b);
    }
    err = err == HD_OK && more < 0 ? more : err;
    if (err != HD_OK) {
        return con_fail(HD_EXIT_RUNTIME, "%s cannot be read: %s", b->events.lines.name,
                        hd_err_text(err));
    }
    return b->n > 0
               ? HD_EXIT_OK
               : con_fail(HD_EXIT_CONFIG, "%s holds no events", b->events.lines.name);
}

static struct hd_slice line_at(const struct bench *b, size_t i)
{
    size_t from = 0, to;
    if (i > 0) {
        memcpy(&from, b->spans.ptr + (i - 1) * sizeof(from), sizeof(from));
    }
    memcpy(&to, b->spans.ptr + i * sizeof(to), sizeof(to));
    return hd_slice(b->text.ptr + from, to - from);
}

/* ---- the clock ---- */

static void count_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    struct bench *b = ctx;
    (void)rule;
    (void)ev;
    b->hits++;
}

static void one_pass(struct bench *b, bool is_matched)
{
    for (size_t i = 0; i < b->n; i++) {
        con_events_decode(&b->events, line_at(b, i));
        if (is_matched) {
            rul_match(b->rules.set, b->scratch, b->events.ev, count_hit, b);
        }
    }
}

/* Nanoseconds an event, the best of the passes that fit the budget (three at least). */
static double measure(struct bench *b, bool is_matched)
{
    double best = (double)INFINITY, spent = 0;
    for (unsigned i = 0; i < 3 || spent < b->budget_ns; i++) {
        double start = cpu_ns();
        one_pass(b, is_matched);
        double took = cpu_ns() - start;
        spent += took;
        best = took < best ? took : best;
        b->passes += is_matched;
    }
    return best / (double)b->n;
}

/* ---- single rules ---- */

static void on_candidate(void *ctx, const struct rul_candidate *candidate)
{
    struct bench *b = ctx;
    struct cost *cost = &b->costs[candidate->rule->index];
    cost->rule = candidate->rule;
    cost->candidate++;
    cost->held += candidate->holds;
    cost->ns += (double)candidate->took_ns;
}

static int profile(struct bench *b)
{
    size_t step = b->n / PROFILED_MAX + 1;
    b->costs = calloc(rul_set_count(b->rules.set) + 1, sizeof(*b->costs));
    int err = b->costs == NULL ? HD_ENOMEM : HD_OK;
    for (size_t i = 0; i < b->n && err == HD_OK; i += step) {
        con_events_decode(&b->events, line_at(b, i));
        err = rul_profile_event(b->rules.set, b->scratch, b->events.ev, on_candidate, b);
        b->n_profiled++;
    }
    return err;
}

static int by_cost(const void *a, const void *b)
{
    const struct cost *x = a, *y = b;
    return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : 0;
}

/* ---- out ---- */

struct totals {
    double candidates, eval_ns; /* an event */
};

static struct totals sum(const struct bench *b)
{
    struct totals t = {0};
    for (size_t i = 0; i < rul_set_count(b->rules.set); i++) {
        t.candidates += (double)b->costs[i].candidate / (double)b->n_profiled;
        t.eval_ns += b->costs[i].ns / (double)b->n_profiled;
    }
    return t;
}

static void write_rate(struct bench *b, const char *name, double ns)
{
    hd_buf_printf(&b->out, "  %-8s %12.0f /s  %10.1f ns\n", name, ns > 0 ? 1e9 / ns : 0,
                  ns);
}

static void write_text(struct bench *b)
{
    struct totals t = sum(b);
    double match_ns = b->both_ns > b->decode_ns ? b->both_ns - b->decode_ns : 0;
    hd_buf_printf(&b->out, "%zu rules, %zu events%s, %.0f bytes an event, one thread\n",
                  rul_set_count(b->rules.set), b->n,
                  b->is_cut ? " (the first of them)" : "",
                  (double)b->text.len / (double)b->n);
    write_rate(b, "decode", b->decode_ns);
    write_rate(b, "match", match_ns);
    write_rate(b, "both", b->both_ns);
    hd_buf_printf(
        &b->out,
        "  %.3f hits an event; %.2f rules looked at an event, %.0f ns of match\n",
        (double)b->hits / (double)b->passes / (double)b->n, t.candidates, t.eval_ns);
    hd_buf_str(&b->out, "\n  ns/event  looked at     holds  rule\n");
    for (size_t i = 0; i < b->top && i < rul_set_count(b->rules.set); i++) {
        const struct cost *c = &b->costs[i];
        if (c->rule == NULL) {
            break;
        }
        hd_buf_printf(&b->out, "  %8.2f  %7.2f %%  %6.2f %%  ",
                      c->ns / (double)b->n_profiled,
                      100.0 * (double)c->candidate / (double)b->n_profiled,
                      100.0 * (double)c->held / (double)b->n_profiled);
        hd_utf8_escape(&b->out, hd_slice_str(c->rule->title));
        hd_buf_printf(&b->out, " (%s)\n", c->rule->id);
    }
}

static void number(struct hd_json *j, const char *key, double value)
{
    hd_json_key(j, hd_slice_str(key));
    hd_buf_printf(j->out, "%.4g", value);
    j->after_key = false;
}

static void write_json(struct bench *b)
{
    struct totals t = sum(b);
    struct hd_json j = hd_json(&b->out);
    hd_json_object(&j, NULL);
    hd_json_u64(&j, "rules", rul_set_count(b->rules.set));
    hd_json_u64(&j, "events", b->n);
    hd_json_u64(&j, "bytes", b->text.len);
    number(&j, "decode_ns", b->decode_ns);
    number(&j, "both_ns", b->both_ns);
    number(&j, "events_per_s", 1e9 / b->both_ns);
    hd_json_u64(&j, "hits", b->hits / b->passes);
    number(&j, "candidates", t.candidates);
    number(&j, "evaluate_ns", t.eval_ns);
    hd_json_array(&j, "costs");
    for (size_t i = 0; i < b->top && b->costs[i].rule != NULL; i++) {
        const struct cost *c = &b->costs[i];
        hd_json_object(&j, NULL);
        hd_json_cstr(&j, "id", c->rule->id);
        hd_json_cstr(&j, "title", c->rule->title);
        number(&j, "ns", c->ns / (double)b->n_profiled);
        number(&j, "looked_at", (double)c->candidate / (double)b->n_profiled);
        number(&j, "holds", (double)c->held / (double)b->n_profiled);
        hd_json_end(&j, '}');
    }
    hd_json_end(&j, ']');
    hd_json_end(&j, '}');
    hd_buf_byte(&b->out, '\n');
}

/* ---- the command ---- */

static int run(struct bench *b, bool is_json)
{
    int err = rul_scratch_new(b->rules.set, &b->scratch);
    if (err == HD_OK) {
        b->decode_ns = measure(b, false);
        b->both_ns = measure(b, true);
        err = profile(b);
    }
    if (err != HD_OK) {
        return con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(err));
    }
    qsort(b->costs, rul_set_count(b->rules.set), sizeof(*b->costs), by_cost);
    if (is_json) {
        write_json(b);
    } else {
        write_text(b);
    }
    return con_out_print(&b->out);
}

static int parse(struct bench *b, const struct con_args *args,
                 struct con_sources *declared)
{
    const char *top = con_args_value(args, "top"), *budget = con_args_value(args, "time");
    int64_t budget_ns = 0;
    b->top = DEFAULT_TOP;
    b->budget_ns = DEFAULT_BUDGET;
    if (con_args_value(args, "events") == NULL) {
        return con_fail(HD_EXIT_USAGE,
                        "rules bench: --events FILE is missing (- is standard input)");
    }
    if (top != NULL && hd_num_u64(hd_slice_str(top), UINT32_MAX, &b->top) != 0) {
        return con_fail(HD_EXIT_USAGE, "--top: '%s' is not a number", top);
    }
    if (budget != NULL) {
        if (hd_num_duration(hd_slice_str(budget), &budget_ns) != 0) {
            return con_fail(HD_EXIT_USAGE,
                            "--time: '%s' is not a duration like 500ms, 10s", budget);
        }
        b->budget_ns = (double)budget_ns;
    }
    return con_sources_parse(declared, args);
}

int con_run_rules_bench(const struct con_args *args)
{
    struct bench b = {.rules = {.diags = {.emit = hd_diag_print, .ctx = stderr}}};
    struct con_sources declared;
    int code = parse(&b, args, &declared);
    if (code != HD_EXIT_OK) {
        return code;
    }
    hd_buf_init(&b.text, 2 * BYTES_MAX);
    hd_buf_init(&b.spans, 0);
    hd_buf_init(&b.out, 0);
    con_rules_load(&b.rules, args, &declared);
    code = b.rules.set == NULL ? con_rules_verdict(&b.rules) : HD_EXIT_OK;
    if (code == HD_EXIT_OK) {
        code = con_events_open(&b.events, args, b.rules.set);
        code = code == HD_EXIT_OK ? read_events(&b) : code;
        code = code == HD_EXIT_OK ? run(&b, con_args_flag(args, "json")) : code;
        con_events_close(&b.events);
    }
    rul_scratch_free(b.scratch);
    free(b.costs);
    hd_buf_fini(&b.text);
    hd_buf_fini(&b.spans);
    hd_buf_fini(&b.out);
    con_rules_fini(&b.rules);
    return code;
}
