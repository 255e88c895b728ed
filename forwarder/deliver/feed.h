/* SPDX-License-Identifier: Apache-2.0
 *
 * The alert journal as a sequence of alerts, for one destination. Loop thread.
 */
#pragma once
#include <jansson.h>

#include <haidang/err.h>
#include <haidang/journal.h>

struct fwd_feed;

struct fwd_feed_alert {
    json_t *alert;                  /* own: the caller's; NULL = not an alert: `why` */
    char id[37];                    /* "-" when there is none */
    uint64_t index;                 /* in the journal */
    int64_t raised_ns;              /* 0: nobody knows */
    struct hd_journal_cursor after; /* where to go on once this one is done */
    char why[256];
};

int fwd_feed_open(const char *dir, const char *name, const struct hd_journal_keys *keys,
                  struct fwd_feed **out) HD_MUST_USE;
void fwd_feed_close(struct fwd_feed *feed);
/* HD_EAGAIN: none now. Entries that are missing or do not verify are counted; a run of
 * them comes as one that is no alert, under the index of the first. */
int fwd_feed_next(struct fwd_feed *feed, struct fwd_feed_alert *out) HD_MUST_USE;
/* This one and all before are done. Not synced: the receipts know better. */
int fwd_feed_save(struct fwd_feed *feed,
                  const struct hd_journal_cursor *cursor) HD_MUST_USE;
/* As hd_journal_reader_fd, _drain, _lag. */
int fwd_feed_fd(struct fwd_feed *feed) HD_MUST_USE;
void fwd_feed_drain(struct fwd_feed *feed);
uint64_t fwd_feed_lag(const struct fwd_feed *feed);
