/* SPDX-License-Identifier: Apache-2.0
 *
 * Ed25519 signatures (RFC 8032) with keys in PEM files as `openssl genpkey -algorithm
 * ed25519` writes them, so that others can check with OpenSSL what we sign. A key is
 * immutable once loaded: any thread.
 */
#pragma once
#include <stdint.h>

#include <haidang/err.h>
#include <haidang/slice.h>

#define HD_SIGNATURE_LEN 64
#define HD_KEY_ID_LEN    32

struct hd_sign_key;

/* Makes a new private key in the file `path` (mode 0600) and the public one in `path`.pub
 * (0644). HD_EEXIST: there is a file already. */
int hd_sign_key_make(const char *path) HD_MUST_USE;

/* own: until hd_sign_key_free. HD_ENOENT, HD_EACCES (unreadable, or others may read it),
 * HD_EPARSE (no PEM private key, or one with a pass phrase), HD_EUNSUPPORTED (not
 * Ed25519). */
int hd_sign_key_load(const char *path, struct hd_sign_key **out) HD_MUST_USE;
/* The same, but a key is made (hd_sign_key_make) when there is none, which is logged. */
int hd_sign_key_ensure(const char *path, struct hd_sign_key **out) HD_MUST_USE;
/* A public key, enough to verify. own and errors as above. */
int hd_sign_public_load(const char *path, struct hd_sign_key **out) HD_MUST_USE;
int hd_sign_public_parse(struct hd_slice pem, struct hd_sign_key **out) HD_MUST_USE;
void hd_sign_key_free(struct hd_sign_key *key);

/* SHA-256 of the public key as DER (SubjectPublicKeyInfo): what `openssl pkey -pubin
 * -outform DER | sha256sum` prints. HD_KEY_ID_LEN bytes, the key's own. */
const uint8_t *hd_sign_key_id(const struct hd_sign_key *key);

/* HD_EINVAL: only the public half is there. */
int hd_sign(const struct hd_sign_key *key, struct hd_slice text,
            uint8_t out[HD_SIGNATURE_LEN]) HD_MUST_USE;
/* HD_ECORRUPT: it is not this key's signature of this text. */
int hd_sign_verify(const struct hd_sign_key *key, struct hd_slice text,
                   const uint8_t signature[HD_SIGNATURE_LEN]) HD_MUST_USE;
