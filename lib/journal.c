/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal's writer: append, commit, and what happens when the disk says no.
 *
 * States. Good: what was appended lies in [durable_tail, tail) of the last segment and a
 * commit makes it durable. Failed: a write or a sync ended with an error, and nothing
 * since the last good commit is trusted any more, whatever the page cache shows. Appends
 * are then refused until the next commit, which says the error, opens the file again,
 * cuts it at the last durable entry and reads all of it before the journal is good again.
 * A full disk alone is no failure: the entry is cut off and the journal is as it was.
 */
#include "lib/journal_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include <haidang/bytes.h>
#include <haidang/clock.h>
#include <haidang/log.h>

#define BUDGET_MAX (UINT64_C(1) << 20)

/* ---- publishing ---- */

void hd_journal_publish(struct hd_journal *j)
{
    struct hd_jfmt_mark mark = {.uuid = j->uuid, .next = j->durable_next};
    if (j->n_segs > 0) {
        mark.segment = j->segs[j->n_segs - 1].first;
        mark.offset = j->fd >= 0 ? j->durable_tail : j->segs[j->n_segs - 1].bytes;
    }
    hd_buf_clear(&j->out);
    hd_jfmt_mark_encode(&j->out, &mark);
    int err = j->out.err;
    if (err == HD_OK) {
        err = hd_io_write(&j->io, j->mark_fd, hd_buf_slice(&j->out), 0);
    }
    j->is_mark_stale = err != HD_OK;
    if (err != HD_OK) {
        HD_LOG(ERROR, "journal", "the mark cannot be written: readers wait",
               HD_KV_STR("dir", j->opts.dir), HD_KV_ERR(err));
    }
}

int hd_journal_sync(struct hd_journal *j)
{
    if (j->next == j->durable_next) {
        return HD_OK;
    }
    int err = j->io.ops->sync(j->io.ctx, j->fd);
    if (err != HD_OK) {
        j->failed = err;
        return err;
    }
    j->durable_tail = j->tail;
    j->durable_next = j->next;
    hd_journal_publish(j);
    return HD_OK;
}

/* ---- room ---- */

static bool has_room(struct hd_journal *j, uint64_t size)
{
    if (j->opts.max_bytes > 0 && j->bytes + size > j->opts.max_bytes) {
        return false;
    }
    if (j->opts.reserve_bytes == 0 || j->budget >= size) {
        return true;
    }
    uint64_t free_bytes = 0;
    if (j->io.ops->free_bytes(j->io.ctx, j->dir_fd, &free_bytes) != HD_OK) {
        return true; /* the disk itself will say */
    }
    if (free_bytes < j->opts.reserve_bytes + size) {
        return false;
    }
    uint64_t over = free_bytes - j->opts.reserve_bytes;
    j->budget = over < BUDGET_MAX ? over : BUDGET_MAX;
    j->budget = j->budget < size ? size : j->budget;
    return true;
}

/* At a limit: what all readers have read may go, even from the segment in use. */
static int room_make(struct hd_journal *j, uint64_t size)
{
    if (has_room(j, size)) {
        return HD_OK;
    }
    /* 0: nothing was removed, but what was compacted is smaller than it was */
    if (hd_journal_trim(j) >= 0 && has_room(j, size)) {
        return HD_OK;
    }
    if (j->fd >= 0 && j->stats.entries > 0 && j->opts.retain_bytes > 0 &&
        j->bytes > j->opts.retain_bytes) {
        int err = hd_jseg_seal(j);
        if (err == HD_OK) {
            err = hd_jseg_create(j);
        }
        if (err != HD_OK) {
            return err;
        }
        if (has_room(j, size)) {
            return HD_OK;
        }
    }
    return HD_ENOSPC;
}

/* ---- append ---- */

static int entry_check(const struct hd_journal_entry *entry)
{
    size_t len = entry->payload.len;
    if (len == 0 || len > HD_JOURNAL_PAYLOAD_MAX ||
        entry->meta.len > HD_JOURNAL_META_MAX) {
        return HD_EINVAL;
    }
    /* anything else would end what zstdcat can read */
    struct hd_bytes c = hd_bytes(entry->payload);
    if (hd_bytes_le32(&c) != ZSTD_MAGICNUMBER ||
        ZSTD_findFrameCompressedSize(entry->payload.ptr, len) != len) {
        return HD_EINVAL;
    }
    return HD_OK;
}

static bool is_segment_full(struct hd_journal *j, uint64_t size)
{
    return j->fd >= 0 && j->stats.entries > 0 &&
           (j->tail + size > j->opts.segment_bytes || j->is_key_old ||
            hd_jseg_is_aged(j));
}

static int entry_refuse(struct hd_journal *j, int err)
{
    j->is_ragged = true;
    int bad = hd_jseg_smooth(j);
    if (err == HD_ENOSPC && bad == HD_OK) {
        return err;
    }
    j->failed = err;
    return err;
}

/* Header and meta into j->out; *stored is the entry with the payload that goes behind. */
static int entry_encode(struct hd_journal *j, struct hd_journal_entry *stored)
{
    int err = HD_OK;
    if (j->opts.key != NULL) {
        err = hd_jcrypt_close(&j->crypt, j->opts.key, &j->uuid, stored, j->durable_next);
    }
    hd_buf_clear(&j->out);
    hd_jfmt_entry_encode(&j->out, &j->uuid, stored, j->durable_next);
    return err == HD_OK ? j->out.err : err;
}

static int entry_write(struct hd_journal *j, struct hd_journal_entry *entry)
{
    entry->index = j->next;
    struct hd_journal_entry stored = *entry;
    int err = entry_encode(j, &stored);
    if (err != HD_OK) {
        return err;
    }
    const struct iovec iov[] = {
        {j->out.ptr, j->out.len},
        {(void *)(uintptr_t)stored.payload.ptr, stored.payload.len},
    };
    err = hd_jseg_smooth(j);
    if (err == HD_OK) {
        err = hd_io_write_all(&j->io, j->fd, iov, 2, j->tail);
    }
    if (err != HD_OK) {
        return entry_refuse(j, err);
    }
    hd_jfmt_footer_count(&j->stats, &stored, j->tail);
    hd_jseal_add(j, hd_buf_slice(&j->out));
    hd_jseal_add(j, stored.payload);
    uint64_t size = j->out.len + stored.payload.len;
    j->budget -= j->budget < size ? j->budget : size;
    j->tail += size;
    j->next++;
    hd_jseg_resize(j, j->tail);
    return HD_OK;
}

int hd_journal_append(struct hd_journal *j, struct hd_journal_entry *entry)
{
    int err = entry_check(entry);
    if (err != HD_OK) {
        return err;
    }
    if (j->failed != 0) {
        return j->failed;
    }
    uint64_t size = HD_JFMT_ENTRY_LEN + entry->meta.len + entry->payload.len +
                    (j->opts.key != NULL ? HD_JFMT_BOX_LEN : 0);
    if (is_segment_full(j, size)) {
        err = hd_jseg_seal(j);
    }
    if (err == HD_OK) {
        err = room_make(j, size);
    }
    if (err == HD_OK && j->fd < 0) {
        err = hd_jseg_create(j);
    }
    return err == HD_OK ? entry_write(j, entry) : err;
}

/* ---- commit and healing ---- */

static int heal_reopen(struct hd_journal *j)
{
    char name[HD_JFMT_NAME_LEN + 1];
    char path[PATH_MAX];
    hd_jfmt_name(j->segs[j->n_segs - 1].first, name);
    int err = hd_jseg_path(j, name, path);
    hd_io_close(&j->io, &j->fd);
    if (err == HD_OK) {
        err = j->io.ops->open(j->io.ctx, path, O_RDWR, &j->fd);
    }
    if (err == HD_OK) {
        err = j->io.ops->truncate(j->io.ctx, j->fd, j->durable_tail);
    }
    return err == HD_OK ? j->io.ops->sync(j->io.ctx, j->fd) : err;
}

/* Reads the segment from its first entry to the last durable one. */
static int heal_verify(struct hd_journal *j, struct hd_jrecovery *found)
{
    struct hd_jscan scan;
    hd_jscan_init(&scan, &j->io);
    scan.uuid = j->uuid;
    hd_jscan_file(&scan, j->fd, j->durable_tail);
    int err = hd_jrecover(&scan, j->segs[j->n_segs - 1].first, j->durable_next,
                          j->opts.segment_bytes, found);
    hd_jscan_fini(&scan);
    return err;
}

static int heal(struct hd_journal *j)
{
    struct hd_jrecovery *found = malloc(sizeof(*found));
    int err = found == NULL ? HD_ENOMEM : heal_reopen(j);
    if (err == HD_OK) {
        err = heal_verify(j, found);
    }
    if (err != HD_OK) {
        HD_LOG(ERROR, "journal", "not usable yet after a failed write",
               HD_KV_STR("dir", j->opts.dir), HD_KV_ERR(err));
        free(found);
        return err;
    }
    bool is_whole = found->end == j->durable_tail && found->damaged_bytes == 0;
    HD_LOG(WARN, "journal", "cut back to the last durable entry after a failed write",
           HD_KV_STR("dir", j->opts.dir),
           HD_KV_UINT("dropped", j->next - j->durable_next),
           HD_KV_UINT("damaged_bytes", found->damaged_bytes));
    j->stats = found->stats;
    free(found);
    j->tail = j->durable_tail;
    j->next = j->durable_next;
    j->is_ragged = false;
    j->failed = HD_OK;
    hd_jseg_resize(j, j->tail);
    if (!is_whole) {
        hd_io_close(&j->io, &j->fd); /* its entries stay; new ones go elsewhere */
    }
    return HD_OK;
}

int hd_journal_commit(struct hd_journal *j)
{
    j->budget = 0;
    int err = j->failed != 0 ? j->failed : hd_journal_sync(j);
    if (err != HD_OK) {
        (void)heal(j);
        return err;
    }
    if (j->is_mark_stale) {
        hd_journal_publish(j);
    }
    return HD_OK;
}

uint64_t hd_journal_next_index(const struct hd_journal *j)
{
    return j->failed != 0 ? j->durable_next : j->next;
}

uint64_t hd_journal_bytes(const struct hd_journal *j)
{
    return j->bytes;
}

/* ---- life ---- */

void hd_journal_free(struct hd_journal *j)
{
    hd_io_close(&j->io, &j->fd);
    hd_io_close(&j->io, &j->mark_fd);
    hd_io_close(&j->io, &j->dir_fd);
    hd_io_close(&j->io, &j->lock_fd);
    hd_buf_fini(&j->out);
    hd_jseal_close(j);
    hd_jcrypt_fini(&j->crypt);
    free(j->segs);
    free((void *)(uintptr_t)j->opts.dir);
    free(j);
}

void hd_journal_close(struct hd_journal *j)
{
    if (j == NULL) {
        return;
    }
    int err = hd_journal_commit(j);
    if (err != HD_OK) {
        HD_LOG(ERROR, "journal", "the last entries are not durable",
               HD_KV_STR("dir", j->opts.dir), HD_KV_ERR(err));
    }
    hd_journal_free(j);
}

static int opts_take(struct hd_journal *j, const struct hd_journal_opts *opts)
{
    size_t len = opts->dir == NULL ? 0 : strlen(opts->dir);
    if (len == 0 || len > PATH_MAX - 128) {
        return HD_EINVAL;
    }
    j->opts = *opts;
    j->opts.dir = hd_slice_dup(hd_slice(opts->dir, len));
    if (j->opts.segment_bytes == 0) {
        j->opts.segment_bytes = HD_JOURNAL_SEGMENT_BYTES;
    }
    return j->opts.dir == NULL ? HD_ENOMEM : HD_OK;
}

int hd_journal_open_io(const struct hd_journal_opts *opts, const struct hd_io *io,
                       struct hd_journal **out, struct hd_journal_recovery *recovery)
{
    struct hd_journal *j = calloc(1, sizeof(*j));
    if (j == NULL) {
        return HD_ENOMEM;
    }
    j->io = *io;
    j->fd = j->dir_fd = j->mark_fd = j->lock_fd = -1;
    j->next = j->durable_next = 1;
    hd_buf_init(&j->out, HD_JFMT_FOOTER_MAX);
    hd_jcrypt_init(&j->crypt);
    int err = opts_take(j, opts);
    if (err == HD_OK) {
        err = hd_jseal_open(j);
    }
    if (err == HD_OK) {
        err = hd_journal_recover(j, recovery);
    }
    if (err != HD_OK) {
        hd_journal_free(j);
        return err;
    }
    *out = j;
    return HD_OK;
}

int hd_journal_open(const struct hd_journal_opts *opts, struct hd_journal **out,
                    struct hd_journal_recovery *recovery)
{
    struct hd_io io = hd_io_system();
    return hd_journal_open_io(opts, &io, out, recovery);
}
