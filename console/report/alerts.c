/* SPDX-License-Identifier: Apache-2.0
 *
 * The alerts of the period: how many, of which rules and techniques, about what and from
 * where; and when canaries last proved a rule alive. Times of publication do not stand in
 * the headers of entries, and alerts are few: the whole journal is read, by workers.
 */
#include <haidang/alert.h>
#include <haidang/array.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/report/report.h"
#include "console/unpack.h"

#define TECHNIQUE "attack.t"

struct parsed {    /* of an entry */
    json_t *alert; /* NULL: it cannot be read */
    struct hd_buf text;
    int err;
};

struct alerts {
    struct con_report *report;
    json_t *part; /* of the document */
    json_t *rules, *systems, *tactics, *techniques, *proven;
    struct con_names hosts, sources, destinations;
    uint64_t n, before, tests, unreadable;
    uint64_t by_severity[HD_SEV_CRITICAL + 1];
    int64_t end_ns; /* of what is known of the period */
};

/* ---- workers ---- */

static int worker_begin(void *ctx, void **worker)
{
    (void)ctx;
    *worker = calloc(1, 1);
    return *worker == NULL ? HD_ENOMEM : HD_OK;
}

static void work(void *worker, struct con_entry *entry)
{
    const struct hd_journal_entry packed = {.payload = hd_buf_slice(&entry->payload)};
    struct parsed *out = entry->result;
    char why[256];
    (void)worker;
    json_decref(out->alert);
    out->alert = NULL;
    out->err = con_unpack(&packed, &out->text);
    if (out->err == HD_OK) {
        out->err =
            hd_alert_parse(hd_slice_trim(hd_buf_slice(&out->text)), &out->alert, why);
    }
}

static void parsed_fini(void *result)
{
    struct parsed *out = result;
    json_decref(out->alert);
    hd_buf_fini(&out->text);
}

/* ---- one alert ---- */

static json_t *row_of(struct alerts *a, json_t *rows, const char *id)
{
    json_t *row = json_object_get(rows, id);
    if (row == NULL) {
        row = con_report_add(a->report, rows, id, json_object());
        con_report_put_text(a->report, row, "id", id);
    }
    return row;
}

/* Copies members of the newest alert into the row. */
static void copy(struct alerts *a, json_t *row, const json_t *from,
                 const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        json_t *value = json_object_get(from, names[i]);
        if (value != NULL) {
            con_report_put(a->report, row, names[i], json_incref(value));
        }
    }
}

static void count_rule(struct alerts *a, const json_t *alert)
{
    static const char *const members[] = {"title", "title_vi", "level", "tags", NULL};
    json_t *row = row_of(a, a->rules, hd_alert_text(alert, "rule.id"));
    copy(a, row, hd_alert_at(alert, "rule"), members);
    con_report_count(a->report, row, "alerts", 1);
    con_report_count(a->report, row, "suppressed",
                     (uint64_t)hd_alert_int(alert, "suppressed", 0));
    con_report_count(a->report, row, "throttled",
                     (uint64_t)hd_alert_int(alert, "throttled", 0));
}

static void count_about(struct alerts *a, const json_t *alert)
{
    static const char *const of_system[] = {"name", "agency", "level", NULL};
    static const char *const of_tactic[] = {"name", NULL};
    const char *system = hd_alert_text(alert, "system.id");
    const char *tactic = hd_alert_text(alert, "category.tactic");
    if (system[0] != '\0') {
        json_t *row = row_of(a, a->systems, system);
        copy(a, row, hd_alert_at(alert, "system"), of_system);
        con_report_count(a->report, row, "alerts", 1);
    }
    if (tactic[0] != '\0') {
        json_t *row = row_of(a, a->tactics, tactic);
        copy(a, row, hd_alert_at(alert, "category"), of_tactic);
        con_report_count(a->report, row, "alerts", 1);
    }
}

static void count_techniques(struct alerts *a, const json_t *alert)
{
    size_t i;
    const json_t *tag;
    json_array_foreach(hd_alert_at(alert, "rule.tags"), i, tag)
    {
        const char *text = json_string_value(tag);
        if (text != NULL && strncmp(text, TECHNIQUE, sizeof(TECHNIQUE) - 1) == 0) {
            con_report_count(a->report, row_of(a, a->techniques, text), "alerts", 1);
        }
    }
}

static int count_name(struct con_names *names, const json_t *alert, const char *path)
{
    const char *name = hd_alert_text(alert, path);
    return name[0] != '\0' ? con_names_add(names, hd_slice_str(name), 1) : HD_OK;
}

static int count_names(struct alerts *a, const json_t *alert)
{
    int err = count_name(&a->hosts, alert, "host.name");
    err = err == HD_OK ? count_name(&a->sources, alert, "source.ip") : err;
    return err == HD_OK ? count_name(&a->destinations, alert, "destination.ip") : err;
}

static int note_published(struct con_report *r, uint64_t index)
{
    struct con_report_published *more =
        hd_array_grow(r->published, r->n_published, sizeof(*more));
    if (more == NULL) {
        return HD_ENOMEM;
    }
    r->published = more;
    r->published[r->n_published++] = (struct con_report_published){.index = index};
    return HD_OK;
}

static int count_alert(struct alerts *a, const json_t *alert, uint64_t index)
{
    int64_t severity = hd_alert_int(alert, "severity", 0);
    a->n++;
    a->by_severity[severity >= HD_SEV_LOW && severity <= HD_SEV_CRITICAL ? severity
                                                                         : 0]++;
    count_rule(a, alert);
    count_about(a, alert);
    count_techniques(a, alert);
    int err = count_names(a, alert);
    return err == HD_OK ? note_published(a->report, index) : err;
}

/* The newest comes last. */
static void note_test(struct alerts *a, const json_t *alert, int64_t at_ns, bool is_ours)
{
    static const char *const members[] = {"title", "title_vi", NULL};
    json_t *row = row_of(a, a->proven, hd_alert_text(alert, "rule.id"));
    copy(a, row, hd_alert_at(alert, "rule"), members);
    con_report_put_time(a->report, row, "last", at_ns);
    con_report_put_number(a->report, row, "ago_s",
                          (uint64_t)((a->end_ns - at_ns) / HD_NS_PER_SEC));
    con_report_count(a->report, row, "in_period", is_ours);
    a->tests += is_ours;
}

static int count_any(struct alerts *a, const json_t *alert, int64_t at_ns, uint64_t index)
{
    const struct con_period *period = &a->report->period;
    bool is_ours = at_ns >= period->since_ns && at_ns < period->until_ns;
    if (hd_alert_is_test(alert)) {
        if (at_ns <= a->end_ns && at_ns < period->until_ns) {
            note_test(a, alert, at_ns, is_ours);
        }
        return HD_OK;
    }
    a->before += at_ns >= period->before_ns && at_ns < period->since_ns;
    return is_ours ? count_alert(a, alert, index) : HD_OK;
}

/* The alert becomes this thread's: rows keep parts of it. */
static int take(void *ctx, const struct con_entry *entry)
{
    struct alerts *a = ctx;
    struct parsed *of = entry->result;
    json_t *alert = of->alert;
    int64_t at_ns = 0;
    of->alert = NULL;
    int err = of->err == HD_ENOMEM || a->report->err != HD_OK ? HD_ENOMEM : HD_OK;
    if (err == HD_OK &&
        (of->err != HD_OK || hd_alert_time(alert, "time.published", &at_ns) != HD_OK)) {
        a->unreadable++;
    } else if (err == HD_OK) {
        err = count_any(a, alert, at_ns, entry->index);
    }
    json_decref(alert);
    return err;
}

static void ignore_progress(void *ctx, uint64_t done, uint64_t all)
{
    (void)ctx;
    (void)done;
    (void)all;
}

/* ---- into the document ---- */

static void put_severities(struct alerts *a)
{
    json_t *by = con_report_add(a->report, a->part, "by_level", json_object());
    for (unsigned i = HD_SEV_CRITICAL; i >= HD_SEV_LOW; i--) {
        con_report_put_number(a->report, by, hd_severity_name((enum hd_severity)i),
                              a->by_severity[i]);
    }
}

/* Those longest ago first: they are what to look at. */
static void put_canaries(struct alerts *a)
{
    struct con_report *r = a->report;
    json_t *part = con_report_add(r, r->doc, "canaries", json_object());
    const char *id;
    json_t *row;
    uint64_t proven = 0;
    json_object_foreach(a->proven, id, row)
    {
        proven += json_integer_value(json_object_get(row, "in_period")) > 0;
    }
    con_report_put_number(r, part, "alerts", a->tests);
    con_report_put_number(r, part, "rules_proven", proven);
    con_report_put_rows(r, part, "rules", json_incref(a->proven), "ago_s");
}

static void put_all(struct alerts *a)
{
    struct con_report *r = a->report;
    a->part = con_report_add(r, r->doc, "alerts", json_object());
    con_report_put_number(r, a->part, "alerts", a->n);
    con_report_put_number(r, a->part, "period_before", a->before);
    put_severities(a);
    con_report_put_rows(r, a->part, "rules", json_incref(a->rules), "alerts");
    con_report_put_rows(r, a->part, "tactics", json_incref(a->tactics), "alerts");
    con_report_put_rows(r, a->part, "techniques", json_incref(a->techniques), "alerts");
    con_report_put_rows(r, a->part, "systems", json_incref(a->systems), "alerts");
    con_report_put_names(r, a->part, "hosts", &a->hosts);
    con_report_put_names(r, a->part, "sources", &a->sources);
    con_report_put_names(r, a->part, "destinations", &a->destinations);
    put_canaries(a);
    if (a->unreadable > 0) {
        con_report_unknown(r, CON_REPORT_UNREADABLE, r->alerts, a->unreadable);
    }
}

static int run(struct alerts *a, struct con_entries_totals *totals)
{
    const struct con_entries_opts how = {.archive = a->report->alerts,
                                         .keys = a->report->keys,
                                         .since_ns = INT64_MIN,
                                         .until_ns = INT64_MAX,
                                         .jobs = a->report->jobs,
                                         .result_size = sizeof(struct parsed),
                                         .result_fini = parsed_fini,
                                         .worker_begin = worker_begin,
                                         .worker_end = free,
                                         .work = work,
                                         .take = take,
                                         .progress = ignore_progress,
                                         .ctx = a};
    return con_entries_run(&how, totals);
}

int con_report_alerts(struct con_report *r)
{
    struct alerts a = {.report = r,
                       .end_ns = r->now_ns < r->period.until_ns ? r->now_ns
                                                                : r->period.until_ns,
                       .rules = json_object(),
                       .systems = json_object(),
                       .tactics = json_object(),
                       .techniques = json_object(),
                       .proven = json_object()};
    struct con_entries_totals totals;
    bool is_there = con_report_has_journal(r, r->alerts);
    int err = is_there ? run(&a, &totals) : HD_OK;
    if (is_there && err == HD_OK) {
        put_all(&a);
        con_report_totals(r, r->alerts, &totals);
    } else if (err != HD_ENOMEM) {
        (void)con_report_is_read(r, r->alerts, err);
    }
    json_decref(a.rules);
    json_decref(a.systems);
    json_decref(a.tactics);
    json_decref(a.techniques);
    json_decref(a.proven);
    con_names_fini(&a.hosts);
    con_names_fini(&a.sources);
    con_names_fini(&a.destinations);
    return err == HD_ENOMEM ? con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(err))
                            : HD_EXIT_OK;
}
