/* SPDX-License-Identifier: Apache-2.0
 *
 * The loss ledger: a journal of everything that was lost, refused or forgotten
 * (docs/formats/loss.md). The state thread writes it, since it also decides when the
 * detectors' cursors move: a loss that a detector came across is durable before the
 * cursor passes it. The intake tells through a ring.
 *
 * A loss that says where (`at`) is there once, however often it is told.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>

#include <haidang/journal.h>
#include <haidang/loss.h>
#include <haidang/ring.h>

struct cor_losses;

/* A loss on its way between threads. */
struct cor_loss {
    struct cor_loss *next;
    struct hd_loss loss;
};

/* Opens the journal and reads the newest losses (blocking). `why`: what failed. */
int cor_losses_open(const struct hd_journal_opts *opts, struct cor_losses **out,
                    char why[256]) HD_MUST_USE;
/* No thread uses it any more. What was not flushed is lost with it. */
void cor_losses_free(struct cor_losses *losses);
/* Reads the newest again, oldest first: before any thread uses it. */
int cor_losses_each(struct cor_losses *losses,
                    void (*each)(void *ctx, const struct hd_loss *loss),
                    void *ctx) HD_MUST_USE;

/* ---- loop thread ---- */

/* Something was lost now, or found to be. Takes a copy. */
void cor_losses_tell(struct cor_losses *losses, const struct hd_loss *loss);
/* Everything told is durable. */
bool cor_losses_is_settled(const struct cor_losses *losses);
/* What the last 24 hours lost, of one kind. */
uint64_t cor_losses_of_day(const struct cor_losses *losses, enum hd_loss_kind kind);

/* ---- state thread ---- */

/* Of struct cor_loss: wakes its consumer, who then calls take. */
struct hd_ring *cor_losses_ring(struct cor_losses *losses);
void cor_losses_take(struct cor_losses *losses);
/* To be written by the next flush, unless it is known. HD_ENOMEM. */
int cor_losses_add(struct cor_losses *losses, const struct hd_loss *loss) HD_MUST_USE;
/* Each of a list. `wait` is called while there is no memory; false: there will be none.
 */
void cor_losses_add_all(struct cor_losses *losses, const struct cor_loss *list,
                        bool (*wait)(void *ctx), void *ctx);
/* Counted together with others of its kind, agent and source until settle. */
void cor_losses_note(struct cor_losses *losses, enum hd_loss_kind kind,
                     struct hd_slice agent, uint64_t count);
/* Makes durable what was added. On failure it stays; try again. */
int cor_losses_flush(struct cor_losses *losses) HD_MUST_USE;
/* The same, and what was noted as well. */
int cor_losses_settle(struct cor_losses *losses) HD_MUST_USE;
