/* SPDX-License-Identifier: Apache-2.0 */
#include "console/entries.h"

#include <haidang/journal_check.h>
#include <haidang/journal_loose.h>
#include <haidang/loop.h>
#include <haidang/ring.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define JOBS_DEFAULT_MAX 8

struct worker {
    const struct con_entries_opts *opts;
    struct hd_ring *todo, *done;
    uv_thread_t thread;
    bool has_thread;
    void *own;
};

struct segment {
    uint64_t first;             /* index of its first entry */
    int64_t time_min, time_max; /* as its footer says, if it has one */
};

struct run {
    const struct con_entries_opts *opts;
    struct con_entries_totals *totals;
    struct hd_journal_reader *reader;
    struct segment *segs;
    size_t n_segs;
    struct worker *workers;
    struct con_entry *entries; /* CON_ENTRIES_DEPTH a worker, used in turn */
    uint64_t n_entries;
    uint64_t given, taken; /* so far */
    uint64_t first, end;   /* indexes of the archive */
    int err;
};

unsigned con_entries_jobs(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > JOBS_DEFAULT_MAX ? JOBS_DEFAULT_MAX : (unsigned)n;
}

/* ---- life ---- */

static void work(void *arg)
{
    struct worker *w = arg;
    struct con_entry *entry;
    while ((entry = hd_ring_pop_wait(w->todo, -1)) != NULL) {
        w->opts->work(w->own, entry);
        if (hd_ring_push_wait(w->done, entry) != HD_OK) {
            return;
        }
    }
}

static int worker_start(struct worker *w, const struct con_entries_opts *opts)
{
    w->opts = opts;
    int err = opts->worker_begin(opts->ctx, &w->own);
    err = err != HD_OK ? err : hd_ring_new(CON_ENTRIES_DEPTH, &w->todo);
    err = err != HD_OK ? err : hd_ring_new(CON_ENTRIES_DEPTH, &w->done);
    if (err == HD_OK) {
        int status = uv_thread_create(&w->thread, work, w);
        w->has_thread = status == 0;
        err = hd_err_from_uv(status);
    }
    return err;
}

static void worker_stop(struct worker *w)
{
    if (w->has_thread) {
        hd_ring_close(w->todo);
        (void)uv_thread_join(&w->thread);
    }
    hd_ring_free(w->todo, NULL);
    hd_ring_free(w->done, NULL);
    if (w->own != NULL) {
        w->opts->worker_end(w->own);
    }
}

static void run_end(struct run *r)
{
    for (unsigned i = 0; r->workers != NULL && i < r->opts->jobs; i++) {
        worker_stop(&r->workers[i]);
    }
    for (uint64_t i = 0; r->entries != NULL && i < r->n_entries; i++) {
        if (r->entries[i].result != NULL) {
            r->opts->result_fini(r->entries[i].result);
        }
        free(r->entries[i].result);
        hd_buf_fini(&r->entries[i].payload);
    }
    free(r->workers);
    free(r->entries);
    free(r->segs);
    hd_journal_reader_close(r->reader);
}

static bool has_file(const char *dir, const char *name)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/%s", dir, name);
    return len > 0 && len < PATH_MAX && access(path, F_OK) == 0;
}

bool con_entries_is_journal(const char *dir)
{
    return has_file(dir, "mark") || has_file(dir, "lock");
}

/* What its footer does not say is told by whoever reads the entries. */
static struct segment peek(struct hd_check *check, const char *dir, uint64_t first)
{
    struct segment seg = {first, INT64_MIN, INT64_MAX};
    struct hd_check_segment found;
    char path[PATH_MAX];
    if (hd_journal_segment_path(dir, first, path, sizeof(path)) == HD_OK &&
        hd_check_peek(check, path, &found) == HD_OK && found.is_sealed) {
        seg.time_min = found.time_min;
        seg.time_max = found.time_max;
    }
    return seg;
}

static int list_segments(struct run *r)
{
    const struct hd_check_opts opts = {.n_keys = 0};
    struct hd_journal_segments list = {.n = 0};
    struct hd_check *check = NULL;
    int err = hd_journal_list(r->opts->archive, &list);
    err = err == HD_OK ? hd_check_open(&opts, &check) : err;
    r->segs = err == HD_OK ? calloc(list.n + 1, sizeof(*r->segs)) : NULL;
    err = err == HD_OK && r->segs == NULL ? HD_ENOMEM : err;
    for (size_t i = 0; err == HD_OK && i < list.n; i++) {
        r->segs[r->n_segs++] = peek(check, r->opts->archive, list.first[i]);
    }
    r->totals->segments = r->n_segs;
    hd_check_close(check);
    free(list.first);
    return err;
}

int con_entries_open(const char *dir, const struct hd_journal_keys *keys,
                     struct hd_journal_reader **out)
{
    int err = con_entries_is_journal(dir) ? hd_journal_reader_open(dir, NULL, out)
                                          : hd_journal_loose_open(dir, out);
    if (err == HD_OK) {
        hd_journal_reader_use_keys(*out, keys);
    }
    return err;
}

static int open_archive(struct run *r)
{
    int err = list_segments(r);
    if (err != HD_OK || r->n_segs == 0) {
        return err;
    }
    err = con_entries_open(r->opts->archive, r->opts->keys, &r->reader);
    r->first = r->segs[0].first;
    const struct hd_journal_cursor at = {.index = r->first, .segment = r->first};
    err = err != HD_OK ? err : hd_journal_reader_seek(r->reader, &at);
    r->end = err == HD_OK ? r->first + hd_journal_reader_lag(r->reader) : 0;
    return err;
}

static int run_begin(struct run *r)
{
    r->n_entries = (uint64_t)r->opts->jobs * CON_ENTRIES_DEPTH;
    r->workers = calloc(r->opts->jobs, sizeof(*r->workers));
    r->entries = calloc(r->n_entries, sizeof(*r->entries));
    int err = r->workers == NULL || r->entries == NULL ? HD_ENOMEM : HD_OK;
    for (uint64_t i = 0; err == HD_OK && i < r->n_entries; i++) {
        hd_buf_init(&r->entries[i].payload, HD_JOURNAL_PAYLOAD_MAX);
        r->entries[i].result = calloc(1, r->opts->result_size);
        err = r->entries[i].result == NULL ? HD_ENOMEM : HD_OK;
    }
    err = err != HD_OK ? err : open_archive(r);
    for (unsigned i = 0; err == HD_OK && i < r->opts->jobs; i++) {
        err = worker_start(&r->workers[i], r->opts);
    }
    return err;
}

/* ---- the calling thread ---- */

static void tell_progress(const struct run *r)
{
    struct hd_journal_cursor at;
    hd_journal_reader_tell(r->reader, &at);
    uint64_t ahead = r->given - r->taken; /* not worked on yet */
    uint64_t seen = at.index > r->first ? at.index - r->first : 0;
    r->opts->progress(r->opts->ctx, seen > ahead ? seen - ahead : 0, r->end - r->first);
}

/* The oldest one: each worker gives back in the order in which it was given. False: it is
 * not done yet, and was not waited for. */
static bool take(struct run *r, bool is_waited_for)
{
    struct hd_ring *done = r->workers[r->taken % r->opts->jobs].done;
    struct con_entry *entry =
        is_waited_for ? hd_ring_pop_wait(done, -1) : hd_ring_pop(done);
    if (entry == NULL) {
        return false;
    }
    r->taken++;
    r->err = r->opts->take(r->opts->ctx, entry);
    if (r->err == HD_OK) {
        tell_progress(r);
    }
    return true;
}

static void give(struct run *r, const struct hd_journal_entry *from,
                 const struct hd_journal_cursor *at)
{
    if (r->given - r->taken == r->n_entries) {
        (void)take(r, true);
    }
    struct con_entry *entry = &r->entries[r->given % r->n_entries];
    hd_buf_clear(&entry->payload);
    hd_buf_slice_add(&entry->payload, from->payload);
    entry->index = from->index;
    entry->segment = at->segment;
    entry->offset = at->offset;
    entry->count = from->count;
    entry->first = from->first;
    int err = entry->payload.err;
    err = err != HD_OK ? err
                       : hd_ring_push(r->workers[r->given % r->opts->jobs].todo, entry);
    r->given += err == HD_OK;
    r->err = r->err != HD_OK ? r->err : err;
}

/* The reader stands at an entry whose key was not given. */
static int pass_locked(struct run *r)
{
    struct hd_journal_entry entry;
    r->totals->locked++;
    r->totals->missing = hd_journal_reader_missing_key(r->reader);
    return hd_journal_reader_next_header(r->reader, &entry);
}

/* Looks at the header first: what is not wanted is not read. HD_EAGAIN: the end. */
static int step(struct run *r, uint64_t end)
{
    struct hd_journal_cursor at;
    struct hd_journal_entry entry;
    hd_journal_reader_tell(r->reader, &at);
    if (at.index >= end) {
        return HD_EAGAIN;
    }
    int err = hd_journal_reader_next_header(r->reader, &entry);
    if (err != HD_OK || entry.index >= end || entry.time_max < r->opts->since_ns ||
        entry.time_min >= r->opts->until_ns ||
        (r->opts->is_wanted != NULL && !r->opts->is_wanted(r->opts->ctx, &entry))) {
        return err;
    }
    err = hd_journal_reader_next_whole(r->reader, &entry, &at);
    if (err == HD_OK) {
        give(r, &entry, &at);
    }
    return err == HD_ENOKEY ? pass_locked(r) : err;
}

static void read_to(struct run *r, uint64_t end)
{
    while (r->err == HD_OK) {
        while (r->taken < r->given && r->err == HD_OK && take(r, false)) {
        }
        int err = r->err == HD_OK ? step(r, end) : HD_EAGAIN;
        if (err == HD_EAGAIN) {
            return;
        }
        r->totals->corrupt += err == HD_ECORRUPT;
        r->totals->removed += err == HD_ENOENT;
        if (err != HD_OK && err != HD_ECORRUPT && err != HD_ENOENT) {
            r->err = err;
        }
    }
}

static void read_segment(struct run *r, size_t i)
{
    const struct segment *seg = &r->segs[i];
    struct hd_journal_cursor at;
    uint64_t end = i + 1 < r->n_segs ? r->segs[i + 1].first : r->end;
    end = end < r->end ? end : r->end;
    if (seg->first >= end || seg->time_max < r->opts->since_ns ||
        seg->time_min >= r->opts->until_ns) {
        return;
    }
    hd_journal_reader_tell(r->reader, &at);
    if (at.index !=
        seg->first) { /* else what is missing between them would not be told */
        at = (struct hd_journal_cursor){.index = seg->first, .segment = seg->first};
        r->err = hd_journal_reader_seek(r->reader, &at);
    }
    read_to(r, end);
}

static int run_all(struct run *r)
{
    for (size_t i = 0; i < r->n_segs && r->err == HD_OK; i++) {
        read_segment(r, i);
    }
    while (r->err == HD_OK && r->taken < r->given) {
        (void)take(r, true);
    }
    return r->err == HD_ECLOSED ? HD_OK : r->err;
}

int con_entries_run(const struct con_entries_opts *opts,
                    struct con_entries_totals *totals)
{
    struct run r = {.opts = opts, .totals = totals};
    *totals = (struct con_entries_totals){0};
    if (opts->jobs == 0 || opts->jobs > CON_ENTRIES_JOBS_MAX) {
        return HD_EINVAL;
    }
    int err = run_begin(&r);
    err = err != HD_OK ? err : run_all(&r);
    run_end(&r);
    return err;
}
