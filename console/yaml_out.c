/* SPDX-License-Identifier: Apache-2.0 */
#include "console/yaml_out.h"

#include <haidang/json.h>

#define KEY_MAX 128U /* bytes of a key without "?"; YAML ends at 1024 characters */

static void indent(struct hd_buf *out, unsigned level)
{
    for (unsigned i = 0; i < 2 * level; i++) {
        hd_buf_byte(out, ' ');
    }
}

/* ---- scalars ---- */

/* Several lines that a block ("|") holds as they are. */
static bool fits_block(struct hd_slice text)
{
    bool at_start = true;
    size_t feeds = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool is_feed = c == '\n';
        if ((at_start && !is_feed && hd_is_space(c)) || (c < ' ' && !is_feed) ||
            c >= 0x7f || (is_feed && i > 0 && text.ptr[i - 1] == ' ')) {
            return false;
        }
        feeds += is_feed;
        at_start = is_feed;
    }
    bool ends_twice =
        text.len > 1 && text.ptr[text.len - 1] == '\n' && text.ptr[text.len - 2] == '\n';
    return feeds > 0 && text.ptr[0] != '\n' && !ends_twice;
}

static void write_block(struct hd_buf *out, struct hd_slice text, unsigned level)
{
    struct hd_slice line;
    bool has_end = text.ptr[text.len - 1] == '\n';
    hd_buf_str(out, has_end ? "|\n" : "|-\n");
    text.len -= has_end;
    while (hd_slice_split(&text, '\n', &line)) {
        if (line.len > 0) {
            indent(out, level);
        }
        hd_buf_slice_add(out, line);
        hd_buf_byte(out, '\n');
    }
}

static bool fits_single_quotes(struct hd_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ' || text.ptr[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* What JSON leaves as it is and YAML does not: DEL, C1 controls, line separators and byte
 * order marks, all of which \u can say. */
static size_t special(struct hd_slice rest, unsigned *code)
{
    static const struct {
        struct hd_slice bytes;
        unsigned code;
    } marks[] = {{HD_SLICE("\x7f"), 0x7f},           {HD_SLICE("\xe2\x80\xa8"), 0x2028},
                 {HD_SLICE("\xe2\x80\xa9"), 0x2029}, {HD_SLICE("\xef\xbb\xbf"), 0xfeff},
                 {HD_SLICE("\xef\xbf\xbe"), 0xfffe}, {HD_SLICE("\xef\xbf\xbf"), 0xffff}};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (hd_slice_starts(rest, marks[i].bytes)) {
            *code = marks[i].code;
            return marks[i].bytes.len;
        }
    }
    if (rest.len > 1 && rest.ptr[0] == 0xc2 && rest.ptr[1] < 0xa0) {
        *code = rest.ptr[1];
        return 2;
    }
    return 0;
}

static bool has_special(struct hd_slice text)
{
    unsigned code;
    for (size_t i = 0; i < text.len; i++) {
        if (special(hd_slice_from(text, i), &code) > 0) {
            return true;
        }
    }
    return false;
}

static void write_double_quotes(struct hd_buf *out, struct hd_slice text)
{
    struct hd_buf quoted;
    hd_buf_init(&quoted, 0);
    hd_json_quote(&quoted, text);
    struct hd_slice rest = hd_buf_slice(&quoted);
    while (rest.len > 0) {
        unsigned code;
        size_t n = special(rest, &code);
        if (n > 0) {
            hd_buf_printf(out, "\\u%04x", code);
        } else {
            hd_buf_byte(out, rest.ptr[0]);
        }
        rest = hd_slice_from(rest, n > 0 ? n : 1);
    }
    out->err = out->err != 0 ? out->err : quoted.err;
    hd_buf_fini(&quoted);
}

static void write_single_quotes(struct hd_buf *out, struct hd_slice text)
{
    hd_buf_byte(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        hd_buf_bytes(out, text.ptr[i] == '\'' ? "''" : (const char *)text.ptr + i,
                     text.ptr[i] == '\'' ? 2 : 1);
    }
    hd_buf_byte(out, '\'');
}

/* What was plain inside brackets need not be so outside, nor what ends with ":" behind
 * "?". */
static bool fits_plain(struct hd_slice text)
{
    bool is_mark =
        text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '?' || text.ptr[0] == ':');
    bool is_key = text.len > 0 && text.ptr[text.len - 1] == ':';
    return hd_slice_find_byte(text, '\n') == HD_NPOS && !has_special(text) && !is_key &&
           !(is_mark && (text.len == 1 || hd_is_space(text.ptr[1])));
}

/* In one line. */
static void write_inline(struct hd_buf *out, const struct hd_yaml *node)
{
    if (node->is_plain && fits_plain(node->text)) {
        hd_buf_slice_add(out, node->text);
    } else if (fits_single_quotes(node->text) && !has_special(node->text)) {
        write_single_quotes(out, node->text);
    } else {
        write_double_quotes(out, node->text);
    }
}

/* ---- collections ---- */

/* Behind "key:" or "-": on the same line when it fits there. */
static void write_value(struct hd_buf *out, const struct hd_yaml *node, unsigned level)
{
    if (node->kind == HD_YAML_SCALAR) {
        bool is_block = !node->is_plain && fits_block(node->text);
        hd_buf_str(out, node->is_plain && node->text.len == 0 ? "" : " ");
        if (is_block) {
            write_block(out, node->text, level);
            return;
        }
        write_inline(out, node);
        hd_buf_byte(out, '\n');
    } else if (node->n == 0) {
        hd_buf_str(out, node->kind == HD_YAML_MAP ? " {}\n" : " []\n");
    } else {
        hd_buf_byte(out, '\n');
        con_yaml_write(out, node, level);
    }
}

void con_yaml_write_member(struct hd_buf *out, const struct hd_yaml *value,
                           unsigned level)
{
    const struct hd_yaml *key = value->key;
    bool is_null = key->is_plain && key->text.len == 0;
    indent(out, level);
    if (is_null || key->text.len > KEY_MAX) {
        hd_buf_str(out, "? ");
    }
    write_inline(out, key);
    if (is_null || key->text.len > KEY_MAX) {
        hd_buf_byte(out, '\n');
        indent(out, level);
    }
    hd_buf_byte(out, ':');
    write_value(out, value, level + 1);
}

void con_yaml_write(struct hd_buf *out, const struct hd_yaml *node, unsigned level)
{
    if (node->kind == HD_YAML_SCALAR || node->n == 0) {
        indent(out, level);
        write_value(out, node, level + 1);
        return;
    }
    for (const struct hd_yaml *c = node->first; c != NULL; c = c->next) {
        if (node->kind == HD_YAML_MAP) {
            con_yaml_write_member(out, c, level);
        } else {
            indent(out, level);
            hd_buf_byte(out, '-');
            write_value(out, c, level + 1);
        }
    }
}
