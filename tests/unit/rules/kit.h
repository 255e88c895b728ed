/* SPDX-License-Identifier: Apache-2.0
 *
 * A rule set from text and events from field lists, for the tests of this room.
 */
#pragma once
#include "tests/support/support.h"

#include "rules/set.h"

struct kit {
    struct rul_set *set;
    struct rul_scratch *scratch;
    struct rul_event *ev;
    struct hd_diag_first first; /* the first error of loading */
    unsigned errors, warnings;
    int err;
    char hits[4096]; /* names of the rules that fired, joined by blanks */
};

/* Rules as YAML; one class for each log source they name. Bad rules are left out. */
void kit_load(struct kit *kit, const char *yaml);
/* The same from a file or directory. */
void kit_load_path(struct kit *kit, const char *path, bool no_self_test);
/* The same with options of the caller's: keep_going is set here, and rules unless the
 * path is NULL. */
void kit_load_with(struct kit *kit, const char *yaml, const struct rul_set_opts *opts);
void kit_load_path_with(struct kit *kit, const char *path,
                        const struct rul_set_opts *opts);
void kit_free(struct kit *kit);

/* Empties the event and gives it a log source. */
void kit_event(struct kit *kit, const char *product, const char *category,
               const char *service);
void kit_set(struct kit *kit, const char *field, const char *value);
/* Matches; kit->hits has the names (or titles). */
const char *kit_match(struct kit *kit);
