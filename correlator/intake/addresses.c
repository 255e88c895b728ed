/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/intake/addresses.h"

#include <stdlib.h>
#include <string.h>

#define NET_BYTES 8 /* of an IPv6 address: its /64 */

int cor_addresses_init(struct cor_addresses *a, uint32_t max, uint32_t per_address)
{
    *a = (struct cor_addresses){.max = max, .per_address = per_address};
    a->rows = calloc(max, sizeof(*a->rows));
    return a->rows == NULL ? HD_ENOMEM : HD_OK;
}

void cor_addresses_fini(struct cor_addresses *a)
{
    free(a->rows);
    *a = (struct cor_addresses){0};
}

struct hd_ip cor_addresses_net(const char *peer_ip)
{
    struct hd_ip net = {0};
    if (hd_ip_parse(hd_slice_str(peer_ip), &net) == HD_OK && !hd_ip_is_v4(&net)) {
        memset(net.byte + NET_BYTES, 0, sizeof(net.byte) - NET_BYTES);
    }
    return net;
}

static struct cor_address *find(const struct cor_addresses *a, const struct hd_ip *net)
{
    for (uint32_t i = 0; i < a->n; i++) {
        if (hd_ip_eq(&a->rows[i].net, net)) {
            return &a->rows[i];
        }
    }
    return NULL;
}

bool cor_addresses_enter(struct cor_addresses *a, const struct hd_ip *net)
{
    struct cor_address *row = find(a, net);
    if (row == NULL && a->n < a->max) {
        row = &a->rows[a->n++];
        *row = (struct cor_address){.net = *net};
    }
    if (row == NULL || row->handshakes >= a->per_address) {
        return false;
    }
    row->handshakes++;
    return true;
}

void cor_addresses_leave(struct cor_addresses *a, const struct hd_ip *net)
{
    struct cor_address *row = find(a, net);
    if (row != NULL && --row->handshakes == 0) {
        *row = a->rows[--a->n];
    }
}
