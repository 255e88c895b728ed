/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of encrypted journals, for every command that reads one: those of --unlock, else
 * of $HAIDANG_UNLOCK, else of the directory of keys where one is installed and may be
 * read.
 */
#pragma once
#include <haidang/journal_keys.h>
#include <haidang/journal_reader.h>

#include "console/command.h"

#define CON_UNLOCK_DIR "/etc/haidang/journal-keys"
#define CON_UNLOCK_ENV "HAIDANG_UNLOCK"
#define CON_UNLOCK_WHY 160U

/* HD_EXIT_OK, or what is wrong was said. From here on no core dump and no debugger can
 * read our memory, if there is a key. own: hd_journal_keys_free. */
int con_unlock(const struct con_args *args, struct hd_journal_keys **out);

/* hd_err_text; of HD_ENOKEY which key is missing and how to give it. A view into `why`,
 * or a constant. */
const char *con_unlock_text(int err, const struct hd_journal_key_id *missing,
                            char why[CON_UNLOCK_WHY]);
/* The same of what a reader said. */
const char *con_unlock_text_of(int err, const struct hd_journal_reader *reader,
                               char why[CON_UNLOCK_WHY]);
