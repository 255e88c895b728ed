/* SPDX-License-Identifier: Apache-2.0
 *
 * A journal with a disk thread of its own and group commit: a loop submits entries, the
 * thread appends whatever has come, syncs once, and the loop is told. The bytes in flight
 * are bounded; a refusal is the caller's back-pressure.
 */
#pragma once
#include <uv.h>

#include <haidang/journal.h>

struct hd_journal_writer;

struct hd_journal_writer_opts {
    struct hd_journal_opts journal;
    uv_loop_t *loop;      /* whose thread submits and is called back */
    uint64_t queue_bytes; /* in flight at most; 0 = 8 MiB */
    /* On the loop, in order of submission. err: HD_OK = durable; HD_ENOSPC, HD_EIO: not
     * written, nothing after it in the same group either. HD_EINVAL: this one alone is
     * not what a journal takes. `token` as submitted. */
    void (*on_durable)(void *ctx, int err, uint64_t index, void *token);
    void (*on_drain)(void *ctx); /* room again after HD_EFULL; may be NULL */
    void *ctx;
};

int hd_journal_writer_open(const struct hd_journal_writer_opts *opts,
                           struct hd_journal_writer **out,
                           struct hd_journal_recovery *recovery) HD_MUST_USE;

/* Copies meta and payload. HD_EFULL: wait for on_drain. HD_ECLOSED: after close. Loop
 * thread. */
int hd_journal_writer_submit(struct hd_journal_writer *w,
                             const struct hd_journal_entry *entry,
                             void *token) HD_MUST_USE;
/* Asks the thread to apply retention (readers moved on). */
void hd_journal_writer_trim(struct hd_journal_writer *w);

/* Entries below this index are past their time (hd_journal_release). */
void hd_journal_writer_release(struct hd_journal_writer *w, uint64_t index);

uint64_t hd_journal_writer_queued(
    const struct hd_journal_writer *w);                              /* bytes in flight */
uint64_t hd_journal_writer_bytes(const struct hd_journal_writer *w); /* on disk */
uint64_t hd_journal_writer_syncs(const struct hd_journal_writer *w);
uint64_t hd_journal_writer_removed_bytes(const struct hd_journal_writer *w);
/* Entries that retention removed although a named reader had not read them. */
uint64_t hd_journal_writer_removed_unread(const struct hd_journal_writer *w);

/* Finishes what was submitted, closes the journal, then calls `closed` on the loop and
 * frees the writer. */
void hd_journal_writer_close(struct hd_journal_writer *w, void (*closed)(void *ctx),
                             void *ctx);
