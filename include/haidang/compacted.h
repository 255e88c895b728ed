/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node states about a sealed segment that it wrote anew, smaller
 * (docs/formats/journal.md, "Compaction"): which statement it was sealed with, what its
 * content was and is, which entries are not there any more, and the file as it is now.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/buf.h>
#include <haidang/hash.h>
#include <haidang/sign.h>

#define HD_COMPACTED_RUNS_MAX 512U
#define HD_COMPACTED_MAX      (1536U + 64U * HD_COMPACTED_RUNS_MAX) /* bytes of text */

struct hd_compacted_run {
    uint64_t first, last; /* indices */
};

struct hd_compacted {
    uint8_t journal[16];
    uint64_t first;                  /* names the file */
    uint8_t original[HD_SHA256_LEN]; /* of the statement it was sealed with */
    /* Of all payloads uncompressed, one after the other (zstdcat): when it was sealed,
     * and now; the same unless something was dropped. */
    uint8_t before[HD_SHA256_LEN], after[HD_SHA256_LEN];
    uint64_t entries, records; /* that are there now */
    size_t n_dropped;          /* runs of entries past their retention; in order */
    struct hd_compacted_run dropped[HD_COMPACTED_RUNS_MAX];
    int64_t compacted; /* when */
    uint64_t bytes;    /* of the file, up to this statement */
    uint8_t sha256[HD_SHA256_LEN];
    uint8_t key_id[HD_KEY_ID_LEN];
};

/* Appends text and signature; the same length for whatever hash. */
int hd_compacted_encode(struct hd_buf *out, const struct hd_compacted *compacted,
                        const struct hd_sign_key *key) HD_MUST_USE;
/* HD_EPARSE: no such statement; HD_EVERSION: of a newer version. The signature, about
 * `text`, is not checked. */
int hd_compacted_decode(struct hd_slice in, struct hd_compacted *compacted,
                        struct hd_slice *text,
                        uint8_t signature[HD_SIGNATURE_LEN]) HD_MUST_USE;

/* Entries first to last were dropped, all of them. */
bool hd_compacted_has_dropped(const struct hd_compacted *compacted, uint64_t first,
                              uint64_t last);
/* How many entries that is in all. */
uint64_t hd_compacted_dropped(const struct hd_compacted *compacted);
/* Notes a run behind those that are there. False: there are too many. */
bool hd_compacted_drop(struct hd_compacted *compacted, uint64_t first, uint64_t last);
