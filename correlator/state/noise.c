/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/state/noise.h"

#include <haidang/clock.h>
#include <haidang/log.h>

#include "correlator/metrics.h"

#define MINUTE_NS (60 * HD_NS_PER_SEC)

void cor_noise_hit(const struct cor_noise_opts *opts, const struct rul_rule *rule,
                   struct cor_rule_counts *c, int64_t recv_ns, int64_t taken_ns)
{
    /* an agent whose clock is ahead must not stop the minutes of all others */
    int64_t minute = (recv_ns < taken_ns ? recv_ns : taken_ns) / MINUTE_NS;
    if (minute > c->minute) { /* what comes late counts in the minute at hand */
        c->minute = minute;
        c->hits_in_minute = c->alerts_in_minute = 0;
    }
    if (++c->hits_in_minute != opts->rate + 1 || opts->rate == 0) {
        return;
    }
    atomic_store_explicit(&c->noisy_ns, hd_clock_wall_ns(), memory_order_relaxed);
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

uint64_t cor_noise_pass(struct cor_rule_counts *c)
{
    uint64_t held = c->held_back;
    c->held_back = 0;
    c->alerts_in_minute++;
    return held;
}

bool cor_noise_is_noisy(const struct cor_rule_counts *c, int64_t now_ns)
{
    int64_t noisy_ns = atomic_load_explicit(&c->noisy_ns, memory_order_relaxed);
    return noisy_ns != 0 && now_ns - noisy_ns < 2 * MINUTE_NS;
}

/* ---- saved state ---- */

static bool is_counting(const struct cor_rule_counts *c)
{
    return c->minute != 0 || c->held_back != 0;
}

static void put_rule(const struct rul_rule *rule, const struct cor_rule_counts *c,
                     struct hd_buf *out)
{
    struct hd_slice id = hd_slice_str(rule->id);
    hd_buf_le32(out, (uint32_t)id.len);
    hd_buf_slice_add(out, id);
    hd_buf_le64(out, rule->hash);
    hd_buf_le64(out, (uint64_t)c->minute);
    hd_buf_le64(out, c->hits_in_minute);
    hd_buf_le64(out, c->alerts_in_minute);
    hd_buf_le64(out, c->held_back);
}

int cor_noise_save(const struct cor_rules *rules, struct hd_buf *out)
{
    uint32_t n = 0;
    for (size_t i = 0; i < rul_set_count(rules->set); i++) {
        n += is_counting(rules->counts[i]);
    }
    hd_buf_le32(out, n);
    for (size_t i = 0; i < rul_set_count(rules->set); i++) {
        if (is_counting(rules->counts[i])) {
            put_rule(rul_set_rule(rules->set, i), rules->counts[i], out);
        }
    }
    return out->err;
}

static int load_rule(const struct cor_rules *rules, struct hd_bytes *in)
{
    uint32_t len = hd_bytes_le32(in);
    const struct rul_rule *rule = rul_set_find(rules->set, hd_bytes_view(in, len));
    uint64_t hash = hd_bytes_le64(in);
    struct cor_rule_counts saved = {.minute = (int64_t)hd_bytes_le64(in),
                                    .hits_in_minute = hd_bytes_le64(in),
                                    .alerts_in_minute = hd_bytes_le64(in),
                                    .held_back = hd_bytes_le64(in)};
    if (hd_bytes_failed(in)) {
        return HD_ECORRUPT;
    }
    if (rule != NULL && rule->hash == hash) {
        struct cor_rule_counts *c = rules->counts[rule->index];
        c->minute = saved.minute;
        c->hits_in_minute = saved.hits_in_minute;
        c->alerts_in_minute = saved.alerts_in_minute;
        c->held_back = saved.held_back;
    }
    return HD_OK;
}

int cor_noise_load(const struct cor_rules *rules, struct hd_bytes *in)
{
    uint32_t n = hd_bytes_le32(in);
    int err = hd_bytes_failed(in) ? HD_ECORRUPT : HD_OK;
    for (uint32_t i = 0; i < n && err == HD_OK; i++) {
        err = load_rule(rules, in);
    }
    return err;
}
