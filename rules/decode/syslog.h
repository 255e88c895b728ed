/* SPDX-License-Identifier: Apache-2.0
 *
 * The header of a syslog line, in every shape that occurs: RFC 5424; RFC 3164 with and
 * without PRI, host name, tag; ISO times as rsyslog and journald write them; years before
 * or after the day; Cisco's sequence numbers; kernel lines; no header at all. Pure, never
 * fails: what is not a header is message. Views point into the line.
 */
#pragma once
#include "rules/decode/stamp.h"

enum rul_syslog_kind {
    RUL_SYSLOG_BARE, /* no header, or no more than a PRI or tag */
    RUL_SYSLOG_BSD,  /* RFC 3164 and its relatives: a time was read */
    RUL_SYSLOG_IETF, /* RFC 5424 */
};

struct rul_syslog {
    enum rul_syslog_kind kind;
    int pri;         /* 0..191; -1 = none */
    bool is_certain; /* a PRI, or a time as syslog writes it: no other log begins so */
    bool has_stamp;
    struct rul_stamp stamp;
    struct hd_slice host;    /* HOSTNAME */
    struct hd_slice program; /* TAG without pid, or APP-NAME: "sshd" */
    struct hd_slice subtag;  /* "pam_unix" of "sshd(pam_unix)[123]:" */
    struct hd_slice pid;     /* PROCID */
    struct hd_slice msgid;
    struct hd_slice data; /* STRUCTURED-DATA as it stood, empty for "-" */
    struct hd_slice message;
};

/* *out is filled whatever the line holds. Line ends and NULs behind it do not count. */
void rul_syslog_parse(struct hd_slice line, struct rul_syslog *out);

/* Walks PARAMs of STRUCTURED-DATA (RFC 5424 section 6.3): false at the end. *rest starts
 * as `data`; *id is kept by the walk. Values are raw (with \" \\ \] escapes). */
struct rul_syslog_param {
    struct hd_slice id, name, value;
};
bool rul_syslog_next_param(struct hd_slice *rest, struct rul_syslog_param *param);
