/* SPDX-License-Identifier: Apache-2.0
 *
 * Grammar (what stands in brackets may be missing):
 *
 *   RFC 5424 section 6:  <PRI>VERSION SP TIME SP HOST SP APP SP PROCID SP MSGID SP SD [SP
 * MSG] RFC 3164 section 4:  [<PRI>] [SEQ ": " [HOST ": "]] TIME [" " ZONE] [":"] [HOST]
 * [TAG] MSG TAG:                 NAME ["(" SUBTAG ")"] ["[" PID "]"] ":" kernel: "["
 * uptime "] " MSG
 */
#include "rules/decode/syslog.h"

#include <haidang/num.h>

#define PRI_MAX  191U
#define TAG_MAX  128U
#define HOST_MAX 255U
#define PID_MAX  64U

static struct hd_slice skip_spaces(struct hd_slice s)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] == ' ') {
        n++;
    }
    return hd_slice_from(s, n);
}

static struct hd_slice trim_line_end(struct hd_slice s)
{
    while (s.len > 0 && (s.ptr[s.len - 1] == '\n' || s.ptr[s.len - 1] == '\r' ||
                         s.ptr[s.len - 1] == '\0')) {
        s.len--;
    }
    return s;
}

/* Bytes up to the next space. */
static struct hd_slice head_word(struct hd_slice s)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] != ' ') {
        n++;
    }
    return hd_slice_head(s, n);
}

static bool take_pri(struct hd_slice *rest, int *pri)
{
    if (rest->len < 3 || rest->ptr[0] != '<') {
        return false;
    }
    uint64_t value;
    size_t digits = hd_num_prefix_u64(hd_slice_from(*rest, 1), 3, PRI_MAX, &value);
    if (digits == 0 || digits + 1 >= rest->len || rest->ptr[digits + 1] != '>') {
        return false;
    }
    *pri = (int)value;
    *rest = hd_slice_from(*rest, digits + 2);
    return true;
}

/* ---- RFC 5424 ---- */

/* Length of one SD-ELEMENT at the start of s, 0 when it is none. */
static size_t element_len(struct hd_slice s)
{
    bool is_quoted = false;
    if (s.len < 2 || s.ptr[0] != '[') {
        return 0;
    }
    for (size_t i = 1; i < s.len; i++) {
        if (is_quoted && s.ptr[i] == '\\') {
            i++;
        } else if (s.ptr[i] == '"') {
            is_quoted = !is_quoted;
        } else if (!is_quoted && s.ptr[i] == ']') {
            return i + 1;
        }
    }
    return 0;
}

/* STRUCTURED-DATA is "-" or elements; anything else is taken as message. */
static void take_data(struct hd_slice *rest, struct hd_slice *data)
{
    if (rest->len > 0 && rest->ptr[0] == '-' && (rest->len == 1 || rest->ptr[1] == ' ')) {
        *rest = hd_slice_from(*rest, 1);
        return;
    }
    size_t end = 0, n;
    while ((n = element_len(hd_slice_from(*rest, end))) > 0) {
        end += n;
    }
    *data = hd_slice_head(*rest, end);
    *rest = hd_slice_from(*rest, end);
}

static struct hd_slice take_field(struct hd_slice *rest)
{
    struct hd_slice word = head_word(*rest);
    *rest = hd_slice_from(*rest, word.len + 1);
    return hd_slice_eq(word, HD_SLICE("-")) ? HD_SLICE_EMPTY : word;
}

static bool take_ietf(struct hd_slice line, struct rul_syslog *out)
{
    uint64_t version;
    size_t digits = hd_num_prefix_u64(line, 3, 999, &version);
    if (digits == 0 || version == 0 || digits >= line.len || line.ptr[digits] != ' ') {
        return false;
    }
    struct hd_slice rest = hd_slice_from(line, digits + 1);
    size_t time_len = rul_stamp_iso(rest, &out->stamp);
    out->has_stamp = time_len > 0;
    if (time_len == 0 && rest.len > 0 && rest.ptr[0] == '-') {
        time_len = 1; /* NILVALUE */
    }
    if (time_len == 0 || (time_len < rest.len && rest.ptr[time_len] != ' ')) {
        out->has_stamp = false;
        return false;
    }
    rest = hd_slice_from(rest, time_len + 1);
    out->kind = RUL_SYSLOG_IETF;
    out->host = take_field(&rest);
    out->program = take_field(&rest);
    out->pid = take_field(&rest);
    out->msgid = take_field(&rest);
    take_data(&rest, &out->data);
    rest = skip_spaces(rest);
    if (hd_slice_starts(rest, HD_SLICE("\xEF\xBB\xBF"))) {
        rest = hd_slice_from(rest, 3);
    }
    out->message = rest;
    return true;
}

bool rul_syslog_next_param(struct hd_slice *rest, struct rul_syslog_param *param)
{
    struct hd_slice s = skip_spaces(*rest);
    while (s.len > 0 && (s.ptr[0] == ']' || s.ptr[0] == '[')) {
        if (s.ptr[0] == '[') {
            size_t n = 1;
            while (n < s.len && s.ptr[n] != ' ' && s.ptr[n] != ']') {
                n++;
            }
            param->id = hd_slice(s.ptr + 1, n - 1);
            s = hd_slice_from(s, n);
        } else {
            s = hd_slice_from(s, 1);
        }
        s = skip_spaces(s);
    }
    size_t equals = hd_slice_find_byte(s, '=');
    if (equals == HD_NPOS || equals + 1 >= s.len || s.ptr[equals + 1] != '"') {
        return false;
    }
    size_t end = equals + 2;
    while (end < s.len && s.ptr[end] != '"') {
        end += s.ptr[end] == '\\' ? 2 : 1;
    }
    if (end >= s.len) {
        return false;
    }
    param->name = hd_slice_head(s, equals);
    param->value = hd_slice(s.ptr + equals + 2, end - equals - 2);
    *rest = hd_slice_from(s, end + 1);
    return true;
}

/* ---- RFC 3164 and relatives ---- */

static bool is_host_byte(uint8_t c)
{
    return hd_is_alnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '%' ||
           c == '/' || c == '@';
}

static bool is_host(struct hd_slice word)
{
    if (word.len == 0 || word.len > HOST_MAX) {
        return false;
    }
    for (size_t i = 0; i < word.len; i++) {
        if (!is_host_byte(word.ptr[i])) {
            return false;
        }
    }
    return true;
}

/* A time, the zone Cisco writes behind it ("UTC:") and the colon. */
static bool take_stamp(struct hd_slice *rest, struct rul_stamp *stamp)
{
    size_t n = 0;
    if (rest->len > 4) {
        n = rest->ptr[4] == '-' || rest->ptr[4] == '/' ? rul_stamp_iso(*rest, stamp)
                                                       : rul_stamp_bsd(*rest, stamp);
    }
    if (n == 0) {
        return false;
    }
    struct hd_slice after = hd_slice_from(*rest, n);
    if (after.len > 0 && after.ptr[0] != ' ' && after.ptr[0] != ':') {
        return false;
    }
    if (after.len > 0 && after.ptr[0] == ' ') {
        struct hd_slice zone = head_word(hd_slice_from(after, 1));
        if (zone.len >= 4 && zone.len <= 6 && zone.ptr[zone.len - 1] == ':' &&
            hd_is_upper(zone.ptr[0]) && hd_is_upper(zone.ptr[1])) {
            stamp->has_zone = hd_slice_eq(zone, HD_SLICE("UTC:")) ||
                              hd_slice_eq(zone, HD_SLICE("GMT:"));
            after = hd_slice_from(after, zone.len);
        }
    }
    *rest = skip_spaces(hd_slice_from(after, after.len > 0 ? 1 : 0));
    return true;
}

/* Cisco: "123: " and "123: origin: " before the time. */
static void take_sequence(struct hd_slice *rest, struct rul_syslog *out)
{
    uint64_t ignored;
    size_t digits = hd_num_prefix_u64(*rest, 10, UINT64_MAX, &ignored);
    struct hd_slice after = hd_slice_from(*rest, digits);
    if (digits == 0 || !hd_slice_starts(after, HD_SLICE(": "))) {
        return;
    }
    after = hd_slice_from(after, 2);
    struct hd_slice origin = head_word(after);
    struct hd_slice behind = skip_spaces(hd_slice_from(after, origin.len));
    struct rul_stamp probe;
    if (origin.len > 1 && origin.ptr[origin.len - 1] == ':' &&
        take_stamp(&behind, &probe)) {
        out->host = hd_slice_head(origin, origin.len - 1);
        after = skip_spaces(hd_slice_from(after, origin.len));
    }
    *rest = after;
}

/* NAME ["(" SUBTAG ")"] ["[" PID "]"] [":"]; false when there is none. */
static bool take_tag(struct hd_slice *rest, struct rul_syslog *out, bool need_pid)
{
    struct hd_slice s = *rest;
    size_t end = 0, open = 0;
    while (end < s.len && end < TAG_MAX && s.ptr[end] > ' ' && s.ptr[end] < 0x7F &&
           s.ptr[end] != '[' && s.ptr[end] != ':') {
        open = s.ptr[end] == '(' && end > 0 ? end : open;
        end++;
    }
    if (end == 0 || end >= s.len || (s.ptr[end] != '[' && s.ptr[end] != ':')) {
        return false;
    }
    size_t at = end;
    struct hd_slice pid = HD_SLICE_EMPTY;
    if (s.ptr[at] == '[') {
        size_t close =
            hd_slice_find_byte(hd_slice_head(hd_slice_from(s, at), PID_MAX), ']');
        if (close == HD_NPOS) {
            return false;
        }
        pid = hd_slice(s.ptr + at + 1, close - 1);
        at += close + 1;
    }
    bool has_colon = at < s.len && s.ptr[at] == ':';
    at += has_colon ? 1 : 0;
    if ((pid.len == 0 && (need_pid || !has_colon)) ||
        (at < s.len && s.ptr[at] != ' ' && s.ptr[at] != '[')) {
        return false;
    }
    if (open > 0 && s.ptr[end - 1] == ')') {
        out->subtag = hd_slice(s.ptr + open + 1, end - open - 2);
        out->program = hd_slice_head(s, open);
    } else {
        out->program = hd_slice_head(s, end);
    }
    out->pid = pid;
    *rest = hd_slice_from(s, at < s.len && s.ptr[at] == ' ' ? at + 1 : at);
    return true;
}

/* The word behind the time is a host name unless it is the tag itself. */
static void take_host(struct hd_slice *rest, struct rul_syslog *out)
{
    struct hd_slice word = head_word(*rest);
    struct hd_slice after = skip_spaces(hd_slice_from(*rest, word.len));
    bool has_colon = word.len > 1 && word.ptr[word.len - 1] == ':';
    if (has_colon && after.len > 0 && after.ptr[0] == '%') {
        word.len--; /* Cisco: "router1: %SYS-5-CONFIG_I:" */
    } else if (has_colon || !is_host(word) || (word.len > 0 && word.ptr[0] == '%')) {
        return;
    }
    if (hd_slice_starts(after, HD_SLICE(": %"))) {
        after = hd_slice_from(after, 2); /* "asa1 : %ASA-6-302013:" */
    }
    out->host = word;
    *rest = after;
}

/* "[12345.678901] " of the kernel's ring buffer; 0 when it does not stand there. */
static size_t uptime_len(struct hd_slice s)
{
    if (s.len < 5 || s.ptr[0] != '[') {
        return 0;
    }
    size_t at = 1, dots = 0;
    while (at < s.len && s.ptr[at] == ' ') {
        at++;
    }
    size_t from = at;
    while (at < s.len && (hd_is_digit(s.ptr[at]) || s.ptr[at] == '.')) {
        dots += s.ptr[at] == '.' ? 1 : 0;
        at++;
    }
    if (at == from || dots != 1 || at >= s.len || s.ptr[at] != ']') {
        return 0;
    }
    return at + 1;
}

static void take_uptime(struct hd_slice *rest, struct rul_syslog *out)
{
    size_t n = out->program.len == 0 || hd_slice_eq(out->program, HD_SLICE("kernel"))
                   ? uptime_len(*rest)
                   : 0;
    if (n > 0) {
        out->program = HD_SLICE("kernel");
        *rest = skip_spaces(hd_slice_from(*rest, n));
    }
}

void rul_syslog_parse(struct hd_slice line, struct rul_syslog *out)
{
    *out = (struct rul_syslog){.pri = -1};
    struct hd_slice rest = trim_line_end(line);
    bool has_pri = take_pri(&rest, &out->pri);
    out->is_certain = has_pri;
    if (has_pri && take_ietf(rest, out)) {
        return;
    }
    if (has_pri) {
        take_sequence(&rest, out);
    }
    out->has_stamp = take_stamp(&rest, &out->stamp);
    if (out->has_stamp) {
        out->kind = RUL_SYSLOG_BSD;
    }
    /* "2026-01-02 03:04:05 INFO ..." is an application's own log, not syslog's */
    bool is_own = !has_pri && out->stamp.is_iso && !out->stamp.has_zone;
    out->is_certain = has_pri || (out->has_stamp && !is_own);
    if (out->has_stamp && !is_own && out->host.len == 0) {
        take_host(&rest, out);
    }
    (void)take_tag(&rest, out, is_own || (!has_pri && !out->has_stamp));
    take_uptime(&rest, out);
    out->message = rest;
}
