/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the shipped decoders and rules are: as an option says, else as installed.
 */
#pragma once
#include "console/command.h"

const char *con_data_decoders(const struct con_args *args);
const char *con_data_rules(void);
