/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/detect/detector.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <haidang/archive_meta.h>
#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/log.h>
#include <haidang/loop.h>

#include "correlator/detect/lost.h"
#include "correlator/metrics.h"
#include "correlator/patience.h"
#include "correlator/sources/tally.h"

#define HITS_RING   32U /* messages: bounds the memory of hits on their way */
#define ORDERS_RING 16U /* rule sets that were not taken up yet */
#define CURSORS_RING                                                                     \
    256U /* the state thread drops what does not fit: newer ones come                    \
          */
#define SAVE_EVERY_NS (HD_NS_PER_MS * 200)
#define LAG_EVERY_NS  (HD_NS_PER_MS * 500)
#define POLL_MS       1000
#define SPLIT_SEED    UINT64_C(0x6861696461) /* the same split in every process */

struct cor_tools {
    struct cor_rules *rules;
    struct rul_scratch *match;
    uint64_t generation; /* of the set: later ones are larger, in every detector alike */
    struct rul_match_stats counted; /* so much of the scratch's is in the metrics */
};

struct cor_detector {
    struct cor_detector_opts opts;
    struct hd_journal_reader *reader;
    struct hd_batch_reader *batch;
    struct rul_decode_scratch *decode;
    struct rul_decode_stats decoded; /* so much of the scratch's is in the metrics */
    struct rul_event *event;
    struct cor_tools *tools;
    struct cor_tally *tally;
    struct hd_ring *hits, *orders, *cursors;
    int wake_fd;
    uv_thread_t thread;
    bool has_thread;
    atomic_bool is_stopping;
    _Atomic uint64_t lag_bytes, lag_ms;
    uint64_t orders_taken;

    /* of the thread, while it works on a batch */
    struct cor_hits *out;
    struct cor_origin origin;
    struct cor_event *copied; /* the record at hand, once a rule has matched */
    bool is_warm_up;
    bool gave_up; /* the batch was not examined to its end: its cursor must not be told */
    int64_t now_ns, watermark_ns;
    int64_t taken_ns; /* when the entry at hand came to us */
    uint64_t n_hits, n_events;
    uint64_t matched; /* events so far */

    struct {
        uint64_t first, bytes; /* of damage whose end was not seen yet; bytes 0 = none */
    } damage;
    int64_t entry_bytes, lag_ns;

    struct hd_journal_cursor to_save;
    bool has_to_save;
    int64_t saved_ns;
};

/* ---- life ---- */

void cor_tools_free(struct cor_tools *tools)
{
    if (tools != NULL) {
        rul_scratch_free(tools->match);
        cor_rules_unref(tools->rules);
        free(tools);
    }
}

int cor_tools_new(struct cor_rules *rules, struct cor_tools **out)
{
    struct cor_tools *tools = calloc(1, sizeof(*tools));
    if (tools == NULL) {
        return HD_ENOMEM;
    }
    tools->rules = cor_rules_ref(rules);
    int err = rul_scratch_new(rules->set, &tools->match);
    if (err != HD_OK) {
        cor_tools_free(tools);
        return err;
    }
    *out = tools;
    return HD_OK;
}

static void drop_tools(void *item)
{
    cor_tools_free(item);
}

static void drop_hits(void *item)
{
    cor_hits_free(item);
}

static int make_parts(struct cor_detector *d, struct cor_rules *rules)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "detect-%u", d->opts.index);
    int err = hd_journal_reader_open(d->opts.archive_dir, name, &d->reader);
    if (err == HD_OK && d->opts.has_start) {
        err = hd_journal_reader_seek(d->reader, &d->opts.start);
    }
    err = err != HD_OK ? err : hd_batch_reader_new(&d->batch);
    err = err != HD_OK ? err : rul_decode_scratch_new(&d->decode);
    err = err != HD_OK ? err : cor_tools_new(rules, &d->tools);
    err = err != HD_OK ? err : cor_tally_new(&d->tally);
    err = err != HD_OK ? err : hd_ring_new(HITS_RING, &d->hits);
    err = err != HD_OK ? err : hd_ring_new(ORDERS_RING, &d->orders);
    err = err != HD_OK ? err : hd_ring_new(CURSORS_RING, &d->cursors);
    if (err != HD_OK) {
        return err;
    }
    d->event = calloc(1, sizeof(*d->event));
    if (d->event == NULL) {
        return HD_ENOMEM;
    }
    d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return d->wake_fd < 0 ? hd_err_from_errno(errno) : HD_OK;
}

int cor_detector_new(const struct cor_detector_opts *opts, struct cor_rules *rules,
                     struct cor_detector **out)
{
    struct cor_detector *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return HD_ENOMEM;
    }
    d->opts = *opts;
    d->wake_fd = -1;
    int err = make_parts(d, rules);
    if (err != HD_OK) {
        cor_detector_free(d);
        return err;
    }
    *out = d;
    return HD_OK;
}

static void wake(struct cor_detector *d)
{
    const uint64_t one = 1;
    /* a counter that is full wakes as well */
    (void)!write(d->wake_fd, &one, sizeof(one));
}

void cor_detector_stop(struct cor_detector *d)
{
    atomic_store(&d->is_stopping, true);
    wake(d);
    if (!d->has_thread) {
        hd_ring_close(d->hits); /* or the state thread would wait for it */
    }
}

void cor_detector_free(struct cor_detector *d)
{
    if (d == NULL) {
        return;
    }
    if (d->has_thread) {
        (void)uv_thread_join(&d->thread);
    }
    hd_ring_free(d->hits, drop_hits);
    hd_ring_free(d->orders, drop_tools);
    hd_ring_free(d->cursors, free);
    if (d->wake_fd >= 0) {
        (void)close(d->wake_fd);
    }
    cor_hits_free(d->out);
    cor_tools_free(d->tools);
    cor_tally_free(d->tally);
    rul_decode_scratch_free(d->decode);
    hd_batch_reader_free(d->batch);
    hd_journal_reader_close(d->reader);
    free(d->event);
    free(d);
}

int cor_detector_use(struct cor_detector *d, struct cor_tools *tools)
{
    int err = hd_ring_push(d->orders, tools);
    if (err != HD_OK) {
        cor_tools_free(tools);
        return err;
    }
    wake(d);
    return HD_OK;
}

struct hd_ring *cor_detector_hits(struct cor_detector *d)
{
    return d->hits;
}

uint64_t cor_detector_lag_bytes(const struct cor_detector *d)
{
    return atomic_load_explicit(&d->lag_bytes, memory_order_relaxed);
}

uint64_t cor_detector_lag_ms(const struct cor_detector *d)
{
    return atomic_load_explicit(&d->lag_ms, memory_order_relaxed);
}

size_t cor_detector_queue_high(const struct cor_detector *d)
{
    return hd_ring_high_water(d->hits);
}

/* ---- what the state thread says ---- */

void cor_detector_durable(struct cor_detector *d, const struct hd_journal_cursor *cursor)
{
    struct hd_journal_cursor *copy = malloc(sizeof(*copy));
    if (copy == NULL) {
        return;
    }
    *copy = *cursor;
    if (hd_ring_push(d->cursors, copy) != HD_OK) {
        free(copy);
        return;
    }
    wake(d);
}

void cor_detector_dismiss(struct cor_detector *d)
{
    hd_ring_close(d->cursors);
}

static void save_cursor(struct cor_detector *d)
{
    d->has_to_save = false;
    d->saved_ns = hd_clock_mono_ns();
    int err = hd_journal_reader_save(d->reader, &d->to_save, false);
    if (err != HD_OK) {
        HD_LOG(WARN, "detect",
               "the cursor was not saved; after a restart more is examined again",
               HD_KV_UINT("detector", d->opts.index), HD_KV_ERR(err));
    }
}

static void take_cursors(struct cor_detector *d)
{
    struct hd_journal_cursor *cursor;
    while ((cursor = hd_ring_pop(d->cursors)) != NULL) {
        d->to_save = *cursor;
        d->has_to_save = true;
        free(cursor);
    }
}

/* Everything was made aside: this is all of the time that detection stands still. */
static void take_orders(struct cor_detector *d)
{
    struct cor_tools *tools = hd_ring_pop(d->orders);
    int64_t began_ns = tools == NULL ? 0 : hd_clock_mono_ns();
    for (; tools != NULL; tools = hd_ring_pop(d->orders)) {
        cor_tools_free(d->tools);
        d->tools = tools;
        tools->generation = ++d->orders_taken;
    }
    if (began_ns != 0) {
        cor_metric_pause(hd_clock_mono_ns() - began_ns);
    }
}

/* ---- hits ---- */

static bool wait_for_memory(struct cor_detector *d)
{
    d->gave_up = d->gave_up || !cor_wait_for_memory(&d->is_stopping, "detect");
    return !d->gave_up;
}

/* False: there is none, and the detector is to end. */
static bool obtain_message(struct cor_detector *d)
{
    while (d->out == NULL && cor_hits_new(d->tools->rules, &d->out) != HD_OK) {
        if (!wait_for_memory(d)) {
            return false;
        }
    }
    return true;
}

static void send_message(struct cor_detector *d)
{
    struct cor_hits *out = d->out;
    d->out = NULL;
    out->generation = d->tools->generation;
    out->is_warm_up = d->is_warm_up;
    out->watermark_ns = d->watermark_ns;
    if (hd_ring_push_wait(d->hits, out) != HD_OK) {
        cor_hits_free(out);
    }
}

static int make_copy(struct cor_detector *d, const struct rul_event *ev)
{
    struct rul_event_copy *copy = NULL;
    int err = rul_event_copy(ev, &copy);
    return err != HD_OK ? err : cor_event_new(&d->origin, copy, &d->copied);
}

/* The record's copy for the state thread, made once however many rules match. NULL: there
 * is no memory for it, and the detector is to end. */
static struct cor_event *copy_event(struct cor_detector *d, const struct rul_event *ev)
{
    while (d->copied == NULL && make_copy(d, ev) != HD_OK) {
        if (!wait_for_memory(d)) {
            return NULL;
        }
    }
    return d->copied;
}

static void on_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    struct cor_detector *d = ctx;
    if (!d->is_warm_up) {
        cor_rule_add(&d->tools->rules->counts[rule->index]->hits, 1);
    }
    if (d->is_warm_up ? !rule->feeds : !rule->feeds && !rule->alerts) {
        return;
    }
    d->n_hits++;
    struct cor_event *event = copy_event(d, ev);
    if (d->out != NULL && cor_hits_is_full(d->out)) {
        send_message(d);
    }
    if (event != NULL && obtain_message(d)) {
        cor_hits_add(d->out, rule, event);
    }
}

/* ---- losses ---- */

static void tell_loss(struct cor_detector *d, const struct hd_loss *loss)
{
    if (d->is_warm_up) {
        return; /* it was told when it was examined first */
    }
    if (d->out != NULL && cor_hits_is_full(d->out)) {
        send_message(d);
    }
    while (obtain_message(d) && cor_hits_add_loss(d->out, loss) != HD_OK) {
        if (!wait_for_memory(d)) {
            return;
        }
    }
}

static void take_report(struct cor_detector *d, const struct hd_batch_record *record)
{
    struct hd_loss loss;
    int err = cor_lost_of_agent(&d->origin, record->line, &loss);
    while (err == HD_ENOMEM && wait_for_memory(d)) {
        err = cor_lost_of_agent(&d->origin, record->line, &loss);
    }
    if (err == HD_OK) {
        tell_loss(d, &loss);
    } else if (err != HD_ENOMEM) {
        HD_LOG(WARN, "detect", "an agent's report of a loss cannot be read",
               HD_KV_SLICE("agent", d->origin.agent), HD_KV_UINT("seq", record->seq),
               HD_KV_ERR(err));
    }
}

/* ---- records ---- */

/* Neither a line with a time in the future nor an agent whose clock is ahead may move the
 * watermark past now: everybody else's hits would be too late. */
static void note_time(struct cor_detector *d, const struct rul_event *ev)
{
    int64_t time = ev->time_ns < ev->recv_ns ? ev->time_ns : ev->recv_ns;
    time = time < d->now_ns ? time : d->now_ns;
    d->watermark_ns = time > d->watermark_ns ? time : d->watermark_ns;
}

static void on_cost(void *ctx, const struct rul_rule *rule, uint64_t ns)
{
    struct cor_detector *d = ctx;
    struct cor_rule_counts *counts = d->tools->rules->counts[rule->index];
    cor_rule_add(&counts->timed, 1);
    cor_rule_add(&counts->timed_ns, ns);
}

/* One event in COR_COST_SAMPLE tells what its rules cost. */
static void match(struct cor_detector *d)
{
    struct cor_tools *tools = d->tools;
    bool is_sample = d->matched++ % COR_COST_SAMPLE == 0;
    rul_match_timed(tools->rules->set, tools->match, d->event, on_hit,
                    is_sample ? on_cost : NULL, d);
}

static void examine_record(struct cor_detector *d, const struct hd_batch_record *record,
                           const struct hd_batch_source *source)
{
    const struct rul_record in = {
        .source = source, .recv_ns = record->recv_ns, .line = record->line};
    d->origin.seq = record->seq;
    d->origin.is_truncated = (record->flags & HD_BATCH_TRUNCATED) != 0;
    rul_decode(rul_set_decoders(d->tools->rules->set), d->decode, &in, d->event);
    note_time(d, d->event);
    if (cor_lost_is_report(source)) {
        take_report(d, record);
    } else { /* a report comes when something was lost, in no rhythm */
        cor_tally_line(d->tally, record, d->event->has_own_time ? d->event->time_ns : 0);
    }
    d->n_events += d->event->decoder != NULL;
    match(d);
    cor_event_unref(d->copied);
    d->copied = NULL;
}

/* Returns how many records could be read. */
static uint32_t examine_records(struct cor_detector *d)
{
    const struct hd_batch_source *sources = NULL;
    uint16_t n_sources = hd_batch_reader_sources(d->batch, &sources);
    struct hd_batch_record record;
    uint32_t n = 0;
    cor_tally_begin(d->tally);
    while (hd_batch_reader_next(d->batch, &record) == 1) {
        if (record.source < n_sources) {
            examine_record(d, &record, &sources[record.source]);
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

static void count_decoding(struct cor_detector *d)
{
    struct rul_decode_stats now, *was = &d->decoded;
    rul_decode_scratch_stats(d->decode, &now);
    COR_COUNT(COR_M_DETECT_VALUES_LOST, now.values - was->values);
    COR_COUNT(COR_M_DETECT_MALFORMED, now.malformed - was->malformed);
    *was = now;
}

static void count_batch(struct cor_detector *d, uint32_t want, uint32_t got)
{
    COR_COUNT(COR_M_DETECT_LINES, got);
    COR_COUNT(COR_M_DETECT_EVENTS, d->n_events);
    COR_COUNT(COR_M_DETECT_HITS, d->n_hits);
    COR_COUNT(COR_M_DETECT_LOST, want > got ? want - got : 0);
    d->n_events = d->n_hits = 0;
    count_matching(d->tools);
    count_decoding(d);
}

static void corrupt_entry(struct cor_detector *d, uint64_t index, const char *why)
{
    COR_COUNT(COR_M_DETECT_CORRUPT, 1);
    HD_LOG(ERROR, "detect", "an archive entry cannot be examined and is passed over",
           HD_KV_UINT("entry", index), HD_KV_STR("dir", d->opts.archive_dir),
           HD_KV_STR("why", why));
}

static bool is_mine(const struct cor_detector *d, struct hd_slice agent)
{
    return d->opts.count <= 1 ||
           hd_hash_stable(agent, SPLIT_SEED) % d->opts.count == d->opts.index;
}

static int try_to_open(struct cor_detector *d, const struct hd_journal_entry *entry,
                       const struct hd_archive_meta *meta, struct hd_batch_info *info)
{
    int err = hd_batch_reader_open(d->batch, entry->payload, info);
    bool fits = err == HD_OK && hd_slice_eq(info->agent, meta->agent) &&
                hd_slice_eq(info->boot, meta->boot) && info->first == entry->first;
    return err == HD_OK && !fits ? HD_EINVAL : err;
}

/* HD_EINVAL: it is another batch than its meta says. A failed allocation can make jansson
 * lose a part of a text: what is bad is looked at again. */
static int open_batch(struct cor_detector *d, const struct hd_journal_entry *entry,
                      const struct hd_archive_meta *meta, struct hd_batch_info *info)
{
    int err = try_to_open(d, entry, meta, info);
    if (err != HD_OK && err != HD_ENOMEM) {
        err = try_to_open(d, entry, meta, info);
    }
    while (err == HD_ENOMEM && wait_for_memory(d)) {
        err = try_to_open(d, entry, meta, info);
    }
    return err;
}

static void bad_batch(struct cor_detector *d, const struct hd_journal_entry *entry,
                      const struct hd_archive_meta *meta, const char *why)
{
    struct hd_loss loss = cor_lost_batch(entry, meta, entry->count, why);
    corrupt_entry(d, entry->index, why);
    COR_COUNT(COR_M_DETECT_LOST, entry->count);
    tell_loss(d, &loss);
}

static void tell_seen(struct cor_detector *d)
{
    struct cor_tally_batch batch = {
        .agent = d->origin.agent, .boot = d->origin.boot, .taken_ns = d->taken_ns};
    if (d->opts.seen != NULL && !d->is_warm_up && !d->gave_up) {
        batch.n_sources = hd_batch_reader_sources(d->batch, &batch.sources);
        cor_tally_tell(d->tally, &batch, d->opts.seen);
    }
}

static void examine_entry(struct cor_detector *d, const struct hd_journal_entry *entry)
{
    struct hd_archive_meta meta;
    struct hd_batch_info info;
    if (hd_archive_meta_decode(entry->meta, &meta) != HD_PARSE_OK) {
        bad_batch(d, entry, &(struct hd_archive_meta){0}, "its meta is malformed");
        return;
    }
    d->taken_ns = meta.taken_ns;
    if (!is_mine(d, meta.agent)) {
        return;
    }
    int err = open_batch(d, entry, &meta, &info);
    if (err == HD_ENOMEM) {
        return;
    }
    if (err != HD_OK) {
        bad_batch(d, entry, &meta,
                  err == HD_EINVAL ? "it says to be another agent's, or another part"
                                   : hd_err_text(err));
        return;
    }
    d->origin = (struct cor_origin){.agent = meta.agent, .boot = meta.boot};
    d->now_ns = hd_clock_wall_ns();
    uint32_t got = examine_records(d);
    count_batch(d, entry->count, got);
    if (got < entry->count && !d->gave_up) {
        struct hd_loss loss = cor_lost_batch(entry, &meta, entry->count - got,
                                             "a record of the batch is malformed");
        tell_loss(d, &loss);
    }
    tell_seen(d);
}

/* The reader counts entries; their size is taken from those seen lately. */
static void note_lag(struct cor_detector *d, const struct hd_journal_entry *entry)
{
    int64_t now_ns = hd_clock_mono_ns();
    int64_t age_ms = 0;
    if (entry != NULL) {
        age_ms = (hd_clock_wall_ns() - d->taken_ns) / HD_NS_PER_MS;
        d->entry_bytes += ((int64_t)entry->payload.len - d->entry_bytes) / 16;
    }
    atomic_store_explicit(&d->lag_ms, (uint64_t)(age_ms > 0 ? age_ms : 0),
                          memory_order_relaxed);
    if (entry == NULL || now_ns - d->lag_ns >= LAG_EVERY_NS) {
        d->lag_ns = now_ns;
        atomic_store_explicit(&d->lag_bytes,
                              hd_journal_reader_lag(d->reader) * (uint64_t)d->entry_bytes,
                              memory_order_relaxed);
    }
}

/* ---- the thread ---- */

/* Time of the entry at the cursor, or now when it is still to come. */
static int64_t time_at(struct cor_detector *d, const struct hd_journal_cursor *cursor)
{
    struct hd_journal_entry entry;
    int64_t now_ns = hd_clock_wall_ns();
    if (hd_journal_reader_next_header(d->reader, &entry) != HD_OK ||
        hd_journal_reader_seek(d->reader, cursor) != HD_OK) {
        return now_ns;
    }
    return entry.time_min < now_ns ? entry.time_min : now_ns;
}

/* One entry before `end`; false when there is none any more. */
static bool warm_up_step(struct cor_detector *d, uint64_t end, int64_t from_ns)
{
    struct hd_journal_cursor here;
    struct hd_journal_entry entry;
    hd_journal_reader_tell(d->reader, &here);
    if (here.index >= end || atomic_load(&d->is_stopping)) {
        return false;
    }
    int err = hd_journal_reader_next(d->reader, &entry);
    if (err == HD_OK && entry.index < end && entry.time_max >= from_ns) {
        examine_entry(d, &entry);
    }
    return err == HD_OK || err == HD_ECORRUPT || err == HD_ENOENT;
}

/* Reads the entries before the cursor that correlations may still need. */
static void warm_up(struct cor_detector *d)
{
    struct hd_journal_cursor resume;
    hd_journal_reader_tell(d->reader, &resume);
    if (d->opts.warm_up_ns == 0 || resume.index <= 1) {
        return;
    }
    int64_t from_ns = time_at(d, &resume) - d->opts.warm_up_ns;
    if (hd_journal_reader_seek_time(d->reader, from_ns) == HD_OK) {
        d->is_warm_up = true;
        while (warm_up_step(d, resume.index, from_ns)) {
        }
        if (d->out != NULL) {
            send_message(d);
        }
        d->is_warm_up = false;
    }
    if (hd_journal_reader_seek(d->reader, &resume) != HD_OK) {
        HD_LOG(WARN, "detect",
               "the place to resume at is gone: examined from the oldest entry on",
               HD_KV_UINT("entry", resume.index));
    }
}

static void end_batch(struct cor_detector *d)
{
    if (d->gave_up || !obtain_message(d)) {
        return; /* the next process examines the batch again */
    }
    d->out->has_cursor = true;
    hd_journal_reader_tell(d->reader, &d->out->cursor);
    send_message(d);
}

/* Sleeps until there is something to read, to take up or to save. */
static void wait_for_work(struct cor_detector *d)
{
    struct pollfd fds[2] = {{.fd = d->wake_fd, .events = POLLIN},
                            {.fd = hd_journal_reader_fd(d->reader), .events = POLLIN}};
    if (d->has_to_save) {
        save_cursor(d);
    }
    note_lag(d, NULL);
    if (poll(fds, 2, POLL_MS) <= 0) {
        return;
    }
    uint64_t count;
    if ((fds[0].revents & POLLIN) != 0) {
        (void)!read(d->wake_fd, &count, sizeof(count));
    }
    if ((fds[1].revents & POLLIN) != 0) {
        hd_journal_reader_drain(d->reader);
    }
}

static void note_damage(struct cor_detector *d, uint64_t first, uint64_t bytes)
{
    corrupt_entry(d, first, "it does not verify");
    d->damage.first = d->damage.bytes == 0 ? first : d->damage.first;
    d->damage.bytes += bytes;
}

/* How many entries were damaged shows at the next one that is not. */
static void tell_damage(struct cor_detector *d, uint64_t next)
{
    if (d->damage.bytes > 0) {
        uint64_t first = d->damage.first == 0 ? next - 1 : d->damage.first;
        struct hd_loss loss =
            cor_lost_entries(HD_LOSS_DAMAGED, first, next, d->damage.bytes);
        d->damage.bytes = 0;
        tell_loss(d, &loss);
    }
}

static void entries_removed(struct cor_detector *d, uint64_t first)
{
    struct hd_journal_cursor now;
    hd_journal_reader_tell(d->reader, &now);
    struct hd_loss loss = cor_lost_entries(HD_LOSS_REMOVED, first, now.index, 0);
    COR_COUNT(COR_M_DETECT_TRIMMED, 1);
    HD_LOG(ERROR, "detect",
           "retention removed entries before they were examined: give the archive more "
           "room or the detector more processor",
           HD_KV_UINT("detector", d->opts.index), HD_KV_UINT("entries", loss.count));
    tell_loss(d, &loss);
    end_batch(d);
}

static void nothing_now(struct cor_detector *d)
{
    struct hd_journal_cursor now;
    hd_journal_reader_tell(d->reader, &now);
    if (d->damage.bytes > 0 && now.index > d->damage.first) {
        tell_damage(d, now.index);
        end_batch(d); /* the cursor stands behind it */
    }
    wait_for_work(d);
}

static void step(struct cor_detector *d)
{
    struct hd_journal_entry entry;
    struct hd_journal_cursor before;
    uint64_t skipped = hd_journal_reader_skipped(d->reader);
    hd_journal_reader_tell(d->reader, &before);
    int err = hd_journal_reader_next(d->reader, &entry);
    switch (err) {
    case HD_OK:
        tell_damage(d, entry.index);
        examine_entry(d, &entry);
        note_lag(d, &entry);
        end_batch(d);
        break;
    case HD_EAGAIN:
        nothing_now(d);
        break;
    case HD_ECORRUPT:
        note_damage(d, before.index, hd_journal_reader_skipped(d->reader) - skipped);
        break;
    case HD_ENOENT:
        entries_removed(d, before.index);
        break;
    case HD_ENOMEM:
        (void)wait_for_memory(d);
        break;
    default:
        HD_LOG(ERROR, "detect", "the archive cannot be read; trying again",
               HD_KV_STR("dir", d->opts.archive_dir), HD_KV_ERR(err));
        wait_for_work(d);
        break;
    }
}

/* The state thread says the last cursor, then closes the ring. */
static void take_last_cursor(struct cor_detector *d)
{
    struct hd_journal_cursor *cursor;
    while ((cursor = hd_ring_pop_wait(d->cursors, -1)) != NULL) {
        d->to_save = *cursor;
        d->has_to_save = true;
        free(cursor);
    }
    if (d->has_to_save) {
        save_cursor(d);
    }
}

static void thread_main(void *arg)
{
    struct cor_detector *d = arg;
    char name[16];
    (void)snprintf(name, sizeof(name), "detect-%u", d->opts.index);
    (void)pthread_setname_np(pthread_self(), name);
    warm_up(d);
    while (!atomic_load(&d->is_stopping)) {
        take_orders(d);
        take_cursors(d);
        if (d->has_to_save && hd_clock_mono_ns() - d->saved_ns >= SAVE_EVERY_NS) {
            save_cursor(d);
        }
        step(d);
    }
    hd_ring_close(d->hits);
    take_last_cursor(d);
}

int cor_detector_run(struct cor_detector *d)
{
    int status = uv_thread_create(&d->thread, thread_main, d);
    d->has_thread = status == 0;
    return hd_err_from_uv(status);
}
