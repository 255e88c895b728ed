/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <haidang/bytes.h>

static void reads_like_a_schema(void **state)
{
    (void)state;
    struct hd_bytes c = hd_bytes(HD_SLICE("\x01\x01\x02\x01\x02\x03\x01\x02\x03\x04"
                                          "\x00\x02hi\x02\x01\x04\x03\x02\x01"
                                          "\x08\x07\x06\x05\x04\x03\x02\x01"
                                          "\x01\x02\x03\x04\x05\x06\x07\x08z"));
    assert_int_equal(hd_bytes_u8(&c), 1);
    assert_int_equal(hd_bytes_be16(&c), 0x0102);
    assert_int_equal(hd_bytes_be24(&c), 0x010203);
    assert_int_equal(hd_bytes_be32(&c), 0x01020304);
    assert_true(hd_slice_eq(hd_bytes_str16(&c), HD_SLICE("hi")));
    assert_int_equal(hd_bytes_le16(&c), 0x0102);
    assert_int_equal(hd_bytes_le32(&c), 0x01020304);
    assert_true(hd_bytes_le64(&c) == UINT64_C(0x0102030405060708));
    assert_true(hd_bytes_be64(&c) == UINT64_C(0x0102030405060708));
    assert_int_equal(hd_bytes_left(&c), 1);
    hd_bytes_skip(&c, 1);
    assert_false(hd_bytes_failed(&c));
}

static void short_read_sticks(void **state)
{
    (void)state;
    struct hd_bytes c = hd_bytes(HD_SLICE("\xff\xff\xff"));
    assert_int_equal(hd_bytes_be32(&c), 0);
    assert_true(hd_bytes_failed(&c));
    assert_int_equal(hd_bytes_u8(&c), 0);
    assert_int_equal(hd_bytes_view(&c, 0).len, 0);
    assert_true(hd_bytes_failed(&c));
}

static void sub_cursor_is_bounded(void **state)
{
    (void)state;
    struct hd_bytes c = hd_bytes(HD_SLICE("abcdef"));
    struct hd_bytes sub = hd_bytes_sub(&c, 2);
    assert_int_equal(hd_bytes_u8(&sub), 'a');
    assert_int_equal(hd_bytes_be16(&sub), 0);
    assert_true(hd_bytes_failed(&sub));
    assert_int_equal(hd_bytes_u8(&c), 'c');
    sub = hd_bytes_sub(&c, 99);
    assert_true(hd_bytes_failed(&sub));
    assert_true(hd_bytes_failed(&c));
}

static void nothing_is_readable(void **state)
{
    (void)state;
    struct hd_bytes c = hd_bytes(HD_SLICE_EMPTY);
    assert_int_equal(hd_bytes_view(&c, 0).len, 0);
    assert_false(hd_bytes_failed(&c));
    assert_int_equal(hd_bytes_u8(&c), 0);
    assert_true(hd_bytes_failed(&c));
    c = hd_bytes(HD_SLICE("\x00\x05hi"));
    assert_int_equal(hd_bytes_str16(&c).len, 0);
    assert_true(hd_bytes_failed(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_like_a_schema),
        cmocka_unit_test(short_read_sticks),
        cmocka_unit_test(sub_cursor_is_bounded),
        cmocka_unit_test(nothing_is_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
