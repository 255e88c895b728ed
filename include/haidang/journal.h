/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal: every durable thing (docs/formats/journal.md). An append-only sequence of
 * entries in segment files of one directory, one writer (flock), any number of named
 * readers in any process. An entry is a zstd skippable frame (header + meta, CRC-32C) and
 * a zstd frame (payload), so `zstdcat SEGMENT` prints the payloads as text.
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
#include <haidang/slice.h>

#define HD_JOURNAL_META_MAX    4096U
#define HD_JOURNAL_PAYLOAD_MAX (2U << 20)

struct hd_journal_entry {
    uint64_t index;       /* position in the journal, from 1; set by append */
    uint64_t first, last; /* the payload's own sequence, as the writer's user means it */
    int64_t time_min, time_max;
    uint32_t count;          /* records in the payload */
    uint32_t raw_len;        /* payload uncompressed */
    struct hd_slice meta;    /* small opaque bytes of the writer's user */
    struct hd_slice payload; /* one zstd frame */
};

struct hd_sign_key;

struct hd_journal_opts {
    const char *dir;
    uint64_t segment_bytes; /* a segment is sealed at this size; 0 = 64 MiB */
    int64_t segment_ns;     /* or at this age; 0 = never by age */
    uint64_t retain_bytes;  /* oldest sealed segments go above this; 0 = no limit */
    int64_t retain_ns;      /* and when older than this; 0 = no limit */
    uint64_t max_bytes;     /* hard cap: append says HD_ENOSPC above; 0 = the disk's */
    uint64_t reserve_bytes; /* keep so much of the disk free: append says HD_ENOSPC */
    bool retain_unread;     /* true: retention may remove what a named reader still needs
                               (counted); false (default): never */
    const struct hd_sign_key *seal_key; /* sealed segments are stated and signed with it;
                               borrowed until close. NULL: not stated */
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
 */
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
/* Entries that retention removed although a named reader had not read them. */
uint64_t hd_journal_removed_unread(const struct hd_journal *j);

/* ---- reading ---- */

struct hd_journal_cursor {
    uint64_t index;   /* of the next entry to read; 0 = the oldest there is */
    uint64_t segment; /* hint: file and offset; checked, recomputed when wrong */
    uint64_t offset;
};

struct hd_journal_reader;

/* name: [a-z0-9-]{1,63}; a named reader starts at its saved cursor (or, when it has none,
 * at the oldest entry) and holds retention back. NULL: anonymous, starts at the oldest
 * entry. The directory may be empty or not exist yet: reads say HD_EAGAIN. */
int hd_journal_reader_open(const char *dir, const char *name,
                           struct hd_journal_reader **out) HD_MUST_USE;
void hd_journal_reader_close(struct hd_journal_reader *r);

/* The next durable entry; its slices are valid until the next call. HD_EAGAIN: none yet.
 * HD_ECORRUPT: the entry does not verify; it is skipped (to the next that does) and the
 * number of bytes passed over added to *hd_journal_reader_skipped. HD_ENOENT: entries
 * that would come next are not there (retention removed them, or they are lost with
 * damaged bytes); the reader stands at the next that is.
 */
int hd_journal_reader_next(struct hd_journal_reader *r,
                           struct hd_journal_entry *entry) HD_MUST_USE;
/* The same without reading the payload (entry->payload.ptr is NULL, its len is set). */
int hd_journal_reader_next_header(struct hd_journal_reader *r,
                                  struct hd_journal_entry *entry) HD_MUST_USE;
uint64_t hd_journal_reader_skipped(const struct hd_journal_reader *r);

/* Where the next read starts. */
void hd_journal_reader_tell(const struct hd_journal_reader *r,
                            struct hd_journal_cursor *cursor);
int hd_journal_reader_seek(struct hd_journal_reader *r,
                           const struct hd_journal_cursor *cursor) HD_MUST_USE;
/* To the end (next durable entry to come), or to the first segment that may hold `time`.
 */
int hd_journal_reader_seek_end(struct hd_journal_reader *r) HD_MUST_USE;
int hd_journal_reader_seek_time(struct hd_journal_reader *r, int64_t time_ns) HD_MUST_USE;

/* Saves this cursor for a named reader (not synced: a repeated read must be harmless;
 * `durable` adds fsync + rename). */
int hd_journal_reader_save(struct hd_journal_reader *r,
                           const struct hd_journal_cursor *cursor,
                           bool durable) HD_MUST_USE;

/* A descriptor to poll for reading: readable when the mark may have moved. Call drain
 * when it was, then read until HD_EAGAIN. Owned by the reader. < 0: HD_E*. */
int hd_journal_reader_fd(struct hd_journal_reader *r) HD_MUST_USE;
void hd_journal_reader_drain(struct hd_journal_reader *r);
/* Entries between the reader and the mark. */
uint64_t hd_journal_reader_lag(const struct hd_journal_reader *r);
/* What is durable from a cursor on, in entries and in bytes on disk. */
struct hd_journal_rest {
    uint64_t entries, bytes;
};
int hd_journal_reader_rest(const struct hd_journal_reader *r,
                           const struct hd_journal_cursor *from,
                           struct hd_journal_rest *out) HD_MUST_USE;
