/* SPDX-License-Identifier: Apache-2.0
 *
 *     file = magic crc body        crc: CRC-32C of the body; numbers little-endian
 *     body = n (index segment offset)* suppressed noise correlated
 *
 * Version "1" had no noise.
 */
#include "correlator/state/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

#include <haidang/fs.h>
#include <haidang/hash.h>
#include <haidang/loop.h>

#include "correlator/state/noise.h"

#define MAGIC     UINT64_C(0x535443454448) /* "HDECTS", then a version: "2" */
#define VERSION   UINT64_C(0x32)
#define FIRST     UINT64_C(0x31)
#define HEAD      12U
#define BYTES_MAX ((size_t)1 << 40) /* detect.memory bounds it */
#define MODE      0640

/* ---- reading ---- */

static int open_reader(const char *archive_dir, unsigned index,
                       struct hd_journal_reader **out)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "detect-%u", index);
    return hd_journal_reader_open(archive_dir, name, out);
}

bool cor_snapshot_is_first(const char *archive_dir, struct cor_cursors *cursors)
{
    bool is_first = true;
    for (unsigned i = 0; i < cursors->n && is_first; i++) {
        struct hd_journal_reader *reader = NULL;
        is_first = open_reader(archive_dir, i, &reader) == HD_OK;
        if (is_first) {
            hd_journal_reader_tell(reader, &cursors->at[i]);
            is_first = cursors->at[i].index <= 1;
            hd_journal_reader_close(reader);
        }
    }
    return is_first;
}

/* A snapshot is not older than the reader's own cursor, which moved after it, and not
 * beyond the end of the archive; if it is, archive and snapshot are strangers. */
static int check_fit(const char *archive_dir, const struct cor_cursors *cursors)
{
    int err = HD_OK;
    for (unsigned i = 0; i < cursors->n && err == HD_OK; i++) {
        struct hd_journal_reader *reader = NULL;
        struct hd_journal_cursor saved, end;
        err = open_reader(archive_dir, i, &reader);
        if (err != HD_OK) {
            return err;
        }
        hd_journal_reader_tell(reader, &saved);
        err = hd_journal_reader_seek_end(reader);
        hd_journal_reader_tell(reader, &end);
        if (err == HD_OK &&
            (saved.index > cursors->at[i].index || cursors->at[i].index > end.index)) {
            err = HD_EINVAL;
        }
        hd_journal_reader_close(reader);
    }
    return err;
}

/* Behind the cursors. */
static int decode_tables(struct hd_bytes *in, uint64_t version,
                         const struct cor_remembered *into)
{
    int err = rul_suppress_load(into->suppress, in);
    if (err == HD_OK && version > FIRST) {
        err = cor_noise_load(into->rules, in);
    }
    return err != HD_OK ? err
                        : rul_correlator_load(into->correlator,
                                              hd_bytes_view(in, hd_bytes_left(in)));
}

static int decode(struct hd_slice file, const char *archive_dir,
                  const struct cor_remembered *into, struct cor_cursors *cursors)
{
    struct hd_bytes in = hd_bytes(file);
    uint64_t magic = hd_bytes_le64(&in);
    uint32_t crc = hd_bytes_le32(&in);
    struct hd_slice body = hd_slice_from(file, HEAD);
    unsigned want = cursors->n;
    uint32_t n = hd_bytes_le32(&in);
    if (hd_bytes_failed(&in) || (magic & UINT64_C(0xffffffffffff)) != MAGIC) {
        return HD_ECORRUPT;
    }
    uint64_t version = magic >> 48;
    if (version < FIRST || version > VERSION) {
        return HD_EVERSION;
    }
    if (crc != hd_crc32c(0, body.ptr, body.len)) {
        return HD_ECORRUPT;
    }
    if (n != want) {
        return HD_EINVAL;
    }
    for (unsigned i = 0; i < cursors->n; i++) {
        cursors->at[i].index = hd_bytes_le64(&in);
        cursors->at[i].segment = hd_bytes_le64(&in);
        cursors->at[i].offset = hd_bytes_le64(&in);
    }
    if (hd_bytes_failed(&in)) {
        return HD_ECORRUPT;
    }
    int err = check_fit(archive_dir, cursors);
    return err != HD_OK ? err : decode_tables(&in, version, into);
}

int cor_snapshot_read(const char *path, const char *archive_dir,
                      const struct cor_remembered *into, struct cor_cursors *cursors)
{
    struct hd_buf file;
    hd_buf_init(&file, 0);
    int err = hd_fs_read(path, BYTES_MAX, &file);
    if (err == HD_OK) {
        err = decode(hd_buf_slice(&file), archive_dir, into, cursors);
    }
    hd_buf_fini(&file);
    return err;
}

/* ---- encoding ---- */

int cor_snapshot_encode(const struct cor_cursors *cursors,
                        const struct cor_remembered *what, struct hd_buf *out)
{
    hd_buf_clear(out);
    hd_buf_le64(out, VERSION << 48 | MAGIC);
    hd_buf_le32(out, 0);
    hd_buf_le32(out, cursors->n);
    for (unsigned i = 0; i < cursors->n; i++) {
        hd_buf_le64(out, cursors->at[i].index);
        hd_buf_le64(out, cursors->at[i].segment);
        hd_buf_le64(out, cursors->at[i].offset);
    }
    int err = rul_suppress_save(what->suppress, out);
    err = err != HD_OK ? err : cor_noise_save(what->rules, out);
    err = err != HD_OK ? err : rul_correlator_save(what->correlator, out);
    if (err == HD_OK) {
        struct hd_buf crc = hd_buf_fixed(out->ptr + HEAD - 4, 4);
        hd_buf_le32(&crc, hd_crc32c(0, out->ptr + HEAD, out->len - HEAD));
    }
    return err;
}

/* ---- writing ---- */

struct cor_saver {
    uv_loop_t *loop;
    uv_work_t work;
    const char *path;
    cor_on_saved done;
    void *ctx;
    struct cor_cursors cursors;
    struct hd_buf bytes;
    bool is_busy;
    int err;
};

int cor_saver_new(uv_loop_t *loop, const char *path, cor_on_saved done, void *ctx,
                  struct cor_saver **out)
{
    struct cor_saver *saver = calloc(1, sizeof(*saver));
    if (saver == NULL) {
        return HD_ENOMEM;
    }
    saver->loop = loop;
    saver->path = path;
    saver->done = done;
    saver->ctx = ctx;
    hd_buf_init(&saver->bytes, BYTES_MAX);
    *out = saver;
    return HD_OK;
}

void cor_saver_free(struct cor_saver *saver)
{
    if (saver != NULL) {
        hd_buf_fini(&saver->bytes);
        free(saver);
    }
}

bool cor_saver_is_busy(const struct cor_saver *saver)
{
    return saver->is_busy;
}

static void write_aside(uv_work_t *work)
{
    struct cor_saver *saver = HD_CONTAINER(work, struct cor_saver, work);
    saver->err = hd_fs_write_atomic(saver->path, hd_buf_slice(&saver->bytes), MODE);
}

static void after_write(uv_work_t *work, int status)
{
    struct cor_saver *saver = HD_CONTAINER(work, struct cor_saver, work);
    saver->is_busy = false;
    saver->done(saver->ctx, status != 0 ? hd_err_from_uv(status) : saver->err,
                &saver->cursors);
}

int cor_saver_begin(struct cor_saver *saver, const struct cor_cursors *cursors,
                    const struct cor_remembered *what)
{
    int err = cor_snapshot_encode(cursors, what, &saver->bytes);
    if (err != HD_OK) {
        return err;
    }
    saver->cursors = *cursors;
    saver->is_busy = true;
    int status = uv_queue_work(saver->loop, &saver->work, write_aside, after_write);
    saver->is_busy = status == 0;
    return hd_err_from_uv(status);
}
