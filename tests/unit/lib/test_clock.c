/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <string.h>
#include <time.h>

#include <haidang/clock.h>

static int parse(const char *text, int64_t *ns)
{
    return hd_clock_parse_rfc3339(hd_slice_str(text), ns);
}

static void fake_and_real(void **state)
{
    (void)state;
    int64_t wall = 5;
    int64_t mono = 6;
    hd_clock_fake(&wall, &mono);
    assert_int_equal(hd_clock_wall_ns(), 5);
    mono = 7;
    assert_int_equal(hd_clock_mono_ns(), 7);
    hd_clock_fake(NULL, NULL);
    assert_true(hd_clock_wall_ns() > INT64_C(1700000000) * HD_NS_PER_SEC);
    int64_t before = hd_clock_mono_ns();
    assert_true(hd_clock_mono_ns() >= before);
}

static void civil_agrees_with_timegm(void **state)
{
    (void)state;
    /* every 9.7 hours from 1970 to 2262 */
    for (int64_t s = 0; s < INT64_C(9223286399); s += 35029) {
        struct hd_civil c;
        struct tm tm;
        time_t t = (time_t)s;
        int64_t back = 0;
        hd_clock_to_civil(s * HD_NS_PER_SEC + 1, &c);
        assert_non_null(gmtime_r(&t, &tm));
        assert_int_equal(c.year, tm.tm_year + 1900);
        assert_int_equal(c.month, tm.tm_mon + 1);
        assert_int_equal(c.day, tm.tm_mday);
        assert_int_equal(c.hour, tm.tm_hour);
        assert_int_equal(c.minute, tm.tm_min);
        assert_int_equal(c.second, tm.tm_sec);
        assert_int_equal(hd_clock_from_civil(&c, &back), HD_OK);
        assert_true(back == s * HD_NS_PER_SEC + 1);
    }
}

static void times_before_1970(void **state)
{
    (void)state;
    char text[HD_RFC3339_LEN + 1];
    assert_int_equal(hd_clock_format_rfc3339(-1, 9, text), 30);
    assert_string_equal(text, "1969-12-31T23:59:59.999999999Z");
    assert_int_equal(hd_clock_format_rfc3339(INT64_MIN, 0, text), 20);
    assert_string_equal(text, "1677-09-21T00:12:43Z");
    (void)hd_clock_format_rfc3339(INT64_MAX, 9, text);
    assert_string_equal(text, "2262-04-11T23:47:16.854775807Z");
}

static void impossible_dates_are_refused(void **state)
{
    (void)state;
    static const char *const range[] = {
        "2026-02-30T00:00:00Z",      "2025-02-29T00:00:00Z",
        "2026-11-31T00:00:00Z",      "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",      "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",      "2026-01-01T14:99:16Z",
        "2026-01-01T00:00:61Z",      "2026-01-01T12:00:60Z",
        "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+07:60",
        "1969-12-31T23:59:59Z",      "2263-01-01T00:00:00Z",
        "2262-12-31T00:00:00Z",      "2262-04-11T23:00:00-07:00",
        "2100-02-29T00:00:00Z",
    };
    static const char *const form[] = {
        "",
        "2026-11-21",
        "2026-11-21T07:50:37",
        "2026-11-21 07:50:37Z",
        "2026-11-21T07:50Z",
        "2026-11-21T07:50:37.Z",
        "2026-11-21T07:50:37+0700",
        "2026-11-21T07:50:37Z ",
        "26-11-21T07:50:37Z",
        "2026-11-21T7:50:37Z",
        "2026-11-21T07:50:37+7:00",
        "+026-11-21T07:50:37Z",
    };
    int64_t ns = 42;
    for (size_t i = 0; i < sizeof(range) / sizeof(range[0]); i++) {
        assert_int_equal(parse(range[i], &ns), HD_ERANGE);
    }
    for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
        assert_int_equal(parse(form[i], &ns), HD_EPARSE);
    }
    assert_int_equal(ns, 42);
}

static void rfc3339_round_trip(void **state)
{
    (void)state;
    int64_t ns = 0;
    char text[HD_RFC3339_LEN + 1];
    assert_int_equal(parse("2026-11-21T07:50:37.123456+07:00", &ns), HD_OK);
    assert_int_equal(hd_clock_format_rfc3339(ns, 6, text), 27);
    assert_string_equal(text, "2026-11-21T00:50:37.123456Z");
    (void)hd_clock_format_rfc3339(ns, 3, text);
    assert_string_equal(text, "2026-11-21T00:50:37.123Z");
    assert_int_equal(parse("2026-11-21t07:50:37.1234567899z", &ns), HD_OK);
    (void)hd_clock_format_rfc3339(ns, 9, text);
    assert_string_equal(text, "2026-11-21T07:50:37.123456789Z");
    assert_int_equal(parse("1990-12-31T15:59:60-08:00", &ns), HD_OK);
    (void)hd_clock_format_rfc3339(ns, 0, text);
    assert_string_equal(text, "1991-01-01T00:00:00Z");
    assert_int_equal(parse("2024-02-29T00:00:00-00:00", &ns), HD_OK);
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    static const char whole[] = "2026-11-21T07:50:37.123456+07:00";
    int64_t ns = 0;
    for (size_t len = 0; len < strlen(whole); len++) {
        assert_int_equal(hd_clock_parse_rfc3339(hd_slice(whole, len), &ns), HD_EPARSE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fake_and_real),
        cmocka_unit_test(civil_agrees_with_timegm),
        cmocka_unit_test(times_before_1970),
        cmocka_unit_test(impossible_dates_are_refused),
        cmocka_unit_test(rfc3339_round_trip),
        cmocka_unit_test(every_prefix_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
