/* SPDX-License-Identifier: Apache-2.0
 *
 * DNS over UDP and TCP (RFC 1035 section 4; mDNS, RFC 6762, and LLMNR, RFC 4795, look the
 * same). A compression pointer must point before the name that it is part of, and each
 * further one before the last: so a name ends, whatever the bytes are.
 */
#include "collector/packet/dns.h"

#include <haidang/bytes.h>
#include <haidang/inet.h>

#include "collector/packet/dissect.h"

#define DNS_PORT        53U
#define NETBIOS_PORT    137U /* looks like DNS (RFC 1002) and is not */
#define HEADER_LEN      12U
#define NAME_WIRE_MAX   255U
#define LABEL_MAX       63U
#define QUESTIONS_MAX   4U /* walked to get at the answers; real messages have one */
#define ANSWERS_MAX     24U
#define OPCODE_MAX      6U /* DSO, RFC 8490 */
#define CLASS_MDNS_FLAG 0x8000U

enum dns_type {
    TYPE_A = 1,
    TYPE_NS = 2,
    TYPE_CNAME = 5,
    TYPE_SOA = 6,
    TYPE_PTR = 12,
    TYPE_MX = 15,
    TYPE_TXT = 16,
    TYPE_AAAA = 28,
    TYPE_SRV = 33,
    TYPE_DNAME = 39,
};

/* ---- text ---- */

static void put_char(struct col_dns_text *out, char c)
{
    if (out->len < sizeof(out->text)) {
        out->text[out->len++] = c;
    }
}

/* RFC 4343 section 2.1; bytes above ASCII stay as they are (mDNS names are UTF-8) */
static void put_escaped(struct col_dns_text *out, uint8_t byte, bool is_label)
{
    if (byte < (is_label ? 0x21 : 0x20) || byte == 0x7f) {
        put_char(out, '\\');
        put_char(out, (char)('0' + byte / 100));
        put_char(out, (char)('0' + byte / 10 % 10));
        put_char(out, (char)('0' + byte % 10));
        return;
    }
    if (byte == '\\' || (is_label && byte == '.')) {
        put_char(out, '\\');
    }
    put_char(out, (char)byte);
}

static void put_number(struct col_dns_text *out, uint16_t value)
{
    char digits[5];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (n > 0) {
        put_char(out, digits[--n]);
    }
}

/* ---- parsing ---- */

/* RFC 1035 section 4.1.4 */
enum hd_parse col_dns_name(struct hd_slice message, size_t at, struct col_dns_text *out,
                           size_t *end)
{
    size_t limit = at; /* pointers must go below */
    size_t wire = 0;
    bool has_jumped = false;
    out->len = 0;
    for (;;) {
        if (at >= message.len) {
            return HD_PARSE_BAD;
        }
        uint8_t len = message.ptr[at++];
        if (len >= 0xc0) {
            if (at >= message.len) {
                return HD_PARSE_BAD;
            }
            size_t target = ((size_t)(len & 0x3fU) << 8) | message.ptr[at++];
            *end = has_jumped ? *end : at;
            has_jumped = true;
            if (target >= limit) {
                return HD_PARSE_BAD;
            }
            limit = at = target;
            continue;
        }
        wire += (size_t)len + 1;
        if (len > LABEL_MAX || wire > NAME_WIRE_MAX || len > message.len - at) {
            return HD_PARSE_BAD;
        }
        if (len == 0) {
            *end = has_jumped ? *end : at;
            return HD_PARSE_OK;
        }
        if (out->len > 0) {
            put_char(out, '.');
        }
        for (size_t i = 0; i < len; i++) {
            put_escaped(out, message.ptr[at + i], true);
        }
        at += len;
    }
}

static bool skip_question(struct hd_slice message, size_t *at, struct col_dns_text *name)
{
    size_t end = 0;
    if (col_dns_name(message, *at, name, &end) != HD_PARSE_OK || message.len - end < 4) {
        return false;
    }
    *at = end + 4;
    return true;
}

static uint16_t be16_at(struct hd_slice s, size_t at)
{
    return (uint16_t)((unsigned)s.ptr[at] << 8 | s.ptr[at + 1]);
}

/* RFC 1035 section 4.1.1 and 4.1.2 */
enum hd_parse col_dns_parse(struct hd_slice message, struct col_dns *out)
{
    struct hd_bytes c = hd_bytes(message);
    out->message = message;
    out->id = hd_bytes_be16(&c);
    out->flags = hd_bytes_be16(&c);
    out->questions = hd_bytes_be16(&c);
    out->answers = hd_bytes_be16(&c);
    out->authorities = hd_bytes_be16(&c);
    out->additional = hd_bytes_be16(&c);
    out->answers_at = 0;
    size_t at = c.pos;
    if (hd_bytes_failed(&c) || out->questions == 0 ||
        ((out->flags >> 11) & 15U) > OPCODE_MAX ||
        !skip_question(message, &at, &out->name)) {
        return HD_PARSE_BAD;
    }
    out->type = be16_at(message, at - 4);
    out->class_ = be16_at(message, at - 2);
    struct col_dns_text ignored;
    for (unsigned i = 1; i < out->questions; i++) {
        if (i == QUESTIONS_MAX || !skip_question(message, &at, &ignored)) {
            return HD_PARSE_OK;
        }
    }
    out->answers_at = at;
    return HD_PARSE_OK;
}

/* RFC 1035 section 4.1.3 */
enum hd_parse col_dns_next(const struct col_dns *dns, size_t *at,
                           struct col_dns_answer *out)
{
    size_t end = 0;
    if (col_dns_name(dns->message, *at, &out->name, &end) != HD_PARSE_OK) {
        return HD_PARSE_BAD;
    }
    struct hd_bytes c = hd_bytes(hd_slice_from(dns->message, end));
    out->type = hd_bytes_be16(&c);
    out->class_ = hd_bytes_be16(&c);
    out->ttl = hd_bytes_be32(&c);
    out->data_len = hd_bytes_be16(&c);
    out->data_at = end + c.pos;
    hd_bytes_skip(&c, out->data_len);
    if (hd_bytes_failed(&c)) {
        return HD_PARSE_BAD;
    }
    *at = out->data_at + out->data_len;
    return HD_PARSE_OK;
}

static bool rdata_ip(struct hd_slice data, struct col_dns_text *out)
{
    struct hd_ip ip;
    if (data.len == 4) {
        ip = hd_ip_v4(data.ptr);
    } else if (data.len == sizeof(ip.byte)) {
        memcpy(ip.byte, data.ptr, sizeof(ip.byte));
    } else {
        return false;
    }
    _Static_assert(HD_IP_TEXT_MAX <= COL_DNS_TEXT_MAX, "an address fits");
    out->len = (uint16_t)hd_ip_format(&ip, out->text);
    return true;
}

/* character-strings (RFC 1035 section 3.3), one after the other */
static bool rdata_txt(struct hd_slice data, struct col_dns_text *out)
{
    out->len = 0;
    for (size_t at = 0; at < data.len;) {
        size_t len = data.ptr[at++];
        if (len > data.len - at) {
            return false;
        }
        for (size_t i = 0; i < len && out->len < sizeof(out->text); i++) {
            put_escaped(out, data.ptr[at + i], false);
        }
        at += len;
    }
    return true;
}

/* `numbers` 16-bit numbers and a name: "10 mail.example.com" */
static bool rdata_name(const struct col_dns *dns, const struct col_dns_answer *answer,
                       unsigned numbers, struct col_dns_text *out)
{
    size_t end = 0;
    size_t at = answer->data_at + numbers * 2;
    struct hd_slice within =
        hd_slice_head(dns->message, answer->data_at + answer->data_len);
    struct col_dns_text name;
    if (col_dns_name(within, at, &name, &end) != HD_PARSE_OK) {
        return false;
    }
    out->len = 0;
    for (unsigned i = 0; i < numbers; i++) {
        put_number(out, be16_at(within, answer->data_at + i * 2));
        put_char(out, ' ');
    }
    for (size_t i = 0; i < name.len; i++) {
        put_char(out, name.text[i]);
    }
    return true;
}

bool col_dns_rdata(const struct col_dns *dns, const struct col_dns_answer *answer,
                   struct col_dns_text *out)
{
    struct hd_slice data =
        hd_slice_head(hd_slice_from(dns->message, answer->data_at), answer->data_len);
    switch (answer->type) {
    case TYPE_A:
        return data.len == 4 && rdata_ip(data, out);
    case TYPE_AAAA:
        return data.len == 16 && rdata_ip(data, out);
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_PTR:
    case TYPE_DNAME:
    case TYPE_SOA: /* the primary server's name comes first */
        return rdata_name(dns, answer, 0, out);
    case TYPE_MX: /* preference (section 3.3.9) */
        return rdata_name(dns, answer, 1, out);
    case TYPE_SRV: /* priority, weight, port (RFC 2782) */
        return rdata_name(dns, answer, 3, out);
    case TYPE_TXT:
        return rdata_txt(data, out);
    default:
        return false;
    }
}

/* ---- names of numbers ---- */

struct named {
    uint16_t value;
    const char *name;
};

static const char *name_of(const struct named *table, size_t n, uint16_t value,
                           const char *prefix, char scratch[16])
{
    for (size_t i = 0; i < n; i++) {
        if (table[i].value == value) {
            return table[i].name;
        }
    }
    struct col_dns_text text = {.len = 0};
    for (const char *p = prefix; *p != '\0'; p++) {
        put_char(&text, *p);
    }
    put_number(&text, value);
    memcpy(scratch, text.text, text.len);
    scratch[text.len] = '\0';
    return scratch;
}

/* IANA, Domain Name System (DNS) Parameters */
const char *col_dns_type_text(uint16_t type, char scratch[16])
{
    static const struct named types[] = {
        {1, "A"},       {2, "NS"},     {5, "CNAME"},  {6, "SOA"},         {10, "NULL"},
        {12, "PTR"},    {13, "HINFO"}, {15, "MX"},    {16, "TXT"},        {28, "AAAA"},
        {29, "LOC"},    {33, "SRV"},   {35, "NAPTR"}, {37, "CERT"},       {39, "DNAME"},
        {41, "OPT"},    {43, "DS"},    {44, "SSHFP"}, {46, "RRSIG"},      {47, "NSEC"},
        {48, "DNSKEY"}, {50, "NSEC3"}, {52, "TLSA"},  {64, "SVCB"},       {65, "HTTPS"},
        {99, "SPF"},    {249, "TKEY"}, {250, "TSIG"}, {251, "IXFR"},      {252, "AXFR"},
        {255, "ANY"},   {256, "URI"},  {257, "CAA"},  {51, "NSEC3PARAM"},
    };
    return name_of(types, sizeof(types) / sizeof(types[0]), type, "TYPE", scratch);
}

const char *col_dns_rcode_text(uint16_t flags, char scratch[16])
{
    static const struct named rcodes[] = {
        {0, "NOERROR"}, {1, "FORMERR"}, {2, "SERVFAIL"}, {3, "NXDOMAIN"},
        {4, "NOTIMP"},  {5, "REFUSED"}, {6, "YXDOMAIN"}, {7, "YXRRSET"},
        {8, "NXRRSET"}, {9, "NOTAUTH"}, {10, "NOTZONE"},
    };
    return name_of(rcodes, sizeof(rcodes) / sizeof(rcodes[0]), flags & 15U, "RCODE",
                   scratch);
}

/* ---- records ---- */

static struct hd_slice text_slice(const struct col_dns_text *text)
{
    return hd_slice(text->text, text->len);
}

static void put_flags(struct hd_json *j, uint16_t flags)
{
    static const struct {
        uint16_t bit;
        const char *name;
    } bits[] = {{COL_DNS_QR, "qr"}, {COL_DNS_AA, "aa"}, {COL_DNS_TC, "tc"},
                {COL_DNS_RD, "rd"}, {COL_DNS_RA, "ra"}, {COL_DNS_Z, "z"}};
    static const char hex[] = "0123456789abcdef";
    char text[4] = {hex[flags >> 12], hex[(flags >> 8) & 15], hex[(flags >> 4) & 15],
                    hex[flags & 15]};
    size_t zeros = 0;
    while (zeros < sizeof(text) - 1 && text[zeros] == '0') {
        zeros++;
    }
    hd_json_str(j, "flags", hd_slice(text + zeros, sizeof(text) - zeros));
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        if ((flags & bits[i].bit) != 0) {
            hd_json_bool(j, bits[i].name, true);
        }
    }
}

static void put_answers(struct hd_json *j, const struct col_dns *dns)
{
    size_t at = dns->answers_at;
    struct col_dns_answer answer;
    char scratch[16];
    if (at == 0 || dns->answers == 0) {
        return;
    }
    hd_json_array(j, "answers");
    for (unsigned i = 0; i < dns->answers && i < ANSWERS_MAX; i++) {
        if (col_dns_next(dns, &at, &answer) != HD_PARSE_OK) {
            break;
        }
        hd_json_object(j, NULL);
        hd_json_str(j, "rrname", text_slice(&answer.name));
        hd_json_cstr(j, "rrtype", col_dns_type_text(answer.type, scratch));
        hd_json_u64(j, "ttl", answer.ttl);
        struct col_dns_text rdata;
        if (col_dns_rdata(dns, &answer, &rdata)) {
            hd_json_str(j, "rdata", text_slice(&rdata));
        }
        hd_json_end(j, '}');
    }
    hd_json_end(j, ']');
}

static void write_record(struct col_dissect *d, const struct col_dns *dns)
{
    bool is_answer = (dns->flags & COL_DNS_QR) != 0;
    char scratch[16];
    struct hd_json j = col_record_begin(d->recorder, d->flow, d->ns, "dns");
    hd_json_object(&j, "dns");
    hd_json_u64(&j, "version", 2);
    hd_json_cstr(&j, "type", is_answer ? "answer" : "query");
    hd_json_u64(&j, "id", dns->id);
    put_flags(&j, dns->flags);
    hd_json_u64(&j, "opcode", (dns->flags >> 11) & 15U);
    hd_json_str(&j, "rrname", text_slice(&dns->name));
    hd_json_cstr(&j, "rrtype", col_dns_type_text(dns->type, scratch));
    if (is_answer) {
        hd_json_cstr(&j, "rcode", col_dns_rcode_text(dns->flags, scratch));
        put_answers(&j, dns);
    }
    hd_json_end(&j, '}');
    col_record_end(d->recorder, &j);
}

/* ---- datagrams ---- */

static bool has_port(const struct col_flow *flow, uint16_t port)
{
    return flow->key.port[0] == port || flow->key.port[1] == port;
}

static bool has_dns_port(const struct col_flow *flow)
{
    return has_port(flow, DNS_PORT);
}

/* On another port only a message that is a query from end to end is believed. */
static enum hd_parse probe_datagram(const struct col_flow *flow, struct hd_slice head)
{
    struct col_dns dns;
    if (head.len < HEADER_LEN + 5 || (!has_dns_port(flow) && be16_at(head, 4) != 1) ||
        col_dns_parse(head, &dns) != HD_PARSE_OK) {
        return HD_PARSE_BAD;
    }
    if (has_dns_port(flow)) {
        return HD_PARSE_OK;
    }
    uint16_t odd = (uint16_t)(dns.flags & ~(COL_DNS_RD | 0x0030U)); /* AD, CD: RFC 4035 */
    size_t at = dns.answers_at;
    if (odd != 0 || dns.answers != 0 || dns.authorities != 0 || dns.additional > 2 ||
        (dns.class_ & ~CLASS_MDNS_FLAG) != 1 || at == 0 || has_port(flow, NETBIOS_PORT)) {
        return HD_PARSE_BAD;
    }
    struct col_dns_answer opt;
    for (unsigned i = 0; i < dns.additional; i++) {
        if (col_dns_next(&dns, &at, &opt) != HD_PARSE_OK) {
            return HD_PARSE_BAD;
        }
    }
    return at == head.len ? HD_PARSE_OK : HD_PARSE_BAD;
}

static enum hd_parse feed_datagram(struct col_dissect *d, struct hd_slice in,
                                   uint32_t *used)
{
    struct col_dns dns;
    *used = (uint32_t)in.len;
    if (col_dns_parse(in, &dns) != HD_PARSE_OK) {
        return HD_PARSE_BAD;
    }
    write_record(d, &dns);
    return HD_PARSE_OK;
}

const struct col_dissector *col_dns_udp(void)
{
    static const struct col_dissector row = {
        .name = "dns",
        .proto = COL_PROTO_UDP,
        .wants_answers = true,
        .probe = probe_datagram,
        .feed = feed_datagram,
    };
    return &row;
}

/* ---- streams: each message behind its 16-bit length (RFC 1035 section 4.2.2) ---- */

static enum hd_parse probe_stream(const struct col_flow *flow, struct hd_slice head)
{
    if (!has_dns_port(flow)) {
        return HD_PARSE_BAD;
    }
    if (head.len < 2) {
        return HD_PARSE_MORE;
    }
    if (be16_at(head, 0) < HEADER_LEN + 5) {
        return HD_PARSE_BAD;
    }
    if (head.len < 2 + HEADER_LEN) {
        return HD_PARSE_MORE;
    }
    uint16_t flags = be16_at(head, 4);
    return ((flags >> 11) & 15U) <= OPCODE_MAX && be16_at(head, 6) == 1 ? HD_PARSE_OK
                                                                        : HD_PARSE_BAD;
}

static enum hd_parse feed_stream(struct col_dissect *d, struct hd_slice in,
                                 uint32_t *used)
{
    if (in.len < 2) {
        return HD_PARSE_MORE;
    }
    uint32_t len = be16_at(in, 0);
    *used = len + 2;
    if (len < HEADER_LEN) {
        return HD_PARSE_BAD;
    }
    if (in.len < *used && !d->is_cut) {
        return HD_PARSE_MORE;
    }
    struct col_dns dns;
    if (col_dns_parse(hd_slice_head(hd_slice_from(in, 2), len), &dns) != HD_PARSE_OK) {
        return HD_PARSE_BAD;
    }
    write_record(d, &dns);
    return HD_PARSE_OK;
}

const struct col_dissector *col_dns_tcp(void)
{
    static const struct col_dissector row = {
        .name = "dns",
        .proto = COL_PROTO_TCP,
        .wants_answers = true,
        .probe = probe_stream,
        .feed = feed_stream,
    };
    return &row;
}
