/* SPDX-License-Identifier: Apache-2.0 */
#include "console/values.h"

#include <haidang/num.h>

int con_value_number(const struct con_args *args, const char *name, uint32_t max,
                     unsigned *out)
{
    const char *text = con_args_value(args, name);
    uint32_t value = 0;
    if (text == NULL) {
        return HD_OK;
    }
    if (hd_num_u32(hd_slice_str(text), max, &value) != HD_OK) {
        return con_fail(HD_EINVAL, "--%s is a number up to %u, not '%s'", name, max,
                        text);
    }
    *out = value;
    return HD_OK;
}
