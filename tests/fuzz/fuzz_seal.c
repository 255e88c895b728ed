/* SPDX-License-Identifier: Apache-2.0
 *
 * Target function: hd_seal_decode. What it takes for a statement is within what it was
 * given, and is taken again with the same meaning when that is decoded once more.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/seal.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_seal seal, again;
    struct hd_seal_text text;
    struct hd_slice in = hd_slice(data, size);
    if (hd_seal_decode(in, &seal, &text) != HD_OK) {
        return 0;
    }
    if (text.statement.ptr != data || text.statement.len >= size || seal.first == 0 ||
        hd_seal_decode(in, &again, &text) != HD_OK ||
        memcmp(&seal, &again, sizeof(seal)) != 0) {
        abort();
    }
    return 0;
}
