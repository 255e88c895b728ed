/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/stamp.h>

#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ts.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/num.h>

#define NONCE_LEN  8
#define CA_MAX     ((size_t)1 << 20)
#define NUMBER_LEN 20U

struct hd_stamp_ca {
    X509_STORE *store;
};

/* ---- a request ---- */

static int set_imprint(TS_REQ *req, const uint8_t digest[HD_SHA256_LEN])
{
    TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
    X509_ALGOR *algorithm = X509_ALGOR_new();
    bool good = imprint != NULL && algorithm != NULL &&
                X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL) &&
                TS_MSG_IMPRINT_set_algo(imprint, algorithm) &&
                TS_MSG_IMPRINT_set_msg(imprint, (unsigned char *)(uintptr_t)digest,
                                       HD_SHA256_LEN) &&
                TS_REQ_set_msg_imprint(req, imprint);
    X509_ALGOR_free(algorithm);
    TS_MSG_IMPRINT_free(imprint);
    return good ? HD_OK : HD_ENOMEM;
}

/* Positive and of full length, so that all requests have the same length. */
static int set_nonce(TS_REQ *req)
{
    uint8_t bytes[NONCE_LEN];
    int err = hd_random(bytes, sizeof(bytes));
    bytes[0] = (uint8_t)((bytes[0] & 0x3f) | 0x40);
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    ASN1_INTEGER *nonce = number == NULL ? NULL : BN_to_ASN1_INTEGER(number, NULL);
    if (err == HD_OK && (nonce == NULL || TS_REQ_set_nonce(req, nonce) != 1)) {
        err = HD_ENOMEM;
    }
    ASN1_INTEGER_free(nonce);
    BN_free(number);
    return err;
}

static int put_request(const TS_REQ *req, struct hd_buf *out)
{
    int len = i2d_TS_REQ(req, NULL);
    uint8_t *at = len > 0 ? hd_buf_reserve(out, (size_t)len) : NULL;
    if (at == NULL || i2d_TS_REQ(req, &at) != len) {
        return HD_ENOMEM;
    }
    out->len += (size_t)len;
    return HD_OK;
}

int hd_stamp_request(const uint8_t digest[HD_SHA256_LEN], struct hd_buf *out)
{
    TS_REQ *req = TS_REQ_new();
    int err =
        req != NULL && TS_REQ_set_version(req, 1) == 1 && TS_REQ_set_cert_req(req, 1) == 1
            ? HD_OK
            : HD_ENOMEM;
    err = err == HD_OK ? set_imprint(req, digest) : err;
    err = err == HD_OK ? set_nonce(req) : err;
    err = err == HD_OK ? put_request(req, out) : err;
    TS_REQ_free(req);
    ERR_clear_error();
    return err;
}

/* ---- a reply ---- */

/* Decodes all of `der`; what is none, or has something behind it, leaves *out NULL. A
 * macro, since OpenSSL has no name for what its decoders have in common. */
#define DECODE(type, der, out)                                                           \
    do {                                                                                 \
        const unsigned char *at = (der).ptr;                                             \
        bool is_sized = (der).len > 0 && (der).len <= HD_STAMP_MAX;                      \
        *(out) = is_sized ? d2i_##type(NULL, &at, (long)(der).len) : NULL;               \
        if (*(out) != NULL && at != (der).ptr + (der).len) {                             \
            type##_free(*(out));                                                         \
            *(out) = NULL;                                                               \
        }                                                                                \
        ERR_clear_error();                                                               \
    } while (false)

static TS_REQ *request_decode(struct hd_slice request)
{
    TS_REQ *req = NULL;
    DECODE(TS_REQ, request, &req);
    return req;
}

static TS_RESP *reply_decode(struct hd_slice reply)
{
    TS_RESP *resp = NULL;
    DECODE(TS_RESP, reply, &resp);
    return resp;
}

static int reply_time(TS_RESP *resp, int64_t *time_ns)
{
    TS_TST_INFO *info = TS_RESP_get_tst_info(resp);
    const ASN1_GENERALIZEDTIME *time = info == NULL ? NULL : TS_TST_INFO_get_time(info);
    struct tm tm;
    if (time == NULL || ASN1_TIME_to_tm(time, &tm) != 1 || tm.tm_year < 70) {
        return HD_EPARSE;
    }
    time_t seconds = timegm(&tm);
    if (seconds < 0 || seconds > INT64_MAX / HD_NS_PER_SEC) {
        return HD_EPARSE;
    }
    *time_ns = (int64_t)seconds * HD_NS_PER_SEC;
    return HD_OK;
}

int hd_stamp_time(struct hd_slice reply, int64_t *time_ns)
{
    TS_RESP *resp = reply_decode(reply);
    int err = resp == NULL ? HD_EPARSE : reply_time(resp, time_ns);
    TS_RESP_free(resp);
    ERR_clear_error();
    return err;
}

/* ---- what is wrong ---- */

static int refuse(char why[HD_STAMP_WHY], const char *fmt, ...) HD_PRINTF(2, 3);
static int refuse(char why[HD_STAMP_WHY], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, HD_STAMP_WHY, fmt, args);
    va_end(args);
    return HD_ECORRUPT;
}

static const char *after(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix) : text;
}

static int refuse_for(char why[HD_STAMP_WHY], unsigned long code, const char *data)
{
    const char *reason = ERR_reason_error_string(code);
    if (ERR_GET_LIB(code) == ERR_LIB_TS) {
        switch (ERR_GET_REASON(code)) {
        case TS_R_MESSAGE_IMPRINT_MISMATCH:
            return refuse(why, "it is a stamp of something else (another digest)");
        case TS_R_NONCE_MISMATCH:
        case TS_R_NONCE_NOT_RETURNED:
            return refuse(why, "its nonce is not that of the request: it answers another "
                               "one");
        case TS_R_CERTIFICATE_VERIFY_ERROR:
            return refuse(why, "the authority's certificate: %s",
                          after(data, "Verify error:"));
        case TS_R_NO_TIME_STAMP_TOKEN:
            return refuse(why, "the authority refuses: %s", data);
        case TS_R_POLICY_MISMATCH:
            return refuse(why, "it was made under another policy");
        default:
            break;
        }
    }
    return refuse(why, "it does not verify: %s%s%s",
                  reason == NULL ? "unknown reason" : reason, data[0] != '\0' ? ": " : "",
                  data);
}

/* The last error of OpenSSL that names the cause. */
static int explain(char why[HD_STAMP_WHY])
{
    const char *data = "";
    int flags = 0;
    unsigned long code = ERR_peek_last_error_data(&data, &flags);
    bool has_text = (flags & ERR_TXT_STRING) != 0 && data != NULL;
    int err = refuse_for(why, code, has_text ? data : "");
    ERR_clear_error();
    return err;
}

/* ---- who is believed ---- */

void hd_stamp_ca_free(struct hd_stamp_ca *ca)
{
    if (ca != NULL) {
        X509_STORE_free(ca->store);
        free(ca);
    }
}

static int ca_add(struct hd_stamp_ca *ca, BIO *pem)
{
    unsigned n = 0;
    int err = HD_OK;
    X509 *cert = PEM_read_bio_X509(pem, NULL, NULL, NULL);
    while (err == HD_OK && cert != NULL) {
        err = X509_STORE_add_cert(ca->store, cert) == 1 ? HD_OK : HD_ENOMEM;
        X509_free(cert);
        n++;
        cert = err == HD_OK ? PEM_read_bio_X509(pem, NULL, NULL, NULL) : NULL;
    }
    ERR_clear_error();
    return err == HD_OK && n == 0 ? HD_EPARSE : err;
}

int hd_stamp_ca_load(const char *path, struct hd_stamp_ca **out)
{
    struct hd_buf text;
    struct hd_stamp_ca *ca = calloc(1, sizeof(*ca));
    hd_buf_init(&text, CA_MAX);
    int err = hd_fs_read(path, CA_MAX, &text);
    BIO *pem = err == HD_OK ? BIO_new_mem_buf(text.ptr, (int)text.len) : NULL;
    if (err == HD_OK) {
        err = ca != NULL && pem != NULL && (ca->store = X509_STORE_new()) != NULL
                  ? ca_add(ca, pem)
                  : HD_ENOMEM;
    }
    BIO_free(pem);
    hd_buf_fini(&text);
    if (err == HD_OK) {
        *out = ca;
    } else {
        hd_stamp_ca_free(ca);
    }
    return err;
}

/* ---- verifying ---- */

/* at_s: when the certificates must have held; 0 = now. Takes the context. */
static int verify_take(struct hd_stamp_ca *ca, TS_VERIFY_CTX *ctx, TS_RESP *resp,
                       int64_t at_s, char why[HD_STAMP_WHY])
{
    X509_VERIFY_PARAM *param = X509_STORE_get0_param(ca->store);
    if (at_s > 0) {
        X509_VERIFY_PARAM_set_time(param, (time_t)at_s);
    } else {
        (void)X509_VERIFY_PARAM_clear_flags(param, X509_V_FLAG_USE_CHECK_TIME);
    }
    (void)X509_STORE_up_ref(ca->store);
    (void)TS_VERIFY_CTX_set_store(ctx, ca->store);
    (void)TS_VERIFY_CTX_add_flags(ctx, TS_VFY_VERSION | TS_VFY_SIGNATURE);
    ERR_clear_error();
    int err = TS_RESP_verify_response(ctx, resp) == 1 ? HD_OK : explain(why);
    TS_VERIFY_CTX_free(ctx);
    return err;
}

static int check_policy(TS_RESP *resp, const char *policy, char why[HD_STAMP_WHY])
{
    char text[128] = "";
    TS_TST_INFO *info = TS_RESP_get_tst_info(resp);
    if (policy == NULL) {
        return HD_OK;
    }
    (void)OBJ_obj2txt(text, sizeof(text), TS_TST_INFO_get_policy_id(info), 1);
    return strcmp(text, policy) == 0
               ? HD_OK
               : refuse(why, "it was made under the policy %s, not %s", text, policy);
}

int hd_stamp_verify_reply(struct hd_stamp_ca *ca, struct hd_slice request,
                          const char *policy, struct hd_slice reply,
                          char why[HD_STAMP_WHY])
{
    TS_REQ *req = request_decode(request);
    TS_RESP *resp = reply_decode(reply);
    TS_VERIFY_CTX *ctx = req == NULL ? NULL : TS_REQ_to_TS_VERIFY_CTX(req, NULL);
    int err = HD_OK;
    if (ctx == NULL) {
        err = refuse(why, "the request itself cannot be read");
    } else if (resp == NULL) {
        err = refuse(why, "the answer is no reply of RFC 3161");
    }
    if (err == HD_OK) {
        err = verify_take(ca, ctx, resp, 0, why);
        ctx = NULL;
    }
    err = err == HD_OK ? check_policy(resp, policy, why) : err;
    TS_VERIFY_CTX_free(ctx);
    TS_RESP_free(resp);
    TS_REQ_free(req);
    return err;
}

static int check_algorithm(TS_RESP *resp, char why[HD_STAMP_WHY])
{
    const ASN1_OBJECT *algorithm = NULL;
    TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(TS_RESP_get_tst_info(resp));
    X509_ALGOR_get0(&algorithm, NULL, NULL, TS_MSG_IMPRINT_get_algo(imprint));
    return OBJ_obj2nid(algorithm) == NID_sha256
               ? HD_OK
               : refuse(why, "it is a stamp of another kind of hash than SHA-256");
}

static TS_VERIFY_CTX *context_of(const uint8_t digest[HD_SHA256_LEN])
{
    TS_VERIFY_CTX *ctx = TS_VERIFY_CTX_new();
    unsigned char *copy = OPENSSL_memdup(digest, HD_SHA256_LEN);
    if (ctx == NULL || copy == NULL) {
        OPENSSL_free(copy);
        TS_VERIFY_CTX_free(ctx);
        return NULL;
    }
    (void)TS_VERIFY_CTX_set_imprint(ctx, copy, HD_SHA256_LEN);
    (void)TS_VERIFY_CTX_set_flags(ctx, TS_VFY_IMPRINT);
    return ctx;
}

int hd_stamp_verify(struct hd_stamp_ca *ca, const uint8_t digest[HD_SHA256_LEN],
                    struct hd_slice reply, int64_t *time_ns, char why[HD_STAMP_WHY])
{
    TS_RESP *resp = reply_decode(reply);
    int err = resp != NULL && reply_time(resp, time_ns) == HD_OK
                  ? check_algorithm(resp, why)
                  : refuse(why, "it is no reply of RFC 3161 with a time stamp");
    TS_VERIFY_CTX *ctx = err == HD_OK ? context_of(digest) : NULL;
    if (err == HD_OK) {
        err = ctx == NULL ? HD_ENOMEM
                          : verify_take(ca, ctx, resp, *time_ns / HD_NS_PER_SEC, why);
    }
    TS_RESP_free(resp);
    ERR_clear_error();
    return err;
}

/* ---- names ---- */

int hd_stamp_path(const char *dir, uint64_t first, const char *end, char *out, size_t cap)
{
    int len = snprintf(out, cap, "%s/" HD_STAMP_DIR "/%020" PRIu64 "%s", dir, first, end);
    return len > 0 && (size_t)len < cap ? HD_OK : HD_EINVAL;
}

int hd_stamp_file(const char *dir, uint64_t first, const char *end, char *out, size_t cap)
{
    int len = snprintf(out, cap, "%s/%020" PRIu64 "%s", dir, first, end);
    return len > 0 && (size_t)len < cap ? HD_OK : HD_EINVAL;
}

bool hd_stamp_name_parse(const char *name, const char *end, uint64_t *first)
{
    struct hd_slice text = hd_slice_str(name);
    return text.len == NUMBER_LEN + strlen(end) &&
           hd_slice_ends(text, hd_slice_str(end)) &&
           hd_num_u64(hd_slice_head(text, NUMBER_LEN), UINT64_MAX, first) == HD_OK;
}
