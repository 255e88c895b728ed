/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node states about a sealed segment of a journal, as text that people and other
 * programs can check (docs/formats/journal.md, "Seal"): how many bytes have which
 * SHA-256, what is in them, and the SHA-256 of the statement about the segment before.
 * The statements form a chain; each is signed.
 */
#pragma once
#include <stdint.h>

#include <haidang/buf.h>
#include <haidang/hash.h>
#include <haidang/sign.h>

#define HD_SEAL_MAX 1024U /* bytes of a statement with its signature */

struct hd_seal {
    uint8_t journal[16];  /* UUID */
    uint64_t first, next; /* indices of the entries; `first` names the file */
    uint64_t entries, records;
    int64_t earliest, latest, sealed; /* ns since 1970; what is before 1970 counts as 0 */
    uint64_t bytes;                   /* of the file, up to the statement */
    uint8_t sha256[HD_SHA256_LEN];    /* of these */
    uint64_t previous;                /* `first` of the segment sealed before; 0 = none */
    uint8_t previous_sha256[HD_SHA256_LEN]; /* of the statement about it */
    uint8_t key_id[HD_KEY_ID_LEN];
};

/* A statement as it was read; views what it was decoded from. */
struct hd_seal_text {
    struct hd_slice statement; /* what is signed and what the chain hashes */
    uint8_t signature[HD_SIGNATURE_LEN];
};

/* Appends statement and signature, with the id of the key. The same length for whatever
 * hash. HD_ENOMEM, HD_ELIMIT. */
int hd_seal_encode(struct hd_buf *out, const struct hd_seal *seal,
                   const struct hd_sign_key *key) HD_MUST_USE;
/* HD_EPARSE: no such statement; HD_EVERSION: of a newer version. The signature is not
 * checked. */
int hd_seal_decode(struct hd_slice in, struct hd_seal *seal,
                   struct hd_seal_text *text) HD_MUST_USE;
/* The first of several statements that stand one after the other without their
 * signatures; *in moves behind it. Errors as above. */
int hd_seal_next(struct hd_slice *in, struct hd_seal *seal,
                 struct hd_slice *statement) HD_MUST_USE;
