/* SPDX-License-Identifier: Apache-2.0
 *
 * inotify for the file source: directories (a name that matters appeared, vanished or was
 * renamed) and open files (something was written). Raw inotify instead of uv_fs_event,
 * which hides the cookies that pair the two halves of a rename. No loop: poll the
 * descriptor and call col_watch_read.
 */
#pragma once
#include <stdbool.h>

#include <haidang/err.h>

struct col_watch;

struct col_watch_ops {
    void (*file)(void *ctx, int wd); /* the watched file changed */
    void (*names)(void *ctx);        /* walk the patterns again */
    /* A file whose name matched was renamed to `path`; it was `was` (before all renames
     * seen in this read). */
    void (*moved)(void *ctx, const char *path, const char *was);
    void (*overflow)(void *ctx); /* events were lost: look at everything */
    void *ctx;
};

int col_watch_open(const struct col_watch_ops *ops, struct col_watch **out) HD_MUST_USE;
void col_watch_close(struct col_watch *w);
int col_watch_fd(const struct col_watch *w);
/* Reads all waiting events; `names` and `overflow` come at most once, at the end. */
void col_watch_read(struct col_watch *w);

/* The set of directories is told anew with each walk: begin, dir for each, end.
 * HD_ELIMIT: the kernel's limit on watches (fs.inotify.max_user_watches). */
void col_watch_begin(struct col_watch *w);
int col_watch_dir(struct col_watch *w, const char *dir, const char *name,
                  bool is_last) HD_MUST_USE;
void col_watch_end(struct col_watch *w);

/* Watches an open file by its descriptor, whatever it is called by now. Returns the watch
 * (>= 0) or HD_E*. */
int col_watch_file(struct col_watch *w, int fd) HD_MUST_USE;
void col_watch_unwatch(struct col_watch *w, int wd);
