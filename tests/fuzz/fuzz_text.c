/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers, times, addresses and request heads: what is accepted must survive a round
 * trip.
 */
#include <stdlib.h>

#include "lib/metrics_http.h"
#include <haidang/clock.h>
#include <haidang/inet.h>
#include <haidang/num.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void numbers(struct hd_slice text)
{
    uint64_t u = 0;
    int64_t i = 0;
    double d = 0;
    bool b = false;
    uint8_t bytes[8];
    struct hd_buf out;
    hd_buf_init(&out, 0);
    if (hd_num_i64(text, INT64_MIN, INT64_MAX, &i) == HD_OK) {
        int64_t again = 0;
        hd_buf_i64(&out, i);
        require(hd_num_i64(hd_buf_slice(&out), i, i, &again) == HD_OK && again == i);
    }
    if (hd_num_u64(text, 1000, &u) == HD_OK) {
        require(u <= 1000);
    }
    if (hd_num_hex_u64(text, 0xffff, &u) == HD_OK) {
        require(u <= 0xffff);
    }
    if (hd_num_duration(text, &i) == HD_OK) {
        require(i >= 0);
    }
    if (hd_num_double(text, &d) == HD_OK) {
        require(d - d == 0);
    }
    (void)hd_num_prefix_u64(text, 3, 255, &u);
    (void)!hd_num_size(text, &u);
    (void)!hd_num_bool(text, &b);
    (void)!hd_num_hex_bytes(text, bytes, sizeof(bytes));
    hd_buf_fini(&out);
}

static void times(struct hd_slice text)
{
    int64_t ns = 0;
    int64_t again = 0;
    char out[HD_RFC3339_LEN + 1];
    if (hd_clock_parse_rfc3339(text, &ns) != HD_OK) {
        return;
    }
    size_t len = hd_clock_format_rfc3339(ns, 9, out);
    require(len == HD_RFC3339_LEN);
    if (ns >= 0) {
        require(hd_clock_parse_rfc3339(hd_slice(out, len), &again) == HD_OK &&
                again == ns);
    }
}

static void addresses(struct hd_slice text)
{
    struct hd_ip ip;
    struct hd_ip again;
    struct hd_cidr net;
    struct hd_hostport at;
    char out[HD_IP_TEXT_MAX];
    if (hd_ip_parse(text, &ip) == HD_OK) {
        size_t len = hd_ip_format(&ip, out);
        require(hd_ip_parse(hd_slice(out, len), &again) == HD_OK &&
                hd_ip_eq(&ip, &again));
        (void)hd_ip_is_private(&ip);
    }
    if (hd_cidr_parse(text, &net) == HD_OK) {
        bool is_wide_v6 = net.bits < 96 && hd_ip_is_v4(&net.base);
        require(hd_cidr_has(&net, &net.base) || is_wide_v6);
    }
    if (hd_hostport_parse(text, &at) == HD_OK) {
        require(strlen(at.host) < HD_HOST_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_slice text = hd_slice(data, size);
    struct hd_http_request request;
    numbers(text);
    times(text);
    addresses(text);
    if (hd_http_parse(text, &request) == HD_PARSE_OK) {
        require(request.path.len > 0 && request.path.ptr[0] == '/');
    }
    return 0;
}
