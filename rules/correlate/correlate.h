/* SPDX-License-Identifier: Apache-2.0
 *
 * Correlation rules over the hits of detection rules, and over each other's detections:
 * counts, sums and sequences with group-by and timespan (docs/correlation.md). Sliding
 * window (t-T, t] over event time; fires once, re-arms when the condition has become
 * false or T has passed. All state is bounded; evictions are counted. One thread.
 */
#pragma once
#include <haidang/buf.h>

#include "rules/set.h"

struct rul_correlator;

/* What became of the state of a correlation whose meaning has changed. */
enum rul_heir {
    RUL_HEIR_KEPT, /* as far as it goes, see docs/correlation.md */
    RUL_HEIR_TYPE, /* else it begins anew, because of: */
    RUL_HEIR_WINDOW,
    RUL_HEIR_GROUP,
    RUL_HEIR_COUNTED,
    RUL_HEIR_CONDITION,
    RUL_HEIR_TIMESPAN,
    RUL_HEIR_GONE
};
#define RUL_HEIRS (RUL_HEIR_GONE + 1)
const char *rul_heir_text(enum rul_heir heir); /* for people */
const char *rul_heir_key(enum rul_heir heir);  /* for programs */

/* The correlations of `was` that have changed, or are gone, in `is`: what becomes of
 * their groups when the one set is loaded after the other. */
void rul_set_each_heir(const struct rul_set *was, const struct rul_set *is,
                       void (*each)(void *ctx, const struct rul_rule *rule,
                                    enum rul_heir heir),
                       void *ctx);

struct rul_heritage {
    struct hd_slice id; /* of the rule */
    uint32_t groups;    /* that it had */
    enum rul_heir heir;
};

struct rul_correlator_opts {
    size_t memory_max;   /* bytes of group state; 0 = 64 MiB */
    size_t rule_max;     /* of them for one rule; 0 = a quarter */
    int64_t lateness_ns; /* hits older than the watermark by more are counted and left
                            out; 0 = 30 s */
    /* Time moves, and windows are tested, when rul_correlator_advance and _close are
     * called, not with every hit: then no correlation depends on what other rules hit. */
    bool is_driven;
    /* Told by rul_correlator_use and _load of each changed correlation that had groups.
     * NULL: nobody asks. */
    void (*on_heir)(void *ctx, const struct rul_heritage *heritage);
    void *heir_ctx;
    /* Memory is short: true when it is worth trying again. NULL: it never is. */
    bool (*on_short)(void *ctx);
    void *short_ctx;
};

struct rul_detection {
    const struct rul_rule *rule;
    int64_t first_ns, last_ns; /* event times of the first and last contributing event */
    int64_t end_ns;      /* the time of the event that it is to other correlations */
    uint64_t count;      /* events, or distinct values, in the window; a window that
                            fires while counting up counts no further than needed */
    uint64_t suppressed; /* events since it fired last, while the condition held on */
    bool is_ambiguous; /* in order only if events of one time and different agents are */
    size_t n_group;
    struct rul_group_value {
        const char *field;     /* as written in group-by */
        struct hd_slice value; /* ptr NULL: events without the field, see null_group */
    } group[8];
    struct hd_slice first_position; /* `position` of the first contributing hit */
    struct hd_slice last_position;  /* and of the event that is shown */
};
/* Was a hit of `rule` at this event one of those that the detection counted? By time and
 * group: group values of a detection are canonical, an event's are as written, and an
 * alias may name them. The set is the one in use. */
bool rul_detection_covers(const struct rul_set *set,
                          const struct rul_detection *detection,
                          const struct rul_rule *rule, const struct rul_event_copy *ev);

/* Is the lower one of those that the upper one counted? */
bool rul_detection_counts(const struct rul_set *set, const struct rul_detection *upper,
                          const struct rul_detection *lower);
/* Does the correlation count others' detections at all? */
bool rul_counts_detections(const struct rul_set *set, const struct rul_rule *rule);

/* Valid during the call. `last` is the newest event: the one at hand, or for conditions
 * that are tested when a window ends a copy of one that came before. */
typedef void (*rul_on_detection)(void *ctx, const struct rul_detection *detection,
                                 const struct rul_event_copy *last);

int rul_correlator_new(const struct rul_correlator_opts *opts,
                       struct rul_correlator **out) HD_MUST_USE;
void rul_correlator_free(struct rul_correlator *c);

/* Uses this set from now on (takes a reference). State of correlation rules whose hash is
 * unchanged is kept; where the meaning has changed, as far as it allows. After an error
 * the set before is in use. */
int rul_correlator_use(struct rul_correlator *c, struct rul_set *set) HD_MUST_USE;

/* Numbers the event's fields as another set does. */
void rul_event_move(struct rul_event_copy *ev, const struct rul_set *from,
                    const struct rul_set *to);

/* One hit of a detection rule of the set in use (HD_EINVAL otherwise, and for event times
 * before 1970 or after 2116). `position`
 * identifies the event ("agent/boot/seq"); hits of one event come one after another.
 * Unless it is driven, time moves to the event and what ends by that fires. */
int rul_correlate(struct rul_correlator *c, const struct rul_rule *rule,
                  const struct rul_event_copy *ev, struct hd_slice position,
                  rul_on_detection fire, void *ctx) HD_MUST_USE;

/* The largest event time seen so far over all detectors: time goes on without hits. */
void rul_correlator_advance(struct rul_correlator *c, int64_t watermark_ns);
/* Tests the windows that have ended (conditions with lt, lte, eq, neq). Call it after
 * advancing. */
void rul_correlator_close(struct rul_correlator *c, rul_on_detection fire, void *ctx);

struct rul_correlator_stats {
    uint64_t groups, bytes; /* now */
    uint64_t evicted;       /* groups that went for lack of memory */
    uint64_t late;          /* hits behind the watermark by more than the lateness */
    uint64_t no_group;      /* hits without a group-by or counted field */
    uint64_t no_number;     /* hits whose field to be summed is no number */
    uint64_t capped;        /* events that a limit kept from being counted exactly */
    uint64_t lost;          /* detections others were not told of: memory was short */
    uint64_t forgotten;     /* correlations that lost their state: rules have changed */
    uint64_t kept;          /* that kept it, although they have changed */
    uint64_t fired;
};
void rul_correlator_stats(const struct rul_correlator *c,
                          struct rul_correlator_stats *out);
/* `late`, `evicted` alone: cheap enough to ask after each hit. */
uint64_t rul_correlator_late(const struct rul_correlator *c);
uint64_t rul_correlator_evicted(const struct rul_correlator *c);
/* Correlations that lost groups for lack of memory since this was asked last. */
typedef void (*rul_on_evicted)(void *ctx, const struct rul_rule *rule, uint64_t groups);
void rul_correlator_each_evicted(struct rul_correlator *c, rul_on_evicted each,
                                 void *ctx);

/* ---- state that outlives the process ---- */

/* Appends it. Not between the hits of one event. */
int rul_correlator_save(const struct rul_correlator *c, struct hd_buf *out) HD_MUST_USE;
/* Of the rules of the set in use, which must have been set, as rul_correlator_use keeps
 * it; the state before is forgotten. HD_ECORRUPT, HD_ENOMEM leave it empty, HD_EVERSION
 * (written by a later version) as it was. */
int rul_correlator_load(struct rul_correlator *c, struct hd_slice saved) HD_MUST_USE;
