/* SPDX-License-Identifier: Apache-2.0
 *
 * Field names, log sources, event copies.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "rules/event.h"

static void test_fields(void **state)
{
    (void)state;
    struct rul_fields *fields;
    uint16_t id;
    assert_int_equal(rul_fields_new(&fields), 0);
    assert_int_equal(rul_fields_count(fields), RUL_F_WELL_KNOWN);
    assert_int_equal(rul_fields_find(fields, HD_SLICE("source.ip")), RUL_F_SOURCE_IP);
    assert_int_equal(rul_fields_find(fields, HD_SLICE("Source.IP")), RUL_FIELD_NONE);
    assert_int_equal(rul_fields_add(fields, HD_SLICE("message"), &id), 0);
    assert_int_equal(id, RUL_F_MESSAGE);
    assert_int_equal(rul_fields_add(fields, HD_SLICE("cs-uri"), &id), 0);
    assert_int_equal(id, RUL_F_WELL_KNOWN);
    assert_true(hd_slice_eq(rul_fields_name(fields, id), HD_SLICE("cs-uri")));
    assert_int_equal(rul_fields_name(fields, (uint16_t)(id + 1)).len, 0);
    rul_fields_free(fields);
}

static void test_fields_limit(void **state)
{
    (void)state;
    struct rul_fields *fields;
    uint16_t id;
    assert_int_equal(rul_fields_new(&fields), 0);
    for (unsigned i = RUL_F_WELL_KNOWN; i < RUL_FIELDS_MAX; i++) {
        char name[16];
        int len = snprintf(name, sizeof(name), "f%u", i);
        assert_int_equal(rul_fields_add(fields, hd_slice(name, (size_t)len), &id), 0);
        assert_int_equal(id, i);
    }
    assert_int_equal(rul_fields_add(fields, HD_SLICE("one-more"), &id), HD_ELIMIT);
    assert_int_equal(rul_fields_find(fields, HD_SLICE("f4000")), 4000);
    assert_int_equal(rul_fields_find(fields, HD_SLICE("one-more")), RUL_FIELD_NONE);
    rul_fields_free(fields);
}

static void test_logsource(void **state)
{
    (void)state;
    struct rul_logsource event = {HD_SLICE("linux"), HD_SLICE(""), HD_SLICE("sshd")};
    struct rul_logsource any = {0};
    struct rul_logsource product = {.product = HD_SLICE("Linux")};
    struct rul_logsource other = {HD_SLICE("linux"), HD_SLICE(""), HD_SLICE("cron")};
    struct rul_logsource category = {.category = HD_SLICE("webserver")};
    assert_true(rul_logsource_covers(&any, &event));
    assert_true(rul_logsource_covers(&product, &event));
    assert_true(rul_logsource_covers(&event, &event));
    assert_false(rul_logsource_covers(&other, &event));
    assert_false(rul_logsource_covers(&category, &event));
}

static void test_values(void **state)
{
    (void)state;
    struct rul_event *ev = calloc(1, sizeof(*ev));
    assert_non_null(ev);
    for (uint16_t i = 0; i < RUL_EVENT_VALUES_MAX + 3; i++) {
        rul_event_set(ev, (uint16_t)(i * 7), HD_SLICE("v"));
    }
    assert_int_equal(ev->n, RUL_EVENT_VALUES_MAX);
    assert_int_equal(ev->lost, 3);
    rul_event_set(ev, 7, HD_SLICE("w"));
    assert_int_equal(ev->n, RUL_EVENT_VALUES_MAX);
    assert_true(hd_slice_eq(rul_event_get(ev, 7), HD_SLICE("w")));
    rul_event_clear(ev);
    assert_int_equal(ev->n, 0);
    for (uint16_t i = 0; i < RUL_FIELDS_MAX; i++) {
        assert_false(rul_event_has(ev, i));
    }
    free(ev);
}

static void test_copy(void **state)
{
    (void)state;
    char line[] = "user root from 192.0.2.1";
    char made[] = "unescaped", decoder[] = "sshd";
    struct rul_event *ev = calloc(1, sizeof(*ev));
    struct rul_event_copy *copy;
    assert_non_null(ev);
    ev->raw = hd_slice_str(line);
    ev->time_ns = 5;
    ev->class_id = 3;
    ev->decoder = decoder;
    rul_event_set(ev, RUL_F_USER_NAME, hd_slice(line + 5, 4));
    rul_event_set(ev, RUL_F_MESSAGE, hd_slice_str(made));
    rul_event_set(ev, RUL_F_URL_PATH, HD_SLICE_EMPTY);
    assert_int_equal(rul_event_copy(ev, &copy), 0);
    memset(line, 'x', sizeof(line));
    memset(made, 'x', sizeof(made));
    memset(decoder, 'x', sizeof(decoder));
    free(ev);
    assert_string_equal(copy->decoder, "sshd");
    assert_null(copy->pattern);
    assert_int_equal(copy->time_ns, 5);
    assert_int_equal(copy->n, 3);
    assert_true(hd_slice_eq(copy->raw, HD_SLICE("user root from 192.0.2.1")));
    assert_true(hd_slice_eq(rul_event_copy_get(copy, RUL_F_USER_NAME), HD_SLICE("root")));
    assert_ptr_equal(rul_event_copy_get(copy, RUL_F_USER_NAME).ptr, copy->raw.ptr + 5);
    assert_true(
        hd_slice_eq(rul_event_copy_get(copy, RUL_F_MESSAGE), HD_SLICE("unescaped")));
    assert_int_equal(rul_event_copy_get(copy, RUL_F_SOURCE_IP).len, 0);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),    cmocka_unit_test(test_fields_limit),
        cmocka_unit_test(test_logsource), cmocka_unit_test(test_values),
        cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
