/* SPDX-License-Identifier: Apache-2.0
 *
 * The canary: a log line that an attack would write, in a signed wrapper that says it is
 * a test (docs/formats/canary.md). It travels like any other line; only who has the
 * public key can tell it from one, and nobody without the private key can make one. The
 * parser is pure: it neither believes nor looks up anything.
 */
#pragma once
#include <stdint.h>

#include <haidang/buf.h>
#include <haidang/err.h>
#include <haidang/sign.h>
#include <haidang/slice.h>

#define HD_CANARY_PROGRAM   "haidang-canary"
#define HD_CANARY_ID_LEN    32U /* hex digits */
#define HD_CANARY_RULE_MAX  256U
#define HD_CANARY_PARTS_MAX 4096U

/* By which way a canary came in. */
#define HD_CANARY_CLASS_MAP(X)                                                           \
    X(HD_CANARY_UDP, "udp")                                                              \
    X(HD_CANARY_TCP, "tcp")                                                              \
    X(HD_CANARY_TLS, "tls")                                                              \
    X(HD_CANARY_FILE, "file")                                                            \
    X(HD_CANARY_STDIN, "stdin")
#define HD_CANARY_ENUM(id, name) id,
enum hd_canary_class { HD_CANARY_CLASS_MAP(HD_CANARY_ENUM) HD_CANARY_CLASSES };
#undef HD_CANARY_ENUM
const char *hd_canary_class_name(enum hd_canary_class class);

struct hd_canary {
    struct hd_slice id;   /* of the run; hex digits */
    uint32_t part, parts; /* this line is number `part`, from 1, of the run's */
    enum hd_canary_class class;
    struct hd_slice rule; /* id of the rule that the run is to fire */
    int64_t time_ns;      /* when it was signed */
    uint32_t at_ms;       /* after the run's first event, as far as rules can see */
    uint8_t key_id[HD_KEY_ID_LEN];
    uint8_t signature[HD_SIGNATURE_LEN];
    struct hd_slice message; /* the line inside */
};

enum hd_canary_kind {
    HD_CANARY_NONE, /* a line as any other: by far the most */
    HD_CANARY_BAD,  /* says to be of our program and is no canary */
    HD_CANARY_OK,   /* well formed; nothing is said of its signature */
};
/* Views into the line. */
enum hd_canary_kind hd_canary_parse(struct hd_slice line, struct hd_canary *out);

/* Signs (key id and signature are set) and appends the line, without a line feed. `host`
 * goes into the syslog header, which nobody vouches for. HD_EINVAL: a part that does not
 * fit into a line. */
int hd_canary_write(struct hd_canary *canary, const struct hd_sign_key *key,
                    struct hd_slice host, struct hd_buf *out) HD_MUST_USE;
/* HD_ENOENT: signed with another key. HD_ECORRUPT: not signed with this one. */
int hd_canary_verify(const struct hd_canary *canary,
                     const struct hd_sign_key *key) HD_MUST_USE;
