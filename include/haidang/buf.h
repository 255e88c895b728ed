/* SPDX-License-Identifier: Apache-2.0
 *
 * Growable byte buffer with a sticky error: append as one likes, ask once at the end.
 * own: the buffer owns its memory; a slice of it is valid until the next append.
 */
#pragma once
#include <haidang/err.h>
#include <haidang/slice.h>

struct hd_buf {
    uint8_t *ptr;
    size_t len;
    size_t cap;
    size_t max; /* never grows past this; 0 = 1 GiB */
    int err;    /* 0, HD_ENOMEM or HD_ELIMIT; once set, appends do nothing */
};

void hd_buf_init(struct hd_buf *buf, size_t max);
/* Over storage of the caller's: never allocates, HD_ELIMIT when full, no fini. */
static inline struct hd_buf hd_buf_fixed(void *storage, size_t cap)
{
    return (struct hd_buf){.ptr = (uint8_t *)storage, .cap = cap, .max = cap};
}
void hd_buf_fini(struct hd_buf *buf); /* frees; usable again as if initialised */

static inline void hd_buf_clear(struct hd_buf *buf)
{
    buf->len = 0;
    buf->err = 0;
}

static inline struct hd_slice hd_buf_slice(const struct hd_buf *buf)
{
    return hd_slice(buf->ptr, buf->len);
}

/* Room for `n` more bytes, or NULL (sticky error set). Follow with buf->len += used. */
uint8_t *hd_buf_reserve(struct hd_buf *buf, size_t n);

void hd_buf_byte(struct hd_buf *buf, uint8_t byte);
void hd_buf_bytes(struct hd_buf *buf, const void *ptr, size_t len);
void hd_buf_slice_add(struct hd_buf *buf, struct hd_slice s);
void hd_buf_str(struct hd_buf *buf, const char *text);
void hd_buf_u64(struct hd_buf *buf, uint64_t value); /* decimal */
void hd_buf_i64(struct hd_buf *buf, int64_t value);
void hd_buf_hex(struct hd_buf *buf, struct hd_slice bytes); /* lower case */
void hd_buf_printf(struct hd_buf *buf, const char *fmt, ...) HD_PRINTF(2, 3);

/* Little-endian binary, for journal entries. */
void hd_buf_le16(struct hd_buf *buf, uint16_t value);
void hd_buf_le32(struct hd_buf *buf, uint32_t value);
void hd_buf_le64(struct hd_buf *buf, uint64_t value);
/* Big-endian binary, for the wire. */
void hd_buf_be16(struct hd_buf *buf, uint16_t value);
void hd_buf_be32(struct hd_buf *buf, uint32_t value);
void hd_buf_be64(struct hd_buf *buf, uint64_t value);

/* Drops the first `n` bytes (clamped), moving the rest down. */
void hd_buf_consume(struct hd_buf *buf, size_t n);

/* Appends a NUL that does not count in len; the text, or "" on error. */
const char *hd_buf_cstr(struct hd_buf *buf);
