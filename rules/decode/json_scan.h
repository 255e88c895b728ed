/* SPDX-License-Identifier: Apache-2.0
 *
 * Span JSON tokenizer (RFC 8259): validates one object and shows those of its leaves that
 * are fields. Pure: nothing is allocated or copied, no value is unescaped; a leaf's text
 * points into the input. What lies below members that lead to no field is validated and
 * otherwise passed over.
 *
 * Decisions. Elements of arrays have the path of the array (no index) and say that they
 * are in one. null, empty objects and empty arrays yield nothing. Numbers are spelled as
 * they were. An object is a leaf when its place says so (rul_paths_text), and its members
 * are shown before it. Duplicate keys are shown each time. Accepted beyond the RFC: bytes
 * >= 0x80 in any order (logs hold them), lone surrogates and \u0000 in escapes. Refused
 * within it: nesting deeper than RUL_JSON_DEPTH_MAX and top-level values that are no
 * object.
 */
#pragma once
#include <haidang/parse.h>

#include "rules/paths.h"

#define RUL_JSON_DEPTH_MAX 64U
#define RUL_JSON_KEY_MAX   256U /* longer names with escapes in them are no field's */

enum rul_json_type { RUL_JSON_STRING, RUL_JSON_NUMBER, RUL_JSON_BOOL, RUL_JSON_OBJECT };

struct rul_json_leaf {
    struct hd_slice text; /* a string's is what stands between the quotes */
    uint16_t field;
    enum rul_json_type type;
    bool has_escapes;
    bool is_in_array;
    bool is_escaped_twice; /* its place says so: rul_paths_restore */
};
typedef void (*rul_json_on_leaf)(void *ctx, const struct rul_json_leaf *leaf);

/* Without paths the text is validated and nothing shown. White space may stand around the
 * object, nothing else. Leaves are shown as they are met, so that the caller of a text
 * that turns out BAD must forget them. */
enum hd_parse rul_json_scan(struct hd_slice in, const struct rul_paths *paths,
                            rul_json_on_leaf on_leaf, void *ctx);

/* Undoes the escapes of a validated string; never longer than raw. Lone surrogates become
 * U+FFFD. Returns the length written to `out`, all of whose raw.len bytes may be written.
 */
size_t rul_json_unescape(struct hd_slice raw, uint8_t *out);

/* Writes a code point, 1 to 4 bytes; returns how many. */
size_t rul_json_put_utf8(uint32_t c, uint8_t *out);
