/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/state/memory.h"

#include <haidang/log.h>

#include "correlator/metrics.h"

/* A correlation has changed, by a reload or while no process ran. */
static void on_heir(void *ctx, const struct rul_heritage *heritage)
{
    const struct cor_memory *m = ctx;
    const struct rul_rule *rule = rul_set_find(m->rules->set, heritage->id);
    if (rule != NULL) {
        atomic_store_explicit(&m->rules->counts[rule->index]->heir, heritage->heir + 1U,
                              memory_order_relaxed);
    }
    if (heritage->heir == RUL_HEIR_KEPT) {
        HD_LOG(INFO, "state", "a correlation has changed and goes on with its groups",
               HD_KV_SLICE("rule", heritage->id), HD_KV_UINT("groups", heritage->groups));
    } else {
        HD_LOG(WARN, "state", "a correlation begins anew",
               HD_KV_SLICE("rule", heritage->id), HD_KV_UINT("groups", heritage->groups),
               HD_KV_STR("why", rul_heir_text(heritage->heir)));
    }
}

/* Tables that remember nothing yet. */
static int make_tables(const struct cor_memory_opts *opts, struct cor_memory *m)
{
    struct rul_correlator_opts correlate = opts->correlate;
    correlate.on_heir = on_heir;
    correlate.heir_ctx = m;
    int err = rul_suppress_new(&opts->suppress, &m->suppress);
    err = err != HD_OK ? err : rul_correlator_new(&correlate, &m->correlator);
    return err != HD_OK ? err : rul_correlator_use(m->correlator, m->rules->set);
}

void cor_memory_fini(struct cor_memory *m)
{
    rul_correlator_free(m->correlator);
    rul_suppress_free(m->suppress);
    m->correlator = NULL;
    m->suppress = NULL;
}

static const char *why_not(int err)
{
    switch (err) {
    case HD_ECORRUPT:
        return "it is damaged";
    case HD_EVERSION:
        return "a later version of this program wrote it";
    case HD_EINVAL:
        return "it belongs to another archive or another number of detectors";
    default:
        return "it cannot be read";
    }
}

/* There is no snapshot. When none was ever taken the whole archive will be examined, as
 * if it were for the first time, by a memory as empty as it was then. */
static int without_snapshot(const struct cor_memory_opts *opts, struct cor_memory *m)
{
    m->is_resumed = cor_snapshot_is_first(opts->archive_dir, &m->resume);
    return HD_OK;
}

int cor_memory_init(const struct cor_memory_opts *opts, const struct cor_rules *rules,
                    struct cor_memory *m)
{
    *m = (struct cor_memory){.resume.n = opts->detectors, .rules = rules};
    int err = make_tables(opts, m);
    if (err != HD_OK || opts->snapshot == NULL) {
        return err;
    }
    const struct cor_remembered into = {m->suppress, m->correlator, rules};
    err = cor_snapshot_read(opts->snapshot, opts->archive_dir, &into, &m->resume);
    if (err == HD_ENOENT || err == HD_ENOMEM) {
        return err == HD_ENOENT ? without_snapshot(opts, m) : err;
    }
    m->is_resumed = err == HD_OK;
    if (err == HD_OK) {
        return HD_OK;
    }
    COR_COUNT(COR_M_SNAPSHOTS_REFUSED, 1);
    HD_LOG(WARN, "state",
           "what correlations remembered is passed over; windows are filled again from "
           "the archive, as far as detect.warm_up goes",
           HD_KV_STR("file", opts->snapshot), HD_KV_STR("why", why_not(err)),
           HD_KV_ERR(err));
    cor_memory_fini(m);
    return make_tables(opts, m);
}

int cor_memory_use(struct cor_memory *m, const struct cor_rules *rules)
{
    m->rules = rules;
    return rul_correlator_use(m->correlator, rules->set);
}

void cor_memory_count(struct cor_memory *m, struct cor_losses *losses)
{
    struct rul_correlator_stats stats = {0};
    rul_correlator_stats(m->correlator, &stats);
    COR_GAUGE(COR_M_GROUPS, stats.groups);
    COR_GAUGE(COR_M_GROUP_BYTES, stats.bytes);
    COR_GAUGE(COR_M_GROUPS_EVICTED, stats.evicted);
    COR_GAUGE(COR_M_LATE, stats.late);
    COR_GAUGE(COR_M_NO_GROUP, stats.no_group);
    COR_GAUGE(COR_M_NO_NUMBER, stats.no_number);
    COR_GAUGE(COR_M_CAPPED, stats.capped);
    COR_GAUGE(COR_M_UNTOLD, stats.lost);
    COR_GAUGE(COR_M_FORGOTTEN, stats.forgotten);
    COR_GAUGE(COR_M_KEPT, stats.kept);
    COR_GAUGE(COR_M_SUPPRESS_EVICTED, rul_suppress_evicted(m->suppress));
    cor_losses_note(losses, HD_LOSS_GROUPS, HD_SLICE_EMPTY, stats.evicted - m->evicted);
    m->evicted = stats.evicted;
}
