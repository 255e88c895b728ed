/* SPDX-License-Identifier: Apache-2.0
 *
 * The head of one HTTP/1.1 request. Pure.
 */
#include "lib/metrics_http.h"

static bool is_token(struct hd_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!hd_is_upper(s.ptr[i])) {
            return false;
        }
    }
    return s.len > 0;
}

static bool is_visible(struct hd_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f) {
            return false;
        }
    }
    return s.len > 0;
}

/* request-line = method SP request-target SP HTTP-version (section 3). Methods are upper
 * case here, targets have origin form. */
static bool parse_line(struct hd_slice line, struct hd_http_request *out)
{
    struct hd_slice target;
    if (!hd_slice_split(&line, ' ', &out->method) ||
        !hd_slice_split(&line, ' ', &target) || !is_token(out->method) ||
        !is_visible(target) || target.ptr[0] != '/') {
        return false;
    }
    out->path = hd_slice_head(target, hd_slice_find_byte(target, '?'));
    return line.len == 8 && hd_slice_starts(line, HD_SLICE("HTTP/1.")) &&
           hd_is_digit(line.ptr[7]);
}

static struct hd_slice without_cr(struct hd_slice line)
{
    return line.len > 0 && line.ptr[line.len - 1] == '\r'
               ? hd_slice_head(line, line.len - 1)
               : line;
}

enum hd_parse hd_http_parse(struct hd_slice text, struct hd_http_request *out)
{
    if (text.len > 0 && !hd_is_upper(text.ptr[0])) {
        return HD_PARSE_BAD;
    }
    size_t end = hd_slice_find_byte(text, '\n');
    if (end == HD_NPOS) {
        return HD_PARSE_MORE;
    }
    if (!parse_line(without_cr(hd_slice_head(text, end)), out)) {
        return HD_PARSE_BAD;
    }
    for (struct hd_slice rest = hd_slice_from(text, end + 1);;) {
        end = hd_slice_find_byte(rest, '\n');
        if (end == HD_NPOS) {
            return HD_PARSE_MORE;
        }
        if (without_cr(hd_slice_head(rest, end)).len == 0) {
            return HD_PARSE_OK;
        }
        rest = hd_slice_from(rest, end + 1);
    }
}
