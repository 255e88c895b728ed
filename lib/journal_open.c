/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a journal for writing: take the lock, see what is there, judge the last
 * segment, cut what was never committed, and publish how far it is durable. The mark is
 * only a witness: what is in the segments decides, and each entry says how far the
 * journal was durable when it was written.
 */
#include "lib/journal_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/clock.h>
#include <haidang/freeze.h>
#include <haidang/hash.h>
#include <haidang/log.h>

#define DIR_MODE     0750
#define READERS_MODE 0770 /* readers of other users in our group keep cursors there */

struct opening {
    struct hd_journal *j;
    bool has_uuid;
    bool is_last_headed;               /* the header of the last segment verifies */
    bool is_encrypted;                 /* one of those that were looked at */
    struct hd_journal_key_id last_key; /* in it; zero: not encrypted, or nobody says */
    size_t n_locked;                   /* segments whose key is not there */
};

static int open_in_dir(const struct hd_journal *j, const char *name, int flags, int *fd)
{
    char path[PATH_MAX];
    int err = hd_jseg_path(j, name, path);
    return err == HD_OK ? j->io.ops->open(j->io.ctx, path, flags, fd) : err;
}

static int dirs_open(struct hd_journal *j)
{
    char readers[PATH_MAX];
    int parent = -1;
    int err = hd_jseg_path(j, "readers", readers);
    if (err == HD_OK) {
        err = j->io.ops->mkdirs(j->io.ctx, j->opts.dir, DIR_MODE);
    }
    if (err == HD_OK) {
        err = j->io.ops->mkdirs(j->io.ctx, readers, READERS_MODE);
    }
    if (err == HD_OK && open_in_dir(j, "..", O_RDONLY | O_DIRECTORY, &parent) == HD_OK) {
        (void)j->io.ops->sync(j->io.ctx, parent); /* ours may be new there */
        hd_io_close(&j->io, &parent);
    }
    if (err == HD_OK) {
        err = open_in_dir(j, ".", O_RDONLY | O_DIRECTORY, &j->dir_fd);
    }
    if (err == HD_OK) {
        err = open_in_dir(j, "lock", O_RDWR | O_CREAT, &j->lock_fd);
    }
    return err == HD_OK ? j->io.ops->lock(j->io.ctx, j->lock_fd) : err;
}

/* ---- what is there ---- */

static bool has_key(const struct hd_journal *j, const struct hd_journal_key_id *id)
{
    return hd_journal_key_id_is_none(id) ||
           hd_journal_keys_find(j->opts.keys, id) != NULL;
}

/* A wrong key, or one that was forgotten, is to be seen at the start, and not by who
 * needs the lines one day. What is older may be given up. */
static int keys_check(const struct opening *o)
{
    const struct hd_journal *j = o->j;
    if (o->n_locked == 0) {
        return HD_OK;
    }
    if (has_key(j, &o->last_key)) {
        HD_LOG(WARN, "journal",
               "segments are encrypted with keys that are not configured",
               HD_KV_STR("dir", j->opts.dir), HD_KV_UINT("segments", o->n_locked));
        return HD_OK;
    }
    struct hd_journal_key_name name = hd_journal_key_name(&o->last_key);
    HD_LOG(ERROR, "journal",
           "the last segment is encrypted with a key that is not configured: give the "
           "key, or move the journal away",
           HD_KV_STR("dir", j->opts.dir), HD_KV_STR("key", name.text));
    return HD_ENOKEY;
}

/* What is to come is encrypted otherwise than what is there, so it goes elsewhere. */
static void key_compare(struct opening *o)
{
    struct hd_journal *j = o->j;
    struct hd_journal_key_id wanted = {{0}};
    if (j->opts.key != NULL) {
        wanted = hd_journal_key_id(j->opts.key);
    }
    j->is_key_old = j->fd >= 0 && !hd_journal_key_id_eq(&wanted, &o->last_key);
    if (j->is_key_old && j->stats.entries == 0) {
        hd_io_close(&j->io, &j->fd); /* it is made anew */
    }
}

static int segment_seen(void *ctx, const char *name)
{
    struct opening *o = ctx;
    struct hd_jseg seg = {.created_ns = HD_JSEG_NOT_READ};
    if (!hd_jfmt_name_parse(name, &seg.first)) {
        return HD_OK;
    }
    int fd = -1;
    int err = open_in_dir(o->j, name, O_RDONLY, &fd);
    if (err == HD_OK) {
        err = o->j->io.ops->size(o->j->io.ctx, fd, &seg.bytes);
    }
    hd_io_close(&o->j->io, &fd);
    return err == HD_OK ? hd_jseg_add(o->j, &seg) : err;
}

static bool header_take(struct opening *o, size_t i)
{
    struct hd_jfmt_segment header;
    struct hd_journal *j = o->j;
    if (!hd_jseg_header(j, i, &header)) {
        return false;
    }
    if (!o->has_uuid) {
        j->uuid = header.uuid;
        o->has_uuid = true;
    }
    o->is_encrypted = o->is_encrypted || !hd_journal_key_id_is_none(&header.key);
    o->n_locked += has_key(j, &header.key) ? 0 : 1;
    if (i + 1 == j->n_segs) {
        o->last_key = header.key;
    }
    return true;
}

/* A header is a read from anywhere on the disk: thousands of them would take seconds when
 * nothing is cached. The last and the oldest say enough, unless there are keys. */
static void headers_take(struct opening *o)
{
    struct hd_journal *j = o->j;
    if (j->n_segs == 0) {
        return;
    }
    o->is_last_headed = header_take(o, j->n_segs - 1);
    if (j->n_segs > 1) {
        (void)header_take(o, 0);
    }
    for (size_t i = j->n_segs - 1; i-- > 1;) {
        if (!o->has_uuid || o->is_encrypted || j->opts.key != NULL) {
            (void)header_take(o, i);
        }
    }
}

static int mark_take(struct opening *o)
{
    struct hd_journal *j = o->j;
    uint8_t bytes[HD_JFMT_MARK_LEN];
    struct iovec to = {bytes, sizeof(bytes)};
    size_t got = 0;
    int err = open_in_dir(j, "mark", O_RDWR | O_CREAT, &j->mark_fd);
    if (err == HD_OK) {
        err = j->io.ops->pread(j->io.ctx, j->mark_fd, to, 0, &got);
    }
    struct hd_jfmt_mark mark;
    if (err != HD_OK || !hd_jfmt_mark_decode(hd_slice(bytes, got), &mark)) {
        return err;
    }
    if (!o->has_uuid) {
        j->uuid = mark.uuid;
        o->has_uuid = true;
    }
    if (hd_jfmt_uuid_eq(&mark.uuid, &j->uuid)) {
        j->next = mark.next;
    }
    return HD_OK;
}

/* ---- the last segment ---- */

/* Nobody can say whether its entries verify: neither a header nor the mark is left. They
 * stay where they are, and the index goes on above the most that can be in there. */
static void last_is_foreign(struct hd_journal *j, struct hd_jrecovery *found)
{
    const struct hd_jseg *seg = &j->segs[j->n_segs - 1];
    *found = (struct hd_jrecovery){
        .end = seg->bytes, .unproven = seg->bytes, .next = seg->first};
    if (seg->bytes > HD_JFMT_SEGMENT_LEN) {
        found->next += seg->bytes / HD_JFMT_ENTRY_LEN + 1;
        found->damaged_bytes = seg->bytes;
    }
}

static int last_judge(struct opening *o, struct hd_jscan *scan,
                      struct hd_jrecovery *found)
{
    struct hd_journal *j = o->j;
    const struct hd_jseg *seg = &j->segs[j->n_segs - 1];
    if (!o->has_uuid) {
        last_is_foreign(j, found);
        return HD_OK;
    }
    if (seg->bytes < HD_JFMT_SEGMENT_LEN) {
        *found = (struct hd_jrecovery){.end = seg->bytes, .unproven = seg->bytes};
        found->next = j->next > seg->first ? j->next : seg->first;
        found->lost_entries = found->next - seg->first;
        return HD_OK;
    }
    scan->uuid = j->uuid;
    int err = o->is_last_headed ? hd_jscan_footer(scan) : HD_ENOENT;
    if (err == HD_ENOENT) {
        return hd_jrecover(scan, seg->first, j->next, j->opts.segment_bytes, found);
    }
    if (err == HD_OK) {
        *found = (struct hd_jrecovery){.stats = scan->footer, .end = seg->bytes};
        found->unproven = seg->bytes - scan->footer_len;
        found->next = scan->footer.next > j->next ? scan->footer.next : j->next;
        found->lost_entries = found->next - scan->footer.next;
        found->is_sealed = true;
    }
    return err;
}

/* After a sync that failed the page cache shows bytes that are on no disk and that no
 * later sync will carry there: what nobody knows to be durable is written once more. */
static int unproven_rewrite(struct hd_journal *j, struct hd_jscan *scan,
                            const struct hd_jrecovery *found)
{
    uint64_t at = found->unproven;
    int err = HD_OK;
    while (err == HD_OK && at < found->end) {
        uint64_t left = found->end - at;
        struct hd_slice bytes;
        err = hd_jscan_view(scan, at, left < HD_JSCAN_STEP ? (size_t)left : HD_JSCAN_STEP,
                            &bytes);
        if (err == HD_OK) {
            err = hd_io_write(&j->io, j->fd, bytes, at);
            at += bytes.len;
        }
    }
    return err;
}

/* Makes the verdict durable. */
static int last_settle(struct opening *o, struct hd_jscan *scan,
                       const struct hd_jrecovery *found)
{
    struct hd_journal *j = o->j;
    const struct hd_jseg *seg = &j->segs[j->n_segs - 1];
    int err = unproven_rewrite(j, scan, found);
    if (err == HD_OK && found->end < seg->bytes) {
        err = j->io.ops->truncate(j->io.ctx, j->fd, found->end);
        hd_jseg_resize(j, found->end);
    }
    if (err == HD_OK) {
        err = j->io.ops->sync(j->io.ctx, j->fd);
    }
    j->stats = found->stats;
    j->next = found->next;
    j->tail = found->end;
    if (!found->can_append || !o->is_last_headed) {
        hd_io_close(&j->io, &j->fd);
    }
    return err;
}

/* It may be write-once: the segment after it was lost with its name, in a power cut. */
static int last_open(struct hd_journal *j, const char *name)
{
    char path[PATH_MAX];
    int err = hd_jseg_path(j, name, path);
    err = err == HD_OK ? open_in_dir(j, name, O_RDWR, &j->fd) : err;
    struct hd_frozen was;
    if (err == HD_EACCES && hd_freeze_lift(path, &was) == HD_OK) {
        err = open_in_dir(j, name, O_RDWR, &j->fd);
        if (err != HD_OK) {
            hd_freeze_again(path, &was);
        }
    }
    return err;
}

static int last_recover(struct opening *o, struct hd_journal_recovery *recovery)
{
    struct hd_journal *j = o->j;
    struct hd_jrecovery *found = malloc(sizeof(*found));
    struct hd_jscan *scan = calloc(1, sizeof(*scan));
    int err = found == NULL || scan == NULL ? HD_ENOMEM : HD_OK;
    char name[HD_JFMT_NAME_LEN + 1];
    hd_jfmt_name(j->segs[j->n_segs - 1].first, name);
    if (err == HD_OK) {
        hd_jscan_init(scan, &j->io);
        err = last_open(j, name);
    }
    if (err == HD_OK) {
        hd_jscan_file(scan, j->fd, j->segs[j->n_segs - 1].bytes);
        err = last_judge(o, scan, found);
    }
    if (err == HD_OK) {
        recovery->entries = found->stats.entries;
        recovery->torn_bytes = found->torn_bytes;
        recovery->damaged_bytes = found->damaged_bytes;
        recovery->lost_entries = found->lost_entries;
        if (found->torn_bytes > 0 || found->damaged_bytes > 0) {
            (void)snprintf(recovery->torn_file, sizeof(recovery->torn_file), "%s", name);
        }
        err = last_settle(o, scan, found);
    }
    if (scan != NULL) {
        hd_jscan_fini(scan);
    }
    free(scan);
    free(found);
    return err;
}

/* What cannot be removed, such as a write-once file whose flag we may not lift, is no
 * reason to take nothing. */
static int trim_first(struct hd_journal *j)
{
    int err = hd_journal_trim(j);
    if (err < 0) {
        HD_LOG(WARN, "journal", "retention could not be applied",
               HD_KV_STR("dir", j->opts.dir), HD_KV_ERR(err));
    }
    return j->failed != 0 ? HD_EIO : HD_OK;
}

int hd_journal_recover(struct hd_journal *j, struct hd_journal_recovery *recovery)
{
    struct opening o = {.j = j};
    *recovery = (struct hd_journal_recovery){0};
    int err = dirs_open(j);
    if (err == HD_OK) {
        hd_journal_tell_least(j);
        err = j->io.ops->list(j->io.ctx, j->opts.dir, segment_seen, &o);
    }
    if (err == HD_OK) {
        headers_take(&o);
        err = keys_check(&o);
    }
    if (err == HD_OK) {
        err = mark_take(&o);
    }
    if (err == HD_OK && j->n_segs > 0) {
        err = last_recover(&o, recovery);
    }
    if (err == HD_OK) {
        key_compare(&o);
    }
    if (err == HD_OK && !o.has_uuid) {
        err = hd_random(j->uuid.byte, sizeof(j->uuid.byte));
    }
    if (err == HD_OK) {
        err = j->io.ops->sync(j->io.ctx, j->dir_fd);
    }
    if (err != HD_OK) {
        return err;
    }
    j->durable_next = j->next;
    j->durable_tail = j->tail;
    recovery->next_index = j->next;
    hd_journal_publish(j);
    j->n_sized = j->n_segs; /* just now */
    return trim_first(j);
}
