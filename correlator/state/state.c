/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/state/state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/log.h>
#include <haidang/loop.h>

#include "correlator/metrics.h"
#include "correlator/patience.h"
#include "correlator/state/evidence.h"
#include "correlator/state/outlet.h"

#define ENRICH_RING     16U
#define NOTICES_RING    64U
#define FLUSH_MESSAGES  64U /* messages taken between two commits */
#define RETRY_MS        1000U
#define EVIDENCE_EVENTS 8192U
#define EVIDENCE_BYTES  ((size_t)16 << 20)

struct feed { /* one detector */
    struct cor_state *state;
    struct cor_detector *detector;
    struct hd_ring *hits;
    struct hd_journal_cursor cursor; /* behind what was taken, not yet durable */
    bool has_cursor;                 /* it has moved */
    bool is_placed;                  /* there is one */
    bool is_inside;                  /* some of the next batch was taken, too */
    bool is_attached, is_over;
    int64_t watermark_ns;
};

struct cor_state {
    uv_loop_t loop;
    bool has_loop, has_thread, is_joined;
    uv_thread_t thread;
    struct hd_owner owner;
    uv_timer_t retry;
    uv_async_t wake_async;
    uv_timer_t save_timer;
    atomic_bool is_stopping;
    bool gave_up; /* for lack of memory: nothing taken since is durable */
    _Atomic int trouble;
    struct feed feeds[COR_DETECTORS_MAX];
    unsigned n_feeds, n_ended, n_over;
    struct hd_ring *enrich_ring, *notices;

    struct cor_rules *rules;
    struct cor_noise_opts noise;
    uint64_t generation;
    struct cor_outlet out;
    struct cor_memory memory;
    struct cor_evidence *evidence;
    struct cor_losses *losses; /* borrowed; NULL: nobody wants to know */

    struct cor_saver *saver; /* NULL: nothing outlives the process */
    bool wants_save, is_changed, is_ending;

    const struct cor_event *event; /* the hit at hand */
    bool is_warm_up;
    int64_t now_ns; /* wall, of the message at hand */
};

/* False: this process is to end without, and what is not done it leaves to the next. */
static bool wait_for_memory(void *ctx)
{
    struct cor_state *s = ctx;
    s->gave_up = s->gave_up || !cor_wait_for_memory(&s->is_stopping, "state");
    return !s->gave_up;
}

/* ---- alerts ---- */

/* Of a rule of the set in force. */
static struct cor_rule_counts *counts_of(const struct cor_state *s,
                                         const struct rul_rule *rule)
{
    return s->rules->counts[rule->index];
}

/* A rule has fired: is it news? */
static void consider(struct cor_state *s, const struct rul_rule *rule,
                     const struct rul_detection *detection)
{
    const struct cor_event *lines[HD_ALERT_EVIDENCE_MAX] = {s->event};
    char id[37];
    struct cor_alert_input in = {.id = id,
                                 .rule = rule,
                                 .event = s->event,
                                 .detection = detection,
                                 .evidence = lines,
                                 .n_evidence = 1};
    int64_t time = detection == NULL ? s->event->copy->time_ns : detection->last_ns;
    uint64_t key = cor_alert_key_of_input(s->memory.suppress, &in);
    cor_noise_hit(&s->noise, rule, counts_of(s, rule), s->event->copy->recv_ns,
                  s->now_ns);
    /* Most of a flood ends here, before anything dear. */
    if (rul_suppress_repeat(s->memory.suppress, key, rule->severity, time)) {
        cor_noise_repeat(counts_of(s, rule));
        return;
    }
    if (!cor_outlet_identify(&s->out, &in, id)) {
        return;
    }
    if (cor_noise_holds(&s->noise, counts_of(s, rule))) {
        return;
    }
    /* Before the look at ids: a replay has to leave the table as it was left. */
    if (!rul_suppress_pass(s->memory.suppress, key, rule->severity, time, &in.repeats)) {
        cor_noise_repeat(counts_of(s, rule));
        return;
    }
    if (cor_recent_has(s->out.recent, id)) {
        COR_COUNT(COR_M_REPLAYED, 1);
        return;
    }
    in.throttled = cor_noise_publish(counts_of(s, rule));
    if (detection != NULL) {
        size_t n = cor_evidence_find(s->evidence, s->rules->set, detection, lines);
        if (n == 0) {
            lines[0] = s->event;
        }
        in.n_evidence = n == 0 ? 1 : n;
    }
    cor_outlet_publish(&s->out, &in);
}

static const struct cor_event *newest_of(struct cor_state *s,
                                         const struct rul_detection *detection)
{
    const struct cor_event *lines[HD_ALERT_EVIDENCE_MAX];
    size_t n = cor_evidence_find(s->evidence, s->rules->set, detection, lines);
    return n == 0 ? NULL : lines[n - 1];
}

static struct cor_event *rebuild(struct cor_state *s,
                                 const struct rul_detection *detection,
                                 const struct rul_event_copy *last)
{
    struct cor_event *event = NULL;
    int err = cor_event_rebuild(detection->last_position, last, &event);
    while (err == HD_ENOMEM && wait_for_memory(s)) {
        err = cor_event_rebuild(detection->last_position, last, &event);
    }
    return event;
}

static void on_detection(void *ctx, const struct rul_detection *detection,
                         const struct rul_event_copy *last)
{
    struct cor_state *s = ctx;
    const struct cor_event *at_hand = s->event;
    struct cor_event *rebuilt = NULL;
    if (detection->rule->feeds) {
        cor_evidence_tell(s->evidence, detection);
    }
    if (s->is_warm_up || !detection->rule->alerts) {
        return;
    }
    cor_rule_add(&counts_of(s, detection->rule)->hits, 1);
    if (at_hand == NULL || at_hand->copy != last) {
        s->event = newest_of(s, detection); /* a window has ended */
    }
    if (s->event == NULL) { /* a window may have been open for days */
        s->event = rebuilt = rebuild(s, detection, last);
    }
    if (s->event != NULL) {
        consider(s, detection->rule, detection);
    } else {
        COR_COUNT(COR_M_INVALID, 1);
        HD_LOG(WARN, "state", "a detection was lost: none of its events is kept",
               HD_KV_STR("rule", detection->rule->id));
    }
    cor_event_unref(rebuilt);
    s->event = at_hand;
}

/* ---- hits ---- */

/* An event of another set than the one in force numbers its fields differently: it can
 * raise an alert, but not be correlated. */
static void take_hit(struct cor_state *s, const struct rul_rule *rule,
                     struct cor_event *event, bool is_of_set)
{
    s->event = event;
    if (rule->feeds && is_of_set) {
        cor_evidence_keep(s->evidence, rule, event);
    }
    /* What is remembered of the process before covers all that a warm-up reads. */
    if (rule->feeds && is_of_set && !(s->is_warm_up && s->memory.is_resumed)) {
        uint64_t late = rul_correlator_late(s->memory.correlator);
        int err = rul_correlate(s->memory.correlator, rule, event->copy, event->position,
                                on_detection, s);
        late = rul_correlator_late(s->memory.correlator) - late;
        cor_losses_note(s->losses, HD_LOSS_LATE, event->agent, s->is_warm_up ? 0 : late);
        if (err != HD_OK) {
            HD_LOG(ERROR, "state", "a hit was not correlated",
                   HD_KV_STR("rule", rule->id), HD_KV_ERR(err));
        }
    }
    if (rule->alerts && !s->is_warm_up) {
        consider(s, rule, NULL);
    }
}

static void take_up_set(struct cor_state *s, const struct cor_hits *hits)
{
    int64_t began_ns = hd_clock_mono_ns();
    int err = cor_memory_use(&s->memory, hits->rules->set);
    while (err == HD_ENOMEM && wait_for_memory(s)) {
        err = cor_memory_use(&s->memory, hits->rules->set);
    }
    if (err != HD_OK) {
        HD_LOG(ERROR, "state",
               "correlation rules could not be taken up; the old ones stay",
               HD_KV_ERR(err));
        return;
    }
    cor_evidence_clear(s->evidence); /* its events name fields by the old set's numbers */
    cor_rules_unref(s->rules);
    s->rules = cor_rules_ref(hits->rules);
    s->generation = hits->generation;
    cor_metric_pause(hd_clock_mono_ns() - began_ns);
}

/* The same rule in the set in force. A detector may still be at the set before, or the
 * new set may not have been taken up. NULL: it is no more. */
static const struct rul_rule *rule_now(const struct cor_state *s,
                                       const struct cor_hits *hits,
                                       const struct rul_rule *rule)
{
    return hits->rules == s->rules ? rule
                                   : rul_set_find(s->rules->set, hd_slice_str(rule->id));
}

/* Time as far as every detector has come that still has something to examine. */
static void advance(struct cor_state *s)
{
    int64_t least = INT64_MAX;
    for (unsigned i = 0; i < s->n_feeds; i++) {
        const struct feed *f = &s->feeds[i];
        if (f->watermark_ns != 0 && f->watermark_ns < least &&
            (s->n_feeds == 1 || cor_detector_lag_ms(f->detector) > 0)) {
            least = f->watermark_ns;
        }
    }
    if (least != INT64_MAX) {
        rul_correlator_advance(s->memory.correlator, least);
        rul_correlator_close(s->memory.correlator, on_detection, s);
    }
}

static void take_message(struct feed *f, struct cor_hits *hits)
{
    struct cor_state *s = f->state;
    cor_losses_add_all(s->losses, hits->losses, wait_for_memory, s);
    if (hits->rules != s->rules && hits->generation > s->generation) {
        take_up_set(s, hits);
    }
    s->is_warm_up = hits->is_warm_up;
    s->now_ns = hd_clock_wall_ns();
    for (uint32_t i = 0; i < hits->n; i++) {
        const struct rul_rule *rule = rule_now(s, hits, hits->hits[i].rule);
        if (rule != NULL) {
            take_hit(s, rule, hits->hits[i].event, hits->rules == s->rules);
        }
    }
    s->event = NULL;
    f->watermark_ns = hits->watermark_ns;
    advance(s);
    f->is_inside = !hits->has_cursor && !hits->is_warm_up;
    if (hits->has_cursor) {
        f->cursor = hits->cursor;
        f->has_cursor = f->is_placed = true;
    }
    s->is_changed = true;
    cor_hits_free(hits);
}

/* ---- durable, then the cursors ---- */

static bool is_blocked(const struct cor_state *s)
{
    return atomic_load(&s->trouble) != HD_OK;
}

static void on_retry(uv_timer_t *timer);

/* Publishes what is queued. False: it has to wait, and so does everything else. */
static bool flush(struct cor_state *s)
{
    size_t queued = cor_publish_queued(s->out.publish);
    int err = queued == 0 ? HD_OK : cor_publish_flush(s->out.publish);
    err = err != HD_OK ? err : cor_losses_flush(s->losses);
    COR_COUNT(COR_M_PUBLISHED, queued - cor_publish_queued(s->out.publish));
    if (err != HD_OK) {
        if (!is_blocked(s)) {
            HD_LOG(ERROR, "state",
                   "alerts cannot be published; detection waits until they can",
                   HD_KV_ERR(err));
        }
        COR_COUNT(COR_M_ALERT_WAITS, 1);
        atomic_store(&s->trouble, err);
        (void)uv_timer_start(&s->retry, on_retry, RETRY_MS, 0);
        return false;
    }
    if (is_blocked(s)) {
        HD_LOG(INFO, "state", "alerts can be published again");
        atomic_store(&s->trouble, HD_OK);
    }
    for (unsigned i = 0; s->saver == NULL && !s->gave_up && i < s->n_feeds; i++) {
        struct feed *f = &s->feeds[i];
        if (f->has_cursor) {
            cor_detector_durable(f->detector, &f->cursor);
            f->has_cursor = false;
        }
    }
    cor_memory_count(&s->memory, s->losses);
    return true;
}

/* ---- alerts of our own ---- */

static void on_notices(void *ctx)
{
    struct cor_state *s = ctx;
    struct cor_notice *notice;
    while (!is_blocked(s) && (notice = hd_ring_pop(s->notices)) != NULL) {
        cor_outlet_tell(&s->out, notice);
        cor_notice_free(notice);
        if (!flush(s)) {
            return;
        }
    }
}

/* ---- what outlives the process ---- */

/* What was taken ends with a batch. */
static bool is_between(const struct feed *f)
{
    return f->is_placed && !f->is_inside;
}

/* Everything taken is published, and no batch was taken in part. */
static bool can_save(const struct cor_state *s, struct cor_cursors *cursors)
{
    bool ok = s->saver != NULL && !cor_saver_is_busy(s->saver) && !is_blocked(s) &&
              !s->gave_up && cor_publish_queued(s->out.publish) == 0;
    cursors->n = s->n_feeds;
    for (unsigned i = 0; i < s->n_feeds; i++) {
        ok = ok && is_between(&s->feeds[i]);
        cursors->at[i] = s->feeds[i].cursor;
    }
    return ok;
}

static void not_saved(struct cor_state *s, int err)
{
    s->is_changed = true;
    COR_COUNT(COR_M_SNAPSHOTS_FAILED, 1);
    HD_LOG(
        WARN, "state",
        "what correlations remember was not saved; after a crash more is examined again",
        HD_KV_ERR(err));
}

static void try_save(struct cor_state *s)
{
    struct cor_cursors cursors;
    if (can_save(s, &cursors) && cor_losses_settle(s->losses) == HD_OK) {
        s->wants_save = s->is_changed = false; /* until it has failed */
        int err =
            cor_saver_begin(s->saver, &cursors, s->memory.suppress, s->memory.correlator);
        if (err != HD_OK) {
            not_saved(s, err);
        }
    }
}

static void detach_all(struct cor_state *s);
static void end_all(struct cor_state *s);

static void on_saved(void *ctx, int err, const struct cor_cursors *cursors)
{
    struct cor_state *s = ctx;
    if (err != HD_OK) {
        not_saved(s, err);
    }
    for (unsigned i = 0; err == HD_OK && i < cursors->n; i++) {
        cor_detector_durable(s->feeds[i].detector, &cursors->at[i]);
    }
    COR_COUNT(COR_M_SNAPSHOTS, err == HD_OK);
    if (s->is_ending) {
        detach_all(s);
    } else if (s->n_ended == s->n_feeds) {
        end_all(s);
    }
}

static void on_save_timer(uv_timer_t *timer)
{
    struct cor_state *s = HD_CONTAINER(timer, struct cor_state, save_timer);
    if (!is_blocked(s)) {
        cor_publish_trim(s->out.publish);
    }
    s->wants_save = s->is_changed;
    if (s->wants_save) {
        try_save(s);
    }
}

/* ---- draining ---- */

static void close_all(struct cor_state *s);

static void feed_detached(void *ctx)
{
    struct feed *f = ctx;
    struct cor_state *s = f->state;
    f->is_attached = false;
    cor_detector_dismiss(f->detector);
    if (++s->n_over == s->n_feeds) {
        close_all(s);
    }
}

static void detach_all(struct cor_state *s)
{
    for (unsigned i = 0; i < s->n_feeds; i++) {
        hd_ring_detach(s->feeds[i].hits, feed_detached, &s->feeds[i]);
    }
}

/* All detectors have ended. One that is being written must not be the last word. */
static void end_all(struct cor_state *s)
{
    if (s->saver != NULL && cor_saver_is_busy(s->saver)) {
        return; /* on_saved comes back */
    }
    s->is_ending = true;
    on_notices(s);
    if (s->is_changed) {
        try_save(s);
    }
    if (s->saver == NULL || !cor_saver_is_busy(s->saver)) {
        detach_all(s);
    }
}

/* The detector has ended and everything of it is durable, or given up. */
static void end_feed(struct feed *f)
{
    struct cor_state *s = f->state;
    if (!f->is_over) {
        f->is_over = true;
        if (++s->n_ended == s->n_feeds) {
            end_all(s);
        }
    }
}

/* Stopping while the alert journal cannot be written: what is queued is not durable and
 * no cursor moves past it, so the next start finds it again. */
static void give_up(struct feed *f)
{
    struct cor_hits *hits;
    bool ended = hd_ring_is_closed(f->hits);
    while ((hits = hd_ring_pop(f->hits)) != NULL) {
        cor_hits_free(hits);
    }
    if (ended) {
        end_feed(f);
    }
}

static void drain(struct feed *f)
{
    struct cor_state *s = f->state;
    while (!f->is_over && !is_blocked(s)) {
        bool ended = hd_ring_is_closed(f->hits); /* before the look that counts */
        struct cor_hits *hits;
        unsigned n = 0;
        do {
            hits = hd_ring_pop(f->hits);
            if (hits != NULL) {
                take_message(f, hits);
            }
        } while (hits != NULL && ++n < FLUSH_MESSAGES &&
                 !(s->wants_save && is_between(f)));
        if (!flush(s)) {
            break;
        }
        if (s->wants_save) {
            try_save(s);
        }
        if (hits == NULL) {
            if (ended) {
                end_feed(f);
            }
            return;
        }
    }
    if (is_blocked(s) && atomic_load(&s->is_stopping)) {
        give_up(f);
    }
}

static void on_hits(void *ctx)
{
    drain(ctx);
}

static void drain_all(struct cor_state *s)
{
    on_notices(s);
    for (unsigned i = 0; i < s->n_feeds; i++) {
        if (s->feeds[i].is_attached) {
            drain(&s->feeds[i]);
        }
    }
}

static void on_retry(uv_timer_t *timer)
{
    struct cor_state *s = HD_CONTAINER(timer, struct cor_state, retry);
    if (flush(s) || atomic_load(&s->is_stopping)) {
        drain_all(s);
    }
}

static void on_wake(uv_async_t *async)
{
    drain_all(HD_CONTAINER(async, struct cor_state, wake_async));
}

static void on_losses(void *ctx)
{
    struct cor_state *s = ctx;
    cor_losses_take(s->losses);
    (void)flush(s);
}

static void on_enrich(void *ctx)
{
    struct cor_state *s = ctx;
    struct cor_enrich *enrich;
    while ((enrich = hd_ring_pop(s->enrich_ring)) != NULL) {
        cor_enrich_unref(s->out.enrich);
        s->out.enrich = enrich;
    }
}

/* ---- start and end ---- */

static void seed(void *ctx, const json_t *alert)
{
    struct cor_state *s = ctx;
    int64_t time = 0;
    if (cor_recent_add(s->out.recent, hd_alert_text(alert, "id")) != HD_OK ||
        hd_alert_time(alert, "time.last", &time) != HD_OK) {
        return;
    }
    if (s->memory.is_resumed) {
        return;
    }
    rul_suppress_seed(s->memory.suppress,
                      cor_alert_key_of_json(s->memory.suppress, alert), time);
}

bool cor_state_resume(const struct cor_state *s, unsigned index,
                      struct hd_journal_cursor *cursor)
{
    if (s->memory.is_resumed && index < s->memory.resume.n) {
        *cursor = s->memory.resume.at[index];
        return true;
    }
    return false;
}

static int make_parts(struct cor_state *s, const struct cor_state_opts *opts,
                      char why[256])
{
    struct cor_memory_opts memory = {.suppress = opts->suppress,
                                     .correlate = opts->correlate,
                                     .snapshot = opts->snapshot,
                                     .archive_dir = opts->archive_dir,
                                     .detectors = opts->detectors};
    memory.correlate.on_short = wait_for_memory;
    memory.correlate.short_ctx = s;
    (void)snprintf(why, 256, "the state thread cannot be set up");
    int err = cor_recent_new(opts->remember, &s->out.recent);
    err = err != HD_OK ? err : cor_memory_init(&memory, s->rules->set, &s->memory);
    err = err != HD_OK ? err
                       : cor_evidence_new(
                             &(struct cor_evidence_opts){EVIDENCE_EVENTS, EVIDENCE_BYTES},
                             &s->evidence);
    err = err != HD_OK ? err : hd_ring_new(ENRICH_RING, &s->enrich_ring);
    err = err != HD_OK ? err : hd_ring_new(NOTICES_RING, &s->notices);
    err = err != HD_OK ? err : cor_publish_open(&opts->alerts, &s->out.publish, why);
    if (err != HD_OK) {
        return err;
    }
    err = cor_publish_tail(s->out.publish, opts->remember, seed, s);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "the alert journal in %s cannot be read: %s",
                       opts->alerts.dir, hd_err_text(err));
    }
    return err;
}

static int make_loop(struct cor_state *s, const struct cor_state_opts *opts)
{
    int status = uv_loop_init(&s->loop);
    if (status != 0) {
        return hd_err_from_uv(status);
    }
    status = uv_async_init(&s->loop, &s->wake_async, on_wake);
    if (status != 0) {
        (void)uv_loop_close(&s->loop);
        return hd_err_from_uv(status);
    }
    s->has_loop = true;
    hd_owner_init(&s->owner, NULL, NULL); /* whoever joins the thread frees */
    hd_owner_add(&s->owner, (uv_handle_t *)&s->wake_async);
    (void)uv_timer_init(&s->loop, &s->retry);
    hd_owner_add(&s->owner, (uv_handle_t *)&s->retry);
    (void)uv_timer_init(&s->loop, &s->save_timer);
    hd_owner_add(&s->owner, (uv_handle_t *)&s->save_timer);
    int err = HD_OK;
    if (opts->snapshot != NULL) {
        uint64_t every_ms = (uint64_t)(opts->snapshot_ns / HD_NS_PER_MS);
        err = cor_saver_new(&s->loop, opts->snapshot, on_saved, s, &s->saver);
        (void)uv_timer_start(&s->save_timer, on_save_timer, every_ms, every_ms);
    }
    if (err == HD_OK && s->losses != NULL) {
        err = hd_ring_attach(cor_losses_ring(s->losses), &s->loop, on_losses, s);
    }
    err = err != HD_OK ? err : hd_ring_attach(s->notices, &s->loop, on_notices, s);
    return err != HD_OK ? err : hd_ring_attach(s->enrich_ring, &s->loop, on_enrich, s);
}

int cor_state_new(const struct cor_state_opts *opts, struct cor_rules *rules,
                  struct cor_enrich *enrich, struct cor_state **out, char why[256])
{
    struct cor_state *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        (void)snprintf(why, 256, "out of memory");
        return HD_ENOMEM;
    }
    s->rules = cor_rules_ref(rules);
    s->noise = opts->noise;
    s->losses = opts->losses;
    cor_outlet_init(&s->out, enrich, wait_for_memory, s);
    int err = make_parts(s, opts, why);
    if (err == HD_OK) {
        err = make_loop(s, opts);
    }
    if (err != HD_OK) {
        cor_state_free(s);
        return err;
    }
    *out = s;
    return HD_OK;
}

int cor_state_add_detector(struct cor_state *s, struct cor_detector *d)
{
    if (s->n_feeds == COR_DETECTORS_MAX) {
        return HD_ELIMIT;
    }
    struct feed *f = &s->feeds[s->n_feeds];
    *f = (struct feed){.state = s, .detector = d, .hits = cor_detector_hits(d)};
    int err = hd_ring_attach(f->hits, &s->loop, on_hits, f);
    if (err == HD_OK) {
        f->is_attached = true;
        s->n_feeds++;
    }
    return err;
}

static void close_all(struct cor_state *s)
{
    hd_ring_detach(s->enrich_ring, NULL, NULL);
    if (s->losses != NULL) {
        hd_ring_detach(cor_losses_ring(s->losses), NULL, NULL);
    }
    hd_ring_detach(s->notices, NULL, NULL);
    hd_owner_close(&s->owner, (uv_handle_t *)&s->retry);
    hd_owner_close(&s->owner, (uv_handle_t *)&s->save_timer);
    hd_owner_close(&s->owner, (uv_handle_t *)&s->wake_async);
}

static void thread_main(void *arg)
{
    struct cor_state *s = arg;
    (void)pthread_setname_np(pthread_self(), "state");
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
}

int cor_state_run(struct cor_state *s)
{
    int status = uv_thread_create(&s->thread, thread_main, s);
    s->has_thread = status == 0;
    return hd_err_from_uv(status);
}

int cor_state_use(struct cor_state *s, struct cor_enrich *enrich)
{
    int err = hd_ring_push(s->enrich_ring, cor_enrich_ref(enrich));
    if (err != HD_OK) {
        cor_enrich_unref(enrich);
    }
    return err;
}

int cor_state_tell(struct cor_state *s, struct cor_notice *notice)
{
    return hd_ring_push(s->notices, notice);
}

bool cor_state_has_told(const struct cor_state *s)
{
    return hd_ring_depth(s->notices) == 0 && cor_state_trouble(s) == HD_OK;
}

void cor_state_stop(struct cor_state *s)
{
    atomic_store(&s->is_stopping, true);
    (void)uv_async_send(&s->wake_async);
}

int cor_state_trouble(const struct cor_state *s)
{
    return atomic_load(&s->trouble);
}

static void drop_enrich(void *item)
{
    cor_enrich_unref(item);
}

/* A loop that was set up and never ran still has handles to close. */
static void close_loop(struct cor_state *s)
{
    if (!s->has_loop) {
        return;
    }
    if (!s->has_thread) {
        for (unsigned i = 0; i < s->n_feeds; i++) {
            hd_ring_detach(s->feeds[i].hits, NULL, NULL);
        }
        close_all(s);
        (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    }
    (void)uv_loop_close(&s->loop);
}

static void wait_for_end(struct cor_state *s)
{
    if (s->has_thread && !s->is_joined) {
        (void)uv_thread_join(&s->thread);
        s->is_joined = true;
    }
}

bool cor_state_join(struct cor_state *s)
{
    wait_for_end(s);
    return hd_ring_depth(s->notices) == 0 && cor_publish_queued(s->out.publish) == 0;
}

void cor_state_free(struct cor_state *s)
{
    if (s == NULL) {
        return;
    }
    wait_for_end(s);
    close_loop(s);
    hd_ring_free(s->enrich_ring, drop_enrich);
    hd_ring_free(s->notices, cor_notice_free);
    cor_saver_free(s->saver);
    cor_memory_fini(&s->memory);
    cor_evidence_free(s->evidence);
    cor_outlet_fini(&s->out);
    cor_rules_unref(s->rules);
    free(s);
}
