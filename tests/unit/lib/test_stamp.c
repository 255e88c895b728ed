/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests for time stamps; what is no reply. Real replies of a real authority are
 * checked in tests/unit/console/test_stamps.py and tests/e2e/test_stamps.py.
 */
#include "tests/support/support.h"

#include <string.h>

#include <haidang/stamp.h>

#include "tests/support/certs.h"

static const uint8_t digest[HD_SHA256_LEN] = {1, 2, 3, 4};

static void a_request_has_the_digest_and_a_nonce_of_its_own(void **state)
{
    (void)state;
    /* SEQUENCE, version 1, SEQUENCE { SHA-256, 32 bytes } */
    static const uint8_t head[] = {0x30, 0x43, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30,
                                   0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
                                   0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    struct hd_buf one, two;
    hd_buf_init(&one, 0);
    hd_buf_init(&two, 0);
    assert_int_equal(hd_stamp_request(digest, &one), HD_OK);
    assert_int_equal(hd_stamp_request(digest, &two), HD_OK);
    assert_int_equal(one.len, sizeof(head) + HD_SHA256_LEN + 10 + 3); /* nonce, certReq */
    assert_int_equal(two.len, one.len);
    assert_memory_equal(one.ptr, head, sizeof(head));
    assert_memory_equal(one.ptr + sizeof(head), digest, sizeof(digest));
    assert_memory_not_equal(one.ptr + sizeof(head) + sizeof(digest),
                            two.ptr + sizeof(head) + sizeof(digest), 10);
    assert_memory_equal(one.ptr + one.len - 3, "\x01\x01\xff", 3);
    hd_buf_fini(&one);
    hd_buf_fini(&two);
}

static void what_is_no_reply_is_said_to_be_none(void **state)
{
    (void)state;
    /* the last: PKIStatusInfo "granted" and no token */
    static const struct hd_slice bad[] = {
        {NULL, 0},
        {(const uint8_t *)"<html>", 6},
        {(const uint8_t *)"\x30\x80\xff\xff", 4},
        {(const uint8_t *)"\x30\x05\x30\x03\x02\x01\x00", 7},
    };
    struct hd_stamp_ca *ca = NULL;
    struct hd_buf request;
    char why[HD_STAMP_WHY];
    int64_t time_ns = 0;
    hd_buf_init(&request, 0);
    assert_int_equal(hd_stamp_request(digest, &request), HD_OK);
    assert_int_equal(hd_stamp_ca_load(hd_test_path(hd_test_pki(), "ca.crt"), &ca), HD_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(hd_stamp_time(bad[i], &time_ns), HD_EPARSE);
        assert_int_equal(hd_stamp_verify(ca, digest, bad[i], &time_ns, why), HD_ECORRUPT);
        assert_non_null(strstr(why, "no reply of RFC 3161"));
        assert_int_equal(
            hd_stamp_verify_reply(ca, hd_buf_slice(&request), NULL, bad[i], why),
            HD_ECORRUPT);
    }
    assert_int_equal(hd_stamp_verify_reply(ca, HD_SLICE("?"), NULL, bad[1], why),
                     HD_ECORRUPT);
    assert_string_equal(why, "the request itself cannot be read");
    hd_stamp_ca_free(ca);
    hd_buf_fini(&request);
}

static void an_authority_needs_a_certificate(void **state)
{
    (void)state;
    struct hd_stamp_ca *ca = NULL;
    assert_int_equal(hd_stamp_ca_load("/nowhere/ca.crt", &ca), HD_ENOENT);
    assert_int_equal(hd_stamp_ca_load(hd_test_source("README.md"), &ca), HD_EPARSE);
    assert_int_equal(hd_stamp_ca_load(hd_test_path(hd_test_pki(), "server.key"), &ca),
                     HD_EPARSE);
}

static void names_are_those_of_segments(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      ".tsq",
                                      "1.tsq",
                                      "00000000000000000001.tsr",
                                      "0000000000000000000x.tsq",
                                      "000000000000000000001.tsq",
                                      "99999999999999999999.tsq"};
    uint64_t first = 0;
    char path[64];
    assert_true(hd_stamp_name_parse("00000000000000004712.tsq", ".tsq", &first));
    assert_int_equal(first, 4712);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(hd_stamp_name_parse(bad[i], ".tsq", &first));
    }
    assert_int_equal(hd_stamp_path("d", 7, ".tsr", path, sizeof(path)), HD_OK);
    assert_string_equal(path, "d/stamps/00000000000000000007.tsr");
    assert_int_equal(hd_stamp_path("d", 7, ".tsr", path, 20), HD_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_the_digest_and_a_nonce_of_its_own),
        cmocka_unit_test(what_is_no_reply_is_said_to_be_none),
        cmocka_unit_test(an_authority_needs_a_certificate),
        cmocka_unit_test(names_are_those_of_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
