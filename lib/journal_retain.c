/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention: oldest sealed segments go by size and age, but never what a named reader
 * still needs (unless told so), and never the last segment, which carries the next index.
 */
#include <fcntl.h>

#include <haidang/clock.h>
#include <haidang/freeze.h>
#include <haidang/log.h>

#include "lib/journal_least.h"
#include "lib/journal_priv.h"

void hd_journal_tell_least(struct hd_journal *j)
{
    int err = hd_jleast_write(&j->io, j->opts.dir, j->dir_fd, j->opts.retain_min_ns);
    j->is_least_told = err == HD_OK;
    if (err != HD_OK) {
        HD_LOG(
            WARN, "journal",
            "the age below which nothing may go cannot be written down: do not compact",
            HD_KV_STR("dir", j->opts.dir), HD_KV_ERR(err));
    }
}

/* A segment's age counts from when the next one was begun, by this machine's clock: times
 * in entries come from elsewhere and may be anything. */
static bool is_due(struct hd_journal *j, int64_t now)
{
    bool is_over_size = j->opts.retain_bytes > 0 && j->bytes > j->opts.retain_bytes;
    bool is_over_age =
        j->opts.retain_ns > 0 && hd_jseg_age(j, 1, now) > j->opts.retain_ns;
    bool is_wanted = is_over_size || is_over_age || j->segs[1].first <= j->released;
    return is_wanted && (j->opts.retain_min_ns == 0 ||
                         hd_jseg_age(j, 1, now) >= j->opts.retain_min_ns);
}

/* What cannot go after all stays write-once. */
static int remove_frozen(struct hd_journal *j, const char *path)
{
    struct hd_frozen was;
    int err = hd_freeze_lift(path, &was);
    if (err != HD_OK) {
        return err;
    }
    err = j->io.ops->unlink(j->io.ctx, path);
    if (err != HD_OK) {
        hd_freeze_again(path, &was);
    }
    return err;
}

static int remove_oldest(struct hd_journal *j)
{
    char name[HD_JFMT_NAME_LEN + 1];
    char path[PATH_MAX];
    hd_jfmt_name(j->segs[0].first, name);
    int err = hd_jseg_path(j, name, path);
    if (err == HD_OK) {
        err = j->io.ops->unlink(j->io.ctx, path);
    }
    if (err == HD_EACCES) {
        err = remove_frozen(j, path);
    }
    if (err != HD_OK && err != HD_ENOENT) {
        HD_LOG(WARN, "journal", "a segment cannot be removed", HD_KV_STR("file", path),
               HD_KV_ERR(err));
        return err;
    }
    j->bytes -= j->segs[0].bytes;
    j->removed_bytes += j->segs[0].bytes;
    j->n_segs--;
    memmove(j->segs, j->segs + 1, j->n_segs * sizeof(*j->segs));
    return HD_OK;
}

static void count_unread(struct hd_journal *j, uint64_t min)
{
    uint64_t from = j->segs[0].first > min ? j->segs[0].first : min;
    uint64_t unread = j->segs[1].first - from;
    j->removed_unread += unread;
    HD_LOG(WARN, "journal", "retention removes entries that a reader has not read",
           HD_KV_STR("dir", j->opts.dir), HD_KV_UINT("entries", unread));
}

/* A journal that nothing is written to any more: its last segment is to be vouched for,
 * too. */
static int seal_aged(struct hd_journal *j)
{
    if (j->failed != 0 || !hd_jseg_is_aged(j)) {
        return HD_OK;
    }
    int err = hd_jseg_seal(j);
    if (err == HD_OK) {
        hd_journal_publish(j);
    } else if (err == HD_ENOSPC) {
        err = HD_OK; /* tried again next time */
    } else {
        err = hd_journal_commit(j); /* says it, and takes entries again, if it can */
    }
    return err;
}

/* Sealed segments may have been compacted: smaller than they were. */
static void sizes_update(struct hd_journal *j)
{
    for (size_t i = 0; i + 1 < j->n_segs; i++) {
        char name[HD_JFMT_NAME_LEN + 1];
        char path[PATH_MAX];
        uint64_t bytes = j->segs[i].bytes;
        int fd = -1;
        hd_jfmt_name(j->segs[i].first, name);
        if (hd_jseg_path(j, name, path) == HD_OK &&
            j->io.ops->open(j->io.ctx, path, O_RDONLY, &fd) == HD_OK &&
            j->io.ops->size(j->io.ctx, fd, &bytes) == HD_OK) {
            j->bytes -= j->segs[i].bytes - bytes;
            j->segs[i].bytes = bytes;
        }
        hd_io_close(&j->io, &fd);
    }
}

static bool is_tight(const struct hd_journal *j)
{
    return (j->opts.retain_bytes > 0 && j->bytes > j->opts.retain_bytes) ||
           (j->opts.max_bytes > 0 && j->bytes / 8 * 9 > j->opts.max_bytes);
}

int hd_journal_trim(struct hd_journal *j)
{
    char readers[PATH_MAX];
    int64_t now = hd_clock_wall_ns();
    int err = seal_aged(j);
    if (err != HD_OK) {
        return err;
    }
    if (!j->is_least_told) {
        hd_journal_tell_least(j);
    }
    if (is_tight(j) || j->n_segs != j->n_sized) {
        sizes_update(j);
        j->n_sized = j->n_segs;
    }
    if (j->n_segs < 2 || !is_due(j, now)) {
        return 0;
    }
    uint64_t min = 0;
    err = hd_jseg_path(j, "readers", readers);
    if (err == HD_OK) {
        err = hd_jcursor_min(&j->io, readers, &j->uuid, &min);
    }
    if (err != HD_OK) {
        return err;
    }
    int removed = 0;
    while (j->n_segs > 1 && is_due(j, now)) {
        bool is_unread = j->segs[1].first > min;
        if (is_unread && !j->opts.retain_unread) {
            break;
        }
        if (is_unread) {
            count_unread(j, min);
        }
        err = remove_oldest(j);
        if (err != HD_OK) {
            return err;
        }
        removed++;
    }
    return removed;
}

void hd_journal_release(struct hd_journal *j, uint64_t index)
{
    j->released = index;
}

uint64_t hd_journal_removed_bytes(const struct hd_journal *j)
{
    return j->removed_bytes;
}

uint64_t hd_journal_removed_unread(const struct hd_journal *j)
{
    return j->removed_unread;
}
