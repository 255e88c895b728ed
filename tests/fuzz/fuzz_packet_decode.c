/* SPDX-License-Identifier: Apache-2.0
 *
 * Target: col_packet_decode, for each link type (the first byte chooses). What it says is
 * checked against the frame: the payload lies inside and is not longer than claimed.
 */
#include <stdlib.h>

#include "collector/packet/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int links[] = {COL_LINK_ETHERNET, COL_LINK_NULL, COL_LINK_RAW,
                                COL_LINK_LOOP,     COL_LINK_SLL,  COL_LINK_SLL2,
                                COL_LINK_IPV4,     COL_LINK_IPV6};
    struct col_packet p;
    if (size == 0) {
        return 0;
    }
    struct hd_slice frame = hd_slice(data + 1, size - 1);
    enum col_decode r =
        col_packet_decode(links[data[0] % (sizeof(links) / sizeof(links[0]))], frame, &p);
    if (p.payload.len > p.payload_len || p.vlans > COL_PACKET_VLANS_MAX) {
        abort();
    }
    if (p.payload.len > 0 && (p.payload.ptr < frame.ptr ||
                              p.payload.ptr + p.payload.len > frame.ptr + frame.len)) {
        abort();
    }
    if (r == COL_DECODE_OK && col_proto_name(p.proto)[0] == '\0') {
        abort();
    }
    return 0;
}
