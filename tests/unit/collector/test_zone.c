/* SPDX-License-Identifier: Apache-2.0
 *
 * Which time zone a source declares.
 */
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#include "collector/source/zone.h"
#include <haidang/clock.h>

static void expect(const struct col_conf_source *conf, const char *zone)
{
    const struct col_source_env env = {.zone = HD_SLICE("Europe/Paris")};
    struct hd_slice got = col_zone_of(conf, &env);
    assert_int_equal(got.len, strlen(zone));
    assert_memory_equal(got.ptr, zone, got.len);
}

static void test_what_is_written_here_is_in_our_zone(void **state)
{
    (void)state;
    char any[] = ":514";
    char here[] = "127.0.0.1:514";
    char here6[] = "[::1]:514";
    char told[] = "+07:00";
    expect(&(struct col_conf_source){.kind = COL_KIND_FILE}, "Europe/Paris");
    expect(&(struct col_conf_source){.kind = COL_KIND_STDIN}, "Europe/Paris");
    expect(&(struct col_conf_source){.kind = COL_KIND_SYSLOG_UDP, .listen = here},
           "Europe/Paris");
    expect(&(struct col_conf_source){.kind = COL_KIND_SYSLOG_TCP, .listen = here6},
           "Europe/Paris");
    expect(&(struct col_conf_source){.kind = COL_KIND_SYSLOG_TCP, .listen = any}, "");
    expect(&(struct col_conf_source){.kind = COL_KIND_SYSLOG_TCP,
                                     .listen = any,
                                     .time_zone = told},
           "+07:00");
    expect(&(struct col_conf_source){.kind = COL_KIND_FILE, .time_zone = told}, "+07:00");
}

static void test_own_zone_follows_the_environment(void **state)
{
    (void)state;
    char zone[COL_ZONE_MAX];
    assert_int_equal(setenv("TZ", "Asia/Ho_Chi_Minh", 1), 0);
    col_zone_own(zone);
    assert_string_equal(zone, "Asia/Ho_Chi_Minh");
    assert_int_equal(setenv("TZ", "No/Such_Zone", 1), 0);
    col_zone_own(zone); /* the machine's, whatever it is: a zone that can be opened */
    struct hd_zone *opened = NULL;
    assert_int_equal(hd_zone_open(zone, &opened), 0);
    hd_zone_close(opened);
    assert_int_equal(unsetenv("TZ"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_here_is_in_our_zone),
        cmocka_unit_test(test_own_zone_follows_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
