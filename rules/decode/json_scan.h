/* SPDX-License-Identifier: Apache-2.0
 *
 * Span JSON tokenizer (RFC 8259): validates one object and shows its leaves with their
 * flattened paths ("a.b.c"). Pure: nothing is allocated, copied or unescaped; a leaf's
 * text points into the input.
 *
 * Decisions. Elements of arrays have the path of the array (no index) and say that they
 * are in one. Empty objects and arrays yield nothing. Numbers are spelled as they were.
 * Duplicate keys are shown each time. Accepted beyond the RFC: bytes >= 0x80 in any order
 * (logs hold them), lone surrogates and \u0000 in escapes. Refused within it: nesting
 * deeper than RUL_JSON_DEPTH_MAX and top-level values that are no object. Leaves with a
 * path longer than RUL_JSON_PATH_MAX are passed over.
 */
#pragma once
#include <haidang/parse.h>
#include <haidang/slice.h>

#define RUL_JSON_DEPTH_MAX 64U
#define RUL_JSON_PATH_MAX  256U

enum rul_json_type { RUL_JSON_STRING, RUL_JSON_NUMBER, RUL_JSON_BOOL, RUL_JSON_NULL };

struct rul_json_leaf {
    struct hd_slice path; /* valid during the call */
    struct hd_slice text; /* a string's is what stands between the quotes */
    enum rul_json_type type;
    bool has_escapes;
    bool is_in_array;
};
typedef void (*rul_json_on_leaf)(void *ctx, const struct rul_json_leaf *leaf);

/* White space may stand around the object, nothing else. Leaves are shown as they are
 * met, so that the caller of a text that turns out BAD must forget them. */
enum hd_parse rul_json_scan(struct hd_slice in, rul_json_on_leaf on_leaf, void *ctx);

/* Undoes the escapes of a validated string; never longer than raw. Lone surrogates become
 * U+FFFD. Returns the length written to `out` (room for raw.len bytes). */
size_t rul_json_unescape(struct hd_slice raw, uint8_t *out);
