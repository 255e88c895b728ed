/* SPDX-License-Identifier: Apache-2.0
 *
 * The time zone that a source declares: it says what an RFC 3164 time means.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "rules/decode/decode.h"
#include "rules/decode/zones.h"

#define RECEIVED INT64_C(1795251000000000000) /* 2026-11-21T08:50:00Z */

static int64_t offset(struct rul_zones *zones, const char *name,
                      const struct hd_zone *otherwise)
{
    const struct hd_zone *zone = rul_zones_find(zones, hd_slice_str(name), otherwise);
    assert_non_null(zone);
    return hd_zone_offset_s(zone, RECEIVED);
}

static void test_names_offsets_and_nonsense(void **state)
{
    (void)state;
    struct rul_zones zones = {0};
    struct hd_zone *utc = NULL;
    assert_int_equal(hd_zone_open("UTC", &utc), 0);
    for (int twice = 0; twice < 2; twice++) {
        assert_int_equal(offset(&zones, "+07:00", utc), 7 * 3600);
        assert_int_equal(offset(&zones, "Asia/Ho_Chi_Minh", utc), 7 * 3600);
        assert_int_equal(offset(&zones, "-03:30", utc), -(3 * 3600 + 1800));
        assert_int_equal(offset(&zones, "", utc), 0);
        assert_int_equal(offset(&zones, "No/Such_Zone", utc), 0);
        assert_int_equal(offset(&zones, "../../../etc/passwd", utc), 0);
    }
    assert_int_equal(zones.n, 5);
    rul_zones_close(&zones);
    hd_zone_close(utc);
}

static void test_more_zones_than_are_kept(void **state)
{
    (void)state;
    struct rul_zones zones = {0};
    struct hd_zone *utc = NULL;
    assert_int_equal(hd_zone_open("UTC", &utc), 0);
    for (int round = 0; round < 3; round++) {
        for (int hour = 1; hour <= 12; hour++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "+%02d:00", hour);
            assert_int_equal(offset(&zones, name, utc), hour * 3600);
        }
    }
    assert_int_equal(zones.n, RUL_ZONES_MAX);
    rul_zones_close(&zones);
    hd_zone_close(utc);
}

static int64_t time_of(const struct rul_decoders *decoders, const char *zone)
{
    struct rul_decode_scratch *scratch = NULL;
    struct rul_event *ev = calloc(1, sizeof(*ev));
    assert_non_null(ev);
    assert_int_equal(rul_decode_scratch_new(&scratch), 0);
    const struct hd_batch_source source = {.host = HD_SLICE("web1"),
                                           .format = HD_SLICE("syslog"),
                                           .zone = hd_slice_str(zone)};
    const struct rul_record record = {
        .source = &source,
        .recv_ns = RECEIVED,
        .line =
            HD_SLICE("<38>Nov 21 08:49:58 web1 sshd[1]: Connection closed by 192.0.2.1"),
    };
    rul_decode(decoders, scratch, &record, ev);
    assert_true(ev->has_own_time);
    int64_t ns = ev->time_ns;
    rul_decode_scratch_free(scratch);
    free(ev);
    return ns;
}

static void test_an_event_is_dated_in_the_zone_of_its_source(void **state)
{
    (void)state;
    struct rul_fields *fields = NULL;
    struct rul_decoders *decoders = NULL;
    struct hd_diags diags = {0};
    const struct rul_decoders_opts opts = {.dir = hd_test_source("rules/decoders"),
                                           .time_zone = "Asia/Ho_Chi_Minh"};
    assert_int_equal(rul_fields_new(&fields), 0);
    assert_int_equal(rul_decoders_load(&opts, fields, &decoders, &diags), 0);
    int64_t in_utc = RECEIVED - 2 * HD_NS_PER_SEC;
    assert_int_equal(time_of(decoders, "UTC"), in_utc);
    assert_int_equal(time_of(decoders, "+01:00"), in_utc - 3600 * HD_NS_PER_SEC);
    assert_int_equal(time_of(decoders, ""), in_utc - 7 * 3600 * HD_NS_PER_SEC);
    rul_decoders_free(decoders);
    rul_fields_free(fields);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_offsets_and_nonsense),
        cmocka_unit_test(test_more_zones_than_are_kept),
        cmocka_unit_test(test_an_event_is_dated_in_the_zone_of_its_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
