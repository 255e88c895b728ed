/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/uplink/targets.h"

void col_targets_init(struct col_targets *t, size_t n)
{
    *t = (struct col_targets){.n = n};
}

void col_targets_success(struct col_targets *t)
{
    t->failures = 0;
}

bool col_targets_failure(struct col_targets *t, bool will_not)
{
    t->failures++;
    if (t->n < 2 || (t->failures < COL_TARGET_ATTEMPTS && !will_not)) {
        return false;
    }
    t->current = (t->current + 1) % t->n;
    t->failures = 0;
    return true;
}

bool col_targets_has_better(const struct col_targets *t)
{
    return t->current > 0;
}

void col_targets_select(struct col_targets *t, size_t target)
{
    t->current = target < t->n ? target : 0;
    t->failures = 0;
}
