/* SPDX-License-Identifier: Apache-2.0
 *
 * Which decoder reads a line, which class the event gets, what every event has.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include <haidang/buf.h>
#include <haidang/clock.h>
#include <haidang/fs.h>

#include "rules/decode/decode.h"

/* A small set of decoders that shows one rule of routing each. */
static const char yaml[] =
    "decoder: alpha\n"
    "match: {program: [alpha, postfix/smtpd, both]}\n"
    "logsource: [{product: linux, service: alpha}]\n"
    "set: {event.category: c, event.action: none}\n"
    "patterns:\n"
    "  - {id: short, text: 'ab <x>'}\n"
    "  - {id: long, text: 'ab cdef <x>', set: {event.action: long}}\n"
    "  - {id: own, text: 'own <x>', logsource: [{category: own}]}\n"
    "  - {id: tail, text: '<x> ends with y'}\n"
    "---\n"
    "decoder: shaped\n"
    "match: {program: [both], format: [shaped], shape: 'dddd ', source: [/special/]}\n"
    "logsource: [{service: shaped}]\n"
    "---\n"
    "decoder: inner\n"
    "match: {prefix: ['pam_'], subtag: [pam_unix]}\n"
    "strip: 'pam_<m>: '\n"
    "logsource: [{service: inner}]\n"
    "patterns: [{id: in, text: 'in <x>'}]\n"
    "---\n"
    "decoder: rest\n"
    "match: {program: ['*']}\n"
    "logsource: [{product: linux}]\n"
    "---\n"
    "decoder: web\n"
    "match: {json: {kind: [web, app]}}\n"
    "logsource: [{category: web}]\n"
    "time: [ts]\n"
    "map: {a: [b, \"c:lower\"], c: \"d:base\"}\n"
    "patterns: [{id: big, when: {size: [big, huge]}, set: {s: '1'}, logsource: "
    "[{category: "
    "big}]}]\n"
    "---\n"
    "decoder: any-json\n"
    "match: {json: {}}\n"
    "logsource: [{category: json}]\n";

struct fixture {
    struct rul_fields *fields;
    struct rul_decoders *decoders;
    struct rul_decode_scratch *scratch;
    struct rul_event *ev;
    struct hd_batch_source source;
    int64_t recv_ns;
};

static struct fixture fx;

static int setup(void **state)
{
    (void)state;
    static char path[512];
    const char *dir = hd_test_tmpdir();
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    struct rul_decoders_opts opts = {.dir = dir};
    (void)snprintf(path, sizeof(path), "%s/all.yml", dir);
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(yaml), 0644), 0);
    assert_int_equal(rul_fields_new(&fx.fields), 0);
    assert_int_equal(rul_decoders_load(&opts, fx.fields, &fx.decoders, &diags), 0);
    assert_int_equal(rul_decode_scratch_new(&fx.scratch), 0);
    fx.ev = calloc(1, sizeof(*fx.ev));
    assert_non_null(fx.ev);
    fx.recv_ns = INT64_C(1795222237) * HD_NS_PER_SEC; /* 2026-11-21T00:50:37Z */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rul_decode_scratch_free(fx.scratch);
    rul_decoders_free(fx.decoders);
    rul_fields_free(fx.fields);
    free(fx.ev);
    return 0;
}

static void decode(const char *format, const char *name, struct hd_slice line)
{
    fx.source = (struct hd_batch_source){.host = HD_SLICE("agent"),
                                         .name = hd_slice_str(name),
                                         .format = hd_slice_str(format)};
    struct rul_record record = {&fx.source, fx.recv_ns, line};
    rul_decode(fx.decoders, fx.scratch, &record, fx.ev);
}

static struct hd_slice get(const char *field)
{
    uint16_t id = rul_fields_find(fx.fields, hd_slice_str(field));
    return id == RUL_FIELD_NONE ? HD_SLICE_EMPTY : rul_event_get(fx.ev, id);
}

static void assert_field(const char *field, const char *want)
{
    if (!hd_slice_eq(get(field), hd_slice_str(want))) {
        fail_msg("%s: \"%.*s\" is not \"%s\"", field, HD_SLICE_FMT(get(field)), want);
    }
}

/* "product/category/service" of each log source, joined by blanks. */
static const char *sources(void)
{
    static char text[256];
    uint16_t n;
    size_t len = 0;
    const struct rul_class *classes = rul_decoders_classes(fx.decoders, &n);
    assert_in_range(fx.ev->class_id, 0, n - 1);
    const struct rul_class *class = &classes[fx.ev->class_id];
    text[0] = '\0';
    for (uint16_t i = 0; i < class->n; i++) {
        const struct rul_logsource *s = &class->sources[i];
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s/%.*s/%.*s",
                                i > 0 ? " " : "", HD_SLICE_FMT(s->product),
                                HD_SLICE_FMT(s->category), HD_SLICE_FMT(s->service));
    }
    return text;
}

struct route_row {
    const char *format, *name, *line;
    const char *decoder, *pattern, *sources;
};

#define H "Nov 21 07:50:37 h "

/* clang-format off */
static const struct route_row routes[] = {
    {"auto", "", H "alpha[1]: ab x", "alpha", "short", "linux//alpha"},
    {"", "", H "alpha[1]: ab cdef x", "alpha", "long", "linux//alpha"},
    {"syslog", "", H "alpha[1]:   own x", "alpha", "own", "/own/"},
    {"syslog", "", H "alpha[1]: it ends with y", "alpha", "tail", "linux//alpha"},
    {"syslog", "", H "alpha[1]: no pattern", "alpha", NULL, "linux//alpha"},
    {"syslog", "", H "/usr/bin/alpha: ab x", "alpha", "short", "linux//alpha"},
    {"syslog", "", H "alpha/worker: ab x", "alpha", "short", "linux//alpha"},
    {"syslog", "", H "postfix/smtpd: ab x", "alpha", "short", "linux//alpha"},
    {"syslog", "", H "postfix/qmgr: ab x", "rest", NULL, "linux//"},
    {"syslog", "", H "beta: ab x", "rest", NULL, "linux//"},
    {"syslog", "", H "alpha: message repeated 3 times: [ ab x]", "alpha", "short", "linux//alpha"},
    {"syslog", "", H "alpha: message repeated 3 times: [", "alpha", NULL, "linux//alpha"},
    /* two decoders of one program: the shape decides */
    {"syslog", "", H "both: 2026 x", "shaped", NULL, "//shaped"},
    {"syslog", "", H "both: ab x", "alpha", "short", "linux//alpha"},
    /* inside another program */
    {"syslog", "", H "alpha: pam_x: in x", "inner", "in", "linux//alpha //inner"},
    {"syslog", "", H "beta(pam_unix)[1]: in x", "inner", "in", "linux// //inner"},
    {"syslog", "", H "beta(other)[1]: in x", "rest", NULL, "linux//"},
    /* by shape, and only where the source's name fits */
    {"auto", "/var/log/special/a", "2026 x", "shaped", NULL, "//shaped"},
    {"auto", "/var/log/a", "2026 x", NULL, NULL, ""},
    {"shaped", "", "2026 x", "shaped", NULL, "//shaped"},
    {"shaped", "", "something else", NULL, NULL, ""},
    {"unheard-of", "", H "alpha: ab x", "alpha", "short", "linux//alpha"},
    /* JSON: conditions first, then any; not JSON after all */
    {"auto", "", "{\"kind\":\"web\"}", "web", NULL, "/web/"},
    {"auto", "", " {\"kind\":\"APP\",\"size\":\"huge\"}", "web", "big", "/big/"},
    {"json", "", "{\"kind\":\"other\"}", "any-json", NULL, "/json/"},
    {"json", "", "{\"kind\":", NULL, NULL, ""},
    {"syslog", "", H "beta: {\"kind\":\"web\"}", "web", NULL, "/web/"},
    {"syslog", "", H "alpha: {\"kind\":\"web\"}", "alpha", NULL, "linux//alpha"},
    {"auto", "", "no header at all", NULL, NULL, ""},
    {"auto", "", "", NULL, NULL, ""},
};
/* clang-format on */

static void test_routes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const struct route_row *row = &routes[i];
        decode(row->format, row->name, hd_slice_str(row->line));
        bool is_right =
            (fx.ev->decoder == NULL) == (row->decoder == NULL) &&
            (fx.ev->pattern == NULL) == (row->pattern == NULL) &&
            (row->decoder == NULL || strcmp(fx.ev->decoder, row->decoder) == 0) &&
            (row->pattern == NULL || strcmp(fx.ev->pattern, row->pattern) == 0);
        if (!is_right || strcmp(sources(), row->sources) != 0) {
            fail_msg("%s: %s/%s, %s", row->line, fx.ev->decoder ? fx.ev->decoder : "-",
                     fx.ev->pattern ? fx.ev->pattern : "-", sources());
        }
        assert_true(rul_event_has(fx.ev, RUL_F_MESSAGE));
        assert_true(rul_event_has(fx.ev, RUL_F_HOST_NAME));
        assert_ptr_equal(fx.ev->raw.ptr, row->line);
    }
}

static void test_common_fields(void **state)
{
    (void)state;
    decode("syslog", "", HD_SLICE("<38>" H "alpha[77]: ab cdef x\r\n"));
    assert_field("host.name", "h");
    assert_field("process.name", "alpha");
    assert_field("process.pid", "77");
    assert_field("message", "ab cdef x");
    assert_field("log.syslog.facility.code", "4");
    assert_field("log.syslog.severity.code", "6");
    assert_field("event.category", "c");
    assert_field("event.action", "long");
    assert_field("x", "x");
    assert_true(fx.ev->has_own_time);
    assert_int_equal(fx.ev->time_ns, fx.recv_ns);
    decode("syslog", "", HD_SLICE("x"));
    assert_field("host.name", "agent");
    assert_field("process.name", "");
    assert_field("event.action", "");
    assert_false(fx.ev->has_own_time);
}

/* Times that are more than a day away are not believed. */
static void test_skew(void **state)
{
    (void)state;
    decode("", "", HD_SLICE("2026-11-20T00:50:38Z h alpha: x"));
    assert_true(fx.ev->has_own_time);
    decode("", "", HD_SLICE("2026-11-20T00:50:36Z h alpha: x"));
    assert_false(fx.ev->has_own_time);
    assert_int_equal(fx.ev->time_ns, fx.recv_ns);
    decode("", "", HD_SLICE("{\"kind\":\"web\",\"ts\":\"2026-11-21T00:50:30Z\"}"));
    assert_int_equal(fx.ev->time_ns, fx.recv_ns - 7 * HD_NS_PER_SEC);
    decode("", "", HD_SLICE("{\"kind\":\"web\",\"ts\":1795222230.5}"));
    assert_int_equal(fx.ev->time_ns, fx.recv_ns - 13 * HD_NS_PER_SEC / 2);
    decode("", "", HD_SLICE("{\"kind\":\"web\",\"ts\":\"yesterday\"}"));
    assert_false(fx.ev->has_own_time);
}

static void test_json_values(void **state)
{
    (void)state;
    decode("", "", HD_SLICE("{\"kind\":\"web\",\"a\":\"/X/Y\\u1EA1\"}"));
    assert_field("b", "/X/Y\xE1\xBA\xA1");
    assert_field("c", "/x/y\xE1\xBA\xA1");
    assert_field("d", "y\xE1\xBA\xA1");
    assert_field("s", "");
    /* what is there already is not replaced by the map */
    decode("", "", HD_SLICE("{\"kind\":\"web\",\"a\":\"1\",\"b\":\"2\"}"));
    assert_field("b", "2");
    /* duplicates: the last; arrays: all; null: absent */
    decode("", "",
           HD_SLICE("{\"kind\":\"web\",\"a\":1,\"a\":2,\"x\":[\"p\",[\"q\\n\"],5],"
                    "\"d\":null}"));
    assert_field("a", "2");
    assert_field("x", "p, q\n, 5");
    assert_field("d", "2");
    decode("", "", HD_SLICE("{\"kind\":[\"no\",\"web\"]}"));
    assert_string_equal(fx.ev->decoder, "any-json");
}

static void test_structured_data(void **state)
{
    (void)state;
    uint16_t id;
    assert_int_equal(
        rul_fields_add(fx.fields, HD_SLICE("log.syslog.structured_data.x@1.k"), &id), 0);
    decode("", "", HD_SLICE("<13>1 - h alpha - - [x@1 k=\"v\" z=\"w\"] ab x"));
    assert_field("log.syslog.structured_data.x@1.k", "v");
    assert_string_equal(fx.ev->pattern, "short");
}

/* More values than the arena holds are left out and counted; nothing is cut. */
static void test_arena_full(void **state)
{
    (void)state;
    struct hd_buf line;
    hd_buf_init(&line, 0);
    hd_buf_str(&line, "{\"kind\":\"web\",\"x\":[\"\\n\"");
    for (unsigned i = 0; i < 40; i++) {
        hd_buf_str(&line, ",\"");
        for (unsigned k = 0; k < 3000; k++) {
            hd_buf_str(&line, "\\u1ea1");
        }
        hd_buf_str(&line, "\",{\"a\":\"\\t\"}");
    }
    hd_buf_str(&line, "]}");
    decode("", "", hd_buf_slice(&line));
    assert_string_equal(fx.ev->decoder, "web");
    assert_in_range(fx.ev->lost, 1, 80);
    assert_true(get("x").len > 3000);
    hd_buf_fini(&line);
}

/* Any line, cut anywhere, from memory of exactly its size. */
static void test_truncations(void **state)
{
    (void)state;
    static const char *const formats[] = {"auto", "syslog", "json", "shaped"};
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        size_t len = strlen(routes[i].line);
        for (size_t cut = 0; cut <= len; cut++) {
            uint8_t *exact = malloc(cut + (cut == 0));
            assert_non_null(exact);
            memcpy(exact, routes[i].line, cut);
            decode(formats[cut % 4], routes[i].name, hd_slice(exact, cut));
            assert_true(rul_event_has(fx.ev, RUL_F_MESSAGE));
            free(exact);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_common_fields),
        cmocka_unit_test(test_skew),
        cmocka_unit_test(test_json_values),
        cmocka_unit_test(test_structured_data),
        cmocka_unit_test(test_arena_full),
        cmocka_unit_test(test_truncations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
