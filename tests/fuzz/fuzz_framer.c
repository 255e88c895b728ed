/* SPDX-License-Identifier: Apache-2.0
 *
 * Target: col_framer_next, col_framer_end. The frames must be the same whether the bytes
 * come whole or cut in two at a place that the first byte chooses.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/hash.h>

#include "collector/source/framer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t run(struct hd_slice in, size_t split)
{
    struct col_framer framer;
    struct col_frame frame;
    uint64_t sum = 1;
    size_t at = 0;
    col_framer_init(&framer, in.ptr[0] & 1 ? COL_FRAMING_SYSLOG : COL_FRAMING_LF, 64);
    for (size_t end = split; at < end || end < in.len; end = in.len) {
        size_t used;
        while (col_framer_next(&framer, hd_slice(in.ptr + at, end - at), &frame, &used) ==
               HD_PARSE_OK) {
            if (frame.line.len > 64 || used > end - at || used == 0) {
                abort();
            }
            sum = hd_hash_stable(frame.line, sum + frame.is_truncated);
            at += used;
        }
        at += used;
        if (end == in.len) {
            break;
        }
    }
    if (in.len - at >= col_framer_need(&framer)) {
        abort();
    }
    if (col_framer_end(&framer, hd_slice_from(in, at), &frame) == HD_PARSE_OK) {
        sum = hd_hash_stable(frame.line, sum + frame.is_truncated);
    }
    return sum + framer.skipped;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    struct hd_slice in = hd_slice(data, size);
    if (run(in, size) != run(in, 1 + data[1] % (size - 1))) {
        abort();
    }
    return 0;
}
