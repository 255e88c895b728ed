/* SPDX-License-Identifier: Apache-2.0
 *
 * Times and syslog headers: a table of what real senders write, edges of the calendar,
 * and every truncation of every line.
 */
#include "tests/support/support.h"

#include <stdlib.h>

#include "rules/decode/syslog.h"

static struct hd_slice text(const char *s)
{
    return hd_slice_str(s);
}

static void assert_slice(struct hd_slice got, const char *want)
{
    if (!hd_slice_eq(got, text(want))) {
        fail_msg("\"%.*s\" is not \"%s\"", HD_SLICE_FMT(got), want);
    }
}

/* ---- headers ---- */

struct header_row {
    const char *line;
    enum rul_syslog_kind kind;
    int pri;
    bool is_certain;
    const char *host, *program, *pid, *message;
};

#define BSD  RUL_SYSLOG_BSD
#define IETF RUL_SYSLOG_IETF
#define BARE RUL_SYSLOG_BARE

/* clang-format off */
static const struct header_row headers[] = {
    /* RFC 3164, as its section 5.4 and real daemons write it */
    {"<34>Oct 11 22:14:15 mymachine su: 'su root' failed", BSD, 34, true, "mymachine", "su", "", "'su root' failed"},
    {"<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!", BSD, 13, true, "10.0.0.99", "", "", "Use the BFG!"},
    {"Dec 10 06:55:46 LabSZ sshd[24200]: Invalid user x", BSD, -1, true, "LabSZ", "sshd", "24200", "Invalid user x"},
    {"Dec  1 06:55:46 LabSZ sshd[24200]: x\r\n", BSD, -1, true, "LabSZ", "sshd", "24200", "x"},
    {"Dec 1 06:55:46 LabSZ sshd[24200]: x", BSD, -1, true, "LabSZ", "sshd", "24200", "x"},
    {"Jun 14 15:16:01 combo sshd(pam_unix)[19939]: check pass", BSD, -1, true, "combo", "sshd", "19939", "check pass"},
    {"Oct 11 22:14:15 host CRON[12]: (root) CMD (x)", BSD, -1, true, "host", "CRON", "12", "(root) CMD (x)"},
    {"Oct 11 22:14:15 host /usr/sbin/cron[12]: x", BSD, -1, true, "host", "/usr/sbin/cron", "12", "x"},
    {"Oct 11 22:14:15 host postfix/smtpd[12]: x", BSD, -1, true, "host", "postfix/smtpd", "12", "x"},
    {"Oct 11 22:14:15 host (systemd)[12]: x", BSD, -1, true, "host", "(systemd)", "12", "x"},
    {"Oct 11 22:14:15 fe80::1 su: x", BSD, -1, true, "fe80::1", "su", "", "x"},
    {"Oct 11 22:14:15 host last message repeated 2 times", BSD, -1, true, "host", "", "", "last message repeated 2 times"},
    {"Oct 11 22:14:15 combo syslogd 1.4.1: restart.", BSD, -1, true, "combo", "", "", "syslogd 1.4.1: restart."},
    {"Oct 11 22:14:15 combo -- root[2421]: ROOT LOGIN", BSD, -1, true, "combo", "", "", "-- root[2421]: ROOT LOGIN"},
    {"Oct 11 22:14:15 host app[web.1]: x", BSD, -1, true, "host", "app", "web.1", "x"},
    {"Oct 11 22:14:15 host app[]: x", BSD, -1, true, "host", "app", "", "x"},
    {"Oct 11 22:14:15 host app[12] x", BSD, -1, true, "host", "app", "12", "x"},
    {"Oct 11 22:14:15 host app:no space", BSD, -1, true, "host", "", "", "app:no space"},
    /* without a host name: what programs write to /dev/log */
    {"<38>Oct 11 22:14:15 sshd[12]: Accepted", BSD, 38, true, "", "sshd", "12", "Accepted"},
    {"<13>Oct 11 22:14:15 logger: hi", BSD, 13, true, "", "logger", "", "hi"},
    /* without a time */
    {"<13>myapp: hello", BARE, 13, true, "", "myapp", "", "hello"},
    {"<13>hello", BARE, 13, true, "", "", "", "hello"},
    /* ISO times: rsyslog, journald, with a fraction, offset with and without colon */
    {"2026-11-21T07:50:37.123456+07:00 web1 sshd[8]: x", BSD, -1, true, "web1", "sshd", "8", "x"},
    {"2026-11-21T07:50:37+0700 web1 sshd[8]: x", BSD, -1, true, "web1", "sshd", "8", "x"},
    {"<38>2026-11-21T07:50:37Z web1 sshd[8]: x", BSD, 38, true, "web1", "sshd", "8", "x"},
    /* an application's own log: the word behind the time is no host */
    {"2026-11-21 07:50:37 INFO started", BSD, -1, false, "", "", "", "INFO started"},
    {"2026-11-21 07:50:37,123 app[7]: started", BSD, -1, false, "", "app", "7", "started"},
    /* years in the middle, at the end, in front */
    {"<166>Jan 01 2026 10:00:00 asa1 : %ASA-6-302013: Built", BSD, 166, true, "asa1", "%ASA-6-302013", "", "Built"},
    {"<166>Jan 01 2026 10:00:00: %ASA-6-302013: Built", BSD, 166, true, "", "%ASA-6-302013", "", "Built"},
    {"Oct 11 22:14:15 2026 host app: x", BSD, -1, true, "host", "app", "", "x"},
    {"<189>2026 Jun 26 17:32:47.204 nx1 %ETHPORT-5-IF_UP: x", BSD, 189, true, "nx1", "%ETHPORT-5-IF_UP", "", "x"},
    /* Cisco IOS: sequence, asterisk, zone, origin */
    {"<189>29: *Mar  1 18:46:11.123 UTC: %SYS-5-CONFIG_I: Configured", BSD, 189, true, "", "%SYS-5-CONFIG_I", "", "Configured"},
    {"<189>29: rt1: *Mar  1 18:46:11: %SYS-5-CONFIG_I: Configured", BSD, 189, true, "rt1", "%SYS-5-CONFIG_I", "", "Configured"},
    {"<189>Mar  1 18:46:11 rt1: %SYS-5-CONFIG_I: Configured", BSD, 189, true, "rt1", "%SYS-5-CONFIG_I", "", "Configured"},
    /* the kernel */
    {"Oct 11 22:14:15 fw kernel: [12345.678901] IN=eth0", BSD, -1, true, "fw", "kernel", "", "IN=eth0"},
    {"Oct 11 22:14:15 fw kernel: IN=eth0", BSD, -1, true, "fw", "kernel", "", "IN=eth0"},
    {"[    0.000000] Linux version 6.1", BARE, -1, false, "", "kernel", "", "Linux version 6.1"},
    {"[12345.678] x", BARE, -1, false, "", "kernel", "", "x"},
    {"[error] x", BARE, -1, false, "", "", "", "[error] x"},
    /* RFC 5424, sections 6.5 examples */
    {"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xEF\xBB\xBF'su root' failed", IETF, 34, true, "mymachine.example.com", "su", "", "'su root' failed"},
    {"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time", IETF, 165, true, "192.0.2.1", "myproc", "8710", "%% It's time"},
    {"<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [exampleSDID@32473 iut=\"3\" x=\"a\\\"]b\"][b@1 c=\"d\"] An event", IETF, 165, true, "h", "evntslog", "", "An event"},
    {"<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [e@1 a=\"b\"]", IETF, 165, true, "h", "evntslog", "", ""},
    {"<165>1 - - - - - - only message", IETF, 165, true, "", "", "", "only message"},
    {"<165>1 - - - - - [broken only message", IETF, 165, true, "", "", "", "[broken only message"},
    {"<165>1 2003-10-11T22:14:15.003Z host", IETF, 165, true, "host", "", "", ""},
    /* PRI: at most 191, else it is text */
    {"<192>Oct 11 22:14:15 h a: x", BARE, -1, false, "", "", "", "<192>Oct 11 22:14:15 h a: x"},
    {"<1234>x", BARE, -1, false, "", "", "", "<1234>x"},
    {"<>x", BARE, -1, false, "", "", "", "<>x"},
    {"<-1>x", BARE, -1, false, "", "", "", "<-1>x"},
    {"<191>x", BARE, 191, true, "", "", "", "x"},
    /* no header */
    {"", BARE, -1, false, "", "", "", ""},
    {"just words", BARE, -1, false, "", "", "", "just words"},
    {"Error: it broke", BARE, -1, false, "", "", "", "Error: it broke"},
    {"sshd[12]: Failed", BARE, -1, false, "", "sshd", "12", "Failed"},
    {"Oct 11 22:14 host app: x", BARE, -1, false, "", "", "", "Oct 11 22:14 host app: x"},
    {"Oct 11 22:14:15", BSD, -1, true, "", "", "", ""},
};
/* clang-format on */

#define N_HEADERS (sizeof(headers) / sizeof(headers[0]))

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_HEADERS; i++) {
        const struct header_row *row = &headers[i];
        struct rul_syslog got;
        rul_syslog_parse(text(row->line), &got);
        if (got.kind != row->kind || got.pri != row->pri ||
            got.is_certain != row->is_certain) {
            fail_msg("%s: kind %d pri %d certain %d", row->line, got.kind, got.pri,
                     got.is_certain);
        }
        assert_slice(got.host, row->host);
        assert_slice(got.program, row->program);
        assert_slice(got.pid, row->pid);
        assert_slice(got.message, row->message);
    }
}

/* Views must lie in the line (or in a constant), whatever is cut off. */
static void test_truncations(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_HEADERS; i++) {
        size_t len = strlen(headers[i].line);
        for (size_t cut = 0; cut <= len; cut++) {
            uint8_t *exact = malloc(cut + 1);
            assert_non_null(exact);
            memcpy(exact, headers[i].line, cut);
            struct rul_syslog got;
            rul_syslog_parse(hd_slice(exact, cut), &got);
            if (got.message.len > 0) {
                assert_true(got.message.ptr >= exact &&
                            got.message.ptr + got.message.len <= exact + cut);
            }
            free(exact);
        }
    }
}

static void test_subtag(void **state)
{
    (void)state;
    struct rul_syslog got;
    rul_syslog_parse(text("Jun 14 15:16:01 combo sshd(pam_unix)[1]: x"), &got);
    assert_slice(got.subtag, "pam_unix");
    rul_syslog_parse(text("Jun 14 15:16:01 combo (systemd)[1]: x"), &got);
    assert_slice(got.subtag, "");
}

static void test_structured_data(void **state)
{
    (void)state;
    struct rul_syslog got;
    struct rul_syslog_param param = {0};
    rul_syslog_parse(
        text("<165>1 - h a - - [x@1 iut=\"3\" k=\"a \\\"]b\"][y@2 c=\"\"] m"), &got);
    struct hd_slice rest = got.data;
    assert_true(rul_syslog_next_param(&rest, &param));
    assert_slice(param.id, "x@1");
    assert_slice(param.name, "iut");
    assert_slice(param.value, "3");
    assert_true(rul_syslog_next_param(&rest, &param));
    assert_slice(param.name, "k");
    assert_slice(param.value, "a \\\"]b");
    assert_true(rul_syslog_next_param(&rest, &param));
    assert_slice(param.id, "y@2");
    assert_slice(param.value, "");
    assert_false(rul_syslog_next_param(&rest, &param));
}

/* ---- times ---- */

static int64_t at_utc(const char *rfc3339)
{
    int64_t ns = 0;
    assert_int_equal(hd_clock_parse_rfc3339(text(rfc3339), &ns), 0);
    return ns;
}

struct time_row {
    const char *received; /* UTC */
    const char *line;
    const char *want; /* UTC; NULL = no time */
};

/* clang-format off */
static const struct time_row times[] = {
    /* Vietnam is UTC+7 */
    {"2026-11-21T01:00:00Z", "Nov 21 07:59:58 h a: x", "2026-11-21T00:59:58Z"},
    {"2026-11-21T01:00:00Z", "Nov 21 07:59:58.25 h a: x", "2026-11-21T00:59:58.25Z"},
    /* the turn of the year, both ways; the zone decides which year it is here */
    {"2026-12-31T17:00:05Z", "Dec 31 23:59:58 h a: x", "2026-12-31T16:59:58Z"},
    {"2026-12-31T17:00:05Z", "Jan  1 00:00:03 h a: x", "2026-12-31T17:00:03Z"},
    {"2026-12-31T16:59:50Z", "Jan  1 00:00:03 h a: x", "2026-12-31T17:00:03Z"},
    {"2027-01-01T05:00:00Z", "Dec 31 23:59:58 h a: x", "2026-12-31T16:59:58Z"},
    /* at most a day ahead of the receiver; more is last year */
    {"2026-11-21T01:00:00Z", "Nov 22 07:00:00 h a: x", "2026-11-22T00:00:00Z"},
    {"2026-11-21T01:00:00Z", "Nov 23 07:00:00 h a: x", "2025-11-23T00:00:00Z"},
    /* 29 February is of a leap year */
    {"2024-02-29T03:00:00Z", "Feb 29 10:00:00 h a: x", "2024-02-29T03:00:00Z"},
    {"2024-03-01T03:00:00Z", "Feb 29 10:00:00 h a: x", "2024-02-29T03:00:00Z"},
    {"2026-03-01T03:00:00Z", "Feb 29 10:00:00 h a: x", "2024-02-29T03:00:00Z"},
    /* what no calendar has */
    {"2026-11-21T01:00:00Z", "Nov 31 07:00:00 h a: x", NULL},
    {"2026-11-21T01:00:00Z", "Nov 21 25:00:00 h a: x", NULL},
    {"2026-11-21T01:00:00Z", "Nov 21 14:99:16 h a: x", NULL},
    {"2026-11-21T01:00:00Z", "Nov  0 07:00:00 h a: x", NULL},
    /* a year and a zone that are written count as they are */
    {"2026-11-21T01:00:00Z", "Nov 21 2025 07:00:00 h a: x", "2025-11-21T00:00:00Z"},
    {"2026-11-21T01:00:00Z", "2026-11-21T07:50:37.123456+07:00 h a: x", "2026-11-21T00:50:37.123456Z"},
    {"2026-11-21T01:00:00Z", "2026-11-20T19:50:37-0500 h a: x", "2026-11-21T00:50:37Z"},
    {"2026-11-21T01:00:00Z", "2026-11-21 07:50:37,5 INFO x", "2026-11-21T00:50:37.5Z"},
    {"2026-11-21T01:00:00Z", "<189>1: Nov 21 00:50:37 UTC: %X-1-Y: x", "2026-11-21T00:50:37Z"},
    {"2026-11-21T01:00:00Z", "<34>1 2026-11-21T00:50:37.123456789Z h a - - - x", "2026-11-21T00:50:37.123456789Z"},
};
/* clang-format on */

static void test_times(void **state)
{
    (void)state;
    struct hd_zone *zone;
    assert_int_equal(hd_zone_open("Asia/Ho_Chi_Minh", &zone), 0);
    struct rul_stamp_clock clock = {0};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        const struct time_row *row = &times[i];
        struct rul_syslog header;
        int64_t ns = 0;
        rul_stamp_clock_set(&clock, zone, at_utc(row->received));
        rul_syslog_parse(text(row->line), &header);
        assert_true(header.has_stamp);
        int rc = rul_stamp_resolve(&header.stamp, &clock, &ns);
        if ((rc == 0) != (row->want != NULL) || (rc == 0 && ns != at_utc(row->want))) {
            char got[HD_RFC3339_LEN + 1] = "none";
            (void)hd_clock_format_rfc3339(ns, 9, got);
            fail_msg("%s received %s: %s", row->line, row->received, got);
        }
    }
    hd_zone_close(zone);
}

/* Daylight saving time: the offset of the moment counts, not the receiver's. */
static void test_zone_change(void **state)
{
    (void)state;
    struct hd_zone *zone;
    struct rul_stamp_clock clock = {0};
    struct rul_stamp stamp;
    int64_t ns;
    assert_int_equal(hd_zone_open("Europe/Berlin", &zone), 0);
    rul_stamp_clock_set(&clock, zone, at_utc("2026-03-29T01:30:00Z")); /* 03:30 CEST */
    assert_true(rul_stamp_bsd(text("Mar 29 01:30:00"), &stamp) > 0);   /* still CET */
    assert_int_equal(rul_stamp_resolve(&stamp, &clock, &ns), 0);
    assert_int_equal(ns, at_utc("2026-03-29T00:30:00Z"));
    hd_zone_close(zone);
}

static void test_other_stamps(void **state)
{
    (void)state;
    struct rul_stamp s;
    assert_int_equal(rul_stamp_clf(text("21/Nov/2026:07:50:37 +0700] x"), &s), 26);
    assert_int_equal(s.zone_s, 7 * 3600);
    assert_int_equal(s.civil.month, 11);
    assert_int_equal(rul_stamp_clf(text("21/Nov/2026:07:50:37"), &s), 0);
    assert_int_equal(rul_stamp_ctime(text("Sun Dec 04 04:47:44 2005] x"), &s), 24);
    assert_int_equal(s.civil.year, 2005);
    assert_int_equal(rul_stamp_ctime(text("Sat Nov 21 07:50:37.123456 2026]"), &s), 31);
    assert_int_equal(s.civil.nanosecond, 123456000);
    assert_int_equal(rul_stamp_ctime(text("Sat Nov 21 07:50:37 20"), &s), 0);
    assert_int_equal(rul_stamp_iso(text("2026/11/21 07:50:37 [error]"), &s), 19);
    assert_false(s.has_zone);
    assert_int_equal(rul_stamp_iso(text("2026-11/21 07:50:37 [error]"), &s), 0);
}

static void test_epoch(void **state)
{
    (void)state;
    int64_t ns;
    assert_int_equal(rul_stamp_epoch(text("1790000000"), &ns), 0);
    assert_int_equal(ns, INT64_C(1790000000000000000));
    assert_int_equal(rul_stamp_epoch(text("1790000000.5"), &ns), 0);
    assert_int_equal(ns, INT64_C(1790000000500000000));
    assert_int_equal(rul_stamp_epoch(text("1790000000123"), &ns), 0);
    assert_int_equal(ns, INT64_C(1790000000123000000));
    assert_int_equal(rul_stamp_epoch(text("1790000000123456"), &ns), 0);
    assert_int_equal(ns, INT64_C(1790000000123456000));
    static const char *const bad[] = {
        "", "12", "x", "1790000000.", "1790000000123.5", "99999999999", "1790000000x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_not_equal(rul_stamp_epoch(text(bad[i]), &ns), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),      cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_subtag),       cmocka_unit_test(test_structured_data),
        cmocka_unit_test(test_times),        cmocka_unit_test(test_zone_change),
        cmocka_unit_test(test_other_stamps), cmocka_unit_test(test_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
