/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer's object, shared by journal.c (append, commit), journal_open.c (recovery),
 * journal_segment.c (files) and journal_retain.c. Private to lib/. One thread.
 */
#pragma once
#include <limits.h>

#include "lib/journal_crypt.h"
#include "lib/journal_cursor.h"
#include "lib/journal_format.h"
#include "lib/journal_io.h"
#include "lib/journal_scan.h"

#include <haidang/hash.h>

#define HD_JOURNAL_SEGMENT_BYTES (UINT64_C(64) << 20)

struct hd_jseg {
    uint64_t first; /* its name */
    uint64_t bytes;
    int64_t created_ns; /* HD_JSEG_NOT_READ: ask hd_jseg_created */
};
#define HD_JSEG_NOT_READ INT64_MIN

/* What is needed to state what a segment holds when it is sealed. */
struct hd_jseal {
    struct evp_md_ctx_st *hash; /* NULL without a key */
    uint64_t hashed;            /* bytes of the last segment */
    bool is_link_known;         /* the two below are as the segments on disk say */
    uint64_t previous;          /* sealed last; 0 = none */
    uint8_t previous_sha256[HD_SHA256_LEN];
    struct hd_buf text;
};

struct hd_journal {
    struct hd_io io;
    struct hd_journal_opts opts; /* dir is ours */
    struct hd_jfmt_uuid uuid;
    int dir_fd, lock_fd, mark_fd;
    int fd; /* of the last segment while it takes entries; -1: the next append makes one
             */
    struct hd_jseg *segs;        /* oldest first */
    size_t n_segs, n_sized;      /* n_sized: when their sizes were looked at */
    uint64_t bytes;              /* of all segments */
    uint64_t tail, durable_tail; /* offsets in the last segment */
    uint64_t next, durable_next; /* indices */
    struct hd_jfmt_footer stats; /* of the last segment */
    struct hd_buf out;           /* headers, footers, the mark */
    struct hd_jseal seal;
    struct hd_jcrypt crypt;
    bool is_key_old;    /* the last segment is not encrypted as new ones are to be */
    int failed;         /* HD_E*: what was appended since the last commit is gone */
    bool is_ragged;     /* bytes of a refused write lie behind the tail */
    bool is_mark_stale; /* publishing failed; tried again with the next commit */
    bool is_least_told; /* it stands in the directory how young nothing may go */
    uint64_t budget;    /* bytes that may be appended before the disk is asked again */
    uint64_t released;  /* entries below this index may go */
    uint64_t removed_bytes, removed_unread;
};

/* journal_segment.c */
int hd_jseg_path(const struct hd_journal *j, const char *name,
                 char out[PATH_MAX]) HD_MUST_USE;
int hd_jseg_add(struct hd_journal *j, const struct hd_jseg *seg) HD_MUST_USE;
/* The last segment is `bytes` long now. */
void hd_jseg_resize(struct hd_journal *j, uint64_t bytes);
/* Reads the header of a segment and keeps when it was made (now, if that cannot be
 * known). False: it does not verify. */
bool hd_jseg_header(struct hd_journal *j, size_t i, struct hd_jfmt_segment *header);
int64_t hd_jseg_created(struct hd_journal *j, size_t i);
/* How long ago that was at `now`; below 0 when a clock was set back since. */
int64_t hd_jseg_age(struct hd_journal *j, size_t i, int64_t now);
/* A segment for the next index; durable, with its name, when this returns HD_OK. */
int hd_jseg_create(struct hd_journal *j) HD_MUST_USE;
/* The last segment takes entries, has some, and is as old as one may get. */
bool hd_jseg_is_aged(struct hd_journal *j);
/* Commits, writes the footer and closes the last segment. */
int hd_jseg_seal(struct hd_journal *j) HD_MUST_USE;
/* Removes what a refused write left behind the tail. */
int hd_jseg_smooth(struct hd_journal *j) HD_MUST_USE;

/* journal_seal.c; without a key these do nothing but encode the footer */
int hd_jseal_open(struct hd_journal *j) HD_MUST_USE;
void hd_jseal_close(struct hd_journal *j);
/* A segment begins with these bytes. */
void hd_jseal_begin(struct hd_journal *j, struct hd_slice header);
/* These bytes were written at the tail. */
void hd_jseal_add(struct hd_journal *j, struct hd_slice bytes);
/* The footer of the last segment, with the statement, into j->out; all before the tail is
 * durable. HD_EIO: what was written cannot be read back. */
int hd_jseal_footer(struct hd_journal *j) HD_MUST_USE;
/* The footer in j->out is durable. */
void hd_jseal_done(struct hd_journal *j);

/* journal_retain.c */
/* Writes opts.retain_min_ns down for other programs; what fails is tried again by trim.
 */
void hd_journal_tell_least(struct hd_journal *j);
/* Entries below this index are past their time, whatever their age: segments that hold no
 * others go at the next trim. */
void hd_journal_release(struct hd_journal *j, uint64_t index);

/* journal.c */
/* fdatasync and mark; on failure the journal is failed. */
int hd_journal_sync(struct hd_journal *j) HD_MUST_USE;
void hd_journal_publish(struct hd_journal *j);
int hd_journal_open_io(const struct hd_journal_opts *opts, const struct hd_io *io,
                       struct hd_journal **out,
                       struct hd_journal_recovery *recovery) HD_MUST_USE;
void hd_journal_free(struct hd_journal *j); /* closes; commits nothing */

/* journal_open.c */
int hd_journal_recover(struct hd_journal *j,
                       struct hd_journal_recovery *recovery) HD_MUST_USE;

/* The writer's thread, the reader and the check with other system calls (tests). */
struct hd_check;
struct hd_check_opts;
struct hd_journal_segments;
int hd_check_open_io(const struct hd_check_opts *opts, const struct hd_io *io,
                     struct hd_check **out) HD_MUST_USE;
struct hd_compact;
struct hd_compact_opts;
int hd_compact_open_io(const struct hd_compact_opts *opts, const struct hd_io *io,
                       struct hd_compact **out) HD_MUST_USE;
int hd_journal_list_io(const char *dir, const struct hd_io *io,
                       struct hd_journal_segments *out) HD_MUST_USE;
struct hd_journal_writer;
struct hd_journal_writer_opts;
int hd_journal_writer_open_io(const struct hd_journal_writer_opts *opts,
                              const struct hd_io *io, struct hd_journal_writer **out,
                              struct hd_journal_recovery *recovery) HD_MUST_USE;
int hd_journal_reader_open_io(const char *dir, const char *name, const struct hd_io *io,
                              struct hd_journal_reader **out) HD_MUST_USE;
