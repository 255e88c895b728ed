/* SPDX-License-Identifier: Apache-2.0
 *
 * Frame -> link layer -> IPv4/IPv6 -> TCP/UDP/ICMP/ICMPv6. Pure; every read goes through
 * a bounded cursor. What a length field claims beyond the captured bytes is cut, since a
 * snapshot length does just that; what contradicts itself is malformed.
 */
#include "collector/packet/packet.h"

#include <haidang/bytes.h>

enum ether_type {
    ETHER_IPV4 = 0x0800,
    ETHER_IPV6 = 0x86dd,
    ETHER_VLAN = 0x8100,
    ETHER_QINQ = 0x88a8,
    ETHER_QINQ_OLD = 0x9100,
};

enum ip6_next {
    IP6_HOP_BY_HOP = 0,
    IP6_ROUTING = 43,
    IP6_FRAGMENT = 44,
    IP6_AH = 51,
    IP6_DESTINATION = 60,
    IP6_MOBILITY = 135,
    IP6_HIP = 139,
    IP6_SHIM6 = 140,
};

#define ETHER_ADDRS_LEN   12U
#define VLAN_ID_MASK      0x0fffU
#define VLAN_TAGS_MAX     4   /* tags read at all; ids are kept of the first two */
#define IP6_EXTENSION_MAX 8   /* extension headers followed (RFC 8200 section 4.1) */
#define AF_INET6_BSD      24U /* AF_INET6 differs between the systems that write these */
#define AF_INET6_FREEBSD  28U
#define AF_INET6_DARWIN   30U
#define AF_INET6_LINUX    10U
#define AF_INET_ALL       2U

static struct hd_slice rest(const struct hd_bytes *c)
{
    return hd_slice(c->ptr + c->pos, hd_bytes_left(c));
}

/* ---- transport ---- */

/* RFC 9293 section 3.1 */
static enum col_decode decode_tcp(struct hd_bytes *c, uint32_t len,
                                  struct col_packet *out)
{
    size_t start = c->pos;
    out->src_port = hd_bytes_be16(c);
    out->dst_port = hd_bytes_be16(c);
    out->seq = hd_bytes_be32(c);
    (void)hd_bytes_be32(c);
    uint32_t header = (uint32_t)(hd_bytes_u8(c) >> 4) * 4U;
    out->tcp_flags = hd_bytes_u8(c);
    hd_bytes_skip(c, 6);
    if (hd_bytes_failed(c)) {
        return COL_DECODE_SHORT;
    }
    if (header < 20 || header > len) {
        return COL_DECODE_MALFORMED;
    }
    hd_bytes_skip(c, header - (c->pos - start));
    if (hd_bytes_failed(c)) {
        return COL_DECODE_SHORT;
    }
    out->payload_len = len - header;
    out->payload = rest(c);
    return COL_DECODE_OK;
}

/* RFC 768 */
static enum col_decode decode_udp(struct hd_bytes *c, uint32_t len,
                                  struct col_packet *out)
{
    out->src_port = hd_bytes_be16(c);
    out->dst_port = hd_bytes_be16(c);
    uint32_t udp_len = hd_bytes_be16(c);
    (void)hd_bytes_be16(c);
    if (hd_bytes_failed(c)) {
        return COL_DECODE_SHORT;
    }
    /* 0 is a jumbogram (RFC 2675) or a packet that the card has yet to segment; a first
     * fragment is shorter than its datagram */
    if (udp_len == 0 || (out->is_fragment && udp_len > len)) {
        udp_len = len;
    }
    if (udp_len < 8 || udp_len > len) {
        return COL_DECODE_MALFORMED;
    }
    out->payload_len = udp_len - 8;
    out->payload = hd_slice_head(rest(c), out->payload_len);
    return COL_DECODE_OK;
}

bool col_icmp_is_echo(uint8_t proto, uint8_t type)
{
    return proto == COL_PROTO_ICMP ? (type == 0 || type == 8)
                                   : (type == 128 || type == 129);
}

/* RFC 792, RFC 4443 section 2.1 */
static enum col_decode decode_icmp(struct hd_bytes *c, uint32_t len,
                                   struct col_packet *out)
{
    out->icmp_type = hd_bytes_u8(c);
    out->icmp_code = hd_bytes_u8(c);
    (void)hd_bytes_be16(c);
    if (hd_bytes_failed(c)) {
        return COL_DECODE_SHORT;
    }
    if (len < 4) {
        return COL_DECODE_MALFORMED;
    }
    out->payload_len = len - 4;
    out->payload = rest(c);
    if (col_icmp_is_echo(out->proto, out->icmp_type)) {
        out->src_port = out->dst_port = hd_bytes_be16(c);
        if (hd_bytes_failed(c)) {
            return COL_DECODE_SHORT;
        }
    }
    return COL_DECODE_OK;
}

/* `len`: bytes of the transport segment as the IP header says. */
static enum col_decode decode_transport(struct hd_bytes *c, uint32_t len,
                                        struct col_packet *out)
{
    enum col_decode result = COL_DECODE_OTHER;
    if (out->proto == COL_PROTO_TCP) {
        result = decode_tcp(c, len, out);
    } else if (out->proto == COL_PROTO_UDP) {
        result = decode_udp(c, len, out);
    } else if (out->proto == (out->is_v6 ? COL_PROTO_ICMP6 : COL_PROTO_ICMP)) {
        result = decode_icmp(c, len, out);
    }
    out->payload = hd_slice_head(out->payload, out->payload_len);
    return result;
}

/* ---- network ---- */

/* RFC 791 section 3.1 */
static enum col_decode decode_ipv4(struct hd_bytes *c, struct col_packet *out)
{
    size_t available = hd_bytes_left(c);
    uint8_t first = hd_bytes_u8(c);
    uint32_t header = (first & 0x0fU) * 4U;
    (void)hd_bytes_u8(c);
    uint32_t total = hd_bytes_be16(c);
    (void)hd_bytes_be16(c);
    uint16_t fragment = hd_bytes_be16(c);
    (void)hd_bytes_u8(c);
    out->proto = hd_bytes_u8(c);
    (void)hd_bytes_be16(c);
    const uint8_t *src = hd_bytes_need(c, 4);
    const uint8_t *dst = hd_bytes_need(c, 4);
    if (hd_bytes_failed(c)) {
        return COL_DECODE_SHORT;
    }
    out->src = hd_ip_v4(src);
    out->dst = hd_ip_v4(dst);
    if (total == 0) {
        total = (uint32_t)available; /* the card segments it later */
    }
    if ((first >> 4) != 4 || header < 20 || header > total) {
        return COL_DECODE_MALFORMED;
    }
    hd_bytes_skip(c, header - 20);
    if (hd_bytes_failed(c)) {
        return COL_DECODE_SHORT;
    }
    out->is_fragment = (fragment & 0x3fffU) != 0;
    if ((fragment & 0x1fffU) != 0) {
        return COL_DECODE_FRAGMENT;
    }
    struct hd_bytes segment = hd_bytes(hd_slice_head(rest(c), total - header));
    return decode_transport(&segment, total - header, out);
}

static bool is_extension(uint8_t next)
{
    return next == IP6_HOP_BY_HOP || next == IP6_ROUTING || next == IP6_FRAGMENT ||
           next == IP6_AH || next == IP6_DESTINATION || next == IP6_MOBILITY ||
           next == IP6_HIP || next == IP6_SHIM6;
}

/* One extension header (RFC 8200 section 4, RFC 4302 section 2.2): its length, 0 when the
 * bytes end. `next` moves on; *offset is the fragment offset when there is one. */
static uint32_t decode_extension(struct hd_bytes *c, uint8_t *next,
                                 struct col_packet *out, uint16_t *offset)
{
    uint8_t kind = *next;
    *next = hd_bytes_u8(c);
    uint8_t units = hd_bytes_u8(c);
    uint16_t word = hd_bytes_be16(c);
    uint32_t len = ((uint32_t)units + 1U) * 8U;
    if (kind == IP6_FRAGMENT) {
        len = 8;
        *offset = word >> 3;
        out->is_fragment = out->is_fragment || (word & 0xfff9U) != 0;
    } else if (kind == IP6_AH) {
        len = ((uint32_t)units + 2U) * 4U;
    }
    if (len > 4) {
        hd_bytes_skip(c, len - 4);
    }
    return hd_bytes_failed(c) ? 0 : len;
}

/* RFC 8200 section 3 */
static enum col_decode decode_ipv6(struct hd_bytes *c, struct col_packet *out)
{
    out->is_v6 = true;
    uint32_t word = hd_bytes_be32(c);
    uint32_t len = hd_bytes_be16(c);
    uint8_t next = hd_bytes_u8(c);
    (void)hd_bytes_u8(c);
    const uint8_t *src = hd_bytes_need(c, sizeof(out->src.byte));
    const uint8_t *dst = hd_bytes_need(c, sizeof(out->dst.byte));
    if (hd_bytes_failed(c)) {
        return COL_DECODE_SHORT;
    }
    memcpy(out->src.byte, src, sizeof(out->src.byte));
    memcpy(out->dst.byte, dst, sizeof(out->dst.byte));
    if ((word >> 28) != 6) {
        return COL_DECODE_MALFORMED;
    }
    if (len == 0) {
        len = (uint32_t)hd_bytes_left(c); /* a jumbogram, or segmented later */
    }
    struct hd_bytes segment = hd_bytes(hd_slice_head(rest(c), len));
    uint16_t offset = 0;
    for (int i = 0; is_extension(next); i++) {
        if (i == IP6_EXTENSION_MAX) {
            return COL_DECODE_MALFORMED;
        }
        uint32_t used = decode_extension(&segment, &next, out, &offset);
        if (used == 0) {
            return COL_DECODE_SHORT;
        }
        if (used > len) {
            return COL_DECODE_MALFORMED;
        }
        len -= used;
        if (offset != 0) {
            out->proto = next;
            return COL_DECODE_FRAGMENT;
        }
    }
    out->proto = next;
    return decode_transport(&segment, len, out);
}

static enum col_decode decode_ip(struct hd_bytes *c, struct col_packet *out)
{
    if (hd_bytes_left(c) == 0) {
        return COL_DECODE_SHORT;
    }
    uint8_t version = c->ptr[c->pos] >> 4;
    if (version == 4) {
        return decode_ipv4(c, out);
    }
    return version == 6 ? decode_ipv6(c, out) : COL_DECODE_MALFORMED;
}

/* ---- link ---- */

/* IEEE 802.1Q, 802.1ad: tags are skipped, ids kept. */
static enum col_decode decode_ether_type(struct hd_bytes *c, uint16_t type,
                                         struct col_packet *out)
{
    for (int i = 0; i < VLAN_TAGS_MAX &&
                    (type == ETHER_VLAN || type == ETHER_QINQ || type == ETHER_QINQ_OLD);
         i++) {
        uint16_t id = hd_bytes_be16(c) & VLAN_ID_MASK;
        type = hd_bytes_be16(c);
        if (out->vlans < COL_PACKET_VLANS_MAX && !hd_bytes_failed(c)) {
            out->vlan[out->vlans++] = id;
        }
    }
    if (hd_bytes_failed(c)) {
        return COL_DECODE_SHORT;
    }
    if (type == ETHER_IPV4) {
        return decode_ipv4(c, out);
    }
    return type == ETHER_IPV6 ? decode_ipv6(c, out) : COL_DECODE_NOT_IP;
}

/* Family word of BSD loopback: in the byte order of the host that wrote it (NULL) or in
 * network order (LOOP); a small number either way. */
static enum col_decode decode_null(struct hd_bytes *c, struct col_packet *out)
{
    uint32_t family = hd_bytes_be32(c);
    if (hd_bytes_failed(c)) {
        return COL_DECODE_SHORT;
    }
    if (family > 0xffffU) {
        family = __builtin_bswap32(family);
    }
    switch (family) {
    case AF_INET_ALL:
    case AF_INET6_LINUX:
    case AF_INET6_BSD:
    case AF_INET6_FREEBSD:
    case AF_INET6_DARWIN:
        return decode_ip(c, out);
    default:
        return COL_DECODE_NOT_IP;
    }
}

bool col_link_is_known(int link)
{
    switch (link) {
    case COL_LINK_NULL:
    case COL_LINK_ETHERNET:
    case COL_LINK_RAW:
    case COL_LINK_LOOP:
    case COL_LINK_SLL:
    case COL_LINK_IPV4:
    case COL_LINK_IPV6:
    case COL_LINK_SLL2:
        return true;
    default:
        return false;
    }
}

enum col_decode col_packet_decode(int link, struct hd_slice frame, struct col_packet *out)
{
    *out = (struct col_packet){0};
    struct hd_bytes c = hd_bytes(frame);
    uint16_t type = 0;
    switch (link) {
    case COL_LINK_ETHERNET:
        hd_bytes_skip(&c, ETHER_ADDRS_LEN);
        type = hd_bytes_be16(&c);
        return decode_ether_type(&c, type, out);
    case COL_LINK_SLL: /* type, ARPHRD, address length, address[8], protocol */
        hd_bytes_skip(&c, 14);
        type = hd_bytes_be16(&c);
        return decode_ether_type(&c, type, out);
    case COL_LINK_SLL2: /* protocol, 0, ifindex, ARPHRD, type, length, address[8] */
        type = hd_bytes_be16(&c);
        hd_bytes_skip(&c, 18);
        return decode_ether_type(&c, type, out);
    case COL_LINK_NULL:
    case COL_LINK_LOOP:
        return decode_null(&c, out);
    case COL_LINK_RAW:
    case COL_LINK_IPV4:
    case COL_LINK_IPV6:
        return decode_ip(&c, out);
    default:
        return COL_DECODE_NOT_IP;
    }
}

const char *col_proto_name(uint8_t proto)
{
    switch (proto) {
    case COL_PROTO_TCP:
        return "TCP";
    case COL_PROTO_UDP:
        return "UDP";
    case COL_PROTO_ICMP:
        return "ICMP";
    case COL_PROTO_ICMP6:
        return "IPv6-ICMP";
    default:
        return "IP";
    }
}
