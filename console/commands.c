/* SPDX-License-Identifier: Apache-2.0
 *
 * Every command, its words and its options. To add one: a file, a row.
 * Summaries are in English and in Vietnamese, since they are what people find first.
 */
#include "console/command.h"
#include "console/options.h"

#define DECODERS_OPTION                                                                  \
    {                                                                                    \
        "decoders", 'd', CON_VALUE, "DIR",                                               \
            "directory of decoders (default: as installed)", "@dirs"                     \
    }

#define RULES_OPTIONS                                                                      \
    DECODERS_OPTION,                                                                       \
        {"placeholders",                                                                   \
         'p',                                                                              \
         CON_VALUE,                                                                        \
         "DIR",                                                                            \
         "directory with the values of %placeholders% (default: none)",                    \
         "@dirs"},                                                                         \
        {"logsources", 0, CON_VALUE, "FILE", "other names of log sources (default: none)", \
         "@files"},                                                                        \
        {"min-level",                                                                      \
         0,                                                                                \
         CON_VALUE,                                                                        \
         "LEVEL",                                                                          \
         "leave out rules of lower levels",                                                \
         "informational low medium high critical"},                                        \
    {                                                                                      \
        "statuses", 0, CON_VALUE, "WORDS",                                                 \
            "only rules of these statuses, joined by commas (default: all)", NULL          \
    }

static const struct con_option tail_options[] = {
    {"dir", 0, CON_VALUE, "DIR", "the correlator's alert journal", "@dirs"},
    {"severity", 's', CON_VALUE, "LEVEL", "at least: low, medium, high, critical",
     "low medium high critical"},
    {"rule", 'r', CON_VALUE, "WORD", "rule's id or part of its title", NULL},
    {"host", 'H', CON_VALUE, "WORD", "part of a host name or address", NULL},
    {"system", 'S', CON_VALUE, "WORD", "part of the information system's id or name",
     NULL},
    {"agency", 'a', CON_VALUE, "WORD", "part of the agency's name", NULL},
    {"text", 't', CON_VALUE, "WORD", "anywhere in the alert", NULL},
    {"since", 0, CON_VALUE, "DURATION", "begin so far back: 10m, 2h, 3d", NULL},
    {"all", 0, CON_FLAG, NULL, "begin with the oldest alert", NULL},
    {"whole", 'w', CON_FLAG, NULL, "do not cut lines to the terminal's width", NULL},
    {"no-follow", 'n', CON_FLAG, NULL, "end when everything was shown", NULL},
    {"no-tests", 0, CON_FLAG, NULL, "without alerts that canaries raised", NULL},
    {"json", 'j', CON_FLAG, NULL, "alerts as JSON, one a line", NULL},
    UNLOCK_OPTION,
    SHOW_OPTIONS,
    {0},
};

static const struct con_option losses_options[] = {
    {"dir", 0, CON_VALUE, "DIR", "the correlator's loss ledger", "@dirs"},
    {"receipts", 0, CON_VALUE, "DIR", "the forwarder's receipts", "@dirs"},
    {"since", 0, CON_VALUE, "TIME",
     "lost since: so far back (10m, 24h, 7d), or a time (RFC 3339); default: 24h", NULL},
    {"until", 0, CON_VALUE, "TIME", "lost before (default: now)", NULL},
    {"agent", 'a', CON_VALUE, "NAME", "by this agent only", NULL},
    {"kind", 'k', CON_VALUE, "KIND", "of this kind only",
     "agent-spool-full udp-kernel-drops pcap-drops truncated-lines stream-bytes "
     "unread-truncated "
     "sequence-gap late-events evicted-groups unreadable-batch damaged-entry "
     "unread-removed dead-letter other"},
    SYSTEMS_OPTIONS,
    {"json", 'j', CON_FLAG, NULL, "the records as JSON, one a line", NULL},
    UNLOCK_OPTION,
    SHOW_OPTIONS,
    {0},
};

static const struct con_option report_options[] = {
    {"day", 0, CON_VALUE, "DAY", "a day: 2026-11-21", NULL},
    {"week", 0, CON_VALUE, "WEEK", "a week of ISO 8601, from Monday: 2026-W47", NULL},
    {"month", 0, CON_VALUE, "MONTH", "a month: 2026-11", NULL},
    {"quarter", 0, CON_VALUE, "QUARTER", "three months: 2026Q4", NULL},
    {"half", 0, CON_VALUE, "HALF", "six months: 2026H2", NULL},
    {"year", 0, CON_VALUE, "YEAR", "a year: 2026", NULL},
    {"since", 0, CON_VALUE, "TIME",
     "begin so far back (10m, 24h, 7d), on a day, or at a time (RFC 3339); default: 24h",
     NULL},
    {"until", 0, CON_VALUE, "TIME", "end before; likewise (default: now)", NULL},
    {"html", 0, CON_FLAG, NULL, "one HTML file, without scripts (default: Markdown)",
     NULL},
    {"json", 'j', CON_FLAG, NULL, "one JSON object (docs/formats/report.md)", NULL},
    {"output", 'o', CON_VALUE, "FILE", "write it there, whole or not at all", "@files"},
    {"sign", 0, CON_VALUE, "KEY",
     "of --output: sign with this Ed25519 key, into FILE.sig", "@files"},
    {"top", 'n', CON_VALUE, "N", "rows of a table (default: 10)", NULL},
    {"data", 'd', CON_VALUE, "DIR",
     "data of a node, or a copy of it (default: /var/lib/haidang); programs are then "
     "asked only with --run-dir",
     "@dirs"},
    {"archive", 0, CON_VALUE, "DIR", "the archive (default: correlator/archive in it)",
     "@dirs"},
    {"alerts", 0, CON_VALUE, "DIR", "alert journal (correlator/alerts)", "@dirs"},
    {"losses", 0, CON_VALUE, "DIR", "loss ledger (correlator/losses)", "@dirs"},
    {"receipts", 0, CON_VALUE, "DIR", "forwarder's receipts (forwarder/receipts)",
     "@dirs"},
    {"run-dir", 0, CON_VALUE, "DIR",
     "directory of the programs' sockets (default: /run/haidang)", "@dirs"},
    INVENTORY_OPTION,
    {"jobs", 0, CON_VALUE, "N", "threads (default: one a processor, at most 8)", NULL},
    UNLOCK_OPTION,
    SHOW_OPTIONS,
    {0},
};

static const struct con_option canary_options[] = {
    {"key", 'k', CON_VALUE, "FILE",
     "Ed25519 key to sign with; made when missing, FILE.pub is for canary.keys of the "
     "correlator (default: /etc/haidang/canary.key)",
     "@files"},
    {"udp", 0, CON_LIST, "HOST:PORT", "by this UDP listener of an agent; repeatable",
     NULL},
    {"tcp", 0, CON_LIST, "HOST:PORT", "by this TCP listener", NULL},
    {"tls", 0, CON_LIST, "HOST:PORT", "by this TLS listener", NULL},
    {"file", 0, CON_LIST, "FILE",
     "by a line at the end of this file, which an agent reads", "@files"},
    {"stdin", 0, CON_LIST, "PIPE",
     "by a line in this pipe, which is an agent's standard input (a named pipe, or "
     "/proc/PID/fd/0)",
     "@files"},
    {"ca", 0, CON_VALUE, "FILE",
     "of --tls: the authority to believe (default: the system's)", "@files"},
    {"cert", 0, CON_VALUE, "FILE", "of --tls: our certificate", "@files"},
    {"cert-key", 0, CON_VALUE, "FILE", "of --tls: its private key", "@files"},
    {"rule", 'r', CON_LIST, "ID", "try this rule (id or name); repeatable", NULL},
    {"all", 'a', CON_FLAG, NULL, "try every rule that has an example", NULL},
    {"oldest", 'o', CON_VALUE, "N",
     "try the N rules that were proven longest ago, or never, as the correlator says "
     "(default: 1)",
     NULL},
    {"timeout", 't', CON_VALUE, "DURATION",
     "a canary that has not arrived by then has failed (default: 30s)", NULL},
    {"archive", 0, CON_VALUE, "DIR", "the correlator's archive", "@dirs"},
    {"alerts", 0, CON_VALUE, "DIR", "the correlator's alert journal", "@dirs"},
    {"receipts", 0, CON_VALUE, "DIR", "the forwarder's receipts", "@dirs"},
    {"no-receipts", 0, CON_FLAG, NULL,
     "the forwarder is elsewhere, or there is none: end at the alert", NULL},
    {"run-dir", 0, CON_VALUE, "DIR",
     "directory of the programs' sockets (default: /run/haidang)", "@dirs"},
    RULES_OPTIONS,
    {"json", 'j', CON_FLAG, NULL, "a JSON object for each canary, one a line", NULL},
    UNLOCK_OPTION,
    SHOW_OPTIONS,
    {0},
};

static const struct con_option sources_options[] = {
    {"run-dir", 0, CON_VALUE, "DIR",
     "directory of the programs' sockets (default: /run/haidang)", "@dirs"},
    {"silent", 's', CON_FLAG, NULL,
     "only those that are silent or slow, or whose agent is lost", NULL},
    SYSTEMS_OPTIONS,
    {"json", 'j', CON_FLAG, NULL, "what the correlator says, as one JSON object", NULL},
    SHOW_OPTIONS,
    {0},
};

static const struct con_option status_options[] = {
    {"run-dir", 0, CON_VALUE, "DIR",
     "directory of the programs' sockets (default: /run/haidang)", "@dirs"},
    {"rules", 'r', CON_FLAG, NULL, "what each rule of the correlator does and costs",
     NULL},
    {"sort", 0, CON_VALUE, "COLUMN",
     "of --rules: largest first by (default: hits); proven: longest ago first",
     "hits alerts suppressed filtered throttled cost_ns cost_ms proven"},
    {"top", 0, CON_VALUE, "N", "of --rules: so many (default: 20)", NULL},
    {"json", 'j', CON_FLAG, NULL, "what the programs say, as one JSON object", NULL},
    SHOW_OPTIONS,
    {0},
};

static const struct con_option decode_options[] = {
    DECODERS_OPTION,
    {"format", 'f', CON_VALUE, "NAME", "format of the lines (default: auto)", NULL},
    {"host", 'H', CON_VALUE, "NAME", "host the lines come from (default: localhost)",
     NULL},
    {"zone", 'z', CON_VALUE, "ZONE",
     "time zone of times without one (default: Asia/Ho_Chi_Minh)", NULL},
    {0},
};

static const struct con_option backtest_options[] = {
    {"since", 0, CON_VALUE, "TIME",
     "begin so far back (10m, 24h, 7d), or at a time (RFC 3339); default: 24h", NULL},
    {"until", 0, CON_VALUE, "TIME", "end so far back, or at a time (default: now)", NULL},
    {"archive", 0, CON_VALUE, "DIR", "the correlator's archive", "@dirs"},
    RULES_OPTIONS,
    {"zone", 'z', CON_VALUE, "ZONE",
     "time zone of times without one (default: Asia/Ho_Chi_Minh)", NULL},
    {"canary-keys", 0, CON_VALUE, "DIR",
     "public keys of canaries, as canary.keys of the correlator: what they have signed "
     "is left out (default: /etc/haidang/canary.d, where it is)",
     "@dirs"},
    {"suppress", 0, CON_VALUE, "TIME",
     "hold back repeats within this time, as suppress.window of the correlator does "
     "(default: 5m; 0s: hold back nothing)",
     NULL},
    {"examples", 'e', CON_VALUE, "N", "lines shown a rule (default: 3)", NULL},
    {"jobs", 0, CON_VALUE, "N", "threads (default: one a processor, at most 8)", NULL},
    {"json", 'j', CON_FLAG, NULL, "the outcome as one JSON object", NULL},
    UNLOCK_OPTION,
    SHOW_OPTIONS,
    {0},
};

static const struct con_option search_options[] = {
    {"fixed-strings", 'F', CON_FLAG, NULL, "PATTERN is the text itself", NULL},
    {"ignore-case", 'i', CON_FLAG, NULL,
     "upper and lower case are the same, also of "
     "Vietnamese letters",
     NULL},
    {"invert-match", 'v', CON_FLAG, NULL, "lines that do not match", NULL},
    {"since", 0, CON_VALUE, "TIME",
     "begin so far back (10m, 24h, 7d), or at a time (RFC 3339); default: the oldest",
     NULL},
    {"until", 0, CON_VALUE, "TIME", "end so far back, or at a time (default: now)", NULL},
    {"host", 'H', CON_LIST, "NAME",
     "of this server, or sent from this address; * and ? are wildcards; repeatable: any "
     "of them",
     NULL},
    {"agent", 'a', CON_LIST, "NAME", "taken by this agent; likewise", NULL},
    {"source", 's', CON_LIST, "NAME", "of this path, listener or interface; likewise",
     NULL},
    SYSTEMS_OPTIONS,
    {"field", 'f', CON_LIST, "NAME=VALUE",
     "the decoded line has this field; * and ? are wildcards; repeatable: all of them",
     NULL},
    DECODERS_OPTION,
    {"zone", 'z', CON_VALUE, "ZONE",
     "for --field: time zone of times without one (default: Asia/Ho_Chi_Minh)", NULL},
    {"after", 'A', CON_VALUE, "N", "show N lines of the same source behind each", NULL},
    {"before", 'B', CON_VALUE, "N", "show N lines of the same source before each", NULL},
    {"context", 'C', CON_VALUE, "N", "both", NULL},
    {"max-count", 'm', CON_VALUE, "N", "end after the first N lines", NULL},
    {"count", 'c', CON_FLAG, NULL, "only how many lines there are", NULL},
    {"by", 0, CON_VALUE, "host", "how many of each host, most first", "host"},
    {"json", 'j', CON_FLAG, NULL, "one JSON object a line", NULL},
    {"jobs", 0, CON_VALUE, "N", "threads (default: one a processor, at most 8)", NULL},
    UNLOCK_OPTION,
    SHOW_OPTIONS,
    {0},
};

static const struct con_option rules_check_options[] = {
    RULES_OPTIONS,
    {"strict", 0, CON_FLAG, NULL, "warnings are failures, too", NULL},
    {"against", 0, CON_VALUE, "PATH",
     "rules in use: says which correlations a reload lets go on", "@files"},
    {"json", 'j', CON_FLAG, NULL, "problems as JSON on standard output, one a line",
     NULL},
    {0},
};

static const struct con_option rules_explain_options[] = {
    RULES_OPTIONS,
    {"json", 'j', CON_FLAG, NULL, "one JSON object a rule", NULL},
    SHOW_OPTIONS,
    {0},
};

static const struct con_option rules_list_options[] = {
    RULES_OPTIONS,
    {"level", 's', CON_VALUE, "LEVEL",
     "at least: informational, low, medium, high, critical",
     "informational low medium high critical"},
    {"status", 0, CON_VALUE, "STATUS",
     "stable, test, experimental, deprecated or unsupported",
     "stable test experimental deprecated unsupported"},
    {"logsource", 'L', CON_LIST, "SOURCE",
     "of the log source product=WORD,category=WORD,service=WORD; repeatable: any of them",
     NULL},
    {"tag", 't', CON_VALUE, "TAG",
     "a tag or what is above it: attack.t1059 finds attack.t1059.001", NULL},
    {"json", 'j', CON_FLAG, NULL, "one JSON object a line", NULL},
    {"lang", 'l', CON_VALUE, "LANG", "language of the titles: en or vi", "en vi"},
    {0},
};

/* Where events come from, for the commands that read some. */
#define EVENTS_OPTIONS                                                                   \
    RULES_OPTIONS, {"events",                                                            \
                    'e',                                                                 \
                    CON_VALUE,                                                           \
                    "FILE|-",                                                            \
                    "events, one a line: log lines or JSON objects",                     \
                    "@files"},                                                           \
        {"logsource",                                                                    \
         'L',                                                                            \
         CON_LIST,                                                                       \
         "SOURCE",                                                                       \
         "all events have this log source: product=WORD,category=WORD,service=WORD; "    \
         "repeatable (default: as the decoders tell)",                                   \
         NULL},                                                                          \
        {"format",                                                                       \
         'f',                                                                            \
         CON_VALUE,                                                                      \
         "NAME",                                                                         \
         "format of the lines, for the decoders (default: auto)",                        \
         NULL},                                                                          \
        {"host",                                                                         \
         'H',                                                                            \
         CON_VALUE,                                                                      \
         "NAME",                                                                         \
         "host of lines that name none (default: localhost)",                            \
         NULL},                                                                          \
    {                                                                                    \
        "zone", 'z', CON_VALUE, "ZONE",                                                  \
            "time zone of times without one (default: Asia/Ho_Chi_Minh)", NULL           \
    }

static const struct con_option rules_match_options[] = {
    EVENTS_OPTIONS,
    {"all", 'a', CON_FLAG, NULL, "also hits of rules that only feed correlations", NULL},
    {"strict", 0, CON_FLAG, NULL,
     "exit status 3 when a rule or a line was refused, or something was left out", NULL},
    {0},
};

static const struct con_option rules_coverage_options[] = {
    EVENTS_OPTIONS,
    {"archive", 0, CON_VALUE, "DIR",
     "the correlator's archive: judge by what it received", "@dirs"},
    {"since", 0, CON_VALUE, "DURATION", "of the archive: so far back (default: 24h)",
     NULL},
    {"missing", 'm', CON_FLAG, NULL, "list the rules that cannot fire, and why", NULL},
    {"json", 'j', CON_FLAG, NULL, "one JSON object", NULL},
    UNLOCK_OPTION,
    SHOW_OPTIONS,
    {0},
};

static const struct con_option rules_bench_options[] = {
    EVENTS_OPTIONS,
    {"time", 't', CON_VALUE, "DURATION", "measure so long (default: 2s)", NULL},
    {"top", 'n', CON_VALUE, "N", "rules shown (default: 15)", NULL},
    {"json", 'j', CON_FLAG, NULL, "one JSON object", NULL},
    {0},
};

static const struct con_option rules_test_options[] = {
    EVENTS_OPTIONS,
    {"limit", 'n', CON_VALUE, "N",
     "events shown (default: 20, with --json all; 0: all); the others are counted", NULL},
    {"json", 'j', CON_FLAG, NULL, "one JSON object an event and rule", NULL},
    SHOW_OPTIONS,
    {0},
};

static const struct con_option ca_init_options[] = {
    {"dir", 'd', CON_VALUE, "DIR", "directory of the CA (default: /etc/haidang/ca)",
     "@dirs"},
    {"name", 0, CON_VALUE, "NAME", "the CA's common name", NULL},
    {"days", 0, CON_VALUE, "N", "valid for so many days (default: 3650)", NULL},
    {0},
};

static const struct con_option ca_issue_options[] = {
    {"dir", 'd', CON_VALUE, "DIR", "directory of the CA (default: /etc/haidang/ca)",
     "@dirs"},
    {"server", 's', CON_FLAG, NULL,
     "for a correlator or another server (default: an agent)", NULL},
    {"host", 'H', CON_LIST, "NAME", "host name or address clients call it by; repeatable",
     NULL},
    {"days", 0, CON_VALUE, "N", "valid for so many days (default: 825)", NULL},
    {"out", 'o', CON_VALUE, "DIR",
     "where to put NAME.crt and NAME.key (default: DIR/issued)", "@dirs"},
    {0},
};

static const struct con_option ca_revoke_options[] = {
    {"dir", 'd', CON_VALUE, "DIR", "directory of the CA (default: /etc/haidang/ca)",
     "@dirs"},
    {0},
};

const struct con_command con_commands[] = {
    {"tail", "", "shows alerts as they come", "hiển thị cảnh báo ngay khi phát sinh",
     "Filters compare as one types: without case and diacritics. On a terminal in "
     "colour\n"
     "(not with NO_COLOR set) and cut to its width; with --json for pipes. Ends with "
     "Ctrl-C.",
     tail_options, 0, 0, con_run_tail},
    {"losses", "", "what was lost or refused: where, how much, when and why",
     "những gì đã mất hoặc bị từ chối: ở đâu, bao nhiêu, khi nào và vì sao",
     "A row for each kind, agent and source: how much, from when to when; below the rows "
     "of a\n"
     "kind the reason and what to do. From the correlator's loss ledger and the "
     "forwarder's\n"
     "receipts; reads only. Where there is an inventory, a row says whose information "
     "system the\n"
     "agent is.\n"
     "\n"
     "Exit status 0: nothing was lost; 1: something was, or a part of the ledger cannot "
     "be read;\n"
     "2: wrong usage; 6: the ledger is not there or not readable.",
     losses_options, 0, 0, con_run_losses},
    {"report", "", "a period's logs, alerts, deliveries and losses, for a reader",
     "báo cáo theo kỳ: nhật ký, cảnh báo, việc gửi và những gì đã mất",
     "One period: a day, week, month, quarter, half or year, or from --since to --until. "
     "From what\n"
     "is stored: also from a copy, offline, while the correlator runs. Reads only. What "
     "cannot be\n"
     "known stands in the report, never as 0. A line belongs to when its agent received "
     "it, an alert\n"
     "to when it was published, a loss to when it ended: a quarter is the sum of its "
     "months.\n"
     "\n"
     "Exit status 0: the report is made; 1: made, but something that is stored cannot be "
     "read, or it\n"
     "cannot be written; 2: wrong usage; 4: the key cannot be used; 6: the archive "
     "cannot be read, or\n"
     "--output not written.",
     report_options, 0, 0, con_run_report},
    {"canary", "[PATH...]",
     "sends signed tests by each way in, and traces them to the forwarder",
     "gửi dòng thử có ký qua từng đường vào và theo dấu đến bộ chuyển tiếp",
     "A canary is the example of a rule in a signed wrapper, sent as any line is. It is "
     "followed\n"
     "into the archive, to its alert, which is marked as a test, and to the receipt that "
     "says that\n"
     "it was withheld. Rules come from PATH (files or directories; default: those "
     "installed). To be\n"
     "run where the correlator's journals are. docs/operations.md has how to set it up.\n"
     "\n"
     "Exit status 0: all arrived in time; 1: some did not, they are named; 2: wrong "
     "usage; 3: no\n"
     "rule to try; 4: the key cannot be used; 6: a journal cannot be read.",
     canary_options, 0, 1000, con_run_canary},
    {"search", "PATTERN [DIR]", "finds lines in the archive, as grep does",
     "tìm dòng trong kho lưu, như grep",
     "PATTERN is a regular expression (as of PCRE2), sought in each line as it was "
     "received;\n"
     "'' is in all. DIR: the correlator's archive, or a directory of segments copied "
     "from "
     "one\n"
     "(default: /var/lib/haidang/correlator/archive).\n"
     "\n"
     "Lines come in the order in which they were archived, each with the time when its "
     "agent\n"
     "received it and its server. Context (-A, -B, -C) is of the same source in the same "
     "batch.\n"
     "A line is a system's (--system, --agency, --level) when the inventory has its "
     "host, else\n"
     "its agent's name, else the network of its sender among those of the system.\n"
     "\n"
     "A member of --json: time, host, agent, boot, seq, source, kind, peer, line, "
     "truncated,\n"
     "context, and where the line is: entry, segment, offset.\n"
     "\n"
     "Exit status as of grep: 0 something was found, 1 nothing was, 2 an error, also "
     "when "
     "parts\n"
     "of the archive could not be read (the rest was searched).",
     search_options, 1, 2, con_run_search},
    {"status", "", "how the programs, agents and destinations are",
     "tình trạng các chương trình, tác tử và nơi nhận cảnh báo",
     "Exit status 0 when all that answer are well, 1 when something needs attention.",
     status_options, 0, 0, con_run_status},
    {"sources", "", "which sources send, which have fallen silent",
     "nguồn nào đang gửi nhật ký, nguồn nào đã im lặng",
     "The inventory that the correlator keeps of all sources it has heard: when last, "
     "how "
     "many\n"
     "lines today and usually, after how many silent seconds it raises an alert, how far "
     "the\n"
     "clock is off, whose information system it is (where there is an inventory); and "
     "systems of\n"
     "level 3 or more that nobody watches. Exit status 0 when all is well, 1 when "
     "something is\n"
     "silent or unmonitored.",
     sources_options, 0, 0, con_run_sources},
    {"decode", "FILE|-", "log lines in, events as JSON out",
     "giải mã dòng nhật ký thành sự kiện JSON",
     "For each line the decoder and pattern that knew it and the fields it gave, as one "
     "JSON\n"
     "object a line. decoder is null for lines that none knew.",
     decode_options, 1, 1, con_run_decode},
    {"rules bench", "[PATH...] --events FILE|-",
     "how fast the rules are on these events, and which cost most",
     "đo tốc độ của bộ luật trên các sự kiện và luật nào tốn nhất",
     "Processor time of one thread, the best of several passes over the events in "
     "memory. "
     "Below:\n"
     "for each rule the time an event that evaluating it takes, the share of events for "
     "which it is\n"
     "looked at, and for which it holds.",
     rules_bench_options, 0, 1000, con_run_rules_bench},
    {"rules check", "[PATH...]", "checks rules: every error with file, line and column",
     "kiểm tra luật: báo mọi lỗi kèm tệp, dòng và cột",
     "PATH is a Sigma rule file or a directory of them; without one, the installed "
     "rules.\n"
     "With --json a problem is {\"level\",\"file\",\"line\",\"column\",\"text\"}, the "
     "last "
     "line is\n"
     "{\"rules\",\"errors\",\"warnings\",\"ms\"}. Exit status 0 when all rules are good, "
     "3 "
     "when not.\n"
     "With --against each correlation of PATH that has changed or is gone is named, and "
     "whether it\n"
     "would keep its groups; as JSON {\"correlation\",\"title\",\"changed\",\"kept\"}.",
     rules_check_options, 0, 1000, con_run_rules_check},
    {"rules list", "[PATH...]", "lists rules: all, or those of a level, source or tag",
     "liệt kê các luật, có thể lọc theo mức, nguồn hoặc nhãn",
     "Columns: id, level, title. Filters hold together. Rules that cannot be loaded are "
     "named on\n"
     "standard error, and the exit status is then 3.",
     rules_list_options, 0, 1000, con_run_rules_list},
    {"rules coverage", "[PATH...]",
     "which rules can fire with the sources there are, by ATT&CK tactic",
     "luật nào có thể khớp với các nguồn hiện có, theo chiến thuật ATT&CK",
     "A rule can fire when some decoder gives its log source. With --events or "
     "--archive: "
     "when\n"
     "events of that source came, and had the fields without which the rule cannot "
     "become "
     "true.\n"
     "Reasons that --missing gives: no-source (no decoder gives it), not-seen (none "
     "came), "
     "no-fields.",
     rules_coverage_options, 0, 1000, con_run_rules_coverage},
    {"rules explain", "RULE [PATH...]", "what a rule was compiled to, and what it costs",
     "giải thích luật: được dịch thành gì, khi nào được xét",
     "RULE is a rule file, or an id, a name or a part of a title that is sought in PATH "
     "(default:\n"
     "the installed rules). Shows the comparisons after all modifiers, as the engine "
     "makes "
     "them\n"
     "(texts in lower case), with how many rules share each; what must be found in an "
     "event "
     "before\n"
     "the rule is looked at, and how often that is expected; and the log sources whose "
     "events meet it.",
     rules_explain_options, 1, 1000, con_run_rules_explain},
    {"rules convert", "[PATH...]", "prints rules in one way of writing, nothing lost",
     "in lại luật theo một cách viết thống nhất, không mất nội dung",
     "Sigma in, Sigma out: keys in the order of the specification, strings quoted, "
     "aliases "
     "written\n"
     "out. Loading the output gives the same comparisons. Comments are not kept.",
     NULL, 0, 1000, con_run_rules_convert},
    {"rules match", "[PATH...] --events FILE|-", "events in, one JSON line a hit out",
     "so khớp sự kiện với luật, mỗi lần khớp in một dòng JSON",
     "The engine as a filter, without a server: the decoding, matching and correlating "
     "of the\n"
     "correlator. A line is an event; it may be text or a JSON object. Which rules it "
     "can "
     "meet\n"
     "is told from its shape by the decoders, or declared with --logsource: then a JSON "
     "object's\n"
     "fields are named as they are in it, nested ones a.b.c. A hit:\n"
     "\n"
     "  "
     "{\"event\":7,\"rule\":{\"id\":\"...\",\"title\":\"...\",\"level\":\"high\"},"
     "\"fields\":{\"Image\":"
     "\"...\"}}\n"
     "\n"
     "event is the number of the line, from 1. Hits come in the order of events, of one "
     "event in\n"
     "the order of the rules. Those of correlations have a member \"correlation\" more "
     "(docs/formats/match.md).\n"
     "\n"
     "Exit status 0 when all events were read, whether rules fired or not; 1 events "
     "cannot be\n"
     "read or hits not written; 2 wrong usage; 3 no rule could be loaded, or with "
     "--strict\n"
     "anything was refused. What is refused is named on standard error.",
     rules_match_options, 0, 1000, con_run_rules_match},
    {"rules test", "[PATH...] [--events FILE|-]",
     "runs the examples of rules, or shows why events fire them or not",
     "chạy thử các ví dụ đi kèm luật, hoặc cho biết vì sao sự kiện khớp hay không",
     "Without --events: every line under haidang.examples.match must fire its rule, none "
     "under\n"
     "no_match may; exit status 3 when one fails. With --events: for each event and each "
     "rule of\n"
     "PATH (files, at most 16 rules) whether it fires, which of the rule's searches "
     "hold, "
     "and each\n"
     "comparison (+ holds, - does not) with the value that the event has.",
     rules_test_options, 0, 1000, con_run_rules_test},
    {"backtest", "RULE...", "what rules would have raised, over the archive",
     "chạy thử luật trên kho lưu: luật sẽ báo những gì",
     "RULE is a Sigma rule file or a directory of them. The same decoders, matcher and\n"
     "correlation as the correlator's; correlations begin with empty windows at "
     "--since.\n"
     "Times of --since and --until are those when agents received the lines. Reads the\n"
     "archive only, with low priority, and disturbs nothing.",
     backtest_options, 1, 1000, con_run_backtest},
    {"archive verify", "[DIR...]",
     "checks that an archive holds what was signed, and names what does not",
     "kiểm tra kho lưu còn đúng như lúc ký, chỉ rõ chỗ sai",
     "DIR is the directory of an archive, of alerts, of receipts or of an export "
     "(default: the\n"
     "correlator's archive). Every entry against its checksum, every sealed segment "
     "against its\n"
     "SHA-256 and signature, and the chain from segment to segment; with --tsa-ca each "
     "time "
     "stamp beside\n"
     "a segment (DIR/stamps) against its seal and the authority. One line a problem: "
     "file, entry,\n"
     "offset, what is wrong. Needs the public keys alone, talks to no program, changes "
     "nothing.\n"
     "Exit status 0 when all holds, 1 when there are problems, 4 a key cannot be read, "
     "6 a\n"
     "directory cannot. docs/proof.md: the same without this program.",
     con_archive_verify_options, 0, 1000, con_run_archive_verify},
    {"archive list", "[DIR]", "lists the segments of an archive",
     "liệt kê các đoạn của kho lưu",
     "From what their footers say, without reading the entries. Sealed segments with the "
     "first digits of\n"
     "the id of the key that signed them. With --retention FILE (the correlator's "
     "archive.retention)\n"
     "everything is read, and each row says until when it is kept and what asks for "
     "that. Exit status 3\n"
     "when FILE cannot be used, 6 when the directory cannot be read.",
     con_archive_list_options, 0, 1, con_run_archive_list},
    {"archive key", "FILE", "makes a key that journals are encrypted with",
     "tạo khóa để mã hóa nhật ký lưu trữ",
     "Writes 32 random bytes as hex digits into FILE, which only you may read, and says "
     "the key's id.\n"
     "Name the file as encryption_key in the configuration of whoever is to encrypt, and "
     "keep copies of\n"
     "it: what was encrypted is lost without it. The same as 'umask 077; openssl rand "
     "-hex 32 > FILE'.\n"
     "Exit status 6 when the file is there already or cannot be written.",
     con_archive_key_options, 1, 1, con_run_archive_key},
    {"archive compare", "[DIR] OTHER",
     "tells whether another directory holds all that an archive holds",
     "cho biết thư mục khác có đủ mọi đoạn của kho lưu hay không",
     "OTHER is a second copy, such as the correlator's mirror; DIR is the directory of "
     "an "
     "archive (default:\n"
     "the correlator's). Compares the signed statements of the sealed segments; that the "
     "content is\n"
     "what they say is for 'haidang archive verify OTHER'. The segment in use is passed "
     "over. Exit\n"
     "status 0 when all are there, 1 when some are missing or differ, 6 when a directory "
     "cannot be\n"
     "read.",
     con_archive_compare_options, 1, 2, con_run_archive_compare},
    {"archive export", "[DIR] OUT-DIR|-",
     "copies sealed segments and keys to carry them away",
     "chép các đoạn đã niêm phong và khóa để mang đi",
     "Whole segments, from the first to the last that hold the time, each verified as it "
     "lies in\n"
     "OUT-DIR before it gets its name. OUT-DIR is an archive of its own: every command "
     "that reads one\n"
     "reads it. With it go the public keys (keys/) and SHA256SUMS for 'sha256sum -c'. "
     "Run again, it\n"
     "adds what is new. Exit status 1 when something was refused; it is named. OUT-DIR "
     "'-': "
     "a stream to\n"
     "standard output for 'archive import -' on another machine, which verifies it; a "
     "tar "
     "archive.",
     con_archive_export_options, 1, 2, con_run_archive_export},
    {"archive import", "DIR|-... --into DIR",
     "verifies exported segments and adds them to a copy of an archive",
     "kiểm tra các đoạn được mang đến và đưa vào bản sao của kho lưu",
     "Takes what verifies with the keys given and is of the same journal, leaves what is "
     "there as it\n"
     "is, and says what is missing between. Keys come from --key and --keys alone, never "
     "from what is\n"
     "imported. Exit status 1 when something was refused or is missing.",
     con_archive_import_options, 1, 1000, con_run_archive_import},
    {"archive repair", "[DIR] --into DIR",
     "saves what verifies in a damaged archive into a new directory",
     "cứu mọi mục còn nguyên trong kho lưu bị hỏng sang thư mục mới",
     "Segments without damage are copied as they are and stay signed; of damaged ones "
     "every entry\n"
     "that verifies is kept, unsigned. Names the entries that are lost, and between what "
     "times. The\n"
     "original is only read: keep it as evidence. Exit status 0 when nothing was lost, 1 "
     "when\n"
     "something was.",
     con_archive_repair_options, 0, 1, con_run_archive_repair},
    {"archive compact", "[DIR]", "writes cold segments of an archive anew, smaller",
     "nén lại các đoạn cũ của kho lưu cho nhỏ hơn",
     "Each sealed segment but the last is verified, every batch in it compressed as far "
     "as zstd can, and\n"
     "the new file verified before it takes the place of the old one in one step: the "
     "correlator and\n"
     "readers may be at work, a crash leaves the one or the other. Positions, times and "
     "the statement\n"
     "it was sealed with stay; a second one, signed now, says what was done, with the "
     "hash of the content\n"
     "before and after. With --drop-expired what is past its time by --retention FILE, "
     "and read by all,\n"
     "is left out, and listed there. What does not verify, is not signed or is encrypted "
     "is left alone.\n"
     "Run it as the owner of the files or root; it runs with low priority. Exit status "
     "0: done; 1: some\n"
     "segments do not verify, or it was stopped; 4: no key to sign with; 6: the "
     "directory cannot be used.",
     con_archive_compact_options, 0, 1, con_run_archive_compact},
    {"prove", "LINE|EVENT-ID|ALERT-ID",
     "what is stored of a line or an alert: from its host to the receipt",
     "chuỗi chứng cứ của một dòng hoặc cảnh báo: từ máy chủ đến biên nhận",
     "EVENT-ID is AGENT/BOOT/SEQ, or AGENT/SEQ when one boot has it; ALERT-ID a UUID; "
     "LINE a whole\n"
     "line as it was received, or its SHA-256. Shows host, agent, batch, segment of the "
     "archive and\n"
     "its seal, the alerts in whose evidence it is, and their receipts; what is missing "
     "is said.\n"
     "With --bundle one tar file with the segments concerned, which verify checks on any "
     "machine\n"
     "(docs/proof.md). Reads only. Exit status 0 found, 1 not found, 6 a journal cannot "
     "be read.",
     con_prove_options, 1, 1, con_run_prove},
    {"verify", "BUNDLE --key FILE...", "checks a bundle that prove has written",
     "kiểm tra gói chứng cứ do lệnh prove ghi ra",
     "Needs the public keys alone, unpacks nothing. Each link is checked: hash and "
     "signature of the\n"
     "segments, that line, alert and receipt are where the bundle says, the SHA-256 of "
     "evidence, what\n"
     "refers to what. Exit status 0 when all holds, 1 when a link does not (it is "
     "named), 2 wrong\n"
     "usage, 4 a key cannot be used, 6 the file cannot be read.",
     con_verify_options, 1, 1, con_run_verify},
    {"ca init", "", "makes a certification authority", "tạo cơ quan chứng thực (CA)",
     NULL, ca_init_options, 0, 0, con_run_ca_init},
    {"ca issue", "NAME", "makes a key and certificate for an agent or a server",
     "cấp khóa và chứng thư cho tác tử hoặc máy chủ",
     "An agent's NAME is the name it reports under. Copy NAME.crt, NAME.key and ca.crt "
     "to the\n"
     "machine; the key is readable by its owner only and must stay so.",
     ca_issue_options, 1, 1, con_run_ca_issue},
    {"ca revoke", "NAME", "revokes the certificates of NAME",
     "thu hồi chứng thư của NAME", NULL, ca_revoke_options, 1, 1, con_run_ca_revoke},
    {"completion", "bash", "prints the shell's completion script",
     "in tập lệnh tự hoàn thành cho shell", NULL, NULL, 1, 1, con_run_completion},
    {"man", "", "prints the manual page (roff)", "in trang hướng dẫn (roff)", NULL, NULL,
     0, 0, con_run_man},
    {0},
};
