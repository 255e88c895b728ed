/* SPDX-License-Identifier: Apache-2.0
 *
 * The head of an HTTP/1 request (RFC 9112). Pure; slices view the input.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/parse.h>
#include <haidang/slice.h>

struct col_http_request {
    struct hd_slice method, target, protocol;
    struct hd_slice host, user_agent, referer, forwarded_for; /* empty when absent */
    uint64_t content_length;                                  /* 0 when absent */
    bool is_chunked; /* or another coding whose length is not known beforehand */
    bool is_upgrade; /* something else may follow the head */
};

#define COL_HTTP_FIELDS_MAX 100U

/* A request head at the start of `in`; *used bytes up to its end. With `is_cut` the head
 * is taken as complete where the bytes end, if only the request line is whole. */
enum hd_parse col_http_request(struct hd_slice in, bool is_cut,
                               struct col_http_request *out, uint32_t *used);
/* Does `in` start like a request? HD_PARSE_MORE: its line is not complete. */
enum hd_parse col_http_probe(struct hd_slice in);
/* "example.org:8080", "[::1]:80": the name, and the port or 0. */
struct hd_slice col_http_host(struct hd_slice field, uint16_t *port);
