/* SPDX-License-Identifier: Apache-2.0 */
#include "forwarder/deliver/feed.h"

#include <stdio.h>
#include <stdlib.h>

#include <haidang/alert.h>
#include <haidang/log.h>

#include "forwarder/frame.h"
#include "forwarder/metrics.h"

struct fwd_feed {
    struct hd_journal_reader *reader;
    struct fwd_frame *frame;
    struct hd_buf text;
    struct hd_journal_entry held; /* read, and not given yet */
    bool is_held;
    uint64_t missing; /* the first entry that should be before it; 0 = none is missing */
};

int fwd_feed_open(const char *dir, const char *name, const struct hd_journal_keys *keys,
                  struct fwd_feed **out)
{
    struct fwd_feed *feed = calloc(1, sizeof(*feed));
    if (feed == NULL) {
        return HD_ENOMEM;
    }
    hd_buf_init(&feed->text, HD_ALERT_TEXT_MAX + 2);
    int err = fwd_frame_new(&feed->frame);
    if (err == HD_OK) {
        err = hd_journal_reader_open(dir, name, &feed->reader);
    }
    if (err != HD_OK) {
        fwd_feed_close(feed);
        return err;
    }
    hd_journal_reader_use_keys(feed->reader, keys);
    *out = feed;
    return HD_OK;
}

void fwd_feed_close(struct fwd_feed *feed)
{
    if (feed == NULL) {
        return;
    }
    if (feed->reader != NULL) {
        hd_journal_reader_close(feed->reader);
    }
    fwd_frame_free(feed->frame);
    hd_buf_fini(&feed->text);
    free(feed);
}

static void take_entry(struct fwd_feed *feed, const struct hd_journal_entry *entry,
                       struct fwd_feed_alert *out)
{
    hd_buf_clear(&feed->text);
    int err =
        fwd_frame_unpack(feed->frame, entry->payload, HD_ALERT_TEXT_MAX + 1, &feed->text);
    if (err != HD_OK) {
        (void)snprintf(out->why, sizeof(out->why), "the entry's text: %s",
                       hd_err_text(err));
        return;
    }
    err = hd_alert_parse(hd_slice_trim(hd_buf_slice(&feed->text)), &out->alert, out->why);
    if (err != HD_OK) {
        out->alert = NULL;
        return;
    }
    (void)snprintf(out->id, sizeof(out->id), "%s", hd_alert_text(out->alert, "id"));
}

static uint64_t position(const struct fwd_feed *feed)
{
    struct hd_journal_cursor cursor;
    hd_journal_reader_tell(feed->reader, &cursor);
    return cursor.index;
}

/* Something could not be read at `index` (0: a reader that has just begun); how much is
 * known when the next one is read. */
static void pass_over(struct fwd_feed *feed, uint64_t index, int err)
{
    bool is_damage = err == HD_ECORRUPT;
    FWD_COUNT(is_damage ? FWD_M_CORRUPT : FWD_M_LOST);
    HD_LOG(ERROR, "feed",
           is_damage ? "an entry of the alert journal does not verify"
                     : "alerts were removed before they were sent; see the "
                       "correlator's alerts.retain settings");
    index = index == 0 ? position(feed) : index;
    feed->missing = feed->missing == 0 ? index : feed->missing;
}

static int hold_next(struct fwd_feed *feed)
{
    int err = hd_journal_reader_resume(feed->reader);
    if (err != HD_OK) {
        return err;
    }
    while (!feed->is_held) {
        uint64_t index = position(feed);
        err = hd_journal_reader_next(feed->reader, &feed->held);
        if (err == HD_ECORRUPT || err == HD_ENOENT) {
            pass_over(feed, index, err);
        } else if (err != HD_OK) {
            return err;
        } else {
            feed->is_held = true;
        }
    }
    return HD_OK;
}

/* What is missing is no alert that could be sent, but one that was: it gets its receipt.
 */
static void tell_missing(struct fwd_feed *feed, struct fwd_feed_alert *out)
{
    *out = (struct fwd_feed_alert){
        .index = feed->missing, .id = "-", .after = {.index = feed->held.index}};
    (void)snprintf(out->why, sizeof(out->why),
                   "entries %llu to %llu of the alert journal are missing or do not "
                   "verify",
                   (unsigned long long)feed->missing,
                   (unsigned long long)feed->held.index - 1);
}

int fwd_feed_next(struct fwd_feed *feed, struct fwd_feed_alert *out)
{
    int err = hold_next(feed);
    if (err != HD_OK) {
        return err;
    }
    bool is_missing = feed->missing > 0 && feed->missing < feed->held.index;
    if (is_missing) {
        tell_missing(feed, out);
    } else {
        *out = (struct fwd_feed_alert){
            .index = feed->held.index, .raised_ns = feed->held.time_min, .id = "-"};
        hd_journal_reader_tell(feed->reader, &out->after);
        take_entry(feed, &feed->held, out);
        feed->is_held = false;
    }
    feed->missing = 0;
    return HD_OK;
}

int fwd_feed_save(struct fwd_feed *feed, const struct hd_journal_cursor *cursor)
{
    return hd_journal_reader_save(feed->reader, cursor, false);
}

int fwd_feed_fd(struct fwd_feed *feed)
{
    return hd_journal_reader_fd(feed->reader);
}

void fwd_feed_drain(struct fwd_feed *feed)
{
    hd_journal_reader_drain(feed->reader);
}

uint64_t fwd_feed_lag(const struct fwd_feed *feed)
{
    return hd_journal_reader_lag(feed->reader);
}
