/* SPDX-License-Identifier: Apache-2.0
 *
 * DNS messages (RFC 1035): the header, the first question and the answers. Pure; nothing
 * is allocated; answers are walked one at a time.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/parse.h>
#include <haidang/slice.h>

/* A name of at most 255 bytes on the wire, each of which may be written as \DDD. */
#define COL_DNS_TEXT_MAX 1024U

enum col_dns_flag {
    COL_DNS_QR = 0x8000,
    COL_DNS_AA = 0x0400,
    COL_DNS_TC = 0x0200,
    COL_DNS_RD = 0x0100,
    COL_DNS_RA = 0x0080,
    COL_DNS_Z = 0x0040,
};

struct col_dns_text {
    uint16_t len;
    char text[COL_DNS_TEXT_MAX]; /* labels with dots between, none at the end */
};

struct col_dns {
    struct hd_slice message; /* borrowed */
    uint16_t id, flags;
    uint16_t questions, answers; /* as claimed */
    uint16_t authorities, additional;
    struct col_dns_text name; /* of the first question */
    uint16_t type, class_;
    size_t answers_at; /* 0 = the way to them does not parse */
};

struct col_dns_answer {
    struct col_dns_text name;
    uint16_t type, class_;
    uint32_t ttl;
    size_t data_at, data_len; /* in the message */
};

/* HD_PARSE_BAD: no header, no question or not a name. What follows the question is left
 * to col_dns_next. */
enum hd_parse col_dns_parse(struct hd_slice message, struct col_dns *out);
/* The resource record at *at, which moves on; HD_PARSE_BAD: the rest does not parse. */
enum hd_parse col_dns_next(const struct col_dns *dns, size_t *at,
                           struct col_dns_answer *out);
/* Name at `at` of a message (compressed: RFC 1035 section 4.1.4); *end is behind it. */
enum hd_parse col_dns_name(struct hd_slice message, size_t at, struct col_dns_text *out,
                           size_t *end);
/* The record's data as text, when its type has one. */
bool col_dns_rdata(const struct col_dns *dns, const struct col_dns_answer *answer,
                   struct col_dns_text *out);

/* "A", "NXDOMAIN"; unknown ones as "TYPE65400" (RFC 3597), "RCODE13". */
const char *col_dns_type_text(uint16_t type, char scratch[16]);
const char *col_dns_rcode_text(uint16_t flags, char scratch[16]);
