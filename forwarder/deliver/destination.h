/* SPDX-License-Identifier: Apache-2.0
 *
 * One destination: reads the alert journal at its own position and brings each alert
 * there, one at a time and in order:
 *
 *     next alert -> render -> receipt "begun" durable -> POST -> receipt of the answer
 *     durable -> position moves on
 *
 * so an alert is sent again only when it may not have arrived, and never passed over.
 * Loop thread.
 */
#pragma once
#include <uv.h>

#include <haidang/buf.h>

#include "forwarder/deliver/http.h"
#include "forwarder/receipt.h"
#include "forwarder/setup.h"

struct fwd_destination;

struct fwd_destination_opts {
    uv_loop_t *loop;
    const char *alerts_dir;             /* borrowed */
    const struct hd_journal_keys *keys; /* of the alerts, borrowed; NULL: none */
    struct fwd_http *http;              /* borrowed */
    struct fwd_receipts *receipts;      /* borrowed, until `freed` */
    void (*freed)(void *ctx);           /* after close: gone */
    void *ctx;
};

/* own: `setup` is taken, also on failure. `why` says what failed. */
int fwd_destination_open(const struct fwd_destination_opts *opts, struct fwd_setup *setup,
                         struct fwd_destination **out, char why[256]) HD_MUST_USE;
/* Abandons a request in flight. `freed` comes when the receipts have answered. */
void fwd_destination_close(struct fwd_destination *dest);

/* New files: takes `setup`; whoever waits tries at once. */
void fwd_destination_reload(struct fwd_destination *dest, struct fwd_setup *setup);

const char *fwd_destination_name(const struct fwd_destination *dest);
uint64_t fwd_destination_pending(const struct fwd_destination *dest);
/* Seconds since it began to take nothing; 0 = all well. */
uint64_t fwd_destination_failing_s(const struct fwd_destination *dest);
bool fwd_destination_is_stopped(const struct fwd_destination *dest);
/* "" or what is wrong, for people. */
const char *fwd_destination_problem(const struct fwd_destination *dest);
/* Appends its object of /status. */
void fwd_destination_status(const struct fwd_destination *dest, struct hd_buf *out);
