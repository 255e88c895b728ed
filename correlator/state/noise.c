/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/state/noise.h"

#include <haidang/clock.h>
#include <haidang/log.h>

#include "correlator/metrics.h"

#define MINUTE_NS (60 * HD_NS_PER_SEC)

void cor_noise_hit(const struct cor_noise_opts *opts, const struct rul_rule *rule,
                   struct cor_rule_counts *c, int64_t recv_ns, int64_t now_ns)
{
    /* an agent whose clock is ahead must not stop the minutes of all others */
    int64_t minute = (recv_ns < now_ns ? recv_ns : now_ns) / MINUTE_NS;
    if (minute > c->minute) { /* what comes late counts in the minute at hand */
        c->minute = minute;
        c->hits_in_minute = c->alerts_in_minute = 0;
    }
    if (++c->hits_in_minute != opts->rate + 1 || opts->rate == 0) {
        return;
    }
    atomic_store_explicit(&c->noisy_ns, now_ns, memory_order_relaxed);
    COR_COUNT(COR_M_NOISY, 1);
    HD_LOG(WARN, "state",
           "a rule hits more often than noisy.rate: tune it, or set noisy.throttle",
           HD_KV_STR("rule", rule->id), HD_KV_STR("title", rule->title),
           HD_KV_UINT("hits_a_minute", opts->rate));
}

void cor_noise_repeat(struct cor_rule_counts *c)
{
    COR_COUNT(COR_M_SUPPRESSED, 1);
    cor_rule_add(&c->suppressed, 1);
}

bool cor_noise_holds(const struct cor_noise_opts *opts, struct cor_rule_counts *c)
{
    if (opts->throttle == 0 || c->alerts_in_minute < opts->throttle) {
        return false;
    }
    c->held_back++;
    COR_COUNT(COR_M_THROTTLED, 1);
    cor_rule_add(&c->throttled, 1);
    return true;
}

uint64_t cor_noise_publish(struct cor_rule_counts *c)
{
    uint64_t held = c->held_back;
    c->held_back = 0;
    c->alerts_in_minute++;
    cor_rule_add(&c->alerts, 1);
    return held;
}

bool cor_noise_is_noisy(const struct cor_rule_counts *c, int64_t now_ns)
{
    int64_t noisy_ns = atomic_load_explicit(&c->noisy_ns, memory_order_relaxed);
    return noisy_ns != 0 && now_ns - noisy_ns < 2 * MINUTE_NS;
}
