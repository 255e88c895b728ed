/* SPDX-License-Identifier: Apache-2.0
 *
 * The certification authority: what it makes is what OpenSSL's verifier accepts, and only
 * for what it was made for.
 */
#include "tests/support/support.h"

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console/pki/pki.h"

static char why[CON_PKI_WHY];

static void path_in(char *out, size_t cap, const char *dir, const char *rest)
{
    (void)snprintf(out, cap, "%s/%s", dir, rest);
}

static X509 *load_cert(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
    (void)fclose(file);
    assert_non_null(cert);
    return cert;
}

/* OpenSSL's verdict (X509_V_*) on DIR/issued/NAME.crt for a purpose, a host, with the
 * list. */
static int verdict(const char *dir, const char *name, int purpose, const char *host)
{
    char path[512];
    path_in(path, sizeof(path), dir, "ca.crt");
    X509_STORE *store = X509_STORE_new();
    assert_int_equal(X509_STORE_load_file(store, path), 1);
    path_in(path, sizeof(path), dir, "crl.pem");
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    assert_int_equal(X509_load_crl_file(lookup, path, X509_FILETYPE_PEM), 1);
    (void)snprintf(path, sizeof(path), "%s/issued/%s.crt", dir, name);
    X509 *cert = load_cert(path);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    assert_int_equal(X509_STORE_CTX_init(ctx, store, cert, NULL), 1);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_purpose(param, purpose);
    if (host != NULL) {
        X509_VERIFY_PARAM_set1_host(param, host, 0);
    }
    (void)X509_verify_cert(ctx);
    int result = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_free(cert);
    X509_STORE_free(store);
    return result;
}

static const char *new_ca(void)
{
    static char dir[512];
    (void)snprintf(dir, sizeof(dir), "%s/ca", hd_test_tmpdir());
    assert_int_equal(con_pki_init(dir, "Test CA", 10, why), 0);
    return dir;
}

static void test_agent_certificate_verifies(void **state)
{
    (void)state;
    const char *dir = new_ca();
    const struct con_pki_issue agent = {.name = "web1", .role = CON_PKI_AGENT, .days = 5};
    assert_int_equal(con_pki_issue(dir, &agent, why), 0);
    assert_int_equal(verdict(dir, "web1", X509_PURPOSE_SSL_CLIENT, NULL), X509_V_OK);
    assert_int_equal(verdict(dir, "web1", X509_PURPOSE_SSL_SERVER, NULL),
                     X509_V_ERR_INVALID_PURPOSE);
}

static void test_server_certificate_carries_its_names(void **state)
{
    (void)state;
    const char *dir = new_ca();
    const char *hosts[] = {"soc.example.vn", "127.0.0.1", "2001:db8::1"};
    const struct con_pki_issue server = {
        .name = "soc", .role = CON_PKI_SERVER, .hosts = hosts, .n_hosts = 3, .days = 5};
    assert_int_equal(con_pki_issue(dir, &server, why), 0);
    assert_int_equal(verdict(dir, "soc", X509_PURPOSE_SSL_SERVER, "soc.example.vn"),
                     X509_V_OK);
    assert_int_equal(verdict(dir, "soc", X509_PURPOSE_SSL_SERVER, "other.example.vn"),
                     X509_V_ERR_HOSTNAME_MISMATCH);
}

static void test_keys_are_private(void **state)
{
    (void)state;
    char path[512];
    struct stat st;
    const char *dir = new_ca();
    const struct con_pki_issue agent = {.name = "web1", .role = CON_PKI_AGENT, .days = 5};
    assert_int_equal(con_pki_issue(dir, &agent, why), 0);
    path_in(path, sizeof(path), dir, "ca.key");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(chmod(path, 0644), 0);
    const struct con_pki_issue second = {
        .name = "web2", .role = CON_PKI_AGENT, .days = 5};
    assert_int_equal(con_pki_issue(dir, &second, why), HD_EACCES);
    assert_non_null(strstr(why, "ca.key"));
    path_in(path, sizeof(path), dir, "issued/web1.key");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_revoked_is_refused_and_may_be_issued_again(void **state)
{
    (void)state;
    const char *dir = new_ca();
    const struct con_pki_issue agent = {
        .name = "web1", .role = CON_PKI_AGENT, .days = 100};
    assert_int_equal(con_pki_issue(dir, &agent, why), 0);
    assert_int_equal(con_pki_issue(dir, &agent, why), HD_EEXIST);
    assert_int_equal(con_pki_revoke(dir, "web1", why), 0);
    assert_int_equal(verdict(dir, "web1", X509_PURPOSE_SSL_CLIENT, NULL),
                     X509_V_ERR_CERT_REVOKED);
    assert_int_equal(con_pki_issue(dir, &agent, why), 0);
    assert_int_equal(verdict(dir, "web1", X509_PURPOSE_SSL_CLIENT, NULL), X509_V_OK);
    assert_int_equal(con_pki_revoke(dir, "nobody", why), HD_ENOENT);
}

static void test_wrong_input_says_what_to_do(void **state)
{
    (void)state;
    const char *dir = new_ca();
    assert_int_equal(con_pki_init(dir, "Test CA", 10, why), HD_EEXIST);
    struct con_pki_issue issue = {.name = "../x", .role = CON_PKI_AGENT, .days = 5};
    assert_int_equal(con_pki_issue(dir, &issue, why), HD_EINVAL);
    issue = (struct con_pki_issue){.name = "srv", .role = CON_PKI_SERVER, .days = 5};
    assert_int_equal(con_pki_issue(dir, &issue, why), HD_EINVAL);
    assert_non_null(strstr(why, "--host"));
    const char *hosts[] = {"bad name,IP:1.2.3.4"};
    issue.hosts = hosts;
    issue.n_hosts = 1;
    assert_int_equal(con_pki_issue(dir, &issue, why), HD_EINVAL);
    assert_int_equal(con_pki_issue(hd_test_tmpdir(), &issue, why), HD_ENOENT);
    assert_non_null(strstr(why, "haidang ca init"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agent_certificate_verifies),
        cmocka_unit_test(test_server_certificate_carries_its_names),
        cmocka_unit_test(test_keys_are_private),
        cmocka_unit_test(test_revoked_is_refused_and_may_be_issued_again),
        cmocka_unit_test(test_wrong_input_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
