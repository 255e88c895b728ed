/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers on the command line.
 */
#pragma once
#include <stdint.h>

#include "console/command.h"

/* *out is left alone when the option was not given. Prints what is wrong: HD_EINVAL. */
int con_value_number(const struct con_args *args, const char *name, uint32_t max,
                     unsigned *out) HD_MUST_USE;
