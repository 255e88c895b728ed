/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/intake/pace.h"

#define WAIT_MS      200U /* a batch may wait for so long ... */
#define SYNCS        6U   /* ... or for as long as so many syncs: 2 it needs anyway */
#define ROUND_MS     10U  /* shorter measurements tell nothing */
#define ROUND_GROUPS 2U   /* the first after a pause is what came first */
#define LONE_MS      5000U
#define LIMIT_MIN    (UINT64_C(256) << 10)

void cor_pace_init(struct cor_pace *p, uint64_t max)
{
    *p = (struct cor_pace){.max = max, .limit = max < LIMIT_MIN ? max : LIMIT_MIN};
}

/* ---- what a sync alone takes ---- */

/* A hiccup is one of two. */
static const struct cor_pace_sample *best_lone(const struct cor_pace *p)
{
    bool is_first = p->lone[1].groups == 0 || p->lone[0].ms < p->lone[1].ms;
    return &p->lone[is_first ? 0 : 1];
}

static const struct cor_pace_sample *best_full(const struct cor_pace *p)
{
    const struct cor_pace_sample *a = &p->full[0], *b = &p->full[1];
    return b->groups == 0 || a->bytes * b->ms >= b->bytes * a->ms ? a : b;
}

/* From a batch alone and a group of many: both took one sync, and their bytes. False:
 * groups are not larger than that batch. */
static bool tell_apart(struct cor_pace *p)
{
    const struct cor_pace_sample *lone = best_lone(p), *full = best_full(p);
    uint64_t bytes = full->groups == 0 ? 0 : full->bytes / full->groups;
    if (lone->groups == 0 || bytes <= lone->bytes + lone->bytes / 4) {
        return false;
    }
    uint64_t by_bytes = lone->bytes * full->ms / full->groups, all = lone->ms * bytes;
    uint64_t sync_ms = all > by_bytes ? (all - by_bytes) / (bytes - lone->bytes) : 0;
    p->sync_ms = sync_ms < lone->ms ? sync_ms : lone->ms;
    return true;
}

static void note_lone(struct cor_pace *p, uint64_t bytes, uint64_t waited_ms)
{
    p->lone[1] = p->lone[0];
    p->lone[0] = (struct cor_pace_sample){.bytes = bytes, .ms = waited_ms, .groups = 1};
    if (!tell_apart(p)) {
        p->sync_ms = best_lone(p)->ms * 3 / 5; /* a guess: lets three through, to see */
    }
}

/* ---- rounds ---- */

static void begin_round(struct cor_pace *p, uint64_t now_ms)
{
    p->round = (struct cor_pace_sample){0};
    p->round_ms = p->group_ms = now_ms;
    p->is_over = p->is_short = false;
}

static void adapt(struct cor_pace *p)
{
    const struct cor_pace_sample *full = best_full(p);
    (void)tell_apart(p);
    uint64_t wait_ms = SYNCS * p->sync_ms > WAIT_MS ? SYNCS * p->sync_ms : WAIT_MS;
    uint64_t limit = full->bytes * wait_ms / full->ms;
    limit = limit < LIMIT_MIN ? LIMIT_MIN : limit;
    p->limit = limit < p->max ? limit : p->max;
}

/* A group is reported batch by batch: only who comes next knows that it is complete. */
static void end_round(struct cor_pace *p)
{
    p->round.ms = p->group_ms - p->round_ms;
    if (!p->is_over || p->round.groups < ROUND_GROUPS || p->round.ms < ROUND_MS) {
        return;
    }
    if (p->is_short) {
        p->full[1] = p->full[0];
        p->full[0] = p->round;
        adapt(p);
    }
    begin_round(p, p->group_ms);
}

/* ---- batches ---- */

bool cor_pace_take(struct cor_pace *p, uint64_t bytes, uint64_t now_ms)
{
    end_round(p);
    bool is_beyond = p->queued > 0 && p->queued + bytes > p->limit;
    bool is_due = p->lone[0].groups == 0 || now_ms - p->lone_ms >= LONE_MS;
    p->is_short |= is_beyond;
    if (is_beyond || (is_due && p->queued > 0)) {
        return false;
    }
    if (p->queued == 0 && now_ms != p->group_ms) {
        begin_round(p, now_ms); /* the disk was idle */
    }
    p->is_alone = p->queued == 0 && is_due;
    p->queued += bytes;
    return true;
}

void cor_pace_done(struct cor_pace *p, uint64_t bytes, uint64_t since_ms, uint64_t now_ms)
{
    cor_pace_undo(p, bytes);
    if (p->is_alone) {
        p->is_alone = false;
        p->lone_ms = now_ms;
        note_lone(p, bytes, now_ms - since_ms);
        begin_round(p, now_ms); /* the disk was not made use of */
        return;
    }
    p->round.groups += p->round.groups == 0 || now_ms != p->group_ms;
    p->round.bytes += bytes;
    p->group_ms = now_ms;
    p->is_over |= since_ms >= p->round_ms;
}

void cor_pace_undo(struct cor_pace *p, uint64_t bytes)
{
    p->queued -= bytes < p->queued ? bytes : p->queued;
}
