/* SPDX-License-Identifier: Apache-2.0
 *
 * Time. Wall-clock time is int64_t nanoseconds since 1970-01-01T00:00:00Z everywhere;
 * intervals come from the monotonic clock. A test replaces both clocks.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/err.h>
#include <haidang/slice.h>

#define HD_NS_PER_SEC INT64_C(1000000000)
#define HD_NS_PER_MS  INT64_C(1000000)
#define HD_NS_PER_US  INT64_C(1000)

int64_t hd_clock_wall_ns(void);
int64_t hd_clock_mono_ns(void);

/* Tests only: until called again with NULL both clocks return *wall and *mono. */
void hd_clock_fake(const int64_t *wall_ns, const int64_t *mono_ns);

struct hd_civil {
    int year;  /* 1970..2262 */
    int month; /* 1..12 */
    int day;   /* 1..31 */
    int hour, minute;
    int second; /* 0..60: a leap second becomes the next second */
    int nanosecond;
};

/* HD_ERANGE for what no calendar has (30 February, 25:00): nothing rolls over. */
int hd_clock_from_civil(const struct hd_civil *civil, int64_t *ns) HD_MUST_USE;
void hd_clock_to_civil(int64_t ns, struct hd_civil *civil);

/* RFC 3339 / RFC 5424 section 6.2.3 TIMESTAMP: "2026-11-21T07:50:37.123456+07:00".
 * HD_EPARSE or HD_ERANGE. */
int hd_clock_parse_rfc3339(struct hd_slice text, int64_t *ns) HD_MUST_USE;

#define HD_RFC3339_LEN 30 /* "2026-11-21T07:50:37.123456789Z" */
/* Writes UTC with `digits` (0, 3, 6 or 9) fractional digits and a NUL; returns the
 * length. */
size_t hd_clock_format_rfc3339(int64_t ns, int digits, char out[HD_RFC3339_LEN + 1]);

/* Offset of a zone at a wall time, in seconds east of UTC. `zone` is "UTC", "+07:00" or
 * a name of the system's tz database ("Asia/Ho_Chi_Minh"; that one is known even where
 * the database is not installed). The environment is neither read nor changed. own: *out
 * until hd_zone_close. HD_EPARSE, HD_ENOENT, HD_ECORRUPT. */
struct hd_zone;
int hd_zone_open(const char *zone, struct hd_zone **out) HD_MUST_USE;
/* The same with the database in another directory. */
int hd_zone_open_in(const char *dir, const char *zone, struct hd_zone **out) HD_MUST_USE;
/* A TZif file (RFC 9636) of version 2 or later from memory. */
int hd_zone_parse(struct hd_slice tzif, struct hd_zone **out) HD_MUST_USE;
void hd_zone_close(struct hd_zone *zone);
int hd_zone_offset_s(const struct hd_zone *zone, int64_t wall_ns);
