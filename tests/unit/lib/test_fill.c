/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <string.h>

#include <haidang/clock.h>
#include <haidang/fill.h>

#define MINUTE (60 * HD_NS_PER_SEC)
#define HOUR   (60 * MINUTE)
#define DAY_S  86400
#define GIB    (UINT64_C(1) << 30)

static void passes_both_thresholds_and_comes_back_well_below(void **state)
{
    (void)state;
    static const struct {
        uint64_t used;
        enum hd_fill_state state;
        bool has_changed;
    } steps[] = {
        {79, HD_FILL_ROOM, false},    {80, HD_FILL_WARNING, true},
        {78, HD_FILL_WARNING, false}, {90, HD_FILL_ALARM, true},
        {87, HD_FILL_ALARM, false},   {86, HD_FILL_WARNING, true},
        {77, HD_FILL_WARNING, false}, {76, HD_FILL_ROOM, true},
        {100, HD_FILL_ALARM, true},   {120, HD_FILL_ALARM, false},
        {0, HD_FILL_ROOM, true},
    };
    struct hd_fill f;
    hd_fill_init(&f, 80, 90);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        assert_int_equal(hd_fill_look(&f, steps[i].used, 100, (int64_t)i),
                         steps[i].has_changed);
        assert_int_equal(f.state, steps[i].state);
    }
}

static void knows_thresholds_that_are_off_and_no_limit(void **state)
{
    (void)state;
    struct hd_fill f;
    hd_fill_init(&f, 0, 0);
    assert_false(hd_fill_look(&f, 100, 100, 0));
    assert_int_equal(hd_fill_percent(&f), 100);
    hd_fill_init(&f, 1, 2); /* no room for hysteresis below */
    assert_true(hd_fill_look(&f, 1, 100, 0));
    assert_true(hd_fill_look(&f, 0, 100, 0));
    assert_false(hd_fill_look(&f, 100, 0, 0));
    assert_int_equal(hd_fill_percent(&f), 0);
    assert_int_equal(hd_fill_left_s(&f), -1);
}

static void foresees_the_end_from_the_last_day(void **state)
{
    (void)state;
    struct hd_fill f;
    hd_fill_init(&f, 80, 90);
    (void)hd_fill_look(&f, 0, 1000 * GIB, 0);
    (void)hd_fill_look(&f, GIB, 1000 * GIB, 9 * MINUTE);
    assert_int_equal(hd_fill_left_s(&f), -1); /* too early to say */
    (void)hd_fill_look(&f, GIB, 1000 * GIB, HOUR);
    assert_int_equal(hd_fill_left_s(&f), 999 * 3600);
    /* then for days ten times faster: the slow beginning is forgotten */
    for (int64_t hour = 2; hour <= 49; hour++) {
        (void)hd_fill_look(&f, (uint64_t)(hour * 10) * GIB, 1000 * GIB, hour * HOUR);
    }
    assert_int_equal(hd_fill_left_s(&f), 51 * 3600);
    (void)hd_fill_look(&f, 100 * GIB, 1000 * GIB, 50 * HOUR); /* much was removed */
    assert_int_equal(hd_fill_left_s(&f), -1);
}

static void foresees_nothing_beyond_ten_years(void **state)
{
    (void)state;
    struct hd_fill f;
    hd_fill_init(&f, 80, 90);
    (void)hd_fill_look(&f, 0, 3700, 0);
    (void)hd_fill_look(&f, 1, 3700, DAY_S * HD_NS_PER_SEC);
    assert_int_equal(hd_fill_left_s(&f), -1);
}

static void says_it_in_words(void **state)
{
    (void)state;
    char text[128];
    struct hd_fill f;
    struct hd_buf out = hd_buf_fixed(text, sizeof(text));
    hd_fill_init(&f, 80, 90);
    (void)hd_fill_look(&f, 15 * GIB, 20 * GIB, 0);
    hd_fill_text(&f, &out);
    assert_string_equal(hd_buf_cstr(&out), "75 % (15.0 of 20.0 GiB)");
    hd_buf_clear(&out);
    (void)hd_fill_look(&f, 16 * GIB, 20 * GIB, 12 * HOUR);
    hd_fill_text(&f, &out);
    assert_string_equal(hd_buf_cstr(&out),
                        "80 % (16.0 of 20.0 GiB), full in 2.0 days at the present rate");
    hd_buf_clear(&out);
    (void)hd_fill_look(&f, 0, 100 << 20, 12 * HOUR);
    hd_fill_text(&f, &out);
    assert_string_equal(hd_buf_cstr(&out), "0 % (0.0 of 100.0 MiB)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_both_thresholds_and_comes_back_well_below),
        cmocka_unit_test(knows_thresholds_that_are_off_and_no_limit),
        cmocka_unit_test(foresees_the_end_from_the_last_day),
        cmocka_unit_test(foresees_nothing_beyond_ten_years),
        cmocka_unit_test(says_it_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
