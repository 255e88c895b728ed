/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/shadow.h"

#include <string.h>
#include <sys/stat.h>

#include <haidang/clock.h>

#include "collector/source/copies.h"
#include "collector/source/paths.h"

#define QUIET_NS (2 * HD_NS_PER_SEC) /* a copy that grows no more is complete */
#define LIMIT_NS                                                                         \
    (300 * HD_NS_PER_SEC) /* two files that are written alike are two files */

/* What took the other one's name took its place. */
static bool stand_together(const char *a, const char *b)
{
    char dir_a[COL_PATH_MAX], dir_b[COL_PATH_MAX];
    const char *name_a = col_paths_split(a, dir_a);
    const char *name_b = col_paths_split(b, dir_b);
    return strcmp(dir_a, dir_b) == 0 && strcmp(name_a, name_b) != 0 &&
           col_copies_are_alike(name_a, name_b);
}

static bool has_original(const struct col_nodes *nodes, const struct col_node *n)
{
    for (size_t i = 0; i < nodes->n; i++) {
        const struct col_node *other = nodes->list[i];
        if (other != n && other->tail.offset > 0 &&
            stand_together(n->path, other->path) &&
            col_tail_is_like(&n->tail, &other->tail, nodes->env->sink)) {
            return true;
        }
    }
    return false;
}

bool col_shadow_waits(const struct col_nodes *nodes, struct col_node *n)
{
    struct stat st;
    int64_t now_ns = hd_clock_mono_ns();
    if (!n->is_new || n->is_rotated || fstat(n->tail.fd, &st) != 0 || st.st_size == 0 ||
        !has_original(nodes, n)) {
        n->shadow_ns = 0;
        return false;
    }
    if (n->shadow_ns == 0) {
        n->shadow_end_ns = now_ns + LIMIT_NS;
    }
    if (n->shadow_ns == 0 || (uint64_t)st.st_size != n->shadow_size) {
        n->shadow_size = (uint64_t)st.st_size;
        n->shadow_ns = now_ns + QUIET_NS;
    }
    n->shadow_ns = n->shadow_ns < n->shadow_end_ns ? n->shadow_ns : n->shadow_end_ns;
    if (now_ns >= n->shadow_ns) {
        n->is_new = false;
        n->shadow_ns = 0;
    }
    return n->shadow_ns != 0;
}
