/* SPDX-License-Identifier: Apache-2.0
 *
 * Target: col_tls_client_hello, col_tls_alpn_next, col_ja4. What parses whole must be
 * asked for as more when a byte is missing, and must never be refused then.
 */
#include <stdlib.h>

#include "collector/packet/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t scratch[COL_TLS_SCRATCH];
    struct col_tls_hello hello;
    uint32_t used = 0;
    struct hd_slice in = hd_slice(data, size);
    if (col_tls_client_hello(in, scratch, &hello, &used) != HD_PARSE_OK) {
        return 0;
    }
    if (used > size || used == 0 || hello.extension_count > COL_TLS_EXTENSIONS_MAX) {
        abort();
    }
    struct hd_slice list = hello.alpn;
    struct hd_slice name;
    size_t names = 0;
    while (col_tls_alpn_next(&list, &name)) {
        names += 1 + name.len;
    }
    char ja4[COL_JA4_LEN + 1];
    if (names > hello.alpn.len || (col_ja4(&hello, ja4) == HD_OK && ja4[10] != '_')) {
        abort();
    }
    for (uint32_t len = 0; len < used; len += 1 + used / 64) {
        if (col_tls_client_hello(hd_slice_head(in, len), scratch, &hello, &used) !=
            HD_PARSE_MORE) {
            abort();
        }
    }
    return 0;
}
