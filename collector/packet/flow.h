/* SPDX-License-Identifier: Apache-2.0
 *
 * The flow table: who talks to whom, both directions in one entry. Bounded: at most
 * `max` flows, allocated in slabs as they come; when full the flow that was idle for
 * longest, of the least established kind, gives way and is counted. Time comes from the
 * packets. One thread.
 *
 *     lookup -> (new? announce it) -> update -> (closed? announce it) ... expire -> ended
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "collector/packet/packet.h"
#include <haidang/err.h>

#define COL_FLOW_NONE   UINT32_MAX
#define COL_STREAM_NONE UINT16_MAX

enum col_dir { COL_TO_SERVER = 0, COL_TO_CLIENT = 1 };

/* Time-out classes, in the order in which flows give way. */
enum col_flow_class {
    COL_FLOW_LINGER,   /* TCP closed and announced; swallows late packets */
    COL_FLOW_HALF,     /* TCP opening, or closing */
    COL_FLOW_DATAGRAM, /* UDP, ICMP */
    COL_FLOW_OPEN,     /* TCP established */
    COL_FLOW_CLASSES,
};

enum col_flow_end {
    COL_END_CLOSED,   /* FIN both ways, or RST */
    COL_END_TIMEOUT,  /* idle */
    COL_END_FORCED,   /* gave way to a new flow */
    COL_END_SHUTDOWN, /* capture ends */
};

/* Endpoints in a canonical order, so that both directions have one key. */
struct col_flow_key {
    struct hd_ip ip[2];
    uint16_t port[2];
    uint16_t vlan[COL_PACKET_VLANS_MAX];
    uint8_t proto;
    uint8_t vlans;
    uint8_t icmp; /* 1 + type of an ICMP message that is no echo */
    uint8_t zero;
};

enum col_stream_state {
    COL_STREAM_FRESH,  /* the next segment says where the stream begins */
    COL_STREAM_SYNCED, /* next_seq is known */
    COL_STREAM_LOST,   /* bytes are missing: go on at the next segment */
    COL_STREAM_DONE,   /* nothing more is wanted in this direction */
};

/* What a byte stream needs, see stream.h. */
struct col_flow_stream {
    uint32_t next_seq; /* of the first byte not consumed */
    uint32_t skip;     /* bytes from there that nobody wants */
    uint16_t buf;      /* index in the pool, or COL_STREAM_NONE */
    uint8_t state;     /* enum col_stream_state */
};

struct col_flow_side {
    uint64_t packets, bytes;
    struct col_flow_stream stream;
    uint8_t tcp_flags; /* all that were seen */
};

struct col_flow {
    struct col_flow_key key;
    uint32_t hash_next, lru_prev, lru_next; /* indices */
    uint32_t hash;
    int64_t start_ns, last_ns;
    uint64_t id;
    struct col_flow_side side[2]; /* by enum col_dir */
    uint8_t client;               /* which of key.ip is the client */
    uint8_t class_;               /* enum col_flow_class */
    uint8_t icmp_type, icmp_code; /* of the first message */
    uint8_t app;                  /* dissector, see dissect.h */
    uint8_t probes;               /* times that dissectors were asked */
    uint8_t app_state;            /* the dissector's own */
    bool is_resync[2];            /* the dissector looks for a unit's start again */
    bool is_announced_end;
};

struct col_flow_opts {
    uint32_t max;                      /* flows; 0 = 65536 */
    int64_t idle_ns[COL_FLOW_CLASSES]; /* 0 = default */
    /* The flow leaves the table after the call. It was announced when is_announced_end.
     */
    void (*ended)(void *ctx, struct col_flow *flow, enum col_flow_end how);
    void *ctx;
};

struct col_flow_table;
int col_flow_table_new(const struct col_flow_opts *opts,
                       struct col_flow_table **out) HD_MUST_USE;
void col_flow_table_free(struct col_flow_table *t); /* says nothing of what is inside */

/* The packet's flow and direction, made when there is none (*is_new). NULL when out of
 * memory. Valid until the next lookup, expire or flush. */
struct col_flow *col_flow_lookup(struct col_flow_table *t, const struct col_packet *p,
                                 enum col_dir *dir, bool *is_new);
/* Counts the packet; true when it ends the flow (TCP), which then only lingers. */
bool col_flow_update(struct col_flow_table *t, struct col_flow *flow, enum col_dir dir,
                     const struct col_packet *p);

/* Ends at most `limit` idle flows; how many. A flow that claims a last packet far in the
 * future (the clock was set back) is idle too. */
unsigned col_flow_expire(struct col_flow_table *t, int64_t now_ns, unsigned limit);
/* Ends at most `limit` flows whatever their age; how many. */
unsigned col_flow_flush(struct col_flow_table *t, unsigned limit);
/* When the next flow would be idle; INT64_MAX when there is none. */
int64_t col_flow_deadline(const struct col_flow_table *t);

/* The latest time that was told, by a packet or an expiry. */
int64_t col_flow_now(const struct col_flow_table *t);

uint32_t col_flow_count(const struct col_flow_table *t);
uint64_t col_flow_evicted(const struct col_flow_table *t);

static inline const struct hd_ip *col_flow_ip(const struct col_flow *f, enum col_dir dir)
{
    return &f->key.ip[dir == COL_TO_SERVER ? f->client : 1 - f->client];
}
static inline uint16_t col_flow_port(const struct col_flow *f, enum col_dir dir)
{
    return f->key.port[dir == COL_TO_SERVER ? f->client : 1 - f->client];
}
