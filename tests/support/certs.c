/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/certs.h"

#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

struct hd_test_ca {
    X509 *cert;
    EVP_PKEY *key;
};

const char *hd_test_path(const char *dir, const char *name)
{
    static char path[16][512];
    static unsigned next;
    char *out = path[next++ % 16];
    assert_true(snprintf(out, sizeof(path[0]), "%s/%s", dir, name) < 512);
    return out;
}

static FILE *create(const char *dir, const char *name, const char *suffix, mode_t mode)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    return file;
}

static void write_cert(const char *dir, const char *name, X509 *cert)
{
    FILE *file = create(dir, name, ".crt", 0644);
    assert_int_equal(PEM_write_X509(file, cert), 1);
    assert_int_equal(fclose(file), 0);
}

static void write_key(const char *dir, const char *name, EVP_PKEY *key)
{
    FILE *file = create(dir, name, ".key", 0600);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
}

static void set_random_serial(X509 *cert)
{
    int64_t serial = 0;
    assert_int_equal(RAND_bytes((unsigned char *)&serial, 7), 1);
    assert_int_equal(ASN1_INTEGER_set_int64(X509_get_serialNumber(cert), serial), 1);
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *cert_new(const char *cn, EVP_PKEY *key, long from_s, long to_s)
{
    X509 *cert = X509_new();
    assert_non_null(cert);
    assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
    set_random_serial(cert);
    X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
                                                MBSTRING_UTF8, (const unsigned char *)cn,
                                                -1, -1, 0),
                     1);
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    return cert;
}

struct hd_test_ca *hd_test_ca_new(const char *dir, const char *name)
{
    struct hd_test_ca *ca = calloc(1, sizeof(*ca));
    assert_non_null(ca);
    ca->key = EVP_EC_gen("P-256");
    assert_non_null(ca->key);
    ca->cert = cert_new(name, ca->key, -3600, 86400);
    assert_int_equal(X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert)), 1);
    add_extension(ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(ca->cert, ca->cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(ca->cert, ca->cert, NID_subject_key_identifier, "hash");
    assert_true(X509_sign(ca->cert, ca->key, EVP_sha256()) > 0);
    write_cert(dir, name, ca->cert);
    return ca;
}

void hd_test_ca_free(struct hd_test_ca *ca)
{
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
    free(ca);
}

void hd_test_cert_issue(struct hd_test_ca *ca, const char *dir, const char *name,
                        const struct hd_test_cert_opts *opts)
{
    bool is_default = opts->from_s == 0 && opts->to_s == 0;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    X509 *cert = cert_new(opts->cn, key, is_default ? -3600 : opts->from_s,
                          is_default ? 86400 : opts->to_s);
    assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(ca->cert)), 1);
    add_extension(cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(cert, ca->cert, NID_key_usage, "critical,digitalSignature");
    add_extension(cert, ca->cert, NID_ext_key_usage, "serverAuth,clientAuth");
    if (opts->names != NULL) {
        add_extension(cert, ca->cert, NID_subject_alt_name, opts->names);
    }
    assert_true(X509_sign(cert, ca->key, EVP_sha256()) > 0);
    write_cert(dir, name, cert);
    write_key(dir, name, key);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void crl_add(X509_CRL *crl, const char *cert_path)
{
    FILE *file = fopen(cert_path, "r");
    assert_non_null(file);
    X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
    assert_non_null(cert);
    (void)fclose(file);
    X509_REVOKED *revoked = X509_REVOKED_new();
    assert_non_null(revoked);
    assert_int_equal(X509_REVOKED_set_serialNumber(revoked, X509_get_serialNumber(cert)),
                     1);
    ASN1_TIME *when = X509_gmtime_adj(NULL, -60);
    assert_int_equal(X509_REVOKED_set_revocationDate(revoked, when), 1);
    ASN1_TIME_free(when);
    assert_int_equal(X509_CRL_add0_revoked(crl, revoked), 1);
    X509_free(cert);
}

void hd_test_crl_issue(struct hd_test_ca *ca, const char *dir, const char *name,
                       const char *revoked)
{
    X509_CRL *crl = X509_CRL_new();
    assert_non_null(crl);
    assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
    assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert)), 1);
    ASN1_TIME *time = X509_gmtime_adj(NULL, -60);
    assert_int_equal(X509_CRL_set1_lastUpdate(crl, time), 1);
    assert_non_null(X509_gmtime_adj(time, 86400));
    assert_int_equal(X509_CRL_set1_nextUpdate(crl, time), 1);
    ASN1_TIME_free(time);
    if (revoked != NULL) {
        crl_add(crl, revoked);
    }
    assert_int_equal(X509_CRL_sort(crl), 1);
    assert_true(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
    FILE *file = create(dir, name, ".crl", 0644);
    assert_int_equal(PEM_write_X509_CRL(file, crl), 1);
    assert_int_equal(fclose(file), 0);
    X509_CRL_free(crl);
}

const char *hd_test_pki(void)
{
    static const char here[] = "DNS:localhost,IP:127.0.0.1,IP:::1";
    const char *dir = hd_test_tmpdir();
    struct hd_test_ca *ca = hd_test_ca_new(dir, "ca");
    struct hd_test_ca *foreign = hd_test_ca_new(dir, "foreign-ca");
    hd_test_cert_issue(ca, dir, "server",
                       &(struct hd_test_cert_opts){.cn = "localhost", .names = here});
    hd_test_cert_issue(
        ca, dir, "wrong-host",
        &(struct hd_test_cert_opts){.cn = "other.example", .names = "DNS:other.example"});
    hd_test_cert_issue(ca, dir, "client", &(struct hd_test_cert_opts){.cn = "web1"});
    hd_test_cert_issue(
        ca, dir, "expired",
        &(struct hd_test_cert_opts){
            .cn = "localhost", .names = here, .from_s = -7200, .to_s = -3600});
    hd_test_cert_issue(
        ca, dir, "early",
        &(struct hd_test_cert_opts){
            .cn = "localhost", .names = here, .from_s = 3600, .to_s = 7200});
    hd_test_cert_issue(foreign, dir, "foreign",
                       &(struct hd_test_cert_opts){.cn = "web1", .names = here});
    hd_test_cert_issue(ca, dir, "revoked", &(struct hd_test_cert_opts){.cn = "web9"});
    hd_test_crl_issue(ca, dir, "revoked", hd_test_path(dir, "revoked.crt"));
    hd_test_crl_issue(ca, dir, "empty", NULL);
    hd_test_ca_free(ca);
    hd_test_ca_free(foreign);
    return dir;
}
