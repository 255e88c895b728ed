/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <haidang/fs.h>
#include <haidang/seal.h>

static char path[256];

static struct hd_sign_key *make_key(const char *name)
{
    struct hd_sign_key *key = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s", hd_test_tmpdir(), name);
    assert_int_equal(hd_sign_key_make(path), HD_OK);
    assert_int_equal(hd_sign_key_load(path, &key), HD_OK);
    return key;
}

static struct hd_seal sample(void)
{
    struct hd_seal seal = {
        .first = 7,
        .next = 19,
        .entries = 12,
        .records = 12000,
        .earliest = INT64_C(1700000000123456789),
        .latest = INT64_C(1700000100000000000),
        .sealed = INT64_C(1700000200000000000),
        .bytes = 4711,
        .previous = 1,
    };
    memset(seal.journal, 0xab, sizeof(seal.journal));
    memset(seal.sha256, 0x11, sizeof(seal.sha256));
    memset(seal.previous_sha256, 0x22, sizeof(seal.previous_sha256));
    return seal;
}

static void what_is_signed_verifies(void **state)
{
    (void)state;
    struct hd_sign_key *key = make_key("a"), *public = NULL, *other = NULL;
    uint8_t signature[HD_SIGNATURE_LEN];
    char name[300];
    assert_int_equal(hd_sign(key, HD_SLICE("text"), signature), HD_OK);
    (void)snprintf(name, sizeof(name), "%s.pub", path);
    assert_int_equal(hd_sign_public_load(name, &public), HD_OK);
    assert_memory_equal(hd_sign_key_id(key), hd_sign_key_id(public), HD_KEY_ID_LEN);
    assert_int_equal(hd_sign_verify(public, HD_SLICE("text"), signature), HD_OK);
    assert_int_equal(hd_sign_verify(public, HD_SLICE("texT"), signature), HD_ECORRUPT);
    assert_int_equal(hd_sign(public, HD_SLICE("text"), signature), HD_EINVAL);
    other = make_key("b");
    assert_int_equal(hd_sign_verify(other, HD_SLICE("text"), signature), HD_ECORRUPT);
    signature[5] ^= 1;
    assert_int_equal(hd_sign_verify(public, HD_SLICE("text"), signature), HD_ECORRUPT);
    hd_sign_key_free(key);
    hd_sign_key_free(public);
    hd_sign_key_free(other);
}

static void bad_key_files_are_told_apart(void **state)
{
    (void)state;
    struct hd_sign_key *key = make_key("a"), *none = NULL;
    char name[300];
    hd_sign_key_free(key);
    assert_int_equal(hd_sign_key_make(path), HD_EEXIST);
    assert_int_equal(hd_sign_key_load("/nonexistent/key", &none), HD_ENOENT);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(hd_sign_key_load(path, &none), HD_EACCES);
    (void)snprintf(name, sizeof(name), "%s/junk", hd_test_tmpdir());
    assert_int_equal(hd_fs_write_atomic(name, HD_SLICE("no key"), 0600), HD_OK);
    assert_int_equal(hd_sign_key_load(name, &none), HD_EPARSE);
    assert_int_equal(hd_sign_public_load(name, &none), HD_EPARSE);
    assert_int_equal(hd_sign_public_parse(HD_SLICE_EMPTY, &none), HD_EPARSE);
    /* RFC 8410 makes an X25519 key look much the same */
    assert_int_equal(
        hd_sign_public_parse(
            HD_SLICE("-----BEGIN PUBLIC KEY-----\n"
                     "MCowBQYDK2VuAyEAnYRjUvBcSRWDFqK5Oz6UcD3V1c2K6TYE7UjtQq3bUQ4=\n"
                     "-----END PUBLIC KEY-----\n"),
            &none),
        HD_EUNSUPPORTED);
    assert_null(none);
}

static void a_statement_reads_as_it_was_written(void **state)
{
    (void)state;
    struct hd_sign_key *key = make_key("a");
    struct hd_seal seal = sample(), back;
    struct hd_seal_text text;
    struct hd_buf out;
    hd_buf_init(&out, 0);
    assert_int_equal(hd_seal_encode(&out, &seal, key), HD_OK);
    assert_true(out.len <= HD_SEAL_MAX);
    assert_int_equal(hd_seal_decode(hd_buf_slice(&out), &back, &text), HD_OK);
    memcpy(seal.key_id, hd_sign_key_id(key), HD_KEY_ID_LEN);
    assert_memory_equal(&back, &seal, sizeof(seal));
    assert_int_equal(hd_sign_verify(key, text.statement, text.signature), HD_OK);
    assert_true(hd_slice_starts(text.statement,
                                HD_SLICE("haidang-seal 1\n"
                                         "journal abababababababababababababababab\n"
                                         "segment 00000000000000000007.zst\nnext 19\n")));
    assert_true(hd_slice_find(text.statement,
                              HD_SLICE("\nearliest 2023-11-14T22:13:20.123456789Z\n")) !=
                HD_NPOS);
    hd_buf_fini(&out);
    hd_sign_key_free(key);
}

static void the_first_has_none_before_it(void **state)
{
    (void)state;
    struct hd_sign_key *key = make_key("a");
    struct hd_seal seal = sample(), back;
    struct hd_seal_text text;
    struct hd_buf out;
    hd_buf_init(&out, 0);
    seal.previous = 0;
    memset(seal.previous_sha256, 0, HD_SHA256_LEN);
    seal.earliest = -5; /* nobody lived then */
    assert_int_equal(hd_seal_encode(&out, &seal, key), HD_OK);
    assert_int_equal(hd_seal_decode(hd_buf_slice(&out), &back, &text), HD_OK);
    assert_int_equal(back.previous, 0);
    assert_int_equal(back.earliest, 0);
    hd_buf_fini(&out);
    hd_sign_key_free(key);
}

static void nothing_shorter_or_longer_is_a_statement(void **state)
{
    (void)state;
    struct hd_sign_key *key = make_key("a");
    struct hd_seal seal = sample();
    struct hd_seal_text text;
    struct hd_buf out;
    hd_buf_init(&out, 0);
    assert_int_equal(hd_seal_encode(&out, &seal, key), HD_OK);
    struct hd_slice whole = hd_buf_slice(&out);
    for (size_t len = 0; len + 1 < whole.len; len++) { /* the last line end may go */
        assert_int_not_equal(hd_seal_decode(hd_slice_head(whole, len), &seal, &text),
                             HD_OK);
    }
    hd_buf_byte(&out, 'x');
    assert_int_equal(hd_seal_decode(hd_buf_slice(&out), &seal, &text), HD_EPARSE);
    assert_int_equal(hd_seal_decode(HD_SLICE("haidang-seal 2\nwhat\n"), &seal, &text),
                     HD_EVERSION);
    hd_buf_fini(&out);
    hd_sign_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_verifies),
        cmocka_unit_test(bad_key_files_are_told_apart),
        cmocka_unit_test(a_statement_reads_as_it_was_written),
        cmocka_unit_test(the_first_has_none_before_it),
        cmocka_unit_test(nothing_shorter_or_longer_is_a_statement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
