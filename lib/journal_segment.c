/* SPDX-License-Identifier: Apache-2.0
 *
 * Segment files of the writer: made, grown, sealed. The rule that everything rests on: a
 * segment's file, its header and its name are durable before any entry in it can be, and
 * a footer is written only when all entries before it are durable.
 */
#include "lib/journal_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/array.h>
#include <haidang/clock.h>
#include <haidang/log.h>

int hd_jseg_path(const struct hd_journal *j, const char *name, char out[PATH_MAX])
{
    int len = snprintf(out, PATH_MAX, "%s/%s", j->opts.dir, name);
    return len > 0 && len < PATH_MAX ? HD_OK : HD_EINVAL;
}

int hd_jseg_add(struct hd_journal *j, const struct hd_jseg *seg)
{
    struct hd_jseg *segs = hd_array_grow(j->segs, j->n_segs, sizeof(*segs));
    if (segs == NULL) {
        return HD_ENOMEM;
    }
    j->segs = segs;
    j->segs[j->n_segs++] = *seg;
    j->bytes += seg->bytes;
    return HD_OK;
}

void hd_jseg_resize(struct hd_journal *j, uint64_t bytes)
{
    struct hd_jseg *last = &j->segs[j->n_segs - 1];
    j->bytes = j->bytes - last->bytes + bytes;
    last->bytes = bytes;
}

static bool header_read(struct hd_journal *j, int fd, struct hd_jfmt_segment *header)
{
    uint8_t bytes[HD_JFMT_SEGMENT_LEN];
    struct iovec to = {bytes, sizeof(bytes)};
    size_t got = 0;
    return j->io.ops->pread(j->io.ctx, fd, to, 0, &got) == HD_OK &&
           hd_jfmt_segment_decode(hd_slice(bytes, got), header);
}

bool hd_jseg_header(struct hd_journal *j, size_t i, struct hd_jfmt_segment *header)
{
    char name[HD_JFMT_NAME_LEN + 1];
    char path[PATH_MAX];
    struct hd_jseg *seg = &j->segs[i];
    int fd = -1;
    hd_jfmt_name(seg->first, name);
    bool is_good = hd_jseg_path(j, name, path) == HD_OK &&
                   j->io.ops->open(j->io.ctx, path, O_RDONLY, &fd) == HD_OK &&
                   header_read(j, fd, header) && header->first == seg->first;
    hd_io_close(&j->io, &fd);
    seg->created_ns = is_good ? header->created_ns : hd_clock_wall_ns();
    return is_good;
}

int64_t hd_jseg_created(struct hd_journal *j, size_t i)
{
    struct hd_jfmt_segment header;
    if (j->segs[i].created_ns == HD_JSEG_NOT_READ) {
        (void)hd_jseg_header(j, i, &header);
    }
    return j->segs[i].created_ns;
}

/* What a header says may be anything. */
int64_t hd_jseg_age(struct hd_journal *j, size_t i, int64_t now)
{
    int64_t created = hd_jseg_created(j, i), age = 0;
    if (__builtin_sub_overflow(now, created, &age)) {
        return created > now ? INT64_MIN : INT64_MAX;
    }
    return age;
}

static int header_write(struct hd_journal *j, int fd, int64_t created_ns)
{
    struct hd_jfmt_segment segment = {
        .uuid = j->uuid, .first = j->next, .created_ns = created_ns};
    if (j->opts.key != NULL) {
        segment.key = hd_journal_key_id(j->opts.key);
    }
    hd_buf_clear(&j->out);
    hd_jfmt_segment_encode(&j->out, &segment);
    if (j->out.err != 0) {
        return j->out.err;
    }
    hd_jseal_begin(j, hd_buf_slice(&j->out));
    int err = hd_io_write(&j->io, fd, hd_buf_slice(&j->out), 0);
    if (err == HD_OK) {
        err = j->io.ops->sync(j->io.ctx, fd);
    }
    return err == HD_OK ? j->io.ops->sync(j->io.ctx, j->dir_fd) : err;
}

int hd_jseg_create(struct hd_journal *j)
{
    char name[HD_JFMT_NAME_LEN + 1];
    char path[PATH_MAX];
    hd_jfmt_name(j->next, name);
    int err = hd_jseg_path(j, name, path);
    if (err != HD_OK) {
        return err;
    }
    /* a last segment in which no entry ever became durable is made anew */
    if (j->n_segs > 0 && j->segs[j->n_segs - 1].first == j->next) {
        hd_jseg_resize(j, 0);
        j->n_segs--;
    }
    struct hd_jseg seg = {j->next, HD_JFMT_SEGMENT_LEN, hd_clock_wall_ns()};
    int fd = -1;
    err = j->io.ops->open(j->io.ctx, path, O_RDWR | O_CREAT | O_TRUNC, &fd);
    if (err == HD_OK) {
        err = header_write(j, fd, seg.created_ns);
    }
    if (err == HD_OK) {
        err = hd_jseg_add(j, &seg);
    }
    if (err != HD_OK) {
        hd_io_close(&j->io, &fd);
        (void)j->io.ops->unlink(j->io.ctx, path);
        return err;
    }
    j->fd = fd;
    j->tail = HD_JFMT_SEGMENT_LEN;
    j->durable_tail = j->tail;
    j->is_ragged = false;
    j->is_key_old = false;
    hd_jcrypt_renew(&j->crypt);
    hd_jfmt_footer_init(&j->stats, j->next, j->opts.segment_bytes);
    if (hd_journal_trim(j) < 0) {
        HD_LOG(WARN, "journal", "retention could not be applied",
               HD_KV_STR("dir", j->opts.dir));
    }
    return HD_OK;
}

int hd_jseg_smooth(struct hd_journal *j)
{
    if (!j->is_ragged) {
        return HD_OK;
    }
    int err = j->io.ops->truncate(j->io.ctx, j->fd, j->tail);
    j->is_ragged = err != HD_OK;
    return err;
}

static int footer_write(struct hd_journal *j)
{
    int err = hd_jseal_footer(j);
    if (err != HD_OK) {
        return err;
    }
    err = hd_io_write(&j->io, j->fd, hd_buf_slice(&j->out), j->tail);
    if (err != HD_OK) {
        j->is_ragged = true;
        if (hd_jseg_smooth(j) == HD_OK && err == HD_ENOSPC) {
            return err;
        }
        j->failed = err;
        return err;
    }
    err = j->io.ops->sync(j->io.ctx, j->fd);
    if (err != HD_OK) {
        j->failed = err;
    }
    return err;
}

/* Also when it was begun by a clock that was ahead by as much: it would stay open, and
 * nobody would vouch for it, until that time comes. */
bool hd_jseg_is_aged(struct hd_journal *j)
{
    if (j->opts.segment_ns <= 0 || j->fd < 0 || j->stats.entries == 0) {
        return false;
    }
    int64_t age = hd_jseg_age(j, j->n_segs - 1, hd_clock_wall_ns());
    return age >= j->opts.segment_ns || age <= -j->opts.segment_ns;
}

int hd_jseg_seal(struct hd_journal *j)
{
    int err = hd_jseg_smooth(j);
    if (err == HD_OK) {
        err = hd_journal_sync(j);
    }
    if (err == HD_OK) {
        err = footer_write(j);
    }
    if (err != HD_OK) {
        return err;
    }
    hd_jseg_resize(j, j->tail + j->out.len);
    hd_jseal_done(j);
    hd_io_close(&j->io, &j->fd);
    return HD_OK;
}
