/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/intake/losses.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/log.h>

#include "collector/intake/state.h"
#include "collector/metrics.h"

#define REPORT_MS 10000U
#define FILE_MAX  ((size_t)1 << 20)

struct col_losses {
    struct col_losses_opts opts;
    struct hd_loss_tally *tally;
    struct hd_buf text;
    struct hd_buf sent; /* reports in batches that are not durable yet */
    uv_timer_t timer;   /* runs while there is something to report */
    char path[COL_STATE_PATH_MAX];
    bool has_file; /* of the agent before; its losses are counted here */
};

static void on_timer(uv_timer_t *timer)
{
    col_losses_report(HD_CONTAINER(timer, struct col_losses, timer));
}

static void report_within(struct col_losses *l, uint64_t ms)
{
    if (!uv_is_active((uv_handle_t *)&l->timer) &&
        !uv_is_closing((uv_handle_t *)&l->timer)) {
        (void)uv_timer_start(&l->timer, on_timer, ms, 0);
    }
}

/* ---- what the agent before left ---- */

static void take_over(struct col_losses *l)
{
    struct hd_slice line;
    hd_buf_clear(&l->text);
    int err = hd_fs_read(l->path, FILE_MAX, &l->text);
    struct hd_slice rest = err == HD_OK ? hd_buf_slice(&l->text) : HD_SLICE_EMPTY;
    while (hd_slice_split(&rest, '\n', &line)) {
        struct hd_loss loss;
        if (line.len > 0 && hd_loss_decode(line, &loss) == HD_OK) {
            hd_loss_tally_add(l->tally, &loss);
        }
    }
    l->has_file = err == HD_OK;
    if (l->has_file) {
        report_within(l, 0);
    } else if (err != HD_ENOENT) {
        HD_LOG(ERROR, "losses", "what was lost before cannot be read",
               HD_KV_STR("file", l->path), HD_KV_ERR(err));
    }
}

void col_losses_durable(struct col_losses *l, uint32_t n)
{
    for (; n > 0 && l->sent.len > 0; n--) {
        hd_buf_consume(&l->sent, hd_slice_find_byte(hd_buf_slice(&l->sent), '\n') + 1);
    }
    if (l->has_file && l->sent.len == 0 && hd_loss_tally_first(l->tally) == NULL) {
        l->has_file = false;
        (void)unlink(l->path);
    }
}

void col_losses_keep(struct col_losses *l)
{
    const struct hd_loss *at;
    int err = HD_OK;
    while (err == HD_OK && (at = hd_loss_tally_first(l->tally)) != NULL) {
        err = hd_loss_encode(at, &l->sent);
        hd_loss_tally_drop_first(l->tally);
    }
    if (l->sent.len > 0 && err == HD_OK) {
        err = hd_fs_write_atomic(l->path, hd_buf_slice(&l->sent), 0600);
    }
    if (err != HD_OK) {
        HD_LOG(ERROR, "losses", "what was lost cannot be kept for a report",
               HD_KV_STR("file", l->path), HD_KV_ERR(err));
    }
}

/* ---- reporting ---- */

void col_losses_add(struct col_losses *l, const struct hd_batch_source *source,
                    enum hd_loss_kind kind, uint64_t count, uint64_t bytes)
{
    int64_t now_ns = hd_clock_wall_ns();
    struct hd_loss loss = {.kind = kind,
                           .first_ns = now_ns,
                           .last_ns = now_ns,
                           .count = count,
                           .bytes = bytes};
    if (count > 0) {
        (void)snprintf(loss.source, sizeof(loss.source), "%.*s %.*s",
                       HD_SLICE_FMT(source->kind), HD_SLICE_FMT(source->name));
        hd_loss_tally_add(l->tally, &loss);
        report_within(l, REPORT_MS);
    }
}

static int report_one(struct col_losses *l, const struct hd_loss *counted)
{
    const struct hd_batch_source source = {.host = hd_slice_str(l->opts.host),
                                           .kind = HD_SLICE(HD_LOSS_SOURCE_KIND),
                                           .name = HD_SLICE(HD_LOSS_SOURCE_NAME),
                                           .format = HD_SLICE("json")};
    struct hd_loss loss = *counted;
    loss.time_ns = hd_clock_wall_ns();
    HD_LOSS_SET(loss.by, HD_SLICE("agent"));
    hd_buf_clear(&l->text);
    int err = hd_loss_encode(&loss, &l->text);
    if (err == HD_OK) {
        err = l->opts.add(l->opts.ctx, &source, loss.time_ns,
                          hd_slice_head(hd_buf_slice(&l->text), l->text.len - 1));
    }
    if (err == HD_OK) {
        hd_buf_slice_add(&l->sent, hd_buf_slice(&l->text));
    }
    return err;
}

void col_losses_report(struct col_losses *l)
{
    const struct hd_loss *first;
    int err = HD_OK;
    while (err == HD_OK && (first = hd_loss_tally_first(l->tally)) != NULL) {
        err = report_one(l, first);
        if (err == HD_OK) {
            COL_COUNT(COL_LOSSES, 1);
            hd_loss_tally_drop_first(l->tally);
        }
    }
    if (err != HD_OK) {
        report_within(l, REPORT_MS);
        return;
    }
    (void)uv_timer_stop(&l->timer);
}

/* ---- life ---- */

int col_losses_open(const struct col_losses_opts *opts, struct col_losses **out)
{
    struct col_losses *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return HD_ENOMEM;
    }
    l->opts = *opts;
    hd_buf_init(&l->text, FILE_MAX);
    hd_buf_init(&l->sent, FILE_MAX);
    (void)snprintf(l->path, sizeof(l->path), "%s/" COL_LOSSES_FILE, opts->state_dir);
    int err = hd_loss_tally_new(&l->tally);
    if (err != HD_OK) {
        col_losses_free(l);
        return err;
    }
    (void)uv_timer_init(opts->loop, &l->timer);
    hd_owner_add(opts->owner, (uv_handle_t *)&l->timer);
    take_over(l);
    *out = l;
    return HD_OK;
}

void col_losses_close_timer(struct col_losses *l)
{
    if (l != NULL) {
        hd_owner_close(l->opts.owner, (uv_handle_t *)&l->timer);
    }
}

void col_losses_free(struct col_losses *l)
{
    if (l != NULL) {
        hd_loss_tally_free(l->tally);
        hd_buf_fini(&l->text);
        hd_buf_fini(&l->sent);
        free(l);
    }
}
