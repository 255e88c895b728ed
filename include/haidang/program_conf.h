/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration that every program has: the section `log`. A room embeds the struct
 * in its own, puts the item into its schema and points hd_program.log at it.
 */
#pragma once
#include <haidang/conf.h>

struct hd_log_conf {
    int level;  /* enum hd_log_level */
    int format; /* 0 = text, 1 = json */
};

extern const struct hd_conf_item hd_log_conf_items[];

/* A row of the schema: HD_LOG_CONF_ITEM(struct col_conf, log), */
#define HD_LOG_CONF_ITEM(type_, member)                                                  \
    {                                                                                    \
        .key = "log", .type = HD_CONF_SECTION, .offset = offsetof(type_, member),        \
        .sub = hd_log_conf_items, .help = "What the program says of itself (stderr)."    \
    }
