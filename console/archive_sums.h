/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA256SUMS of a directory of segments, as `sha256sum -c` checks it.
 */
#pragma once
#include "console/archive.h"

#define CON_ARCHIVE_SUMS "SHA256SUMS"

/* Of the segments in `list` and of keys/ (every *.pub); written last, whole or not at
 * all. */
int con_archive_sums(const char *dir, const struct hd_journal_segments *list) HD_MUST_USE;
/* Whether the two files hold the same bytes. */
int con_archive_same(const char *a, const char *b, bool *is_same) HD_MUST_USE;
/* The same, or two forms of one segment: one of them was compacted. Peeks with `check`.
 */
int con_archive_alike(struct hd_check *check, const char *a, const char *b,
                      bool *is_alike) HD_MUST_USE;
