/* SPDX-License-Identifier: Apache-2.0
 *
 * What an analyst asks for and what is shown.
 */
#include "tests/support/support.h"

#include <string.h>

#include "console/filter.h"
#include "console/show.h"

static const char sample[] =
    "{\"version\":1,\"id\":\"5b1f3c7e-0000-8000-8000-000000000001\",\"status\":\"new\","
    "\"time\":{\"first\":\"2026-11-21T07:50:37.123456Z\","
    "\"last\":\"2026-11-21T07:50:40.000000Z\","
    "\"published\":\"2026-11-21T07:50:41.000000Z\"},\"count\":6,"
    "\"rule\":{\"id\":\"r-1\",\"title\":\"SSH brute force\","
    "\"title_vi\":\"Dò mật khẩu SSH\",\"author\":\"Hải Đăng\","
    "\"license\":\"Apache-2.0\",\"level\":\"high\",\"tags\":[],"
    "\"type\":\"event_count\"},\"severity\":3,"
    "\"source\":{\"ip\":\"203.0.113.9\",\"port\":50123,\"geo\":{\"country_iso\":\"VN\"}},"
    "\"host\":{\"name\":\"web1\"},\"agent\":{\"name\":\"web1\"},"
    "\"system\":{\"id\":\"dvc\",\"name\":\"Cổng dịch vụ công\","
    "\"agency\":\"Văn phòng UBND tỉnh\",\"level\":3},"
    "\"evidence\":[{\"time\":\"2026-11-21T07:50:40.000000Z\",\"agent\":\"web1\","
    "\"boot\":\"00112233445566778899aabbccddeeff\",\"seq\":812,"
    "\"line\":\"Failed \\u001b[31m password\",\"sha256\":"
    "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","
    "\"truncated\":false}],\"order\":\"ambiguous\",\"suppressed\":4,\"delivery\":"
    "\"national\"}";

static json_t *sample_alert(void)
{
    char why[256];
    json_t *alert = NULL;
    if (hd_alert_parse(hd_slice_str(sample), &alert, why) != 0) {
        fail_msg("%s", why);
    }
    return alert;
}

static bool matches(const char *option, const char *value)
{
    struct con_filter filter;
    struct con_args args = {.options = con_commands[0].options};
    for (size_t i = 0; args.options[i].name != NULL; i++) {
        if (strcmp(args.options[i].name, option) == 0) {
            args.is_set[i] = true;
            args.value[i] = value;
        }
    }
    json_t *alert = sample_alert();
    assert_int_equal(con_filter_init(&filter, &args), 0);
    bool result = con_filter_match(&filter, alert);
    con_filter_fini(&filter);
    json_decref(alert);
    return result;
}

static void test_filters(void **state)
{
    (void)state;
    assert_true(matches("severity", "high"));
    assert_false(matches("severity", "critical"));
    assert_true(matches("rule", "brute"));
    assert_true(matches("rule", "do mat khau")); /* as typed: no case, no diacritics */
    assert_true(matches("rule", "r-1"));
    assert_false(matches("rule", "r-2"));
    assert_true(matches("host", "203.0.113"));
    assert_true(matches("system", "DICH VU CONG"));
    assert_true(matches("agency", "Văn phòng"));
    assert_false(matches("agency", "sở y tế"));
    assert_true(matches("text", "dich vu"));
    assert_false(matches("text", "nothing of the kind"));
}

static void test_bad_severity_is_refused(void **state)
{
    (void)state;
    struct con_filter filter;
    struct con_args args = {.options = con_commands[0].options};
    args.is_set[1] = true;
    args.value[1] = "awful";
    assert_string_equal(args.options[1].name, "severity");
    assert_int_equal(con_filter_init(&filter, &args), HD_EINVAL);
    con_filter_fini(&filter);
}

static struct hd_slice shown(const char *lang, struct hd_buf *out)
{
    struct con_show show;
    struct con_args args = {.options = con_commands[0].options};
    for (size_t i = 0; args.options[i].name != NULL; i++) {
        if (strcmp(args.options[i].name, "lang") == 0) {
            args.is_set[i] = true;
            args.value[i] = lang;
        }
    }
    json_t *alert = sample_alert();
    assert_int_equal(con_show_init(&show, &args), 0);
    show.has_colour = false;
    hd_buf_clear(out);
    con_show_alert(&show, alert, out);
    con_show_fini(&show);
    json_decref(alert);
    return hd_buf_slice(out);
}

static void test_alert_for_people(void **state)
{
    (void)state;
    struct hd_buf out;
    hd_buf_init(&out, 0);
    struct hd_slice text = shown("en", &out);
    const char *expected =
        "2026-11-21 14:50:40  HIGH      SSH brute force ×6  203.0.113.9:50123 VN  host "
        "web1  "
        "[Cổng dịch vụ công, level 3, Văn phòng UBND tỉnh]  (order not sure)  "
        "(+4 repeats)\n"
        "    Failed \\x1b[31m password\n";
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.ptr, expected, text.len);
    text = shown("vi", &out);
    assert_true(hd_slice_find(text, HD_SLICE("CAO")) != HD_NPOS);
    assert_true(hd_slice_find(text, HD_SLICE("Dò mật khẩu SSH")) != HD_NPOS);
    assert_true(hd_slice_find(text, HD_SLICE("cấp độ 3")) != HD_NPOS);
    assert_true(hd_slice_find(text, HD_SLICE("(thứ tự không chắc chắn)")) != HD_NPOS);
    hd_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_bad_severity_is_refused),
        cmocka_unit_test(test_alert_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
