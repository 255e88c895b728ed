/* SPDX-License-Identifier: Apache-2.0
 *
 * The index of what a CA issued (index.jsonl) and the revocation list made from it.
 */
#include "console/pki/internal.h"

#include <haidang/array.h>
#include <haidang/buf.h>
#include <haidang/clock.h>
#include <haidang/fs.h>

#include <jansson.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_MAX (16U << 20)
#define CRL_DAYS  365

static int read_record(const char *path, unsigned line_no, struct hd_slice line,
                       struct con_pki_record *record, char why[CON_PKI_WHY])
{
    json_error_t error;
    json_t *object = json_loadb((const char *)line.ptr, line.len, 0, &error);
    const char *serial = NULL;
    const char *name = NULL;
    json_int_t not_after = 0;
    json_int_t revoked = 0;
    int bad = object == NULL ||
              json_unpack(object, "{s:s, s:s, s:I, s?I}", "serial", &serial, "name",
                          &name, "not_after", &not_after, "revoked", &revoked) != 0 ||
              strlen(serial) >= sizeof(record->serial) ||
              strlen(name) >= sizeof(record->name);
    if (!bad) {
        *record = (struct con_pki_record){.not_after_s = not_after, .revoked_s = revoked};
        memcpy(record->serial, serial, strlen(serial));
        memcpy(record->name, name, strlen(name));
    }
    json_decref(object);
    return bad ? con_pki_fail(why, HD_EPARSE, "%s:%u: no index record", path, line_no)
               : HD_OK;
}

int con_pki_index_load(const char *dir, struct con_pki_record **records, size_t *n,
                       char why[CON_PKI_WHY])
{
    char path[4096];
    struct hd_buf text;
    *records = NULL;
    *n = 0;
    con_pki_path(path, sizeof(path), dir, "index", ".jsonl");
    hd_buf_init(&text, INDEX_MAX);
    int err = hd_fs_read(path, INDEX_MAX, &text);
    if (err == HD_ENOENT) {
        err = HD_OK;
    } else if (err != 0) {
        err = con_pki_fail(why, err, "cannot read %s: %s", path, hd_err_text(err));
    }
    struct hd_slice rest = hd_buf_slice(&text);
    struct hd_slice line;
    for (unsigned line_no = 1; err == 0 && hd_slice_split(&rest, '\n', &line);
         line_no++) {
        if (line.len == 0) {
            continue;
        }
        struct con_pki_record *grown = hd_array_grow(*records, *n, sizeof(*grown));
        if (grown == NULL) {
            err = con_pki_fail(why, HD_ENOMEM, "out of memory");
            break;
        }
        *records = grown;
        err = read_record(path, line_no, line, &grown[*n], why);
        *n += err == 0;
    }
    hd_buf_fini(&text);
    if (err != 0) {
        free(*records);
        *records = NULL;
    }
    return err;
}

int con_pki_index_save(const char *dir, const struct con_pki_record *records, size_t n,
                       char why[CON_PKI_WHY])
{
    char path[4096];
    struct hd_buf text;
    con_pki_path(path, sizeof(path), dir, "index", ".jsonl");
    hd_buf_init(&text, INDEX_MAX);
    for (size_t i = 0; i < n; i++) {
        /* names and serials hold no character that JSON escapes */
        hd_buf_printf(&text, "{\"serial\":\"%s\",\"name\":\"%s\",\"not_after\":%lld",
                      records[i].serial, records[i].name,
                      (long long)records[i].not_after_s);
        if (records[i].revoked_s != 0) {
            hd_buf_printf(&text, ",\"revoked\":%lld", (long long)records[i].revoked_s);
        }
        hd_buf_str(&text, "}\n");
    }
    int err =
        text.err != 0 ? text.err : hd_fs_write_atomic(path, hd_buf_slice(&text), 0600);
    hd_buf_fini(&text);
    return err == 0
               ? HD_OK
               : con_pki_fail(why, err, "cannot write %s: %s", path, hd_err_text(err));
}

static int add_revoked(X509_CRL *crl, const struct con_pki_record *record)
{
    BIGNUM *number = NULL;
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t)record->revoked_s);
    ASN1_INTEGER *serial = NULL;
    int ok = entry != NULL && when != NULL && BN_hex2bn(&number, record->serial) > 0;
    if (ok) {
        serial = BN_to_ASN1_INTEGER(number, NULL);
        ok = serial != NULL && X509_REVOKED_set_serialNumber(entry, serial) == 1 &&
             X509_REVOKED_set_revocationDate(entry, when) == 1 &&
             X509_CRL_add0_revoked(crl, entry) == 1;
    }
    if (!ok) {
        X509_REVOKED_free(entry); /* else the list owns it */
    }
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(when);
    BN_free(number);
    return ok ? HD_OK : HD_ENOMEM;
}

static X509_CRL *crl_new(const struct con_pki_ca *ca)
{
    X509_CRL *crl = X509_CRL_new();
    /* an hour back, as for certificates: clocks are rarely exact */
    ASN1_TIME *now =
        ASN1_TIME_set(NULL, (time_t)(hd_clock_wall_ns() / HD_NS_PER_SEC) - 3600);
    ASN1_TIME *next =
        ASN1_TIME_adj(NULL, (time_t)(hd_clock_wall_ns() / HD_NS_PER_SEC), CRL_DAYS, 0);
    int ok = crl != NULL && now != NULL && next != NULL &&
             X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
             X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert)) == 1 &&
             X509_CRL_set1_lastUpdate(crl, now) == 1 &&
             X509_CRL_set1_nextUpdate(crl, next) == 1;
    ASN1_TIME_free(now);
    ASN1_TIME_free(next);
    if (!ok) {
        X509_CRL_free(crl);
        crl = NULL;
    }
    return crl;
}

int con_pki_crl_write(const char *dir, const struct con_pki_ca *ca,
                      const struct con_pki_record *records, size_t n,
                      char why[CON_PKI_WHY])
{
    char path[4096];
    X509_CRL *crl = crl_new(ca);
    int err = crl != NULL ? HD_OK : HD_ENOMEM;
    for (size_t i = 0; i < n && err == 0; i++) {
        if (records[i].revoked_s != 0) {
            err = add_revoked(crl, &records[i]);
        }
    }
    BIO *bio = BIO_new(BIO_s_mem());
    if (err == 0 && (bio == NULL || X509_CRL_sort(crl) != 1 ||
                     X509_CRL_sign(crl, ca->key, EVP_sha256()) == 0 ||
                     PEM_write_bio_X509_CRL(bio, crl) != 1)) {
        err = HD_ETLS;
    }
    if (err == 0) {
        char *data = NULL;
        long len = BIO_get_mem_data(bio, &data);
        con_pki_path(path, sizeof(path), dir, "crl", ".pem");
        err = hd_fs_write_atomic(path, hd_slice(data, (size_t)len), 0644);
    }
    BIO_free(bio);
    X509_CRL_free(crl);
    return err == 0
               ? HD_OK
               : con_pki_fail(why, err, "cannot write the revocation list of %s", dir);
}
