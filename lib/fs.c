/* SPDX-License-Identifier: Apache-2.0
 *
 * Small files, whole. Thread: any that may block; no state.
 */
#include <haidang/fs.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP ((size_t)64 << 10)

void hd_fs_close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/* Reads to the end of the file; a file that grows meanwhile still obeys `max`. */
static int read_all(int fd, size_t max, struct hd_buf *buf)
{
    size_t total = 0;
    for (;;) {
        size_t want = max - total < READ_STEP ? max - total + 1 : READ_STEP;
        uint8_t *at = hd_buf_reserve(buf, want);
        if (at == NULL) {
            return buf->err;
        }
        ssize_t n = read(fd, at, want);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return hd_err_from_errno(errno);
        }
        if (n == 0) {
            return HD_OK;
        }
        total += (size_t)n;
        if (total > max) {
            return HD_ELIMIT;
        }
        buf->len += (size_t)n;
    }
}

int hd_fs_read(const char *path, size_t max, struct hd_buf *buf)
{
    struct stat st;
    /* O_NONBLOCK: a FIFO in the place of a file must not hold us */
    HD_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return hd_err_from_errno(errno);
    }
    if (!S_ISREG(st.st_mode)) {
        return HD_EINVAL;
    }
    if ((uint64_t)st.st_size > max) {
        return HD_ELIMIT;
    }
    size_t before = buf->len;
    int err = read_all(fd, max, buf);
    if (err != HD_OK) {
        buf->len = before;
    }
    return err;
}

static int write_all(int fd, struct hd_slice data)
{
    while (data.len > 0) {
        ssize_t n = write(fd, data.ptr, data.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return hd_err_from_errno(errno);
        }
        data = hd_slice_from(data, (size_t)n);
    }
    return HD_OK;
}

static int sync_dir_of(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int len = slash == NULL ? 1 : (int)(slash - path) + 1;
    (void)snprintf(dir, sizeof(dir), "%.*s", len, slash == NULL ? "." : path);
    HD_AUTO_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        return hd_err_from_errno(errno);
    }
    return HD_OK;
}

static int write_temporary(int fd, struct hd_slice data, mode_t mode)
{
    int err = write_all(fd, data);
    if (err != HD_OK) {
        return err;
    }
    return fchmod(fd, mode) != 0 || fsync(fd) != 0 ? hd_err_from_errno(errno) : HD_OK;
}

/* link(2) fails where something is, rename(2) replaces it. */
static int publish(const char *temporary, const char *path, bool may_replace)
{
    if (may_replace) {
        return rename(temporary, path) == 0 ? HD_OK : hd_err_from_errno(errno);
    }
    if (link(temporary, path) != 0) {
        return hd_err_from_errno(errno);
    }
    (void)unlink(temporary);
    return HD_OK;
}

static int write_whole(const char *path, struct hd_slice data, mode_t mode,
                       bool may_replace)
{
    char temporary[PATH_MAX];
    int len = snprintf(temporary, sizeof(temporary), "%s.tmp-XXXXXX", path);
    if (len < 0 || (size_t)len >= sizeof(temporary)) {
        return HD_EINVAL;
    }
    HD_AUTO_FD int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return hd_err_from_errno(errno);
    }
    int err = write_temporary(fd, data, mode);
    if (err == HD_OK) {
        err = publish(temporary, path, may_replace);
    }
    if (err != HD_OK) {
        (void)unlink(temporary);
        return err;
    }
    return sync_dir_of(path);
}

int hd_fs_write_atomic(const char *path, struct hd_slice data, mode_t mode)
{
    return write_whole(path, data, mode, true);
}

int hd_fs_write_new(const char *path, struct hd_slice data, mode_t mode)
{
    return write_whole(path, data, mode, false);
}

static int make_dir(const char *path, mode_t mode)
{
    struct stat st;
    if (mkdir(path, mode) == 0) {
        return HD_OK;
    }
    int err = errno;
    /* EROFS, EACCES: also said of directories that exist */
    if (stat(path, &st) == 0) {
        return S_ISDIR(st.st_mode) ? HD_OK : HD_EEXIST;
    }
    return hd_err_from_errno(err);
}

int hd_fs_mkdirs(const char *path, mode_t mode)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(part)) {
        return HD_EINVAL;
    }
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0') {
            continue;
        }
        part[i] = '\0';
        int err = make_dir(part, mode);
        if (err != HD_OK) {
            return err;
        }
        part[i] = '/';
    }
    return HD_OK;
}

int hd_fs_check_secret(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return hd_err_from_errno(errno);
    }
    if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return HD_EACCES;
    }
    return HD_OK;
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int hd_fs_each(const char *dir, int (*each)(void *ctx, const char *name), void *ctx)
{
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, is_shown, by_bytes);
    if (n < 0) {
        return hd_err_from_errno(errno);
    }
    int result = HD_OK;
    for (int i = 0; i < n; i++) {
        if (result == HD_OK) {
            result = each(ctx, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    return result;
}
