/* SPDX-License-Identifier: Apache-2.0
 *
 * What every byte-stream source does: bytes in, frames cut, lines into the sink, the rest
 * kept. Own: a buffer that holds at most one unfinished frame and what came while the
 * sink was full. Agent loop thread.
 */
#pragma once
#include <stdint.h>

#include <haidang/batch.h>
#include <haidang/buf.h>
#include <haidang/err.h>

#include "collector/source/framer.h"
#include "collector/source/source.h"

#define COL_LINES_EXTRA (256U << 10) /* may still come after the sink was full */

struct col_lines {
    struct col_framer framer;
    struct hd_buf rest;
    const struct col_sink *sink;
    const struct hd_batch_source *source; /* borrowed */
    struct col_source_stats *stats;       /* borrowed; counts here */
    bool is_full;                         /* the sink took no more; see retry */
    bool is_ending;
};

void col_lines_init(struct col_lines *l, enum col_framing framing, size_t line_max,
                    const struct col_sink *sink, const struct hd_batch_source *source,
                    struct col_source_stats *stats);
void col_lines_fini(struct col_lines *l);

/* HD_OK: taken. HD_EFULL: kept, but the sink is full: stop reading and call retry after
 * `resume`. HD_ELIMIT, HD_ENOMEM: the new bytes, or some of them, are lost and counted as
 * one drop: end the stream, or go on when nobody would send them again. */
int col_lines_feed(struct col_lines *l, struct hd_slice data) HD_MUST_USE;
int col_lines_retry(struct col_lines *l) HD_MUST_USE;

/* The stream has ended: an unfinished last line is a line. Lines that the sink does not
 * take now are counted as dropped. */
void col_lines_end(struct col_lines *l);
