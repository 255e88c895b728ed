/* SPDX-License-Identifier: Apache-2.0
 *
 * Times as log lines carry them: fixed shapes, read digit by digit.
 */
#include "rules/decode/stamp.h"

#include <haidang/num.h>

#define QUARTER_NS (15 * 60 * HD_NS_PER_SEC)
#define DAY_NS     (24 * 3600 * HD_NS_PER_SEC)
#define YEARS_BACK 8 /* far enough to find a 29 February */

/* Reads exactly `digits` digits at *at. */
static bool take_number(struct hd_slice in, size_t *at, size_t digits, int *out)
{
    uint64_t value;
    struct hd_slice rest = hd_slice_from(in, *at);
    if (hd_num_prefix_u64(rest, digits, UINT32_MAX, &value) != digits) {
        return false;
    }
    *out = (int)value;
    *at += digits;
    return true;
}

static bool take_byte(struct hd_slice in, size_t *at, uint8_t byte)
{
    if (*at >= in.len || in.ptr[*at] != byte) {
        return false;
    }
    (*at)++;
    return true;
}

/* hh:mm:ss */
static bool take_clock(struct hd_slice in, size_t *at, struct hd_civil *civil)
{
    return take_number(in, at, 2, &civil->hour) && take_byte(in, at, ':') &&
           take_number(in, at, 2, &civil->minute) && take_byte(in, at, ':') &&
           take_number(in, at, 2, &civil->second);
}

/* Optional fraction of a second; digits after the ninth do not count. */
static void take_fraction(struct hd_slice in, size_t *at, struct hd_civil *civil)
{
    static const uint32_t scale[] = {0,     100000000, 10000000, 1000000, 100000,
                                     10000, 1000,      100,      10,      1};
    if (*at + 1 >= in.len || (in.ptr[*at] != '.' && in.ptr[*at] != ',')) {
        return;
    }
    uint64_t value;
    size_t digits = hd_num_prefix_u64(hd_slice_from(in, *at + 1), 9, UINT32_MAX, &value);
    if (digits == 0) {
        return;
    }
    civil->nanosecond = (int)(value * scale[digits]);
    *at += 1 + digits;
    while (*at < in.len && hd_is_digit(in.ptr[*at])) {
        (*at)++;
    }
}

/* Three letters in any case, 1..12; 0 = no month. */
static int month_of(struct hd_slice in, size_t at)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    if (in.len < at + 3) {
        return 0;
    }
    const uint8_t *c = in.ptr + at;
    for (int i = 0; i < 12; i++) {
        const char *name = names + 3 * i;
        if ((c[0] | 0x20) == name[0] && (c[1] | 0x20) == name[1] &&
            (c[2] | 0x20) == name[2]) {
            return i + 1;
        }
    }
    return 0;
}

static bool take_month(struct hd_slice in, size_t *at, struct hd_civil *civil)
{
    civil->month = month_of(in, *at);
    *at += 3;
    return civil->month != 0;
}

/* " 1", "01", "1" or "11" */
static bool take_day(struct hd_slice in, size_t *at, struct hd_civil *civil)
{
    (void)take_byte(in, at, ' ');
    if (*at + 1 < in.len && !hd_is_digit(in.ptr[*at + 1])) {
        return take_number(in, at, 1, &civil->day);
    }
    return take_number(in, at, 2, &civil->day);
}

/* A year followed by a space. */
static bool take_year(struct hd_slice in, size_t *at, struct hd_civil *civil)
{
    size_t from = *at;
    int year;
    if (take_number(in, at, 4, &year) && take_byte(in, at, ' ')) {
        civil->year = year;
        return true;
    }
    *at = from;
    return false;
}

/* " 2026" after the time of day, when a space or the end follows. */
static void take_late_year(struct hd_slice in, size_t *at, struct hd_civil *civil)
{
    size_t from = *at;
    int year;
    if (civil->year == 0 && take_byte(in, at, ' ') && take_number(in, at, 4, &year) &&
        (*at == in.len || in.ptr[*at] == ' ') && year >= 1970) {
        civil->year = year;
        return;
    }
    *at = from;
}

size_t rul_stamp_bsd(struct hd_slice in, struct rul_stamp *out)
{
    struct rul_stamp stamp = {0};
    struct hd_civil *civil = &stamp.civil;
    size_t at = 0;
    if (in.len > 0 && (in.ptr[0] == '*' || in.ptr[0] == '.')) {
        at = 1;
    }
    (void)take_year(in, &at, civil);
    if (!take_month(in, &at, civil) || !take_byte(in, &at, ' ') ||
        !take_day(in, &at, civil) || !take_byte(in, &at, ' ')) {
        return 0;
    }
    (void)take_year(in, &at, civil);
    if (!take_clock(in, &at, civil)) {
        return 0;
    }
    take_fraction(in, &at, civil);
    take_late_year(in, &at, civil);
    *out = stamp;
    return at;
}

/* "Z" or an offset; without one the stamp has no zone. */
static void take_zone(struct hd_slice in, size_t *at, struct rul_stamp *stamp)
{
    size_t from = *at;
    if (take_byte(in, at, 'Z') || take_byte(in, at, 'z')) {
        stamp->has_zone = true;
        return;
    }
    int sign = take_byte(in, at, '+') ? 1 : take_byte(in, at, '-') ? -1 : 0;
    int hours, minutes;
    if (sign == 0 || !take_number(in, at, 2, &hours)) {
        *at = from;
        return;
    }
    (void)take_byte(in, at, ':');
    if (!take_number(in, at, 2, &minutes) || hours > 23 || minutes > 59) {
        *at = from;
        return;
    }
    stamp->has_zone = true;
    stamp->zone_s = sign * (hours * 3600 + minutes * 60);
}

size_t rul_stamp_iso(struct hd_slice in, struct rul_stamp *out)
{
    struct rul_stamp stamp = {0};
    struct hd_civil *civil = &stamp.civil;
    size_t at = 0;
    if (in.len < 19 || (in.ptr[4] != '-' && in.ptr[4] != '/') || in.ptr[7] != in.ptr[4] ||
        (in.ptr[10] != 'T' && in.ptr[10] != ' ')) {
        return 0;
    }
    if (!take_number(in, &at, 4, &civil->year)) {
        return 0;
    }
    at++;
    if (!take_number(in, &at, 2, &civil->month)) {
        return 0;
    }
    at++;
    if (!take_number(in, &at, 2, &civil->day)) {
        return 0;
    }
    stamp.is_iso = true;
    at++;
    if (!take_clock(in, &at, civil)) {
        return 0;
    }
    take_fraction(in, &at, civil);
    take_zone(in, &at, &stamp);
    *out = stamp;
    return at;
}

size_t rul_stamp_clf(struct hd_slice in, struct rul_stamp *out)
{
    struct rul_stamp stamp = {0};
    struct hd_civil *civil = &stamp.civil;
    size_t at = 0;
    if (!take_number(in, &at, 2, &civil->day) || !take_byte(in, &at, '/') ||
        !take_month(in, &at, civil) || !take_byte(in, &at, '/') ||
        !take_number(in, &at, 4, &civil->year) || !take_byte(in, &at, ':') ||
        !take_clock(in, &at, civil) || !take_byte(in, &at, ' ')) {
        return 0;
    }
    take_zone(in, &at, &stamp);
    *out = stamp;
    return stamp.has_zone ? at : 0;
}

size_t rul_stamp_ctime(struct hd_slice in, struct rul_stamp *out)
{
    struct rul_stamp stamp = {0};
    struct hd_civil *civil = &stamp.civil;
    size_t at = 3;
    if (in.len < 24 || !hd_is_alpha(in.ptr[0]) || !take_byte(in, &at, ' ') ||
        !take_month(in, &at, civil) || !take_byte(in, &at, ' ') ||
        !take_day(in, &at, civil) || !take_byte(in, &at, ' ') ||
        !take_clock(in, &at, civil)) {
        return 0;
    }
    take_fraction(in, &at, civil);
    if (!take_byte(in, &at, ' ') || !take_number(in, &at, 4, &civil->year)) {
        return 0;
    }
    *out = stamp;
    return at;
}

int rul_stamp_epoch(struct hd_slice text, int64_t *ns)
{
    uint64_t value;
    size_t digits = hd_num_prefix_u64(text, 19, INT64_MAX, &value);
    struct hd_civil fraction = {0};
    size_t at = digits;
    take_fraction(text, &at, &fraction);
    if (at != text.len || digits < 9) {
        return HD_EPARSE;
    }
    int64_t unit = digits <= 11   ? HD_NS_PER_SEC
                   : digits <= 14 ? HD_NS_PER_MS
                   : digits <= 17 ? HD_NS_PER_US
                                  : 1;
    if (unit < HD_NS_PER_SEC && at > digits) {
        return HD_EPARSE;
    }
    return __builtin_mul_overflow((int64_t)value, unit, ns) ||
                   __builtin_add_overflow(*ns, fraction.nanosecond, ns)
               ? HD_ERANGE
               : 0;
}

static int64_t quarter_of(int64_t ns)
{
    return ns / QUARTER_NS;
}

static int32_t offset_at(const struct rul_stamp_clock *clock,
                         struct rul_stamp_offset *known, int64_t ns)
{
    if (!known->is_known || known->quarter != quarter_of(ns)) {
        known->quarter = quarter_of(ns);
        known->offset_s = hd_zone_offset_s(clock->zone, ns);
        known->is_known = true;
    }
    return known->offset_s;
}

void rul_stamp_clock_set(struct rul_stamp_clock *clock, const struct hd_zone *zone,
                         int64_t recv_ns)
{
    /* what is known of a zone is asked again each second: a reload may have put another
     * one at the same address */
    bool is_same = clock->zone == zone && clock->now.is_known &&
                   clock->recv_ns / HD_NS_PER_SEC == recv_ns / HD_NS_PER_SEC;
    clock->recv_ns = recv_ns;
    if (is_same) {
        return;
    }
    clock->zone = zone;
    clock->now.is_known = false;
    clock->line.is_known = false;
    int64_t local = recv_ns + offset_at(clock, &clock->now, recv_ns) * HD_NS_PER_SEC;
    struct hd_civil civil;
    hd_clock_to_civil(local, &civil);
    clock->year = civil.year;
    clock->month = civil.month;
}

static int resolve_year(const struct rul_stamp *stamp, int year,
                        struct rul_stamp_clock *clock, int64_t *ns)
{
    struct hd_civil civil = stamp->civil;
    civil.year = year;
    int64_t local;
    int rc = hd_clock_from_civil(&civil, &local);
    if (rc != 0) {
        return rc;
    }
    if (stamp->has_zone) {
        *ns = local - stamp->zone_s * HD_NS_PER_SEC;
        return 0;
    }
    /* the offset is that of the moment itself; the receiver's is a good first guess */
    int64_t guess = local - clock->now.offset_s * HD_NS_PER_SEC;
    *ns = local - offset_at(clock, &clock->line, guess) * HD_NS_PER_SEC;
    return 0;
}

int rul_stamp_resolve(const struct rul_stamp *stamp, struct rul_stamp_clock *clock,
                      int64_t *ns)
{
    if (stamp->civil.year != 0) {
        return resolve_year(stamp, stamp->civil.year, clock, ns);
    }
    /* only a line received in December can be of a year that has not begun here */
    int year = clock->month == 12 ? clock->year + 1 : clock->year;
    for (int i = 0; i <= YEARS_BACK; i++) {
        int rc = resolve_year(stamp, year - i, clock, ns);
        if (rc == 0 && *ns <= clock->recv_ns + DAY_NS) {
            return 0;
        }
    }
    return HD_ERANGE;
}
