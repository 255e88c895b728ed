/* SPDX-License-Identifier: Apache-2.0
 *
 * Networks of an address, against asking one after the other.
 */
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#include "rules/compile/networks.h"

#define NETWORKS 40U
#define TABLES   400U

static uint32_t seed = 1;

static uint32_t next(uint32_t below)
{
    seed = seed * 1664525U + 1013904223U;
    return (seed >> 8) % below;
}

/* Few different bits, so that networks lie in each other; IPv4 every other time. */
static struct hd_ip address(void)
{
    struct hd_ip ip = {{0}};
    if (next(2) == 0) {
        const uint8_t v4[4] = {10, (uint8_t)(next(2) * 0x81), (uint8_t)next(4),
                               (uint8_t)(next(2) * 0xff)};
        return hd_ip_v4(v4);
    }
    ip.byte[0] = (uint8_t)(next(2) * 0x20);
    ip.byte[10] = ip.byte[11] = (uint8_t)(next(2) * 0xfe);
    ip.byte[15] = (uint8_t)next(8);
    return ip;
}

static struct hd_cidr network(void)
{
    struct hd_ip base = address();
    unsigned least = hd_ip_is_v4(&base) ? 96 : 0;
    struct hd_cidr net = {base, (uint8_t)(least + next(129 - least))};
    for (unsigned i = net.bits; i < 128; i++) {
        net.base.byte[i / 8] &= (uint8_t) ~(0x80U >> i % 8);
    }
    return net;
}

static int compare(const void *a, const void *b)
{
    const struct rul_network *x = a, *y = b;
    int order = memcmp(x->net.base.byte, y->net.base.byte, sizeof(x->net.base.byte));
    return order != 0 ? order : (int)x->net.bits - (int)y->net.bits;
}

static void check(const struct rul_network *all, uint32_t n, const struct hd_ip *ip,
                  uint32_t *found)
{
    bool is_in[NETWORKS] = {false};
    for (uint32_t at = rul_networks_find(all, n, ip); at != 0;
         at = rul_networks_next(all, at, ip)) {
        assert_in_range(at, 1, n);
        assert_false(is_in[at - 1]);
        is_in[at - 1] = true;
        ++*found;
    }
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(is_in[i], hd_cidr_has(&all[i].net, ip));
    }
}

static void test_random(void **state)
{
    (void)state;
    uint32_t found = 0;
    for (uint32_t table = 0; table < TABLES; table++) {
        struct rul_network all[NETWORKS];
        uint32_t n = next(NETWORKS + 1);
        for (uint32_t i = 0; i < n; i++) {
            all[i] = (struct rul_network){.net = network()};
        }
        qsort(all, n, sizeof(*all), compare);
        rul_networks_link(all, n);
        for (uint32_t i = 0; i < 50; i++) {
            struct hd_ip ip = address();
            check(all, n, &ip, &found);
        }
    }
    assert_true(found > TABLES * 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
