/* SPDX-License-Identifier: Apache-2.0
 *
 * As much of HTTP/1.1 (RFC 9112) as a status page needs: the head of one request.
 */
#pragma once
#include <haidang/parse.h>
#include <haidang/slice.h>

#define HD_HTTP_HEAD_MAX 8192

struct hd_http_request {
    struct hd_slice method;
    struct hd_slice path; /* without query */
};

/* request-line *( field-line CRLF ) CRLF; a bare LF ends a line too (section 2.2). Fields
 * are passed over. BAD as soon as the first line cannot be one. */
enum hd_parse hd_http_parse(struct hd_slice text, struct hd_http_request *out);
