/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON tokenizer: tables, every truncation, and against jansson on random documents
 * and on random damage to them.
 */
#include "tests/support/support.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/buf.h>

#include "rules/decode/json_bytes.h"
#include "rules/decode/json_scan.h"
#include "rules/event.h"

static struct rul_fields *fields;

static void add_field(const char *name)
{
    uint16_t id;
    assert_int_equal(rul_fields_add(fields, hd_slice_str(name), &id), 0);
}

/* The names that the tables show, and most of those that the random documents have. */
static int set_up(void **state)
{
    static const char *const names[] = {"a",   "a.b",   "a.b.c", "c",           "d",
                                        "k.l", "v",     "x.w",   "x.y",         "Two",
                                        "kA",  "x.y.z", "A B",   "deep.one.two"};
    char name[32];
    (void)state;
    assert_int_equal(rul_fields_new(&fields), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        add_field(names[i]);
    }
    for (unsigned i = 0; i < 20 * 20 * 8; i++) {
        (void)snprintf(name, sizeof(name), "r%u.k%u.k%u", i % 20, i / 20 % 20, i / 400);
        add_field(name);
        (void)snprintf(name, sizeof(name), "r%u.k%u", i % 20, i / 20 % 20);
        add_field(name);
        (void)snprintf(name, sizeof(name), "r%u", i % 20);
        add_field(name);
    }
    assert_int_equal(rul_paths_lift(rul_fields_paths(fields), HD_SLICE("up")), 0);
    assert_int_equal(rul_paths_lift(rul_fields_paths(fields), HD_SLICE("any.*")), 0);
    assert_int_equal(rul_paths_text(rul_fields_paths(fields), HD_SLICE("v")), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rul_fields_free(fields);
    return 0;
}

/* Leaves as "path=type:text\n", so that they can be compared as one text. */
static void list_leaf(void *ctx, const struct rul_json_leaf *leaf)
{
    static const char types[] = {'s', 'n', 'b', 'o'};
    struct hd_buf *out = ctx;
    hd_buf_slice_add(out, rul_fields_name(fields, leaf->field));
    hd_buf_byte(out, '=');
    hd_buf_byte(out, (uint8_t)types[leaf->type]);
    hd_buf_byte(out, ':');
    if (leaf->has_escapes) {
        uint8_t *room = hd_buf_reserve(out, leaf->text.len);
        assert_non_null(room);
        out->len += rul_json_unescape(leaf->text, room);
    } else {
        hd_buf_slice_add(out, leaf->text);
    }
    hd_buf_byte(out, '\n');
}

static enum hd_parse scan(struct hd_slice in, struct hd_buf *out)
{
    /* an exact copy, so that the sanitizers see one byte too many */
    uint8_t *copy = malloc(in.len + 1);
    assert_non_null(copy);
    if (in.len > 0) {
        memcpy(copy, in.ptr, in.len);
    }
    uint8_t *exact = realloc(copy, in.len == 0 ? 1 : in.len);
    assert_non_null(exact);
    hd_buf_clear(out);
    enum hd_parse rc =
        rul_json_scan(hd_slice(exact, in.len), rul_fields_paths(fields), list_leaf, out);
    free(exact);
    return rc;
}

struct row {
    const char *in;
    enum hd_parse rc;
    const char *leaves;
};

static const struct row rows[] = {
    {"{}", HD_PARSE_OK, ""},
    {" { } \n", HD_PARSE_OK, ""},
    {"{\"a\":1}", HD_PARSE_OK, "a=n:1\n"},
    {"{\"a\":{\"b\":{\"c\":\"x\"}},\"d\":true}", HD_PARSE_OK, "a.b.c=s:x\nd=b:true\n"},
    {"{\"a\":[1,[2,{\"b\":3}],null],\"c\":-0.5e+7}", HD_PARSE_OK,
     "a=n:1\na=n:2\na.b=n:3\nc=n:-0.5e+7\n"},
    {"{\"a\":[],\"b\":{},\"c\":\"\"}", HD_PARSE_OK, "c=s:\n"},
    {"{\"a\":1,\"a\":2}", HD_PARSE_OK, "a=n:1\na=n:2\n"},
    {"{\"\":{\"\":1}}", HD_PARSE_OK, ""},
    /* nested, as one member, and both */
    {"{\"a.b.c\":1,\"a\":{\"b.c\":2},\"a.b\":{\"c\":3}}", HD_PARSE_OK,
     "a.b.c=n:1\na.b.c=n:2\na.b.c=n:3\n"},
    {"{\"deep\":{\"one\":{\"two\":1,\"three\":{\"two\":2}}},\"one\":{\"two\":3}}",
     HD_PARSE_OK, "deep.one.two=n:1\n"},
    /* what no field lies below is validated all the same */
    {"{\"no\":{\"a\":[{\"b\":1}]},\"a\":2}", HD_PARSE_OK, "a=n:2\n"},
    {"{\"no\":{\"a\":[{\"b\":01}]},\"a\":2}", HD_PARSE_BAD, NULL},
    {"{\"no\":\"\\x\"}", HD_PARSE_BAD, NULL},
    /* members of lifted objects */
    {"{\"up\":{\"a\":1,\"x\":{\"w\":2},\"up\":3}}", HD_PARSE_OK, "a=n:1\nx.w=n:2\n"},
    {"{\"any\":{\"A\":{\"a\":1},\"b\":{\"c\":2},\"a\":3}}", HD_PARSE_OK,
     "a=n:1\nc=n:2\n"},
    /* objects that are values */
    {"{\"v\":{\"w\":[1, {}]},\"up\":{\"v\":[{},{\"x\":{\"w\":2}},\"y\"]}}", HD_PARSE_OK,
     "v=o:{\"w\":[1, {}]}\nv=o:{}\nv=o:{\"x\":{\"w\":2}}\nv=s:y\n"},
    /* blanks in unknown names do not count */
    {"{\"T w o \":1,\"Two\":2,\"A B\":3,\"AB\":4}", HD_PARSE_OK,
     "Two=n:1\nTwo=n:2\nA B=n:3\n"},
    {"{\"k\\u0041\":\"\\u1ea1\\n\\\"\\/\"}", HD_PARSE_OK, "kA=s:\xE1\xBA\xA1\n\"/\n"},
    {"{\"a\":\"\\ud83d\\ude00|\\ud83d|\\ude00\"}", HD_PARSE_OK,
     "a=s:\xF0\x9F\x98\x80|\xEF\xBF\xBD|\xEF\xBF\xBD\n"},
    {"{\"a\":\"\xFF\xC0\"}", HD_PARSE_OK, "a=s:\xFF\xC0\n"},
    {"", HD_PARSE_MORE, NULL},
    {"  ", HD_PARSE_MORE, NULL},
    {"{", HD_PARSE_MORE, NULL},
    {"{\"a\":[1,{\"b\":\"x\\u00", HD_PARSE_MORE, NULL},
    {"{\"a\":tr", HD_PARSE_MORE, NULL},
    {"{\"a\":-", HD_PARSE_MORE, NULL},
    {"[]", HD_PARSE_BAD, NULL},
    {"1", HD_PARSE_BAD, NULL},
    {"{} x", HD_PARSE_BAD, NULL},
    {"{\"a\":1,}", HD_PARSE_BAD, NULL},
    {"{\"a\":[1,]}", HD_PARSE_BAD, NULL},
    {"{\"a\":[,1]}", HD_PARSE_BAD, NULL},
    {"{,}", HD_PARSE_BAD, NULL},
    {"{a:1}", HD_PARSE_BAD, NULL},
    {"{'a':1}", HD_PARSE_BAD, NULL},
    {"{\"a\" 1}", HD_PARSE_BAD, NULL},
    {"{\"a\":01}", HD_PARSE_BAD, NULL},
    {"{\"a\":+1}", HD_PARSE_BAD, NULL},
    {"{\"a\":1.}", HD_PARSE_BAD, NULL},
    {"{\"a\":.5}", HD_PARSE_BAD, NULL},
    {"{\"a\":1e}", HD_PARSE_BAD, NULL},
    {"{\"a\":truth}", HD_PARSE_BAD, NULL},
    {"{\"a\":\"\\x\"}", HD_PARSE_BAD, NULL},
    {"{\"a\":\"\\u12g4\"}", HD_PARSE_BAD, NULL},
    {"{\"a\":\"\t\"}", HD_PARSE_BAD, NULL},
    {"{\"a\":[1}", HD_PARSE_BAD, NULL},
    {"{\"a\":{]}", HD_PARSE_BAD, NULL},
};

static void test_rows(void **state)
{
    (void)state;
    struct hd_buf out;
    hd_buf_init(&out, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum hd_parse rc = scan(hd_slice_str(rows[i].in), &out);
        if (rc != rows[i].rc) {
            fail_msg("%s: %d", rows[i].in, rc);
        }
        if (rows[i].leaves != NULL) {
            assert_string_equal(hd_buf_cstr(&out), rows[i].leaves);
        }
    }
    hd_buf_fini(&out);
}

/* Any prefix of a valid object can still become one. */
static void test_prefixes(void **state)
{
    (void)state;
    struct hd_buf out;
    hd_buf_init(&out, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hd_slice in = hd_slice_trim(hd_slice_str(rows[i].in));
        for (size_t cut = 0; rows[i].rc == HD_PARSE_OK && cut < in.len; cut++) {
            assert_int_equal(scan(hd_slice_head(in, cut), &out), HD_PARSE_MORE);
        }
    }
    hd_buf_fini(&out);
}

static void test_limits(void **state)
{
    (void)state;
    struct hd_buf in, out;
    hd_buf_init(&in, 0);
    hd_buf_init(&out, 0);
    for (unsigned depth = RUL_JSON_DEPTH_MAX; depth <= RUL_JSON_DEPTH_MAX + 1; depth++) {
        hd_buf_clear(&in);
        for (unsigned i = 1; i < depth; i++) {
            hd_buf_str(&in, "{\"a\":");
        }
        hd_buf_str(&in, "{}");
        for (unsigned i = 1; i < depth; i++) {
            hd_buf_byte(&in, '}');
        }
        assert_int_equal(scan(hd_buf_slice(&in), &out),
                         depth == RUL_JSON_DEPTH_MAX ? HD_PARSE_OK : HD_PARSE_BAD);
    }
    /* a name with escapes that is too long is passed over, with all below it */
    for (unsigned len = RUL_JSON_KEY_MAX; len <= RUL_JSON_KEY_MAX + 6; len += 6) {
        hd_buf_clear(&in);
        hd_buf_str(&in, "{\"x\":{\"\\u0077");
        for (unsigned i = 6; i < len; i += 6) {
            hd_buf_str(&in, "\\u0020");
        }
        hd_buf_str(&in, "\":[5,{\"z\":2}]},\"v\":4}");
        assert_int_equal(scan(hd_buf_slice(&in), &out), HD_PARSE_OK);
        assert_string_equal(hd_buf_cstr(&out), "v=n:4\n");
    }
    hd_buf_fini(&in);
    hd_buf_fini(&out);
}

/* ---- against jansson ---- */

static uint64_t seed = 0x9E3779B97F4A7C15;

static uint32_t random_below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % n;
}

static json_t *random_string(void)
{
    static const char *const pieces[] = {
        "a",  "\"",   "\\",       "/",
        "\n", "\x01", "\xC4\x91", "\xF0\x9F\x98\x80",
        "{",  ":",    "12",       "long run of plain text, more than eight bytes"};
    char text[256] = "";
    size_t len = 0;
    for (uint32_t i = random_below(5); i > 0; i--) {
        const char *piece = pieces[random_below(12)];
        int n = snprintf(text + len, sizeof(text) - len, "%s", piece);
        len += (size_t)n;
    }
    return json_stringn(text, len);
}

static json_t *random_value(unsigned depth)
{
    uint32_t kind = random_below(depth > 0 ? 8 : 6);
    json_t *out;
    switch (kind) {
    case 0:
        return json_true();
    case 1:
        return json_null();
    case 2:
        return json_integer((json_int_t)random_below(1000000) - 500000);
    case 3:
        return json_real((double)random_below(1000) / 8.0);
    case 4:
    case 5:
        return random_string();
    case 6:
        out = json_array();
        for (uint32_t i = random_below(4); i > 0; i--) {
            (void)json_array_append_new(out, random_value(depth - 1));
        }
        return out;
    default:
        out = json_object();
        for (uint32_t i = random_below(5); i > 0; i--) {
            char key[8];
            (void)snprintf(key, sizeof(key), "k%u", random_below(20));
            (void)json_object_set_new(out, key, random_value(depth - 1));
        }
        return out;
    }
}

/* What the tokenizer must show for a value, in document order. */
static void list_value(struct hd_buf *out, const char *path, json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_object(value)) {
        json_object_foreach(value, key, member)
        {
            char deeper[256];
            (void)snprintf(deeper, sizeof(deeper), "%s%s%s", path, path[0] ? "." : "",
                           key);
            list_value(out, deeper, member);
        }
        return;
    }
    if (json_is_array(value)) {
        json_array_foreach(value, i, member)
        {
            list_value(out, path, member);
        }
        return;
    }
    if (json_is_null(value) ||
        rul_fields_find(fields, hd_slice_str(path)) == RUL_FIELD_NONE) {
        return;
    }
    char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    assert_non_null(dumped);
    hd_buf_printf(out, "%s=%c:", path,
                  json_is_string(value)   ? 's'
                  : json_is_number(value) ? 'n'
                                          : 'b');
    if (json_is_string(value)) {
        hd_buf_bytes(out, json_string_value(value), json_string_length(value));
    } else {
        hd_buf_str(out, dumped);
    }
    hd_buf_byte(out, '\n');
    free(dumped);
}

static void test_random(void **state)
{
    (void)state;
    struct hd_buf got, want;
    hd_buf_init(&got, 0);
    hd_buf_init(&want, 0);
    for (unsigned round = 0; round < 20000; round++) {
        json_t *object = json_object();
        for (uint32_t i = random_below(6); i > 0; i--) {
            char key[8];
            (void)snprintf(key, sizeof(key), "r%u", random_below(20));
            (void)json_object_set_new(object, key, random_value(4));
        }
        size_t flags = JSON_REAL_PRECISION(17) |
                       (random_below(2) ? JSON_ENSURE_ASCII : 0) |
                       (random_below(2) ? JSON_COMPACT : JSON_INDENT(1));
        char *dumped = json_dumps(object, flags);
        assert_non_null(dumped);
        hd_buf_clear(&want);
        list_value(&want, "", object);
        assert_int_equal(scan(hd_slice_str(dumped), &got), HD_PARSE_OK);
        if (!hd_slice_eq(hd_buf_slice(&got), hd_buf_slice(&want))) {
            fail_msg("%s\ngot\n%s\nwant\n%s", dumped, hd_buf_cstr(&got),
                     hd_buf_cstr(&want));
        }
        free(dumped);
        json_decref(object);
    }
    hd_buf_fini(&got);
    hd_buf_fini(&want);
}

/* Where jansson is stricter by intent: bad UTF-8, lone surrogates, \u0000, and numbers
 * beyond its types. */
static bool is_lenience(const json_error_t *error)
{
    static const char *const known[] = {"decode byte", "UTF-8", "Unicode", "\\u0000",
                                        "NUL byte",    "big",   "overflow"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strstr(error->text, known[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void test_damage(void **state)
{
    (void)state;
    static const char base[] =
        "{\"a\":[1,-2.5e3,\"x\\u0041\\n\",{\"b\":null,\"c\":true}],"
        "\"d\":{\"e\":\"\xC4\x91\",\"f\":[]},\"g\":false}";
    static const char bytes[] = "{}[]\",:\\0123456789.eE+-truefalsn \t\n\x01\xFFu";
    struct hd_buf got;
    hd_buf_init(&got, 0);
    unsigned agreed = 0;
    for (unsigned round = 0; round < 200000; round++) {
        char text[sizeof(base)];
        memcpy(text, base, sizeof(base));
        for (uint32_t i = 1 + random_below(2); i > 0; i--) {
            text[random_below(sizeof(base) - 1)] = bytes[random_below(sizeof(bytes) - 1)];
        }
        json_error_t error;
        json_t *theirs = json_loadb(text, sizeof(base) - 1, 0, &error);
        bool is_theirs_good = theirs != NULL && json_is_object(theirs);
        bool is_ours_good = scan(hd_slice(text, sizeof(base) - 1), &got) == HD_PARSE_OK;
        if (is_ours_good != is_theirs_good && (is_theirs_good || !is_lenience(&error))) {
            fail_msg("%s: ours %d, jansson: %s", text, is_ours_good, error.text);
        }
        agreed += is_ours_good && is_theirs_good ? 1 : 0;
        json_decref(theirs);
    }
    assert_in_range(agreed, 1000, 200000);
    hd_buf_fini(&got);
}

/* ---- the two loops ---- */

/* Both forms at every offset, length and place of a special byte. */
static void test_bytes(void **state)
{
    (void)state;
    static const uint8_t special[] = {'"', '\\', 0x1f, 0};
    uint8_t text[64], out[2][64];
    for (size_t len = 0; len <= 48; len++) {
        for (size_t place = 0; place <= len; place++) {
            for (size_t k = 0; k < sizeof(special); k++) {
                memset(text, k == 3 ? 0xff : 0x20, sizeof(text));
                text[place] = special[k];
                const uint8_t *end = text + len;
                assert_ptr_equal(rul_json_special(text, end), text + place);
                assert_ptr_equal(rul_json_special_portable(text, end), text + place);
                size_t n = special[k] == '\\' ? place : len;
                assert_int_equal(rul_json_copy(out[0], text, len), n);
                assert_int_equal(rul_json_copy_portable(out[1], text, len), n);
                assert_memory_equal(out[0], text, n);
                assert_memory_equal(out[1], text, n);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_random),
        cmocka_unit_test(test_damage), cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
