/* SPDX-License-Identifier: Apache-2.0
 *
 * From a detection to an alert (docs/architecture.md, "An alert"): the one place where
 * events, rule and enrichment become JSON. Untrusted bytes become valid UTF-8, every text
 * has a bound, and the whole fits HD_ALERT_TEXT_MAX: evidence is shortened until it does.
 * State thread.
 */
#pragma once
#include <jansson.h>

#include "correlator/detect/hit.h"
#include "correlator/enrich/enrich.h"
#include "rules/correlate/suppress.h"

#define COR_ALERT_NAME_MAX  256U  /* characters of a name, a title */
#define COR_ALERT_FIELD_MAX 1024U /* bytes of one value taken from an event */
#define COR_ALERT_LINE_MAX  4096U /* bytes of one line of evidence */

struct cor_alert_input {
    const char *id;
    const struct rul_rule *rule;
    const struct cor_event *event;         /* the one that completed the detection */
    const struct rul_detection *detection; /* NULL: the event alone */
    const struct cor_event *const *evidence;
    size_t n_evidence;
    const struct cor_enrich *enrich;
    struct hd_slice system; /* its id; empty: to be found by what the event says */
    uint64_t repeats;       /* suppressed since the last alert of the kind */
    uint64_t throttled;     /* alerts of the rule held back since its last one */
    int64_t published_ns;
};

/* The alert's id (docs/formats/alert.md, "Identity"), the same in every replay. */
int cor_alert_id(const struct cor_alert_input *input, struct hd_buf *scratch,
                 char out[37]) HD_MUST_USE;
/* own: *out is a new reference. HD_ENOMEM, HD_ELIMIT when it cannot be made to fit. */
int cor_alert_build(const struct cor_alert_input *input, json_t **out) HD_MUST_USE;

/* "This rule about this thing" (rules/correlate/suppress.h): the same from an event and
 * from the alert that was made of it. */
uint64_t cor_alert_key_of_input(const struct rul_suppress *s,
                                const struct cor_alert_input *input);
uint64_t cor_alert_key_of_json(const struct rul_suppress *s, const json_t *alert);
