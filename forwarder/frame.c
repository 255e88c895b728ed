/* SPDX-License-Identifier: Apache-2.0 */
#include "forwarder/frame.h"

#include <stdlib.h>

#include <zstd.h>

#define LEVEL 3

struct fwd_frame {
    ZSTD_CCtx *pack;
    ZSTD_DCtx *unpack;
};

int fwd_frame_new(struct fwd_frame **out)
{
    struct fwd_frame *frame = calloc(1, sizeof(*frame));
    if (frame == NULL) {
        return HD_ENOMEM;
    }
    frame->pack = ZSTD_createCCtx();
    frame->unpack = ZSTD_createDCtx();
    if (frame->pack == NULL || frame->unpack == NULL) {
        fwd_frame_free(frame);
        return HD_ENOMEM;
    }
    *out = frame;
    return HD_OK;
}

void fwd_frame_free(struct fwd_frame *frame)
{
    if (frame != NULL) {
        (void)ZSTD_freeCCtx(frame->pack);
        (void)ZSTD_freeDCtx(frame->unpack);
        free(frame);
    }
}

int fwd_frame_pack(struct fwd_frame *frame, struct hd_slice text, struct hd_buf *out)
{
    size_t cap = ZSTD_compressBound(text.len);
    uint8_t *room = hd_buf_reserve(out, cap);
    if (room == NULL) {
        return out->err;
    }
    size_t n = ZSTD_compressCCtx(frame->pack, room, cap, text.ptr, text.len, LEVEL);
    if (ZSTD_isError(n)) {
        return HD_ENOMEM;
    }
    out->len += n;
    return HD_OK;
}

int fwd_frame_unpack(struct fwd_frame *frame, struct hd_slice payload, size_t max,
                     struct hd_buf *out)
{
    unsigned long long size = ZSTD_getFrameContentSize(payload.ptr, payload.len);
    if (size == ZSTD_CONTENTSIZE_ERROR) {
        return HD_ECORRUPT;
    }
    size_t cap = size == ZSTD_CONTENTSIZE_UNKNOWN ? max : (size_t)size;
    if (cap > max) {
        return HD_ELIMIT;
    }
    uint8_t *room = hd_buf_reserve(out, cap == 0 ? 1 : cap);
    if (room == NULL) {
        return out->err;
    }
    size_t n = ZSTD_decompressDCtx(frame->unpack, room, cap, payload.ptr, payload.len);
    if (ZSTD_isError(n)) {
        return HD_ECORRUPT;
    }
    out->len += n;
    return HD_OK;
}
