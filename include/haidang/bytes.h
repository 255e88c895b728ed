/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounded read cursor with a sticky error: a codec reads like a schema and asks once at
 * the end. After a short read every later read yields 0 or an empty slice.
 */
#pragma once
#include <stdbool.h>

#include <haidang/slice.h>

struct hd_bytes {
    const uint8_t *ptr;
    size_t len; /* of the whole */
    size_t pos;
    bool failed;
};

static inline struct hd_bytes hd_bytes(struct hd_slice s)
{
    return (struct hd_bytes){s.ptr, s.len, 0, false};
}

static inline bool hd_bytes_failed(const struct hd_bytes *c)
{
    return c->failed;
}
static inline size_t hd_bytes_left(const struct hd_bytes *c)
{
    return c->len - c->pos;
}

/* The next n bytes, or NULL when they are not there. */
static inline const uint8_t *hd_bytes_need(struct hd_bytes *c, size_t n)
{
    if (c->failed || n > c->len - c->pos) {
        c->failed = true;
        return NULL;
    }
    if (n == 0) {
        return c->ptr == NULL ? (const uint8_t *)"" : c->ptr + c->pos;
    }
    const uint8_t *at = c->ptr + c->pos;
    c->pos += n;
    return at;
}

uint8_t hd_bytes_u8(struct hd_bytes *c);
uint16_t hd_bytes_be16(struct hd_bytes *c);
uint32_t hd_bytes_be24(struct hd_bytes *c);
uint32_t hd_bytes_be32(struct hd_bytes *c);
uint64_t hd_bytes_be64(struct hd_bytes *c);
uint16_t hd_bytes_le16(struct hd_bytes *c);
uint32_t hd_bytes_le32(struct hd_bytes *c);
uint64_t hd_bytes_le64(struct hd_bytes *c);

/* A view of the next n bytes. */
struct hd_slice hd_bytes_view(struct hd_bytes *c, size_t n);
void hd_bytes_skip(struct hd_bytes *c, size_t n);

/* A cursor over the next n bytes; it starts failed when they are not there. */
struct hd_bytes hd_bytes_sub(struct hd_bytes *c, size_t n);

/* A string behind a big-endian 16-bit length. */
struct hd_slice hd_bytes_str16(struct hd_bytes *c);
