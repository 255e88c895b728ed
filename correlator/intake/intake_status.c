/* SPDX-License-Identifier: Apache-2.0
 *
 * What the intake tells of itself: gauges, /status, problems. Loop thread.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include <haidang/clock.h>

#include "correlator/intake/intake_core.h"
#include "correlator/metrics.h"

#define AGENT_LAG_ALARM_S 600

uint64_t cor_intake_archive_bytes(const struct cor_intake *in)
{
    return in->archive == NULL ? 0 : hd_journal_writer_bytes(in->archive);
}

uint64_t cor_intake_archive_removed(const struct cor_intake *in)
{
    return in->archive == NULL ? 0 : hd_journal_writer_removed_bytes(in->archive);
}

void cor_intake_refresh(struct cor_intake *in)
{
    COR_GAUGE(COR_M_AGENTS, in->n_active);
    COR_GAUGE(COR_M_AGENTS_KNOWN, in->agents.n);
    COR_GAUGE(COR_M_MEMORY, in->memory_used);
    if (in->archive == NULL) {
        return;
    }
    uint64_t syncs = hd_journal_writer_syncs(in->archive);
    COR_COUNT(COR_M_ARCHIVE_SYNCS, syncs - in->syncs_seen);
    in->syncs_seen = syncs;
    COR_GAUGE(COR_M_ARCHIVE_BYTES, hd_journal_writer_bytes(in->archive));
    COR_GAUGE(COR_M_ARCHIVE_QUEUE_LIMIT, in->pace.limit);
    COR_GAUGE(COR_M_ARCHIVE_QUEUE, hd_journal_writer_queued(in->archive));
}

/* Age of the oldest line in the agent's spool, by the agent's own clock. */
static uint64_t lag_s(const struct cor_agent *row)
{
    uint64_t now = row->stats[HD_WIRE_STAT_WALL_NS];
    uint64_t oldest = row->stats[HD_WIRE_STAT_SPOOL_OLDEST_NS];
    return oldest == 0 || oldest > now ? 0 : (now - oldest) / (uint64_t)HD_NS_PER_SEC;
}

static void agent_status(const struct cor_agent *row, struct hd_json *j)
{
    hd_json_object(j, NULL);
    hd_json_cstr(j, "agent", row->name);
    hd_json_cstr(j, "boot", row->boot);
    hd_json_bool(j, "connected", row->session != NULL);
    hd_json_cstr(j, "peer", row->peer);
    if (row->seen_ns == 0) {
        hd_json_null(j, "last_seen");
    } else {
        hd_json_time(j, "last_seen", row->seen_ns, 3);
    }
    hd_json_u64(j, "last_seq", row->ledger.durable);
    hd_json_u64(j, "lines", row->lines);
    hd_json_u64(j, "spool_bytes", row->stats[HD_WIRE_STAT_SPOOL_BYTES]);
    hd_json_u64(j, "lag_s", lag_s(row));
    hd_json_u64(j, "dropped", row->stats[HD_WIRE_STAT_DROPPED]);
    hd_json_u64(j, "rate", (uint64_t)row->rate);
    hd_json_end(j, '}');
}

void cor_intake_each_connected(const struct cor_intake *in,
                               void (*each)(void *ctx, struct hd_slice agent,
                                            int64_t difference_ns),
                               void *ctx)
{
    for (uint32_t i = 0; i < in->agents.n; i++) {
        const struct cor_agent *row = cor_agents_at(&in->agents, i);
        if (row->session != NULL) {
            each(ctx, hd_slice_str(row->name), row->clock_difference_ns);
        }
    }
}

void cor_intake_status(const struct cor_intake *in, struct hd_json *j)
{
    hd_json_array(j, "agents");
    for (uint32_t at = in->agents.newest; at != UINT32_MAX;
         at = cor_agents_at(&in->agents, at)->older) {
        agent_status(cor_agents_at(&in->agents, at), j);
    }
    hd_json_end(j, ']');
    hd_json_object(j, "archive");
    hd_json_u64(j, "bytes", cor_intake_archive_bytes(in));
    hd_json_u64(j, "entries", in->agents.next_entry - 1);
    hd_json_end(j, '}');
}

static void say_f(void (*say)(void *ctx, const char *text), void *ctx, const char *fmt,
                  ...) HD_PRINTF(3, 4);
static void say_f(void (*say)(void *ctx, const char *text), void *ctx, const char *fmt,
                  ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    say(ctx, text);
}

void cor_intake_problems(const struct cor_intake *in,
                         void (*say)(void *ctx, const char *text), void *ctx)
{
    if (in->archive_state != COR_ARCHIVE_OK) {
        say_f(say, ctx, "the archive takes no more (%s): agents keep their lines",
              hd_err_text(in->archive_err));
    }
    for (uint32_t i = 0; i < in->agents.n; i++) {
        const struct cor_agent *row = cor_agents_at(&in->agents, i);
        if (row->session != NULL && lag_s(row) > AGENT_LAG_ALARM_S) {
            say_f(say, ctx, "agent %s lags: its oldest line is %" PRIu64 " s old",
                  row->name, lag_s(row));
        }
    }
}
