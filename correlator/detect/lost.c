/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/detect/lost.h"

#include <inttypes.h>
#include <stdio.h>

#include <haidang/clock.h>

bool cor_lost_is_own(const struct hd_batch_source *source)
{
    return hd_slice_eq(source->kind, HD_SLICE(HD_LOSS_SOURCE_KIND));
}

bool cor_lost_is_report(const struct hd_batch_source *source)
{
    return cor_lost_is_own(source) &&
           hd_slice_eq(source->name, HD_SLICE(HD_LOSS_SOURCE_NAME));
}

int cor_lost_of_agent(const struct cor_origin *origin, struct hd_slice line,
                      struct hd_loss *out)
{
    int err = hd_loss_decode(line, out);
    if (err != HD_OK) {
        return err;
    }
    HD_LOSS_SET(out->by, HD_SLICE("agent"));
    HD_LOSS_SET(out->agent, origin->agent);
    HD_LOSS_SET(out->boot, origin->boot);
    (void)snprintf(out->at, sizeof(out->at), "%s/%s/%" PRIu64, out->agent, out->boot,
                   origin->seq);
    return HD_OK;
}

static struct hd_loss found_now(enum hd_loss_kind kind, uint64_t count)
{
    int64_t now_ns = hd_clock_wall_ns();
    return (struct hd_loss){.kind = kind,
                            .time_ns = now_ns,
                            .first_ns = now_ns,
                            .last_ns = now_ns,
                            .count = count,
                            .by = "correlator",
                            .source = "archive"};
}

struct hd_loss cor_lost_batch(const struct hd_journal_entry *entry,
                              const struct hd_archive_meta *meta, uint64_t count,
                              const char *why)
{
    struct hd_loss loss = found_now(HD_LOSS_BATCH, count);
    HD_LOSS_SET(loss.agent, meta->agent);
    HD_LOSS_SET(loss.boot, meta->boot);
    loss.first_seq = entry->first;
    loss.last_seq = entry->last;
    HD_LOSS_SET(loss.why, hd_slice_str(why));
    (void)snprintf(loss.at, sizeof(loss.at), "archive/%" PRIu64, entry->index);
    return loss;
}

struct hd_loss cor_lost_entries(enum hd_loss_kind kind, uint64_t first, uint64_t next,
                                uint64_t bytes)
{
    struct hd_loss loss = found_now(kind, next - first);
    loss.bytes = bytes;
    (void)snprintf(loss.at, sizeof(loss.at), "archive/%" PRIu64, first);
    return loss;
}
