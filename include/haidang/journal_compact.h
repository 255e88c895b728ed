/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealed segments written anew, smaller (docs/formats/journal.md, "Compaction"): payloads
 * compressed as far as zstd can, entries past their retention left out when asked for;
 * everything else of an entry, its index above all, stays. The new file is made aside
 * (DIR/.compact), verified as it lies there, and takes the place of the old one in one
 * step, so that the writer and readers may be at work meanwhile and a crash leaves the
 * one or the other. Blocking; one thread an object, one object a journal.
 */
#pragma once
#include <haidang/journal_check.h>

struct hd_compact;

struct hd_compact_opts { /* what it points to is borrowed */
    const char *dir;
    int level;                       /* of zstd */
    const struct hd_sign_key *key;   /* states what was done */
    struct hd_sign_key *const *keys; /* public ones of the seals, that of `key` too */
    size_t n_keys;
    const struct hd_journal_keys *secrets; /* of what is encrypted; NULL: none */
    /* True: this entry is past its retention. Never asked about what a named reader still
     * needs. NULL: nothing is dropped. */
    bool (*drop)(void *ctx, const struct hd_journal_entry *entry);
    int64_t keep_ns; /* nothing is dropped of what was sealed less long ago than this, or
                        than the writer of the journal has written down there */
    void (*found)(void *ctx, const struct hd_check_finding *finding);
    bool (*progress)(void *ctx, uint64_t bytes); /* false: stop (HD_ECLOSED) */
    void *ctx;
};

enum hd_compact_outcome {
    HD_COMPACT_DONE,
    HD_COMPACT_NOTHING,  /* it was compacted before, or would not become smaller */
    HD_COMPACT_UNSIGNED, /* not sealed, or without a statement */
    HD_COMPACT_REFUSED,  /* it does not verify: found() has said why */
    HD_COMPACT_LOCKED,   /* encrypted with a key that was not given */
};

struct hd_compact_result {
    enum hd_compact_outcome outcome;
    uint64_t entries, dropped;          /* that were there; of these */
    uint64_t scattered;                 /* past their time, and kept: too many runs */
    bool is_young;                      /* too young for anything to be dropped */
    uint64_t raw_bytes, kept_bytes;     /* payloads uncompressed, before and after */
    uint64_t before_bytes, after_bytes; /* of the file */
};

/* HD_EBUSY: somebody else compacts there. HD_ECORRUPT: nobody can say how young nothing
 * may be dropped there. own: until close. */
int hd_compact_open(const struct hd_compact_opts *opts,
                    struct hd_compact **out) HD_MUST_USE;
void hd_compact_close(struct hd_compact *compact);

/* One segment, by its first index; never the last one of a journal, which the mark speaks
 * of. HD_ENOENT: it is gone; HD_EUNSUPPORTED: this file system cannot exchange files;
 * others: the disk, memory. Whatever is returned, the segment is whole. */
int hd_compact_segment(struct hd_compact *compact, uint64_t first,
                       struct hd_compact_result *result) HD_MUST_USE;
