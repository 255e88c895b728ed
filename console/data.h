/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the shipped decoders and rules are: as an option says, else as installed, else
 * beside the program when it runs from where it was built.
 */
#pragma once
#include "console/command.h"

struct con_data_path {
    char text[4096];
};
/* Views into args, room or constants. */
const char *con_data_decoders(const struct con_args *args, struct con_data_path *room);
const char *con_data_rules(struct con_data_path *room);
