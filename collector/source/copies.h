/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the text of a log file may have gone when the file itself lost it: a copy beside
 * it (logrotate's copytruncate), or one that was compressed already. Blocks in readdir,
 * stat and small reads; no state is kept.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "collector/source/tail.h"

#define COL_COPIES_MAX 256U /* files beside it that are looked into */

/* own: a file in the directory of `path` that begins as `original` did and has the bytes
 * before its position, or -1. */
int col_copies_find(const char *path, const struct col_tail *original,
                    const struct col_sink *sink);
/* A compressed file there whose name begins like that of `path`, made since. */
bool col_copies_is_compressed(const char *path, int64_t since_ns);
/* By its name. */
bool col_copies_is_archive(const char *name);
/* The first line of the file at `fd` is one of `old`, near its begin or its end. `room`:
 * COL_SCRATCH_LEN bytes. */
bool col_copies_shares_line(int fd, int old, uint8_t *room);
