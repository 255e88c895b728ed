/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of a journal's entry.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/journal.h>

#define CON_UNPACK_MAX (16U << 20)

/* Replaces what `text` holds. HD_ECORRUPT, HD_ENOMEM. */
int con_unpack(const struct hd_journal_entry *entry, struct hd_buf *text) HD_MUST_USE;
