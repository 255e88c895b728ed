/* SPDX-License-Identifier: Apache-2.0
 *
 * Handshakes in progress by address, so that a crowd at one address cannot take all the
 * places there are. Before the handshake nobody has shown a certificate; an address is
 * all that is known. An IPv6 address counts as its /64: whoever has one has them all.
 * Bounded by the places (at most `max` rows). Loop thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/err.h>
#include <haidang/inet.h>

struct cor_address {
    struct hd_ip net;
    uint32_t handshakes;
};

struct cor_addresses {
    struct cor_address *rows;
    uint32_t n, max, per_address;
};

int cor_addresses_init(struct cor_addresses *addresses, uint32_t max,
                       uint32_t per_address) HD_MUST_USE;
void cor_addresses_fini(struct cor_addresses *addresses);

/* What stands for a peer's address; the unspecified address for one that has left. */
struct hd_ip cor_addresses_net(const char *peer_ip);

/* True: a handshake of `net` begins; say leave when it has ended. False: that would be
 * more than per_address. */
bool cor_addresses_enter(struct cor_addresses *addresses, const struct hd_ip *net);
void cor_addresses_leave(struct cor_addresses *addresses, const struct hd_ip *net);
