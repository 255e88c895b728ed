/* SPDX-License-Identifier: Apache-2.0
 *
 * The statement about a sealed segment: one "name value" a line, in this order, so that
 * there is one text for one seal.
 */
#include <haidang/seal.h>

#include <haidang/num.h>

#include "lib/statement.h"

#define BEGIN   "haidang-seal "
#define VERSION "1"

/* ---- writing ---- */

static void put_statement(struct hd_buf *out, const struct hd_seal *seal,
                          const uint8_t *key_id)
{
    hd_buf_str(out, BEGIN VERSION "\n");
    hd_stmt_put_hex(out, "journal", seal->journal, sizeof(seal->journal));
    hd_stmt_put_segment(out, "segment", seal->first, '\n');
    hd_stmt_put_number(out, "next", seal->next);
    hd_stmt_put_number(out, "entries", seal->entries);
    hd_stmt_put_number(out, "records", seal->records);
    hd_stmt_put_time(out, "earliest", seal->earliest);
    hd_stmt_put_time(out, "latest", seal->latest);
    hd_stmt_put_time(out, "sealed", seal->sealed);
    hd_stmt_put_number(out, "bytes", seal->bytes);
    hd_stmt_put_hex(out, "sha256", seal->sha256, sizeof(seal->sha256));
    if (seal->previous == 0) {
        hd_buf_str(out, "previous none\n");
    } else {
        hd_stmt_put_segment(out, "previous", seal->previous, ' ');
        hd_buf_hex(out, hd_slice(seal->previous_sha256, HD_SHA256_LEN));
        hd_buf_byte(out, '\n');
    }
    hd_stmt_put_hex(out, "key", key_id, HD_KEY_ID_LEN);
}

int hd_seal_encode(struct hd_buf *out, const struct hd_seal *seal,
                   const struct hd_sign_key *key)
{
    size_t from = out->len;
    put_statement(out, seal, hd_sign_key_id(key));
    return hd_stmt_sign(out, from, key);
}

/* ---- reading ---- */

static void take_previous(struct hd_stmt *stmt, struct hd_seal *seal)
{
    struct hd_slice hash = hd_stmt_take(stmt, HD_SLICE("previous"));
    struct hd_slice file;
    if (hd_slice_eq(hash, HD_SLICE("none"))) {
        return;
    }
    (void)hd_slice_split(&hash, ' ', &file);
    seal->previous = hd_stmt_first(stmt, file);
    stmt->failed =
        hd_num_hex_bytes(hash, seal->previous_sha256, HD_SHA256_LEN) != HD_OK ||
        stmt->failed;
}

static void take_statement(struct hd_stmt *stmt, struct hd_seal *seal)
{
    hd_stmt_take_hex(stmt, HD_SLICE("journal"), seal->journal, sizeof(seal->journal));
    seal->first = hd_stmt_first(stmt, hd_stmt_take(stmt, HD_SLICE("segment")));
    seal->next = hd_stmt_take_number(stmt, HD_SLICE("next"));
    seal->entries = hd_stmt_take_number(stmt, HD_SLICE("entries"));
    seal->records = hd_stmt_take_number(stmt, HD_SLICE("records"));
    seal->earliest = hd_stmt_take_time(stmt, HD_SLICE("earliest"));
    seal->latest = hd_stmt_take_time(stmt, HD_SLICE("latest"));
    seal->sealed = hd_stmt_take_time(stmt, HD_SLICE("sealed"));
    seal->bytes = hd_stmt_take_number(stmt, HD_SLICE("bytes"));
    hd_stmt_take_hex(stmt, HD_SLICE("sha256"), seal->sha256, sizeof(seal->sha256));
    take_previous(stmt, seal);
    hd_stmt_take_hex(stmt, HD_SLICE("key"), seal->key_id, sizeof(seal->key_id));
}

/* What is signed. */
static int take(struct hd_stmt *stmt, struct hd_seal *seal)
{
    *seal = (struct hd_seal){.first = 0};
    struct hd_slice version = hd_stmt_take(stmt, HD_SLICE("haidang-seal"));
    if (stmt->failed) {
        return HD_EPARSE;
    }
    if (!hd_slice_eq(version, HD_SLICE(VERSION))) {
        return HD_EVERSION;
    }
    take_statement(stmt, seal);
    return HD_OK;
}

int hd_seal_decode(struct hd_slice in, struct hd_seal *seal, struct hd_seal_text *text)
{
    struct hd_stmt stmt = {.rest = in};
    *text = (struct hd_seal_text){.statement = HD_SLICE_EMPTY};
    int err = take(&stmt, seal);
    if (err != HD_OK || in.len > HD_SEAL_MAX) {
        return err == HD_OK ? HD_EPARSE : err;
    }
    text->statement = hd_slice_head(in, in.len - stmt.rest.len);
    return hd_stmt_end(&stmt, text->signature) ? HD_OK : HD_EPARSE;
}

int hd_seal_next(struct hd_slice *in, struct hd_seal *seal, struct hd_slice *statement)
{
    struct hd_stmt stmt = {.rest = *in};
    int err = take(&stmt, seal);
    if (err != HD_OK || stmt.failed) {
        return err == HD_OK ? HD_EPARSE : err;
    }
    *statement = hd_slice_head(*in, in->len - stmt.rest.len);
    *in = stmt.rest;
    return HD_OK;
}
