/* SPDX-License-Identifier: Apache-2.0
 *
 * Which classes of events come, and with which fields: from a file of events or from the
 * correlator's archive.
 */
#pragma once
#include <haidang/journal_keys.h>

#include "console/rules/load.h"

#define CON_SEEN_WORDS (RUL_FIELDS_MAX / 64)

struct con_seen_class {
    uint64_t events;
    uint64_t fields[CON_SEEN_WORDS]; /* bitmap: some event had it */
};

struct con_seen {
    const struct rul_set *set;
    struct con_seen_class *classes;     /* by id */
    uint64_t events, unknown;           /* all; those of no log source */
    uint64_t unreadable;                /* entries of the archive */
    const struct hd_journal_keys *keys; /* of the archive, borrowed; NULL: none */
    struct hd_journal_key_id missing;   /* what HD_ENOKEY is about */
};

int con_seen_init(struct con_seen *seen, const struct rul_set *set) HD_MUST_USE;
void con_seen_fini(struct con_seen *seen);

/* --events. An HD_EXIT_* code, printed. */
int con_seen_events(struct con_seen *seen, const struct con_args *args) HD_MUST_USE;
/* What the archive in `dir` received since. HD_E*. */
int con_seen_archive(struct con_seen *seen, const char *dir,
                     int64_t since_ns) HD_MUST_USE;
