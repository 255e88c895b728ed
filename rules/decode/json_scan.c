/* SPDX-License-Identifier: Apache-2.0
 *
 * Grammar: RFC 8259 sections 2 to 7. One loop over values with a stack of open brackets;
 * no recursion. A text that ends too early is MORE, any other flaw is BAD.
 */
#include "rules/decode/json_scan.h"

struct scan {
    struct hd_slice in;
    size_t at;
    rul_json_on_leaf on_leaf;
    void *ctx;
    unsigned depth;
    unsigned arrays;    /* open arrays among the open brackets */
    bool is_too_long;   /* the path did not fit */
    size_t too_long_at; /* depth whose key did not fit */
    size_t path_len;
    bool is_array[RUL_JSON_DEPTH_MAX];
    uint16_t parent_len[RUL_JSON_DEPTH_MAX]; /* path length outside the bracket */
    uint8_t path[RUL_JSON_PATH_MAX];
};

static void skip_space(struct scan *s)
{
    while (s->at < s->in.len) {
        uint8_t c = s->in.ptr[s->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            return;
        }
        s->at++;
    }
}

static enum hd_parse want_byte(struct scan *s, uint8_t byte)
{
    if (s->at >= s->in.len) {
        return HD_PARSE_MORE;
    }
    return s->in.ptr[s->at++] == byte ? HD_PARSE_OK : HD_PARSE_BAD;
}

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* High bit set in the lowest byte that is '"', '\\' or a control character; bytes above
 * it may be marked wrongly, which costs a second look and no more. */
static inline uint64_t special_bytes(uint64_t word)
{
    uint64_t quote = word ^ (ONES * '"');
    uint64_t slash = word ^ (ONES * '\\');
    uint64_t control = (word - ONES * 0x20) & ~word;
    return (((quote - ONES) & ~quote) | ((slash - ONES) & ~slash) | control) & HIGHS;
}

static size_t plain_len(struct hd_slice in, size_t at)
{
    size_t from = at;
    while (at + 8 <= in.len) {
        uint64_t word;
        memcpy(&word, in.ptr + at, sizeof(word));
        if (special_bytes(word) != 0) {
            break;
        }
        at += 8;
    }
    while (at < in.len && in.ptr[at] != '"' && in.ptr[at] != '\\' && in.ptr[at] >= 0x20) {
        at++;
    }
    return at - from;
}

/* Behind a backslash. */
static enum hd_parse scan_escape(struct scan *s)
{
    if (s->at >= s->in.len) {
        return HD_PARSE_MORE;
    }
    uint8_t c = s->in.ptr[s->at++];
    if (c != 'u') {
        return memchr("\"\\/bfnrt", c, 8) != NULL ? HD_PARSE_OK : HD_PARSE_BAD;
    }
    for (int i = 0; i < 4; i++) {
        if (s->at >= s->in.len) {
            return HD_PARSE_MORE;
        }
        if (hd_hex_value(s->in.ptr[s->at++]) < 0) {
            return HD_PARSE_BAD;
        }
    }
    return HD_PARSE_OK;
}

/* Behind the opening quote, to behind the closing one. */
static enum hd_parse scan_string(struct scan *s, struct hd_slice *text, bool *has_escapes)
{
    size_t from = s->at;
    *has_escapes = false;
    for (;;) {
        s->at += plain_len(s->in, s->at);
        if (s->at >= s->in.len) {
            return HD_PARSE_MORE;
        }
        uint8_t c = s->in.ptr[s->at++];
        if (c == '"') {
            *text = hd_slice(s->in.ptr + from, s->at - 1 - from);
            return HD_PARSE_OK;
        }
        if (c != '\\') {
            return HD_PARSE_BAD;
        }
        *has_escapes = true;
        enum hd_parse rc = scan_escape(s);
        if (rc != HD_PARSE_OK) {
            return rc;
        }
    }
}

static size_t scan_digits(struct scan *s)
{
    size_t from = s->at;
    while (s->at < s->in.len && hd_is_digit(s->in.ptr[s->at])) {
        s->at++;
    }
    return s->at - from;
}

static uint8_t peek(const struct scan *s)
{
    return s->at < s->in.len ? s->in.ptr[s->at] : 0;
}

/* At least one digit, or why not. */
static enum hd_parse want_digits(struct scan *s)
{
    if (scan_digits(s) > 0) {
        return HD_PARSE_OK;
    }
    return s->at >= s->in.len ? HD_PARSE_MORE : HD_PARSE_BAD;
}

static enum hd_parse scan_number(struct scan *s, struct hd_slice *text)
{
    size_t from = s->at;
    enum hd_parse rc = HD_PARSE_OK;
    s->at += peek(s) == '-' ? 1 : 0;
    if (peek(s) == '0') {
        s->at++;
    } else {
        rc = want_digits(s);
    }
    if (rc == HD_PARSE_OK && peek(s) == '.') {
        s->at++;
        rc = want_digits(s);
    }
    if (rc == HD_PARSE_OK && (peek(s) | 0x20) == 'e') {
        s->at++;
        s->at += peek(s) == '+' || peek(s) == '-' ? 1 : 0;
        rc = want_digits(s);
    }
    *text = hd_slice(s->in.ptr + from, s->at - from);
    return rc;
}

static enum hd_parse scan_word(struct scan *s, struct hd_slice word,
                               struct hd_slice *text)
{
    struct hd_slice head = hd_slice_head(hd_slice_from(s->in, s->at), word.len);
    if (!hd_slice_starts(word, head)) {
        return HD_PARSE_BAD;
    }
    if (head.len < word.len) {
        return HD_PARSE_MORE;
    }
    *text = head;
    s->at += word.len;
    return HD_PARSE_OK;
}

static enum hd_parse scan_leaf(struct scan *s)
{
    struct rul_json_leaf leaf = {.is_in_array = s->arrays > 0};
    enum hd_parse rc;
    uint8_t c = peek(s);
    if (c == '"') {
        s->at++;
        leaf.type = RUL_JSON_STRING;
        rc = scan_string(s, &leaf.text, &leaf.has_escapes);
    } else if (c == '-' || hd_is_digit(c)) {
        leaf.type = RUL_JSON_NUMBER;
        rc = scan_number(s, &leaf.text);
    } else if (c == 'n') {
        leaf.type = RUL_JSON_NULL;
        rc = scan_word(s, HD_SLICE("null"), &leaf.text);
    } else {
        leaf.type = RUL_JSON_BOOL;
        rc = scan_word(s, c == 't' ? HD_SLICE("true") : HD_SLICE("false"), &leaf.text);
    }
    if (rc == HD_PARSE_OK && !s->is_too_long) {
        leaf.path = hd_slice(s->path, s->path_len);
        s->on_leaf(s->ctx, &leaf);
    }
    return rc;
}

static enum hd_parse open_bracket(struct scan *s, bool is_array)
{
    if (s->depth == RUL_JSON_DEPTH_MAX) {
        return HD_PARSE_BAD;
    }
    s->is_array[s->depth] = is_array;
    s->parent_len[s->depth] = (uint16_t)s->path_len;
    s->depth++;
    s->arrays += is_array ? 1 : 0;
    s->at++;
    return HD_PARSE_OK;
}

/* The path is that of the bracket again; a key that did not fit is behind us. */
static void reset_path(struct scan *s)
{
    s->path_len = s->parent_len[s->depth - 1];
    if (s->is_too_long && s->too_long_at >= s->depth) {
        s->is_too_long = false;
    }
}

static void close_bracket(struct scan *s)
{
    reset_path(s);
    s->arrays -= s->is_array[s->depth - 1] ? 1 : 0;
    s->depth--;
    s->at++;
}

static void push_key(struct scan *s, struct hd_slice key, bool has_escapes)
{
    size_t dot = s->path_len > 0 ? 1 : 0;
    if (s->is_too_long) {
        return;
    }
    if (s->path_len + dot + key.len > RUL_JSON_PATH_MAX) {
        s->is_too_long = true;
        s->too_long_at = s->depth;
        return;
    }
    if (dot == 1) {
        s->path[s->path_len] = '.';
    }
    uint8_t *to = s->path + s->path_len + dot;
    if (has_escapes) {
        s->path_len += dot + rul_json_unescape(key, to);
    } else if (key.len > 0) {
        memcpy(to, key.ptr, key.len);
        s->path_len += dot + key.len;
    } else {
        s->path_len += dot;
    }
}

/* string ":" */
static enum hd_parse scan_key(struct scan *s)
{
    struct hd_slice key;
    bool has_escapes;
    enum hd_parse rc = want_byte(s, '"');
    if (rc == HD_PARSE_OK) {
        rc = scan_string(s, &key, &has_escapes);
    }
    if (rc != HD_PARSE_OK) {
        return rc;
    }
    reset_path(s);
    push_key(s, key, has_escapes);
    skip_space(s);
    rc = want_byte(s, ':');
    skip_space(s);
    return rc;
}

/* One value, or the opening of one: *is_open says which. */
static enum hd_parse scan_value(struct scan *s, bool *is_open)
{
    if (s->at >= s->in.len) {
        return HD_PARSE_MORE;
    }
    uint8_t c = s->in.ptr[s->at];
    *is_open = c == '{' || c == '[';
    return *is_open ? open_bracket(s, c == '[') : scan_leaf(s);
}

/* Inside a bracket, before a member: closes it, or reads the member's start. */
static enum hd_parse scan_member(struct scan *s, bool *is_open)
{
    enum hd_parse rc = HD_PARSE_OK;
    if (!s->is_array[s->depth - 1]) {
        rc = scan_key(s);
    }
    return rc == HD_PARSE_OK ? scan_value(s, is_open) : rc;
}

/* Behind a value: commas and closing brackets. True when a member must follow. */
static enum hd_parse scan_after(struct scan *s, bool *is_member_next)
{
    *is_member_next = false;
    while (s->depth > 0) {
        skip_space(s);
        if (s->at >= s->in.len) {
            return HD_PARSE_MORE;
        }
        uint8_t c = s->in.ptr[s->at];
        if (c == ',') {
            s->at++;
            skip_space(s);
            *is_member_next = true;
            return HD_PARSE_OK;
        }
        if (c != (s->is_array[s->depth - 1] ? ']' : '}')) {
            return HD_PARSE_BAD;
        }
        close_bracket(s);
    }
    return HD_PARSE_OK;
}

static enum hd_parse scan_object(struct scan *s)
{
    bool is_open = true, is_member_next = true;
    enum hd_parse rc = open_bracket(s, false);
    while (rc == HD_PARSE_OK && is_member_next) {
        skip_space(s);
        uint8_t closer = s->depth > 0 && s->is_array[s->depth - 1] ? ']' : '}';
        if (is_open && peek(s) == closer && s->at < s->in.len) {
            is_open = false; /* an empty bracket: scan_after closes it */
        } else {
            rc = scan_member(s, &is_open);
        }
        if (rc == HD_PARSE_OK && !is_open) {
            rc = scan_after(s, &is_member_next);
        }
    }
    return rc;
}

enum hd_parse rul_json_scan(struct hd_slice in, rul_json_on_leaf on_leaf, void *ctx)
{
    struct scan s;
    s.in = in;
    s.at = 0;
    s.on_leaf = on_leaf;
    s.ctx = ctx;
    s.depth = 0;
    s.arrays = 0;
    s.is_too_long = false;
    s.too_long_at = 0;
    s.path_len = 0;
    skip_space(&s);
    if (s.at >= in.len) {
        return HD_PARSE_MORE;
    }
    if (in.ptr[s.at] != '{') {
        return HD_PARSE_BAD;
    }
    enum hd_parse rc = scan_object(&s);
    skip_space(&s);
    return rc == HD_PARSE_OK && s.at < in.len ? HD_PARSE_BAD : rc;
}

/* ---- escapes ---- */

static uint32_t hex4(const uint8_t *at)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        value = value << 4 | (uint32_t)hd_hex_value(at[i]);
    }
    return value;
}

static size_t put_utf8(uint32_t c, uint8_t *out)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xC0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xE0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (c & 0x3F));
    return 4;
}

/* The code point at \uXXXX, of one escape or of a pair; *used bytes of raw were read. */
static uint32_t code_point(struct hd_slice raw, size_t at, size_t *used)
{
    uint32_t high = hex4(raw.ptr + at + 2);
    *used = 6;
    if (high < 0xD800 || high > 0xDFFF) {
        return high;
    }
    bool is_pair = high < 0xDC00 && at + 12 <= raw.len && raw.ptr[at + 6] == '\\' &&
                   raw.ptr[at + 7] == 'u';
    uint32_t low = is_pair ? hex4(raw.ptr + at + 8) : 0;
    if (low < 0xDC00 || low > 0xDFFF) {
        return 0xFFFD;
    }
    *used = 12;
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

static uint8_t simple_escape(uint8_t c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

size_t rul_json_unescape(struct hd_slice raw, uint8_t *out)
{
    size_t n = 0, at = 0;
    while (at < raw.len) {
        size_t run = hd_slice_find_byte(hd_slice_from(raw, at), '\\');
        run = run == HD_NPOS ? raw.len - at : run;
        if (run > 0) {
            memcpy(out + n, raw.ptr + at, run);
        }
        n += run;
        at += run;
        if (at + 1 >= raw.len) {
            break;
        }
        if (raw.ptr[at + 1] == 'u') {
            size_t used;
            n += put_utf8(code_point(raw, at, &used), out + n);
            at += used;
        } else {
            out[n++] = simple_escape(raw.ptr[at + 1]);
            at += 2;
        }
    }
    return n;
}
