/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/state/state.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/clock.h>

#include "correlator/patience.h"
#include "correlator/state/state_core.h"

#define ENRICH_RING  16U
#define NOTICES_RING 64U

/* False: this process is to end without, and what is not done it leaves to the next. */
static bool wait_for_memory(void *ctx)
{
    struct cor_state *s = ctx;
    s->gave_up = s->gave_up || !cor_wait_for_memory(&s->is_stopping, "state");
    return !s->gave_up;
}

static void on_wake(uv_async_t *async)
{
    cor_state_drain_all(HD_CONTAINER(async, struct cor_state, wake_async));
}

static void on_enrich(void *ctx)
{
    struct cor_state *s = ctx;
    struct cor_enrich *enrich;
    while ((enrich = hd_ring_pop(s->enrich_ring)) != NULL) {
        cor_enrich_unref(s->mind.out.enrich);
        s->mind.out.enrich = enrich;
    }
}

/* ---- start ---- */

bool cor_state_resume(const struct cor_state *s, unsigned index,
                      struct hd_journal_cursor *cursor)
{
    const struct cor_memory *memory = &s->mind.memory;
    if (memory->is_resumed && index < memory->resume.n) {
        *cursor = memory->resume.at[index];
        return true;
    }
    return false;
}

static int make_handles(struct cor_state *s)
{
    int status = uv_loop_init(&s->loop);
    if (status != 0) {
        return hd_err_from_uv(status);
    }
    status = uv_async_init(&s->loop, &s->wake_async, on_wake);
    if (status != 0) {
        (void)uv_loop_close(&s->loop);
        return hd_err_from_uv(status);
    }
    s->has_loop = true;
    hd_owner_init(&s->owner, NULL, NULL); /* whoever joins the thread frees */
    hd_owner_add(&s->owner, (uv_handle_t *)&s->wake_async);
    (void)uv_timer_init(&s->loop, &s->retry);
    hd_owner_add(&s->owner, (uv_handle_t *)&s->retry);
    (void)uv_timer_init(&s->loop, &s->save_timer);
    hd_owner_add(&s->owner, (uv_handle_t *)&s->save_timer);
    return HD_OK;
}

static int make_loop(struct cor_state *s, const struct cor_state_opts *opts)
{
    int err = make_handles(s);
    if (err == HD_OK && opts->snapshot != NULL) {
        uint64_t every_ms = (uint64_t)(opts->snapshot_ns / HD_NS_PER_MS);
        err = cor_saver_new(&s->loop, opts->snapshot, cor_state_on_saved, s, &s->saver);
        (void)uv_timer_start(&s->save_timer, cor_state_on_save_timer, every_ms, every_ms);
    }
    if (err == HD_OK && opts->losses != NULL) {
        err = hd_ring_attach(cor_losses_ring(opts->losses), &s->loop, cor_state_on_losses,
                             s);
    }
    err = err != HD_OK ? err
                       : hd_ring_attach(s->notices, &s->loop, cor_state_on_notices, s);
    return err != HD_OK ? err : hd_ring_attach(s->enrich_ring, &s->loop, on_enrich, s);
}

int cor_state_new(const struct cor_state_opts *opts, struct cor_rules *rules,
                  struct cor_enrich *enrich, struct cor_state **out, char why[256])
{
    struct cor_state *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        (void)snprintf(why, 256, "out of memory");
        return HD_ENOMEM;
    }
    const struct cor_mind_needs needs = {rules, enrich, wait_for_memory, s};
    int err = cor_mind_init(&s->mind, opts, &needs, why);
    err = err != HD_OK ? err : hd_ring_new(ENRICH_RING, &s->enrich_ring);
    err = err != HD_OK ? err : hd_ring_new(NOTICES_RING, &s->notices);
    err = err != HD_OK ? err : make_loop(s, opts);
    if (err != HD_OK) {
        cor_state_free(s);
        return err;
    }
    *out = s;
    return HD_OK;
}

int cor_state_add_detector(struct cor_state *s, struct cor_detector *d)
{
    if (s->n_feeds == COR_DETECTORS_MAX) {
        return HD_ELIMIT;
    }
    struct cor_feed *f = &s->feeds[s->n_feeds];
    *f = (struct cor_feed){.state = s, .detector = d, .hits = cor_detector_hits(d)};
    int err = hd_ring_attach(f->hits, &s->loop, cor_feed_on_hits, f);
    if (err == HD_OK) {
        f->is_attached = true;
        s->n_feeds++;
    }
    return err;
}

static void thread_main(void *arg)
{
    struct cor_state *s = arg;
    (void)pthread_setname_np(pthread_self(), "state");
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
}

int cor_state_run(struct cor_state *s)
{
    int status = uv_thread_create(&s->thread, thread_main, s);
    s->has_thread = status == 0;
    return hd_err_from_uv(status);
}

/* ---- what others ask ---- */

int cor_state_use(struct cor_state *s, struct cor_enrich *enrich)
{
    int err = hd_ring_push(s->enrich_ring, cor_enrich_ref(enrich));
    if (err != HD_OK) {
        cor_enrich_unref(enrich);
    }
    return err;
}

int cor_state_tell(struct cor_state *s, struct cor_notice *notice)
{
    return hd_ring_push(s->notices, notice);
}

bool cor_state_has_told(const struct cor_state *s)
{
    return hd_ring_depth(s->notices) == 0 && cor_state_trouble(s) == HD_OK;
}

void cor_state_stop(struct cor_state *s)
{
    atomic_store(&s->is_stopping, true);
    (void)uv_async_send(&s->wake_async);
}

const struct cor_proofs *cor_state_proofs(const struct cor_state *s)
{
    return cor_canaries_proofs(s->mind.canaries);
}

int cor_state_trouble(const struct cor_state *s)
{
    return atomic_load(&s->trouble);
}

const char *cor_state_trouble_with(const struct cor_state *s)
{
    return atomic_load(&s->is_ledger) ? "the loss ledger cannot be written"
                                      : "alerts cannot be published";
}

/* ---- end ---- */

void cor_state_close(struct cor_state *s)
{
    hd_ring_detach(s->enrich_ring, NULL, NULL);
    if (s->mind.losses != NULL) {
        hd_ring_detach(cor_losses_ring(s->mind.losses), NULL, NULL);
    }
    hd_ring_detach(s->notices, NULL, NULL);
    hd_owner_close(&s->owner, (uv_handle_t *)&s->retry);
    hd_owner_close(&s->owner, (uv_handle_t *)&s->save_timer);
    hd_owner_close(&s->owner, (uv_handle_t *)&s->wake_async);
}

/* A loop that was set up and never ran still has handles to close. */
static void close_loop(struct cor_state *s)
{
    if (!s->has_loop) {
        return;
    }
    if (!s->has_thread) {
        for (unsigned i = 0; i < s->n_feeds; i++) {
            hd_ring_detach(s->feeds[i].hits, NULL, NULL);
        }
        cor_state_close(s);
        (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    }
    (void)uv_loop_close(&s->loop);
}

static void wait_for_end(struct cor_state *s)
{
    if (s->has_thread && !s->is_joined) {
        (void)uv_thread_join(&s->thread);
        s->is_joined = true;
    }
}

bool cor_state_join(struct cor_state *s)
{
    wait_for_end(s);
    return hd_ring_depth(s->notices) == 0 && cor_publish_queued(s->mind.out.publish) == 0;
}

static void drop_enrich(void *item)
{
    cor_enrich_unref(item);
}

void cor_state_free(struct cor_state *s)
{
    if (s == NULL) {
        return;
    }
    wait_for_end(s);
    close_loop(s);
    hd_ring_free(s->enrich_ring, drop_enrich);
    hd_ring_free(s->notices, cor_notice_free);
    cor_saver_free(s->saver);
    cor_mind_fini(&s->mind);
    free(s);
}
