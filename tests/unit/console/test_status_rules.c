/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <string.h>

#include "console/status_rules.h"

static json_t *answer(void)
{
    json_error_t error;
    json_t *all = json_loads("{\"rules\":["
                             "{\"title\":\"one\",\"hits\":5,\"cost_ns\":10,"
                             "\"changed\":\"group-by\","
                             "\"proven\":\"2026-11-21T10:00:00.000Z\"},"
                             "{\"title\":\"two\",\"hits\":7,\"cost_ns\":900,"
                             "\"title_vi\":\"hai\",\"noisy\":true},"
                             "{\"title\":\"three\",\"hits\":5,\"cost_ns\":20,"
                             "\"proven\":\"2026-11-20T10:00:00.000Z\"},"
                             "{\"title\":\"b\\u0007ell\"}]}",
                             0, &error);
    assert_non_null(all);
    return all;
}

static void expect_order(const char *by, size_t top, const char *const *titles, size_t n)
{
    json_t *all = answer();
    json_t *sorted = con_status_rules_sorted(all, by, top);
    assert_int_equal(json_array_size(sorted), n);
    for (size_t i = 0; i < n; i++) {
        const json_t *rule = json_array_get(sorted, i);
        assert_string_equal(json_string_value(json_object_get(rule, "title")), titles[i]);
    }
    json_decref(sorted);
    json_decref(all);
}

static void sorts_by_any_column(void **state)
{
    (void)state;
    static const char *const hits[] = {"two", "one", "three", "b\aell"};
    static const char *const costs[] = {"two", "three", "one"};
    expect_order("hits", 100, hits, 4);
    expect_order("hits", 1, hits, 1);
    expect_order("cost_ns", 3, costs, 3);
    /* never first, then longest ago */
    static const char *const proven[] = {"two", "b\aell", "three", "one"};
    expect_order("proven", 100, proven, 4);
}

static void shows_a_line_a_rule(void **state)
{
    (void)state;
    struct hd_buf out;
    json_t *all = answer();
    hd_buf_init(&out, 0);
    struct con_show show = {.is_vietnamese = true};
    assert_int_equal(hd_zone_open("UTC", &show.zone), HD_OK);
    con_status_rules_text(&show, json_object_get(all, "rules"), &out);
    con_show_fini(&show);
    const char *text = hd_buf_cstr(&out);
    assert_non_null(strstr(text, " -  hai  ! quá ồn\n"));
    assert_non_null(
        strstr(text, " 2026-11-21 10:00:00  one  * đếm lại từ đầu: đổi group-by\n"));
    assert_non_null(strstr(text, " three\n"));
    assert_null(strchr(text, '\a')); /* escaped */
    hd_buf_fini(&out);
    json_decref(all);
}

static void an_answer_without_rules_has_none(void **state)
{
    (void)state;
    json_t *empty = json_object();
    json_t *sorted = con_status_rules_sorted(empty, "hits", 5);
    assert_int_equal(json_array_size(sorted), 0);
    json_decref(sorted);
    json_decref(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorts_by_any_column),
        cmocka_unit_test(shows_a_line_a_rule),
        cmocka_unit_test(an_answer_without_rules_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
