/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures through OpenSSL, and the key files.
 */
#include <haidang/sign.h>

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <haidang/fs.h>
#include <haidang/hash.h>
#include <haidang/log.h>

#define PEM_MAX     (16U << 10)
#define SECRET_MODE 0600
#define PUBLIC_MODE 0644

struct hd_sign_key {
    EVP_PKEY *pkey;
    uint8_t id[HD_KEY_ID_LEN];
};

/* ---- loading ---- */

static int id_take(struct hd_sign_key *key)
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(key->pkey, &der);
    int err = len > 0 ? hd_sha256(hd_slice(der, (size_t)len), key->id) : HD_ENOMEM;
    OPENSSL_free(der);
    return err;
}

/* Takes the key over, whatever comes of it. */
static int key_wrap(EVP_PKEY *pkey, struct hd_sign_key **out)
{
    if (pkey == NULL) {
        return HD_EPARSE;
    }
    if (EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(pkey);
        return HD_EUNSUPPORTED;
    }
    struct hd_sign_key *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return HD_ENOMEM;
    }
    key->pkey = pkey;
    int err = id_take(key);
    if (err != HD_OK) {
        hd_sign_key_free(key);
        return err;
    }
    *out = key;
    return HD_OK;
}

int hd_sign_key_load(const char *path, struct hd_sign_key **out)
{
    struct hd_buf pem;
    hd_buf_init(&pem, 0);
    int err = hd_fs_check_secret(path);
    err = err == HD_OK ? hd_fs_read(path, PEM_MAX, &pem) : err;
    if (err == HD_OK) {
        char none[] = ""; /* the pass phrase: nobody is asked for one */
        BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
        err = bio == NULL ? HD_ENOMEM
                          : key_wrap(PEM_read_bio_PrivateKey(bio, NULL, NULL, none), out);
        BIO_free(bio);
        OPENSSL_cleanse(pem.ptr, pem.len);
    }
    hd_buf_fini(&pem);
    return err;
}

int hd_sign_public_parse(struct hd_slice pem, struct hd_sign_key **out)
{
    if (pem.len == 0 || pem.len > PEM_MAX) {
        return HD_EPARSE;
    }
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    int err = bio == NULL ? HD_ENOMEM
                          : key_wrap(PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL), out);
    BIO_free(bio);
    return err;
}

int hd_sign_public_load(const char *path, struct hd_sign_key **out)
{
    struct hd_buf pem;
    hd_buf_init(&pem, 0);
    int err = hd_fs_read(path, PEM_MAX, &pem);
    err = err == HD_OK ? hd_sign_public_parse(hd_buf_slice(&pem), out) : err;
    hd_buf_fini(&pem);
    return err;
}

void hd_sign_key_free(struct hd_sign_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

const uint8_t *hd_sign_key_id(const struct hd_sign_key *key)
{
    return key->id;
}

/* ---- making ---- */

static int bio_write(BIO *bio, const char *path, mode_t mode)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    return hd_fs_write_atomic(path, hd_slice(data, len > 0 ? (size_t)len : 0), mode);
}

static int private_write(const EVP_PKEY *pkey, const char *path)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    int err = HD_ENOMEM;
    if (bio != NULL &&
        PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1) {
        err = bio_write(bio, path, SECRET_MODE);
    }
    BIO_free(bio);
    return err;
}

static int public_write(const EVP_PKEY *pkey, const char *path)
{
    char name[PATH_MAX];
    int len = snprintf(name, sizeof(name), "%s.pub", path);
    if (len < 0 || (size_t)len >= sizeof(name)) {
        return HD_EINVAL;
    }
    BIO *bio = BIO_new(BIO_s_mem());
    int err = HD_ENOMEM;
    if (bio != NULL && PEM_write_bio_PUBKEY(bio, pkey) == 1) {
        err = bio_write(bio, name, PUBLIC_MODE);
    }
    BIO_free(bio);
    return err;
}

int hd_sign_key_make(const char *path)
{
    if (access(path, F_OK) == 0) {
        return HD_EEXIST;
    }
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (pkey == NULL) {
        return HD_ENOMEM;
    }
    int err = public_write(pkey, path); /* first: a private key without it is of no use */
    err = err == HD_OK ? private_write(pkey, path) : err;
    EVP_PKEY_free(pkey);
    return err;
}

int hd_sign_key_ensure(const char *path, struct hd_sign_key **out)
{
    int err = hd_sign_key_load(path, out);
    if (err != HD_ENOENT) {
        return err;
    }
    err = hd_sign_key_make(path);
    if (err == HD_OK) {
        HD_LOG(INFO, "sign",
               "a key was made to sign sealed segments with; give its public half to "
               "whoever is to check them",
               HD_KV_STR("private", path));
        err = hd_sign_key_load(path, out);
    }
    return err;
}

/* ---- signing ---- */

int hd_sign(const struct hd_sign_key *key, struct hd_slice text,
            uint8_t out[HD_SIGNATURE_LEN])
{
    size_t private_len = 0;
    if (EVP_PKEY_get_raw_private_key(key->pkey, NULL, &private_len) != 1) {
        return HD_EINVAL;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = HD_SIGNATURE_LEN;
    bool good = ctx != NULL &&
                EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
                EVP_DigestSign(ctx, out, &len, text.ptr, text.len) == 1 &&
                len == HD_SIGNATURE_LEN;
    EVP_MD_CTX_free(ctx);
    return good ? HD_OK : HD_ENOMEM;
}

int hd_sign_verify(const struct hd_sign_key *key, struct hd_slice text,
                   const uint8_t signature[HD_SIGNATURE_LEN])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey) != 1) {
        EVP_MD_CTX_free(ctx);
        return HD_ENOMEM;
    }
    bool good =
        EVP_DigestVerify(ctx, signature, HD_SIGNATURE_LEN, text.ptr, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    return good ? HD_OK : HD_ECORRUPT;
}
