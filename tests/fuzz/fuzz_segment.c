/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: hd_check_segment, hd_check_peek, hd_check_statement over a segment
 * that is the input. The first byte chooses: 1 = it may be in use, 2 = its header is made
 * right, 4 = the checksums of what looks like an entry or a footer are made right, so
 * that the fuzzer gets behind them. Whatever was there: counted within the file, every
 * finding within it, no vouching without the key, and twice the same.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/hash.h>
#include <haidang/journal_check.h>

#include "lib/journal_priv.h"
#include "tests/crash/memfs.h"

#define INPUT_MAX ((size_t)64 << 10)
#define FILE_NAME "00000000000000000001.zst"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    size_t len;
    unsigned n;
    uint64_t entries;
};

static void must(bool holds)
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

static void entry_make_right(uint8_t *at, size_t head, size_t left,
                             const struct hd_jfmt_uuid *uuid)
{
    size_t payload = (size_t)at[12] | (size_t)at[13] << 8 | (size_t)at[14] << 16;
    if (payload <= left - head) {
        put_le32(at + 72, hd_crc32c(0, at + head, payload));
    }
    uint32_t crc = hd_crc32c(0, uuid->byte, sizeof(uuid->byte));
    crc = hd_crc32c(crc, at, HD_JFMT_ENTRY_LEN - 4);
    put_le32(at + 76, hd_crc32c(crc, at + HD_JFMT_ENTRY_LEN, head - HD_JFMT_ENTRY_LEN));
}

/* The footer at the end, if it says how long it is. */
static void footer_make_right(uint8_t *bytes, size_t len, const struct hd_jfmt_uuid *uuid)
{
    size_t footer = hd_jfmt_footer_len(
        hd_slice(bytes + len - HD_JFMT_TRAILER_LEN, HD_JFMT_TRAILER_LEN));
    if (footer >= HD_JFMT_FRAME_LEN + HD_JFMT_TRAILER_LEN && footer <= len) {
        uint32_t crc = hd_crc32c(0, uuid->byte, sizeof(uuid->byte));
        crc = hd_crc32c(crc, bytes + len - footer, footer - HD_JFMT_TRAILER_LEN);
        put_le32(bytes + len - HD_JFMT_TRAILER_LEN, crc);
    }
}

static void make_right(unsigned choice, uint8_t *bytes, size_t len)
{
    struct hd_jfmt_segment header = {.uuid = {{1, 2, 3}}, .first = 1, .created_ns = 1};
    if ((choice & 2) != 0 && len >= HD_JFMT_SEGMENT_LEN) {
        struct hd_buf out = hd_buf_fixed(bytes, HD_JFMT_SEGMENT_LEN);
        hd_jfmt_segment_encode(&out, &header);
    }
    if ((choice & 4) == 0 || len < HD_JFMT_SEGMENT_LEN + HD_JFMT_TRAILER_LEN) {
        return;
    }
    for (size_t i = HD_JFMT_SEGMENT_LEN; i + HD_JFMT_ENTRY_LEN <= len; i++) {
        size_t head = hd_jfmt_entry_head_len(hd_slice(bytes + i, len - i));
        if (head > 0 && head <= len - i) {
            entry_make_right(bytes + i, head, len - i, &header.uuid);
        }
    }
    footer_make_right(bytes, len, &header.uuid);
}

static void found(void *ctx, const struct hd_check_finding *finding)
{
    struct seen *seen = ctx;
    seen->n++;
    must(finding->problem < HD_CHECK_PROBLEMS && finding->text[0] != '\0');
    must(finding->offset <= seen->len && finding->bytes <= seen->len - finding->offset);
}

static int entry_seen(void *ctx, const struct hd_journal_entry *entry,
                      struct hd_slice bytes)
{
    struct seen *seen = ctx;
    seen->entries++;
    must(bytes.len == HD_JFMT_ENTRY_LEN + entry->meta.len + entry->payload.len);
    must(hd_slice_eq(hd_slice_from(bytes, bytes.len - entry->payload.len),
                     entry->payload));
    return HD_OK;
}

static void check(const struct hd_io *io, unsigned choice, size_t len)
{
    struct seen seen = {.len = len};
    const struct hd_check_opts opts = {.found = found, .entry = entry_seen, .ctx = &seen};
    struct hd_check_segment seg, again, footer;
    struct hd_check *c = NULL;
    bool is_last = (choice & 1) != 0;
    must(hd_check_open_io(&opts, io, &c) == HD_OK);
    must(hd_check_segment(c, FILE_NAME, is_last, 0, &seg) == HD_OK);
    must(seg.bytes == len && seg.entries == seen.entries && seg.problems == seen.n);
    must(!seg.is_vouched && (!seg.is_stated || seg.has_statement));
    must((hd_check_statement(c).len > 0) == seg.has_statement);
    must(hd_check_alone(c, FILE_NAME, is_last, 0, &again) == HD_OK);
    must(again.entries == seg.entries && again.follows == seg.follows);
    must(hd_check_peek(c, FILE_NAME, &footer) == HD_OK);
    must(!seg.is_sealed || footer.is_sealed);
    hd_check_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_MAX) {
        return 0;
    }
    struct memfs *fs = memfs_new(1);
    struct hd_io io = memfs_io(fs);
    uint8_t *bytes = malloc(size - 1);
    if (bytes != NULL) {
        int fd = -1;
        memcpy(bytes, data + 1, size - 1);
        make_right(data[0], bytes, size - 1);
        must(io.ops->open(io.ctx, FILE_NAME, O_RDWR | O_CREAT, &fd) == HD_OK);
        must(hd_io_write(&io, fd, hd_slice(bytes, size - 1), 0) == HD_OK);
        io.ops->close(io.ctx, fd);
        check(&io, data[0], size - 1);
    }
    free(bytes);
    memfs_free(fs);
    return 0;
}
