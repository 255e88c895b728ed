/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules that raise too much. What a rule would raise is counted by the minute in which
 * agents received the events (so that catching up is no noise): above `rate` it is
 * reported, once a minute; above `throttle` alerts its further alerts are held back and
 * counted, and the next one that passes says how many. Comes after the suppression of
 * repeats, which looks at one thing at a time; this looks at the rule as a whole. State
 * thread.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/bytes.h>

#include "correlator/detect/rules.h"

struct cor_noise_opts {
    uint64_t rate;     /* hits a minute; 0 = nothing is reported */
    uint64_t throttle; /* alerts a minute; 0 = nothing is held back */
};

/* A hit of a rule that alerts, in a batch that came to us at `taken_ns`. Reported when
 * with this one it has become noisy. */
void cor_noise_hit(const struct cor_noise_opts *opts, const struct rul_rule *rule,
                   struct cor_rule_counts *counts, int64_t recv_ns, int64_t taken_ns);
/* An alert that would be published. True: it is held back, and counted. */
bool cor_noise_holds(const struct cor_noise_opts *opts, struct cor_rule_counts *counts);
/* One passes. Returns how many were held back since the last. */
uint64_t cor_noise_pass(struct cor_rule_counts *counts);
/* One was a repeat. */
void cor_noise_repeat(struct cor_rule_counts *counts);
/* Is it noisy, as far as one knows at that time? Any thread. */
bool cor_noise_is_noisy(const struct cor_rule_counts *counts, int64_t now_ns);

/* What is counted by the minute as bytes, and back: of the rules that still mean the
 * same. HD_ECORRUPT. */
int cor_noise_save(const struct cor_rules *rules, struct hd_buf *out) HD_MUST_USE;
int cor_noise_load(const struct cor_rules *rules, struct hd_bytes *in) HD_MUST_USE;
