/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <haidang/nets.h>

static void add(struct hd_nets *nets, const char *text, uint32_t value)
{
    struct hd_cidr cidr;
    uint32_t other = 0;
    assert_int_equal(hd_cidr_parse(hd_slice_str(text), &cidr), HD_OK);
    assert_int_equal(hd_nets_add(nets, &cidr, value, &other), HD_OK);
}

static uint32_t find(const struct hd_nets *nets, const char *text)
{
    struct hd_ip ip;
    assert_int_equal(hd_ip_parse(hd_slice_str(text), &ip), HD_OK);
    return hd_nets_find(nets, &ip);
}

static void the_longest_network_wins(void **state)
{
    (void)state;
    struct hd_nets nets;
    assert_int_equal(hd_nets_init(&nets), HD_OK);
    add(&nets, "203.0.113.0/24", 1);
    add(&nets, "203.0.113.128/25", 2);
    add(&nets, "203.0.113.200", 3);
    add(&nets, "2001:db8::/32", 4);
    add(&nets, "2001:db8:1::/48", 5);
    assert_int_equal(find(&nets, "203.0.113.1"), 1);
    assert_int_equal(find(&nets, "203.0.113.129"), 2);
    assert_int_equal(find(&nets, "203.0.113.200"), 3);
    assert_int_equal(find(&nets, "203.0.114.1"), HD_NETS_NONE);
    assert_int_equal(find(&nets, "2001:db8:2::1"), 4);
    assert_int_equal(find(&nets, "2001:db8:1::1"), 5);
    assert_int_equal(find(&nets, "2001:db9::1"), HD_NETS_NONE);
    assert_int_equal(nets.n_lengths, 5);
    struct hd_cidr cidr;
    uint32_t other = 0;
    assert_int_equal(hd_cidr_parse(HD_SLICE("2001:db8::/32"), &cidr), HD_OK);
    assert_int_equal(hd_nets_add(&nets, &cidr, 9, &other), HD_EEXIST);
    assert_int_equal(other, 4);
    hd_nets_fini(&nets);
}

static void the_default_route_holds_everything(void **state)
{
    (void)state;
    struct hd_nets nets;
    assert_int_equal(hd_nets_init(&nets), HD_OK);
    add(&nets, "::/0", 7);
    assert_int_equal(find(&nets, "192.0.2.1"), 7);
    add(&nets, "0.0.0.0/0", 8);
    assert_int_equal(find(&nets, "192.0.2.1"), 8);
    assert_int_equal(find(&nets, "2001:db8::1"), 7);
    hd_nets_fini(&nets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_network_wins),
        cmocka_unit_test(the_default_route_holds_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
