/* SPDX-License-Identifier: Apache-2.0
 *
 * The correlator's configuration schema; the manual's key table is printed from it.
 */
#include "correlator/conf.h"

#include <haidang/clock.h>
#include <haidang/freeze.h>
#include <haidang/inet.h>

#include "correlator/intake/intake.h"
#include "correlator/state/state.h"

#define SECOND        INT64_C(1000000000)
#define DAY           (86400 * SECOND)
#define MIB           (INT64_C(1) << 20)
#define TIB           (INT64_C(1) << 40)
#define LONG_TIME     (36500 * DAY)

#define AT(field)     .offset = offsetof(struct cor_conf, field)
#define AT_TLS(field) .offset = offsetof(struct cor_conf_tls, field)
#define AT_IN(field)  .offset = offsetof(struct cor_conf_intake, field)
#define AT_J(field)   .offset = offsetof(struct cor_conf_journal, field)
#define AT_NF(field)  .offset = offsetof(struct cor_conf_near_full, field)
#define AT_RUL(field) .offset = offsetof(struct cor_conf_rules, field)
#define AT_DET(field) .offset = offsetof(struct cor_conf_detect, field)
#define AT_SUP(field) .offset = offsetof(struct cor_conf_suppress, field)
#define AT_NOI(field) .offset = offsetof(struct cor_conf_noisy, field)
#define AT_SRC(field) .offset = offsetof(struct cor_conf_sources, field)
#define AT_CAN(field) .offset = offsetof(struct cor_conf_canary, field)
#define AT_ENR(field) .offset = offsetof(struct cor_conf_enrich, field)

static const struct hd_conf_item tls_items[] = {
    {.key = "cert",
     .type = HD_CONF_PATH,
     AT_TLS(cert),
     .required = true,
     .help = "Our certificate (PEM, leaf first); read again on SIGHUP."},
    {.key = "key",
     .type = HD_CONF_PATH,
     AT_TLS(key),
     .required = true,
     .help = "Its private key (PEM); only its owner may be able to read it."},
    {.key = "ca",
     .type = HD_CONF_PATH,
     AT_TLS(ca),
     .required = true,
     .help = "Authorities that agents' certificates must come from. An agent without a "
             "certificate is refused, whatever is set here."},
    {.key = "crl",
     .type = HD_CONF_PATH,
     AT_TLS(crl),
     .help = "Revocation list of that authority."},
    {0}};

static const struct hd_conf_item intake_items[] = {
    {.key = "agents_max",
     .type = HD_CONF_INT,
     AT_IN(agents_max),
     .min = 1,
     .max = 100000,
     .def = "10000",
     .unit = "connections",
     .help = "Connected at once; more are refused and counted."},
    {.key = "agents_remembered",
     .type = HD_CONF_INT,
     AT_IN(agents_remembered),
     .min = 16,
     .max = 1000000,
     .def = "20000",
     .unit = "agents",
     .help = "Agents (more exactly: their spools) whose sequence is remembered; must be "
             "more than agents_max. The one unseen for longest is forgotten first."},
    {.key = "handshakes_max",
     .type = HD_CONF_INT,
     AT_IN(handshakes_max),
     .min = 1,
     .max = 10000,
     .def = "64",
     .unit = "handshakes",
     .help = "TLS handshakes at once; further connections wait in the backlog."},
    {.key = "handshakes_per_second",
     .type = HD_CONF_INT,
     AT_IN(handshakes_per_second),
     .min = 1,
     .max = 100000,
     .def = "300",
     .unit = "handshakes",
     .help = "TLS handshakes begun in a second; a core makes about 1000."},
    {.key = "handshakes_per_address",
     .type = HD_CONF_INT,
     AT_IN(handshakes_per_address),
     .min = 1,
     .max = 10000,
     .def = "16",
     .unit = "handshakes",
     .help = "Of the handshakes at once, how many may be of one address (IPv6: one /64); "
             "further connections from there are refused and counted, agents try again. "
             "Keep it well below handshakes_max."},
    {.key = "memory",
     .type = HD_CONF_SIZE,
     AT_IN(memory),
     .min = 4 * MIB,
     .max = TIB,
     .def = "64MiB",
     .help = "For frames that are not complete, and as much again for batches on their "
             "way to the disk; shared out to the agents as credits."},
    {.key = "idle_timeout",
     .type = HD_CONF_DURATION,
     AT_IN(idle_timeout),
     .min = SECOND,
     .max = DAY,
     .def = "30s",
     .help = "A connection is closed when nothing arrives for so long. Agents send a "
             "heartbeat every 10 s."},
    {0}};

static const char *const write_once_names[] = {
    [HD_FREEZE_OFF] = "off",
    [HD_FREEZE_READ_ONLY] = "read-only",
    [HD_FREEZE_IMMUTABLE] = "immutable",
    NULL,
};

#define JOURNAL_ITEMS(def_dir, def_retain, def_age)                                      \
    {.key = "dir",                                                                       \
     .type = HD_CONF_PATH,                                                               \
     AT_J(dir),                                                                          \
     .def = def_dir,                                                                     \
     .help = "Its directory; made when missing."},                                       \
        {.key = "segment",                                                               \
         .type = HD_CONF_SIZE,                                                           \
         AT_J(segment),                                                                  \
         .min = MIB,                                                                     \
         .max = 1024 * MIB,                                                              \
         .def = "64MiB",                                                                 \
         .help = "A file of it is sealed at this size."},                                \
        {.key = "segment_age",                                                           \
         .type = HD_CONF_DURATION,                                                       \
         AT_J(segment_age),                                                              \
         .min = 0,                                                                       \
         .max = LONG_TIME,                                                               \
         .def = "24h",                                                                   \
         .help = "Or at this age; 0s = never."},                                         \
        {.key = "retain_bytes",                                                          \
         .type = HD_CONF_SIZE,                                                           \
         AT_J(retain_bytes),                                                             \
         .def = def_retain,                                                              \
         .help = "Above this the oldest files go; 0 = no limit."},                       \
        {.key = "retain_age",                                                            \
         .type = HD_CONF_DURATION,                                                       \
         AT_J(retain_age),                                                               \
         .min = 0,                                                                       \
         .max = LONG_TIME,                                                               \
         .def = def_age,                                                                 \
         .help = "Older files go; 0s = no limit."},                                      \
        {.key = "max_bytes",                                                             \
         .type = HD_CONF_SIZE,                                                           \
         AT_J(max_bytes),                                                                \
         .def = "0",                                                                     \
         .help = "Never more than this: what comes then is refused, which travels back " \
                 "to whoever sent it; 0 = what the disk has."},                          \
        {.key = "reserve",                                                               \
         .type = HD_CONF_SIZE,                                                           \
         AT_J(reserve),                                                                  \
         .def = "512MiB",                                                                \
         .help = "So much of the disk is left free: beyond, what comes is refused."},    \
        {.key = "retain_unread",                                                         \
         .type = HD_CONF_BOOL,                                                           \
         AT_J(retain_unread),                                                            \
         .def = "no",                                                                    \
         .help = "May files go that a reader (detection, forwarder) still needs?"},      \
        {.key = "write_once",                                                            \
         .type = HD_CONF_ENUM,                                                           \
         AT_J(write_once),                                                               \
         .names = write_once_names,                                                      \
         .def = "off",                                                                   \
         .help =                                                                         \
             "Files that nothing is written to any more: read-only takes the right "     \
             "to write away; immutable also sets the flag of that name (chattr +i), "    \
             "which needs CAP_LINUX_IMMUTABLE."},                                        \
        {.key = "write_once_min",                                                        \
         .type = HD_CONF_DURATION,                                                       \
         AT_J(write_once_min),                                                           \
         .min = 0,                                                                       \
         .max = LONG_TIME,                                                               \
         .def = "0s",                                                                    \
         .help = "Nothing younger is removed, whatever else says so: when there is no "  \
                 "room, what comes is refused. 0s = no such age."},                      \
        {.key = "encryption_key",                                                        \
         .type = HD_CONF_STRING,                                                         \
         AT_J(encryption_key),                                                           \
         .help = HD_ENCRYPTION_KEY_HELP},                                                \
    {                                                                                    \
        0                                                                                \
    }

static const struct hd_conf_item archive_items[] = {
    {.key = "retention",
     .type = HD_CONF_PATH,
     AT_J(retention),
     .help = "File that says how long which source, information system and level is kept "
             "(docs/formats/retention.md); retain_age then does not count. Read anew "
             "each time."},
    {.key = "retention_every",
     .type = HD_CONF_DURATION,
     AT_J(retention_every),
     .min = SECOND,
     .max = DAY,
     .def = "10m",
     .help = "So often it is looked whether the oldest file may go."},
    JOURNAL_ITEMS("/var/lib/haidang/correlator/archive", "0", "366d")};
static const struct hd_conf_item alerts_items[] = {
    JOURNAL_ITEMS("/var/lib/haidang/correlator/alerts", "0", "0s")};
static const struct hd_conf_item losses_items[] = {JOURNAL_ITEMS(NULL, "0", "366d")};

static const struct hd_conf_item near_full_items[] = {
    {.key = "warning",
     .type = HD_CONF_INT,
     AT_NF(warning),
     .min = 0,
     .max = 100,
     .def = "80",
     .unit = "percent",
     .help = "A journal that has used so much of its max_bytes, or a disk (without "
             "`reserve`) that is so full, is told: status, log, metric, an alert. 0 = "
             "not."},
    {.key = "alarm",
     .type = HD_CONF_INT,
     AT_NF(alarm),
     .min = 0,
     .max = 100,
     .def = "90",
     .unit = "percent",
     .help = "The same, graver; more than `warning`. 0 = not."},
    {0}};

const char *const cor_conf_levels[] = {"informational", "low",      "medium",
                                       "high",          "critical", NULL};

static const struct hd_conf_item rules_items[] = {
    {.key = "decoders",
     .type = HD_CONF_PATH,
     AT_RUL(decoders),
     .def = HD_DATA_DIR "/decoders",
     .help = "Directory of decoders: how a line becomes fields."},
    {.key = "library",
     .type = HD_CONF_PATH,
     AT_RUL(library),
     .def = HD_DATA_DIR "/rules",
     .help = "File or directory of Sigma rules: those that come with the program."},
    {.key = "local",
     .type = HD_CONF_PATH,
     AT_RUL(local),
     .help = "File or directory of Sigma rules: your own."},
    {.key = "logsources",
     .type = HD_CONF_PATH,
     AT_RUL(logsources),
     .help = "File of other names of log sources: a list of `events` (product, category, "
             "service, as decoders say) and `also` (as rules may say)."},
    {.key = "placeholders",
     .type = HD_CONF_PATH,
     AT_RUL(placeholders),
     .help = "Directory with the values of placeholders like %Workstations% in rules: "
             "Workstations.txt with one value a line, or YAML files with a map of names "
             "to lists of values. A rule with a placeholder that is not there is "
             "refused."},
    {.key = "time_zone",
     .type = HD_CONF_STRING,
     AT_RUL(time_zone),
     .min = 1,
     .max = 64,
     .def = "Asia/Ho_Chi_Minh",
     .help = "Of lines whose time has none (RFC 3164)."},
    {.key = "min_level",
     .type = HD_CONF_ENUM,
     AT_RUL(min_level),
     .names = cor_conf_levels,
     .def = "informational",
     .help = "Rules of a lower level are left out, unless a correlation counts them."},
    {.key = "statuses",
     .type = HD_CONF_STRINGS,
     AT_RUL(statuses),
     .count_offset = offsetof(struct cor_conf_rules, n_statuses),
     .help = "Only rules with one of these statuses (stable, test, experimental, "
             "deprecated, unsupported) or without any; none given: all rules."},
    {.key = "keep_going",
     .type = HD_CONF_BOOL,
     AT_RUL(keep_going),
     .def = "no",
     .help = "Leave out rules that cannot be used (and say so) instead of refusing the "
             "whole set."},
    {0}};

static const struct hd_conf_item detect_items[] = {
    {.key = "threads",
     .type = HD_CONF_INT,
     AT_DET(threads),
     .min = 1,
     .max = COR_DETECTORS_MAX,
     .def = "1",
     .unit = "threads",
     .help = "Detectors; agents are shared out to them."},
    {.key = "memory",
     .type = HD_CONF_SIZE,
     AT_DET(memory),
     .min = MIB,
     .max = TIB,
     .def = "64MiB",
     .help =
         "For correlations; beyond, the least active groups are forgotten. A group of "
         "an event_count takes some 110 bytes: a million of them 128MiB."},
    {.key = "rule_memory",
     .type = HD_CONF_SIZE,
     AT_DET(rule_memory),
     .max = TIB,
     .def = "0",
     .help = "So much of `memory` for one correlation rule, so that a flood of made-up "
             "names or addresses pushes out groups of that rule only; 0 = a quarter."},
    {.key = "lateness",
     .type = HD_CONF_DURATION,
     AT_DET(lateness),
     .min = SECOND,
     .max = 7 * DAY,
     .def = "10m",
     .help = "An event may be so much older than the newest one and still be correlated. "
             "Agents on bad links deliver late."},
    {.key = "warm_up",
     .type = HD_CONF_DURATION,
     AT_DET(warm_up),
     .min = 0,
     .max = 7 * DAY,
     .def = "10m",
     .help = "So much of the archive is read again at start: for the evidence of alerts, "
             "and, when there is no snapshot, to fill the windows of correlations. 0s = "
             "none."},
    {.key = "snapshot",
     .type = HD_CONF_DURATION,
     AT_DET(snapshot),
     .min = SECOND,
     .max = DAY,
     .def = "10s",
     .help =
         "So often what correlations and the suppression of repeats remember is saved "
         "in state_dir; after a crash detection goes on from there and examines "
         "again what has come since."},
    {.key = "lag_alarm",
     .type = HD_CONF_DURATION,
     AT_DET(lag_alarm),
     .min = SECOND,
     .max = LONG_TIME,
     .def = "60s",
     .help = "Detection that is behind by more is reported as a problem."},
    {.key = "remember",
     .type = HD_CONF_INT,
     AT_DET(remember),
     .min = 1024,
     .max = 10000000,
     .def = "65536",
     .unit = "alerts",
     .help = "Newest alerts whose ids are kept in memory, so that a replay after a crash "
             "does not publish them again."},
    {0}};

static const struct hd_conf_item suppress_items[] = {
    {.key = "window",
     .type = HD_CONF_DURATION,
     AT_SUP(window),
     .min = 0,
     .max = 30 * DAY,
     .def = "5m",
     .help = "The same rule about the same host and source (or the same group) within "
             "this time is counted instead of published; the next alert of the kind says "
             "how many. 0s = everything is published."},
    {.key = "low",
     .type = HD_CONF_DURATION,
     AT_SUP(low),
     .min = 0,
     .max = 30 * DAY,
     .help = "The same for alerts of severity low; 0s = as `window`."},
    {.key = "medium",
     .type = HD_CONF_DURATION,
     AT_SUP(medium),
     .min = 0,
     .max = 30 * DAY,
     .help = "For severity medium; 0s = as `window`."},
    {.key = "high",
     .type = HD_CONF_DURATION,
     AT_SUP(high),
     .min = 0,
     .max = 30 * DAY,
     .help = "For severity high; 0s = as `window`."},
    {.key = "critical",
     .type = HD_CONF_DURATION,
     AT_SUP(critical),
     .min = 0,
     .max = 30 * DAY,
     .help = "For severity critical; 0s = as `window`."},
    {.key = "entries",
     .type = HD_CONF_INT,
     AT_SUP(entries),
     .min = 16,
     .max = 10000000,
     .def = "100000",
     .unit = "pairs",
     .help = "Rules and things that are remembered; the one unseen for longest goes "
             "first."},
    {0}};

static const struct hd_conf_item noisy_items[] = {
    {.key = "rate",
     .type = HD_CONF_INT,
     AT_NOI(rate),
     .min = 0,
     .max = 1000000000,
     .def = "10000",
     .unit = "hits a minute",
     .help = "A rule that would alert more often, repeats included, is reported: log, "
             "status, metric. Minutes are those in which agents received the events. 0 = "
             "none is."},
    {.key = "throttle",
     .type = HD_CONF_INT,
     AT_NOI(throttle),
     .min = 0,
     .max = 1000000000,
     .def = "0",
     .unit = "alerts a minute",
     .help = "Of one rule no more alerts than this are published in a minute; the others "
             "are counted, and the next one that is published says how many they were. 0 "
             "= all are published."},
    {0}};

static const struct hd_conf_item sources_items[] = {
    {.key = "alerts",
     .type = HD_CONF_BOOL,
     AT_SRC(alerts),
     .def = "yes",
     .help = "Alerts about sources, agents and systems; `haidang sources` shows what is "
             "so in any case."},
    {.key = "remember",
     .type = HD_CONF_INT,
     AT_SRC(remember),
     .min = 16,
     .max = 100000,
     .def = "10000",
     .unit = "sources",
     .help = "Sources that are remembered. One whose habits are not known yet is "
             "forgotten first, the one unheard for longest."},
    {.key = "floor",
     .type = HD_CONF_DURATION,
     AT_SRC(floor),
     .min = SECOND,
     .max = 30 * DAY,
     .def = "15m",
     .help = "No silence of a source is reported before it has lasted so long; an agent "
             "that is not connected for so long is."},
    {.key = "factor",
     .type = HD_CONF_INT,
     AT_SRC(factor),
     .min = 2,
     .max = 100,
     .def = "3",
     .help = "A source has stopped when it is silent for so many times its longest "
             "usual pause (and for `floor`)."},
    {.key = "learn",
     .type = HD_CONF_DURATION,
     AT_SRC(learn),
     .min = SECOND,
     .max = 365 * DAY,
     .def = "1d",
     .help = "A source is not called silent before it is known for so long and has "
             "paused 20 times."},
    {.key = "slow",
     .type = HD_CONF_INT,
     AT_SRC(slow),
     .min = 0,
     .max = 1000000,
     .def = "10",
     .help = "A source is slow when it sends, in an hour, so many times less than the "
             "least that it usually sends in that hour of the day; learned in 8 days. 0 "
             "= none is."},
    {.key = "drift",
     .type = HD_CONF_DURATION,
     AT_SRC(drift),
     .min = 0,
     .max = 365 * DAY,
     .def = "5m",
     .help = "A clock is wrong when it is steadily off by more. 0 = clocks are not "
             "looked at."},
    {.key = "unmonitored",
     .type = HD_CONF_DURATION,
     AT_SRC(unmonitored),
     .min = 0,
     .max = 365 * DAY,
     .def = "1h",
     .help = "A system of level 3 or more in the inventory is unmonitored when no source "
             "of it is heard for so long, counted from the start. 0 = none is."},
    {0}};

static const struct hd_conf_item canary_items[] = {
    {.key = "keys",
     .type = HD_CONF_PATH,
     AT_CAN(keys),
     .help = "Directory of public keys (*.pub): a line that one of them has signed is a "
             "canary, a test of `haidang canary`. Without it no line is. Read again on "
             "SIGHUP."},
    {.key = "window",
     .type = HD_CONF_DURATION,
     AT_CAN(window),
     .min = SECOND,
     .max = DAY,
     .def = "5m",
     .help = "A canary signed longer ago when it comes (or so far in the future) proves "
             "nothing and raises nothing; it is counted."},
    {.key = "overdue",
     .type = HD_CONF_DURATION,
     AT_CAN(overdue),
     .min = 0,
     .max = LONG_TIME,
     .help = "No canary by a way in for so long, where there have been some, is a "
             "problem; set it to some more than the time between canaries. 0s = it is "
             "none."},
    {0}};

static const struct hd_conf_item enrich_items[] = {
    {.key = "inventory",
     .type = HD_CONF_PATH,
     AT_ENR(inventory),
     .help = "Information systems (CSV or YAML); see inventory.csv beside this file."},
    {.key = "city",
     .type = HD_CONF_PATH,
     AT_ENR(city),
     .help = "MaxMind DB of places: City or Country."},
    {.key = "asn",
     .type = HD_CONF_PATH,
     AT_ENR(asn),
     .help = "MaxMind DB of networks: ASN."},
    {.key = "check_every",
     .type = HD_CONF_DURATION,
     AT_ENR(check_every),
     .min = SECOND,
     .max = 30 * DAY,
     .def = "5m",
     .help = "How often to look whether the databases were replaced."},
    {0}};

static const struct hd_conf_item items[] = {
    HD_LOG_CONF_ITEM(struct cor_conf, log),
    {.key = "listen",
     .type = HD_CONF_STRINGS,
     AT(listen),
     .count_offset = offsetof(struct cor_conf, n_listen),
     .def = ":6515",
     .help = "host:port for agents; \":6515\" = all addresses."},
    {.key = "tls",
     .type = HD_CONF_SECTION,
     AT(tls),
     .sub = tls_items,
     .required = true,
     .help = "Who we are and whom we believe."},
    {.key = "state_dir",
     .type = HD_CONF_PATH,
     AT(state_dir),
     .def = "/var/lib/haidang/correlator",
     .help = "Small files of its own: the table of agents, copies of databases; and what "
             "correlations remember, which may be as large as detect.memory."},
    {.key = "seal_key",
     .type = HD_CONF_PATH,
     AT(seal_key),
     .help =
         "Ed25519 key (PEM, readable by its owner only) with which sealed files of the "
         "archive, of the alerts and of the losses are signed; made when missing, its "
         "public half "
         "beside it in FILE.pub. Default: seal.key in state_dir."},
    HD_JOURNAL_KEYS_CONF_ITEM(struct cor_conf, journal_keys),
    {.key = "status",
     .type = HD_CONF_STRING,
     AT(status),
     .min = 1,
     .max = 255,
     .def = "unix:/run/haidang/correlator.sock",
     .help = "Where /metrics and /status are served: unix:PATH or a loopback host:port."},
    {.key = "intake",
     .type = HD_CONF_SECTION,
     AT(intake),
     .sub = intake_items,
     .help = "Taking batches from agents."},
    {.key = "archive",
     .type = HD_CONF_SECTION,
     AT(archive),
     .sub = archive_items,
     .help = "Every line, as it came."},
    {.key = "alerts",
     .type = HD_CONF_SECTION,
     AT(alerts),
     .sub = alerts_items,
     .help = "The alert journal, which the forwarder and the console read."},
    {.key = "losses",
     .type = HD_CONF_SECTION,
     AT(losses),
     .sub = losses_items,
     .help = "The loss ledger: what was lost, where and why. Its directory, unless set: "
             "losses in state_dir."},
    {.key = "near_full",
     .type = HD_CONF_SECTION,
     AT(near_full),
     .sub = near_full_items,
     .help = "Archive, alerts and losses, and the disks they are on."},
    HD_KEEP_STAMPS_CONF_ITEM(struct cor_conf, timestamps),
    HD_KEEP_MIRROR_CONF_ITEM(struct cor_conf, mirror,
                             "the archive, the alerts and the losses."),
    {.key = "rules",
     .type = HD_CONF_SECTION,
     AT(rules),
     .sub = rules_items,
     .help = "What is looked for."},
    {.key = "detect",
     .type = HD_CONF_SECTION,
     AT(detect),
     .sub = detect_items,
     .help = "How it is looked for."},
    {.key = "suppress",
     .type = HD_CONF_SECTION,
     AT(suppress),
     .sub = suppress_items,
     .help = "Repeats of an alert."},
    {.key = "noisy",
     .type = HD_CONF_SECTION,
     AT(noisy),
     .sub = noisy_items,
     .help = "Rules that raise too much."},
    {.key = "sources",
     .type = HD_CONF_SECTION,
     AT(sources),
     .sub = sources_items,
     .help = "Watching over the sources of lines."},
    {.key = "canary",
     .type = HD_CONF_SECTION,
     AT(canary),
     .sub = canary_items,
     .help = "Signed tests that travel as lines do (docs/operations.md)."},
    {.key = "enrich",
     .type = HD_CONF_SECTION,
     AT(enrich),
     .sub = enrich_items,
     .help = "What alerts are told besides the event; all of it is optional."},
    {0}};

/* What retention removes must be old enough to be removed. */
static void check_journal(const struct cor_conf_journal *conf, const char *name,
                          const char *path, struct hd_diags *diags)
{
    if (conf->retain_age > 0 && conf->write_once_min > conf->retain_age) {
        hd_diag_error(diags, path, 0, 0,
                      "%s.write_once_min is more than %s.retain_age: nothing would ever "
                      "be old enough to go in time",
                      name, name);
    }
}

static void check(const void *given, const char *path, struct hd_diags *diags)
{
    const struct cor_conf *conf = given;
    struct hd_hostport at;
    if (conf->n_listen == 0 || conf->n_listen > COR_INTAKE_LISTEN_MAX) {
        hd_diag_error(diags, path, 0, 0, "listen: 1 to %u addresses",
                      COR_INTAKE_LISTEN_MAX);
    }
    for (size_t i = 0; i < conf->n_listen; i++) {
        if (hd_hostport_parse(hd_slice_str(conf->listen[i]), &at) != HD_OK) {
            hd_diag_error(diags, path, 0, 0,
                          "listen: \"%s\" is not host:port; write \":6515\", "
                          "\"192.0.2.1:6515\" or \"[2001:db8::1]:6515\"",
                          conf->listen[i]);
        }
    }
    if (conf->near_full.alarm > 0 && conf->near_full.alarm <= conf->near_full.warning) {
        hd_diag_error(diags, path, 0, 0,
                      "near_full.alarm must be more than near_full.warning");
    }
    check_journal(&conf->archive, "archive", path, diags);
    check_journal(&conf->alerts, "alerts", path, diags);
    check_journal(&conf->losses, "losses", path, diags);
    if (conf->intake.agents_remembered <= conf->intake.agents_max) {
        hd_diag_error(diags, path, 0, 0,
                      "intake.agents_remembered must be more than intake.agents_max");
    }
}

const struct hd_conf_schema cor_conf_schema = {
    .items = items, .size = sizeof(struct cor_conf), .check = check};
