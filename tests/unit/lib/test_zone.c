/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/alloc.h"
#include <haidang/clock.h>
#include <haidang/fs.h>

static struct hd_zone *open_zone(const char *name)
{
    struct hd_zone *zone = NULL;
    assert_int_equal(hd_zone_open(name, &zone), HD_OK);
    return zone;
}

static void fixed_offsets(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int offset_s;
    } cases[] = {
        {"UTC", 0}, {"+07:00", 25200}, {"-03:30", -12600}, {"Asia/Ho_Chi_Minh", 25200}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hd_zone *zone = open_zone(cases[i].name);
        assert_int_equal(hd_zone_offset_s(zone, INT64_C(1795247437) * HD_NS_PER_SEC),
                         cases[i].offset_s);
        hd_zone_close(zone);
    }
}

static void without_a_database(void **state)
{
    (void)state;
    struct hd_zone *zone = NULL;
    const char *dir = hd_test_tmpdir();
    assert_int_equal(hd_zone_open_in(dir, "Asia/Ho_Chi_Minh", &zone), HD_OK);
    assert_int_equal(hd_zone_offset_s(zone, 0), 25200);
    hd_zone_close(zone);
    assert_int_equal(hd_zone_open_in(dir, "Europe/Paris", &zone), HD_ENOENT);
}

static void bad_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      "/etc/passwd", "../UTC",  "a b", "+7:00",
                                      "+07:0", "+0700",       "+07:000", "-"};
    struct hd_zone *zone = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(hd_zone_open(bad[i], &zone), HD_EPARSE);
    }
    assert_int_equal(hd_zone_open("+25:00", &zone), HD_ERANGE);
    assert_int_equal(hd_zone_open("No/Such", &zone), HD_ENOENT);
    assert_null(zone);
}

/* The C library is the oracle; only this test changes TZ. */
static void agrees_with_the_c_library(void **state)
{
    (void)state;
    static const char *const names[] = {
        "Asia/Ho_Chi_Minh", "Europe/Paris",      "America/New_York",  "Australia/Sydney",
        "Asia/Tehran",      "America/Sao_Paulo", "Africa/Casablanca", "Europe/Dublin",
        "Asia/Gaza",        "America/Nuuk"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct hd_zone *zone = NULL;
        char path[128];
        (void)snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", names[i]);
        if (access(path, R_OK) != 0) {
            hd_test_skip("no tz database");
        }
        assert_int_equal(hd_zone_open(names[i], &zone), HD_OK);
        assert_int_equal(setenv("TZ", names[i], 1), 0);
        tzset();
        /* every 13 hours and a bit, 1970 to 2200 */
        for (int64_t s = 3; s < INT64_C(7258118400); s += 47111) {
            struct tm tm;
            time_t t = (time_t)s;
            assert_non_null(localtime_r(&t, &tm));
            if (hd_zone_offset_s(zone, s * HD_NS_PER_SEC) != (int)tm.tm_gmtoff) {
                print_error("%s at %lld\n", names[i], (long long)s);
                assert_int_equal(hd_zone_offset_s(zone, s * HD_NS_PER_SEC), tm.tm_gmtoff);
            }
        }
        hd_zone_close(zone);
    }
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

/* Version 2 with no transitions, one type and the given rule. */
static struct hd_buf make_file(const char *rule)
{
    struct hd_buf f;
    hd_buf_init(&f, 0);
    for (int block = 0; block < 2; block++) {
        hd_buf_bytes(&f, "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
        hd_buf_bytes(&f, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1", 24);
        hd_buf_bytes(&f, "\0\0\x0e\x10\0\0\0", 7);
    }
    hd_buf_printf(&f, "\n%s\n", rule);
    return f;
}

static int offset_by_rule(const char *rule, const char *at)
{
    struct hd_buf f = make_file(rule);
    struct hd_zone *zone = NULL;
    int64_t ns = 0;
    assert_int_equal(hd_zone_parse(hd_buf_slice(&f), &zone), HD_OK);
    assert_int_equal(hd_clock_parse_rfc3339(hd_slice_str(at), &ns), HD_OK);
    int offset = hd_zone_offset_s(zone, ns);
    hd_zone_close(zone);
    hd_buf_fini(&f);
    return offset;
}

static void rules_at_the_end(void **state)
{
    (void)state;
    static const char paris[] = "CET-1CEST,M3.5.0,M10.5.0/3";
    assert_int_equal(offset_by_rule(paris, "2050-03-27T00:59:59Z"), 3600);
    assert_int_equal(offset_by_rule(paris, "2050-03-27T01:00:00Z"), 7200);
    assert_int_equal(offset_by_rule(paris, "2050-10-30T00:59:59Z"), 7200);
    assert_int_equal(offset_by_rule(paris, "2050-10-30T01:00:00Z"), 3600);
    static const char julian[] = "AAA0BBB-1,J60/0,J61/0";
    assert_int_equal(offset_by_rule(julian, "2024-02-29T12:00:00Z"), 0);
    assert_int_equal(offset_by_rule(julian, "2024-03-01T12:00:00Z"), 3600);
    assert_int_equal(offset_by_rule("<+07>-7", "2024-03-01T12:00:00Z"), 25200);
    assert_int_equal(offset_by_rule("<-0330>3:30", "2024-03-01T12:00:00Z"), -12600);
    assert_int_equal(offset_by_rule("", "2024-03-01T12:00:00Z"), 3600);
}

static void damaged_files(void **state)
{
    (void)state;
    struct hd_zone *zone = NULL;
    static const char *const bad[] = {
        "A-1",    "CET",    "CET-1CEST", "CET-1CEST,M13.1.0,M1.1.0", "CET-1CEST,M3.5.0",
        "<+07-7", "CET-1x", "CET-999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct hd_buf f = make_file(bad[i]);
        assert_int_equal(hd_zone_parse(hd_buf_slice(&f), &zone), HD_ECORRUPT);
        hd_buf_fini(&f);
    }
    struct hd_buf f = make_file("UTC0");
    for (size_t len = 0; len < f.len; len++) {
        assert_int_equal(hd_zone_parse(hd_slice(f.ptr, len), &zone), HD_ECORRUPT);
    }
    f.ptr[4] = 0;
    assert_int_equal(hd_zone_parse(hd_buf_slice(&f), &zone), HD_EVERSION);
    hd_buf_fini(&f);
    assert_null(zone);
}

static void out_of_memory(void **state)
{
    (void)state;
    HD_TEST_ALLOC_EACH(n)
    {
        struct hd_zone *zone = NULL;
        int err = hd_zone_open("Asia/Ho_Chi_Minh", &zone);
        hd_test_alloc_stop();
        assert_true(err == (hd_test_alloc_failed() ? HD_ENOMEM : HD_OK));
        hd_zone_close(zone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_offsets),    cmocka_unit_test(without_a_database),
        cmocka_unit_test(bad_names),        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(rules_at_the_end), cmocka_unit_test(damaged_files),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
