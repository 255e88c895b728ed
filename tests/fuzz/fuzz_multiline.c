/* SPDX-License-Identifier: Apache-2.0
 *
 * Target: col_multiline_next. A verdict on a prefix must hold for the whole; an event is
 * never empty and never passes the limits by more than its first line.
 */
#include <stdint.h>
#include <stdlib.h>

#include "collector/source/multiline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    struct col_multiline m = {.kind = (enum col_multiline_kind)(data[0] % 4),
                              .prefix = HD_SLICE("--- "),
                              .max_lines = 1 + data[1] % 8,
                              .max_bytes = 80};
    size_t cut = data[2];
    struct hd_slice in = hd_slice(data + 3, size - 3);
    size_t used;
    while (col_multiline_next(&m, in, &used) == HD_PARSE_OK) {
        size_t early;
        if (used == 0 || used > in.len || in.ptr[used - 1] != '\n') {
            abort();
        }
        if (col_multiline_next(&m, hd_slice_head(in, cut), &early) == HD_PARSE_OK &&
            early != used) {
            abort();
        }
        in = hd_slice_from(in, used);
    }
    return 0;
}
