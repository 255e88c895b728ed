/* SPDX-License-Identifier: Apache-2.0
 *
 * The event: what decoders make of a record and rules are matched against. Values are
 * views into the record (or into the scratch arena of the decode), addressed by interned
 * field ids, so that a rule's test of a field is one array access. One event belongs to
 * one detector thread, starts zeroed and is reused for every record.
 *
 * Glossary. record: a line with its envelope, as it travelled. event: its decoded form.
 * field: a named value, ECS name ("source.ip") or Sigma taxonomy name ("cs-uri-query").
 * log source: Sigma's (product, category, service). class: the set of log sources that
 * one decoder pattern gives its events; rules are dispatched by class.
 */
#pragma once
#include <haidang/err.h>

#include "rules/lists.h"

#define RUL_FIELDS_MAX 4096U /* names in one set */
/* values in one event; more are counted and left out */
#define RUL_EVENT_VALUES_MAX 512U
#define RUL_FIELD_NONE       UINT16_MAX

/* ---- field names ---- */

struct rul_fields; /* name -> id; built while a set is loaded, then read-only */
int rul_fields_new(struct rul_fields **out) HD_MUST_USE;
void rul_fields_free(struct rul_fields *fields);
/* Id of a name, added when new. HD_ELIMIT above RUL_FIELDS_MAX. */
int rul_fields_add(struct rul_fields *fields, struct hd_slice name,
                   uint16_t *id) HD_MUST_USE;
uint16_t rul_fields_find(const struct rul_fields *fields, struct hd_slice name);
struct hd_slice rul_fields_name(const struct rul_fields *fields, uint16_t id);
uint16_t rul_fields_count(const struct rul_fields *fields);
struct rul_paths; /* the names as ways through JSON objects: rules/paths.h */
struct rul_paths *rul_fields_paths(struct rul_fields *fields);

/* Fields that every set has, with these ids (tests, correlator and console use them). */
#define RUL_FIELD_MAP(X)                                                                 \
    X(RUL_F_MESSAGE, "message")                                                          \
    X(RUL_F_HOST_NAME, "host.name")                                                      \
    X(RUL_F_PROCESS_NAME, "process.name")                                                \
    X(RUL_F_PROCESS_PID, "process.pid")                                                  \
    X(RUL_F_USER_NAME, "user.name")                                                      \
    X(RUL_F_SOURCE_IP, "source.ip")                                                      \
    X(RUL_F_SOURCE_PORT, "source.port")                                                  \
    X(RUL_F_DESTINATION_IP, "destination.ip")                                            \
    X(RUL_F_DESTINATION_PORT, "destination.port")                                        \
    X(RUL_F_NETWORK_TRANSPORT, "network.transport")                                      \
    X(RUL_F_NETWORK_PROTOCOL, "network.protocol")                                        \
    X(RUL_F_NETWORK_COMMUNITY_ID, "network.community_id")                                \
    X(RUL_F_EVENT_ACTION, "event.action")                                                \
    X(RUL_F_EVENT_OUTCOME, "event.outcome")                                              \
    X(RUL_F_EVENT_CATEGORY, "event.category")                                            \
    X(RUL_F_URL_PATH, "url.path")                                                        \
    X(RUL_F_URL_QUERY, "url.query")                                                      \
    X(RUL_F_USER_AGENT, "user_agent.original")                                           \
    X(RUL_F_DNS_NAME, "dns.question.name")                                               \
    X(RUL_F_TLS_SNI, "tls.client.server_name")                                           \
    X(RUL_F_TLS_JA4, "tls.client.ja4")                                                   \
    X(RUL_F_SYSLOG_FACILITY, "log.syslog.facility.code")                                 \
    X(RUL_F_SYSLOG_SEVERITY, "log.syslog.severity.code")
#define RUL_FIELD_ENUM(id, name) id,
enum rul_field_id { RUL_FIELD_MAP(RUL_FIELD_ENUM) RUL_F_WELL_KNOWN };
#undef RUL_FIELD_ENUM

/* ---- log sources ---- */

struct rul_logsource { /* empty slice = not given; compared without case */
    struct hd_slice product, category, service;
};
/* A rule's log source covers an event's when every part the rule gives is equal. */
bool rul_logsource_covers(const struct rul_logsource *rule,
                          const struct rul_logsource *event);

#define RUL_CLASS_SOURCES_MAX 16U /* two decoders of 8 each may know one event */
struct rul_class {                /* owned by the decoders of the set */
    uint16_t id;                  /* dense, from 0; class 0 is "not decoded" */
    uint16_t n;
    struct rul_logsource sources[RUL_CLASS_SOURCES_MAX];
};

/* ---- the event ---- */

struct rul_event {
    int64_t time_ns; /* event time, UTC; receive time when it has none or is far off */
    int64_t recv_ns;
    bool has_own_time;
    uint16_t class_id;
    const char *decoder;  /* "sshd", of the set; NULL = no decoder knew it */
    const char *pattern;  /* "failed-password" */
    struct hd_slice raw;  /* the whole line */
    struct hd_slice tree; /* JSON or XML in it: keywords are sought there unescaped */
    /* Values that the decoder made from the line (unescaped); others outside of raw are
     * its constants. ptr NULL: unknown. */
    struct hd_slice made;
    size_t leaves; /* so much of `made` are leaves of a JSON tree, unescaped */
    uint16_t n;    /* values present */
    uint16_t lost; /* values above RUL_EVENT_VALUES_MAX */
    uint16_t ids[RUL_EVENT_VALUES_MAX]; /* in order of arrival */
    uint64_t present[RUL_FIELDS_MAX / 64];
    struct hd_slice values[RUL_FIELDS_MAX]; /* valid where present */
    struct rul_lists lists;
};

static inline bool rul_event_has(const struct rul_event *ev, uint16_t id)
{
    return (ev->present[id >> 6] >> (id & 63U)) & 1U;
}

static inline struct hd_slice rul_event_get(const struct rul_event *ev, uint16_t id)
{
    return rul_event_has(ev, id) ? ev->values[id] : HD_SLICE_EMPTY;
}

/* The first value of a field wins; setting it again replaces it. */
static inline void rul_event_set(struct rul_event *ev, uint16_t id, struct hd_slice value)
{
    if (ev->lists.n > 0) {
        rul_lists_drop(&ev->lists, id);
    }
    if (!rul_event_has(ev, id)) {
        if (ev->n == RUL_EVENT_VALUES_MAX) {
            ev->lost++;
            return;
        }
        ev->present[id >> 6] |= UINT64_C(1) << (id & 63U);
        ev->ids[ev->n++] = id;
    }
    ev->values[id] = value;
}

void rul_event_clear(struct rul_event *ev);

/* A compact copy that outlives the record (for hits). own: the caller frees with free().
 * Views inside it point into the same block. */
struct rul_event_copy {
    int64_t time_ns, recv_ns;
    uint16_t class_id, n;
    struct hd_slice raw;
    const char *decoder, *pattern;
    struct rul_value {
        uint16_t id;
        struct hd_slice value;
    } values[];
};
int rul_event_copy(const struct rul_event *ev, struct rul_event_copy **out) HD_MUST_USE;
/* A copy of a copy, owned alike. */
int rul_event_copy_dup(const struct rul_event_copy *ev,
                       struct rul_event_copy **out) HD_MUST_USE;
struct hd_slice rul_event_copy_get(const struct rul_event_copy *copy, uint16_t id);
