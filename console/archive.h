/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands of `haidang archive` share: keys, directories, how problems are told.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/journal_check.h>

#include "console/command.h"
#include "console/show.h"

#define CON_ARCHIVE_DEFAULT "/var/lib/haidang/correlator/archive"
#define CON_ARCHIVE_KEYS    64U

/* ---- public keys ---- */

struct con_archive_keys {
    struct hd_sign_key *key[CON_ARCHIVE_KEYS];
    char *path[CON_ARCHIVE_KEYS]; /* where each was read */
    size_t n;
};

/* From --key and --keys. Prints what is wrong; an HD_EXIT_* code. own: _free, always. */
int con_archive_keys_load(struct con_archive_keys *keys, const struct con_args *args);
void con_archive_keys_free(struct con_archive_keys *keys);

/* ---- directories ---- */

/* The only operand, else the correlator's archive. */
const char *con_archive_dir(const struct con_args *args);
/* Prints what is wrong, also when there is no segment; an HD_EXIT_* code. own: free of
 * list->first. */
int con_archive_list(const char *dir, struct hd_journal_segments *list);
/* Bytes of these files together. */
uint64_t con_archive_bytes(const char *dir, const struct hd_journal_segments *list);

/* ---- problems ---- */

struct con_archive_tell {
    const struct con_show *show;
    bool is_json;
    struct hd_buf *out;
    uint64_t problems;
    uint64_t kinds[HD_CHECK_PROBLEMS];
    uint8_t unknown[CON_ARCHIVE_KEYS][HD_KEY_ID_LEN]; /* keys that were told of */
    size_t n_unknown;
};

/* One line, printed: file, entry, offset, what. A key that is not known is told of once;
 * `key_id` is that of the segment's statement. */
void con_archive_problem(struct con_archive_tell *tell, const char *dir,
                         const struct hd_check_finding *finding, const uint8_t *key_id);
/* What to do about the problems told, a line a kind. */
void con_archive_advise(const struct con_archive_tell *tell, struct hd_buf *out);

/* "64.0 MiB" */
void con_archive_size(struct hd_buf *out, uint64_t bytes);
