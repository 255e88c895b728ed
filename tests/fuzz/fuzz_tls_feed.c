/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: hd_tls_session_new, hd_tls_session_feed, hd_tls_session_send,
 * hd_tls_session_shut on a server session that never sees a valid client. The first byte
 * chooses the size of the pieces.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <haidang/tls.h>

static void ignore(void *ctx, struct hd_slice data)
{
    (void)ctx;
    (void)data;
}

/* A self-signed certificate and its key in one file, made once a run. */
static void write_identity(const char *path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    FILE *file = fopen(path, "w");
    if (key == NULL || cert == NULL || file == NULL) {
        abort();
    }
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    (void)X509_set_pubkey(cert, key);
    (void)X509_sign(cert, key, EVP_sha256());
    (void)PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    (void)PEM_write_X509(file, cert);
    (void)fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static struct hd_tls *server(void)
{
    static struct hd_tls *tls;
    if (tls != NULL) {
        return tls;
    }
    char path[] = "/tmp/haidang-fuzz-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0) {
        abort();
    }
    (void)close(fd);
    write_identity(path);
    char why[256];
    const struct hd_tls_opts opts = {
        .role = HD_TLS_SERVER, .cert_file = path, .key_file = path};
    if (hd_tls_new(&opts, &tls, why) != HD_OK) {
        (void)fprintf(stderr, "%s\n", why);
        abort();
    }
    (void)unlink(path);
    return tls;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_tls_session *session = NULL;
    if (size == 0 || hd_tls_session_new(server(), NULL, &session) != HD_OK) {
        return 0;
    }
    const struct hd_tls_io io = {.plain = ignore, .cipher = ignore};
    struct hd_slice rest = hd_slice(data + 1, size - 1);
    size_t piece = data[0] == 0 ? size : data[0];
    int err = HD_OK;
    while (rest.len > 0 && err == HD_OK) {
        struct hd_slice head = hd_slice_head(rest, piece);
        err = hd_tls_session_feed(session, head, &io);
        rest = hd_slice_from(rest, head.len);
    }
    if (err == HD_ETLS && hd_tls_session_why(session)[0] == '\0') {
        abort(); /* a failure without a reason */
    }
    if (hd_tls_session_send(session, HD_SLICE("x"), &io) == HD_OK &&
        !hd_tls_session_is_open(session)) {
        abort(); /* nothing may be sent in the clear */
    }
    hd_tls_session_shut(session, &io);
    hd_tls_session_free(session);
    return 0;
}
