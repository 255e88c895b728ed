/* SPDX-License-Identifier: Apache-2.0
 *
 * When each rule was last proven to be alive, and from which class of source a canary
 * came last. The times of rules are with their counts (detect/rules.h), so that a rule
 * whose meaning changes has to be proven anew; all of it is kept in a small file, as long
 * as the rules are. State thread; any thread may ask.
 */
#pragma once
#include <stdatomic.h>

#include <haidang/buf.h>
#include <haidang/canary.h>

#include "correlator/detect/rules.h"

struct cor_proofs {
    const char *path; /* borrowed; NULL: they end with the process */
    bool is_changed;
    _Atomic int64_t seen_ns[HD_CANARY_CLASSES]; /* 0 = never */
};

/* The file's text. HD_ECORRUPT: it is none; nothing was taken from it. */
int cor_proofs_decode(struct cor_proofs *proofs, struct hd_slice text,
                      const struct cor_rules *rules) HD_MUST_USE;
void cor_proofs_encode(const struct cor_proofs *proofs, const struct cor_rules *rules,
                       struct hd_buf *out);

/* What the process before has left; what is damaged is as if it were not there. */
void cor_proofs_load(struct cor_proofs *proofs, const char *path,
                     const struct cor_rules *rules);
void cor_proofs_class(struct cor_proofs *proofs, enum hd_canary_class class,
                      int64_t time_ns);
void cor_proofs_rule(struct cor_proofs *proofs, const struct cor_rules *rules,
                     const struct rul_rule *rule, int64_t time_ns);
/* Writes the file when something has changed; what fails is said and tried again. */
void cor_proofs_save(struct cor_proofs *proofs, const struct cor_rules *rules);

/* Any thread; 0 = never. */
int64_t cor_proofs_class_ns(const struct cor_proofs *proofs, enum hd_canary_class class);
static inline int64_t cor_rule_proven_ns(const struct cor_rule_counts *counts)
{
    return atomic_load_explicit(&counts->proven_ns, memory_order_relaxed);
}
