/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <haidang/num.h>

#include "tests/unit/rules/oracle.h"

/* By the C library, of times like 2026-11-21T07:50:37. */
bool oracle_time_part(struct hd_slice value, const char *part, double *out)
{
    char text[32], number[8] = "";
    struct tm tm = {.tm_isdst = -1};
    (void)snprintf(text, sizeof(text), "%.*s", HD_SLICE_FMT(value));
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (end == NULL || *end != 0) {
        return false;
    }
    int day = tm.tm_mday;
    (void)timegm(&tm); /* fills in the day of the week */
    if (tm.tm_mday != day) {
        return false; /* 31 November */
    }
    if (strcmp(part, "week") == 0) {
        (void)strftime(number, sizeof(number), "%V", &tm);
        return hd_num_double(hd_slice_str(number), out) == 0;
    }
    *out = strcmp(part, "minute") == 0  ? tm.tm_min
           : strcmp(part, "hour") == 0  ? tm.tm_hour
           : strcmp(part, "day") == 0   ? tm.tm_mday
           : strcmp(part, "month") == 0 ? tm.tm_mon + 1
                                        : tm.tm_year + 1900;
    return true;
}
