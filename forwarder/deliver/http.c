/* SPDX-License-Identifier: Apache-2.0
 *
 * libcurl says which sockets and which time it waits for; libuv waits. A socket's poll
 * handle outlives libcurl's interest in it until its close callback. When a kept
 * connection ends without a byte of answer, libcurl would send the request once more by
 * itself; but the other end may have taken it, and nobody would know of the second one.
 * So the body is read from a callback that cannot go back, and such a call fails instead.
 */
#include "forwarder/deliver/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/buf.h>
#include <haidang/log.h>
#include <haidang/loop.h>

#define RESPONSE_MAX ((size_t)1 << 20) /* bytes; a longer answer is cut off */

struct fwd_http {
    struct hd_owner owner;
    uv_loop_t *loop;
    uv_timer_t timer;
    CURLM *multi;
    struct fwd_http_call *calls; /* doubly linked */
};

struct fwd_http_call {
    struct fwd_http *http;
    struct fwd_http_call *next, *prev;
    CURL *easy;
    struct curl_slist *headers;
    struct hd_buf body;
    size_t body_sent;
    struct hd_buf response;
    size_t response_len;
    char error[CURL_ERROR_SIZE];
    void (*done)(void *ctx, const struct fwd_http_result *result);
    void *ctx;
};

struct http_socket {
    uv_poll_t poll;
    struct fwd_http *http;
    curl_socket_t fd;
};

/* ---- the end of a call ---- */

static void call_free(struct fwd_http_call *call)
{
    if (call->prev != NULL) {
        call->prev->next = call->next;
    } else if (call->http->calls == call) {
        call->http->calls = call->next;
    }
    if (call->next != NULL) {
        call->next->prev = call->prev;
    }
    if (call->easy != NULL) {
        (void)curl_multi_remove_handle(call->http->multi, call->easy);
        curl_easy_cleanup(call->easy);
    }
    curl_slist_free_all(call->headers);
    hd_buf_fini(&call->body);
    hd_buf_fini(&call->response);
    free(call);
}

void fwd_http_cancel(struct fwd_http_call *call)
{
    call_free(call);
}

static int err_of(CURLcode code, const char *error)
{
    switch (code) {
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        /* with TLS 1.3 a refused client certificate shows only here */
        return strstr(error, "alert") != NULL ? HD_ETLS : HD_ECONN;
    case CURLE_OK:
        return HD_OK;
    case CURLE_OUT_OF_MEMORY:
        return HD_ENOMEM;
    case CURLE_OPERATION_TIMEDOUT:
        return HD_ETIMEDOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
        return HD_ETLS;
    case CURLE_UNSUPPORTED_PROTOCOL:
        return HD_EUNSUPPORTED;
    default:
        return HD_ECONN;
    }
}

static void call_finish(struct fwd_http_call *call, CURLcode code)
{
    struct fwd_http_result result = {.err = err_of(code, call->error)};
    curl_off_t value = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &result.status);
    if (curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &value) == CURLE_OK) {
        result.retry_after_s = (int64_t)value;
    }
    if (curl_easy_getinfo(call->easy, CURLINFO_TOTAL_TIME_T, &value) == CURLE_OK) {
        result.took_ms = (uint64_t)value / 1000U;
    }
    if (code == CURLE_WRITE_ERROR && result.status >= 200 &&
        call->response_len > RESPONSE_MAX) {
        result.err = HD_OK; /* it has answered; we did not want to hear the rest */
    }
    if (result.err != HD_OK) {
        result.status = 0;
    }
    result.error = code == CURLE_SEND_FAIL_REWIND
                       ? "the connection ended without an answer"
                   : call->error[0] != '\0' ? call->error
                                            : curl_easy_strerror(code);
    result.body = hd_buf_slice(&call->response);
    call->done(call->ctx, &result);
    call_free(call);
}

static void finish_done(struct fwd_http *http)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
        struct fwd_http_call *call = NULL;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call) ==
                CURLE_OK &&
            call != NULL) {
            call_finish(call, message->data.result);
        }
    }
}

/* ---- sockets and time ---- */

static void socket_closed(uv_handle_t *handle)
{
    free(HD_CONTAINER(handle, struct http_socket, poll));
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_socket *sock = HD_CONTAINER(poll, struct http_socket, poll);
    struct fwd_http *http = sock->http;
    int action = status < 0 ? CURL_CSELECT_ERR : 0;
    int running;
    action |= (events & UV_READABLE) ? CURL_CSELECT_IN : 0;
    action |= (events & UV_WRITABLE) ? CURL_CSELECT_OUT : 0;
    (void)curl_multi_socket_action(http->multi, sock->fd, action, &running);
    finish_done(http);
}

static struct http_socket *socket_new(struct fwd_http *http, curl_socket_t fd)
{
    struct http_socket *sock = calloc(1, sizeof(*sock));
    if (sock == NULL) {
        return NULL;
    }
    sock->http = http;
    sock->fd = fd;
    if (uv_poll_init_socket(http->loop, &sock->poll, fd) != 0) {
        free(sock);
        return NULL;
    }
    (void)curl_multi_assign(http->multi, fd, sock);
    return sock;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct fwd_http *http = ctx;
    struct http_socket *sock = socket_ctx;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (sock != NULL) {
            (void)curl_multi_assign(http->multi, fd, NULL);
            uv_close((uv_handle_t *)&sock->poll, socket_closed);
        }
        return 0;
    }
    if (sock == NULL) {
        sock = socket_new(http, fd);
        if (sock == NULL) {
            return -1;
        }
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) |
                 (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&sock->poll, events, on_poll) == 0 ? 0 : -1;
}

static void on_timer(uv_timer_t *timer)
{
    struct fwd_http *http = HD_CONTAINER(timer, struct fwd_http, timer);
    int running;
    (void)curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_done(http);
}

static int on_timeout(CURLM *multi, long timeout_ms, void *ctx)
{
    struct fwd_http *http = ctx;
    (void)multi;
    if (timeout_ms < 0) {
        (void)uv_timer_stop(&http->timer);
    } else {
        /* libcurl must not be entered from its own callback, hence never 0 */
        (void)uv_timer_start(&http->timer, on_timer,
                             timeout_ms == 0 ? 1 : (uint64_t)timeout_ms, 0);
    }
    return 0;
}

/* ---- life ---- */

static void http_freed(void *ctx)
{
    free(ctx);
}

int fwd_http_open(uv_loop_t *loop, struct fwd_http **out)
{
    struct fwd_http *http = calloc(1, sizeof(*http));
    if (http == NULL) {
        return HD_ENOMEM;
    }
    http->loop = loop;
    http->multi = curl_multi_init();
    if (http->multi == NULL) {
        free(http);
        return HD_ENOMEM;
    }
    hd_owner_init(&http->owner, http_freed, http);
    (void)uv_timer_init(loop, &http->timer);
    hd_owner_add(&http->owner, (uv_handle_t *)&http->timer);
    (void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    (void)curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    (void)curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    *out = http;
    return HD_OK;
}

void fwd_http_close(struct fwd_http *http)
{
    while (http->calls != NULL) {
        call_free(http->calls);
    }
    (void)curl_multi_cleanup(http->multi); /* closes idle connections: on_socket runs */
    hd_owner_close(&http->owner, (uv_handle_t *)&http->timer);
    hd_owner_finish(&http->owner);
}

/* ---- a call ---- */

static size_t on_response(char *data, size_t size, size_t n, void *ctx)
{
    struct fwd_http_call *call = ctx;
    size_t len = size * n;
    size_t room = call->response.max - call->response.len;
    hd_buf_bytes(&call->response, data, len < room ? len : room);
    call->response_len += len;
    return call->response_len > RESPONSE_MAX ? 0 : len;
}

static size_t on_request(char *to, size_t size, size_t n, void *ctx)
{
    struct fwd_http_call *call = ctx;
    size_t left = call->body.len - call->body_sent;
    size_t len = size * n < left ? size * n : left;
    memcpy(to, call->body.ptr + call->body_sent, len);
    call->body_sent += len;
    return len;
}

static bool add_header(struct fwd_http_call *call, const char *name, const char *value)
{
    struct hd_buf line;
    hd_buf_init(&line, 65536);
    hd_buf_printf(&line, "%s: %s", name, value);
    struct curl_slist *list =
        line.err == HD_OK ? curl_slist_append(call->headers, hd_buf_cstr(&line)) : NULL;
    hd_buf_fini(&line);
    if (list == NULL) {
        return false;
    }
    call->headers = list;
    return true;
}

/* curl_easy_setopt of one option; remembers the first failure. */
#define SET(option, value)                                                               \
    do {                                                                                 \
        if (code == CURLE_OK) {                                                          \
            code = curl_easy_setopt(easy, (option), (value));                            \
        }                                                                                \
    } while (0)

static CURLcode set_security(CURL *easy, const struct fwd_http_target *target)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_PROTOCOLS_STR, target->is_plain_allowed ? "https,http" : "https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, ""); /* not even one that the environment names */
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (target->ca_file != NULL) {
        SET(CURLOPT_CAINFO, target->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    if (target->crl_file != NULL) {
        SET(CURLOPT_CRLFILE, target->crl_file);
    }
    if (target->pin != NULL) {
        SET(CURLOPT_PINNEDPUBLICKEY, target->pin);
    }
    if (target->cert_file != NULL) {
        SET(CURLOPT_SSLCERT, target->cert_file);
        SET(CURLOPT_SSLKEY, target->key_file);
    }
    if (target->source_address != NULL) {
        SET(CURLOPT_INTERFACE, target->source_address);
    }
    return code;
}

static CURLcode set_request(struct fwd_http_call *call,
                            const struct fwd_http_target *target)
{
    CURL *easy = call->easy;
    CURLcode code = set_security(easy, target);
    SET(CURLOPT_URL, target->url);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_CUSTOMREQUEST, target->method == FWD_PUT ? "PUT" : "POST");
    SET(CURLOPT_READFUNCTION, on_request);
    SET(CURLOPT_READDATA, call);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
    SET(CURLOPT_HTTPHEADER, call->headers);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_USERAGENT, "haidang-forwarder");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)target->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)target->timeout_ms);
    SET(CURLOPT_FRESH_CONNECT, target->fresh ? 1L : 0L);
    SET(CURLOPT_WRITEFUNCTION, on_response);
    SET(CURLOPT_WRITEDATA, call);
    SET(CURLOPT_ERRORBUFFER, call->error);
    SET(CURLOPT_PRIVATE, call);
    return code;
}

static int call_setup(struct fwd_http_call *call, const struct fwd_http_target *target,
                      struct hd_slice body)
{
    hd_buf_slice_add(&call->body, body);
    call->easy = curl_easy_init();
    /* "Expect:" without a value takes the header away: no 100-continue round */
    if (call->body.err != HD_OK || call->easy == NULL ||
        !add_header(call, "Expect", "") ||
        !add_header(call, "Content-Type", target->content_type) ||
        (target->authorization != NULL &&
         !add_header(call, "Authorization", target->authorization))) {
        return HD_ENOMEM;
    }
    CURLcode code = set_request(call, target);
    if (code != CURLE_OK) {
        HD_LOG(ERROR, "http", "libcurl refuses an option",
               HD_KV_STR("why", curl_easy_strerror(code)));
        return HD_EUNSUPPORTED;
    }
    return curl_multi_add_handle(call->http->multi, call->easy) == CURLM_OK ? HD_OK
                                                                            : HD_ENOMEM;
}

int fwd_http_send(struct fwd_http *http, const struct fwd_http_target *target,
                  struct hd_slice body,
                  void (*done)(void *ctx, const struct fwd_http_result *result),
                  void *ctx, struct fwd_http_call **out)
{
    struct fwd_http_call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        return HD_ENOMEM;
    }
    call->http = http;
    call->done = done;
    call->ctx = ctx;
    call->next = http->calls;
    if (call->next != NULL) {
        call->next->prev = call;
    }
    http->calls = call;
    hd_buf_init(&call->body, 0);
    hd_buf_init(&call->response,
                target->response_max > 0 ? target->response_max : FWD_RESPONSE_KEEP);
    int err = call_setup(call, target, body);
    if (err != HD_OK) {
        call_free(call);
        return err;
    }
    *out = call;
    return HD_OK;
}
