/* SPDX-License-Identifier: Apache-2.0
 *
 * Which files a file source follows: walks its patterns, opens what matches and what was
 * rotated while no agent ran, and tells once what it has to pass over. Reading is
 * file.c's business; what was found is in its nodes. Agent loop thread.
 */
#pragma once
#include "collector/source/guard.h"
#include "collector/source/nodes.h"
#include "collector/source/told.h"

struct col_discovery {
    struct col_nodes *nodes; /* borrowed */
    struct col_guard *guard; /* borrowed */
    unsigned generation;     /* of the walk: what it does not meet again was rotated */
    bool is_first_walk;
    bool is_waiting;    /* files_max keeps files out */
    bool is_incomplete; /* a file or directory was left out: walk again soon */
    bool *is_new;       /* per pattern: never watched before */
    uint64_t *since;    /* per pattern: wall clock of its first watch, ns */
    size_t pattern;     /* being walked */
    struct col_told refused, passed;
    uint64_t passed_over; /* in this walk */
};

/* Call _fini also on failure. */
int col_discovery_init(struct col_discovery *d, struct col_nodes *nodes,
                       struct col_guard *guard) HD_MUST_USE;
void col_discovery_fini(struct col_discovery *d);

/* The first walk tells patterns that were never watched from those that were: in the
 * latter, an unknown file came while no agent ran, and is read from its beginning. */
void col_discover_first(struct col_discovery *d);
/* The marks of the patterns are in use. */
void col_discover_touch(const struct col_discovery *d);
/* Names may have changed. New nodes and those that were rotated become ready. */
void col_discover(struct col_discovery *d);
/* A file whose name matched was renamed from `was` to `path`. */
void col_discover_renamed(struct col_discovery *d, const char *path, const char *was);
