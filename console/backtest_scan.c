/* SPDX-License-Identifier: Apache-2.0 */
#include "console/backtest_scan.h"

#include <haidang/batch.h>
#include <haidang/clock.h>

#include <stdlib.h>
#include <string.h>

struct worker {
    const struct con_scan_opts *opts;
    struct hd_batch_reader *batch;
    struct rul_decode_scratch *decode;
    struct rul_scratch *match;
    struct rul_event *event;
    struct hd_canary_gate gate;
    uint32_t *shown; /* per rule: examples of the entry at hand */
    int64_t now_ns;

    struct con_scan_entry *out; /* of the entry at hand */
    uint64_t seq;
    size_t host_at, host_len, copy; /* of the record at hand; copy: index + 1 */
    bool has_host;
};

struct scan {
    const struct con_scan_opts *opts;
    struct con_scan_totals *totals;
};

/* ---- a worker: one record ---- */

static void *more(struct con_scan_entry *out, void *list, size_t *cap, size_t size)
{
    size_t want = *cap == 0 ? 64 : 2 * *cap;
    void *wider = realloc(list, want * size);
    if (wider == NULL) {
        out->err = HD_ENOMEM;
        return list;
    }
    *cap = want;
    return wider;
}

/* Index + 1 of the record's copy, made once however many rules match; 0 = no memory. */
static size_t copy_event(struct worker *w, const struct rul_event *ev)
{
    struct con_scan_entry *out = w->out;
    if (w->copy != 0) {
        return w->copy;
    }
    if (out->n_copies == out->copies_cap) {
        out->copies =
            more(out, out->copies, &out->copies_cap, sizeof(struct rul_event_copy *));
    }
    if (out->n_copies == out->copies_cap ||
        rul_event_copy(ev, &out->copies[out->n_copies]) != HD_OK) {
        out->err = HD_ENOMEM;
        return 0;
    }
    w->copy = ++out->n_copies;
    return w->copy;
}

static void keep_host(struct worker *w, const struct rul_event *ev)
{
    struct hd_slice host = rul_event_get(ev, RUL_F_HOST_NAME);
    w->has_host = true;
    w->host_at = w->out->texts.len;
    w->host_len = host.len;
    hd_buf_slice_add(&w->out->texts, host);
}

static uint64_t about(const struct worker *w, const struct rul_rule *rule,
                      const struct rul_event *ev)
{
    const struct rul_suppress_about what = {.host = rul_event_get(ev, RUL_F_HOST_NAME),
                                            .source = rul_event_get(ev, RUL_F_SOURCE_IP),
                                            .user = rul_event_get(ev, RUL_F_USER_NAME)};
    return rule->alerts ? rul_suppress_event_key(w->opts->suppress, rule->id, &what) : 0;
}

static void on_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    struct worker *w = ctx;
    struct con_scan_entry *out = w->out;
    if (out->n_hits == out->hits_cap) {
        out->hits = more(out, out->hits, &out->hits_cap, sizeof(struct con_scan_hit));
    }
    if (out->n_hits == out->hits_cap) {
        return;
    }
    if (!w->has_host) {
        keep_host(w, ev);
    }
    bool is_shown = rule->alerts && w->shown[rule->index] < w->opts->examples;
    w->shown[rule->index] += is_shown;
    out->hits[out->n_hits++] = (struct con_scan_hit){
        .rule = rule,
        .time_ns = ev->time_ns,
        .seq = w->seq,
        .host_at = w->host_at,
        .host_len = w->host_len,
        .about = about(w, rule, ev),
        .shown = rule->feeds || is_shown ? copy_event(w, ev) : 0,
    };
}

/* As the detectors do: no event takes the time past its receipt, or past now. */
static void note_time(struct worker *w, const struct rul_event *ev)
{
    int64_t time = ev->time_ns < ev->recv_ns ? ev->time_ns : ev->recv_ns;
    time = time < w->now_ns ? time : w->now_ns;
    w->out->watermark_ns = time > w->out->watermark_ns ? time : w->out->watermark_ns;
}

static void examine_record(struct worker *w, const struct hd_batch_record *record,
                           const struct hd_batch_source *source)
{
    const struct rul_record in = {
        .source = source, .recv_ns = record->recv_ns, .line = record->line};
    w->seq = record->seq;
    w->has_host = false;
    w->copy = 0;
    rul_decode(rul_set_decoders(w->opts->set), w->decode, &in, w->event);
    note_time(w, w->event);
    w->out->lines++;
    w->out->bytes += record->line.len;
    w->out->decoded += w->event->decoder != NULL;
    rul_match(w->opts->set, w->match, w->event, on_hit, w);
}

/* ---- a worker: one entry ---- */

/* A canary is left out, be it fresh or not, as detectors leave it out of all counts. */
static bool is_test(struct worker *w, const struct hd_batch_record *record)
{
    struct hd_canary canary;
    enum hd_canary_verdict verdict =
        hd_canary_judge(&w->gate, record->line, record->recv_ns, &canary);
    return verdict == HD_GATE_CANARY || verdict == HD_GATE_STALE;
}

static void take_record(struct worker *w, const struct hd_batch_record *record,
                        const struct hd_batch_source *source)
{
    bool is_left_out = is_test(w, record); /* all are looked at: looks are counted */
    if (record->recv_ns < w->opts->since_ns || record->recv_ns >= w->opts->until_ns) {
        return;
    }
    if (is_left_out) {
        w->out->tests++;
    } else {
        examine_record(w, record, source);
    }
}

static uint64_t examine_records(struct worker *w)
{
    const struct hd_batch_source *sources = NULL;
    uint16_t n_sources = hd_batch_reader_sources(w->batch, &sources);
    struct hd_batch_record record;
    uint64_t n = 0;
    hd_canary_begin_batch(&w->gate);
    while (hd_batch_reader_next(w->batch, &record) == 1) {
        n++;
        if (record.source < n_sources) {
            take_record(w, &record, &sources[record.source]);
        }
    }
    return n;
}

static void clear_result(struct con_scan_entry *out)
{
    for (size_t i = 0; i < out->n_copies; i++) {
        free(out->copies[i]);
    }
    hd_buf_clear(&out->texts);
    *out = (struct con_scan_entry){.hits = out->hits,
                                   .hits_cap = out->hits_cap,
                                   .copies = out->copies,
                                   .copies_cap = out->copies_cap,
                                   .texts = out->texts};
}

/* A copy that lives as long as the result: the batch reader takes the next entry. */
static void keep_origin(struct con_scan_entry *out, const struct hd_batch_info *info)
{
    hd_buf_slice_add(&out->texts, info->agent);
    hd_buf_slice_add(&out->texts, info->boot);
    out->agent.len = info->agent.len;
    out->boot.len = info->boot.len;
}

static void examine_entry(void *worker, struct con_entry *entry)
{
    struct worker *w = worker;
    struct hd_batch_info info;
    struct con_scan_entry *out = entry->result;
    clear_result(out);
    w->out = out;
    memset(w->shown, 0, rul_set_count(w->opts->set) * sizeof(*w->shown));
    int err = hd_batch_reader_open(w->batch, hd_buf_slice(&entry->payload), &info);
    if (err != HD_OK || info.first != entry->first) {
        out->is_corrupt = true;
        return;
    }
    keep_origin(out, &info);
    uint64_t got = examine_records(w);
    out->lost = entry->count > got ? entry->count - got : 0;
    out->err = out->texts.err != HD_OK ? out->texts.err : out->err;
    struct hd_slice texts = hd_buf_slice(&out->texts); /* it moves no more */
    out->agent = hd_slice_head(texts, out->agent.len);
    out->boot = hd_slice_head(hd_slice_from(texts, out->agent.len), out->boot.len);
}

/* ---- life ---- */

static int worker_begin(void *ctx, void **worker)
{
    const struct scan *s = ctx;
    struct worker *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return HD_ENOMEM;
    }
    *worker = w;
    w->opts = s->opts;
    w->gate.keys = s->opts->canary_keys;
    w->now_ns = hd_clock_wall_ns();
    int err = hd_batch_reader_new(&w->batch);
    err = err != HD_OK ? err : rul_decode_scratch_new(&w->decode);
    err = err != HD_OK ? err : rul_scratch_new(s->opts->set, &w->match);
    w->event = calloc(1, sizeof(*w->event));
    w->shown = calloc(rul_set_count(s->opts->set) + 1, sizeof(*w->shown));
    if (err == HD_OK && (w->event == NULL || w->shown == NULL)) {
        err = HD_ENOMEM;
    }
    return err;
}

static void worker_end(void *worker)
{
    struct worker *w = worker;
    rul_scratch_free(w->match);
    rul_decode_scratch_free(w->decode);
    hd_batch_reader_free(w->batch);
    free(w->event);
    free(w->shown);
    free(w);
}

static void result_fini(void *result)
{
    struct con_scan_entry *out = result;
    clear_result(out);
    free(out->hits);
    free(out->copies);
    hd_buf_fini(&out->texts);
}

/* ---- the calling thread ---- */

static int take_entry(void *ctx, const struct con_entry *entry)
{
    const struct scan *s = ctx;
    const struct con_scan_entry *e = entry->result;
    struct con_scan_totals *t = s->totals;
    if (e->err != HD_OK) {
        return e->err;
    }
    t->entries++;
    t->lines += e->lines;
    t->bytes += e->bytes;
    t->decoded += e->decoded;
    t->lost += e->lost;
    t->tests += e->tests;
    t->corrupt += e->is_corrupt;
    s->opts->on_entry(s->opts->ctx, e);
    return HD_OK;
}

static void tell_progress(void *ctx, uint64_t done, uint64_t all)
{
    const struct scan *s = ctx;
    s->opts->on_progress(s->opts->ctx, done, all);
}

int con_scan_run(const struct con_scan_opts *opts, struct con_scan_totals *totals)
{
    struct scan s = {.opts = opts, .totals = totals};
    struct con_entries_totals entries;
    const struct con_entries_opts how = {.archive = opts->archive,
                                         .keys = opts->keys,
                                         .since_ns = opts->since_ns,
                                         .until_ns = opts->until_ns,
                                         .jobs = opts->jobs,
                                         .result_size = sizeof(struct con_scan_entry),
                                         .result_fini = result_fini,
                                         .worker_begin = worker_begin,
                                         .worker_end = worker_end,
                                         .work = examine_entry,
                                         .take = take_entry,
                                         .progress = tell_progress,
                                         .ctx = &s};
    *totals = (struct con_scan_totals){0};
    int err = con_entries_run(&how, &entries);
    totals->corrupt += entries.corrupt;
    totals->removed = entries.removed;
    totals->missing = entries.missing;
    return err == HD_OK && entries.locked > 0 ? HD_ENOKEY : err;
}
