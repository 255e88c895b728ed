/* SPDX-License-Identifier: Apache-2.0
 *
 * Segments made aside and placed; see the header.
 */
#include <haidang/journal_copy.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>

#include "lib/journal_priv.h"

#define DIR_MODE  0750
#define MARK_MODE 0640
#define STEP      ((size_t)1 << 20)

struct hd_journal_copy {
    struct hd_io io;
    char dir[PATH_MAX - 64], part[PATH_MAX - 48];
    int lock_fd, fd; /* fd: of the segment that is being made */
    uint64_t tail;
    struct hd_jfmt_segment header;
    struct hd_jfmt_footer footer;
    struct hd_buf out;
};

/* ---- life ---- */

static int part_remove(void *ctx, const char *name)
{
    const struct hd_journal_copy *copy = ctx;
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", copy->part, name);
    return unlink(path) == 0 ? HD_OK : hd_err_from_errno(errno);
}

static int lock(struct hd_journal_copy *copy)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/lock", copy->dir);
    int err = copy->io.ops->open(copy->io.ctx, path, O_RDWR | O_CREAT, &copy->lock_fd);
    return err == HD_OK ? copy->io.ops->lock(copy->io.ctx, copy->lock_fd) : err;
}

int hd_journal_copy_open(const char *dir, struct hd_journal_copy **out)
{
    struct hd_journal_copy *copy = calloc(1, sizeof(*copy));
    if (copy == NULL) {
        return HD_ENOMEM;
    }
    copy->io = hd_io_system();
    copy->lock_fd = copy->fd = -1;
    hd_buf_init(&copy->out, 0);
    int len = snprintf(copy->dir, sizeof(copy->dir), "%s", dir);
    (void)snprintf(copy->part, sizeof(copy->part), "%s/.part", copy->dir);
    int err = len > 0 && (size_t)len < sizeof(copy->dir) ? HD_OK : HD_EINVAL;
    err = err == HD_OK ? hd_fs_mkdirs(dir, DIR_MODE) : err;
    err = err == HD_OK ? lock(copy) : err;
    err = err == HD_OK ? hd_fs_mkdirs(copy->part, DIR_MODE) : err;
    err = err == HD_OK ? hd_fs_each(copy->part, part_remove, copy) : err;
    if (err != HD_OK) {
        hd_io_close(&copy->io, &copy->lock_fd);
        free(copy);
        return err;
    }
    *out = copy;
    return HD_OK;
}

void hd_journal_copy_close(struct hd_journal_copy *copy)
{
    if (copy == NULL) {
        return;
    }
    hd_io_close(&copy->io, &copy->fd);
    (void)!hd_fs_each(copy->part, part_remove, copy);
    (void)rmdir(copy->part);
    hd_io_close(&copy->io, &copy->lock_fd);
    hd_buf_fini(&copy->out);
    free(copy);
}

int hd_journal_copy_path(const struct hd_journal_copy *copy, uint64_t first, char *out,
                         size_t cap)
{
    return hd_journal_segment_path(copy->part, first, out, cap);
}

void hd_journal_copy_drop(struct hd_journal_copy *copy, uint64_t first)
{
    char path[PATH_MAX];
    hd_io_close(&copy->io, &copy->fd);
    if (hd_journal_copy_path(copy, first, path, sizeof(path)) == HD_OK) {
        (void)copy->io.ops->unlink(copy->io.ctx, path);
    }
}

/* Made anew and never followed: root may work in what another user owns. */
static int part_create(struct hd_journal_copy *copy, uint64_t first)
{
    char path[PATH_MAX];
    int err = hd_journal_copy_path(copy, first, path, sizeof(path));
    hd_journal_copy_drop(copy, first);
    copy->tail = 0;
    return err == HD_OK ? copy->io.ops->open(copy->io.ctx, path,
                                             O_RDWR | O_CREAT | O_EXCL, &copy->fd)
                        : err;
}

static int part_write(struct hd_journal_copy *copy, struct hd_slice bytes)
{
    int err = hd_io_write(&copy->io, copy->fd, bytes, copy->tail);
    copy->tail += err == HD_OK ? bytes.len : 0;
    return err;
}

/* On the disk, and closed. */
static int part_finish(struct hd_journal_copy *copy)
{
    int err = copy->io.ops->sync(copy->io.ctx, copy->fd);
    hd_io_close(&copy->io, &copy->fd);
    return err;
}

/* ---- byte for byte ---- */

static int copy_step(struct hd_journal_copy *copy, int from, uint8_t *buf, uint64_t left)
{
    struct iovec to = {buf, left < STEP ? (size_t)left : STEP};
    size_t got = 0;
    int err = copy->io.ops->pread(copy->io.ctx, from, to, copy->tail, &got);
    if (err == HD_OK && got < to.iov_len) {
        err = HD_ECORRUPT;
    }
    return err == HD_OK ? part_write(copy, hd_slice(buf, got)) : err;
}

int hd_journal_copy_file(struct hd_journal_copy *copy, const struct hd_check_file *file,
                         uint64_t bytes)
{
    uint8_t *buf = malloc(STEP);
    int err = buf != NULL ? part_create(copy, file->first) : HD_ENOMEM;
    while (err == HD_OK && copy->tail < bytes) {
        err = copy_step(copy, file->fd, buf, bytes - copy->tail);
    }
    err = err == HD_OK ? part_finish(copy) : err;
    hd_io_close(&copy->io, &copy->fd);
    free(buf);
    return err;
}

static int stream_step(struct hd_journal_copy *copy, int fd, uint8_t *buf, uint64_t left)
{
    ssize_t n = read(fd, buf, left < STEP ? (size_t)left : STEP);
    if (n < 0) {
        return errno == EINTR ? HD_OK : hd_err_from_errno(errno);
    }
    return n == 0 ? HD_ECORRUPT : part_write(copy, hd_slice(buf, (size_t)n));
}

int hd_journal_copy_stream(struct hd_journal_copy *copy, int fd, uint64_t first,
                           uint64_t bytes)
{
    uint8_t *buf = malloc(STEP);
    int err = buf != NULL ? part_create(copy, first) : HD_ENOMEM;
    while (err == HD_OK && copy->tail < bytes) {
        err = stream_step(copy, fd, buf, bytes - copy->tail);
    }
    err = err == HD_OK ? part_finish(copy) : err;
    hd_io_close(&copy->io, &copy->fd);
    free(buf);
    return err;
}

/* ---- entry by entry ---- */

int hd_journal_copy_begin(struct hd_journal_copy *copy, const uint8_t journal[16],
                          uint64_t first)
{
    copy->header =
        (struct hd_jfmt_segment){.first = first, .created_ns = hd_clock_wall_ns()};
    memcpy(copy->header.uuid.byte, journal, sizeof(copy->header.uuid.byte));
    hd_jfmt_footer_init(&copy->footer, first, HD_JOURNAL_SEGMENT_BYTES);
    int err = part_create(copy, first);
    copy->tail = HD_JFMT_SEGMENT_LEN; /* the header is written when all is known */
    return err;
}

int hd_journal_copy_entry(struct hd_journal_copy *copy,
                          const struct hd_journal_entry *entry, struct hd_slice bytes)
{
    struct hd_jfmt_box box;
    struct hd_slice payload = hd_slice_from(bytes, HD_JFMT_ENTRY_LEN + entry->meta.len);
    if (hd_jfmt_is_box(payload) && hd_jfmt_box_decode(payload, &box) == HD_OK) {
        copy->header.key = box.key;
    }
    hd_jfmt_footer_count(&copy->footer, entry, copy->tail);
    return part_write(copy, bytes);
}

static int header_write(struct hd_journal_copy *copy)
{
    hd_buf_clear(&copy->out);
    hd_jfmt_segment_encode(&copy->out, &copy->header);
    return copy->out.err != 0
               ? copy->out.err
               : hd_io_write(&copy->io, copy->fd, hd_buf_slice(&copy->out), 0);
}

int hd_journal_copy_end(struct hd_journal_copy *copy)
{
    if (copy->footer.entries == 0) {
        char path[PATH_MAX];
        hd_io_close(&copy->io, &copy->fd);
        int err = hd_journal_copy_path(copy, copy->footer.first, path, sizeof(path));
        err = err == HD_OK ? copy->io.ops->unlink(copy->io.ctx, path) : err;
        return err == HD_OK ? HD_ENOENT : err;
    }
    int err = header_write(copy);
    hd_buf_clear(&copy->out);
    hd_jfmt_footer_begin(&copy->out, &copy->footer, 0);
    hd_jfmt_footer_end(&copy->out, &copy->header.uuid);
    err = err == HD_OK ? copy->out.err : err;
    err = err == HD_OK ? part_write(copy, hd_buf_slice(&copy->out)) : err;
    return err == HD_OK ? part_finish(copy) : err;
}

/* ---- names ---- */

static int dir_sync(const struct hd_journal_copy *copy)
{
    int fd = -1;
    int err = copy->io.ops->open(copy->io.ctx, copy->dir, O_RDONLY | O_DIRECTORY, &fd);
    err = err == HD_OK ? copy->io.ops->sync(copy->io.ctx, fd) : err;
    hd_io_close(&copy->io, &fd);
    return err;
}

/* NFS cannot refuse to replace; there the lock of the directory keeps others away. */
static int rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return HD_OK;
    }
    if (errno != EINVAL) {
        return hd_err_from_errno(errno);
    }
    if (access(to, F_OK) == 0) {
        return HD_EEXIST;
    }
    return rename(from, to) == 0 ? HD_OK : hd_err_from_errno(errno);
}

int hd_journal_copy_place(struct hd_journal_copy *copy, uint64_t first)
{
    char from[PATH_MAX], to[PATH_MAX];
    int err = hd_journal_copy_path(copy, first, from, sizeof(from));
    err = err == HD_OK ? hd_journal_segment_path(copy->dir, first, to, sizeof(to)) : err;
    err = err == HD_OK ? rename_new(from, to) : err;
    return err == HD_OK ? dir_sync(copy) : err;
}

int hd_journal_copy_mark(struct hd_journal_copy *copy,
                         const struct hd_check_segment *last)
{
    struct hd_jfmt_mark mark = {
        .segment = last->first, .offset = last->bytes, .next = last->follows};
    char path[PATH_MAX];
    memcpy(mark.uuid.byte, last->journal, sizeof(mark.uuid.byte));
    (void)snprintf(path, sizeof(path), "%s/mark", copy->dir);
    hd_buf_clear(&copy->out);
    hd_jfmt_mark_encode(&copy->out, &mark);
    int err = copy->out.err;
    return err == HD_OK ? hd_fs_write_atomic(path, hd_buf_slice(&copy->out), MARK_MODE)
                        : err;
}
