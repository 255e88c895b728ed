/* SPDX-License-Identifier: Apache-2.0
 *
 * JA4, the TLS client fingerprint (github.com/FoxIO-LLC/ja4, technical_details/JA4.md,
 * BSD-3-Clause):
 *
 *     t13d1516h2_8daaf6152771_e5627efa2ab1
 *     |||| | |   |            ` SHA-256 of the sorted extensions and the signatures
 *     |||| | |   ` SHA-256 of the sorted ciphers, 12 hex digits
 *     |||| | ` first and last character of the first ALPN
 *     |||| ` ciphers, extensions: how many
 *     |||` d: has SNI, i: has none
 *     |`- version
 *     ` t: over TCP
 *
 * GREASE counts nowhere. Of an ALPN that starts with a byte above ASCII the reference
 * captures say 99; of other non-alphanumeric ones the description says the first and the
 * last hex digit: both are followed.
 */
#include <stdlib.h>

#include "collector/packet/tls.h"
#include <haidang/bytes.h>
#include <haidang/hash.h>

#define HASH_DIGITS 12U
#define COUNT_MAX   99U
/* "abcd," each; the longest list is the ciphers' */
#define LIST_TEXT_MAX ((COL_TLS_CIPHERS_MAX + COL_TLS_EXTENSIONS_MAX) * 5U)

static const char hex_digits[] = "0123456789abcdef";

struct numbers {
    uint16_t value[COL_TLS_CIPHERS_MAX];
    size_t n;
};

struct text {
    char byte[LIST_TEXT_MAX];
    size_t len;
};

static int compare(const void *a, const void *b)
{
    const uint16_t *x = a;
    const uint16_t *y = b;
    return (*x > *y) - (*x < *y);
}

/* 16-bit numbers from the wire without GREASE; false when there are too many. */
static bool read_numbers(struct hd_slice wire, struct numbers *out)
{
    struct hd_bytes c = hd_bytes(wire);
    out->n = 0;
    while (hd_bytes_left(&c) >= 2) {
        uint16_t value = hd_bytes_be16(&c);
        if (col_tls_is_grease(value)) {
            continue;
        }
        if (out->n == COL_TLS_CIPHERS_MAX) {
            return false;
        }
        out->value[out->n++] = value;
    }
    return true;
}

static void add_list(struct text *text, const struct numbers *numbers, char before)
{
    for (size_t i = 0; i < numbers->n && text->len + 5 <= sizeof(text->byte); i++) {
        if (i > 0 || before != '\0') {
            text->byte[text->len++] = i > 0 ? ',' : before;
        }
        for (int shift = 12; shift >= 0; shift -= 4) {
            text->byte[text->len++] = hex_digits[(numbers->value[i] >> shift) & 15U];
        }
    }
}

static int add_hash(const struct text *text, char out[HASH_DIGITS])
{
    uint8_t digest[HD_SHA256_LEN];
    if (text->len == 0) {
        memset(out, '0', HASH_DIGITS);
        return HD_OK;
    }
    int err = hd_sha256(hd_slice(text->byte, text->len), digest);
    for (size_t i = 0; err == HD_OK && i < HASH_DIGITS / 2; i++) {
        out[2 * i] = hex_digits[digest[i] >> 4];
        out[2 * i + 1] = hex_digits[digest[i] & 15U];
    }
    return err;
}

static void put_count(char out[2], size_t n)
{
    n = n < COUNT_MAX ? n : COUNT_MAX;
    out[0] = (char)('0' + n / 10);
    out[1] = (char)('0' + n % 10);
}

static const char *version_code(uint16_t version)
{
    switch (version) {
    case 0x0304:
        return "13";
    case 0x0303:
        return "12";
    case 0x0302:
        return "11";
    case 0x0301:
        return "10";
    case 0x0300:
        return "s3";
    case 0x0002:
        return "s2";
    default:
        return "00";
    }
}

static void put_alpn(char out[2], struct hd_slice list)
{
    struct hd_slice name;
    out[0] = out[1] = '0';
    if (!col_tls_alpn_next(&list, &name) || name.len == 0) {
        return;
    }
    uint8_t first = name.ptr[0];
    uint8_t last = name.ptr[name.len - 1];
    if (first > 0x7f) {
        out[0] = out[1] = '9';
    } else if (hd_is_alnum(first) && hd_is_alnum(last)) {
        out[0] = (char)first;
        out[1] = (char)last;
    } else {
        out[0] = hex_digits[first >> 4];
        out[1] = hex_digits[last & 15U];
    }
}

/* Extensions for the hash: sorted, without SNI and ALPN, which are in the first part.
 * *counted: all but GREASE. */
static void hashed_extensions(const struct col_tls_hello *hello, struct numbers *out,
                              size_t *counted)
{
    _Static_assert(COL_TLS_EXTENSIONS_MAX <= COL_TLS_CIPHERS_MAX, "one type for both");
    out->n = 0;
    *counted = 0;
    for (size_t i = 0; i < hello->extension_count; i++) {
        uint16_t type = hello->extensions[i];
        if (col_tls_is_grease(type)) {
            continue;
        }
        *counted += 1;
        if (type != 0x0000 && type != 0x0010) {
            out->value[out->n++] = type;
        }
    }
    qsort(out->value, out->n, sizeof(out->value[0]), compare);
}

int col_ja4(const struct col_tls_hello *hello, char out[COL_JA4_LEN + 1])
{
    struct numbers numbers;
    struct text text = {.len = 0};
    size_t extensions = 0;
    out[0] = '\0';
    if (!read_numbers(hello->ciphers, &numbers)) {
        return HD_ELIMIT;
    }
    char ja4[COL_JA4_LEN + 1];
    ja4[0] = 't';
    memcpy(ja4 + 1, version_code(hello->version), 2);
    ja4[3] = hello->has_sni ? 'd' : 'i';
    put_count(ja4 + 4, numbers.n);
    put_alpn(ja4 + 8, hello->alpn);
    ja4[10] = '_';
    qsort(numbers.value, numbers.n, sizeof(numbers.value[0]), compare);
    add_list(&text, &numbers, '\0');
    int err = add_hash(&text, ja4 + 11);
    ja4[23] = '_';
    hashed_extensions(hello, &numbers, &extensions);
    put_count(ja4 + 6, extensions);
    text.len = 0;
    add_list(&text, &numbers, '\0');
    if (!read_numbers(hello->signatures, &numbers)) {
        return HD_ELIMIT;
    }
    if (text.len > 0) {
        add_list(&text, &numbers, '_');
    }
    err = err == HD_OK ? add_hash(&text, ja4 + 24) : err;
    ja4[COL_JA4_LEN] = '\0';
    if (err == HD_OK) {
        memcpy(out, ja4, sizeof(ja4));
    }
    return err;
}
