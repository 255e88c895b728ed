/* SPDX-License-Identifier: Apache-2.0
 *
 * The alert journal's writer: one entry an alert, a zstd frame of one JSON line. Alerts
 * are queued and then made durable together; what could not be written stays queued. The
 * queue is bounded by its user, who stops making alerts while it is not empty. State
 * thread (blocks in the system calls).
 */
#pragma once
#include <jansson.h>

#include <haidang/journal.h>

struct cor_publish;

/* `why` says what failed. */
int cor_publish_open(const struct hd_journal_opts *opts, struct cor_publish **out,
                     char why[256]) HD_MUST_USE;
/* What is still queued is lost: the detector's cursor stands before it. */
void cor_publish_close(struct cor_publish *publish);

/* Calls `each` for the newest alerts, at most `max`, oldest first. */
int cor_publish_tail(struct cor_publish *publish, uint64_t max,
                     void (*each)(void *ctx, const json_t *alert), void *ctx) HD_MUST_USE;

/* Queues. HD_EBUG: the alert is not valid (`why`), HD_ENOMEM. */
int cor_publish_add(struct cor_publish *publish, const json_t *alert,
                    char why[256]) HD_MUST_USE;
size_t cor_publish_queued(const struct cor_publish *publish);
/* Makes all that is queued durable. On failure it stays queued; try again later. */
int cor_publish_flush(struct cor_publish *publish) HD_MUST_USE;
/* Seals the journal's last segment when it is as old as one may get, though nobody adds
 * to it, and applies retention; says what fails. To be called now and then. */
void cor_publish_trim(struct cor_publish *publish);
