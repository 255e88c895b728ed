/* SPDX-License-Identifier: Apache-2.0
 *
 * Repeats: the same rule about the same thing within a window is counted, not published;
 * the next alert of it that passes carries the count. Time is event time, so a replay
 * decides alike. Bounded: the thing unseen for longest goes first. One thread; keys may
 * be asked for by others meanwhile.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/alert.h>
#include <haidang/buf.h>
#include <haidang/bytes.h>

#include "rules/correlate/correlate.h"

#define RUL_SUPPRESS_SEVERITIES 5 /* index = enum hd_severity */

struct rul_suppress_opts {
    uint32_t entries;
    int64_t window_ns[RUL_SUPPRESS_SEVERITIES]; /* 0 = repeats are published */
};

struct rul_suppress;

int rul_suppress_new(const struct rul_suppress_opts *opts,
                     struct rul_suppress **out) HD_MUST_USE;
void rul_suppress_free(struct rul_suppress *s);

/* Key of "this rule about this thing": the rule's id and the parts, order counts. Keys
 * belong to one table, and to what is loaded from it. */
uint64_t rul_suppress_key(const struct rul_suppress *s, const char *rule_id,
                          const struct hd_slice *parts, size_t n);

/* What makes two alerts of a rule repeats of each other: the values of a correlation's
 * group, in whatever order (they are sorted in place) ... */
uint64_t rul_suppress_group_key(const struct rul_suppress *s, const char *rule_id,
                                struct hd_slice *values, size_t n);
uint64_t rul_suppress_detection_key(const struct rul_suppress *s,
                                    const struct rul_detection *detection);
/* ... else the host and the source address, or the user when there is none. */
struct rul_suppress_about {
    struct hd_slice host, source, user;
};
uint64_t rul_suppress_event_key(const struct rul_suppress *s, const char *rule_id,
                                const struct rul_suppress_about *about);

/* True: surely a repeat, and counted. False: undecided, nothing was changed; ask
 * rul_suppress_pass. What an alert of the past says itself when it is replayed after a
 * start is no repeat: that is left undecided, so whoever asks need not know the alert's
 * id before. */
bool rul_suppress_repeat(struct rul_suppress *s, uint64_t key, enum hd_severity severity,
                         int64_t time_ns);
/* True: publish, *repeats were suppressed since the last one. False: counted. What
 * rul_suppress_repeat leaves undecided passes and changes nothing. */
bool rul_suppress_pass(struct rul_suppress *s, uint64_t key, enum hd_severity severity,
                       int64_t time_ns, uint64_t *repeats);
/* At start: an alert of the past. */
void rul_suppress_seed(struct rul_suppress *s, uint64_t key, int64_t time_ns);

/* The table as bytes, and back: into an empty one. HD_ECORRUPT, HD_ENOMEM: some of it may
 * be there. What is above `entries` now is left out, the unseen for longest first. */
int rul_suppress_save(const struct rul_suppress *s, struct hd_buf *out) HD_MUST_USE;
int rul_suppress_load(struct rul_suppress *s, struct hd_bytes *in) HD_MUST_USE;

uint64_t rul_suppress_evicted(const struct rul_suppress *s);
uint32_t rul_suppress_count(const struct rul_suppress *s);
