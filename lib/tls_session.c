/* SPDX-License-Identifier: Apache-2.0
 *
 * One TLS connection over memory. OpenSSL reads from and writes to a BIO of our own that
 * is a window on the caller's bytes: ciphertext is neither copied in nor out. The window
 * is open only during a call; a callback may call hd_tls_session_send (the windows nest)
 * but not free the session.
 */
#include <haidang/tls.h>

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <haidang/inet.h>

#include "lib/tls_ctx.h"

#define WHY_MAX    256
#define RECORD_MAX 16384 /* RFC 8446 section 5.1 */

struct hd_tls_session {
    SSL *ssl;
    BIO_METHOD *method;
    const struct hd_tls_io *io; /* of the running call; NULL between calls */
    struct hd_slice in;         /* not yet read by OpenSSL */
    bool is_server;
    bool is_open;
    bool is_dead;
    char verify_name[HD_TLS_NAME_MAX];
    char peer_cn[HD_TLS_NAME_MAX];
    char why[WHY_MAX];
};

/* ---- the window ---- */

static int window_read(BIO *bio, char *out, size_t cap, size_t *n)
{
    struct hd_tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (session->in.len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *n = session->in.len < cap ? session->in.len : cap;
    memcpy(out, session->in.ptr, *n);
    session->in = hd_slice_from(session->in, *n);
    return 1;
}

static int window_write(BIO *bio, const char *data, size_t len, size_t *n)
{
    struct hd_tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (session->io != NULL) {
        session->io->cipher(session->io->ctx, hd_slice(data, len));
    }
    *n = len;
    return 1;
}

static long window_ctrl(BIO *bio, int command, long num, void *ptr)
{
    (void)bio;
    (void)num;
    (void)ptr;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO *window_new(struct hd_tls_session *session)
{
    session->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "haidang window");
    if (session->method == NULL ||
        BIO_meth_set_read_ex(session->method, window_read) != 1 ||
        BIO_meth_set_write_ex(session->method, window_write) != 1 ||
        BIO_meth_set_ctrl(session->method, window_ctrl) != 1) {
        return NULL;
    }
    BIO *bio = BIO_new(session->method);
    if (bio != NULL) {
        BIO_set_data(bio, session);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* ---- why it failed ---- */

/* One name of a certificate as text; "" when it is of a kind that we do not show. */
static void cert_name_text(const GENERAL_NAME *name, char out[HD_TLS_NAME_MAX])
{
    out[0] = '\0';
    if (name->type == GEN_DNS) {
        (void)snprintf(out, HD_TLS_NAME_MAX, "%.*s", ASN1_STRING_length(name->d.dNSName),
                       (const char *)ASN1_STRING_get0_data(name->d.dNSName));
        return;
    }
    if (name->type != GEN_IPADD) {
        return;
    }
    struct hd_ip ip;
    int len = ASN1_STRING_length(name->d.iPAddress);
    const uint8_t *byte = ASN1_STRING_get0_data(name->d.iPAddress);
    if (len == 4) {
        ip = hd_ip_v4(byte);
    } else if (len == (int)sizeof(ip.byte)) {
        memcpy(ip.byte, byte, sizeof(ip.byte));
    } else {
        return;
    }
    (void)hd_ip_format(&ip, out);
}

/* "web1, web2, 192.0.2.1": what the certificate is for. The peer chose these bytes. */
static void cert_names(const X509 *cert, char out[HD_TLS_NAME_MAX])
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    size_t len = 0;
    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && len < HD_TLS_NAME_MAX; i++) {
        char text[HD_TLS_NAME_MAX];
        cert_name_text(sk_GENERAL_NAME_value(names, i), text);
        if (text[0] != '\0') {
            int n = snprintf(out + len, HD_TLS_NAME_MAX - len, "%s%s",
                             len > 0 ? ", " : "", text);
            len += n > 0 ? (size_t)n : 0;
        }
    }
    GENERAL_NAMES_free(names);
    if (out[0] == '\0') {
        hd_tls_cert_cn(cert, out);
    }
    for (char *c = out; *c != '\0'; c++) {
        if ((uint8_t)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
}

static void why_wrong_name(struct hd_tls_session *session, const X509 *cert)
{
    char names[HD_TLS_NAME_MAX];
    cert_names(cert, names);
    (void)snprintf(session->why, WHY_MAX,
                   "wrong host name: the certificate is for %.120s, "
                   "not for %.80s",
                   names[0] == '\0' ? "no name" : names, session->verify_name);
}

static bool is_unknown_ca(int error)
{
    return error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
           error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
           error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
           error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
           error == X509_V_ERR_CERT_SIGNATURE_FAILURE;
}

static void why_bad_cert(struct hd_tls_session *session, const X509 *cert, int error)
{
    char cn[HD_TLS_NAME_MAX];
    char date[HD_TLS_DATE_MAX];
    hd_tls_cert_cn(cert, cn);
    if (is_unknown_ca(error)) {
        (void)snprintf(session->why, WHY_MAX,
                       "the peer's certificate is from an unknown CA (CN=%.128s)", cn);
        return;
    }
    switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        why_wrong_name(session, cert);
        return;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        hd_tls_format_time(X509_get0_notAfter(cert), date);
        (void)snprintf(session->why, WHY_MAX,
                       "the peer's certificate has expired on %s (CN=%.128s)", date, cn);
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        hd_tls_format_time(X509_get0_notBefore(cert), date);
        (void)snprintf(session->why, WHY_MAX,
                       "the peer's certificate is not valid before %s (CN=%.128s)", date,
                       cn);
        return;
    default:
        (void)snprintf(session->why, WHY_MAX,
                       "the peer's certificate: %.100s (CN=%.100s)",
                       X509_verify_cert_error_string(error), cn);
    }
}

static int verify_callback(int ok, X509_STORE_CTX *store_ctx)
{
    const SSL *ssl =
        X509_STORE_CTX_get_ex_data(store_ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct hd_tls_session *session = SSL_get_app_data(ssl);
    const X509 *cert = X509_STORE_CTX_get_current_cert(store_ctx);
    if (!ok && session->why[0] == '\0' && cert != NULL) {
        int error = X509_STORE_CTX_get_error(store_ctx);
        /* the fault may be found at an issuer that the peer sent along */
        why_bad_cert(session,
                     is_unknown_ca(error) ? X509_STORE_CTX_get0_cert(store_ctx) : cert,
                     error);
    }
    return ok;
}

static const char *why_of_reason(const struct hd_tls_session *session, int reason)
{
    switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
        return "the peer speaks HTTP, not TLS";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_UNEXPECTED_RECORD:
        return session->is_open ? "the peer broke the TLS protocol"
                                : "the peer does not speak TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
        return "the peer speaks no TLS of version 1.2 or later";
    case SSL_R_NO_SHARED_CIPHER:
        return "the peer offers no AEAD cipher suite";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "the peer sent no certificate";
    default:
        return NULL;
    }
}

static const char *alert_text(int alert)
{
    /* OpenSSL 3.0 calls this one "unknown" */
    return alert == SSL_AD_CERTIFICATE_REQUIRED ? "certificate required"
                                                : SSL_alert_desc_string_long(alert);
}

static void why_set(struct hd_tls_session *session)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    if (session->why[0] != '\0') {
        return;
    }
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET) {
        (void)snprintf(session->why, WHY_MAX, "the peer refused the connection: %.200s",
                       alert_text(reason - SSL_AD_REASON_OFFSET));
        return;
    }
    const char *text =
        ERR_GET_LIB(code) == ERR_LIB_SSL ? why_of_reason(session, reason) : NULL;
    if (text == NULL) {
        text = ERR_reason_error_string(code);
    }
    (void)snprintf(session->why, WHY_MAX, "%.255s", text == NULL ? "TLS failed" : text);
}

static int session_dead(struct hd_tls_session *session)
{
    why_set(session);
    session->is_dead = true;
    ERR_clear_error();
    return HD_ETLS;
}

/* ---- life ---- */

static int set_verify_name(struct hd_tls_session *session, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(session->ssl);
    struct hd_ip ip;
    int ok;
    (void)snprintf(session->verify_name, sizeof(session->verify_name), "%s", name);
    if (hd_ip_parse(hd_slice_str(name), &ip) == HD_OK) {
        ok = hd_ip_is_v4(&ip)
                 ? X509_VERIFY_PARAM_set1_ip(param, ip.byte + 12, 4)
                 : X509_VERIFY_PARAM_set1_ip(param, ip.byte, sizeof(ip.byte));
    } else {
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        ok = X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
             SSL_set_tlsext_host_name(session->ssl, name) == 1;
    }
    ERR_clear_error();
    return ok == 1 ? HD_OK : HD_ENOMEM;
}

static int session_setup(struct hd_tls_session *session, struct hd_tls *tls,
                         const char *verify_name)
{
    session->ssl = SSL_new(hd_tls_ctx(tls));
    BIO *bio = session->ssl == NULL ? NULL : window_new(session);
    if (bio == NULL) {
        return HD_ENOMEM;
    }
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_app_data(session->ssl, session);
    SSL_set_verify(session->ssl, SSL_get_verify_mode(session->ssl), verify_callback);
    if (session->is_server) {
        SSL_set_accept_state(session->ssl);
        return HD_OK;
    }
    SSL_set_connect_state(session->ssl);
    return set_verify_name(session, verify_name);
}

int hd_tls_session_new(struct hd_tls *tls, const char *verify_name,
                       struct hd_tls_session **out)
{
    bool is_server = hd_tls_role_of(tls) == HD_TLS_SERVER;
    if (!is_server && (verify_name == NULL || verify_name[0] == '\0' ||
                       strlen(verify_name) >= HD_TLS_NAME_MAX)) {
        return HD_EINVAL;
    }
    struct hd_tls_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return HD_ENOMEM;
    }
    session->is_server = is_server;
    int err = session_setup(session, tls, verify_name);
    if (err != HD_OK) {
        hd_tls_session_free(session);
        return err;
    }
    *out = session;
    return HD_OK;
}

void hd_tls_session_free(struct hd_tls_session *session)
{
    if (session == NULL) {
        return;
    }
    SSL_free(session->ssl);
    BIO_meth_free(session->method);
    free(session);
}

/* ---- bytes ---- */

static void handshake_done(struct hd_tls_session *session)
{
    session->is_open = true;
    const X509 *peer = SSL_get0_peer_certificate(session->ssl);
    if (peer != NULL && SSL_get_verify_result(session->ssl) == X509_V_OK) {
        hd_tls_cert_cn(peer, session->peer_cn);
    }
}

/* HD_EAGAIN: more bytes are needed. */
static int handshake(struct hd_tls_session *session)
{
    int ret = SSL_do_handshake(session->ssl);
    if (ret == 1) {
        handshake_done(session);
        return HD_OK;
    }
    return SSL_get_error(session->ssl, ret) == SSL_ERROR_WANT_READ
               ? HD_EAGAIN
               : session_dead(session);
}

static int read_all(struct hd_tls_session *session, const struct hd_tls_io *io)
{
    uint8_t plain[RECORD_MAX];
    for (;;) {
        size_t n = 0;
        int ret = SSL_read_ex(session->ssl, plain, sizeof(plain), &n);
        if (ret == 1) {
            io->plain(io->ctx, hd_slice(plain, n));
            continue;
        }
        switch (SSL_get_error(session->ssl, ret)) {
        case SSL_ERROR_WANT_READ:
            return HD_OK;
        case SSL_ERROR_ZERO_RETURN:
            return HD_ECLOSED;
        default:
            return session_dead(session);
        }
    }
}

int hd_tls_session_feed(struct hd_tls_session *session, struct hd_slice in,
                        const struct hd_tls_io *io)
{
    if (session->is_dead || hd_fails(session->io == NULL)) {
        return HD_ETLS;
    }
    session->io = io;
    session->in = in;
    ERR_clear_error();
    int err = session->is_open ? HD_OK : handshake(session);
    if (err == HD_OK) {
        err = read_all(session, io);
    }
    session->io = NULL;
    session->in = HD_SLICE_EMPTY;
    return err == HD_EAGAIN ? HD_OK : err;
}

int hd_tls_session_send(struct hd_tls_session *session, struct hd_slice plain,
                        const struct hd_tls_io *io)
{
    if (session->is_dead) {
        return HD_ETLS;
    }
    if (!session->is_open) {
        return HD_EAGAIN;
    }
    if (plain.len == 0) {
        return HD_OK;
    }
    const struct hd_tls_io *outer = session->io;
    session->io = io;
    ERR_clear_error();
    size_t n = 0;
    int ret = SSL_write_ex(session->ssl, plain.ptr, plain.len, &n);
    session->io = outer;
    return ret == 1 && n == plain.len ? HD_OK : session_dead(session);
}

void hd_tls_session_shut(struct hd_tls_session *session, const struct hd_tls_io *io)
{
    if (session->is_dead || !session->is_open) {
        return;
    }
    const struct hd_tls_io *outer = session->io;
    session->io = io;
    (void)SSL_shutdown(session->ssl);
    session->io = outer;
    ERR_clear_error();
}

bool hd_tls_session_is_open(const struct hd_tls_session *session)
{
    return session->is_open;
}

const char *hd_tls_session_why(const struct hd_tls_session *session)
{
    return session->why;
}

const char *hd_tls_session_peer_cn(const struct hd_tls_session *session)
{
    return session->peer_cn;
}

const char *hd_tls_session_version(const struct hd_tls_session *session)
{
    return SSL_get_version(session->ssl);
}
