/* SPDX-License-Identifier: Apache-2.0
 *
 * The meta of an archive entry (docs/formats/archive.md): whose batch it is, from where
 * it came and when. Little-endian: u8 version = 1, u8 n, agent[n], u8 n, boot[n], u8 n,
 * peer[n], u64 taken_ns. Bytes that follow belong to later versions and are passed over.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/parse.h>
#include <haidang/slice.h>

#define HD_ARCHIVE_META_VERSION 1

struct hd_archive_meta {
    struct hd_slice agent, boot;
    struct hd_slice peer; /* address and port of the connection */
    int64_t taken_ns;     /* when the correlator took the batch */
};

/* Texts above 255 bytes are cut. */
void hd_archive_meta_encode(struct hd_buf *out, const struct hd_archive_meta *meta);
/* Slices view `in`. Never HD_PARSE_MORE: a meta comes whole. */
enum hd_parse hd_archive_meta_decode(struct hd_slice in, struct hd_archive_meta *meta);
