/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/compacted.h>

#include <haidang/num.h>

#include "lib/statement.h"

#define BEGIN   "haidang-compacted "
#define VERSION "1"
#define WHY     " expired"

/* ---- writing ---- */

static void put_dropped(struct hd_buf *out, const struct hd_compacted *c)
{
    for (size_t i = 0; i < c->n_dropped; i++) {
        hd_buf_str(out, "dropped ");
        hd_buf_u64(out, c->dropped[i].first);
        hd_buf_byte(out, '-');
        hd_buf_u64(out, c->dropped[i].last);
        hd_buf_str(out, WHY "\n");
    }
}

int hd_compacted_encode(struct hd_buf *out, const struct hd_compacted *c,
                        const struct hd_sign_key *key)
{
    size_t from = out->len;
    hd_buf_str(out, BEGIN VERSION "\n");
    hd_stmt_put_hex(out, "journal", c->journal, sizeof(c->journal));
    hd_stmt_put_segment(out, "segment", c->first, '\n');
    hd_stmt_put_hex(out, "original", c->original, sizeof(c->original));
    hd_stmt_put_hex(out, "before", c->before, sizeof(c->before));
    hd_stmt_put_hex(out, "after", c->after, sizeof(c->after));
    hd_stmt_put_number(out, "entries", c->entries);
    hd_stmt_put_number(out, "records", c->records);
    put_dropped(out, c);
    hd_stmt_put_time(out, "compacted", c->compacted);
    hd_stmt_put_number(out, "bytes", c->bytes);
    hd_stmt_put_hex(out, "sha256", c->sha256, sizeof(c->sha256));
    hd_stmt_put_hex(out, "key", hd_sign_key_id(key), HD_KEY_ID_LEN);
    return hd_stmt_sign(out, from, key);
}

/* ---- reading ---- */

/* run = "dropped" SP first "-" last SP "expired"; runs grow and do not touch */
static void take_dropped(struct hd_stmt *stmt, struct hd_compacted *c)
{
    struct hd_slice last = hd_stmt_take(stmt, HD_SLICE("dropped"));
    struct hd_slice first;
    struct hd_compacted_run run = {0};
    bool good = hd_slice_split(&last, '-', &first) &&
                hd_slice_ends(last, HD_SLICE(WHY)) &&
                hd_num_u64(first, UINT64_MAX - 1, &run.first) == HD_OK &&
                hd_num_u64(hd_slice_head(last, last.len - (sizeof(WHY) - 1)),
                           UINT64_MAX - 1, &run.last) == HD_OK &&
                run.first <= run.last && c->n_dropped < HD_COMPACTED_RUNS_MAX &&
                (c->n_dropped == 0 || run.first > c->dropped[c->n_dropped - 1].last + 1);
    if (good) {
        c->dropped[c->n_dropped++] = run;
    }
    stmt->failed = stmt->failed || !good;
}

static void take_all(struct hd_stmt *stmt, struct hd_compacted *c)
{
    hd_stmt_take_hex(stmt, HD_SLICE("journal"), c->journal, sizeof(c->journal));
    c->first = hd_stmt_first(stmt, hd_stmt_take(stmt, HD_SLICE("segment")));
    hd_stmt_take_hex(stmt, HD_SLICE("original"), c->original, sizeof(c->original));
    hd_stmt_take_hex(stmt, HD_SLICE("before"), c->before, sizeof(c->before));
    hd_stmt_take_hex(stmt, HD_SLICE("after"), c->after, sizeof(c->after));
    c->entries = hd_stmt_take_number(stmt, HD_SLICE("entries"));
    c->records = hd_stmt_take_number(stmt, HD_SLICE("records"));
    while (!stmt->failed && hd_slice_starts(stmt->rest, HD_SLICE("dropped "))) {
        take_dropped(stmt, c);
    }
    c->compacted = hd_stmt_take_time(stmt, HD_SLICE("compacted"));
    c->bytes = hd_stmt_take_number(stmt, HD_SLICE("bytes"));
    hd_stmt_take_hex(stmt, HD_SLICE("sha256"), c->sha256, sizeof(c->sha256));
    hd_stmt_take_hex(stmt, HD_SLICE("key"), c->key_id, sizeof(c->key_id));
}

int hd_compacted_decode(struct hd_slice in, struct hd_compacted *c, struct hd_slice *text,
                        uint8_t signature[HD_SIGNATURE_LEN])
{
    struct hd_stmt stmt = {.rest = in};
    *c = (struct hd_compacted){.first = 0};
    *text = HD_SLICE_EMPTY;
    struct hd_slice version = hd_stmt_take(&stmt, HD_SLICE("haidang-compacted"));
    if (stmt.failed || in.len > HD_COMPACTED_MAX) {
        return HD_EPARSE;
    }
    if (!hd_slice_eq(version, HD_SLICE(VERSION))) {
        return HD_EVERSION;
    }
    take_all(&stmt, c);
    *text = hd_slice_head(in, in.len - stmt.rest.len);
    return hd_stmt_end(&stmt, signature) ? HD_OK : HD_EPARSE;
}

/* ---- what was dropped ---- */

bool hd_compacted_has_dropped(const struct hd_compacted *c, uint64_t first, uint64_t last)
{
    for (size_t i = 0; i < c->n_dropped; i++) {
        if (c->dropped[i].first <= first && last <= c->dropped[i].last) {
            return true;
        }
    }
    return false;
}

uint64_t hd_compacted_dropped(const struct hd_compacted *c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < c->n_dropped; i++) {
        n += c->dropped[i].last - c->dropped[i].first + 1;
    }
    return n;
}

bool hd_compacted_drop(struct hd_compacted *c, uint64_t first, uint64_t last)
{
    struct hd_compacted_run *end =
        c->n_dropped == 0 ? NULL : &c->dropped[c->n_dropped - 1];
    if (end != NULL && end->last + 1 == first) {
        end->last = last;
        return true;
    }
    if (c->n_dropped == HD_COMPACTED_RUNS_MAX) {
        return false;
    }
    c->dropped[c->n_dropped++] = (struct hd_compacted_run){first, last};
    return true;
}
