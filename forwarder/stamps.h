/* SPDX-License-Identifier: Apache-2.0
 *
 * Time stamps (RFC 3161) for what the correlator asks, and we for the receipts: reads
 * requests (stamps/N.tsq), brings each to the time-stamping authority, verifies the reply
 * and puts it beside the request (N.tsr). Which is next: stamp_queue.h. Loop thread; the
 * disk is read and written aside.
 */
#pragma once
#include <uv.h>

#include <haidang/json.h>

#include "forwarder/conf.h"
#include "forwarder/deliver/http.h"

struct fwd_stamps;

struct fwd_stamps_opts {
    uv_loop_t *loop;
    struct fwd_http *http;
    const struct fwd_conf_timestamp *conf; /* borrowed */
    const char *own_dir;                   /* one more directory of requests; copied */
    void (*freed)(void *ctx);
    void *ctx;
};

/* The authority's certificates can be read. HD_EXIT_* code. */
int fwd_stamps_check(const struct fwd_conf_timestamp *conf, struct hd_diags *diags);

/* own: until `freed`, after close. */
int fwd_stamps_open(const struct fwd_stamps_opts *opts,
                    struct fwd_stamps **out) HD_MUST_USE;
/* Reads the certificates again; what waits is tried at once. */
void fwd_stamps_reload(struct fwd_stamps *stamps);
void fwd_stamps_close(struct fwd_stamps *stamps);

void fwd_stamps_refresh(const struct fwd_stamps *stamps);
void fwd_stamps_status(const struct fwd_stamps *stamps, struct hd_json *j);
/* What is wrong for longer than the alarm, into `text`; false: nothing. */
bool fwd_stamps_problem(const struct fwd_stamps *stamps, char text[384]);
