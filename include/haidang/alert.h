/* SPDX-License-Identifier: Apache-2.0
 *
 * The alert: what the correlator publishes, the console shows and the forwarder maps
 * (docs/formats/alert.schema.json). On disk one compact JSON object a line; in memory a
 * jansson object with typed getters, since every reader wants only some of it. Alerts are
 * few: this is off the hot path.
 */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <haidang/buf.h>
#include <haidang/diag.h>
#include <haidang/err.h>
#include <haidang/slice.h>

#define HD_ALERT_VERSION      1
#define HD_ALERT_TEXT_MAX     (64U << 10) /* one alert as JSON */
#define HD_ALERT_EVIDENCE_MAX 10          /* lines; five first, five last */

enum hd_severity {
    HD_SEV_LOW = 1,
    HD_SEV_MEDIUM = 2,
    HD_SEV_HIGH = 3,
    HD_SEV_CRITICAL = 4
};
const char *hd_severity_name(enum hd_severity severity); /* "low" */
int hd_severity_parse(struct hd_slice text, enum hd_severity *out) HD_MUST_USE;

/* Parses and validates one JSON line. own: *out is a new reference. HD_EPARSE: `why`
 * names the member (JSON pointer) and what is wrong. */
int hd_alert_parse(struct hd_slice line, json_t **out, char why[256]) HD_MUST_USE;
/* Checks an object against the schema's rules (the built-in form of alert.schema.json;
 * a test proves that the two agree). */
int hd_alert_check(const json_t *alert, char why[256]) HD_MUST_USE;
/* Compact, keys in the schema's order, valid UTF-8. */
int hd_alert_format(const json_t *alert, struct hd_buf *out) HD_MUST_USE;

/* Raised by a canary: not real, and never to be sent to a destination. Either mark alone
 * is enough. */
bool hd_alert_is_test(const json_t *alert);

/* Member by dotted path ("source.ip", "rule.tags"); NULL when absent. Borrowed. */
const json_t *hd_alert_at(const json_t *alert, const char *path);
const char *hd_alert_text(const json_t *alert, const char *path); /* "" when absent */
int64_t hd_alert_int(const json_t *alert, const char *path, int64_t absent);
/* An RFC 3339 member as ns; HD_ENOENT, HD_EPARSE. */
int hd_alert_time(const json_t *alert, const char *path, int64_t *ns) HD_MUST_USE;

/* Deterministic id (RFC 9562 UUID version 8 from SHA-256): the same rule, group and first
 * event position give the same id however often events are replayed. */
int hd_alert_id(struct hd_slice rule_id, struct hd_slice group, struct hd_slice position,
                char out[37]) HD_MUST_USE;
