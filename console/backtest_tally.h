/* SPDX-License-Identifier: Apache-2.0
 *
 * What a backtest has found: for each rule how often, on which hosts, in which hours, and
 * the first few lines. Bounded: hosts above CON_TALLY_HOSTS_MAX are counted together.
 * One thread.
 */
#pragma once
#include <haidang/buf.h>

#include "rules/correlate/correlate.h"

#define CON_TALLY_HOSTS_MAX    10000U
#define CON_TALLY_EXAMPLES_MAX 100U
#define CON_TALLY_LINE_MAX     4096U /* bytes of an example's line */

struct con_tally_host {
    char *name; /* printable */
    uint64_t raised, repeats;
};

struct con_tally_hour {
    int64_t start_ns;
    uint64_t raised, repeats;
};

struct con_tally_example {
    int64_t time_ns;
    char *position; /* "agent/boot/seq" */
    char *group;    /* "field=value ..." of a correlation, else "" */
    char *line;
};

struct con_tally_rule {
    uint64_t matched;             /* lines, of a detection rule */
    uint64_t raised, repeats;     /* alerts, and what would only have been counted */
    int64_t first_ns, last_ns;    /* event times of both */
    struct con_tally_host *hosts; /* after con_tally_finish: the most alerts first */
    size_t n_hosts, hosts_cap;
    uint32_t *host_index;         /* hash table over hosts: index + 1 */
    uint64_t other_hosts;         /* of hosts that found no room, both */
    struct con_tally_hour *hours; /* in order of time */
    size_t n_hours, hours_cap, hour_at;
    struct con_tally_example *examples;
    size_t n_examples;
};

struct con_tally {
    struct con_tally_rule *rules; /* by index in the set */
    size_t n_rules;
    unsigned examples; /* wanted a rule */
    int err;           /* HD_ENOMEM: the counts are not whole */
    struct hd_buf text;
};

struct con_tally_alert { /* something that would have been raised */
    const struct rul_rule *rule;
    int64_t time_ns;
    struct hd_slice host; /* may be empty */
    struct hd_slice position;
    bool is_repeat;                        /* held back, see suppress.h */
    const struct rul_event_copy *event;    /* NULL: not to be shown */
    const struct rul_detection *detection; /* NULL: of one event */
};

int con_tally_init(struct con_tally *tally, const struct rul_set *set,
                   unsigned examples) HD_MUST_USE;
void con_tally_fini(struct con_tally *tally);
void con_tally_add(struct con_tally *tally, const struct con_tally_alert *alert);
/* Sorts hosts by their alerts, then by their repeats. */
void con_tally_finish(struct con_tally *tally);
