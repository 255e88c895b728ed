/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <string.h>

#include "console/report/period.h"

static struct hd_zone *zone;

static int open_zone(void **state)
{
    (void)state;
    return hd_zone_open("Asia/Ho_Chi_Minh", &zone);
}

static int close_zone(void **state)
{
    (void)state;
    hd_zone_close(zone);
    return 0;
}

static struct con_period parse(enum con_period_unit unit, const char *text)
{
    struct con_period period;
    if (con_period_parse(unit, hd_slice_str(text), zone, &period) != HD_OK) {
        fail_msg("%s was refused", text);
    }
    return period;
}

/* Times in UTC: midnight in Vietnam is 17:00 of the day before. */
static void expect(enum con_period_unit unit, const char *text, const char *since,
                   const char *until, const char *before)
{
    char out[HD_RFC3339_LEN + 1];
    struct con_period period = parse(unit, text);
    (void)hd_clock_format_rfc3339(period.since_ns, 0, out);
    assert_string_equal(out, since);
    (void)hd_clock_format_rfc3339(period.until_ns, 0, out);
    assert_string_equal(out, until);
    (void)hd_clock_format_rfc3339(period.before_ns, 0, out);
    assert_string_equal(out, before);
}

static void units_begin_and_end_at_midnight_of_the_zone(void **state)
{
    (void)state;
    expect(CON_PERIOD_DAY, "2024-02-29", "2024-02-28T17:00:00Z", "2024-02-29T17:00:00Z",
           "2024-02-27T17:00:00Z");
    expect(CON_PERIOD_DAY, "2026-12-31", "2026-12-30T17:00:00Z", "2026-12-31T17:00:00Z",
           "2026-12-29T17:00:00Z");
    expect(CON_PERIOD_WEEK, "2026-W47", "2026-11-15T17:00:00Z", "2026-11-22T17:00:00Z",
           "2026-11-08T17:00:00Z");
    expect(CON_PERIOD_MONTH, "2026-01", "2025-12-31T17:00:00Z", "2026-01-31T17:00:00Z",
           "2025-11-30T17:00:00Z");
    expect(CON_PERIOD_MONTH, "2026-12", "2026-11-30T17:00:00Z", "2026-12-31T17:00:00Z",
           "2026-10-31T17:00:00Z");
    expect(CON_PERIOD_QUARTER, "2026Q4", "2026-09-30T17:00:00Z", "2026-12-31T17:00:00Z",
           "2026-06-30T17:00:00Z");
    expect(CON_PERIOD_HALF, "2026H2", "2026-06-30T17:00:00Z", "2026-12-31T17:00:00Z",
           "2025-12-31T17:00:00Z");
    expect(CON_PERIOD_YEAR, "2026", "2025-12-31T17:00:00Z", "2026-12-31T17:00:00Z",
           "2024-12-31T17:00:00Z");
}

/* The first and last weeks of years that begin on each day, as `date -d ... +%G-W%V`. */
static void weeks_are_those_of_iso_8601(void **state)
{
    (void)state;
    expect(CON_PERIOD_WEEK, "2026-W01", "2025-12-28T17:00:00Z", "2026-01-04T17:00:00Z",
           "2025-12-21T17:00:00Z"); /* 2026-01-01 is a Thursday */
    expect(CON_PERIOD_WEEK, "2026-W53", "2026-12-27T17:00:00Z", "2027-01-03T17:00:00Z",
           "2026-12-20T17:00:00Z");
    expect(CON_PERIOD_WEEK, "2021-W01", "2021-01-03T17:00:00Z", "2021-01-10T17:00:00Z",
           "2020-12-27T17:00:00Z"); /* a Friday */
    expect(CON_PERIOD_WEEK, "2024-W01", "2023-12-31T17:00:00Z", "2024-01-07T17:00:00Z",
           "2023-12-24T17:00:00Z"); /* a Monday */
    expect(CON_PERIOD_WEEK, "2023-W52", "2023-12-24T17:00:00Z", "2023-12-31T17:00:00Z",
           "2023-12-17T17:00:00Z");
}

static void refuse(enum con_period_unit unit, const char *text, int err)
{
    struct con_period period;
    assert_int_equal(con_period_parse(unit, hd_slice_str(text), zone, &period), err);
}

static void what_no_calendar_has_is_refused(void **state)
{
    (void)state;
    refuse(CON_PERIOD_DAY, "2026-02-29", HD_ERANGE);
    refuse(CON_PERIOD_DAY, "2026-00-01", HD_ERANGE);
    refuse(CON_PERIOD_DAY, "2026-01-00", HD_ERANGE);
    refuse(CON_PERIOD_WEEK, "2026-W00", HD_ERANGE);
    refuse(CON_PERIOD_WEEK, "2026-W54", HD_ERANGE);
    refuse(CON_PERIOD_WEEK, "2023-W53", HD_ERANGE);
    refuse(CON_PERIOD_MONTH, "2026-13", HD_ERANGE);
    refuse(CON_PERIOD_QUARTER, "2026Q0", HD_ERANGE);
    refuse(CON_PERIOD_QUARTER, "2026Q5", HD_ERANGE);
    refuse(CON_PERIOD_HALF, "2026H3", HD_ERANGE);
    refuse(CON_PERIOD_YEAR, "1970", HD_ERANGE);
    refuse(CON_PERIOD_YEAR, "2262", HD_ERANGE);
}

static void what_is_written_otherwise_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",         "2026-1-01", "2026-11-211", "26-11-21", "2026/11/21", "2026-11-2a",
        "2026-w47", "2026-Q4",   "2026q4",      " 2026",    "2026 ",      "+026"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (unsigned unit = 0; unit < CON_PERIOD_UNITS; unit++) {
            refuse((enum con_period_unit)unit, texts[i], HD_EPARSE);
        }
    }
    for (unsigned unit = 0; unit < CON_PERIOD_UNITS; unit++) {
        (void)parse((enum con_period_unit)unit,
                    con_period_example((enum con_period_unit)unit));
    }
}

/* Nothing falls between two periods, and nothing into both. */
static void periods_of_a_unit_join(void **state)
{
    (void)state;
    static const char *const months[] = {"2026-10", "2026-11", "2026-12"};
    struct con_period quarter = parse(CON_PERIOD_QUARTER, "2026Q4");
    int64_t at_ns = quarter.since_ns;
    for (size_t i = 0; i < 3; i++) {
        struct con_period month = parse(CON_PERIOD_MONTH, months[i]);
        assert_true(month.since_ns == at_ns);
        at_ns = month.until_ns;
    }
    assert_true(at_ns == quarter.until_ns);
    assert_true(parse(CON_PERIOD_YEAR, "2026").until_ns ==
                parse(CON_PERIOD_QUARTER, "2027Q1").since_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_begin_and_end_at_midnight_of_the_zone),
        cmocka_unit_test(weeks_are_those_of_iso_8601),
        cmocka_unit_test(what_no_calendar_has_is_refused),
        cmocka_unit_test(what_is_written_otherwise_is_refused),
        cmocka_unit_test(periods_of_a_unit_join),
    };
    return cmocka_run_group_tests(tests, open_zone, close_zone);
}
