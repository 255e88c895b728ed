/* SPDX-License-Identifier: Apache-2.0
 *
 * Time stamps (RFC 3161): a time-stamping authority signs that it saw a SHA-256 at a
 * time. Requests and replies are DER as `openssl ts` reads and writes it. Pure but for
 * hd_stamp_ca_load; one thread an authority object.
 */
#pragma once
#include <stdint.h>

#include <haidang/buf.h>
#include <haidang/hash.h>

#define HD_STAMP_MAX         ((size_t)64 << 10) /* bytes of a request or a reply */
#define HD_STAMP_WHY         256U
#define HD_STAMP_REQUEST_END ".tsq"
#define HD_STAMP_REPLY_END   ".tsr"
#define HD_STAMP_DIR         "stamps" /* below the directory of a journal */

/* Appends a TimeStampReq: SHA-256, a random nonce, the certificate asked for. */
int hd_stamp_request(const uint8_t digest[HD_SHA256_LEN], struct hd_buf *out) HD_MUST_USE;

/* When the stamp says that the authority saw the digest; nothing of it is verified.
 * HD_EPARSE: it is no reply with a stamp. */
int hd_stamp_time(struct hd_slice reply, int64_t *time_ns) HD_MUST_USE;

/* Who is believed. */
struct hd_stamp_ca;
/* PEM certificates. own: until free. HD_ENOENT, HD_EACCES, HD_EPARSE (there is none). */
int hd_stamp_ca_load(const char *path, struct hd_stamp_ca **out) HD_MUST_USE;
void hd_stamp_ca_free(struct hd_stamp_ca *ca);

/* Is the reply the one to this request, with a certificate that holds now? policy: the
 * object identifier that it must name; NULL = any. HD_ECORRUPT, HD_ENOMEM; `why` says
 * what is wrong, for people. */
int hd_stamp_verify_reply(struct hd_stamp_ca *ca, struct hd_slice request,
                          const char *policy, struct hd_slice reply,
                          char why[HD_STAMP_WHY]) HD_MUST_USE;
/* Is the reply a stamp of this digest, with a certificate that held at the time stamped?
 * Errors as above. */
int hd_stamp_verify(struct hd_stamp_ca *ca, const uint8_t digest[HD_SHA256_LEN],
                    struct hd_slice reply, int64_t *time_ns,
                    char why[HD_STAMP_WHY]) HD_MUST_USE;

/* "DIR/stamps/00000000000000000001.tsr", or with the other end. HD_EINVAL: too long. */
int hd_stamp_path(const char *dir, uint64_t first, const char *end, char *out,
                  size_t cap) HD_MUST_USE;
/* The same where `dir` is that of the stamps. */
int hd_stamp_file(const char *dir, uint64_t first, const char *end, char *out,
                  size_t cap) HD_MUST_USE;
/* The number in such a name; false: it is none with this end. */
bool hd_stamp_name_parse(const char *name, const char *end, uint64_t *first);
