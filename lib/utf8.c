/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8. ASCII and validation are done here, eight bytes at a time where that is
 * possible; what needs Unicode's tables goes through utf8proc in runs of bounded length
 * on the stack, so that no text, however built, costs more than linear time or any memory
 * but the output. Thread: any; no state.
 */
#include <haidang/utf8.h>

#include <utf8proc.h>

enum {
    RUN_BYTES = 512,                /* text normalised in one piece */
    RUN_POINTS = RUN_BYTES * 4 + 8, /* canonical decomposition: at most 4 for one */
};

#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool word_is_ascii(const uint8_t *ptr)
{
    uint64_t word;
    memcpy(&word, ptr, sizeof(word));
    return (word & HIGH_BITS) == 0;
}

/* Length of the ASCII run at the start of s. */
static size_t ascii_len(struct hd_slice s)
{
    size_t i = 0;
    while (s.len - i >= 8 && word_is_ascii(s.ptr + i)) {
        i += 8;
    }
    while (i < s.len && s.ptr[i] < 0x80) {
        i++;
    }
    return i;
}

bool hd_utf8_is_ascii(struct hd_slice s)
{
    return ascii_len(s) == s.len;
}

static bool is_tail(struct hd_slice s, size_t at, uint8_t min, uint8_t max)
{
    return at < s.len && s.ptr[at] >= min && s.ptr[at] <= max;
}

/* RFC 3629 section 4:
 *     UTF8-2 = %xC2-DF UTF8-tail
 *     UTF8-3 = %xE0 %xA0-BF UTF8-tail / %xE1-EC 2( UTF8-tail ) /
 *              %xED %x80-9F UTF8-tail / %xEE-EF 2( UTF8-tail )
 *     UTF8-4 = %xF0 %x90-BF 2( UTF8-tail ) / %xF1-F3 3( UTF8-tail ) /
 *              %xF4 %x80-8F 2( UTF8-tail ) */
size_t hd_utf8_step(struct hd_slice s)
{
    if (s.len == 0) {
        return 0;
    }
    uint8_t first = s.ptr[0];
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xc2 || first > 0xf4) {
        return 0;
    }
    uint8_t min = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t max = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    size_t len = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (!is_tail(s, 1, min, max)) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if (!is_tail(s, i, 0x80, 0xbf)) {
            return 0;
        }
    }
    return len;
}

/* Length of the valid text at the start of s. */
static size_t valid_len(struct hd_slice s)
{
    size_t i = 0;
    while (i < s.len) {
        i += ascii_len(hd_slice_from(s, i));
        size_t step = hd_utf8_step(hd_slice_from(s, i));
        if (step == 0) {
            return i;
        }
        i += step;
    }
    return i;
}

bool hd_utf8_is_valid(struct hd_slice s)
{
    return valid_len(s) == s.len;
}

/* The code point of a valid sequence of `len` bytes. */
static uint32_t decode(const uint8_t *ptr, size_t len)
{
    static const uint8_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = ptr[0] & first_bits[len];
    for (size_t i = 1; i < len; i++) {
        point = point << 6 | (ptr[i] & 0x3f);
    }
    return point;
}

/* What a terminal or a log reader would obey instead of show: controls, line separators,
 * marks and overrides of the writing direction. */
static bool is_unsafe(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x061c ||
           point == 0x200e || point == 0x200f || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069);
}

void hd_utf8_escape(struct hd_buf *out, struct hd_slice s)
{
    size_t start = 0; /* of what can be copied as it is */
    size_t i = 0;
    while (i < s.len) {
        if (s.ptr[i] >= 0x20 && s.ptr[i] < 0x7f) {
            i++;
            continue;
        }
        size_t step = hd_utf8_step(hd_slice_from(s, i));
        uint32_t point = step == 0 ? s.ptr[i] : decode(s.ptr + i, step);
        if (step != 0 && !is_unsafe(point)) {
            i += step;
            continue;
        }
        hd_buf_bytes(out, s.ptr + start, i - start);
        if (step > 1) {
            hd_buf_printf(out, "\\u{%04x}", (unsigned)point);
        } else {
            hd_buf_str(out, "\\x");
            hd_buf_hex(out, hd_slice(s.ptr + i, 1));
        }
        i += step == 0 ? 1 : step;
        start = i;
    }
    hd_buf_slice_add(out, hd_slice_from(s, start));
}

void hd_utf8_repair(struct hd_buf *out, struct hd_slice s)
{
    while (s.len > 0) {
        size_t good = valid_len(s);
        hd_buf_slice_add(out, hd_slice_head(s, good));
        if (good < s.len) {
            hd_buf_str(out, "\xef\xbf\xbd");
            good++;
        }
        s = hd_slice_from(s, good);
    }
}

/* ---- folding ---- */

/* May `point` join with what stands before it? Then a run must not end before it. */
static bool joins_before(uint32_t point)
{
    if (point < 0x300) {
        return false;
    }
    const utf8proc_property_t *property = utf8proc_get_property((utf8proc_int32_t)point);
    bool is_hangul_tail = point >= 0x1160 && point <= 0x11ff;
    return property->combining_class != 0 || is_hangul_tail ||
           property->category == UTF8PROC_CATEGORY_MC ||
           property->category == UTF8PROC_CATEGORY_MN;
}

/* Length of the next piece of valid text to normalise at once: at most RUN_BYTES, ending
 * where nothing joins across, if such a place exists. */
static size_t run_len(struct hd_slice valid)
{
    if (valid.len <= RUN_BYTES) {
        return valid.len;
    }
    size_t end = 0;
    size_t cut = 0;
    while (end < valid.len) {
        size_t step = hd_utf8_step(hd_slice_from(valid, end));
        if (end + step > RUN_BYTES) {
            break;
        }
        if (end > 0 && !joins_before(decode(valid.ptr + end, step))) {
            cut = end;
        }
        end += step;
    }
    return cut > 0 ? cut : end;
}

static void add_point(struct hd_buf *out, utf8proc_int32_t point)
{
    uint8_t *at = hd_buf_reserve(out, 4);
    if (at != NULL) {
        out->len += (size_t)utf8proc_encode_char(point, at);
    }
}

static void add_bytes_lower(struct hd_buf *out, struct hd_slice ascii)
{
    uint8_t *at = hd_buf_reserve(out, ascii.len);
    if (at == NULL) {
        return;
    }
    for (size_t i = 0; i < ascii.len; i++) {
        at[i] = hd_lower(ascii.ptr[i]);
    }
    out->len += ascii.len;
}

static bool is_diacritic(utf8proc_int32_t point)
{
    return point >= 0x0300 && point <= 0x036f;
}

/* Canonical decomposition, lower case, composition: in this order, since J with caron has
 * no capital in one piece but a small letter. */
static void fold_run(struct hd_buf *out, struct hd_slice valid, bool plain)
{
    utf8proc_int32_t point[RUN_POINTS];
    utf8proc_ssize_t n =
        utf8proc_decompose(valid.ptr, (utf8proc_ssize_t)valid.len, point, RUN_POINTS,
                           UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    if (n < 0 || n > RUN_POINTS) {
        hd_buf_slice_add(out, valid);
        return;
    }
    utf8proc_ssize_t kept = 0;
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        utf8proc_int32_t lower = utf8proc_tolower(point[i]);
        if (plain && is_diacritic(lower)) {
            continue;
        }
        point[kept++] = plain && lower == 0x0111 ? 'd' : lower;
    }
    n = utf8proc_normalize_utf32(point, kept, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        add_point(out, point[i]);
    }
}

/* Up to the next ASCII byte behind the first byte: nothing before it joins with it. */
static size_t foreign_len(struct hd_slice s)
{
    size_t n = 1;
    while (n < s.len && s.ptr[n] >= 0x80) {
        n++;
    }
    return n;
}

static void fold(struct hd_buf *out, struct hd_slice s, bool plain)
{
    while (s.len > 0) {
        size_t ascii = ascii_len(s);
        if (ascii == s.len) {
            add_bytes_lower(out, s);
            return;
        }
        if (ascii > 1) {
            /* the last letter stays: a mark that follows may join it */
            add_bytes_lower(out, hd_slice_head(s, ascii - 1));
            s = hd_slice_from(s, ascii - 1);
        }
        size_t valid = valid_len(hd_slice_head(s, foreign_len(s)));
        size_t taken = 1;
        if (valid == 0) {
            hd_buf_byte(out, s.ptr[0]);
        } else {
            taken = run_len(hd_slice_head(s, valid));
            fold_run(out, hd_slice_head(s, taken), plain);
        }
        s = hd_slice_from(s, taken);
    }
}

void hd_utf8_fold(struct hd_buf *out, struct hd_slice s)
{
    fold(out, s, false);
}

void hd_utf8_plain(struct hd_buf *out, struct hd_slice s)
{
    fold(out, s, true);
}

size_t hd_utf8_width(struct hd_slice s)
{
    size_t width = 0;
    size_t i = 0;
    while (i < s.len) {
        size_t step = hd_utf8_step(hd_slice_from(s, i));
        if (step == 0) {
            width++; /* shown as one replacement character */
            i++;
            continue;
        }
        width += (size_t)utf8proc_charwidth((utf8proc_int32_t)decode(s.ptr + i, step));
        i += step;
    }
    return width;
}
