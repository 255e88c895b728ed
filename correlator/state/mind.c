/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/state/mind.h"

#include <stdio.h>

#include <haidang/clock.h>
#include <haidang/log.h>

#include "correlator/metrics.h"
#include "correlator/sources/notice.h"
#include "correlator/state/state.h"

#define HOUR_NS         (3600 * HD_NS_PER_SEC)
#define EVIDENCE_EVENTS 8192U
#define EVIDENCE_BYTES  ((size_t)16 << 20)

static bool wait_for_memory(struct cor_mind *m)
{
    return m->out.wait_for_memory(m->out.ctx);
}

/* ---- alerts ---- */

/* Of a rule of the set in force. */
static struct cor_rule_counts *counts_of(const struct cor_mind *m,
                                         const struct rul_rule *rule)
{
    return m->rules->counts[rule->index];
}

/* The events behind the alert, as far as they are still here. */
static void add_evidence(struct cor_mind *m, struct cor_alert_input *in,
                         const struct cor_event *lines[HD_ALERT_EVIDENCE_MAX])
{
    size_t n = in->detection == NULL
                   ? 0
                   : cor_evidence_find(m->evidence, m->rules->set, in->detection, lines);
    if (n == 0) {
        lines[0] = m->event;
        n = 1;
    }
    in->evidence = lines;
    in->n_evidence = n;
}

/* A rule has fired, by an event received then: is it news? */
static void consider(struct cor_mind *m, const struct rul_rule *rule,
                     const struct rul_detection *detection, int64_t recv_ns)
{
    const struct cor_event *lines[HD_ALERT_EVIDENCE_MAX];
    char id[37];
    struct cor_alert_input in = {
        .id = id, .rule = rule, .event = m->event, .detection = detection};
    int64_t time = detection == NULL ? m->event->copy->time_ns : detection->last_ns;
    uint64_t key = cor_alert_key_of_input(m->memory.suppress, &in);
    cor_noise_hit(&m->noise, rule, counts_of(m, rule), recv_ns, m->taken_ns);
    /* Most of a flood ends here, before anything dear. */
    if (rul_suppress_repeat(m->memory.suppress, key, rule->severity, time)) {
        cor_noise_repeat(counts_of(m, rule));
        return;
    }
    if (!cor_outlet_identify(&m->out, &in, id)) {
        return;
    }
    if (cor_noise_holds(&m->noise, counts_of(m, rule))) {
        return;
    }
    /* Before the look at ids: a replay has to leave the tables as they were left. */
    if (!rul_suppress_pass(m->memory.suppress, key, rule->severity, time, &in.repeats)) {
        cor_noise_repeat(counts_of(m, rule));
        return;
    }
    in.throttled = cor_noise_pass(counts_of(m, rule));
    if (cor_outlet_is_known(&m->out, id)) {
        COR_COUNT(COR_M_REPLAYED, 1);
        return;
    }
    cor_rule_add(&counts_of(m, rule)->alerts, 1);
    add_evidence(m, &in, lines);
    cor_outlet_publish(&m->out, &in);
}

static const struct cor_event *newest_of(struct cor_mind *m,
                                         const struct rul_detection *detection)
{
    const struct cor_event *lines[HD_ALERT_EVIDENCE_MAX];
    size_t n = cor_evidence_find(m->evidence, m->rules->set, detection, lines);
    return n == 0 ? NULL : lines[n - 1];
}

static struct cor_event *rebuild(struct cor_mind *m,
                                 const struct rul_detection *detection,
                                 const struct rul_event_copy *last)
{
    struct cor_event *event = NULL;
    int err = cor_event_rebuild(detection->last_position, last, &event);
    while (err == HD_ENOMEM && wait_for_memory(m)) {
        err = cor_event_rebuild(detection->last_position, last, &event);
    }
    return event;
}

static void on_detection(void *ctx, const struct rul_detection *detection,
                         const struct rul_event_copy *last)
{
    struct cor_mind *m = ctx;
    const struct cor_event *at_hand = m->event;
    struct cor_event *rebuilt = NULL;
    if (detection->rule->feeds) {
        cor_evidence_tell(m->evidence, detection);
    }
    if (m->is_warm_up || !detection->rule->alerts) {
        return;
    }
    cor_rule_add(&counts_of(m, detection->rule)->hits, 1);
    if (at_hand == NULL || at_hand->copy != last) {
        m->event = newest_of(m, detection); /* a window has ended */
    }
    if (m->event == NULL) { /* a window may have been open for days */
        m->event = rebuilt = rebuild(m, detection, last);
    }
    if (m->event != NULL) {
        consider(m, detection->rule, detection, last->recv_ns);
    } else {
        COR_COUNT(COR_M_INVALID, 1);
        HD_LOG(WARN, "state", "a detection was lost: none of its events is kept",
               HD_KV_STR("rule", detection->rule->id));
    }
    cor_event_unref(rebuilt);
    m->event = at_hand;
}

/* ---- groups that went ---- */

/* Once a rule and hour. The hour is in the id, so that a replay tells nothing twice. */
static void on_evicted(void *ctx, const struct rul_rule *rule, uint64_t groups)
{
    struct cor_mind *m = ctx;
    struct cor_notice *notice = NULL;
    int64_t hour = m->taken_ns / HOUR_NS;
    if (counts_of(m, rule)->starved_hour == hour) {
        return;
    }
    HD_LOG(WARN, "state", "a correlation loses groups: it needs more memory",
           HD_KV_STR("rule", rule->id), HD_KV_UINT("groups", groups));
    const struct cor_notice_facts facts = {.kind = COR_NOTICE_STARVED,
                                           .source_kind = HD_SLICE("correlation"),
                                           .source_name = hd_slice_str(rule->title),
                                           .seq = (uint64_t)hour,
                                           .last_ns = m->taken_ns,
                                           .now_ns = m->taken_ns,
                                           .measure = hd_slice_str(rule->id),
                                           .measure_name = "rule.id"};
    if (cor_notice_new(&facts, &notice) == HD_OK) {
        counts_of(m, rule)->starved_hour = hour;
        cor_outlet_tell(&m->out, notice);
        cor_notice_free(notice);
    }
}

static void tell_evicted(struct cor_mind *m)
{
    uint64_t evicted = rul_correlator_evicted(m->memory.correlator);
    if (evicted != m->evicted && !m->is_warm_up) {
        m->evicted = evicted;
        rul_correlator_each_evicted(m->memory.correlator, on_evicted, m);
    }
}

/* ---- hits ---- */

static void correlate(struct cor_mind *m, const struct rul_rule *rule,
                      struct cor_event *event)
{
    uint64_t late = rul_correlator_late(m->memory.correlator);
    int err = rul_correlate(m->memory.correlator, rule, event->copy, event->position,
                            on_detection, m);
    late = rul_correlator_late(m->memory.correlator) - late;
    cor_losses_note(m->losses, HD_LOSS_LATE, event->agent, m->is_warm_up ? 0 : late);
    if (err != HD_OK) {
        HD_LOG(ERROR, "state", "a hit was not correlated", HD_KV_STR("rule", rule->id),
               HD_KV_ERR(err));
    }
}

/* A hit by what the rule has meant before can raise an alert, but is not correlated. */
static void take_hit(struct cor_mind *m, const struct rul_rule *rule,
                     struct cor_event *event, bool is_meant)
{
    m->event = event;
    if (rule->feeds && is_meant) {
        cor_evidence_keep(m->evidence, rule, event);
    }
    /* What is remembered of the process before covers all that a warm-up reads. */
    if (rule->feeds && is_meant && !(m->is_warm_up && m->memory.is_resumed)) {
        correlate(m, rule, event);
    }
    if (rule->alerts && !m->is_warm_up) {
        consider(m, rule, NULL, event->copy->recv_ns);
    }
}

/* It stays so until another set comes: trying again with each message would cost as much
 * and fail alike. */
static void refuse_set(struct cor_mind *m, const struct cor_hits *hits, int err)
{
    m->refused = hits->generation;
    COR_GAUGE(COR_M_RULES_REFUSED, err != HD_ENOMEM); /* that: this process is to end */
    HD_LOG(ERROR, "state",
           "correlation rules could not be taken up; the old ones stay until the next "
           "reload",
           HD_KV_ERR(err));
}

static void take_up_set(struct cor_mind *m, const struct cor_hits *hits)
{
    int64_t began_ns = hd_clock_mono_ns();
    int err = cor_memory_use(&m->memory, hits->rules);
    while (err == HD_ENOMEM && wait_for_memory(m)) {
        err = cor_memory_use(&m->memory, hits->rules);
    }
    if (err != HD_OK) {
        refuse_set(m, hits, err);
        return;
    }
    COR_GAUGE(COR_M_RULES_REFUSED, 0);
    cor_evidence_move(m->evidence, m->rules->set, hits->rules->set);
    cor_canaries_end_runs(m->canaries);
    cor_rules_unref(m->rules);
    m->rules = cor_rules_ref(hits->rules);
    m->generation = hits->generation;
    cor_metric_pause(hd_clock_mono_ns() - began_ns);
}

/* The same rule in the set in force. A detector may still be at the set before, or the
 * new set may not have been taken up. NULL: it is no more. */
static const struct rul_rule *rule_now(const struct cor_mind *m,
                                       const struct cor_hits *hits,
                                       const struct rul_rule *rule)
{
    return hits->rules == m->rules ? rule
                                   : rul_set_find(m->rules->set, hd_slice_str(rule->id));
}

static void take_one(struct cor_mind *m, const struct cor_hits *hits,
                     const struct cor_hit *hit)
{
    bool is_of_set = hits->rules == m->rules;
    if (hit->rule == NULL) {
        cor_canaries_take(m->canaries, m->rules, hit->event, is_of_set);
        return;
    }
    if (!is_of_set && hit->event != m->moved) {
        rul_event_move(hit->event->copy, hits->rules->set, m->rules->set);
        m->moved = hit->event;
    }
    const struct rul_rule *rule = rule_now(m, hits, hit->rule);
    if (rule != NULL) {
        take_hit(m, rule, hit->event, rule->hash == hit->rule->hash);
    }
}

void cor_mind_take(struct cor_mind *m, const struct cor_hits *hits)
{
    cor_losses_add_all(m->losses, hits->losses, m->out.wait_for_memory, m->out.ctx);
    if (hits->rules != m->rules && hits->generation > m->generation &&
        hits->generation > m->refused) {
        take_up_set(m, hits);
    }
    m->is_warm_up = hits->is_warm_up;
    m->taken_ns = hits->taken_ns;
    for (uint32_t i = 0; i < hits->n; i++) {
        take_one(m, hits, &hits->hits[i]);
    }
    m->event = m->moved = NULL;
    tell_evicted(m);
}

bool cor_mind_moves_time(const struct cor_hits *hits)
{
    return hits->watermark_ns != 0 && (hits->has_cursor || hits->is_warm_up);
}

bool cor_mind_wants_snapshot(const struct cor_mind *m)
{
    return m->out.since_kept > m->remember / 4;
}

void cor_mind_kept(struct cor_mind *m)
{
    m->out.since_kept = 0;
}

struct cor_remembered cor_mind_remembered(const struct cor_mind *m)
{
    return (struct cor_remembered){m->memory.suppress, m->memory.correlator, m->rules};
}

void cor_mind_advance(struct cor_mind *m, int64_t watermark_ns)
{
    if (m->is_warm_up && m->memory.is_resumed) {
        return; /* what ends in it was told by the process before */
    }
    rul_correlator_advance(m->memory.correlator, watermark_ns);
    rul_correlator_close(m->memory.correlator, on_detection, m);
}

/* ---- start and end ---- */

static void seed(void *ctx, const json_t *alert)
{
    struct cor_mind *m = ctx;
    int64_t time = 0;
    if (cor_recent_add(m->out.recent, hd_alert_text(alert, "id")) != HD_OK ||
        hd_alert_time(alert, "time.last", &time) != HD_OK) {
        return;
    }
    if (hd_alert_is_test(alert)) {
        cor_canaries_seed(m->canaries, alert);
        return; /* it takes no real alert's place */
    }
    if (m->memory.is_resumed) {
        return;
    }
    rul_suppress_seed(m->memory.suppress,
                      cor_alert_key_of_json(m->memory.suppress, alert), time);
}

static int make_memory(struct cor_mind *m, const struct cor_state_opts *opts)
{
    struct cor_memory_opts memory = {.suppress = opts->suppress,
                                     .correlate = opts->correlate,
                                     .snapshot = opts->snapshot,
                                     .archive_dir = opts->archive_dir,
                                     .detectors = opts->detectors};
    const struct cor_evidence_opts evidence = {EVIDENCE_EVENTS, EVIDENCE_BYTES};
    memory.correlate.is_driven = true;
    memory.correlate.on_short = m->out.wait_for_memory;
    memory.correlate.short_ctx = m->out.ctx;
    int err = cor_recent_new(opts->remember, &m->out.recent);
    err = err != HD_OK ? err : cor_memory_init(&memory, m->rules, &m->memory);
    err = err != HD_OK ? err : cor_evidence_new(&evidence, &m->evidence);
    return err != HD_OK
               ? err
               : cor_canaries_new(opts->canaries, m->rules, &m->out, &m->canaries);
}

int cor_mind_init(struct cor_mind *m, const struct cor_state_opts *opts,
                  const struct cor_mind_needs *needs, char why[256])
{
    *m = (struct cor_mind){.rules = cor_rules_ref(needs->rules),
                           .noise = opts->noise,
                           .remember = opts->remember,
                           .losses = opts->losses};
    cor_outlet_init(&m->out, needs->enrich, needs->wait_for_memory, needs->ctx);
    (void)snprintf(why, 256, "the state thread cannot be set up");
    int err = make_memory(m, opts);
    err = err != HD_OK ? err : cor_publish_open(&opts->alerts, &m->out.publish, why);
    if (err != HD_OK) {
        return err;
    }
    err = cor_publish_tail(m->out.publish, opts->remember, seed, m);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "the alert journal in %s cannot be read: %s",
                       opts->alerts.dir, hd_err_text(err));
    }
    return err;
}

void cor_mind_fini(struct cor_mind *m)
{
    cor_memory_fini(&m->memory);
    cor_evidence_free(m->evidence);
    cor_canaries_free(m->canaries);
    cor_outlet_fini(&m->out);
    cor_rules_unref(m->rules);
}
