/* SPDX-License-Identifier: Apache-2.0 */
#include "console/archive_scan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <haidang/array.h>
#include <haidang/clock.h>
#include <haidang/loop.h>

#define WAIT_NS ((uint64_t)(100 * HD_NS_PER_MS))
#define TEXT    256U

struct kept { /* a finding with its text */
    struct hd_check_finding finding;
    char text[TEXT];
};

struct job { /* one segment */
    struct hd_check_segment segment;
    struct kept *found;
    size_t n_found;
    int err;
    bool is_done; /* under lock */
};

struct scan {
    const struct con_archive_scan_opts *opts;
    struct job *jobs;
    atomic_size_t next; /* job to take */
    atomic_ullong bytes;
    atomic_bool is_stopped;
    uv_mutex_t lock;
    uv_cond_t done;
    struct job *telling;   /* of the calling thread, as is: */
    struct hd_check *link; /* whether each follows the one before */
};

struct worker {
    struct scan *scan;
    struct job *job;
    uint64_t seen; /* bytes of the job that are in scan->bytes */
    struct hd_check *check;
    uv_thread_t thread;
    bool has_thread;
};

/* ---- a worker ---- */

static void keep(void *ctx, const struct hd_check_finding *finding)
{
    struct job *job = ((struct worker *)ctx)->job;
    struct kept *more = hd_array_grow(job->found, job->n_found, sizeof(*more));
    if (more == NULL) {
        job->err = HD_ENOMEM;
        return;
    }
    job->found = more;
    struct kept *kept = &job->found[job->n_found++];
    kept->finding = *finding;
    size_t len = strlen(finding->text);
    len = len < TEXT ? len : TEXT - 1;
    memcpy(kept->text, finding->text, len);
    kept->text[len] = '\0';
}

static bool go_on(void *ctx, uint64_t bytes)
{
    struct worker *w = ctx;
    atomic_fetch_add_explicit(&w->scan->bytes, bytes - w->seen, memory_order_relaxed);
    w->seen = bytes;
    return !atomic_load_explicit(&w->scan->is_stopped, memory_order_relaxed);
}

static void check_one(struct worker *w, size_t i)
{
    const struct hd_journal_segments *list = w->scan->opts->list;
    bool is_last = i + 1 == list->n;
    char path[PATH_MAX];
    w->job = &w->scan->jobs[i];
    w->seen = 0;
    int err =
        hd_journal_segment_path(w->scan->opts->dir, list->first[i], path, sizeof(path));
    if (err == HD_OK) {
        err = hd_check_alone(w->check, path, is_last, is_last ? list->durable : 0,
                             &w->job->segment);
    }
    w->job->err = err != HD_OK ? err : w->job->err;
}

static void work(void *arg)
{
    struct worker *w = arg;
    struct scan *s = w->scan;
    for (;;) {
        size_t i = atomic_fetch_add(&s->next, 1);
        if (i >= s->opts->list->n || atomic_load(&s->is_stopped)) {
            return;
        }
        check_one(w, i);
        uv_mutex_lock(&s->lock);
        w->job->is_done = true;
        uv_cond_signal(&s->done);
        uv_mutex_unlock(&s->lock);
    }
}

static int worker_start(struct worker *w, struct scan *s)
{
    const struct con_archive_scan_opts *o = s->opts;
    const struct hd_check_opts opts = {.keys = o->keys,
                                       .n_keys = o->n_keys,
                                       .secrets = o->secrets,
                                       .journal =
                                           o->list->has_journal ? o->list->journal : NULL,
                                       .found = keep,
                                       .progress = go_on,
                                       .ctx = w};
    w->scan = s;
    int err = hd_check_open(&opts, &w->check);
    if (err == HD_OK) {
        int status = uv_thread_create(&w->thread, work, w);
        w->has_thread = status == 0;
        err = hd_err_from_uv(status);
    }
    return err;
}

/* ---- the calling thread ---- */

static void tell(void *ctx, const struct hd_check_finding *finding)
{
    const struct scan *s = ctx;
    s->opts->on_problem(s->opts->ctx, finding, s->telling->segment.seal.key_id);
}

/* Waits for the job; HD_ECLOSED: interrupted. */
static int await(struct scan *s, const struct job *job)
{
    int err = HD_OK;
    uv_mutex_lock(&s->lock);
    while (!job->is_done && err == HD_OK) {
        (void)uv_cond_timedwait(&s->done, &s->lock, WAIT_NS);
        uv_mutex_unlock(&s->lock);
        s->opts->on_progress(s->opts->ctx, atomic_load(&s->bytes));
        err = con_interrupt_asked(s->opts->interrupt) ? HD_ECLOSED : HD_OK;
        uv_mutex_lock(&s->lock);
    }
    uv_mutex_unlock(&s->lock);
    return err;
}

static void tell_job(struct scan *s, struct job *job)
{
    s->telling = job;
    hd_check_link(s->link, &job->segment);
    for (size_t i = 0; i < job->n_found; i++) {
        job->found[i].finding.text = job->found[i].text;
        tell(s, &job->found[i].finding);
    }
    s->opts->on_segment(s->opts->ctx, &job->segment);
    free(job->found);
    job->found = NULL;
}

static int link_open(struct scan *s)
{
    const struct hd_check_opts opts = {.found = tell, .ctx = s};
    hd_check_close(s->link);
    s->link = NULL;
    return hd_check_open(&opts, &s->link);
}

/* A segment is gone since it was listed. Retention takes the oldest, maybe some that were
 * told already: then the chain begins behind it. Else it is missing, and the next one
 * that is there will say so. */
static int pass_removed(struct scan *s, uint64_t first, struct con_archive_scan_end *end)
{
    struct hd_journal_segments now;
    int err = hd_journal_list(s->opts->dir, &now);
    if (err != HD_OK) {
        return err;
    }
    bool is_oldest = now.n == 0 || now.first[0] > first;
    free(now.first);
    end->removed += is_oldest;
    return is_oldest ? link_open(s) : HD_OK;
}

static int tell_all(struct scan *s, struct con_archive_scan_end *end)
{
    const struct hd_journal_segments *list = s->opts->list;
    struct job *last = NULL;
    int err = HD_OK;
    for (size_t i = 0; err == HD_OK && i < list->n; i++) {
        struct job *job = &s->jobs[i];
        err = await(s, job);
        err = err == HD_OK ? job->err : err;
        if (err == HD_OK) {
            tell_job(s, job);
            last = job;
        } else if (err == HD_ENOENT) {
            err = pass_removed(s, list->first[i], end);
        } else {
            end->segment = list->first[i];
        }
    }
    if (err == HD_OK && last != NULL && list->next > 0) {
        hd_check_end(s->link, &last->segment, list->next);
    }
    return err;
}

static void scan_free(struct scan *s)
{
    for (size_t i = 0; i < s->opts->list->n; i++) {
        free(s->jobs[i].found);
    }
    free(s->jobs);
    uv_cond_destroy(&s->done);
    uv_mutex_destroy(&s->lock);
}

static int scan_init(struct scan *s, const struct con_archive_scan_opts *opts)
{
    *s = (struct scan){.opts = opts};
    s->jobs = calloc(opts->list->n, sizeof(*s->jobs));
    if (s->jobs == NULL) {
        return HD_ENOMEM;
    }
    int status = uv_mutex_init(&s->lock);
    if (status == 0) {
        status = uv_cond_init(&s->done);
        if (status != 0) {
            uv_mutex_destroy(&s->lock);
        }
    }
    if (status != 0) {
        free(s->jobs);
    }
    return hd_err_from_uv(status);
}

int con_archive_scan(const struct con_archive_scan_opts *opts,
                     struct con_archive_scan_end *end)
{
    struct worker workers[CON_ARCHIVE_JOBS_MAX] = {{0}};
    struct scan s;
    *end = (struct con_archive_scan_end){0};
    if (opts->jobs == 0 || opts->jobs > CON_ARCHIVE_JOBS_MAX) {
        return HD_EINVAL;
    }
    int err = scan_init(&s, opts);
    if (err != HD_OK) {
        return err;
    }
    err = link_open(&s);
    for (unsigned i = 0; err == HD_OK && i < opts->jobs; i++) {
        err = worker_start(&workers[i], &s);
    }
    err = err == HD_OK ? tell_all(&s, end) : err;
    atomic_store(&s.is_stopped, true);
    for (unsigned i = 0; i < opts->jobs; i++) {
        if (workers[i].has_thread) {
            (void)uv_thread_join(&workers[i].thread);
        }
        hd_check_close(workers[i].check);
    }
    hd_check_close(s.link);
    scan_free(&s);
    return err;
}
