/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/intake/ledger.h"

#include <stdlib.h>

void cor_ledger_fini(struct cor_ledger *l)
{
    while (l->head != NULL) {
        struct cor_span *next = l->head->next;
        free(l->head);
        l->head = next;
    }
}

enum cor_ledger_verdict cor_ledger_check(const struct cor_ledger *l, uint64_t first,
                                         uint64_t last)
{
    if (last <= l->durable) {
        return COR_LEDGER_HELD;
    }
    if (first <= l->durable) {
        return COR_LEDGER_OVERLAPS;
    }
    for (const struct cor_span *s = l->head; s != NULL && s->first <= last; s = s->next) {
        if (s->last < first) {
            continue;
        }
        if (s->is_durable && s->first <= first && s->last >= last) {
            return COR_LEDGER_HELD;
        }
        return s->first == first && s->last == last ? COR_LEDGER_IN_FLIGHT
                                                    : COR_LEDGER_OVERLAPS;
    }
    return COR_LEDGER_NEW;
}

/* The link that points to where a span beginning at `first` belongs; *before = last
 * record known in front of it. */
static struct cor_span **place(struct cor_ledger *l, uint64_t first, uint64_t *before)
{
    struct cor_span **link = &l->head;
    *before = l->durable;
    while (*link != NULL && (*link)->first < first) {
        *before = (*link)->last > *before ? (*link)->last : *before;
        link = &(*link)->next;
    }
    return link;
}

static int insert(struct cor_ledger *l, const struct cor_span *given,
                  struct cor_span **out, uint64_t *before)
{
    struct cor_span *span = malloc(sizeof(*span));
    if (span == NULL) {
        return HD_ENOMEM;
    }
    struct cor_span **link = place(l, given->first, before);
    *span = *given;
    span->next = *link;
    *link = span;
    *out = span;
    return HD_OK;
}

int cor_ledger_take(struct cor_ledger *l, const struct cor_span *batch,
                    struct cor_span **out, uint64_t *missing)
{
    uint64_t before;
    int err = insert(l, batch, out, &before);
    if (err == HD_OK) {
        uint64_t known = before > l->floor ? before : l->floor;
        *missing = batch->first > known + 1 ? batch->first - known - 1 : 0;
        (*out)->is_durable = false;
        (*out)->skips = batch->first > before + 1;
        l->in_flight++;
        l->flight_bytes += batch->bytes;
    }
    return err;
}

static void advance(struct cor_ledger *l)
{
    struct cor_span *s;
    while ((s = l->head) != NULL && s->is_durable &&
           (s->skips || s->first <= l->durable + 1)) {
        l->durable = s->last > l->durable ? s->last : l->durable;
        l->head = s->next;
        free(s);
    }
}

/* Durable spans that touch become one, so that a long run behind a hole stays small. */
static void merge(struct cor_ledger *l)
{
    struct cor_span *s = l->head;
    while (s != NULL && s->next != NULL) {
        struct cor_span *n = s->next;
        if (s->is_durable && n->is_durable && (n->skips || n->first <= s->last + 1)) {
            s->last = n->last > s->last ? n->last : s->last;
            s->next = n->next;
            free(n);
        } else {
            s = n;
        }
    }
}

static void landed(struct cor_ledger *l, const struct cor_span *span)
{
    l->in_flight--;
    l->flight_bytes -= span->bytes;
}

void cor_ledger_durable(struct cor_ledger *l, struct cor_span *span)
{
    landed(l, span);
    span->is_durable = true;
    advance(l);
    merge(l);
}

void cor_ledger_failed(struct cor_ledger *l, struct cor_span *span)
{
    landed(l, span);
    struct cor_span **link = &l->head;
    while (*link != span) {
        link = &(*link)->next;
    }
    *link = span->next;
    free(span);
}

struct floor {
    struct cor_absent absent;
    uint64_t acknowledged;
    void (*lost)(void *ctx, uint64_t first, uint64_t last);
    void *ctx;
};

/* The records from..upto are not here. */
static void add_absent(struct floor *f, uint64_t from, uint64_t upto)
{
    if (from > upto) {
        return;
    }
    uint64_t n = upto - from + 1;
    uint64_t elsewhere = f->acknowledged < from ? 0 : f->acknowledged - from + 1;
    elsewhere = elsewhere < n ? elsewhere : n;
    f->absent.elsewhere += elsewhere;
    f->absent.lost += n - elsewhere;
    if (n > elsewhere && f->lost != NULL) {
        f->lost(f->ctx, from + elsewhere, upto);
    }
}

struct cor_absent cor_ledger_floor(struct cor_ledger *l, uint64_t first_spooled,
                                   uint64_t acknowledged,
                                   void (*lost)(void *ctx, uint64_t first, uint64_t last),
                                   void *ctx)
{
    struct floor f = {.acknowledged = acknowledged, .lost = lost, .ctx = ctx};
    uint64_t upto = l->durable > l->floor ? l->durable : l->floor;
    uint64_t end = first_spooled != 0 ? first_spooled - 1 : acknowledged;
    for (struct cor_span *s = l->head; s != NULL; s = s->next) {
        if (first_spooled != 0 && s->first >= first_spooled) {
            break;
        }
        add_absent(&f, upto + 1, s->first - 1);
        upto = s->last > upto ? s->last : upto;
        s->skips = true;
    }
    add_absent(&f, upto + 1, end);
    upto = end > upto ? end : upto;
    l->floor = upto;
    /* Spans still in flight below the floor hold it back until their fate is known. */
    advance(l);
    if (l->head == NULL || l->head->first > upto) {
        l->durable = upto > l->durable ? upto : l->durable;
        advance(l);
    }
    return f.absent;
}

void cor_ledger_told(struct cor_ledger *l, uint64_t upto)
{
    l->floor = upto > l->floor ? upto : l->floor;
}

int cor_ledger_replay(struct cor_ledger *l, uint64_t first, uint64_t last)
{
    if (cor_ledger_check(l, first, last) == COR_LEDGER_HELD) {
        return HD_OK;
    }
    struct cor_span *span;
    uint64_t before;
    int err =
        insert(l, &(struct cor_span){.first = first, .last = last, .is_durable = true},
               &span, &before);
    if (err == HD_OK) {
        advance(l);
        merge(l);
    }
    return err;
}
