/* SPDX-License-Identifier: Apache-2.0
 *
 * Clocks and calendar. The only state is the pair of pointers that a test sets.
 * Thread: any; hd_clock_fake only while no other thread runs.
 */
#include <haidang/clock.h>

#include <time.h>

#include <haidang/num.h>

#define SECONDS_PER_DAY INT64_C(86400)

static const int64_t *fake_wall;
static const int64_t *fake_mono;

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * HD_NS_PER_SEC + (int64_t)now.tv_nsec;
}

int64_t hd_clock_wall_ns(void)
{
    return fake_wall != NULL ? *fake_wall : read_clock(CLOCK_REALTIME);
}

int64_t hd_clock_mono_ns(void)
{
    return fake_mono != NULL ? *fake_mono : read_clock(CLOCK_MONOTONIC);
}

void hd_clock_fake(const int64_t *wall_ns, const int64_t *mono_ns)
{
    fake_wall = wall_ns;
    fake_mono = mono_ns;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days before 1 January of `year`, counted from year 1 of the Gregorian calendar. */
static int64_t days_before_year(int64_t year)
{
    int64_t past = year - 1;
    return past * 365 + past / 4 - past / 100 + past / 400;
}

static int64_t days_since_1970(int year, int month, int day)
{
    int64_t days = days_before_year(year) - days_before_year(1970);
    for (int m = 1; m < month; m++) {
        days += days_in_month(year, m);
    }
    return days + day - 1;
}

static bool in_range(int value, int min, int max)
{
    return value >= min && value <= max;
}

int hd_clock_from_civil(const struct hd_civil *civil, int64_t *ns)
{
    if (!in_range(civil->year, 1970, 2262) || !in_range(civil->month, 1, 12) ||
        !in_range(civil->day, 1, days_in_month(civil->year, civil->month)) ||
        !in_range(civil->hour, 0, 23) || !in_range(civil->minute, 0, 59) ||
        !in_range(civil->second, 0, 60) ||
        !in_range(civil->nanosecond, 0, (int)HD_NS_PER_SEC - 1)) {
        return HD_ERANGE;
    }
    int64_t seconds = days_since_1970(civil->year, civil->month, civil->day);
    seconds = seconds * SECONDS_PER_DAY + civil->hour * INT64_C(3600) +
              civil->minute * INT64_C(60) + civil->second;
    if (seconds > INT64_MAX / HD_NS_PER_SEC - 1) {
        return HD_ERANGE;
    }
    *ns = seconds * HD_NS_PER_SEC + civil->nanosecond;
    return HD_OK;
}

void hd_clock_to_civil(int64_t ns, struct hd_civil *civil)
{
    int64_t seconds = ns / HD_NS_PER_SEC;
    int64_t fraction = ns % HD_NS_PER_SEC;
    if (fraction < 0) {
        fraction += HD_NS_PER_SEC;
        seconds--;
    }
    int64_t days = seconds / SECONDS_PER_DAY;
    int64_t in_day = seconds % SECONDS_PER_DAY;
    if (in_day < 0) {
        in_day += SECONDS_PER_DAY;
        days--;
    }
    /* Count in 400-year cycles of 146097 days from 1 March of year 0: the leap day is
     * then the last of its year, and months follow the pattern 31 30 31 30 31 of 153
     * days. */
    int64_t shifted = days + days_before_year(1970) + 306;
    int64_t in_cycle = shifted % 146097;
    int64_t year_of_cycle =
        (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / 146096) / 365;
    int64_t year = shifted / 146097 * 400 + year_of_cycle;
    int64_t in_year =
        in_cycle - (year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100);
    int64_t month_from_march = (5 * in_year + 2) / 153;
    civil->day = (int)(in_year - (153 * month_from_march + 2) / 5) + 1;
    civil->month =
        (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    civil->year = (int)(civil->month <= 2 ? year + 1 : year);
    civil->hour = (int)(in_day / 3600);
    civil->minute = (int)(in_day / 60 % 60);
    civil->second = (int)(in_day % 60);
    civil->nanosecond = (int)fraction;
}

/* ---- RFC 3339 ---- */

/* Exactly `digits` digits at *at. */
static bool take_number(struct hd_slice text, size_t *at, size_t digits, int *out)
{
    uint64_t value = 0;
    if (hd_num_prefix_u64(hd_slice_from(text, *at), digits, 9999, &value) != digits) {
        return false;
    }
    *at += digits;
    *out = (int)value;
    return true;
}

static bool take_byte(struct hd_slice text, size_t *at, char a, char b)
{
    if (*at >= text.len || (text.ptr[*at] != (uint8_t)a && text.ptr[*at] != (uint8_t)b)) {
        return false;
    }
    (*at)++;
    return true;
}

/* time-secfrac = "." 1*DIGIT; what is finer than a nanosecond is cut. */
static bool take_fraction(struct hd_slice text, size_t *at, int *nanosecond)
{
    *nanosecond = 0;
    if (!take_byte(text, at, '.', '.')) {
        return true;
    }
    int unit = (int)HD_NS_PER_SEC / 10;
    size_t start = *at;
    while (*at < text.len && hd_is_digit(text.ptr[*at])) {
        *nanosecond += (text.ptr[*at] - '0') * unit;
        unit /= 10;
        (*at)++;
    }
    return *at > start;
}

/* time-offset = "Z" / ("+" / "-") time-hour ":" time-minute */
static int take_offset(struct hd_slice text, size_t *at, int *offset_s)
{
    int hour = 0;
    int minute = 0;
    *offset_s = 0;
    if (take_byte(text, at, 'Z', 'z')) {
        return HD_OK;
    }
    bool west = *at < text.len && text.ptr[*at] == '-';
    if (!take_byte(text, at, '+', '-') || !take_number(text, at, 2, &hour) ||
        !take_byte(text, at, ':', ':') || !take_number(text, at, 2, &minute)) {
        return HD_EPARSE;
    }
    if (hour > 23 || minute > 59) {
        return HD_ERANGE;
    }
    *offset_s = (west ? -1 : 1) * (hour * 3600 + minute * 60);
    return HD_OK;
}

/* RFC 3339 section 5.6:
 *     date-time = 4DIGIT "-" 2DIGIT "-" 2DIGIT "T" 2DIGIT ":" 2DIGIT ":" 2DIGIT
 *                 [time-secfrac] time-offset
 * A leap second is accepted only where one can be, at the end of a UTC day. */
int hd_clock_parse_rfc3339(struct hd_slice text, int64_t *ns)
{
    struct hd_civil c = {0};
    size_t at = 0;
    int offset_s = 0;
    int64_t local = 0;
    if (!take_number(text, &at, 4, &c.year) || !take_byte(text, &at, '-', '-') ||
        !take_number(text, &at, 2, &c.month) || !take_byte(text, &at, '-', '-') ||
        !take_number(text, &at, 2, &c.day) || !take_byte(text, &at, 'T', 't') ||
        !take_number(text, &at, 2, &c.hour) || !take_byte(text, &at, ':', ':') ||
        !take_number(text, &at, 2, &c.minute) || !take_byte(text, &at, ':', ':') ||
        !take_number(text, &at, 2, &c.second) ||
        !take_fraction(text, &at, &c.nanosecond)) {
        return HD_EPARSE;
    }
    int err = take_offset(text, &at, &offset_s);
    if (err != HD_OK) {
        return err;
    }
    if (at != text.len) {
        return HD_EPARSE;
    }
    err = hd_clock_from_civil(&c, &local);
    if (err != HD_OK) {
        return err;
    }
    int64_t shift = offset_s * HD_NS_PER_SEC;
    if (shift < 0 && local > INT64_MAX + shift) {
        return HD_ERANGE;
    }
    int64_t utc = local - shift;
    if (c.second == 60 && utc / HD_NS_PER_SEC % SECONDS_PER_DAY != 0) {
        return HD_ERANGE;
    }
    *ns = utc;
    return HD_OK;
}

static char *put_digits(char *at, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

size_t hd_clock_format_rfc3339(int64_t ns, int digits, char out[HD_RFC3339_LEN + 1])
{
    static const int divisor[] = {1000000000, 100000000, 10000000, 1000000, 100000,
                                  10000,      1000,      100,      10,      1};
    struct hd_civil c;
    hd_clock_to_civil(ns, &c);
    char *at = put_digits(out, c.year, 4);
    *at++ = '-';
    at = put_digits(at, c.month, 2);
    *at++ = '-';
    at = put_digits(at, c.day, 2);
    *at++ = 'T';
    at = put_digits(at, c.hour, 2);
    *at++ = ':';
    at = put_digits(at, c.minute, 2);
    *at++ = ':';
    at = put_digits(at, c.second, 2);
    if (in_range(digits, 1, 9)) {
        *at++ = '.';
        at = put_digits(at, c.nanosecond / divisor[digits], digits);
    }
    *at++ = 'Z';
    *at = '\0';
    return (size_t)(at - out);
}
