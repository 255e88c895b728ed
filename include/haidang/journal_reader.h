/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a journal (<haidang/journal.h>), from any process, beside its writer. One
 * thread a reader.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/err.h>
#include <haidang/journal_keys.h>
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
    size_t stored;           /* of it on disk, with its header; set by readers */
};

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
/* The keys for what is encrypted; borrowed until close. NULL: none. */
void hd_journal_reader_use_keys(struct hd_journal_reader *r,
                                const struct hd_journal_keys *keys);

/* Takes up the saved position, so that tell knows it; the first read does that by itself.
 * HD_EAGAIN: there is no journal yet. */
int hd_journal_reader_resume(struct hd_journal_reader *r) HD_MUST_USE;

/* The next durable entry; its slices are valid until the next call. HD_EAGAIN: none yet.
 * HD_ECORRUPT: the entry does not verify; it is skipped (to the next that does) and the
 * number of bytes passed over added to *hd_journal_reader_skipped. HD_ENOENT: entries
 * that would come next are not there (retention removed them, or they are lost with
 * damaged bytes); the reader stands at the next that is. HD_ENOKEY: the entry is
 * encrypted with a key that the reader was not given; it stays there, next_header passes
 * it.
 */
int hd_journal_reader_next(struct hd_journal_reader *r,
                           struct hd_journal_entry *entry) HD_MUST_USE;
/* The same without reading the payload (entry->payload.ptr is NULL, its len is that on
 * disk). */
int hd_journal_reader_next_header(struct hd_journal_reader *r,
                                  struct hd_journal_entry *entry) HD_MUST_USE;
/* The entry whose header was read last, with its payload, and where it stands: the
 * segment may be another file since then. As next; HD_ENOENT: it is gone. */
int hd_journal_reader_next_whole(struct hd_journal_reader *r,
                                 struct hd_journal_entry *entry,
                                 struct hd_journal_cursor *at) HD_MUST_USE;
uint64_t hd_journal_reader_skipped(const struct hd_journal_reader *r);
/* The key that the last HD_ENOKEY was about. */
struct hd_journal_key_id hd_journal_reader_missing_key(const struct hd_journal_reader *r);

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
