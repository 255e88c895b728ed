/* SPDX-License-Identifier: Apache-2.0
 *
 * Saved cursors on disk; see the header. Blocking; any thread.
 */
#include "lib/journal_cursor.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include <haidang/log.h>

#define NAME_MAX_LEN 63U

bool hd_jcursor_is_name(const char *name)
{
    struct hd_slice s = hd_slice_str(name);
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if (!hd_is_lower(c) && !hd_is_digit(c) && c != '-') {
            return false;
        }
    }
    return s.len > 0 && s.len <= NAME_MAX_LEN;
}

int hd_jcursor_read(const struct hd_io *io, int fd, struct hd_jfmt_slot *out)
{
    uint8_t text[2 * HD_JFMT_SLOT_LEN];
    struct iovec to = {text, sizeof(text)};
    size_t got = 0;
    int err = io->ops->pread(io->ctx, fd, to, 0, &got);
    if (err != HD_OK) {
        return err;
    }
    bool has_one = false;
    struct hd_slice rest = hd_slice(text, got);
    for (int i = 0; i < 2; i++) {
        struct hd_jfmt_slot slot;
        if (hd_jfmt_slot_decode(rest, &slot) &&
            (!has_one || slot.generation > out->generation)) {
            *out = slot;
            has_one = true;
        }
        rest = hd_slice_from(rest, HD_JFMT_SLOT_LEN);
    }
    return has_one ? HD_OK : HD_ECORRUPT;
}

int hd_jcursor_write(const struct hd_io *io, int fd, const struct hd_jfmt_slot *slot)
{
    struct hd_buf text;
    hd_buf_init(&text, 2 * HD_JFMT_SLOT_LEN);
    hd_jfmt_slot_encode(&text, slot);
    int err = text.err;
    if (err == HD_OK) {
        err = hd_io_write(io, fd, hd_buf_slice(&text),
                          HD_JFMT_SLOT_LEN * (slot->generation % 2));
    }
    hd_buf_fini(&text);
    return err;
}

struct min_search {
    const struct hd_io *io;
    const char *dir;
    const struct hd_jfmt_uuid *uuid;
    uint64_t min;
};

static int min_of_one(void *ctx, const char *name)
{
    struct min_search *search = ctx;
    char path[PATH_MAX];
    if (!hd_jcursor_is_name(name)) {
        return HD_OK;
    }
    int len = snprintf(path, sizeof(path), "%s/%s", search->dir, name);
    int fd = -1;
    struct hd_jfmt_slot slot;
    int err = HD_EINVAL;
    if (len > 0 && (size_t)len < sizeof(path)) {
        err = search->io->ops->open(search->io->ctx, path, O_RDONLY, &fd);
    }
    if (err == HD_OK) {
        err = hd_jcursor_read(search->io, fd, &slot);
    }
    hd_io_close(search->io, &fd);
    if (err == HD_ENOENT) {
        return HD_OK; /* removed meanwhile */
    }
    if (err != HD_OK) {
        HD_LOG(WARN, "journal", "a reader's cursor cannot be read: nothing is removed",
               HD_KV_STR("file", path), HD_KV_ERR(err));
        search->min = 0;
    } else if (!hd_jfmt_uuid_eq(&slot.uuid, search->uuid)) {
        search->min = 0; /* it will begin at the oldest */
    } else if (slot.cursor.index < search->min) {
        search->min = slot.cursor.index;
    }
    return HD_OK;
}

int hd_jcursor_min(const struct hd_io *io, const char *dir,
                   const struct hd_jfmt_uuid *uuid, uint64_t *min)
{
    struct min_search search = {io, dir, uuid, UINT64_MAX};
    int err = io->ops->list(io->ctx, dir, min_of_one, &search);
    *min = search.min;
    return err == HD_ENOENT ? HD_OK : err;
}
