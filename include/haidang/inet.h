/* SPDX-License-Identifier: Apache-2.0
 *
 * Internet addresses as values: IPv4 is kept as IPv4-mapped IPv6, so that one table and
 * one comparison serve both families.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <haidang/buf.h>
#include <haidang/err.h>
#include <haidang/slice.h>

struct hd_ip {
    uint8_t byte[16]; /* network order; IPv4 as ::ffff:a.b.c.d */
};

struct hd_cidr {
    struct hd_ip base; /* host bits are zero */
    uint8_t bits;      /* 0..128, in the mapped form (IPv4 /24 is 120) */
};

#define HD_IP_TEXT_MAX 46

struct hd_ip hd_ip_v4(const uint8_t byte[4]);
bool hd_ip_is_v4(const struct hd_ip *ip);
bool hd_ip_eq(const struct hd_ip *a, const struct hd_ip *b);
/* Loopback, RFC 1918, RFC 4193, link-local. */
bool hd_ip_is_private(const struct hd_ip *ip);
bool hd_ip_is_loopback(const struct hd_ip *ip);

/* Dotted IPv4 or RFC 4291 IPv6, the whole slice; no brackets, no zone. */
int hd_ip_parse(struct hd_slice text, struct hd_ip *out) HD_MUST_USE;
/* RFC 5952 text with a NUL; returns the length. */
size_t hd_ip_format(const struct hd_ip *ip, char out[HD_IP_TEXT_MAX]);

/* "10.0.0.0/8", "2001:db8::/32" or a single address. Host bits set: HD_EINVAL. */
int hd_cidr_parse(struct hd_slice text, struct hd_cidr *out) HD_MUST_USE;
/* Families do not mix: an IPv6 network, even ::/0, holds no IPv4 address. */
bool hd_cidr_has(const struct hd_cidr *net, const struct hd_ip *ip);

/* "host:port", "[v6]:port", ":port" (all addresses). Port 0..65535. host gets a NUL. */
#define HD_HOST_MAX 256
struct hd_hostport {
    char host[HD_HOST_MAX]; /* "" = all addresses */
    uint16_t port;
};
int hd_hostport_parse(struct hd_slice text, struct hd_hostport *out) HD_MUST_USE;

/* "192.0.2.1:514" or "[2001:db8::1]:514". */
void hd_sockaddr_format(struct hd_buf *out, const struct sockaddr *addr);
int hd_sockaddr_ip(const struct sockaddr *addr, struct hd_ip *ip,
                   uint16_t *port) HD_MUST_USE;
