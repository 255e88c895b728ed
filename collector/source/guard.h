/* SPDX-License-Identifier: Apache-2.0
 *
 * What happens to followed files that no rotation explains: emptied, cut, changed,
 * removed, replaced by what was in them before, closed to us. Each is told in a line of a
 * source of our own (docs/formats/file-report.md), in the batch whose marks say that it
 * was told: once, whatever is killed.
 *
 * A name that lines were taken under has a mark of its own: which file had it. So a file
 * that was removed while no agent ran is missed. Agent loop thread.
 */
#pragma once
#include "collector/source/copies.h"
#include "collector/source/nodes.h"

#define COL_GUARD_SOURCE_KIND HD_LOSS_SOURCE_KIND
#define COL_GUARD_SOURCE_NAME "files"
#define COL_GUARD_FORMAT      "haidang-files"

struct col_guard_name { /* as its mark says */
    size_t pattern;
    char *path;
    dev_t dev;
    ino_t ino;
};

struct col_guard {
    struct col_nodes *nodes; /* borrowed */
    struct hd_buf text;
    struct col_copies copies;
    int64_t recalled_ns;          /* monotonic: what is missing now was missing then */
    struct col_guard_name *names; /* of the agent before, to be looked at */
    size_t n_names, next_name;
};

void col_guard_init(struct col_guard *guard, struct col_nodes *nodes);
void col_guard_fini(struct col_guard *guard);

/* After the first walk: remembers the names of the agent before. Then, once lines are
 * taken, looks what has become of them; HD_EFULL: some are left, go on later. */
void col_guard_recall(struct col_guard *guard);
int col_guard_catch_up(struct col_guard *guard) HD_MUST_USE;
bool col_guard_is_behind(const struct col_guard *guard);

/* Of a tail that says COL_TAIL_RESTART: tells why, and begins it anew. HD_EFULL: nothing
 * was done. */
int col_guard_restart(struct col_guard *guard, struct col_node *n) HD_MUST_USE;

/* Lines were taken under its name. */
void col_guard_took(struct col_guard *guard, struct col_node *n);
/* Its name has its mark still. */
void col_guard_touch(const struct col_guard *guard, const struct col_node *n);
/* Nothing was for a day: what happens to it now is retention. */
void col_guard_idle(struct col_guard *guard, struct col_node *n);

/* Something happened to it that may be its removal. */
void col_guard_notice(const struct col_guard *guard, struct col_node *n);
/* Its name leads to it no more: to be judged at n->judge_ns. */
void col_guard_lost_name(struct col_guard *guard, struct col_node *n);
void col_guard_found_name(struct col_guard *guard, struct col_node *n);
/* Looks what has become of it, or says when to look again. */
void col_guard_judge(struct col_guard *guard, struct col_node *n);
/* It is not followed any more. HD_EFULL: go on following it. */
int col_guard_end(struct col_guard *guard, struct col_node *n) HD_MUST_USE;

/* Permission to open it is lacking. */
bool col_guard_is_closed(const char *path);
/* What has this name is closed to us. HD_EFULL: look again. */
int col_guard_refused(struct col_guard *guard, size_t pattern,
                      const char *path) HD_MUST_USE;
