/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/centre/request.h"

#include <haidang/num.h>

static bool take_line(struct hd_slice *rest, struct hd_slice *line)
{
    size_t end = hd_slice_find(*rest, HD_SLICE("\r\n"));
    if (end == HD_NPOS) {
        return false;
    }
    *line = hd_slice_head(*rest, end);
    *rest = hd_slice_from(*rest, end + 2);
    return true;
}

static bool take_request_line(struct hd_slice line, struct request *out)
{
    struct hd_slice version = line;
    return hd_slice_split(&version, ' ', &out->method) &&
           hd_slice_split(&version, ' ', &out->target) &&
           hd_slice_eq(version, HD_SLICE("HTTP/1.1")) && out->target.len > 0;
}

/* False for a header that cannot be. */
static bool take_header(struct hd_slice line, struct request *out, size_t *length)
{
    struct hd_slice name;
    struct hd_slice value = line;
    (void)hd_slice_split(&value, ':', &name);
    value = hd_slice_trim(value);
    if (hd_slice_eq_nocase(name, HD_SLICE("content-length"))) {
        uint64_t n;
        if (hd_num_u64(value, REQUEST_BODY_MAX, &n) != HD_OK) {
            return false;
        }
        *length = (size_t)n;
    } else if (hd_slice_eq_nocase(name, HD_SLICE("authorization"))) {
        out->authorization = value;
    } else if (hd_slice_eq_nocase(name, HD_SLICE("content-type"))) {
        out->content_type = value;
    } else if (hd_slice_eq_nocase(name, HD_SLICE("connection"))) {
        out->is_close = hd_slice_eq_nocase(value, HD_SLICE("close"));
    }
    return true;
}

enum hd_parse request_parse(struct hd_slice in, struct request *out, size_t *used)
{
    size_t head = hd_slice_find(in, HD_SLICE("\r\n\r\n"));
    *out = (struct request){0};
    if (head == HD_NPOS) {
        return in.len > REQUEST_HEAD_MAX ? HD_PARSE_BAD : HD_PARSE_MORE;
    }
    struct hd_slice rest = hd_slice_head(in, head + 2);
    struct hd_slice line;
    size_t length = 0;
    if (!take_line(&rest, &line) || !take_request_line(line, out)) {
        return HD_PARSE_BAD;
    }
    while (take_line(&rest, &line)) {
        if (!take_header(line, out, &length)) {
            return HD_PARSE_BAD;
        }
    }
    if (in.len - head - 4 < length) {
        return HD_PARSE_MORE;
    }
    out->body = hd_slice(in.ptr + head + 4, length);
    *used = head + 4 + length;
    return HD_PARSE_OK;
}
