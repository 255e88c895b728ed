/* SPDX-License-Identifier: Apache-2.0
 *
 * What was lost, from where it is written down: the correlator's ledger, and of alerts
 * that a destination will never take the forwarder's receipts. Anonymous readers: they
 * hold nothing back and need read permission only.
 */
#pragma once
#include <haidang/journal_keys.h>
#include <haidang/loss.h>

struct con_losses_from {
    const struct hd_journal_keys *keys; /* borrowed; NULL: none */
    int64_t since_ns, until_ns;         /* entries that may hold some of it are read */
    int (*take)(void *ctx, const struct hd_loss *loss);
    void *ctx;
    uint64_t bad; /* out, added to: lines and places that cannot be read */
    struct hd_journal_key_id missing; /* out: what HD_ENOKEY is about */
};

/* HD_E*: the directory cannot be read, or what `take` said. */
int con_losses_read_ledger(struct con_losses_from *from, const char *dir) HD_MUST_USE;
int con_losses_read_receipts(struct con_losses_from *from, const char *dir) HD_MUST_USE;
