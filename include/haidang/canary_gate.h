/* SPDX-License-Identifier: Apache-2.0
 *
 * Which lines are canaries (docs/formats/canary.md). A line is one only when a key that
 * the operator trusts has signed it: whoever can write log lines must not be able to pass
 * an attack off as a test. Looking costs a signature each, so a batch, which is one
 * agent's, is looked at only so often; what is beyond is an ordinary line. The same batch
 * is judged alike whenever it is examined. Any thread reads the keys; a gate is of one.
 */
#pragma once
#include <haidang/canary.h>
#include <haidang/diag.h>

#define HD_CANARY_KEYS_MAX 16U
#define HD_GATE_CHECKS_MAX 512U /* signatures looked at in a batch */
#define HD_GATE_FORGED_MAX 8U   /* of them: those that were wrong */

struct hd_canary_keys; /* immutable, counted by reference */

/* own: one reference; every *.pub of the directory. `window_ns`: so far from the time at
 * which a line came to us its canary may have been signed. Reports; HD_EINVAL when there
 * is none. */
int hd_canary_keys_load(const char *dir, int64_t window_ns, struct hd_diags *diags,
                        struct hd_canary_keys **out) HD_MUST_USE;
/* NULL: NULL. Any thread. */
struct hd_canary_keys *hd_canary_keys_ref(struct hd_canary_keys *keys);
void hd_canary_keys_unref(struct hd_canary_keys *keys);

struct hd_canary_gate {
    const struct hd_canary_keys *keys; /* borrowed; NULL: no line is a canary */
    unsigned checks, forged;           /* in the batch at hand */
};

enum hd_canary_verdict {
    HD_GATE_LINE,   /* a line as any other */
    HD_GATE_FORGED, /* says to be a canary, and is a line as any other */
    HD_GATE_CANARY, /* ours, and fresh */
    HD_GATE_STALE,  /* ours, but from another time: it proves nothing and is no attack */
};

static inline void hd_canary_begin_batch(struct hd_canary_gate *gate)
{
    gate->checks = gate->forged = 0;
}
/* `taken_ns`: when the line came to us. *out: views into the line. */
enum hd_canary_verdict hd_canary_judge(struct hd_canary_gate *gate, struct hd_slice line,
                                       int64_t taken_ns, struct hd_canary *out);
