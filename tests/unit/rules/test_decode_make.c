/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields that decoders put together, tables, and members that are restored.
 */
#include "tests/support/support.h"

#include <stdlib.h>

#include <haidang/buf.h>

#include "rules/decode/decoder.h"
#include "rules/decode/fill.h"

static const char yaml[] =
    "table: numbers\n"
    "values: {1: one, 2: two}\n"
    "---\n"
    "decoder: d\n"
    "match: {json: {}}\n"
    "logsource: {product: p}\n"
    "\"null\": \"-\"\n"
    "restore: [w.data]\n"
    "map: {dir: path}\n"
    "make:\n"
    "  - {field: path, text: '<dir>/<file>'}\n"
    "  - {field: command, text: '<words>'}\n"
    "  - {field: name, text: '<number>', table: numbers, when: {kind: [a, b]}}\n"
    "  - {field: both, text: '<name>: <path>'}\n"
    "time: [Image, UserName]\n"; /* so that these are names */

static struct rul_fields *fields;
static struct rul_decoders *decoders;
static struct rul_decode_scratch *scratch;
static struct rul_event *ev;

static int set_up(void **state)
{
    (void)state;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    struct rul_decoders_opts opts = {.dir = "d.yml"};
    ev = calloc(1, sizeof(*ev));
    assert_non_null(ev);
    assert_int_equal(rul_fields_new(&fields), 0);
    assert_int_equal(
        rul_decoders_load_text(&opts, hd_slice_str(yaml), fields, &decoders, &diags), 0);
    return rul_decode_scratch_new(&scratch);
}

static int tear_down(void **state)
{
    (void)state;
    rul_decode_scratch_free(scratch);
    rul_decoders_free(decoders);
    rul_fields_free(fields);
    free(ev);
    return 0;
}

static void decode(struct hd_slice line)
{
    struct rul_record record = {NULL, INT64_C(1790000000) * HD_NS_PER_SEC, line};
    rul_decode(decoders, scratch, &record, ev);
}

/* NULL: the field is absent. */
static void expect(const char *line, const char *name, const char *want)
{
    decode(hd_slice_str(line));
    uint16_t field = rul_fields_find(fields, hd_slice_str(name));
    assert_int_not_equal(field, RUL_FIELD_NONE);
    assert_int_equal(rul_event_has(ev, field), want != NULL);
    if (want != NULL) {
        struct hd_slice got = rul_event_get(ev, field);
        assert_int_equal(got.len, strlen(want));
        assert_memory_equal(got.ptr, want, got.len);
    }
}

static void test_parts(void **state)
{
    (void)state;
    expect("{\"dir\":\"/a\",\"file\":\"b\"}", "path", "/a/b");
    expect("{\"dir\":\"/a\",\"file\":\"\"}", "path", "/a/");
    /* a part that is missing or says nothing: the map has its turn */
    expect("{\"dir\":\"/a\"}", "path", "/a");
    expect("{\"dir\":\"/a\",\"file\":null}", "path", "/a");
    expect("{\"dir\":\"/a\",\"file\":\"-\"}", "path", "/a");
    expect("{\"file\":\"b\"}", "path", NULL);
    /* what the line says stays */
    expect("{\"dir\":\"/a\",\"file\":\"b\",\"path\":\"c\"}", "path", "c");
    /* what was made before is a part, too */
    expect("{\"dir\":\"/a\",\"file\":\"b\",\"number\":2,\"kind\":\"a\"}", "both",
           "two: /a/b");
}

static void test_words(void **state)
{
    (void)state;
    expect("{\"words\":[\"ls\",\"-l\",\"a b\"]}", "command", "ls -l a b");
    expect("{\"words\":[\"l\\u0073\",\"\",\"x\"]}", "command", "ls  x");
    expect("{\"words\":\"ls\"}", "command", "ls");
    expect("{\"words\":[]}", "command", NULL);
}

static void test_table(void **state)
{
    (void)state;
    expect("{\"number\":1,\"kind\":\"b\"}", "name", "one");
    expect("{\"number\":\"2\",\"kind\":\"a\"}", "name", "two");
    expect("{\"number\":3,\"kind\":\"a\"}", "name", NULL);
    expect("{\"number\":1,\"kind\":\"c\"}", "name", NULL);
    expect("{\"number\":1}", "name", NULL);
}

static void test_restored(void **state)
{
    (void)state;
    expect("{\"w\":{\"data\":{\"image\":\"C:\\\\\\\\a.exe\"}}}", "Image", "C:\\a.exe");
    expect("{\"w\":{\"data\":{\"image\":\"\\\\\\\"q\\\\\\\"\"}}}", "Image", "\"q\"");
    expect("{\"w\":{\"data\":{\"image\":\"a\\\\nb\\\\\"}}}", "Image", "a\\nb\\");
    expect("{\"w\":{\"data\":{\"user Name\":\"x\"}}}", "UserName", "x");
    expect("{\"w\":{\"data\":{\"dir\":\"/d\"}}}", "dir", "/d");
    /* elsewhere names and values are what they are */
    expect("{\"w\":{\"image\":\"x\"},\"image\":\"x\"}", "Image", NULL);
    expect("{\"Image\":\"C:\\\\\\\\a\"}", "Image", "C:\\\\a");
}

/* What does not fit is left out and counted. */
static void test_no_room(void **state)
{
    (void)state;
    struct hd_buf line;
    size_t len = scratch->arena.cap;
    hd_buf_init(&line, 0);
    hd_buf_printf(&line, "{\"file\":\"b\",\"dir\":\"");
    memset(hd_buf_reserve(&line, len), 'a', len);
    line.len += len;
    hd_buf_printf(&line, "\"}");
    decode(hd_buf_slice(&line));
    uint16_t path = rul_fields_find(fields, HD_SLICE("path"));
    assert_int_equal(rul_event_get(ev, path).len, len); /* by the map */
    assert_int_equal(ev->lost, 1);
    hd_buf_fini(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),   cmocka_unit_test(test_words),
        cmocka_unit_test(test_table),   cmocka_unit_test(test_restored),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
