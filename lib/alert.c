/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts: parse, check, format, look up. Checked against the tables of alert_shape.c.
 * Members that the tables do not know are left alone, so that a newer correlator does not
 * silence an older forwarder. Any thread; an alert belongs to one.
 */
#include <haidang/alert.h>

#include <stdio.h>
#include <string.h>

#include <haidang/bytes.h>
#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/inet.h>
#include <haidang/json.h>
#include <haidang/utf8.h>

#include "lib/alert_shape.h"
#include "lib/json_load.h"

#define WHY_MAX     256
#define POINTER_MAX 128
#define KEY_MAX     128
#define UUID_LEN    36
#define DEPTH_MAX   8 /* of the tables */

static const char *const severities[] = {"low", "medium", "high", "critical"};

const char *hd_severity_name(enum hd_severity severity)
{
    return severity >= HD_SEV_LOW && severity <= HD_SEV_CRITICAL
               ? severities[severity - HD_SEV_LOW]
               : "unknown";
}

int hd_severity_parse(struct hd_slice text, enum hd_severity *out)
{
    for (int i = HD_SEV_LOW; i <= HD_SEV_CRITICAL; i++) {
        if (hd_slice_eq_nocase(text, hd_slice_str(severities[i - HD_SEV_LOW]))) {
            *out = (enum hd_severity)i;
            return HD_OK;
        }
    }
    return HD_EPARSE;
}

/* ---- checking ---- */

struct check {
    char *why;
    struct {
        const char *name; /* NULL: an item of an array */
        size_t index;
    } at[DEPTH_MAX]; /* the member in hand */
    size_t depth;
};

/* Says where: an RFC 6901 pointer. */
static int wrong(struct check *c, const char *text)
{
    char storage[POINTER_MAX];
    struct hd_buf pointer = hd_buf_fixed(storage, sizeof(storage) - 1);
    for (size_t i = 0; i < c->depth; i++) {
        hd_buf_byte(&pointer, '/');
        if (c->at[i].name != NULL) {
            hd_buf_str(&pointer, c->at[i].name);
        } else {
            hd_buf_u64(&pointer, c->at[i].index);
        }
    }
    storage[pointer.len] = '\0';
    (void)snprintf(c->why, WHY_MAX, "%s: %s", c->depth == 0 ? "(alert)" : storage, text);
    return HD_EPARSE;
}

static void enter(struct check *c, const char *name, size_t index)
{
    c->at[c->depth].name = name;
    c->at[c->depth].index = index;
    c->depth++; /* the tables are no deeper than DEPTH_MAX */
}

static struct hd_slice text_of(const json_t *value)
{
    return hd_slice(json_string_value(value), json_string_length(value));
}

static bool is_uuid(struct hd_slice s)
{
    static const uint8_t ends[] = {8, 13, 18, 23, UUID_LEN};
    size_t from = 0;
    if (s.len != UUID_LEN) {
        return false;
    }
    for (size_t i = 0; i < sizeof(ends); i++) {
        if (!hd_slice_is_hex(hd_slice(s.ptr + from, ends[i] - from)) ||
            (ends[i] < UUID_LEN && s.ptr[ends[i]] != '-')) {
            return false;
        }
        from = ends[i] + 1U;
    }
    return true;
}

static bool is_tactic(struct hd_slice s)
{
    if (s.len != 6 || !hd_slice_starts(s, HD_SLICE("TA"))) {
        return false;
    }
    for (size_t i = 2; i < s.len; i++) {
        if (!hd_is_digit(s.ptr[i])) {
            return false;
        }
    }
    return true;
}

static bool is_time(struct hd_slice s)
{
    int64_t ns = 0;
    return hd_slice_ends(s, HD_SLICE("Z")) && s.len > 10 && s.ptr[10] == 'T' &&
           hd_clock_parse_rfc3339(s, &ns) == HD_OK;
}

static bool is_ip(struct hd_slice s)
{
    struct hd_ip ip;
    return hd_ip_parse(s, &ip) == HD_OK;
}

static int64_t code_points(struct hd_slice s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        n += (s.ptr[i] & 0xc0) != 0x80;
    }
    return n;
}

static bool is_listed(struct hd_slice s, const char *const *values)
{
    for (; *values != NULL; values++) {
        if (hd_slice_eq(s, hd_slice_str(*values))) {
            return true;
        }
    }
    return false;
}

static int check_string(struct check *c, const struct hd_ashape_member *m,
                        const json_t *value)
{
    if (!json_is_string(value)) {
        return wrong(c, "must be a string");
    }
    struct hd_slice s = text_of(value);
    switch (m->kind) {
    case HD_ASHAPE_TEXT:
        return code_points(s) >= m->min && code_points(s) <= m->max
                   ? HD_OK
                   : wrong(c, s.len == 0 ? "must not be empty" : "is too long");
    case HD_ASHAPE_ENUM:
        return is_listed(s, m->values) ? HD_OK : wrong(c, "is none of the known words");
    case HD_ASHAPE_TIME:
        return is_time(s) ? HD_OK : wrong(c, "must be an RFC 3339 time in UTC (...Z)");
    case HD_ASHAPE_UUID:
        return is_uuid(s) ? HD_OK : wrong(c, "must be a UUID in lower case");
    case HD_ASHAPE_SHA256:
        return s.len == 64 && hd_slice_is_hex(s) ? HD_OK
                                                 : wrong(c, "must be 64 hex digits");
    case HD_ASHAPE_IP:
        return is_ip(s) ? HD_OK : wrong(c, "must be an IPv4 or IPv6 address");
    default:
        return is_tactic(s) ? HD_OK : wrong(c, "must be a tactic such as TA0006");
    }
}

static int check_number(struct check *c, const struct hd_ashape_member *m,
                        const json_t *value)
{
    bool is_right =
        m->kind == HD_ASHAPE_INT ? json_is_integer(value) : json_is_number(value);
    if (!is_right) {
        return wrong(c, m->kind == HD_ASHAPE_INT ? "must be an integer"
                                                 : "must be a number");
    }
    bool is_inside =
        json_is_integer(value)
            ? json_integer_value(value) >= m->min && json_integer_value(value) <= m->max
            : json_real_value(value) >= (double)m->min &&
                  json_real_value(value) <= (double)m->max;
    return is_inside ? HD_OK : wrong(c, "is out of range");
}

static int check_object(struct check *c, const struct hd_ashape *shape,
                        const json_t *object);

static int check_array(struct check *c, const struct hd_ashape_member *m,
                       const json_t *value)
{
    if (!json_is_array(value)) {
        return wrong(c, "must be an array");
    }
    if (json_array_size(value) > (size_t)m->max) {
        return wrong(c, "has too many items");
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        enter(c, NULL, i);
        int err = m->kind == HD_ASHAPE_OBJECTS ? check_object(c, m->shape, item)
                  : json_is_string(item)       ? HD_OK
                                               : wrong(c, "must be a string");
        c->depth--;
        if (err != HD_OK) {
            return err;
        }
    }
    return HD_OK;
}

static int check_map(struct check *c, const struct hd_ashape_member *m,
                     const json_t *value)
{
    const char *key = NULL;
    json_t *item = NULL;
    if (!json_is_object(value)) {
        return wrong(c, "must be an object");
    }
    if (json_object_size(value) > (size_t)m->max) {
        return wrong(c, "has too many members");
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
    {
        if (!json_is_string(item)) {
            return wrong(c, "must hold strings only");
        }
    }
    return HD_OK;
}

static int check_value(struct check *c, const struct hd_ashape_member *m,
                       const json_t *value)
{
    switch (m->kind) {
    case HD_ASHAPE_INT:
    case HD_ASHAPE_NUMBER:
        return check_number(c, m, value);
    case HD_ASHAPE_BOOL:
        return json_is_boolean(value) ? HD_OK : wrong(c, "must be true or false");
    case HD_ASHAPE_OBJECT:
        return check_object(c, m->shape, value);
    case HD_ASHAPE_TEXTS:
    case HD_ASHAPE_OBJECTS:
        return check_array(c, m, value);
    case HD_ASHAPE_MAP:
        return check_map(c, m, value);
    default:
        return check_string(c, m, value);
    }
}

static int check_object(struct check *c, const struct hd_ashape *shape,
                        const json_t *object)
{
    if (!json_is_object(object)) {
        return wrong(c, "must be an object");
    }
    for (size_t i = 0; i < shape->n; i++) {
        const struct hd_ashape_member *m = &shape->members[i];
        const json_t *value = json_object_get(object, m->name);
        enter(c, m->name, 0);
        int err = HD_OK;
        if (value != NULL) {
            err = check_value(c, m, value);
        } else if (m->is_required) {
            err = wrong(c, "is missing");
        }
        c->depth--;
        if (err != HD_OK) {
            return err;
        }
    }
    return HD_OK;
}

int hd_alert_check(const json_t *alert, char why[256])
{
    struct check c = {.why = why};
    why[0] = '\0';
    return check_object(&c, hd_ashape_alert(), alert);
}

int hd_alert_parse(struct hd_slice line, json_t **out, char why[256])
{
    json_error_t error;
    if (line.len > HD_ALERT_TEXT_MAX) {
        (void)snprintf(why, WHY_MAX, "(alert): is longer than %u bytes",
                       HD_ALERT_TEXT_MAX);
        return HD_EPARSE;
    }
    json_t *alert = NULL;
    int err = hd_json_load(line, &alert, &error);
    if (err != HD_OK) {
        (void)snprintf(why, WHY_MAX, "(alert): not JSON at byte %d: %s", error.position,
                       error.text);
        return err;
    }
    err = hd_alert_check(alert, why);
    if (err != HD_OK) {
        json_decref(alert);
        return err;
    }
    *out = alert;
    return HD_OK;
}

/* ---- formatting ---- */

static int put_bytes(const char *bytes, size_t len, void *ctx)
{
    struct hd_buf *out = ctx;
    hd_buf_bytes(out, bytes, len);
    return out->err == 0 ? 0 : -1;
}

static void put_any(struct hd_buf *out, const json_t *value)
{
    if (json_is_string(value)) {
        hd_json_quote(out, text_of(value));
    } else if (json_is_integer(value)) {
        hd_buf_i64(out, json_integer_value(value));
    } else if (json_dump_callback(value, put_bytes, out,
                                  JSON_COMPACT | JSON_ENCODE_ANY) != 0 &&
               out->err == 0) {
        out->err = HD_ENOMEM;
    }
}

static void put_key(struct hd_buf *out, const char *key)
{
    if (out->len > 0 && out->ptr[out->len - 1] != '{') {
        hd_buf_byte(out, ',');
    }
    hd_json_quote(out, hd_slice_str(key));
    hd_buf_byte(out, ':');
}

static bool is_known(const struct hd_ashape *shape, const char *key)
{
    for (size_t i = 0; i < shape->n; i++) {
        if (strcmp(shape->members[i].name, key) == 0) {
            return true;
        }
    }
    return false;
}

static void put_object(struct hd_buf *out, const struct hd_ashape *shape,
                       const json_t *object);

static void put_array(struct hd_buf *out, const struct hd_ashape *shape,
                      const json_t *array)
{
    hd_buf_byte(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0) {
            hd_buf_byte(out, ',');
        }
        put_object(out, shape, json_array_get(array, i));
    }
    hd_buf_byte(out, ']');
}

static void put_object(struct hd_buf *out, const struct hd_ashape *shape,
                       const json_t *object)
{
    hd_buf_byte(out, '{');
    for (size_t i = 0; i < shape->n; i++) {
        const struct hd_ashape_member *m = &shape->members[i];
        const json_t *value = json_object_get(object, m->name);
        if (value == NULL) {
            continue;
        }
        put_key(out, m->name);
        if (m->kind == HD_ASHAPE_OBJECT) {
            put_object(out, m->shape, value);
        } else if (m->kind == HD_ASHAPE_OBJECTS) {
            put_array(out, m->shape, value);
        } else {
            put_any(out, value);
        }
    }
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (!is_known(shape, key)) {
            put_key(out, key);
            put_any(out, value);
        }
    }
    hd_buf_byte(out, '}');
}

int hd_alert_format(const json_t *alert, struct hd_buf *out)
{
    char why[WHY_MAX];
    size_t start = out->len;
    if (hd_alert_check(alert, why) != HD_OK) {
        return HD_EINVAL;
    }
    put_object(out, hd_ashape_alert(), alert);
    if (out->err == 0 && out->len - start > HD_ALERT_TEXT_MAX) {
        out->len = start;
        return HD_ELIMIT;
    }
    return out->err;
}

/* ---- members ---- */

/* The keys of `group` hold dots: at each level the whole rest is tried first. */
const json_t *hd_alert_at(const json_t *alert, const char *path)
{
    const json_t *at = alert;
    while (at != NULL) {
        const json_t *whole = json_object_get(at, path);
        const char *dot = strchr(path, '.');
        if (whole != NULL || dot == NULL) {
            return whole;
        }
        char key[KEY_MAX];
        int len = (int)(dot - path);
        if (len >= KEY_MAX) {
            return NULL;
        }
        (void)snprintf(key, sizeof(key), "%.*s", len, path);
        at = json_object_get(at, key);
        path = dot + 1;
    }
    return NULL;
}

bool hd_alert_is_test(const json_t *alert)
{
    return strcmp(hd_alert_text(alert, "status"), "test") == 0 ||
           hd_alert_at(alert, "canary") != NULL;
}

const char *hd_alert_text(const json_t *alert, const char *path)
{
    const char *text = json_string_value(hd_alert_at(alert, path));
    return text != NULL ? text : "";
}

int64_t hd_alert_int(const json_t *alert, const char *path, int64_t absent)
{
    const json_t *value = hd_alert_at(alert, path);
    return json_is_integer(value) ? json_integer_value(value) : absent;
}

int hd_alert_time(const json_t *alert, const char *path, int64_t *ns)
{
    const json_t *value = hd_alert_at(alert, path);
    if (value == NULL) {
        return HD_ENOENT;
    }
    if (!json_is_string(value) || hd_clock_parse_rfc3339(text_of(value), ns) != HD_OK) {
        return HD_EPARSE;
    }
    return HD_OK;
}

/* ---- identity ---- */

int hd_alert_id(struct hd_slice rule_id, struct hd_slice group, struct hd_slice position,
                char out[37])
{
    struct hd_buf text;
    uint8_t hash[HD_SHA256_LEN];
    const struct hd_slice parts[] = {HD_SLICE("haidang alert 1"), rule_id, group,
                                     position};
    hd_buf_init(&text, 0);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        hd_buf_be64(&text, parts[i].len); /* "ab","c" is not "a","bc" */
        hd_buf_slice_add(&text, parts[i]);
    }
    int err = text.err != 0 ? text.err : hd_sha256(hd_buf_slice(&text), hash);
    hd_buf_clear(&text);
    if (err == HD_OK) {
        hash[6] = (uint8_t)((hash[6] & 0x0f) | 0x80); /* RFC 9562 section 5.8 */
        hash[8] = (uint8_t)((hash[8] & 0x3f) | 0x80);
        static const uint8_t ends[] = {4, 6, 8, 10, 16};
        size_t from = 0;
        for (size_t i = 0; i < sizeof(ends); i++) {
            hd_buf_hex(&text, hd_slice(hash + from, ends[i] - from));
            hd_buf_str(&text, ends[i] < 16 ? "-" : "");
            from = ends[i];
        }
        err = text.err;
    }
    if (err == HD_OK) {
        (void)snprintf(out, 37, "%s", hd_buf_cstr(&text));
    }
    hd_buf_fini(&text);
    return err;
}
