/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal: every durable thing (docs/formats/journal.md). An append-only sequence of
 * entries in segment files of one directory, one writer (flock), any number of named
 * readers in any process (<haidang/journal_reader.h>). An entry is a zstd skippable frame
 * (header + meta, CRC-32C) and a zstd frame (payload), so `zstdcat SEGMENT` prints the
 * payloads as text; of an encrypted one, nothing.
 *
 *     DIR/00000000000000000001.zst   segments, named by the index of their first entry
 *     DIR/mark                       how far data is durable; readers stop there
 *     DIR/readers/NAME               saved cursors
 *     DIR/lock
 *
 * Threads: the writer object belongs to one thread and blocks in the system calls
 * (<haidang/journal_writer.h> gives it a thread of its own). A reader belongs to one
 * thread. Durable means fdatasync returned; after a failed fdatasync nothing since the
 * last good one is trusted: the writer reopens and re-verifies, or refuses.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/err.h>
#include <haidang/journal_reader.h>
#include <haidang/slice.h>

#define HD_JOURNAL_SEGMENT_MAX (((uint64_t)1 << 30) + ((uint64_t)4 << 20)) /* bytes */
#define HD_JOURNAL_INDEX_MAX   INT64_MAX

struct hd_sign_key;

struct hd_journal_opts {
    const char *dir;
    uint64_t
        segment_bytes;  /* a segment is sealed at this size, at most 1 GiB; 0 = 64 MiB */
    int64_t segment_ns; /* or at this age; 0 = never by age */
    uint64_t retain_bytes;  /* oldest sealed segments go above this; 0 = no limit */
    int64_t retain_ns;      /* and when older than this; 0 = no limit */
    uint64_t max_bytes;     /* hard cap: append says HD_ENOSPC above; 0 = the disk's */
    uint64_t reserve_bytes; /* keep so much of the disk free: append says HD_ENOSPC */
    int64_t
        retain_min_ns;  /* nothing younger goes, for whatever reason; 0 = no such age */
    bool retain_unread; /* true: retention may remove what a named reader still needs
                           (counted); false (default): never */
    const struct hd_sign_key *seal_key; /* sealed segments are stated and signed with it;
                               borrowed until close. NULL: not stated */
    const struct hd_journal_keys *keys; /* all there are; borrowed. NULL: none */
    const struct hd_journal_key *key;   /* of these: entries of new segments are encrypted
                                           with it. NULL: they are not */
};

struct hd_journal;

struct hd_journal_recovery { /* what open found; log it */
    uint64_t entries;        /* in the last segment */
    uint64_t torn_bytes;     /* cut from its tail: never committed */
    uint64_t damaged_bytes;  /* were committed and do not verify; they stay */
    uint64_t lost_entries;   /* were committed and are gone with them */
    uint64_t next_index;
    char torn_file[64];
};

/* Creates the directory when missing; cuts a torn tail. HD_EBUSY: another writer has it.
 * HD_ENOKEY: the last segment is encrypted with a key that is not in opts->keys; nothing
 * was changed. */
int hd_journal_open(const struct hd_journal_opts *opts, struct hd_journal **out,
                    struct hd_journal_recovery *recovery) HD_MUST_USE;
/* Commits and closes. */
void hd_journal_close(struct hd_journal *j);

/* Writes the entry; durable only after commit. Sets entry->index. HD_ENOSPC leaves the
 * journal as it was. */
int hd_journal_append(struct hd_journal *j, struct hd_journal_entry *entry) HD_MUST_USE;
/* fdatasync, then publish the mark. Everything appended before is durable on HD_OK. On an
 * error what was appended since the last good commit is gone, but for entries below
 * hd_journal_next_index (a segment was sealed between); appends that failed with anything
 * but HD_ENOSPC and HD_EINVAL need a commit, too, before the journal takes entries again.
 */
int hd_journal_commit(struct hd_journal *j) HD_MUST_USE;
/* Seals the last segment when it is as old as one may get, then applies retention (also
 * done at each seal). Returns segments removed or < 0. An error in sealing is one of
 * append. */
int hd_journal_trim(struct hd_journal *j) HD_MUST_USE;

uint64_t hd_journal_next_index(const struct hd_journal *j);
uint64_t hd_journal_bytes(const struct hd_journal *j); /* all segments on disk */
/* What retention removed: bytes; entries that a named reader had not read. */
uint64_t hd_journal_removed_bytes(const struct hd_journal *j);
uint64_t hd_journal_removed_unread(const struct hd_journal *j);
