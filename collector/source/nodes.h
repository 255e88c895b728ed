/* SPDX-License-Identifier: Apache-2.0
 *
 * The files that a file source follows, and which of them are to be read next. A file is
 * a node from when its name matches (discover.c) until file.c ends it; it owns one
 * descriptor and one watch. Bounds: files_max nodes. Agent loop thread.
 */
#pragma once
#include <haidang/batch.h>

#include "collector/conf.h"
#include "collector/source/source.h"
#include "collector/source/tail.h"

struct col_watch;

struct col_node {
    struct col_tail tail;
    char *path;
    struct hd_batch_source source;
    struct col_node *next_ready;
    int wd;             /* < 0: it cannot be watched */
    int64_t data_ns;    /* monotonic: when something was taken last */
    int64_t partial_ns; /* when to take what waits at the end; 0 = nothing waits */
    int64_t retry_ns;   /* when to read again what could not be read; 0 = all could */
    unsigned generation;
    bool is_ready, is_rotated, flush, is_ending;
    /* shadow.c */
    bool is_new;          /* it had no mark, and nothing was taken yet */
    uint64_t shadow_size; /* as it was seen last */
    int64_t shadow_ns;    /* when to look again whether it may be read; 0 = it may */
    int64_t shadow_end_ns;
    char *origin; /* path of the file that it is a copy of; NULL: of none */
    /* guard.c */
    size_t pattern;    /* that its name matches */
    int64_t judge_ns;  /* monotonic: when to look what has become of it; 0 = not */
    int64_t lost_ns;   /* wall: its name was seen to be gone */
    int64_t intact_ns; /* wall: it was as we know it; 0 = not looked yet */
    bool is_named;     /* its name has a mark */
    bool is_undecided; /* it lost its name, nobody knows yet how */
    bool is_unlinked;  /* and has none any more, since removed_after before judge_ns */
    bool is_closed;    /* could not be opened now, and that was told */
};

struct col_nodes {
    const struct col_source_env *env; /* borrowed, as the two below */
    const struct col_conf_source *conf;
    struct col_watch *watch;
    struct col_node **list;
    size_t n;
    struct col_node *ready_head, *ready_tail;
    struct col_source_stats gone; /* sums of nodes that ended */
};

/* Call _fini also on failure. */
int col_nodes_init(struct col_nodes *nodes, const struct col_source_env *env,
                   const struct col_conf_source *conf,
                   struct col_watch *watch) HD_MUST_USE;
/* While the watch is open. */
void col_nodes_fini(struct col_nodes *nodes);

/* own: takes fd. A node that is not followed yet; `name` is what records say. HD_EINVAL:
 * it is no regular file, or followed already. HD_EIO: it cannot be read now. */
int col_nodes_make(struct col_nodes *nodes, int fd, const char *name, bool *is_known,
                   struct col_node **out) HD_MUST_USE;
/* Either follows it (below files_max) or lets it go. */
void col_nodes_start(struct col_nodes *nodes, struct col_node *n);
void col_nodes_drop(struct col_node *n);
/* Frees one that was started and is not ready. */
void col_nodes_end(struct col_nodes *nodes, struct col_node *n);

struct col_node *col_nodes_by_inode(const struct col_nodes *nodes, dev_t dev, ino_t ino);

/* Its lines are those of `original`, which it is a copy of. */
void col_nodes_rename_source(struct col_node *n, const struct col_node *original);

/* Files take turns: in at the end, out at the front. */
void col_nodes_push_ready(struct col_nodes *nodes, struct col_node *n);
void col_nodes_push_front(struct col_nodes *nodes, struct col_node *n);
struct col_node *col_nodes_pop_ready(struct col_nodes *nodes);

void col_nodes_stats(const struct col_nodes *nodes, struct col_source_stats *out);
