/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds what belongs to a proof in the journals: anonymous readers, which hold nothing
 * back and write nothing; up to what is durable. Blocking; one thread.
 */
#pragma once
#include "console/progress.h"
#include "console/prove/chain.h"

struct con_find {
    const char *dir[CON_CHAIN_JOURNALS];
    const struct hd_journal_keys *keys; /* borrowed; NULL: none */
    struct hd_journal_key_id missing;   /* what the last HD_ENOKEY was about */
    int64_t since_ns, until_ns;         /* of the archive, when lines were received */
    const char *host;                   /* of a line that is sought; NULL = any */
    struct con_chain *chain;            /* borrowed; what is found goes here */
    struct con_chain_reader reader;
    struct con_progress progress;
    uint64_t looked_at;  /* entries of the archive */
    uint64_t unreadable; /* places that do not verify, or hold what they should not */
    bool has_more;       /* a CON_CHAIN_*_MAX was reached */
};

/* All: HD_OK also when nothing was found. HD_ENOENT, HD_EACCES: of a directory.
 * HD_ENOKEY: of an entry that may be one of those sought. */

/* {"agent","seq"} and, where known, "boot": one of them or more. */
int con_find_events(struct con_find *find, const json_t *wanted) HD_MUST_USE;
/* As con_chain_wanted has it: line or sha256. */
int con_find_line(struct con_find *find, struct hd_slice line,
                  const uint8_t *sha256) HD_MUST_USE;
int con_find_alert(struct con_find *find, const char *id) HD_MUST_USE;
/* Alerts in whose evidence the chain's events are. */
int con_find_alerts(struct con_find *find) HD_MUST_USE;
/* What became of the chain's alerts: the last receipt of each at each destination. */
int con_find_receipts(struct con_find *find) HD_MUST_USE;
