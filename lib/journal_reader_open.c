/* SPDX-License-Identifier: Apache-2.0
 *
 * Life of a reader, and its saved cursor.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/journal_priv.h"
#include "lib/journal_reader.h"

int hd_journal_reader_open_io(const char *dir, const char *name, const struct hd_io *io,
                              struct hd_journal_reader **out)
{
    size_t len = dir == NULL ? 0 : strlen(dir);
    if (len == 0 || len > PATH_MAX - 128 || (name != NULL && !hd_jcursor_is_name(name))) {
        return HD_EINVAL;
    }
    struct hd_journal_reader *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return HD_ENOMEM;
    }
    hd_jscan_init(&r->scan, io);
    hd_jcrypt_init(&r->crypt);
    r->io = *io;
    r->fd = r->cursor_fd = r->notify_fd = r->watch = -1;
    r->dir = hd_slice_dup(hd_slice(dir, len));
    r->name = name == NULL ? NULL : hd_slice_dup(hd_slice_str(name));
    int err = r->dir == NULL || (name != NULL && r->name == NULL) ? HD_ENOMEM : HD_OK;
    if (err == HD_OK && name != NULL) {
        err = hd_jreader_cursor_open(r);
        err = err == HD_ENOENT ? HD_OK : err;
    }
    if (err != HD_OK) {
        hd_journal_reader_close(r);
        return err;
    }
    *out = r;
    return HD_OK;
}

int hd_journal_reader_open(const char *dir, const char *name,
                           struct hd_journal_reader **out)
{
    struct hd_io io = hd_io_system();
    return hd_journal_reader_open_io(dir, name, &io, out);
}

void hd_journal_reader_close(struct hd_journal_reader *r)
{
    if (r == NULL) {
        return;
    }
    hd_io_close(&r->io, &r->fd);
    hd_io_close(&r->io, &r->cursor_fd);
    if (r->notify_fd >= 0) {
        (void)close(r->notify_fd);
    }
    hd_jscan_fini(&r->scan);
    hd_jcrypt_fini(&r->crypt);
    free(r->dir);
    free(r->name);
    free(r);
}

void hd_journal_reader_use_keys(struct hd_journal_reader *r,
                                const struct hd_journal_keys *keys)
{
    r->keys = keys;
}

struct hd_journal_key_id hd_journal_reader_missing_key(const struct hd_journal_reader *r)
{
    return r->crypt.missing;
}

static int readers_open(const struct hd_journal_reader *r, const char *name, int flags,
                        int *fd)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/readers/%s", r->dir, name);
    if (len < 0 || (size_t)len >= sizeof(path)) {
        return HD_EINVAL;
    }
    return r->io.ops->open(r->io.ctx, path, flags, fd);
}

static int cursor_sync(const struct hd_journal_reader *r, bool with_name)
{
    int dir = -1;
    int err = r->io.ops->sync(r->io.ctx, r->cursor_fd);
    if (err == HD_OK && with_name) {
        err = readers_open(r, ".", O_RDONLY | O_DIRECTORY, &dir);
    }
    if (err == HD_OK && with_name) {
        err = r->io.ops->sync(r->io.ctx, dir);
    }
    hd_io_close(&r->io, &dir);
    return err;
}

static int cursor_load(struct hd_journal_reader *r)
{
    int err = hd_jcursor_read(&r->io, r->cursor_fd, &r->slot);
    if (err == HD_ECORRUPT) {
        /* written and durable at once, since it holds retention back */
        r->slot = (struct hd_jfmt_slot){.generation = 1};
        err = hd_jcursor_write(&r->io, r->cursor_fd, &r->slot);
        err = err == HD_OK ? cursor_sync(r, true) : err;
    }
    return err;
}

int hd_jreader_cursor_open(struct hd_journal_reader *r)
{
    int err = readers_open(r, r->name, O_RDWR | O_CREAT, &r->cursor_fd);
    if (err == HD_OK) {
        err = r->io.ops->lock(r->io.ctx, r->cursor_fd);
    }
    if (err == HD_OK) {
        err = cursor_load(r);
    }
    if (err != HD_OK) {
        hd_io_close(&r->io, &r->cursor_fd);
        return err;
    }
    r->has_cursor = true;
    if (!r->is_sought) {
        r->at = r->slot.cursor;
        r->uuid = r->slot.uuid;
    }
    return HD_OK;
}

int hd_journal_reader_save(struct hd_journal_reader *r,
                           const struct hd_journal_cursor *cursor, bool durable)
{
    if (r->name == NULL) {
        return HD_EINVAL;
    }
    if (!r->has_cursor) {
        return HD_EAGAIN;
    }
    struct hd_jfmt_slot slot = {r->slot.generation + 1, r->uuid, *cursor};
    int err = hd_jcursor_write(&r->io, r->cursor_fd, &slot);
    if (err != HD_OK) {
        return err;
    }
    r->slot = slot;
    return durable ? cursor_sync(r, false) : HD_OK;
}
