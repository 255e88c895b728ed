/* SPDX-License-Identifier: Apache-2.0
 *
 * Options that several commands have, and the tables of the commands about archives, for
 * which there is no room in commands.c.
 */
#pragma once
#include "console/command.h"

#define SHOW_OPTIONS                                                                     \
    {                                                                                    \
        "lang",                                                                          \
        'l',                                                                             \
        CON_VALUE,                                                                       \
        "LANG",                                                                          \
        "language: en or vi (default: from the environment)",                            \
        "en vi"},                                                                        \
    {                                                                                    \
        "utc", 0, CON_FLAG, NULL, "times in UTC instead of Asia/Ho_Chi_Minh", NULL       \
    }

#define INVENTORY_OPTION                                                                 \
    {                                                                                    \
        "inventory", 0, CON_VALUE, "FILE",                                               \
            "inventory of information systems (default: /etc/haidang/inventory.csv)",    \
            "@files"                                                                     \
    }

#define SYSTEMS_OPTIONS                                                                   \
    {"system",                                                                            \
     'S',                                                                                 \
     CON_LIST,                                                                            \
     "NAME",                                                                              \
     "of a host or network of this information system, by its id or name; * and ? are "   \
     "wildcards; repeatable: any of them",                                                \
     NULL},                                                                               \
        {"agency", 0, CON_LIST, "NAME", "of the systems of this agency; likewise", NULL}, \
        {"level",                                                                         \
         0,                                                                               \
         CON_VALUE,                                                                       \
         "N",                                                                             \
         "of systems of this security level or a higher one",                             \
         "1 2 3 4 5"},                                                                    \
        INVENTORY_OPTION

#define UNLOCK_OPTION                                                                    \
    {                                                                                    \
        "unlock", 0, CON_VALUE, "KEYS",                                                  \
            "what is encrypted: a key file or a directory of *.key (default: "           \
            "$HAIDANG_UNLOCK, else /etc/haidang/journal-keys)",                          \
            "@files"                                                                     \
    }

extern const struct con_option con_archive_verify_options[];
extern const struct con_option con_archive_list_options[];
extern const struct con_option con_archive_key_options[];
extern const struct con_option con_archive_compare_options[];
extern const struct con_option con_archive_export_options[];
extern const struct con_option con_archive_import_options[];
extern const struct con_option con_archive_repair_options[];
extern const struct con_option con_archive_compact_options[];
extern const struct con_option con_prove_options[];
extern const struct con_option con_verify_options[];
