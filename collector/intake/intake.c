/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/intake/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/journal_writer.h>
#include <haidang/log.h>
#include <haidang/loop.h>

#include "collector/intake/losses.h"
#include "collector/intake/marks.h"
#include "collector/intake/recover.h"
#include "collector/intake/state.h"
#include "collector/metrics.h"

#define MARKS_SPARE       16384U /* of files that are not followed any more */
#define MARKS_OF_FILE     2U     /* its position, its name */
#define PENDING_BYTES_MAX (3U << 20)
#define PENDING_RAW_MAX   (8U << 20)
#define STREAM_RELEASE    (COL_INTAKE_STREAM_MAX / 4 * 3)
#define PENDING_MAX       64U
#define RECORD_EXTRA      24U /* of a record: time, source, flags, line feed */
#define RETRY_MS          1000U

/* A closed batch until it is durable. */
struct pending {
    struct pending *next;
    uint64_t first, last;
    int64_t time_min, time_max;
    uint32_t count, raw_len;
    uint32_t reports;  /* of its lines, those of our own losses */
    size_t stream_len; /* of its bytes, those of streams */
    size_t frame_len, meta_len;
    uint8_t bytes[]; /* frame, meta */
};

struct checkpoint {
    uv_work_t work;
    struct hd_buf text;
    char path[COL_STATE_PATH_MAX];
    uint64_t covered;
    int err;
    bool is_running;
    void (*done)(void *ctx, int err, uint64_t covered);
    void *ctx;
};

struct col_intake {
    struct hd_owner owner;
    struct col_intake_opts opts;
    struct col_sink sink;
    struct hd_batch_builder *builder;
    struct hd_journal_writer *writer;
    struct col_marks *marks;
    struct col_losses *losses;
    uint32_t reports;         /* of these, in the builder */
    size_t stream_len;        /* of the builder's bytes, those of streams */
    struct hd_buf meta;       /* scratch; HD_JOURNAL_META_MAX from the start */
    struct col_state durable; /* boot; index and last of the newest durable entry */
    uint64_t next_seq;
    struct pending *head, *tail;
    size_t n_pending, pending_bytes, pending_raw;
    size_t stream_bytes;    /* in the builder and in pending batches */
    uv_timer_t close_timer; /* runs while the builder holds lines */
    uv_timer_t retry_timer; /* runs while the spool refuses */
    int64_t born_s;         /* wall clock when it was opened ... */
    int64_t born_mono_ns;   /* ... and the other one: marks age evenly, see now_s() */
    int spool_err;
    bool is_submitted; /* the head is with the writer */
    bool is_full, is_held, is_closing;
    struct checkpoint checkpoint;
    char spool_dir[COL_STATE_PATH_MAX];
    void (*closed)(void *ctx);
    void *closed_ctx;
};

static void submit_head(struct col_intake *in);
static int close_batch(struct col_intake *in);
static void finish_close(struct col_intake *in);

/* Seconds since 1970 as a clock says that nobody sets: a step of the wall clock by weeks
 * must not make the positions of all files look old, and be forgotten. */
static int64_t now_s(const struct col_intake *in)
{
    return in->born_s + (hd_clock_mono_ns() - in->born_mono_ns) / HD_NS_PER_SEC;
}

/* ---- room ---- */

static void update_room(struct col_intake *in)
{
    bool is_full = in->spool_err != HD_OK || in->pending_bytes >= PENDING_BYTES_MAX ||
                   in->pending_raw >= PENDING_RAW_MAX || in->n_pending >= PENDING_MAX;
    COL_SET(COL_PENDING_BYTES, in->pending_bytes);
    hd_metric_max(&col_metrics[COL_PENDING_MAX], in->pending_bytes);
    if (is_full == in->is_full) {
        return;
    }
    in->is_full = is_full;
    if (is_full) {
        COL_COUNT(COL_PAUSES, 1);
        in->opts.ops->on_full(in->opts.ctx);
    } else {
        in->opts.ops->on_room(in->opts.ctx);
    }
}

/* The batch that is being built is closed when it is worth it: it will be on its way the
 * sooner, and nothing of the streams comes now that could join it. */
static void hold_streams(struct col_intake *in)
{
    size_t half = (size_t)in->opts.conf->batch_bytes / 2;
    in->is_held = true;
    COL_COUNT(COL_HOLDS, 1);
    in->opts.ops->on_hold(in->opts.ctx);
    if (hd_batch_builder_raw_len(in->builder) >= half) {
        (void)close_batch(in);
    }
}

static void update_hold(struct col_intake *in)
{
    if (!in->is_held && in->stream_bytes >= COL_INTAKE_STREAM_MAX) {
        hold_streams(in);
    } else if (in->is_held && in->stream_bytes <= STREAM_RELEASE) {
        in->is_held = false;
        in->opts.ops->on_release(in->opts.ctx);
    }
}

/* ---- pending batches -> spool ---- */

static void drop_head(struct col_intake *in)
{
    struct pending *p = in->head;
    in->head = p->next;
    in->tail = in->head == NULL ? NULL : in->tail;
    in->n_pending--;
    in->pending_bytes -= p->frame_len + p->meta_len;
    in->pending_raw -= p->raw_len;
    in->stream_bytes -= p->stream_len;
    free(p);
}

static void on_head_durable(struct col_intake *in, uint64_t index)
{
    struct pending *p = in->head;
    struct hd_slice meta = hd_slice(p->bytes + p->frame_len, p->meta_len);
    if (col_marks_durable(in->marks, meta) != HD_OK) {
        HD_LOG(ERROR, "intake", "file positions could not be kept",
               HD_KV_UINT("index", index));
    }
    in->durable.index = index;
    in->durable.last = p->last;
    COL_COUNT(COL_BATCHES, 1);
    COL_SET(COL_SPOOL_BYTES, hd_journal_writer_bytes(in->writer));
    COL_SET(COL_MARKS_EVICTED, col_marks_evicted(in->marks));
    col_losses_durable(in->losses, p->reports);
    drop_head(in);
    if (in->spool_err != HD_OK) {
        HD_LOG(INFO, "intake", "the spool takes batches again");
        in->spool_err = HD_OK;
    }
}

/* The batch stays at the head and is written again after a while. */
static void on_head_failed(struct col_intake *in, int err)
{
    if (in->spool_err == HD_OK) {
        COL_COUNT(COL_SPOOL_ERRORS, 1);
        HD_LOG(ERROR, "intake", "the spool cannot be written; sources are paused",
               HD_KV_STR("dir", in->spool_dir), HD_KV_ERR(err));
    }
    in->spool_err = err;
}

static void on_retry(uv_timer_t *timer)
{
    struct col_intake *in = HD_CONTAINER(timer, struct col_intake, retry_timer);
    if (in->head == NULL) {
        if (hd_batch_builder_count(in->builder) > 0 && close_batch(in) != HD_OK) {
            return;
        }
        in->spool_err = HD_OK; /* memory lacked, or all was written since */
    }
    submit_head(in);
    update_room(in);
}

static void retry_later(struct col_intake *in, int err)
{
    on_head_failed(in, err);
    (void)uv_timer_start(&in->retry_timer, on_retry, RETRY_MS, 0);
}

static void on_durable(void *ctx, int err, uint64_t index, void *token)
{
    struct col_intake *in = ctx;
    if (hd_fails(in->head != NULL && token == in->head)) {
        return;
    }
    in->is_submitted = false;
    if (err == HD_OK) {
        on_head_durable(in, index);
        in->opts.ops->on_spooled(in->opts.ctx);
        submit_head(in);
    } else {
        retry_later(in, err);
    }
    update_room(in);
    update_hold(in);
    finish_close(in);
}

/* One batch at a time: were the next one on its way already, it could become durable
 * although this one failed, and the spool's order would not be that of the sequences. */
static void submit_head(struct col_intake *in)
{
    struct pending *p = in->head;
    if (p == NULL || in->is_submitted) {
        return;
    }
    struct hd_journal_entry entry = {.first = p->first,
                                     .last = p->last,
                                     .time_min = p->time_min,
                                     .time_max = p->time_max,
                                     .count = p->count,
                                     .raw_len = p->raw_len,
                                     .meta =
                                         hd_slice(p->bytes + p->frame_len, p->meta_len),
                                     .payload = hd_slice(p->bytes, p->frame_len)};
    int err = hd_journal_writer_submit(in->writer, &entry, p);
    in->is_submitted = err == HD_OK;
    if (err != HD_OK) {
        retry_later(in, err);
    }
}

/* ---- builder -> pending ---- */

/* Asked for before the builder is emptied, at the largest size: so that want of memory
 * makes the sources wait, as a full disk does, and loses nothing. */
static struct pending *alloc_pending(void)
{
    return malloc(sizeof(struct pending) + HD_BATCH_WIRE_MAX + HD_JOURNAL_META_MAX);
}

static struct pending *fill_pending(struct pending *p, const struct hd_batch_info *info,
                                    struct hd_slice frame, struct hd_slice meta)
{
    *p = (struct pending){.first = info->first,
                          .last = info->last,
                          .time_min = info->time_min,
                          .time_max = info->time_max,
                          .count = info->count,
                          .raw_len = info->raw_len,
                          .frame_len = frame.len,
                          .meta_len = meta.len};
    memcpy(p->bytes, frame.ptr, frame.len);
    memcpy(p->bytes + frame.len, meta.ptr, meta.len);
    struct pending *fit = realloc(p, sizeof(*p) + frame.len + meta.len);
    return fit != NULL ? fit : p;
}

static void push_pending(struct col_intake *in, struct pending *p)
{
    if (in->tail == NULL) {
        in->head = p;
    } else {
        in->tail->next = p;
    }
    in->tail = p;
    in->n_pending++;
    in->pending_bytes += p->frame_len + p->meta_len;
    in->pending_raw += p->raw_len;
}

static int close_batch(struct col_intake *in)
{
    struct hd_slice frame;
    struct hd_batch_info info;
    struct pending *p = alloc_pending();
    (void)uv_timer_stop(&in->close_timer);
    int err = p == NULL
                  ? HD_ENOMEM
                  : hd_batch_builder_close(in->builder, in->next_seq, &frame, &info);
    if (err != HD_OK) {
        free(p);
        retry_later(in, err);
        update_room(in);
        return err;
    }
    hd_buf_clear(&in->meta);
    col_marks_take_meta(in->marks, &in->meta);
    in->next_seq = info.last + 1;
    p = fill_pending(p, &info, frame, hd_buf_slice(&in->meta));
    p->reports = in->reports;
    p->stream_len = in->stream_len;
    in->reports = 0;
    in->stream_len = 0;
    push_pending(in, p);
    if (in->spool_err == HD_OK) {
        submit_head(in);
    }
    update_room(in);
    return HD_OK;
}

static void on_close_timer(uv_timer_t *timer)
{
    col_intake_flush(HD_CONTAINER(timer, struct col_intake, close_timer));
}

void col_intake_flush(struct col_intake *in)
{
    if (hd_batch_builder_count(in->builder) > 0) {
        (void)close_batch(in);
    }
}

/* ---- the sink ---- */

static int add_to_builder(struct col_intake *in, const struct hd_batch_source *source,
                          int64_t recv_ns, unsigned flags, struct hd_slice line)
{
    uint16_t index;
    int err = hd_batch_builder_source(in->builder, source, &index);
    if (err == HD_OK) {
        err = hd_batch_builder_add(in->builder, index, recv_ns, flags, line);
    }
    return err;
}

static int take_line(struct col_intake *in, const struct hd_batch_source *source,
                     int64_t recv_ns, unsigned flags, struct hd_slice line)
{
    if (in->is_full) {
        return HD_EFULL;
    }
    int err = add_to_builder(in, source, recv_ns, flags, line);
    if (err == HD_EFULL) {
        (void)close_batch(in);
        if (in->is_full) {
            return HD_EFULL;
        }
        err = add_to_builder(in, source, recv_ns, flags, line);
    }
    if (err == HD_ENOMEM) { /* as with a full disk: sources wait, and nothing is lost */
        retry_later(in, err);
        update_room(in);
        return HD_EFULL;
    }
    if (err != HD_OK) {
        HD_LOG(ERROR, "intake", "a line cannot be taken",
               HD_KV_SLICE("source", source->name), HD_KV_UINT("bytes", line.len),
               HD_KV_ERR(err));
        return err;
    }
    if (hd_batch_builder_count(in->builder) == 1) {
        uint64_t wait_ms = (uint64_t)(in->opts.conf->batch_time_ns / HD_NS_PER_MS);
        (void)uv_timer_start(&in->close_timer, on_close_timer, wait_ms, 0);
    }
    return HD_OK;
}

static void count_line(struct col_intake *in, const struct hd_batch_source *source,
                       unsigned flags, struct hd_slice line)
{
    bool is_cut = (flags & HD_BATCH_TRUNCATED) != 0;
    COL_COUNT(COL_LINES, 1);
    COL_COUNT(COL_BYTES, line.len);
    COL_COUNT(COL_TRUNCATED, is_cut);
    if (is_cut) {
        col_losses_add(in->losses, source, HD_LOSS_TRUNCATED, 1, 0);
    }
}

static int sink_add(void *ctx, const struct hd_batch_source *source, int64_t recv_ns,
                    unsigned flags, struct hd_slice line)
{
    struct col_intake *in = ctx;
    int err = take_line(in, source, recv_ns, flags, line);
    if (err == HD_OK) {
        count_line(in, source, flags, line);
    }
    return err;
}

static int sink_add_stream(void *ctx, const struct hd_batch_source *source,
                           int64_t recv_ns, unsigned flags, struct hd_slice line)
{
    struct col_intake *in = ctx;
    int err = in->is_held ? HD_EFULL : sink_add(ctx, source, recv_ns, flags, line);
    if (err == HD_OK) {
        in->stream_len += line.len + RECORD_EXTRA;
        in->stream_bytes += line.len + RECORD_EXTRA;
        update_hold(in);
    }
    return err;
}

static void sink_lost(void *ctx, const struct hd_batch_source *source,
                      enum hd_loss_kind kind, uint64_t count, uint64_t bytes)
{
    struct col_intake *in = ctx;
    col_losses_add(in->losses, source, kind, count, bytes);
}

static int take_report(void *ctx, const struct hd_batch_source *source, int64_t recv_ns,
                       struct hd_slice line)
{
    struct col_intake *in = ctx;
    int err = take_line(in, source, recv_ns, 0, line);
    in->reports += err == HD_OK;
    return err;
}

void col_intake_report(struct col_intake *in)
{
    col_losses_report(in->losses);
}

static void sink_mark(void *ctx, struct hd_slice key, struct hd_slice mark)
{
    struct col_intake *in = ctx;
    bool has_lines = hd_batch_builder_count(in->builder) > 0;
    int err = has_lines ? col_marks_set(in->marks, key, mark, now_s(in))
                        : col_marks_set_late(in->marks, key, mark, now_s(in));
    if (err != HD_OK) {
        HD_LOG(ERROR, "intake", "a position cannot be kept", HD_KV_ERR(err));
    }
    if (col_marks_is_full(in->marks)) {
        col_intake_flush(in);
    }
}

static struct hd_slice sink_last_mark(void *ctx, struct hd_slice key)
{
    struct col_intake *in = ctx;
    return col_marks_get(in->marks, key, now_s(in));
}

static int64_t sink_marked_s(void *ctx, struct hd_slice key)
{
    const struct col_intake *in = ctx;
    return col_marks_touched(in->marks, key);
}

struct each_mark {
    struct hd_slice prefix;
    void (*each)(void *ctx, struct hd_slice key, struct hd_slice mark);
    void *ctx;
};

static void on_mark(void *ctx, struct hd_slice key, struct hd_slice mark,
                    int64_t touched_s)
{
    const struct each_mark *e = ctx;
    (void)touched_s;
    if (hd_slice_starts(key, e->prefix)) {
        e->each(e->ctx, key, mark);
    }
}

static void sink_each_mark(void *ctx, struct hd_slice prefix,
                           void (*each)(void *each_ctx, struct hd_slice key,
                                        struct hd_slice mark),
                           void *each_ctx)
{
    const struct col_intake *in = ctx;
    struct each_mark e = {prefix, each, each_ctx};
    col_marks_each(in->marks, on_mark, &e);
}

const struct col_sink *col_intake_sink(struct col_intake *in)
{
    return &in->sink;
}

/* ---- state file ---- */

static int state_text(struct col_intake *in)
{
    struct checkpoint *c = &in->checkpoint;
    hd_buf_clear(&c->text);
    col_state_format(&in->durable, in->marks, now_s(in), &c->text);
    c->covered = in->durable.index;
    return c->text.err;
}

static void write_state(uv_work_t *work)
{
    struct checkpoint *c = HD_CONTAINER(work, struct checkpoint, work);
    c->err = hd_fs_write_atomic(c->path, hd_buf_slice(&c->text), 0600);
}

static void state_written(uv_work_t *work, int status)
{
    struct checkpoint *c = HD_CONTAINER(work, struct checkpoint, work);
    struct col_intake *in = HD_CONTAINER(c, struct col_intake, checkpoint);
    int err = status < 0 ? hd_err_from_uv(status) : c->err;
    c->is_running = false;
    hd_buf_fini(&c->text);
    if (err != HD_OK) {
        HD_LOG(ERROR, "intake", "the state file cannot be written",
               HD_KV_STR("file", c->path), HD_KV_ERR(err));
    }
    c->done(c->ctx, err, c->covered);
    finish_close(in);
}

int col_intake_checkpoint(struct col_intake *in, uint64_t acked,
                          void (*done)(void *ctx, int err, uint64_t covered), void *ctx)
{
    struct checkpoint *c = &in->checkpoint;
    if (c->is_running || in->is_closing) {
        return HD_EBUSY;
    }
    in->durable.acked = acked;
    int err = state_text(in);
    if (err != HD_OK) {
        return err;
    }
    c->done = done;
    c->ctx = ctx;
    err = hd_err_from_uv(
        uv_queue_work(in->opts.loop, &c->work, write_state, state_written));
    c->is_running = err == HD_OK;
    return err;
}

int col_intake_settle(struct col_intake *in)
{
    if (hd_fails(in->n_pending == 0 && hd_batch_builder_count(in->builder) == 0)) {
        return HD_EBUG;
    }
    col_marks_settle(in->marks);
    int err = state_text(in);
    if (err == HD_OK) {
        err = hd_fs_write_atomic(in->checkpoint.path, hd_buf_slice(&in->checkpoint.text),
                                 0600);
    }
    hd_buf_fini(&in->checkpoint.text);
    return err;
}

void col_intake_trim(struct col_intake *in)
{
    hd_journal_writer_trim(in->writer);
    COL_SET(COL_SPOOL_BYTES, hd_journal_writer_bytes(in->writer));
    if (in->spool_err == HD_ENOSPC) {
        submit_head(in);
    }
}

/* ---- life ---- */

static int open_spool(struct col_intake *in, uint64_t *next_index, char why[256])
{
    const struct col_conf *conf = in->opts.conf;
    struct hd_journal_recovery found;
    (void)snprintf(in->spool_dir, sizeof(in->spool_dir), "%s/" COL_STATE_SPOOL,
                   conf->state_dir);
    int err = hd_fs_mkdirs(conf->state_dir, 0700);
    if (err == HD_OK) {
        err = hd_journal_writer_open(
            &(struct hd_journal_writer_opts){
                .journal = {.dir = in->spool_dir,
                            .segment_bytes = conf->spool_segment,
                            .retain_bytes = 1, /* what every reader has read may go */
                            .max_bytes = conf->spool_max,
                            .reserve_bytes = conf->spool_reserve,
                            .keys = in->opts.keys,
                            .key = in->opts.key},
                .loop = in->opts.loop,
                .on_durable = on_durable,
                .ctx = in},
            &in->writer, &found);
    }
    if (err != HD_OK) {
        (void)snprintf(why, 256, "%.150s: %s%s", in->spool_dir, hd_err_text(err),
                       err == HD_EBUSY ? " (another agent uses this state_dir)" : "");
        return err;
    }
    if (found.torn_bytes > 0) {
        HD_LOG(WARN, "intake", "cut an unfinished entry from the spool",
               HD_KV_STR("file", found.torn_file), HD_KV_UINT("bytes", found.torn_bytes));
    }
    *next_index = found.next_index;
    return HD_OK;
}

static void free_intake(void *ctx)
{
    struct col_intake *in = ctx;
    void (*closed)(void *) = in->closed;
    void *closed_ctx = in->closed_ctx;
    while (in->head != NULL) {
        drop_head(in);
    }
    hd_buf_fini(&in->checkpoint.text);
    hd_buf_fini(&in->meta);
    hd_batch_builder_free(in->builder);
    col_losses_free(in->losses);
    col_marks_free(in->marks);
    free(in);
    if (closed != NULL) {
        closed(closed_ctx);
    }
}

static void close_timers(void *ctx)
{
    struct col_intake *in = ctx;
    hd_owner_close(&in->owner, (uv_handle_t *)&in->close_timer);
    hd_owner_close(&in->owner, (uv_handle_t *)&in->retry_timer);
    col_losses_close_timer(in->losses);
    hd_owner_finish(&in->owner);
}

static int open_losses(struct col_intake *in)
{
    const struct col_conf *conf = in->opts.conf;
    bool has_host = conf->host != NULL && conf->host[0] != '\0';
    const struct col_losses_opts opts = {.loop = in->opts.loop,
                                         .owner = &in->owner,
                                         .state_dir = conf->state_dir,
                                         .host = has_host ? conf->host : in->opts.agent,
                                         .add = take_report,
                                         .ctx = in};
    return col_losses_open(&opts, &in->losses);
}

/* Never fewer than the files that may be followed have: a forgotten one is read again. */
static size_t marks_max(const struct col_conf *conf)
{
    size_t n = MARKS_SPARE;
    for (size_t i = 0; i < conf->n_sources; i++) {
        bool has_files = conf->sources[i].kind == COL_KIND_FILE;
        n += has_files ? MARKS_OF_FILE * (size_t)conf->sources[i].files_max : 0;
    }
    return n;
}

static int init_parts(struct col_intake *in, char why[256])
{
    const struct col_conf *conf = in->opts.conf;
    uint64_t next_index = 0;
    int err = col_marks_new(marks_max(conf), &in->marks);
    if (err == HD_OK && hd_buf_reserve(&in->meta, HD_JOURNAL_META_MAX) == NULL) {
        err = HD_ENOMEM;
    }
    err = err == HD_OK ? open_spool(in, &next_index, why) : err;
    if (err == HD_OK) {
        err = col_recover(conf->state_dir, in->opts.keys, next_index, &in->durable,
                          in->marks, why);
    }
    if (err == HD_OK) {
        err = hd_batch_builder_new(in->opts.agent, in->durable.boot,
                                   (size_t)conf->batch_bytes, (int)conf->batch_level,
                                   &in->builder);
    }
    in->next_seq = in->durable.last + 1;
    return err == HD_OK ? open_losses(in) : err;
}

int col_intake_open(const struct col_intake_opts *opts, struct col_intake **out,
                    char why[256])
{
    struct col_intake *in = calloc(1, sizeof(*in));
    if (in == NULL) {
        return HD_ENOMEM;
    }
    in->opts = *opts;
    in->sink = (struct col_sink){.add = sink_add,
                                 .add_stream = sink_add_stream,
                                 .mark = sink_mark,
                                 .last_mark = sink_last_mark,
                                 .marked_s = sink_marked_s,
                                 .each_mark = sink_each_mark,
                                 .lost = sink_lost,
                                 .ctx = in};
    in->born_s = hd_clock_wall_ns() / HD_NS_PER_SEC;
    in->born_mono_ns = hd_clock_mono_ns();
    (void)snprintf(in->checkpoint.path, sizeof(in->checkpoint.path), "%s/" COL_STATE_FILE,
                   opts->conf->state_dir);
    hd_buf_init(&in->checkpoint.text, COL_STATE_MAX);
    hd_buf_init(&in->meta, HD_JOURNAL_META_MAX);
    hd_owner_init(&in->owner, free_intake, in);
    (void)uv_timer_init(opts->loop, &in->close_timer);
    hd_owner_add(&in->owner, (uv_handle_t *)&in->close_timer);
    (void)uv_timer_init(opts->loop, &in->retry_timer);
    hd_owner_add(&in->owner, (uv_handle_t *)&in->retry_timer);
    int err = init_parts(in, why);
    if (err != HD_OK) {
        if (in->writer != NULL) {
            hd_journal_writer_close(in->writer, close_timers, in);
        } else {
            close_timers(in);
        }
        return err;
    }
    *out = in;
    return HD_OK;
}

/* Files are read again from their durable positions: of their lines nothing is lost. */
static const struct hd_batch_source not_spooled = {
    .kind = HD_SLICE("agent"),
    .name = HD_SLICE("ended while its spool took nothing; files are read again")};

/* The writer goes when nothing waits for it any more. A spool that refuses does not hold
 * up the end: what it does not take now is lost, and said. */
static void finish_close(struct col_intake *in)
{
    if (!in->is_closing || in->writer == NULL || in->checkpoint.is_running ||
        in->is_submitted || (in->head != NULL && in->spool_err == HD_OK)) {
        return;
    }
    uint64_t lost = 0;
    for (const struct pending *p = in->head; p != NULL; p = p->next) {
        lost += p->count - p->reports;
    }
    if (lost > 0) {
        HD_LOG(ERROR, "intake", "ending while the spool refuses batches",
               HD_KV_UINT("lines_not_spooled", lost), HD_KV_ERR(in->spool_err));
        col_losses_add(in->losses, &not_spooled, HD_LOSS_SPOOL_FULL, lost, 0);
    }
    col_losses_keep(in->losses);
    struct hd_journal_writer *writer = in->writer;
    in->writer = NULL;
    hd_journal_writer_close(writer, close_timers, in);
}

void col_intake_close(struct col_intake *in, void (*closed)(void *ctx), void *ctx)
{
    in->closed = closed;
    in->closed_ctx = ctx;
    col_intake_flush(in);
    in->is_closing = true;
    finish_close(in);
}

bool col_intake_is_idle(const struct col_intake *in)
{
    return in->head == NULL && hd_batch_builder_count(in->builder) == 0;
}

void col_intake_status(const struct col_intake *in, struct col_intake_status *out)
{
    *out = (struct col_intake_status){.boot = in->durable.boot,
                                      .spool_dir = in->spool_dir,
                                      .spool_keys = in->opts.keys,
                                      .last_spooled = in->durable.last,
                                      .last_given = in->next_seq - 1,
                                      .last_acked = in->durable.acked,
                                      .spool_bytes = hd_journal_writer_bytes(in->writer),
                                      .pending_bytes = in->pending_bytes,
                                      .spool_err = in->spool_err};
}
