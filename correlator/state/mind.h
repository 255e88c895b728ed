/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of hits: they are correlated, repeats are held back, what is news becomes
 * an alert and is queued. The mind owns the rules in force and everything that remembers
 * something about events. It has no thread, no loop and no clock: the same messages in
 * the same order bring forth the same alerts. State thread.
 */
#pragma once
#include "correlator/canary/canaries.h"
#include "correlator/detect/hit.h"
#include "correlator/state/evidence.h"
#include "correlator/state/memory.h"
#include "correlator/state/noise.h"
#include "correlator/state/outlet.h"

struct cor_state_opts;

struct cor_mind {
    struct cor_rules *rules; /* in force */
    uint64_t generation;     /* of them: later ones are larger */
    uint64_t refused;        /* generation that could not be taken up; 0 = none */
    struct cor_noise_opts noise;
    struct cor_outlet out;
    struct cor_memory memory;
    struct cor_evidence *evidence;
    struct cor_losses *losses; /* borrowed; NULL: nobody wants to know */
    struct cor_canaries *canaries;
    uint64_t evicted;  /* groups of which somebody was told */
    uint32_t remember; /* ids of alerts */

    const struct cor_event *event; /* the hit at hand */
    const struct cor_event *moved; /* it comes of another set, and has been adapted */
    bool is_warm_up;
    int64_t taken_ns; /* of the message at hand */
};

struct cor_mind_needs {
    struct cor_rules *rules;            /* it takes a reference of its own */
    struct cor_enrich *enrich;          /* the same */
    bool (*wait_for_memory)(void *ctx); /* false: this process is to end without */
    void *ctx;
};

/* Opens the alert journal, takes over what the process before remembered and reads the
 * newest alerts (blocking). `why`: what failed; fini is needed then, too. */
int cor_mind_init(struct cor_mind *m, const struct cor_state_opts *opts,
                  const struct cor_mind_needs *needs, char why[256]) HD_MUST_USE;
void cor_mind_fini(struct cor_mind *m);

/* Everything in a message but the time it brings. */
void cor_mind_take(struct cor_mind *m, const struct cor_hits *hits);
/* What a snapshot of now is made of. */
struct cor_remembered cor_mind_remembered(const struct cor_mind *m);
/* Alerts since the last snapshot are a good part of the ids that are remembered: were
 * they more, a replay would publish some again. It may raise as many new ones, by rules
 * that were loaded meanwhile. */
bool cor_mind_wants_snapshot(const struct cor_mind *m);
/* One was begun. */
void cor_mind_kept(struct cor_mind *m);
/* Does the message say how far the detector has come? Time moves between batches: within
 * one it would move with messages, and so with whatever other rules hit. */
bool cor_mind_moves_time(const struct cor_hits *hits);
/* Every detector has come as far: tests the windows that have ended. */
void cor_mind_advance(struct cor_mind *m, int64_t watermark_ns);
