/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files of console/pki/: certificates in memory, and the index on disk.
 */
#pragma once
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "console/pki/pki.h"

struct con_pki_ca {
    X509 *cert;
    EVP_PKEY *key;
};

/* Sets why (with OpenSSL's reason when there is one) and returns err. */
int con_pki_fail(char why[CON_PKI_WHY], int err, const char *fmt, ...) HD_PRINTF(3, 4);

void con_pki_path(char *out, size_t cap, const char *dir, const char *name,
                  const char *suffix);

/* own: the caller frees with con_pki_ca_close, also on failure. */
int con_pki_ca_open(const char *dir, struct con_pki_ca *ca,
                    char why[CON_PKI_WHY]) HD_MUST_USE;
void con_pki_ca_close(struct con_pki_ca *ca);

/* own: returned object is the caller's; NULL on failure. */
EVP_PKEY *con_pki_key_new(void);
X509 *con_pki_cert_new(EVP_PKEY *subject_key, const char *common_name, unsigned days);
int con_pki_extend(X509 *cert, X509 *issuer, int nid, const char *value) HD_MUST_USE;

int con_pki_write_cert(const char *path, X509 *cert, X509 *chain,
                       char why[CON_PKI_WHY]) HD_MUST_USE;
int con_pki_write_key(const char *path, EVP_PKEY *key, char why[CON_PKI_WHY]) HD_MUST_USE;

/* ---- index ---- */

struct con_pki_record {
    char serial[65]; /* upper-case hex */
    char name[65];
    int64_t not_after_s;
    int64_t revoked_s; /* 0 = valid */
};
/* own: *records is freed by the caller. A missing index is empty. */
int con_pki_index_load(const char *dir, struct con_pki_record **records, size_t *n,
                       char why[CON_PKI_WHY]) HD_MUST_USE;
int con_pki_index_save(const char *dir, const struct con_pki_record *records, size_t n,
                       char why[CON_PKI_WHY]) HD_MUST_USE;
int con_pki_crl_write(const char *dir, const struct con_pki_ca *ca,
                      const struct con_pki_record *records, size_t n,
                      char why[CON_PKI_WHY]) HD_MUST_USE;
