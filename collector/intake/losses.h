/* SPDX-License-Identifier: Apache-2.0
 *
 * What this agent lost, until it is in a batch: counted together by kind and source, and
 * reported as lines of a source of its own (docs/formats/loss.md) at most every 10 s and
 * at the end, so that reports are as durable as any line. What the spool does not take
 * before the agent ends is kept in a file for the next one. Agent loop thread.
 */
#pragma once
#include <uv.h>

#include <haidang/batch.h>
#include <haidang/loop.h>
#include <haidang/loss.h>

#define COL_LOSSES_FILE "losses"

struct col_losses_opts {
    uv_loop_t *loop;
    struct hd_owner *owner; /* of the timer */
    const char *state_dir;  /* borrowed, as all of these */
    const char *host;
    /* Takes a line as a sink does: HD_EFULL, HD_OK. */
    int (*add)(void *ctx, const struct hd_batch_source *source, int64_t recv_ns,
               struct hd_slice line);
    void *ctx;
};

struct col_losses;

/* Takes over what the agent before could not report. */
int col_losses_open(const struct col_losses_opts *opts,
                    struct col_losses **out) HD_MUST_USE;
/* The timer must be closed by its owner before this. */
void col_losses_free(struct col_losses *losses);
void col_losses_close_timer(struct col_losses *losses);

void col_losses_add(struct col_losses *losses, const struct hd_batch_source *source,
                    enum hd_loss_kind kind, uint64_t count, uint64_t bytes);
/* Reports now, as far as lines are taken. */
void col_losses_report(struct col_losses *losses);
/* The oldest `n` reports are durable. */
void col_losses_durable(struct col_losses *losses, uint32_t n);
/* Writes what was not reported, or in vain, into the file. Blocks. */
void col_losses_keep(struct col_losses *losses);
