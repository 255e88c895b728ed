/* SPDX-License-Identifier: Apache-2.0
 *
 * The system calls of the journal behind one table, so that tests can inject short
 * writes, errors and the loss of unsynced pages. Private to lib/. All functions return 0
 * or HD_E*; interrupted calls are repeated inside. Not on a path per line: one call here
 * moves an entry or more. More than the usual eight members, since it mirrors the kernel.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <haidang/err.h>
#include <haidang/slice.h>

struct hd_io_ops {
    /* flags as of open(2); files are made with mode 0640. *fd < 0 on error. */
    int (*open)(void *ctx, const char *path, int flags, int *fd);
    void (*close)(void *ctx, int fd);
    /* *got < len only at the end of the file */
    int (*pread)(void *ctx, int fd, struct iovec to, uint64_t at, size_t *got);
    /* *put may be short */
    int (*pwritev)(void *ctx, int fd, const struct iovec *iov, int n, uint64_t at,
                   size_t *put);
    int (*sync)(void *ctx, int fd); /* fdatasync; on a directory fsync */
    int (*truncate)(void *ctx, int fd, uint64_t len);
    int (*size)(void *ctx, int fd, uint64_t *len);
    int (*unlink)(void *ctx, const char *path);
    /* Two files of one directory tree change names, in one step. */
    int (*exchange)(void *ctx, const char *a, const char *b);
    /* The same owner and mode. */
    int (*like)(void *ctx, int fd, int other);
    int (*list)(void *ctx, const char *dir, int (*each)(void *to, const char *name),
                void *to);
    int (*lock)(void *ctx, int fd); /* HD_EBUSY: someone else holds it */
    int (*free_bytes)(void *ctx, int fd, uint64_t *bytes);
    int (*mkdirs)(void *ctx, const char *path, unsigned mode);
};

struct hd_io {
    const struct hd_io_ops *ops;
    void *ctx;
};

/* The kernel's. */
struct hd_io hd_io_system(void);

/* Writes all of `iov` (n <= 3) at `at`, going on after short writes. On an error part of
 * it may be in the file. */
int hd_io_write_all(const struct hd_io *io, int fd, const struct iovec *iov, int n,
                    uint64_t at) HD_MUST_USE;
int hd_io_write(const struct hd_io *io, int fd, struct hd_slice data,
                uint64_t at) HD_MUST_USE;
/* Closes *fd when it is open and sets it to -1. */
void hd_io_close(const struct hd_io *io, int *fd);
