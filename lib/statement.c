/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/statement.h"

#include <openssl/evp.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/num.h>

#include "lib/journal_format.h"

#define SIGNATURE_TEXT 88U /* base64 of 64 bytes */
#define TIME_DIGITS    9

/* ---- writing ---- */

void hd_stmt_put_time(struct hd_buf *out, const char *name, int64_t ns)
{
    char text[HD_RFC3339_LEN + 1];
    (void)hd_clock_format_rfc3339(ns < 0 ? 0 : ns, TIME_DIGITS, text);
    hd_buf_printf(out, "%s %s\n", name, text);
}

void hd_stmt_put_hex(struct hd_buf *out, const char *name, const uint8_t *bytes,
                     size_t len)
{
    hd_buf_printf(out, "%s ", name);
    hd_buf_hex(out, hd_slice(bytes, len));
    hd_buf_byte(out, '\n');
}

void hd_stmt_put_number(struct hd_buf *out, const char *name, uint64_t value)
{
    hd_buf_printf(out, "%s ", name);
    hd_buf_u64(out, value);
    hd_buf_byte(out, '\n');
}

void hd_stmt_put_segment(struct hd_buf *out, const char *name, uint64_t first, char end)
{
    char file[HD_JFMT_NAME_LEN + 1];
    hd_jfmt_name(first, file);
    hd_buf_printf(out, "%s %s%c", name, file, end);
}

int hd_stmt_sign(struct hd_buf *out, size_t from, const struct hd_sign_key *key)
{
    uint8_t signature[HD_SIGNATURE_LEN];
    uint8_t text[SIGNATURE_TEXT + 1];
    if (out->err != 0) {
        return out->err;
    }
    int err = hd_sign(key, hd_slice(out->ptr + from, out->len - from), signature);
    if (err == HD_OK) {
        (void)EVP_EncodeBlock(text, signature, HD_SIGNATURE_LEN);
        hd_buf_printf(out, "signature %s\n", (const char *)text);
        err = out->err;
    }
    return err;
}

/* ---- reading ---- */

struct hd_slice hd_stmt_take(struct hd_stmt *stmt, struct hd_slice name)
{
    struct hd_slice line;
    bool good = !stmt->failed && hd_slice_split(&stmt->rest, '\n', &line) &&
                hd_slice_starts(line, name) && line.len > name.len &&
                line.ptr[name.len] == ' ';
    stmt->failed = !good;
    return good ? hd_slice_from(line, name.len + 1) : HD_SLICE_EMPTY;
}

uint64_t hd_stmt_take_number(struct hd_stmt *stmt, struct hd_slice name)
{
    uint64_t value = 0;
    stmt->failed =
        hd_num_u64(hd_stmt_take(stmt, name), UINT64_MAX, &value) != HD_OK || stmt->failed;
    return value;
}

int64_t hd_stmt_take_time(struct hd_stmt *stmt, struct hd_slice name)
{
    int64_t ns = 0;
    stmt->failed =
        hd_clock_parse_rfc3339(hd_stmt_take(stmt, name), &ns) != HD_OK || stmt->failed;
    return ns;
}

void hd_stmt_take_hex(struct hd_stmt *stmt, struct hd_slice name, uint8_t *out,
                      size_t len)
{
    stmt->failed =
        hd_num_hex_bytes(hd_stmt_take(stmt, name), out, len) != HD_OK || stmt->failed;
}

uint64_t hd_stmt_first(struct hd_stmt *stmt, struct hd_slice file)
{
    char name[HD_JFMT_NAME_LEN + 1] = "";
    uint64_t first = 0;
    if (file.len == HD_JFMT_NAME_LEN) {
        memcpy(name, file.ptr, file.len);
    }
    stmt->failed = !hd_jfmt_name_parse(name, &first) || stmt->failed;
    return first;
}

static bool signature_decode(struct hd_slice text, uint8_t out[HD_SIGNATURE_LEN])
{
    uint8_t bytes[SIGNATURE_TEXT / 4 * 3];
    if (text.len != SIGNATURE_TEXT ||
        EVP_DecodeBlock(bytes, text.ptr, (int)text.len) != (int)sizeof(bytes)) {
        return false;
    }
    memcpy(out, bytes, HD_SIGNATURE_LEN);
    return true;
}

bool hd_stmt_end(struct hd_stmt *stmt, uint8_t signature[HD_SIGNATURE_LEN])
{
    struct hd_slice text = hd_stmt_take(stmt, HD_SLICE("signature"));
    return !stmt->failed && signature_decode(text, signature) && stmt->rest.len == 0;
}
