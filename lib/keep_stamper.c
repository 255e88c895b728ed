/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/keep_stamper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/journal_check.h>
#include <haidang/stamp.h>

#define DIR_MODE  0770 /* the forwarder, which is of our group, writes there */
#define FILE_MODE 0640

struct step {
    struct hd_stamper *stamper;
    char dir[PATH_MAX]; /* of the stamps */
    struct hd_journal_segments list;
    struct hd_check *check;
    uint64_t newest; /* segment with a request or a stamp; 0 = none has */
};

static void hinder(struct hd_stamper *stamper, const char *what, const char *path,
                   int err)
{
    (void)snprintf(stamper->state.why, sizeof(stamper->state.why), "%.300s %s: %s", path,
                   what, hd_err_text(err));
}

static void on_problem(void *ctx, const struct hd_check_finding *finding)
{
    (void)ctx; /* peeking tells none */
    (void)finding;
}

static int peek(struct step *s, size_t i, struct hd_check_segment *out)
{
    char path[PATH_MAX];
    int err =
        hd_journal_segment_path(s->stamper->dir, s->list.first[i], path, sizeof(path));
    return err == HD_OK ? hd_check_peek(s->check, path, out) : err;
}

/* ---- what is there ---- */

/* Its segment is gone: nobody will ask for it. */
static void forget(const struct step *s, const char *name)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    if (len > 0 && (size_t)len < sizeof(path)) {
        (void)unlink(path); /* what stays is tried again */
    }
}

static void count_pending(struct step *s, const char *name, uint64_t first)
{
    struct hd_stamper_state *state = &s->stamper->state;
    char request[PATH_MAX], reply[PATH_MAX];
    struct stat st;
    int err =
        hd_stamp_path(s->stamper->dir, first, HD_STAMP_REPLY_END, reply, sizeof(reply));
    int len = snprintf(request, sizeof(request), "%s/%s", s->dir, name);
    if (err != HD_OK || len < 0 || (size_t)len >= sizeof(request) ||
        access(reply, F_OK) == 0 || stat(request, &st) != 0) {
        return;
    }
    int64_t made_ns = (int64_t)st.st_mtim.tv_sec * HD_NS_PER_SEC + st.st_mtim.tv_nsec;
    state->pending++;
    state->oldest_ns =
        state->oldest_ns == 0 || made_ns < state->oldest_ns ? made_ns : state->oldest_ns;
}

static int see(void *ctx, const char *name)
{
    struct step *s = ctx;
    uint64_t first = 0;
    bool is_request = hd_stamp_name_parse(name, HD_STAMP_REQUEST_END, &first);
    if (!is_request && !hd_stamp_name_parse(name, HD_STAMP_REPLY_END, &first)) {
        return HD_OK;
    }
    if (s->list.n > 0 && first < s->list.first[0]) {
        forget(s, name);
        return HD_OK;
    }
    if (is_request) {
        count_pending(s, name, first);
    }
    s->newest = first > s->newest ? first : s->newest;
    return HD_OK;
}

static int look(struct step *s)
{
    s->newest = 0;
    s->stamper->state.pending = 0;
    s->stamper->state.oldest_ns = 0;
    return hd_fs_each(s->dir, see, s);
}

/* ---- requests ---- */

static int request(struct step *s, const struct hd_check_segment *seg)
{
    char path[PATH_MAX];
    struct hd_buf der;
    hd_buf_init(&der, HD_STAMP_MAX);
    int err = hd_stamp_path(s->stamper->dir, seg->first, HD_STAMP_REQUEST_END, path,
                            sizeof(path));
    err = err == HD_OK ? hd_stamp_request(seg->statement_sha256, &der) : err;
    err = err == HD_OK ? hd_fs_write_atomic(path, hd_buf_slice(&der), FILE_MODE) : err;
    hd_buf_fini(&der);
    s->stamper->state.requested += err == HD_OK;
    return err;
}

static size_t index_of(const struct step *s, uint64_t first)
{
    size_t i = 0;
    while (i < s->list.n && s->list.first[i] < first) {
        i++;
    }
    return i;
}

/* The last segment is mostly in use, and then has no statement. */
static bool find_newest(struct step *s, struct hd_check_segment *out)
{
    size_t from = s->list.n > 2 ? s->list.n - 2 : 0;
    for (size_t i = s->list.n; i > from; i--) {
        if (peek(s, i - 1, out) == HD_OK && out->is_stated) {
            return true;
        }
    }
    return false;
}

static int request_each(struct step *s, uint64_t last)
{
    int err = HD_OK;
    for (size_t i = index_of(s, s->newest + 1);
         err == HD_OK && i < s->list.n && s->list.first[i] <= last; i++) {
        struct hd_check_segment seg;
        if (peek(s, i, &seg) == HD_OK && seg.is_stated) {
            err = request(s, &seg);
        }
    }
    return err;
}

static bool is_due(struct step *s, const struct hd_check_segment *newest)
{
    struct hd_check_segment before;
    size_t i = index_of(s, s->newest);
    if (i == s->list.n || s->list.first[i] != s->newest || peek(s, i, &before) != HD_OK) {
        return true;
    }
    return newest->seal.sealed - before.seal.sealed >= s->stamper->every_ns;
}

static int request_due(struct step *s)
{
    struct hd_check_segment newest;
    if (!find_newest(s, &newest) || newest.first <= s->newest) {
        return HD_OK;
    }
    if (s->newest > 0 && s->stamper->every_ns == 0) {
        return request_each(s, newest.first);
    }
    return s->newest == 0 || is_due(s, &newest) ? request(s, &newest) : HD_OK;
}

/* ---- a step ---- */

static int step(struct step *s)
{
    const struct hd_check_opts opts = {.found = on_problem};
    int err = hd_journal_list(s->stamper->dir, &s->list);
    if (err != HD_OK) {
        return err == HD_ENOENT ? HD_OK : err;
    }
    err = hd_fs_mkdirs(s->dir, DIR_MODE);
    err = err == HD_OK ? hd_check_open(&opts, &s->check) : err;
    err = err == HD_OK ? look(s) : err;
    return err == HD_OK ? request_due(s) : err;
}

void hd_stamper_step(struct hd_stamper *stamper)
{
    struct step s = {.stamper = stamper};
    int len = snprintf(s.dir, sizeof(s.dir), "%s/" HD_STAMP_DIR, stamper->dir);
    int err = len > 0 && (size_t)len < sizeof(s.dir) ? step(&s) : HD_EINVAL;
    stamper->state.why[0] = '\0';
    if (err != HD_OK) {
        hinder(stamper, "cannot be used", s.dir, err);
    }
    hd_check_close(s.check);
    free(s.list.first);
}
