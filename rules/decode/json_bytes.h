/* SPDX-License-Identifier: Apache-2.0
 *
 * The two loops in which reading JSON spends its time, sixteen bytes at once where SSE2
 * is part of the target, eight elsewhere. Both forms are always compiled, so that tests
 * can compare them. Never read or write outside of what they are given.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define RUL_JSON_ONES  UINT64_C(0x0101010101010101)
#define RUL_JSON_HIGHS UINT64_C(0x8080808080808080)

/* High bit set in the lowest byte of the word that is zero; above it anything. */
static inline uint64_t rul_json_zero_byte(uint64_t word)
{
    return (word - RUL_JSON_ONES) & ~word & RUL_JSON_HIGHS;
}

static inline uint64_t rul_json_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static inline const uint8_t *rul_json_special_portable(const uint8_t *at,
                                                       const uint8_t *end)
{
    while (end - at >= 8) {
        uint64_t word = rul_json_word(at);
        uint64_t control = (word - RUL_JSON_ONES * 0x20) & ~word & RUL_JSON_HIGHS;
        if ((rul_json_zero_byte(word ^ (RUL_JSON_ONES * '"')) |
             rul_json_zero_byte(word ^ (RUL_JSON_ONES * '\\')) | control) != 0) {
            break;
        }
        at += 8;
    }
    while (at < end && *at != '"' && *at != '\\' && *at >= 0x20) {
        at++;
    }
    return at;
}

static inline size_t rul_json_copy_portable(uint8_t *out, const uint8_t *from, size_t len)
{
    size_t n = 0;
    while (len - n >= 8) {
        uint64_t word = rul_json_word(from + n);
        if (rul_json_zero_byte(word ^ (RUL_JSON_ONES * '\\')) != 0) {
            break;
        }
        memcpy(out + n, &word, sizeof(word));
        n += 8;
    }
    for (; n < len && from[n] != '\\'; n++) {
        out[n] = from[n];
    }
    return n;
}

/* The first quote, backslash or control character, or `end`. */
static inline const uint8_t *rul_json_special(const uint8_t *at, const uint8_t *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i found =
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
        unsigned mask = (unsigned)_mm_movemask_epi8(found);
        if (mask != 0) {
            return at + __builtin_ctz(mask);
        }
        at += 16;
    }
#endif
    return rul_json_special_portable(at, end);
}

/* Copies up to the first backslash; returns how many bytes. out has room for `len`, all
 * of which may be written. */
static inline size_t rul_json_copy(uint8_t *out, const uint8_t *from, size_t len)
{
    size_t n = 0;
#ifdef __SSE2__
    const __m128i slash = _mm_set1_epi8('\\');
    while (len - n >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(from + n));
        _mm_storeu_si128((__m128i *)(void *)(out + n), bytes);
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, slash));
        if (mask != 0) {
            return n + (size_t)__builtin_ctz(mask);
        }
        n += 16;
    }
#endif
    return n + rul_json_copy_portable(out + n, from + n, len - n);
}
