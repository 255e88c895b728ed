/* SPDX-License-Identifier: Apache-2.0
 *
 * What the `rules` commands share: loading the rules that the command line names, and
 * events from a file with the same decoding as the correlator's.
 */
#pragma once
#include <haidang/diag.h>

#include "console/command.h"
#include "console/lines.h"
#include "rules/set.h"

/* ---- rules ---- */

#define CON_SOURCES_MAX 8U
struct con_sources { /* views into the command line */
    struct rul_logsource list[CON_SOURCES_MAX];
    size_t n;
};
/* --logsource "product=WORD,category=WORD,service=WORD". HD_EXIT_USAGE, printed. */
int con_sources_parse(struct con_sources *sources,
                      const struct con_args *args) HD_MUST_USE;

struct con_rules {
    struct rul_set *set; /* NULL: nothing could be loaded */
    struct hd_diags diags;
    bool only_read; /* set by the caller: nothing will be matched */
    int err;
    int64_t took_ms;
};
/* The rules named by the operands (or those installed) with the decoders, or with the
 * log sources that are declared (n may be 0). Bad rules are left out; every problem goes
 * to rules->diags, whose sink the caller sets. own: con_rules_fini. */
void con_rules_load(struct con_rules *rules, const struct con_args *args,
                    const struct con_sources *declared);
/* HD_EXIT_CONFIG, printed, when there is no set; also when there were errors. */
int con_rules_verdict(const struct con_rules *rules) HD_MUST_USE;
void con_rules_fini(struct con_rules *rules);

/* ---- events ---- */

struct con_events {
    const struct rul_set *set;
    struct con_lines lines;
    struct rul_decode_scratch *scratch;
    struct rul_event *ev; /* the event read last */
    struct hd_batch_source source;
    struct hd_slice format; /* as --format says */
    bool is_declared;
    int64_t start_ns; /* what "now" is to times without a year */
    int64_t last_ns;  /* time of the event before: that of events without one */
    uint64_t refused; /* lines that are not what they began as */
};
/* --events, --format, --host. An HD_EXIT_* code, printed. own: con_events_close. */
int con_events_open(struct con_events *events, const struct con_args *args,
                    const struct rul_set *set) HD_MUST_USE;
void con_events_close(struct con_events *events);

/* The next event of what con_lines_fill(&events->lines) has read. Empty lines are passed
 * over; what is wrong with a line is printed with its number. */
bool con_events_next(struct con_events *events) HD_MUST_USE;
/* One line as an event; what is wrong with it is not looked at. */
void con_events_decode(struct con_events *events, struct hd_slice line);
