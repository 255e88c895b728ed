/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounded read cursor: every read passes through hd_bytes_need. Thread: any; no state.
 */
#include <haidang/bytes.h>

static uint64_t read_be(struct hd_bytes *c, size_t n)
{
    const uint8_t *at = hd_bytes_need(c, n);
    uint64_t value = 0;
    for (size_t i = 0; at != NULL && i < n; i++) {
        value = (value << 8) | at[i];
    }
    return value;
}

static uint64_t read_le(struct hd_bytes *c, size_t n)
{
    const uint8_t *at = hd_bytes_need(c, n);
    uint64_t value = 0;
    for (size_t i = 0; at != NULL && i < n; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

uint8_t hd_bytes_u8(struct hd_bytes *c)
{
    return (uint8_t)read_be(c, 1);
}

uint16_t hd_bytes_be16(struct hd_bytes *c)
{
    return (uint16_t)read_be(c, 2);
}

uint32_t hd_bytes_be24(struct hd_bytes *c)
{
    return (uint32_t)read_be(c, 3);
}

uint32_t hd_bytes_be32(struct hd_bytes *c)
{
    return (uint32_t)read_be(c, 4);
}

uint64_t hd_bytes_be64(struct hd_bytes *c)
{
    return read_be(c, 8);
}

uint16_t hd_bytes_le16(struct hd_bytes *c)
{
    return (uint16_t)read_le(c, 2);
}

uint32_t hd_bytes_le32(struct hd_bytes *c)
{
    return (uint32_t)read_le(c, 4);
}

uint64_t hd_bytes_le64(struct hd_bytes *c)
{
    return read_le(c, 8);
}

struct hd_slice hd_bytes_view(struct hd_bytes *c, size_t n)
{
    const uint8_t *at = hd_bytes_need(c, n);
    return at == NULL ? HD_SLICE_EMPTY : hd_slice(at, n);
}

void hd_bytes_skip(struct hd_bytes *c, size_t n)
{
    (void)hd_bytes_need(c, n);
}

struct hd_bytes hd_bytes_sub(struct hd_bytes *c, size_t n)
{
    struct hd_bytes sub = hd_bytes(hd_bytes_view(c, n));
    sub.failed = c->failed;
    return sub;
}

struct hd_slice hd_bytes_str16(struct hd_bytes *c)
{
    return hd_bytes_view(c, hd_bytes_be16(c));
}
