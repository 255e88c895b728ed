/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of keys, and where keys come from.
 */
#include <haidang/journal_keys.h>

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <haidang/fs.h>
#include <haidang/hash.h>
#include <haidang/num.h>

#include "lib/journal_crypt.h"

#define FILE_MAX_LEN (2 * HD_JOURNAL_KEY_LEN + 2) /* hex digits, CR LF */
#define KEY_MODE     0600
#define KEY_SUFFIX   ".key"
#define ID_INFO      "haidang key id 1"
#define CREDENTIAL   "credential:"
#define CREDENTIALS  "CREDENTIALS_DIRECTORY"

struct hd_journal_key {
    uint8_t secret[HD_JOURNAL_KEY_LEN];
    struct hd_journal_key_id id;
};

struct hd_journal_keys {
    size_t n;
    struct hd_journal_key key[HD_JOURNAL_KEYS_MAX];
};

/* ---- ids ---- */

bool hd_journal_key_id_eq(const struct hd_journal_key_id *a,
                          const struct hd_journal_key_id *b)
{
    return memcmp(a->byte, b->byte, sizeof(a->byte)) == 0;
}

bool hd_journal_key_id_is_none(const struct hd_journal_key_id *id)
{
    static const struct hd_journal_key_id none;
    return hd_journal_key_id_eq(id, &none);
}

struct hd_journal_key_name hd_journal_key_name(const struct hd_journal_key_id *id)
{
    struct hd_journal_key_name name;
    struct hd_buf out = hd_buf_fixed(name.text, sizeof(name.text));
    hd_buf_hex(&out, hd_slice(id->byte, sizeof(id->byte)));
    hd_buf_byte(&out, '\0');
    return name;
}

/* ---- derived keys ---- */

/* HKDF-SHA256 (RFC 5869). */
static int hkdf(struct hd_slice secret, struct hd_slice salt, struct hd_slice info,
                uint8_t *out, size_t len)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                          (void *)(uintptr_t)secret.ptr, secret.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
                                          (void *)(uintptr_t)salt.ptr, salt.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
                                          (void *)(uintptr_t)info.ptr, info.len),
        OSSL_PARAM_construct_end(),
    };
    bool good = ctx != NULL && EVP_KDF_derive(ctx, out, len, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return good ? HD_OK : HD_ENOMEM;
}

int hd_jcrypt_derive(const struct hd_journal_key *key, struct hd_slice salt,
                     struct hd_slice info, uint8_t out[HD_JOURNAL_KEY_LEN])
{
    struct hd_slice secret = hd_slice(key->secret, sizeof(key->secret));
    return hkdf(secret, salt, info, out, HD_JOURNAL_KEY_LEN);
}

/* ---- sets ---- */

int hd_journal_keys_new(struct hd_journal_keys **out)
{
    *out = calloc(1, sizeof(**out));
    return *out == NULL ? HD_ENOMEM : HD_OK;
}

void hd_journal_keys_free(struct hd_journal_keys *keys)
{
    if (keys != NULL) {
        OPENSSL_cleanse(keys, sizeof(*keys));
        free(keys);
    }
}

size_t hd_journal_keys_count(const struct hd_journal_keys *keys)
{
    return keys == NULL ? 0 : keys->n;
}

const struct hd_journal_key *hd_journal_keys_find(const struct hd_journal_keys *keys,
                                                  const struct hd_journal_key_id *id)
{
    for (size_t i = 0; i < hd_journal_keys_count(keys); i++) {
        if (hd_journal_key_id_eq(&keys->key[i].id, id)) {
            return &keys->key[i];
        }
    }
    return NULL;
}

struct hd_journal_key_id hd_journal_key_id(const struct hd_journal_key *key)
{
    return key->id;
}

/* file = 32 OCTET / 64 HEXDIG [ CR ] [ LF ] */
static int secret_parse(struct hd_slice file, uint8_t out[HD_JOURNAL_KEY_LEN])
{
    if (file.len == HD_JOURNAL_KEY_LEN) {
        memcpy(out, file.ptr, HD_JOURNAL_KEY_LEN);
        return HD_OK;
    }
    return hd_num_hex_bytes(hd_slice_trim(file), out, HD_JOURNAL_KEY_LEN) == HD_OK
               ? HD_OK
               : HD_EPARSE;
}

int hd_journal_keys_add(struct hd_journal_keys *keys, struct hd_slice file,
                        const struct hd_journal_key **out)
{
    struct hd_journal_key key;
    int err = secret_parse(file, key.secret);
    if (err == HD_OK) {
        err = hkdf(hd_slice(key.secret, sizeof(key.secret)), HD_SLICE(""),
                   HD_SLICE(ID_INFO), key.id.byte, sizeof(key.id.byte));
    }
    const struct hd_journal_key *found =
        err == HD_OK ? hd_journal_keys_find(keys, &key.id) : NULL;
    if (err == HD_OK && found == NULL) {
        err = keys->n < HD_JOURNAL_KEYS_MAX ? HD_OK : HD_ELIMIT;
    }
    if (err == HD_OK && found == NULL) {
        keys->key[keys->n] = key;
        found = &keys->key[keys->n++];
    }
    OPENSSL_cleanse(&key, sizeof(key));
    if (out != NULL && err == HD_OK) {
        *out = found;
    }
    return err;
}

/* ---- files ---- */

/* systemd lets our group read it when it makes a credential for a user other than root:
 * the directory is closed to everybody else. */
static int check_credential(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return hd_err_from_errno(errno);
    }
    return S_ISREG(st.st_mode) && (st.st_mode & S_IRWXO) == 0 ? HD_OK : HD_EACCES;
}

static int credential_path(struct hd_slice name, char path[PATH_MAX])
{
    const char *dir = getenv(CREDENTIALS);
    if (dir == NULL || name.len == 0 || hd_slice_find_byte(name, '/') != HD_NPOS) {
        return HD_ENOENT;
    }
    int len = snprintf(path, PATH_MAX, "%s/%.*s", dir, HD_SLICE_FMT(name));
    return len > 0 && len < PATH_MAX ? check_credential(path) : HD_EINVAL;
}

int hd_journal_keys_load(struct hd_journal_keys *keys, const char *where,
                         const struct hd_journal_key **out)
{
    struct hd_slice given = hd_slice_str(where);
    char path[PATH_MAX];
    uint8_t storage[FILE_MAX_LEN + 1];
    struct hd_buf file = hd_buf_fixed(storage, sizeof(storage));
    int err = HD_OK;
    if (hd_slice_starts(given, HD_SLICE(CREDENTIAL))) {
        err = credential_path(hd_slice_from(given, sizeof(CREDENTIAL) - 1), path);
        where = path;
    } else {
        err = hd_fs_check_secret(where);
    }
    err = err == HD_OK ? hd_fs_read(where, FILE_MAX_LEN, &file) : err;
    if (err == HD_OK) {
        err = hd_journal_keys_add(keys, hd_buf_slice(&file), out);
    } else if (err == HD_ELIMIT) {
        err = HD_EPARSE; /* too long to be a key */
    }
    OPENSSL_cleanse(storage, sizeof(storage));
    return err;
}

struct loading {
    struct hd_journal_keys *keys;
    const char *dir;
    void (*bad)(void *ctx, const char *name, int err);
    void *ctx;
};

static int load_one(void *ctx, const char *name)
{
    const struct loading *l = ctx;
    char path[PATH_MAX];
    if (!hd_slice_ends(hd_slice_str(name), HD_SLICE(KEY_SUFFIX))) {
        return HD_OK;
    }
    int len = snprintf(path, sizeof(path), "%s/%s", l->dir, name);
    int err =
        len > 0 && len < PATH_MAX ? hd_journal_keys_load(l->keys, path, NULL) : HD_EINVAL;
    if (err != HD_OK) {
        l->bad(l->ctx, name, err);
    }
    return HD_OK;
}

int hd_journal_keys_load_dir(struct hd_journal_keys *keys, const char *dir,
                             void (*bad)(void *ctx, const char *name, int err), void *ctx)
{
    struct loading l = {keys, dir, bad, ctx};
    return hd_fs_each(dir, load_one, &l);
}

/* ---- of a program ---- */

static const char *text_of(int err)
{
    switch (err) {
    case HD_EPARSE:
        return "it is no key: 32 bytes, or 64 hex digits";
    case HD_EACCES:
        return "it cannot be read, or others than its owner may read it, too";
    case HD_EINVAL:
        return "give an absolute path, or credential:NAME";
    default:
        return hd_err_text(err);
    }
}

static int open_use(struct hd_journal_keys *keys, struct hd_journal_key_use *use,
                    char why[256])
{
    use->key = NULL;
    if (use->where == NULL) {
        return HD_OK;
    }
    struct hd_slice where = hd_slice_str(use->where);
    bool is_place = hd_slice_starts(where, HD_SLICE("/")) ||
                    hd_slice_starts(where, HD_SLICE(CREDENTIAL));
    int err = is_place ? hd_journal_keys_load(keys, use->where, &use->key) : HD_EINVAL;
    if (err != HD_OK) {
        (void)snprintf(why, 256, "%s %.120s: %s", use->setting, use->where, text_of(err));
    }
    return err;
}

struct first_bad {
    char name[256];
    int err;
};

static void note_bad(void *ctx, const char *name, int err)
{
    struct first_bad *first = ctx;
    if (first->err == HD_OK) {
        (void)snprintf(first->name, sizeof(first->name), "%.255s", name);
        first->err = err;
    }
}

/* A program that starts is strict. */
static int open_dir(struct hd_journal_keys *keys, const char *dir, char why[256])
{
    struct first_bad first = {"", HD_OK};
    int err = hd_journal_keys_load_dir(keys, dir, note_bad, &first);
    err = err == HD_OK ? first.err : err;
    if (err != HD_OK) {
        (void)snprintf(why, 256, "journal_keys %.100s/%.60s: %s", dir, first.name,
                       text_of(err));
    }
    return err;
}

int hd_journal_keys_open(const char *dir, struct hd_journal_key_use *uses, size_t n,
                         struct hd_journal_keys **out, char why[256])
{
    struct hd_journal_keys *keys = NULL;
    int err = hd_journal_keys_new(&keys);
    (void)snprintf(why, 256, "%s", hd_err_text(err));
    for (size_t i = 0; err == HD_OK && i < n; i++) {
        err = open_use(keys, &uses[i], why);
    }
    if (err == HD_OK && dir != NULL) {
        err = open_dir(keys, dir, why);
    }
    if (err != HD_OK) {
        hd_journal_keys_free(keys);
        return err;
    }
    *out = keys;
    return HD_OK;
}

int hd_journal_key_make(const char *path, struct hd_journal_key_id *id)
{
    uint8_t secret[HD_JOURNAL_KEY_LEN];
    uint8_t storage[FILE_MAX_LEN + 1];
    struct hd_buf text = hd_buf_fixed(storage, sizeof(storage));
    struct hd_journal_key_id made = {0};
    int err = hd_random(secret, sizeof(secret));
    if (err == HD_OK) {
        err = hkdf(hd_slice(secret, sizeof(secret)), HD_SLICE(""), HD_SLICE(ID_INFO),
                   made.byte, sizeof(made.byte));
    }
    hd_buf_hex(&text, hd_slice(secret, sizeof(secret)));
    hd_buf_byte(&text, '\n');
    if (err == HD_OK) {
        err = text.err != 0 ? text.err
                            : hd_fs_write_new(path, hd_buf_slice(&text), KEY_MODE);
    }
    if (err == HD_OK) {
        *id = made;
    }
    OPENSSL_cleanse(secret, sizeof(secret));
    OPENSSL_cleanse(storage, sizeof(storage));
    return err;
}
