/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rules of a temporal correlation were seen, and in which order: the two questions
 * that its conditions ask. `last` is the last sighting of each rule; `starts` has for
 * each alternative, and each of its rules in order, the latest event that begins a chain
 * up to this rule, and behind these the same of chains whose order is sure: no two events
 * of one time and different agents follow each other in them. All are exact and small,
 * however many events there are.
 */
#pragma once
#include "rules/correlate/window.h"

struct rul_step { /* an event of one of the rules */
    struct rul_mark mark;
    uint64_t ref;
};

#define RUL_STARTS_OF(corr) (2 * (size_t)(corr)->n_starts)

/* Takes events of one and the same time, later than all before. */
void rul_terms_step(const struct rul_corr *corr, struct rul_mark *last,
                    struct rul_mark *starts, const struct rul_step *run, uint32_t n);
/* Does the condition hold for what is after the edge? */
bool rul_terms_hold(const struct rul_corr *corr, const struct rul_mark *last,
                    const struct rul_mark *starts, int64_t edge_ns,
                    struct rul_tally *tally);
