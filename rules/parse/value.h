/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of a rule: text with wildcards, and the modifiers that change it. A value is a
 * list of parts; a modifier may turn one value into several.
 */
#pragma once
#include "rules/parse/ast.h"
#include "rules/parse/placeholder.h"

#define RUL_EXPANSION_MAX 1024U /* values that one written value may become */

struct rul_text { /* one value */
    struct rul_text *next;
    struct rul_part *parts;
    size_t n;
};

enum rul_utf16 { RUL_UTF16_LE, RUL_UTF16_BE, RUL_UTF16_BOM };

/* Written text -> parts. Backslash: "\*" and "\?" are the characters, "\\" is one
 * backslash, any other backslash is itself (specification v2.1, "Escaping"). */
int rul_text_parse(struct hd_arena *arena, struct hd_slice written,
                   struct rul_text **out) HD_MUST_USE;

/* Each replaces the list. HD_EINVAL: does not apply to wildcards; HD_ELIMIT: too many. */
int rul_text_windash(struct hd_arena *arena, struct rul_text **list) HD_MUST_USE;
int rul_text_utf16(struct hd_arena *arena, enum rul_utf16 form,
                   struct rul_text **list) HD_MUST_USE;
int rul_text_base64(struct hd_arena *arena, struct rul_text **list) HD_MUST_USE;
int rul_text_base64_offset(struct hd_arena *arena, struct rul_text **list) HD_MUST_USE;
/* Puts the values of placeholders in. `is_raw`: the text and the values are no patterns
 * (regular expressions, networks, numbers). HD_ENOENT: *missing has no value here;
 * HD_ELIMIT: more than RUL_ATOMS_MAX texts. *found: there was a placeholder. */
struct rul_expansion {
    const struct rul_placeholders *values;
    bool is_raw;
    bool found;
    uint64_t hash; /* over the values put in */
    struct hd_slice missing;
};
int rul_text_expand(struct hd_arena *arena, struct rul_expansion *how,
                    struct rul_text **list) HD_MUST_USE;
/* Adds "*" before and/or behind each. */
int rul_text_open(struct hd_arena *arena, bool front, bool back,
                  struct rul_text **list) HD_MUST_USE;

/* Fills op and text or parts of the atom: the cheapest form that means the same. */
int rul_text_classify(struct hd_arena *arena, const struct rul_text *text,
                      struct rul_atom *atom) HD_MUST_USE;
