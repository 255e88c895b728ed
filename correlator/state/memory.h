/* SPDX-License-Identifier: Apache-2.0
 *
 * What the state thread remembers of the past: groups of correlations and repeats that
 * were suppressed. Taken over from the process before where that fits, and from one rule
 * set to the next where the rules' meaning allows; what starts anew is said and counted.
 */
#pragma once
#include "correlator/losses/losses.h"
#include "correlator/state/snapshot.h"

struct cor_memory_opts {
    struct rul_suppress_opts suppress;
    struct rul_correlator_opts correlate;
    const char *snapshot;    /* NULL: there is no process before */
    const char *archive_dir; /* that detectors read */
    unsigned detectors;
};

struct cor_memory {
    struct rul_suppress *suppress;
    struct rul_correlator *correlator;
    struct cor_cursors resume;     /* where the detectors have to begin, if: */
    bool is_resumed;               /* something was taken over */
    uint64_t evicted;              /* groups of which the ledger was told */
    const struct cor_rules *rules; /* that are being taken up */
};

/* Damaged, strange or too new a snapshot: as if there were none. *out stays where it is.
 */
int cor_memory_init(const struct cor_memory_opts *opts, const struct cor_rules *rules,
                    struct cor_memory *out) HD_MUST_USE;
void cor_memory_fini(struct cor_memory *memory);
/* Metrics; what was forgotten for want of memory goes to the ledger of losses. */
void cor_memory_count(struct cor_memory *memory, struct cor_losses *losses);
/* Takes up the set of these rules. What becomes of rules that have changed is said, in
 * the log and in their counts. */
int cor_memory_use(struct cor_memory *memory, const struct cor_rules *rules) HD_MUST_USE;
