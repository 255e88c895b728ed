/* SPDX-License-Identifier: Apache-2.0
 *
 * The uplink's side of the spool: a named reader, one entry at hand, the position up to
 * which everything is acknowledged, and the saving of that position. What is saved never
 * passes what the state file covers, because saving it lets entries, and the file
 * positions in them, be removed. Agent loop thread.
 */
#pragma once
#include <uv.h>

#include <haidang/journal.h>
#include <haidang/loop.h>

#include "collector/intake/intake.h"

struct col_feed {
    struct hd_journal_reader *reader;
    struct col_intake *intake;
    struct hd_journal_cursor acked; /* the first entry that is not acknowledged */
    uint64_t lines_from; /* sequence of the last record before it, as far as known */
    uint64_t acked_last; /* sequence of the last record before it; 0 = none */
    struct hd_journal_cursor saved, saving;
    struct hd_journal_cursor here; /* of `entry` */
    struct hd_journal_entry entry; /* valid when has_entry */
    bool has_entry;
    uv_timer_t timer; /* runs while something acknowledged is not saved */
    bool is_saving, is_closing;
    uint64_t unsaved_bytes;
    void (*closed)(void *ctx);
    void *ctx;
};

/* `owner` gets the timer. */
int col_feed_open(struct col_feed *feed, struct hd_owner *owner, uv_loop_t *loop,
                  struct col_intake *intake) HD_MUST_USE;
/* Saves the position, then calls `closed`: the feed's timer may be closed and the feed
 * finished. */
void col_feed_close(struct col_feed *feed, void (*closed)(void *ctx), void *ctx);
void col_feed_fini(struct col_feed *feed);

/* Starts again at the first entry that is not acknowledged. */
int col_feed_rewind(struct col_feed *feed) HD_MUST_USE;
/* After rewind: passes over what a correlator holds already. */
int col_feed_skip_to(struct col_feed *feed, uint64_t last_durable) HD_MUST_USE;

/* Loads the next entry into feed->entry unless one is at hand; where the spool goes on
 * behind it. HD_EAGAIN: none yet. */
int col_feed_peek(struct col_feed *feed, struct hd_journal_cursor *after) HD_MUST_USE;
/* The entry at hand was sent. */
void col_feed_sent(struct col_feed *feed);
/* Everything before `after`, which is up to the record `last`, is acknowledged. */
void col_feed_acked(struct col_feed *feed, const struct hd_journal_cursor *after,
                    uint64_t last, uint64_t bytes);

/* What is in the spool and not acknowledged, whatever was sent of it. */
struct col_feed_rest {
    uint64_t entries, bytes, lines;
};
void col_feed_rest(const struct col_feed *feed, struct col_feed_rest *out);
/* Nothing waits to be sent. */
bool col_feed_is_empty(const struct col_feed *feed);
/* Time of the oldest record that waits to be sent, or 0. Only while no entry is being
 * sent: it moves the reader there and back. */
int64_t col_feed_oldest_ns(struct col_feed *feed, uint64_t *first);
