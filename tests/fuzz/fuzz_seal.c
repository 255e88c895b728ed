/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: hd_seal_decode, hd_seal_next. What they take for a statement is
 * within what they were given, and is taken again with the same meaning when that is
 * decoded once more.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/seal.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One after the other, without a gap. */
static void take_several(struct hd_slice in)
{
    const uint8_t *at = in.ptr;
    struct hd_slice rest = in, statement;
    struct hd_seal seal, again;
    while (hd_seal_next(&rest, &seal, &statement) == HD_OK) {
        struct hd_slice alone = statement;
        if (statement.ptr != at || statement.len == 0 ||
            rest.len != (size_t)(in.ptr + in.len - at) - statement.len ||
            hd_seal_next(&alone, &again, &statement) != HD_OK || alone.len != 0 ||
            memcmp(&seal, &again, sizeof(seal)) != 0) {
            abort();
        }
        at = rest.ptr;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_seal seal, again;
    struct hd_seal_text text;
    struct hd_slice in = hd_slice(data, size);
    take_several(in);
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
