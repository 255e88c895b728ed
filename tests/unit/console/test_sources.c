/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <string.h>

#include "console/sources.h"

static json_t *answer(void)
{
    json_error_t error;
    json_t *all = json_loads(
        "{\"sources\":["
        "{\"host\":\"b\",\"name\":\"/"
        "x\",\"agent\":\"b\",\"kind\":\"file\",\"state\":\"ok\","
        "\"last_seen\":\"2026-11-21T07:50:37Z\",\"lines_today\":7,\"clock_ms\":-1500},"
        "{\"host\":\"a\\u0007\",\"state\":\"ok\"},"
        "{\"host\":\"c\",\"state\":\"silent\"},{\"host\":\"d\",\"state\":\"agent-lost\"},"
        "{\"host\":\"e\",\"state\":\"of another "
        "version\"},{\"host\":\"f\",\"state\":\"clock\"}],"
        "\"left_off\":3,\"unmonitored\":[{\"id\":\"dvc\",\"name\":\"Cổng\",\"level\":3}]"
        "}",
        0, &error);
    assert_non_null(all);
    return all;
}

static void expect(bool only_silent, const char *const *hosts, size_t n)
{
    json_t *all = answer();
    json_t *rows = con_sources_sorted(all, only_silent);
    assert_int_equal(json_array_size(rows), n);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(
            json_string_value(json_object_get(json_array_get(rows, i), "host")),
            hosts[i]);
    }
    json_decref(rows);
    json_decref(all);
}

static void the_worst_comes_first(void **state)
{
    (void)state;
    static const char *const hosts[] = {"d", "c", "f", "a\a", "b", "e"};
    expect(false, hosts, 6);
    expect(true, hosts, 2);
}

static void says_all_of_a_source(void **state)
{
    (void)state;
    struct hd_buf out;
    json_t *all = answer();
    json_t *rows = con_sources_sorted(all, false);
    struct con_show show = {.is_vietnamese = true};
    assert_int_equal(hd_zone_open("UTC", &show.zone), HD_OK);
    hd_buf_init(&out, 0);
    con_sources_text(&show, all, rows, &out);
    const char *text = hd_buf_cstr(&out);
    assert_non_null(strstr(text, "2026-11-21 07:50:37"));
    assert_non_null(strstr(text, "-1.5  b file /x  (tác tử b)  tốt\n"));
    assert_non_null(strstr(text, "IM LẶNG\n"));
    assert_non_null(strstr(text, "KHÔNG ĐƯỢC GIÁM SÁT  Cổng (dvc), cấp độ 3\n"));
    assert_non_null(strstr(text, "3 nguồn khác không hiển thị\n"));
    assert_null(strchr(text, '\a')); /* escaped */
    hd_buf_fini(&out);
    json_decref(rows);
    json_decref(all);
    hd_zone_close(show.zone);
}

static struct con_systems systems_of(const char *csv)
{
    struct con_systems systems = {0};
    struct hd_diags diags = {0};
    assert_int_equal(
        hd_inventory_parse(hd_slice_str(csv), "x.csv", &systems.inventory, &diags),
        HD_OK);
    return systems;
}

static void sources_are_of_systems(void **state)
{
    (void)state;
    struct hd_buf out;
    json_t *all = answer();
    struct con_systems systems = systems_of(
        "id,name,agency,level,hosts\ndvc,Portal,A,3,b\nmail,Mail,B,,c\nx,X,A,4,x\n");
    struct con_show show = {0};
    assert_int_equal(hd_zone_open("UTC", &show.zone), HD_OK);
    hd_buf_init(&out, 0);
    assert_int_equal(con_sources_systems(all, &systems), HD_OK);
    con_sources_text(&show, all, json_object_get(all, "sources"), &out);
    const char *text = hd_buf_cstr(&out);
    assert_non_null(strstr(text, "(agent b)  ok  [Portal, level 3, A]\n"));
    assert_non_null(strstr(text, "SILENT  [Mail, B]\n"));
    assert_non_null(strstr(text, "AGENT LOST\n"));

    bool is_wanted[] = {false, true, false};
    systems.is_chosen = true;
    systems.is_wanted = is_wanted;
    assert_int_equal(con_sources_systems(all, &systems), HD_OK);
    assert_int_equal(json_array_size(json_object_get(all, "sources")), 1);
    assert_int_equal(json_array_size(json_object_get(all, "unmonitored")), 0);
    systems.is_wanted = NULL;
    con_systems_fini(&systems);
    hd_buf_fini(&out);
    hd_zone_close(show.zone);
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_comes_first),
        cmocka_unit_test(says_all_of_a_source),
        cmocka_unit_test(sources_are_of_systems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
