/* SPDX-License-Identifier: Apache-2.0
 *
 * Growable byte buffer: doubles, never beyond its max; the first failure sticks.
 * Thread: the owner's.
 */
#include <haidang/buf.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_DEFAULT ((size_t)1 << 30)
#define CAP_FIRST   ((size_t)256)

void hd_buf_init(struct hd_buf *buf, size_t max)
{
    *buf = (struct hd_buf){.max = max};
}

void hd_buf_fini(struct hd_buf *buf)
{
    free(buf->ptr);
    hd_buf_init(buf, buf->max);
}

static uint8_t *fail(struct hd_buf *buf, int err)
{
    buf->err = err;
    return NULL;
}

static uint8_t *grow(struct hd_buf *buf, size_t n)
{
    size_t max = buf->max == 0 ? MAX_DEFAULT : buf->max;
    if (n > max || buf->len > max - n) {
        return fail(buf, HD_ELIMIT);
    }
    size_t need = buf->len + n;
    size_t cap = buf->cap < CAP_FIRST ? CAP_FIRST : buf->cap;
    if (cap > max) {
        cap = max;
    }
    while (cap < need) {
        cap = cap > max / 2 ? max : cap * 2;
    }
    uint8_t *ptr = realloc(buf->ptr, cap);
    if (ptr == NULL) {
        return fail(buf, HD_ENOMEM);
    }
    buf->ptr = ptr;
    buf->cap = cap;
    return ptr + buf->len;
}

uint8_t *hd_buf_reserve(struct hd_buf *buf, size_t n)
{
    if (__builtin_expect(buf->err != 0, 0)) {
        return NULL;
    }
    if (__builtin_expect(buf->ptr == NULL || n > buf->cap - buf->len, 0)) {
        return grow(buf, n);
    }
    return buf->ptr + buf->len;
}

void hd_buf_byte(struct hd_buf *buf, uint8_t byte)
{
    uint8_t *at = hd_buf_reserve(buf, 1);
    if (at != NULL) {
        *at = byte;
        buf->len++;
    }
}

void hd_buf_bytes(struct hd_buf *buf, const void *ptr, size_t len)
{
    if (len == 0) {
        return;
    }
    uint8_t *at = hd_buf_reserve(buf, len);
    if (at != NULL) {
        memcpy(at, ptr, len);
        buf->len += len;
    }
}

void hd_buf_slice_add(struct hd_buf *buf, struct hd_slice s)
{
    hd_buf_bytes(buf, s.ptr, s.len);
}

void hd_buf_str(struct hd_buf *buf, const char *text)
{
    hd_buf_bytes(buf, text, strlen(text));
}

void hd_buf_u64(struct hd_buf *buf, uint64_t value)
{
    uint8_t digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    hd_buf_bytes(buf, digits + at, sizeof(digits) - at);
}

void hd_buf_i64(struct hd_buf *buf, int64_t value)
{
    if (value < 0) {
        hd_buf_byte(buf, '-');
        hd_buf_u64(buf, 0 - (uint64_t)value);
    } else {
        hd_buf_u64(buf, (uint64_t)value);
    }
}

void hd_buf_hex(struct hd_buf *buf, struct hd_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    if (bytes.len > SIZE_MAX / 2) {
        (void)fail(buf, HD_ELIMIT);
        return;
    }
    uint8_t *at = hd_buf_reserve(buf, bytes.len * 2);
    if (at == NULL) {
        return;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        *at++ = (uint8_t)digits[bytes.ptr[i] >> 4];
        *at++ = (uint8_t)digits[bytes.ptr[i] & 15];
    }
    buf->len += bytes.len * 2;
}

void hd_buf_printf(struct hd_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0) {
        if (buf->err == 0) {
            buf->err = HD_EINVAL;
        }
        return;
    }
    char *at = (char *)hd_buf_reserve(buf, (size_t)len + 1);
    if (at == NULL) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(at, (size_t)len + 1, fmt, args);
    va_end(args);
    buf->len += (size_t)len;
}

/* The low `n` bytes of `value`, least significant first. */
static void add_le(struct hd_buf *buf, uint64_t value, size_t n)
{
    uint8_t *at = hd_buf_reserve(buf, n);
    if (at == NULL) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
    buf->len += n;
}

static void add_be(struct hd_buf *buf, uint64_t value, size_t n)
{
    uint8_t *at = hd_buf_reserve(buf, n);
    if (at == NULL) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        at[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
    }
    buf->len += n;
}

void hd_buf_le16(struct hd_buf *buf, uint16_t value)
{
    add_le(buf, value, 2);
}

void hd_buf_le32(struct hd_buf *buf, uint32_t value)
{
    add_le(buf, value, 4);
}

void hd_buf_le64(struct hd_buf *buf, uint64_t value)
{
    add_le(buf, value, 8);
}

void hd_buf_be16(struct hd_buf *buf, uint16_t value)
{
    add_be(buf, value, 2);
}

void hd_buf_be32(struct hd_buf *buf, uint32_t value)
{
    add_be(buf, value, 4);
}

void hd_buf_be64(struct hd_buf *buf, uint64_t value)
{
    add_be(buf, value, 8);
}

void hd_buf_consume(struct hd_buf *buf, size_t n)
{
    if (n >= buf->len) {
        buf->len = 0;
    } else if (n > 0) {
        memmove(buf->ptr, buf->ptr + n, buf->len - n);
        buf->len -= n;
    }
}

const char *hd_buf_cstr(struct hd_buf *buf)
{
    uint8_t *at = hd_buf_reserve(buf, 1);
    if (at == NULL) {
        return "";
    }
    *at = '\0';
    return (const char *)buf->ptr;
}
