/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/uplink/feed.h"

#include <haidang/log.h>

#include "collector/metrics.h"

#define READER_NAME "uplink"
#define SAVE_MS     5000U
#define SAVE_BYTES  (4U << 20) /* acknowledged bytes that are not left unsaved */
#define CORRUPT_LOG "a spool entry does not verify: its lines are lost"

static void save(struct col_feed *feed);

int col_feed_open(struct col_feed *feed, struct hd_owner *owner, uv_loop_t *loop,
                  struct col_intake *intake)
{
    struct col_intake_status status;
    col_intake_status(intake, &status);
    *feed = (struct col_feed){.intake = intake, .acked_last = status.last_acked};
    (void)uv_timer_init(loop, &feed->timer);
    hd_owner_add(owner, (uv_handle_t *)&feed->timer);
    int err = hd_journal_reader_open(status.spool_dir, READER_NAME, &feed->reader);
    if (err == HD_OK) {
        uint64_t first;
        hd_journal_reader_use_keys(feed->reader, status.spool_keys);
        hd_journal_reader_tell(feed->reader, &feed->acked);
        feed->saved = feed->acked;
        (void)col_feed_oldest_ns(feed, &first);
        feed->lines_from = first > 0 ? first - 1 : status.last_spooled;
    }
    return err;
}

void col_feed_fini(struct col_feed *feed)
{
    hd_journal_reader_close(feed->reader);
    feed->reader = NULL;
}

/* ---- reading ---- */

int col_feed_rewind(struct col_feed *feed)
{
    feed->has_entry = false;
    return hd_journal_reader_seek(feed->reader, &feed->acked);
}

/* The next entry that verifies; `next` reads it with or without its payload. */
static int read_entry(struct col_feed *feed,
                      int (*next)(struct hd_journal_reader *, struct hd_journal_entry *))
{
    for (;;) {
        hd_journal_reader_tell(feed->reader, &feed->here);
        int err = next(feed->reader, &feed->entry);
        if (err == HD_ECORRUPT) {
            COL_COUNT(COL_SPOOL_CORRUPT, 1);
            HD_LOG(ERROR, "uplink", CORRUPT_LOG, HD_KV_UINT("index", feed->here.index));
        } else if (err != HD_ENOENT) {
            return err;
        }
    }
}

int col_feed_peek(struct col_feed *feed, struct hd_journal_cursor *after)
{
    int err = HD_OK;
    if (!feed->has_entry) {
        err = read_entry(feed, hd_journal_reader_next);
        feed->has_entry = err == HD_OK;
    }
    if (err == HD_OK) {
        hd_journal_reader_tell(feed->reader, after);
    }
    return err;
}

void col_feed_sent(struct col_feed *feed)
{
    feed->has_entry = false;
}

int col_feed_skip_to(struct col_feed *feed, uint64_t last_durable)
{
    int err = HD_OK;
    while (err == HD_OK) {
        err = read_entry(feed, hd_journal_reader_next_header);
        if (err == HD_OK && feed->entry.last > last_durable) {
            return hd_journal_reader_seek(feed->reader, &feed->here);
        }
        if (err == HD_OK) {
            struct hd_journal_cursor after;
            hd_journal_reader_tell(feed->reader, &after);
            col_feed_acked(feed, &after, feed->entry.last, feed->entry.payload.len);
        }
    }
    return err == HD_EAGAIN ? HD_OK : err;
}

void col_feed_rest(const struct col_feed *feed, struct col_feed_rest *out)
{
    struct hd_journal_rest rest;
    struct col_intake_status status;
    col_intake_status(feed->intake, &status);
    *out = (struct col_feed_rest){0};
    if (hd_journal_reader_rest(feed->reader, &feed->acked, &rest) != HD_OK ||
        rest.entries == 0) {
        return;
    }
    out->entries = rest.entries;
    out->bytes = rest.bytes;
    if (status.last_spooled > feed->lines_from) {
        out->lines = status.last_spooled - feed->lines_from;
    }
}

bool col_feed_is_empty(const struct col_feed *feed)
{
    return !feed->has_entry && hd_journal_reader_lag(feed->reader) == 0;
}

int64_t col_feed_oldest_ns(struct col_feed *feed, uint64_t *first)
{
    *first = 0;
    if (!feed->has_entry) {
        if (read_entry(feed, hd_journal_reader_next_header) != HD_OK) {
            return 0;
        }
        if (hd_journal_reader_seek(feed->reader, &feed->here) != HD_OK) {
            return 0;
        }
    }
    *first = feed->entry.first;
    return feed->entry.time_min;
}

/* ---- saving ---- */

static void on_timer(uv_timer_t *timer)
{
    save(HD_CONTAINER(timer, struct col_feed, timer));
}

static void finish_close(struct col_feed *feed)
{
    if (feed->is_closing && !feed->is_saving && feed->closed != NULL) {
        void (*closed)(void *) = feed->closed;
        feed->closed = NULL;
        closed(feed->ctx);
    }
}

/* Space is needed, or a restart would send too much again. */
static bool is_urgent(const struct col_feed *feed)
{
    struct col_intake_status status;
    col_intake_status(feed->intake, &status);
    return feed->unsaved_bytes >= SAVE_BYTES || status.spool_err != HD_OK;
}

static void save_soon(struct col_feed *feed)
{
    if (feed->saved.index == feed->acked.index || feed->is_saving || feed->is_closing) {
        return;
    }
    if (is_urgent(feed)) {
        save(feed);
    } else if (!uv_is_active((uv_handle_t *)&feed->timer)) {
        (void)uv_timer_start(&feed->timer, on_timer, SAVE_MS, 0);
    }
}

static void on_covered(void *ctx, int err, uint64_t covered)
{
    struct col_feed *feed = ctx;
    feed->is_saving = false;
    if (err == HD_OK && feed->saving.index <= covered + 1) {
        err = hd_journal_reader_save(feed->reader, &feed->saving, false);
        if (err == HD_OK) {
            feed->saved = feed->saving;
            col_intake_trim(feed->intake);
            save_soon(feed);
        } else if (err != HD_EAGAIN) {
            HD_LOG(WARN, "uplink", "the spool position cannot be saved", HD_KV_ERR(err));
        }
    }
    if (feed->saved.index != feed->acked.index && !feed->is_saving && !feed->is_closing) {
        (void)uv_timer_start(&feed->timer, on_timer, SAVE_MS, 0);
    }
    finish_close(feed);
}

static void save(struct col_feed *feed)
{
    if (feed->is_saving || feed->saved.index == feed->acked.index) {
        return;
    }
    (void)uv_timer_stop(&feed->timer);
    feed->saving = feed->acked;
    feed->unsaved_bytes = 0;
    int err = col_intake_checkpoint(feed->intake, feed->acked_last, on_covered, feed);
    feed->is_saving = err == HD_OK;
    if (err != HD_OK && !feed->is_closing) {
        (void)uv_timer_start(&feed->timer, on_timer, SAVE_MS, 0);
    }
}

void col_feed_acked(struct col_feed *feed, const struct hd_journal_cursor *after,
                    uint64_t last, uint64_t bytes)
{
    feed->acked = *after;
    feed->lines_from = last;
    feed->acked_last = last > feed->acked_last ? last : feed->acked_last;
    feed->unsaved_bytes += bytes;
    save_soon(feed);
}

void col_feed_close(struct col_feed *feed, void (*closed)(void *ctx), void *ctx)
{
    feed->closed = closed;
    feed->ctx = ctx;
    save(feed);
    feed->is_closing = true;
    (void)uv_timer_stop(&feed->timer);
    finish_close(feed);
}
