/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/alert.h>
#include <haidang/fs.h>
#include <haidang/num.h>

static json_t *samples;

static int load_samples(void **state)
{
    (void)state;
    json_error_t error;
    samples =
        json_load_file(hd_test_source("tests/unit/lib/alert_samples.json"), 0, &error);
    return samples == NULL ? -1 : 0;
}

static int drop_samples(void **state)
{
    (void)state;
    json_decref(samples);
    return 0;
}

static json_t *step(json_t *at, struct hd_slice key)
{
    char name[64];
    uint64_t index = 0;
    (void)snprintf(name, sizeof(name), "%.*s", HD_SLICE_FMT(key));
    if (json_is_object(at)) {
        return json_object_get(at, name);
    }
    assert_int_equal(hd_num_u64(key, 100, &index), HD_OK);
    return json_array_get(at, index);
}

/* The base sample with one member set or removed. */
static json_t *changed(const json_t *sample)
{
    const char *pointer = json_string_value(json_array_get(sample, 0));
    json_t *value = json_array_get(sample, 1);
    json_t *alert = json_deep_copy(json_object_get(samples, "base"));
    json_t *at = alert;
    struct hd_slice rest = hd_slice_str(pointer + 1);
    struct hd_slice key;
    assert_true(hd_slice_split(&rest, '/', &key));
    while (rest.ptr != NULL && rest.len > 0) {
        at = step(at, key);
        assert_non_null(at);
        assert_true(hd_slice_split(&rest, '/', &key));
    }
    char name[64];
    (void)snprintf(name, sizeof(name), "%.*s", HD_SLICE_FMT(key));
    if (json_is_array(at)) {
        assert_int_equal(json_array_set(at, 0, value), 0);
    } else if (json_is_string(value) && strcmp(json_string_value(value), "REMOVE") == 0) {
        assert_int_equal(json_object_del(at, name), 0);
    } else {
        assert_int_equal(json_object_set(at, name, value), 0);
    }
    return alert;
}

static void test_base(void **state)
{
    (void)state;
    char why[256];
    assert_int_equal(hd_alert_check(json_object_get(samples, "base"), why), HD_OK);
    assert_string_equal(why, "");
}

static void test_valid_samples(void **state)
{
    (void)state;
    size_t i = 0;
    json_t *sample = NULL;
    json_array_foreach(json_object_get(samples, "valid"), i, sample)
    {
        char why[256];
        json_t *alert = changed(sample);
        if (hd_alert_check(alert, why) != HD_OK) {
            fail_msg("%s: %s", json_string_value(json_array_get(sample, 0)), why);
        }
        json_decref(alert);
    }
    assert_true(i > 40);
}

static void test_invalid_samples(void **state)
{
    (void)state;
    size_t i = 0;
    json_t *sample = NULL;
    json_array_foreach(json_object_get(samples, "invalid"), i, sample)
    {
        char why[256];
        const char *pointer = json_string_value(json_array_get(sample, 0));
        json_t *alert = changed(sample);
        if (hd_alert_check(alert, why) != HD_EPARSE) {
            fail_msg("sample %zu, %s, passes", i, pointer);
        }
        /* the message names the member */
        if (strncmp(why, pointer, strlen(pointer)) != 0) {
            fail_msg("%s: said \"%s\"", pointer, why);
        }
        json_decref(alert);
    }
    assert_true(i > 80);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct hd_buf out;
    struct hd_buf again;
    char why[256];
    hd_buf_init(&out, 0);
    hd_buf_init(&again, 0);
    json_t *base = json_deep_copy(json_object_get(samples, "base"));
    assert_int_equal(json_object_set_new(base, "zz_unknown", json_integer(7)), 0);
    assert_int_equal(hd_alert_format(base, &out), HD_OK);
    json_t *alert = NULL;
    assert_int_equal(hd_alert_parse(hd_buf_slice(&out), &alert, why), HD_OK);
    assert_true(json_equal(alert, base));
    assert_int_equal(hd_alert_format(alert, &again), HD_OK);
    assert_true(hd_slice_eq(hd_buf_slice(&out), hd_buf_slice(&again)));
    assert_null(memchr(out.ptr, '\n', out.len));
    const char *text = hd_buf_cstr(&out);
    assert_true(strstr(text, "{\"version\":1,\"id\":\"5b1f") == text);
    assert_non_null(strstr(text, "\"title_vi\":\"Dò mật khẩu SSH\",\"description\""));
    assert_non_null(strstr(text, "\"delivery\":\"national\",\"zz_unknown\":7}"));
    json_decref(alert);
    json_decref(base);
    hd_buf_fini(&out);
    hd_buf_fini(&again);
}

static void test_bad_text(void **state)
{
    (void)state;
    json_t *alert = NULL;
    char why[256];
    char *big = malloc(HD_ALERT_TEXT_MAX + 1);
    memset(big, ' ', HD_ALERT_TEXT_MAX + 1);
    assert_int_equal(hd_alert_parse(hd_slice(big, HD_ALERT_TEXT_MAX + 1), &alert, why),
                     HD_EPARSE);
    assert_non_null(strstr(why, "longer"));
    assert_int_equal(hd_alert_parse(HD_SLICE(""), &alert, why), HD_EPARSE);
    assert_int_equal(hd_alert_parse(HD_SLICE("{"), &alert, why), HD_EPARSE);
    assert_non_null(strstr(why, "not JSON"));
    assert_int_equal(hd_alert_parse(HD_SLICE("[]"), &alert, why), HD_EPARSE);
    assert_string_equal(why, "(alert): must be an object");
    assert_int_equal(
        hd_alert_parse(HD_SLICE("{\"version\":1,\"version\":1}"), &alert, why),
        HD_EPARSE);
    assert_int_equal(hd_alert_parse(HD_SLICE("{}x"), &alert, why), HD_EPARSE);
    memset(big, '[', HD_ALERT_TEXT_MAX);
    assert_int_equal(hd_alert_parse(hd_slice(big, HD_ALERT_TEXT_MAX), &alert, why),
                     HD_EPARSE);
    assert_null(alert);
    free(big);
    struct hd_buf out;
    hd_buf_init(&out, 0);
    json_t *empty = json_object();
    assert_int_equal(hd_alert_format(empty, &out), HD_EINVAL);
    assert_int_equal(out.len, 0);
    json_decref(empty);
    hd_buf_fini(&out);
}

static void test_getters(void **state)
{
    (void)state;
    const json_t *base = json_object_get(samples, "base");
    int64_t ns = 0;
    assert_string_equal(hd_alert_text(base, "source.ip"), "203.0.113.9");
    assert_string_equal(hd_alert_text(base, "source.geo.city"), "Hue");
    assert_string_equal(hd_alert_text(base, "group.source.ip"), "203.0.113.9");
    assert_string_equal(hd_alert_text(base, "source.none"), "");
    assert_string_equal(hd_alert_text(base, "none.ip"), "");
    assert_string_equal(hd_alert_text(base, "count"), "");
    assert_string_equal(hd_alert_text(base, ""), "");
    assert_int_equal(hd_alert_int(base, "source.port", -1), 50123);
    assert_int_equal(hd_alert_int(base, "source.ip", -1), -1);
    assert_int_equal(hd_alert_int(base, "x", 9), 9);
    assert_true(json_is_array(hd_alert_at(base, "rule.tags")));
    assert_int_equal(hd_alert_time(base, "time.last", &ns), HD_OK);
    assert_int_equal(ns, INT64_C(1795247460000000000));
    assert_int_equal(hd_alert_time(base, "time.x", &ns), HD_ENOENT);
    assert_int_equal(hd_alert_time(base, "id", &ns), HD_EPARSE);
    assert_int_equal(hd_alert_time(base, "count", &ns), HD_EPARSE);
}

static void test_id(void **state)
{
    (void)state;
    char a[37];
    char b[37];
    assert_int_equal(hd_alert_id(HD_SLICE("rule"), HD_SLICE("g"), HD_SLICE("p"), a),
                     HD_OK);
    assert_int_equal(hd_alert_id(HD_SLICE("rule"), HD_SLICE("g"), HD_SLICE("p"), b),
                     HD_OK);
    assert_string_equal(a, b);
    /* computed by another program from docs/formats/alert.md */
    assert_string_equal(a, "6cec12d7-f9fa-824a-93e0-ca29826ed395");
    assert_int_equal(hd_alert_id(HD_SLICE("ruleg"), HD_SLICE(""), HD_SLICE("p"), b),
                     HD_OK);
    assert_string_not_equal(a, b);
}

static void test_severity(void **state)
{
    (void)state;
    enum hd_severity s;
    assert_string_equal(hd_severity_name(HD_SEV_CRITICAL), "critical");
    assert_string_equal(hd_severity_name((enum hd_severity)9), "unknown");
    assert_int_equal(hd_severity_parse(HD_SLICE("Medium"), &s), HD_OK);
    assert_int_equal(s, HD_SEV_MEDIUM);
    assert_int_equal(hd_severity_parse(HD_SLICE("severe"), &s), HD_EPARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_valid_samples),
        cmocka_unit_test(test_invalid_samples),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_getters),
        cmocka_unit_test(test_id),
        cmocka_unit_test(test_severity),
    };
    return cmocka_run_group_tests(tests, load_samples, drop_samples);
}
