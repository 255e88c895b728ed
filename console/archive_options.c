/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of the commands that check, carry and prove what is archived.
 */
#include "console/options.h"

#define KEY_OPTIONS                                                                      \
    {"key",                                                                              \
     'k',                                                                                \
     CON_LIST,                                                                           \
     "FILE",                                                                             \
     "public key of the node that sealed it (seal.key.pub); repeatable",                 \
     "@files"},                                                                          \
    {                                                                                    \
        "keys", 0, CON_VALUE, "DIR", "every *.pub in this directory", "@dirs"            \
    }

#define TSA_OPTION                                                                       \
    {                                                                                    \
        "tsa-ca", 0, CON_VALUE, "FILE",                                                  \
            "certificates (PEM) of the time-stamping authority; without it time stamps " \
            "are not checked",                                                           \
            "@files"                                                                     \
    }

const struct con_option con_archive_verify_options[] = {
    KEY_OPTIONS,
    TSA_OPTION,
    {"jobs", 0, CON_VALUE, "N", "threads (default: one a processor, at most 8)", NULL},
    {"json", 'j', CON_FLAG, NULL, "problems as JSON, one a line, and then the outcome",
     NULL},
    UNLOCK_OPTION,
    SHOW_OPTIONS,
    {0},
};

const struct con_option con_archive_list_options[] = {
    {"retention", 0, CON_VALUE, "FILE",
     "rules of retention: until when each is kept, and why (reads the entries)",
     "@files"},
    {"json", 'j', CON_FLAG, NULL, "one JSON object a segment", NULL},
    UNLOCK_OPTION,
    SHOW_OPTIONS,
    {0},
};

#define JSON_OPTION                                                                      \
    {                                                                                    \
        "json", 'j', CON_FLAG, NULL,                                                     \
            "problems as JSON, one a line, and then the outcome", NULL                   \
    }

const struct con_option con_archive_key_options[] = {
    {0},
};

const struct con_option con_archive_compare_options[] = {
    JSON_OPTION,
    SHOW_OPTIONS,
    {0},
};

const struct con_option con_archive_export_options[] = {
    {"since", 0, CON_VALUE, "TIME",
     "begin so far back (24h, 7d), or at a time (RFC 3339); default: the oldest", NULL},
    {"until", 0, CON_VALUE, "TIME",
     "end so far back, or at a time (default: the newest that is sealed)", NULL},
    {"except", 0, CON_VALUE, "FILE|-",
     "of a stream: leave out what is listed there, names as 'ls' prints them", "@files"},
    KEY_OPTIONS,
    JSON_OPTION,
    SHOW_OPTIONS,
    {0},
};

const struct con_option con_archive_import_options[] = {
    {"into", 'i', CON_VALUE, "DIR", "where the segments come to be; made when missing",
     "@dirs"},
    KEY_OPTIONS,
    JSON_OPTION,
    SHOW_OPTIONS,
    {0},
};

const struct con_option con_archive_repair_options[] = {
    {"into", 'i', CON_VALUE, "DIR", "a new directory for what can be kept", "@dirs"},
    JSON_OPTION,
    SHOW_OPTIONS,
    {0},
};

const struct con_option con_archive_compact_options[] = {
    {"seal-key", 0, CON_VALUE, "FILE",
     "the node's private key, which signs what was done (default: "
     "/var/lib/haidang/correlator/seal.key)",
     "@files"},
    {"older-than", 0, CON_VALUE, "TIME",
     "only what was sealed so long ago (30d), or before a time (RFC 3339)", NULL},
    {"drop-expired", 0, CON_FLAG, NULL, "leave out what is past its retention", NULL},
    {"retention", 0, CON_VALUE, "FILE",
     "rules of retention (the correlator's archive.retention)", "@files"},
    {"keep-younger", 0, CON_VALUE, "TIME",
     "drop nothing of what was sealed since then (90d): for a copy, whose directory does "
     "not "
     "say the archive's write_once_min",
     NULL},
    {"level", 0, CON_VALUE, "N", "of zstd, 1 to 22 (default: 19)", NULL},
    KEY_OPTIONS,
    JSON_OPTION,
    UNLOCK_OPTION,
    SHOW_OPTIONS,
    {0},
};

const struct con_option con_prove_options[] = {
    {"archive", 0, CON_VALUE, "DIR", "the correlator's archive", "@dirs"},
    {"alerts", 0, CON_VALUE, "DIR", "the correlator's alert journal", "@dirs"},
    {"receipts", 0, CON_VALUE, "DIR", "the forwarder's receipts", "@dirs"},
    {"since", 0, CON_VALUE, "TIME",
     "seek in what was received since: so far back (10m, 24h, 7d), or at a time (RFC "
     "3339)",
     NULL},
    {"until", 0, CON_VALUE, "TIME", "and before", NULL},
    {"host", 'H', CON_VALUE, "NAME", "the host that a line comes from", NULL},
    KEY_OPTIONS,
    {"bundle", 'b', CON_VALUE, "FILE", "write it all into this file, for verify",
     "@files"},
    {"json", 'j', CON_FLAG, NULL, "one JSON object", NULL},
    UNLOCK_OPTION,
    SHOW_OPTIONS,
    {0},
};

const struct con_option con_verify_options[] = {
    KEY_OPTIONS,
    TSA_OPTION,
    {"request", 'r', CON_VALUE, "FILE",
     "the body of a message that a destination got: a receipt must state its SHA-256",
     "@files"},
    {"json", 'j', CON_FLAG, NULL, "one JSON object", NULL},
    UNLOCK_OPTION,
    SHOW_OPTIONS,
    {0},
};
