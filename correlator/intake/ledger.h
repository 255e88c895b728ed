/* SPDX-License-Identifier: Apache-2.0
 *
 * Which records of one (agent, boot) are durable, which are on their way to the disk:
 *
 *     1 ......... durable | span (in flight) | span (durable, a failed one before it) ...
 *
 * Only the contiguous part is acknowledged. A batch is a span from the moment it goes to
 * the archive until it is part of the contiguous part, so that a resend over another
 * connection finds it. What an agent skips while sending in order will not come: the
 * contiguous part passes over it, and it is counted as lost, unless the agent said that
 * another correlator acknowledged it. Pure bookkeeping, loop thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/err.h>

struct cor_span {
    struct cor_span *next;
    void *owner; /* the agent's row */
    uint64_t first, last;
    uint32_t count, bytes, raw_len;
    uint64_t since_ms; /* when it went to the archive */
    bool is_durable;
    bool skips; /* what is missing before it will never come */
};

struct cor_ledger {
    uint64_t durable;      /* 1..durable are held, or known not to come */
    uint64_t floor;        /* what is absent up to here is counted already */
    struct cor_span *head; /* by `first` */
    uint32_t in_flight;    /* spans */
    uint64_t flight_bytes;
};

enum cor_ledger_verdict {
    COR_LEDGER_NEW,
    COR_LEDGER_HELD,      /* durable: drop it, acknowledge again */
    COR_LEDGER_IN_FLIGHT, /* drop it; the acknowledgement will come */
    COR_LEDGER_OVERLAPS,  /* no agent does that */
};

void cor_ledger_fini(struct cor_ledger *ledger);
enum cor_ledger_verdict cor_ledger_check(const struct cor_ledger *ledger, uint64_t first,
                                         uint64_t last);
/* A batch goes to the archive. own: the ledger. *missing: records skipped before it. */
int cor_ledger_take(struct cor_ledger *ledger, const struct cor_span *batch,
                    struct cor_span **out, uint64_t *missing) HD_MUST_USE;
/* Its fate. The span may be freed. */
void cor_ledger_durable(struct cor_ledger *ledger, struct cor_span *span);
void cor_ledger_failed(struct cor_ledger *ledger, struct cor_span *span);

struct cor_absent {
    uint64_t lost;
    uint64_t elsewhere; /* another correlator has them */
};
/* The agent holds nothing below `first_spooled` (0 = nothing at all), and correlators
 * have acknowledged up to `acknowledged` (0 = not known). Returns how many records that
 * we do not have will therefore not come; each is told once, and each run of lost ones
 * to `lost` (may be NULL). */
struct cor_absent cor_ledger_floor(struct cor_ledger *ledger, uint64_t first_spooled,
                                   uint64_t acknowledged,
                                   void (*lost)(void *ctx, uint64_t first, uint64_t last),
                                   void *ctx);
/* What is lost up to `upto` was told by the process before. */
void cor_ledger_told(struct cor_ledger *ledger, uint64_t upto);

/* At start: the archive holds these. */
int cor_ledger_replay(struct cor_ledger *ledger, uint64_t first,
                      uint64_t last) HD_MUST_USE;
