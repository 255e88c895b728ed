/* SPDX-License-Identifier: Apache-2.0
 *
 * The credit window of an uplink: which batches are on their way, whether one more may
 * go, what an acknowledgement settles. Pure; holds no bytes of batches. Fixed size.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/err.h>
#include <haidang/journal.h>

#define COL_WINDOW_BATCHES 256U

struct col_window_batch {
    uint64_t first, last;           /* record sequence */
    uint64_t index;                 /* of the spool entry */
    int64_t time_min;               /* oldest record */
    uint32_t wire_len;              /* bytes of its BATCH frame */
    struct hd_journal_cursor after; /* where the spool goes on behind it */
};

struct col_window {
    struct col_window_batch batch[COL_WINDOW_BATCHES];
    unsigned head, count;
    uint64_t in_flight;    /* bytes of frames */
    uint64_t credits;      /* bytes that may be in flight */
    uint64_t acknowledged; /* last sequence that is durable at the correlator */
    uint64_t sent;         /* last sequence sent, >= acknowledged */
};

/* After WELCOME. Nothing is in flight. */
void col_window_open(struct col_window *w, uint64_t last_durable, uint32_t credits);

/* May a frame of so many bytes go now? A frame larger than all credits may go alone, so
 * that a small window cannot stall for ever; with no credits nothing may. */
bool col_window_may_send(const struct col_window *w, uint32_t wire_len);

/* HD_EFULL: no slot. HD_EBUG: sequences do not ascend. */
int col_window_sent(struct col_window *w, const struct col_window_batch *b) HD_MUST_USE;

/* ACK up to and including `last_durable`. *settled: the newest batch that is wholly
 * acknowledged by it (unchanged when none is). Returns how many batches that settles, or
 * HD_EPEER when it acknowledges what was never sent. Repeated and older ACKs settle 0. */
int col_window_ack(struct col_window *w, uint64_t last_durable, uint32_t credits,
                   struct col_window_batch *settled) HD_MUST_USE;

/* The oldest batch in flight, or NULL. */
const struct col_window_batch *col_window_oldest(const struct col_window *w);
