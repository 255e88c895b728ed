/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a TZif file: what is accepted answers for every time.
 */
#include <stdlib.h>

#include <haidang/clock.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t times[] = {INT64_MIN, -1, 0, 1795247437000000000, INT64_MAX};
    struct hd_zone *zone = NULL;
    if (hd_zone_parse(hd_slice(data, size), &zone) != HD_OK) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        int offset = hd_zone_offset_s(zone, times[i]);
        /* POSIX hours run to 167 */
        if (offset < -168 * 3600 || offset > 168 * 3600) {
            abort();
        }
    }
    hd_zone_close(zone);
    return 0;
}
