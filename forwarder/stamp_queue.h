/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests for time stamps that have no reply yet, of several directories, in the order
 * in which they were made. Taken by turns from both ends: the stamp of the newest covers
 * all before it, and none waits for ever behind those that come. Whoever is taken does
 * not come again before all others had their turn. Looking blocks; one thread at a time.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <haidang/err.h>

struct fwd_stamp_ask {
    const char *dir;
    uint64_t first; /* the segment */
    int64_t made_ns;
};

struct fwd_stamp_dir {
    const char *path;
    struct timespec changed; /* all that was there then is known; 0 = look */
    uint64_t newest;         /* request that is known */
};

struct fwd_stamp_queue {
    struct fwd_stamp_dir *dirs;
    size_t n_dirs;
    struct fwd_stamp_ask *asks; /* those from `begin` to `end` wait, the oldest first */
    size_t begin, end;
    size_t set_aside; /* taken and not answered, until all had their turn */
    bool is_oldest;   /* whose turn it is */
};

/* What `paths` points to is borrowed. own: until _fini, always. */
int fwd_stamp_queue_init(struct fwd_stamp_queue *queue, const char *const *paths,
                         size_t n) HD_MUST_USE;
void fwd_stamp_queue_fini(struct fwd_stamp_queue *queue);

/* Adds what has come; when none waits any more, also what was set aside. Reads only
 * directories that have changed. */
int fwd_stamp_queue_look(struct fwd_stamp_queue *queue) HD_MUST_USE;
/* False: none waits. */
bool fwd_stamp_queue_take(struct fwd_stamp_queue *queue, struct fwd_stamp_ask *out);
/* The one that was taken has no reply. */
void fwd_stamp_queue_set_aside(struct fwd_stamp_queue *queue);
static inline size_t fwd_stamp_queue_waiting(const struct fwd_stamp_queue *queue)
{
    return queue->end - queue->begin + queue->set_aside;
}
