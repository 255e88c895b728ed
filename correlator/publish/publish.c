/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/publish/publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include <haidang/alert.h>
#include <haidang/buf.h>
#include <haidang/log.h>

#include "correlator/metrics.h"

#define LEVEL 1 /* an alert is too short for more to gain anything */

struct queued {
    struct hd_buf frame;
    uint32_t raw_len;
    int64_t time_min, time_max;
};

struct cor_publish {
    struct hd_journal *journal;
    const char *dir;
    const struct hd_journal_keys *keys;
    struct queued *queue;
    size_t n, cap;
    struct hd_buf text; /* scratch */
    ZSTD_CCtx *zstd;
    ZSTD_DCtx *unzstd;
};

static void show_size(const struct cor_publish *p)
{
    COR_GAUGE(COR_M_ALERTS_BYTES, hd_journal_bytes(p->journal));
    COR_GAUGE(COR_M_REMOVED_ALERTS, hd_journal_removed_bytes(p->journal));
}

int cor_publish_open(const struct hd_journal_opts *opts, struct cor_publish **out,
                     char why[256])
{
    struct hd_journal_recovery found = {0};
    struct cor_publish *p = calloc(1, sizeof(*p));
    int err = p == NULL ? HD_ENOMEM : HD_OK;
    if (p != NULL) {
        hd_buf_init(&p->text, 2 * (size_t)HD_ALERT_TEXT_MAX);
        p->dir = opts->dir;
        p->keys = opts->keys;
        p->zstd = ZSTD_createCCtx();
        p->unzstd = ZSTD_createDCtx();
        err = p->zstd == NULL || p->unzstd == NULL
                  ? HD_ENOMEM
                  : hd_journal_open(opts, &p->journal, &found);
    }
    if (err != HD_OK) {
        cor_publish_close(p);
        (void)snprintf(
            why, 256, "the alert journal in %s cannot be opened: %s", opts->dir,
            err == HD_EBUSY ? "another correlator is using it" : hd_err_text(err));
        return err;
    }
    if (found.torn_bytes > 0) {
        HD_LOG(WARN, "publish", "the alert journal's end was torn by a crash and cut",
               HD_KV_UINT("bytes", found.torn_bytes), HD_KV_STR("file", found.torn_file));
    }
    show_size(p);
    *out = p;
    return HD_OK;
}

static void clear_queue(struct cor_publish *p)
{
    for (size_t i = 0; i < p->n; i++) {
        hd_buf_fini(&p->queue[i].frame);
    }
    p->n = 0;
}

void cor_publish_close(struct cor_publish *p)
{
    if (p == NULL) {
        return;
    }
    clear_queue(p);
    free(p->queue);
    hd_buf_fini(&p->text);
    (void)ZSTD_freeCCtx(p->zstd);
    (void)ZSTD_freeDCtx(p->unzstd);
    hd_journal_close(p->journal);
    free(p);
}

/* ---- reading what was published ---- */

struct tail {
    struct cor_publish *publish;
    void (*each)(void *ctx, const json_t *alert);
    void *ctx;
};

static void tail_line(struct tail *t, struct hd_slice line)
{
    char why[256];
    json_t *alert = NULL;
    int err = hd_alert_parse(line, &alert, why);
    if (err != HD_OK) {
        HD_LOG(WARN, "publish", "an alert in the journal is malformed; passed over",
               HD_KV_STR("why", why));
        return;
    }
    t->each(t->ctx, alert);
    json_decref(alert);
}

static void tail_entry(struct tail *t, const struct hd_journal_entry *entry)
{
    struct hd_buf *text = &t->publish->text;
    hd_buf_clear(text);
    uint8_t *room = hd_buf_reserve(text, HD_ALERT_TEXT_MAX + 1);
    if (room == NULL) {
        return;
    }
    size_t len = ZSTD_decompressDCtx(t->publish->unzstd, room, HD_ALERT_TEXT_MAX + 1,
                                     entry->payload.ptr, entry->payload.len);
    if (ZSTD_isError(len)) {
        HD_LOG(WARN, "publish", "an alert in the journal cannot be read; passed over",
               HD_KV_UINT("entry", entry->index));
        return;
    }
    struct hd_slice rest = hd_slice(room, len), line;
    while (hd_slice_split(&rest, '\n', &line)) {
        if (line.len > 0) {
            tail_line(t, line);
        }
    }
}

int cor_publish_tail(struct cor_publish *p, uint64_t max,
                     void (*each)(void *ctx, const json_t *alert), void *ctx)
{
    struct tail t = {p, each, ctx};
    struct hd_journal_reader *reader;
    int err = hd_journal_reader_open(p->dir, NULL, &reader);
    if (err != HD_OK) {
        return err;
    }
    hd_journal_reader_use_keys(reader, p->keys);
    uint64_t next = hd_journal_next_index(p->journal);
    if (next > max + 1) {
        /* When that place is gone the reader stays at the oldest there is. */
        (void)!hd_journal_reader_seek(reader,
                                      &(struct hd_journal_cursor){.index = next - max});
    }
    struct hd_journal_entry entry;
    while ((err = hd_journal_reader_next(reader, &entry)) != HD_EAGAIN) {
        if (err == HD_OK) {
            tail_entry(&t, &entry);
        } else if (err != HD_ECORRUPT && err != HD_ENOENT) {
            break;
        }
    }
    hd_journal_reader_close(reader);
    return err == HD_EAGAIN ? HD_OK : err;
}

/* ---- publishing ---- */

static int make_room(struct cor_publish *p)
{
    if (p->n < p->cap) {
        return HD_OK;
    }
    size_t cap = p->cap == 0 ? 16 : p->cap * 2;
    struct queued *more = realloc(p->queue, cap * sizeof(*more));
    if (more == NULL) {
        return HD_ENOMEM;
    }
    p->queue = more;
    p->cap = cap;
    return HD_OK;
}

static int compress(struct cor_publish *p, struct hd_buf *out)
{
    size_t bound = ZSTD_compressBound(p->text.len);
    hd_buf_init(out, 0);
    uint8_t *room = hd_buf_reserve(out, bound);
    if (room == NULL) {
        return HD_ENOMEM;
    }
    size_t len = ZSTD_compressCCtx(p->zstd, room, bound, p->text.ptr, p->text.len, LEVEL);
    if (ZSTD_isError(len)) {
        hd_buf_fini(out);
        return HD_ENOMEM;
    }
    out->len = len;
    return HD_OK;
}

int cor_publish_add(struct cor_publish *p, const json_t *alert, char why[256])
{
    struct queued q = {0};
    hd_buf_clear(&p->text);
    int err = hd_alert_format(alert, &p->text);
    if (err == HD_EINVAL && hd_alert_check(alert, why) != HD_OK) { /* says why */
        return HD_EBUG;
    }
    (void)snprintf(why, 256, "out of memory");
    hd_buf_byte(&p->text, '\n');
    err = err != HD_OK ? err : p->text.err;
    err = err != HD_OK ? err : make_room(p);
    err = err != HD_OK ? err : compress(p, &q.frame);
    if (err != HD_OK) {
        return err;
    }
    q.raw_len = (uint32_t)p->text.len;
    /* The times were made by us a moment ago; were they wrong the check had said so. */
    (void)!hd_alert_time(alert, "time.first", &q.time_min);
    (void)!hd_alert_time(alert, "time.last", &q.time_max);
    p->queue[p->n++] = q;
    return HD_OK;
}

size_t cor_publish_queued(const struct cor_publish *p)
{
    return p->n;
}

static int append(struct cor_publish *p, const struct queued *q)
{
    uint64_t number = hd_journal_next_index(p->journal);
    struct hd_journal_entry entry = {.first = number,
                                     .last = number,
                                     .time_min = q->time_min,
                                     .time_max = q->time_max,
                                     .count = 1,
                                     .raw_len = q->raw_len,
                                     .payload = hd_buf_slice(&q->frame)};
    return hd_journal_append(p->journal, &entry);
}

/* The first `n` are durable. */
static void drop_head(struct cor_publish *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hd_buf_fini(&p->queue[i].frame);
    }
    for (size_t i = n; i < p->n; i++) {
        p->queue[i - n] = p->queue[i];
    }
    p->n -= n;
}

int cor_publish_flush(struct cor_publish *p)
{
    size_t appended = 0;
    int err = HD_OK;
    while (err == HD_OK && appended < p->n) {
        err = append(p, &p->queue[appended]);
        appended += err == HD_OK;
    }
    /* A commit that fails takes back what was appended since the last good one. */
    int synced = hd_journal_commit(p->journal);
    if (synced == HD_OK) {
        drop_head(p, appended);
    }
    show_size(p);
    return err != HD_OK ? err : synced;
}

void cor_publish_trim(struct cor_publish *p)
{
    int removed = hd_journal_trim(p->journal);
    show_size(p);
    if (removed < 0) {
        HD_LOG(WARN, "publish", "the alert journal could not be sealed or shortened",
               HD_KV_STR("dir", p->dir), HD_KV_ERR(removed));
    }
}
