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

/* Of a program with journals that may be encrypted (<haidang/journal_keys.h>). */
#define HD_JOURNAL_KEYS_CONF_ITEM(type_, member)                                         \
    {                                                                                    \
        .key = "journal_keys", .type = HD_CONF_PATH, .offset = offsetof(type_, member),  \
        .help = "Directory of keys (NAME.key) to read encrypted journals with: those "   \
                "that were used before, and those of others that we read."               \
    }
#define HD_ENCRYPTION_KEY_HELP                                                           \
    "Key with which what is written from now on is encrypted (AES-256-GCM): a file "     \
    "that "                                                                              \
    "only its owner may read, made by `haidang archive key`, or credential:NAME for "    \
    "one "                                                                               \
    "that systemd hands over. Not set: not encrypted."
