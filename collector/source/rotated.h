/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that were rotated while no agent ran. Their names begin with a name that the
 * pattern matches: app.log.1, app.log-20261121. One is ours when its inode has a mark
 * (read the rest), or when nobody has read it although it is not older than what was
 * read (read all of it). At start only; blocks in readdir and stat.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "collector/source/source.h"

struct col_rotated_query {
    const char *dir, *pattern; /* of file names in it */
    const struct col_sink *sink;
    uint64_t since_ns; /* first watch of the pattern; UINT64_MAX = now */
};

/* `was`: the path it had when it matched. */
typedef void col_rotated_found(void *ctx, const char *path, const char *was,
                               bool is_marked);

void col_rotated_find(const struct col_rotated_query *query, col_rotated_found *found,
                      void *ctx);
