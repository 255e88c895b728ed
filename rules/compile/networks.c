/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/compile/networks.h"

#include <string.h>

/* By the bits alone: ::/0 lies around IPv4 networks too, though it holds no address of
 * theirs, since what begins behind it may be IPv6 again. */
static bool lies_in(const struct hd_cidr *inner, const struct hd_cidr *outer)
{
    size_t whole = outer->bits / 8;
    unsigned rest = outer->bits % 8;
    return outer->bits <= inner->bits &&
           memcmp(outer->base.byte, inner->base.byte, whole) == 0 &&
           (rest == 0 ||
            (outer->base.byte[whole] ^ inner->base.byte[whole]) >> (8 - rest) == 0);
}

void rul_networks_link(struct rul_network *all, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = i;
        while (at != 0 && !lies_in(&all[i].net, &all[at - 1].net)) {
            at = all[at - 1].around;
        }
        all[i].around = at;
    }
}

static uint32_t outwards(const struct rul_network *all, uint32_t at,
                         const struct hd_ip *ip)
{
    while (at != 0 && !hd_cidr_has(&all[at - 1].net, ip)) {
        at = all[at - 1].around;
    }
    return at;
}

uint32_t rul_networks_find(const struct rul_network *all, uint32_t n,
                           const struct hd_ip *ip)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (memcmp(all[mid].net.base.byte, ip->byte, sizeof(ip->byte)) <= 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return outwards(all, low, ip);
}

uint32_t rul_networks_next(const struct rul_network *all, uint32_t at,
                           const struct hd_ip *ip)
{
    return outwards(all, all[at - 1].around, ip);
}
