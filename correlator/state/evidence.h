/* SPDX-License-Identifier: Apache-2.0
 *
 * The newest hits that feed correlations, kept so that an alert about many events can
 * show some of them: the first ones and the last ones. Bounded in number and bytes.
 * State thread.
 */
#pragma once
#include "correlator/detect/hit.h"
#include "rules/correlate/correlate.h"

struct cor_evidence;

struct cor_evidence_opts {
    uint32_t events;
    size_t bytes;
};

int cor_evidence_new(const struct cor_evidence_opts *opts,
                     struct cor_evidence **out) HD_MUST_USE;
void cor_evidence_free(struct cor_evidence *evidence);

/* Another set is in use: hits of rules that mean the same go on as its hits, the others
 * are forgotten. */
void cor_evidence_move(struct cor_evidence *evidence, const struct rul_set *from,
                       const struct rul_set *to);

/* A hit of `rule`. Takes its own reference; the oldest go when a bound is passed. */
void cor_evidence_keep(struct cor_evidence *evidence, const struct rul_rule *rule,
                       struct cor_event *event);

/* A detection that other correlations may count: the events of it are theirs as well. */
void cor_evidence_tell(struct cor_evidence *evidence,
                       const struct rul_detection *detection);

/* The events of the detection, and of those that it counted, that are still here, by
 * time: at most HD_ALERT_EVIDENCE_MAX, half of them the first ones, half the last ones.
 * Borrowed until the next keep. */
size_t cor_evidence_find(struct cor_evidence *evidence, const struct rul_set *set,
                         const struct rul_detection *detection,
                         const struct cor_event *out[HD_ALERT_EVIDENCE_MAX]);
