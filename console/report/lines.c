/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines of the archive: how many and how large, by agent, host and information
 * system, and hours in which there were none. Workers count batches, the calling thread
 * adds up.
 */
#include <haidang/array.h>

#include <stdlib.h>

#include "console/progress.h"
#include "console/report/report.h"

#define HOUR_NS       (INT64_C(3600) * HD_NS_PER_SEC)
#define DAY_LEN       10U /* "2026-11-21" */
#define HOURS_SHOWN   20U /* spans without a line */
#define LEVEL_WATCHED 3U

/* ---- one batch ---- */

struct sum {
    uint64_t lines, bytes;
    size_t at, len;                 /* the host's name, in `names` */
    const struct hd_system *system; /* NULL: nobody's */
};

struct hour {
    uint64_t at, lines; /* hours since the one in which the period begins */
};

struct counted { /* of an entry */
    struct sum sums[HD_BATCH_SOURCES_MAX];
    size_t n_sums, agent_len; /* the agent's name is first in `names` */
    struct hd_buf names;
    struct hour *hours; /* runs */
    size_t n_hours;
    uint64_t lost; /* lines that are no records */
    bool is_corrupt;
    int err;
};

/* Hours of the clock, so that none lies across midnight. */
static int64_t hour_of(int64_t ns)
{
    return ns / HOUR_NS - (ns % HOUR_NS < 0);
}

struct worker {
    const struct con_report *report;
    struct hd_batch_reader *batch;
    struct counted *out;
};

static int add_hour(struct counted *out, uint64_t at)
{
    if (out->n_hours > 0 && out->hours[out->n_hours - 1].at == at) {
        out->hours[out->n_hours - 1].lines++;
        return HD_OK;
    }
    struct hour *more = hd_array_grow(out->hours, out->n_hours, sizeof(*more));
    if (more == NULL) {
        return HD_ENOMEM;
    }
    out->hours = more;
    out->hours[out->n_hours++] = (struct hour){at, 1};
    return HD_OK;
}

static void take_sources(struct worker *w, const struct hd_batch_info *info)
{
    const struct hd_batch_source *sources;
    struct counted *out = w->out;
    out->n_sums = hd_batch_reader_sources(w->batch, &sources);
    out->agent_len = info->agent.len;
    hd_buf_slice_add(&out->names, info->agent);
    for (size_t i = 0; i < out->n_sums; i++) {
        out->sums[i] =
            (struct sum){.at = out->names.len,
                         .len = sources[i].host.len,
                         .system = con_systems_of(&w->report->systems, info->agent,
                                                  sources[i].host, sources[i].peer)};
        hd_buf_slice_add(&out->names, sources[i].host);
    }
    out->err = out->names.err;
}

static void count_records(struct worker *w, const struct hd_batch_info *info)
{
    const struct con_period *period = &w->report->period;
    struct hd_batch_record record;
    struct counted *out = w->out;
    uint32_t seen = 0;
    while (out->err == HD_OK && hd_batch_reader_next(w->batch, &record) == 1) {
        seen++;
        if (record.recv_ns < period->since_ns || record.recv_ns >= period->until_ns) {
            continue;
        }
        out->sums[record.source].lines++;
        out->sums[record.source].bytes += record.line.len;
        out->err = add_hour(
            out, (uint64_t)(hour_of(record.recv_ns) - hour_of(period->since_ns)));
    }
    out->lost = info->count > seen ? info->count - seen : 0;
}

static void work(void *worker, struct con_entry *entry)
{
    struct worker *w = worker;
    struct hd_batch_info info;
    w->out = entry->result;
    hd_buf_clear(&w->out->names);
    w->out->n_sums = w->out->n_hours = 0;
    w->out->lost = 0;
    w->out->is_corrupt = false;
    int err = hd_batch_reader_open(w->batch, hd_buf_slice(&entry->payload), &info);
    w->out->err = err == HD_ENOMEM ? err : HD_OK;
    if (err != HD_OK || info.first != entry->first) {
        w->out->is_corrupt = err != HD_ENOMEM;
        return;
    }
    take_sources(w, &info);
    count_records(w, &info);
}

static void worker_end(void *worker)
{
    struct worker *w = worker;
    hd_batch_reader_free(w->batch);
    free(w);
}

static void counted_fini(void *result)
{
    struct counted *out = result;
    hd_buf_fini(&out->names);
    free(out->hours);
}

/* ---- all of them ---- */

struct lines {
    struct con_report *report;
    uint64_t lines, bytes, lost, corrupt;
    struct con_names agents, hosts;
    struct sum *systems; /* by place in the inventory; one more: nobody's */
    size_t n_systems;
    uint64_t *hours; /* lines of each hour of the period */
    size_t n_hours;
    struct con_progress progress;
};

static int worker_begin(void *ctx, void **worker)
{
    const struct lines *l = ctx;
    struct worker *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return HD_ENOMEM;
    }
    *worker = w;
    w->report = l->report;
    return hd_batch_reader_new(&w->batch);
}

static int take_sum(struct lines *l, const struct counted *of, const struct sum *sum)
{
    struct hd_slice names = hd_buf_slice(&of->names);
    const struct hd_inventory *inventory = l->report->systems.inventory;
    size_t at = sum->system != NULL
                    ? (size_t)(sum->system - hd_inventory_at(inventory, 0))
                    : l->n_systems;
    if (sum->lines == 0) {
        return HD_OK;
    }
    l->lines += sum->lines;
    l->bytes += sum->bytes;
    l->systems[at].lines += sum->lines;
    l->systems[at].bytes += sum->bytes;
    int err = con_names_add_bytes(&l->agents, hd_slice_head(names, of->agent_len),
                                  sum->lines, sum->bytes);
    return err == HD_OK
               ? con_names_add_bytes(
                     &l->hosts, hd_slice_head(hd_slice_from(names, sum->at), sum->len),
                     sum->lines, sum->bytes)
               : err;
}

static int take(void *ctx, const struct con_entry *entry)
{
    struct lines *l = ctx;
    const struct counted *of = entry->result;
    int err = of->err;
    l->lost += of->lost;
    l->corrupt += of->is_corrupt;
    for (size_t i = 0; i < of->n_sums && err == HD_OK; i++) {
        err = take_sum(l, of, &of->sums[i]);
    }
    for (size_t i = 0; i < of->n_hours; i++) {
        l->hours[of->hours[i].at] += of->hours[i].lines;
    }
    return err;
}

static void show_progress(void *ctx, uint64_t done, uint64_t all)
{
    struct lines *l = ctx;
    con_progress_show(&l->progress, done, all, l->lines, "lines");
}

/* ---- into the document ---- */

static void put_systems(struct lines *l, json_t *part)
{
    struct con_report *r = l->report;
    if (r->systems.inventory == NULL) {
        return;
    }
    json_t *rows = json_object();
    json_t *unheard = con_report_add(r, part, "systems_unheard", json_array());
    for (size_t i = 0; i < l->n_systems; i++) {
        const struct hd_system *system = hd_inventory_at(r->systems.inventory, i);
        if (l->systems[i].lines > 0) {
            json_t *row = con_report_add(r, rows, system->id, con_systems_json(system));
            con_report_put_number(r, row, "lines", l->systems[i].lines);
            con_report_put_number(r, row, "bytes", l->systems[i].bytes);
        } else if (system->level >= LEVEL_WATCHED) {
            con_report_put(r, unheard, NULL, con_systems_json(system));
        }
    }
    con_report_put_rows(r, part, "systems", rows, "lines");
    json_t *none = con_report_add(r, part, "no_system", json_object());
    con_report_put_number(r, none, "lines", l->systems[l->n_systems].lines);
    con_report_put_number(r, none, "bytes", l->systems[l->n_systems].bytes);
}

/* The hours of the period that are known: since the archive began, and over. */
static void known_hours(const struct lines *l, size_t *from, size_t *to)
{
    const struct con_report *r = l->report;
    int64_t begin = r->archive_begin_ns, end = r->now_ns;
    int64_t first = hour_of(r->period.since_ns);
    begin = begin > r->period.since_ns ? begin : r->period.since_ns;
    end = end < r->period.until_ns ? end : r->period.until_ns;
    *to = end > begin ? (size_t)(hour_of(end) - first) : 0;
    *from = end > begin ? (size_t)(hour_of(begin - 1) + 1 - first) : 0;
}

static int64_t begin_of(const struct con_report *r, size_t hour)
{
    return (hour_of(r->period.since_ns) + (int64_t)hour) * HOUR_NS;
}

static void put_gap(struct lines *l, json_t *gaps, size_t from, size_t to)
{
    struct con_report *r = l->report;
    json_t *gap = con_report_add(r, gaps, NULL, json_object());
    con_report_put_time(r, gap, "since", begin_of(r, from));
    con_report_put_time(r, gap, "until", begin_of(r, to));
}

/* Whole hours without any line. */
static void put_gaps(struct lines *l, json_t *part)
{
    size_t i, end, n = 0, hours = 0;
    json_t *gaps = con_report_add(l->report, part, "gaps", json_array());
    for (known_hours(l, &i, &end); i < end;) {
        size_t from = i;
        while (i < end && l->hours[i] == 0) {
            i++;
        }
        hours += i - from;
        if (i > from && n++ < HOURS_SHOWN) {
            put_gap(l, gaps, from, i);
        }
        i += i == from;
    }
    con_report_put_number(l->report, part, "hours_without_lines", hours);
    if (n > HOURS_SHOWN) {
        con_report_put_number(l->report, part, "gaps_more", n - HOURS_SHOWN);
    }
}

/* Those that are not known at all are left out. */
static void put_days(struct lines *l, json_t *part)
{
    struct con_report *r = l->report;
    struct hd_buf text;
    json_t *days = json_object(), *list = con_report_add(r, part, "days", json_array());
    hd_buf_init(&text, 0);
    for (size_t i = 0; i < l->n_hours; i++) {
        int64_t ns = begin_of(r, i);
        if (l->hours[i] == 0 &&
            (ns >= r->now_ns || ns + HOUR_NS <= r->archive_begin_ns)) {
            continue;
        }
        hd_buf_clear(&text);
        con_show_time(&r->show, ns, &text);
        text.len = text.len < DAY_LEN ? text.len : DAY_LEN;
        con_report_count(r, days, hd_buf_cstr(&text), l->hours[i]);
    }
    const char *day;
    json_t *lines;
    json_object_foreach(days, day, lines)
    {
        json_t *row = con_report_add(r, list, NULL, json_object());
        con_report_put_text(r, row, "day", day);
        con_report_put(r, row, "lines", json_incref(lines));
    }
    json_decref(days);
    hd_buf_fini(&text);
}

static void put_all(struct lines *l, const struct con_entries_totals *totals)
{
    struct con_report *r = l->report;
    con_report_totals(r, r->archive, totals);
    if (l->lost + l->corrupt > 0) {
        con_report_unknown(r, CON_REPORT_UNREADABLE, r->archive, l->lost + l->corrupt);
    }
    if (r->archive_begin_ns >= r->period.until_ns) {
        return; /* nothing can be known */
    }
    json_t *part = con_report_add(r, r->doc, "lines", json_object());
    con_report_put_number(r, part, "lines", l->lines);
    con_report_put_number(r, part, "bytes", l->bytes);
    con_report_put_names(r, part, "agents", &l->agents);
    con_report_put_names(r, part, "hosts", &l->hosts);
    put_systems(l, part);
    put_days(l, part);
    put_gaps(l, part);
}

/* ---- the run ---- */

static int count_all(struct lines *l, struct con_entries_totals *totals)
{
    const struct con_entries_opts how = {.archive = l->report->archive,
                                         .keys = l->report->keys,
                                         .since_ns = l->report->period.since_ns,
                                         .until_ns = l->report->period.until_ns,
                                         .jobs = l->report->jobs,
                                         .result_size = sizeof(struct counted),
                                         .result_fini = counted_fini,
                                         .worker_begin = worker_begin,
                                         .worker_end = worker_end,
                                         .work = work,
                                         .take = take,
                                         .progress = show_progress,
                                         .ctx = l};
    con_progress_begin(&l->progress);
    int err = con_entries_run(&how, totals);
    con_progress_end(&l->progress);
    return err;
}

int con_report_lines(struct con_report *r)
{
    struct lines l = {.report = r};
    struct con_entries_totals totals;
    l.n_systems =
        r->systems.inventory != NULL ? hd_inventory_count(r->systems.inventory) : 0;
    l.n_hours =
        (size_t)(hour_of(r->period.until_ns - 1) - hour_of(r->period.since_ns)) + 1;
    l.systems = calloc(l.n_systems + 1, sizeof(*l.systems));
    l.hours = calloc(l.n_hours, sizeof(*l.hours));
    int err = l.systems == NULL || l.hours == NULL ? HD_ENOMEM : count_all(&l, &totals);
    if (err == HD_OK) {
        put_all(&l, &totals);
    }
    con_names_fini(&l.agents);
    con_names_fini(&l.hosts);
    free(l.systems);
    free(l.hours);
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_STORE, "%s: %s", r->archive, hd_err_text(err));
}
