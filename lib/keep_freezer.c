/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/keep_freezer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/journal_check.h>

static void hinder(struct hd_freezer *f, const char *what, uint64_t first, int err)
{
    const char *hint = err == HD_EUNSUPPORTED ? "the file system has no such flag"
                       : err == HD_EACCES ? "CAP_LINUX_IMMUTABLE or ownership is missing"
                                          : hd_err_text(err);
    (void)snprintf(f->why, sizeof(f->why), "segment %020llu cannot be made %s: %s",
                   (unsigned long long)first, what, hint);
}

/* All but the last that come after *done; stops at what cannot be had. */
static void freeze_with(struct hd_freezer *f, const struct hd_journal_segments *list,
                        int (*freeze)(const char *path), const char *what, uint64_t *done)
{
    for (size_t i = 0; i + 1 < list->n; i++) {
        char path[PATH_MAX];
        if (list->first[i] <= *done) {
            continue;
        }
        int err = hd_journal_segment_path(f->dir, list->first[i], path, sizeof(path));
        err = err == HD_OK ? freeze(path) : err;
        if (err != HD_OK && err != HD_ENOENT) { /* retention was faster */
            hinder(f, what, list->first[i], err);
            return;
        }
        *done = list->first[i];
    }
}

void hd_freezer_step(struct hd_freezer *f)
{
    struct hd_journal_segments list;
    uint64_t before = f->read_only;
    int err = hd_journal_list(f->dir, &list);
    f->why[0] = '\0';
    if (err != HD_OK) {
        if (err != HD_ENOENT) {
            (void)snprintf(f->why, sizeof(f->why), "%.300s: %s", f->dir,
                           hd_err_text(err));
        }
        return;
    }
    freeze_with(f, &list, hd_freeze_mode, "read-only", &f->read_only);
    if (f->level == HD_FREEZE_IMMUTABLE) {
        freeze_with(f, &list, hd_freeze_flag, "immutable", &f->immutable);
    }
    for (size_t i = 0; i < list.n; i++) {
        f->frozen += list.first[i] > before && list.first[i] <= f->read_only;
    }
    free(list.first);
}
