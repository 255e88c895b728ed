/* SPDX-License-Identifier: Apache-2.0
 *
 * A slice views bytes that someone else owns. Never NUL-terminated, may hold any byte.
 * Character classes are ASCII only and safe for bytes >= 0x80 (<ctype.h> is banned).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct hd_slice {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    size_t len;
};

#define HD_SLICE(literal)                                                                \
    ((struct hd_slice){(const uint8_t *)(literal), sizeof(literal) - 1})
#define HD_SLICE_EMPTY ((struct hd_slice){NULL, 0})
/* for printf("%.*s"): bytes as they are; only for text known to be printable */
#define HD_SLICE_FMT(s) ((int)(s).len), ((const char *)(s).ptr)

static inline struct hd_slice hd_slice(const void *ptr, size_t len)
{
    return (struct hd_slice){(const uint8_t *)ptr, len};
}

static inline struct hd_slice hd_slice_str(const char *text)
{
    return (struct hd_slice){(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
}

static inline bool hd_slice_eq(struct hd_slice a, struct hd_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* `from` is clamped to the length. */
static inline struct hd_slice hd_slice_from(struct hd_slice s, size_t from)
{
    size_t cut = from < s.len ? from : s.len;
    return (struct hd_slice){cut == 0 ? s.ptr : s.ptr + cut, s.len - cut};
}

/* `len` is clamped to the length. */
static inline struct hd_slice hd_slice_head(struct hd_slice s, size_t len)
{
    return (struct hd_slice){s.ptr, len < s.len ? len : s.len};
}

static inline bool hd_slice_starts(struct hd_slice s, struct hd_slice prefix)
{
    return s.len >= prefix.len &&
           (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool hd_is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') < 10;
}
static inline bool hd_is_upper(uint8_t c)
{
    return (uint8_t)(c - 'A') < 26;
}
static inline bool hd_is_lower(uint8_t c)
{
    return (uint8_t)(c - 'a') < 26;
}
static inline bool hd_is_alpha(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26;
}
static inline bool hd_is_alnum(uint8_t c)
{
    return hd_is_alpha(c) || hd_is_digit(c);
}
static inline bool hd_is_space(uint8_t c)
{
    return c == ' ' || (uint8_t)(c - 9) < 5;
}
static inline uint8_t hd_lower(uint8_t c)
{
    return hd_is_upper(c) ? (uint8_t)(c | 0x20) : c;
}
/* Value of a hex digit of either case, -1 for any other byte. */
static inline int hd_hex_value(uint8_t c)
{
    uint8_t letter = (uint8_t)((c | 0x20) - 'a');
    return hd_is_digit(c) ? c - '0' : letter < 6 ? letter + 10 : -1;
}

/* Lower case hex digits only. */
bool hd_slice_is_hex(struct hd_slice s);
bool hd_slice_ends(struct hd_slice s, struct hd_slice suffix);
bool hd_slice_eq_nocase(struct hd_slice a, struct hd_slice b);
bool hd_slice_starts_nocase(struct hd_slice s, struct hd_slice prefix);
bool hd_slice_ends_nocase(struct hd_slice s, struct hd_slice suffix);
int hd_slice_cmp(struct hd_slice a, struct hd_slice b); /* memcmp order, shorter first */

#define HD_NPOS ((size_t)-1)
/* Position of the first occurrence, or HD_NPOS. An empty needle is found at 0. */
size_t hd_slice_find(struct hd_slice s, struct hd_slice needle);
size_t hd_slice_find_byte(struct hd_slice s, uint8_t byte);
size_t hd_slice_find_nocase(struct hd_slice s, struct hd_slice needle);

struct hd_slice hd_slice_trim(struct hd_slice s); /* ASCII white space, both ends */

/* Cuts *rest at the first `byte`: *head is what stood before it, *rest what follows it.
 * Without the byte: *head is everything, *rest empty. False when *rest was exhausted
 * (ptr NULL), so that "a,b," yields three heads. */
bool hd_slice_split(struct hd_slice *rest, uint8_t byte, struct hd_slice *head);

/* own: the caller frees. NUL-terminated copy; NULL when out of memory. */
char *hd_slice_dup(struct hd_slice s);
