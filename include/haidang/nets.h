/* SPDX-License-Identifier: Apache-2.0
 *
 * Networks -> number, longest prefix first: one hash index for all prefix lengths, asked
 * once for each length that occurs. Built at load, then read-only; shared by threads.
 */
#pragma once
#include <haidang/index.h>
#include <haidang/inet.h>

#define HD_NETS_NONE UINT32_MAX

struct hd_net {
    struct hd_cidr cidr;
    uint32_t value;
};

struct hd_nets {
    struct hd_index index;
    struct hd_net *nets;
    uint32_t n;
    uint8_t lengths[129]; /* prefix lengths that occur, longest first */
    uint8_t n_lengths;
};

int hd_nets_init(struct hd_nets *nets) HD_MUST_USE;
void hd_nets_fini(struct hd_nets *nets);
/* HD_EEXIST: the network is there already; *other is its value. */
int hd_nets_add(struct hd_nets *nets, const struct hd_cidr *cidr, uint32_t value,
                uint32_t *other) HD_MUST_USE;
/* Value of the longest network that holds the address, or HD_NETS_NONE. */
uint32_t hd_nets_find(const struct hd_nets *nets, const struct hd_ip *ip);
