/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/archive_meta.h>

#include <haidang/bytes.h>

static void put_text(struct hd_buf *out, struct hd_slice text)
{
    text = hd_slice_head(text, UINT8_MAX);
    hd_buf_byte(out, (uint8_t)text.len);
    hd_buf_slice_add(out, text);
}

void hd_archive_meta_encode(struct hd_buf *out, const struct hd_archive_meta *meta)
{
    hd_buf_byte(out, HD_ARCHIVE_META_VERSION);
    put_text(out, meta->agent);
    put_text(out, meta->boot);
    put_text(out, meta->peer);
    hd_buf_le64(out, (uint64_t)meta->taken_ns);
}

static struct hd_slice get_text(struct hd_bytes *c)
{
    return hd_bytes_view(c, hd_bytes_u8(c));
}

enum hd_parse hd_archive_meta_decode(struct hd_slice in, struct hd_archive_meta *meta)
{
    struct hd_bytes c = hd_bytes(in);
    uint8_t version = hd_bytes_u8(&c);
    meta->agent = get_text(&c);
    meta->boot = get_text(&c);
    meta->peer = get_text(&c);
    meta->taken_ns = (int64_t)hd_bytes_le64(&c);
    if (hd_bytes_failed(&c) || version != HD_ARCHIVE_META_VERSION ||
        meta->agent.len == 0 || meta->boot.len == 0) {
        return HD_PARSE_BAD;
    }
    return HD_PARSE_OK;
}
