/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration of the agent: what conf.c's schema fills from agent.yml. Read-only after
 * start; the keys are explained in conf.c (haidang-agent --help-config prints them).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <haidang/conf.h>
#include <haidang/program_conf.h>

#define COL_LINE_MAX_DEFAULT (64U << 10)
#define COL_FILES_MAX        4096 /* of one source: lookups by inode are linear */
#define COL_CORRELATORS_MAX  16
#define COL_SOURCES_MAX      64

enum col_kind {
    COL_KIND_FILE,
    COL_KIND_SYSLOG_UDP,
    COL_KIND_SYSLOG_TCP,
    COL_KIND_SYSLOG_TLS,
    COL_KIND_STDIN,
    COL_KIND_PACKET,
};

enum col_start { COL_START_END, COL_START_BEGIN };

enum col_multiline_kind {
    COL_MULTILINE_NONE,
    COL_MULTILINE_TIME,   /* an event starts with a line that begins with a time */
    COL_MULTILINE_PREFIX, /* ... with a line that begins with `starts_with` */
    COL_MULTILINE_INDENT, /* ... with a line that is not indented */
};

struct col_conf_multiline {
    int kind; /* enum col_multiline_kind */
    char *starts_with;
    int64_t max_lines;
    int64_t timeout_ns;
};

struct col_conf_tls {
    char *cert, *key, *ca, *crl;
};

struct col_conf_packet {
    char *interface; /* "any" = all */
    char *file;      /* a capture file instead of an interface */
    char *filter;    /* pcap-filter(7) */
    int64_t snaplen;
    uint64_t buffer;
    int64_t flows_max;
    bool promiscuous;
};

struct col_conf_source {
    int kind; /* enum col_kind */
    char *name;
    char *format;
    char *time_zone; /* NULL = see col_zone_of */
    /* file */
    char **paths, **exclude;
    size_t n_paths, n_exclude;
    int start; /* enum col_start */
    int64_t files_max;
    int64_t partial_timeout_ns, rotated_keep_ns, removed_after_ns;
    bool tampering;
    struct col_conf_multiline multiline;
    /* syslog */
    char *listen;
    uint64_t receive_buffer;
    int64_t connections_max, idle_timeout_ns;
    struct col_conf_tls tls;
    bool client_cert;
    /* stdin */
    bool exit_at_eof;
    struct col_conf_packet packet;
};

struct col_conf_uplink {
    char **correlators;
    size_t n_correlators;
    char *server_name;
    struct col_conf_tls tls;
    int64_t retry_first_ns, retry_max_ns, ack_timeout_ns, fail_back_ns;
};

struct col_conf {
    char *agent, *host;
    char *state_dir;
    char *status;
    struct hd_log_conf log;
    uint64_t line_max;
    uint64_t batch_bytes;
    int64_t batch_time_ns, batch_level;
    uint64_t spool_max, spool_reserve, spool_segment;
    char *spool_encryption_key; /* NULL: it is not encrypted */
    char *journal_keys;
    struct col_conf_uplink uplink;
    struct col_conf_source *sources;
    size_t n_sources;
};

extern const struct hd_conf_schema col_conf_schema;

/* Text of an enum col_kind: "file", "syslog-udp", ... as in struct hd_batch_source. */
const char *col_kind_name(int kind);
