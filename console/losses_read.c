/* SPDX-License-Identifier: Apache-2.0 */
#include "console/losses_read.h"

#include <haidang/alert.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/journal_lines.h"

static int take_loss(void *ctx, struct hd_slice line)
{
    struct con_losses_from *from = ctx;
    struct hd_loss loss;
    int err = hd_loss_decode(line, &loss);
    return err == HD_OK       ? from->take(from->ctx, &loss)
           : err == HD_ENOMEM ? err
                              : HD_EPARSE;
}

/* What it said, where it said anything. */
static void say_why(const json_t *receipt, struct hd_loss *loss)
{
    int64_t status = hd_alert_int(receipt, "status", 0);
    HD_LOSS_SET(loss->why, hd_slice_str(hd_alert_text(receipt, "reason")));
    if (loss->why[0] == '\0' && status > 0) {
        (void)snprintf(loss->why, sizeof(loss->why), "it answered with status %" PRId64,
                       status);
    }
}

/* A receipt of an alert that a destination will never take. */
static int take_receipt(void *ctx, struct hd_slice line)
{
    struct con_losses_from *from = ctx;
    struct hd_loss loss = {.kind = HD_LOSS_DEAD_LETTER, .count = 1, .by = "forwarder"};
    json_t *receipt = json_loadb((const char *)line.ptr, line.len, 0, NULL);
    bool is_dead = strcmp(hd_alert_text(receipt, "outcome"), "dead") == 0;
    int err = receipt == NULL ? HD_EPARSE : HD_OK;
    if (is_dead && hd_alert_time(receipt, "time", &loss.time_ns) == HD_OK) {
        loss.first_ns = loss.last_ns = loss.time_ns;
        HD_LOSS_SET(loss.source, hd_slice_str(hd_alert_text(receipt, "destination")));
        HD_LOSS_SET(loss.at, hd_slice_str(hd_alert_text(receipt, "alert")));
        say_why(receipt, &loss);
        err = from->take(from->ctx, &loss);
    }
    json_decref(receipt);
    return err;
}

static int read_lines(struct con_losses_from *from, const char *dir,
                      int (*take)(void *ctx, struct hd_slice line))
{
    struct con_journal_lines lines = {.dir = dir,
                                      .keys = from->keys,
                                      .since_ns = from->since_ns,
                                      .until_ns = from->until_ns,
                                      .take = take,
                                      .ctx = from};
    int err = con_journal_lines(&lines);
    from->bad += lines.bad;
    from->missing = lines.missing;
    return err;
}

int con_losses_read_ledger(struct con_losses_from *from, const char *dir)
{
    return read_lines(from, dir, take_loss);
}

int con_losses_read_receipts(struct con_losses_from *from, const char *dir)
{
    return read_lines(from, dir, take_receipt);
}
