/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <string.h>

#include <haidang/hash.h>

/* RFC 3720 appendix B.4 */
static void crc32c_known_vectors(void **state)
{
    (void)state;
    uint8_t zeros[32] = {0};
    uint8_t ones[32];
    uint8_t up[32];
    uint8_t down[32];
    memset(ones, 0xff, sizeof(ones));
    for (size_t i = 0; i < 32; i++) {
        up[i] = (uint8_t)i;
        down[i] = (uint8_t)(31 - i);
    }
    const struct {
        const void *ptr;
        size_t len;
        uint32_t crc;
    } cases[] = {{zeros, 32, 0x8a9136aa},      {ones, 32, 0x62a8ab43},
                 {up, 32, 0x46dd794e},         {down, 32, 0x113fdb5c},
                 {"123456789", 9, 0xe3069283}, {"", 0, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(hd_crc32c(0, cases[i].ptr, cases[i].len), cases[i].crc);
        assert_int_equal(hd_crc32c_portable(0, cases[i].ptr, cases[i].len), cases[i].crc);
    }
}

static void crc32c_continues_at_every_cut(void **state)
{
    (void)state;
    uint8_t data[67];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 37 + 11);
    }
    uint32_t whole = hd_crc32c_portable(0, data, sizeof(data));
    for (size_t cut = 0; cut <= sizeof(data); cut++) {
        uint32_t crc = hd_crc32c(0, data, cut);
        assert_int_equal(hd_crc32c(crc, data + cut, sizeof(data) - cut), whole);
        crc = hd_crc32c_portable(0, data, cut);
        assert_int_equal(hd_crc32c_portable(crc, data + cut, sizeof(data) - cut), whole);
    }
}

static void sha256_known_vectors(void **state)
{
    (void)state;
    static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
    static const uint8_t empty[] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14};
    uint8_t out[HD_SHA256_LEN];
    assert_int_equal(hd_sha256(HD_SLICE("abc"), out), HD_OK);
    assert_memory_equal(out, abc, sizeof(abc));
    assert_int_equal(hd_sha256(HD_SLICE_EMPTY, out), HD_OK);
    assert_memory_equal(out, empty, sizeof(empty));
}

static void table_hash(void **state)
{
    (void)state;
    assert_true(hd_hash(HD_SLICE("a")) == hd_hash(HD_SLICE("a")));
    assert_true(hd_hash(HD_SLICE("a")) != hd_hash(HD_SLICE("b")));
    /* published: XXH3_64bits of nothing with seed 0 */
    assert_true(hd_hash_stable(HD_SLICE_EMPTY, 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(hd_hash_stable(HD_SLICE("a"), 1) != hd_hash_stable(HD_SLICE("a"), 2));
}

static void random_differs(void **state)
{
    (void)state;
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};
    assert_int_equal(hd_random(a, sizeof(a)), HD_OK);
    assert_int_equal(hd_random(b, sizeof(b)), HD_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(hd_random(NULL, 0), HD_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_known_vectors),
        cmocka_unit_test(crc32c_continues_at_every_cut),
        cmocka_unit_test(sha256_known_vectors),
        cmocka_unit_test(table_hash),
        cmocka_unit_test(random_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
