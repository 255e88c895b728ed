/* SPDX-License-Identifier: Apache-2.0
 *
 * When a snapshot is taken: between two batches and after a flush, so that it, its
 * cursors and the alert journal are of one moment. The detectors' cursors move when it is
 * durable.
 */
#include <haidang/log.h>

#include "correlator/metrics.h"
#include "correlator/state/state_core.h"

bool cor_feed_is_between(const struct cor_feed *f)
{
    return f->is_placed && !f->is_inside;
}

/* Everything taken is published, and no batch was taken in part. */
static bool can_save(const struct cor_state *s, struct cor_cursors *cursors)
{
    bool ok = s->saver != NULL && !cor_saver_is_busy(s->saver) &&
              !cor_state_is_blocked(s) && !s->gave_up &&
              cor_publish_queued(s->mind.out.publish) == 0;
    cursors->n = s->n_feeds;
    for (unsigned i = 0; i < s->n_feeds; i++) {
        ok = ok && cor_feed_is_between(&s->feeds[i]);
        cursors->at[i] = s->feeds[i].cursor;
    }
    return ok;
}

static void not_saved(struct cor_state *s, int err)
{
    s->is_changed = true;
    COR_COUNT(COR_M_SNAPSHOTS_FAILED, 1);
    HD_LOG(
        WARN, "state",
        "what correlations remember was not saved; after a crash more is examined again",
        HD_KV_ERR(err));
}

void cor_state_keep(struct cor_state *s)
{
    struct cor_cursors cursors;
    if (can_save(s, &cursors) && cor_losses_settle(s->mind.losses) == HD_OK) {
        s->wants_save = s->is_changed = false; /* until it has failed */
        cor_canaries_save(s->mind.canaries, s->mind.rules);
        cor_mind_kept(&s->mind);
        const struct cor_remembered what = cor_mind_remembered(&s->mind);
        int err = cor_saver_begin(s->saver, &cursors, &what);
        if (err != HD_OK) {
            not_saved(s, err);
        }
    }
}

void cor_state_on_saved(void *ctx, int err, const struct cor_cursors *cursors)
{
    struct cor_state *s = ctx;
    if (err != HD_OK) {
        not_saved(s, err);
    }
    for (unsigned i = 0; err == HD_OK && i < cursors->n; i++) {
        cor_detector_durable(s->feeds[i].detector, &cursors->at[i]);
    }
    COR_COUNT(COR_M_SNAPSHOTS, err == HD_OK);
    if (s->is_ending) {
        cor_state_dismiss(s);
    } else if (s->n_ended == s->n_feeds) {
        cor_state_end(s);
    }
}

void cor_state_on_save_timer(uv_timer_t *timer)
{
    struct cor_state *s = HD_CONTAINER(timer, struct cor_state, save_timer);
    if (!cor_state_is_blocked(s)) {
        cor_publish_trim(s->mind.out.publish);
    }
    s->wants_save = s->is_changed;
    if (s->wants_save) {
        cor_state_keep(s);
    }
}
