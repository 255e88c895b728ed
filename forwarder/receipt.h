/* SPDX-License-Identifier: Apache-2.0
 *
 * The receipts: what became of each alert at each destination, one JSON line an event in
 * a journal of their own, kept for audits. "begun" is durable before a request leaves, so
 * that after a crash it is known which alert may have arrived without our knowing.
 */
#pragma once
#include <jansson.h>
#include <stdint.h>
#include <uv.h>

#include <haidang/buf.h>
#include <haidang/journal.h>
#include <haidang/slice.h>

enum fwd_outcome {
    FWD_BEGUN,     /* a request is about to leave */
    FWD_DELIVERED, /* the destination has taken it: final */
    FWD_RETRY,     /* not taken; it will be sent again */
    FWD_STOPPED,  /* refused in a way that a person must look at; sent again afterwards */
    FWD_DEAD,     /* never to be taken: final, a dead letter */
    FWD_WITHHELD, /* a test, never sent: final */
};
const char *fwd_outcome_name(enum fwd_outcome outcome);
static inline bool fwd_outcome_is_final(enum fwd_outcome outcome)
{
    return outcome == FWD_DELIVERED || outcome == FWD_DEAD || outcome == FWD_WITHHELD;
}

struct fwd_receipt {
    int64_t time_ns;
    const char *destination;
    const char *alert; /* id */
    uint64_t index;    /* of the alert journal */
    enum fwd_outcome outcome;
    uint32_t attempt;              /* from 1, in this run of the program */
    bool is_resend;                /* an earlier run may have sent it */
    const char *profile;           /* "vn-ncsc-alert@0.1.0" */
    const char *schema_sha256;     /* hex */
    const uint8_t *request_sha256; /* 32 bytes; NULL = there was no request */
    size_t request_bytes;
    long status;              /* HTTP; 0 = no answer */
    struct hd_slice response; /* start of its body; untrusted */
    const char *reason;       /* for people; NULL = none */
    uint64_t took_ms;
    uint64_t wait_ms; /* until the next attempt */
};

/* Appends the line (with its line feed). */
int fwd_receipt_format(const struct fwd_receipt *receipt, struct hd_buf *out) HD_MUST_USE;

struct fwd_receipts;
struct fwd_receipts_opts {
    struct hd_journal_opts journal;
    uv_loop_t *loop;
};
/* Opens the journal and reads its tail: who ended how (at most FWD_RECEIPTS_TAIL). */
#define FWD_RECEIPTS_TAIL 4096U
int fwd_receipts_open(const struct fwd_receipts_opts *opts, struct fwd_receipts **out,
                      char why[256]) HD_MUST_USE;
/* Finishes what was appended (each `durable` still comes), then `closed`, then frees. */
void fwd_receipts_close(struct fwd_receipts *receipts, void (*closed)(void *ctx),
                        void *ctx);

/* Reads further back where the position of a destination is older than the tail, as after
 * a power failure or when it was lost. `index`: the first alert that it reads;
 * `raised_ns`: when, before which nothing can have become of it. Blocks. */
int fwd_receipts_reach(struct fwd_receipts *receipts, const char *destination,
                       uint64_t index, int64_t raised_ns) HD_MUST_USE;

/* What was read said: HD_OK and the last outcome, or HD_ENOENT. */
int fwd_receipts_find(const struct fwd_receipts *receipts, const char *destination,
                      uint64_t index, const char *alert,
                      enum fwd_outcome *outcome) HD_MUST_USE;

/* `durable` runs later on the loop, once; err as in hd_journal_writer. HD_EFULL: later.
 */
int fwd_receipts_append(struct fwd_receipts *receipts, const struct fwd_receipt *receipt,
                        void (*durable)(void *ctx, int err), void *ctx) HD_MUST_USE;
uint64_t fwd_receipts_bytes(const struct fwd_receipts *receipts);
