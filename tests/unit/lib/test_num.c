/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <locale.h>

#include <haidang/num.h>

static int u64(const char *text, uint64_t max, uint64_t *out)
{
    return hd_num_u64(hd_slice_str(text), max, out);
}

static void unsigned_numbers(void **state)
{
    (void)state;
    uint64_t n = 42;
    static const char *const bad[] = {"",   "-1",  "+1", " 1",
                                      "1 ", "0x1", "1a", "\xd9\xa1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(u64(bad[i], UINT64_MAX, &n), HD_EPARSE);
    }
    assert_int_equal(u64("18446744073709551616", UINT64_MAX, &n), HD_ERANGE);
    assert_int_equal(u64("99999999999999999999999", UINT64_MAX, &n), HD_ERANGE);
    assert_int_equal(u64("11", 10, &n), HD_ERANGE);
    assert_int_equal(u64("9", 5, &n), HD_ERANGE);
    assert_int_equal(n, 42);
    assert_int_equal(u64("18446744073709551615", UINT64_MAX, &n), HD_OK);
    assert_true(n == UINT64_MAX);
    assert_int_equal(u64("00000000000000000000000007", 10, &n), HD_OK);
    assert_int_equal(n, 7);
    assert_int_equal(u64("0", 0, &n), HD_OK);

    uint32_t n32 = 0;
    uint16_t n16 = 0;
    assert_int_equal(hd_num_u32(HD_SLICE("4294967295"), UINT32_MAX, &n32), HD_OK);
    assert_int_equal(hd_num_u32(HD_SLICE("4294967296"), UINT32_MAX, &n32), HD_ERANGE);
    assert_true(n32 == UINT32_MAX);
    assert_int_equal(hd_num_u16(HD_SLICE("65535"), UINT16_MAX, &n16), HD_OK);
    assert_int_equal(hd_num_u16(HD_SLICE("65536"), UINT16_MAX, &n16), HD_ERANGE);
    assert_int_equal(n16, 65535);
}

static void signed_numbers(void **state)
{
    (void)state;
    int64_t n = 0;
    assert_int_equal(
        hd_num_i64(HD_SLICE("-9223372036854775808"), INT64_MIN, INT64_MAX, &n), HD_OK);
    assert_true(n == INT64_MIN);
    assert_int_equal(
        hd_num_i64(HD_SLICE("9223372036854775807"), INT64_MIN, INT64_MAX, &n), HD_OK);
    assert_true(n == INT64_MAX);
    assert_int_equal(
        hd_num_i64(HD_SLICE("9223372036854775808"), INT64_MIN, INT64_MAX, &n), HD_ERANGE);
    assert_int_equal(hd_num_i64(HD_SLICE("-"), INT64_MIN, INT64_MAX, &n), HD_EPARSE);
    assert_int_equal(hd_num_i64(HD_SLICE("--1"), INT64_MIN, INT64_MAX, &n), HD_EPARSE);
    assert_int_equal(hd_num_i64(HD_SLICE("-5"), -4, 4, &n), HD_ERANGE);
}

static void hex(void **state)
{
    (void)state;
    uint64_t n = 0;
    uint8_t bytes[2] = {9, 9};
    assert_int_equal(hd_num_hex_u64(HD_SLICE("fFfFffffffffffff"), UINT64_MAX, &n), HD_OK);
    assert_true(n == UINT64_MAX);
    assert_int_equal(hd_num_hex_u64(HD_SLICE("10000000000000000"), UINT64_MAX, &n),
                     HD_ERANGE);
    assert_int_equal(hd_num_hex_u64(HD_SLICE("0x1"), UINT64_MAX, &n), HD_EPARSE);
    assert_int_equal(hd_num_hex_u64(HD_SLICE(""), UINT64_MAX, &n), HD_EPARSE);
    assert_int_equal(hd_num_hex_bytes(HD_SLICE("0aFg"), bytes, 2), HD_EPARSE);
    assert_int_equal(hd_num_hex_bytes(HD_SLICE("0aF"), bytes, 2), HD_EPARSE);
    assert_int_equal(bytes[0], 9);
    assert_int_equal(hd_num_hex_bytes(HD_SLICE("0aFe"), bytes, 2), HD_OK);
    assert_int_equal(bytes[0], 0x0a);
    assert_int_equal(bytes[1], 0xfe);
}

static void prefixes(void **state)
{
    (void)state;
    uint64_t n = 0;
    assert_int_equal(hd_num_prefix_u64(HD_SLICE("12ab"), 9, 99, &n), 2);
    assert_int_equal(n, 12);
    assert_int_equal(hd_num_prefix_u64(HD_SLICE("1234"), 3, 999, &n), 3);
    assert_int_equal(n, 123);
    assert_int_equal(hd_num_prefix_u64(HD_SLICE("256"), 3, 255, &n), 0);
    assert_int_equal(hd_num_prefix_u64(HD_SLICE("x"), 3, 255, &n), 0);
    assert_int_equal(hd_num_prefix_u64(HD_SLICE_EMPTY, 3, 255, &n), 0);
    assert_int_equal(n, 123);
}

static void doubles(void **state)
{
    (void)state;
    double d = 0;
    static const char *const bad[] = {"",    "-",   ".5",  "5.",   "1e",
                                      "1e+", "nan", "inf", "+1",   " 1",
                                      "1 ",  "0x1", "1,5", "1.5.", "1e5.0"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(hd_num_double(hd_slice_str(bad[i]), &d), HD_EPARSE);
    }
    assert_int_equal(hd_num_double(HD_SLICE("1e999"), &d), HD_ERANGE);
    assert_int_equal(hd_num_double(HD_SLICE("-12.5e-1"), &d), HD_OK);
    assert_true(d == -1.25);
    locale_t german = newlocale(LC_ALL_MASK, "de_DE.UTF-8", (locale_t)0);
    if (german != (locale_t)0) {
        (void)uselocale(german);
    }
    assert_int_equal(hd_num_double(HD_SLICE("21.028511"), &d), HD_OK);
    assert_true(d == 21.028511);
    (void)uselocale(LC_GLOBAL_LOCALE);
    if (german != (locale_t)0) {
        freelocale(german);
    }
}

static void durations_and_sizes(void **state)
{
    (void)state;
    int64_t ns = 0;
    uint64_t bytes = 0;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"250ms", 250000000},
                {"10s", 10000000000},
                {"5m", 300000000000},
                {"2h", 7200000000000},
                {"30d", 2592000000000000},
                {"1w", 604800000000000},
                {"0s", 0}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(hd_num_duration(hd_slice_str(good[i].text), &ns), HD_OK);
        assert_true(ns == good[i].ns);
    }
    static const char *const bad[] = {"", "10", "s", "1.5s", "-1s", "1 s", "1S", "1y"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(hd_num_duration(hd_slice_str(bad[i]), &ns), HD_EPARSE);
    }
    assert_int_equal(hd_num_duration(HD_SLICE("99999999999999w"), &ns), HD_ERANGE);
    assert_int_equal(hd_num_size(HD_SLICE("512"), &bytes), HD_OK);
    assert_int_equal(bytes, 512);
    assert_int_equal(hd_num_size(HD_SLICE("64KiB"), &bytes), HD_OK);
    assert_int_equal(bytes, 65536);
    assert_int_equal(hd_num_size(HD_SLICE("1T"), &bytes), HD_OK);
    assert_true(bytes == UINT64_C(1) << 40);
    assert_int_equal(hd_num_size(HD_SLICE("16777216T"), &bytes), HD_ERANGE);
    assert_int_equal(hd_num_size(HD_SLICE("1KB"), &bytes), HD_EPARSE);
}

static void booleans(void **state)
{
    (void)state;
    bool b = false;
    assert_int_equal(hd_num_bool(HD_SLICE("yes"), &b), HD_OK);
    assert_true(b);
    assert_int_equal(hd_num_bool(HD_SLICE("False"), &b), HD_OK);
    assert_false(b);
    assert_int_equal(hd_num_bool(HD_SLICE("1"), &b), HD_EPARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsigned_numbers),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(hex),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(doubles),
        cmocka_unit_test(durations_and_sizes),
        cmocka_unit_test(booleans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
