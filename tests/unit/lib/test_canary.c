/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include <haidang/canary.h>
#include <haidang/clock.h>

#define ID   "00112233445566778899aabbccddeeff"
#define RULE "ecfd1fcd-d465-49ce-a04e-c5d55affd62f"
#define LINE "Nov 21 07:50:37 web1 sshd[812]: \"quoted\" [bracketed] \\ end"

static struct hd_sign_key *key, *public_key, *other_key;
static struct hd_buf line;

static struct hd_sign_key *make_key(const char *dir, const char *name, bool is_public)
{
    char path[512];
    struct hd_sign_key *out = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    int err = hd_sign_key_make(path);
    assert_true(err == HD_OK || err == HD_EEXIST);
    if (is_public) {
        (void)snprintf(path, sizeof(path), "%s/%s.pub", dir, name);
    }
    assert_int_equal(is_public ? hd_sign_public_load(path, &out)
                               : hd_sign_key_load(path, &out),
                     HD_OK);
    return out;
}

static int setup(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    key = make_key(dir, "a", false);
    public_key = make_key(dir, "a", true);
    other_key = make_key(dir, "b", true);
    hd_buf_init(&line, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hd_sign_key_free(key);
    hd_sign_key_free(public_key);
    hd_sign_key_free(other_key);
    hd_buf_fini(&line);
    return 0;
}

static struct hd_canary example(void)
{
    return (struct hd_canary){.id = HD_SLICE(ID),
                              .part = 2,
                              .parts = 6,
                              .class = HD_CANARY_FILE,
                              .rule = HD_SLICE(RULE),
                              .time_ns = INT64_C(1790000001123456789),
                              .at_ms = 1500,
                              .message = HD_SLICE(LINE)};
}

static void write_example(void)
{
    struct hd_canary c = example();
    hd_buf_clear(&line);
    assert_int_equal(hd_canary_write(&c, key, HD_SLICE("console1"), &line), HD_OK);
}

static enum hd_canary_kind parse(const char *text)
{
    struct hd_canary out;
    return hd_canary_parse(hd_slice_str(text), &out);
}

static void what_was_signed_is_read_and_holds(void **state)
{
    (void)state;
    struct hd_canary got;
    for (unsigned i = 0; i < HD_CANARY_CLASSES; i++) {
        struct hd_canary c = example();
        c.class = (enum hd_canary_class)i;
        hd_buf_clear(&line);
        assert_int_equal(hd_canary_write(&c, key, HD_SLICE("console1"), &line), HD_OK);
        assert_int_equal(hd_canary_parse(hd_buf_slice(&line), &got), HD_CANARY_OK);
        assert_int_equal(got.class, i);
        assert_true(hd_slice_eq(got.id, HD_SLICE(ID)));
        assert_true(hd_slice_eq(got.rule, HD_SLICE(RULE)));
        assert_true(hd_slice_eq(got.message, HD_SLICE(LINE)));
        assert_int_equal(got.part, 2);
        assert_int_equal(got.parts, 6);
        assert_int_equal(got.at_ms, 1500);
        assert_int_equal(got.time_ns, INT64_C(1790000001123000000));
        assert_int_equal(hd_canary_verify(&got, public_key), HD_OK);
        assert_int_equal(hd_canary_verify(&got, other_key), HD_ENOENT);
    }
}

/* Whatever bit of what is signed is turned, the line is no canary any more; the header is
 * a relay's to write. */
static void a_changed_line_does_not_hold(void **state)
{
    (void)state;
    struct hd_canary got;
    unsigned still = 0;
    write_example();
    size_t from = hd_slice_find(hd_buf_slice(&line), HD_SLICE("[canary"));
    for (size_t i = from; i < line.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            line.ptr[i] ^= (uint8_t)(1U << bit);
            if (hd_canary_parse(hd_buf_slice(&line), &got) == HD_CANARY_OK) {
                still += hd_canary_verify(&got, public_key) == HD_OK;
            }
            line.ptr[i] ^= (uint8_t)(1U << bit);
        }
    }
    /* hexadecimal digits of either case mean the same; so do T, t, Z and z of a time */
    struct hd_slice element = hd_slice_from(hd_buf_slice(&line), from);
    unsigned letters = 0;
    bool is_hex = false;
    for (size_t i = hd_slice_find(element, HD_SLICE(" key=")); i < element.len; i++) {
        is_hex = element.ptr[i] == '"' ? !is_hex : is_hex;
        letters += is_hex && hd_is_lower(element.ptr[i]);
        if (element.ptr[i] == ']') {
            break;
        }
    }
    assert_true(still >= letters && still <= letters + 2);
    assert_int_equal(hd_canary_parse(hd_buf_slice(&line), &got), HD_CANARY_OK);
    assert_int_equal(hd_canary_verify(&got, public_key), HD_OK);
}

static void a_part_cannot_stand_for_another(void **state)
{
    (void)state;
    struct hd_canary got;
    write_example();
    assert_int_equal(hd_canary_parse(hd_buf_slice(&line), &got), HD_CANARY_OK);
    got.part = 3;
    assert_int_equal(hd_canary_verify(&got, public_key), HD_ECORRUPT);
    got.part = 2;
    got.class = HD_CANARY_UDP;
    assert_int_equal(hd_canary_verify(&got, public_key), HD_ECORRUPT);
    got.class = HD_CANARY_FILE;
    assert_int_equal(hd_canary_verify(&got, public_key), HD_OK);
}

/* A relay may write header and element anew. */
static void relays_may_write_it_anew(void **state)
{
    (void)state;
    struct hd_canary got;
    char text[2048];
    write_example();
    struct hd_slice all = hd_buf_slice(&line);
    size_t element = hd_slice_find(all, HD_SLICE("id=\""));
    size_t class = hd_slice_find(all, HD_SLICE(" class="));
    size_t end = hd_slice_find(all, HD_SLICE("\"] "));
    int n = snprintf(text, sizeof(text),
                     "<13>1 - relay7 " HD_CANARY_PROGRAM " 77 x [canary@32473 %.*s\" "
                     "%.*s%.*s",
                     (int)(end - class - 1), (const char *)all.ptr + class + 1,
                     (int)(class - element), (const char *)all.ptr + element,
                     (int)(all.len - end - 1), (const char *)all.ptr + end + 1);
    assert_true(n > 0 && (size_t)n < sizeof(text));
    assert_int_equal(hd_canary_parse(hd_slice_str(text), &got), HD_CANARY_OK);
    assert_int_equal(hd_canary_verify(&got, public_key), HD_OK);
}

static void other_lines_are_none(void **state)
{
    (void)state;
    assert_int_equal(parse(""), HD_CANARY_NONE);
    assert_int_equal(parse("<"), HD_CANARY_NONE);
    assert_int_equal(parse("<110>"), HD_CANARY_NONE);
    assert_int_equal(parse("<110>1"), HD_CANARY_NONE);
    assert_int_equal(parse("<110>1 t h"), HD_CANARY_NONE);
    assert_int_equal(parse("<34>Oct 11 22:14:15 host haidang-canary: x"), HD_CANARY_NONE);
    assert_int_equal(parse("<34>1 t host sshd - - [canary@32473 id=\"\"] x"),
                     HD_CANARY_NONE);
    assert_int_equal(parse("x haidang-canary - - [canary@32473 id=\"\"] x"),
                     HD_CANARY_NONE);
    assert_int_equal(parse("<34>1 t host haidang-canaryx - - - x"), HD_CANARY_NONE);
}

static void what_is_malformed_says_so(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "<34>1 t h haidang-canary ",
        "<34>1 t h haidang-canary - - - x",
        "<34>1 t h haidang-canary - - [canary@32473] x",
        "<34>1 t h haidang-canary - - [canary@32473 id=\"" ID "\"] x",
        "<34>1 t h haidang-canary - - [canary@32473 id=\"" ID "\" id=\"" ID "\"] x",
        "<34>1 t h haidang-canary - - [canary@32473 what=\"1\"] x",
        "<34>1 t h haidang-canary - - [canary@32473 id=\"",
        "<34>1 t h haidang-canary - - [canary@32473 id=" ID "] x",
        "<34>1 t h haidang-canary - - [canary@32473 part=\"0/1\"] x",
        "<34>1 t h haidang-canary - - [canary@32473 part=\"2/1\"] x",
        "<34>1 t h haidang-canary - - [canary@32473 part=\"1/4097\"] x",
        "<34>1 t h haidang-canary - - [canary@32473 class=\"radio\"] x",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i]), HD_CANARY_BAD);
    }
    write_example(); /* without the line inside */
    size_t end = hd_slice_find(hd_buf_slice(&line), HD_SLICE("\"] ")) + 2;
    struct hd_canary got;
    assert_int_equal(hd_canary_parse(hd_slice(line.ptr, end), &got), HD_CANARY_BAD);
    assert_int_equal(hd_canary_parse(hd_slice(line.ptr, end + 1), &got), HD_CANARY_BAD);
}

static void what_does_not_fit_is_not_written(void **state)
{
    (void)state;
    struct hd_canary c = example();
    c.rule = HD_SLICE("a \"rule\"");
    hd_buf_clear(&line);
    assert_int_equal(hd_canary_write(&c, key, HD_SLICE("h"), &line), HD_EINVAL);
    c = example();
    c.message = HD_SLICE_EMPTY;
    hd_buf_clear(&line);
    assert_int_equal(hd_canary_write(&c, key, HD_SLICE("h"), &line), HD_EINVAL);
    c = example(); /* the public half does not sign */
    assert_int_equal(hd_canary_write(&c, public_key, HD_SLICE("h"), &line), HD_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_signed_is_read_and_holds),
        cmocka_unit_test(a_changed_line_does_not_hold),
        cmocka_unit_test(a_part_cannot_stand_for_another),
        cmocka_unit_test(relays_may_write_it_anew),
        cmocka_unit_test(other_lines_are_none),
        cmocka_unit_test(what_is_malformed_says_so),
        cmocka_unit_test(what_does_not_fit_is_not_written),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
