/* SPDX-License-Identifier: Apache-2.0
 *
 * The uplink: one connection to one correlator at a time, taken from an ordered list.
 * Reads the spool, sends inside the credit window, and lets go of entries only when they
 * are acknowledged. A lost connection resends what was not; the correlator drops what it
 * holds. Success is an acknowledgement (or an answered heartbeat), never a connection.
 *
 *     WAITING -> CONNECTING -> GREETING -> OPEN -> DRAINING (going back to a preferred
 * one) ^            |            |         |        |
 *        +------------+------------+---------+--------+
 *
 * Thread: agent loop. Timers run only while they are needed.
 */
#pragma once
#include <uv.h>

#include <haidang/json.h>
#include <haidang/tls.h>
#include <haidang/wire.h>

#include "collector/conf.h"
#include "collector/intake/intake.h"
#include "collector/uplink/feed.h"

struct col_uplink;

struct col_uplink_ops {
    /* Adds what the agent reports of itself to a heartbeat. */
    void (*report)(void *ctx, struct hd_wire_heartbeat *heartbeat);
    /* Something was acknowledged. */
    void (*on_acked)(void *ctx);
};

struct col_uplink_opts {
    uv_loop_t *loop;
    const struct col_conf_uplink *conf; /* borrowed for the uplink's life */
    const char *agent;
    struct col_intake *intake;
    const struct col_uplink_ops *ops;
    void *ctx;
};

/* Starts connecting. `why` for people; HD_ETLS, HD_ENOENT, HD_EACCES: certificates. */
int col_uplink_open(const struct col_uplink_opts *opts, struct col_uplink **out,
                    char why[256]) HD_MUST_USE;
/* Says BYE, saves the position, frees, then calls `closed`. */
void col_uplink_close(struct col_uplink *up, void (*closed)(void *ctx), void *ctx);

/* The spool has more. */
void col_uplink_kick(struct col_uplink *up);
/* Certificates changed on disk: the next connection uses them. */
void col_uplink_reload(struct col_uplink *up);

/* Everything in the spool is acknowledged. */
bool col_uplink_is_drained(const struct col_uplink *up);
/* Receive time of the oldest record that is not acknowledged; 0 = there is none. */
int64_t col_uplink_oldest_ns(struct col_uplink *up);

/* Member "uplink" of /status; and what is wrong, as strings of an open array. */
void col_uplink_status(struct col_uplink *up, struct hd_json *json);
void col_uplink_problems(const struct col_uplink *up, struct hd_json *json);
/* What the spool holds that is not acknowledged. */
void col_uplink_rest(const struct col_uplink *up, struct col_feed_rest *out);
