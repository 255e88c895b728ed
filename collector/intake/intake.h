/* SPDX-License-Identifier: Apache-2.0
 *
 * The intake: lines of all sources become batches, batches go into the spool, and the
 * marks of the streams go with them. One builder, closed when it is full or when its
 * first line is `batch_time` old; no timer runs while nothing arrives.
 *
 * Own: batches that were closed are kept here until the spool says that they are durable,
 * so a full disk loses nothing: they are written again once there is room, and until then
 * the sources are told HD_EFULL. Their number and size are bounded.
 *
 * What a kill takes is what streams gave us and the spool has not: files are read again
 * from their marks, and datagrams that nobody reads are lost as well. So streams alone
 * are held back as soon as one batch is being written and the next one is full: the disk
 * never waits for them, and they are never far ahead of it.
 *
 * Thread: agent loop; the spool's disk thread and the state file's worker are inside.
 */
#pragma once
#include <uv.h>

#include <haidang/journal.h>

#include "collector/conf.h"
#include "collector/source/source.h"

struct col_intake;

struct col_intake_ops {
    void (*on_spooled)(void *ctx); /* something new can be read from the spool */
    void (*on_full)(void *ctx);    /* pause the sources */
    void (*on_room)(void *ctx);    /* resume them */
    void (*on_hold)(void *ctx);    /* pause the streams among them */
    void (*on_release)(void *ctx); /* the streams may go on, as far as the others do */
};

struct col_intake_opts {
    uv_loop_t *loop;
    const struct col_conf *conf; /* borrowed for the intake's life */
    const char *agent;
    const struct hd_journal_keys *keys; /* of the spool, borrowed; NULL: none */
    const struct hd_journal_key *key;   /* which it is encrypted with; NULL: with none */
    const struct col_intake_ops *ops;
    void *ctx;
};

/* Opens the spool in conf->state_dir and recovers boot id, sequence and marks. Blocks.
 * HD_EBUSY: another agent has it; `why` is for people. */
int col_intake_open(const struct col_intake_opts *opts, struct col_intake **out,
                    char why[256]) HD_MUST_USE;
/* Spools what is left, then calls `closed` and frees. Sources must be closed. */
void col_intake_close(struct col_intake *in, void (*closed)(void *ctx), void *ctx);

/* Of a stream's lines more than this is never on its way to the spool. */
#define COL_INTAKE_STREAM_MAX ((2U << 20) - (64U << 10))

const struct col_sink *col_intake_sink(struct col_intake *in);

/* Reports of what was lost so far become lines of the batch that is being built. */
void col_intake_report(struct col_intake *in);
/* Closes the batch that is being built, if it has lines. */
void col_intake_flush(struct col_intake *in);
/* Nothing is on its way to the spool. */
bool col_intake_is_idle(const struct col_intake *in);

/* Before the first line: marks set by opening sources become durable. Blocks. */
int col_intake_settle(struct col_intake *in) HD_MUST_USE;

/* Writes the state file as of the newest durable entry, off the loop; then `done` is told
 * the entry that is covered: entries up to it may be removed. `acked`: the last sequence
 * that a correlator acknowledged. One at a time: HD_EBUSY. */
int col_intake_checkpoint(struct col_intake *in, uint64_t acked,
                          void (*done)(void *ctx, int err, uint64_t covered),
                          void *ctx) HD_MUST_USE;
/* Readers moved on: gives space back; waiting batches are tried again. */
void col_intake_trim(struct col_intake *in);

struct col_intake_status {
    const char *boot;
    const char *spool_dir;
    const struct hd_journal_keys *spool_keys;
    uint64_t last_spooled;  /* sequence; 0 = none in this boot */
    uint64_t last_given;    /* >= last_spooled: of the newest closed batch */
    uint64_t last_acked;    /* as the state file says */
    uint64_t spool_bytes;   /* on disk */
    uint64_t pending_bytes; /* closed, not yet durable */
    int spool_err;          /* HD_OK, or why the spool takes nothing now */
};
void col_intake_status(const struct col_intake *in, struct col_intake_status *out);
