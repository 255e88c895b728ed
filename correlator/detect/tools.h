/* SPDX-License-Identifier: Apache-2.0
 *
 * What a detector needs to work with rules: made aside, on any thread, since it takes a
 * while; afterwards the detector's alone.
 */
#pragma once
#include "correlator/detect/rules.h"

struct cor_tools {
    struct cor_rules *rules; /* a reference */
    struct rul_scratch *match;
    uint64_t generation; /* of the set: later ones are larger, in every detector alike */
    struct rul_match_stats counted; /* so much of the scratch's is in the metrics */
};

/* Takes a reference of the rules. */
int cor_tools_new(struct cor_rules *rules, struct cor_tools **out) HD_MUST_USE;
void cor_tools_free(struct cor_tools *tools);
