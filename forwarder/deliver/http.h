/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTPS requests: libcurl's multi interface on a libuv loop. Nothing but https is spoken
 * (but where a target's answers are signed themselves, is_plain_allowed), redirects are
 * not followed, proxies of the environment are ignored, the server's certificate and name
 * are always verified; there is no switch for any of that. Loop thread only.
 */
#pragma once
#include <stdint.h>
#include <uv.h>

#include <haidang/err.h>
#include <haidang/slice.h>

#include "forwarder/profile/profile.h"

#define FWD_RESPONSE_KEEP 1024U /* bytes of the answer that are kept for the receipt */

/* Where and how; borrowed for the life of its calls. */
struct fwd_http_target {
    const char *url; /* https://host[:port]/path */
    enum fwd_method method;
    const char *content_type;
    const char *authorization; /* value of the header; NULL = none. A secret. */
    const char *ca_file;       /* NULL = the system's */
    const char *crl_file;
    const char *cert_file; /* client certificate and key; NULL = none */
    const char *key_file;
    const char *pin; /* "sha256//BASE64" of the server's public key; NULL = no */
    const char *source_address; /* NULL = any */
    uint64_t connect_timeout_ms;
    uint64_t timeout_ms;   /* of the whole request */
    size_t response_max;   /* bytes of the answer that are kept; 0 = FWD_RESPONSE_KEEP */
    bool is_plain_allowed; /* http:// too: the answer is not believed for its way */
    bool fresh;            /* do not use an open connection again (files have changed) */
};

struct fwd_http_result {
    int err;     /* HD_OK: there is a status. HD_ECONN, HD_ETIMEDOUT, HD_ETLS, ... */
    long status; /* HTTP */
    const char *error;     /* for people; valid in the callback */
    struct hd_slice body;  /* its start; valid in the callback */
    int64_t retry_after_s; /* 0 = not said */
    uint64_t took_ms;
};

struct fwd_http;
struct fwd_http_call;

int fwd_http_open(uv_loop_t *loop, struct fwd_http **out) HD_MUST_USE;
/* Calls still running are dropped without a callback. Frees when the loop has closed its
 * handles. */
void fwd_http_close(struct fwd_http *http);

/* The body is copied. `done` runs once, later, never from inside this call. own: the call
 * until `done` or cancel. */
int fwd_http_send(struct fwd_http *http, const struct fwd_http_target *target,
                  struct hd_slice body,
                  void (*done)(void *ctx, const struct fwd_http_result *result),
                  void *ctx, struct fwd_http_call **out) HD_MUST_USE;
void fwd_http_cancel(struct fwd_http_call *call);
