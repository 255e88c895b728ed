/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: hd_loss_decode, hd_loss_encode. What was decoded is written in one
 * way, which decodes to the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include <haidang/loss.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_loss loss;
    struct hd_loss again;
    struct hd_buf once;
    struct hd_buf twice;
    if (hd_loss_decode(hd_slice(data, size), &loss) != HD_OK) {
        return 0;
    }
    hd_buf_init(&once, 0);
    hd_buf_init(&twice, 0);
    if (hd_loss_encode(&loss, &once) != HD_OK ||
        hd_loss_decode(hd_buf_slice(&once), &again) != HD_OK ||
        hd_loss_encode(&again, &twice) != HD_OK ||
        !hd_slice_eq(hd_buf_slice(&once), hd_buf_slice(&twice))) {
        abort();
    }
    hd_buf_fini(&once);
    hd_buf_fini(&twice);
    return 0;
}
