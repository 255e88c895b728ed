/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON append-writer. Strings are scanned eight bytes at a time for what needs an escape
 * and copied run by run. Thread: the buffer's owner.
 */
#include <haidang/json.h>

#include <haidang/clock.h>
#include <haidang/utf8.h>

enum { DEPTH_MAX = 31 };

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (uint64_t)(b))

/* High bit of each byte that is zero; bits above the first hit may be wrong, which is
 * good enough for "any?". */
static uint64_t zero_bytes(uint64_t word)
{
    return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* True when no byte is a control, a quote, a backslash or non-ASCII. */
static bool word_is_plain(const uint8_t *ptr)
{
    uint64_t word;
    memcpy(&word, ptr, sizeof(word));
    uint64_t special = (word - EACH_BYTE(0x20)) | zero_bytes(word ^ EACH_BYTE('"')) |
                       zero_bytes(word ^ EACH_BYTE('\\')) | word;
    return (special & EACH_BYTE(0x80)) == 0;
}

/* How many bytes at the start of s can stand in a JSON string as they are. */
static size_t plain_len(struct hd_slice s)
{
    size_t i = 0;
    while (i < s.len) {
        if (s.len - i >= 8 && word_is_plain(s.ptr + i)) {
            i += 8;
            continue;
        }
        uint8_t c = s.ptr[i];
        if (c < 0x20 || c == '"' || c == '\\') {
            return i;
        }
        size_t step = c < 0x80 ? 1 : hd_utf8_step(hd_slice_from(s, i));
        if (step == 0) {
            return i;
        }
        i += step;
    }
    return i;
}

static void add_escaped(struct hd_buf *out, uint8_t c)
{
    static const char short_form[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    for (size_t i = 0; i < sizeof(short_form) - 1; i += 2) {
        if (c == (uint8_t)short_form[i]) {
            hd_buf_byte(out, '\\');
            hd_buf_byte(out, (uint8_t)short_form[i + 1]);
            return;
        }
    }
    if (c >= 0x80) {
        hd_buf_str(out, "\xef\xbf\xbd");
        return;
    }
    hd_buf_str(out, "\\u00");
    hd_buf_hex(out, hd_slice(&c, 1));
}

void hd_json_quote(struct hd_buf *out, struct hd_slice value)
{
    hd_buf_byte(out, '"');
    while (value.len > 0) {
        size_t plain = plain_len(value);
        hd_buf_slice_add(out, hd_slice_head(value, plain));
        if (plain < value.len) {
            add_escaped(out, value.ptr[plain]);
            plain++;
        }
        value = hd_slice_from(value, plain);
    }
    hd_buf_byte(out, '"');
}

static void separate(struct hd_json *j)
{
    uint32_t bit = UINT32_C(1) << j->depth;
    if ((j->has_members & bit) != 0) {
        hd_buf_byte(j->out, ',');
    }
    j->has_members |= bit;
}

/* A value after hd_json_key has its comma and its key already. */
static void begin(struct hd_json *j, const char *key)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    separate(j);
    if (key != NULL) {
        hd_buf_byte(j->out, '"');
        hd_buf_str(j->out, key);
        hd_buf_str(j->out, "\":");
    }
}

static void open_bracket(struct hd_json *j, const char *key, uint8_t bracket)
{
    begin(j, key);
    if (hd_fails(j->depth < DEPTH_MAX)) {
        j->out->err = HD_EBUG;
        return;
    }
    hd_buf_byte(j->out, bracket);
    j->depth++;
    j->has_members &= ~(UINT32_C(1) << j->depth);
}

void hd_json_object(struct hd_json *j, const char *key)
{
    open_bracket(j, key, '{');
}

void hd_json_array(struct hd_json *j, const char *key)
{
    open_bracket(j, key, '[');
}

void hd_json_end(struct hd_json *j, char bracket)
{
    if (hd_fails(j->depth > 0)) {
        j->out->err = HD_EBUG;
        return;
    }
    hd_buf_byte(j->out, (uint8_t)bracket);
    j->depth--;
}

void hd_json_str(struct hd_json *j, const char *key, struct hd_slice value)
{
    begin(j, key);
    hd_json_quote(j->out, value);
}

void hd_json_cstr(struct hd_json *j, const char *key, const char *value)
{
    hd_json_str(j, key, hd_slice_str(value));
}

void hd_json_u64(struct hd_json *j, const char *key, uint64_t value)
{
    begin(j, key);
    hd_buf_u64(j->out, value);
}

void hd_json_i64(struct hd_json *j, const char *key, int64_t value)
{
    begin(j, key);
    hd_buf_i64(j->out, value);
}

void hd_json_bool(struct hd_json *j, const char *key, bool value)
{
    begin(j, key);
    hd_buf_str(j->out, value ? "true" : "false");
}

void hd_json_null(struct hd_json *j, const char *key)
{
    begin(j, key);
    hd_buf_str(j->out, "null");
}

void hd_json_time(struct hd_json *j, const char *key, int64_t ns, int digits)
{
    char text[HD_RFC3339_LEN + 1];
    size_t len = hd_clock_format_rfc3339(ns, digits, text);
    begin(j, key);
    hd_buf_byte(j->out, '"');
    hd_buf_bytes(j->out, text, len);
    hd_buf_byte(j->out, '"');
}

void hd_json_key(struct hd_json *j, struct hd_slice key)
{
    separate(j);
    hd_json_quote(j->out, key);
    hd_buf_byte(j->out, ':');
    j->after_key = true;
}
