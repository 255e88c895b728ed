/* SPDX-License-Identifier: Apache-2.0
 *
 * The examination of archive entries: decode, match, and hand what was found to the state
 * thread, in messages. It reads no journal and knows no thread; the same entries with
 * the same tools make the same messages. Belongs to the detector's thread.
 */
#pragma once
#include <stdatomic.h>

#include <haidang/ring.h>

#include "correlator/detect/hit.h"
#include "correlator/detect/tools.h"

struct cor_examiner;

struct cor_examiner_opts { /* pointers are borrowed */
    unsigned index, count; /* of `count` this one takes the agents that hash to `index` */
    const char *archive_dir;        /* where the entries are, for the log */
    const atomic_bool *is_stopping; /* do not wait for memory any longer */
    struct hd_ring *seen; /* takes a struct cor_seen a batch; NULL: nobody asks */
    void (*deliver)(void *ctx, struct cor_hits *message); /* takes it */
    void *ctx;
};

/* Takes the tools, also on failure. */
int cor_examiner_new(const struct cor_examiner_opts *opts, struct cor_tools *tools,
                     struct cor_examiner **out) HD_MUST_USE;
void cor_examiner_free(struct cor_examiner *e);
/* From the next entry on. Takes the tools. */
void cor_examiner_use(struct cor_examiner *e, struct cor_tools *tools);

/* What is examined until the end of the warm-up feeds correlations and publishes nothing.
 */
void cor_examiner_begin_warm_up(struct cor_examiner *e);
void cor_examiner_end_warm_up(struct cor_examiner *e);

void cor_examine(struct cor_examiner *e, const struct hd_journal_entry *entry);
/* What the reader came across belongs into the ledger. */
void cor_examiner_lose(struct cor_examiner *e, const struct hd_loss *loss);
/* Counts and says it. */
void cor_examiner_pass_over(const struct cor_examiner *e, uint64_t index,
                            const char *why);
/* Sends what is left with the cursor behind it. */
void cor_examiner_end_batch(struct cor_examiner *e,
                            const struct hd_journal_cursor *cursor);

/* Memory is short. False: it gave up, since the detector is to end; what it has not done
 * it leaves to the next process. */
bool cor_examiner_wait(struct cor_examiner *e);
/* When the entry examined last had come to us. */
int64_t cor_examiner_taken_ns(const struct cor_examiner *e);
