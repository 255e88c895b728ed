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
#include <haidang/loss.h>

struct col_conf_source;

/* Where lines go. A sink copies; the line is valid during the call only. */
struct col_sink {
    /* HD_OK: taken (will be spooled). HD_EFULL: not taken; pause the source and call
     * again after `resume`. UDP sources count a drop instead. */
    int (*add)(void *ctx, const struct hd_batch_source *source, int64_t recv_ns,
               unsigned flags, struct hd_slice line);
    /* The same, of a source that is_stream: HD_EFULL comes sooner, because the agent's
     * death takes what streams gave it and the spool has not. */
    int (*add_stream)(void *ctx, const struct hd_batch_source *source, int64_t recv_ns,
                      unsigned flags, struct hd_slice line);
    /* "All lines of stream `key` up to `mark` have been added": becomes durable together
     * with them and is given back by `last_mark` after a restart. Call it after each
     * add, before the next one: a batch may end between any two lines. Key and mark
     * together at most COL_MARK_MAX bytes; an empty mark forgets the stream. */
    void (*mark)(void *ctx, struct hd_slice key, struct hd_slice mark);
    /* The newest mark of a stream: the durable one after a start, later the last one set.
     * Empty when there is none. Valid in the call. */
    struct hd_slice (*last_mark)(void *ctx, struct hd_slice key);
    void *ctx;
    /* When that was asked for or set last before, wall clock, s; 0: there is none. */
    int64_t (*marked_s)(void *ctx, struct hd_slice key);
    /* The durable marks of the agent before whose keys begin so; for a source that
     * starts. `each` sets none. */
    void (*each_mark)(void *ctx, struct hd_slice prefix,
                      void (*each)(void *each_ctx, struct hd_slice key,
                                   struct hd_slice mark),
                      void *each_ctx);
    /* So much of the source was lost: becomes a record in the loss ledger. */
    void (*lost)(void *ctx, const struct hd_batch_source *source, enum hd_loss_kind kind,
                 uint64_t count, uint64_t bytes);
};

#define COL_MARK_MAX    256U
#define COL_SCRATCH_LEN ((size_t)1 << 20)

/* What a source is given when it is opened; outlives it. */
struct col_source_env {
    uv_loop_t *loop;
    const struct col_sink *sink;
    struct hd_slice host; /* of lines that arise on this server */
    struct hd_slice zone; /* this server's: "Asia/Ho_Chi_Minh" */
    size_t line_max;      /* longer lines are cut and marked HD_BATCH_TRUNCATED */
    uint8_t *scratch; /* COL_SCRATCH_LEN bytes that any source may use in a callback */
    /* A source that can end (standard input, a capture file) has delivered everything. */
    void (*at_end)(void *ctx);
    void *ctx;
};

struct col_source; /* a running source; the first member is its ops */

struct col_source_stats {
    uint64_t lines, bytes, dropped, truncated;
    uint64_t passed_over; /* names that match and are no files, now */
    const char *state;    /* "open", "paused", "waiting for the file", ... for people */
};

struct col_source_ops {
    const char *kind; /* as in struct hd_batch_source */
    /* What it has read nobody gives again, and what it has not read waits. */
    bool is_stream;
    void (*pause)(struct col_source *source);
    void (*resume)(struct col_source *source);
    void (*stats)(const struct col_source *source, struct col_source_stats *out);
    /* Flushes what it holds into the sink, closes its handles, then calls `closed` and
     * frees itself. */
    void (*close)(struct col_source *source, void (*closed)(void *ctx), void *ctx);
    /* SIGHUP: reads certificates again; NULL when there is nothing to read. */
    void (*reload)(struct col_source *source);
    /* Before the end: senders are asked to end their connections, and read until they
     * have, or a bounded time is over; then `drained`. NULL: nobody would notice. */
    void (*drain)(struct col_source *source, void (*drained)(void *ctx), void *ctx);
};

struct col_source {
    const struct col_source_ops *ops;
    char *name; /* path, listener, interface */
};

/* Opens a source and starts it. own: *out until its close. On failure `why` says what is
 * wrong and the code which exit code fits: HD_ETLS certificates, HD_EINVAL configuration,
 * HD_EACCES and HD_EBUSY an address or device that cannot be had. */
typedef int col_source_open(const struct col_source_env *env,
                            const struct col_conf_source *conf, struct col_source **out,
                            char why[256]);

col_source_open col_file_open;
col_source_open col_udp_open;
col_source_open col_tcp_open; /* plain and TLS */
col_source_open col_stdin_open;
col_source_open col_capture_open;
