/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters of decoder maps: one small function each and a table.
 */
#include "rules/decode/filter.h"

#include <haidang/inet.h>

#define METHOD_MAX 24U

static bool is_ip(struct hd_slice value)
{
    struct hd_ip ip;
    return value.len > 0 &&
           (hd_is_digit(value.ptr[0]) || hd_slice_find_byte(value, ':') != HD_NPOS) &&
           hd_ip_parse(value, &ip) == 0;
}

static bool is_uint(struct hd_slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!hd_is_digit(value.ptr[i])) {
            return false;
        }
    }
    return value.len > 0;
}

/* RFC 9112 section 3: method SP request-target SP HTTP-version. Targets of attacks hold
 * spaces, so the version is what follows the last one, when it reads HTTP/. */
struct request {
    struct hd_slice method, target, version;
};

static bool split_request(struct hd_slice line, struct request *out)
{
    size_t n = 0;
    while (n < line.len && n < METHOD_MAX &&
           (hd_is_alpha(line.ptr[n]) || line.ptr[n] == '-')) {
        n++;
    }
    if (n == 0 || n >= line.len || line.ptr[n] != ' ') {
        return false;
    }
    out->method = hd_slice_head(line, n);
    out->target = hd_slice_from(line, n + 1);
    out->version = HD_SLICE_EMPTY;
    const uint8_t *last = memrchr(out->target.ptr, ' ', out->target.len);
    if (last == NULL) {
        return true;
    }
    size_t at = (size_t)(last - out->target.ptr);
    struct hd_slice tail = hd_slice_from(out->target, at + 1);
    if (hd_slice_starts(tail, HD_SLICE("HTTP/"))) {
        out->version = tail;
        out->target.len = at;
    }
    return true;
}

static bool take_request_part(enum rul_filter filter, struct hd_slice value,
                              struct hd_slice *out)
{
    struct request request;
    if (!split_request(value, &request)) {
        return false;
    }
    *out = filter == RUL_FILTER_METHOD   ? request.method
           : filter == RUL_FILTER_TARGET ? request.target
                                         : request.version;
    return out->len > 0;
}

static bool take_stem(struct hd_slice value, struct hd_slice *out)
{
    size_t at = hd_slice_find_byte(value, '?');
    *out = at == HD_NPOS ? value : hd_slice_head(value, at);
    return true;
}

static bool take_query(struct hd_slice value, struct hd_slice *out)
{
    size_t at = hd_slice_find_byte(value, '?');
    if (at == HD_NPOS) {
        return false;
    }
    *out = hd_slice_from(value, at + 1);
    return true;
}

static int nibble(uint8_t c)
{
    uint8_t low = c | 0x20;
    return hd_is_digit(c) ? c - '0' : (low >= 'a' && low <= 'f') ? low - 'a' + 10 : -1;
}

/* One pass; `out` may be `in.ptr`. RFC 3986 section 2.1; "+" is a space in a query. */
static size_t decode_percent(struct hd_slice in, uint8_t *out)
{
    size_t n = 0;
    bool is_query = false;
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.ptr[i];
        is_query = is_query || c == '?';
        if (c == '%' && i + 2 < in.len && nibble(in.ptr[i + 1]) >= 0 &&
            nibble(in.ptr[i + 2]) >= 0) {
            out[n++] = (uint8_t)(nibble(in.ptr[i + 1]) << 4 | nibble(in.ptr[i + 2]));
            i += 2;
        } else {
            out[n++] = c == '+' && is_query ? ' ' : c;
        }
    }
    return n;
}

static bool take_percent(struct hd_slice value, struct rul_decode_arena *arena,
                         struct hd_slice *out)
{
    if (value.len == 0 || (memchr(value.ptr, '%', value.len) == NULL &&
                           memchr(value.ptr, '+', value.len) == NULL)) {
        *out = value;
        return true;
    }
    uint8_t *room = rul_decode_arena_room(arena, value.len);
    if (room == NULL) {
        return false;
    }
    size_t n = decode_percent(value, room);
    if (n < value.len && memchr(room, '%', n) != NULL) {
        n = decode_percent(hd_slice(room, n), room); /* %252e%252e passes once for %2e */
    }
    arena->used += n;
    *out = hd_slice(room, n);
    return true;
}

static bool take_lower(struct hd_slice value, struct rul_decode_arena *arena,
                       struct hd_slice *out)
{
    size_t i = 0;
    while (i < value.len && !hd_is_upper(value.ptr[i])) {
        i++;
    }
    if (i == value.len) {
        *out = value;
        return true;
    }
    uint8_t *room = rul_decode_arena_room(arena, value.len);
    if (room == NULL) {
        return false;
    }
    for (i = 0; i < value.len; i++) {
        room[i] = hd_lower(value.ptr[i]);
    }
    arena->used += value.len;
    *out = hd_slice(room, value.len);
    return true;
}

/* "host:port", "[v6]:port", "host", "v6" */
static bool take_host_port(struct hd_slice value, bool want_port, struct hd_slice *out)
{
    struct hd_slice host = value, port = HD_SLICE_EMPTY;
    const uint8_t *colon = value.len > 0 ? memrchr(value.ptr, ':', value.len) : NULL;
    size_t at = colon == NULL ? value.len : (size_t)(colon - value.ptr);
    bool is_bracketed = at > 1 && value.ptr[0] == '[' && value.ptr[at - 1] == ']';
    bool is_single = colon != NULL && memchr(value.ptr, ':', at) == NULL;
    if (is_bracketed) {
        host = hd_slice(value.ptr + 1, at - 2);
    } else if (is_single) {
        host = hd_slice_head(value, at);
    }
    if (is_bracketed || is_single) {
        port = hd_slice_from(value, at + 1);
    }
    *out = want_port ? port : host;
    return want_port ? is_uint(port) : host.len > 0;
}

static bool take_base(struct hd_slice value, struct hd_slice *out)
{
    size_t from = value.len;
    while (from > 0 && value.ptr[from - 1] != '/' && value.ptr[from - 1] != '\\') {
        from--;
    }
    *out = hd_slice_from(value, from);
    return out->len > 0;
}

static bool keep_if(bool holds, struct hd_slice value, struct hd_slice *out)
{
    if (holds) {
        *out = value;
    }
    return holds;
}

bool rul_filter_apply(enum rul_filter filter, struct hd_slice value,
                      struct rul_decode_arena *arena, struct hd_slice *out)
{
    switch (filter) {
    case RUL_FILTER_IP:
        return keep_if(is_ip(value), value, out);
    case RUL_FILTER_NOT_IP:
        return keep_if(!is_ip(value), value, out);
    case RUL_FILTER_UINT:
        return keep_if(is_uint(value), value, out);
    case RUL_FILTER_METHOD:
    case RUL_FILTER_TARGET:
    case RUL_FILTER_VERSION:
        return take_request_part(filter, value, out);
    case RUL_FILTER_STEM:
        return take_stem(value, out);
    case RUL_FILTER_QUERY:
        return take_query(value, out);
    case RUL_FILTER_PERCENT:
        return take_percent(value, arena, out);
    case RUL_FILTER_LOWER:
        return take_lower(value, arena, out);
    case RUL_FILTER_HOST:
    case RUL_FILTER_PORT:
        return take_host_port(value, filter == RUL_FILTER_PORT, out);
    case RUL_FILTER_BASE:
        return take_base(value, out);
    case RUL_FILTER_COPY:
    case RUL_FILTERS:
        break;
    }
    return keep_if(true, value, out);
}
