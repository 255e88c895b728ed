/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading segments that were copied away from their journal.
 */
#pragma once
#include <haidang/journal.h>

/* An anonymous reader of a directory that has segments and no mark. How far they hold is
 * judged by what verifies in the last one. HD_ENOENT: there is no such directory, or no
 * segment in it verifies. own: *out, hd_journal_reader_close. */
int hd_journal_loose_open(const char *dir, struct hd_journal_reader **out) HD_MUST_USE;
