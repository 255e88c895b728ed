/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/correlate/heir.h"

#include <haidang/hash.h>

#include "rules/correlate/window.h"

/* ---- signs ---- */

static uint64_t mix(uint64_t hash, uint64_t number)
{
    return hd_hash_stable(hd_slice(&number, sizeof(number)), hash);
}

static uint64_t mix_name(uint64_t hash, const struct rul_set *set, uint16_t field)
{
    return hd_hash_stable(rul_fields_name(set->fields, field), hash);
}

static uint64_t sign_group(const struct rul_corr *corr)
{
    uint64_t hash = mix(corr->n_group, corr->has_null_group);
    for (uint8_t i = 0; i < corr->n_group; i++) {
        hash = hd_hash_stable(hd_slice_str(corr->group_names[i]), hash);
    }
    return hash;
}

/* Rules by what they mean, not by their names; fields through aliases. */
static uint64_t sign_counted(const struct rul_set *set, const struct rul_corr *corr)
{
    uint64_t hash = mix(corr->n_refs, corr->n_values);
    for (uint32_t i = 0; i < corr->n_refs; i++) {
        const struct rul_corr_ref *ref = &corr->refs[i];
        hash = mix(hash, set->rules[ref->rule].hash);
        for (uint8_t k = 0; k < corr->n_group; k++) {
            hash = mix_name(hash, set, ref->group[k]);
        }
        for (uint8_t k = 0; k < corr->n_values; k++) {
            hash = mix_name(hash, set, ref->values[k]);
        }
    }
    return hash;
}

static uint64_t sign_condition(const struct rul_corr *corr)
{
    uint64_t hash = mix(corr->n_terms, corr->n_starts);
    for (uint32_t i = 0; i < corr->n_terms; i++) {
        hash = mix(mix(hash, corr->terms[i].needed), corr->terms[i].absent);
        for (uint8_t k = 0; corr->n_starts > 0 && k < corr->terms[i].n; k++) {
            hash = mix(hash, corr->order[corr->terms[i].first + k]);
        }
    }
    return mix(hash, corr->wanted);
}

static uint64_t sign_numbers(const struct rul_corr *corr)
{
    const struct rul_limits *l = &corr->limits;
    const int64_t values[] = {l->min, l->max, l->not_equal};
    uint64_t hash = mix((uint64_t)l->percentile, corr->type);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        hash = mix(hash, (uint64_t)values[i]);
    }
    return hash;
}

struct rul_sign rul_sign_of(const struct rul_set *set, const struct rul_corr *corr)
{
    return (struct rul_sign){
        .type = corr->type,
        .timing = corr->timing,
        .group = sign_group(corr),
        .counted = sign_counted(set, corr),
        .condition = sign_condition(corr),
        .numbers = sign_numbers(corr),
        .needed = corr->type == RUL_VALUE_COUNT ? rul_distinct_needed(corr) : 0,
        .timespan_ns = corr->timespan_ns};
}

/* ---- judging ---- */

static bool is_temporal(const struct rul_sign *sign)
{
    return sign->type == RUL_TEMPORAL || sign->type == RUL_TEMPORAL_ORDERED;
}

/* Windows that open with events, and order, are kept as the condition needs them. */
static bool needs_condition(const struct rul_sign *sign)
{
    return sign->timing == RUL_STARTED || sign->type == RUL_TEMPORAL_ORDERED;
}

/* What is tested at its end counts values on each side of the condition's numbers. */
static bool needs_numbers(const struct rul_sign *sign)
{
    return sign->type == RUL_VALUE_PERCENTILE && sign->timing != RUL_SLIDING;
}

static bool needs_timespan(const struct rul_sign *sign)
{
    return sign->timing == RUL_ALIGNED || sign->timing == RUL_STARTED;
}

enum rul_heir rul_heir_judge(const struct rul_sign *was, const struct rul_sign *is)
{
    if (was->type != is->type) {
        return RUL_HEIR_TYPE;
    }
    if (was->timing != is->timing) {
        return RUL_HEIR_WINDOW;
    }
    if (was->group != is->group) {
        return RUL_HEIR_GROUP;
    }
    if (was->counted != is->counted) {
        return RUL_HEIR_COUNTED;
    }
    if ((is_temporal(is) && needs_condition(is) && was->condition != is->condition) ||
        (needs_numbers(is) && was->numbers != is->numbers)) {
        return RUL_HEIR_CONDITION;
    }
    return needs_timespan(is) && was->timespan_ns != is->timespan_ns ? RUL_HEIR_TIMESPAN
                                                                     : RUL_HEIR_KEPT;
}

bool rul_heir_lacks_values(const struct rul_sign *was, const struct rul_sign *is)
{
    bool counts_up = is->timing == RUL_SLIDING || is->timing == RUL_SESSION_NOW;
    return !counts_up && was->needed < is->needed;
}

const char *rul_heir_text(enum rul_heir heir)
{
    static const char *const texts[] = {
        [RUL_HEIR_KEPT] = "kept",
        [RUL_HEIR_TYPE] = "its type has changed",
        [RUL_HEIR_WINDOW] = "its window has changed, or when it is tested",
        [RUL_HEIR_GROUP] = "group-by or null_group has changed",
        [RUL_HEIR_COUNTED] =
            "a rule that it counts, or what it counts of it, has changed",
        [RUL_HEIR_CONDITION] = "its condition has changed",
        [RUL_HEIR_TIMESPAN] = "its timespan has changed",
        [RUL_HEIR_GONE] = "there is no such correlation any more",
    };
    return texts[heir];
}

const char *rul_heir_key(enum rul_heir heir)
{
    static const char *const keys[] = {
        [RUL_HEIR_KEPT] = "kept",         [RUL_HEIR_TYPE] = "type",
        [RUL_HEIR_WINDOW] = "window",     [RUL_HEIR_GROUP] = "group-by",
        [RUL_HEIR_COUNTED] = "counted",   [RUL_HEIR_CONDITION] = "condition",
        [RUL_HEIR_TIMESPAN] = "timespan", [RUL_HEIR_GONE] = "gone",
    };
    return keys[heir];
}

/* ---- sets ---- */

const struct rul_corr *rul_corr_of_id(const struct rul_set *set, const char *id)
{
    for (uint32_t i = 0; i < set->n_corrs; i++) {
        if (strcmp(set->rules[set->corrs[i].rule].id, id) == 0) {
            return &set->corrs[i];
        }
    }
    return NULL;
}

void rul_set_each_heir(const struct rul_set *was, const struct rul_set *is,
                       void (*each)(void *ctx, const struct rul_rule *rule,
                                    enum rul_heir heir),
                       void *ctx)
{
    for (uint32_t i = 0; i < was->n_corrs; i++) {
        const struct rul_rule *rule = &was->rules[was->corrs[i].rule];
        const struct rul_corr *corr = rul_corr_of_id(is, rule->id);
        if (corr == NULL) {
            each(ctx, rule, RUL_HEIR_GONE);
        } else if (is->rules[corr->rule].hash != rule->hash) {
            const struct rul_sign before = rul_sign_of(was, &was->corrs[i]);
            const struct rul_sign after = rul_sign_of(is, corr);
            each(ctx, rule, rul_heir_judge(&before, &after));
        }
    }
}
