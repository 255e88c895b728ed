/* SPDX-License-Identifier: Apache-2.0
 *
 * Payloads of encrypted journals: put into boxes by the writer, taken out by whoever
 * reads. A box says itself which key and salt it needs, so that it can be opened wherever
 * its entry is copied to and whatever is damaged around it. Private to lib/; one thread.
 *
 * Nonces: 96 random bits of the kernel for each box, never counted and never derived from
 * an index, since an index may be written again after a torn tail, in a segment copied
 * back, or by a machine set back to a snapshot. A segment key encrypts at most as many
 * entries as a segment has (less than 2^20), so that two alike are as good as impossible
 * (2^-57); and each life of the writer has a salt, so a key, of its own.
 */
#pragma once
#include "lib/journal_format.h"

#include <haidang/journal_keys.h>

struct hd_jcrypt {
    struct evp_cipher_ctx_st *ctx; /* NULL until it is needed */
    bool has_key;                  /* ctx is set to what follows */
    struct hd_jfmt_uuid uuid;
    struct hd_journal_key_id key;
    uint8_t salt[HD_JFMT_SALT_LEN];
    struct hd_buf out;                /* a box, or what was in one */
    struct hd_journal_key_id missing; /* what the last HD_ENOKEY was about */
};

void hd_jcrypt_init(struct hd_jcrypt *c);
void hd_jcrypt_fini(struct hd_jcrypt *c);

/* The next box begins with a new salt. */
void hd_jcrypt_renew(struct hd_jcrypt *c);
/* Encrypts the payload of an entry, which then is the box: valid until the next call. */
int hd_jcrypt_close(struct hd_jcrypt *c, const struct hd_journal_key *key,
                    const struct hd_jfmt_uuid *uuid, struct hd_journal_entry *entry,
                    uint64_t committed) HD_MUST_USE;

/* Decrypts the payload of an entry that was read whole, with its header right before it
 * in memory, if it is encrypted; valid until the next call. HD_ENOKEY; HD_ECORRUPT: it
 * was changed; HD_EVERSION. */
int hd_jcrypt_open(struct hd_jcrypt *c, const struct hd_journal_keys *keys,
                   const struct hd_jfmt_uuid *uuid,
                   struct hd_jfmt_entry *head) HD_MUST_USE;

/* A key of its own for this salt and purpose. */
int hd_jcrypt_derive(const struct hd_journal_key *key, struct hd_slice salt,
                     struct hd_slice info, uint8_t out[HD_JOURNAL_KEY_LEN]) HD_MUST_USE;
