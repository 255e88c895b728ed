/* SPDX-License-Identifier: Apache-2.0
 *
 * Repeats: the same rule about the same thing within a window is counted, not published;
 * the next alert of it that passes carries the count. Time is event time, so a replay
 * decides alike. Bounded: the thing unseen for longest goes first. State thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/alert.h>
#include <haidang/buf.h>
#include <haidang/bytes.h>

#define COR_SUPPRESS_SEVERITIES 5 /* index = enum hd_severity */

struct cor_suppress_opts {
    uint32_t entries;
    int64_t window_ns[COR_SUPPRESS_SEVERITIES]; /* 0 = repeats are published */
};

struct cor_suppress;

int cor_suppress_new(const struct cor_suppress_opts *opts,
                     struct cor_suppress **out) HD_MUST_USE;
void cor_suppress_free(struct cor_suppress *s);

/* Key of "this rule about this thing": the rule's id and the parts, order counts. Keys
 * belong to one table, and to what is loaded from it. */
uint64_t cor_suppress_key(const struct cor_suppress *s, const char *rule_id,
                          const struct hd_slice *parts, size_t n);

/* True: surely a repeat, and counted. False: undecided, nothing was changed; ask
 * cor_suppress_pass. What an alert of the past says itself when it is replayed after a
 * start is no repeat: that is left undecided, so whoever asks need not know the alert's
 * id before. */
bool cor_suppress_repeat(struct cor_suppress *s, uint64_t key, enum hd_severity severity,
                         int64_t time_ns);
/* True: publish, *repeats were suppressed since the last one. False: counted. What
 * cor_suppress_repeat leaves undecided passes and changes nothing. */
bool cor_suppress_pass(struct cor_suppress *s, uint64_t key, enum hd_severity severity,
                       int64_t time_ns, uint64_t *repeats);
/* At start: an alert of the past. */
void cor_suppress_seed(struct cor_suppress *s, uint64_t key, int64_t time_ns);

/* The table as bytes, and back: into an empty one. HD_ECORRUPT, HD_ENOMEM: some of it may
 * be there. What is above `entries` now is left out, the unseen for longest first. */
int cor_suppress_save(const struct cor_suppress *s, struct hd_buf *out) HD_MUST_USE;
int cor_suppress_load(struct cor_suppress *s, struct hd_bytes *in) HD_MUST_USE;

uint64_t cor_suppress_evicted(const struct cor_suppress *s);
uint32_t cor_suppress_count(const struct cor_suppress *s);
