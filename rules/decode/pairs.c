/* SPDX-License-Identifier: Apache-2.0
 *
 * key=value text.
 *
 *     CEF    key "=" value { " " key "=" value }     value: no "=" but "\="
 *     LEEF   [ delimiter "|" ] key "=" value { delimiter key "=" value }
 *     audit  key "=" ( '"' text '"' | "'" pairs "'" | word )
 */
#include "rules/decode/pairs.h"

#include "rules/decode/quoted.h"

static bool is_key_byte(uint8_t b)
{
    return hd_is_alnum(b) || b == '_' || b == '-' || b == '.';
}

/* Takes "key=" off the text, passing over what is none; false at the end. */
static bool take_key(struct hd_slice *rest, struct hd_slice *key)
{
    struct hd_slice s = *rest;
    while (s.len > 0) {
        size_t n = 0;
        while (n < s.len && is_key_byte(s.ptr[n])) {
            n++;
        }
        if (n > 0 && n < s.len && s.ptr[n] == '=') {
            *key = hd_slice_head(s, n);
            *rest = hd_slice_from(s, n + 1);
            return true;
        }
        s = hd_slice_from(s, n == 0 ? 1 : n);
    }
    *rest = s;
    return false;
}

/* ---- blanks, commas, audit ---- */

static void take_value(struct rul_pairs *pairs, uint8_t delimiter, struct rul_pair *out)
{
    struct hd_slice *s = &pairs->rest;
    size_t n = rul_quoted_len(*s);
    if (n > 0) {
        out->value = hd_slice(s->ptr + 1, n - 2);
        *s = hd_slice_from(*s, n);
        return;
    }
    while (n < s->len && s->ptr[n] != delimiter && s->ptr[n] >= ' ') {
        n++;
    }
    out->value = hd_slice_head(*s, n);
    *s = hd_slice_from(*s, n);
}

/* a0, a1 ... of EXECVE; those of other records are numbers. */
static bool is_word(const struct rul_pairs *pairs, struct hd_slice key)
{
    return pairs->has_args && key.len > 1 && key.ptr[0] == 'a' &&
           hd_is_digit(key.ptr[1]) && hd_is_digit(key.ptr[key.len - 1]);
}

/* Strings that the kernel writes as hex digits when they hold blanks or quotes. */
static bool is_audit_string(struct hd_slice key)
{
    static const char *const names[] = {"name", "comm", "exe",  "cwd", "proctitle",
                                        "path", "cmd",  "acct", "key", "data"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (hd_slice_eq(key, hd_slice_str(names[i]))) {
            return true;
        }
    }
    return false;
}

static bool is_hex(struct hd_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (hd_hex_value(s.ptr[i]) < 0) {
            return false;
        }
    }
    return s.len > 0 && s.len % 2 == 0;
}

/* What was said by a program stands in quotes and is pairs again: msg='op=login ...'. */
static bool opens_message(struct rul_pairs *pairs)
{
    struct hd_slice *s = &pairs->rest;
    if (s->len == 0 || s->ptr[0] != '\'') {
        return false;
    }
    *s = hd_slice_from(*s, 1);
    if (s->len > 0 && s->ptr[s->len - 1] == '\'') {
        s->len--;
    }
    return true;
}

static bool next_audit(struct rul_pairs *pairs, struct rul_pair *out)
{
    do {
        if (!take_key(&pairs->rest, &out->key)) {
            return false;
        }
    } while (opens_message(pairs));
    bool is_quoted = pairs->rest.len > 0 && pairs->rest.ptr[0] == '"';
    take_value(pairs, ' ', out);
    pairs->has_args |= hd_slice_eq(out->key, HD_SLICE("argc"));
    out->is_word = is_word(pairs, out->key);
    if (!is_quoted && (out->is_word || is_audit_string(out->key)) && is_hex(out->value)) {
        out->escape = RUL_PAIR_HEX;
    }
    return true;
}

/* ---- CEF ---- */

/* Where the value ends: before the blank in front of the next key. */
static size_t cef_value_len(struct hd_slice s)
{
    size_t blank = s.len; /* the last one seen */
    for (size_t at = 0; at < s.len; at++) {
        uint8_t c = s.ptr[at];
        if (c == '\\') {
            at++;
        } else if (c == ' ') {
            blank = at;
        } else if (c == '=' && blank < at) {
            return blank;
        }
    }
    return s.len;
}

static bool next_cef(struct rul_pairs *pairs, struct rul_pair *out)
{
    if (!take_key(&pairs->rest, &out->key)) {
        return false;
    }
    size_t n = cef_value_len(pairs->rest);
    out->value = hd_slice_trim(hd_slice_head(pairs->rest, n));
    pairs->rest = hd_slice_from(pairs->rest, n);
    if (hd_slice_find_byte(out->value, '\\') != HD_NPOS) {
        out->escape = RUL_PAIR_BACKSLASH;
    }
    return true;
}

/* ---- LEEF ---- */

/* "^|" or "x5E|" or "0x5E|" before the attributes of LEEF 2.0. */
static void take_delimiter(struct rul_pairs *pairs)
{
    struct hd_slice head = hd_slice_head(pairs->rest, 5);
    size_t n = hd_slice_find_byte(head, '|');
    pairs->delimiter = '\t';
    if (n == HD_NPOS) {
        return;
    }
    if (n == 1) {
        pairs->delimiter = head.ptr[0];
    } else if (n >= 3 && head.ptr[n - 3] == 'x' && hd_hex_value(head.ptr[n - 2]) >= 0 &&
               hd_hex_value(head.ptr[n - 1]) >= 0) {
        pairs->delimiter =
            (uint8_t)(hd_hex_value(head.ptr[n - 2]) << 4 | hd_hex_value(head.ptr[n - 1]));
    }
    pairs->rest = hd_slice_from(pairs->rest, n + 1);
}

static bool next_leef(struct rul_pairs *pairs, struct rul_pair *out)
{
    struct hd_slice part;
    while (pairs->rest.len > 0) {
        (void)hd_slice_split(&pairs->rest, pairs->delimiter, &part);
        size_t n = hd_slice_find_byte(part, '=');
        if (n != HD_NPOS && n > 0) {
            out->key = hd_slice_head(part, n);
            out->value = hd_slice_from(part, n + 1);
            return true;
        }
    }
    return false;
}

/* ---- all ---- */

void rul_pairs_open(struct rul_pairs *pairs, enum rul_pair_style style,
                    struct hd_slice text)
{
    *pairs = (struct rul_pairs){.rest = text, .style = style};
    if (style == RUL_PAIRS_LEEF) {
        take_delimiter(pairs);
    }
}

bool rul_pairs_next(struct rul_pairs *pairs, struct rul_pair *out)
{
    out->escape = RUL_PAIR_PLAIN;
    out->is_word = false;
    switch (pairs->style) {
    case RUL_PAIRS_CEF:
        return next_cef(pairs, out);
    case RUL_PAIRS_LEEF:
        return next_leef(pairs, out);
    case RUL_PAIRS_AUDIT:
        return next_audit(pairs, out);
    case RUL_PAIRS_BLANKS:
    case RUL_PAIRS_COMMAS:
        break;
    }
    if (!take_key(&pairs->rest, &out->key)) {
        return false;
    }
    take_value(pairs, pairs->style == RUL_PAIRS_COMMAS ? ',' : ' ', out);
    return true;
}

static size_t unescape_hex(struct hd_slice s, uint8_t *out)
{
    size_t n = 0;
    for (size_t at = 0; at + 1 < s.len; at += 2) {
        uint8_t byte =
            (uint8_t)(hd_hex_value(s.ptr[at]) << 4 | hd_hex_value(s.ptr[at + 1]));
        out[n++] = byte == 0 ? ' ' : byte;
    }
    return n;
}

static size_t unescape_backslash(struct hd_slice s, uint8_t *out)
{
    size_t n = 0;
    for (size_t at = 0; at < s.len; at++) {
        uint8_t c = s.ptr[at];
        if (c == '\\' && at + 1 < s.len) {
            c = s.ptr[++at];
            c = c == 'n' ? '\n' : c == 'r' ? '\r' : c;
        }
        out[n++] = c;
    }
    return n;
}

size_t rul_pair_unescape(const struct rul_pair *pair, uint8_t *out)
{
    switch (pair->escape) {
    case RUL_PAIR_HEX:
        return unescape_hex(pair->value, out);
    case RUL_PAIR_BACKSLASH:
        return unescape_backslash(pair->value, out);
    case RUL_PAIR_PLAIN:
        break;
    }
    if (pair->value.len > 0) {
        memcpy(out, pair->value.ptr, pair->value.len);
    }
    return pair->value.len;
}
