/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules test: the examples of rules (test.c), or rules against events (trial.c).
 */
#pragma once
#include "console/show.h"

int con_test_events(const struct con_args *args);

/* `yes` or `no`, in colour on a terminal. */
void con_test_mark(const struct con_show *show, bool is_yes, const char *yes,
                   const char *no, struct hd_buf *out);
