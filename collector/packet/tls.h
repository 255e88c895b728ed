/* SPDX-License-Identifier: Apache-2.0
 *
 * The TLS ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2) and its JA4
 * fingerprint. Pure; slices view the input or the caller's scratch space.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "collector/packet/stream.h"
#include <haidang/err.h>
#include <haidang/parse.h>

#define COL_TLS_EXTENSIONS_MAX 128U
#define COL_TLS_CIPHERS_MAX    512U
#define COL_TLS_SCRATCH        COL_STREAM_CAP

struct col_tls_hello {
    uint16_t legacy_version;
    uint16_t version; /* highest one offered; GREASE (RFC 8701) left out */
    bool has_sni;
    struct hd_slice sni;                         /* host name; empty when it has none */
    struct hd_slice ciphers;                     /* as on the wire: 16-bit numbers */
    struct hd_slice signatures;                  /* signature_algorithms, likewise */
    struct hd_slice alpn;                        /* names, each behind its 8-bit length */
    uint16_t extensions[COL_TLS_EXTENSIONS_MAX]; /* in the order sent, GREASE included */
    uint16_t extension_count;
};

/* A ClientHello at the start of a byte stream, in one or more handshake records
 * (`scratch` takes the message when there are more). *used: bytes of the records.
 * HD_PARSE_BAD also when it is longer than COL_STREAM_CAP or has too many extensions. */
enum hd_parse col_tls_client_hello(struct hd_slice in, uint8_t scratch[COL_TLS_SCRATCH],
                                   struct col_tls_hello *out, uint32_t *used);
/* The message itself, without record and handshake headers. */
enum hd_parse col_tls_hello_body(struct hd_slice body, struct col_tls_hello *out);

/* The next name of an ALPN list; false at its end. */
bool col_tls_alpn_next(struct hd_slice *list, struct hd_slice *name);
bool col_tls_is_grease(uint16_t value);
/* "TLS 1.3", "TLSv1", "SSLv3", "0x7f1c" as EVE writes them. */
const char *col_tls_version_text(uint16_t version, char scratch[8]);

#define COL_JA4_LEN 36
/* JA4 over TCP, with a NUL. HD_ELIMIT: more than COL_TLS_CIPHERS_MAX ciphers. */
int col_ja4(const struct col_tls_hello *hello, char out[COL_JA4_LEN + 1]) HD_MUST_USE;
