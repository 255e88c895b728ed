/* SPDX-License-Identifier: Apache-2.0
 *
 * What a detector sees of the sources of a batch: how many lines and bytes each sent, and
 * how far the times in its lines are from those at which the agent received them. Counted
 * while the batch is examined, handed over once a batch. A tally belongs to its detector.
 */
#pragma once
#include <haidang/batch.h>
#include <haidang/err.h>
#include <haidang/ring.h>

struct cor_tally;

struct cor_seen_source {
    struct hd_slice host, kind, name, peer; /* views of the block */
    uint64_t lines, bytes, last_seq;
    bool has_difference;
    int64_t difference_ns; /* event time less receive time; the median of a few */
};

/* One block, which moves from a detector to the loop; free() ends it. */
struct cor_seen {
    struct hd_slice agent, boot;
    int64_t taken_ns; /* when the correlator took the batch */
    uint16_t n;
    struct cor_seen_source sources[];
};

struct cor_tally_batch {
    struct hd_slice agent, boot;
    int64_t taken_ns;
    const struct hd_batch_source *sources;
    uint16_t n_sources;
};

int cor_tally_new(struct cor_tally **out) HD_MUST_USE;
void cor_tally_free(struct cor_tally *tally);
void cor_tally_begin(struct cor_tally *tally);
/* event_ns: 0 when the line has no time of its own. source < HD_BATCH_SOURCES_MAX. */
void cor_tally_line(struct cor_tally *tally, const struct hd_batch_record *record,
                    int64_t event_ns);
/* own: *out, free(); only sources that sent something are in it. */
int cor_tally_end(const struct cor_tally *tally, const struct cor_tally_batch *batch,
                  struct cor_seen **out) HD_MUST_USE;
/* Pushes it. Never holds detection up: what there is no room for is counted and missed.
 */
void cor_tally_tell(const struct cor_tally *tally, const struct cor_tally_batch *batch,
                    struct hd_ring *to);
/* Of at least one value; reorders them. */
int64_t cor_median(int64_t *values, unsigned n);
