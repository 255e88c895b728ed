/* SPDX-License-Identifier: Apache-2.0
 *
 * /rules: what each rule does and costs (docs/operations.md, "What each rule does").
 */
#include <stdio.h>
#include <stdlib.h>

#include <haidang/clock.h>
#include <haidang/json.h>

#include "correlator/program_core.h"
#include "rules/correlate/correlate.h"
#include "rules/filter.h"

#define NOISY_SAID 5U /* rules named; the others are counted */

static void add_held_back(void *ctx, const struct rul_rule *rule, uint64_t hits)
{
    uint64_t *filtered = ctx;
    filtered[rule->index] += hits;
}

/* own: by index of the rule, hits that filters held back; NULL without memory. */
static uint64_t *filtered_of(const struct rul_set *set)
{
    uint64_t *filtered = calloc(rul_set_count(set) + 1, sizeof(*filtered));
    for (size_t i = 0; filtered != NULL && i < rul_set_filters(set); i++) {
        rul_set_each_held_back(set, i, add_held_back, filtered);
    }
    return filtered;
}

static void put_heir(struct hd_json *j, const struct cor_rule_counts *counts)
{
    uint32_t heir = atomic_load_explicit(&counts->heir, memory_order_relaxed);
    if (heir > 0 && heir <= RUL_HEIRS) {
        hd_json_cstr(j, "changed", rul_heir_key(heir - 1));
    }
}

static void put_rule(struct hd_json *j, const struct rul_rule *rule,
                     const struct cor_rule_counts *counts, uint64_t filtered)
{
    uint64_t timed = cor_rule_read(&counts->timed);
    uint64_t timed_ns = cor_rule_read(&counts->timed_ns);
    hd_json_object(j, NULL);
    hd_json_cstr(j, "id", rule->id);
    hd_json_cstr(j, "title", rule->title);
    hd_json_cstr(j, "title_vi", rule->title_vi);
    hd_json_cstr(j, "level", rule->level);
    hd_json_u64(j, "hits", cor_rule_read(&counts->hits));
    hd_json_u64(j, "filtered", filtered);
    hd_json_u64(j, "alerts", cor_rule_read(&counts->alerts));
    hd_json_u64(j, "suppressed", cor_rule_read(&counts->suppressed));
    hd_json_u64(j, "throttled", cor_rule_read(&counts->throttled));
    if (cor_rule_proven_ns(counts) != 0) {
        hd_json_time(j, "proven", cor_rule_proven_ns(counts), 3);
    }
    hd_json_bool(j, "noisy", cor_noise_is_noisy(counts, hd_clock_wall_ns()));
    put_heir(j, counts);
    hd_json_u64(j, "timed", timed);
    hd_json_u64(j, "timed_ns", timed_ns);
    hd_json_u64(j, "cost_ns", timed == 0 ? 0 : timed_ns / timed);
    hd_json_u64(j, "cost_ms", timed_ns * COR_COST_SAMPLE / (uint64_t)HD_NS_PER_MS);
    hd_json_end(j, '}');
}

void cor_status_rules(void *ctx, struct hd_buf *out)
{
    const struct cor_program *p = ctx;
    const struct rul_set *set = p->loaded.set;
    uint64_t *filtered = filtered_of(set);
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_time(&j, "started", p->started_ns, 3);
    hd_json_time(&j, "loaded", p->rules_loaded_ns, 3);
    hd_json_u64(&j, "sample", COR_COST_SAMPLE);
    hd_json_array(&j, "rules");
    for (size_t i = 0; i < rul_set_count(set); i++) {
        put_rule(&j, rul_set_rule(set, i), p->loaded.rules->counts[i],
                 filtered == NULL ? 0 : filtered[i]);
    }
    hd_json_end(&j, ']');
    hd_json_end(&j, '}');
    free(filtered);
}

void cor_status_noisy(const struct cor_program *p,
                      void (*say)(void *ctx, const char *text), void *ctx)
{
    char text[512];
    unsigned n = 0;
    int64_t now_ns = hd_clock_wall_ns();
    for (size_t i = 0; i < rul_set_count(p->loaded.set); i++) {
        if (!cor_noise_is_noisy(p->loaded.rules->counts[i], now_ns) ||
            n++ >= NOISY_SAID) {
            continue;
        }
        (void)snprintf(
            text, sizeof(text), "rule \"%s\" (%s) hits more than %lld times a minute",
            rul_set_rule(p->loaded.set, i)->title, rul_set_rule(p->loaded.set, i)->id,
            (long long)p->conf->noisy.rate);
        say(ctx, text);
    }
    if (n > NOISY_SAID) {
        (void)snprintf(text, sizeof(text), "%u more rules are noisy", n - NOISY_SAID);
        say(ctx, text);
    }
}
