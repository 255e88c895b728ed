/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <haidang/alert.h>
#include <string.h>

#include "console/rows.h"

static bool is_not_b(const void *ctx, const json_t *row)
{
    (void)ctx;
    return strcmp(hd_alert_text(row, "id"), "b") != 0;
}

static void expect(const struct con_rows_how *how, const char *ids)
{
    char found[16] = "";
    json_t *all =
        json_loads("[{\"id\":\"a\",\"n\":1},{\"id\":\"b\",\"n\":9},{\"id\":\"c\"},"
                   "{\"id\":\"d\",\"n\":1},{\"id\":\"e\",\"n\":5}]",
                   0, NULL);
    json_t *rows = con_rows_sorted(all, how);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        found[i] = hd_alert_text(json_array_get(rows, i), "id")[0];
    }
    assert_string_equal(found, ids);
    json_decref(rows);
    json_decref(all);
}

static void the_largest_come_first_and_equal_ones_stay(void **state)
{
    (void)state;
    expect(&(struct con_rows_how){.compare = con_rows_by_number, .ctx = "n", .top = 9},
           "beadc");
    expect(&(struct con_rows_how){.compare = con_rows_by_number, .ctx = "n", .top = 2},
           "be");
    expect(
        &(struct con_rows_how){
            .is_wanted = is_not_b, .compare = con_rows_by_number, .ctx = "n", .top = 2},
        "ea");
}

static void nothing_is_no_rows(void **state)
{
    (void)state;
    json_t *rows = con_rows_sorted(
        NULL, &(struct con_rows_how){.compare = con_rows_by_number, .ctx = "n"});
    assert_int_equal(json_array_size(rows), 0);
    assert_non_null(rows);
    json_decref(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_come_first_and_equal_ones_stay),
        cmocka_unit_test(nothing_is_no_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
