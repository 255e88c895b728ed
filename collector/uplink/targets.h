/* SPDX-License-Identifier: Apache-2.0
 *
 * The ordered list of correlators: which one to try next. The current one is kept while
 * it works; after COL_TARGET_ATTEMPTS failures in a row the next one has its turn, round
 * and round. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define COL_TARGET_ATTEMPTS 2

struct col_targets {
    size_t n, current;
    unsigned failures; /* of the current one, in a row */
};

void col_targets_init(struct col_targets *t, size_t n);

/* It acknowledged: stay with it. */
void col_targets_success(struct col_targets *t);

/* It failed. will_not: it answered that it will not serve this agent, so repeating makes
 * no sense. True when another one is current now. */
bool col_targets_failure(struct col_targets *t, bool will_not);

/* Another one before the current one is preferred. */
bool col_targets_has_better(const struct col_targets *t);

/* Go back to `target`. */
void col_targets_select(struct col_targets *t, size_t target);
