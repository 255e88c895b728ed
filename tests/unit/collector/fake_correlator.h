/* SPDX-License-Identifier: Apache-2.0
 *
 * A scripted correlator: a TLS listener on the test's loop that speaks the wire protocol,
 * keeps what it is sent like a real one (by sequence, duplicates dropped) and misbehaves
 * on request.
 */
#pragma once
#include "tests/support/support.h"

#include <uv.h>

#include <haidang/batch.h>
#include <haidang/stream.h>
#include <haidang/wire.h>

#define FAKE_CONNS_MAX 16

struct fake_correlator;

struct fake_peer {
    struct fake_correlator *owner;
    struct hd_stream *stream;
    struct hd_buf in;
    bool is_used, is_cut;
};

struct fake_correlator {
    uv_loop_t *loop;
    struct hd_tls *tls;
    struct hd_listener *listener;
    uint16_t port;
    struct hd_batch_reader *reader;
    struct fake_peer peers[FAKE_CONNS_MAX];
    /* behaviour */
    uint32_t credits;
    bool acks_nothing;       /* keeps, but does not say so */
    int bye;                 /* answer to HELLO: enum hd_wire_bye; -1 = WELCOME */
    uint16_t version;        /* in WELCOME */
    unsigned drop_after;     /* batches of a connection, then it is cut; 0 = never */
    uint64_t over_ack;       /* added to the sequence in ACK */
    struct hd_slice garbage; /* sent instead of WELCOME */
    bool sends_unknown;      /* a frame of a future type before each ACK */
    /* what came */
    unsigned hellos, batches, repeats, gaps, heartbeats, byes, connections;
    unsigned batches_here; /* of the connection at hand */
    char boot[33], agent[64];
    uint64_t last; /* durable here */
    uint64_t in_flight_max, first_spooled, last_spooled, acknowledged;
    void (*line)(void *ctx, const struct hd_batch_record *record,
                 const struct hd_batch_source *source);
    void *ctx;
};

/* Certificates from hd_test_pki(); port 0 = any. */
void fake_correlator_open(struct fake_correlator *fc, uv_loop_t *loop, const char *pki,
                          uint16_t port);
/* Cuts all connections; the listener goes, too. Run the loop afterwards. */
void fake_correlator_close(struct fake_correlator *fc);
/* Acknowledges what was kept while it said nothing. */
void fake_correlator_ack(struct fake_correlator *fc);
/* Cuts the connections. */
void fake_correlator_cut(struct fake_correlator *fc);
bool fake_correlator_is_busy(const struct fake_correlator *fc);
