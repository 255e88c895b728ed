/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/keep_mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/journal_copy.h>
#include <haidang/log.h>
#include <haidang/stamp.h>

#define MODULE    "mirror"
#define DIR_MODE  0750
#define FILE_MODE 0640
#define NONE      SIZE_MAX
#define STEP      ((size_t)256 << 10)

struct step {
    struct hd_mirror *m;
    struct hd_journal_segments from, to;
    struct hd_check *check;
    struct hd_check_segment seg; /* at hand */
    bool is_bad;                 /* a problem of it was told */
    int64_t cutoff_ns;           /* what was sealed before is not kept; INT64_MIN */
    size_t next;                 /* in `from`: to be copied now */
};

int hd_mirror_init(struct hd_mirror *m, const struct hd_mirror_opts *opts)
{
    *m = (struct hd_mirror){.opts = *opts};
    int len = snprintf(m->to, sizeof(m->to), "%s/%s", opts->base, opts->name);
    return len > 0 && (size_t)len < sizeof(m->to) ? HD_OK : HD_EINVAL;
}

/* ---- what hinders ---- */

static void hinder(struct hd_mirror *m, const char *fmt, ...) HD_PRINTF(2, 3);
static void hinder(struct hd_mirror *m, const char *fmt, ...)
{
    if (m->found[0] == '\0') {
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(m->found, sizeof(m->found), fmt, args);
        va_end(args);
    }
    (void)snprintf(m->state.why, sizeof(m->state.why), "%s", m->found);
    m->state.failed++;
}

static void on_problem(void *ctx, const struct hd_check_finding *finding)
{
    struct step *s = ctx;
    if (finding->problem == HD_CHECK_KEY || s->is_bad) {
        return; /* keys change; that the hash holds makes it a copy */
    }
    s->is_bad = true;
    hinder(s->m, "%s: segment %020" PRIu64 " does not verify: %s", s->m->opts.from,
           finding->segment, finding->text);
}

static bool on_progress(void *ctx, uint64_t bytes)
{
    const struct step *s = ctx;
    (void)bytes;
    return !atomic_load(s->m->opts.stop);
}

/* ---- the two directories ---- */

/* A mount that is missing looks like a directory on the disk of the journal. */
static int check_base(struct hd_mirror *m)
{
    struct stat base, from;
    if (stat(m->opts.base, &base) != 0 || !S_ISDIR(base.st_mode)) {
        hinder(m, "%s is not there: is its disk mounted?", m->opts.base);
        return HD_ENOENT;
    }
    if (!m->opts.any_disk && stat(m->opts.from, &from) == 0 &&
        base.st_dev == from.st_dev) {
        hinder(m, "%s is on the same disk as %s: is its own disk mounted?", m->opts.base,
               m->opts.from);
        return HD_EINVAL;
    }
    return HD_OK;
}

static int open_lists(struct step *s)
{
    struct hd_mirror *m = s->m;
    int err = hd_fs_mkdirs(m->to, DIR_MODE);
    err = err == HD_OK ? hd_journal_list(m->to, &s->to) : err;
    if (err != HD_OK) {
        hinder(m, "%s cannot be read or made: %s", m->to, hd_err_text(err));
    } else if (s->from.has_journal && s->to.has_journal &&
               memcmp(s->from.journal, s->to.journal, sizeof(s->to.journal)) != 0) {
        hinder(m, "%s holds segments of another journal", m->to);
        err = HD_EINVAL;
    }
    m->held = err == HD_OK && s->to.n > 0 ? s->to.first[s->to.n - 1] : m->held;
    return err;
}

static int open_check(struct step *s)
{
    struct hd_sign_key *const *key = &s->m->opts.key;
    const struct hd_check_opts opts = {.keys = key,
                                       .n_keys = *key != NULL,
                                       .journal = s->from.journal,
                                       .found = on_problem,
                                       .progress = on_progress,
                                       .ctx = s};
    return hd_check_open(&opts, &s->check);
}

static int peek(struct step *s, const char *dir, uint64_t first)
{
    char path[PATH_MAX];
    int err = hd_journal_segment_path(dir, first, path, sizeof(path));
    return err == HD_OK ? hd_check_peek(s->check, path, &s->seg) : err;
}

static bool is_old(struct step *s, const char *dir, uint64_t first)
{
    return s->cutoff_ns != INT64_MIN && peek(s, dir, first) == HD_OK &&
           s->seg.is_stated && s->seg.seal.sealed < s->cutoff_ns;
}

/* The first segment that the mirror's retention keeps: they were sealed in order. */
static size_t first_kept(struct step *s)
{
    size_t low = 0, high = s->from.n;
    while (s->cutoff_ns != INT64_MIN && low < high) {
        size_t mid = low + (high - low) / 2;
        if (is_old(s, s->m->opts.from, s->from.first[mid])) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void count_missing(struct step *s, size_t i)
{
    struct hd_mirror_state *state = &s->m->state;
    uint64_t first = s->from.first[i];
    char path[PATH_MAX];
    struct stat st;
    if (state->behind == 0 && peek(s, s->m->opts.from, first) == HD_OK) {
        state->oldest_ns = s->seg.is_stated ? s->seg.seal.sealed : hd_clock_wall_ns();
    }
    if (hd_journal_segment_path(s->m->opts.from, first, path, sizeof(path)) == HD_OK &&
        stat(path, &st) == 0) {
        state->behind_bytes += (uint64_t)st.st_size;
    }
    state->behind++;
    if (s->next == NONE && first > s->m->after) {
        s->next = i;
    }
}

static bool is_in_use(struct step *s, size_t i)
{
    return i + 1 == s->from.n &&
           (peek(s, s->m->opts.from, s->from.first[i]) != HD_OK || !s->seg.is_sealed);
}

/* While the mirror is out of reach it holds what it held. */
static void survey(struct step *s, bool is_reached)
{
    size_t k = 0;
    s->next = NONE;
    s->m->state.behind = s->m->state.behind_bytes = 0;
    s->m->state.oldest_ns = 0;
    for (size_t i = first_kept(s); i < s->from.n; i++) {
        while (k < s->to.n && s->to.first[k] < s->from.first[i]) {
            k++;
        }
        bool is_here = is_reached ? k < s->to.n && s->to.first[k] == s->from.first[i]
                                  : s->from.first[i] <= s->m->held;
        if (!is_here && !is_in_use(s, i)) {
            count_missing(s, i);
        }
    }
}

/* The newest segment that both have must be the same: a journal that was set back writes
 * other segments under names that the mirror has already. */
static void check_newest(struct step *s)
{
    uint8_t digest[HD_SHA256_LEN];
    size_t i = s->from.n, k = s->to.n;
    while (i > 0 && k > 0 && s->from.first[i - 1] != s->to.first[k - 1]) {
        if (s->from.first[i - 1] > s->to.first[k - 1]) {
            i--;
        } else {
            k--;
        }
    }
    if (i == 0 || k == 0 || peek(s, s->m->opts.from, s->from.first[i - 1]) != HD_OK ||
        !s->seg.is_stated) {
        return;
    }
    memcpy(digest, s->seg.statement_sha256, sizeof(digest));
    if (peek(s, s->m->to, s->to.first[k - 1]) != HD_OK || !s->seg.is_stated ||
        memcmp(digest, s->seg.statement_sha256, sizeof(digest)) != 0) {
        hinder(s->m, "%s holds another segment %020" PRIu64 " than %s", s->m->to,
               s->to.first[k - 1], s->m->opts.from);
    }
}

/* ---- one segment ---- */

/* So that what is checked comes from the disk and not from memory. */
static void drop_cache(const char *path)
{
    HD_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    }
}

static int read_step(int fd, uint8_t *buf, size_t *len)
{
    *len = 0;
    while (*len < STEP) {
        ssize_t n = read(fd, buf + *len, STEP - *len);
        if (n < 0 && errno != EINTR) {
            return hd_err_from_errno(errno);
        }
        if (n == 0) {
            break;
        }
        *len += n > 0 ? (size_t)n : 0;
    }
    return HD_OK;
}

/* HD_ECORRUPT: the files differ. */
static int compare_files(const struct hd_check_file *a, const char *b)
{
    HD_AUTO_FD int fd_b = open(b, O_RDONLY | O_CLOEXEC);
    uint8_t *buf = malloc(2 * STEP);
    size_t len_a = 1, len_b = 0;
    int err = fd_b < 0 ? hd_err_from_errno(errno) : buf == NULL ? HD_ENOMEM : HD_OK;
    if (err == HD_OK && lseek(a->fd, 0, SEEK_SET) != 0) {
        err = hd_err_from_errno(errno);
    }
    while (err == HD_OK && len_a > 0) {
        err = read_step(a->fd, buf, &len_a);
        err = err == HD_OK ? read_step(fd_b, buf + STEP, &len_b) : err;
        if (err == HD_OK && (len_a != len_b || memcmp(buf, buf + STEP, len_a) != 0)) {
            err = HD_ECORRUPT;
        }
    }
    free(buf);
    return err;
}

/* What was sealed is checked against its seal. What damage cut off before it could be
 * sealed has none: its copy is only compared. */
static int verify(struct step *s, const struct hd_check_file *file, const char *aside)
{
    drop_cache(aside);
    s->is_bad = false;
    if (!s->seg.is_sealed) {
        return compare_files(file, aside);
    }
    int err = hd_check_alone(s->check, aside, false, 0, &s->seg);
    return err == HD_OK && s->is_bad ? HD_ECORRUPT : err;
}

static int place(struct step *s, struct hd_journal_copy *copy, uint64_t first)
{
    bool is_newest = s->to.n == 0 || first > s->to.first[s->to.n - 1];
    int err = hd_journal_copy_place(copy, first);
    if (err == HD_OK && is_newest && s->seg.is_sealed) {
        err = hd_journal_copy_mark(copy, &s->seg);
    }
    return err;
}

static int copy_open(struct step *s, struct hd_journal_copy *copy,
                     const struct hd_check_file *file)
{
    char aside[PATH_MAX];
    int err = hd_journal_copy_path(copy, file->first, aside, sizeof(aside));
    err = err == HD_OK ? hd_check_peek_fd(s->check, file, &s->seg) : err;
    err = err == HD_OK ? hd_journal_copy_file(copy, file, s->seg.bytes) : err;
    err = err == HD_OK ? verify(s, file, aside) : err;
    return err == HD_OK ? place(s, copy, file->first) : err;
}

static int copy_with(struct step *s, struct hd_journal_copy *copy, uint64_t first)
{
    struct hd_check_file file;
    int err = hd_check_file_open(s->m->opts.from, first, &file);
    err = err == HD_OK ? copy_open(s, copy, &file) : err;
    hd_fs_close_fd(&file.fd);
    return err;
}

static void copy_next(struct step *s)
{
    struct hd_journal_copy *copy = NULL;
    struct hd_mirror *m = s->m;
    uint64_t first = s->from.first[s->next];
    int err = hd_journal_copy_open(m->to, &copy);
    err = err == HD_OK ? copy_with(s, copy, first) : err;
    hd_journal_copy_close(copy);
    m->state.is_more = err == HD_OK || err == HD_ECORRUPT || err == HD_ENOENT;
    m->after = m->state.is_more ? first : m->after;
    if (err == HD_OK) {
        m->stamps_seen = (struct timespec){0}; /* it may be a new disk */
        m->state.placed++;
        m->state.placed_bytes += s->seg.bytes;
        m->state.behind--;
    } else if (err == HD_ENOENT || err == HD_ECLOSED) {
        return; /* retention was faster; or we were asked to stop */
    } else if (!s->is_bad) {
        hinder(m, "segment %020" PRIu64 " to %s: %s", first, m->to, hd_err_text(err));
    }
}

/* ---- time stamps ---- */

static int copy_stamp(void *ctx, const char *name)
{
    const struct step *s = ctx;
    char from[PATH_MAX], to[PATH_MAX];
    struct hd_buf reply;
    uint64_t first = 0;
    if (!hd_stamp_name_parse(name, HD_STAMP_REPLY_END, &first) ||
        (s->to.n > 0 && first < s->to.first[0])) { /* its segment went from the mirror */
        return HD_OK;
    }
    int err =
        hd_stamp_path(s->m->opts.from, first, HD_STAMP_REPLY_END, from, sizeof(from));
    err = err == HD_OK
              ? hd_stamp_path(s->m->to, first, HD_STAMP_REPLY_END, to, sizeof(to))
              : err;
    if (err != HD_OK || access(to, F_OK) == 0) {
        return err;
    }
    hd_buf_init(&reply, HD_STAMP_MAX + 1);
    err = hd_fs_read(from, HD_STAMP_MAX, &reply);
    err = err == HD_OK ? hd_fs_write_atomic(to, hd_buf_slice(&reply), FILE_MODE) : err;
    hd_buf_fini(&reply);
    return err;
}

static void copy_stamps(struct step *s)
{
    struct hd_mirror *m = s->m;
    char from[PATH_MAX], to[PATH_MAX];
    struct stat st;
    int len = snprintf(from, sizeof(from), "%s/" HD_STAMP_DIR, m->opts.from);
    if (len < 0 || (size_t)len >= sizeof(from) || stat(from, &st) != 0 ||
        memcmp(&st.st_mtim, &m->stamps_seen, sizeof(st.st_mtim)) == 0) {
        return;
    }
    len = snprintf(to, sizeof(to), "%s/" HD_STAMP_DIR, m->to);
    int err =
        len > 0 && (size_t)len < sizeof(to) ? hd_fs_mkdirs(to, DIR_MODE) : HD_EINVAL;
    err = err == HD_OK ? hd_fs_each(from, copy_stamp, s) : err;
    /* what was changed just now may change again within the same tick of its clock */
    bool is_settled = hd_clock_wall_ns() / HD_NS_PER_SEC > st.st_mtim.tv_sec + 1;
    if (err == HD_OK && is_settled) {
        m->stamps_seen = st.st_mtim;
    } else if (err != HD_OK) {
        hinder(m, "the time stamps of %s: %s", m->opts.from, hd_err_text(err));
    }
}

/* ---- the mirror's own retention ---- */

static void remove_stamp(const struct step *s, uint64_t first)
{
    char path[PATH_MAX];
    if (hd_stamp_path(s->m->to, first, HD_STAMP_REPLY_END, path, sizeof(path)) == HD_OK) {
        (void)unlink(path); /* not each segment has one */
    }
}

static void remove_old(struct step *s)
{
    char path[PATH_MAX];
    for (size_t i = 0; i + 1 < s->to.n && is_old(s, s->m->to, s->to.first[i]); i++) {
        int err = hd_journal_segment_path(s->m->to, s->to.first[i], path, sizeof(path));
        if (err == HD_OK && unlink(path) != 0) {
            err = hd_err_from_errno(errno);
        }
        if (err != HD_OK) {
            hinder(s->m, "%s cannot be removed: %s", path, hd_err_text(err));
            return;
        }
        remove_stamp(s, s->to.first[i]);
        s->m->state.removed++;
        HD_LOG(INFO, MODULE, "an old segment was removed", HD_KV_STR("file", path));
    }
}

/* ---- a step ---- */

/* All that was missing was tried. */
static void end_round(struct step *s)
{
    struct hd_mirror *m = s->m;
    check_newest(s);
    copy_stamps(s);
    remove_old(s);
    (void)snprintf(m->state.why, sizeof(m->state.why), "%s", m->found);
}

static void step(struct step *s)
{
    int err = check_base(s->m);
    err = err == HD_OK ? open_lists(s) : err;
    survey(s, err == HD_OK);
    if (err == HD_OK && s->next != NONE) {
        copy_next(s);
    } else if (err == HD_OK) {
        end_round(s);
    }
}

void hd_mirror_step(struct hd_mirror *m)
{
    struct step s = {.m = m, .cutoff_ns = INT64_MIN};
    if (m->opts.retain_ns > 0) {
        s.cutoff_ns = hd_clock_wall_ns() - m->opts.retain_ns;
    }
    m->state.is_more = false;
    int err = hd_journal_list(m->opts.from, &s.from);
    err = err == HD_OK && s.from.has_journal ? open_check(&s) : err;
    if (s.check != NULL) {
        step(&s);
    } else if (err != HD_OK && err != HD_ENOENT) {
        hinder(m, "%s: %s", m->opts.from, hd_err_text(err));
    }
    if (!m->state.is_more) {
        m->found[0] = '\0'; /* the next round begins anew */
        m->after = 0;
    }
    hd_check_close(s.check);
    free(s.from.first);
    free(s.to.first);
}
