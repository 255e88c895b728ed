/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages are taken from the detectors, what they bring forth is made durable, and then
 * cursors move. While the alert journal or the loss ledger cannot be written nothing is
 * taken.
 */
#include <haidang/clock.h>
#include <haidang/log.h>

#include "correlator/metrics.h"
#include "correlator/state/state_core.h"

#define FLUSH_MESSAGES 64U /* messages taken between two commits */
#define RETRY_MS       1000U

/* ---- durable, then the cursors ---- */

static void on_retry(uv_timer_t *timer);

static void cannot_go_on(struct cor_state *s, int err, bool is_ledger)
{
    bool is_news = !cor_state_is_blocked(s) || atomic_load(&s->is_ledger) != is_ledger;
    atomic_store(&s->is_ledger, is_ledger);
    if (is_news) {
        HD_LOG(ERROR, "state", "detection waits",
               HD_KV_STR("because", cor_state_trouble_with(s)), HD_KV_ERR(err));
    }
    COR_COUNT(COR_M_ALERT_WAITS, 1);
    atomic_store(&s->trouble, err);
    (void)uv_timer_start(&s->retry, on_retry, RETRY_MS, 0);
}

/* Where nothing outlives the process, cursors move as soon as alerts are durable. */
static void move_cursors(struct cor_state *s)
{
    for (unsigned i = 0; s->saver == NULL && !s->gave_up && i < s->n_feeds; i++) {
        struct cor_feed *f = &s->feeds[i];
        if (f->has_cursor) {
            cor_detector_durable(f->detector, &f->cursor);
            f->has_cursor = false;
        }
    }
}

/* Publishes what is queued. False: it has to wait, and so does everything else. */
static bool flush(struct cor_state *s)
{
    struct cor_publish *publish = s->mind.out.publish;
    size_t queued = cor_publish_queued(publish);
    int err = queued == 0 ? HD_OK : cor_publish_flush(publish);
    bool is_ledger = err == HD_OK;
    err = is_ledger ? cor_losses_flush(s->mind.losses) : err;
    COR_COUNT(COR_M_PUBLISHED, queued - cor_publish_queued(publish));
    if (err != HD_OK) {
        cannot_go_on(s, err, is_ledger);
        return false;
    }
    if (cor_state_is_blocked(s)) {
        HD_LOG(INFO, "state", "detection goes on");
        atomic_store(&s->trouble, HD_OK);
    }
    move_cursors(s);
    cor_memory_count(&s->mind.memory, s->mind.losses);
    return true;
}

void cor_state_on_notices(void *ctx)
{
    struct cor_state *s = ctx;
    struct cor_notice *notice;
    while (!cor_state_is_blocked(s) && (notice = hd_ring_pop(s->notices)) != NULL) {
        cor_outlet_tell(&s->mind.out, notice);
        cor_notice_free(notice);
        if (!flush(s)) {
            return;
        }
    }
}

void cor_state_on_losses(void *ctx)
{
    struct cor_state *s = ctx;
    cor_losses_take(s->mind.losses);
    (void)flush(s);
}

/* ---- the end of detectors ---- */

static void feed_detached(void *ctx)
{
    struct cor_feed *f = ctx;
    struct cor_state *s = f->state;
    f->is_attached = false;
    cor_detector_dismiss(f->detector);
    if (++s->n_over == s->n_feeds) {
        cor_state_close(s);
    }
}

void cor_state_dismiss(struct cor_state *s)
{
    for (unsigned i = 0; i < s->n_feeds; i++) {
        hd_ring_detach(s->feeds[i].hits, feed_detached, &s->feeds[i]);
    }
}

/* A snapshot that is being written must not be the last word. */
void cor_state_end(struct cor_state *s)
{
    if (s->saver != NULL && cor_saver_is_busy(s->saver)) {
        return; /* cor_state_on_saved comes back */
    }
    s->is_ending = true;
    cor_state_on_notices(s);
    if (s->is_changed) {
        cor_state_keep(s);
    }
    if (s->saver == NULL || !cor_saver_is_busy(s->saver)) {
        cor_state_dismiss(s);
    }
}

/* The detector has ended and everything of it is durable, or given up. */
static void end_feed(struct cor_feed *f)
{
    struct cor_state *s = f->state;
    if (!f->is_over) {
        f->is_over = true;
        if (++s->n_ended == s->n_feeds) {
            cor_state_end(s);
        }
    }
}

/* Stopping while the alert journal cannot be written: what is queued is not durable and
 * no cursor moves past it, so the next start finds it again. */
static void give_up(struct cor_feed *f)
{
    struct cor_hits *hits;
    bool ended = hd_ring_is_closed(f->hits);
    while ((hits = hd_ring_pop(f->hits)) != NULL) {
        cor_hits_free(hits);
    }
    if (ended) {
        end_feed(f);
    }
}

/* ---- draining ---- */

/* Time as far as every detector has come that still has something to examine; when none
 * has, as far as any has come. */
static void advance(struct cor_state *s)
{
    int64_t least = INT64_MAX, most = 0;
    for (unsigned i = 0; i < s->n_feeds; i++) {
        const struct cor_feed *f = &s->feeds[i];
        most = f->watermark_ns > most ? f->watermark_ns : most;
        if (f->watermark_ns != 0 && f->watermark_ns < least &&
            cor_detector_lag_ms(f->detector) > 0) {
            least = f->watermark_ns;
        }
    }
    if (most != 0) {
        cor_mind_advance(&s->mind, least == INT64_MAX ? most : least);
    }
}

static void take_message(struct cor_feed *f, struct cor_hits *hits)
{
    struct cor_state *s = f->state;
    cor_mind_take(&s->mind, hits);
    if (cor_mind_moves_time(hits)) {
        f->watermark_ns = hits->watermark_ns;
        advance(s);
    }
    f->is_inside = !hits->has_cursor && !hits->is_warm_up;
    if (hits->has_cursor) {
        f->cursor = hits->cursor;
        f->has_cursor = f->is_placed = true;
    }
    s->is_changed = true;
    cor_hits_free(hits);
}

/* Messages until a commit is due. False: there are no more for now. */
static bool take_some(struct cor_feed *f)
{
    for (unsigned n = 0; n < FLUSH_MESSAGES; n++) {
        struct cor_hits *hits = hd_ring_pop(f->hits);
        if (hits == NULL) {
            return false;
        }
        take_message(f, hits);
        if (f->state->wants_save && cor_feed_is_between(f)) {
            return true;
        }
    }
    return true;
}

static void drain(struct cor_feed *f)
{
    struct cor_state *s = f->state;
    while (!f->is_over && !cor_state_is_blocked(s)) {
        bool ended = hd_ring_is_closed(f->hits); /* before the look that counts */
        bool has_more = take_some(f);
        if (!flush(s)) {
            break;
        }
        s->wants_save |= s->saver != NULL && cor_mind_wants_snapshot(&s->mind);
        if (s->wants_save) {
            cor_state_keep(s);
        }
        if (!has_more) {
            if (ended) {
                end_feed(f);
            }
            return;
        }
    }
    if (cor_state_is_blocked(s) && atomic_load(&s->is_stopping)) {
        give_up(f);
    }
}

void cor_feed_on_hits(void *ctx)
{
    drain(ctx);
}

void cor_state_drain_all(struct cor_state *s)
{
    cor_state_on_notices(s);
    for (unsigned i = 0; i < s->n_feeds; i++) {
        if (s->feeds[i].is_attached) {
            drain(&s->feeds[i]);
        }
    }
}

static void on_retry(uv_timer_t *timer)
{
    struct cor_state *s = HD_CONTAINER(timer, struct cor_state, retry);
    if (flush(s) || atomic_load(&s->is_stopping)) {
        cor_state_drain_all(s);
    }
}
