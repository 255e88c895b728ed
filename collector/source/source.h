/* SPDX-License-Identifier: Apache-2.0
 *
 * The seam between sources and the rest of the agent. To add a source: one file here that
 * calls a sink, one row in sources.c. Agent loop thread only.
 */
#pragma once
#include <stdbool.h>
#include <uv.h>

#include <haidang/batch.h>
#include <haidang/err.h>

/* Where lines go. A sink copies; the line is valid during the call only. */
struct col_sink {
    /* HD_OK: taken (will be spooled). HD_EFULL: not taken; pause the source and call
     * again after `resume`. UDP sources count a drop instead. */
    int (*add)(void *ctx, const struct hd_batch_source *source, int64_t recv_ns,
               unsigned flags, struct hd_slice line);
    /* "All lines of stream `key` up to `mark` have been added": becomes durable together
     * with them and is given back by `last_mark` after a restart. Small (<= 256 bytes).
     */
    void (*mark)(void *ctx, struct hd_slice key, struct hd_slice mark);
    /* The durable mark of a stream, empty when there is none. Valid in the call. */
    struct hd_slice (*last_mark)(void *ctx, struct hd_slice key);
    void *ctx;
};

struct col_source; /* a running source; the first member is its ops */

struct col_source_stats {
    uint64_t lines, bytes, dropped, truncated;
    const char *state; /* "open", "paused", "waiting for the file", ... for people */
};

struct col_source_ops {
    const char *kind; /* as in struct hd_batch_source */
    void (*pause)(struct col_source *source);
    void (*resume)(struct col_source *source);
    void (*stats)(const struct col_source *source, struct col_source_stats *out);
    /* Flushes what it holds into the sink, closes its handles, then calls `closed` and
     * frees itself. */
    void (*close)(struct col_source *source, void (*closed)(void *ctx), void *ctx);
};

struct col_source {
    const struct col_source_ops *ops;
    char *name; /* path, listener, interface */
};
