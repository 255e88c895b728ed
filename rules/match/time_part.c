/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/match/time_part.h"

#include "rules/decode/stamp.h"

#define DATE_LEN   10U /* 2026-11-21 */
#define MINUTE_LEN 16U /* 2026-11-21T07:50 */

struct moment {
    struct hd_civil civil; /* year 0: not written */
    bool has_time;
};

/* Dates and times to the minute are completed, so that one parser reads them. */
static bool read_short(struct hd_slice value, struct moment *out)
{
    static const char rest[] = "T00:00:00";
    char text[DATE_LEN + sizeof(rest)];
    struct rul_stamp stamp = {0};
    if (value.len != DATE_LEN && value.len != MINUTE_LEN) {
        return false;
    }
    memcpy(text, value.ptr, value.len);
    memcpy(text + value.len, rest + (value.len - DATE_LEN),
           DATE_LEN + sizeof(rest) - 1 - value.len);
    struct hd_slice whole = hd_slice(text, sizeof(text) - 1);
    *out = (struct moment){.has_time = value.len == MINUTE_LEN};
    bool is_time = rul_stamp_iso(whole, &stamp) == whole.len;
    out->civil = stamp.civil;
    return is_time;
}

static bool read_moment(struct hd_slice value, struct moment *out)
{
    static size_t (*const forms[])(struct hd_slice in, struct rul_stamp * out) = {
        rul_stamp_iso, rul_stamp_bsd, rul_stamp_clf, rul_stamp_ctime};
    for (size_t i = 0; value.len > 0 && i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct rul_stamp stamp = {0};
        if (forms[i](value, &stamp) == value.len) {
            *out = (struct moment){stamp.civil, true};
            return true;
        }
    }
    return read_short(value, out);
}

/* Is there such a day and time? A year that is not written may be a leap year. */
static bool is_in_calendar(const struct hd_civil *civil)
{
    struct hd_civil full = *civil;
    int64_t ns;
    full.year = full.year == 0 ? 2000 : full.year;
    return hd_clock_from_civil(&full, &ns) == 0;
}

static int64_t days_of(int year, int month, int day)
{
    const struct hd_civil civil = {.year = year, .month = month, .day = day};
    int64_t ns = 0;
    return hd_clock_from_civil(&civil, &ns) == 0 ? ns / (86400 * HD_NS_PER_SEC) : 0;
}

/* The week of a day is that of its Thursday (ISO 8601 section 3.1.1.23). */
static int week_of(const struct hd_civil *civil)
{
    int64_t days = days_of(civil->year, civil->month, civil->day);
    int64_t thursday = days - (days + 3) % 7 + 3; /* 1970-01-01 was one */
    struct hd_civil its;
    hd_clock_to_civil(thursday * 86400 * HD_NS_PER_SEC, &its);
    return (int)((thursday - days_of(its.year, 1, 1)) / 7 + 1);
}

bool rul_time_part(struct hd_slice value, enum rul_time_part part, double *number)
{
    struct moment m;
    if (!read_moment(hd_slice_trim(value), &m) || !is_in_calendar(&m.civil)) {
        return false;
    }
    switch (part) {
    case RUL_PART_MINUTE:
        *number = m.civil.minute;
        return m.has_time;
    case RUL_PART_HOUR:
        *number = m.civil.hour;
        return m.has_time;
    case RUL_PART_DAY:
        *number = m.civil.day;
        return true;
    case RUL_PART_MONTH:
        *number = m.civil.month;
        return true;
    case RUL_PART_WEEK:
        *number = m.civil.year == 0 ? 0 : week_of(&m.civil);
        return m.civil.year != 0;
    case RUL_PART_YEAR:
        *number = m.civil.year;
        return m.civil.year != 0;
    default:
        return false;
    }
}
