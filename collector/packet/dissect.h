/* SPDX-License-Identifier: Apache-2.0
 *
 * The seam between the packet engine and the application protocols. To add a protocol:
 * one file with a row (pure parser, probe, feed), one line in dissectors.c, tests, a fuzz
 * target. A feed parses one unit, writes its record, and says how much it took; order,
 * buffering, gaps and time-outs are the engine's business.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "collector/packet/flow.h"
#include "collector/packet/record.h"
#include <haidang/parse.h>

enum col_next {
    COL_NEXT_UNIT,   /* another unit follows the bytes used */
    COL_NEXT_RESYNC, /* one may start at some later segment: probe them */
    COL_NEXT_PROBE,  /* what follows may be another protocol */
    COL_NEXT_DONE,   /* nothing more is wanted of this direction */
};

/* The surroundings of one call. */
struct col_dissect {
    struct col_flow *flow;
    enum col_dir dir;
    int64_t ns;
    struct col_recorder *recorder;
    bool is_cut; /* the unit is incomplete and stays so: this is all there will be */
    enum col_next next;
};

struct col_dissector {
    const char *name;   /* EVE's app_proto */
    uint8_t proto;      /* COL_PROTO_TCP: streams; COL_PROTO_UDP: datagrams */
    bool wants_answers; /* the bytes that the server sends, too */
    bool resyncs;       /* after a gap look for the start of a unit */
    /* Is this the protocol, judged by the first bytes (TCP: that the client sends)? */
    enum hd_parse (*probe)(const struct col_flow *flow, struct hd_slice head);
    /* One unit at the start of `in`. HD_PARSE_OK: *used (> 0) bytes, which may lie beyond
     * `in`: those are skipped. HD_PARSE_MORE: keep the bytes (streams). */
    enum hd_parse (*feed)(struct col_dissect *d, struct hd_slice in, uint32_t *used);
};

#define COL_APP_NONE 0U
/* Ids from 1; NULL behind the last. */
const struct col_dissector *col_dissector(uint8_t id);

const struct col_dissector *col_dns_udp(void);
const struct col_dissector *col_dns_tcp(void);
const struct col_dissector *col_tls_tcp(void);
const struct col_dissector *col_http_tcp(void);
