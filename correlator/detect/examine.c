/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/detect/examine.h"

#include <stdlib.h>

#include <haidang/archive_meta.h>
#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/log.h>

#include "correlator/detect/lost.h"
#include "correlator/metrics.h"
#include "correlator/patience.h"
#include "correlator/sources/tally.h"

#define SPLIT_SEED UINT64_C(0x6861696461) /* the same split in every process */

struct cor_examiner {
    struct cor_examiner_opts opts;
    struct hd_batch_reader *batch;
    struct rul_decode_scratch *decode;
    struct rul_decode_stats decoded; /* so much of the scratch's is in the metrics */
    struct rul_event *event;
    struct cor_tools *tools;
    struct cor_tally *tally;

    struct cor_hits *out;
    struct cor_origin origin;
    struct hd_canary_gate gate;
    struct cor_canary *canary; /* the record at hand is one's */
    struct cor_event *copied;  /* the record at hand, once a rule has matched */
    bool is_warm_up;
    bool gave_up; /* the batch was not examined to its end: its cursor must not be told */
    int64_t watermark_ns;
    int64_t taken_ns; /* when the entry at hand came to us */
    uint64_t n_hits, n_events;
    uint64_t matched; /* events so far */
};

/* ---- life ---- */

static int make_parts(struct cor_examiner *e)
{
    int err = hd_batch_reader_new(&e->batch);
    err = err != HD_OK ? err : rul_decode_scratch_new(&e->decode);
    err = err != HD_OK ? err : cor_tally_new(&e->tally);
    e->event = calloc(1, sizeof(*e->event));
    return err == HD_OK && e->event == NULL ? HD_ENOMEM : err;
}

int cor_examiner_new(const struct cor_examiner_opts *opts, struct cor_tools *tools,
                     struct cor_examiner **out)
{
    struct cor_examiner *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        cor_tools_free(tools);
        return HD_ENOMEM;
    }
    e->opts = *opts;
    e->tools = tools;
    e->gate.keys = tools->canary_keys;
    int err = make_parts(e);
    if (err != HD_OK) {
        cor_examiner_free(e);
        return err;
    }
    *out = e;
    return HD_OK;
}

void cor_examiner_free(struct cor_examiner *e)
{
    if (e == NULL) {
        return;
    }
    cor_hits_free(e->out);
    cor_tools_free(e->tools);
    cor_tally_free(e->tally);
    rul_decode_scratch_free(e->decode);
    hd_batch_reader_free(e->batch);
    free(e->event);
    free(e);
}

void cor_examiner_use(struct cor_examiner *e, struct cor_tools *tools)
{
    cor_tools_free(e->tools);
    e->tools = tools;
    e->gate.keys = tools->canary_keys;
}

bool cor_examiner_wait(struct cor_examiner *e)
{
    e->gave_up = e->gave_up || !cor_wait_for_memory(e->opts.is_stopping, "detect");
    return !e->gave_up;
}

int64_t cor_examiner_taken_ns(const struct cor_examiner *e)
{
    return e->taken_ns;
}

/* ---- hits ---- */

/* False: there is none, and the detector is to end. */
static bool obtain_message(struct cor_examiner *e)
{
    while (e->out == NULL && cor_hits_new(e->tools->rules, &e->out) != HD_OK) {
        if (!cor_examiner_wait(e)) {
            return false;
        }
    }
    return true;
}

static void send_message(struct cor_examiner *e)
{
    struct cor_hits *out = e->out;
    e->out = NULL;
    out->generation = e->tools->generation;
    out->is_warm_up = e->is_warm_up;
    out->taken_ns = e->taken_ns;
    out->watermark_ns = e->watermark_ns;
    e->opts.deliver(e->opts.ctx, out);
}

static int make_copy(struct cor_examiner *e, const struct rul_event *ev)
{
    struct rul_event_copy *copy = NULL;
    int err = rul_event_copy(ev, &copy);
    return err != HD_OK ? err : cor_event_new(&e->origin, copy, &e->copied);
}

/* A full message goes. What the state thread has then is touched no more: who matches the
 * record at hand as well gets another copy of it. */
static void make_room(struct cor_examiner *e)
{
    if (e->out != NULL && cor_hits_is_full(e->out)) {
        cor_event_unref(e->copied);
        e->copied = NULL;
        send_message(e);
    }
}

/* The record's copy for the state thread, made once however many rules match. NULL: there
 * is no memory for it, and the detector is to end. */
static struct cor_event *copy_event(struct cor_examiner *e, const struct rul_event *ev)
{
    while (e->copied == NULL && make_copy(e, ev) != HD_OK) {
        if (!cor_examiner_wait(e)) {
            return NULL;
        }
    }
    return e->copied;
}

static void on_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    struct cor_examiner *e = ctx;
    if (e->canary != NULL) {
        cor_canary_match(e->canary, rule);
        return;
    }
    if (!e->is_warm_up) {
        cor_rule_add(&e->tools->rules->counts[rule->index]->hits, 1);
    }
    if (e->is_warm_up ? !rule->feeds : !rule->feeds && !rule->alerts) {
        return;
    }
    e->n_hits++;
    make_room(e);
    struct cor_event *event = copy_event(e, ev);
    if (event != NULL && obtain_message(e)) {
        cor_hits_add(e->out, rule, event);
    }
}

/* ---- losses ---- */

void cor_examiner_lose(struct cor_examiner *e, const struct hd_loss *loss)
{
    if (e->is_warm_up) {
        return; /* it was told when it was examined first */
    }
    make_room(e);
    while (obtain_message(e) && cor_hits_add_loss(e->out, loss) != HD_OK) {
        if (!cor_examiner_wait(e)) {
            return;
        }
    }
}

static void take_report(struct cor_examiner *e, const struct hd_batch_record *record)
{
    struct hd_loss loss;
    int err = cor_lost_of_agent(&e->origin, record->line, &loss);
    while (err == HD_ENOMEM && cor_examiner_wait(e)) {
        err = cor_lost_of_agent(&e->origin, record->line, &loss);
    }
    if (err == HD_OK) {
        cor_examiner_lose(e, &loss);
    } else if (err != HD_ENOMEM) {
        HD_LOG(WARN, "detect", "an agent's report of a loss cannot be read",
               HD_KV_SLICE("agent", e->origin.agent), HD_KV_UINT("seq", record->seq),
               HD_KV_ERR(err));
    }
}

/* ---- records ---- */

/* Neither a line with a time in the future nor an agent whose clock is ahead may move the
 * watermark past the time at which the batch came: everybody else's hits would be too
 * late. (Not past now: when the batch is examined again, now is later.) */
static void note_time(struct cor_examiner *e, const struct rul_event *ev)
{
    int64_t time = ev->time_ns < ev->recv_ns ? ev->time_ns : ev->recv_ns;
    time = time < e->taken_ns ? time : e->taken_ns;
    e->watermark_ns = time > e->watermark_ns ? time : e->watermark_ns;
}

static void on_cost(void *ctx, const struct rul_rule *rule, uint64_t ns)
{
    struct cor_examiner *e = ctx;
    struct cor_rule_counts *counts = e->tools->rules->counts[rule->index];
    cor_rule_add(&counts->timed, 1);
    cor_rule_add(&counts->timed_ns, ns);
}

/* One event in COR_COST_SAMPLE tells what its rules cost. */
static void match(struct cor_examiner *e)
{
    struct cor_tools *tools = e->tools;
    bool is_sample = e->matched++ % COR_COST_SAMPLE == 0;
    rul_match_timed(tools->rules->set, tools->match, e->event, on_hit,
                    is_sample ? on_cost : NULL, e);
}

/* The state thread hears of it also when no rule matches: that it came proves its way in.
 */
static void send_canary(struct cor_examiner *e)
{
    struct cor_event *event = copy_event(e, e->event);
    if (e->out != NULL && cor_hits_is_full(e->out)) {
        send_message(e);
    }
    if (event != NULL && obtain_message(e)) {
        event->canary = e->canary;
        e->canary = NULL;
        cor_hits_add(e->out, NULL, event);
    }
    free(e->canary);
    e->canary = NULL;
    cor_event_unref(e->copied);
    e->copied = NULL;
}

/* As if the line inside had come from that source, but for its time, which is long ago.
 */
static void examine_canary(struct cor_examiner *e, const struct rul_record *in,
                           const struct hd_canary *canary)
{
    const struct rul_record inside = {in->source, in->recv_ns, canary->message};
    while (cor_canary_new(canary, in->line, &e->canary) != HD_OK) {
        if (!cor_examiner_wait(e)) {
            return;
        }
    }
    rul_decode(rul_set_decoders(e->tools->rules->set), e->decode, &inside, e->event);
    e->event->time_ns = in->recv_ns;
    match(e);
    send_canary(e);
}

/* False: the line is as any other. In a warm-up a canary is passed over. */
static bool take_canary(struct cor_examiner *e, const struct rul_record *in)
{
    struct hd_canary canary;
    enum hd_canary_verdict verdict =
        hd_canary_judge(&e->gate, in->line, e->taken_ns, &canary);
    COR_COUNT(COR_M_CANARIES_FORGED, verdict == HD_GATE_FORGED);
    COR_COUNT(COR_M_CANARIES_STALE, verdict == HD_GATE_STALE);
    if (verdict == HD_GATE_CANARY && !e->is_warm_up) {
        examine_canary(e, in, &canary);
    }
    return verdict != HD_GATE_LINE && verdict != HD_GATE_FORGED;
}

static void examine_record(struct cor_examiner *e, const struct hd_batch_record *record,
                           const struct hd_batch_source *source)
{
    const struct rul_record in = {
        .source = source, .recv_ns = record->recv_ns, .line = record->line};
    e->origin.seq = record->seq;
    e->origin.is_truncated = (record->flags & HD_BATCH_TRUNCATED) != 0;
    if (take_canary(e, &in)) {
        return;
    }
    rul_decode(rul_set_decoders(e->tools->rules->set), e->decode, &in, e->event);
    note_time(e, e->event);
    if (cor_lost_is_report(source)) {
        take_report(e, record);
    }
    if (!cor_lost_is_own(source)) {
        cor_tally_line(e->tally, record, e->event->has_own_time ? e->event->time_ns : 0);
    }
    e->n_events += e->event->decoder != NULL;
    match(e);
    cor_event_unref(e->copied);
    e->copied = NULL;
}

/* Returns how many records could be read. */
static uint32_t examine_records(struct cor_examiner *e)
{
    const struct hd_batch_source *sources = NULL;
    uint16_t n_sources = hd_batch_reader_sources(e->batch, &sources);
    struct hd_batch_record record;
    uint32_t n = 0;
    cor_tally_begin(e->tally);
    hd_canary_begin_batch(&e->gate);
    while (hd_batch_reader_next(e->batch, &record) == 1) {
        if (record.source < n_sources) {
            examine_record(e, &record, &sources[record.source]);
        }
        n++;
    }
    return n;
}

static void count_matching(struct cor_tools *tools)
{
    struct rul_match_stats now, *was = &tools->counted;
    rul_scratch_stats(tools->match, &now);
    COR_COUNT(COR_M_DETECT_HELD_BACK, now.held_back - was->held_back);
    COR_COUNT(COR_M_DETECT_UNDECIDED,
              now.no_memory - was->no_memory + now.regex_limit - was->regex_limit);
    *was = now;
}

static void count_decoding(struct cor_examiner *e)
{
    struct rul_decode_stats now, *was = &e->decoded;
    rul_decode_scratch_stats(e->decode, &now);
    COR_COUNT(COR_M_DETECT_VALUES_LOST, now.values - was->values);
    COR_COUNT(COR_M_DETECT_MALFORMED, now.malformed - was->malformed);
    *was = now;
}

static void count_batch(struct cor_examiner *e, uint32_t want, uint32_t got)
{
    COR_COUNT(COR_M_DETECT_LINES, got);
    COR_COUNT(COR_M_DETECT_EVENTS, e->n_events);
    COR_COUNT(COR_M_DETECT_HITS, e->n_hits);
    COR_COUNT(COR_M_DETECT_LOST, want > got ? want - got : 0);
    e->n_events = e->n_hits = 0;
    count_matching(e->tools);
    count_decoding(e);
}

void cor_examiner_pass_over(const struct cor_examiner *e, uint64_t index, const char *why)
{
    COR_COUNT(COR_M_DETECT_CORRUPT, 1);
    HD_LOG(ERROR, "detect", "an archive entry cannot be examined and is passed over",
           HD_KV_UINT("entry", index), HD_KV_STR("dir", e->opts.archive_dir),
           HD_KV_STR("why", why));
}

static bool is_mine(const struct cor_examiner *e, struct hd_slice agent)
{
    return e->opts.count <= 1 ||
           hd_hash_stable(agent, SPLIT_SEED) % e->opts.count == e->opts.index;
}

static int try_to_open(struct cor_examiner *e, const struct hd_journal_entry *entry,
                       const struct hd_archive_meta *meta, struct hd_batch_info *info)
{
    int err = hd_batch_reader_open(e->batch, entry->payload, info);
    bool fits = err == HD_OK && hd_slice_eq(info->agent, meta->agent) &&
                hd_slice_eq(info->boot, meta->boot) && info->first == entry->first;
    return err == HD_OK && !fits ? HD_EINVAL : err;
}

/* HD_EINVAL: it is another batch than its meta says. A failed allocation can make jansson
 * lose a part of a text: what is bad is looked at again. */
static int open_batch(struct cor_examiner *e, const struct hd_journal_entry *entry,
                      const struct hd_archive_meta *meta, struct hd_batch_info *info)
{
    int err = try_to_open(e, entry, meta, info);
    if (err != HD_OK && err != HD_ENOMEM) {
        err = try_to_open(e, entry, meta, info);
    }
    while (err == HD_ENOMEM && cor_examiner_wait(e)) {
        err = try_to_open(e, entry, meta, info);
    }
    return err;
}

static void bad_batch(struct cor_examiner *e, const struct hd_journal_entry *entry,
                      const struct hd_archive_meta *meta, const char *why)
{
    struct hd_loss loss = cor_lost_batch(entry, meta, entry->count, why);
    cor_examiner_pass_over(e, entry->index, why);
    COR_COUNT(COR_M_DETECT_LOST, entry->count);
    cor_examiner_lose(e, &loss);
}

static void tell_seen(struct cor_examiner *e)
{
    struct cor_tally_batch batch = {
        .agent = e->origin.agent, .boot = e->origin.boot, .taken_ns = e->taken_ns};
    if (e->opts.seen != NULL && !e->is_warm_up && !e->gave_up) {
        batch.n_sources = hd_batch_reader_sources(e->batch, &batch.sources);
        cor_tally_tell(e->tally, &batch, e->opts.seen);
    }
}

void cor_examine(struct cor_examiner *e, const struct hd_journal_entry *entry)
{
    struct hd_archive_meta meta;
    struct hd_batch_info info;
    if (hd_archive_meta_decode(entry->meta, &meta) != HD_PARSE_OK) {
        bad_batch(e, entry, &(struct hd_archive_meta){0}, "its meta is malformed");
        return;
    }
    e->taken_ns = meta.taken_ns;
    if (!is_mine(e, meta.agent)) {
        return;
    }
    int err = open_batch(e, entry, &meta, &info);
    if (err == HD_ENOMEM) {
        return;
    }
    if (err != HD_OK) {
        bad_batch(e, entry, &meta,
                  err == HD_EINVAL ? "it says to be another agent's, or another part"
                                   : hd_err_text(err));
        return;
    }
    e->origin = (struct cor_origin){.agent = meta.agent, .boot = meta.boot};
    uint32_t got = examine_records(e);
    count_batch(e, entry->count, got);
    if (got < entry->count && !e->gave_up) {
        struct hd_loss loss = cor_lost_batch(entry, &meta, entry->count - got,
                                             "a record of the batch is malformed");
        cor_examiner_lose(e, &loss);
    }
    tell_seen(e);
}

/* ---- around entries ---- */

void cor_examiner_begin_warm_up(struct cor_examiner *e)
{
    e->is_warm_up = true;
}

void cor_examiner_end_warm_up(struct cor_examiner *e)
{
    if (e->out != NULL) {
        send_message(e);
    }
    e->is_warm_up = false;
}

void cor_examiner_end_batch(struct cor_examiner *e,
                            const struct hd_journal_cursor *cursor)
{
    if (e->gave_up || !obtain_message(e)) {
        return; /* the next process examines the batch again */
    }
    e->out->has_cursor = true;
    e->out->cursor = *cursor;
    send_message(e);
}
