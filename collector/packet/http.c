/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1 requests, each head on a connection. Bodies of a known length are skipped, of an
 * unknown one the next head is looked for at the start of segments. Lenient where servers
 * are (bare LF, RFC 9112 section 2.2), strict in what starts a request.
 */
#include "collector/packet/http.h"

#include <haidang/num.h>

#include "collector/packet/dissect.h"

#define METHOD_MAX     20U
#define URL_RECORDED   4096U
#define VALUE_RECORDED 1024U
#define SKIP_MAX       (1U << 30) /* of a body; a longer one: look for heads again */

static const struct hd_slice methods[] = {
    HD_SLICE("GET"),    HD_SLICE("POST"),     HD_SLICE("HEAD"),      HD_SLICE("PUT"),
    HD_SLICE("DELETE"), HD_SLICE("OPTIONS"),  HD_SLICE("CONNECT"),   HD_SLICE("TRACE"),
    HD_SLICE("PATCH"),  HD_SLICE("PROPFIND"), HD_SLICE("PROPPATCH"), HD_SLICE("MKCOL"),
    HD_SLICE("COPY"),   HD_SLICE("MOVE"),     HD_SLICE("LOCK"),      HD_SLICE("UNLOCK"),
    HD_SLICE("SEARCH"), HD_SLICE("REPORT"),   HD_SLICE("PURGE"),     HD_SLICE("TRACK"),
    HD_SLICE("DEBUG"),
};
#define METHODS (sizeof(methods) / sizeof(methods[0]))

/* ---- request line: method SP request-target SP HTTP-version (RFC 9112 section 3) ----
 */

/* HD_PARSE_MORE: a known method may still become of it. */
static enum hd_parse known_method(struct hd_slice in)
{
    for (size_t i = 0; i < METHODS; i++) {
        if (in.len <= methods[i].len) {
            if (hd_slice_starts(methods[i], in)) {
                return HD_PARSE_MORE;
            }
        } else if (in.ptr[methods[i].len] == ' ' && hd_slice_starts(in, methods[i])) {
            return HD_PARSE_OK;
        }
    }
    return HD_PARSE_BAD;
}

/* The line at the start of `in` without its end; false when the end is not there. */
static bool take_line(struct hd_slice in, struct hd_slice *line, size_t *next)
{
    size_t end = hd_slice_find_byte(in, '\n');
    if (end == HD_NPOS) {
        return false;
    }
    *next = end + 1;
    *line = hd_slice_head(in, end > 0 && in.ptr[end - 1] == '\r' ? end - 1 : end);
    return true;
}

/* HTTP-name "/" DIGIT "." DIGIT of version 1 (section 2.3) */
static bool is_version(struct hd_slice s)
{
    return s.len == 8 && hd_slice_starts(s, HD_SLICE("HTTP/1.")) && hd_is_digit(s.ptr[7]);
}

/* token (RFC 9110 section 5.6.2) of upper-case letters, as every method in use is */
static size_t method_len(struct hd_slice line)
{
    size_t n = 0;
    while (n < line.len && n < METHOD_MAX &&
           (hd_is_upper(line.ptr[n]) || line.ptr[n] == '-' || line.ptr[n] == '_')) {
        n++;
    }
    return n;
}

/* The target may hold spaces, as attackers' and sloppy clients' do: it ends at the last
 * one. */
static bool read_request_line(struct hd_slice line, struct col_http_request *out)
{
    size_t n = method_len(line);
    if (n == 0 || n >= line.len || line.ptr[n] != ' ' || line.len < n + 11 ||
        line.ptr[line.len - 9] != ' ') {
        return false;
    }
    out->method = hd_slice_head(line, n);
    out->protocol = hd_slice_from(line, line.len - 8);
    out->target = hd_slice_from(hd_slice_head(line, line.len - 9), n + 1);
    return out->target.len > 0 && is_version(out->protocol);
}

enum hd_parse col_http_probe(struct hd_slice in)
{
    struct hd_slice line;
    size_t next = 0;
    struct col_http_request request;
    if (take_line(in, &line, &next)) {
        return read_request_line(line, &request) ? HD_PARSE_OK : HD_PARSE_BAD;
    }
    return known_method(in) == HD_PARSE_BAD ? HD_PARSE_BAD : HD_PARSE_MORE;
}

/* ---- fields (RFC 9112 section 5) ---- */

static bool list_ends_with(struct hd_slice value, struct hd_slice last)
{
    return hd_slice_ends_nocase(hd_slice_trim(value), last);
}

static void read_field(struct hd_slice line, struct col_http_request *out)
{
    struct hd_slice value = line;
    struct hd_slice name;
    (void)hd_slice_split(&value, ':', &name);
    name = hd_slice_trim(name);
    value = hd_slice_trim(value);
    if (hd_slice_eq_nocase(name, HD_SLICE("host"))) {
        out->host = out->host.len == 0 ? value : out->host;
    } else if (hd_slice_eq_nocase(name, HD_SLICE("user-agent"))) {
        out->user_agent = out->user_agent.len == 0 ? value : out->user_agent;
    } else if (hd_slice_eq_nocase(name, HD_SLICE("referer"))) {
        out->referer = out->referer.len == 0 ? value : out->referer;
    } else if (hd_slice_eq_nocase(name, HD_SLICE("x-forwarded-for"))) {
        out->forwarded_for = out->forwarded_for.len == 0 ? value : out->forwarded_for;
    } else if (hd_slice_eq_nocase(name, HD_SLICE("upgrade"))) {
        out->is_upgrade = true;
    } else if (hd_slice_eq_nocase(name, HD_SLICE("transfer-encoding"))) {
        out->is_chunked = !list_ends_with(value, HD_SLICE("identity"));
    } else if (hd_slice_eq_nocase(name, HD_SLICE("content-length"))) {
        if (hd_num_u64(value, UINT64_MAX, &out->content_length) != HD_OK) {
            out->is_chunked = true; /* no length to go by */
        }
    }
}

enum hd_parse col_http_request(struct hd_slice in, bool is_cut,
                               struct col_http_request *out, uint32_t *used)
{
    *out = (struct col_http_request){0};
    struct hd_slice line;
    size_t at = 0;
    /* a server ignores an empty line before the request (section 2.2) */
    while (at < in.len && (in.ptr[at] == '\r' || in.ptr[at] == '\n')) {
        at++;
    }
    size_t next = 0;
    if (!take_line(hd_slice_from(in, at), &line, &next)) {
        return at == in.len || col_http_probe(hd_slice_from(in, at)) == HD_PARSE_MORE
                   ? HD_PARSE_MORE
                   : HD_PARSE_BAD;
    }
    if (!read_request_line(line, out)) {
        return HD_PARSE_BAD;
    }
    at += next;
    for (unsigned fields = 0; take_line(hd_slice_from(in, at), &line, &next); fields++) {
        at += next;
        if (line.len == 0) {
            *used = (uint32_t)at;
            return HD_PARSE_OK;
        }
        if (fields == COL_HTTP_FIELDS_MAX) {
            is_cut = true;
            break;
        }
        read_field(line, out);
    }
    *used = (uint32_t)in.len;
    return is_cut ? HD_PARSE_OK : HD_PARSE_MORE;
}

struct hd_slice col_http_host(struct hd_slice field, uint16_t *port)
{
    size_t colon = field.len;
    *port = 0;
    while (colon > 0 && hd_is_digit(field.ptr[colon - 1])) {
        colon--;
    }
    if (colon == 0 || field.ptr[colon - 1] != ':' ||
        hd_num_u16(hd_slice_from(field, colon), UINT16_MAX, port) != HD_OK) {
        return field;
    }
    struct hd_slice name = hd_slice_head(field, colon - 1);
    bool is_bare_v6 =
        hd_slice_find_byte(name, ':') != HD_NPOS && !hd_slice_ends(name, HD_SLICE("]"));
    if (is_bare_v6) {
        *port = 0;
        return field;
    }
    return name;
}

/* ---- the row ---- */

static enum hd_parse probe(const struct col_flow *flow, struct hd_slice head)
{
    (void)flow;
    return col_http_probe(head);
}

static void put(struct hd_json *j, const char *key, struct hd_slice value, size_t max)
{
    if (value.len > 0) {
        hd_json_str(j, key, hd_slice_head(value, max));
    }
}

static void write_record(struct col_dissect *d, const struct col_http_request *request)
{
    uint16_t port = 0;
    struct hd_slice host = col_http_host(request->host, &port);
    struct hd_json j = col_record_begin(d->recorder, d->flow, d->ns, "http");
    hd_json_object(&j, "http");
    put(&j, "hostname", host, VALUE_RECORDED);
    if (port != 0) {
        hd_json_u64(&j, "http_port", port);
    }
    put(&j, "url", request->target, URL_RECORDED);
    put(&j, "http_user_agent", request->user_agent, VALUE_RECORDED);
    put(&j, "http_refer", request->referer, VALUE_RECORDED);
    put(&j, "xff", request->forwarded_for, VALUE_RECORDED);
    put(&j, "http_method", request->method, METHOD_MAX);
    put(&j, "protocol", request->protocol, METHOD_MAX);
    hd_json_end(&j, '}');
    col_record_end(d->recorder, &j);
}

static enum hd_parse feed(struct col_dissect *d, struct hd_slice in, uint32_t *used)
{
    struct col_http_request request;
    enum hd_parse r = col_http_request(in, d->is_cut, &request, used);
    if (r != HD_PARSE_OK) {
        return r;
    }
    write_record(d, &request);
    if (hd_slice_eq(request.method, HD_SLICE("CONNECT"))) {
        d->next = COL_NEXT_PROBE;
    } else if (d->is_cut || request.is_chunked || request.is_upgrade ||
               request.content_length > SKIP_MAX) {
        d->next = COL_NEXT_RESYNC;
    } else {
        *used += (uint32_t)request.content_length;
    }
    return HD_PARSE_OK;
}

const struct col_dissector *col_http_tcp(void)
{
    static const struct col_dissector row = {
        .name = "http",
        .proto = COL_PROTO_TCP,
        .resyncs = true,
        .probe = probe,
        .feed = feed,
    };
    return &row;
}
