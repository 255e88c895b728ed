/* SPDX-License-Identifier: Apache-2.0 */
#include "forwarder/setup.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/tls.h>

#define TOKEN_MAX ((size_t)8192)

/* Says what is wrong with a destination; returns the code for it. */
#define SAY(diags, dest, exit_code, ...) (say((diags), (dest), __VA_ARGS__), (exit_code))

static void say(struct hd_diags *diags, const struct fwd_conf_destination *dest,
                const char *fmt, ...) HD_PRINTF(3, 4);

static void say(struct hd_diags *diags, const struct fwd_conf_destination *dest,
                const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    hd_diag_error(diags, NULL, 0, 0, "destination %s: %s", dest->name, text);
}

/* ---- profile ---- */

static bool is_accepted(const struct fwd_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->n_accept_unofficial_profile; i++) {
        if (strcmp(conf->accept_unofficial_profile[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static int load_profile(struct fwd_setup *setup, const struct fwd_conf *conf,
                        struct hd_diags *diags)
{
    const struct fwd_conf_destination *dest = setup->conf;
    if (fwd_profile_load(dest->profile, diags, &setup->profile) != HD_OK) {
        return HD_EXIT_CONFIG;
    }
    const struct fwd_profile_info *info = fwd_profile_info(setup->profile);
    if (info->status != FWD_PROFILE_OFFICIAL && !is_accepted(conf, info->name)) {
        return SAY(diags, dest, HD_EXIT_REFUSED,
                   "the profile %s is %s, not official: no authority has published this "
                   "format. To use it, write: accept_unofficial_profile: %s",
                   info->name, fwd_profile_status_name(info->status), info->name);
    }
    setup->min_severity =
        dest->min_severity > 0 ? (int)dest->min_severity : info->min_severity;
    return HD_EXIT_OK;
}

static int load_render(struct fwd_setup *setup, struct hd_diags *diags)
{
    const struct fwd_conf_destination *dest = setup->conf;
    setup->registered = calloc(dest->n_registered_networks + 1, sizeof(struct hd_cidr));
    if (setup->registered == NULL) {
        return SAY(diags, dest, HD_EXIT_RUNTIME, "%s", hd_err_text(HD_ENOMEM));
    }
    int code = HD_EXIT_OK;
    for (size_t i = 0; i < dest->n_registered_networks; i++) {
        const char *text = dest->registered_networks[i];
        if (hd_cidr_parse(hd_slice_str(text), &setup->registered[i]) != HD_OK) {
            code = SAY(diags, dest, HD_EXIT_CONFIG,
                       "registered_networks: %s is no network", text);
        }
    }
    setup->render = (struct fwd_render_opts){.settings = dest->settings,
                                             .n_settings = dest->n_settings,
                                             .registered = setup->registered,
                                             .n_registered = dest->n_registered_networks};
    char why[256];
    if (setup->profile != NULL &&
        fwd_profile_check_settings(setup->profile, &setup->render, why) != HD_OK) {
        code = SAY(diags, dest, HD_EXIT_CONFIG, "settings: %s", why);
    }
    return code;
}

/* ---- address ---- */

/* A part of the parsed URL; NULL when it has none. own: curl_free. */
static char *url_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

static int check_url(struct fwd_setup *setup, CURLU *url, struct hd_diags *diags)
{
    const struct fwd_conf_destination *dest = setup->conf;
    if (curl_url_set(url, CURLUPART_URL, dest->url, CURLU_NON_SUPPORT_SCHEME) !=
        CURLUE_OK) {
        return SAY(diags, dest, HD_EXIT_CONFIG, "url: %s is no URL", dest->url);
    }
    char *scheme = url_part(url, CURLUPART_SCHEME);
    char *user = url_part(url, CURLUPART_USER);
    char *fragment = url_part(url, CURLUPART_FRAGMENT);
    int code = HD_EXIT_OK;
    if (scheme == NULL || strcmp(scheme, "https") != 0) {
        code = SAY(diags, dest, HD_EXIT_REFUSED,
                   "url: %s:// is refused, alerts leave over https:// only",
                   scheme == NULL ? "?" : scheme);
    } else if (user != NULL) {
        code = SAY(diags, dest, HD_EXIT_CONFIG,
                   "url: no user or password here; they belong into token_file");
    } else if (fragment != NULL) {
        code = SAY(diags, dest, HD_EXIT_CONFIG, "url: a fragment (#) means nothing here");
    }
    curl_free(scheme);
    curl_free(user);
    curl_free(fragment);
    return code;
}

static int load_url(struct fwd_setup *setup, struct hd_diags *diags)
{
    CURLU *url = curl_url();
    if (url == NULL) {
        return SAY(diags, setup->conf, HD_EXIT_RUNTIME, "%s", hd_err_text(HD_ENOMEM));
    }
    int code = check_url(setup, url, diags);
    if (code == HD_EXIT_OK && setup->profile != NULL) {
        char *path = url_part(url, CURLUPART_PATH);
        if (path == NULL || strcmp(path, "/") == 0) {
            const char *given = fwd_profile_info(setup->profile)->path;
            (void)curl_url_set(url, CURLUPART_PATH, given, 0);
        }
        curl_free(path);
        char *whole = url_part(url, CURLUPART_URL);
        setup->url = whole == NULL ? NULL : hd_slice_dup(hd_slice_str(whole));
        curl_free(whole);
        if (setup->url == NULL) {
            code = SAY(diags, setup->conf, HD_EXIT_CONFIG, "url: cannot be used");
        }
    }
    curl_url_cleanup(url);
    return code;
}

/* ---- token ---- */

static bool is_token(struct hd_slice token)
{
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] < 0x20 || token.ptr[i] > 0x7e) {
            return false;
        }
    }
    return token.len > 0;
}

static int read_token(const struct fwd_conf_destination *dest, struct hd_buf *buf,
                      struct hd_diags *diags)
{
    int err = hd_fs_check_secret(dest->token_file);
    if (err == HD_EACCES) {
        return SAY(
            diags, dest, HD_EXIT_REFUSED,
            "token_file %s is refused: group or others may read it (chmod 600), or "
            "it is no regular file",
            dest->token_file);
    }
    if (err == HD_OK) {
        err = hd_fs_read(dest->token_file, TOKEN_MAX, buf);
    }
    if (err != HD_OK) {
        return SAY(diags, dest, HD_EXIT_CONFIG, "token_file %s: %s", dest->token_file,
                   hd_err_text(err));
    }
    if (!is_token(hd_slice_trim(hd_buf_slice(buf)))) {
        return SAY(diags, dest, HD_EXIT_CONFIG,
                   "token_file %s must hold one line of printable characters",
                   dest->token_file);
    }
    return HD_EXIT_OK;
}

static void put_base64(struct hd_buf *out, struct hd_slice s)
{
    size_t cap = (s.len + 2) / 3 * 4 + 1;
    uint8_t *room = hd_buf_reserve(out, cap);
    if (room != NULL) {
        out->len += (size_t)EVP_EncodeBlock(room, s.ptr, (int)s.len);
    }
}

static int make_authorization(struct fwd_setup *setup, enum fwd_auth scheme,
                              struct hd_slice token)
{
    struct hd_buf value;
    hd_buf_init(&value, TOKEN_MAX * 2);
    hd_buf_str(&value, scheme == FWD_AUTH_BEARER ? "Bearer " : "Basic ");
    if (scheme == FWD_AUTH_BASIC) {
        put_base64(&value, token);
    } else {
        hd_buf_slice_add(&value, token);
    }
    setup->authorization = value.err == HD_OK ? hd_slice_dup(hd_buf_slice(&value)) : NULL;
    if (value.ptr != NULL) {
        explicit_bzero(value.ptr, value.len);
    }
    hd_buf_fini(&value);
    return setup->authorization == NULL ? HD_EXIT_RUNTIME : HD_EXIT_OK;
}

static int load_token(struct fwd_setup *setup, struct hd_diags *diags)
{
    const struct fwd_conf_destination *dest = setup->conf;
    if (setup->profile == NULL) {
        return HD_EXIT_OK; /* that is said already */
    }
    enum fwd_auth scheme = dest->auth > 0 ? (enum fwd_auth)(dest->auth - 1)
                                          : fwd_profile_info(setup->profile)->auth;
    if (scheme == FWD_AUTH_NONE) {
        return dest->token_file == NULL ? HD_EXIT_OK
                                        : SAY(diags, dest, HD_EXIT_CONFIG,
                                              "token_file is given, but auth is none");
    }
    if (dest->token_file == NULL) {
        return SAY(diags, dest, HD_EXIT_CONFIG,
                   "token_file is missing (or say auth: none)");
    }
    struct hd_buf buf;
    hd_buf_init(&buf, TOKEN_MAX + 1);
    int code = read_token(dest, &buf, diags);
    if (code == HD_EXIT_OK) {
        code = make_authorization(setup, scheme, hd_slice_trim(hd_buf_slice(&buf)));
    }
    if (buf.ptr != NULL) {
        explicit_bzero(buf.ptr, buf.len);
    }
    hd_buf_fini(&buf);
    return code;
}

/* ---- certificates ---- */

/* libcurl reads the files itself; here only to say clearly what is wrong with them. */
static int check_certificates(const struct fwd_setup *setup, struct hd_diags *diags)
{
    const struct fwd_conf_tls *tls = &setup->conf->tls;
    const struct hd_tls_opts opts = {.role = HD_TLS_CLIENT,
                                     .cert_file = tls->cert,
                                     .key_file = tls->key,
                                     .ca_file = tls->ca,
                                     .crl_file = tls->crl};
    struct hd_tls *probe = NULL;
    char why[256] = "";
    if (hd_tls_new(&opts, &probe, why) != HD_OK) {
        return SAY(diags, setup->conf, HD_EXIT_CERT, "tls: %s", why);
    }
    hd_tls_free(probe);
    if (tls->pin != NULL && strncmp(tls->pin, "sha256//", 8) != 0) {
        return SAY(diags, setup->conf, HD_EXIT_CONFIG,
                   "tls.pin must begin with sha256//");
    }
    return HD_EXIT_OK;
}

static void fill_target(struct fwd_setup *setup)
{
    const struct fwd_conf_destination *dest = setup->conf;
    const struct fwd_profile_info *info = fwd_profile_info(setup->profile);
    setup->target = (struct fwd_http_target){
        .url = setup->url,
        .method = dest->method == FWD_CONF_METHOD_PROFILE ? info->method
                  : dest->method == FWD_CONF_METHOD_PUT   ? FWD_PUT
                                                          : FWD_POST,
        .content_type = info->content_type,
        .authorization = setup->authorization,
        .ca_file = dest->tls.ca,
        .crl_file = dest->tls.crl,
        .cert_file = dest->tls.cert,
        .key_file = dest->tls.key,
        .pin = dest->tls.pin,
        .source_address = dest->source_address,
        .connect_timeout_ms = (uint64_t)(dest->connect_timeout / HD_NS_PER_MS),
        .timeout_ms = (uint64_t)(dest->timeout / HD_NS_PER_MS),
    };
}

/* The first problem decides, but a refusal outweighs everything. */
static int worse(int code, int next)
{
    return next == HD_EXIT_REFUSED || code == HD_EXIT_OK ? next : code;
}

int fwd_setup_load(const struct fwd_conf *conf, const struct fwd_conf_destination *dest,
                   struct hd_diags *diags, struct fwd_setup **out)
{
    struct fwd_setup *setup = calloc(1, sizeof(*setup));
    if (setup == NULL) {
        return SAY(diags, dest, HD_EXIT_RUNTIME, "%s", hd_err_text(HD_ENOMEM));
    }
    setup->conf = dest;
    int code = load_profile(setup, conf, diags);
    code = worse(code, load_url(setup, diags));
    code = worse(code, load_render(setup, diags));
    code = worse(code, load_token(setup, diags));
    code = worse(code, check_certificates(setup, diags));
    if (code != HD_EXIT_OK) {
        fwd_setup_free(setup);
        return code;
    }
    fill_target(setup);
    *out = setup;
    return HD_EXIT_OK;
}

void fwd_setup_free(struct fwd_setup *setup)
{
    if (setup == NULL) {
        return;
    }
    fwd_profile_free(setup->profile);
    free(setup->registered);
    free(setup->url);
    if (setup->authorization != NULL) {
        explicit_bzero(setup->authorization, strlen(setup->authorization));
    }
    free(setup->authorization);
    free(setup);
}
