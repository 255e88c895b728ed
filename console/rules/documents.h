/* SPDX-License-Identifier: Apache-2.0
 *
 * Rule files as their authors wrote them, for the commands that show or rewrite them.
 */
#pragma once
#include <haidang/yaml.h>

#include "console/command.h"

/* Calls `each` for every document of the *.yml files at the operands (those installed if
 * there are none), in the order of loading; stops at what is not HD_EXIT_OK. Files that
 * cannot be read are reported and passed over: HD_EXIT_CONFIG in the end. `doc` lives
 * during the call, `file` too. */
typedef int (*con_on_document)(void *ctx, const char *file, const struct hd_yaml *doc);
int con_documents_each(const struct con_args *args, con_on_document each,
                       void *ctx) HD_MUST_USE;
