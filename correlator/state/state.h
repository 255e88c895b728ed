/* SPDX-License-Identifier: Apache-2.0
 *
 * The state thread: takes the detectors' hits, correlates them, suppresses repeats,
 * enriches, builds alerts and publishes them; then lets the detectors' cursors move. It
 * owns every structure that remembers something about events. It has a loop of its own,
 * woken by the rings.
 */
#pragma once
#include "correlator/canary/canaries.h"
#include "correlator/detect/detector.h"
#include "correlator/enrich/enrich.h"
#include "correlator/losses/losses.h"
#include "correlator/publish/publish.h"
#include "correlator/sources/notice.h"
#include "correlator/state/memory.h"
#include "correlator/state/noise.h"

struct cor_state;

struct cor_state_opts {
    struct hd_journal_opts alerts;
    struct cor_losses *losses; /* borrowed until the state is freed; NULL: none */
    uint32_t remember;         /* ids of published alerts */
    struct rul_suppress_opts suppress;
    struct cor_noise_opts noise;
    struct rul_correlator_opts correlate;
    /* What is remembered is written to `snapshot` so often, and found there again by the
     * next process. NULL: it ends with this one. */
    const char *snapshot;    /* borrowed until the state is freed */
    const char *archive_dir; /* that detectors read; borrowed for the call */
    int64_t snapshot_ns;
    const char *canaries; /* file of what they have proven; borrowed; NULL: none */
    unsigned detectors;   /* how many will be added */
};

/* Opens the alert journal and reads its newest alerts (blocking). `why`: what failed. */
int cor_state_new(const struct cor_state_opts *opts, struct cor_rules *rules,
                  struct cor_enrich *enrich, struct cor_state **out,
                  char why[256]) HD_MUST_USE;
/* Where a detector has to begin, since what is remembered stands there. False: at its own
 * cursor, and what came before it fills the windows. */
bool cor_state_resume(const struct cor_state *state, unsigned index,
                      struct hd_journal_cursor *cursor);
/* Before run; borrowed until the state is freed. */
int cor_state_add_detector(struct cor_state *state, struct cor_detector *d) HD_MUST_USE;
int cor_state_run(struct cor_state *state) HD_MUST_USE;
/* From the next alert on. Loop thread. Takes a reference of its own. */
int cor_state_use(struct cor_state *state, struct cor_enrich *enrich) HD_MUST_USE;
/* Publishes an alert of our own. Takes the notice when HD_OK; HD_EFULL: try again. Loop
 * thread. */
int cor_state_tell(struct cor_state *state, struct cor_notice *notice) HD_MUST_USE;
/* Everything told so far has been published, or will be in no time. Any thread. */
bool cor_state_has_told(const struct cor_state *state);
/* Ends when all detectors have ended; an alert journal that cannot be written no longer
 * holds it up. Any thread. */
void cor_state_stop(struct cor_state *state);
/* Waits for the thread (blocking). True: everything told was published. */
bool cor_state_join(struct cor_state *state);
/* Waits for the thread and frees everything. Blocking. */
void cor_state_free(struct cor_state *state);

/* What canaries have proven. Any thread may ask it. */
const struct cor_proofs *cor_state_proofs(const struct cor_state *state);

/* The alert journal, or the loss ledger, cannot be written now: HD_E*, else HD_OK. Any
 * thread. */
int cor_state_trouble(const struct cor_state *state);
/* Which of them, as the begin of a sentence. Any thread. */
const char *cor_state_trouble_with(const struct cor_state *state);
