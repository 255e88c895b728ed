/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks whether a preferred correlator can be reached again, without letting go of the
 * one in use: a TLS connection that is closed as soon as it is open. Agent loop thread.
 */
#pragma once
#include <uv.h>

#include <haidang/stream.h>
#include <haidang/tls.h>

#include "collector/conf.h"

struct col_probe {
    struct hd_stream *stream; /* NULL = not running */
    uv_loop_t *loop;
    const struct col_conf_uplink *conf;
    struct hd_tls *tls;
    size_t target, end; /* tries target, target + 1, ... end - 1 */
    bool is_reached, is_cancelled;
    /* target < end: it answers; = end: none of them. Not after a cancel. */
    void (*done)(void *ctx, size_t target);
    /* The last callback after a cancel. */
    void (*cancelled)(void *ctx);
    void *ctx;
};

/* Connects to a correlator of the list. */
int col_uplink_dial(uv_loop_t *loop, const struct col_conf_uplink *conf, size_t target,
                    struct hd_stream_opts *opts, struct hd_stream **out) HD_MUST_USE;

/* Tries the correlators before `end`. */
void col_probe_start(struct col_probe *probe, size_t end);
/* True: `cancelled` will be called. */
bool col_probe_cancel(struct col_probe *probe);
