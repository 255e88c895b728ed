/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of the state thread, for its own files: state.c (start, end, what others
 * ask), drain.c (messages are taken, alerts made durable), keep.c (snapshots). What
 * becomes of a hit is the mind's (mind.h).
 */
#pragma once
#include <stdatomic.h>

#include <haidang/loop.h>

#include "correlator/state/mind.h"
#include "correlator/state/state.h"

struct cor_feed { /* one detector */
    struct cor_state *state;
    struct cor_detector *detector;
    struct hd_ring *hits;
    struct hd_journal_cursor cursor; /* behind what was taken, not yet durable */
    bool has_cursor;                 /* it has moved */
    bool is_placed;                  /* there is one */
    bool is_inside;                  /* some of the next batch was taken, too */
    bool is_attached, is_over;
    int64_t watermark_ns;
};

struct cor_state {
    uv_loop_t loop;
    bool has_loop, has_thread, is_joined;
    uv_thread_t thread;
    struct hd_owner owner;
    uv_timer_t retry;
    uv_async_t wake_async;
    uv_timer_t save_timer;
    atomic_bool is_stopping;
    bool gave_up; /* for lack of memory: nothing taken since is durable */
    _Atomic int trouble;
    atomic_bool is_ledger; /* it is the loss ledger that cannot be written */
    struct cor_feed feeds[COR_DETECTORS_MAX];
    unsigned n_feeds, n_ended, n_over;
    struct hd_ring *enrich_ring, *notices;

    struct cor_mind mind;
    struct cor_saver *saver; /* NULL: nothing outlives the process */
    bool wants_save, is_changed, is_ending;
};

static inline bool cor_state_is_blocked(const struct cor_state *s)
{
    return atomic_load(&s->trouble) != HD_OK;
}

/* ---- state.c ---- */

/* Lets the loop end. */
void cor_state_close(struct cor_state *s);

/* ---- drain.c ---- */

void cor_feed_on_hits(void *feed);
void cor_state_on_notices(void *state);
void cor_state_on_losses(void *state);
void cor_state_drain_all(struct cor_state *s);
/* Everything that was taken is durable, or given up: all detectors may go. */
void cor_state_dismiss(struct cor_state *s);
/* All detectors have ended: keeps a last snapshot, then dismisses them. */
void cor_state_end(struct cor_state *s);

/* ---- keep.c ---- */

/* What was taken ends with a batch. */
bool cor_feed_is_between(const struct cor_feed *f);
/* Begins a snapshot if one can be taken now. */
void cor_state_keep(struct cor_state *s);
void cor_state_on_saved(void *state, int err, const struct cor_cursors *cursors);
void cor_state_on_save_timer(uv_timer_t *timer);
