/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTP/1.1 request with a Content-Length (RFC 9112), as the test centre needs it.
 */
#pragma once
#include <haidang/parse.h>
#include <haidang/slice.h>

#define REQUEST_HEAD_MAX ((size_t)16 << 10)
#define REQUEST_BODY_MAX ((size_t)1 << 20)

struct request {
    struct hd_slice method, target, authorization, content_type, body; /* view `in` */
    bool is_close; /* Connection: close */
};

/* *used bytes of `in` are the request. BAD: no such request, or too large. */
enum hd_parse request_parse(struct hd_slice in, struct request *out, size_t *used);
