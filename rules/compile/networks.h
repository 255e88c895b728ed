/* SPDX-License-Identifier: Apache-2.0
 *
 * Many networks, and those of them that an address is in. Two networks either lie apart
 * or one in the other, so that in the order of their bases it is enough to know for each
 * the one closest around it: all that hold an address are found from the last one that
 * begins at or before it, outwards. Pure.
 */
#pragma once
#include <haidang/inet.h>

struct rul_network {
    struct hd_cidr net;
    uint32_t use;    /* what the caller keeps of it */
    uint32_t around; /* index + 1 of the closest network around it, 0 = none */
};

/* Ascending by base, then by bits: sets `around`. */
void rul_networks_link(struct rul_network *all, uint32_t n);

/* Index + 1 of the smallest network that holds the address, 0 = none; and of the next one
 * around that. */
uint32_t rul_networks_find(const struct rul_network *all, uint32_t n,
                           const struct hd_ip *ip);
uint32_t rul_networks_next(const struct rul_network *all, uint32_t at,
                           const struct hd_ip *ip);
