/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include <haidang/buf.h>
#include <haidang/fs.h>
#include <haidang/tls.h>

#include "tests/support/alloc.h"
#include "tests/support/certs.h"

struct side {
    struct hd_tls_session *session;
    struct hd_buf to_peer;
    struct hd_buf got;
    int err;
};

static void on_plain(void *ctx, struct hd_slice data)
{
    hd_buf_slice_add(&((struct side *)ctx)->got, data);
}

static void on_cipher(void *ctx, struct hd_slice data)
{
    hd_buf_slice_add(&((struct side *)ctx)->to_peer, data);
}

static struct hd_tls_io io_of(struct side *side)
{
    return (struct hd_tls_io){.plain = on_plain, .cipher = on_cipher, .ctx = side};
}

static void side_open(struct side *side, struct hd_tls *tls, const char *name)
{
    *side = (struct side){0};
    hd_buf_init(&side->to_peer, 0);
    hd_buf_init(&side->got, 0);
    assert_int_equal(hd_tls_session_new(tls, name, &side->session), HD_OK);
}

static void side_close(struct side *side)
{
    hd_tls_session_free(side->session);
    hd_buf_fini(&side->to_peer);
    hd_buf_fini(&side->got);
}

static void side_feed(struct side *side, struct hd_slice data)
{
    struct hd_tls_io io = io_of(side);
    if (side->err == HD_OK) {
        side->err = hd_tls_session_feed(side->session, data, &io);
    }
}

/* What `from` has to say reaches `to` in pieces of at most `piece` bytes. */
static void deliver(struct side *from, struct side *to, size_t piece)
{
    struct hd_slice rest = hd_buf_slice(&from->to_peer);
    while (rest.len > 0) {
        struct hd_slice head = hd_slice_head(rest, piece);
        side_feed(to, head);
        rest = hd_slice_from(rest, head.len);
    }
    hd_buf_clear(&from->to_peer);
}

static void pump(struct side *a, struct side *b, size_t piece)
{
    while (a->to_peer.len > 0 || b->to_peer.len > 0) {
        deliver(a, b, piece);
        deliver(b, a, piece);
    }
}

static void handshake(struct side *client, struct side *server, size_t piece)
{
    side_feed(client, HD_SLICE_EMPTY);
    pump(client, server, piece);
}

static struct hd_tls_opts opts_of(enum hd_tls_role role, const char *pki,
                                  const char *name)
{
    static char path[8][512];
    static unsigned next;
    char *cert = path[next++ % 8];
    char *key = path[next++ % 8];
    (void)snprintf(cert, sizeof(path[0]), "%s/%s.crt", pki, name);
    (void)snprintf(key, sizeof(path[0]), "%s/%s.key", pki, name);
    return (struct hd_tls_opts){.role = role,
                                .cert_file = cert,
                                .key_file = key,
                                .ca_file = hd_test_path(pki, "ca.crt"),
                                .require_client_cert = role == HD_TLS_SERVER};
}

static struct hd_tls *tls_of(struct hd_tls_opts opts)
{
    struct hd_tls *tls = NULL;
    char why[256] = "";
    if (hd_tls_new(&opts, &tls, why) != HD_OK) {
        fail_msg("%s", why);
    }
    return tls;
}

static const char *pki_dir;

static int setup(void **state)
{
    (void)state;
    pki_dir = hd_test_pki();
    return 0;
}

/* Handshakes the two, says what each side thinks of it, and cleans up. */
struct outcome {
    int client_err, server_err;
    bool client_open, server_open;
    char client_why[256], server_why[256];
    char client_sees[256], server_sees[256];
    char version[16];
};

static struct outcome meet(struct hd_tls_opts client_opts, struct hd_tls_opts server_opts,
                           const char *name)
{
    struct hd_tls *client_tls = tls_of(client_opts);
    struct hd_tls *server_tls = tls_of(server_opts);
    struct side client, server;
    side_open(&client, client_tls, name);
    side_open(&server, server_tls, NULL);
    handshake(&client, &server, SIZE_MAX);
    struct outcome o = {.client_err = client.err,
                        .server_err = server.err,
                        .client_open = hd_tls_session_is_open(client.session),
                        .server_open = hd_tls_session_is_open(server.session)};
    (void)snprintf(o.client_why, 256, "%s", hd_tls_session_why(client.session));
    (void)snprintf(o.server_why, 256, "%s", hd_tls_session_why(server.session));
    (void)snprintf(o.client_sees, 256, "%s", hd_tls_session_peer_cn(client.session));
    (void)snprintf(o.server_sees, 256, "%s", hd_tls_session_peer_cn(server.session));
    (void)snprintf(o.version, 16, "%s", hd_tls_session_version(client.session));
    side_close(&client);
    side_close(&server);
    hd_tls_free(client_tls);
    hd_tls_free(server_tls);
    return o;
}

static void test_mutual(void **state)
{
    (void)state;
    struct outcome o = meet(opts_of(HD_TLS_CLIENT, pki_dir, "client"),
                            opts_of(HD_TLS_SERVER, pki_dir, "server"), "localhost");
    assert_int_equal(o.client_err, HD_OK);
    assert_int_equal(o.server_err, HD_OK);
    assert_true(o.client_open && o.server_open);
    assert_string_equal(o.server_sees, "web1");
    assert_string_equal(o.client_sees, "localhost");
    assert_string_equal(o.version, "TLSv1.3");
}

static void test_ip_names(void **state)
{
    (void)state;
    const char *good[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < 2; i++) {
        struct outcome o = meet(opts_of(HD_TLS_CLIENT, pki_dir, "client"),
                                opts_of(HD_TLS_SERVER, pki_dir, "server"), good[i]);
        assert_true(o.client_open && o.server_open);
    }
    struct outcome o = meet(opts_of(HD_TLS_CLIENT, pki_dir, "client"),
                            opts_of(HD_TLS_SERVER, pki_dir, "server"), "127.0.0.2");
    assert_int_equal(o.client_err, HD_ETLS);
    assert_non_null(strstr(o.client_why, "127.0.0.1, ::1"));
    assert_non_null(strstr(o.client_why, "not for 127.0.0.2"));
}

static void test_every_cut(void **state)
{
    (void)state;
    struct hd_tls *client_tls = tls_of(opts_of(HD_TLS_CLIENT, pki_dir, "client"));
    struct hd_tls *server_tls = tls_of(opts_of(HD_TLS_SERVER, pki_dir, "server"));
    for (size_t piece = 1; piece < 400; piece = piece < 8 ? piece + 1 : piece * 2 - 1) {
        struct side client, server;
        side_open(&client, client_tls, "localhost");
        side_open(&server, server_tls, NULL);
        handshake(&client, &server, piece);
        assert_true(hd_tls_session_is_open(client.session));
        assert_true(hd_tls_session_is_open(server.session));

        static uint8_t text[40000];
        memset(text, 'x', sizeof(text));
        struct hd_tls_io io = io_of(&client);
        assert_int_equal(
            hd_tls_session_send(client.session, hd_slice(text, sizeof(text)), &io),
            HD_OK);
        deliver(&client, &server, piece);
        assert_int_equal(server.err, HD_OK);
        assert_int_equal(server.got.len, sizeof(text));
        assert_memory_equal(server.got.ptr, text, sizeof(text));

        hd_tls_session_shut(client.session, &io);
        deliver(&client, &server, piece);
        assert_int_equal(server.err, HD_ECLOSED);
        side_close(&client);
        side_close(&server);
    }
    hd_tls_free(client_tls);
    hd_tls_free(server_tls);
}

static void test_bad_server_certs(void **state)
{
    (void)state;
    struct outcome o = meet(opts_of(HD_TLS_CLIENT, pki_dir, "client"),
                            opts_of(HD_TLS_SERVER, pki_dir, "wrong-host"), "localhost");
    assert_int_equal(o.client_err, HD_ETLS);
    assert_false(o.client_open || o.server_open);
    assert_non_null(strstr(o.client_why, "other.example"));
    assert_non_null(strstr(o.client_why, "localhost"));
    assert_non_null(strstr(o.server_why, "refused"));

    struct hd_tls_opts foreign = opts_of(HD_TLS_SERVER, pki_dir, "foreign");
    foreign.ca_file = hd_test_path(pki_dir, "foreign-ca.crt");
    o = meet(opts_of(HD_TLS_CLIENT, pki_dir, "client"), foreign, "localhost");
    assert_int_equal(o.client_err, HD_ETLS);
    assert_non_null(strstr(o.client_why, "unknown CA"));
    assert_non_null(strstr(o.server_why, "unknown CA"));
}

static void test_bad_client_certs(void **state)
{
    (void)state;
    struct hd_tls_opts bare = opts_of(HD_TLS_CLIENT, pki_dir, "client");
    bare.cert_file = NULL;
    bare.key_file = NULL;
    struct outcome o = meet(bare, opts_of(HD_TLS_SERVER, pki_dir, "server"), "localhost");
    assert_int_equal(o.server_err, HD_ETLS);
    assert_false(o.server_open);
    assert_string_equal(o.server_why, "the peer sent no certificate");
    assert_int_equal(o.client_err, HD_ETLS); /* after its own handshake ended well */
    assert_non_null(strstr(o.client_why, "certificate required"));

    o = meet(opts_of(HD_TLS_CLIENT, pki_dir, "foreign"),
             opts_of(HD_TLS_SERVER, pki_dir, "server"), "localhost");
    assert_int_equal(o.server_err, HD_ETLS);
    assert_non_null(strstr(o.server_why, "unknown CA"));
    assert_non_null(strstr(o.server_why, "web1"));
    assert_string_equal(o.server_sees, "");
}

static void test_revoked(void **state)
{
    (void)state;
    struct hd_tls_opts server = opts_of(HD_TLS_SERVER, pki_dir, "server");
    server.crl_file = hd_test_path(pki_dir, "revoked.crl");
    struct outcome o =
        meet(opts_of(HD_TLS_CLIENT, pki_dir, "revoked"), server, "localhost");
    assert_int_equal(o.server_err, HD_ETLS);
    assert_non_null(strstr(o.server_why, "revoked"));
    assert_non_null(strstr(o.server_why, "web9"));

    o = meet(opts_of(HD_TLS_CLIENT, pki_dir, "client"), server, "localhost");
    assert_true(o.server_open);
    server.crl_file = hd_test_path(pki_dir, "empty.crl");
    o = meet(opts_of(HD_TLS_CLIENT, pki_dir, "revoked"), server, "localhost");
    assert_true(o.server_open);
}

static void test_reload(void **state)
{
    (void)state;
    const char *dir = hd_test_pki();
    struct hd_tls *client_tls = tls_of(opts_of(HD_TLS_CLIENT, dir, "client"));
    struct hd_tls *server_tls = tls_of(opts_of(HD_TLS_SERVER, dir, "server"));
    struct side client, server;
    side_open(&client, client_tls, "localhost");
    side_open(&server, server_tls, NULL);
    handshake(&client, &server, SIZE_MAX);
    assert_true(hd_tls_session_is_open(server.session));

    /* a broken file leaves everything as it was */
    char why[256];
    const char *key = hd_test_path(dir, "server.key");
    const char *aside = hd_test_path(dir, "aside");
    assert_int_equal(rename(key, aside), 0);
    assert_int_equal(hd_tls_reload(server_tls, why), HD_ENOENT);
    assert_non_null(strstr(why, "server.key"));
    assert_int_equal(rename(aside, key), 0);

    /* the foreign set takes over for new sessions; the open one goes on */
    assert_int_equal(
        rename(hd_test_path(dir, "foreign.crt"), hd_test_path(dir, "server.crt")), 0);
    assert_int_equal(rename(hd_test_path(dir, "foreign.key"), key), 0);
    assert_int_equal(hd_tls_reload(server_tls, why), HD_OK);
    struct hd_tls_io io = io_of(&server);
    assert_int_equal(hd_tls_session_send(server.session, HD_SLICE("still here"), &io),
                     HD_OK);
    pump(&server, &client, SIZE_MAX);
    assert_int_equal(client.got.len, 10);

    struct side client2, server2;
    side_open(&client2, client_tls, "localhost");
    side_open(&server2, server_tls, NULL);
    handshake(&client2, &server2, SIZE_MAX);
    assert_int_equal(client2.err, HD_ETLS);
    hd_tls_free(server_tls); /* sessions keep what they use */
    assert_int_equal(hd_tls_session_send(server.session, HD_SLICE("!"), &io), HD_OK);
    side_close(&client);
    side_close(&server);
    side_close(&client2);
    side_close(&server2);
    hd_tls_free(client_tls);
}

static void expect_refused(struct hd_tls_opts opts, int err, const char *text)
{
    struct hd_tls *tls = NULL;
    char why[256] = "";
    int got = hd_tls_new(&opts, &tls, why);
    if (got != err || strstr(why, text) == NULL) {
        fail_msg("%s: %s (expected %s: %s)", hd_err_name(got), why, hd_err_name(err),
                 text);
    }
    assert_null(tls);
}

static void test_bad_files(void **state)
{
    (void)state;
    struct hd_tls_opts opts = opts_of(HD_TLS_SERVER, pki_dir, "missing");
    expect_refused(opts, HD_ENOENT, "missing.crt: no such file");
    expect_refused(opts_of(HD_TLS_SERVER, pki_dir, "expired"), HD_ETLS,
                   "has expired on 20");
    expect_refused(opts_of(HD_TLS_SERVER, pki_dir, "early"), HD_ETLS,
                   "is not valid before 20");

    opts = opts_of(HD_TLS_SERVER, pki_dir, "server");
    opts.key_file = hd_test_path(pki_dir, "client.key");
    expect_refused(opts, HD_ETLS, "client.key: does not match the certificate");
    opts.key_file = hd_test_path(pki_dir, "none.key");
    expect_refused(opts, HD_ENOENT, "none.key: no such file");

    opts.key_file = hd_test_path(pki_dir, "loose.key");
    assert_int_equal(hd_fs_write_atomic(opts.key_file, HD_SLICE("x"), 0640), HD_OK);
    expect_refused(opts, HD_EACCES, "group or others may read it");
    assert_int_equal(chmod(opts.key_file, 0600), 0);
    expect_refused(opts, HD_ETLS, "holds no PEM private key");

    opts = opts_of(HD_TLS_SERVER, pki_dir, "server");
    opts.ca_file = hd_test_path(pki_dir, "loose.key");
    expect_refused(opts, HD_ETLS, "holds no PEM certificate");
    opts.ca_file = hd_test_path(pki_dir, "ca.crt");
    opts.crl_file = hd_test_path(pki_dir, "ca.crt");
    expect_refused(opts, HD_ETLS, "holds no PEM revocation list");
    opts.crl_file = NULL;
    opts.ca_file = NULL;
    expect_refused(opts, HD_EINVAL, "no CA file");
    opts.cert_file = NULL;
    expect_refused(opts, HD_EINVAL, "needs its");
    opts.key_file = NULL;
    expect_refused(opts, HD_EINVAL, "needs a certificate");
}

static void test_truncated_chain(void **state)
{
    (void)state;
    struct hd_buf text;
    hd_buf_init(&text, 0);
    assert_int_equal(hd_fs_read(hd_test_path(pki_dir, "server.crt"), 65536, &text),
                     HD_OK);
    size_t whole = text.len;
    hd_buf_bytes(&text, text.ptr, whole - 40);
    const char *cut = hd_test_path(pki_dir, "cut.crt");
    assert_int_equal(hd_fs_write_atomic(cut, hd_buf_slice(&text), 0644), HD_OK);
    struct hd_tls_opts opts = opts_of(HD_TLS_SERVER, pki_dir, "server");
    opts.cert_file = cut;
    expect_refused(opts, HD_ETLS, "malformed");
    opts = opts_of(HD_TLS_SERVER, pki_dir, "server");
    opts.ca_file = cut;
    expect_refused(opts, HD_ETLS, "malformed");
    hd_buf_fini(&text);
}

static void test_garbage(void **state)
{
    (void)state;
    struct hd_tls *tls = tls_of(opts_of(HD_TLS_SERVER, pki_dir, "server"));
    static const struct {
        struct hd_slice bytes;
        const char *why;
    } sample[] = {
        {{(const uint8_t *)"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27}, "HTTP"},
        {{(const uint8_t *)"<34>Oct 11 22:14:15 web1 su: x\n", 31}, "does not speak TLS"},
        {{(const uint8_t *)"SSH-2.0-OpenSSH_9.2\r\n", 21}, "does not speak TLS"},
    };
    for (size_t i = 0; i < sizeof(sample) / sizeof(sample[0]); i++) {
        struct side side;
        side_open(&side, tls, NULL);
        side_feed(&side, sample[i].bytes);
        assert_int_equal(side.err, HD_ETLS);
        if (strstr(hd_tls_session_why(side.session), sample[i].why) == NULL) {
            fail_msg("%zu: %s", i, hd_tls_session_why(side.session));
        }
        struct hd_tls_io io = io_of(&side);
        assert_int_equal(hd_tls_session_feed(side.session, HD_SLICE("more"), &io),
                         HD_ETLS);
        assert_int_equal(hd_tls_session_send(side.session, HD_SLICE("more"), &io),
                         HD_ETLS);
        side_close(&side);
    }
    hd_tls_free(tls);
}

/* A client made with OpenSSL itself, so that it may be as old as it likes. */
static struct outcome meet_version(int version, const char *ciphers)
{
    struct hd_tls_opts opts = opts_of(HD_TLS_SERVER, pki_dir, "server");
    opts.require_client_cert = false;
    opts.ca_file = NULL;
    struct hd_tls *tls = tls_of(opts);
    struct side server;
    side_open(&server, tls, NULL);

    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0);
    assert_int_equal(SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, version), 1);
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, ciphers), 1);
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    for (int turn = 0; turn < 4; turn++) {
        (void)SSL_do_handshake(ssl);
        char *data = NULL;
        long n = BIO_get_mem_data(out, &data);
        if (n > 0) {
            side_feed(&server, hd_slice(data, (size_t)n));
        }
        (void)BIO_reset(out);
        (void)BIO_write(in, server.to_peer.ptr, (int)server.to_peer.len);
        hd_buf_clear(&server.to_peer);
    }
    struct outcome o = {.server_err = server.err,
                        .server_open = hd_tls_session_is_open(server.session)};
    (void)snprintf(o.server_why, 256, "%s", hd_tls_session_why(server.session));
    (void)snprintf(o.version, 16, "%s", hd_tls_session_version(server.session));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    side_close(&server);
    hd_tls_free(tls);
    return o;
}

static void test_versions(void **state)
{
    (void)state;
    struct outcome o = meet_version(TLS1_2_VERSION, "DEFAULT");
    assert_true(o.server_open);
    assert_string_equal(o.version, "TLSv1.2");

    o = meet_version(TLS1_1_VERSION, "DEFAULT");
    assert_int_equal(o.server_err, HD_ETLS);
    assert_string_equal(o.server_why, "the peer speaks no TLS of version 1.2 or later");

    o = meet_version(TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384");
    assert_int_equal(o.server_err, HD_ETLS);
    assert_string_equal(o.server_why, "the peer offers no AEAD cipher suite");
}

/* Whatever allocation fails, of ours or of OpenSSL: an error, never a crash. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct hd_tls *client_tls = tls_of(opts_of(HD_TLS_CLIENT, pki_dir, "client"));
    struct hd_tls *server_tls = tls_of(opts_of(HD_TLS_SERVER, pki_dir, "server"));
    unsigned succeeded = 0;
    HD_TEST_ALLOC_EACH(n)
    {
        struct side client = {0}, server = {0};
        hd_buf_init(&client.to_peer, 0);
        hd_buf_init(&server.to_peer, 0);
        int err = hd_tls_session_new(client_tls, "localhost", &client.session);
        if (err == HD_OK) {
            err = hd_tls_session_new(server_tls, NULL, &server.session);
        }
        if (err == HD_OK) {
            handshake(&client, &server, SIZE_MAX);
        }
        hd_test_alloc_stop();
        assert_true(err == HD_OK || err == HD_ENOMEM);
        succeeded += err == HD_OK && hd_tls_session_is_open(server.session) ? 1 : 0;
        side_close(&client);
        side_close(&server);
    }
    assert_true(succeeded > 0);
    HD_TEST_ALLOC_EACH(n)
    {
        struct hd_tls *tls = NULL;
        struct hd_tls_opts opts = opts_of(HD_TLS_SERVER, pki_dir, "server");
        char why[256] = "";
        int err = hd_tls_new(&opts, &tls, why);
        hd_test_alloc_stop();
        assert_true(err == HD_OK || why[0] != '\0');
        hd_tls_free(tls);
    }
    hd_tls_free(client_tls);
    hd_tls_free(server_tls);
}

static void test_use(void **state)
{
    (void)state;
    struct hd_tls *tls = tls_of(opts_of(HD_TLS_CLIENT, pki_dir, "client"));
    struct hd_tls_session *session = NULL;
    assert_int_equal(hd_tls_session_new(tls, NULL, &session), HD_EINVAL);
    assert_int_equal(hd_tls_session_new(tls, "", &session), HD_EINVAL);
    struct side side;
    side_open(&side, tls, "localhost");
    struct hd_tls_io io = io_of(&side);
    assert_int_equal(hd_tls_session_send(side.session, HD_SLICE("early"), &io),
                     HD_EAGAIN);
    hd_tls_session_shut(side.session, &io);
    assert_int_equal(side.to_peer.len, 0);
    side_close(&side);
    int64_t left = hd_tls_expires_in_s(tls);
    assert_true(left > 86000 && left <= 86400);
    hd_tls_free(tls);

    struct hd_tls_opts bare = {.role = HD_TLS_CLIENT};
    tls = tls_of(bare);
    assert_true(hd_tls_expires_in_s(tls) == INT64_MAX);
    hd_tls_free(tls);
    hd_tls_free(NULL);
    hd_tls_session_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutual),           cmocka_unit_test(test_ip_names),
        cmocka_unit_test(test_every_cut),        cmocka_unit_test(test_bad_server_certs),
        cmocka_unit_test(test_bad_client_certs), cmocka_unit_test(test_revoked),
        cmocka_unit_test(test_reload),           cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_truncated_chain),  cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_versions),         cmocka_unit_test(test_use),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
