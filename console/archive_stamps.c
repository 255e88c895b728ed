/* SPDX-License-Identifier: Apache-2.0 */
#include "console/archive_stamps.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/fs.h>

#define DIR_MODE  0750
#define FILE_MODE 0640

int con_archive_stamps_open(struct con_archive_stamps *stamps,
                            const struct con_args *args)
{
    const char *path = con_args_value(args, "tsa-ca");
    *stamps = (struct con_archive_stamps){.ca = NULL};
    int err = path == NULL ? HD_OK : hd_stamp_ca_load(path, &stamps->ca);
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_CERT, "--tsa-ca %s: %s", path,
                                   err == HD_EPARSE ? "no PEM certificate in it"
                                                    : hd_err_text(err));
}

void con_archive_stamps_close(struct con_archive_stamps *stamps)
{
    hd_stamp_ca_free(stamps->ca);
    stamps->ca = NULL;
}

int con_archive_stamp_read(const char *dir, uint64_t first, struct hd_buf *out)
{
    char path[PATH_MAX];
    struct stat st;
    int err = hd_stamp_path(dir, first, HD_STAMP_REPLY_END, path, sizeof(path));
    if (err == HD_OK && lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        err = HD_EINVAL; /* of another medium: it may lead anywhere */
    }
    return err == HD_OK ? hd_fs_read(path, HD_STAMP_MAX, out) : err;
}

int con_archive_stamps_check(struct con_archive_stamps *stamps, const char *dir,
                             const struct hd_check_segment *segment,
                             char why[HD_STAMP_WHY])
{
    struct hd_buf reply;
    int64_t time_ns = 0;
    hd_buf_init(&reply, HD_STAMP_MAX + 1);
    int err = con_archive_stamp_read(dir, segment->first, &reply);
    stamps->found += err != HD_ENOENT;
    if (err == HD_OK && stamps->ca != NULL) {
        err = hd_stamp_verify(stamps->ca, segment->statement_sha256, hd_buf_slice(&reply),
                              &time_ns, why);
        stamps->hold += err == HD_OK;
    }
    if (time_ns > 0 && err == HD_OK && segment->first > stamps->newest) {
        stamps->newest = segment->first;
        stamps->newest_ns = time_ns;
    }
    if (err != HD_OK && err != HD_ENOENT && err != HD_ECORRUPT) {
        (void)snprintf(why, HD_STAMP_WHY, "it cannot be read: %s", hd_err_text(err));
        err = HD_ECORRUPT;
    }
    hd_buf_fini(&reply);
    return err == HD_ENOENT ? HD_OK : err;
}

int con_archive_stamp_write(const char *dir, uint64_t first, struct hd_slice reply)
{
    char path[PATH_MAX], below[PATH_MAX];
    int err = hd_stamp_path(dir, first, HD_STAMP_REPLY_END, path, sizeof(path));
    int len = snprintf(below, sizeof(below), "%s/" HD_STAMP_DIR, dir);
    if (err != HD_OK || len < 0 || (size_t)len >= sizeof(below)) {
        return HD_EINVAL;
    }
    if (access(path, F_OK) == 0) {
        return HD_OK;
    }
    err = hd_fs_mkdirs(below, DIR_MODE);
    return err == HD_OK ? hd_fs_write_atomic(path, reply, FILE_MODE) : err;
}

int con_archive_stamp_copy(const char *from, const char *to, uint64_t first)
{
    struct hd_buf reply;
    hd_buf_init(&reply, HD_STAMP_MAX + 1);
    int err = con_archive_stamp_read(from, first, &reply);
    err = err == HD_OK ? con_archive_stamp_write(to, first, hd_buf_slice(&reply)) : err;
    hd_buf_fini(&reply);
    return err == HD_ENOENT ? HD_OK : err;
}
