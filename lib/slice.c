/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a slice that are not inline. Searching leans on memchr and memmem, which
 * the C library has in vector form. Thread: any; no state.
 */
#include <haidang/slice.h>

#include <stdlib.h>

static bool eq_nocase(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (a[i] != b[i] && hd_lower(a[i]) != hd_lower(b[i])) {
            return false;
        }
    }
    return true;
}

bool hd_slice_is_hex(struct hd_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (hd_hex_value(s.ptr[i]) < 0 || hd_is_upper(s.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool hd_slice_ends(struct hd_slice s, struct hd_slice suffix)
{
    return s.len >= suffix.len &&
           hd_slice_eq(hd_slice_from(s, s.len - suffix.len), suffix);
}

bool hd_slice_eq_nocase(struct hd_slice a, struct hd_slice b)
{
    return a.len == b.len && eq_nocase(a.ptr, b.ptr, a.len);
}

bool hd_slice_starts_nocase(struct hd_slice s, struct hd_slice prefix)
{
    return s.len >= prefix.len && eq_nocase(s.ptr, prefix.ptr, prefix.len);
}

bool hd_slice_ends_nocase(struct hd_slice s, struct hd_slice suffix)
{
    return s.len >= suffix.len &&
           hd_slice_eq_nocase(hd_slice_from(s, s.len - suffix.len), suffix);
}

int hd_slice_cmp(struct hd_slice a, struct hd_slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);
    if (order != 0) {
        return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

size_t hd_slice_find(struct hd_slice s, struct hd_slice needle)
{
    if (needle.len == 0) {
        return 0;
    }
    if (needle.len > s.len) {
        return HD_NPOS;
    }
    const uint8_t *at = memmem(s.ptr, s.len, needle.ptr, needle.len);
    return at == NULL ? HD_NPOS : (size_t)(at - s.ptr);
}

static size_t find_byte_from(struct hd_slice s, size_t from, uint8_t byte)
{
    if (from >= s.len) {
        return HD_NPOS;
    }
    const uint8_t *at = memchr(s.ptr + from, byte, s.len - from);
    return at == NULL ? HD_NPOS : (size_t)(at - s.ptr);
}

size_t hd_slice_find_byte(struct hd_slice s, uint8_t byte)
{
    return find_byte_from(s, 0, byte);
}

size_t hd_slice_find_nocase(struct hd_slice s, struct hd_slice needle)
{
    if (needle.len == 0) {
        return 0;
    }
    if (needle.len > s.len) {
        return HD_NPOS;
    }
    struct hd_slice starts = hd_slice_head(s, s.len - needle.len + 1);
    uint8_t low = hd_lower(needle.ptr[0]);
    uint8_t high = hd_is_lower(low) ? (uint8_t)(low & ~0x20) : low;
    size_t at_low = find_byte_from(starts, 0, low);
    size_t at_high = high == low ? HD_NPOS : find_byte_from(starts, 0, high);
    while (at_low != HD_NPOS || at_high != HD_NPOS) {
        size_t at = at_low < at_high ? at_low : at_high;
        if (eq_nocase(s.ptr + at, needle.ptr, needle.len)) {
            return at;
        }
        if (at == at_low) {
            at_low = find_byte_from(starts, at + 1, low);
        } else {
            at_high = find_byte_from(starts, at + 1, high);
        }
    }
    return HD_NPOS;
}

struct hd_slice hd_slice_trim(struct hd_slice s)
{
    while (s.len > 0 && hd_is_space(s.ptr[0])) {
        s = hd_slice_from(s, 1);
    }
    while (s.len > 0 && hd_is_space(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

bool hd_slice_split(struct hd_slice *rest, uint8_t byte, struct hd_slice *head)
{
    if (rest->ptr == NULL) {
        return false;
    }
    size_t at = hd_slice_find_byte(*rest, byte);
    if (at == HD_NPOS) {
        *head = *rest;
        *rest = HD_SLICE_EMPTY;
    } else {
        *head = hd_slice_head(*rest, at);
        *rest = hd_slice_from(*rest, at + 1);
    }
    return true;
}

char *hd_slice_dup(struct hd_slice s)
{
    char *text = malloc(s.len + 1);
    if (text == NULL) {
        return NULL;
    }
    if (s.len > 0) {
        memcpy(text, s.ptr, s.len);
    }
    text[s.len] = '\0';
    return text;
}
