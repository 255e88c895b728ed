/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: hd_batch_reader_open, hd_batch_reader_next, and hd_batch_reader_at,
 * which must read the same records. The first byte chooses:
 * even = the rest is a frame as it came, odd = the rest is the text, compressed here, so
 * that the fuzzer reaches the header and the records.
 */
#include <stdint.h>
#include <stdlib.h>

#include <zstd.h>

#include <haidang/batch.h>
#include <haidang/hash.h>

#define COMPARED_MAX 64U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Hashes of the first lines, read by their places. */
static size_t read_by_place(struct hd_batch_reader *r, uint64_t hashes[COMPARED_MAX])
{
    struct hd_batch_record record;
    struct hd_buf room;
    size_t n = 0, at = 0, len = 0;
    hd_buf_init(&room, 0);
    while (n < COMPARED_MAX && hd_batch_reader_at(r, at, &room, &record, &len) == HD_OK) {
        hashes[n++] = hd_hash(record.line) ^ (uint64_t)record.recv_ns ^ record.source;
        at += len;
    }
    hd_buf_fini(&room);
    return n;
}

static void read_all(struct hd_slice frame)
{
    struct hd_batch_reader *r = NULL;
    struct hd_batch_info info;
    struct hd_batch_record record;
    if (hd_batch_reader_new(&r) != HD_OK) {
        return;
    }
    uint32_t n = 0;
    if (hd_batch_reader_open(r, frame, &info) == HD_OK) {
        uint64_t hashes[COMPARED_MAX];
        size_t n_hashes = read_by_place(r, hashes);
        while (hd_batch_reader_next(r, &record) == 1) {
            bool is_same =
                n < n_hashes && hashes[n] == (hd_hash(record.line) ^
                                              (uint64_t)record.recv_ns ^ record.source);
            if (n < COMPARED_MAX && !is_same) {
                abort();
            }
            n++;
            /* touches every byte of the line */
            if (hd_slice_find(record.line, HD_SLICE("not in any line")) == 0) {
                abort();
            }
        }
        if (n > info.count) {
            abort();
        }
    }
    hd_batch_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct hd_slice rest = hd_slice(data + 1, size - 1);
    if ((data[0] & 1) == 0) {
        read_all(rest);
        return 0;
    }
    size_t cap = ZSTD_compressBound(rest.len);
    uint8_t *frame = malloc(cap);
    if (frame != NULL) {
        size_t len = ZSTD_compress(frame, cap, rest.ptr, rest.len, 1);
        if (!ZSTD_isError(len)) {
            read_all(hd_slice(frame, len));
        }
        free(frame);
    }
    return 0;
}
