/* SPDX-License-Identifier: Apache-2.0 */
#include "console/data.h"

const char *con_data_decoders(const struct con_args *args)
{
    const char *dir = con_args_value(args, "decoders");
    return dir != NULL ? dir : HD_DATA_DIR "/decoders";
}

const char *con_data_rules(void)
{
    return HD_DATA_DIR "/rules";
}
