/* SPDX-License-Identifier: Apache-2.0 */
#include "console/when.h"

#include <haidang/clock.h>
#include <haidang/num.h>

#include "console/command.h"

int con_when(const char *option, const char *text, int64_t *out)
{
    int64_t back = 0;
    if (hd_num_duration(hd_slice_str(text), &back) == HD_OK) {
        *out = hd_clock_wall_ns() - back;
        return HD_OK;
    }
    if (hd_clock_parse_rfc3339(hd_slice_str(text), out) == HD_OK) {
        return HD_OK;
    }
    return con_fail(HD_EINVAL,
                    "--%s is a duration such as 10m, 24h or 7d, or a time such as "
                    "2026-11-21T07:00:00+07:00, not '%s'",
                    option, text);
}
