/* SPDX-License-Identifier: Apache-2.0
 *
 * Saved cursors: readers/NAME holds two slots of text, written in turn, each with its own
 * checksum, so that a write that a power cut tears leaves the one before. Private to
 * lib/.
 */
#pragma once
#include "lib/journal_format.h"
#include "lib/journal_io.h"

/* [a-z0-9-]{1,63} */
bool hd_jcursor_is_name(const char *name);

/* The newer slot that verifies. HD_ECORRUPT: the file holds none (it may just be made).
 */
int hd_jcursor_read(const struct hd_io *io, int fd, struct hd_jfmt_slot *out) HD_MUST_USE;
/* Writes the slot that slot->generation selects. */
int hd_jcursor_write(const struct hd_io *io, int fd,
                     const struct hd_jfmt_slot *slot) HD_MUST_USE;

/* The smallest index that a named reader below `dir` still needs: UINT64_MAX without
 * readers, 0 when one cannot be read or belongs to another journal. */
int hd_jcursor_min(const struct hd_io *io, const char *dir,
                   const struct hd_jfmt_uuid *uuid, uint64_t *min) HD_MUST_USE;
