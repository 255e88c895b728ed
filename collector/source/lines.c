/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/lines.h"

#include <haidang/clock.h>

#include "collector/metrics.h"

void col_lines_init(struct col_lines *l, enum col_framing framing, size_t line_max,
                    const struct col_sink *sink, const struct hd_batch_source *source,
                    struct col_source_stats *stats)
{
    *l = (struct col_lines){.sink = sink, .source = source, .stats = stats};
    col_framer_init(&l->framer, framing, line_max);
    hd_buf_init(&l->rest, col_framer_need(&l->framer) + COL_LINES_EXTRA);
}

void col_lines_fini(struct col_lines *l)
{
    hd_buf_fini(&l->rest);
}

static int add(struct col_lines *l, const struct col_frame *frame, int64_t now_ns)
{
    unsigned flags = frame->is_truncated ? HD_BATCH_TRUNCATED : 0;
    int (*take)(void *, const struct hd_batch_source *, int64_t, unsigned,
                struct hd_slice) = l->is_ending ? l->sink->add : l->sink->add_stream;
    int err = take(l->sink->ctx, l->source, now_ns, flags, frame->line);
    if (err == HD_EFULL) {
        return err;
    }
    l->stats->lines++;
    l->stats->bytes += frame->line.len;
    l->stats->truncated += frame->is_truncated;
    return HD_OK;
}

/* Takes frames from the start of `in`; *used bytes are done with. A frame that the sink
 * refuses is put back. */
static int take_frames(struct col_lines *l, struct hd_slice in, size_t *used)
{
    int64_t now_ns = hd_clock_wall_ns();
    uint64_t skipped = l->framer.skipped;
    int err = HD_OK;
    *used = 0;
    while (err == HD_OK) {
        struct col_framer before = l->framer;
        struct col_frame frame;
        size_t taken;
        enum hd_parse got =
            col_framer_next(&l->framer, hd_slice_from(in, *used), &frame, &taken);
        if (got == HD_PARSE_OK) {
            err = add(l, &frame, now_ns);
        }
        if (err != HD_OK) {
            l->framer = before;
            break;
        }
        *used += taken;
        if (got != HD_PARSE_OK) {
            break;
        }
    }
    COL_COUNT(COL_SKIPPED_BYTES, l->framer.skipped - skipped);
    l->is_full = err == HD_EFULL;
    return err;
}

static void lose(struct col_lines *l, enum hd_loss_kind kind, uint64_t bytes)
{
    l->stats->dropped++;
    COL_COUNT(COL_DROPPED, 1);
    l->sink->lost(l->sink->ctx, l->source, kind, 1, bytes);
}

/* What cannot be kept is lost; what was kept before is not. */
static int keep(struct col_lines *l, struct hd_slice data)
{
    hd_buf_slice_add(&l->rest, data);
    int err = l->rest.err;
    if (err != HD_OK) {
        l->rest.err = HD_OK;
        lose(l, HD_LOSS_STREAM, data.len);
    }
    return err;
}

int col_lines_retry(struct col_lines *l)
{
    size_t used;
    int err = take_frames(l, hd_buf_slice(&l->rest), &used);
    hd_buf_consume(&l->rest, used);
    if (l->rest.len == 0) {
        hd_buf_fini(&l->rest); /* an idle stream holds no buffer */
    }
    return err;
}

int col_lines_feed(struct col_lines *l, struct hd_slice data)
{
    if (l->is_full || l->rest.len > 0) {
        int kept = keep(l, data);
        if (kept != HD_OK) {
            return kept;
        }
        return l->is_full ? HD_EFULL : col_lines_retry(l);
    }
    size_t used;
    int err = take_frames(l, data, &used);
    int kept = keep(l, hd_slice_from(data, used));
    return kept != HD_OK ? kept : err;
}

void col_lines_end(struct col_lines *l)
{
    struct col_frame frame;
    struct hd_slice rest;
    l->is_ending = true; /* what waits for the spool now would wait for ever */
    while (col_lines_retry(l) == HD_EFULL) {
        size_t used;
        (void)col_framer_next(&l->framer, hd_buf_slice(&l->rest), &frame, &used);
        hd_buf_consume(&l->rest, used);
        lose(l, HD_LOSS_SPOOL_FULL, used);
    }
    rest = hd_buf_slice(&l->rest);
    if (col_framer_end(&l->framer, rest, &frame) == HD_PARSE_OK &&
        add(l, &frame, hd_clock_wall_ns()) != HD_OK) {
        lose(l, HD_LOSS_SPOOL_FULL, frame.line.len);
    }
    hd_buf_clear(&l->rest);
}
