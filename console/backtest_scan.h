/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads an archive through the correlator's own decoders and matcher, with worker threads
 * and in the archive's order (console/entries.h). An entry's slices and hits are valid
 * while on_entry runs.
 */
#pragma once
#include <haidang/canary_gate.h>

#include "console/entries.h"
#include "rules/correlate/suppress.h"
#include "rules/set.h"

struct con_scan_hit {
    const struct rul_rule *rule;
    int64_t time_ns;
    uint64_t seq;
    size_t host_at, host_len; /* in the entry's texts; len 0 = none */
    uint64_t about;           /* key of what makes it a repeat; of alerting rules */
    size_t shown;             /* index of the copy of its event + 1; 0 = not copied */
};

struct con_scan_entry { /* one batch, examined */
    struct hd_slice agent, boot;
    uint64_t lines, decoded, lost; /* examined, known to a decoder, unreadable */
    uint64_t bytes;                /* of the lines */
    uint64_t tests;                /* lines of canaries, not examined */
    int64_t watermark_ns;          /* largest event time, never past its receive time */
    bool is_corrupt;               /* no batch, or not the one it says to be */
    int err;                       /* HD_ENOMEM: the results are not whole */
    struct con_scan_hit *hits;     /* in the order of lines, then of rules */
    size_t n_hits, hits_cap;
    struct rul_event_copy **copies; /* of feeding events and of those to be shown */
    size_t n_copies, copies_cap;
    struct hd_buf texts;
};

static inline struct hd_slice con_scan_host(const struct con_scan_entry *e,
                                            const struct con_scan_hit *hit)
{
    return hd_slice_head(hd_slice_from(hd_buf_slice(&e->texts), hit->host_at),
                         hit->host_len);
}

struct con_scan_opts {
    const char *archive;
    const struct hd_journal_keys *keys;       /* borrowed; NULL: none */
    struct rul_set *set;                      /* borrowed */
    const struct rul_suppress *suppress;      /* borrowed: makes the keys */
    const struct hd_canary_keys *canary_keys; /* borrowed; NULL: no line is a test */
    int64_t since_ns, until_ns; /* of receive times: from, and up to but without */
    unsigned jobs;
    unsigned examples; /* lines a rule and entry that are copied to be shown */
    void (*on_entry)(void *ctx, const struct con_scan_entry *entry);
    /* Entries that lie behind and that there are, also those passed over. */
    void (*on_progress)(void *ctx, uint64_t done, uint64_t all);
    void *ctx;
};

struct con_scan_totals {
    uint64_t entries;                 /* examined */
    uint64_t lines, bytes, decoded;   /* in the range of time */
    uint64_t corrupt, lost;           /* entries, and lines in others */
    uint64_t tests;                   /* lines of canaries, left out; not among `lines` */
    uint64_t removed;                 /* times that retention was faster than we */
    struct hd_journal_key_id missing; /* what HD_ENOKEY is about */
};

/* Up to what is durable now. HD_E*: the archive cannot be read, or memory is short.
 * HD_ENOKEY: some of it is encrypted with a key that was not given. */
int con_scan_run(const struct con_scan_opts *opts,
                 struct con_scan_totals *totals) HD_MUST_USE;
