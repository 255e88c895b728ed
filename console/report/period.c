/* SPDX-License-Identifier: Apache-2.0 */
#include "console/report/period.h"

#include <haidang/num.h>

#define YEAR_MIN 1971U /* so that there is one before and one after */
#define YEAR_MAX 2261U
#define DAY_NS   (INT64_C(86400) * HD_NS_PER_SEC)
#define WEEK     7

static const struct unit {
    const char *name, *example, *shape; /* of the shape: 0 stands for a digit */
    unsigned months, first, last;       /* 0: counted in days; the second number */
} units[CON_PERIOD_UNITS] = {
    [CON_PERIOD_DAY] = {"day", "2026-11-21", "0000-00-00", 0, 1, 12},
    [CON_PERIOD_WEEK] = {"week", "2026-W47", "0000-W00", 0, 1, 53},
    [CON_PERIOD_MONTH] = {"month", "2026-11", "0000-00", 1, 1, 12},
    [CON_PERIOD_QUARTER] = {"quarter", "2026Q4", "0000Q0", 3, 1, 4},
    [CON_PERIOD_HALF] = {"half", "2026H2", "0000H0", 6, 1, 2},
    [CON_PERIOD_YEAR] = {"year", "2026", "0000", 12, 0, 0},
};

const char *con_period_name(enum con_period_unit unit)
{
    return units[unit].name;
}

const char *con_period_example(enum con_period_unit unit)
{
    return units[unit].example;
}

static bool has_shape(struct hd_slice text, const char *shape)
{
    struct hd_slice wanted = hd_slice_str(shape);
    bool is_same = text.len == wanted.len;
    for (size_t i = 0; i < text.len && is_same; i++) {
        is_same = wanted.ptr[i] == '0' ? hd_is_digit(text.ptr[i])
                                       : text.ptr[i] == wanted.ptr[i];
    }
    return is_same;
}

/* The number after what is no digit, from *at on. */
static uint32_t number_at(struct hd_slice text, size_t *at)
{
    uint64_t value = 0;
    while (*at < text.len && !hd_is_digit(text.ptr[*at])) {
        (*at)++;
    }
    *at += hd_num_prefix_u64(hd_slice_from(text, *at), 4, UINT32_MAX, &value);
    return (uint32_t)value;
}

/* ---- calendar ---- */

/* When the day begins in the zone; months and days beyond their last roll over. */
static int begin_of(const struct hd_zone *zone, int year, int month, int64_t days,
                    int64_t *ns)
{
    int from = year * 12 + month - 1; /* months since the year 0 */
    const struct hd_civil civil = {.year = from / 12, .month = from % 12 + 1, .day = 1};
    int64_t local_ns;
    int err = hd_clock_from_civil(&civil, &local_ns);
    if (err != HD_OK) {
        return err;
    }
    local_ns += days * DAY_NS;
    int64_t near = local_ns - hd_zone_offset_s(zone, local_ns) * HD_NS_PER_SEC;
    *ns = local_ns - hd_zone_offset_s(zone, near) * HD_NS_PER_SEC;
    return HD_OK;
}

/* Days from New Year to the Monday of the first week, which has 4 January: -3 to 3. */
static int first_monday(uint32_t year, int64_t *days)
{
    const struct hd_civil fourth = {.year = (int)year, .month = 1, .day = 4};
    int64_t ns;
    int err = hd_clock_from_civil(&fourth, &ns);
    if (err == HD_OK) {
        int64_t weekday =
            (ns / DAY_NS + 3) % WEEK; /* 0: Monday; 1970 began on a Thursday */
        *days = 3 - weekday;
    }
    return err;
}

struct span { /* from the first of a month */
    uint32_t year;
    int month;
    int64_t day;
    int months, days; /* length: one of them */
};

static int set(const struct span *s, const struct hd_zone *zone, struct con_period *out)
{
    int err = begin_of(zone, (int)s->year, s->month, s->day, &out->since_ns);
    err = err == HD_OK ? begin_of(zone, (int)s->year, s->month + s->months,
                                  s->day + s->days, &out->until_ns)
                       : err;
    return err == HD_OK ? begin_of(zone, (int)s->year, s->month - s->months,
                                   s->day - s->days, &out->before_ns)
                        : err;
}

static int set_day(uint32_t year, uint32_t month, uint32_t day,
                   const struct hd_zone *zone, struct con_period *out)
{
    const struct hd_civil civil = {
        .year = (int)year, .month = (int)month, .day = (int)day};
    const struct span span = {
        .year = year, .month = (int)month, .day = (int64_t)day - 1, .days = 1};
    int64_t ns;
    int err = hd_clock_from_civil(&civil, &ns);
    return err == HD_OK ? set(&span, zone, out) : err;
}

static int set_week(uint32_t year, uint32_t week, const struct hd_zone *zone,
                    struct con_period *out)
{
    struct con_period next;
    int64_t day = 0, next_day = 0;
    int err = first_monday(year, &day);
    err = err == HD_OK ? first_monday(year + 1, &next_day) : err;
    const struct span span = {
        .year = year, .month = 1, .day = day + WEEK * ((int64_t)week - 1), .days = WEEK};
    const struct span first = {.year = year + 1, .month = 1, .day = next_day};
    err = err == HD_OK ? set(&span, zone, out) : err;
    err = err == HD_OK ? set(&first, zone, &next) : err;
    return err == HD_OK && out->since_ns >= next.since_ns ? HD_ERANGE : err;
}

int con_period_parse(enum con_period_unit unit, struct hd_slice text,
                     const struct hd_zone *zone, struct con_period *out)
{
    const struct unit *u = &units[unit];
    size_t at = 0;
    if (!has_shape(text, u->shape)) {
        return HD_EPARSE;
    }
    uint32_t year = number_at(text, &at);
    uint32_t second = number_at(text, &at);
    if (year < YEAR_MIN || year > YEAR_MAX || second < u->first || second > u->last) {
        return HD_ERANGE;
    }
    if (unit == CON_PERIOD_DAY) {
        return set_day(year, second, number_at(text, &at), zone, out);
    }
    if (unit == CON_PERIOD_WEEK) {
        return set_week(year, second, zone, out);
    }
    unsigned nth = second > 0 ? second - 1 : 0;
    const struct span span = {
        .year = year, .month = (int)(nth * u->months) + 1, .months = (int)u->months};
    return set(&span, zone, out);
}
