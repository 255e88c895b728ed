/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/sources/watch.h"

#include <stdlib.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/log.h>
#include <haidang/loop.h>

#include "correlator/metrics.h"
#include "correlator/sources/show.h"

#define SEEN_RING  256U
#define LOOK_MS    1000U
#define SAVE_LOOKS 30U
#define BEHIND_MS  60000U /* detection that is so late says nothing about silence */
#define FILE_MAX   ((size_t)256 << 20)
#define FILE_MODE  0600

struct feed { /* one detector */
    struct cor_watch *watch;
    struct hd_ring *seen;
};

struct cor_watch {
    struct cor_watch_opts opts;
    struct hd_owner owner;
    uv_timer_t timer;
    struct hd_zone *zone;
    struct cor_sources sources;
    struct cor_judge judge;
    struct feed feeds[COR_DETECTORS_MAX];
    unsigned n_feeds, n_detached;
    unsigned looks;
    uv_work_t save_work;
    struct hd_buf save_text;
    int save_err;
    bool is_saving, has_changed, is_closing;
    bool has_told; /* what is to be remembered as told was published */
};

static struct cor_times times(void)
{
    return (struct cor_times){hd_clock_wall_ns(), hd_clock_mono_ns()};
}

/* ---- saving ---- */

static void finish_close(struct cor_watch *w);

static void save_work(uv_work_t *work)
{
    struct cor_watch *w = HD_CONTAINER(work, struct cor_watch, save_work);
    w->save_err =
        hd_fs_write_atomic(w->opts.file, hd_buf_slice(&w->save_text), FILE_MODE);
}

static void save_done(uv_work_t *work, int status)
{
    struct cor_watch *w = HD_CONTAINER(work, struct cor_watch, save_work);
    int err = status != 0 ? hd_err_from_uv(status) : w->save_err;
    w->is_saving = false;
    hd_buf_fini(&w->save_text);
    if (err != HD_OK) {
        HD_LOG(
            WARN, "sources",
            "the inventory of sources was not saved; what was learned since is lost if "
            "this process ends",
            HD_KV_STR("file", w->opts.file), HD_KV_ERR(err));
    }
    if (w->is_closing) {
        finish_close(w);
    }
}

/* True: save_done will come. */
static bool save(struct cor_watch *w)
{
    if (w->is_saving || !w->has_changed || !w->has_told) {
        return w->is_saving;
    }
    hd_buf_init(&w->save_text, FILE_MAX);
    if (cor_sources_save(&w->sources, &w->save_text) != HD_OK ||
        uv_queue_work(w->opts.loop, &w->save_work, save_work, save_done) != 0) {
        hd_buf_fini(&w->save_text);
        return false;
    }
    w->is_saving = true;
    w->has_changed = false;
    return true;
}

static int read_file(struct cor_watch *w, const struct cor_times *now)
{
    struct hd_buf text;
    const char *why = "unreadable";
    hd_buf_init(&text, FILE_MAX + 1);
    int err = hd_fs_read(w->opts.file, FILE_MAX, &text);
    if (err == HD_OK) {
        err = cor_sources_restore(&w->sources, hd_buf_slice(&text), now, &why);
    }
    hd_buf_fini(&text);
    if (err == HD_OK || err == HD_ENOENT) {
        return HD_OK;
    }
    HD_LOG(WARN, "sources", "the saved inventory of sources is not used; it begins anew",
           HD_KV_STR("file", w->opts.file), HD_KV_STR("why", why), HD_KV_ERR(err));
    cor_sources_fini(&w->sources);
    return cor_sources_init(&w->sources, &w->opts.sources, now);
}

/* ---- what detectors have seen ---- */

static void on_seen(void *ctx)
{
    struct feed *f = ctx;
    struct cor_watch *w = f->watch;
    struct cor_times now = times();
    struct cor_seen *seen;
    while ((seen = hd_ring_pop(f->seen)) != NULL) {
        COR_COUNT(COR_M_SOURCES_MISSED,
                  cor_sources_note(&w->sources, seen, &now) != HD_OK);
        free(seen);
        w->has_changed = true;
    }
}

/* ---- looking ---- */

static bool on_tell(void *ctx, const struct cor_notice_facts *facts)
{
    struct cor_watch *w = ctx;
    struct cor_notice *notice = NULL;
    if (cor_notice_new(facts, &notice) != HD_OK) {
        return false;
    }
    bool is_told = cor_state_tell(w->opts.state, notice) == HD_OK;
    if (!is_told) {
        cor_notice_free(notice);
    }
    COR_COUNT(COR_M_SOURCES_TOLD, is_told);
    w->has_changed = w->has_changed || is_told;
    w->has_told = w->has_told && !is_told;
    return is_told;
}

static void on_agent(void *ctx, struct hd_slice agent, int64_t difference_ns)
{
    struct cor_watch *w = ctx;
    struct cor_times now = times();
    cor_sources_connected(&w->sources, agent, difference_ns, &now);
}

static bool is_behind(const struct cor_watch *w)
{
    for (unsigned i = 0; i < w->opts.n_detectors; i++) {
        if (cor_detector_lag_ms(w->opts.detectors[i]) > BEHIND_MS) {
            return true;
        }
    }
    return false;
}

static void on_timer(uv_timer_t *timer)
{
    struct cor_watch *w = HD_CONTAINER(timer, struct cor_watch, timer);
    struct cor_times now = times();
    w->sources.zone_s = w->zone == NULL ? 0 : hd_zone_offset_s(w->zone, now.wall_ns);
    cor_sources_disconnected(&w->sources);
    cor_intake_each_connected(w->opts.intake, on_agent, w);
    cor_judge_look(&w->judge, *w->opts.enrich, is_behind(w), &now);
    w->has_told = cor_state_has_told(w->opts.state);
    if (++w->looks % SAVE_LOOKS == 0) {
        (void)save(w);
    }
}

/* ---- life ---- */

static void watch_freed(void *ctx)
{
    struct cor_watch *w = ctx;
    cor_judge_fini(&w->judge);
    cor_sources_fini(&w->sources);
    hd_zone_close(w->zone);
    for (unsigned i = 0; i < w->n_feeds; i++) {
        hd_ring_free(w->feeds[i].seen, free);
    }
    free(w);
}

static int attach(struct cor_watch *w)
{
    int err = HD_OK;
    for (unsigned i = 0; err == HD_OK && i < w->opts.n_detectors; i++) {
        struct feed *f = &w->feeds[w->n_feeds];
        f->watch = w;
        err = hd_ring_new(SEEN_RING, &f->seen);
        if (err == HD_OK) {
            w->n_feeds++;
            err = hd_ring_attach(f->seen, w->opts.loop, on_seen, f);
        }
    }
    return err;
}

int cor_watch_open(const struct cor_watch_opts *opts, struct cor_watch **out)
{
    struct cor_times now = times();
    struct cor_watch *w = calloc(1, sizeof(*w));
    if (w == NULL || cor_sources_init(&w->sources, &opts->sources, &now) != HD_OK) {
        free(w);
        return HD_ENOMEM;
    }
    w->opts = *opts;
    w->has_told = true;
    w->judge = (struct cor_judge){
        .sources = &w->sources, .tell = opts->wants_alerts ? on_tell : NULL, .ctx = w};
    hd_owner_init(&w->owner, watch_freed, w);
    (void)uv_timer_init(opts->loop, &w->timer);
    hd_owner_add(&w->owner, (uv_handle_t *)&w->timer);
    int err = read_file(w, &now);
    if (err == HD_OK && opts->zone != NULL) {
        err = hd_zone_open(opts->zone, &w->zone);
    }
    err = err != HD_OK ? err : attach(w);
    if (err != HD_OK) {
        cor_watch_close(w, true);
        return err;
    }
    (void)uv_timer_start(&w->timer, on_timer, LOOK_MS, LOOK_MS);
    *out = w;
    return HD_OK;
}

static void finish_close(struct cor_watch *w)
{
    if (w->n_detached == w->n_feeds && !save(w)) {
        hd_owner_close(&w->owner, (uv_handle_t *)&w->timer);
        hd_owner_finish(&w->owner);
    }
}

struct hd_ring *cor_watch_ring(const struct cor_watch *w, unsigned i)
{
    return w->feeds[i].seen;
}

static void on_detached(void *ctx)
{
    struct feed *f = ctx;
    f->watch->n_detached++;
    finish_close(f->watch);
}

void cor_watch_stop(struct cor_watch *w)
{
    if (w != NULL) {
        (void)uv_timer_stop(&w->timer);
    }
}

void cor_watch_close(struct cor_watch *w, bool has_told)
{
    if (w == NULL) {
        return;
    }
    cor_watch_stop(w);
    for (unsigned i = 0; i < w->n_feeds; i++) {
        on_seen(&w->feeds[i]);
    }
    w->is_closing = true;
    w->has_told = has_told;
    for (unsigned i = 0; i < w->n_feeds; i++) {
        hd_ring_detach(w->feeds[i].seen, on_detached, &w->feeds[i]);
    }
    if (w->n_feeds == 0) {
        finish_close(w);
    }
}

void cor_watch_refresh(const struct cor_watch *w)
{
    uint64_t silent = 0;
    for (uint32_t i = 0; i < w->sources.n; i++) {
        const struct cor_source *s = w->sources.rows[i];
        silent += s->is_silent || s->agent->is_lost;
    }
    COR_GAUGE(COR_M_SOURCES, w->sources.n);
    COR_GAUGE(COR_M_SOURCES_SILENT, silent);
}

void cor_watch_json(const struct cor_watch *w, struct hd_buf *out)
{
    cor_sources_show(&w->sources, &w->judge, out);
}
