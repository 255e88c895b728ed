/* SPDX-License-Identifier: Apache-2.0
 *
 * Waking a reader: inotify on the journal's mark, or, as long as there is none, on the
 * nearest directory above it that exists. Not through the table of system calls: nothing
 * durable hangs on it.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/journal_reader.h"

#define ON_MARK  (IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF)
#define ON_DIR   (IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)
#define HARMLESS ((uint32_t)(IN_MODIFY | IN_IGNORED))
#define ROUNDS   64 /* what is watched for may appear while we climb */

/* Cuts the last part off; false at the top. */
static bool parent_of(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL) {
        bool is_here = strcmp(path, ".") == 0;
        memcpy(path, ".", 2);
        return !is_here;
    }
    if (slash == path) {
        bool is_root = path[1] == '\0';
        path[1] = '\0';
        return !is_root;
    }
    *slash = '\0';
    return true;
}

static int watch_mark(struct hd_journal_reader *r, const char *mark)
{
    int watch = inotify_add_watch(r->notify_fd, mark, ON_MARK);
    if (watch < 0) {
        return hd_err_from_errno(errno);
    }
    if (r->watch >= 0 && r->watch != watch) {
        (void)inotify_rm_watch(r->notify_fd, r->watch);
    }
    r->watch = watch;
    r->is_on_mark = true;
    return HD_OK;
}

/* The nearest directory above that is there. */
static int watch_above(struct hd_journal_reader *r, char *path)
{
    while (parent_of(path)) {
        int watch = inotify_add_watch(r->notify_fd, path, ON_DIR);
        if (watch >= 0) {
            if (r->watch >= 0 && r->watch != watch) {
                (void)inotify_rm_watch(r->notify_fd, r->watch);
            }
            r->watch = watch;
            return HD_OK;
        }
        if (errno != ENOENT && errno != ENOTDIR) {
            return hd_err_from_errno(errno);
        }
    }
    return HD_ENOENT;
}

/* Watches as near to the mark as there is something to watch. */
static int watch_arm(struct hd_journal_reader *r)
{
    char mark[PATH_MAX];
    char path[PATH_MAX];
    char before[PATH_MAX] = "";
    r->is_on_mark = false;
    (void)snprintf(mark, sizeof(mark), "%s/mark", r->dir);
    for (int i = 0; i < ROUNDS; i++) {
        int err = watch_mark(r, mark);
        if (err != HD_ENOENT) {
            return err;
        }
        (void)snprintf(path, sizeof(path), "%s/mark", r->dir);
        err = watch_above(r, path);
        if (err != HD_OK) {
            return err;
        }
        /* the same as in the round before: nothing appeared in between */
        if (strcmp(path, before) == 0) {
            return HD_OK;
        }
        memcpy(before, path, sizeof(before));
    }
    return HD_OK;
}

int hd_journal_reader_fd(struct hd_journal_reader *r)
{
    if (r->notify_fd >= 0) {
        return r->notify_fd;
    }
    r->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (r->notify_fd < 0) {
        return hd_err_from_errno(errno);
    }
    int err = watch_arm(r);
    if (err != HD_OK) {
        (void)close(r->notify_fd);
        r->notify_fd = -1;
        return err;
    }
    return r->notify_fd;
}

/* Takes all events; true when the watch is not (or no longer) where it should be. */
static bool events_take(struct hd_journal_reader *r)
{
    uint64_t events[512]; /* aligned for struct inotify_event */
    bool is_lost = !r->is_on_mark;
    ssize_t n = read(r->notify_fd, events, sizeof(events));
    while (n > 0) {
        const uint8_t *at = (const uint8_t *)events;
        const uint8_t *end = at + n;
        while (at + sizeof(struct inotify_event) <= end) {
            struct inotify_event event;
            memcpy(&event, at, sizeof(event));
            is_lost |= (event.mask & ~HARMLESS) != 0;
            at += sizeof(event) + event.len;
        }
        n = read(r->notify_fd, events, sizeof(events));
    }
    return is_lost;
}

void hd_journal_reader_drain(struct hd_journal_reader *r)
{
    if (r->notify_fd < 0) {
        return;
    }
    /* twice, since giving up a watch is an event, too */
    for (int i = 0; i < 2 && events_take(r); i++) {
        (void)watch_arm(r);
    }
}
