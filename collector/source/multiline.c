/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/multiline.h"

#define PRI_LEN_MAX 5 /* "<191>" */

/* d = digit, a = letter, anything else is itself. Each is matched from the start. */
static const char *const time_forms[] = {
    "dddd-dd-dd", "dddd/dd/dd",  "dd/aaa/dddd", "dd-aaa-dddd", "dd/dd/dddd", "aaa dd ",
    "aaa  d ",    "aaa aaa dd ", "aaa aaa  d ", "dd:dd:dd",    "dddddddddd",
};

static bool fits(char form, uint8_t c)
{
    switch (form) {
    case 'd':
        return hd_is_digit(c);
    case 'a':
        return hd_is_alpha(c);
    default:
        return (uint8_t)form == c;
    }
}

static enum col_starts match_form(const char *form, struct hd_slice s, bool is_whole)
{
    size_t i = 0;
    for (; form[i] != '\0' && i < s.len; i++) {
        if (!fits(form[i], s.ptr[i])) {
            return COL_STARTS_NO;
        }
    }
    if (form[i] == '\0') {
        return COL_STARTS_YES;
    }
    return is_whole ? COL_STARTS_NO : COL_STARTS_UNKNOWN;
}

/* Without "<PRI>" and "[". */
static struct hd_slice skip_decoration(struct hd_slice s)
{
    if (s.len > 0 && s.ptr[0] == '<') {
        size_t end = hd_slice_find_byte(hd_slice_head(s, PRI_LEN_MAX), '>');
        s = end == HD_NPOS ? s : hd_slice_from(s, end + 1);
    }
    return s.len > 0 && s.ptr[0] == '[' ? hd_slice_from(s, 1) : s;
}

static enum col_starts starts_with_time(struct hd_slice head, bool is_whole)
{
    if (!is_whole && head.len > 0 && head.ptr[0] == '<' && head.len < PRI_LEN_MAX) {
        return COL_STARTS_UNKNOWN;
    }
    struct hd_slice s = skip_decoration(head);
    enum col_starts verdict = COL_STARTS_NO;
    for (size_t i = 0; i < sizeof(time_forms) / sizeof(time_forms[0]); i++) {
        enum col_starts one = match_form(time_forms[i], s, is_whole);
        if (one == COL_STARTS_YES) {
            return one;
        }
        if (one == COL_STARTS_UNKNOWN) {
            verdict = one;
        }
    }
    return verdict;
}

static enum col_starts starts_with_prefix(struct hd_slice prefix, struct hd_slice head,
                                          bool is_whole)
{
    if (hd_slice_starts(head, prefix)) {
        return COL_STARTS_YES;
    }
    bool may = !is_whole && hd_slice_starts(prefix, head);
    return may ? COL_STARTS_UNKNOWN : COL_STARTS_NO;
}

enum col_starts col_multiline_starts(const struct col_multiline *m, struct hd_slice head,
                                     bool is_whole)
{
    switch (m->kind) {
    case COL_MULTILINE_TIME:
        return starts_with_time(head, is_whole);
    case COL_MULTILINE_PREFIX:
        return starts_with_prefix(m->prefix, head, is_whole);
    case COL_MULTILINE_INDENT:
        if (head.len == 0) {
            return is_whole ? COL_STARTS_NO : COL_STARTS_UNKNOWN;
        }
        return head.ptr[0] == ' ' || head.ptr[0] == '\t' || head.ptr[0] == '\r'
                   ? COL_STARTS_NO
                   : COL_STARTS_YES;
    default:
        return COL_STARTS_YES;
    }
}

enum hd_parse col_multiline_next(const struct col_multiline *m, struct hd_slice in,
                                 size_t *used)
{
    uint32_t lines = 0;
    *used = 0;
    for (;;) {
        struct hd_slice rest = hd_slice_from(in, *used);
        size_t lf = hd_slice_find_byte(rest, '\n');
        size_t len = lf == HD_NPOS ? rest.len : lf + 1;
        if (lines > 0) {
            enum col_starts next =
                col_multiline_starts(m, hd_slice_head(rest, lf), lf != HD_NPOS);
            if (next == COL_STARTS_YES) {
                return HD_PARSE_OK;
            }
            if (next == COL_STARTS_NO && *used + len > m->max_bytes) {
                return HD_PARSE_OK;
            }
        }
        if (lf == HD_NPOS) {
            return HD_PARSE_MORE;
        }
        *used += len;
        if (++lines >= m->max_lines) {
            return HD_PARSE_OK;
        }
    }
}
