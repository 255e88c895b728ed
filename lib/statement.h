/* SPDX-License-Identifier: Apache-2.0
 *
 * Signed texts in the footer of a segment: one "name value" a line, in a fixed order, and
 * a last line with the signature over all before it. Private to lib/.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/buf.h>
#include <haidang/sign.h>

void hd_stmt_put_time(struct hd_buf *out, const char *name, int64_t ns);
void hd_stmt_put_hex(struct hd_buf *out, const char *name, const uint8_t *bytes,
                     size_t len);
void hd_stmt_put_number(struct hd_buf *out, const char *name, uint64_t value);
/* The file of a segment; `end` follows. */
void hd_stmt_put_segment(struct hd_buf *out, const char *name, uint64_t first, char end);
/* The line "signature" about what was put since `from`. */
int hd_stmt_sign(struct hd_buf *out, size_t from,
                 const struct hd_sign_key *key) HD_MUST_USE;

struct hd_stmt {
    struct hd_slice rest;
    bool failed; /* a line was not what it must be; sticky */
};

/* The value of the next line, which must have this name. */
struct hd_slice hd_stmt_take(struct hd_stmt *stmt, struct hd_slice name);
uint64_t hd_stmt_take_number(struct hd_stmt *stmt, struct hd_slice name);
int64_t hd_stmt_take_time(struct hd_stmt *stmt, struct hd_slice name);
void hd_stmt_take_hex(struct hd_stmt *stmt, struct hd_slice name, uint8_t *out,
                      size_t len);
/* What a file's name says is its first index. */
uint64_t hd_stmt_first(struct hd_stmt *stmt, struct hd_slice file);
/* The last line. False: something failed, or more follows. */
bool hd_stmt_end(struct hd_stmt *stmt, uint8_t signature[HD_SIGNATURE_LEN]);
