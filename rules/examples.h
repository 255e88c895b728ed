/* SPDX-License-Identifier: Apache-2.0
 *
 * The examples inside rule files, for those who play them elsewhere than set_test.c does.
 */
#pragma once
#include "rules/set.h"

struct rul_example_lines { /* as long as the set */
    const struct hd_slice *lines;
    size_t n_lines;
    uint32_t repeat;  /* the lines are played so often; of a detection each for itself */
    int64_t every_ns; /* from line to line */
};

/* The first example that must fire the rule and needs no declared format. False: there is
 * none. */
bool rul_example_find(const struct rul_set *set, const struct rul_rule *rule,
                      struct rul_example_lines *out);
