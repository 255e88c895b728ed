/* SPDX-License-Identifier: Apache-2.0
 *
 * What canaries have proven (docs/operations.md, "Canaries").
 */
#include <stdio.h>

#include <haidang/clock.h>

#include "correlator/metrics.h"
#include "correlator/program_core.h"

struct tally {
    uint64_t proven, unproven;
};

static struct tally count_rules(const struct cor_program *p)
{
    struct tally tally = {0};
    for (size_t i = 0; i < rul_set_count(p->loaded.set); i++) {
        bool is_proven = cor_rule_proven_ns(p->loaded.rules->counts[i]) != 0;
        bool alerts = rul_set_rule(p->loaded.set, i)->alerts;
        tally.proven += alerts && is_proven;
        tally.unproven += alerts && !is_proven;
    }
    return tally;
}

static int64_t seen_ns(const struct cor_program *p, unsigned class)
{
    return cor_proofs_class_ns(cor_state_proofs(p->state), (enum hd_canary_class) class);
}

void cor_status_canaries(const struct cor_program *p, struct hd_json *j)
{
    struct tally tally = count_rules(p);
    hd_json_object(j, "canaries");
    hd_json_bool(j, "wanted", p->loaded.canary_keys != NULL);
    hd_json_u64(j, "rules_proven", tally.proven);
    hd_json_u64(j, "rules_unproven", tally.unproven);
    hd_json_object(j, "last");
    for (unsigned i = 0; i < HD_CANARY_CLASSES; i++) {
        if (seen_ns(p, i) != 0) {
            hd_json_time(j, hd_canary_class_name((enum hd_canary_class)i), seen_ns(p, i),
                         3);
        }
    }
    hd_json_end(j, '}');
    hd_json_end(j, '}');
}

void cor_status_refresh_canaries(const struct cor_program *p)
{
    struct tally tally = count_rules(p);
    COR_GAUGE(COR_M_RULES_PROVEN, tally.proven);
    COR_GAUGE(COR_M_RULES_UNPROVEN, tally.unproven);
}

void cor_status_overdue(const struct cor_program *p,
                        void (*say)(void *ctx, const char *text), void *ctx)
{
    char text[256], time[HD_RFC3339_LEN + 1];
    int64_t now_ns = hd_clock_wall_ns();
    for (unsigned i = 0; i < HD_CANARY_CLASSES && p->conf->canary.overdue > 0; i++) {
        if (seen_ns(p, i) != 0 && now_ns - seen_ns(p, i) > p->conf->canary.overdue) {
            (void)hd_clock_format_rfc3339(seen_ns(p, i), 0, time);
            (void)snprintf(text, sizeof(text),
                           "canary of class %s last seen at %s: see haidang canary",
                           hd_canary_class_name((enum hd_canary_class)i), time);
            say(ctx, text);
        }
    }
}
