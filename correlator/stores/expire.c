/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/stores/expire.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <haidang/clock.h>
#include <haidang/log.h>
#include <haidang/loop.h>
#include <haidang/retain.h>

#define FIRST_MS 1000U

struct cor_expire {
    struct cor_expire_opts opts;
    struct hd_owner owner;
    uv_timer_t timer;
    uv_work_t work;
    bool is_working, is_closing;
    atomic_bool stop;
    int err;        /* of the last time */
    uint64_t index; /* what the last time found */
};

static void expire_freed(void *ctx)
{
    struct cor_expire *e = ctx;
    const struct cor_expire_opts opts = e->opts;
    free(e);
    opts.closed(opts.ctx);
}

static void finish_close(struct cor_expire *e)
{
    hd_owner_close(&e->owner, (uv_handle_t *)&e->timer);
    hd_owner_finish(&e->owner);
}

/* ---- aside ---- */

static void to_log(void *ctx, const struct hd_diag *diag)
{
    (void)ctx;
    HD_LOG(ERROR, "retention", "the rules of retention cannot be used",
           HD_KV_STR("file", diag->file == NULL ? "" : diag->file),
           HD_KV_UINT("line", diag->line), HD_KV_STR("why", diag->text));
}

static void look(uv_work_t *work)
{
    struct cor_expire *e = HD_CONTAINER(work, struct cor_expire, work);
    struct hd_diags diags = {.emit = to_log};
    struct hd_retain *retain = NULL;
    e->index = 0;
    e->err = hd_retain_load(e->opts.file, &retain, &diags);
    if (e->err == HD_OK) {
        hd_retain_use_keys(retain, e->opts.keys);
        e->err = hd_retain_expired(retain, e->opts.dir, hd_clock_wall_ns(), &e->stop,
                                   &e->index);
        if (e->err != HD_OK) {
            HD_LOG(WARN, "retention", "the archive cannot be read: nothing is removed",
                   HD_KV_STR("dir", e->opts.dir), HD_KV_ERR(e->err));
        }
    }
    hd_retain_free(retain);
}

/* ---- on the loop ---- */

static void looked(uv_work_t *work, int status)
{
    struct cor_expire *e = HD_CONTAINER(work, struct cor_expire, work);
    e->is_working = false;
    e->err = status != 0 ? hd_err_from_uv(status) : e->err;
    if (e->is_closing) {
        finish_close(e);
    } else if (e->err == HD_OK && e->index > 0) {
        e->opts.release(e->opts.ctx, e->index);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct cor_expire *e = HD_CONTAINER(timer, struct cor_expire, timer);
    if (!e->is_working) {
        e->is_working = uv_queue_work(e->opts.loop, &e->work, look, looked) == 0;
    }
}

int cor_expire_open(const struct cor_expire_opts *opts, struct cor_expire **out)
{
    struct cor_expire *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return HD_ENOMEM;
    }
    e->opts = *opts;
    hd_owner_init(&e->owner, expire_freed, e);
    (void)uv_timer_init(opts->loop, &e->timer);
    hd_owner_add(&e->owner, (uv_handle_t *)&e->timer);
    uint64_t every_ms = (uint64_t)(opts->every_ns / HD_NS_PER_MS);
    (void)uv_timer_start(&e->timer, on_timer, FIRST_MS, every_ms);
    *out = e;
    return HD_OK;
}

void cor_expire_close(struct cor_expire *e)
{
    if (e == NULL || e->is_closing) {
        return;
    }
    e->is_closing = true;
    atomic_store(&e->stop, true);
    (void)uv_timer_stop(&e->timer);
    if (!e->is_working) {
        finish_close(e);
    }
}

int cor_expire_trouble(const struct cor_expire *e)
{
    return e == NULL || e->is_working ? HD_OK : e->err;
}
