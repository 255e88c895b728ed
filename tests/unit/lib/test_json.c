/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <jansson.h>
#include <string.h>

#include <haidang/json.h>

static void writes_every_kind(void **state)
{
    (void)state;
    struct hd_buf buf;
    hd_buf_init(&buf, 0);
    struct hd_json j = hd_json(&buf);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "s", "x");
    hd_json_u64(&j, "u", UINT64_MAX);
    hd_json_i64(&j, "i", INT64_MIN);
    hd_json_bool(&j, "t", true);
    hd_json_bool(&j, "f", false);
    hd_json_null(&j, "n");
    hd_json_time(&j, "at", 0, 3);
    hd_json_array(&j, "a");
    hd_json_u64(&j, NULL, 1);
    hd_json_object(&j, NULL);
    hd_json_end(&j, '}');
    hd_json_array(&j, NULL);
    hd_json_end(&j, ']');
    hd_json_end(&j, ']');
    hd_json_key(&j, HD_SLICE("k\"ey"));
    hd_json_u64(&j, NULL, 2);
    hd_json_key(&j, HD_SLICE("o"));
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "in", "side");
    hd_json_end(&j, '}');
    hd_json_end(&j, '}');
    assert_int_equal(buf.err, 0);
    assert_string_equal(hd_buf_cstr(&buf),
                        "{\"s\":\"x\",\"u\":18446744073709551615,"
                        "\"i\":-9223372036854775808,\"t\":true,\"f\":false,\"n\":null,"
                        "\"at\":\"1970-01-01T00:00:00.000Z\",\"a\":[1,{},[]],"
                        "\"k\\\"ey\":2,\"o\":{\"in\":\"side\"}}");
    hd_buf_fini(&buf);
}

static const char *quote(struct hd_slice s)
{
    static struct hd_buf buf;
    hd_buf_fini(&buf);
    hd_json_quote(&buf, s);
    return hd_buf_cstr(&buf);
}

static void escapes(void **state)
{
    (void)state;
    assert_string_equal(quote(HD_SLICE("a\"b\\c/\b\f\n\r\t\x01\x1f\x7f")),
                        "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    assert_string_equal(quote(HD_SLICE("nul\0end")), "\"nul\\u0000end\"");
    assert_string_equal(quote(HD_SLICE("\xc4\x90\xe1\xba\xa3o \xff\xc3")),
                        "\"\xc4\x90\xe1\xba\xa3o \xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string_equal(quote(HD_SLICE_EMPTY), "\"\"");
}

/* Every byte at every place of a word reads back as it was. */
static void jansson_reads_it_back(void **state)
{
    (void)state;
    for (unsigned c = 1; c < 128; c++) {
        for (size_t at = 0; at < 20; at++) {
            char text[21];
            memset(text, 'x', 20);
            text[20] = '\0';
            text[at] = (char)c;
            json_t *back = json_loads(quote(hd_slice(text, 20)), JSON_DECODE_ANY, NULL);
            assert_non_null(back);
            assert_string_equal(json_string_value(back), text);
            json_decref(back);
        }
    }
}

static void depth_is_bounded(void **state)
{
    (void)state;
    struct hd_buf buf;
    hd_buf_init(&buf, 0);
    struct hd_json j = hd_json(&buf);
    for (int i = 0; i < 31; i++) {
        hd_json_array(&j, NULL);
    }
    assert_int_equal(buf.err, 0);
    hd_json_array(&j, NULL);
    assert_int_equal(buf.err, HD_EBUG);
    hd_buf_clear(&buf);
    j = hd_json(&buf);
    hd_json_end(&j, '}');
    assert_int_equal(buf.err, HD_EBUG);
    hd_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_every_kind),
        cmocka_unit_test(escapes),
        cmocka_unit_test(jansson_reads_it_back),
        cmocka_unit_test(depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
