/* SPDX-License-Identifier: Apache-2.0
 *
 * The time that a report is about: from since_ns to before until_ns, in calendar units of
 * the reader's zone. Pure.
 */
#pragma once
#include <haidang/clock.h>

/* a day: 2026-11-21; a week of ISO 8601: 2026-W47; a month: 2026-11; 2026Q4; 2026H2; 2026
 */
enum con_period_unit {
    CON_PERIOD_DAY,
    CON_PERIOD_WEEK,
    CON_PERIOD_MONTH,
    CON_PERIOD_QUARTER,
    CON_PERIOD_HALF,
    CON_PERIOD_YEAR,
    CON_PERIOD_UNITS,
};

struct con_period {
    int64_t since_ns, until_ns;
    int64_t before_ns; /* where the one before begins, of the same unit or length */
};

const char *con_period_name(enum con_period_unit unit);    /* "day", also the option's */
const char *con_period_example(enum con_period_unit unit); /* "2026-11-21" */

/* HD_EPARSE: not written so. HD_ERANGE: no calendar has it, or before 1971 or after 2261.
 */
int con_period_parse(enum con_period_unit unit, struct hd_slice text,
                     const struct hd_zone *zone, struct con_period *out) HD_MUST_USE;
