/* SPDX-License-Identifier: Apache-2.0
 *
 * What a detector comes across that belongs into the loss ledger, said so that the same
 * fact reads the same when the archive is read again.
 */
#pragma once
#include <stdbool.h>

#include <haidang/archive_meta.h>
#include <haidang/journal.h>
#include <haidang/loss.h>

#include "correlator/detect/hit.h"

/* The source under which an agent reports its own losses. */
bool cor_lost_is_report(const struct hd_batch_source *source);
/* One of an agent's own, which has no rhythm that it could fall out of. */
bool cor_lost_is_own(const struct hd_batch_source *source);
/* Such a report. The names of agent and boot are those of the certificate and the batch,
 * whatever the report says. HD_EPARSE: it is none. */
int cor_lost_of_agent(const struct cor_origin *origin, struct hd_slice line,
                      struct hd_loss *out) HD_MUST_USE;
/* `count` records of an archived batch that cannot be read. */
struct hd_loss cor_lost_batch(const struct hd_journal_entry *entry,
                              const struct hd_archive_meta *meta, uint64_t count,
                              const char *why);
/* Archive entries that do not verify, or that are not there any more. */
struct hd_loss cor_lost_entries(enum hd_loss_kind kind, uint64_t first, uint64_t next,
                                uint64_t bytes);
