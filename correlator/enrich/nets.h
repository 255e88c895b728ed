/* SPDX-License-Identifier: Apache-2.0
 *
 * Networks -> number, longest prefix first: one hash index for all prefix lengths, asked
 * once for each length that occurs. Built at load, then read-only; shared by threads.
 */
#pragma once
#include <haidang/inet.h>

#include <haidang/index.h>

#define COR_NETS_NONE UINT32_MAX

struct cor_net {
    struct hd_cidr cidr;
    uint32_t value;
};

struct cor_nets {
    struct hd_index index;
    struct cor_net *nets;
    uint32_t n;
    uint8_t lengths[129]; /* prefix lengths that occur, longest first */
    uint8_t n_lengths;
};

int cor_nets_init(struct cor_nets *nets) HD_MUST_USE;
void cor_nets_fini(struct cor_nets *nets);
/* HD_EEXIST: the network is there already; *other is its value. */
int cor_nets_add(struct cor_nets *nets, const struct hd_cidr *cidr, uint32_t value,
                 uint32_t *other) HD_MUST_USE;
/* Value of the longest network that holds the address, or COR_NETS_NONE. */
uint32_t cor_nets_find(const struct cor_nets *nets, const struct hd_ip *ip);
