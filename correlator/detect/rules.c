/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/detect/rules.h"

#include <stdlib.h>

static struct cor_rule_counts *counts_of_before(const struct cor_rules *before,
                                                const struct rul_rule *rule)
{
    const struct rul_rule *was =
        before == NULL ? NULL : rul_set_find(before->set, hd_slice_str(rule->id));
    if (was == NULL || was->hash != rule->hash || was->type != rule->type) {
        return NULL;
    }
    struct cor_rule_counts *counts = before->counts[was->index];
    (void)atomic_fetch_add_explicit(&counts->refs, 1, memory_order_relaxed);
    return counts;
}

static struct cor_rule_counts *counts_new(void)
{
    struct cor_rule_counts *counts = calloc(1, sizeof(*counts));
    if (counts != NULL) {
        atomic_init(&counts->refs, 1);
    }
    return counts;
}

int cor_rules_new(struct rul_set *set, const struct cor_rules *before,
                  struct cor_rules **out)
{
    size_t n = rul_set_count(set);
    struct cor_rules *rules = calloc(1, sizeof(*rules) + n * sizeof(rules->counts[0]));
    if (rules == NULL) {
        return HD_ENOMEM;
    }
    atomic_init(&rules->refs, 1);
    rules->set = rul_set_ref(set);
    for (size_t i = 0; i < n; i++) {
        struct cor_rule_counts *counts = counts_of_before(before, rul_set_rule(set, i));
        rules->counts[i] = counts != NULL ? counts : counts_new();
        if (rules->counts[i] == NULL) {
            cor_rules_unref(rules);
            return HD_ENOMEM;
        }
    }
    *out = rules;
    return HD_OK;
}

struct cor_rules *cor_rules_ref(struct cor_rules *rules)
{
    (void)atomic_fetch_add_explicit(&rules->refs, 1, memory_order_relaxed);
    return rules;
}

static void counts_unref(struct cor_rule_counts *counts)
{
    if (counts != NULL &&
        atomic_fetch_sub_explicit(&counts->refs, 1, memory_order_acq_rel) == 1) {
        free(counts);
    }
}

void cor_rules_unref(struct cor_rules *rules)
{
    if (rules == NULL ||
        atomic_fetch_sub_explicit(&rules->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < rul_set_count(rules->set); i++) {
        counts_unref(rules->counts[i]);
    }
    rul_set_unref(rules->set);
    free(rules);
}

bool cor_rules_is_sole(const struct cor_rules *rules)
{
    return atomic_load_explicit(&rules->refs, memory_order_acquire) == 1;
}
