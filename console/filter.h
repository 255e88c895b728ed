/* SPDX-License-Identifier: Apache-2.0
 *
 * Which alerts an analyst wants to see. Words are compared as people type them: without
 * case and diacritics ("cong dich vu" finds "Cổng dịch vụ công").
 */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include <haidang/alert.h>

#include "console/command.h"

struct con_filter {
    enum hd_severity severity;                  /* at least; 0 = all */
    char *rule, *host, *system, *agency, *text; /* folded; NULL = all */
};

/* From --severity --rule --host --system --agency --text. Prints what is wrong.
 * own: con_filter_fini, also on failure. */
int con_filter_init(struct con_filter *filter, const struct con_args *args) HD_MUST_USE;
void con_filter_fini(struct con_filter *filter);
bool con_filter_match(const struct con_filter *filter, const json_t *alert);
