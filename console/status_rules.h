/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang status --rules: what each rule of the running correlator does and costs.
 */
#pragma once
#include <haidang/buf.h>
#include <jansson.h>

#include "console/command.h"
#include "console/show.h"

int con_status_rules(const struct con_args *args);

/* The first `top` rules of an answer, in order of the member `by`, largest first, equal
 * ones in the order of the set. own: a new array; NULL without memory. */
json_t *con_status_rules_sorted(const json_t *answer, const char *by, size_t top);
void con_status_rules_text(const struct con_show *show, const json_t *rules,
                           struct hd_buf *out);
