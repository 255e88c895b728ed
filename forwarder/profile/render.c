/* SPDX-License-Identifier: Apache-2.0
 *
 * From an alert to the bytes of a message. Pure. Every value is checked against the
 * bounds of its field, so what leaves is what the profile promises; the JSON Schema in
 * the tests and at the receiver says the same independently.
 */
#include "forwarder/profile/profile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/alert.h>
#include <haidang/clock.h>
#include <haidang/json.h>
#include <haidang/utf8.h>

#include "forwarder/profile/profile_impl.h"

#define WHY_MAX 256

struct render {
    const struct fwd_profile *profile;
    const json_t *alert;
    const struct fwd_render_opts *opts;
    char *why;
};

/* One field of the list in hand: its text lies in the list's buffer. */
struct piece {
    bool is_emitted;
    size_t from, len;
};

static int wrong(const struct render *r, const struct fwd_field *field, const char *fmt,
                 ...) HD_PRINTF(3, 4);

static int wrong(const struct render *r, const struct fwd_field *field, const char *fmt,
                 ...)
{
    char text[160];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)snprintf(r->why, WHY_MAX, "/%s: %s", field->out, text);
    return HD_EPARSE;
}

/* ---- text ---- */

static struct hd_slice text_of(const json_t *value)
{
    return hd_slice(json_string_value(value), json_string_length(value));
}

/* Bytes that the first n code points take. */
static size_t head_of(struct hd_slice s, int64_t n)
{
    size_t at = 0;
    while (at < s.len && n > 0) {
        size_t step = hd_utf8_step(hd_slice_from(s, at));
        at += step == 0 ? 1 : step;
        n--;
    }
    return at;
}

static int64_t code_points(struct hd_slice s)
{
    int64_t n = 0;
    for (size_t at = 0; at < s.len; n++) {
        size_t step = hd_utf8_step(hd_slice_from(s, at));
        at += step == 0 ? 1 : step;
    }
    return n;
}

static int put_string(const struct render *r, const struct fwd_field *field,
                      struct hd_slice s, struct hd_buf *out)
{
    if (field->trunc > 0) {
        s = hd_slice_head(s, head_of(s, field->trunc));
    }
    int64_t len = code_points(s);
    if (len < field->min_len || (field->max_len > 0 && len > field->max_len)) {
        return wrong(r, field, "has %lld characters", (long long)len);
    }
    if (field->hex > 0 && (len != field->hex || !hd_slice_is_hex(s))) {
        return wrong(r, field, "must be %lld lower case hex digits",
                     (long long)field->hex);
    }
    hd_json_quote(out, s);
    return HD_OK;
}

/* ---- numbers ---- */

static int check_range(const struct render *r, const struct fwd_field *field,
                       double value)
{
    if ((field->has_min && value < field->min) ||
        (field->has_max && value > field->max)) {
        return wrong(r, field, "%g is out of range", value);
    }
    return HD_OK;
}

static int put_integer(const struct render *r, const struct fwd_field *field,
                       const json_t *value, struct hd_buf *out)
{
    if (!json_is_integer(value)) {
        return wrong(r, field, "is not an integer");
    }
    hd_buf_i64(out, json_integer_value(value));
    return check_range(r, field, (double)json_integer_value(value));
}

static int put_number(const struct render *r, const struct fwd_field *field,
                      const json_t *value, struct hd_buf *out)
{
    if (!json_is_number(value)) {
        return wrong(r, field, "is not a number");
    }
    if (json_is_integer(value)) {
        return put_integer(r, field, value, out);
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    if (text == NULL) {
        return HD_ENOMEM;
    }
    hd_buf_str(out, text);
    free(text);
    return check_range(r, field, json_real_value(value));
}

/* ---- time and addresses ---- */

static void put_fixed(struct hd_buf *out, int64_t ns, int digits)
{
    int64_t unit = HD_NS_PER_SEC;
    for (int i = 0; i < digits; i++) {
        unit /= 10;
    }
    hd_buf_i64(out, ns / HD_NS_PER_SEC);
    if (digits > 0) {
        hd_buf_printf(out, ".%0*lld", digits, (long long)(ns % HD_NS_PER_SEC / unit));
    }
}

static int put_time(const struct render *r, const struct fwd_field *field,
                    struct hd_slice s, struct hd_buf *out)
{
    int64_t ns;
    if (hd_clock_parse_rfc3339(s, &ns) != HD_OK || ns < 0) {
        return wrong(r, field, "is not an RFC 3339 time");
    }
    char text[HD_RFC3339_LEN + 1];
    switch (field->as) {
    case FWD_AS_EPOCH_S:
        put_fixed(out, ns, field->digits);
        return check_range(r, field, (double)ns / (double)HD_NS_PER_SEC);
    case FWD_AS_EPOCH_MS:
        hd_buf_i64(out, ns / HD_NS_PER_MS);
        return check_range(r, field, (double)(ns / HD_NS_PER_MS));
    default:
        (void)hd_clock_format_rfc3339(ns, field->digits, text);
        hd_json_quote(out, hd_slice_str(text));
        return HD_OK;
    }
}

static bool is_registered(const struct render *r, const struct hd_ip *ip)
{
    for (size_t i = 0; i < r->opts->n_registered; i++) {
        if (hd_cidr_has(&r->opts->registered[i], ip)) {
            return true;
        }
    }
    return false;
}

/* Keeps the network's first half: IPv4 /16, IPv6 /48. */
static void mask_ip(struct hd_ip *ip)
{
    size_t keep = hd_ip_is_v4(ip) ? 12 + 2 : 6;
    memset(ip->byte + keep, 0, sizeof(ip->byte) - keep);
}

static int put_ip(const struct render *r, const struct fwd_field *field,
                  struct hd_slice s, struct hd_buf *out)
{
    struct hd_ip ip;
    char text[HD_IP_TEXT_MAX];
    if (hd_ip_parse(s, &ip) != HD_OK) {
        return wrong(r, field, "is not an IP address");
    }
    if (field->mask || (r->profile->mask_unregistered && hd_ip_is_private(&ip) &&
                        !is_registered(r, &ip))) {
        mask_ip(&ip);
    }
    size_t len = hd_ip_format(&ip, text);
    hd_json_quote(out, hd_slice(text, len));
    return HD_OK;
}

/* ---- one value ---- */

static int put_value(const struct render *r, const struct fwd_field *field,
                     const json_t *value, struct hd_buf *out)
{
    if (field->as == FWD_AS_INTEGER) {
        return put_integer(r, field, value, out);
    }
    if (field->as == FWD_AS_NUMBER) {
        return put_number(r, field, value, out);
    }
    if (!json_is_string(value)) {
        return wrong(r, field, "is not a text");
    }
    switch (field->as) {
    case FWD_AS_STRING:
        return put_string(r, field, text_of(value), out);
    case FWD_AS_IP:
        return put_ip(r, field, text_of(value), out);
    default:
        return put_time(r, field, text_of(value), out);
    }
}

static const json_t *table_lookup(const json_t *table, const json_t *value)
{
    char number[24];
    if (json_is_string(value)) {
        return json_object_get(table, json_string_value(value));
    }
    if (!json_is_integer(value)) {
        return NULL;
    }
    (void)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
    return json_object_get(table, number);
}

static bool is_omitted(const json_t *omit_if, const json_t *value)
{
    size_t i;
    json_t *entry;
    json_array_foreach(omit_if, i, entry)
    {
        if (json_equal(entry, value)) {
            return true;
        }
    }
    return omit_if != NULL && json_equal(omit_if, value);
}

/* An empty text says as little as a member that is not there. */
static bool is_absent(const json_t *value)
{
    return value == NULL || json_is_null(value) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

static const json_t *from_alert(const struct render *r, const struct fwd_field *field)
{
    for (size_t i = 0; i < field->n_from; i++) {
        const json_t *value = hd_alert_at(r->alert, field->from[i]);
        if (!is_absent(value)) {
            return value;
        }
    }
    return NULL;
}

static const char *setting_of(const struct render *r, const char *name)
{
    for (size_t i = 0; i < r->opts->n_settings; i++) {
        if (strcmp(r->opts->settings[i].name, name) == 0) {
            return r->opts->settings[i].value;
        }
    }
    return NULL;
}

/* The source is absent: what the field says of that. */
static int put_absent(const struct render *r, const struct fwd_field *field,
                      struct hd_buf *out, bool *is_emitted)
{
    switch (field->absent) {
    case FWD_ABSENT_OMIT:
        *is_emitted = false;
        return HD_OK;
    case FWD_ABSENT_NULL:
        hd_buf_str(out, "null");
        return HD_OK;
    case FWD_ABSENT_CONST:
        return put_value(r, field, field->absent_value, out);
    default:
        return wrong(r, field, "the alert has nothing for it");
    }
}

static int put_fields(const struct render *r, const struct fwd_field *fields, size_t n,
                      struct hd_buf *out);

/* An object that lacks something it needs is absent as a whole. */
static int put_object(const struct render *r, const struct fwd_field *field,
                      struct hd_buf *out, bool *is_emitted)
{
    size_t start = out->len;
    int err = put_fields(r, field->object, field->n_object, out);
    if (err != HD_EPARSE || field->absent == FWD_ABSENT_REJECT) {
        return err;
    }
    out->len = start;
    r->why[0] = '\0';
    return put_absent(r, field, out, is_emitted);
}

static int put_field(const struct render *r, const struct fwd_field *field,
                     struct hd_buf *out, bool *is_emitted)
{
    const json_t *value = field->value;
    *is_emitted = true;
    switch (field->source) {
    case FWD_SOURCE_OBJECT:
        return put_object(r, field, out, is_emitted);
    case FWD_SOURCE_SETTING: {
        const char *text = setting_of(r, field->name);
        return text == NULL ? put_absent(r, field, out, is_emitted)
                            : put_string(r, field, hd_slice_str(text), out);
    }
    case FWD_SOURCE_FROM:
        value = from_alert(r, field);
        break;
    default:
        break;
    }
    if (value != NULL && is_omitted(field->omit_if, value)) {
        *is_emitted = false;
        return HD_OK;
    }
    if (value != NULL && field->table != NULL) {
        value = table_lookup(field->table, value);
    }
    return value == NULL ? put_absent(r, field, out, is_emitted)
                         : put_value(r, field, value, out);
}

/* ---- a list of fields ---- */

static bool is_sibling_emitted(const struct fwd_field *fields, const struct piece *pieces,
                               size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fields[i].out, name) == 0) {
            return pieces[i].is_emitted;
        }
    }
    return false;
}

static void join(const struct fwd_field *fields, const struct piece *pieces, size_t n,
                 const struct hd_buf *values, struct hd_buf *out)
{
    const char *comma = "{";
    for (size_t i = 0; i < n; i++) {
        if (!pieces[i].is_emitted) {
            continue;
        }
        hd_buf_str(out, comma);
        hd_json_quote(out, hd_slice_str(fields[i].out));
        hd_buf_byte(out, ':');
        if (fields[i].source == FWD_SOURCE_EMITTED) {
            bool is = is_sibling_emitted(fields, pieces, n, fields[i].name);
            hd_buf_byte(out, is ? '1' : '0');
        } else {
            hd_buf_bytes(out, values->ptr + pieces[i].from, pieces[i].len);
        }
        comma = ",";
    }
    hd_buf_str(out, comma[0] == '{' ? "{}" : "}");
}

static int put_fields(const struct render *r, const struct fwd_field *fields, size_t n,
                      struct hd_buf *out)
{
    struct piece pieces[FWD_PROFILE_FIELDS_MAX];
    struct hd_buf values;
    hd_buf_init(&values, FWD_MESSAGE_MAX);
    int err = HD_OK;
    for (size_t i = 0; i < n && err == HD_OK; i++) {
        pieces[i] = (struct piece){.is_emitted = true, .from = values.len};
        if (fields[i].source != FWD_SOURCE_EMITTED) {
            err = put_field(r, &fields[i], &values, &pieces[i].is_emitted);
        }
        pieces[i].len = values.len - pieces[i].from;
    }
    if (err == HD_OK && values.err != HD_OK) {
        err = values.err;
    }
    if (err == HD_OK) {
        join(fields, pieces, n, &values, out);
    }
    hd_buf_fini(&values);
    return err;
}

int fwd_profile_render(const struct fwd_profile *profile, const json_t *alert,
                       const struct fwd_render_opts *opts, struct hd_buf *out,
                       char why[WHY_MAX])
{
    const struct render r = {profile, alert, opts, why};
    why[0] = '\0';
    if (profile->framing == FWD_FRAME_ARRAY) {
        hd_buf_byte(out, '[');
    }
    int err = put_fields(&r, profile->fields, profile->n_fields, out);
    if (profile->framing == FWD_FRAME_ARRAY) {
        hd_buf_byte(out, ']');
    } else if (profile->framing == FWD_FRAME_NDJSON) {
        hd_buf_byte(out, '\n');
    }
    err = err != HD_OK ? err : out->err;
    if (err != HD_OK && why[0] == '\0') {
        (void)snprintf(why, WHY_MAX, "%s", hd_err_text(err));
    }
    return err;
}

/* ---- settings ---- */

static const struct fwd_field *field_of_setting(const struct fwd_profile *profile,
                                                const char *name)
{
    for (size_t i = 0; i < profile->n_fields; i++) {
        const struct fwd_field *field = &profile->fields[i];
        if (field->source == FWD_SOURCE_SETTING && strcmp(field->name, name) == 0) {
            return field;
        }
    }
    return NULL;
}

static int check_field_setting(const struct render *r, const struct fwd_field *field)
{
    const char *text = setting_of(r, field->name);
    if (text == NULL) {
        return field->absent == FWD_ABSENT_REJECT
                   ? wrong(r, field, "the setting \"%s\" is missing", field->name)
                   : HD_OK;
    }
    struct hd_buf scratch;
    hd_buf_init(&scratch, FWD_MESSAGE_MAX);
    int err = put_string(r, field, hd_slice_str(text), &scratch);
    hd_buf_fini(&scratch);
    return err;
}

int fwd_profile_check_settings(const struct fwd_profile *profile,
                               const struct fwd_render_opts *opts, char why[WHY_MAX])
{
    const struct render r = {profile, NULL, opts, why};
    for (size_t i = 0; i < profile->n_fields; i++) {
        if (profile->fields[i].source == FWD_SOURCE_SETTING) {
            int err = check_field_setting(&r, &profile->fields[i]);
            if (err != HD_OK) {
                return err;
            }
        }
    }
    for (size_t i = 0; i < opts->n_settings; i++) {
        if (field_of_setting(profile, opts->settings[i].name) == NULL) {
            (void)snprintf(why, WHY_MAX, "the profile has no setting \"%.64s\"",
                           opts->settings[i].name);
            return HD_EINVAL;
        }
    }
    return HD_OK;
}
