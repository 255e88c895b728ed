/* SPDX-License-Identifier: Apache-2.0
 *
 * Target: col_http_request, col_http_probe, col_http_host. A head that parses must be
 * asked for as more when its end is missing, and its line must pass the probe.
 */
#include <stdlib.h>

#include "collector/packet/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct hd_slice whole, struct hd_slice part)
{
    return part.len == 0 ||
           (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct col_http_request request;
    struct hd_slice in = hd_slice(data, size);
    uint32_t used = 0;
    uint16_t port = 0;
    (void)col_http_probe(in);
    (void)col_http_request(in, true, &request, &used);
    if (col_http_request(in, false, &request, &used) != HD_PARSE_OK) {
        return 0;
    }
    struct hd_slice host = col_http_host(request.host, &port);
    if (used == 0 || used > size || !is_inside(in, request.target) ||
        !is_inside(in, request.user_agent) || !is_inside(request.host, host)) {
        abort();
    }
    uint32_t ignored = 0;
    if (col_http_request(hd_slice_head(in, used - 1), false, &request, &ignored) ==
        HD_PARSE_BAD) {
        abort();
    }
    return 0;
}
