/* SPDX-License-Identifier: Apache-2.0
 *
 * One captured frame, decoded down to its transport header. The view borrows the frame:
 * it is valid as long as the frame's bytes are. Pure; any thread.
 *
 * Tunnels (GRE, VXLAN, IP in IP) are not opened: the outer flow is what is seen.
 * Fragments are not put together: the first one carries the ports, later ones are noted.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/inet.h>
#include <haidang/slice.h>

/* Link types, numbered as libpcap's DLT_ values on Linux. */
enum col_link {
    COL_LINK_NULL = 0,
    COL_LINK_ETHERNET = 1,
    COL_LINK_RAW = 12,
    COL_LINK_LOOP = 108,
    COL_LINK_SLL = 113,
    COL_LINK_IPV4 = 228,
    COL_LINK_IPV6 = 229,
    COL_LINK_SLL2 = 276,
};

enum col_proto {
    COL_PROTO_ICMP = 1,
    COL_PROTO_TCP = 6,
    COL_PROTO_UDP = 17,
    COL_PROTO_ICMP6 = 58,
};

/* RFC 9293 section 3.1 */
enum col_tcp_flag {
    COL_TCP_FIN = 0x01,
    COL_TCP_SYN = 0x02,
    COL_TCP_RST = 0x04,
    COL_TCP_PSH = 0x08,
    COL_TCP_ACK = 0x10,
    COL_TCP_URG = 0x20,
    COL_TCP_ECE = 0x40,
    COL_TCP_CWR = 0x80,
};

#define COL_PACKET_VLANS_MAX 2U

enum col_decode {
    COL_DECODE_OK = 0,
    COL_DECODE_NOT_IP,    /* ARP, LLDP, ...: nothing to follow */
    COL_DECODE_OTHER,     /* IP with a transport that is not followed (GRE, ESP, ...) */
    COL_DECODE_FRAGMENT,  /* a later fragment: addresses and proto only */
    COL_DECODE_SHORT,     /* the frame ends inside a header */
    COL_DECODE_MALFORMED, /* a header contradicts itself */
};

struct col_packet {
    int64_t ns;        /* when it was captured; set by the caller */
    uint32_t wire_len; /* of the frame as it was sent; set by the caller */
    struct hd_ip src, dst;
    uint16_t src_port, dst_port; /* ICMP echo: both are the identifier */
    uint16_t vlan[COL_PACKET_VLANS_MAX];
    uint8_t vlans;
    uint8_t proto; /* enum col_proto when COL_DECODE_OK */
    bool is_v6;
    bool is_fragment; /* more fragments follow, or this is a later one */
    uint8_t tcp_flags;
    uint8_t icmp_type, icmp_code;
    uint32_t seq;            /* TCP */
    uint32_t payload_len;    /* transport payload as the headers say */
    struct hd_slice payload; /* as much of it as was captured */
};

bool col_link_is_known(int link);

/* Fills *out except ns and wire_len. Whatever it says, the fields read so far are set
 * and the others zero. */
enum col_decode col_packet_decode(int link, struct hd_slice frame,
                                  struct col_packet *out);

/* "TCP", "UDP", "ICMP", "IPv6-ICMP" */
const char *col_proto_name(uint8_t proto);
/* An ICMP or ICMPv6 echo request or reply. */
bool col_icmp_is_echo(uint8_t proto, uint8_t type);
