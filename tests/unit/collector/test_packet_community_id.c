/* SPDX-License-Identifier: Apache-2.0
 *
 * The vectors published with version 1 of the specification (baseline, seed 0).
 */
#include "tests/support/support.h"

#include <string.h>

#include "collector/packet/community_id.h"
#include "collector/packet/packet.h"

struct vector {
    uint8_t proto;
    const char *src, *dst;
    uint16_t src_port, dst_port; /* ICMP: type and code */
    const char *id;
};

static const struct vector vectors[] = {
    {6, "128.232.110.120", "66.35.250.204", 34855, 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
    {6, "66.35.250.204", "128.232.110.120", 80, 34855, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
    {17, "192.168.1.52", "8.8.8.8", 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
    {17, "8.8.8.8", "192.168.1.52", 53, 54585, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
    {6, "2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a", 63943, 25,
     "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="},
    {1, "192.168.0.89", "192.168.0.1", 8, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
    {1, "192.168.0.1", "192.168.0.89", 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
    {1, "10.0.0.1", "10.0.0.2", 11, 0, "1:YHxtAirCG//0OzkcVAukqKQN9xM="},
    {58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 135, 0,
     "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
    {58, "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 136, 0,
     "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
    {58, "3ffe:501:1800:2345::2", "3ffe:507:0:1:200:86ff:fe05:80da", 3, 0,
     "1:2ObVBgIn28oZvibYZhZMBgh7WdQ="},
    {58, "3ffe:501:410:0:2c0:dfff:fe47:33e", "3ffe:507:0:1:200:86ff:fe05:80da", 1, 4,
     "1:hLZd0XGWojozrvxqE0dWB1iM6R0="},
    {58, "3ffe:507:0:1:200:86ff:fe05:80da", "3ffe:501:0:1001::2", 128, 0,
     "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg="},
    {58, "fe80::200:86ff:fe05:80da", "ff02::2", 133, 0, "1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0="},
    {58, "fe80::260:97ff:fe07:69ea", "ff02::1", 134, 0, "1:pkvHqCL88/tg1k4cPigmZXUtL00="},
};

static void test_published_vectors(void **state)
{
    (void)state;
    struct col_community c;
    assert_int_equal(col_community_init(&c, 0), HD_OK);
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct vector *v = &vectors[i];
        bool is_icmp = v->proto == COL_PROTO_ICMP || v->proto == COL_PROTO_ICMP6;
        char text[COL_COMMUNITY_ID_LEN + 1];
        struct col_community_tuple tuple = {.proto = v->proto};
        assert_int_equal(hd_ip_parse(hd_slice_str(v->src), &tuple.src), HD_OK);
        assert_int_equal(hd_ip_parse(hd_slice_str(v->dst), &tuple.dst), HD_OK);
        if (is_icmp) {
            tuple.icmp_type = (uint8_t)v->src_port;
            tuple.icmp_code = (uint8_t)v->dst_port;
        } else {
            tuple.src_port = v->src_port;
            tuple.dst_port = v->dst_port;
        }
        assert_int_equal(col_community_id(&c, &tuple, text), HD_OK);
        assert_string_equal(text, v->id);
    }
    col_community_fini(&c);
}

static void test_seed_changes_the_id(void **state)
{
    (void)state;
    struct col_community c;
    char text[COL_COMMUNITY_ID_LEN + 1];
    struct col_community_tuple tuple = {.proto = 6, .src_port = 34855, .dst_port = 80};
    assert_int_equal(hd_ip_parse(HD_SLICE("128.232.110.120"), &tuple.src), HD_OK);
    assert_int_equal(hd_ip_parse(HD_SLICE("66.35.250.204"), &tuple.dst), HD_OK);
    assert_int_equal(col_community_init(&c, 1), HD_OK);
    assert_int_equal(col_community_id(&c, &tuple, text), HD_OK);
    assert_string_equal(text, "1:3V71V58M3Ksw/yuFALMcW0LAHvc=");
    col_community_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_seed_changes_the_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
