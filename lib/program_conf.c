/* SPDX-License-Identifier: Apache-2.0
 *
 * Schema of the section that every program has.
 */
#include <haidang/program_conf.h>

#include <stddef.h>

static const char *const level_names[] = {"error", "warn", "info", "debug", NULL};
static const char *const format_names[] = {"text", "json", NULL};

const struct hd_conf_item hd_log_conf_items[] = {
    {.key = "level",
     .type = HD_CONF_ENUM,
     .offset = offsetof(struct hd_log_conf, level),
     .names = level_names,
     .def = "info",
     .help = "Lines that matter less are not written."},
    {.key = "format",
     .type = HD_CONF_ENUM,
     .offset = offsetof(struct hd_log_conf, format),
     .names = format_names,
     .def = "text",
     .help = "Text for people or one JSON object a line."},
    {0}};
