/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: hd_journal_open_io (recovery), hd_journal_append, the reader, over a
 * segment that is the input. The first byte chooses: 1 = a mark vouches for the whole
 * file, 2 = checksums of what looks like an entry are made right, so that the fuzzer gets
 * behind them, 4 = a second segment follows. Whatever was there, the journal opens, takes
 * an entry, and that entry is read last.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/hash.h>
#include <haidang/log.h>

#include "lib/journal_priv.h"
#include "tests/crash/memfs.h"

#define INPUT_MAX ((size_t)64 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20,
                                0x01, 0x09, 0x00, 0x00, 'x'};

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void put_le32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

/* Header and checksums as the entry's lengths would have them. */
static void make_right(uint8_t *bytes, size_t len, const struct hd_jfmt_uuid *uuid)
{
    for (size_t i = HD_JFMT_SEGMENT_LEN; i + HD_JFMT_ENTRY_LEN <= len; i++) {
        size_t head = hd_jfmt_entry_head_len(hd_slice(bytes + i, len - i));
        if (head == 0 || head > len - i) {
            continue;
        }
        uint8_t *at = bytes + i;
        size_t payload = (size_t)at[12] | (size_t)at[13] << 8 | (size_t)at[14] << 16;
        if (payload <= len - i - head) {
            put_le32(at + 72, hd_crc32c(0, at + head, payload));
        }
        uint32_t crc = hd_crc32c(0, uuid->byte, sizeof(uuid->byte));
        crc = hd_crc32c(crc, at, HD_JFMT_ENTRY_LEN - 4);
        put_le32(at + 76,
                 hd_crc32c(crc, at + HD_JFMT_ENTRY_LEN, head - HD_JFMT_ENTRY_LEN));
    }
}

static void put_file(const struct hd_io *io, const char *path, struct hd_slice data)
{
    int fd = -1;
    check(io->ops->open(io->ctx, path, O_RDWR | O_CREAT, &fd) == HD_OK);
    check(data.len == 0 || hd_io_write(io, fd, data, 0) == HD_OK);
    io->ops->close(io->ctx, fd);
}

static void put_journal(const struct hd_io *io, unsigned choice, uint8_t *bytes,
                        size_t len)
{
    struct hd_jfmt_segment header = {.uuid = {{1, 2, 3}}, .first = 1, .created_ns = 1};
    struct hd_jfmt_mark mark = {
        .uuid = {{1, 2, 3}}, .segment = 1, .offset = len, .next = 9};
    struct hd_buf out;
    hd_buf_init(&out, 0);
    if ((choice & 2) != 0 && len >= HD_JFMT_SEGMENT_LEN) {
        hd_jfmt_segment_encode(&out, &header);
        memcpy(bytes, out.ptr, out.len);
        make_right(bytes, len, &header.uuid);
    }
    put_file(io, "j/00000000000000000001.zst", hd_slice(bytes, len));
    if ((choice & 4) != 0) {
        hd_buf_clear(&out);
        header.first = 5;
        hd_jfmt_segment_encode(&out, &header);
        put_file(io, "j/00000000000000000005.zst", hd_buf_slice(&out));
    }
    if ((choice & 1) != 0) {
        hd_buf_clear(&out);
        hd_jfmt_mark_encode(&out, &mark);
        put_file(io, "j/mark", hd_buf_slice(&out));
    }
    hd_buf_fini(&out);
}

static uint64_t append_one(const struct hd_io *io)
{
    struct hd_journal_opts opts = {.dir = "j"};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    if (hd_journal_open_io(&opts, io, &j, &recovery) != HD_OK) {
        return 0;
    }
    struct hd_journal_entry entry = {.payload = hd_slice(frame, sizeof(frame))};
    bool is_last = hd_journal_next_index(j) == UINT64_MAX;
    check(hd_journal_append(j, &entry) == HD_OK && hd_journal_commit(j) == HD_OK);
    hd_journal_close(j);
    return is_last ? 0 : entry.index;
}

static void read_all(const struct hd_io *io, uint64_t want_last)
{
    struct hd_journal_reader *r = NULL;
    struct hd_journal_entry entry;
    uint64_t last = 0;
    check(hd_journal_reader_open_io("j", "fuzz", io, &r) == HD_OK);
    for (int pass = 0; pass < 3; pass++) {
        int err = pass == 1 ? hd_journal_reader_seek_time(r, (int64_t)1 << 40) : HD_OK;
        err = pass == 2
                  ? hd_journal_reader_seek(r, &(struct hd_journal_cursor){3, 1, 200})
                  : err;
        last = 0;
        while (err == HD_OK || err == HD_ECORRUPT || err == HD_ENOENT) {
            err = pass == 1 ? hd_journal_reader_next_header(r, &entry)
                            : hd_journal_reader_next(r, &entry);
            check(err != HD_OK || entry.index > last);
            last = err == HD_OK ? entry.index : last;
        }
        bool is_beyond = pass == 2 && want_last < 3;
        check(err == HD_EAGAIN && (last == want_last || is_beyond));
    }
    hd_journal_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct hd_log_opts quiet = {.level = HD_LOG_ERROR, .fd = -1, .burst = 1};
    if (size < 1 || size > INPUT_MAX) {
        return 0;
    }
    hd_log_setup(&quiet);
    struct memfs *fs = memfs_new(1);
    struct hd_io io = memfs_io(fs);
    uint8_t *bytes = malloc(size);
    if (bytes != NULL) {
        memcpy(bytes, data + 1, size - 1);
        put_journal(&io, data[0], bytes, size - 1);
        uint64_t index = append_one(&io);
        if (index > 0) {
            read_all(&io, index);
        }
    }
    free(bytes);
    memfs_free(fs);
    return 0;
}
