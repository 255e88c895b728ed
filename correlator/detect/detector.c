/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/detect/detector.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/log.h>
#include <haidang/loop.h>

#include "correlator/detect/examine.h"
#include "correlator/detect/lost.h"
#include "correlator/metrics.h"

#define HITS_RING   32U /* messages: bounds the memory of hits on their way */
#define ORDERS_RING 16U /* rule sets that were not taken up yet */
#define CURSORS_RING                                                                     \
    256U /* the state thread drops what does not fit: newer ones come                    \
          */
#define SAVE_EVERY_NS (HD_NS_PER_MS * 200)
#define LAG_EVERY_NS  (HD_NS_PER_MS * 500)
#define POLL_MS       1000

struct cor_detector {
    struct cor_detector_opts opts;
    struct hd_journal_reader *reader;
    struct cor_examiner *examiner;
    struct hd_ring *hits, *orders, *cursors;
    int wake_fd;
    uv_thread_t thread;
    bool has_thread;
    atomic_bool is_stopping;
    _Atomic uint64_t lag_bytes, lag_ms;

    struct {
        uint64_t first, bytes; /* of damage whose end was not seen yet; bytes 0 = none */
    } damage;
    int64_t entry_bytes, lag_ns;

    struct hd_journal_cursor to_save;
    bool has_to_save;
    int64_t saved_ns;
};

/* ---- life ---- */

static void drop_tools(void *item)
{
    cor_tools_free(item);
}

static void drop_hits(void *item)
{
    cor_hits_free(item);
}

/* The state thread waits no longer than until it has ended. */
static void deliver(void *ctx, struct cor_hits *message)
{
    struct cor_detector *d = ctx;
    if (hd_ring_push_wait(d->hits, message) != HD_OK) {
        cor_hits_free(message);
    }
}

static int make_examiner(struct cor_detector *d, struct cor_rules *rules)
{
    struct cor_tools *tools = NULL;
    const struct cor_examiner_opts opts = {.index = d->opts.index,
                                           .count = d->opts.count,
                                           .archive_dir = d->opts.archive_dir,
                                           .is_stopping = &d->is_stopping,
                                           .seen = d->opts.seen,
                                           .deliver = deliver,
                                           .ctx = d};
    int err = cor_tools_new(rules, d->opts.canary_keys, &tools);
    return err != HD_OK ? err : cor_examiner_new(&opts, tools, &d->examiner);
}

static int make_parts(struct cor_detector *d, struct cor_rules *rules)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "detect-%u", d->opts.index);
    int err = hd_journal_reader_open(d->opts.archive_dir, name, &d->reader);
    if (err == HD_OK) {
        hd_journal_reader_use_keys(d->reader, d->opts.keys);
    }
    if (err == HD_OK && d->opts.has_start) {
        err = hd_journal_reader_seek(d->reader, &d->opts.start);
    }
    err = err != HD_OK ? err : make_examiner(d, rules);
    err = err != HD_OK ? err : hd_ring_new(HITS_RING, &d->hits);
    err = err != HD_OK ? err : hd_ring_new(ORDERS_RING, &d->orders);
    err = err != HD_OK ? err : hd_ring_new(CURSORS_RING, &d->cursors);
    if (err != HD_OK) {
        return err;
    }
    d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return d->wake_fd < 0 ? hd_err_from_errno(errno) : HD_OK;
}

int cor_detector_new(const struct cor_detector_opts *opts, struct cor_rules *rules,
                     struct cor_detector **out)
{
    struct cor_detector *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return HD_ENOMEM;
    }
    d->opts = *opts;
    d->wake_fd = -1;
    int err = make_parts(d, rules);
    if (err != HD_OK) {
        cor_detector_free(d);
        return err;
    }
    *out = d;
    return HD_OK;
}

static void wake(struct cor_detector *d)
{
    const uint64_t one = 1;
    /* a counter that is full wakes as well */
    (void)!write(d->wake_fd, &one, sizeof(one));
}

void cor_detector_stop(struct cor_detector *d)
{
    atomic_store(&d->is_stopping, true);
    wake(d);
    if (!d->has_thread) {
        hd_ring_close(d->hits); /* or the state thread would wait for it */
    }
}

void cor_detector_free(struct cor_detector *d)
{
    if (d == NULL) {
        return;
    }
    if (d->has_thread) {
        (void)uv_thread_join(&d->thread);
    }
    hd_ring_free(d->hits, drop_hits);
    hd_ring_free(d->orders, drop_tools);
    hd_ring_free(d->cursors, free);
    if (d->wake_fd >= 0) {
        (void)close(d->wake_fd);
    }
    cor_examiner_free(d->examiner);
    hd_journal_reader_close(d->reader);
    free(d);
}

int cor_detector_use(struct cor_detector *d, struct cor_tools *tools)
{
    int err = hd_ring_push(d->orders, tools);
    if (err != HD_OK) {
        cor_tools_free(tools);
        return err;
    }
    wake(d);
    return HD_OK;
}

struct hd_ring *cor_detector_hits(struct cor_detector *d)
{
    return d->hits;
}

uint64_t cor_detector_lag_bytes(const struct cor_detector *d)
{
    return atomic_load_explicit(&d->lag_bytes, memory_order_relaxed);
}

uint64_t cor_detector_lag_ms(const struct cor_detector *d)
{
    return atomic_load_explicit(&d->lag_ms, memory_order_relaxed);
}

size_t cor_detector_queue_high(const struct cor_detector *d)
{
    return hd_ring_high_water(d->hits);
}

/* ---- what the state thread says ---- */

void cor_detector_durable(struct cor_detector *d, const struct hd_journal_cursor *cursor)
{
    struct hd_journal_cursor *copy = malloc(sizeof(*copy));
    if (copy == NULL) {
        return;
    }
    *copy = *cursor;
    if (hd_ring_push(d->cursors, copy) != HD_OK) {
        free(copy);
        return;
    }
    wake(d);
}

void cor_detector_dismiss(struct cor_detector *d)
{
    hd_ring_close(d->cursors);
}

static void save_cursor(struct cor_detector *d)
{
    d->has_to_save = false;
    d->saved_ns = hd_clock_mono_ns();
    int err = hd_journal_reader_save(d->reader, &d->to_save, false);
    if (err != HD_OK) {
        HD_LOG(WARN, "detect",
               "the cursor was not saved; after a restart more is examined again",
               HD_KV_UINT("detector", d->opts.index), HD_KV_ERR(err));
    }
}

static void take_cursors(struct cor_detector *d)
{
    struct hd_journal_cursor *cursor;
    while ((cursor = hd_ring_pop(d->cursors)) != NULL) {
        d->to_save = *cursor;
        d->has_to_save = true;
        free(cursor);
    }
}

/* Everything was made aside: this is all of the time that detection stands still. */
static void take_orders(struct cor_detector *d)
{
    struct cor_tools *tools = hd_ring_pop(d->orders);
    int64_t began_ns = tools == NULL ? 0 : hd_clock_mono_ns();
    for (; tools != NULL; tools = hd_ring_pop(d->orders)) {
        cor_examiner_use(d->examiner, tools);
    }
    if (began_ns != 0) {
        cor_metric_pause(hd_clock_mono_ns() - began_ns);
    }
}

/* ---- reading ---- */

/* The reader counts entries; their size is taken from those seen lately. */
static void note_lag(struct cor_detector *d, const struct hd_journal_entry *entry)
{
    int64_t now_ns = hd_clock_mono_ns();
    int64_t age_ms = 0;
    if (entry != NULL) {
        age_ms = (hd_clock_wall_ns() - cor_examiner_taken_ns(d->examiner)) / HD_NS_PER_MS;
        d->entry_bytes += ((int64_t)entry->payload.len - d->entry_bytes) / 16;
    }
    atomic_store_explicit(&d->lag_ms, (uint64_t)(age_ms > 0 ? age_ms : 0),
                          memory_order_relaxed);
    if (entry == NULL || now_ns - d->lag_ns >= LAG_EVERY_NS) {
        d->lag_ns = now_ns;
        atomic_store_explicit(&d->lag_bytes,
                              hd_journal_reader_lag(d->reader) * (uint64_t)d->entry_bytes,
                              memory_order_relaxed);
    }
}

/* ---- the thread ---- */

/* Time of the entry at the cursor, or now when it is still to come. */
static int64_t time_at(struct cor_detector *d, const struct hd_journal_cursor *cursor)
{
    struct hd_journal_entry entry;
    int64_t now_ns = hd_clock_wall_ns();
    if (hd_journal_reader_next_header(d->reader, &entry) != HD_OK ||
        hd_journal_reader_seek(d->reader, cursor) != HD_OK) {
        return now_ns;
    }
    return entry.time_min < now_ns ? entry.time_min : now_ns;
}

/* One entry before `end`; false when there is none any more. */
static bool warm_up_step(struct cor_detector *d, uint64_t end, int64_t from_ns)
{
    struct hd_journal_cursor here;
    struct hd_journal_entry entry;
    hd_journal_reader_tell(d->reader, &here);
    if (here.index >= end || atomic_load(&d->is_stopping)) {
        return false;
    }
    int err = hd_journal_reader_next(d->reader, &entry);
    if (err == HD_OK && entry.index < end && entry.time_max >= from_ns) {
        cor_examine(d->examiner, &entry);
    }
    return err == HD_OK || err == HD_ECORRUPT || err == HD_ENOENT;
}

/* Reads the entries before the cursor that correlations may still need. */
static void warm_up(struct cor_detector *d)
{
    struct hd_journal_cursor resume;
    hd_journal_reader_tell(d->reader, &resume);
    if (d->opts.warm_up_ns == 0 || resume.index <= 1) {
        return;
    }
    int64_t from_ns = time_at(d, &resume) - d->opts.warm_up_ns;
    if (hd_journal_reader_seek_time(d->reader, from_ns) == HD_OK) {
        cor_examiner_begin_warm_up(d->examiner);
        while (warm_up_step(d, resume.index, from_ns)) {
        }
        cor_examiner_end_warm_up(d->examiner);
    }
    if (hd_journal_reader_seek(d->reader, &resume) != HD_OK) {
        HD_LOG(WARN, "detect",
               "the place to resume at is gone: examined from the oldest entry on",
               HD_KV_UINT("entry", resume.index));
    }
}

static void end_batch(struct cor_detector *d)
{
    struct hd_journal_cursor cursor;
    hd_journal_reader_tell(d->reader, &cursor);
    cor_examiner_end_batch(d->examiner, &cursor);
}

/* Sleeps until there is something to read, to take up or to save. */
static void wait_for_work(struct cor_detector *d)
{
    struct pollfd fds[2] = {{.fd = d->wake_fd, .events = POLLIN},
                            {.fd = hd_journal_reader_fd(d->reader), .events = POLLIN}};
    if (d->has_to_save) {
        save_cursor(d);
    }
    note_lag(d, NULL);
    if (poll(fds, 2, POLL_MS) <= 0) {
        return;
    }
    uint64_t count;
    if ((fds[0].revents & POLLIN) != 0) {
        (void)!read(d->wake_fd, &count, sizeof(count));
    }
    if ((fds[1].revents & POLLIN) != 0) {
        hd_journal_reader_drain(d->reader);
    }
}

static void note_damage(struct cor_detector *d, uint64_t first, uint64_t bytes)
{
    cor_examiner_pass_over(d->examiner, first, "it does not verify");
    d->damage.first = d->damage.bytes == 0 ? first : d->damage.first;
    d->damage.bytes += bytes;
}

/* How many entries were damaged shows at the next one that is not. */
static void tell_damage(struct cor_detector *d, uint64_t next)
{
    if (d->damage.bytes > 0) {
        uint64_t first = d->damage.first == 0 ? next - 1 : d->damage.first;
        struct hd_loss loss =
            cor_lost_entries(HD_LOSS_DAMAGED, first, next, d->damage.bytes);
        d->damage.bytes = 0;
        cor_examiner_lose(d->examiner, &loss);
    }
}

static void entries_removed(struct cor_detector *d, uint64_t first)
{
    struct hd_journal_cursor now;
    hd_journal_reader_tell(d->reader, &now);
    struct hd_loss loss = cor_lost_entries(HD_LOSS_REMOVED, first, now.index, 0);
    COR_COUNT(COR_M_DETECT_TRIMMED, 1);
    HD_LOG(ERROR, "detect",
           "retention removed entries before they were examined: give the archive more "
           "room or the detector more processor",
           HD_KV_UINT("detector", d->opts.index), HD_KV_UINT("entries", loss.count));
    cor_examiner_lose(d->examiner, &loss);
    end_batch(d);
}

static void nothing_now(struct cor_detector *d)
{
    struct hd_journal_cursor now;
    hd_journal_reader_tell(d->reader, &now);
    if (d->damage.bytes > 0 && now.index > d->damage.first) {
        tell_damage(d, now.index);
        end_batch(d); /* the cursor stands behind it */
    }
    wait_for_work(d);
}

static void step(struct cor_detector *d)
{
    struct hd_journal_entry entry;
    struct hd_journal_cursor before;
    uint64_t skipped = hd_journal_reader_skipped(d->reader);
    hd_journal_reader_tell(d->reader, &before);
    int err = hd_journal_reader_next(d->reader, &entry);
    switch (err) {
    case HD_OK:
        tell_damage(d, entry.index);
        cor_examine(d->examiner, &entry);
        note_lag(d, &entry);
        end_batch(d);
        break;
    case HD_EAGAIN:
        nothing_now(d);
        break;
    case HD_ECORRUPT:
        note_damage(d, before.index, hd_journal_reader_skipped(d->reader) - skipped);
        break;
    case HD_ENOENT:
        entries_removed(d, before.index);
        break;
    case HD_ENOMEM:
        (void)cor_examiner_wait(d->examiner);
        break;
    default:
        HD_LOG(ERROR, "detect", "the archive cannot be read; trying again",
               HD_KV_STR("dir", d->opts.archive_dir), HD_KV_ERR(err));
        wait_for_work(d);
        break;
    }
}

/* The state thread says the last cursor, then closes the ring. */
static void take_last_cursor(struct cor_detector *d)
{
    struct hd_journal_cursor *cursor;
    while ((cursor = hd_ring_pop_wait(d->cursors, -1)) != NULL) {
        d->to_save = *cursor;
        d->has_to_save = true;
        free(cursor);
    }
    if (d->has_to_save) {
        save_cursor(d);
    }
}

static void thread_main(void *arg)
{
    struct cor_detector *d = arg;
    char name[16];
    (void)snprintf(name, sizeof(name), "detect-%u", d->opts.index);
    (void)pthread_setname_np(pthread_self(), name);
    warm_up(d);
    while (!atomic_load(&d->is_stopping)) {
        take_orders(d);
        take_cursors(d);
        if (d->has_to_save && hd_clock_mono_ns() - d->saved_ns >= SAVE_EVERY_NS) {
            save_cursor(d);
        }
        step(d);
    }
    hd_ring_close(d->hits);
    take_last_cursor(d);
}

int cor_detector_run(struct cor_detector *d)
{
    int status = uv_thread_create(&d->thread, thread_main, d);
    d->has_thread = status == 0;
    return hd_err_from_uv(status);
}
