/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys and certificates in memory and as PEM files.
 */
#include "console/pki/internal.h"

#include <haidang/buf.h>
#include <haidang/fs.h>
#include <haidang/hash.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>

int con_pki_fail(char why[CON_PKI_WHY], int err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(why, CON_PKI_WHY, fmt, args);
    va_end(args);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    if (reason != NULL && len > 0 && len < CON_PKI_WHY) {
        (void)snprintf(why + len, CON_PKI_WHY - (size_t)len, ": %s", reason);
    }
    ERR_clear_error();
    return err;
}

void con_pki_path(char *out, size_t cap, const char *dir, const char *name,
                  const char *suffix)
{
    (void)snprintf(out, cap, "%s/%s%s", dir, name, suffix);
}

EVP_PKEY *con_pki_key_new(void)
{
    return EVP_EC_gen("P-256");
}

static int set_serial(X509 *cert)
{
    uint8_t bytes[16];
    if (hd_random(bytes, sizeof(bytes)) != 0) {
        return HD_EIO;
    }
    bytes[0] &= 0x7f; /* RFC 5280 section 4.1.2.2: positive */
    bytes[0] |= 0x40; /* and of constant length */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    int err =
        number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL
            ? HD_OK
            : HD_ENOMEM;
    BN_free(number);
    return err;
}

static int set_name(X509 *cert, const char *common_name)
{
    return X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                                      (const unsigned char *)common_name, -1, -1, 0) == 1
               ? HD_OK
               : HD_EINVAL;
}

X509 *con_pki_cert_new(EVP_PKEY *subject_key, const char *common_name, unsigned days)
{
    X509 *cert = X509_new();
    if (cert == NULL) {
        return NULL;
    }
    /* an hour back: clocks of a fresh machine are rarely exact */
    if (X509_set_version(cert, X509_VERSION_3) != 1 || set_serial(cert) != 0 ||
        X509_gmtime_adj(X509_getm_notBefore(cert), -3600) == NULL ||
        X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, NULL) == NULL ||
        set_name(cert, common_name) != 0 || X509_set_pubkey(cert, subject_key) != 1) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

int con_pki_extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (ext == NULL) {
        return HD_EINVAL;
    }
    int ok = X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
    return ok == 1 ? HD_OK : HD_ENOMEM;
}

static int write_bio(const char *path, BIO *bio, mode_t mode, char why[CON_PKI_WHY])
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    int err = hd_fs_write_atomic(path, hd_slice(data, len > 0 ? (size_t)len : 0), mode);
    return err == 0
               ? HD_OK
               : con_pki_fail(why, err, "cannot write %s: %s", path, hd_err_text(err));
}

int con_pki_write_cert(const char *path, X509 *cert, X509 *chain, char why[CON_PKI_WHY])
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL || PEM_write_bio_X509(bio, cert) != 1 ||
        (chain != NULL && PEM_write_bio_X509(bio, chain) != 1)) {
        BIO_free(bio);
        return con_pki_fail(why, HD_ENOMEM, "cannot encode the certificate");
    }
    int err = write_bio(path, bio, 0644, why);
    BIO_free(bio);
    return err;
}

int con_pki_write_key(const char *path, EVP_PKEY *key, char why[CON_PKI_WHY])
{
    BIO *bio = BIO_new(BIO_s_secmem());
    if (bio == NULL ||
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        BIO_free(bio);
        return con_pki_fail(why, HD_ENOMEM, "cannot encode the key");
    }
    int err = write_bio(path, bio, 0600, why);
    BIO_free(bio);
    return err;
}

int con_pki_ca_open(const char *dir, struct con_pki_ca *ca, char why[CON_PKI_WHY])
{
    char path[4096];
    *ca = (struct con_pki_ca){0};
    con_pki_path(path, sizeof(path), dir, "ca", ".crt");
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return con_pki_fail(why, HD_ENOENT,
                            "no CA in %s; make one with 'haidang ca init'", dir);
    }
    ca->cert = PEM_read_X509(file, NULL, NULL, NULL);
    (void)fclose(file);
    if (ca->cert == NULL) {
        return con_pki_fail(why, HD_EPARSE, "%s is no PEM certificate", path);
    }
    con_pki_path(path, sizeof(path), dir, "ca", ".key");
    if (hd_fs_check_secret(path) == HD_EACCES) {
        return con_pki_fail(why, HD_EACCES, "%s can be read by others; chmod 600 it",
                            path);
    }
    file = fopen(path, "re");
    ca->key = file != NULL ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (ca->key == NULL) {
        return con_pki_fail(why, HD_EPARSE, "cannot read the CA's key %s", path);
    }
    if (X509_check_private_key(ca->cert, ca->key) != 1) {
        return con_pki_fail(why, HD_EINVAL, "%s/ca.crt and ca.key do not belong together",
                            dir);
    }
    return HD_OK;
}

void con_pki_ca_close(struct con_pki_ca *ca)
{
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
    *ca = (struct con_pki_ca){0};
}
