/* SPDX-License-Identifier: Apache-2.0
 *
 * A backtest from its options to its outcome, and how an outcome is shown.
 */
#pragma once
#include "console/backtest_scan.h"
#include "console/backtest_tally.h"
#include "console/progress.h"
#include "console/show.h"

struct con_backtest {
    struct con_scan_opts scan;
    struct con_scan_totals totals;
    struct con_tally tally;
    struct con_progress progress;
    struct rul_set *set;
    struct rul_correlator *correlator;
    int64_t suppress_ns; /* repeats within are held back; 0 = none are */
    struct rul_suppress *suppress;
    struct rul_correlator_stats correlated;
    const struct con_scan_entry *entry; /* at hand */
    const struct con_scan_hit *hit;     /* at hand */
    struct hd_buf position;
    uint64_t lines; /* so far */
    int64_t watermark_ns, took_ns;
    int err;
};

/* The set and the options of the scan (callbacks excepted) are given; fills the rest.
 * own: con_backtest_fini, also on failure. */
int con_backtest_run(struct con_backtest *b, unsigned examples) HD_MUST_USE;
void con_backtest_fini(struct con_backtest *b);

void con_backtest_json(const struct con_backtest *b, struct hd_buf *out);
void con_backtest_text(const struct con_backtest *b, const struct con_show *show,
                       struct hd_buf *out);
