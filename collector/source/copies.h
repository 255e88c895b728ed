/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the text of a log file may have gone when the file itself lost it: a copy beside
 * it (logrotate's copytruncate), or one that was compressed already. Blocks in readdir,
 * stat and small reads; the names of a directory's archives are kept, so that a thousand
 * files that vanish together cost one look at it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "collector/source/tail.h"

#define COL_COPIES_MAX 256U /* files beside it that are looked into */

struct col_copies {
    char *dir; /* whose archives these are; NULL: none was looked at */
    char **names;
    size_t n;
    int64_t read_ns; /* monotonic */
};

void col_copies_init(struct col_copies *copies);
void col_copies_fini(struct col_copies *copies);

/* own: of the files in the directory of `path` that are copies of `original` the longest,
 * or -1. */
int col_copies_find(const char *path, const struct col_tail *original,
                    const struct col_sink *sink);

struct col_copies_query {
    const char *path;
    uint64_t len;     /* bytes that were there */
    int64_t since_ns; /* wall: it was as we know it then, or later */
    int64_t gone_ns;  /* monotonic: it was gone by then; INT64_MAX = just now */
};
/* A compressed file there whose name begins like that of `path`, made since, and which
 * can hold what was there: it is what its name says, and not too small for that. */
bool col_copies_is_compressed(struct col_copies *copies,
                              const struct col_copies_query *query);
/* Names of a file and of one that it was rotated to begin alike. */
bool col_copies_are_alike(const char *name, const char *of);
/* By its name. */
bool col_copies_is_archive(const char *name);
/* The first line of the file at `fd` is one of `old`, near its begin or its end. `room`:
 * COL_SCRATCH_LEN bytes. */
bool col_copies_shares_line(int fd, int old, uint8_t *room);
