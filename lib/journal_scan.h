/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading one segment file: a window over it, what stands at an offset, where the next
 * thing that verifies begins, and what of it a writer may go on with. Used by readers and
 * by recovery, so that both judge alike. Private to lib/; one thread; owns its buffer
 * (at most one entry), borrows the descriptor.
 */
#pragma once
#include "lib/journal_format.h"
#include "lib/journal_io.h"

#define HD_JSCAN_STEP       ((size_t)256 << 10)
#define HD_JSCAN_STEP_HEADS ((size_t)8 << 10)

struct hd_jscan {
    struct hd_io io;
    int fd;
    uint64_t limit; /* bytes of the file that may be read */
    struct hd_jfmt_uuid uuid;
    uint8_t *buf;
    size_t cap;
    size_t step; /* bytes read at once; small when only headers are wanted */
    uint64_t at; /* of the window in the file */
    size_t len;
    struct hd_jfmt_footer footer; /* of the last HD_JITEM_FOOTER */
    uint64_t footer_len;
    /* Asked while it looks for what verifies, at each step: false ends that with
     * HD_ECLOSED. NULL: nobody asks. */
    bool (*go_on)(void *ctx, uint64_t at);
    void *go_on_ctx;
};

enum hd_jitem_kind {
    HD_JITEM_END, /* the limit */
    HD_JITEM_ENTRY,
    HD_JITEM_FOOTER,
    HD_JITEM_BAD, /* nothing that verifies */
};

struct hd_jitem {
    enum hd_jitem_kind kind;
    uint64_t size;             /* of what verified, frames included */
    struct hd_jfmt_entry head; /* entry.payload.ptr only when it was asked for */
};

void hd_jscan_init(struct hd_jscan *scan, const struct hd_io *io);
void hd_jscan_fini(struct hd_jscan *scan);
/* Another file, or more of the same one (then fd is unchanged). */
void hd_jscan_file(struct hd_jscan *scan, int fd, uint64_t limit);

/* Views [at, at + len) until the next call. HD_ERANGE: the file has less. */
int hd_jscan_view(struct hd_jscan *scan, uint64_t at, size_t len,
                  struct hd_slice *out) HD_MUST_USE;
/* What stands at `at`. Entries verify with their payload when with_payload. */
int hd_jscan_at(struct hd_jscan *scan, uint64_t at, bool with_payload,
                struct hd_jitem *item) HD_MUST_USE;
/* The first offset >= at where a footer or an entry with index >= min_index verifies
 * entirely; *found = limit when there is none. `item` says what it is. */
int hd_jscan_resync(struct hd_jscan *scan, uint64_t at, uint64_t min_index,
                    uint64_t *found, struct hd_jitem *item) HD_MUST_USE;
/* The footer at the end of a sealed segment; HD_ENOENT when there is none. */
int hd_jscan_footer(struct hd_jscan *scan) HD_MUST_USE;
/* The statement in that footer, and where in the file it begins; HD_ENOENT: none. A view
 * as of hd_jscan_view. */
int hd_jscan_seal(struct hd_jscan *scan, struct hd_slice *text, uint64_t *at) HD_MUST_USE;
/* The same of the statement about its compaction. */
int hd_jscan_compacted(struct hd_jscan *scan, struct hd_slice *text,
                       uint64_t *at) HD_MUST_USE;

struct hd_jrecovery {
    struct hd_jfmt_footer stats; /* of the entries that verify */
    uint64_t end;                /* where the file is to be cut and appended to */
    uint64_t unproven;           /* from here to `end` nobody says it was ever synced */
    uint64_t next;               /* index of the next entry */
    uint64_t torn_bytes;         /* behind `end`: never committed */
    uint64_t damaged_bytes;      /* were committed and do not verify */
    uint64_t lost_entries;       /* were committed and are gone with them */
    bool is_sealed;
    bool can_append; /* false: leave the file as it is (cut at end) and start another */
};

/* Judges the segment of the scan, whose entries begin with index `first`. Entries below
 * durable_next are known to have been committed (the mark says so); later entries say it
 * of earlier ones. What was never committed ends at the first thing that does not verify;
 * what was committed is kept even when something before it is damaged. */
int hd_jrecover(struct hd_jscan *scan, uint64_t first, uint64_t durable_next,
                uint64_t segment_bytes, struct hd_jrecovery *out) HD_MUST_USE;
