/* SPDX-License-Identifier: Apache-2.0
 *
 * One number out of a time that stands in a field (specification v2.1, "Time Modifiers"):
 * as it is written there, in whatever zone.
 */
#pragma once
#include <stdbool.h>

#include <haidang/slice.h>

enum rul_time_part {
    RUL_PART_NONE, /* the number that the field holds itself */
    RUL_PART_MINUTE,
    RUL_PART_HOUR,
    RUL_PART_DAY,  /* of the month */
    RUL_PART_WEEK, /* ISO 8601: 1..53 */
    RUL_PART_MONTH,
    RUL_PART_YEAR
};

/* False when the value is no time, or one that does not say the part: dates without a
 * time of day have no hour, RFC 3164 times have no year and so no week. */
bool rul_time_part(struct hd_slice value, enum rul_time_part part, double *number);
