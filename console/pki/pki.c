/* SPDX-License-Identifier: Apache-2.0
 *
 * The three things one does with a CA: make it, issue, revoke.
 */
#include "console/pki/pki.h"

#include <haidang/buf.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/inet.h>

#include "console/pki/internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int64_t now_s(void)
{
    return hd_clock_wall_ns() / HD_NS_PER_SEC;
}

static bool name_is_valid(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > 64 || name[0] == '.' || name[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)name[i];
        if (!hd_is_alnum(c) && c != '.' && c != '-' && c != '_') {
            return false;
        }
    }
    return true;
}

/* ---- init ---- */

static int self_sign(X509 *cert, EVP_PKEY *key)
{
    if (X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1 ||
        con_pki_extend(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") !=
            0 ||
        con_pki_extend(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") != 0 ||
        con_pki_extend(cert, cert, NID_subject_key_identifier, "hash") != 0) {
        return HD_ETLS;
    }
    return X509_sign(cert, key, EVP_sha256()) != 0 ? HD_OK : HD_ETLS;
}

static int write_ca(const char *dir, const struct con_pki_ca *ca, char why[CON_PKI_WHY])
{
    char path[4096];
    con_pki_path(path, sizeof(path), dir, "ca", ".key");
    int err = con_pki_write_key(path, ca->key, why);
    if (err == 0) {
        err = con_pki_crl_write(dir, ca, NULL, 0, why);
    }
    if (err == 0) { /* last: its presence says that the CA is complete */
        con_pki_path(path, sizeof(path), dir, "ca", ".crt");
        err = con_pki_write_cert(path, ca->cert, NULL, why);
    }
    return err;
}

int con_pki_init(const char *dir, const char *name, unsigned days, char why[CON_PKI_WHY])
{
    char path[4096];
    con_pki_path(path, sizeof(path), dir, "ca", ".crt");
    if (access(path, F_OK) == 0) {
        return con_pki_fail(why, HD_EEXIST, "%s exists already; a CA is made once", path);
    }
    con_pki_path(path, sizeof(path), dir, "issued", "");
    int err = hd_fs_mkdirs(path, 0700);
    if (err != 0) {
        return con_pki_fail(why, err, "cannot make the directory %s: %s", path,
                            hd_err_text(err));
    }
    struct con_pki_ca ca = {.key = con_pki_key_new()};
    ca.cert = ca.key != NULL ? con_pki_cert_new(ca.key, name, days) : NULL;
    if (ca.cert == NULL || self_sign(ca.cert, ca.key) != 0) {
        err = con_pki_fail(why, HD_ETLS, "cannot make the CA's certificate");
    } else {
        err = write_ca(dir, &ca, why);
    }
    con_pki_ca_close(&ca);
    return err;
}

/* ---- issue ---- */

static int subject_alt_names(const struct con_pki_issue *issue, struct hd_buf *out,
                             char why[CON_PKI_WHY])
{
    for (size_t i = 0; i < issue->n_hosts; i++) {
        struct hd_ip ip;
        struct hd_slice host = hd_slice_str(issue->hosts[i]);
        bool is_ip = hd_ip_parse(host, &ip) == 0;
        if (!is_ip && (host.len > 253 || !name_is_valid(issue->hosts[i]))) {
            return con_pki_fail(why, HD_EINVAL,
                                "'%s' is neither a host name nor an IP address",
                                issue->hosts[i]);
        }
        hd_buf_printf(out, "%s%s:%s", out->len > 0 ? "," : "", is_ip ? "IP" : "DNS",
                      issue->hosts[i]);
    }
    return out->err;
}

static int fill_certificate(X509 *cert, const struct con_pki_ca *ca,
                            const struct con_pki_issue *issue, char why[CON_PKI_WHY])
{
    bool is_server = issue->role == CON_PKI_SERVER;
    struct hd_buf names;
    hd_buf_init(&names, 16384);
    int err = subject_alt_names(issue, &names, why);
    if (err == 0 &&
        (X509_set_issuer_name(cert, X509_get_subject_name(ca->cert)) != 1 ||
         con_pki_extend(cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE") !=
             0 ||
         con_pki_extend(cert, ca->cert, NID_key_usage, "critical,digitalSignature") !=
             0 ||
         con_pki_extend(cert, ca->cert, NID_ext_key_usage,
                        is_server ? "serverAuth,clientAuth" : "clientAuth") != 0 ||
         con_pki_extend(cert, ca->cert, NID_subject_key_identifier, "hash") != 0 ||
         con_pki_extend(cert, ca->cert, NID_authority_key_identifier, "keyid") != 0 ||
         (names.len > 0 && con_pki_extend(cert, ca->cert, NID_subject_alt_name,
                                          hd_buf_cstr(&names)) != 0) ||
         X509_sign(cert, ca->key, EVP_sha256()) == 0)) {
        err =
            con_pki_fail(why, HD_ETLS, "cannot sign the certificate of %s", issue->name);
    }
    hd_buf_fini(&names);
    return err;
}

static int check_issue(const struct con_pki_issue *issue,
                       const struct con_pki_record *records, size_t n,
                       char why[CON_PKI_WHY])
{
    if (!name_is_valid(issue->name)) {
        return con_pki_fail(why, HD_EINVAL,
                            "'%s' is no name: 1 to 64 of letters, digits, '.', '-', '_'",
                            issue->name);
    }
    if (issue->role == CON_PKI_SERVER && issue->n_hosts == 0) {
        return con_pki_fail(
            why, HD_EINVAL,
            "a server's certificate needs the names that clients call it by: "
            "add --host NAME-OR-ADDRESS");
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(records[i].name, issue->name) == 0 && records[i].revoked_s == 0 &&
            records[i].not_after_s - now_s() > 30 * 86400) {
            return con_pki_fail(
                why, HD_EEXIST,
                "%s has a certificate that is valid for more than 30 days; "
                "revoke it first ('haidang ca revoke %s')",
                issue->name, issue->name);
        }
    }
    return HD_OK;
}

static int record_of(X509 *cert, const char *name, struct con_pki_record *record)
{
    struct tm until;
    char *serial = NULL;
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    if (number != NULL) {
        serial = BN_bn2hex(number);
        BN_free(number);
    }
    if (serial == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(cert), &until) != 1) {
        OPENSSL_free(serial);
        return HD_ENOMEM;
    }
    *record = (struct con_pki_record){.not_after_s = timegm(&until)};
    memcpy(record->serial, serial, hd_slice_head(hd_slice_str(serial), 64).len);
    memcpy(record->name, name, hd_slice_head(hd_slice_str(name), 64).len);
    OPENSSL_free(serial);
    return HD_OK;
}

/* The index first: a certificate that is out in the world can always be revoked. */
static int keep_record(const char *dir, X509 *cert, const char *name,
                       const struct con_pki_record *old, size_t n, char why[CON_PKI_WHY])
{
    struct con_pki_record *records = calloc(n + 1, sizeof(*records));
    if (records == NULL || record_of(cert, name, &records[n]) != 0) {
        free(records);
        return con_pki_fail(why, HD_ENOMEM, "out of memory");
    }
    if (n > 0) {
        memcpy(records, old, n * sizeof(*records));
    }
    int err = con_pki_index_save(dir, records, n + 1, why);
    free(records);
    return err;
}

static int write_issued(const char *dir, const struct con_pki_issue *issue, X509 *cert,
                        EVP_PKEY *key, X509 *chain, char why[CON_PKI_WHY])
{
    char out_dir[4096];
    char path[4200];
    con_pki_path(out_dir, sizeof(out_dir), dir, "issued", "");
    if (issue->out_dir != NULL) {
        con_pki_path(out_dir, sizeof(out_dir), issue->out_dir, "", "");
    }
    int err = hd_fs_mkdirs(out_dir, 0700);
    if (err != 0) {
        return con_pki_fail(why, err, "cannot make %s: %s", out_dir, hd_err_text(err));
    }
    con_pki_path(path, sizeof(path), out_dir, issue->name, ".key");
    err = con_pki_write_key(path, key, why);
    if (err == 0) {
        con_pki_path(path, sizeof(path), out_dir, issue->name, ".crt");
        err = con_pki_write_cert(path, cert, chain, why);
    }
    return err;
}

int con_pki_issue(const char *dir, const struct con_pki_issue *issue,
                  char why[CON_PKI_WHY])
{
    struct con_pki_ca ca;
    struct con_pki_record *records = NULL;
    size_t n = 0;
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    int err = con_pki_ca_open(dir, &ca, why);
    if (err == 0) {
        err = con_pki_index_load(dir, &records, &n, why);
    }
    if (err == 0) {
        err = check_issue(issue, records, n, why);
    }
    if (err == 0) {
        key = con_pki_key_new();
        cert = key != NULL ? con_pki_cert_new(key, issue->name, issue->days) : NULL;
        err = cert != NULL
                  ? fill_certificate(cert, &ca, issue, why)
                  : con_pki_fail(why, HD_ETLS, "cannot make a key and certificate");
    }
    if (err == 0) {
        err = keep_record(dir, cert, issue->name, records, n, why);
    }
    if (err == 0) {
        err = write_issued(dir, issue, cert, key, ca.cert, why);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    free(records);
    con_pki_ca_close(&ca);
    return err;
}

/* ---- revoke ---- */

static size_t mark_revoked(struct con_pki_record *records, size_t n, const char *name)
{
    size_t marked = 0;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(records[i].name, name) == 0 && records[i].revoked_s == 0) {
            records[i].revoked_s = now_s();
            marked++;
        }
    }
    return marked;
}

int con_pki_revoke(const char *dir, const char *name, char why[CON_PKI_WHY])
{
    struct con_pki_ca ca;
    struct con_pki_record *records = NULL;
    size_t n = 0;
    int err = con_pki_ca_open(dir, &ca, why);
    if (err == 0) {
        err = con_pki_index_load(dir, &records, &n, why);
    }
    if (err == 0 && mark_revoked(records, n, name) == 0) {
        err = con_pki_fail(why, HD_ENOENT,
                           "no valid certificate of '%s' in %s/index.jsonl", name, dir);
    }
    if (err == 0) {
        err = con_pki_index_save(dir, records, n, why);
    }
    if (err == 0) {
        err = con_pki_crl_write(dir, &ca, records, n, why);
    }
    free(records);
    con_pki_ca_close(&ca);
    return err;
}
