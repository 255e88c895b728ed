/* SPDX-License-Identifier: Apache-2.0
 *
 * The protocol between agent and correlator (docs/formats/wire.md), over TLS with client
 * certificates. Frames are big-endian: u32 length of what follows (1..HD_WIRE_FRAME_MAX),
 * u8 type, body. Pure codec: no sockets here.
 *
 *     agent                         correlator
 *     HELLO  -------------------->
 *            <--------------------  WELCOME (credits, last durable sequence)
 *     BATCH  -------------------->  (at most `credits` bytes unacknowledged)
 *            <--------------------  ACK (contiguous and durable up to, credits)
 *     HEARTBEAT ----------------->  (state of the agent, every 10 s)
 *            <--------------------  HEARTBEAT (empty)
 *     BYE    <------------------->  (code, text)
 */
#pragma once
#include <stdint.h>

#include <haidang/batch.h>
#include <haidang/buf.h>
#include <haidang/parse.h>

#define HD_WIRE_VERSION   1U
#define HD_WIRE_FRAME_MAX (HD_BATCH_WIRE_MAX + 1024U)

enum hd_wire_type {
    HD_WIRE_HELLO = 1,
    HD_WIRE_WELCOME = 2,
    HD_WIRE_BATCH = 3,
    HD_WIRE_ACK = 4,
    HD_WIRE_HEARTBEAT = 5,
    HD_WIRE_BYE = 6,
};

enum hd_wire_bye {
    HD_WIRE_BYE_NORMAL = 0,
    HD_WIRE_BYE_VERSION = 1,  /* text names the versions spoken */
    HD_WIRE_BYE_IDENTITY = 2, /* agent name does not match the certificate */
    HD_WIRE_BYE_PROTOCOL = 3,
    HD_WIRE_BYE_FULL = 4, /* the archive cannot take more: back off */
    HD_WIRE_BYE_BUSY = 5, /* too many handshakes: back off */
    HD_WIRE_BYE_SHUTDOWN = 6,
};

struct hd_wire_hello {
    uint16_t version_min, version_max;
    struct hd_slice agent, boot, program; /* program: "haidang-agent 0.1.0" */
    uint64_t first_spooled; /* oldest sequence still in the spool; 0 = spool empty */
    uint64_t last_spooled;
    uint64_t acknowledged; /* by any correlator, up to here; 0 = none, or not known */
};

struct hd_wire_welcome {
    uint16_t version;
    uint32_t credits;      /* bytes of BATCH frames that may be unacknowledged */
    uint64_t last_durable; /* of this (agent, boot); 0 = none */
};

struct hd_wire_batch {
    uint64_t first, last;
    int64_t time_min, time_max;
    uint32_t count, raw_len;
    uint32_t crc32c; /* of payload */
    struct hd_slice payload;
};

struct hd_wire_ack {
    uint64_t last_durable;
    uint32_t credits;
};

/* State an agent reports: (metric, value) pairs; unknown metrics are kept by number. */
#define HD_WIRE_STATS_MAP(X)                                                             \
    X(HD_WIRE_STAT_WALL_NS, 1, "wall_ns")                                                \
    X(HD_WIRE_STAT_SPOOL_BYTES, 2, "spool_bytes")                                        \
    X(HD_WIRE_STAT_SPOOL_OLDEST_NS, 3, "spool_oldest_ns")                                \
    X(HD_WIRE_STAT_LINES, 4, "lines")                                                    \
    X(HD_WIRE_STAT_BYTES, 5, "bytes")                                                    \
    X(HD_WIRE_STAT_DROPPED, 6, "dropped")                                                \
    X(HD_WIRE_STAT_TRUNCATED, 7, "truncated")                                            \
    X(HD_WIRE_STAT_RSS_BYTES, 8, "rss_bytes")                                            \
    X(HD_WIRE_STAT_CPU_MS, 9, "cpu_ms")                                                  \
    X(HD_WIRE_STAT_LAST_SPOOLED, 10, "last_spooled")
#define HD_WIRE_STAT_ENUM(name, value, text) name = value,
enum hd_wire_stat { HD_WIRE_STATS_MAP(HD_WIRE_STAT_ENUM) HD_WIRE_STAT_END };
#undef HD_WIRE_STAT_ENUM

struct hd_wire_heartbeat {
    uint16_t n; /* <= 64 */
    struct hd_wire_stat_value {
        uint16_t stat;
        uint64_t value;
    } stats[64];
};

struct hd_wire_bye_body {
    uint16_t code;
    struct hd_slice text; /* for people; untrusted */
};

struct hd_wire_frame {
    enum hd_wire_type type;
    union {
        struct hd_wire_hello hello;
        struct hd_wire_welcome welcome;
        struct hd_wire_batch batch;
        struct hd_wire_ack ack;
        struct hd_wire_heartbeat heartbeat;
        struct hd_wire_bye_body bye;
    } u;
};

/* One frame from the start of `in`; *used bytes were taken. Slices view `in`. A frame of
 * an unknown type (a newer peer) is HD_PARSE_OK with that type and no body. A length over
 * the cap or a body that does not parse is HD_PARSE_BAD. */
enum hd_parse hd_wire_decode(struct hd_slice in, struct hd_wire_frame *frame,
                             size_t *used);

/* Bytes the frame at the start of `in` will take in all, or 0 when its length is unknown.
 */
size_t hd_wire_frame_len(struct hd_slice in);

void hd_wire_encode(struct hd_buf *out, const struct hd_wire_frame *frame);
