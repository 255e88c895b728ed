/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS configuration (OpenSSL 3): TLS 1.3 preferred, 1.2 the floor, AEAD suites only,
 * verification never off. A hd_tls is one role's certificate, key and trust anchors; its
 * reload makes new connections use the new files and leaves the open ones alone. The
 * engine under it (memory BIOs) is driven by <haidang/stream.h>.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/err.h>
#include <haidang/slice.h>

enum hd_tls_role { HD_TLS_CLIENT, HD_TLS_SERVER };

struct hd_tls_opts {
    enum hd_tls_role role;
    const char *cert_file;    /* PEM chain, leaf first; clients may have none */
    const char *key_file;     /* PEM; refused unless only its owner can read it */
    const char *ca_file;      /* PEM trust anchors; clients: NULL = the system's store */
    const char *crl_file;     /* PEM; NULL = no revocation list */
    bool require_client_cert; /* server: mutual TLS; default for everything but tests */
};

struct hd_tls;

/* own: the strings are copied. On failure *why (static or owned by a per-call buffer of
 * 256 bytes) says which file and what is wrong: missing, unreadable, expired, does not
 * match its key. HD_ENOENT, HD_EACCES, HD_ETLS. */
int hd_tls_new(const struct hd_tls_opts *opts, struct hd_tls **out,
               char why[256]) HD_MUST_USE;
void hd_tls_free(struct hd_tls *tls); /* open connections keep what they use */

/* Reads the files again. On failure the old state stays in force. */
int hd_tls_reload(struct hd_tls *tls, char why[256]) HD_MUST_USE;

/* Seconds until the own certificate expires (negative: has expired); INT64_MAX without
 * one. */
int64_t hd_tls_expires_in_s(const struct hd_tls *tls);

#define HD_TLS_NAME_MAX 256
/* Common name of the own certificate; "" without one. */
void hd_tls_own_cn(const struct hd_tls *tls, char out[HD_TLS_NAME_MAX]);

/* ---- engine: one connection's state machine over memory, no sockets ---- */

struct hd_tls_session;

/* verify_name: host name or IP address the server's certificate must carry (clients;
 * mandatory). Server sessions: NULL. */
int hd_tls_session_new(struct hd_tls *tls, const char *verify_name,
                       struct hd_tls_session **out) HD_MUST_USE;
void hd_tls_session_free(struct hd_tls_session *session);

struct hd_tls_io {
    void (*plain)(void *ctx, struct hd_slice data);  /* decrypted; valid in the call */
    void (*cipher)(void *ctx, struct hd_slice data); /* to be sent; valid in the call */
    void *ctx;
};

/* Ciphertext arrived (or, with an empty slice, start the handshake). HD_ETLS: the
 * connection is dead; hd_tls_session_why says why. HD_ECLOSED: close_notify came. */
int hd_tls_session_feed(struct hd_tls_session *session, struct hd_slice in,
                        const struct hd_tls_io *io) HD_MUST_USE;
/* Encrypts; only after the handshake (HD_EAGAIN before). */
int hd_tls_session_send(struct hd_tls_session *session, struct hd_slice plain,
                        const struct hd_tls_io *io) HD_MUST_USE;
/* Sends close_notify. */
void hd_tls_session_shut(struct hd_tls_session *session, const struct hd_tls_io *io);

bool hd_tls_session_is_open(const struct hd_tls_session *session); /* handshake done */
/* Text for people, never NULL: "certificate has expired (CN=web1)", "unknown CA", ... */
const char *hd_tls_session_why(const struct hd_tls_session *session);
/* Subject common name of the verified peer, "" without one. */
const char *hd_tls_session_peer_cn(const struct hd_tls_session *session);
/* "TLSv1.3" */
const char *hd_tls_session_version(const struct hd_tls_session *session);
