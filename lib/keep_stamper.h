/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests for time stamps (RFC 3161): DIR/stamps/SEGMENT.tsq, over the SHA-256 of the
 * statement about a sealed segment. Whoever may talk to the outside, the forwarder, puts
 * the authority's reply beside it as SEGMENT.tsr. Blocking; one thread an object.
 */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define HD_STAMPER_WHY 384U

struct hd_stamper_state {
    uint64_t pending;         /* requests without a reply */
    int64_t oldest_ns;        /* when the oldest of them was made; 0 = there is none */
    uint64_t requested;       /* since the beginning */
    char why[HD_STAMPER_WHY]; /* what hinders; "" = nothing */
};

struct hd_stamper {
    const char *dir;  /* of the journal; borrowed */
    int64_t every_ns; /* one request in so long; 0 = for each segment */
    struct hd_stamper_state state;
};

/* Requests what is due, removes what belongs to segments that are gone, and counts what
 * waits. The statements form a chain, so that a stamp of one covers all before it: the
 * first request ever is for the newest segment only. */
void hd_stamper_step(struct hd_stamper *stamper);
