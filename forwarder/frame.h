/* SPDX-License-Identifier: Apache-2.0
 *
 * Journal payloads: one zstd frame of text. One thread an object.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/err.h>
#include <haidang/slice.h>

struct fwd_frame; /* reusable contexts */
int fwd_frame_new(struct fwd_frame **out) HD_MUST_USE;
void fwd_frame_free(struct fwd_frame *frame);

int fwd_frame_pack(struct fwd_frame *frame, struct hd_slice text,
                   struct hd_buf *out) HD_MUST_USE;
/* HD_ECORRUPT: no zstd frame; HD_ELIMIT: more than `max` bytes. Appends. */
int fwd_frame_unpack(struct fwd_frame *frame, struct hd_slice payload, size_t max,
                     struct hd_buf *out) HD_MUST_USE;
