/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/journal_loose.h>

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include <haidang/journal_check.h>

#include "lib/journal_reader.h"

/* The scan stands in the segment and knows its journal. HD_ECORRUPT: its header does not
 * verify. */
static int segment_enter(struct hd_jscan *scan, const char *dir, uint64_t first, int *fd)
{
    char path[PATH_MAX];
    struct hd_jfmt_segment header;
    struct hd_slice bytes;
    uint64_t size = 0;
    int err = hd_journal_segment_path(dir, first, path, sizeof(path));
    err = err == HD_OK ? scan->io.ops->open(scan->io.ctx, path, O_RDONLY, fd) : err;
    err = err == HD_OK ? scan->io.ops->size(scan->io.ctx, *fd, &size) : err;
    if (err == HD_OK) {
        hd_jscan_file(scan, *fd, size);
        err = hd_jscan_view(scan, 0, HD_JFMT_SEGMENT_LEN, &bytes);
    }
    if (err == HD_ERANGE || (err == HD_OK && !hd_jfmt_segment_decode(bytes, &header))) {
        return HD_ECORRUPT;
    }
    if (err == HD_OK) {
        scan->uuid = header.uuid;
    }
    return err;
}

/* A mark as the journal would have it, from what verifies in a segment. */
static int mark_judge(struct hd_jscan *scan, const char *dir, uint64_t first,
                      struct hd_jfmt_mark *mark)
{
    struct hd_jrecovery *found = calloc(1, sizeof(*found));
    int fd = -1;
    int err = found == NULL ? HD_ENOMEM : segment_enter(scan, dir, first, &fd);
    err = err == HD_OK ? hd_jrecover(scan, first, 0, 0, found) : err;
    if (err == HD_OK) {
        *mark = (struct hd_jfmt_mark){scan->uuid, first, found->end, found->next};
    }
    hd_jscan_file(scan, -1, 0);
    hd_io_close(&scan->io, &fd);
    free(found);
    return err;
}

static int mark_find(const char *dir, struct hd_jfmt_mark *mark)
{
    const struct hd_io io = hd_io_system();
    struct hd_journal_segments list;
    int err = hd_journal_list(dir, &list);
    if (err != HD_OK) {
        return err;
    }
    struct hd_jscan *scan = calloc(1, sizeof(*scan));
    err = scan == NULL ? HD_ENOMEM : HD_ECORRUPT;
    if (scan != NULL) {
        hd_jscan_init(scan, &io);
    }
    for (size_t i = list.n; err == HD_ECORRUPT && i > 0; i--) {
        err = mark_judge(scan, dir, list.first[i - 1], mark);
    }
    if (scan != NULL) {
        hd_jscan_fini(scan);
    }
    free(scan);
    free(list.first);
    return err == HD_ECORRUPT ? HD_ENOENT : err;
}

int hd_journal_loose_open(const char *dir, struct hd_journal_reader **out)
{
    struct hd_jfmt_mark mark;
    struct hd_journal_reader *r = NULL;
    int err = mark_find(dir, &mark);
    err = err == HD_OK ? hd_journal_reader_open(dir, NULL, &r) : err;
    if (err == HD_OK) {
        r->mark = mark;
        r->has_mark = true;
        r->is_copy = true;
        *out = r;
    }
    return err;
}
