/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal's system calls, narrowed to a part of one open file that is only read.
 */
#include <haidang/journal_part.h>

#include "lib/journal_priv.h"
#include "lib/journal_scan.h"

static int part_open(void *ctx, const char *path, int flags, int *fd)
{
    const struct hd_journal_part *part = ctx;
    (void)path;
    (void)flags;
    *fd = part->fd;
    return HD_OK;
}

/* The descriptor is the caller's. */
static void part_close(void *ctx, int fd)
{
    (void)ctx;
    (void)fd;
}

static int part_pread(void *ctx, int fd, struct iovec to, uint64_t at, size_t *got)
{
    const struct hd_journal_part *part = ctx;
    struct hd_io io = hd_io_system();
    *got = 0;
    if (at >= part->bytes) {
        return HD_OK;
    }
    uint64_t left = part->bytes - at;
    to.iov_len = left < to.iov_len ? (size_t)left : to.iov_len;
    return io.ops->pread(io.ctx, fd, to, part->offset + at, got);
}

static int part_size(void *ctx, int fd, uint64_t *len)
{
    const struct hd_journal_part *part = ctx;
    (void)fd;
    *len = part->bytes;
    return HD_OK;
}

static struct hd_io part_io(struct hd_journal_part *part)
{
    static const struct hd_io_ops ops = {
        .open = part_open, .close = part_close, .pread = part_pread, .size = part_size};
    return (struct hd_io){.ops = &ops, .ctx = part};
}

int hd_check_open_part(const struct hd_check_opts *opts, struct hd_journal_part *part,
                       struct hd_check **out)
{
    struct hd_io io = part_io(part);
    return hd_check_open_io(opts, &io, out);
}

static int take_header(struct hd_jscan *scan)
{
    struct hd_slice bytes;
    struct hd_jfmt_segment header;
    int err = hd_jscan_view(scan, 0, HD_JFMT_SEGMENT_LEN, &bytes);
    if (err == HD_ERANGE || (err == HD_OK && !hd_jfmt_segment_decode(bytes, &header))) {
        return HD_ECORRUPT;
    }
    scan->uuid = err == HD_OK ? header.uuid : scan->uuid;
    return err;
}

static int copy_entry(const struct hd_journal_entry *from, struct hd_buf *room,
                      struct hd_journal_entry *entry)
{
    hd_buf_clear(room);
    hd_buf_slice_add(room, from->meta);
    hd_buf_slice_add(room, from->payload);
    *entry = *from;
    entry->meta = hd_slice_head(hd_buf_slice(room), from->meta.len);
    entry->payload = hd_slice_from(hd_buf_slice(room), from->meta.len);
    return room->err;
}

int hd_journal_part_entry(struct hd_journal_part *part, uint64_t at, struct hd_buf *room,
                          struct hd_journal_entry *entry)
{
    struct hd_io io = part_io(part);
    struct hd_jscan scan;
    struct hd_jitem item;
    struct hd_jcrypt crypt;
    hd_jcrypt_init(&crypt);
    hd_jscan_init(&scan, &io);
    hd_jscan_file(&scan, part->fd, part->bytes);
    int err = take_header(&scan);
    if (err == HD_OK && at >= part->bytes) {
        err = HD_ECORRUPT;
    }
    err = err == HD_OK ? hd_jscan_at(&scan, at, true, &item) : err;
    if (err == HD_OK && item.kind != HD_JITEM_ENTRY) {
        err = HD_ECORRUPT;
    }
    err = err == HD_OK ? hd_jcrypt_open(&crypt, part->keys, &scan.uuid, &item.head) : err;
    if (err == HD_ENOKEY) {
        part->missing = crypt.missing;
    }
    err = err == HD_OK ? copy_entry(&item.head.entry, room, entry) : err;
    hd_jcrypt_fini(&crypt);
    hd_jscan_fini(&scan);
    return err;
}
