/* SPDX-License-Identifier: Apache-2.0
 *
 * How much may be on its way to the disk: as much as it writes in the time that a batch
 * may wait there, whatever memory there is. What comes beyond that waits with the agents
 * that sent it, who take turns; so a flood waits behind its own lines and not in front of
 * everybody else's. The bound is found by trying: it shrinks when batches waited for too
 * long, and grows while they do not and somebody has to wait. Pure; time is given. Loop
 * thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct cor_pace {
    uint64_t max; /* the bound never exceeds it */
    uint64_t limit;
    uint64_t queued;
    uint64_t cut_ms; /* when it shrank last */
    bool is_short;   /* the last who came has to wait */
};

void cor_pace_init(struct cor_pace *pace, uint64_t max);
/* True: they are on their way. False: wait until something is done. A batch alone always
 * has room, however large. */
bool cor_pace_take(struct cor_pace *pace, uint64_t bytes);
/* They are durable, or were refused. since_ms: when they were taken. */
void cor_pace_done(struct cor_pace *pace, uint64_t bytes, uint64_t since_ms,
                   uint64_t now_ms);
