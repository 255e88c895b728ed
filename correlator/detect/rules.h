/* SPDX-License-Identifier: Apache-2.0
 *
 * A rule set in force, and what its rules do: how often they hit, what became of that,
 * what they cost. The counts belong to the rule, not to the set: a rule whose meaning a
 * reload leaves as it was goes on counting in the same place, whichever thread is still
 * at the set before. Made on the loop; threads count without locks.
 */
#pragma once
#include <stdatomic.h>

#include "rules/set.h"

#define COR_COST_SAMPLE 1024U /* the matching of one event in so many is timed */

struct cor_rule_counts {
    atomic_uint refs;
    /* detectors */
    _Atomic uint64_t hits;            /* of correlations: detections; state thread */
    _Atomic uint64_t timed, timed_ns; /* evaluations that were timed */
    /* state thread */
    _Atomic uint64_t alerts, suppressed, throttled;
    _Atomic int64_t noisy_ns;  /* when it was found noisy last (wall); 0 = never */
    _Atomic int64_t proven_ns; /* by a canary, see canary/proofs.h; 0 = never */
    _Atomic uint32_t heir;     /* what it remembers since its meaning has changed: enum
                                  rul_heir and one more; 0 = it has not changed */
    /* state thread alone, see state/noise.h */
    int64_t minute;
    uint64_t hits_in_minute, alerts_in_minute, held_back;
    int64_t starved_hour; /* when it was last told that it loses groups */
};

struct cor_rules {
    atomic_uint refs;
    struct rul_set *set;
    struct cor_rule_counts *counts[]; /* by index of the rule in the set */
};

/* own: one reference. Takes a reference of the set. `before`: may be NULL; rules of the
 * same id and meaning go on with its counts. Loop thread. */
int cor_rules_new(struct rul_set *set, const struct cor_rules *before,
                  struct cor_rules **out) HD_MUST_USE;
struct cor_rules *cor_rules_ref(struct cor_rules *rules); /* any thread */
void cor_rules_unref(struct cor_rules *rules);
/* Has everybody else let go of it? */
bool cor_rules_is_sole(const struct cor_rules *rules);

static inline void cor_rule_add(_Atomic uint64_t *count, uint64_t n)
{
    (void)atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}
static inline uint64_t cor_rule_read(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}
