/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/correlate/terms.h"

#include "rules/correlate/positions.h"

/* ---- order ---- */

static bool is_later(const struct rul_mark *a, const struct rul_mark *b)
{
    return a->time_ns > b->time_ns;
}

struct run {
    const struct rul_step *events;
    uint32_t n;
    bool is_sure; /* only what surely follows each other makes a chain */
    struct rul_mark from[RUL_PENDING_MAX]; /* start of the best chain that ends here */
};

/* Of two events of one time: those of one agent follow their sequence; those of different
 * agents are taken in either order, since nobody knows. */
static bool may_precede(const struct run *run, uint32_t x, uint32_t y)
{
    uint64_t a = run->events[x].mark.place, b = run->events[y].mark.place;
    if (a == RUL_NO_PLACE || b == RUL_NO_PLACE) {
        return x < y && !run->is_sure;
    }
    bool is_one_agent = a >> RUL_PLACE_BITS == b >> RUL_PLACE_BITS;
    return is_one_agent ? a < b : !run->is_sure;
}

/* The best chain that ends with event y, the p-th rule of its term. */
static struct rul_mark chain_to(const struct run *run, uint32_t y, const uint8_t *order,
                                uint32_t p, const struct rul_mark *starts)
{
    if (p == 0) {
        return run->events[y].mark;
    }
    struct rul_mark best = starts[p - 1];
    for (uint32_t x = 0; x < run->n; x++) {
        if (run->events[x].ref == order[p - 1] && may_precede(run, x, y) &&
            is_later(&run->from[x], &best)) {
            best = run->from[x];
        }
    }
    return best;
}

static void extend_chains(struct run *run, const uint8_t *order, uint32_t n,
                          struct rul_mark *starts)
{
    struct rul_mark reached[RUL_REFS_MAX];
    for (uint32_t p = 0; p < n; p++) {
        reached[p].time_ns = RUL_NEVER;
        for (uint32_t y = 0; y < run->n; y++) {
            if (run->events[y].ref != order[p]) {
                continue;
            }
            run->from[y] = chain_to(run, y, order, p, starts);
            if (is_later(&run->from[y], &reached[p])) {
                reached[p] = run->from[y];
            }
        }
    }
    for (uint32_t p = 0; p < n; p++) {
        if (is_later(&reached[p], &starts[p])) {
            starts[p] = reached[p];
        }
    }
}

/* One event alone can only be the next of what was there before. */
static void extend_by(const struct rul_step *event, const uint8_t *order, uint32_t n,
                      struct rul_mark *starts)
{
    for (uint32_t p = 0; p < n; p++) {
        if (event->ref == order[p]) {
            const struct rul_mark *from = p == 0 ? &event->mark : &starts[p - 1];
            starts[p] = is_later(from, &starts[p]) ? *from : starts[p];
            return;
        }
    }
}

static void extend_by_run(const struct rul_corr *corr, struct rul_mark *starts,
                          const struct rul_step *events, uint32_t n, bool is_sure)
{
    struct run run;
    run.events = events;
    run.n = n;
    run.is_sure = is_sure;
    for (uint32_t i = 0; i < corr->n_terms; i++) {
        const struct rul_term *term = &corr->terms[i];
        extend_chains(&run, corr->order + term->first, term->n, starts + term->first);
    }
}

void rul_terms_step(const struct rul_corr *corr, struct rul_mark *last,
                    struct rul_mark *starts, const struct rul_step *events, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct rul_mark *mark = &last[events[i].ref];
        if (events[i].mark.time_ns >= mark->time_ns) {
            *mark = events[i].mark;
        }
    }
    if (corr->n_starts == 0) {
        return;
    }
    struct rul_mark *sure = starts + corr->n_starts;
    if (n > 1) {
        extend_by_run(corr, starts, events, n, false);
        extend_by_run(corr, sure, events, n, true);
        return;
    }
    for (uint32_t i = 0; i < corr->n_terms; i++) {
        const struct rul_term *term = &corr->terms[i];
        const uint8_t *order = corr->order + term->first;
        extend_by(events, order, term->n, starts + term->first);
        extend_by(events, order, term->n, sure + term->first);
    }
}

/* ---- conditions ---- */

static uint64_t seen_after(const struct rul_corr *corr, const struct rul_mark *last,
                           int64_t edge_ns)
{
    uint64_t seen = 0;
    for (uint32_t i = 0; i < corr->n_refs; i++) {
        seen |= (uint64_t)(last[i].time_ns > edge_ns) << i;
    }
    return seen;
}

/* First and last of the newest `n` sightings among those wanted. */
static void span_of(const struct rul_corr *corr, const struct rul_mark *last,
                    uint64_t wanted, uint64_t n, struct rul_tally *tally)
{
    tally->count = 0;
    while (tally->count < n && wanted != 0) {
        uint32_t newest = RUL_REFS_MAX;
        for (uint32_t i = 0; i < corr->n_refs; i++) {
            if ((wanted >> i & 1U) != 0 &&
                (newest == RUL_REFS_MAX || is_later(&last[i], &last[newest]))) {
                newest = i;
            }
        }
        tally->last = tally->count == 0 ? last[newest] : tally->last;
        tally->first = last[newest];
        tally->count++;
        wanted &= ~(UINT64_C(1) << newest);
    }
}

static bool term_holds(const struct rul_corr *corr, const struct rul_term *term,
                       uint64_t seen, const struct rul_mark *starts, int64_t edge_ns)
{
    if ((seen & term->needed) != term->needed || (seen & term->absent) != 0) {
        return false;
    }
    return corr->n_starts == 0 || starts[term->first + term->n - 1U].time_ns > edge_ns;
}

static const struct rul_term *first_holding(const struct rul_corr *corr, uint64_t seen,
                                            const struct rul_mark *starts,
                                            int64_t edge_ns)
{
    for (uint32_t i = 0; i < corr->n_terms; i++) {
        if (term_holds(corr, &corr->terms[i], seen, starts, edge_ns)) {
            return &corr->terms[i];
        }
    }
    return NULL;
}

bool rul_terms_hold(const struct rul_corr *corr, const struct rul_mark *last,
                    const struct rul_mark *starts, int64_t edge_ns,
                    struct rul_tally *tally)
{
    uint64_t seen = seen_after(corr, last, edge_ns);
    tally->is_ambiguous = false;
    if (corr->n_terms == 0) {
        uint64_t n = (uint64_t)__builtin_popcountll(seen);
        if (n == 0 || !rul_bounds_hold(&corr->bounds, n)) {
            return false;
        }
        span_of(corr, last, seen, corr->timing == RUL_SLIDING ? corr->bounds.min : n,
                tally);
        return true;
    }
    const struct rul_term *term = first_holding(corr, seen, starts, edge_ns);
    if (term == NULL) {
        return false;
    }
    span_of(corr, last, term->needed, UINT64_MAX, tally);
    if (corr->n_starts > 0) {
        const struct rul_mark *sure = starts + corr->n_starts;
        tally->first = starts[term->first + term->n - 1U];
        tally->is_ambiguous = first_holding(corr, seen, sure, edge_ns) == NULL;
    }
    return true;
}
