/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/publish/alert_build.h"

#include <stdlib.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/num.h>
#include <haidang/utf8.h>

#include "correlator/enrich/attack.h"
#include "correlator/metrics.h"

#define GROUP_MAX   8U
#define TAGS_MAX    64U
#define TIME_DIGITS 6
#define ESCAPED_MAX 6U  /* bytes of JSON a byte of text */
#define MEMBER_MAX  32U /* quotes, brackets, a number */

/* Members are set without asking each time: the first failure sticks. */
struct maker {
    const struct cor_alert_input *in;
    json_t *alert;
    struct hd_buf text;    /* scratch */
    size_t line_max;       /* bytes of a line of evidence in this attempt */
    size_t members, bytes; /* put so far; bytes of texts */
    int err;
    bool has_source, has_destination;
    struct hd_ip source, destination;
};

static void put(struct maker *m, json_t *object, const char *key, json_t *value)
{
    m->members++;
    m->bytes += json_string_length(value) + strlen(key);
    if (value == NULL || object == NULL ||
        json_object_set_new_nocheck(object, key, value) != 0) {
        m->err = m->err != HD_OK ? m->err : HD_ENOMEM;
    }
}

/* At most `max` bytes, not through the middle of a UTF-8 sequence. */
static size_t cut_bytes(struct hd_slice s, size_t max)
{
    size_t len = s.len < max ? s.len : max;
    while (len < s.len && len > 0 && (s.ptr[len] & 0xc0U) == 0x80U) {
        len--;
    }
    return len;
}

/* At most `max` characters of valid UTF-8. */
static size_t cut_chars(struct hd_slice s, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        bool is_first = (s.ptr[i] & 0xc0U) != 0x80U;
        if (is_first && n++ == max) {
            return i;
        }
    }
    return s.len;
}

/* Bytes of a log line -> m->text: bounded, valid UTF-8, no NUL (many readers stop there).
 */
static void clean(struct maker *m, struct hd_slice s, size_t max)
{
    hd_buf_clear(&m->text);
    hd_utf8_repair(&m->text, hd_slice_head(s, cut_bytes(s, max)));
    if (m->text.err != 0) {
        m->err = m->text.err;
        return;
    }
    m->text.len = cut_bytes(hd_buf_slice(&m->text), max);
    for (size_t i = 0; i < m->text.len; i++) {
        if (m->text.ptr[i] == 0) {
            m->text.ptr[i] = ' ';
        }
    }
}

static json_t *cleaned(const struct maker *m, size_t len)
{
    return json_stringn_nocheck(len == 0 ? "" : (const char *)m->text.ptr, len);
}

static json_t *text(struct maker *m, struct hd_slice s, size_t max)
{
    clean(m, s, max);
    return cleaned(m, m->text.len);
}

static void put_text(struct maker *m, json_t *object, const char *key, struct hd_slice s)
{
    if (s.len > 0) {
        put(m, object, key, text(m, s, COR_ALERT_FIELD_MAX));
    }
}

/* What people gave a name. */
static void put_name(struct maker *m, json_t *object, const char *key, struct hd_slice s)
{
    if (s.len > 0) {
        clean(m, s, COR_ALERT_FIELD_MAX);
        put(m, object, key,
            cleaned(m, cut_chars(hd_buf_slice(&m->text), COR_ALERT_NAME_MAX)));
    }
}

static void put_cstr(struct maker *m, json_t *object, const char *key, const char *name)
{
    put_name(m, object, key, hd_slice_str(name));
}

static void put_time(struct maker *m, json_t *object, const char *key, int64_t ns)
{
    char stamp[HD_RFC3339_LEN + 1];
    (void)hd_clock_format_rfc3339(ns, TIME_DIGITS, stamp);
    put(m, object, key, json_string(stamp));
}

/* Puts the object unless it has stayed empty. */
static void put_object(struct maker *m, json_t *parent, const char *key, json_t *object)
{
    if (object != NULL && json_object_size(object) == 0) {
        json_decref(object);
        return;
    }
    put(m, parent, key, object);
}

static struct hd_slice field(const struct maker *m, enum rul_field_id id)
{
    return rul_event_copy_get(m->in->event->copy, (uint16_t)id);
}

/* ---- members ---- */

static void put_rule(struct maker *m)
{
    const struct rul_rule *r = m->in->rule;
    json_t *rule = json_object();
    put_cstr(m, rule, "id", r->id);
    put_cstr(m, rule, "title", r->title);
    put_cstr(m, rule, "title_vi", r->title_vi);
    put_text(m, rule, "description", hd_slice_str(r->description));
    put_text(m, rule, "description_vi", hd_slice_str(r->description_vi));
    put_cstr(m, rule, "author", r->author);
    put_cstr(m, rule, "license", r->license);
    put_cstr(m, rule, "level", r->level);
    json_t *tags = json_array();
    for (size_t i = 0; i < r->n_tags && i < TAGS_MAX; i++) {
        if (json_array_append_new(
                tags, text(m, hd_slice_str(r->tags[i]), COR_ALERT_FIELD_MAX)) != 0) {
            m->err = HD_ENOMEM;
        }
        m->members++;
        m->bytes += strlen(r->tags[i]);
    }
    put(m, rule, "tags", tags);
    put_cstr(m, rule, "type", rul_rule_type_name(r->type));
    put(m, m->alert, "rule", rule);
}

static void put_category(struct maker *m)
{
    const struct cor_tactic *t =
        cor_attack_tactic(m->in->rule->tags, m->in->rule->n_tags);
    if (t != NULL) {
        json_t *category = json_object();
        put_cstr(m, category, "tactic", t->id);
        put_cstr(m, category, "name", t->name);
        put(m, m->alert, "category", category);
    }
}

static void put_times(struct maker *m)
{
    const struct rul_detection *d = m->in->detection;
    int64_t event_ns = m->in->event->copy->time_ns;
    json_t *time = json_object();
    put_time(m, time, "first", d == NULL ? event_ns : d->first_ns);
    put_time(m, time, "last", d == NULL ? event_ns : d->last_ns);
    put_time(m, time, "published", m->in->published_ns);
    put(m, m->alert, "time", time);
    put(m, m->alert, "count", json_integer(d == NULL ? 1 : (json_int_t)d->count));
}

static void put_geo(struct maker *m, json_t *source)
{
    struct cor_geo geo = {0};
    /* No reason to hold an alert back; what the other database knew is in `geo`. */
    if (cor_enrich_geo(m->in->enrich, &m->source, &geo) == HD_ECORRUPT) {
        COR_COUNT(COR_M_GEO_ERRORS, 1);
    }
    json_t *out = json_object();
    put_name(m, out, "country_iso", geo.country_iso);
    put_name(m, out, "country", geo.country);
    put_name(m, out, "region", geo.region);
    put_name(m, out, "city", geo.city);
    put_name(m, out, "timezone", geo.time_zone);
    if (geo.has_position) {
        put(m, out, "lat", json_real(geo.lat));
        put(m, out, "lon", json_real(geo.lon));
    }
    put_object(m, source, "geo", out);
    json_t *as = json_object();
    if (geo.as_number != 0) {
        put(m, as, "number", json_integer(geo.as_number));
    }
    put_name(m, as, "organization", geo.as_organization);
    put_object(m, source, "as", as);
}

static json_t *end_point(struct maker *m, const struct hd_ip *ip, struct hd_slice port)
{
    json_t *out = json_object();
    uint16_t number;
    if (ip != NULL) {
        char address[HD_IP_TEXT_MAX];
        (void)hd_ip_format(ip, address);
        put(m, out, "ip", json_string(address));
    }
    if (hd_num_u16(port, UINT16_MAX, &number) == HD_OK) {
        put(m, out, "port", json_integer(number));
    }
    return out;
}

static void put_addresses(struct maker *m, const struct cor_subject *subject)
{
    json_t *source = end_point(m, subject->source, field(m, RUL_F_SOURCE_PORT));
    if (subject->source != NULL) {
        put_geo(m, source);
    }
    put_object(m, m->alert, "source", source);
    put_object(m, m->alert, "destination",
               end_point(m, subject->destination, field(m, RUL_F_DESTINATION_PORT)));
    json_t *network = json_object();
    put_name(m, network, "transport", field(m, RUL_F_NETWORK_TRANSPORT));
    put_name(m, network, "protocol", field(m, RUL_F_NETWORK_PROTOCOL));
    const char *direction = cor_enrich_direction(m->in->enrich, subject);
    if (direction != NULL) {
        put_cstr(m, network, "direction", direction);
    }
    put_name(m, network, "community_id", field(m, RUL_F_NETWORK_COMMUNITY_ID));
    put_object(m, m->alert, "network", network);
}

/* {"key": field} as member `name`, when the event has the field. */
static void put_one(struct maker *m, const char *name, const char *key,
                    struct hd_slice value)
{
    json_t *object = json_object();
    put_text(m, object, key, value);
    put_object(m, m->alert, name, object);
}

static void put_fields(struct maker *m, const struct cor_subject *subject)
{
    put_one(m, "host", "name", subject->host);
    put_one(m, "user", "name", field(m, RUL_F_USER_NAME));
    json_t *process = json_object();
    uint32_t pid;
    put_text(m, process, "name", field(m, RUL_F_PROCESS_NAME));
    if (hd_num_u32(field(m, RUL_F_PROCESS_PID), UINT32_MAX, &pid) == HD_OK) {
        put(m, process, "pid", json_integer(pid));
    }
    put_object(m, m->alert, "process", process);
    json_t *url = json_object();
    put_text(m, url, "path", field(m, RUL_F_URL_PATH));
    put_text(m, url, "query", field(m, RUL_F_URL_QUERY));
    put_object(m, m->alert, "url", url);
    put_one(m, "dns", "name", field(m, RUL_F_DNS_NAME));
    json_t *tls = json_object();
    put_text(m, tls, "sni", field(m, RUL_F_TLS_SNI));
    put_name(m, tls, "ja4", field(m, RUL_F_TLS_JA4));
    put_object(m, m->alert, "tls", tls);
    put_text(m, m->alert, "user_agent", field(m, RUL_F_USER_AGENT));
    put_one(m, "agent", "name", subject->agent);
}

static void put_system(struct maker *m, const struct hd_system *system)
{
    if (system == NULL) {
        return;
    }
    json_t *out = json_object();
    put_cstr(m, out, "id", system->id);
    put_cstr(m, out, "name", system->name);
    put_cstr(m, out, "agency", system->agency);
    if (system->level != 0) {
        put(m, out, "level", json_integer(system->level));
    }
    put_cstr(m, out, "contact", system->contact);
    put(m, m->alert, "system", out);
}

static json_t *one_line(struct maker *m, const struct cor_event *event)
{
    uint8_t digest[HD_SHA256_LEN];
    struct hd_slice raw = event->canary == NULL ? event->copy->raw : event->canary->line;
    json_t *out = json_object();
    put_time(m, out, "time", event->copy->time_ns);
    put_name(m, out, "agent", event->agent);
    put_name(m, out, "boot", event->boot);
    put(m, out, "seq", json_integer((json_int_t)event->seq));
    put(m, out, "line", text(m, raw, m->line_max));
    int err = hd_sha256(raw, digest);
    hd_buf_clear(&m->text);
    hd_buf_hex(&m->text, hd_slice(digest, sizeof(digest)));
    m->err = m->err != HD_OK ? m->err : err;
    put(m, out, "sha256", json_stringn_nocheck((const char *)m->text.ptr, m->text.len));
    put(m, out, "truncated", json_boolean(event->is_truncated || raw.len > m->line_max));
    return out;
}

static void put_evidence(struct maker *m)
{
    json_t *evidence = json_array();
    for (size_t i = 0; i < m->in->n_evidence && i < HD_ALERT_EVIDENCE_MAX; i++) {
        if (json_array_append_new(evidence, one_line(m, m->in->evidence[i])) != 0) {
            m->err = m->err != HD_OK ? m->err : HD_ENOMEM;
        }
    }
    put(m, m->alert, "evidence", evidence);
}

static void put_group(struct maker *m)
{
    const struct rul_detection *d = m->in->detection;
    if (d == NULL || d->n_group == 0) {
        return;
    }
    json_t *group = json_object();
    for (size_t i = 0; i < d->n_group && i < GROUP_MAX; i++) {
        if (d->group[i].value.ptr != NULL) {
            put(m, group, d->group[i].field,
                text(m, d->group[i].value, COR_ALERT_FIELD_MAX));
        }
    }
    put_object(m, m->alert, "group", group);
}

/* The mark of a test, beside its status. */
static void put_canary(struct maker *m)
{
    const struct cor_canary *c = m->in->event->canary;
    if (c == NULL) {
        return;
    }
    json_t *canary = json_object();
    put_cstr(m, canary, "id", c->id);
    put_cstr(m, canary, "class", hd_canary_class_name(c->class));
    hd_buf_clear(&m->text);
    hd_buf_hex(&m->text, hd_slice(c->key_id, sizeof(c->key_id)));
    put(m, canary, "key", json_stringn_nocheck((const char *)m->text.ptr, m->text.len));
    put_time(m, canary, "sent", c->time_ns);
    put(m, canary, "parts", json_integer(c->parts));
    put(m, m->alert, "canary", canary);
}

/* ---- the whole ---- */

static struct cor_subject subject_of(struct maker *m)
{
    m->has_source = hd_ip_parse(field(m, RUL_F_SOURCE_IP), &m->source) == HD_OK;
    m->has_destination =
        hd_ip_parse(field(m, RUL_F_DESTINATION_IP), &m->destination) == HD_OK;
    return (struct cor_subject){
        .system = m->in->system,
        .host = field(m, RUL_F_HOST_NAME),
        .agent = m->in->event->agent,
        .source = m->has_source ? &m->source : NULL,
        .destination = m->has_destination ? &m->destination : NULL,
    };
}

static void fill(struct maker *m)
{
    struct cor_subject subject = subject_of(m);
    const struct hd_system *system = cor_enrich_system(m->in->enrich, &subject);
    bool stays = system != NULL && system->secret;
    put(m, m->alert, "version", json_integer(HD_ALERT_VERSION));
    put_cstr(m, m->alert, "id", m->in->id);
    put_cstr(m, m->alert, "status", m->in->event->canary == NULL ? "new" : "test");
    put_times(m);
    put_rule(m);
    put_category(m);
    put(m, m->alert, "severity", json_integer(m->in->rule->severity));
    put_addresses(m, &subject);
    put_fields(m, &subject);
    put_system(m, system);
    put_evidence(m);
    put_group(m);
    if (m->in->detection != NULL && m->in->detection->is_ambiguous) {
        put_cstr(m, m->alert, "order", "ambiguous");
    }
    put(m, m->alert, "suppressed", json_integer((json_int_t)m->in->repeats));
    if (m->in->throttled > 0) {
        put(m, m->alert, "throttled", json_integer((json_int_t)m->in->throttled));
    }
    put_canary(m);
    put_cstr(m, m->alert, "delivery", stays ? "province" : m->in->rule->delivery);
}

/* Does it fit as JSON? Most alerts are so short that nobody needs to count. */
static bool fits(const struct maker *m)
{
    size_t most = ESCAPED_MAX * m->bytes + MEMBER_MAX * m->members;
    if (most < HD_ALERT_TEXT_MAX) {
        return true;
    }
    size_t size = json_dumpb(m->alert, NULL, 0, JSON_COMPACT);
    return size > 0 && size < HD_ALERT_TEXT_MAX;
}

int cor_alert_build(const struct cor_alert_input *input, json_t **out)
{
    static const size_t line_max[] = {COR_ALERT_LINE_MAX, 1024, 256, 64};
    struct maker m = {.in = input};
    hd_buf_init(&m.text, 0);
    int err = HD_ELIMIT;
    for (size_t i = 0; i < sizeof(line_max) / sizeof(line_max[0]); i++) {
        m.line_max = line_max[i];
        m.err = HD_OK;
        m.bytes = m.members = 0;
        m.alert = json_object();
        fill(&m);
        if (m.err == HD_OK && fits(&m)) {
            *out = m.alert;
            err = HD_OK;
            break;
        }
        json_decref(m.alert);
        if (m.err != HD_OK) {
            err = m.err;
            break;
        }
    }
    hd_buf_fini(&m.text);
    return err;
}

/* ---- what is the same ---- */

/* "field=value" of a correlation's group; what the events lack has no "=". */
static void write_group(const struct rul_detection *d, struct hd_buf *out)
{
    for (size_t i = 0; d != NULL && i < d->n_group; i++) {
        hd_buf_str(out, d->group[i].field);
        hd_buf_str(out, d->group[i].value.ptr == NULL ? "" : "=");
        hd_buf_slice_add(out, d->group[i].value);
        hd_buf_byte(out, '\n');
    }
}

/* Of the first event; where there was no room to remember it (positions.h), of the one at
 * hand: nothing would tell two alerts about one group apart. */
static struct hd_slice position_of(const struct cor_alert_input *in)
{
    const struct rul_detection *d = in->detection;
    return d == NULL || d->first_position.len == 0 ? in->event->position
                                                   : d->first_position;
}

int cor_alert_id(const struct cor_alert_input *in, struct hd_buf *scratch, char out[37])
{
    hd_buf_clear(scratch);
    write_group(in->detection, scratch);
    return scratch->err == HD_ENOMEM
               ? HD_ENOMEM
               : hd_alert_id(hd_slice_str(in->rule->id), hd_buf_slice(scratch),
                             position_of(in), out);
}

uint64_t cor_alert_key_of_input(const struct rul_suppress *s,
                                const struct cor_alert_input *in)
{
    const struct rul_event_copy *event = in->event->copy;
    const struct rul_suppress_about about = {
        .host = rul_event_copy_get(event, RUL_F_HOST_NAME),
        .source = rul_event_copy_get(event, RUL_F_SOURCE_IP),
        .user = rul_event_copy_get(event, RUL_F_USER_NAME)};
    return in->detection != NULL ? rul_suppress_detection_key(s, in->detection)
                                 : rul_suppress_event_key(s, in->rule->id, &about);
}

static struct hd_slice text_at(const json_t *alert, const char *path)
{
    return hd_slice_str(hd_alert_text(alert, path));
}

static uint64_t key_of_group(const struct rul_suppress *s, const char *rule_id,
                             const json_t *alert)
{
    struct hd_slice values[GROUP_MAX];
    size_t n = 0;
    const char *key;
    json_t *value;
    json_t *group = json_object_get(alert, "group");
    json_object_foreach(group, key, value)
    {
        if (n < GROUP_MAX) {
            values[n++] = hd_slice_str(json_string_value(value));
        }
    }
    return rul_suppress_group_key(s, rule_id, values, n);
}

uint64_t cor_alert_key_of_json(const struct rul_suppress *s, const json_t *alert)
{
    const char *rule_id = hd_alert_text(alert, "rule.id");
    const struct rul_suppress_about about = {.host = text_at(alert, "host.name"),
                                             .source = text_at(alert, "source.ip"),
                                             .user = text_at(alert, "user.name")};
    return strcmp(hd_alert_text(alert, "rule.type"), "detection") != 0
               ? key_of_group(s, rule_id, alert)
               : rul_suppress_event_key(s, rule_id, &about);
}
