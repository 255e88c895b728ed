/* SPDX-License-Identifier: Apache-2.0 */
#include "forwarder/stamp_queue.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <haidang/array.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/stamp.h>

int fwd_stamp_queue_init(struct fwd_stamp_queue *q, const char *const *paths, size_t n)
{
    *q = (struct fwd_stamp_queue){.dirs = calloc(n + 1, sizeof(*q->dirs))};
    if (q->dirs == NULL) {
        return HD_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        q->dirs[i].path = paths[i];
    }
    q->n_dirs = n;
    return HD_OK;
}

void fwd_stamp_queue_fini(struct fwd_stamp_queue *q)
{
    free(q->dirs);
    free(q->asks);
    *q = (struct fwd_stamp_queue){.n_dirs = 0};
}

/* ---- a directory ---- */

struct look {
    struct fwd_stamp_queue *queue;
    struct fwd_stamp_dir *dir;
    uint64_t known;  /* those up to it are in the queue, or were */
    uint64_t asked;  /* a request whose reply, if there is one, has the next name; or 0 */
    uint64_t newest; /* request of all */
};

static int add(struct look *look, uint64_t first)
{
    struct fwd_stamp_queue *q = look->queue;
    struct fwd_stamp_ask ask = {.dir = look->dir->path, .first = first};
    char path[PATH_MAX];
    struct stat st;
    int err = hd_stamp_file(ask.dir, first, HD_STAMP_REQUEST_END, path, sizeof(path));
    if (err != HD_OK) {
        return err;
    }
    if (stat(path, &st) != 0) {
        return errno == ENOENT ? HD_OK : hd_err_from_errno(errno);
    }
    struct fwd_stamp_ask *more = hd_array_grow(q->asks, q->end, sizeof(*more));
    if (more == NULL) {
        return HD_ENOMEM;
    }
    ask.made_ns = (int64_t)st.st_mtim.tv_sec * HD_NS_PER_SEC + st.st_mtim.tv_nsec;
    q->asks = more;
    q->asks[q->end++] = ask;
    return HD_OK;
}

static int add_asked(struct look *look)
{
    int err = look->asked > look->known ? add(look, look->asked) : HD_OK;
    look->asked = 0;
    return err;
}

/* Names come in order: N.tsq, then N.tsr. */
static int see(void *ctx, const char *name)
{
    struct look *look = ctx;
    uint64_t first = 0;
    if (hd_stamp_name_parse(name, HD_STAMP_REPLY_END, &first) && first == look->asked) {
        look->asked = 0;
    } else if (hd_stamp_name_parse(name, HD_STAMP_REQUEST_END, &first)) {
        int err = add_asked(look);
        look->asked = first;
        look->newest = first;
        return err;
    }
    return HD_OK;
}

static bool is_as_it_was(const struct fwd_stamp_dir *dir, const struct stat *st)
{
    return dir->changed.tv_sec == st->st_mtim.tv_sec &&
           dir->changed.tv_nsec == st->st_mtim.tv_nsec;
}

static int look_at(struct fwd_stamp_queue *q, struct fwd_stamp_dir *dir, bool is_anew)
{
    struct look look = {.queue = q, .dir = dir, .known = is_anew ? 0 : dir->newest};
    struct stat st;
    if (stat(dir->path, &st) != 0) {
        return errno == ENOENT ? HD_OK : hd_err_from_errno(errno); /* nothing is sealed */
    }
    if (is_as_it_was(dir, &st) && !(is_anew && q->set_aside > 0)) {
        return HD_OK;
    }
    size_t before = q->end;
    int err = hd_fs_each(dir->path, see, &look);
    err = err == HD_OK ? add_asked(&look) : err;
    if (err != HD_OK) {
        q->end = before; /* all of it again */
    } else {
        /* what was changed just now may change again within the same tick of its clock */
        bool is_settled = hd_clock_wall_ns() / HD_NS_PER_SEC > st.st_mtim.tv_sec + 1;
        dir->changed = is_settled ? st.st_mtim : (struct timespec){0};
        dir->newest = look.newest;
    }
    return err;
}

/* ---- all of them ---- */

static int by_age(const void *a, const void *b)
{
    const struct fwd_stamp_ask *x = a, *y = b;
    if (x->made_ns != y->made_ns) {
        return x->made_ns < y->made_ns ? -1 : 1;
    }
    return x->first < y->first ? -1 : x->first > y->first;
}

int fwd_stamp_queue_look(struct fwd_stamp_queue *q)
{
    bool is_anew = q->begin == q->end;
    int err = HD_OK;
    if (is_anew) {
        q->begin = q->end = 0;
    }
    size_t before = q->end;
    for (size_t i = 0; i < q->n_dirs; i++) {
        int one = look_at(q, &q->dirs[i], is_anew);
        err = err == HD_OK ? one : err; /* it keeps none of the others back */
    }
    if (err == HD_OK && is_anew) {
        q->set_aside = 0; /* they are among those that wait */
    }
    if (q->end > before) {
        qsort(q->asks + before, q->end - before, sizeof(*q->asks), by_age);
    }
    return err;
}

bool fwd_stamp_queue_take(struct fwd_stamp_queue *q, struct fwd_stamp_ask *out)
{
    if (q->begin == q->end) {
        return false;
    }
    *out = q->is_oldest ? q->asks[q->begin++] : q->asks[--q->end];
    q->is_oldest = !q->is_oldest;
    return true;
}

void fwd_stamp_queue_set_aside(struct fwd_stamp_queue *q)
{
    q->set_aside++;
}
