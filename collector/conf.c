/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent's configuration schema; the manual's key table is printed from it. One list
 * of sources for all kinds: check() tells which keys belong to which kind.
 */
#include "collector/conf.h"

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/inet.h>

#define AT(field)     .offset = offsetof(struct col_conf, field)
#define AT_SRC(field) .offset = offsetof(struct col_conf_source, field)
#define AT_UP(field)  .offset = offsetof(struct col_conf_uplink, field)
#define AT_TLS(field) .offset = offsetof(struct col_conf_tls, field)
#define AT_ML(field)  .offset = offsetof(struct col_conf_multiline, field)
#define AT_PKT(field) .offset = offsetof(struct col_conf_packet, field)

#define SECOND        INT64_C(1000000000)
#define MILLI         INT64_C(1000000)
#define KIB           (INT64_C(1) << 10)
#define MIB           (INT64_C(1) << 20)
#define TIB           (INT64_C(1) << 40)

static const char *const kind_names[] = {
    "file", "syslog-udp", "syslog-tcp", "syslog-tls", "stdin", "packet", NULL};
static const char *const start_names[] = {"end", "begin", NULL};
static const char *const multiline_names[] = {"none", "time", "prefix", "indent", NULL};

static const struct hd_conf_item tls_items[] = {
    {.key = "cert",
     .type = HD_CONF_PATH,
     AT_TLS(cert),
     .help = "Certificate (PEM, leaf first); read again on SIGHUP."},
    {.key = "key",
     .type = HD_CONF_PATH,
     AT_TLS(key),
     .help = "Private key (PEM); only its owner may be able to read it."},
    {.key = "ca",
     .type = HD_CONF_PATH,
     AT_TLS(ca),
     .help = "Certificates of the authorities that the peer's certificate must come "
             "from."},
    {.key = "crl",
     .type = HD_CONF_PATH,
     AT_TLS(crl),
     .help = "Revocation list of that authority."},
    {0}};

static const struct hd_conf_item multiline_items[] = {
    {.key = "event",
     .type = HD_CONF_ENUM,
     AT_ML(kind),
     .names = multiline_names,
     .def = "none",
     .help = "How the first line of an event is known: it begins with a time, with the "
             "text of `starts_with`, or is not indented. none: every line is an event."},
    {.key = "starts_with",
     .type = HD_CONF_STRING,
     AT_ML(starts_with),
     .min = 0,
     .max = 200,
     .help = "Text at the start of an event's first line, for event: prefix."},
    {.key = "max_lines",
     .type = HD_CONF_INT,
     AT_ML(max_lines),
     .min = 2,
     .max = 10000,
     .def = "500",
     .unit = "lines",
     .help = "An event of more lines is split; so is one longer than line_max."},
    {.key = "timeout",
     .type = HD_CONF_DURATION,
     AT_ML(timeout_ns),
     .min = 10 * MILLI,
     .max = 3600 * SECOND,
     .def = "1s",
     .help = "An event is complete when no line follows for so long."},
    {0}};

static const struct hd_conf_item packet_items[] = {
    {.key = "interface",
     .type = HD_CONF_STRING,
     AT_PKT(interface),
     .min = 0,
     .max = 64,
     .help = "Network interface to capture on; any = all of them."},
    {.key = "file",
     .type = HD_CONF_PATH,
     AT_PKT(file),
     .help = "Capture file (pcap, pcapng) to read instead of an interface."},
    {.key = "filter",
     .type = HD_CONF_STRING,
     AT_PKT(filter),
     .min = 0,
     .max = 4096,
     .help = "pcap-filter(7) expression: which packets are looked at."},
    {.key = "snaplen",
     .type = HD_CONF_INT,
     AT_PKT(snaplen),
     .min = 128,
     .max = 65535,
     .def = "4096",
     .unit = "bytes",
     .help = "Bytes of each packet that are looked at."},
    {.key = "buffer",
     .type = HD_CONF_SIZE,
     AT_PKT(buffer),
     .min = 256 * KIB,
     .max = 1024 * MIB,
     .def = "8MiB",
     .help =
         "Kernel ring for captured packets, at most. It begins with 512 KiB and doubles "
         "when packets are dropped; all of it is resident memory."},
    {.key = "flows_max",
     .type = HD_CONF_INT,
     AT_PKT(flows_max),
     .min = 64,
     .max = 4000000,
     .def = "16384",
     .unit = "flows",
     .help = "Flows followed at once; the idlest one ends when there are more."},
    {.key = "promiscuous",
     .type = HD_CONF_BOOL,
     AT_PKT(promiscuous),
     .def = "false",
     .help = "Also packets that are not addressed to this server (mirror port)."},
    {0}};

static const struct hd_conf_item source_items[] = {
    {.key = "kind",
     .type = HD_CONF_ENUM,
     AT_SRC(kind),
     .names = kind_names,
     .required = true,
     .help = "Where the lines come from."},
    {.key = "name",
     .type = HD_CONF_STRING,
     AT_SRC(name),
     .min = 0,
     .max = 200,
     .help = "Name of a listener in records and status; default: its address."},
    {.key = "format",
     .type = HD_CONF_STRING,
     AT_SRC(format),
     .min = 0,
     .max = 64,
     .def = "auto",
     .help = "Declared format, a hint for the correlator's decoders: syslog, "
             "nginx-access, json, ..."},
    {.key = "time_zone",
     .type = HD_CONF_STRING,
     AT_SRC(time_zone),
     .min = 0,
     .max = 63,
     .help = "Zone of times that name none: Asia/Ho_Chi_Minh, +07:00, UTC. Without it: "
             "this server's for files, stdin and listeners on loopback; for other "
             "senders the correlator's default."},
    {.key = "paths",
     .type = HD_CONF_STRINGS,
     AT_SRC(paths),
     .count_offset = offsetof(struct col_conf_source, n_paths),
     .help = "file: absolute paths or glob(7) patterns. A file must be matched by one "
             "source only."},
    {.key = "exclude",
     .type = HD_CONF_STRINGS,
     AT_SRC(exclude),
     .count_offset = offsetof(struct col_conf_source, n_exclude),
     .help = "file: patterns of file names that are passed over, such as \"*.gz\"."},
    {.key = "start",
     .type = HD_CONF_ENUM,
     AT_SRC(start),
     .names = start_names,
     .def = "end",
     .help = "file: where to start in files that are there when a pattern is watched for "
             "the first time. Files that appear later are read from their beginning."},
    {.key = "files_max",
     .type = HD_CONF_INT,
     AT_SRC(files_max),
     .min = 1,
     .max = COL_FILES_MAX,
     .def = "1024",
     .unit = "files",
     .help = "file: files held open at once; more are left waiting, with a warning."},
    {.key = "partial_timeout",
     .type = HD_CONF_DURATION,
     AT_SRC(partial_timeout_ns),
     .min = 10 * MILLI,
     .max = 3600 * SECOND,
     .def = "5s",
     .help = "file: a last line without a line feed is taken after so long."},
    {.key = "rotated_keep",
     .type = HD_CONF_DURATION,
     AT_SRC(rotated_keep_ns),
     .min = 100 * MILLI,
     .max = 86400 * SECOND,
     .def = "5m",
     .help = "file: a renamed or removed file is followed until nothing was written to "
             "it for so long."},
    {.key = "tampering",
     .type = HD_CONF_BOOL,
     AT_SRC(tampering),
     .def = "true",
     .help =
         "file: report when a file is emptied, cut, changed, removed, replaced by what "
         "was in it before, or closed to the agent, and no rotation explains it. Not "
         "for files that their program itself empties or removes, as logs of "
         "containers are."},
    {.key = "removed_after",
     .type = HD_CONF_DURATION,
     AT_SRC(removed_after_ns),
     .min = 10 * MILLI,
     .max = 3600 * SECOND,
     .def = "5s",
     .help = "file: a removed file is reported when no other one has its name within so "
             "long."},
    {.key = "multiline",
     .type = HD_CONF_SECTION,
     AT_SRC(multiline),
     .sub = multiline_items,
     .help = "file: events of several lines."},
    {.key = "listen",
     .type = HD_CONF_STRING,
     AT_SRC(listen),
     .min = 0,
     .max = 300,
     .help = "syslog: address:port, [v6]:port or :port (all addresses, both families)."},
    {.key = "receive_buffer",
     .type = HD_CONF_SIZE,
     AT_SRC(receive_buffer),
     .min = 64 * KIB,
     .max = 1024 * MIB,
     .def = "16MiB",
     .help =
         "syslog-udp: socket buffer; above net.core.rmem_max it needs CAP_NET_ADMIN. A "
         "socket unit's ReceiveBuffer= is never made smaller."},
    {.key = "connections_max",
     .type = HD_CONF_INT,
     AT_SRC(connections_max),
     .min = 1,
     .max = 100000,
     .def = "1000",
     .unit = "connections",
     .help = "syslog-tcp, syslog-tls: more senders than this are refused, and counted."},
    {.key = "idle_timeout",
     .type = HD_CONF_DURATION,
     AT_SRC(idle_timeout_ns),
     .min = 0,
     .max = 30 * 86400 * SECOND,
     .def = "0s",
     .help =
         "syslog-tcp, syslog-tls: close a connection that is silent for so long; 0s = "
         "never (TCP keep-alive finds peers that are gone)."},
    {.key = "tls",
     .type = HD_CONF_SECTION,
     AT_SRC(tls),
     .sub = tls_items,
     .help = "syslog-tls: the listener's certificate; `ca` is what senders must come "
             "from."},
    {.key = "client_cert",
     .type = HD_CONF_BOOL,
     AT_SRC(client_cert),
     .def = "true",
     .help = "syslog-tls: refuse senders without a certificate."},
    {.key = "exit_at_eof",
     .type = HD_CONF_BOOL,
     AT_SRC(exit_at_eof),
     .def = "false",
     .help = "stdin, packet from a file: at the end of all such sources wait until "
             "everything is acknowledged, then exit 0."},
    {.key = "packet",
     .type = HD_CONF_SECTION,
     AT_SRC(packet),
     .sub = packet_items,
     .help = "packet: what to capture."},
    {0}};

static const struct hd_conf_item uplink_items[] = {
    {.key = "correlators",
     .type = HD_CONF_STRINGS,
     AT_UP(correlators),
     .count_offset = offsetof(struct col_conf_uplink, n_correlators),
     .required = true,
     .help = "host:port of the correlators, the preferred one first; the next is used "
             "while the ones before it cannot be reached."},
    {.key = "server_name",
     .type = HD_CONF_STRING,
     AT_UP(server_name),
     .min = 0,
     .max = 255,
     .help = "Name that a correlator's certificate must carry; default: the host of "
             "`correlators`."},
    {.key = "tls",
     .type = HD_CONF_SECTION,
     AT_UP(tls),
     .sub = tls_items,
     .help = "The agent's certificate; its CN must be `agent`."},
    {.key = "retry_first",
     .type = HD_CONF_DURATION,
     AT_UP(retry_first_ns),
     .min = 10 * MILLI,
     .max = 60 * SECOND,
     .def = "500ms",
     .help =
         "Longest wait before the first new attempt; doubles with each failure. Waits "
         "are random, so that many agents do not come at once."},
    {.key = "retry_max",
     .type = HD_CONF_DURATION,
     AT_UP(retry_max_ns),
     .min = 10 * MILLI,
     .max = 3600 * SECOND,
     .def = "60s",
     .help = "Longest wait between attempts."},
    {.key = "ack_timeout",
     .type = HD_CONF_DURATION,
     AT_UP(ack_timeout_ns),
     .min = 1 * SECOND,
     .max = 3600 * SECOND,
     .def = "60s",
     .help = "Leave a correlator that acknowledges nothing for so long."},
    {.key = "fail_back",
     .type = HD_CONF_DURATION,
     AT_UP(fail_back_ns),
     .min = 100 * MILLI,
     .max = 86400 * SECOND,
     .def = "5m",
     .help = "How often a preferred correlator is tried while another one is in use."},
    {0}};

static const struct hd_conf_item agent_items[] = {
    {.key = "agent",
     .type = HD_CONF_STRING,
     AT(agent),
     .min = 0,
     .max = HD_BATCH_NAME_MAX,
     .help = "Name of this agent, equal to the CN of its certificate; default: the host "
             "name."},
    {.key = "host",
     .type = HD_CONF_STRING,
     AT(host),
     .min = 0,
     .max = HD_BATCH_NAME_MAX,
     .help = "Host name in records of files and standard input; default: `agent`."},
    {.key = "state_dir",
     .type = HD_CONF_PATH,
     AT(state_dir),
     .required = true,
     .help = "Directory of the spool and of the file positions; mode 0700."},
    {.key = "status",
     .type = HD_CONF_STRING,
     AT(status),
     .min = 0,
     .max = 107,
     .def = "unix:/run/haidang/agent.sock",
     .help = "Where /metrics and /status are served: unix:PATH or a loopback address."},
    HD_LOG_CONF_ITEM(struct col_conf, log),
    {.key = "line_max",
     .type = HD_CONF_SIZE,
     AT(line_max),
     .min = 480,
     .max = HD_BATCH_LINE_MAX,
     .def = "64KiB",
     .help = "Longer lines and events are cut and marked as truncated."},
    {.key = "batch_bytes",
     .type = HD_CONF_SIZE,
     AT(batch_bytes),
     .min = 512 * KIB,
     .max = HD_BATCH_RAW_MAX,
     .def = "1MiB",
     .help = "A batch is closed at this size before compression."},
    {.key = "batch_time",
     .type = HD_CONF_DURATION,
     AT(batch_time_ns),
     .min = 1 * MILLI,
     .max = 60 * SECOND,
     .def = "200ms",
     .help = "... or when its first line is so old."},
    {.key = "batch_level",
     .type = HD_CONF_INT,
     AT(batch_level),
     .min = 1,
     .max = 9,
     .def = "1",
     .help = "zstd level."},
    {.key = "spool_max",
     .type = HD_CONF_SIZE,
     AT(spool_max),
     .min = 4 * MIB,
     .max = 16 * TIB,
     .def = "1GiB",
     .help = "Disk space for what is not acknowledged yet; when it is used up, reading "
             "pauses."},
    {.key = "spool_reserve",
     .type = HD_CONF_SIZE,
     AT(spool_reserve),
     .min = 0,
     .max = 16 * TIB,
     .def = "64MiB",
     .help = "Disk space that is left to others."},
    {.key = "spool_segment",
     .type = HD_CONF_SIZE,
     AT(spool_segment),
     .min = 1 * MIB,
     .max = 1024 * MIB,
     .def = "8MiB",
     .help = "Spool space is given back in pieces of this size."},
    {.key = "spool_encryption_key",
     .type = HD_CONF_STRING,
     AT(spool_encryption_key),
     .help = HD_ENCRYPTION_KEY_HELP},
    HD_JOURNAL_KEYS_CONF_ITEM(struct col_conf, journal_keys),
    {.key = "uplink",
     .type = HD_CONF_SECTION,
     AT(uplink),
     .sub = uplink_items,
     .required = true,
     .help = "Connection to the correlators."},
    {.key = "sources",
     .type = HD_CONF_LIST,
     AT(sources),
     .count_offset = offsetof(struct col_conf, n_sources),
     .item_size = sizeof(struct col_conf_source),
     .sub = source_items,
     .required = true,
     .help = "What is collected; changes need a restart."},
    {0}};

const char *col_kind_name(int kind)
{
    return kind >= 0 && kind <= COL_KIND_PACKET ? kind_names[kind] : "unknown";
}

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static void check_file(const struct col_conf_source *source, size_t n, const char *path,
                       struct hd_diags *diags)
{
    if (source->n_paths == 0) {
        hd_diag_error(diags, path, 0, 0, "sources[%zu] (file): `paths` is missing", n);
    }
    for (size_t i = 0; i < source->n_paths; i++) {
        if (source->paths[i][0] != '/') {
            hd_diag_error(diags, path, 0, 0,
                          "sources[%zu] (file): path \"%s\" is not absolute", n,
                          source->paths[i]);
        }
    }
    if ((source->multiline.kind == COL_MULTILINE_PREFIX) !=
        is_set(source->multiline.starts_with)) {
        hd_diag_error(diags, path, 0, 0,
                      "sources[%zu] (file): multiline `event: prefix` and `starts_with` "
                      "need each other",
                      n);
    }
}

static void check_listener(const struct col_conf_source *source, size_t n,
                           const char *path, struct hd_diags *diags)
{
    const char *kind = col_kind_name(source->kind);
    struct hd_hostport at;
    if (!is_set(source->listen)) {
        hd_diag_error(diags, path, 0, 0, "sources[%zu] (%s): `listen` is missing", n,
                      kind);
    } else if (hd_hostport_parse(hd_slice_str(source->listen), &at) != HD_OK) {
        hd_diag_error(diags, path, 0, 0,
                      "sources[%zu] (%s): listen \"%s\" is not address:port", n, kind,
                      source->listen);
    }
    if (source->kind != COL_KIND_SYSLOG_TLS) {
        return;
    }
    if (!is_set(source->tls.cert) || !is_set(source->tls.key)) {
        hd_diag_error(diags, path, 0, 0,
                      "sources[%zu] (%s): tls `cert` and `key` are missing", n, kind);
    }
    if (source->client_cert && !is_set(source->tls.ca)) {
        hd_diag_error(diags, path, 0, 0,
                      "sources[%zu] (%s): `client_cert` needs tls `ca`", n, kind);
    }
}

static void check_packet(const struct col_conf_source *source, size_t n, const char *path,
                         struct hd_diags *diags)
{
    if (is_set(source->packet.interface) == is_set(source->packet.file)) {
        hd_diag_error(diags, path, 0, 0,
                      "sources[%zu] (packet): give either `interface` or `file`", n);
    }
}

static void check_zone(const struct col_conf_source *source, size_t n, const char *path,
                       struct hd_diags *diags)
{
    struct hd_zone *zone = NULL;
    if (!is_set(source->time_zone)) {
        return;
    }
    if (hd_zone_open(source->time_zone, &zone) != HD_OK) {
        hd_diag_error(diags, path, 0, 0,
                      "source %zu: no time zone \"%s\"; write a name such as "
                      "Asia/Ho_Chi_Minh or an offset such as +07:00",
                      n + 1, source->time_zone);
        return;
    }
    hd_zone_close(zone);
}

static void check_source(const struct col_conf_source *source, size_t n, const char *path,
                         struct hd_diags *diags)
{
    check_zone(source, n, path, diags);
    switch (source->kind) {
    case COL_KIND_FILE:
        check_file(source, n, path, diags);
        break;
    case COL_KIND_SYSLOG_UDP:
    case COL_KIND_SYSLOG_TCP:
    case COL_KIND_SYSLOG_TLS:
        check_listener(source, n, path, diags);
        break;
    case COL_KIND_PACKET:
        check_packet(source, n, path, diags);
        break;
    default:
        break;
    }
    if (source->kind != COL_KIND_FILE && source->n_paths > 0) {
        hd_diag_error(diags, path, 0, 0, "sources[%zu] (%s): `paths` is for kind file", n,
                      col_kind_name(source->kind));
    }
    bool listens =
        source->kind >= COL_KIND_SYSLOG_UDP && source->kind <= COL_KIND_SYSLOG_TLS;
    if (!listens && is_set(source->listen)) {
        hd_diag_error(diags, path, 0, 0,
                      "sources[%zu] (%s): `listen` is for the syslog kinds", n,
                      col_kind_name(source->kind));
    }
}

static void check_uplink(const struct col_conf_uplink *uplink, const char *path,
                         struct hd_diags *diags)
{
    if (uplink->n_correlators == 0 || uplink->n_correlators > COL_CORRELATORS_MAX) {
        hd_diag_error(diags, path, 0, 0,
                      "uplink.correlators: 1 to %d addresses are needed",
                      COL_CORRELATORS_MAX);
    }
    for (size_t i = 0; i < uplink->n_correlators; i++) {
        struct hd_hostport at;
        if (hd_hostport_parse(hd_slice_str(uplink->correlators[i]), &at) != HD_OK ||
            at.host[0] == '\0' || at.port == 0) {
            hd_diag_error(diags, path, 0, 0,
                          "uplink.correlators: \"%s\" is not host:port",
                          uplink->correlators[i]);
        }
    }
    if (!is_set(uplink->tls.cert) || !is_set(uplink->tls.key) ||
        !is_set(uplink->tls.ca)) {
        hd_diag_error(diags, path, 0, 0,
                      "uplink.tls: `cert`, `key` and `ca` are needed (haidang ca issue "
                      "makes them)");
    }
    if (uplink->retry_max_ns < uplink->retry_first_ns) {
        hd_diag_error(diags, path, 0, 0, "uplink: retry_max is below retry_first");
    }
}

static void check(const void *ptr, const char *path, struct hd_diags *diags)
{
    const struct col_conf *conf = ptr;
    check_uplink(&conf->uplink, path, diags);
    if (conf->n_sources == 0 || conf->n_sources > COL_SOURCES_MAX) {
        hd_diag_error(diags, path, 0, 0, "sources: 1 to %d are needed", COL_SOURCES_MAX);
    }
    for (size_t i = 0; i < conf->n_sources; i++) {
        check_source(&conf->sources[i], i, path, diags);
    }
    if (conf->spool_max < 2 * conf->spool_segment) {
        hd_diag_error(diags, path, 0, 0,
                      "spool_max must hold at least two segments (spool_segment)");
    }
}

const struct hd_conf_schema col_conf_schema = {
    .items = agent_items, .size = sizeof(struct col_conf), .check = check};
