/* SPDX-License-Identifier: Apache-2.0
 *
 * DIR/write-once-min: the age below which nothing of the journal may go (docs/formats/
 * journal.md, "Retention"). Made by its writer where there is such an age; whoever takes
 * something out of the directory has to read it. Private to lib/. Blocking; any thread.
 */
#pragma once
#include "lib/journal_io.h"

/* 0: there is none. HD_ECORRUPT: there is one, and nobody can say which. */
int hd_jleast_read(const struct hd_io *io, const char *dir, int64_t *age_ns) HD_MUST_USE;
/* By the one writer of the journal; durable on HD_OK: what stands there already may not
 * be, and is synced. Makes no file to say 0. `dir_fd`: the directory, open. */
int hd_jleast_write(const struct hd_io *io, const char *dir, int dir_fd,
                    int64_t age_ns) HD_MUST_USE;
