/* SPDX-License-Identifier: Apache-2.0
 *
 * The statement about a sealed segment: one "name value" a line, in this order, so that
 * there is one text for one seal.
 */
#include <haidang/seal.h>

#include <openssl/evp.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/num.h>

#include "lib/journal_format.h"

#define BEGIN          "haidang-seal "
#define VERSION        "1"
#define SIGNATURE_TEXT 88U /* base64 of 64 bytes */
#define TIME_DIGITS    9

/* ---- writing ---- */

static void put_time(struct hd_buf *out, const char *name, int64_t ns)
{
    char text[HD_RFC3339_LEN + 1];
    (void)hd_clock_format_rfc3339(ns < 0 ? 0 : ns, TIME_DIGITS, text);
    hd_buf_printf(out, "%s %s\n", name, text);
}

static void put_hex(struct hd_buf *out, const char *name, const uint8_t *bytes,
                    size_t len)
{
    hd_buf_printf(out, "%s ", name);
    hd_buf_hex(out, hd_slice(bytes, len));
    hd_buf_byte(out, '\n');
}

static void put_number(struct hd_buf *out, const char *name, uint64_t value)
{
    hd_buf_printf(out, "%s ", name);
    hd_buf_u64(out, value);
    hd_buf_byte(out, '\n');
}

static void put_segment(struct hd_buf *out, const char *name, uint64_t first, char end)
{
    char file[HD_JFMT_NAME_LEN + 1];
    hd_jfmt_name(first, file);
    hd_buf_printf(out, "%s %s%c", name, file, end);
}

static void put_statement(struct hd_buf *out, const struct hd_seal *seal,
                          const uint8_t *key_id)
{
    hd_buf_str(out, BEGIN VERSION "\n");
    put_hex(out, "journal", seal->journal, sizeof(seal->journal));
    put_segment(out, "segment", seal->first, '\n');
    put_number(out, "next", seal->next);
    put_number(out, "entries", seal->entries);
    put_number(out, "records", seal->records);
    put_time(out, "earliest", seal->earliest);
    put_time(out, "latest", seal->latest);
    put_time(out, "sealed", seal->sealed);
    put_number(out, "bytes", seal->bytes);
    put_hex(out, "sha256", seal->sha256, sizeof(seal->sha256));
    if (seal->previous == 0) {
        hd_buf_str(out, "previous none\n");
    } else {
        put_segment(out, "previous", seal->previous, ' ');
        hd_buf_hex(out, hd_slice(seal->previous_sha256, HD_SHA256_LEN));
        hd_buf_byte(out, '\n');
    }
    put_hex(out, "key", key_id, HD_KEY_ID_LEN);
}

int hd_seal_encode(struct hd_buf *out, const struct hd_seal *seal,
                   const struct hd_sign_key *key)
{
    uint8_t signature[HD_SIGNATURE_LEN];
    uint8_t text[SIGNATURE_TEXT + 1];
    size_t from = out->len;
    put_statement(out, seal, hd_sign_key_id(key));
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

struct lines {
    struct hd_slice rest;
    bool failed;
};

/* The value of the next line, which must have this name. */
static struct hd_slice take(struct lines *lines, struct hd_slice name)
{
    struct hd_slice line;
    bool good = !lines->failed && hd_slice_split(&lines->rest, '\n', &line) &&
                hd_slice_starts(line, name) && line.len > name.len &&
                line.ptr[name.len] == ' ';
    lines->failed = !good;
    return good ? hd_slice_from(line, name.len + 1) : HD_SLICE_EMPTY;
}

static uint64_t take_number(struct lines *lines, struct hd_slice name)
{
    uint64_t value = 0;
    lines->failed =
        hd_num_u64(take(lines, name), UINT64_MAX, &value) != HD_OK || lines->failed;
    return value;
}

static int64_t take_time(struct lines *lines, struct hd_slice name)
{
    int64_t ns = 0;
    lines->failed =
        hd_clock_parse_rfc3339(take(lines, name), &ns) != HD_OK || lines->failed;
    return ns;
}

static void take_hex(struct lines *lines, struct hd_slice name, uint8_t *out, size_t len)
{
    lines->failed =
        hd_num_hex_bytes(take(lines, name), out, len) != HD_OK || lines->failed;
}

static uint64_t file_first(struct lines *lines, struct hd_slice file)
{
    char name[HD_JFMT_NAME_LEN + 1] = "";
    uint64_t first = 0;
    if (file.len == HD_JFMT_NAME_LEN) {
        memcpy(name, file.ptr, file.len);
    }
    lines->failed = !hd_jfmt_name_parse(name, &first) || lines->failed;
    return first;
}

static void take_previous(struct lines *lines, struct hd_seal *seal)
{
    struct hd_slice hash = take(lines, HD_SLICE("previous"));
    struct hd_slice file;
    if (hd_slice_eq(hash, HD_SLICE("none"))) {
        return;
    }
    (void)hd_slice_split(&hash, ' ', &file);
    seal->previous = file_first(lines, file);
    lines->failed =
        hd_num_hex_bytes(hash, seal->previous_sha256, HD_SHA256_LEN) != HD_OK ||
        lines->failed;
}

static void take_statement(struct lines *lines, struct hd_seal *seal)
{
    take_hex(lines, HD_SLICE("journal"), seal->journal, sizeof(seal->journal));
    seal->first = file_first(lines, take(lines, HD_SLICE("segment")));
    seal->next = take_number(lines, HD_SLICE("next"));
    seal->entries = take_number(lines, HD_SLICE("entries"));
    seal->records = take_number(lines, HD_SLICE("records"));
    seal->earliest = take_time(lines, HD_SLICE("earliest"));
    seal->latest = take_time(lines, HD_SLICE("latest"));
    seal->sealed = take_time(lines, HD_SLICE("sealed"));
    seal->bytes = take_number(lines, HD_SLICE("bytes"));
    take_hex(lines, HD_SLICE("sha256"), seal->sha256, sizeof(seal->sha256));
    take_previous(lines, seal);
    take_hex(lines, HD_SLICE("key"), seal->key_id, sizeof(seal->key_id));
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

int hd_seal_decode(struct hd_slice in, struct hd_seal *seal, struct hd_seal_text *text)
{
    struct lines lines = {.rest = in};
    *seal = (struct hd_seal){.first = 0};
    *text = (struct hd_seal_text){.statement = HD_SLICE_EMPTY};
    struct hd_slice version = take(&lines, HD_SLICE("haidang-seal"));
    if (lines.failed || in.len > HD_SEAL_MAX) {
        return HD_EPARSE;
    }
    if (!hd_slice_eq(version, HD_SLICE(VERSION))) {
        return HD_EVERSION;
    }
    take_statement(&lines, seal);
    text->statement = hd_slice_head(in, in.len - lines.rest.len);
    struct hd_slice signature = take(&lines, HD_SLICE("signature"));
    bool good = !lines.failed && signature_decode(signature, text->signature) &&
                lines.rest.len == 0;
    return good ? HD_OK : HD_EPARSE;
}
