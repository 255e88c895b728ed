/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdlib.h>

#include "correlator/enrich/nets.h"
#include "correlator/index.h"

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
    struct cor_index index;
    assert_int_equal(cor_index_init(&index, 4), HD_OK);
    for (uint32_t i = 0; i < N; i++) {
        model.key[i] = UINT64_C(1000003) * i;
    }
    uint64_t random = 42;
    for (unsigned round = 0; round < 60000; round++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint32_t i = (uint32_t)(random >> 33) % 400;
        uint64_t hash = poor_hash(model.key[i]);
        uint32_t at =
            cor_index_find(&index, hash, same, &(struct want){&model, model.key[i]});
        assert_int_equal(at, model.present[i] ? i : COR_INDEX_NONE);
        if (model.present[i]) {
            cor_index_remove(&index, hash, i);
        } else {
            assert_int_equal(cor_index_add(&index, hash, i), HD_OK);
        }
        model.present[i] = !model.present[i];
    }
    cor_index_fini(&index);
}

static void grows(void **state)
{
    (void)state;
    static struct model model;
    struct cor_index index;
    assert_int_equal(cor_index_init(&index, 0), HD_OK);
    for (uint32_t i = 0; i < N; i++) {
        model.key[i] = i;
        assert_int_equal(cor_index_add(&index, i * UINT64_C(0x9e3779b97f4a7c15), i),
                         HD_OK);
    }
    assert_int_equal(index.used, N);
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(cor_index_find(&index, i * UINT64_C(0x9e3779b97f4a7c15), same,
                                        &(struct want){&model, i}),
                         i);
    }
    cor_index_fini(&index);
}

/* ---- networks ---- */

static void add(struct cor_nets *nets, const char *text, uint32_t value)
{
    struct hd_cidr cidr;
    uint32_t other = 0;
    assert_int_equal(hd_cidr_parse(hd_slice_str(text), &cidr), HD_OK);
    assert_int_equal(cor_nets_add(nets, &cidr, value, &other), HD_OK);
}

static uint32_t find(const struct cor_nets *nets, const char *text)
{
    struct hd_ip ip;
    assert_int_equal(hd_ip_parse(hd_slice_str(text), &ip), HD_OK);
    return cor_nets_find(nets, &ip);
}

static void the_longest_network_wins(void **state)
{
    (void)state;
    struct cor_nets nets;
    assert_int_equal(cor_nets_init(&nets), HD_OK);
    add(&nets, "203.0.113.0/24", 1);
    add(&nets, "203.0.113.128/25", 2);
    add(&nets, "203.0.113.200", 3);
    add(&nets, "2001:db8::/32", 4);
    add(&nets, "2001:db8:1::/48", 5);
    assert_int_equal(find(&nets, "203.0.113.1"), 1);
    assert_int_equal(find(&nets, "203.0.113.129"), 2);
    assert_int_equal(find(&nets, "203.0.113.200"), 3);
    assert_int_equal(find(&nets, "203.0.114.1"), COR_NETS_NONE);
    assert_int_equal(find(&nets, "2001:db8:2::1"), 4);
    assert_int_equal(find(&nets, "2001:db8:1::1"), 5);
    assert_int_equal(find(&nets, "2001:db9::1"), COR_NETS_NONE);
    assert_int_equal(nets.n_lengths, 5);
    struct hd_cidr cidr;
    uint32_t other = 0;
    assert_int_equal(hd_cidr_parse(HD_SLICE("2001:db8::/32"), &cidr), HD_OK);
    assert_int_equal(cor_nets_add(&nets, &cidr, 9, &other), HD_EEXIST);
    assert_int_equal(other, 4);
    cor_nets_fini(&nets);
}

static void the_default_route_holds_everything(void **state)
{
    (void)state;
    struct cor_nets nets;
    assert_int_equal(cor_nets_init(&nets), HD_OK);
    add(&nets, "::/0", 7);
    assert_int_equal(find(&nets, "192.0.2.1"), 7);
    add(&nets, "0.0.0.0/0", 8);
    assert_int_equal(find(&nets, "192.0.2.1"), 8);
    assert_int_equal(find(&nets, "2001:db8::1"), 7);
    cor_nets_fini(&nets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_model_under_random_use),
        cmocka_unit_test(grows),
        cmocka_unit_test(the_longest_network_wins),
        cmocka_unit_test(the_default_route_holds_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
