/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries of an archive through worker threads. The calling thread reads them and gives
 * them to the workers in turn; it takes them back in the same order, so what it hears of
 * is in the archive's order however many workers there are. What the footers of segments
 * and the headers of entries rule out is not read. An anonymous reader: nothing is
 * written, no retention is held back; up to what was durable at the beginning. A
 * directory of copied segments without a mark will do.
 *
 * Bounded by CON_ENTRIES_DEPTH entries a worker.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/journal.h>

#define CON_ENTRIES_JOBS_MAX 64U
#define CON_ENTRIES_DEPTH    4U /* entries on their way, a worker */

struct con_entry {
    struct hd_buf payload;
    uint64_t index, segment, offset; /* where it is */
    uint64_t first, count;           /* as its header says */
    void *result; /* result_size bytes, zero at first; of the entry that was here before
                     until work changes it */
};

struct con_entries_opts {
    const char *archive;
    const struct hd_journal_keys *keys; /* borrowed; NULL: none */
    int64_t since_ns, until_ns;         /* entries that may hold some of it are read */
    unsigned jobs;
    size_t result_size;
    void (*result_fini)(void *result);
    /* By the header alone; NULL: all are wanted. */
    bool (*is_wanted)(void *ctx, const struct hd_journal_entry *entry);
    int (*worker_begin)(void *ctx, void **worker); /* own: worker_end, also on failure */
    void (*worker_end)(void *worker);
    void (*work)(void *worker, struct con_entry *entry); /* the worker's thread */
    /* HD_ECLOSED: enough; other errors are those of the run. */
    int (*take)(void *ctx, const struct con_entry *entry);
    /* Entries that lie behind and that there are, also those passed over. */
    void (*progress)(void *ctx, uint64_t done, uint64_t all);
    void *ctx;
};

struct con_entries_totals {
    uint64_t segments;
    uint64_t corrupt; /* places that do not verify */
    uint64_t removed; /* times that entries were not there: removed, or lost */
    uint64_t locked;  /* entries that are encrypted with a key that was not given */
    struct hd_journal_key_id missing; /* one such key */
};

/* Whether the directory is a journal's own, even if it has no entry yet. */
bool con_entries_is_journal(const char *dir);

/* A journal, or segments copied from one without its mark; an anonymous reader. `keys`:
 * borrowed; NULL: none. own: *out, hd_journal_reader_close. */
int con_entries_open(const char *dir, const struct hd_journal_keys *keys,
                     struct hd_journal_reader **out) HD_MUST_USE;

/* One a processor, at most 8. */
unsigned con_entries_jobs(void);

/* HD_E*: the archive cannot be read, memory is short, or what `take` said. */
int con_entries_run(const struct con_entries_opts *opts,
                    struct con_entries_totals *totals) HD_MUST_USE;
