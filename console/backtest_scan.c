/* SPDX-License-Identifier: Apache-2.0 */
#include "console/backtest_scan.h"

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/loop.h>
#include <haidang/ring.h>

#include <stdlib.h>
#include <string.h>

struct task { /* one entry on its way */
    struct hd_buf frame;
    uint64_t count, first;
    struct con_scan_entry result;
};

struct worker {
    const struct con_scan_opts *opts;
    struct hd_ring *todo, *done;
    uv_thread_t thread;
    bool has_thread;
    struct hd_batch_reader *batch;
    struct rul_decode_scratch *decode;
    struct rul_scratch *match;
    struct rul_event *event;
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
    struct hd_journal_reader *reader;
    struct worker *workers;
    struct task *tasks; /* CON_SCAN_DEPTH a worker, used in turn */
    uint64_t n_tasks;
    uint64_t given, taken; /* tasks so far */
    uint64_t first, end;   /* indexes of the archive */
    int err;
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

static uint64_t examine_records(struct worker *w)
{
    const struct hd_batch_source *sources = NULL;
    uint16_t n_sources = hd_batch_reader_sources(w->batch, &sources);
    struct hd_batch_record record;
    uint64_t n = 0;
    while (hd_batch_reader_next(w->batch, &record) == 1) {
        n++;
        if (record.source < n_sources && record.recv_ns >= w->opts->since_ns &&
            record.recv_ns < w->opts->until_ns) {
            examine_record(w, &record, &sources[record.source]);
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

static void examine_entry(struct worker *w, struct task *task)
{
    struct hd_batch_info info;
    struct con_scan_entry *out = &task->result;
    clear_result(out);
    w->out = out;
    memset(w->shown, 0, rul_set_count(w->opts->set) * sizeof(*w->shown));
    int err = hd_batch_reader_open(w->batch, hd_buf_slice(&task->frame), &info);
    if (err != HD_OK || info.first != task->first) {
        out->is_corrupt = true;
        return;
    }
    keep_origin(out, &info);
    uint64_t got = examine_records(w);
    out->lost = task->count > got ? task->count - got : 0;
    out->err = out->texts.err != HD_OK ? out->texts.err : out->err;
    struct hd_slice texts = hd_buf_slice(&out->texts); /* it moves no more */
    out->agent = hd_slice_head(texts, out->agent.len);
    out->boot = hd_slice_head(hd_slice_from(texts, out->agent.len), out->boot.len);
}

static void work(void *arg)
{
    struct worker *w = arg;
    struct task *task;
    while ((task = hd_ring_pop_wait(w->todo, -1)) != NULL) {
        examine_entry(w, task);
        if (hd_ring_push_wait(w->done, task) != HD_OK) {
            return;
        }
    }
}

/* ---- life ---- */

static int worker_start(struct worker *w, const struct con_scan_opts *opts)
{
    w->opts = opts;
    w->now_ns = hd_clock_wall_ns();
    int err = hd_batch_reader_new(&w->batch);
    err = err != HD_OK ? err : rul_decode_scratch_new(&w->decode);
    err = err != HD_OK ? err : rul_scratch_new(opts->set, &w->match);
    err = err != HD_OK ? err : hd_ring_new(CON_SCAN_DEPTH, &w->todo);
    err = err != HD_OK ? err : hd_ring_new(CON_SCAN_DEPTH, &w->done);
    w->event = calloc(1, sizeof(*w->event));
    w->shown = calloc(rul_set_count(opts->set) + 1, sizeof(*w->shown));
    if (err == HD_OK && (w->event == NULL || w->shown == NULL)) {
        err = HD_ENOMEM;
    }
    if (err == HD_OK) {
        int status = uv_thread_create(&w->thread, work, w);
        w->has_thread = status == 0;
        err = hd_err_from_uv(status);
    }
    return err;
}

static void worker_end(struct worker *w)
{
    if (w->has_thread) {
        hd_ring_close(w->todo);
        (void)uv_thread_join(&w->thread);
    }
    hd_ring_free(w->todo, NULL);
    hd_ring_free(w->done, NULL);
    rul_scratch_free(w->match);
    rul_decode_scratch_free(w->decode);
    hd_batch_reader_free(w->batch);
    free(w->event);
    free(w->shown);
}

static void scan_end(struct scan *s)
{
    for (unsigned i = 0; s->workers != NULL && i < s->opts->jobs; i++) {
        worker_end(&s->workers[i]);
    }
    for (uint64_t i = 0; s->tasks != NULL && i < s->n_tasks; i++) {
        clear_result(&s->tasks[i].result);
        free(s->tasks[i].result.hits);
        free(s->tasks[i].result.copies);
        hd_buf_fini(&s->tasks[i].result.texts);
        hd_buf_fini(&s->tasks[i].frame);
    }
    free(s->workers);
    free(s->tasks);
    hd_journal_reader_close(s->reader);
}

/* The range of indexes: from the first segment that may hold the time to what is durable
 * now. */
static int find_range(struct scan *s)
{
    struct hd_journal_cursor at;
    int err = hd_journal_reader_seek_time(s->reader, s->opts->since_ns);
    hd_journal_reader_tell(s->reader, &at);
    s->first = at.index;
    s->end = at.index + hd_journal_reader_lag(s->reader);
    return err;
}

static int scan_begin(struct scan *s)
{
    s->n_tasks = (uint64_t)s->opts->jobs * CON_SCAN_DEPTH;
    s->workers = calloc(s->opts->jobs, sizeof(*s->workers));
    s->tasks = calloc(s->n_tasks, sizeof(*s->tasks));
    if (s->workers == NULL || s->tasks == NULL) {
        return HD_ENOMEM;
    }
    for (uint64_t i = 0; i < s->n_tasks; i++) {
        hd_buf_init(&s->tasks[i].frame, HD_JOURNAL_PAYLOAD_MAX);
        hd_buf_init(&s->tasks[i].result.texts, 0);
    }
    int err = hd_journal_reader_open(s->opts->archive, NULL, &s->reader);
    err = err != HD_OK ? err : find_range(s);
    for (unsigned i = 0; err == HD_OK && i < s->opts->jobs; i++) {
        err = worker_start(&s->workers[i], s->opts);
    }
    return err;
}

/* ---- the calling thread ---- */

static void tell_progress(const struct scan *s)
{
    struct hd_journal_cursor at;
    hd_journal_reader_tell(s->reader, &at);
    uint64_t ahead = s->given - s->taken; /* not examined yet */
    uint64_t seen = at.index > s->first ? at.index - s->first : 0;
    s->opts->on_progress(s->opts->ctx, seen > ahead ? seen - ahead : 0,
                         s->end - s->first);
}

static void count_entry(struct con_scan_totals *t, const struct con_scan_entry *e)
{
    t->entries++;
    t->lines += e->lines;
    t->bytes += e->bytes;
    t->decoded += e->decoded;
    t->lost += e->lost;
    t->corrupt += e->is_corrupt;
}

/* The oldest result: each worker gives back in the order in which it was given. */
static void take_result(struct scan *s)
{
    struct task *task = hd_ring_pop_wait(s->workers[s->taken % s->opts->jobs].done, -1);
    s->taken++;
    if (task->result.err != HD_OK) {
        s->err = task->result.err;
        return;
    }
    count_entry(s->totals, &task->result);
    s->opts->on_entry(s->opts->ctx, &task->result);
    tell_progress(s);
}

static void give(struct scan *s, const struct hd_journal_entry *entry)
{
    if (s->given - s->taken == s->n_tasks) {
        take_result(s);
    }
    struct task *task = &s->tasks[s->given % s->n_tasks];
    hd_buf_clear(&task->frame);
    hd_buf_slice_add(&task->frame, entry->payload);
    task->count = entry->count;
    task->first = entry->first;
    int err = task->frame.err;
    err = err != HD_OK ? err
                       : hd_ring_push(s->workers[s->given % s->opts->jobs].todo, task);
    s->given += err == HD_OK;
    s->err = s->err != HD_OK ? s->err : err;
}

/* Looks at the header first: what is not of the time asked for is not read. */
static int step(struct scan *s)
{
    struct hd_journal_cursor at;
    struct hd_journal_entry entry;
    hd_journal_reader_tell(s->reader, &at);
    if (at.index >= s->end) {
        return HD_EAGAIN;
    }
    int err = hd_journal_reader_next_header(s->reader, &entry);
    if (err != HD_OK || entry.index >= s->end || entry.time_max < s->opts->since_ns ||
        entry.time_min >= s->opts->until_ns) {
        return err;
    }
    err = hd_journal_reader_seek(s->reader, &at);
    err = err != HD_OK ? err : hd_journal_reader_next(s->reader, &entry);
    if (err == HD_OK) {
        give(s, &entry);
    }
    return err;
}

static int scan_all(struct scan *s)
{
    while (s->err == HD_OK) {
        int err = step(s);
        if (err == HD_EAGAIN) {
            break;
        }
        s->totals->corrupt += err == HD_ECORRUPT;
        s->totals->removed += err == HD_ENOENT;
        if (err != HD_OK && err != HD_ECORRUPT && err != HD_ENOENT) {
            s->err = err;
        }
    }
    while (s->err == HD_OK && s->taken < s->given) {
        take_result(s);
    }
    return s->err;
}

int con_scan_run(const struct con_scan_opts *opts, struct con_scan_totals *totals)
{
    struct scan s = {.opts = opts, .totals = totals};
    *totals = (struct con_scan_totals){0};
    if (opts->jobs == 0 || opts->jobs > CON_SCAN_JOBS_MAX) {
        return HD_EINVAL;
    }
    int err = scan_begin(&s);
    err = err != HD_OK ? err : scan_all(&s);
    scan_end(&s);
    return err;
}
