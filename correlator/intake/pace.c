/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/intake/pace.h"

#define WAIT_MS   200U /* a batch may wait for so long */
#define LIMIT_MIN (UINT64_C(1) << 20)

void cor_pace_init(struct cor_pace *p, uint64_t max)
{
    *p = (struct cor_pace){.max = max, .limit = max};
}

bool cor_pace_take(struct cor_pace *p, uint64_t bytes)
{
    if (p->queued > 0 && p->queued + bytes > p->limit) {
        p->is_short = true;
        return false;
    }
    p->is_short = false;
    p->queued += bytes;
    return true;
}

/* Below what is there now. Once for all that waited together: they say the same. */
static void shrink(struct cor_pace *p, uint64_t since_ms, uint64_t now_ms)
{
    if (since_ms < p->cut_ms) {
        return;
    }
    uint64_t from = p->queued < p->limit ? p->queued : p->limit;
    uint64_t less = from - from / 4;
    p->limit = less < LIMIT_MIN ? LIMIT_MIN : less;
    p->cut_ms = now_ms;
}

static void grow(struct cor_pace *p, uint64_t bytes)
{
    p->limit = bytes > p->max - p->limit ? p->max : p->limit + bytes;
}

void cor_pace_done(struct cor_pace *p, uint64_t bytes, uint64_t since_ms, uint64_t now_ms)
{
    uint64_t waited_ms = now_ms > since_ms ? now_ms - since_ms : 0;
    if (waited_ms > WAIT_MS) {
        shrink(p, since_ms, now_ms);
    } else if (p->is_short && waited_ms < WAIT_MS / 2) {
        grow(p, bytes);
    }
    p->queued -= bytes < p->queued ? bytes : p->queued;
}
