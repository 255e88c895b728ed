/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: rul_pairs_next, rul_pair_unescape. The first byte chooses the
 * dialect. Pairs lie in the text, in order and without overlap; undoing escapes never
 * lengthens.
 */
#include <stdlib.h>

#include "rules/decode/pairs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rul_pairs pairs;
    struct rul_pair pair;
    if (size == 0) {
        return 0;
    }
    struct hd_slice text = hd_slice(data + 1, size - 1);
    rul_pairs_open(&pairs, (enum rul_pair_style)(data[0] % (RUL_PAIRS_AUDIT + 1)), text);
    const uint8_t *behind = text.ptr;
    while (rul_pairs_next(&pairs, &pair)) {
        if (pair.key.ptr < behind || pair.value.ptr < pair.key.ptr + pair.key.len ||
            pair.value.ptr + pair.value.len > text.ptr + text.len) {
            abort();
        }
        behind = pair.value.ptr + pair.value.len;
        uint8_t *out = malloc(pair.value.len + 1);
        if (out == NULL || rul_pair_unescape(&pair, out) > pair.value.len) {
            abort();
        }
        free(out);
    }
    return 0;
}
