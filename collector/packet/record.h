/* SPDX-License-Identifier: Apache-2.0
 *
 * Records: one JSON object a line with the field names of Suricata's EVE output. In every
 * record src is the client and dest the server. One thread; one buffer for all records.
 */
#pragma once
#include <stdint.h>

#include "collector/packet/community_id.h"
#include "collector/packet/flow.h"
#include <haidang/buf.h>
#include <haidang/json.h>

struct col_recorder {
    /* One line, without a newline; valid in the call. */
    void (*emit)(void *ctx, struct hd_slice line);
    void *ctx;
    const char *interface; /* in_iface; borrowed, NULL = none */
    struct hd_buf buf;
    struct col_community community;
    uint64_t failed; /* records that were lost for want of memory */
};

int col_recorder_init(struct col_recorder *r, uint16_t seed) HD_MUST_USE;
void col_recorder_fini(struct col_recorder *r);

/* Opens the object and writes the common members. */
struct hd_json col_record_begin(struct col_recorder *r, const struct col_flow *flow,
                                int64_t ns, const char *event_type);
void col_record_end(struct col_recorder *r, struct hd_json *j);

/* event_type flow, state "new". */
void col_record_flow_new(struct col_recorder *r, const struct col_flow *flow);
/* state "closed" or "timeout", with the reason, the counts and the TCP flags. The
 * record's time is `ns`, when the end was noticed: not in the past, so that windows over
 * event time hold. `app` is the application protocol's name or NULL. */
void col_record_flow_end(struct col_recorder *r, const struct col_flow *flow, int64_t ns,
                         enum col_flow_end how, const char *app);
