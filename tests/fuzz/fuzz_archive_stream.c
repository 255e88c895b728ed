/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: con_stream_next, con_stream_end_member, con_stream_read,
 * con_bundle_header_decode. Whatever arrives, a member's name and length are within their
 * limits, and the stream ends.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <haidang/stamp.h>

#include "console/archive_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* Past the content, as whoever copies it would be. */
static int pass(int fd, const struct con_stream_member *member, size_t size)
{
    struct hd_buf room;
    hd_buf_init(&room, size + 1);
    int err =
        member->bytes > size ? HD_ECORRUPT : con_stream_read(fd, member->bytes, &room);
    must(err != HD_OK || room.len == member->bytes);
    hd_buf_fini(&room);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct con_stream_member member;
    char why[CON_BUNDLE_WHY] = "";
    int fd = memfd_create("stream", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size &&
         lseek(fd, 0, SEEK_SET) == 0);
    int err = HD_OK;
    while (err == HD_OK) {
        err = con_stream_next(fd, &member, why);
        if (err == HD_OK) {
            must(member.kind == CON_STREAM_SEGMENT || member.bytes <= HD_STAMP_MAX);
            must(member.bytes < CON_BUNDLE_BYTES_MAX);
            err = pass(fd, &member, size);
        }
        err = err == HD_OK ? con_stream_end_member(fd, &member, why) : err;
    }
    must(err == HD_ENOENT || err == HD_ECORRUPT);
    (void)close(fd);
    return 0;
}
