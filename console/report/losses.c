/* SPDX-License-Identifier: Apache-2.0
 *
 * What was lost in the period, as `haidang losses` sums it.
 */
#include "console/losses.h"

#include "console/losses_read.h"
#include "console/report/report.h"

struct losses {
    struct con_report *report;
    struct con_loss_rows rows;
};

/* By its end, so that each is in one period. */
static int take(void *ctx, const struct hd_loss *loss)
{
    struct losses *l = ctx;
    const struct con_period *period = &l->report->period;
    return loss->last_ns >= period->since_ns && loss->last_ns < period->until_ns
               ? con_losses_add(&l->rows, loss)
               : HD_OK;
}

static void put_row(struct con_report *r, json_t *list, const struct con_loss_row *from)
{
    const struct hd_loss *sum = &from->sum;
    json_t *row = con_report_add(r, list, NULL, json_object());
    con_report_put_text(r, row, "kind", hd_loss_name(sum->kind));
    con_report_put_text(r, row, "by", sum->by);
    con_report_put_text(r, row, "agent", sum->agent);
    con_report_put_text(r, row, "source", sum->source);
    con_report_put_number(r, row, "records", from->records);
    con_report_put_number(r, row, "count", sum->count);
    con_report_put_text(r, row, "unit", hd_loss_unit(sum->kind));
    if (sum->bytes > 0) {
        con_report_put_number(r, row, "bytes", sum->bytes);
    }
    con_report_put_time(r, row, "first", sum->first_ns);
    con_report_put_time(r, row, "last", sum->last_ns);
    if (sum->first_seq > 0) {
        con_report_put_number(r, row, "first_seq", sum->first_seq);
        con_report_put_number(r, row, "last_seq", sum->last_seq);
    }
    con_report_put_text(r, row, "why",
                        sum->why[0] != '\0' ? sum->why : hd_loss_why(sum->kind));
    const struct hd_system *system = con_loss_system(&r->systems, sum);
    if (system != NULL) {
        con_report_put(r, row, "system", con_systems_json(system));
    }
}

static void put_all(struct losses *l, const struct con_losses_from *from, bool has_ledger,
                    bool has_receipts)
{
    struct con_report *r = l->report;
    json_t *part = con_report_add(r, r->doc, "losses", json_object());
    json_t *by_kind = con_report_add(r, part, "by_kind", json_object());
    json_t *rows = con_report_add(r, part, "rows", json_array());
    con_report_put(r, part, "ledger", json_boolean(has_ledger));
    con_report_put(r, part, "receipts", json_boolean(has_receipts));
    con_losses_sort(&l->rows);
    for (size_t i = 0; i < l->rows.n; i++) {
        put_row(r, rows, &l->rows.rows[i]);
        con_report_count(r, by_kind, hd_loss_name(l->rows.rows[i].sum.kind),
                         l->rows.rows[i].sum.count);
    }
    if (from->bad > 0) {
        con_report_unknown(r, CON_REPORT_UNREADABLE, r->losses, from->bad);
    }
}

int con_report_losses(struct con_report *r)
{
    struct losses l = {.report = r};
    struct con_losses_from from = {.keys = r->keys,
                                   .since_ns = r->period.since_ns,
                                   .until_ns = r->period.until_ns,
                                   .take = take,
                                   .ctx = &l};
    bool has_ledger = con_report_has_journal(r, r->losses);
    bool has_receipts = con_report_has_receipts(r);
    int err = has_ledger ? con_losses_read_ledger(&from, r->losses) : HD_OK;
    has_ledger = has_ledger && con_report_is_read(r, r->losses, err);
    int also = has_receipts ? con_losses_read_receipts(&from, r->receipts) : HD_OK;
    has_receipts = has_receipts && con_report_is_read(r, r->receipts, also);
    put_all(&l, &from, has_ledger, has_receipts);
    con_losses_fini(&l.rows);
    return err == HD_ENOMEM || also == HD_ENOMEM
               ? con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(HD_ENOMEM))
               : HD_EXIT_OK;
}
