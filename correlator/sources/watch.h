/* SPDX-License-Identifier: Apache-2.0
 *
 * The watch over sources: takes what detectors have seen, looks at it every few seconds,
 * tells the state thread what people should know, saves the inventory aside and answers
 * /sources. Loop thread.
 */
#pragma once
#include <haidang/json.h>
#include <uv.h>

#include "correlator/detect/detector.h"
#include "correlator/intake/intake.h"
#include "correlator/sources/judge.h"
#include "correlator/state/state.h"

struct cor_watch;

struct cor_watch_opts {
    uv_loop_t *loop;
    struct cor_sources_opts sources;
    bool wants_alerts;
    const char *zone;          /* where a day begins; NULL = UTC */
    const char *file;          /* borrowed; where the inventory outlives the process */
    struct cor_intake *intake; /* borrowed: who is connected */
    struct cor_state *state;   /* borrowed: where alerts go */
    struct cor_detector *const *detectors; /* borrowed */
    unsigned n_detectors;
    struct cor_enrich *const *enrich; /* borrowed: the one in force */
};

/* Reads the file (blocking) and begins. own: *out until cor_watch_close. */
int cor_watch_open(const struct cor_watch_opts *opts, struct cor_watch **out) HD_MUST_USE;
/* Where detector i pushes what it has seen (struct cor_seen). */
struct hd_ring *cor_watch_ring(const struct cor_watch *watch, unsigned i);
/* Nothing that it borrowed is used any more. */
void cor_watch_stop(struct cor_watch *watch);
/* After the last detector has ended, and the state thread, which had published all that
 * it was told, or not: what is remembered as told must have been. Notes what they had
 * seen, saves the inventory, and frees itself when the loop has closed its handles. */
void cor_watch_close(struct cor_watch *watch, bool has_told);
void cor_watch_refresh(const struct cor_watch *watch); /* gauges */
/* All sources (docs/operations.md, "Which sources send"). */
void cor_watch_json(const struct cor_watch *watch, struct hd_buf *out);
