/* SPDX-License-Identifier: Apache-2.0
 *
 * The disk thread of a journal. The loop thread and the disk thread share two lists under
 * one mutex, taken once per submission and once per group: entries are batches, so this
 * is far from any line's way. The disk thread takes all that is queued, appends it, syncs
 * once, and hands the verdicts back through one uv_async.
 *
 * Ownership: an item belongs to whoever's list it is on. The journal belongs to the disk
 * thread from its start to its end. Everything else belongs to the loop thread. Bound:
 * queue_bytes of items in flight, or one item when it alone is larger.
 */
#include <haidang/journal_writer.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <haidang/log.h>
#include <haidang/loop.h>

#include "lib/journal_priv.h"

#define QUEUE_BYTES (UINT64_C(8) << 20)

struct item {
    struct item *next;
    void *token;
    uint64_t cost;
    int err;
    struct hd_journal_entry entry; /* its slices view what follows */
    uint8_t bytes[];
};

struct list {
    struct item *head;
    struct item **tail;
};

struct hd_journal_writer {
    struct hd_journal_writer_opts opts;
    struct hd_owner owner;
    uv_async_t async;
    pthread_t thread;
    struct hd_journal *journal;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list submitted, finished; /* under lock */
    bool is_trim_wanted, is_closing; /* under lock */
    uint64_t released;               /* under lock */
    bool is_ended;                   /* under lock: the thread touches nothing more */

    uint64_t queued; /* loop thread */
    bool is_refusing, is_closed;
    void (*closed)(void *ctx);
    void *closed_ctx;

    _Atomic uint64_t bytes, syncs, removed_bytes, removed_unread;
};

static void list_clear(struct list *list)
{
    list->head = NULL;
    list->tail = &list->head;
}

static void list_push(struct list *list, struct item *item)
{
    item->next = NULL;
    *list->tail = item;
    list->tail = &item->next;
}

static struct item *list_take(struct list *list)
{
    struct item *head = list->head;
    list_clear(list);
    return head;
}

/* ---- disk thread ---- */

/* Appends until one fails; what comes after it fails with it, so that order is kept. */
static bool group_append(struct hd_journal *journal, struct item *group)
{
    int err = HD_OK;
    bool is_any = false;
    for (struct item *item = group; item != NULL; item = item->next) {
        item->err = err != HD_OK ? err : hd_journal_append(journal, &item->entry);
        if (item->err != HD_OK && item->err != HD_EINVAL) {
            err = item->err;
        }
        is_any |= item->err == HD_OK;
    }
    return is_any || err != HD_OK;
}

static void group_write(struct hd_journal_writer *w, struct item *group)
{
    if (!group_append(w->journal, group)) {
        return;
    }
    int err = hd_journal_commit(w->journal);
    atomic_fetch_add_explicit(&w->syncs, 1, memory_order_relaxed);
    uint64_t next = hd_journal_next_index(w->journal);
    for (struct item *item = group; err != HD_OK && item != NULL; item = item->next) {
        bool is_durable = item->err == HD_OK && item->entry.index < next;
        if (item->err == HD_OK && !is_durable) {
            item->err = err;
        }
    }
}

static void group_finish(struct hd_journal_writer *w, struct item *group, bool is_end)
{
    (void)pthread_mutex_lock(&w->lock);
    while (group != NULL) {
        struct item *next = group->next;
        list_push(&w->finished, group);
        group = next;
    }
    w->is_ended = is_end;
    (void)uv_async_send(&w->async); /* inside: after is_ended the handle may go */
    (void)pthread_mutex_unlock(&w->lock);
}

static void *disk_thread(void *ctx)
{
    struct hd_journal_writer *w = ctx;
    bool is_end = false;
    while (!is_end) {
        (void)pthread_mutex_lock(&w->lock);
        while (w->submitted.head == NULL && !w->is_trim_wanted && !w->is_closing) {
            (void)pthread_cond_wait(&w->wake, &w->lock);
        }
        struct item *group = list_take(&w->submitted);
        bool is_trim = w->is_trim_wanted;
        w->is_trim_wanted = false;
        hd_journal_release(w->journal, w->released);
        is_end = w->is_closing && group == NULL;
        (void)pthread_mutex_unlock(&w->lock);

        group_write(w, group);
        int err = is_trim ? hd_journal_trim(w->journal) : 0;
        if (err < 0) {
            HD_LOG(WARN, "journal", "retention could not be applied",
                   HD_KV_STR("dir", w->opts.journal.dir), HD_KV_ERR(err));
        }
        atomic_store_explicit(&w->bytes, hd_journal_bytes(w->journal),
                              memory_order_relaxed);
        atomic_store_explicit(&w->removed_bytes, hd_journal_removed_bytes(w->journal),
                              memory_order_relaxed);
        atomic_store_explicit(&w->removed_unread, hd_journal_removed_unread(w->journal),
                              memory_order_relaxed);
        if (is_end) {
            hd_journal_close(w->journal);
        }
        group_finish(w, group, is_end);
    }
    return NULL;
}

/* ---- loop thread ---- */

static void writer_free(struct hd_journal_writer *w)
{
    (void)pthread_cond_destroy(&w->wake);
    (void)pthread_mutex_destroy(&w->lock);
    free((void *)(uintptr_t)w->opts.journal.dir);
    free(w);
}

static void writer_closed(void *ctx)
{
    struct hd_journal_writer *w = ctx;
    void (*closed)(void *ctx) = w->closed;
    void *closed_ctx = w->closed_ctx;
    writer_free(w);
    if (closed != NULL) {
        closed(closed_ctx);
    }
}

static void items_report(struct hd_journal_writer *w, struct item *item)
{
    while (item != NULL) {
        struct item *next = item->next;
        uint64_t index = item->err == HD_OK ? item->entry.index : 0;
        w->queued -= item->cost;
        w->opts.on_durable(w->opts.ctx, item->err, index, item->token);
        free(item);
        item = next;
    }
}

static uint64_t queue_max(const struct hd_journal_writer *w)
{
    return w->opts.queue_bytes > 0 ? w->opts.queue_bytes : QUEUE_BYTES;
}

static void on_async(uv_async_t *async)
{
    struct hd_journal_writer *w = HD_CONTAINER(async, struct hd_journal_writer, async);
    (void)pthread_mutex_lock(&w->lock);
    struct item *group = list_take(&w->finished);
    bool is_ended = w->is_ended;
    (void)pthread_mutex_unlock(&w->lock);
    items_report(w, group);
    if (w->is_refusing && w->queued <= queue_max(w) / 2) {
        w->is_refusing = false;
        if (w->opts.on_drain != NULL) {
            w->opts.on_drain(w->opts.ctx);
        }
    }
    if (is_ended && hd_owner_is_open(&w->owner)) {
        (void)pthread_join(w->thread, NULL);
        hd_owner_close(&w->owner, (uv_handle_t *)&w->async);
        hd_owner_finish(&w->owner);
    }
}

static int writer_start(struct hd_journal_writer *w, const struct hd_io *io,
                        struct hd_journal_recovery *recovery)
{
    int err = hd_journal_open_io(&w->opts.journal, io, &w->journal, recovery);
    if (err != HD_OK) {
        return err;
    }
    atomic_store(&w->bytes, hd_journal_bytes(w->journal));
    err = hd_err_from_uv(uv_async_init(w->opts.loop, &w->async, on_async));
    if (err != HD_OK) {
        hd_journal_close(w->journal);
        return err;
    }
    hd_owner_add(&w->owner, (uv_handle_t *)&w->async);
    if (pthread_create(&w->thread, NULL, disk_thread, w) == 0) {
        return HD_OK;
    }
    hd_journal_close(w->journal);
    return HD_EAGAIN;
}

int hd_journal_writer_open_io(const struct hd_journal_writer_opts *opts,
                              const struct hd_io *io, struct hd_journal_writer **out,
                              struct hd_journal_recovery *recovery)
{
    struct hd_journal_writer *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return HD_ENOMEM;
    }
    w->opts = *opts;
    w->opts.journal.dir = hd_slice_dup(hd_slice_str(opts->journal.dir));
    list_clear(&w->submitted);
    list_clear(&w->finished);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->wake, NULL);
    hd_owner_init(&w->owner, writer_closed, w);
    int err = w->opts.journal.dir == NULL ? HD_ENOMEM : writer_start(w, io, recovery);
    if (err == HD_OK) {
        *out = w;
        return HD_OK;
    }
    if (w->owner.open_handles == 0) {
        writer_free(w);
        return err;
    }
    hd_owner_close(&w->owner, (uv_handle_t *)&w->async);
    hd_owner_finish(&w->owner); /* frees it when the handle has closed */
    return err;
}

int hd_journal_writer_open(const struct hd_journal_writer_opts *opts,
                           struct hd_journal_writer **out,
                           struct hd_journal_recovery *recovery)
{
    struct hd_io io = hd_io_system();
    return hd_journal_writer_open_io(opts, &io, out, recovery);
}

static struct item *item_new(const struct hd_journal_entry *entry, void *token)
{
    size_t len = entry->meta.len + entry->payload.len;
    struct item *item = malloc(sizeof(*item) + len);
    if (item == NULL) {
        return NULL;
    }
    item->token = token;
    item->cost = sizeof(*item) + len;
    item->err = HD_OK;
    item->entry = *entry;
    item->entry.meta.ptr = item->bytes;
    item->entry.payload.ptr = item->bytes + entry->meta.len;
    if (entry->meta.len > 0) {
        memcpy(item->bytes, entry->meta.ptr, entry->meta.len);
    }
    memcpy(item->bytes + entry->meta.len, entry->payload.ptr, entry->payload.len);
    return item;
}

int hd_journal_writer_submit(struct hd_journal_writer *w,
                             const struct hd_journal_entry *entry, void *token)
{
    if (w->is_closed) {
        return HD_ECLOSED;
    }
    if (entry->payload.len == 0 || entry->payload.len > HD_JOURNAL_PAYLOAD_MAX ||
        entry->meta.len > HD_JOURNAL_META_MAX) {
        return HD_EINVAL;
    }
    uint64_t cost = sizeof(struct item) + entry->meta.len + entry->payload.len;
    if (w->queued > 0 && w->queued + cost > queue_max(w)) {
        w->is_refusing = true;
        return HD_EFULL;
    }
    struct item *item = item_new(entry, token);
    if (item == NULL) {
        return HD_ENOMEM;
    }
    w->queued += cost;
    (void)pthread_mutex_lock(&w->lock);
    list_push(&w->submitted, item);
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
    return HD_OK;
}

void hd_journal_writer_trim(struct hd_journal_writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    w->is_trim_wanted = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
}

void hd_journal_writer_release(struct hd_journal_writer *w, uint64_t index)
{
    (void)pthread_mutex_lock(&w->lock);
    w->released = index;
    w->is_trim_wanted = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
}

uint64_t hd_journal_writer_queued(const struct hd_journal_writer *w)
{
    return w->queued;
}

uint64_t hd_journal_writer_bytes(const struct hd_journal_writer *w)
{
    return atomic_load_explicit(&w->bytes, memory_order_relaxed);
}

uint64_t hd_journal_writer_syncs(const struct hd_journal_writer *w)
{
    return atomic_load_explicit(&w->syncs, memory_order_relaxed);
}

uint64_t hd_journal_writer_removed_bytes(const struct hd_journal_writer *w)
{
    return atomic_load_explicit(&w->removed_bytes, memory_order_relaxed);
}

uint64_t hd_journal_writer_removed_unread(const struct hd_journal_writer *w)
{
    return atomic_load_explicit(&w->removed_unread, memory_order_relaxed);
}

void hd_journal_writer_close(struct hd_journal_writer *w, void (*closed)(void *ctx),
                             void *ctx)
{
    w->is_closed = true;
    w->closed = closed;
    w->closed_ctx = ctx;
    (void)pthread_mutex_lock(&w->lock);
    w->is_closing = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
}
