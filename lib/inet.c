/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses: text in, text out, networks. Written here instead of inet_pton/inet_ntop
 * because those need NUL-terminated text, print ::102:304 as ::1.2.3.4 and are slow for
 * packet records. Thread: any; no state.
 */
#include <haidang/inet.h>

#include <netinet/in.h>
#include <sys/un.h>

#include <haidang/num.h>

enum { V4_AT = 12, V4_MAPPED_BITS = 96, GROUPS = 8 };

struct hd_ip hd_ip_v4(const uint8_t byte[4])
{
    struct hd_ip ip = {{0}};
    ip.byte[10] = 0xff;
    ip.byte[11] = 0xff;
    memcpy(ip.byte + V4_AT, byte, 4);
    return ip;
}

bool hd_ip_is_v4(const struct hd_ip *ip)
{
    static const uint8_t prefix[V4_AT] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(ip->byte, prefix, sizeof(prefix)) == 0;
}

bool hd_ip_eq(const struct hd_ip *a, const struct hd_ip *b)
{
    return memcmp(a->byte, b->byte, sizeof(a->byte)) == 0;
}

bool hd_ip_is_loopback(const struct hd_ip *ip)
{
    static const struct hd_ip v6 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    return hd_ip_is_v4(ip) ? ip->byte[V4_AT] == 127 : hd_ip_eq(ip, &v6);
}

bool hd_ip_is_private(const struct hd_ip *ip)
{
    if (hd_ip_is_loopback(ip)) {
        return true;
    }
    const uint8_t *b = ip->byte;
    if (!hd_ip_is_v4(ip)) {
        return (b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
    }
    const uint8_t *v4 = b + V4_AT;
    return v4[0] == 10 || (v4[0] == 172 && (v4[1] & 0xf0) == 16) ||
           (v4[0] == 192 && v4[1] == 168) || (v4[0] == 169 && v4[1] == 254);
}

/* dec-octet 3( "." dec-octet ), no leading zeros (some read those as octal). */
static bool parse_v4(struct hd_slice text, uint8_t out[4])
{
    for (size_t i = 0; i < 4; i++) {
        uint64_t octet = 0;
        size_t digits = hd_num_prefix_u64(text, 3, 255, &octet);
        if (digits == 0 || (digits > 1 && text.ptr[0] == '0')) {
            return false;
        }
        out[i] = (uint8_t)octet;
        text = hd_slice_from(text, digits);
        if (i < 3) {
            if (text.len == 0 || text.ptr[0] != '.') {
                return false;
            }
            text = hd_slice_from(text, 1);
        }
    }
    return text.len == 0;
}

struct v6_parse {
    uint8_t byte[16];
    size_t used; /* bytes filled */
    size_t gap;  /* where "::" stood, or HD_NPOS */
};

/* One 1*4HEXDIG group, or the dotted tail. */
static bool take_group(struct v6_parse *p, struct hd_slice group, bool is_last)
{
    uint64_t value = 0;
    if (is_last && hd_slice_find_byte(group, '.') != HD_NPOS) {
        if (p->used > V4_AT || !parse_v4(group, p->byte + p->used)) {
            return false;
        }
        p->used += 4;
        return true;
    }
    if (p->used > 14 || group.len > 4 || hd_num_hex_u64(group, 0xffff, &value) != HD_OK) {
        return false;
    }
    p->byte[p->used++] = (uint8_t)(value >> 8);
    p->byte[p->used++] = (uint8_t)value;
    return true;
}

static bool take_gap(struct v6_parse *p, struct hd_slice *text)
{
    if (!hd_slice_starts(*text, HD_SLICE("::"))) {
        return true;
    }
    if (p->gap != HD_NPOS) {
        return false;
    }
    p->gap = p->used;
    *text = hd_slice_from(*text, 2);
    return true;
}

/* RFC 4291 section 2.2: groups with at most one "::", dotted tail allowed. */
static bool parse_v6(struct hd_slice text, uint8_t out[16])
{
    struct v6_parse p = {.gap = HD_NPOS};
    if (!take_gap(&p, &text)) {
        return false;
    }
    while (text.len > 0) {
        size_t colon = hd_slice_find_byte(text, ':');
        if (!take_group(&p, hd_slice_head(text, colon), colon == HD_NPOS)) {
            return false;
        }
        if (colon == HD_NPOS) {
            break;
        }
        text = hd_slice_from(text, colon);
        if (hd_slice_starts(text, HD_SLICE("::"))) {
            if (!take_gap(&p, &text)) {
                return false;
            }
        } else if (text.len > 1) {
            text = hd_slice_from(text, 1);
        } else {
            return false;
        }
    }
    if (p.gap == HD_NPOS ? p.used != 16 : p.used > 14) {
        return false;
    }
    size_t head = p.gap == HD_NPOS ? 16 : p.gap;
    size_t tail = p.used - head;
    memset(out, 0, 16);
    memcpy(out, p.byte, head);
    memcpy(out + 16 - tail, p.byte + head, tail);
    return true;
}

int hd_ip_parse(struct hd_slice text, struct hd_ip *out)
{
    uint8_t v4[4];
    struct hd_ip ip;
    if (hd_slice_find_byte(hd_slice_head(text, 5), ':') == HD_NPOS) {
        if (!parse_v4(text, v4)) {
            return HD_EPARSE;
        }
        *out = hd_ip_v4(v4);
        return HD_OK;
    }
    if (text.len >= HD_IP_TEXT_MAX || !parse_v6(text, ip.byte)) {
        return HD_EPARSE;
    }
    *out = ip;
    return HD_OK;
}

static char *put_octet(char *at, unsigned value)
{
    if (value >= 100) {
        *at++ = (char)('0' + value / 100);
    }
    if (value >= 10) {
        *at++ = (char)('0' + value / 10 % 10);
    }
    *at++ = (char)('0' + value % 10);
    return at;
}

static char *put_group(char *at, unsigned value)
{
    static const char digits[] = "0123456789abcdef";
    for (int shift = 12; shift > 0; shift -= 4) {
        if (value >> shift != 0) {
            *at++ = digits[(value >> shift) & 15];
        }
    }
    *at++ = digits[value & 15];
    return at;
}

/* The first longest run of two or more zero groups; *len 0 when there is none. */
static unsigned longest_zeros(const unsigned group[GROUPS], unsigned *len)
{
    unsigned best = 0;
    *len = 0;
    for (unsigned i = 0; i < GROUPS;) {
        unsigned n = 0;
        while (i + n < GROUPS && group[i + n] == 0) {
            n++;
        }
        if (n >= 2 && n > *len) {
            best = i;
            *len = n;
        }
        i += n + 1;
    }
    return best;
}

static char *put_v6(char *at, const uint8_t byte[16])
{
    unsigned group[GROUPS];
    unsigned zeros = 0;
    for (unsigned i = 0; i < GROUPS; i++) {
        group[i] = (unsigned)byte[2 * i] << 8 | byte[2 * i + 1];
    }
    unsigned skip = longest_zeros(group, &zeros);
    for (unsigned i = 0; i < GROUPS; i++) {
        if (zeros > 0 && i == skip) {
            *at++ = ':';
            *at++ = ':';
            i += zeros - 1;
            continue;
        }
        if (i > 0 && at[-1] != ':') {
            *at++ = ':';
        }
        at = put_group(at, group[i]);
    }
    return at;
}

size_t hd_ip_format(const struct hd_ip *ip, char out[HD_IP_TEXT_MAX])
{
    char *at = out;
    if (hd_ip_is_v4(ip)) {
        for (size_t i = 0; i < 4; i++) {
            if (i > 0) {
                *at++ = '.';
            }
            at = put_octet(at, ip->byte[V4_AT + i]);
        }
    } else {
        at = put_v6(at, ip->byte);
    }
    *at = '\0';
    return (size_t)(at - out);
}

static struct hd_ip mask_host_bits(const struct hd_ip *ip, unsigned bits)
{
    struct hd_ip base = *ip;
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = bits >= 8 * (i + 1) ? 8 : bits <= 8 * i ? 0 : bits - 8 * i;
        base.byte[i] &= (uint8_t)(0xff00U >> keep);
    }
    return base;
}

int hd_cidr_parse(struct hd_slice text, struct hd_cidr *out)
{
    struct hd_ip ip;
    size_t slash = hd_slice_find_byte(text, '/');
    struct hd_slice address = hd_slice_head(text, slash);
    int err = hd_ip_parse(address, &ip);
    if (err != HD_OK) {
        return err;
    }
    uint16_t first = hd_slice_find_byte(address, ':') == HD_NPOS ? V4_MAPPED_BITS : 0;
    uint16_t bits = (uint16_t)(128 - first);
    if (slash != HD_NPOS) {
        err = hd_num_u16(hd_slice_from(text, slash + 1), bits, &bits);
        if (err != HD_OK) {
            return err;
        }
    }
    struct hd_cidr net = {mask_host_bits(&ip, (unsigned)first + bits),
                          (uint8_t)(first + bits)};
    if (!hd_ip_eq(&net.base, &ip)) {
        return HD_EINVAL;
    }
    *out = net;
    return HD_OK;
}

bool hd_cidr_has(const struct hd_cidr *net, const struct hd_ip *ip)
{
    if (net->bits < V4_MAPPED_BITS && hd_ip_is_v4(ip)) {
        return false;
    }
    size_t whole = net->bits / 8;
    unsigned rest = net->bits % 8;
    if (memcmp(net->base.byte, ip->byte, whole) != 0) {
        return false;
    }
    return rest == 0 ||
           ((net->base.byte[whole] ^ ip->byte[whole]) & (0xff00U >> rest) & 0xff) == 0;
}

static bool is_host_name(struct hd_slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.ptr[i];
        if (!hd_is_alnum(c) && c != '.' && c != '-' && c != '_') {
            return false;
        }
    }
    return host.len < HD_HOST_MAX;
}

/* [ host / "[" IPv6 "]" ] ":" port */
int hd_hostport_parse(struct hd_slice text, struct hd_hostport *out)
{
    struct hd_slice host;
    struct hd_slice port;
    if (text.len > 0 && text.ptr[0] == '[') {
        struct hd_ip ip;
        size_t close = hd_slice_find_byte(text, ']');
        host = hd_slice_from(hd_slice_head(text, close), 1);
        port = hd_slice_from(text, close == HD_NPOS ? text.len : close + 1);
        if (hd_slice_find_byte(host, ':') == HD_NPOS || hd_ip_parse(host, &ip) != HD_OK ||
            port.len == 0 || port.ptr[0] != ':') {
            return HD_EPARSE;
        }
        port = hd_slice_from(port, 1);
    } else {
        size_t colon = hd_slice_find_byte(text, ':');
        host = hd_slice_head(text, colon);
        port = hd_slice_from(text, colon == HD_NPOS ? text.len : colon + 1);
        if (!is_host_name(host)) {
            return HD_EPARSE;
        }
    }
    uint16_t number = 0;
    int err = hd_num_u16(port, UINT16_MAX, &number);
    if (err != HD_OK) {
        return err;
    }
    memset(out->host, 0, sizeof(out->host));
    if (host.len > 0) {
        memcpy(out->host, host.ptr, host.len);
    }
    out->port = number;
    return HD_OK;
}

int hd_sockaddr_ip(const struct sockaddr *addr, struct hd_ip *ip, uint16_t *port)
{
    if (addr->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)addr;
        *ip = hd_ip_v4((const uint8_t *)&v4->sin_addr);
        *port = ntohs(v4->sin_port);
        return HD_OK;
    }
    if (addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)addr;
        memcpy(ip->byte, &v6->sin6_addr, sizeof(ip->byte));
        *port = ntohs(v6->sin6_port);
        return HD_OK;
    }
    return HD_EUNSUPPORTED;
}

void hd_sockaddr_format(struct hd_buf *out, const struct sockaddr *addr)
{
    struct hd_ip ip;
    uint16_t port = 0;
    char text[HD_IP_TEXT_MAX];
    if (hd_sockaddr_ip(addr, &ip, &port) != HD_OK) {
        hd_buf_str(out, addr->sa_family == AF_UNIX ? "unix" : "unknown");
        return;
    }
    bool brackets = !hd_ip_is_v4(&ip);
    size_t len = hd_ip_format(&ip, text);
    if (brackets) {
        hd_buf_byte(out, '[');
    }
    hd_buf_bytes(out, text, len);
    hd_buf_str(out, brackets ? "]:" : ":");
    hd_buf_u64(out, port);
}
