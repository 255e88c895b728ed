/* SPDX-License-Identifier: Apache-2.0
 *
 * A small certification authority in a directory (OpenSSL 3): what `haidang ca` does.
 *
 *     DIR/ca.crt      trust anchor, to be copied to every machine
 *     DIR/ca.key      its key, 0600: stays here
 *     DIR/crl.pem     revocation list, to be copied to the correlator
 *     DIR/index.jsonl what was issued and revoked, one JSON object a line
 *     DIR/issued/NAME.crt, NAME.key
 *
 * Keys are EC P-256, signatures ECDSA with SHA-256, serials 128 random bits. Blocking;
 * one thread. Every failure leaves its reason in `why` and no half-written file.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <haidang/err.h>

#define CON_PKI_WHY 512

enum con_pki_role { CON_PKI_AGENT, CON_PKI_SERVER };

struct con_pki_issue {
    const char *name; /* common name: [A-Za-z0-9._-]{1,64} */
    enum con_pki_role role;
    const char *const *hosts; /* DNS names and IP addresses; servers need at least one */
    size_t n_hosts;
    unsigned days;       /* 1..3650 */
    const char *out_dir; /* NULL = DIR/issued */
};

/* HD_EEXIST when DIR holds a CA already. */
int con_pki_init(const char *dir, const char *name, unsigned days,
                 char why[CON_PKI_WHY]) HD_MUST_USE;
/* HD_ENOENT without a CA, HD_EEXIST when NAME has a valid certificate. */
int con_pki_issue(const char *dir, const struct con_pki_issue *issue,
                  char why[CON_PKI_WHY]) HD_MUST_USE;
/* Revokes every certificate of NAME and writes the list anew. HD_ENOENT: none was issued.
 */
int con_pki_revoke(const char *dir, const char *name, char why[CON_PKI_WHY]) HD_MUST_USE;
