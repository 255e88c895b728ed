/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdlib.h>

#include <haidang/index.h>

#define N 5000U

struct model {
    uint64_t key[N];
    bool present[N];
};

struct want {
    const struct model *model;
    uint64_t key;
};

static bool same(const void *ctx, uint32_t at)
{
    const struct want *w = ctx;
    return w->model->key[at] == w->key;
}

/* Few distinct hashes: long runs, wrap-around and removal from their middle. */
static uint64_t poor_hash(uint64_t key)
{
    return (key % 97) * 131;
}

static void agrees_with_a_model_under_random_use(void **state)
{
    (void)state;
    static struct model model;
    struct hd_index index;
    assert_int_equal(hd_index_init(&index, 4), HD_OK);
    for (uint32_t i = 0; i < N; i++) {
        model.key[i] = UINT64_C(1000003) * i;
    }
    uint64_t random = 42;
    for (unsigned round = 0; round < 60000; round++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint32_t i = (uint32_t)(random >> 33) % 400;
        uint64_t hash = poor_hash(model.key[i]);
        uint32_t at =
            hd_index_find(&index, hash, same, &(struct want){&model, model.key[i]});
        assert_int_equal(at, model.present[i] ? i : HD_INDEX_NONE);
        if (model.present[i]) {
            hd_index_remove(&index, hash, i);
        } else {
            assert_int_equal(hd_index_add(&index, hash, i), HD_OK);
        }
        model.present[i] = !model.present[i];
    }
    hd_index_fini(&index);
}

static void grows(void **state)
{
    (void)state;
    static struct model model;
    struct hd_index index;
    assert_int_equal(hd_index_init(&index, 0), HD_OK);
    for (uint32_t i = 0; i < N; i++) {
        model.key[i] = i;
        assert_int_equal(hd_index_add(&index, i * UINT64_C(0x9e3779b97f4a7c15), i),
                         HD_OK);
    }
    assert_int_equal(index.used, N);
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(hd_index_find(&index, i * UINT64_C(0x9e3779b97f4a7c15), same,
                                       &(struct want){&model, i}),
                         i);
    }
    hd_index_fini(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_model_under_random_use),
        cmocka_unit_test(grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
