/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines made to hurt, through the shipped decoders: every one ends in an event, in
 * bounded time, and what was not taken is counted.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <haidang/buf.h>

#include "rules/decode/decode.h"

#define LINE_LEN ((size_t)4 << 20)
/* processor time for one line; generous, for sanitizers and busy machines */
#define LIMIT_S 10

static struct rul_fields *fields;
static struct rul_decoders *decoders;
static struct rul_decode_scratch *scratch;
static struct rul_event *ev;

static int set_up(void **state)
{
    (void)state;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    struct rul_decoders_opts opts = {.dir = hd_test_source("rules/decoders")};
    assert_int_equal(rul_fields_new(&fields), 0);
    assert_int_equal(rul_decoders_load(&opts, fields, &decoders, &diags), 0);
    assert_int_equal(rul_decode_scratch_new(&scratch), 0);
    ev = calloc(1, sizeof(*ev));
    assert_non_null(ev);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(ev);
    rul_decode_scratch_free(scratch);
    rul_decoders_free(decoders);
    rul_fields_free(fields);
    return 0;
}

/* Head, then pieces up to 4 MB, then the tail. A value of that length is left out when it
 * must be made anew (intake cuts lines at HD_BATCH_LINE_MAX). */
struct row {
    const char *head, *piece, *tail;
    const char *decoder; /* "" = none knew it */
    bool is_malformed, loses;
};

static const struct row rows[] = {
    /* one value, plain and all escapes; not UTF-8 */
    {"{\"message\":\"", "a", "\"}", "json", false, false},
    {"{\"message\":\"", "\\u0041", "\"}", "json", false, true},
    {"{\"message\":\"", "\\\\", "\"}", "json", false, true},
    {"{\"message\":\"", "\xFF\xC0\x80", "\"}", "json", false, false},
    {"{\"message\":\"", "\xED\xA0\x80", "\"}", "json", false, false},
    /* many elements, members, duplicates */
    {"{\"message\":[0", ",1", "]}", "json", false, true},
    {"{\"message\":[{}", ",{\"message\":1,\"user\":2}", "]}", "json", false, false},
    {"{\"user\":[{\"name\":0}", ",{\"name\":1}", "]}", "json", false, true},
    {"{\"message\":0", ",\"message\":1", "}", "json", false, false},
    {"{\"message\":0", ",\"a b c d e f\":1", "}", "json", false, false},
    {"{\"Event\":{\"UserData\":{\"a\":0", ",\"b\":{\"Image\":1}", "}}}", "json", false,
     false},
    /* brackets without end, deep, closed */
    {"", "{\"a\":", "", "", true, false},
    {"{\"a\":", "[", "", "", true, false},
    {"{\"a\":[", "[],", "[]]}", "json", false, false},
    {"{\"a\":\"", "b", "", "", true, false},
    {"{\"", "b", "\":1}", "json", false, false},
    {"{\"a\":", "1", "}", "json", false, false},
    {"{", " ", "}", "json", false, false},
    {"{\"a\":1}", "}", "", "", true, false},
    /* other readers */
    {"<Event>", "<a>", "", "", true, false},
    {"<Event>", "<a/>", "</Event>", "json", false, false},
    {"<Event><EventData><Data Name='Image'>", "&#65;", "</Data></EventData></Event>",
     "json", false, true},
    {"<Event ", "a='b' ", "/>", "json", false, false},
    {"<Event><EventData>", "<Data>a</Data>", "</EventData></Event>", "json", false, true},
    {"CEF:0|a|b|c|d|e|f|", "a=b ", "", "cef", false, false},
    {"CEF:0|a|b|c|d|e|f|msg=", "\\=", "", "cef", false, true},
    {"CEF:0|", "\\|", "", "cef", false, false},
    {"LEEF:2.0|a|b|c|d|^|", "src=b^", "", "leef", false, false},
    {"type=EXECVE msg=audit(1.1:1): argc=1", " a1=2F2F", "", "auditd", false, true},
    {"type=EXECVE msg=audit(1.1:2): argc=1", " a0=\"\"", "", "auditd", false, false},
    {"type=X msg=audit(1.1:3): ", "msg='", "", "auditd", false, false},
    {"date=2026-11-21 ", "type=event ", "", "fortigate", false, false},
    {"%ASA-4-106023: Deny tcp src a:", "1.", "", "cisco", false, false},
};

static void check(const struct row *row, struct hd_buf *line)
{
    struct rul_decode_stats before, after;
    hd_buf_clear(line);
    hd_buf_str(line, row->head);
    while (line->len < LINE_LEN) {
        hd_buf_str(line, row->piece);
    }
    hd_buf_str(line, row->tail);
    const struct rul_record record = {.line = hd_buf_slice(line)};
    rul_decode_scratch_stats(scratch, &before);
    clock_t start = clock();
    rul_decode(decoders, scratch, &record, ev);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    rul_decode_scratch_stats(scratch, &after);
    const char *decoder = ev->decoder == NULL ? "" : ev->decoder;
    if (strcmp(decoder, row->decoder) != 0 || seconds > LIMIT_S ||
        (after.malformed > before.malformed) != row->is_malformed ||
        (after.values > before.values) != row->loses) {
        fail_msg("%s%s%s: %s, %g s, malformed %d, lost %d", row->head, row->piece,
                 row->tail, decoder, seconds, after.malformed > before.malformed,
                 after.values > before.values);
    }
    assert_true(rul_event_has(ev, RUL_F_MESSAGE));
    assert_in_range(ev->n, 1, RUL_EVENT_VALUES_MAX);
}

static void test_rows(void **state)
{
    (void)state;
    struct hd_buf line;
    hd_buf_init(&line, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&rows[i], &line);
    }
    hd_buf_fini(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
