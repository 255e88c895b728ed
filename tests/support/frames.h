/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames made by code, for tests, fuzz corpora and benchmarks of the packet engine:
 * Ethernet, IPv4 or IPv6, TCP, UDP or ICMP. Checksums are left zero: nobody here looks.
 */
#pragma once
#include <stdint.h>

#include "collector/packet/packet.h"
#include <haidang/slice.h>

#define HD_TEST_FRAME_MAX (70U << 10)

struct hd_test_frame {
    const char *src, *dst; /* addresses as text; both of one family */
    uint16_t src_port, dst_port;
    uint8_t proto; /* enum col_proto */
    uint8_t flags; /* TCP */
    uint32_t seq;  /* TCP */
    uint8_t type;  /* ICMP; the identifier is src_port */
    uint16_t vlan; /* 0 = no tag */
    struct hd_slice payload;
};

/* Writes the frame with its Ethernet header; its length. */
size_t hd_test_frame(const struct hd_test_frame *frame, uint8_t out[HD_TEST_FRAME_MAX]);

/* Two ends of a connection; the sequence numbers run on. */
struct hd_test_talk {
    const char *client, *server;
    uint16_t client_port, server_port;
    uint32_t seq[2]; /* by enum col_dir */
    int64_t ns;      /* of the next frame; each takes a millisecond */
    uint16_t vlan;
    void (*frame)(void *ctx, int64_t ns, struct hd_slice frame);
    void *ctx;
};

struct hd_test_talk hd_test_talk(void (*frame)(void *, int64_t, struct hd_slice),
                                 void *ctx);
/* dir: 0 = client sends, 1 = server sends */
void hd_test_tcp(struct hd_test_talk *t, int dir, uint8_t flags, struct hd_slice payload);
void hd_test_udp(struct hd_test_talk *t, int dir, struct hd_slice payload);
void hd_test_open(struct hd_test_talk *t);  /* SYN, SYN ACK, ACK */
void hd_test_close(struct hd_test_talk *t); /* FIN ACK, FIN ACK, ACK */

/* A TLS 1.3 ClientHello in one record; its length. */
size_t hd_test_client_hello(const char *sni, uint8_t out[2048]);
/* A DNS query or, with `address`, its answer; the length. */
size_t hd_test_dns(const char *name, uint16_t type, const uint8_t *address,
                   uint8_t out[512]);
/* A pcap file (little-endian, microseconds): header, then each frame's. */
#define HD_TEST_PCAP_HEADER 24U
#define HD_TEST_PCAP_FRAME  16U
void hd_test_pcap_header(int link, uint8_t out[HD_TEST_PCAP_HEADER]);
void hd_test_pcap_frame(int64_t ns, size_t len, uint8_t out[HD_TEST_PCAP_FRAME]);
