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

bool col_shadow_is_beside(const struct col_node *n, const struct col_node *original)
{
    char dir[COL_PATH_MAX], other_dir[COL_PATH_MAX];
    const char *name = col_paths_split(n->path, dir);
    const char *other = col_paths_split(original->path, other_dir);
    return strcmp(dir, other_dir) == 0 && strcmp(name, other) != 0 &&
           col_copies_are_alike(name, other);
}

/* NULL: nobody. `is_decided`: it was truncated, and guard.c has not seen that yet. */
static const struct col_node *find_original(const struct col_nodes *nodes,
                                            const struct col_node *n, bool *is_decided)
{
    const struct col_node *found = NULL;
    *is_decided = false;
    for (size_t i = 0; i < nodes->n && !*is_decided; i++) {
        const struct col_node *other = nodes->list[i];
        if (other != n && other->tail.offset > 0 && col_shadow_is_beside(n, other) &&
            col_tail_is_like(&n->tail, &other->tail, nodes->env->sink)) {
            found = other;
            *is_decided = !col_tail_is_intact(&other->tail);
        }
    }
    return found;
}

bool col_shadow_waits(const struct col_nodes *nodes, struct col_node *n)
{
    struct stat st;
    bool is_decided;
    int64_t now_ns = hd_clock_mono_ns();
    if (!n->is_new || n->is_ending || fstat(n->tail.fd, &st) != 0 || st.st_size == 0 ||
        find_original(nodes, n, &is_decided) == NULL) {
        n->shadow_ns = 0;
        return false;
    }
    if (n->shadow_ns == 0) {
        n->shadow_end_ns = now_ns + LIMIT_NS;
    }
    if (n->shadow_ns == 0 || is_decided || (uint64_t)st.st_size != n->shadow_size) {
        n->shadow_size = (uint64_t)st.st_size;
        n->shadow_ns = now_ns + QUIET_NS;
    }
    if (!is_decided && n->shadow_ns > n->shadow_end_ns) {
        n->shadow_ns = n->shadow_end_ns;
    }
    if (now_ns >= n->shadow_ns) {
        n->is_new = false;
        n->shadow_ns = 0;
    }
    return n->shadow_ns != 0;
}
