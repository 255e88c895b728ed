/* SPDX-License-Identifier: Apache-2.0
 *
 * The inventory of sources, which builds itself: what each (agent, host, kind, name) has
 * sent, how often it usually does, how far its clock is off. Bounded: a source that is
 * new goes before one whose habits are known, of both the one unheard for longest, so
 * that a flood of made-up hosts does not push out what is watched. Loop thread; pure:
 * times come from the caller.
 *
 * Silence is measured by the monotonic clock, from the start of the process at the
 * earliest; what people see is wall-clock time.
 */
#pragma once
#include <sys/queue.h>

#include <haidang/buf.h>
#include <haidang/index.h>
#include <haidang/slice.h>

#include "correlator/sources/tally.h"

#define COR_SOURCE_SAMPLES 9U /* of the clock's difference, a minute apart */
#define COR_SOURCE_HOURS   24U
#define COR_SOURCE_PEER    64U
#define COR_SOURCE_BOOT    33U

struct cor_times {
    int64_t wall_ns, mono_ns;
};

struct cor_sources_opts {
    uint32_t max;     /* sources that are remembered */
    int64_t floor_ns; /* shorter silences are never told */
    int64_t factor;   /* silence is so many times the longest usual pause */
    int64_t learn_ns; /* a source is not judged before it is known for so long */
    int64_t slow; /* slow is so many times less than the least of that hour; 0 = off */
    int64_t drift_ns;     /* 0 = clocks are not judged */
    int64_t unwatched_ns; /* a system without a live source for so long; 0 = off */
};

struct cor_source_agent {
    char *name;
    uint32_t at, sources;
    int64_t alive_ns;      /* monotonic; connected then, or the start */
    int64_t difference_ns; /* its clock less ours */
    char boot[COR_SOURCE_BOOT];
    uint64_t last_seq;
    int64_t last_ns; /* wall: its last batch */
    bool is_connected, is_lost, is_drifting;
};

struct cor_source {
    TAILQ_ENTRY(cor_source) use;
    uint32_t at;
    struct cor_source_agent *agent;
    struct hd_slice key; /* all four, NUL between: views of text, as the next are */
    struct hd_slice host, kind, name;
    char peer[COR_SOURCE_PEER], boot[COR_SOURCE_BOOT];
    uint64_t last_seq; /* with boot: its last line in the archive; counted up to there */
    int64_t first_ns, last_ns; /* wall, when the correlator took it */
    uint64_t lines, bytes, day_lines;
    int64_t day;
    int64_t heard_ns; /* monotonic */
    int64_t pause_ns; /* the longest usual one */
    uint32_t pauses;  /* that were learned from */
    bool is_known;    /* enough of them */
    int64_t hour;     /* since 1970 */
    bool is_whole;    /* we were there for all of that hour, and its agent too */
    uint64_t hour_lines;
    double usual;                    /* lines an hour */
    double least[COR_SOURCE_HOURS];  /* of the hours of a day (UTC), slowly forgotten */
    uint8_t hours[COR_SOURCE_HOURS]; /* that were learned from */
    int64_t samples[COR_SOURCE_SAMPLES], sampled_ns; /* wall */
    unsigned n_samples;
    int64_t difference_ns, worst_ns; /* median of the samples, the largest there was */
    bool is_silent, is_slow, is_drifting;
    bool is_back; /* it was silent or slow, and that it no more is has to be told */
    uint8_t text[];
};

TAILQ_HEAD(cor_source_list, cor_source);

struct cor_sources {
    struct cor_sources_opts opts;
    int64_t started_ns; /* monotonic */
    int64_t zone_s;     /* east of UTC: where a day begins */
    struct hd_index index, agent_index;
    struct cor_source **rows;
    struct cor_source_agent **agents;
    uint32_t n, n_agents;
    struct cor_source_list fresh, known; /* the one unheard for longest first */
    struct hd_buf key;                   /* scratch */
};

int cor_sources_init(struct cor_sources *t, const struct cor_sources_opts *opts,
                     const struct cor_times *now) HD_MUST_USE;
void cor_sources_fini(struct cor_sources *t);

/* A batch was examined. HD_ENOMEM: some of it was not noted. */
int cor_sources_note(struct cor_sources *t, const struct cor_seen *seen,
                     const struct cor_times *now) HD_MUST_USE;
/* No agent is, until it is said that it is. */
void cor_sources_disconnected(struct cor_sources *t);
/* An agent is connected; difference_ns: its clock less ours. Unknown ones are ignored. */
void cor_sources_connected(struct cor_sources *t, struct hd_slice agent,
                           int64_t difference_ns, const struct cor_times *now);
struct cor_source_agent *cor_sources_agent(const struct cor_sources *t,
                                           struct hd_slice name);
/* A silence longer than this is none of the source's usual ones. */
int64_t cor_source_limit_ns(const struct cor_sources *t, const struct cor_source *s);
/* Finds or adds. */
int cor_sources_get(struct cor_sources *t, struct hd_slice agent,
                    const struct cor_seen_source *seen, const struct cor_times *now,
                    struct cor_source **out) HD_MUST_USE;
/* Enough is known of it now: it moves to those that are kept for longer. */
void cor_sources_promote(struct cor_sources *t, struct cor_source *s);

/* ---- surviving a restart (store.c; docs/formats/archive.md) ---- */

int cor_sources_save(const struct cor_sources *t, struct hd_buf *out) HD_MUST_USE;
/* Into an empty table. HD_EPARSE, HD_EVERSION: *why says what is wrong; it may then hold
 * a part. */
int cor_sources_restore(struct cor_sources *t, struct hd_slice text,
                        const struct cor_times *now, const char **why) HD_MUST_USE;
