/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of the correlator, shared by correlate.c (sets, memory, time), hit.c (one
 * hit in one correlation) and save.c.
 */
#pragma once
#include "rules/correlate/correlate.h"
#include "rules/correlate/groups.h"
#include "rules/correlate/positions.h"

struct rul_counted { /* one correlation that counts a rule */
    uint32_t corr;
    uint32_t ref;
};

struct rul_corr_state { /* one correlation */
    const struct rul_corr *corr;
    struct rul_groups groups;
    int64_t next_close_ns; /* no window ends before; INT64_MAX = none */
    int64_t swept_ns;      /* watermark when windows were last looked through */
    uint64_t evicted;      /* groups, since somebody asked */
    uint64_t event;        /* place of the event at hand: several rules may match it */
    uint32_t n_touched;
    uint32_t touched[RUL_REFS_MAX]; /* groups that it has been counted in */
};

/* A detection of a correlation that others count: an event with the group's values. */
struct rul_emitted {
    struct rul_emitted *next;
    const struct rul_rule *rule;
    struct rul_event_copy *ev;
    const struct rul_event_copy *shown; /* the log event that completed it */
    struct rul_event_copy *kept;        /* owned: shown, when it would not last */
    uint64_t place;                     /* of it */
};

struct rul_correlator {
    size_t memory_max, quota;
    int64_t lateness_ns;
    bool is_driven;
    void (*on_heir)(void *ctx, const struct rul_heritage *heritage);
    void *heir_ctx;
    bool (*on_short)(void *ctx);
    void *short_ctx;
    int64_t seen_ns; /* largest event time; INT64_MIN before the first */
    uint64_t seed;   /* of hashes of values: as random as the process, but kept */
    struct rul_set *set;
    struct rul_corr_state *states; /* per correlation of the set */
    uint32_t n_states;
    uint32_t *first_counted; /* per rule of the set, and one more */
    struct rul_counted *counted;
    struct rul_pool *pool;
    struct rul_positions *positions;
    size_t bytes;          /* of all groups */
    int64_t next_close_ns; /* no window of any correlation ends before */
    struct rul_emitted *emitted, **emitted_tail;
    struct hd_buf key, text;
    struct rul_correlator_stats stats;
};

/* One hit on its way through. */
struct rul_hit {
    struct rul_correlator *c;
    struct rul_corr_state *state;
    const struct rul_event_copy *ev;    /* has the fields */
    const struct rul_event_copy *shown; /* what detections are told */
    bool is_emitted;                    /* by a correlation */
    uint32_t ref;
    struct rul_mark mark;
    rul_on_detection fire;
    void *ctx;
};

/* After this error, is it worth trying again? Waits for memory where that is wanted. */
bool rul_try_again(const struct rul_correlator *c, int err);
int64_t rul_watermark(const struct rul_correlator *c);
int64_t rul_event_time(const struct rul_event_copy *ev);
/* Counts what became of a changed correlation that had groups, and tells it. */
void rul_heir_tell(struct rul_correlator *c, struct hd_slice id, uint32_t groups,
                   enum rul_heir heir);
/* Bytes and times of all states, anew. */
void rul_correlator_recount(struct rul_correlator *c);

/* ---- save.c ---- */

/* The groups of a state into another one of a set that means something else by it. */
int rul_state_hand_on(const struct rul_correlator *c, const struct rul_corr_state *from,
                      const struct rul_set *set, struct rul_corr_state *to) HD_MUST_USE;

/* ---- hit.c ---- */

/* Counts the hit in its state. After HD_ENOMEM it may be tried again. */
int rul_hit_count(struct rul_hit *h) HD_MUST_USE;
/* Tests the windows of the state that have ended; h has state, fire and ctx. */
void rul_hit_close(struct rul_hit *h);
void rul_emitted_free(struct rul_emitted *e);
