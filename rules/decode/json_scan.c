/* SPDX-License-Identifier: Apache-2.0
 *
 * Grammar: RFC 8259 sections 2 to 7. One loop over members with a stack of open brackets;
 * no recursion. A text that ends too early is MORE, any other flaw is BAD.
 */
#include "rules/decode/json_scan.h"

#include "rules/decode/json_bytes.h"
#include "rules/event.h"

struct scan {
    const uint8_t *at, *end;
    const struct rul_paths *paths;
    rul_json_on_leaf on_leaf;
    void *ctx;
    unsigned depth;
    bool is_first;   /* nothing stands in the innermost bracket yet */
    bool is_array;   /* the innermost bracket is one */
    uint64_t arrays; /* bit k: open bracket k is an array */
    uint32_t node;   /* where the innermost bracket is, or RUL_PATH_NONE */
    uint32_t nodes[RUL_JSON_DEPTH_MAX];        /* the same of those around it */
    const uint8_t *starts[RUL_JSON_DEPTH_MAX]; /* where the open brackets stand */
};
_Static_assert(RUL_JSON_DEPTH_MAX <= 64, "a bit for each open bracket");

static inline uint8_t peek(const struct scan *s)
{
    return s->at < s->end ? *s->at : 0;
}

static inline void skip_space(struct scan *s)
{
    while (s->at < s->end && *s->at <= ' ' &&
           (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r')) {
        s->at++;
    }
}

static inline enum hd_parse want_byte(struct scan *s, uint8_t byte)
{
    if (s->at >= s->end) {
        return HD_PARSE_MORE;
    }
    return *s->at++ == byte ? HD_PARSE_OK : HD_PARSE_BAD;
}

static bool is_escapable(uint8_t c)
{
    return c == '\\' || c == '"' || c == 'n' || c == 'r' || c == 't' || c == '/' ||
           c == 'b' || c == 'f';
}

/* Behind a backslash. */
static enum hd_parse scan_escape(struct scan *s)
{
    if (s->at >= s->end) {
        return HD_PARSE_MORE;
    }
    uint8_t c = *s->at++;
    if (c != 'u') {
        return is_escapable(c) ? HD_PARSE_OK : HD_PARSE_BAD;
    }
    for (int i = 0; i < 4; i++) {
        if (s->at >= s->end) {
            return HD_PARSE_MORE;
        }
        if (hd_hex_value(*s->at++) < 0) {
            return HD_PARSE_BAD;
        }
    }
    return HD_PARSE_OK;
}

/* Behind the opening quote, to behind the closing one. */
static inline enum hd_parse scan_string(struct scan *s, struct hd_slice *text,
                                        bool *has_escapes)
{
    const uint8_t *from = s->at;
    *has_escapes = false;
    for (;;) {
        s->at = rul_json_special(s->at, s->end);
        if (s->at >= s->end) {
            return HD_PARSE_MORE;
        }
        uint8_t c = *s->at++;
        if (c == '"') {
            *text = hd_slice(from, (size_t)(s->at - 1 - from));
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

/* At least one digit, or why not. */
static enum hd_parse want_digits(struct scan *s)
{
    const uint8_t *from = s->at;
    while (s->at < s->end && hd_is_digit(*s->at)) {
        s->at++;
    }
    if (s->at > from) {
        return HD_PARSE_OK;
    }
    return s->at >= s->end ? HD_PARSE_MORE : HD_PARSE_BAD;
}

static enum hd_parse scan_number(struct scan *s, struct hd_slice *text)
{
    const uint8_t *from = s->at;
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
    *text = hd_slice(from, (size_t)(s->at - from));
    return rc;
}

static enum hd_parse scan_word(struct scan *s, struct hd_slice word,
                               struct hd_slice *text)
{
    struct hd_slice head =
        hd_slice_head(hd_slice(s->at, (size_t)(s->end - s->at)), word.len);
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

static inline enum hd_parse scan_leaf(struct scan *s, uint32_t node)
{
    struct rul_json_leaf leaf = {.is_in_array = s->arrays != 0};
    enum hd_parse rc;
    uint8_t c = *s->at;
    leaf.field = node == RUL_PATH_NONE ? RUL_FIELD_NONE : s->paths->nodes[node].field;
    if (c == '"') {
        s->at++;
        leaf.type = RUL_JSON_STRING;
        rc = scan_string(s, &leaf.text, &leaf.has_escapes);
    } else if (c == '-' || hd_is_digit(c)) {
        leaf.type = RUL_JSON_NUMBER;
        rc = scan_number(s, &leaf.text);
    } else if (c == 'n') {
        leaf.field = RUL_FIELD_NONE;
        rc = scan_word(s, HD_SLICE("null"), &leaf.text);
    } else {
        leaf.type = RUL_JSON_BOOL;
        rc = scan_word(s, c == 't' ? HD_SLICE("true") : HD_SLICE("false"), &leaf.text);
    }
    if (rc == HD_PARSE_OK && leaf.field != RUL_FIELD_NONE) {
        leaf.is_escaped_twice =
            s->node != RUL_PATH_NONE && s->paths->nodes[s->node].is_restored;
        s->on_leaf(s->ctx, &leaf);
    }
    return rc;
}

static enum hd_parse open_bracket(struct scan *s, uint32_t node)
{
    if (s->depth == RUL_JSON_DEPTH_MAX) {
        return HD_PARSE_BAD;
    }
    s->nodes[s->depth] = s->node;
    s->starts[s->depth] = s->at;
    s->node = node;
    s->is_array = *s->at == '[';
    s->arrays |= (uint64_t)s->is_array << s->depth;
    s->depth++;
    s->at++;
    s->is_first = true;
    return HD_PARSE_OK;
}

/* The object that was closed last is a value. */
static void show_object(struct scan *s, uint32_t node)
{
    const uint8_t *from = s->starts[s->depth];
    const struct rul_json_leaf leaf = {.text = hd_slice(from, (size_t)(s->at - from)),
                                       .field = s->paths->nodes[node].field,
                                       .type = RUL_JSON_OBJECT,
                                       .is_in_array = s->arrays != 0};
    s->on_leaf(s->ctx, &leaf);
}

static inline void close_bracket(struct scan *s)
{
    uint32_t node = s->node;
    bool is_text = !s->is_array && node != RUL_PATH_NONE && s->paths->nodes[node].is_text;
    s->depth--;
    s->arrays &= ~(UINT64_C(1) << s->depth);
    s->node = s->nodes[s->depth];
    s->is_array = s->depth > 0 && (s->arrays >> (s->depth - 1) & 1U) != 0;
    s->at++;
    s->is_first = false;
    if (is_text) {
        show_object(s, node);
    }
}

static uint32_t step_escaped(const struct scan *s, struct hd_slice key)
{
    uint8_t plain[RUL_JSON_KEY_MAX];
    if (key.len > sizeof(plain)) {
        return RUL_PATH_NONE;
    }
    return rul_paths_step(s->paths, s->node,
                          hd_slice(plain, rul_json_unescape(key, plain)));
}

/* string ":" */
static inline enum hd_parse scan_key(struct scan *s, uint32_t *node)
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
    if (s->node != RUL_PATH_NONE) {
        *node =
            has_escapes ? step_escaped(s, key) : rul_paths_step(s->paths, s->node, key);
    }
    skip_space(s);
    rc = want_byte(s, ':');
    skip_space(s);
    return rc;
}

/* Inside a bracket: closes it, or reads one member and what parts it from the one before.
 * Where the member is an object or array, that is opened. */
static inline enum hd_parse scan_member(struct scan *s)
{
    uint32_t node = s->node;
    skip_space(s);
    if (peek(s) == (s->is_array ? ']' : '}')) {
        close_bracket(s);
        return HD_PARSE_OK;
    }
    if (!s->is_first) {
        enum hd_parse rc = want_byte(s, ',');
        if (rc != HD_PARSE_OK) {
            return rc;
        }
        skip_space(s);
    }
    s->is_first = false;
    if (!s->is_array) {
        enum hd_parse rc = scan_key(s, &node);
        if (rc != HD_PARSE_OK) {
            return rc;
        }
    }
    if (s->at >= s->end) {
        return HD_PARSE_MORE;
    }
    return *s->at == '{' || *s->at == '[' ? open_bracket(s, node) : scan_leaf(s, node);
}

enum hd_parse rul_json_scan(struct hd_slice in, const struct rul_paths *paths,
                            rul_json_on_leaf on_leaf, void *ctx)
{
    uint32_t root = paths == NULL ? RUL_PATH_NONE : RUL_PATH_ROOT;
    struct scan s; /* the stack stays as it is: clearing it would cost more than a line */
    s.at = in.ptr;
    s.end = in.len == 0 ? in.ptr : in.ptr + in.len;
    s.paths = paths;
    s.on_leaf = on_leaf;
    s.ctx = ctx;
    s.depth = 0;
    s.arrays = 0;
    s.node = RUL_PATH_NONE;
    skip_space(&s);
    if (s.at >= s.end) {
        return HD_PARSE_MORE;
    }
    enum hd_parse rc = *s.at == '{' ? open_bracket(&s, root) : HD_PARSE_BAD;
    while (rc == HD_PARSE_OK && s.depth > 0) {
        rc = scan_member(&s);
    }
    skip_space(&s);
    return rc == HD_PARSE_OK && s.at < s.end ? HD_PARSE_BAD : rc;
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

size_t rul_json_put_utf8(uint32_t c, uint8_t *out)
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
        size_t run = rul_json_copy(out + n, raw.ptr + at, raw.len - at);
        n += run;
        at += run;
        if (at + 1 >= raw.len) {
            break;
        }
        if (raw.ptr[at + 1] == 'u') {
            size_t used;
            n += rul_json_put_utf8(code_point(raw, at, &used), out + n);
            at += used;
        } else {
            out[n++] = simple_escape(raw.ptr[at + 1]);
            at += 2;
        }
    }
    return n;
}
