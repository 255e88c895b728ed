/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal's system calls as the kernel offers them. Blocking; any thread.
 */
#include "lib/journal_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <haidang/fs.h>

#define FILE_MODE 0640
#define IOV_MAX_  3

static int sys_open(void *ctx, const char *path, int flags, int *fd)
{
    (void)ctx;
    do { /* O_NONBLOCK: a FIFO in the place of a file must not hold us */
        *fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, FILE_MODE);
    } while (*fd < 0 && errno == EINTR);
    return *fd < 0 ? hd_err_from_errno(errno) : HD_OK;
}

static void sys_close(void *ctx, int fd)
{
    (void)ctx;
    (void)close(fd);
}

static int sys_pread(void *ctx, int fd, struct iovec to, uint64_t at, size_t *got)
{
    (void)ctx;
    *got = 0;
    while (*got < to.iov_len) {
        ssize_t n = pread(fd, (uint8_t *)to.iov_base + *got, to.iov_len - *got,
                          (off_t)(at + *got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return hd_err_from_errno(errno);
        }
        if (n == 0) {
            break;
        }
        *got += (size_t)n;
    }
    return HD_OK;
}

static int sys_pwritev(void *ctx, int fd, const struct iovec *iov, int n, uint64_t at,
                       size_t *put)
{
    (void)ctx;
    ssize_t done;
    do {
        done = pwritev(fd, iov, n, (off_t)at);
    } while (done < 0 && errno == EINTR);
    if (done < 0) {
        return errno == EFBIG ? HD_ENOSPC : hd_err_from_errno(errno);
    }
    *put = (size_t)done;
    return HD_OK;
}

static int sys_sync(void *ctx, int fd)
{
    (void)ctx;
    struct stat st;
    int bad = fstat(fd, &st);
    if (bad == 0) {
        bad = S_ISDIR(st.st_mode) ? fsync(fd) : fdatasync(fd);
    }
    return bad != 0 ? hd_err_from_errno(errno) : HD_OK;
}

static int sys_truncate(void *ctx, int fd, uint64_t len)
{
    (void)ctx;
    int bad;
    do {
        bad = ftruncate(fd, (off_t)len);
    } while (bad != 0 && errno == EINTR);
    return bad != 0 ? hd_err_from_errno(errno) : HD_OK;
}

static int sys_size(void *ctx, int fd, uint64_t *len)
{
    (void)ctx;
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return hd_err_from_errno(errno);
    }
    *len = (uint64_t)st.st_size;
    return HD_OK;
}

static int sys_unlink(void *ctx, const char *path)
{
    (void)ctx;
    return unlink(path) != 0 ? hd_err_from_errno(errno) : HD_OK;
}

static int sys_exchange(void *ctx, const char *a, const char *b)
{
    (void)ctx;
    if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0) {
        return HD_OK;
    }
    return errno == EINVAL || errno == ENOSYS ? HD_EUNSUPPORTED
                                              : hd_err_from_errno(errno);
}

static int sys_like(void *ctx, int fd, int other)
{
    (void)ctx;
    struct stat mine, st;
    if (fstat(other, &st) != 0 || fstat(fd, &mine) != 0) {
        return hd_err_from_errno(errno);
    }
    bool is_owner = mine.st_uid == st.st_uid && mine.st_gid == st.st_gid;
    if ((!is_owner && fchown(fd, st.st_uid, st.st_gid) != 0) ||
        fchmod(fd, st.st_mode & 0777) != 0) {
        return hd_err_from_errno(errno);
    }
    return HD_OK;
}

static int sys_list(void *ctx, const char *dir, int (*each)(void *to, const char *name),
                    void *to)
{
    (void)ctx;
    return hd_fs_each(dir, each, to);
}

static int sys_lock(void *ctx, int fd)
{
    (void)ctx;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        return HD_OK;
    }
    return errno == EWOULDBLOCK ? HD_EBUSY : hd_err_from_errno(errno);
}

static int sys_free_bytes(void *ctx, int fd, uint64_t *bytes)
{
    (void)ctx;
    struct statvfs st;
    if (fstatvfs(fd, &st) != 0) {
        return hd_err_from_errno(errno);
    }
    *bytes = (uint64_t)st.f_bavail * (uint64_t)st.f_frsize;
    return HD_OK;
}

static int sys_mkdirs(void *ctx, const char *path, unsigned mode)
{
    (void)ctx;
    return hd_fs_mkdirs(path, (mode_t)mode);
}

struct hd_io hd_io_system(void)
{
    static const struct hd_io_ops ops = {
        .open = sys_open,
        .close = sys_close,
        .pread = sys_pread,
        .pwritev = sys_pwritev,
        .sync = sys_sync,
        .truncate = sys_truncate,
        .size = sys_size,
        .unlink = sys_unlink,
        .exchange = sys_exchange,
        .like = sys_like,
        .list = sys_list,
        .lock = sys_lock,
        .free_bytes = sys_free_bytes,
        .mkdirs = sys_mkdirs,
    };
    return (struct hd_io){&ops, NULL};
}

/* Takes `n` bytes off the front; the new number of pieces. */
static int iov_advance(struct iovec *iov, int pieces, size_t n)
{
    while (pieces > 0 && n >= iov[0].iov_len) {
        n -= iov[0].iov_len;
        pieces--;
        for (int i = 0; i < pieces; i++) {
            iov[i] = iov[i + 1];
        }
    }
    if (pieces > 0) {
        iov[0].iov_base = (uint8_t *)iov[0].iov_base + n;
        iov[0].iov_len -= n;
    }
    return pieces;
}

int hd_io_write_all(const struct hd_io *io, int fd, const struct iovec *iov, int n,
                    uint64_t at)
{
    struct iovec rest[IOV_MAX_];
    if (hd_fails(n >= 0 && n <= IOV_MAX_)) {
        return HD_EBUG;
    }
    for (int i = 0; i < n; i++) {
        rest[i] = iov[i];
    }
    int pieces = iov_advance(rest, n, 0);
    while (pieces > 0) {
        size_t put = 0;
        int err = io->ops->pwritev(io->ctx, fd, rest, pieces, at, &put);
        if (err != HD_OK) {
            return err;
        }
        if (put == 0) {
            return HD_EIO;
        }
        at += put;
        pieces = iov_advance(rest, pieces, put);
    }
    return HD_OK;
}

int hd_io_write(const struct hd_io *io, int fd, struct hd_slice data, uint64_t at)
{
    struct iovec iov = {(void *)(uintptr_t)data.ptr, data.len};
    return hd_io_write_all(io, fd, &iov, 1, at);
}

void hd_io_close(const struct hd_io *io, int *fd)
{
    if (*fd >= 0) {
        io->ops->close(io->ctx, *fd);
        *fd = -1;
    }
}
