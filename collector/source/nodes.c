/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/nodes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/log.h>

#include "collector/metrics.h"
#include "collector/source/watch.h"
#include "collector/source/zone.h"

int col_nodes_init(struct col_nodes *nodes, const struct col_source_env *env,
                   const struct col_conf_source *conf, struct col_watch *watch)
{
    *nodes = (struct col_nodes){.env = env, .conf = conf, .watch = watch};
    nodes->list = calloc((size_t)conf->files_max, sizeof(struct col_node *));
    return nodes->list == NULL ? HD_ENOMEM : HD_OK;
}

/* ---- ready queue ---- */

void col_nodes_push_ready(struct col_nodes *nodes, struct col_node *n)
{
    if (n->is_ready) {
        return;
    }
    n->is_ready = true;
    n->next_ready = NULL;
    if (nodes->ready_tail == NULL) {
        nodes->ready_head = n;
    } else {
        nodes->ready_tail->next_ready = n;
    }
    nodes->ready_tail = n;
}

struct col_node *col_nodes_pop_ready(struct col_nodes *nodes)
{
    struct col_node *n = nodes->ready_head;
    nodes->ready_head = n->next_ready;
    nodes->ready_tail = nodes->ready_head == NULL ? NULL : nodes->ready_tail;
    n->is_ready = false;
    return n;
}

void col_nodes_push_front(struct col_nodes *nodes, struct col_node *n)
{
    n->is_ready = true;
    n->next_ready = nodes->ready_head;
    nodes->ready_head = n;
    nodes->ready_tail = nodes->ready_tail == NULL ? n : nodes->ready_tail;
}

/* ---- nodes ---- */

struct col_node *col_nodes_by_inode(const struct col_nodes *nodes, dev_t dev, ino_t ino)
{
    for (size_t i = 0; i < nodes->n; i++) {
        if (nodes->list[i]->tail.ino == ino && nodes->list[i]->tail.dev == dev) {
            return nodes->list[i];
        }
    }
    return NULL;
}

static void free_node(struct col_nodes *nodes, struct col_node *n)
{
    if (n->wd >= 0) {
        col_watch_unwatch(nodes->watch, n->wd);
    }
    nodes->gone.lines += n->tail.lines;
    nodes->gone.bytes += n->tail.bytes;
    nodes->gone.truncated += n->tail.truncated;
    col_tail_close(&n->tail);
    free(n->origin);
    free(n->path);
    free(n);
    COL_COUNT(COL_FILES, -1);
}

void col_nodes_end(struct col_nodes *nodes, struct col_node *n)
{
    for (size_t i = 0; i < nodes->n; i++) {
        if (nodes->list[i] == n) {
            nodes->list[i] = nodes->list[--nodes->n];
            break;
        }
    }
    if (col_tail_links(&n->tail) == 0) {
        col_tail_forget(&n->tail, nodes->env->sink);
    }
    HD_LOG(DEBUG, "file", "done with a rotated or removed file",
           HD_KV_STR("file", n->path), HD_KV_UINT("bytes", n->tail.offset));
    free_node(nodes, n);
}

static void watch_node(struct col_nodes *nodes, struct col_node *n)
{
    n->wd = col_watch_file(nodes->watch, n->tail.fd);
    if (n->wd < 0) {
        HD_LOG(
            WARN, "file",
            "a file cannot be watched and is polled; raise fs.inotify.max_user_watches",
            HD_KV_STR("file", n->path), HD_KV_ERR(n->wd));
    }
}

void col_nodes_drop(struct col_node *n)
{
    col_tail_close(&n->tail);
    free(n->path);
    free(n);
}

/* A record's source name is bounded: of a longer path its end tells more. */
static struct hd_slice source_name(const char *path)
{
    struct hd_slice name = hd_slice_str(path);
    return name.len <= HD_BATCH_NAME_MAX
               ? name
               : hd_slice_from(name, name.len - HD_BATCH_NAME_MAX);
}

void col_nodes_rename_source(struct col_node *n, const struct col_node *original)
{
    char *origin = n->origin != NULL ? NULL : strdup(original->path);
    if (origin != NULL) {
        n->origin = origin;
        n->source.name = source_name(origin);
    }
}

int col_nodes_make(struct col_nodes *nodes, int fd, const char *name, bool *is_known,
                   struct col_node **out)
{
    struct col_node *n = calloc(1, sizeof(*n));
    char *path = strdup(name);
    if (n == NULL || path == NULL) {
        (void)close(fd);
        free(path);
        free(n);
        return HD_ENOMEM;
    }
    n->path = path;
    n->data_ns = hd_clock_mono_ns();
    int err = col_tail_open(&n->tail, fd, nodes->env->sink, is_known);
    if (err == HD_OK && col_nodes_by_inode(nodes, n->tail.dev, n->tail.ino) != NULL) {
        err = HD_EINVAL;
    }
    if (err != HD_OK) {
        col_nodes_drop(n);
        return err;
    }
    n->source = (struct hd_batch_source){.host = nodes->env->host,
                                         .kind = HD_SLICE("file"),
                                         .name = source_name(n->path),
                                         .format = hd_slice_str(nodes->conf->format),
                                         .zone = col_zone_of(nodes->conf, nodes->env)};
    *out = n;
    return HD_OK;
}

void col_nodes_start(struct col_nodes *nodes, struct col_node *n)
{
    watch_node(nodes, n);
    nodes->list[nodes->n++] = n;
    COL_COUNT(COL_FILES, 1);
    col_nodes_push_ready(nodes, n);
}

void col_nodes_stats(const struct col_nodes *nodes, struct col_source_stats *out)
{
    *out = nodes->gone;
    for (size_t i = 0; i < nodes->n; i++) {
        out->lines += nodes->list[i]->tail.lines;
        out->bytes += nodes->list[i]->tail.bytes;
        out->truncated += nodes->list[i]->tail.truncated;
    }
}

void col_nodes_fini(struct col_nodes *nodes)
{
    for (size_t i = 0; i < nodes->n; i++) {
        free_node(nodes, nodes->list[i]);
    }
    free(nodes->list);
}
