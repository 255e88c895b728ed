/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules match: the engine as a filter. Events in, one JSON line a hit out
 * (docs/formats/match.md); the same decoding, matching and correlating as the
 * correlator's. Nothing is allocated for lines that no rule knows.
 */
#include <haidang/clock.h>
#include <haidang/json.h>
#include <haidang/num.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "console/out.h"
#include "console/rules/load.h"
#include "rules/correlate/correlate.h"
#include "rules/explain.h"

#define OUT_FLUSH ((size_t)64 << 10)
#define AGENT     "line/" /* that all are of: lines of one time are in order */

struct match {
    struct con_events events;
    struct rul_set *set;
    struct rul_scratch *scratch;
    struct rul_correlator *correlator; /* NULL: the set has no correlations */
    struct hd_buf out;
    bool shows_all; /* also hits of rules that raise no alert themselves */
    uint64_t hits;
    int err; /* of memory or of writing; ends the run */
};

/* ---- out ---- */

static void flush(struct match *m)
{
    int err = con_out_flush(&m->out);
    m->err = m->err == 0 ? err : m->err;
}

static struct hd_json begin_hit(struct match *m, const struct rul_rule *rule,
                                uint64_t event)
{
    struct hd_json j = hd_json(&m->out);
    hd_json_object(&j, NULL);
    hd_json_u64(&j, "event", event);
    hd_json_object(&j, "rule");
    hd_json_cstr(&j, "id", rule->id);
    hd_json_cstr(&j, "title", rule->title);
    hd_json_cstr(&j, "level", rule->level);
    hd_json_end(&j, '}');
    hd_json_object(&j, "fields");
    m->hits++;
    return j;
}

static void end_hit(struct match *m, struct hd_json *j)
{
    hd_json_end(j, '}');
    hd_buf_byte(&m->out, '\n');
    if (m->out.len > OUT_FLUSH) {
        flush(m);
    }
}

static void write_hit(struct match *m, const struct rul_hit *hit)
{
    uint16_t ids[RUL_EVENT_VALUES_MAX];
    size_t n = rul_hit_fields(m->set, m->scratch, hit, ids, RUL_EVENT_VALUES_MAX);
    struct hd_json j = begin_hit(m, hit->rule, m->events.lines.number);
    for (size_t i = 0; i < n; i++) {
        hd_json_key(&j, rul_fields_name(rul_set_fields(m->set), ids[i]));
        hd_json_str(&j, NULL, hit->ev->values[ids[i]]);
    }
    hd_json_end(&j, '}');
    end_hit(m, &j);
}

/* ---- correlations ---- */

/* Positions are numbers of lines here, behind the agent. */
static uint64_t event_at(struct hd_slice position)
{
    uint64_t number = 0;
    struct hd_slice digits = hd_slice_from(position, strlen(AGENT));
    return hd_num_u64(digits, UINT64_MAX, &number) == 0 ? number : 0;
}

static void on_detection(void *ctx, const struct rul_detection *d,
                         const struct rul_event_copy *last)
{
    struct match *m = ctx;
    (void)last;
    if (!d->rule->alerts && !m->shows_all) {
        return;
    }
    struct hd_json j = begin_hit(m, d->rule, event_at(d->last_position));
    for (size_t i = 0; i < d->n_group; i++) {
        hd_json_key(&j, hd_slice_str(d->group[i].field));
        if (d->group[i].value.ptr == NULL) {
            hd_json_null(&j, NULL);
        } else {
            hd_json_str(&j, NULL, d->group[i].value);
        }
    }
    hd_json_end(&j, '}');
    hd_json_object(&j, "correlation");
    hd_json_u64(&j, "count", d->count);
    hd_json_u64(&j, "suppressed", d->suppressed);
    hd_json_u64(&j, "first_event", event_at(d->first_position));
    hd_json_time(&j, "first", d->first_ns, 6);
    hd_json_time(&j, "last", d->last_ns, 6);
    if (d->is_ambiguous) {
        hd_json_cstr(&j, "order", "ambiguous");
    }
    hd_json_end(&j, '}');
    end_hit(m, &j);
}

static void correlate(struct match *m, const struct rul_hit *hit)
{
    char position[32];
    struct rul_event_copy *copy = NULL;
    int n =
        snprintf(position, sizeof(position), AGENT "%" PRIu64, m->events.lines.number);
    int err = rul_event_copy(hit->ev, &copy);
    err = err == 0 ? rul_correlate(m->correlator, hit->rule, copy,
                                   hd_slice(position, (size_t)n), on_detection, m)
                   : err;
    free(copy);
    if (err != 0 && err != HD_EINVAL) { /* HD_EINVAL: a time out of all range */
        m->err = err;
    }
}

static void on_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    struct match *m = ctx;
    const struct rul_hit hit = {rule, ev};
    if (rule->alerts || m->shows_all) {
        write_hit(m, &hit);
    }
    if (rule->feeds && m->correlator != NULL) {
        correlate(m, &hit);
    }
}

/* Time goes on with events that no rule knows, too. */
static void pass_time(struct match *m, int64_t now_ns)
{
    if (m->correlator != NULL) {
        rul_correlator_advance(m->correlator, now_ns);
        rul_correlator_close(m->correlator, on_detection, m);
    }
}

/* ---- the run ---- */

static void take_lines(struct match *m)
{
    while (m->err == 0 && con_events_next(&m->events)) {
        const struct rul_event *ev = m->events.ev;
        pass_time(m, ev->time_ns);
        rul_match(m->set, m->scratch, ev, on_hit, m);
    }
    flush(m);
}

/* Silence until every window has ended. */
static void end_windows(struct match *m)
{
    pass_time(m, m->events.last_ns + INT64_C(800) * 86400 * HD_NS_PER_SEC);
    flush(m);
}

static bool has_correlations(const struct rul_set *set)
{
    size_t n = rul_set_count(set);
    return n > 0 && rul_set_rule(set, n - 1)->type != RUL_DETECTION;
}

static int prepare(struct match *m)
{
    const struct rul_correlator_opts opts = {0};
    int err = rul_scratch_new(m->set, &m->scratch);
    if (err == 0 && has_correlations(m->set)) {
        err = rul_correlator_new(&opts, &m->correlator);
        err = err == 0 ? rul_correlator_use(m->correlator, m->set) : err;
    }
    return err;
}

static int run(struct match *m)
{
    int more = 0;
    m->err = prepare(m);
    while (m->err == 0 && (more = con_lines_fill(&m->events.lines)) > 0) {
        take_lines(m);
    }
    if (m->err == 0 && more < 0) {
        return con_fail(HD_EXIT_RUNTIME, "%s cannot be read: %s", m->events.lines.name,
                        hd_err_text(more));
    }
    if (m->err == 0) {
        end_windows(m);
    }
    return m->err == 0 ? HD_EXIT_OK
                       : con_fail(HD_EXIT_RUNTIME, "hits cannot be written: %s",
                                  hd_err_text(m->err));
}

/* What was left out is said, and with --strict a failure. */
static int account(const struct match *m, const struct con_rules *rules, bool is_strict)
{
    struct rul_match_stats match = {0};
    struct rul_correlator_stats correlate = {0};
    rul_scratch_stats(m->scratch, &match);
    if (m->correlator != NULL) {
        rul_correlator_stats(m->correlator, &correlate);
    }
    const struct {
        uint64_t n;
        const char *what;
    } counts[] = {
        {rules->diags.errors, "errors in rules: those rules were left out"},
        {m->events.refused, "lines were not what they began as"},
        {match.regex_limit, "comparisons reached the limits of a regular expression"},
        {match.no_memory, "values were not compared for want of memory"},
        {correlate.late, "hits came too late and were not correlated"},
        {correlate.no_group, "hits lack a field by which a correlation groups or counts"},
        {correlate.evicted, "groups of correlations were given up for want of memory"},
    };
    bool is_clean = true;
    if (match.held_back > 0) {
        (void)fprintf(stderr, "haidang: %" PRIu64 " hits were held back by filters\n",
                      match.held_back);
    }
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (counts[i].n > 0) {
            (void)fprintf(stderr, "haidang: %" PRIu64 " %s\n", counts[i].n,
                          counts[i].what);
            is_clean = false;
        }
    }
    return is_strict && !is_clean ? HD_EXIT_CONFIG : HD_EXIT_OK;
}

static int match_events(const struct con_args *args, const struct con_rules *rules)
{
    struct match m = {.set = rules->set, .shows_all = con_args_flag(args, "all")};
    hd_buf_init(&m.out, 0);
    int code = con_events_open(&m.events, args, m.set);
    if (code == HD_EXIT_OK) {
        code = run(&m);
    }
    if (code == HD_EXIT_OK) {
        code = account(&m, rules, con_args_flag(args, "strict"));
    }
    con_events_close(&m.events);
    rul_correlator_free(m.correlator);
    rul_scratch_free(m.scratch);
    hd_buf_fini(&m.out);
    return code;
}

int con_run_rules_match(const struct con_args *args)
{
    struct con_rules rules = {.diags = {.emit = hd_diag_print, .ctx = stderr}};
    struct con_sources declared;
    if (con_args_value(args, "events") == NULL) {
        return con_fail(HD_EXIT_USAGE,
                        "rules match: --events FILE is missing (- is standard input)");
    }
    int code = con_sources_parse(&declared, args);
    if (code != HD_EXIT_OK) {
        return code;
    }
    con_rules_load(&rules, args, &declared);
    if (rules.set == NULL || rul_set_count(rules.set) == 0) {
        code = con_fail(HD_EXIT_CONFIG, "no rule could be loaded%s%s",
                        rules.err != 0 ? ": " : "",
                        rules.err != 0 ? hd_err_text(rules.err) : "");
    }
    if (code == HD_EXIT_OK) {
        code = match_events(args, &rules);
    }
    con_rules_fini(&rules);
    return code;
}
