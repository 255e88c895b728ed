/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/freeze.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <haidang/fs.h>
#include <haidang/log.h>

#define WRITERS ((mode_t)(S_IWUSR | S_IWGRP | S_IWOTH))

static int file_open(const char *path, int *fd)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return *fd < 0 ? hd_err_from_errno(errno) : HD_OK;
}

/* What a file system says that has no flags. */
static int flag_error(void)
{
    bool is_unknown = errno == ENOTTY || errno == EOPNOTSUPP || errno == EINVAL;
    return is_unknown ? HD_EUNSUPPORTED : hd_err_from_errno(errno);
}

/* HD_ENOENT: it is as wanted already. */
static int flag_set(int fd, bool is_on)
{
    int flags = 0;
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) {
        return flag_error();
    }
    int wanted = is_on ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
    if (wanted == flags) {
        return HD_ENOENT;
    }
    return ioctl(fd, FS_IOC_SETFLAGS, &wanted) == 0 ? HD_OK : flag_error();
}

/* As above. */
static int mode_set(int fd, mode_t take, mode_t give)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return hd_err_from_errno(errno);
    }
    mode_t mode = st.st_mode & 07777;
    mode_t wanted = (mode & ~take) | give;
    if (wanted == mode) {
        return HD_ENOENT;
    }
    return fchmod(fd, wanted) == 0 ? HD_OK : hd_err_from_errno(errno);
}

int hd_freeze_mode(const char *path)
{
    HD_AUTO_FD int fd = -1;
    int err = file_open(path, &fd);
    if (err != HD_OK) {
        return err;
    }
    err = mode_set(fd, WRITERS, 0);
    return err == HD_ENOENT ? HD_OK : err;
}

int hd_freeze_flag(const char *path)
{
    HD_AUTO_FD int fd = -1;
    int err = file_open(path, &fd);
    if (err != HD_OK) {
        return err;
    }
    err = flag_set(fd, true);
    return err == HD_ENOENT ? HD_OK : err;
}

int hd_freeze_lift(const char *path, struct hd_frozen *was)
{
    HD_AUTO_FD int fd = -1;
    *was = (struct hd_frozen){false, false};
    int err = file_open(path, &fd);
    if (err != HD_OK) {
        return err;
    }
    int flag = flag_set(fd, false);
    if (flag != HD_OK && flag != HD_ENOENT && flag != HD_EUNSUPPORTED) {
        return flag;
    }
    int mode = mode_set(fd, 0, S_IWUSR);
    *was = (struct hd_frozen){.mode = mode == HD_OK, .flag = flag == HD_OK};
    if (mode != HD_OK && mode != HD_ENOENT) {
        hd_freeze_again(path, was);
        return mode;
    }
    if (was->mode || was->flag) {
        HD_LOG(INFO, "freeze", "a write-once file is released", HD_KV_STR("file", path));
    }
    return HD_OK;
}

void hd_freeze_again(const char *path, const struct hd_frozen *was)
{
    int err = was->mode ? hd_freeze_mode(path) : HD_OK;
    int flag = was->flag ? hd_freeze_flag(path) : HD_OK;
    err = err != HD_OK ? err : flag;
    if (err != HD_OK && err != HD_ENOENT) {
        HD_LOG(ERROR, "freeze",
               "a file that was released cannot be made write-once again",
               HD_KV_STR("file", path), HD_KV_ERR(err));
    }
}
