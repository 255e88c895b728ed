/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS configuration: reads certificate, key, trust anchors and revocation list into an
 * SSL_CTX, or says which file is at fault. The files are read whole and parsed from
 * memory, so that what is missing, unreadable or malformed can be told apart. Sessions
 * hold a reference to the SSL_CTX they began with; a reload only changes ours.
 */
#include <haidang/tls.h>

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <haidang/buf.h>
#include <haidang/fs.h>

#include "lib/tls_ctx.h"

#define PEM_FILE_MAX ((size_t)16 << 20) /* a CRL of a busy CA is the largest of them */
#define WHY_MAX      256

struct hd_tls {
    struct hd_tls_opts opts; /* strings are ours */
    SSL_CTX *ctx;
};

SSL_CTX *hd_tls_ctx(const struct hd_tls *tls)
{
    return tls->ctx;
}

enum hd_tls_role hd_tls_role_of(const struct hd_tls *tls)
{
    return tls->opts.role;
}

/* ---- text about certificates ---- */

void hd_tls_cert_cn(const X509 *cert, char out[HD_TLS_NAME_MAX])
{
    out[0] = '\0';
    const X509_NAME *name = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0) {
        return;
    }
    unsigned char *utf8 = NULL;
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    int len = ASN1_STRING_to_UTF8(&utf8, value);
    bool is_text = len > 0 && len < HD_TLS_NAME_MAX;
    for (int i = 0; i < len && is_text; i++) {
        is_text = utf8[i] >= 0x20 && utf8[i] != 0x7f;
    }
    if (is_text) {
        memcpy(out, utf8, (size_t)len);
        out[len] = '\0';
    }
    OPENSSL_free(utf8);
}

void hd_tls_format_time(const ASN1_TIME *time, char out[HD_TLS_DATE_MAX])
{
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm) != 1 ||
        strftime(out, HD_TLS_DATE_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        memcpy(out, "?", 2);
    }
}

/* ---- reading files ---- */

/* What is being loaded, for the text of a failure. */
struct load {
    SSL_CTX *ctx;
    enum hd_tls_role role;
    const char *what; /* "certificate" */
    const char *path;
    char *why; /* WHY_MAX */
};

static int load_fail(const struct load *load, int err, const char *text)
{
    (void)snprintf(load->why, WHY_MAX, "%s %s: %s", load->what, load->path, text);
    ERR_clear_error();
    return err;
}

/* own: *out, free with BIO_free; it views buf. */
static int load_open(const struct load *load, struct hd_buf *buf, BIO **out)
{
    int err = hd_fs_read(load->path, PEM_FILE_MAX, buf);
    if (err != HD_OK) {
        return load_fail(load, err,
                         err == HD_ENOENT   ? "no such file"
                         : err == HD_EACCES ? "cannot be read (permission denied)"
                                            : hd_err_text(err));
    }
    *out = BIO_new_mem_buf(buf->ptr, (int)buf->len);
    return *out == NULL ? load_fail(load, HD_ENOMEM, hd_err_text(HD_ENOMEM)) : HD_OK;
}

/* After the last PEM block the reader says "no start line": that is the end. Anything
 * else is a block that does not parse. */
static bool pem_ended_well(void)
{
    unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    return ERR_GET_LIB(code) == ERR_LIB_PEM &&
           ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static int check_validity(const struct load *load, const X509 *cert)
{
    char date[HD_TLS_DATE_MAX];
    char text[64];
    if (X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0) {
        hd_tls_format_time(X509_get0_notAfter(cert), date);
        (void)snprintf(text, sizeof(text), "has expired on %s", date);
        return load_fail(load, HD_ETLS, text);
    }
    if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0) {
        hd_tls_format_time(X509_get0_notBefore(cert), date);
        (void)snprintf(text, sizeof(text), "is not valid before %s", date);
        return load_fail(load, HD_ETLS, text);
    }
    return HD_OK;
}

/* Peers would refuse it, each with a message of its own making; this one is ours. */
static int check_purpose(const struct load *load, X509 *cert)
{
    bool is_server = load->role == HD_TLS_SERVER;
    if (X509_check_purpose(cert,
                           is_server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT,
                           0) == 1) {
        return HD_OK;
    }
    return load_fail(load, HD_ETLS,
                     is_server ? "is not for a server (extended key usage serverAuth)"
                               : "is not for a client (extended key usage clientAuth)");
}

static int use_chain(const struct load *load, BIO *bio)
{
    X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (leaf == NULL) {
        return load_fail(load, HD_ETLS, "holds no PEM certificate");
    }
    int err = check_validity(load, leaf);
    err = err != HD_OK ? err : check_purpose(load, leaf);
    if (err == HD_OK && SSL_CTX_use_certificate(load->ctx, leaf) != 1) {
        err = load_fail(load, HD_ETLS, ERR_reason_error_string(ERR_peek_error()));
    }
    X509_free(leaf);
    X509 *issuer;
    while (err == HD_OK && (issuer = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (SSL_CTX_add0_chain_cert(load->ctx, issuer) != 1) {
            X509_free(issuer);
            err = load_fail(load, HD_ETLS, "its chain cannot be used");
        }
    }
    if (err == HD_OK && !pem_ended_well()) {
        err = load_fail(load, HD_ETLS, "a certificate of its chain is malformed");
    }
    return err;
}

/* Never asks a person for a pass phrase. */
static int no_passphrase(char *buf, int size, int rwflag, void *ctx)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)ctx;
    return -1;
}

static int use_key(const struct load *load, BIO *bio)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (key == NULL) {
        return load_fail(load, HD_ETLS,
                         "holds no PEM private key, or one with a pass phrase");
    }
    int err = HD_OK;
    if (X509_check_private_key(SSL_CTX_get0_certificate(load->ctx), key) != 1) {
        err = load_fail(load, HD_ETLS, "does not match the certificate");
    } else if (SSL_CTX_use_PrivateKey(load->ctx, key) != 1) {
        err = load_fail(load, HD_ETLS, ERR_reason_error_string(ERR_peek_error()));
    }
    EVP_PKEY_free(key);
    return err;
}

static int use_anchors(const struct load *load, BIO *bio)
{
    X509_STORE *store = SSL_CTX_get_cert_store(load->ctx);
    int n = 0;
    int err = HD_OK;
    X509 *cert;
    while (err == HD_OK && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        /* libcrypto remembers what it could not read of a certificate for want of memory:
         * an anchor without its key would be no anchor, and nobody would be told. */
        if (X509_get0_pubkey(cert) == NULL || X509_check_purpose(cert, -1, 0) != 1 ||
            X509_STORE_add_cert(store, cert) != 1 ||
            SSL_CTX_add_client_CA(load->ctx, cert) != 1) {
            err = load_fail(load, HD_ETLS, "a certificate cannot be used");
        }
        X509_free(cert);
        n++;
    }
    if (err == HD_OK && (!pem_ended_well() || n == 0)) {
        err =
            load_fail(load, HD_ETLS,
                      n == 0 ? "holds no PEM certificate" : "a certificate is malformed");
    }
    return err;
}

static int check_crl(const struct load *load, const X509_CRL *crl)
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    if (next == NULL || X509_cmp_current_time(next) > 0) {
        return HD_OK;
    }
    char date[HD_TLS_DATE_MAX];
    char text[64];
    hd_tls_format_time(next, date);
    (void)snprintf(text, sizeof(text), "should have been renewed by %s", date);
    return load_fail(load, HD_ETLS, text);
}

static int use_crls(const struct load *load, BIO *bio)
{
    X509_STORE *store = SSL_CTX_get_cert_store(load->ctx);
    int n = 0;
    int err = HD_OK;
    X509_CRL *crl;
    while (err == HD_OK && (crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
        err = check_crl(load, crl);
        if (err == HD_OK && X509_STORE_add_crl(store, crl) != 1) {
            err = load_fail(load, HD_ETLS, "a list cannot be used");
        }
        X509_CRL_free(crl);
        n++;
    }
    if (err == HD_OK && (!pem_ended_well() || n == 0)) {
        err = load_fail(load, HD_ETLS,
                        n == 0 ? "holds no PEM revocation list" : "a list is malformed");
    }
    if (err == HD_OK) {
        /* of the leaf: an intermediate's list is rarely at hand */
        (void)X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    }
    return err;
}

static int load_file(const struct load *load,
                     int (*use)(const struct load *load, BIO *bio))
{
    struct hd_buf buf;
    hd_buf_init(&buf, PEM_FILE_MAX + 1);
    BIO *bio = NULL;
    ERR_clear_error();
    int err = load_open(load, &buf, &bio);
    if (err == HD_OK) {
        err = use(load, bio);
    }
    (void)BIO_free(bio);
    if (buf.ptr != NULL) {
        OPENSSL_cleanse(buf.ptr, buf.len); /* it may have been a key */
    }
    hd_buf_fini(&buf);
    return err;
}

static int load_key(const struct load *load)
{
    int err = hd_fs_check_secret(load->path);
    if (err == HD_EACCES) {
        return load_fail(load, err,
                         "cannot be read, or group or others may read it (chmod 600)");
    }
    if (err != HD_OK) {
        return load_fail(load, err, err == HD_ENOENT ? "no such file" : hd_err_text(err));
    }
    return load_file(load, use_key);
}

static int load_files(SSL_CTX *ctx, const struct hd_tls_opts *opts, char *why)
{
    struct load load = {.ctx = ctx, .role = opts->role, .why = why};
    int err = HD_OK;
    if (opts->cert_file != NULL) {
        load.what = "certificate";
        load.path = opts->cert_file;
        err = load_file(&load, use_chain);
        load.what = "key";
        load.path = opts->key_file;
        err = err != HD_OK ? err : load_key(&load);
    }
    if (err == HD_OK && opts->ca_file != NULL) {
        load.what = "CA file";
        load.path = opts->ca_file;
        err = load_file(&load, use_anchors);
    } else if (err == HD_OK && opts->role == HD_TLS_CLIENT) {
        (void)SSL_CTX_set_default_verify_paths(ctx);
    }
    if (err == HD_OK && opts->crl_file != NULL) {
        load.what = "revocation list";
        load.path = opts->crl_file;
        err = load_file(&load, use_crls);
    }
    return err;
}

/* ---- the context ---- */

static int ctx_configure(SSL_CTX *ctx, const struct hd_tls_opts *opts)
{
    /* 1.3 has AEAD suites only; of 1.2 those with forward secrecy */
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
        return HD_ETLS;
    }
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    /* resumption would skip the look at the revocation list; tickets cost half of the
     * handshakes a second */
    (void)SSL_CTX_set_num_tickets(ctx, 0);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);

    int mode = SSL_VERIFY_PEER;
    if (opts->role == HD_TLS_SERVER) {
        mode = opts->require_client_cert
                   ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
               : opts->ca_file != NULL ? SSL_VERIFY_PEER
                                       : SSL_VERIFY_NONE;
    }
    SSL_CTX_set_verify(ctx, mode, NULL);
    return HD_OK;
}

static int ctx_new(const struct hd_tls_opts *opts, SSL_CTX **out, char *why)
{
    SSL_CTX *ctx = SSL_CTX_new(opts->role == HD_TLS_SERVER ? TLS_server_method()
                                                           : TLS_client_method());
    if (ctx == NULL) {
        (void)snprintf(why, WHY_MAX, "%s", hd_err_text(HD_ENOMEM));
        return HD_ENOMEM;
    }
    int err = ctx_configure(ctx, opts);
    if (err != HD_OK) {
        (void)snprintf(why, WHY_MAX, "this OpenSSL offers no TLS 1.2 with AEAD suites");
    } else {
        err = load_files(ctx, opts, why);
    }
    if (err != HD_OK) {
        SSL_CTX_free(ctx);
        return err;
    }
    *out = ctx;
    return HD_OK;
}

static int check_opts(const struct hd_tls_opts *opts, char *why)
{
    const char *text = NULL;
    if ((opts->cert_file == NULL) != (opts->key_file == NULL)) {
        text = "a certificate needs its key, and a key its certificate";
    } else if (opts->role == HD_TLS_SERVER && opts->cert_file == NULL) {
        text = "a TLS server needs a certificate and a key";
    } else if (opts->require_client_cert && opts->ca_file == NULL) {
        text = "client certificates are required, but there is no CA file to verify them";
    }
    if (text != NULL) {
        (void)snprintf(why, WHY_MAX, "%s", text);
        return HD_EINVAL;
    }
    return HD_OK;
}

static int dup_opt(const char *text, const char **out)
{
    *out = text == NULL ? NULL : hd_slice_dup(hd_slice_str(text));
    return text != NULL && *out == NULL ? HD_ENOMEM : HD_OK;
}

static int dup_opts(const struct hd_tls_opts *opts, struct hd_tls_opts *out)
{
    out->role = opts->role;
    out->require_client_cert = opts->require_client_cert;
    int err = dup_opt(opts->cert_file, &out->cert_file);
    err = err != HD_OK ? err : dup_opt(opts->key_file, &out->key_file);
    err = err != HD_OK ? err : dup_opt(opts->ca_file, &out->ca_file);
    return err != HD_OK ? err : dup_opt(opts->crl_file, &out->crl_file);
}

int hd_tls_new(const struct hd_tls_opts *opts, struct hd_tls **out, char why[WHY_MAX])
{
    int err = check_opts(opts, why);
    if (err != HD_OK) {
        return err;
    }
    struct hd_tls *tls = calloc(1, sizeof(*tls));
    err = tls == NULL ? HD_ENOMEM : dup_opts(opts, &tls->opts);
    if (err != HD_OK) {
        (void)snprintf(why, WHY_MAX, "%s", hd_err_text(err));
    } else {
        err = ctx_new(&tls->opts, &tls->ctx, why);
    }
    if (err != HD_OK) {
        hd_tls_free(tls);
        return err;
    }
    *out = tls;
    return HD_OK;
}

void hd_tls_free(struct hd_tls *tls)
{
    if (tls == NULL) {
        return;
    }
    SSL_CTX_free(tls->ctx);
    free((char *)tls->opts.cert_file);
    free((char *)tls->opts.key_file);
    free((char *)tls->opts.ca_file);
    free((char *)tls->opts.crl_file);
    free(tls);
}

int hd_tls_reload(struct hd_tls *tls, char why[WHY_MAX])
{
    SSL_CTX *ctx = NULL;
    int err = ctx_new(&tls->opts, &ctx, why);
    if (err != HD_OK) {
        return err;
    }
    SSL_CTX_free(tls->ctx);
    tls->ctx = ctx;
    return HD_OK;
}

int64_t hd_tls_expires_in_s(const struct hd_tls *tls)
{
    const X509 *cert = SSL_CTX_get0_certificate(tls->ctx);
    int days = 0;
    int seconds = 0;
    if (cert == NULL ||
        ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) != 1) {
        return INT64_MAX;
    }
    return (int64_t)days * 86400 + seconds;
}

void hd_tls_own_cn(const struct hd_tls *tls, char out[HD_TLS_NAME_MAX])
{
    const X509 *cert = SSL_CTX_get0_certificate(tls->ctx);
    out[0] = '\0';
    if (cert != NULL) {
        hd_tls_cert_cn(cert, out);
    }
}
