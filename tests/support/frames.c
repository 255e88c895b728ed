/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/frames.h"

#include <stdlib.h>

#include <haidang/clock.h>
#include <haidang/inet.h>

/* ---- bytes ---- */

struct out {
    uint8_t *ptr;
    size_t len;
};

static void u8(struct out *o, unsigned value)
{
    o->ptr[o->len++] = (uint8_t)value;
}
static void be16(struct out *o, unsigned value)
{
    u8(o, value >> 8);
    u8(o, value);
}
static void be32(struct out *o, uint32_t value)
{
    be16(o, value >> 16);
    be16(o, value & 0xffffU);
}
static void raw(struct out *o, const void *bytes, size_t len)
{
    if (len > 0) {
        memcpy(o->ptr + o->len, bytes, len);
        o->len += len;
    }
}
static void fill(struct out *o, unsigned value, size_t len)
{
    memset(o->ptr + o->len, (int)value, len);
    o->len += len;
}
static void set16(struct out *o, size_t at, size_t value)
{
    o->ptr[at] = (uint8_t)(value >> 8);
    o->ptr[at + 1] = (uint8_t)value;
}

/* ---- frames ---- */

static struct hd_ip address(const char *text)
{
    struct hd_ip ip;
    if (hd_ip_parse(hd_slice_str(text), &ip) != HD_OK) {
        abort();
    }
    return ip;
}

static void put_transport(struct out *o, const struct hd_test_frame *f)
{
    if (f->proto == COL_PROTO_TCP) {
        be16(o, f->src_port);
        be16(o, f->dst_port);
        be32(o, f->seq);
        be32(o, 0);
        be16(o, 0x5000U | f->flags);
        fill(o, 0, 6);
    } else if (f->proto == COL_PROTO_UDP) {
        be16(o, f->src_port);
        be16(o, f->dst_port);
        be16(o, (unsigned)(8 + f->payload.len));
        be16(o, 0);
    } else {
        u8(o, f->type);
        u8(o, 0);
        be16(o, 0);
        be16(o, f->src_port);
        be16(o, 1);
    }
    raw(o, f->payload.ptr, f->payload.len);
}

size_t hd_test_frame(const struct hd_test_frame *f, uint8_t out[HD_TEST_FRAME_MAX])
{
    struct out o = {out, 0};
    struct hd_ip src = address(f->src);
    struct hd_ip dst = address(f->dst);
    fill(&o, 2, 12);
    if (f->vlan != 0) {
        be16(&o, 0x8100);
        be16(&o, f->vlan);
    }
    size_t ip = 0;
    if (hd_ip_is_v4(&src)) {
        be16(&o, 0x0800);
        ip = o.len;
        be32(&o, 0x45000000);
        be32(&o, 0);
        be16(&o, 0x4000U | f->proto);
        be16(&o, 0);
        raw(&o, src.byte + 12, 4);
        raw(&o, dst.byte + 12, 4);
        put_transport(&o, f);
        set16(&o, ip + 2, o.len - ip);
    } else {
        be16(&o, 0x86dd);
        ip = o.len;
        be32(&o, 0x60000000);
        be32(&o, (uint32_t)f->proto << 8 | 64);
        raw(&o, src.byte, 16);
        raw(&o, dst.byte, 16);
        put_transport(&o, f);
        set16(&o, ip + 4, o.len - ip - 40);
    }
    return o.len;
}

/* ---- talks ---- */

struct hd_test_talk hd_test_talk(void (*frame)(void *, int64_t, struct hd_slice),
                                 void *ctx)
{
    return (struct hd_test_talk){.client = "192.0.2.10",
                                 .server = "198.51.100.80",
                                 .client_port = 50123,
                                 .server_port = 80,
                                 .seq = {0xfffffff0U, 7000},
                                 .ns = INT64_C(1790000000) * HD_NS_PER_SEC,
                                 .frame = frame,
                                 .ctx = ctx};
}

static void send_frame(struct hd_test_talk *t, int dir, struct hd_test_frame *f)
{
    static uint8_t bytes[HD_TEST_FRAME_MAX];
    f->src = dir == 0 ? t->client : t->server;
    f->dst = dir == 0 ? t->server : t->client;
    f->src_port = dir == 0 ? t->client_port : t->server_port;
    f->dst_port = dir == 0 ? t->server_port : t->client_port;
    f->vlan = t->vlan;
    size_t len = hd_test_frame(f, bytes);
    t->frame(t->ctx, t->ns, hd_slice(bytes, len));
    t->ns += HD_NS_PER_MS;
}

void hd_test_tcp(struct hd_test_talk *t, int dir, uint8_t flags, struct hd_slice payload)
{
    struct hd_test_frame f = {
        .proto = COL_PROTO_TCP, .flags = flags, .seq = t->seq[dir], .payload = payload};
    send_frame(t, dir, &f);
    t->seq[dir] += (uint32_t)payload.len;
    t->seq[dir] += (flags & (COL_TCP_SYN | COL_TCP_FIN)) != 0;
}

void hd_test_udp(struct hd_test_talk *t, int dir, struct hd_slice payload)
{
    struct hd_test_frame f = {.proto = COL_PROTO_UDP, .payload = payload};
    send_frame(t, dir, &f);
}

void hd_test_open(struct hd_test_talk *t)
{
    hd_test_tcp(t, 0, COL_TCP_SYN, HD_SLICE_EMPTY);
    hd_test_tcp(t, 1, COL_TCP_SYN | COL_TCP_ACK, HD_SLICE_EMPTY);
    hd_test_tcp(t, 0, COL_TCP_ACK, HD_SLICE_EMPTY);
}

void hd_test_close(struct hd_test_talk *t)
{
    hd_test_tcp(t, 0, COL_TCP_FIN | COL_TCP_ACK, HD_SLICE_EMPTY);
    hd_test_tcp(t, 1, COL_TCP_FIN | COL_TCP_ACK, HD_SLICE_EMPTY);
    hd_test_tcp(t, 0, COL_TCP_ACK, HD_SLICE_EMPTY);
}

/* ---- messages ---- */

size_t hd_test_client_hello(const char *sni, uint8_t out[2048])
{
    struct out o = {out, 0};
    size_t name = strlen(sni);
    raw(&o, "\x16\x03\x01\0\0\x01\0\0\0\x03\x03", 11);
    fill(&o, 0x5a, 32);
    u8(&o, 32);
    fill(&o, 0xa5, 32);
    raw(&o, "\0\x08\x8a\x8a\x13\x01\x13\x02\xc0\x2f\x01\0\0\0", 14);
    size_t extensions = o.len - 2;
    raw(&o, "\x0a\x0a\0\0\0\0", 6);
    be16(&o, (unsigned)name + 5);
    be16(&o, (unsigned)name + 3);
    u8(&o, 0);
    be16(&o, (unsigned)name);
    raw(&o, sni, name);
    raw(&o, "\0\x10\0\x0e\0\x0c\x02h2\x08http/1.1", 18);
    raw(&o, "\0\x0d\0\x08\0\x06\x04\x03\x08\x04\x04\x01", 12);
    raw(&o, "\0\x2b\0\x07\x06\x1a\x1a\x03\x04\x03\x03", 11);
    set16(&o, extensions, o.len - extensions - 2);
    set16(&o, 7, o.len - 9);
    set16(&o, 3, o.len - 5);
    return o.len;
}

size_t hd_test_dns(const char *name, uint16_t type, const uint8_t *bytes,
                   uint8_t out[512])
{
    struct out o = {out, 0};
    be16(&o, 0x1234);
    be16(&o, bytes == NULL ? 0x0100 : 0x8180);
    be16(&o, 1);
    be16(&o, bytes == NULL ? 0 : 1);
    be32(&o, 0);
    struct hd_slice rest = hd_slice_str(name);
    struct hd_slice label;
    while (hd_slice_split(&rest, '.', &label)) {
        u8(&o, (unsigned)label.len);
        raw(&o, label.ptr, label.len);
    }
    u8(&o, 0);
    be16(&o, type);
    be16(&o, 1);
    if (bytes != NULL) {
        size_t len = type == 28 ? 16 : 4;
        be16(&o, 0xc00c);
        be16(&o, type);
        be16(&o, 1);
        be32(&o, 300);
        be16(&o, (unsigned)len);
        raw(&o, bytes, len);
    }
    return o.len;
}

static void le(uint8_t *out, uint32_t value, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

void hd_test_pcap_header(int link, uint8_t out[HD_TEST_PCAP_HEADER])
{
    memset(out, 0, HD_TEST_PCAP_HEADER);
    le(out, 0xa1b2c3d4U, 4);
    le(out + 4, 2, 2);
    le(out + 6, 4, 2);
    le(out + 16, 262144, 4);
    le(out + 20, (uint32_t)link, 4);
}

void hd_test_pcap_frame(int64_t ns, size_t len, uint8_t out[HD_TEST_PCAP_FRAME])
{
    le(out, (uint32_t)(ns / HD_NS_PER_SEC), 4);
    le(out + 4, (uint32_t)(ns % HD_NS_PER_SEC / HD_NS_PER_US), 4);
    le(out + 8, (uint32_t)len, 4);
    le(out + 12, (uint32_t)len, 4);
}
