/* SPDX-License-Identifier: Apache-2.0
 *
 * A detector: a thread that reads the archive as the named reader "detect-N", decodes and
 * matches every record and hands hits to the state thread. Its cursor is saved only when
 * the state thread says that everything before it is durable: in the alert journal and,
 * where one is kept, in the snapshot of what correlations remember.
 *
 * With several detectors each takes the agents whose name hashes to it. At start the
 * entries of the last `warm_up_ns` before the cursor are read again, marked as such: they
 * are the evidence of later alerts, and without a snapshot they fill the windows of
 * correlations. They publish nothing.
 */
#pragma once
#include <haidang/ring.h>

#include "correlator/detect/hit.h"
#include "correlator/detect/tools.h"

struct cor_detector;

struct cor_detector_opts {
    unsigned index, count;
    const char *archive_dir;            /* borrowed */
    const struct hd_journal_keys *keys; /* borrowed; NULL = the archive is in clear */
    int64_t warm_up_ns;
    bool has_start; /* begin at `start` instead of the reader's own cursor */
    struct hd_journal_cursor start;
    struct hd_canary_keys *canary_keys; /* borrowed for the call; see tools.h */
    struct hd_ring
        *seen; /* borrowed: takes a struct cor_seen a batch; NULL = nobody asks */
};

/* Opens the reader; the thread begins with cor_detector_run. */
int cor_detector_new(const struct cor_detector_opts *opts, struct cor_rules *rules,
                     struct cor_detector **out) HD_MUST_USE;
int cor_detector_run(struct cor_detector *d) HD_MUST_USE;
/* From the next batch on. Takes the tools, also on failure. Loop thread. */
int cor_detector_use(struct cor_detector *d, struct cor_tools *tools) HD_MUST_USE;
/* Asks it to end after the batch at hand; it then closes the ring of hits and waits for
 * its last cursor. Any thread. */
void cor_detector_stop(struct cor_detector *d);
/* Waits for the thread (when it was started) and frees everything. Blocking. */
void cor_detector_free(struct cor_detector *d);

/* Archive not yet examined, bytes; how long ago what was examined last had come to us,
 * ms, 0 when everything is examined. Any thread. */
uint64_t cor_detector_lag_bytes(const struct cor_detector *d);
uint64_t cor_detector_lag_ms(const struct cor_detector *d);
size_t cor_detector_queue_high(const struct cor_detector *d);

/* ---- for the state thread ---- */

struct hd_ring *cor_detector_hits(struct cor_detector *d); /* of struct cor_hits */
/* All alerts of messages up to this one are durable. */
void cor_detector_durable(struct cor_detector *d, const struct hd_journal_cursor *cursor);
/* Nothing more will be said. */
void cor_detector_dismiss(struct cor_detector *d);
