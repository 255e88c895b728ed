/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters of a set: exclusions that a site writes once and that are joined to many rules
 * when the set is loaded. What they hold back is counted, so that nobody is blind without
 * knowing it. Part of the seam of this room, see set.h.
 */
#pragma once
#include "rules/set.h"

struct rul_filter { /* immutable; texts as in struct rul_rule */
    const char *id, *title, *title_vi;
    const char *file;
    unsigned line;
    uint32_t n_rules; /* it is joined to so many */
};
size_t rul_set_filters(const struct rul_set *set);
const struct rul_filter *rul_set_filter(const struct rul_set *set, size_t index);

/* Hits that a filter has held back since the set was loaded, in all threads. A hit that
 * several filters hold back counts for each of them. Any thread. */
uint64_t rul_set_held_back(const struct rul_set *set, size_t filter);
/* The same for each of its rules of which it has held back something, in their order. */
typedef void (*rul_on_held_back)(void *ctx, const struct rul_rule *rule, uint64_t hits);
void rul_set_each_held_back(const struct rul_set *set, size_t filter,
                            rul_on_held_back each, void *ctx);
