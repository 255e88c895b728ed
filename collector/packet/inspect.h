/* SPDX-License-Identifier: Apache-2.0
 *
 * The packet engine: frames in, records out. It knows neither libpcap nor the loop: a
 * source, a test or a fuzzer feeds it. Bounded in every direction: flows, buffers, work
 * per frame. One thread; time is the frames'.
 */
#pragma once
#include <stdint.h>

#include "collector/packet/flow.h"
#include <haidang/err.h>
#include <haidang/slice.h>

struct col_packet_stats {
    uint64_t frames;
    uint64_t bytes;           /* of the frames as they were sent */
    uint64_t records;         /* written */
    uint64_t not_ip;          /* frames that carry no IP */
    uint64_t other;           /* packets of transports that are not followed */
    uint64_t fragments;       /* later ones, which are not put together */
    uint64_t cut;             /* frames that end inside a header */
    uint64_t malformed;       /* packets with contradicting headers */
    uint64_t flows;           /* begun */
    uint64_t flows_open;      /* now */
    uint64_t flows_evicted;   /* ended early because the table was full */
    uint64_t units_malformed; /* messages of a protocol that do not parse */
    uint64_t units_lost;      /* given up: bytes missing, too long, no buffer left */
    uint64_t failed;          /* flows or records lost for want of memory */
};

struct col_inspect_opts {
    uint32_t flows_max;                /* 0 = 65536 */
    int64_t idle_ns[COL_FLOW_CLASSES]; /* 0 = default */
    uint16_t buffers_max;              /* units waiting for the rest; 0 = 64 (512 KiB) */
    uint16_t community_seed;
    const char *interface; /* in_iface; borrowed, NULL = none */
    /* One record, without a newline; valid in the call. */
    void (*emit)(void *ctx, struct hd_slice line);
    void *ctx;
};

struct col_captured {
    int64_t ns;        /* captured */
    uint32_t wire_len; /* as it was sent */
    int link;          /* enum col_link */
    struct hd_slice bytes;
};

struct col_inspector;
int col_inspector_new(const struct col_inspect_opts *opts,
                      struct col_inspector **out) HD_MUST_USE;
void col_inspector_free(struct col_inspector *in); /* says nothing of open flows */

void col_inspect_frame(struct col_inspector *in, const struct col_captured *frame);
/* Time passes without frames: ends at most `limit` idle flows; how many. */
unsigned col_inspect_tick(struct col_inspector *in, int64_t now_ns, unsigned limit);
/* The capture is over: ends at most `limit` flows; 0 = none was left. */
unsigned col_inspect_flush(struct col_inspector *in, unsigned limit);
/* When the next flow would be idle; INT64_MAX when none is open. */
int64_t col_inspect_deadline(const struct col_inspector *in);

void col_inspect_stats(const struct col_inspector *in, struct col_packet_stats *out);
