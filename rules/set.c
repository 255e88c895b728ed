/* SPDX-License-Identifier: Apache-2.0
 *
 * The rule set as others see it: life time and look-ups. Loading is in load.c, matching
 * in match/, the test of examples in examples.c.
 */
#include "rules/set.h"

#include <stdlib.h>

#include "rules/snapshot.h"

struct rul_set *rul_set_ref(struct rul_set *set)
{
    (void)atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void rul_set_unref(struct rul_set *set)
{
    if (set == NULL ||
        atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    rul_program_fini(&set->program);
    rul_decoders_free(set->decoders);
    rul_fields_free(set->fields);
    rul_names_free(set->names);
    hd_arena_fini(&set->keep);
    free(set);
}

const char *rul_rule_type_name(enum rul_rule_type type)
{
    static const char *const names[RUL_RULE_TYPES] = {
        [RUL_DETECTION] = "detection",     [RUL_EVENT_COUNT] = "event_count",
        [RUL_VALUE_COUNT] = "value_count", [RUL_VALUE_SUM] = "value_sum",
        [RUL_VALUE_AVG] = "value_avg",     [RUL_VALUE_PERCENTILE] = "value_percentile",
        [RUL_TEMPORAL] = "temporal",       [RUL_TEMPORAL_ORDERED] = "temporal_ordered",
    };
    return names[type];
}

const struct rul_fields *rul_set_fields(const struct rul_set *set)
{
    return set->fields;
}

const struct rul_decoders *rul_set_decoders(const struct rul_set *set)
{
    return set->decoders;
}

const char *rul_set_hash(const struct rul_set *set)
{
    return set->hash;
}

uint16_t rul_set_class_of(const struct rul_set *set, const struct rul_logsource *source)
{
    for (uint16_t i = 0; i < set->n_classes; i++) {
        for (uint16_t k = 0; k < set->classes[i].n; k++) {
            const struct rul_logsource *s = &set->classes[i].sources[k];
            if (hd_slice_eq_nocase(s->product, source->product) &&
                hd_slice_eq_nocase(s->category, source->category) &&
                hd_slice_eq_nocase(s->service, source->service)) {
                return set->classes[i].id;
            }
        }
    }
    return 0;
}

size_t rul_set_count(const struct rul_set *set)
{
    return set->n_rules;
}

size_t rul_set_left_out(const struct rul_set *set)
{
    return set->n_left_out;
}

const struct rul_rule *rul_set_rule(const struct rul_set *set, size_t index)
{
    return index < set->n_rules ? &set->rules[index] : NULL;
}

const struct rul_rule *rul_set_find(const struct rul_set *set, struct hd_slice id_or_name)
{
    return rul_set_rule(set, rul_names_find(set->names, id_or_name));
}
