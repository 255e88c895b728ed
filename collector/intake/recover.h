/* SPDX-License-Identifier: Apache-2.0
 *
 * What the intake must know before its first line: the boot id, the next sequence and the
 * marks, from the state file and the spool entries after it. Blocks: at start only.
 */
#pragma once
#include "collector/intake/state.h"

#include <haidang/journal.h>

/* The spool's writer is open (its torn tail is cut); next_index is what it found. A spool
 * that was removed gets a new boot id, because sequences cannot go on. `why` for people.
 */
int col_recover(const char *state_dir, const struct hd_journal_keys *keys,
                uint64_t next_index, struct col_state *state, struct col_marks *marks,
                char why[256]) HD_MUST_USE;
