/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include "tests/support/alloc.h"
#include <haidang/buf.h>

static void appends(void **state)
{
    (void)state;
    struct hd_buf buf;
    hd_buf_init(&buf, 0);
    hd_buf_str(&buf, "n=");
    hd_buf_u64(&buf, UINT64_MAX);
    hd_buf_byte(&buf, ' ');
    hd_buf_i64(&buf, INT64_MIN);
    hd_buf_byte(&buf, ' ');
    hd_buf_i64(&buf, 0);
    hd_buf_byte(&buf, ' ');
    hd_buf_hex(&buf, HD_SLICE("\x00\xfe\x10"));
    hd_buf_printf(&buf, " %s-%d", "x", 7);
    hd_buf_slice_add(&buf, HD_SLICE_EMPTY);
    assert_int_equal(buf.err, 0);
    assert_string_equal(hd_buf_cstr(&buf),
                        "n=18446744073709551615 -9223372036854775808 0 00fe10 x-7");
    hd_buf_fini(&buf);
    assert_string_equal(hd_buf_cstr(&buf), "");
    hd_buf_fini(&buf);
}

static void binary_has_its_byte_order(void **state)
{
    (void)state;
    struct hd_buf buf;
    hd_buf_init(&buf, 0);
    hd_buf_le16(&buf, 0x0102);
    hd_buf_le32(&buf, 0x01020304);
    hd_buf_le64(&buf, UINT64_C(0x0102030405060708));
    hd_buf_be16(&buf, 0x0102);
    hd_buf_be32(&buf, 0x01020304);
    hd_buf_be64(&buf, UINT64_C(0x0102030405060708));
    static const uint8_t want[] = {2, 1, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1,
                                   1, 2, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8};
    assert_true(hd_slice_eq(hd_buf_slice(&buf), hd_slice(want, sizeof(want))));
    hd_buf_fini(&buf);
}

static void limit_sticks(void **state)
{
    (void)state;
    struct hd_buf buf;
    hd_buf_init(&buf, 4);
    hd_buf_str(&buf, "abcd");
    assert_int_equal(buf.err, 0);
    hd_buf_byte(&buf, 'e');
    assert_int_equal(buf.err, HD_ELIMIT);
    hd_buf_consume(&buf, 2);
    hd_buf_byte(&buf, 'f');
    assert_true(hd_slice_eq(hd_buf_slice(&buf), HD_SLICE("cd")));
    assert_string_equal(hd_buf_cstr(&buf), "");
    hd_buf_clear(&buf);
    hd_buf_str(&buf, "xyz");
    assert_string_equal(hd_buf_cstr(&buf), "xyz");
    assert_null(hd_buf_reserve(&buf, SIZE_MAX));
    assert_int_equal(buf.err, HD_ELIMIT);
    hd_buf_fini(&buf);
}

static void consumes(void **state)
{
    (void)state;
    struct hd_buf buf;
    hd_buf_init(&buf, 0);
    hd_buf_consume(&buf, 3);
    hd_buf_str(&buf, "abcdef");
    hd_buf_consume(&buf, 2);
    assert_string_equal(hd_buf_cstr(&buf), "cdef");
    hd_buf_consume(&buf, 99);
    assert_int_equal(buf.len, 0);
    hd_buf_fini(&buf);
}

static void grows_past_many_doublings(void **state)
{
    (void)state;
    struct hd_buf buf;
    hd_buf_init(&buf, 0);
    for (unsigned i = 0; i < 100000; i++) {
        hd_buf_byte(&buf, (uint8_t)i);
    }
    assert_int_equal(buf.len, 100000);
    for (unsigned i = 0; i < 100000; i++) {
        assert_int_equal(buf.ptr[i], (uint8_t)i);
    }
    hd_buf_fini(&buf);
}

static void out_of_memory_sticks(void **state)
{
    (void)state;
    if (!hd_test_alloc_can_fail()) {
        hd_test_skip("the sanitizer has the allocator");
    }
    struct hd_buf buf;
    hd_buf_init(&buf, 0);
    hd_buf_str(&buf, "kept");
    hd_test_alloc_fail_at(1);
    hd_buf_printf(&buf, "%1000d", 1);
    hd_test_alloc_stop();
    assert_int_equal(buf.err, HD_ENOMEM);
    hd_buf_byte(&buf, 'x');
    assert_true(hd_slice_eq(hd_buf_slice(&buf), HD_SLICE("kept")));
    hd_buf_fini(&buf);
}

static void fixed_storage_never_grows(void **state)
{
    (void)state;
    uint8_t storage[4];
    struct hd_buf buf = hd_buf_fixed(storage, sizeof(storage));
    hd_buf_str(&buf, "abcd");
    assert_ptr_equal(buf.ptr, storage);
    hd_buf_byte(&buf, 'e');
    assert_int_equal(buf.err, HD_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends),
        cmocka_unit_test(binary_has_its_byte_order),
        cmocka_unit_test(limit_sticks),
        cmocka_unit_test(consumes),
        cmocka_unit_test(grows_past_many_doublings),
        cmocka_unit_test(out_of_memory_sticks),
        cmocka_unit_test(fixed_storage_never_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
