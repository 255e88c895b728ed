/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows of temporal correlations that are tested at their end (conditions with "not",
 * lt, lte, eq, neq). Every event of a rule that is wanted starts a window [s, s + T);
 * it is tested when nothing can come into it any more.
 */
#pragma once
#include "rules/correlate/window.h"

struct rul_verdict { /* on the window that was tested */
    int64_t start_ns;
    bool holds;
    struct rul_tally tally;
};

/* Tests the next window that ends at or before the watermark; false when there is none.
 */
bool rul_started_next(const struct rul_window *w, int64_t watermark_ns,
                      struct rul_verdict *verdict);
/* No window ends before; INT64_MAX: there is none. */
int64_t rul_started_due(const struct rul_window *w);
