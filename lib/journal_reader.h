/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader's object, shared by journal_reader.c (reading), journal_reader_open.c (life,
 * saved cursor) and journal_follow.c (waking). Private to lib/. One thread.
 */
#pragma once
#include "lib/journal_crypt.h"
#include "lib/journal_cursor.h"
#include "lib/journal_scan.h"

struct hd_journal_reader {
    struct hd_io io;
    char *dir;
    char *name; /* NULL: anonymous */
    struct hd_jscan scan;
    int fd;                      /* of segment at.segment, or -1 */
    struct hd_journal_cursor at; /* the next entry has at least this index */
    bool is_segment_done;        /* at.segment is read; go to the one after it */
    bool is_gap_told;            /* HD_E* was said for what is missing before the next */
    bool is_sought;           /* the position was given, the saved cursor is not used */
    struct hd_jfmt_mark mark; /* as last seen */
    bool has_mark;
    bool is_copy; /* segments without a mark: `mark` was judged from them and stays */
    struct hd_jfmt_uuid uuid; /* of the journal the position is in; zero = not known */
    uint64_t skipped;
    const struct hd_journal_keys *keys; /* borrowed; NULL: none */
    struct hd_jcrypt crypt;
    int cursor_fd; /* locked while open */
    bool has_cursor;
    struct hd_jfmt_slot slot; /* as last saved */
    int notify_fd;
    int watch;
    bool is_on_mark; /* the watch is on the mark, not on a directory above it */
};

/* The mark now. HD_EAGAIN: there is none that verifies. */
int hd_jreader_mark(const struct hd_journal_reader *r,
                    struct hd_jfmt_mark *mark) HD_MUST_USE;
/* Opens, or makes, and locks the saved cursor and goes there. HD_ENOENT: the journal's
 * directory does not exist yet. HD_EBUSY: another process reads under this name. */
int hd_jreader_cursor_open(struct hd_journal_reader *r) HD_MUST_USE;
