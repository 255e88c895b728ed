/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows event XML: tables, every truncation, limits.
 */
#include "tests/support/support.h"

#include <stdlib.h>

#include <haidang/buf.h>

#include "rules/decode/event_xml.h"
#include "rules/event.h"

static struct rul_fields *fields;

static int set_up(void **state)
{
    static const char *const names[] = {"E.S.Id", "E.S.P.#attributes.Name", "Image",
                                        "Data", "E.D"};
    uint16_t id;
    (void)state;
    assert_int_equal(rul_fields_new(&fields), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(rul_fields_add(fields, hd_slice_str(names[i]), &id), 0);
    }
    return rul_paths_lift(rul_fields_paths(fields), HD_SLICE("E.D"));
}

static int tear_down(void **state)
{
    (void)state;
    rul_fields_free(fields);
    return 0;
}

static void list_leaf(void *ctx, const struct rul_json_leaf *leaf)
{
    struct hd_buf *out = ctx;
    hd_buf_slice_add(out, rul_fields_name(fields, leaf->field));
    hd_buf_str(out, leaf->is_in_array ? "[]=" : "=");
    uint8_t *room = hd_buf_reserve(out, leaf->text.len);
    assert_non_null(room);
    size_t n = rul_event_xml_unescape(leaf->text, room);
    assert_true(n <= leaf->text.len && (leaf->has_escapes || n == leaf->text.len));
    out->len += n;
    hd_buf_byte(out, '\n');
}

static enum hd_parse scan(struct hd_slice in, struct hd_buf *out)
{
    uint8_t *exact = malloc(in.len == 0 ? 1 : in.len);
    assert_non_null(exact);
    memcpy(exact, in.ptr, in.len);
    hd_buf_clear(out);
    enum hd_parse rc = rul_event_xml_scan(hd_slice(exact, in.len),
                                          rul_fields_paths(fields), list_leaf, out);
    free(exact);
    return rc;
}

struct row {
    const char *in;
    enum hd_parse rc;
    const char *leaves;
};

static const struct row rows[] = {
    {"<E/>", HD_PARSE_OK, ""},
    {"<?xml version=\"1.0\"?> <E></E> ", HD_PARSE_OK, ""},
    {"<E xmlns='x'><S><P Name='a b' Guid=\"g\"/><Id Q='0'>1</Id></S></E>", HD_PARSE_OK,
     "E.S.P.#attributes.Name=a b\nE.S.Id=1\n"},
    {"<E><D><Data Name='Image'>C:\\a &lt;&#x26;&#65;&gt; &no; &</Data></D></E>",
     HD_PARSE_OK, "Image=C:\\a <&A> &no; &\n"},
    {"<E><D><Data>x</Data>\n<Data>y</Data></D></E>", HD_PARSE_OK, "Data[]=x\nData[]=y\n"},
    {"<E><D>text</D></E>", HD_PARSE_OK, "E.D=text\n"},
    {"<E><D>text<b/>more</D></E>", HD_PARSE_OK, ""},
    {"<E><D><Data Name='Image'></Data></D></E>", HD_PARSE_OK, ""},
    {"<E><S ><Id >1</Id ></S\n></E>", HD_PARSE_OK, "E.S.Id=1\n"},
    {"", HD_PARSE_MORE, NULL},
    {"<", HD_PARSE_MORE, NULL},
    {"x", HD_PARSE_BAD, NULL},
    {"<E>", HD_PARSE_MORE, NULL},
    {"<E></F>", HD_PARSE_BAD, NULL},
    {"<E><S></E></S>", HD_PARSE_BAD, NULL},
    {"<E/><F/>", HD_PARSE_BAD, NULL},
    {"<E a></E>", HD_PARSE_BAD, NULL},
    {"<E a=b></E>", HD_PARSE_BAD, NULL},
    {"<E a='<'></E>", HD_PARSE_BAD, NULL},
    {"<E><!-- c --></E>", HD_PARSE_BAD, NULL},
    {"<E><![CDATA[x]]></E>", HD_PARSE_BAD, NULL},
    {"<!DOCTYPE E [<!ENTITY a \"b\">]><E>&a;</E>", HD_PARSE_BAD, NULL},
    {"<E/ >", HD_PARSE_BAD, NULL},
    {"< E/>", HD_PARSE_BAD, NULL},
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

/* Any prefix of a good text can still become one. */
static void test_prefixes(void **state)
{
    (void)state;
    struct hd_buf out;
    hd_buf_init(&out, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hd_slice in = hd_slice_trim(hd_slice_str(rows[i].in));
        for (size_t cut = 0; rows[i].rc == HD_PARSE_OK && cut < in.len; cut++) {
            /* "<?xm" alone is no declaration yet, and no element ever */
            if (cut < 6 && cut > 1 && in.ptr[1] == '?') {
                continue;
            }
            assert_int_equal(scan(hd_slice_head(in, cut), &out), HD_PARSE_MORE);
        }
    }
    hd_buf_fini(&out);
}

static void test_depth(void **state)
{
    (void)state;
    struct hd_buf in, out;
    hd_buf_init(&in, 0);
    hd_buf_init(&out, 0);
    for (unsigned depth = RUL_XML_DEPTH_MAX; depth <= RUL_XML_DEPTH_MAX + 1; depth++) {
        hd_buf_clear(&in);
        for (unsigned i = 0; i < depth; i++) {
            hd_buf_str(&in, "<a>");
        }
        for (unsigned i = 0; i < depth; i++) {
            hd_buf_str(&in, "</a>");
        }
        assert_int_equal(scan(hd_buf_slice(&in), &out),
                         depth == RUL_XML_DEPTH_MAX ? HD_PARSE_OK : HD_PARSE_BAD);
    }
    hd_buf_fini(&in);
    hd_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
