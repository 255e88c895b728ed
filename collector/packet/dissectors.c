/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry of application protocols: one line each.
 */
#include "collector/packet/dissect.h"

const struct col_dissector *col_dissector(uint8_t id)
{
    switch (id) {
    case 1:
        return col_dns_udp();
    case 2:
        return col_tls_tcp();
    case 3:
        return col_http_tcp();
    case 4:
        return col_dns_tcp();
    default:
        return NULL;
    }
}
