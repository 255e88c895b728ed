/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/sources/judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/clock.h>

#define HOUR_NS       (3600 * HD_NS_PER_SEC)
#define DAYS_KNOWN    8U         /* of an hour of the day: a week-end among them */
#define LEAST_SHARE   (1.0 / 16) /* so much nearer comes what was forgotten, a day */
#define USUAL_SHARE   (1.0 / 24)
#define LEVEL_WATCHED 3U
#define MEASURE_MAX   96

static bool tell(struct cor_judge *j, const struct cor_notice_facts *facts)
{
    if (j->tell == NULL) {
        return true; /* what is so is remembered and shown, not told */
    }
    if (j->told == COR_JUDGE_TOLD_MAX || !j->tell(j->ctx, facts)) {
        return false;
    }
    j->told++;
    return true;
}

static const struct hd_system *system_of(const struct cor_judge *j,
                                         const struct cor_source *s)
{
    struct hd_ip ip;
    bool has_ip = hd_ip_parse(hd_slice_str(s->peer), &ip) == HD_OK;
    return cor_enrich_system(j->enrich,
                             &(struct cor_subject){.host = s->host,
                                                   .agent = hd_slice_str(s->agent->name),
                                                   .destination = has_ip ? &ip : NULL});
}

/* ---- one source ---- */

static bool tell_source(struct cor_judge *j, const struct cor_source *s,
                        enum cor_notice_kind kind, const char *measure,
                        const struct cor_times *now)
{
    const struct hd_system *system = system_of(j, s);
    return tell(j,
                &(struct cor_notice_facts){.kind = kind,
                                           .agent = hd_slice_str(s->agent->name),
                                           .boot = hd_slice_str(s->boot),
                                           .host = s->host,
                                           .source_kind = s->kind,
                                           .source_name = s->name,
                                           .peer = hd_slice_str(s->peer),
                                           .seq = s->last_seq,
                                           .last_ns = s->last_ns,
                                           .now_ns = now->wall_ns,
                                           .measure = hd_slice_str(measure),
                                           .measure_name = "measured",
                                           .level = system == NULL ? 0 : system->level});
}

static void learn_hour(struct cor_source *s, unsigned hour, bool is_slow)
{
    double lines = (double)s->hour_lines;
    double *least = &s->least[hour];
    s->usual +=
        s->hours[hour] == 0 && s->usual == 0 ? lines : (lines - s->usual) * USUAL_SHARE;
    if (is_slow) {
        *least /= 2; /* what goes on becomes the usual in some days */
    } else if (s->hours[hour] == 0 || lines < *least) {
        *least = lines;
    } else {
        *least += (lines - *least) * LEAST_SHARE;
    }
    if (s->hours[hour] < UINT8_MAX) {
        s->hours[hour]++;
    }
}

/* An hour is over in which we saw all there was. */
static void judge_hour(struct cor_judge *j, struct cor_source *s,
                       const struct cor_times *now)
{
    char measure[MEASURE_MAX];
    const struct cor_sources_opts *opts = &j->sources->opts;
    unsigned hour = (unsigned)(s->hour % COR_SOURCE_HOURS);
    bool is_slow = opts->slow > 0 && s->hours[hour] >= DAYS_KNOWN &&
                   (double)s->hour_lines * (double)opts->slow < s->least[hour];
    if (is_slow && !s->is_slow && s->hour_lines > 0) {
        (void)snprintf(measure, sizeof(measure),
                       "%" PRIu64 " lines in the hour, usually at least %.0f",
                       s->hour_lines, s->least[hour]);
        s->is_slow = tell_source(j, s, COR_NOTICE_SLOWED, measure, now);
    } else if (!is_slow && s->is_slow) {
        s->is_slow = false;
        s->is_back = true;
    }
    learn_hour(s, hour, is_slow);
}

static void judge_rate(struct cor_judge *j, struct cor_source *s,
                       const struct cor_times *now)
{
    int64_t hour = now->wall_ns / HOUR_NS;
    if (hour == s->hour) {
        return;
    }
    bool follows = hour == s->hour + 1;
    if (follows && s->is_whole && !s->is_silent) {
        judge_hour(j, s, now);
    }
    s->hour = hour;
    s->hour_lines = 0;
    s->is_whole = follows;
}

static void judge_silence(struct cor_judge *j, struct cor_source *s,
                          const struct cor_times *now)
{
    char measure[MEASURE_MAX];
    int64_t limit_ns = cor_source_limit_ns(j->sources, s);
    int64_t silent_ns = now->mono_ns - s->heard_ns;
    if (s->is_back) {
        s->is_back = !tell_source(j, s, COR_NOTICE_RESUMED, "", now);
    } else if (s->is_known && !s->is_silent && silent_ns > limit_ns) {
        (void)snprintf(measure, sizeof(measure),
                       "usual pauses last at most %" PRId64 " s",
                       s->pause_ns / HD_NS_PER_SEC);
        s->is_silent = tell_source(j, s, COR_NOTICE_STOPPED, measure, now);
    }
}

/* Lines that are read late, such as those of an old file, differ by ever other amounts; a
 * clock that is wrong differs steadily. */
static bool is_steady(const struct cor_source *s, int64_t limit_ns)
{
    int64_t least = INT64_MAX, most = INT64_MIN;
    for (unsigned i = 0; i < s->n_samples; i++) {
        least = s->samples[i] < least ? s->samples[i] : least;
        most = s->samples[i] > most ? s->samples[i] : most;
    }
    return s->n_samples == COR_SOURCE_SAMPLES && most - least <= limit_ns;
}

static void judge_clock(struct cor_judge *j, struct cor_source *s,
                        const struct cor_times *now)
{
    char measure[MEASURE_MAX];
    int64_t limit_ns = j->sources->opts.drift_ns;
    if (limit_ns == 0 || !is_steady(s, limit_ns)) {
        return;
    }
    if (llabs(s->difference_ns) <= limit_ns) {
        s->is_drifting = false;
    } else if (!s->is_drifting) {
        (void)snprintf(measure, sizeof(measure), "%+" PRId64 " s",
                       s->difference_ns / HD_NS_PER_SEC);
        s->is_drifting = tell_source(j, s, COR_NOTICE_CLOCK, measure, now);
    }
}

static void judge_source(struct cor_judge *j, struct cor_source *s, bool is_behind,
                         const struct cor_times *now)
{
    if (!s->agent->is_connected) {
        /* It cannot be heard: its silence begins when it can. */
        s->heard_ns = now->mono_ns;
        s->is_whole = false;
    }
    if (is_behind) {
        s->is_whole = false;
        return;
    }
    judge_rate(j, s, now);
    judge_silence(j, s, now);
    judge_clock(j, s, now);
}

/* ---- one agent ---- */

static bool tell_agent(struct cor_judge *j, const struct cor_source_agent *a,
                       enum cor_notice_kind kind, const char *measure,
                       const struct cor_times *now)
{
    const struct hd_system *system = cor_enrich_system(
        j->enrich, &(struct cor_subject){.agent = hd_slice_str(a->name)});
    return tell(j, &(struct cor_notice_facts){
                       .kind = kind,
                       .agent = hd_slice_str(a->name),
                       .boot = hd_slice_str(a->boot),
                       .seq = a->last_seq,
                       .last_ns = a->last_ns == 0 ? now->wall_ns : a->last_ns,
                       .now_ns = now->wall_ns,
                       .measure = hd_slice_str(measure),
                       .measure_name = "measured",
                       .level = system == NULL ? 0 : system->level});
}

static void judge_agent_clock(struct cor_judge *j, struct cor_source_agent *a,
                              const struct cor_times *now)
{
    char measure[MEASURE_MAX];
    int64_t limit_ns = j->sources->opts.drift_ns;
    if (limit_ns == 0 || llabs(a->difference_ns) <= limit_ns) {
        a->is_drifting = false;
    } else if (!a->is_drifting) {
        (void)snprintf(measure, sizeof(measure), "%+" PRId64 " s",
                       a->difference_ns / HD_NS_PER_SEC);
        a->is_drifting = tell_agent(j, a, COR_NOTICE_AGENT_CLOCK, measure, now);
    }
}

static void judge_agent(struct cor_judge *j, struct cor_source_agent *a,
                        const struct cor_times *now)
{
    if (a->is_connected) {
        if (a->is_lost) {
            a->is_lost = !tell_agent(j, a, COR_NOTICE_AGENT_BACK, "", now);
        }
        judge_agent_clock(j, a, now);
    } else if (!a->is_lost && now->mono_ns - a->alive_ns > j->sources->opts.floor_ns) {
        a->is_lost = tell_agent(j, a, COR_NOTICE_AGENT_LOST, "", now);
    }
}

/* ---- systems ---- */

/* An inventory that is new: what was told is told again, to no effect while it is the
 * same (the alert has the same id). */
static bool take_up(struct cor_judge *j, struct cor_enrich *enrich)
{
    if (j->enrich == enrich) {
        return true;
    }
    cor_judge_fini(j);
    size_t n = cor_enrich_systems(enrich);
    j->enrich = cor_enrich_ref(enrich);
    j->is_told = calloc(n + 1, 1);
    j->is_live = calloc(n + 1, 1);
    if (j->is_told == NULL || j->is_live == NULL) {
        cor_judge_fini(j);
        return false;
    }
    return true;
}

void cor_judge_fini(struct cor_judge *j)
{
    cor_enrich_unref(j->enrich);
    free(j->is_told);
    free(j->is_live);
    j->enrich = NULL;
    j->is_told = j->is_live = NULL;
}

static bool is_live(const struct cor_judge *j, const struct cor_source *s,
                    const struct cor_times *now)
{
    const struct cor_sources *t = j->sources;
    int64_t limit_ns = cor_source_limit_ns(t, s);
    limit_ns = limit_ns > t->opts.unwatched_ns ? limit_ns : t->opts.unwatched_ns;
    return !s->is_silent && !s->agent->is_lost && now->mono_ns - s->heard_ns <= limit_ns;
}

/* The system's last line: until it sends again its alert is the same one. */
static const struct cor_source *last_of(const struct cor_judge *j,
                                        const struct hd_system *system)
{
    const struct cor_source *last = NULL;
    for (uint32_t i = 0; i < j->sources->n; i++) {
        const struct cor_source *s = j->sources->rows[i];
        if (system_of(j, s) == system && (last == NULL || s->last_ns > last->last_ns)) {
            last = s;
        }
    }
    return last;
}

static bool tell_system(struct cor_judge *j, const struct hd_system *system,
                        const struct cor_times *now)
{
    const struct cor_source *last = last_of(j, system);
    struct cor_notice_facts facts = {.kind = COR_NOTICE_UNWATCHED,
                                     .last_ns = now->wall_ns,
                                     .now_ns = now->wall_ns,
                                     .system = hd_slice_str(system->id),
                                     .level = system->level};
    if (last != NULL) {
        facts.agent = hd_slice_str(last->agent->name);
        facts.boot = hd_slice_str(last->boot);
        facts.seq = last->last_seq;
        facts.last_ns = last->last_ns;
    }
    return tell(j, &facts);
}

static void judge_systems(struct cor_judge *j, const struct cor_times *now)
{
    size_t n = cor_enrich_systems(j->enrich);
    for (size_t i = 0; i < n; i++) {
        j->is_live[i] = 0;
    }
    for (uint32_t i = 0; i < j->sources->n; i++) {
        const struct cor_source *s = j->sources->rows[i];
        const struct hd_system *system = is_live(j, s, now) ? system_of(j, s) : NULL;
        if (system != NULL) {
            j->is_live[cor_enrich_system_index(j->enrich, system)] = 1;
        }
    }
    for (size_t i = 0; i < n && j->told < COR_JUDGE_TOLD_MAX; i++) {
        const struct hd_system *system = cor_enrich_system_at(j->enrich, i);
        if (j->is_live[i] || system->level < LEVEL_WATCHED) {
            j->is_told[i] = 0;
        } else if (!j->is_told[i]) {
            j->is_told[i] = tell_system(j, system, now);
        }
    }
}

/* ---- all ---- */

void cor_judge_look(struct cor_judge *j, struct cor_enrich *enrich, bool is_behind,
                    const struct cor_times *now)
{
    struct cor_sources *t = j->sources;
    j->told = 0;
    if (!take_up(j, enrich)) {
        return; /* memory is short: the next look may do */
    }
    for (uint32_t i = 0; i < t->n_agents; i++) {
        judge_agent(j, t->agents[i], now);
    }
    for (uint32_t i = 0; i < t->n; i++) {
        judge_source(j, t->rows[i], is_behind, now);
    }
    if (t->opts.unwatched_ns > 0 && !is_behind &&
        now->mono_ns - t->started_ns > t->opts.unwatched_ns) {
        judge_systems(j, now);
    }
}
