/* SPDX-License-Identifier: Apache-2.0
 *
 * AES-256-GCM through OpenSSL; see the header and docs/formats/journal.md, "Encryption".
 */
#include "lib/journal_crypt.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <haidang/hash.h>

#define INFO     "haidang segment 1"
#define INFO_LEN (sizeof(INFO) - 1)

void hd_jcrypt_init(struct hd_jcrypt *c)
{
    *c = (struct hd_jcrypt){.ctx = NULL};
    hd_buf_init(&c->out, HD_JFMT_STORED_MAX);
}

void hd_jcrypt_fini(struct hd_jcrypt *c)
{
    EVP_CIPHER_CTX_free(c->ctx); /* wipes the key */
    c->ctx = NULL;
    hd_buf_fini(&c->out);
}

void hd_jcrypt_renew(struct hd_jcrypt *c)
{
    c->has_key = false;
}

/* Sets the cipher to the segment key of this salt. */
static int rekey(struct hd_jcrypt *c, const struct hd_journal_key *key,
                 const struct hd_jfmt_uuid *uuid, const uint8_t salt[HD_JFMT_SALT_LEN])
{
    uint8_t info[INFO_LEN + sizeof(uuid->byte)];
    uint8_t secret[HD_JOURNAL_KEY_LEN];
    c->has_key = false;
    c->ctx = c->ctx == NULL ? EVP_CIPHER_CTX_new() : c->ctx;
    if (c->ctx == NULL) {
        return HD_ENOMEM;
    }
    memcpy(info, INFO, INFO_LEN);
    memcpy(info + INFO_LEN, uuid->byte, sizeof(uuid->byte));
    int err = hd_jcrypt_derive(key, hd_slice(salt, HD_JFMT_SALT_LEN),
                               hd_slice(info, sizeof(info)), secret);
    if (err == HD_OK &&
        EVP_CipherInit_ex2(c->ctx, EVP_aes_256_gcm(), secret, NULL, 1, NULL) != 1) {
        err = HD_ENOMEM;
    }
    OPENSSL_cleanse(secret, sizeof(secret));
    if (err != HD_OK) {
        return err;
    }
    c->uuid = *uuid;
    c->key = hd_journal_key_id(key);
    memcpy(c->salt, salt, HD_JFMT_SALT_LEN);
    c->has_key = true;
    return HD_OK;
}

/* With the key that is set: authenticates lead, meta and the head of the box, and turns
 * `in` into as many bytes at `out`. */
static bool run(struct hd_jcrypt *c, bool is_closing, const struct hd_slice known[3],
                const uint8_t *nonce, struct hd_slice in, uint8_t *out)
{
    int len = 0;
    bool good =
        EVP_CipherInit_ex2(c->ctx, NULL, NULL, nonce, is_closing ? 1 : 0, NULL) == 1;
    for (int i = 0; i < 3; i++) {
        good = good &&
               (known[i].len == 0 || EVP_CipherUpdate(c->ctx, NULL, &len, known[i].ptr,
                                                      (int)known[i].len) == 1);
    }
    return good && EVP_CipherUpdate(c->ctx, out, &len, in.ptr, (int)in.len) == 1 &&
           (size_t)len == in.len;
}

static bool finish(struct hd_jcrypt *c)
{
    uint8_t rest[EVP_MAX_BLOCK_LENGTH];
    int len = 0;
    return EVP_CipherFinal_ex(c->ctx, rest, &len) == 1 && len == 0;
}

/* ---- the writer ---- */

static int salt_draw(struct hd_jcrypt *c, const struct hd_journal_key *key,
                     const struct hd_jfmt_uuid *uuid)
{
    uint8_t salt[HD_JFMT_SALT_LEN];
    int err = hd_random(salt, sizeof(salt));
    return err == HD_OK ? rekey(c, key, uuid, salt) : err;
}

int hd_jcrypt_close(struct hd_jcrypt *c, const struct hd_journal_key *key,
                    const struct hd_jfmt_uuid *uuid, struct hd_journal_entry *entry,
                    uint64_t committed)
{
    uint8_t storage[HD_JFMT_LEAD_LEN];
    struct hd_buf lead = hd_buf_fixed(storage, sizeof(storage));
    struct hd_slice plain = entry->payload;
    struct hd_jfmt_box box;
    int err = c->has_key ? HD_OK : salt_draw(c, key, uuid);
    err = err == HD_OK ? hd_random(box.nonce, sizeof(box.nonce)) : err;
    if (err != HD_OK) {
        return err;
    }
    box.key = c->key;
    memcpy(box.salt, c->salt, sizeof(box.salt));
    hd_buf_clear(&c->out);
    hd_jfmt_box_encode(&c->out, &box, plain.len);
    uint8_t *room = hd_buf_reserve(&c->out, plain.len + HD_JFMT_BOX_TAG);
    if (room == NULL) {
        return c->out.err;
    }
    entry->payload.len += HD_JFMT_BOX_LEN;
    hd_jfmt_entry_lead(&lead, entry, committed);
    const struct hd_slice known[] = {hd_buf_slice(&lead), entry->meta,
                                     hd_slice(c->out.ptr, HD_JFMT_BOX_HEAD)};
    if (!run(c, true, known, box.nonce, plain, room) || !finish(c) ||
        EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_GET_TAG, (int)HD_JFMT_BOX_TAG,
                            room + plain.len) != 1) {
        return HD_ENOMEM;
    }
    c->out.len += plain.len + HD_JFMT_BOX_TAG;
    entry->payload = hd_buf_slice(&c->out);
    return HD_OK;
}

/* ---- readers ---- */

static int key_find(struct hd_jcrypt *c, const struct hd_journal_keys *keys,
                    const struct hd_jfmt_uuid *uuid, const struct hd_jfmt_box *box)
{
    if (c->has_key && hd_journal_key_id_eq(&c->key, &box->key) &&
        hd_jfmt_uuid_eq(&c->uuid, uuid) &&
        memcmp(c->salt, box->salt, sizeof(c->salt)) == 0) {
        return HD_OK;
    }
    const struct hd_journal_key *key = hd_journal_keys_find(keys, &box->key);
    if (key == NULL) {
        c->missing = box->key;
        return HD_ENOKEY;
    }
    return rekey(c, key, uuid, box->salt);
}

int hd_jcrypt_open(struct hd_jcrypt *c, const struct hd_journal_keys *keys,
                   const struct hd_jfmt_uuid *uuid, struct hd_jfmt_entry *head)
{
    struct hd_journal_entry *entry = &head->entry;
    struct hd_jfmt_box box;
    uint8_t tag[HD_JFMT_BOX_TAG];
    if (!hd_jfmt_is_box(entry->payload)) {
        return HD_OK;
    }
    int err = hd_jfmt_box_decode(entry->payload, &box);
    err = err == HD_OK ? key_find(c, keys, uuid, &box) : err;
    if (err != HD_OK) {
        return err;
    }
    hd_buf_clear(&c->out);
    uint8_t *room = hd_buf_reserve(&c->out, box.content.len);
    if (room == NULL) {
        return c->out.err;
    }
    const struct hd_slice known[] = {
        hd_slice(entry->payload.ptr - head->head_len, HD_JFMT_LEAD_LEN), entry->meta,
        box.head};
    memcpy(tag, box.tag, sizeof(tag));
    if (!run(c, false, known, box.nonce, box.content, room) ||
        EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_SET_TAG, (int)sizeof(tag), tag) != 1) {
        return HD_ENOMEM;
    }
    if (!finish(c)) {
        return HD_ECORRUPT;
    }
    c->out.len = box.content.len;
    entry->payload = hd_buf_slice(&c->out);
    return HD_OK;
}
