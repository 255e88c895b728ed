/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: hd_wire_decode, hd_wire_frame_len, hd_wire_encode. What decodes must
 * encode to bytes that decode to the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include <haidang/wire.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const struct hd_wire_frame *frame)
{
    struct hd_buf once;
    struct hd_buf twice;
    struct hd_wire_frame back;
    size_t used = 0;
    hd_buf_init(&once, 0);
    hd_buf_init(&twice, 0);
    hd_wire_encode(&once, frame);
    if (once.err != 0 ||
        hd_wire_decode(hd_buf_slice(&once), &back, &used) != HD_PARSE_OK ||
        used != once.len) {
        abort();
    }
    hd_wire_encode(&twice, &back);
    if (!hd_slice_eq(hd_buf_slice(&once), hd_buf_slice(&twice))) {
        abort();
    }
    hd_buf_fini(&once);
    hd_buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_slice in = hd_slice(data, size);
    while (in.len > 0) {
        struct hd_wire_frame frame;
        size_t used = 0;
        size_t len = hd_wire_frame_len(in);
        if (hd_wire_decode(in, &frame, &used) != HD_PARSE_OK) {
            break;
        }
        if (used != len) {
            abort();
        }
        again(&frame);
        in = hd_slice_from(in, used);
    }
    return 0;
}
