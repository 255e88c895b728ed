/* SPDX-License-Identifier: Apache-2.0
 *
 * Watches the client's side of a TLS connection for its ClientHello, and for the second
 * one when the server asked for it (RFC 8446 section 4.1.4). Later records are not read.
 * QUIC is not looked into.
 */
#include "collector/packet/tls.h"

#include <haidang/bytes.h>

#include "collector/packet/dissect.h"

enum record_type { RECORD_CHANGE_CIPHER = 20, RECORD_HANDSHAKE = 22 };

enum extension {
    EXT_SERVER_NAME = 0,
    EXT_SIGNATURES = 13,
    EXT_ALPN = 16,
    EXT_VERSIONS = 43,
};

#define RECORD_HEADER     5U
#define RECORD_MAX        (16384U + 256U)
#define HANDSHAKE_HEADER  4U
#define HANDSHAKE_HELLO   1U
#define HELLOS_MAX        2U
#define ALPN_RECORDED_MAX 16U

/* RFC 8701: both bytes alike, the low half-byte 0xa */
bool col_tls_is_grease(uint16_t value)
{
    return (value & 0x0f0fU) == 0x0a0aU && (value >> 8) == (value & 0xffU);
}

bool col_tls_alpn_next(struct hd_slice *list, struct hd_slice *name)
{
    struct hd_bytes c = hd_bytes(*list);
    *name = hd_bytes_view(&c, hd_bytes_u8(&c));
    if (hd_bytes_failed(&c)) {
        return false;
    }
    *list = hd_slice_from(*list, c.pos);
    return true;
}

const char *col_tls_version_text(uint16_t version, char scratch[8])
{
    static const char hex[] = "0123456789abcdef";
    switch (version) {
    case 0x0304:
        return "TLS 1.3";
    case 0x0303:
        return "TLS 1.2";
    case 0x0302:
        return "TLS 1.1";
    case 0x0301:
        return "TLSv1";
    case 0x0300:
        return "SSLv3";
    default:
        scratch[0] = '0';
        scratch[1] = 'x';
        for (unsigned i = 0; i < 4; i++) {
            scratch[2 + i] = hex[((unsigned)version >> (12 - 4 * i)) & 15U];
        }
        scratch[6] = '\0';
        return scratch;
    }
}

/* ---- extensions ---- */

/* RFC 6066 section 3: the first entry of type host_name */
static struct hd_slice host_name(struct hd_bytes c)
{
    struct hd_bytes list = hd_bytes_sub(&c, hd_bytes_be16(&c));
    while (!hd_bytes_failed(&list) && hd_bytes_left(&list) > 0) {
        uint8_t type = hd_bytes_u8(&list);
        struct hd_slice name = hd_bytes_str16(&list);
        if (type == 0 && !hd_bytes_failed(&list)) {
            return name;
        }
    }
    return HD_SLICE_EMPTY;
}

/* RFC 8446 section 4.2.1 */
static uint16_t highest_version(struct hd_bytes c, uint16_t legacy)
{
    struct hd_bytes list = hd_bytes_sub(&c, hd_bytes_u8(&c));
    uint16_t best = 0;
    while (hd_bytes_left(&list) >= 2 && !hd_bytes_failed(&list)) {
        uint16_t version = hd_bytes_be16(&list);
        if (version > best && !col_tls_is_grease(version)) {
            best = version;
        }
    }
    return best == 0 ? legacy : best;
}

static void read_extension(struct col_tls_hello *out, uint16_t type, struct hd_slice data)
{
    struct hd_bytes c = hd_bytes(data);
    switch (type) {
    case EXT_SERVER_NAME:
        out->has_sni = true;
        out->sni = host_name(c);
        break;
    case EXT_SIGNATURES: /* RFC 8446 section 4.2.3 */
        out->signatures = hd_bytes_str16(&c);
        break;
    case EXT_ALPN: /* RFC 7301 section 3.1 */
        out->alpn = hd_bytes_str16(&c);
        break;
    case EXT_VERSIONS:
        out->version = highest_version(c, out->legacy_version);
        break;
    default:
        break;
    }
}

enum hd_parse col_tls_hello_body(struct hd_slice body, struct col_tls_hello *out)
{
    struct hd_bytes c = hd_bytes(body);
    *out = (struct col_tls_hello){0};
    out->legacy_version = hd_bytes_be16(&c);
    out->version = out->legacy_version;
    hd_bytes_skip(&c, 32); /* random */
    hd_bytes_skip(&c, hd_bytes_u8(&c));
    out->ciphers = hd_bytes_str16(&c);
    hd_bytes_skip(&c, hd_bytes_u8(&c)); /* compression methods */
    if (hd_bytes_failed(&c) || out->ciphers.len % 2 != 0) {
        return HD_PARSE_BAD;
    }
    if (hd_bytes_left(&c) == 0) {
        return HD_PARSE_OK; /* TLS 1.2 and before may have none */
    }
    struct hd_bytes list = hd_bytes_sub(&c, hd_bytes_be16(&c));
    while (!hd_bytes_failed(&list) && hd_bytes_left(&list) > 0) {
        uint16_t type = hd_bytes_be16(&list);
        struct hd_slice data = hd_bytes_str16(&list);
        if (hd_bytes_failed(&list) || out->extension_count == COL_TLS_EXTENSIONS_MAX) {
            return HD_PARSE_BAD;
        }
        out->extensions[out->extension_count++] = type;
        read_extension(out, type, data);
    }
    return hd_bytes_failed(&list) ? HD_PARSE_BAD : HD_PARSE_OK;
}

/* ---- records (RFC 8446 section 5.1) ---- */

/* Payload of the handshake record at *at, which moves behind it. */
static enum hd_parse next_record(struct hd_slice in, uint32_t *at,
                                 struct hd_slice *payload)
{
    struct hd_bytes c = hd_bytes(hd_slice_from(in, *at));
    uint8_t type = hd_bytes_u8(&c);
    uint16_t version = hd_bytes_be16(&c);
    uint16_t len = hd_bytes_be16(&c);
    if (hd_bytes_failed(&c)) {
        return HD_PARSE_MORE;
    }
    if (type != RECORD_HANDSHAKE || version >> 8 != 3 || len == 0 || len > RECORD_MAX) {
        return HD_PARSE_BAD;
    }
    *payload = hd_bytes_view(&c, len);
    if (hd_bytes_failed(&c)) {
        *payload = hd_slice_from(in, *at + RECORD_HEADER);
        return HD_PARSE_MORE;
    }
    *at += RECORD_HEADER + len;
    return HD_PARSE_OK;
}

/* Type and length of the handshake message (section 4); the length with its header. */
static enum hd_parse message_len(struct hd_slice start, uint32_t *len)
{
    if (start.len > 0 && start.ptr[0] != HANDSHAKE_HELLO) {
        return HD_PARSE_BAD;
    }
    struct hd_bytes c = hd_bytes(start);
    (void)hd_bytes_u8(&c);
    *len = hd_bytes_be24(&c) + HANDSHAKE_HEADER;
    if (hd_bytes_failed(&c)) {
        return HD_PARSE_MORE;
    }
    return *len > COL_TLS_SCRATCH ? HD_PARSE_BAD : HD_PARSE_OK;
}

/* Puts the records' payloads together until the message is complete. */
static enum hd_parse gather(struct hd_slice in, uint8_t scratch[COL_TLS_SCRATCH],
                            uint32_t *used, struct hd_slice *message)
{
    uint32_t have = 0;
    uint32_t want = 0;
    *used = 0;
    for (;;) {
        struct hd_slice payload = HD_SLICE_EMPTY;
        enum hd_parse r = next_record(in, used, &payload);
        if (r != HD_PARSE_OK) {
            /* say early that it will never be a ClientHello */
            bool is_hopeless = have == 0 && message_len(payload, &want) == HD_PARSE_BAD;
            return is_hopeless ? HD_PARSE_BAD : r;
        }
        if (payload.len > COL_TLS_SCRATCH - have) {
            payload.len = COL_TLS_SCRATCH - have;
        }
        memcpy(scratch + have, payload.ptr, payload.len);
        have += (uint32_t)payload.len;
        r = message_len(hd_slice(scratch, have), &want);
        if (r == HD_PARSE_BAD) {
            return r;
        }
        if (r == HD_PARSE_OK && have >= want) {
            *message = hd_slice(scratch, want);
            return HD_PARSE_OK;
        }
    }
}

enum hd_parse col_tls_client_hello(struct hd_slice in, uint8_t scratch[COL_TLS_SCRATCH],
                                   struct col_tls_hello *out, uint32_t *used)
{
    struct hd_slice message = HD_SLICE_EMPTY;
    enum hd_parse r = gather(in, scratch, used, &message);
    return r == HD_PARSE_OK
               ? col_tls_hello_body(hd_slice_from(message, HANDSHAKE_HEADER), out)
               : r;
}

/* ---- the row ---- */

static enum hd_parse probe(const struct col_flow *flow, struct hd_slice head)
{
    static const uint8_t start[] = {RECORD_HANDSHAKE, 3};
    (void)flow;
    for (size_t i = 0; i < sizeof(start) && i < head.len; i++) {
        if (head.ptr[i] != start[i]) {
            return HD_PARSE_BAD;
        }
    }
    if (head.len <= RECORD_HEADER) {
        return HD_PARSE_MORE;
    }
    return head.ptr[2] <= 4 && head.ptr[RECORD_HEADER] == HANDSHAKE_HELLO ? HD_PARSE_OK
                                                                          : HD_PARSE_BAD;
}

static void write_record(struct col_dissect *d, const struct col_tls_hello *hello)
{
    char scratch[8];
    char ja4[COL_JA4_LEN + 1];
    struct hd_json j = col_record_begin(d->recorder, d->flow, d->ns, "tls");
    hd_json_object(&j, "tls");
    if (hello->sni.len > 0) {
        hd_json_str(&j, "sni", hd_slice_head(hello->sni, 255));
    }
    hd_json_cstr(&j, "version", col_tls_version_text(hello->version, scratch));
    if (col_ja4(hello, ja4) == HD_OK) {
        hd_json_cstr(&j, "ja4", ja4);
    }
    struct hd_slice list = hello->alpn;
    struct hd_slice name;
    if (list.len > 0) {
        hd_json_array(&j, "client_alpns");
        for (unsigned i = 0; i < ALPN_RECORDED_MAX && col_tls_alpn_next(&list, &name);
             i++) {
            hd_json_str(&j, NULL, name);
        }
        hd_json_end(&j, ']');
    }
    hd_json_end(&j, '}');
    col_record_end(d->recorder, &j);
}

/* Between the two hellos a change_cipher_spec may stand (RFC 8446 appendix D.4). */
static enum hd_parse feed(struct col_dissect *d, struct hd_slice in, uint32_t *used)
{
    if (in.ptr[0] == RECORD_CHANGE_CIPHER && d->flow->app_state == 1) {
        *used = RECORD_HEADER + 1;
        return in.len < *used ? HD_PARSE_MORE : HD_PARSE_OK;
    }
    uint8_t scratch[COL_TLS_SCRATCH];
    struct col_tls_hello hello;
    enum hd_parse r = col_tls_client_hello(in, scratch, &hello, used);
    if (r != HD_PARSE_OK) {
        if (r == HD_PARSE_BAD && d->flow->app_state > 0) {
            *used = (uint32_t)in.len; /* the handshake goes on: nothing wrong */
            d->next = COL_NEXT_DONE;
            return HD_PARSE_OK;
        }
        return r;
    }
    write_record(d, &hello);
    d->flow->app_state++;
    d->next = d->flow->app_state == HELLOS_MAX ? COL_NEXT_DONE : COL_NEXT_UNIT;
    return HD_PARSE_OK;
}

const struct col_dissector *col_tls_tcp(void)
{
    static const struct col_dissector row = {
        .name = "tls",
        .proto = COL_PROTO_TCP,
        .probe = probe,
        .feed = feed,
    };
    return &row;
}
