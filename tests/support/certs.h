/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates for tests, made in the test with OpenSSL (P-256, a few milliseconds each).
 * Failures fail the test. hd_test_pki() makes the whole set that most tests want.
 */
#pragma once
#include <stdbool.h>

struct hd_test_ca;

/* Writes DIR/NAME.crt. own: free with hd_test_ca_free. */
struct hd_test_ca *hd_test_ca_new(const char *dir, const char *name);
void hd_test_ca_free(struct hd_test_ca *ca);

struct hd_test_cert_opts {
    const char *cn;
    const char *names; /* "DNS:localhost,IP:127.0.0.1"; NULL = none */
    long from_s, to_s; /* validity relative to now; both 0 = an hour ago to in a day */
};
/* Writes DIR/NAME.crt and DIR/NAME.key (mode 0600), good for servers and clients. */
void hd_test_cert_issue(struct hd_test_ca *ca, const char *dir, const char *name,
                        const struct hd_test_cert_opts *opts);
/* Writes DIR/NAME.crl that revokes the certificate in `revoked` (a path; NULL = none). */
void hd_test_crl_issue(struct hd_test_ca *ca, const char *dir, const char *name,
                       const char *revoked);

/* A fresh directory (of hd_test_tmpdir) with, each as .crt and .key:
 *   ca, foreign-ca   .crt only
 *   server           CN localhost, for localhost, 127.0.0.1 and ::1
 *   wrong-host       a server called other.example
 *   client           CN web1
 *   expired, early   no longer and not yet valid, else like server
 *   foreign          like server and client, but by foreign-ca
 *   revoked          CN web9; revoked.crl names it, empty.crl names nobody */
const char *hd_test_pki(void);

/* "DIR/NAME"; one of 16 static buffers in turn. */
const char *hd_test_path(const char *dir, const char *name);
