/* SPDX-License-Identifier: Apache-2.0
 *
 * How long an entry of the archive is kept (docs/formats/retention.md): a file of rules
 * by agent, host, source, information system and level, and profiles of what the law asks
 * for a level. A batch is kept for the longest that any source in it asks for, counted
 * from when the correlator took it. Immutable once loaded.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <haidang/batch.h>
#include <haidang/diag.h>
#include <haidang/journal.h>

#define HD_RETAIN_FOREVER INT64_MAX
#define HD_RETAIN_WHY_MAX 160

struct hd_retain;

/* All problems are reported; HD_EPARSE, or the error of reading. own: until free. */
int hd_retain_load(const char *path, struct hd_retain **out,
                   struct hd_diags *diags) HD_MUST_USE;
void hd_retain_free(struct hd_retain *retain);

struct hd_retain_verdict {
    int64_t until_ns;            /* wall clock; HD_RETAIN_FOREVER */
    char why[HD_RETAIN_WHY_MAX]; /* "rule 2 (web1 /var/log/app.log)" */
};

/* Of an archive entry with its payload. One that cannot be read is kept for the longest
 * that anything is. `batch` is used for reading and left open. */
void hd_retain_entry(const struct hd_retain *retain, struct hd_batch_reader *batch,
                     const struct hd_journal_entry *entry, struct hd_retain_verdict *out);

/* For an encrypted archive; borrowed until free. */
void hd_retain_use_keys(struct hd_retain *retain, const struct hd_journal_keys *keys);
/* Entries of the journal in `dir` below *index are past their time, up to the first that
 * is not: it is only read so far. Blocking; when *stop is set (may be NULL) it ends with
 * what was found. */
int hd_retain_expired(const struct hd_retain *retain, const char *dir, int64_t now_ns,
                      const atomic_bool *stop, uint64_t *index) HD_MUST_USE;
