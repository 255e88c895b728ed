/* SPDX-License-Identifier: Apache-2.0
 *
 * How much may be on its way to the disk, whatever memory there is. What comes beyond
 * that waits with the agents that sent it, who take turns; so a flood waits behind its
 * own lines and not in front of everybody else's.
 *
 * The bound is what the disk writes in the time that a batch may wait: 0.2 s, or a few
 * syncs where a sync alone takes long, because a batch waits for the sync under way and
 * for its own, and what a group carries must be worth them. How fast the disk is, is
 * measured while somebody has to wait; what a sync alone costs, by a batch that is sent
 * alone now and then. Pure; time is given. Loop thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* What the disk took, in how many groups (each one sync), and for how long. */
struct cor_pace_sample {
    uint64_t bytes, ms;
    unsigned groups;
};

struct cor_pace {
    uint64_t max; /* the bound never exceeds it */
    uint64_t limit;
    uint64_t queued;
    uint64_t sync_ms;               /* what a sync alone takes */
    bool is_alone;                  /* what is on its way met nothing and nobody came */
    uint64_t lone_ms;               /* when a batch was last timed alone */
    struct cor_pace_sample lone[2]; /* and how that went; the last one first */
    struct cor_pace_sample round;   /* since round_ms, until what came then is durable */
    uint64_t round_ms, group_ms;    /* when the last group was durable */
    bool is_over, is_short;         /* that round; the bound made somebody wait in it */
    struct cor_pace_sample full[2]; /* rounds in which it did; the last one first */
};

void cor_pace_init(struct cor_pace *pace, uint64_t max);
/* True: they are on their way. False: wait until something is done. A batch alone always
 * has room, however large. */
bool cor_pace_take(struct cor_pace *pace, uint64_t bytes, uint64_t now_ms);
/* They are durable. since_ms: when they were taken. */
void cor_pace_done(struct cor_pace *pace, uint64_t bytes, uint64_t since_ms,
                   uint64_t now_ms);
/* They were not written. */
void cor_pace_undo(struct cor_pace *pace, uint64_t bytes);
