/* SPDX-License-Identifier: Apache-2.0
 *
 * Target function: hd_compacted_decode. What it takes for a statement is within what it
 * was given, its runs are in order, and it is taken again with the same meaning.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/compacted.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hd_compacted c, again;
    uint8_t signature[HD_SIGNATURE_LEN];
    struct hd_slice text, in = hd_slice(data, size);
    if (hd_compacted_decode(in, &c, &text, signature) != HD_OK) {
        return 0;
    }
    if (text.ptr != data || text.len >= size || c.first == 0 ||
        c.n_dropped > HD_COMPACTED_RUNS_MAX ||
        hd_compacted_decode(in, &again, &text, signature) != HD_OK ||
        memcmp(&c, &again, sizeof(c)) != 0) {
        abort();
    }
    for (size_t i = 1; i < c.n_dropped; i++) {
        if (c.dropped[i].first <= c.dropped[i - 1].last + 1) {
            abort();
        }
    }
    return 0;
}
