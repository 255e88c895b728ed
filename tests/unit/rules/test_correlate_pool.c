/* SPDX-License-Identifier: Apache-2.0
 *
 * The pool of blocks: what is in a block stays there, blocks do not overlap, nothing is
 * lost when all are given back (the sanitizers watch).
 */
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#include "rules/correlate/pool.h"

#define BLOCKS 3000U

struct held {
    uint32_t block;
    size_t bytes;
    uint8_t fill;
};

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void check(const struct rul_pool *pool, const struct held *h)
{
    const uint8_t *at = rul_pool_at(pool, h->block);
    for (size_t i = 0; i < h->bytes; i++) {
        assert_int_equal(at[i], h->fill);
    }
}

static void test_blocks(void **state)
{
    (void)state;
    static struct held held[BLOCKS];
    struct rul_pool *pool = NULL;
    uint32_t seed = 7;
    assert_int_equal(rul_pool_new(&pool), 0);
    for (uint32_t i = 0; i < 20 * BLOCKS; i++) {
        struct held *h = &held[next_random(&seed) % BLOCKS];
        if (h->block != RUL_POOL_NONE) {
            check(pool, h);
            rul_pool_give(pool, h->block);
            h->block = RUL_POOL_NONE;
            continue;
        }
        h->bytes = next_random(&seed) % (i % 50 == 0 ? 100000 : RUL_POOL_SMALL + 9);
        h->fill = (uint8_t)i;
        h->block = rul_pool_take(pool, h->bytes);
        assert_int_not_equal(h->block, RUL_POOL_NONE);
        assert_int_equal((uintptr_t)rul_pool_at(pool, h->block) % 8, 0);
        memset(rul_pool_at(pool, h->block), h->fill, h->bytes);
    }
    for (uint32_t i = 0; i < BLOCKS; i++) {
        if (held[i].block != RUL_POOL_NONE) {
            check(pool, &held[i]);
            rul_pool_give(pool, held[i].block);
        }
    }
    rul_pool_free(pool);
}

static void test_cost(void **state)
{
    (void)state;
    assert_int_equal(rul_pool_cost(0), 8);
    assert_int_equal(rul_pool_cost(8), 8);
    assert_int_equal(rul_pool_cost(9), 16);
    assert_int_equal(rul_pool_cost(RUL_POOL_SMALL), RUL_POOL_SMALL);
    assert_int_equal(rul_pool_cost(RUL_POOL_SMALL + 1),
                     RUL_POOL_SMALL + 1 + sizeof(void *));
    rul_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
