/* SPDX-License-Identifier: Apache-2.0
 *
 * What a detector needs to work with rules: made aside, on any thread, since it takes a
 * while; afterwards the detector's alone.
 */
#pragma once
#include <haidang/canary_gate.h>

#include "correlator/detect/rules.h"

struct cor_tools {
    struct cor_rules *rules;            /* a reference */
    struct hd_canary_keys *canary_keys; /* a reference; NULL: no line is a canary */
    struct rul_scratch *match;
    /* Of the set: later ones are larger. Whoever hands it out says it, so that it is the
     * same to all detectors, also when one of them had no room for a set in between. */
    uint64_t generation;
    struct rul_match_stats counted; /* so much of the scratch's is in the metrics */
};

/* Takes references of its own. */
int cor_tools_new(struct cor_rules *rules, struct hd_canary_keys *canary_keys,
                  struct cor_tools **out) HD_MUST_USE;
void cor_tools_free(struct cor_tools *tools);
