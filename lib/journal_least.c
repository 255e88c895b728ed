/* SPDX-License-Identifier: Apache-2.0
 *
 * The age below which nothing of a journal may go, written down beside its segments: who
 * compacts them is another program, maybe another machine's, and knows no configuration.
 */
#include "lib/journal_least.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <haidang/hash.h>
#include <haidang/num.h>

#define NAME     "write-once-min"
#define LINE_LEN 45U
#define CRC_AT   36U
#define AGE_AT   15U
#define AGE_LEN  20U

struct line {
    char text[LINE_LEN + 1];
};

static struct line line_of(int64_t age_ns)
{
    struct line line;
    (void)snprintf(line.text, sizeof(line.text), NAME " %020" PRIu64 " ",
                   (uint64_t)age_ns);
    uint32_t crc = hd_crc32c(0, line.text, CRC_AT);
    (void)snprintf(line.text + CRC_AT, sizeof(line.text) - CRC_AT, "%08" PRIx32 "\n",
                   crc);
    return line;
}

static int path_of(const char *dir, char out[PATH_MAX])
{
    int len = snprintf(out, PATH_MAX, "%s/" NAME, dir);
    return len > 0 && len < PATH_MAX ? HD_OK : HD_EINVAL;
}

/* line = "write-once-min" SP 20DIGIT SP 8HEXDIG LF     ns; CRC-32C of what is before it
 */
static bool line_parse(struct hd_slice in, int64_t *age_ns)
{
    uint64_t age = 0;
    if (in.len != LINE_LEN ||
        hd_num_u64(hd_slice_head(hd_slice_from(in, AGE_AT), AGE_LEN), INT64_MAX, &age) !=
            HD_OK) {
        return false;
    }
    struct line again = line_of((int64_t)age);
    *age_ns = (int64_t)age;
    return memcmp(again.text, in.ptr, LINE_LEN) == 0;
}

int hd_jleast_read(const struct hd_io *io, const char *dir, int64_t *age_ns)
{
    char path[PATH_MAX];
    uint8_t bytes[LINE_LEN];
    struct iovec to = {bytes, sizeof(bytes)};
    size_t got = 0;
    int fd = -1;
    *age_ns = 0;
    int err = path_of(dir, path);
    err = err == HD_OK ? io->ops->open(io->ctx, path, O_RDONLY, &fd) : err;
    if (err == HD_ENOENT) {
        return HD_OK;
    }
    err = err == HD_OK ? io->ops->pread(io->ctx, fd, to, 0, &got) : err;
    hd_io_close(io, &fd);
    return err == HD_OK && !line_parse(hd_slice(bytes, got), age_ns) ? HD_ECORRUPT : err;
}

int hd_jleast_write(const struct hd_io *io, const char *dir, int dir_fd, int64_t age_ns)
{
    char path[PATH_MAX];
    struct line line = line_of(age_ns);
    int64_t there = 0;
    int fd = -1;
    bool is_there = hd_jleast_read(io, dir, &there) == HD_OK && there == age_ns;
    if (is_there && age_ns == 0) {
        return HD_OK;
    }
    int err = path_of(dir, path);
    err = err == HD_OK ? io->ops->open(io->ctx, path, O_RDWR | O_CREAT, &fd) : err;
    if (err == HD_OK && !is_there) {
        err = hd_io_write(io, fd, hd_slice(line.text, LINE_LEN), 0);
    }
    err = err == HD_OK ? io->ops->sync(io->ctx, fd) : err;
    hd_io_close(io, &fd);
    return err == HD_OK ? io->ops->sync(io->ctx, dir_fd) : err;
}
