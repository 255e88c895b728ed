/* SPDX-License-Identifier: Apache-2.0
 *
 * What the state thread remembers, as a file: the groups of correlations, the repeats
 * that were suppressed and what noisy rules did in the minute at hand, together with the
 * cursors up to which they stand. Detection goes
 * on from there after a crash, so the file and the cursors are one thing: readers' own
 * cursors move only when a snapshot is durable. Encoding is the state thread's, writing
 * is a worker's.
 */
#pragma once
#include <uv.h>

#include <haidang/journal.h>

#include "correlator/detect/rules.h"
#include "rules/correlate/correlate.h"
#include "rules/correlate/suppress.h"

#define COR_DETECTORS_MAX 16U

struct cor_cursors { /* of each detector */
    unsigned n;
    struct hd_journal_cursor at[COR_DETECTORS_MAX];
};

struct cor_remembered { /* borrowed */
    struct rul_suppress *suppress;
    struct rul_correlator *correlator;
    const struct cor_rules *rules; /* in force; with their counts */
};

/* Into empty tables, which may hold some of it after an error. HD_ENOENT: there is none.
 * HD_ECORRUPT: damaged. HD_EVERSION: a later version wrote it. HD_EINVAL: of another
 * number of detectors, or another archive. */
int cor_snapshot_read(const char *path, const char *archive_dir,
                      const struct cor_remembered *into,
                      struct cor_cursors *cursors) HD_MUST_USE;
int cor_snapshot_encode(const struct cor_cursors *cursors,
                        const struct cor_remembered *what,
                        struct hd_buf *out) HD_MUST_USE;
/* Has no cursor ever been saved, so that everything will be examined from the beginning?
 * Tells where that is. */
bool cor_snapshot_is_first(const char *archive_dir, struct cor_cursors *cursors);

/* ---- writing ---- */

struct cor_saver;

/* On the loop's thread: the snapshot with these cursors is durable, or is not (err). */
typedef void (*cor_on_saved)(void *ctx, int err, const struct cor_cursors *cursors);

/* `path` is borrowed. */
int cor_saver_new(uv_loop_t *loop, const char *path, cor_on_saved done, void *ctx,
                  struct cor_saver **out) HD_MUST_USE;
/* Not while it is busy. */
void cor_saver_free(struct cor_saver *saver);
bool cor_saver_is_busy(const struct cor_saver *saver);
/* Encodes now, writes aside, then calls. Not while it is busy. */
int cor_saver_begin(struct cor_saver *saver, const struct cor_cursors *cursors,
                    const struct cor_remembered *what) HD_MUST_USE;
