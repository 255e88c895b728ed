/* SPDX-License-Identifier: Apache-2.0
 *
 * What single rules cost: those that an event makes candidates are evaluated once more,
 * each alone, against the clock. Beside the matcher, so that matching itself is not
 * slowed down by being watched.
 */
#include <haidang/clock.h>

#include <stdlib.h>
#include <string.h>

#include "rules/explain.h"
#include "rules/match/scratch.h"

static void ignore(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    (void)ctx;
    (void)rule;
    (void)ev;
}

/* Folding is shared by the rules of an event: none of them pays for it. */
static void fold_all(const struct rul_matcher *m)
{
    for (uint16_t i = 0; i < m->ev->n; i++) {
        (void)rul_fold_field(m, m->ev->ids[i]);
    }
}

static void time_rule(const struct rul_set *set, struct rul_scratch *scratch,
                      const struct rul_hit *hit, struct rul_candidate *out)
{
    struct rul_matcher m;
    *out = (struct rul_candidate){.rule = hit->rule};
    if (!rul_matcher_begin(&m, set, scratch, hit->ev)) {
        return;
    }
    fold_all(&m);
    int64_t start = hd_clock_mono_ns();
    int64_t empty = hd_clock_mono_ns(); /* what reading the clock takes */
    out->holds = rul_eval(&m, m.p->roots[hit->rule->index]);
    int64_t took = hd_clock_mono_ns() - empty - (empty - start);
    out->took_ns = took > 0 ? took : 0;
}

int rul_profile_event(const struct rul_set *set, struct rul_scratch *scratch,
                      const struct rul_event *ev, rul_on_candidate each, void *ctx)
{
    const struct rul_dispatch *d = &set->program.dispatch[ev->class_id];
    if (d->n_rules == 0) {
        return HD_OK;
    }
    rul_match(set, scratch, ev, ignore, NULL);
    size_t size = (set->program.n_roots / 64 + 1) * sizeof(uint64_t);
    uint64_t *candidates = malloc(size);
    if (candidates == NULL) {
        return HD_ENOMEM;
    }
    memcpy(candidates, scratch->candidates, size);
    for (uint32_t i = 0; i < d->n_rules; i++) {
        uint32_t rule = d->rules[i];
        if ((candidates[rule / 64] >> (rule % 64) & 1) != 0) {
            struct rul_candidate candidate;
            const struct rul_hit hit = {&set->rules[rule], ev};
            time_rule(set, scratch, &hit, &candidate);
            each(ctx, &candidate);
        }
    }
    free(candidates);
    return HD_OK;
}
