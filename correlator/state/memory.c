/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/state/memory.h"

#include <haidang/log.h>

#include "correlator/metrics.h"

/* Tables that remember nothing yet. */
static int make_tables(const struct cor_memory_opts *opts, struct rul_set *set,
                       struct cor_memory *m)
{
    int err = rul_suppress_new(&opts->suppress, &m->suppress);
    err = err != HD_OK ? err : rul_correlator_new(&opts->correlate, &m->correlator);
    return err != HD_OK ? err : rul_correlator_use(m->correlator, set);
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
        return "another version of this program wrote it";
    case HD_EINVAL:
        return "it belongs to another archive or another number of detectors";
    default:
        return "it cannot be read";
    }
}

static void tell_forgotten(const struct cor_memory *m)
{
    struct rul_correlator_stats stats;
    rul_correlator_stats(m->correlator, &stats);
    if (stats.forgotten > 0) {
        HD_LOG(WARN, "state",
               "correlations whose rules have changed since start anew; the others go on",
               HD_KV_UINT("anew", stats.forgotten));
    }
}

int cor_memory_init(const struct cor_memory_opts *opts, struct rul_set *set,
                    struct cor_memory *m)
{
    *m = (struct cor_memory){.resume.n = opts->detectors};
    int err = make_tables(opts, set, m);
    if (err != HD_OK || opts->snapshot == NULL) {
        return err;
    }
    err = cor_snapshot_read(opts->snapshot, opts->archive_dir, m->suppress, m->correlator,
                            &m->resume);
    if (err == HD_ENOENT || err == HD_ENOMEM) {
        return err == HD_ENOENT ? HD_OK : err;
    }
    m->is_resumed = err == HD_OK;
    if (err == HD_OK) {
        tell_forgotten(m);
        return HD_OK;
    }
    COR_COUNT(COR_M_SNAPSHOTS_REFUSED, 1);
    HD_LOG(WARN, "state",
           "what correlations remembered is passed over; windows are filled again from "
           "the archive, as far as detect.warm_up goes",
           HD_KV_STR("file", opts->snapshot), HD_KV_STR("why", why_not(err)),
           HD_KV_ERR(err));
    cor_memory_fini(m);
    return make_tables(opts, set, m);
}

static void tell_one(void *ctx, const struct rul_rule *rule, uint32_t groups)
{
    (void)ctx;
    HD_LOG(
        WARN, "state",
        "a correlation starts anew: it, or a rule that it counts, means something else "
        "now",
        HD_KV_STR("rule", rule->id), HD_KV_UINT("groups", groups));
}

int cor_memory_use(struct cor_memory *m, struct rul_set *set)
{
    rul_correlator_each_forgotten(m->correlator, set, tell_one, NULL);
    return rul_correlator_use(m->correlator, set);
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
    COR_GAUGE(COR_M_SUPPRESS_EVICTED, rul_suppress_evicted(m->suppress));
    cor_losses_note(losses, HD_LOSS_GROUPS, HD_SLICE_EMPTY, stats.evicted - m->evicted);
    m->evicted = stats.evicted;
}
