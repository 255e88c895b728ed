/* SPDX-License-Identifier: Apache-2.0
 *
 * Text to numbers, the only place. Every accumulation is checked before it is made, so
 * nothing overflows however long the digits are. Thread: any; no state, no allocation.
 */
#include <haidang/num.h>

#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include <haidang/clock.h>

size_t hd_num_prefix_u64(struct hd_slice text, size_t max_digits, uint64_t max,
                         uint64_t *out)
{
    uint64_t value = 0;
    size_t n = 0;
    while (n < text.len && n < max_digits && hd_is_digit(text.ptr[n])) {
        uint64_t digit = (uint64_t)(text.ptr[n] - '0');
        if (digit > max || value > max / 10 || value * 10 > max - digit) {
            return 0;
        }
        value = value * 10 + digit;
        n++;
    }
    if (n > 0) {
        *out = value;
    }
    return n;
}

static bool all_digits(struct hd_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!hd_is_digit(text.ptr[i])) {
            return false;
        }
    }
    return text.len > 0;
}

int hd_num_u64(struct hd_slice text, uint64_t max, uint64_t *out)
{
    if (!all_digits(text)) {
        return HD_EPARSE;
    }
    return hd_num_prefix_u64(text, text.len, max, out) == 0 ? HD_ERANGE : HD_OK;
}

int hd_num_u32(struct hd_slice text, uint32_t max, uint32_t *out)
{
    uint64_t wide = 0;
    int err = hd_num_u64(text, max, &wide);
    if (err == HD_OK) {
        *out = (uint32_t)wide;
    }
    return err;
}

int hd_num_u16(struct hd_slice text, uint16_t max, uint16_t *out)
{
    uint64_t wide = 0;
    int err = hd_num_u64(text, max, &wide);
    if (err == HD_OK) {
        *out = (uint16_t)wide;
    }
    return err;
}

int hd_num_i64(struct hd_slice text, int64_t min, int64_t max, int64_t *out)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t magnitude = 0;
    int err = hd_num_u64(hd_slice_from(text, negative ? 1 : 0), limit, &magnitude);
    if (err != HD_OK) {
        return err;
    }
    int64_t value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    if (value < min || value > max) {
        return HD_ERANGE;
    }
    *out = value;
    return HD_OK;
}

int hd_num_hex_u64(struct hd_slice text, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    bool over = false;
    if (text.len == 0) {
        return HD_EPARSE;
    }
    for (size_t i = 0; i < text.len; i++) {
        int digit = hd_hex_value(text.ptr[i]);
        if (digit < 0) {
            return HD_EPARSE;
        }
        over = over || value > (UINT64_MAX >> 4);
        value = (value << 4) | (uint64_t)digit;
    }
    if (over || value > max) {
        return HD_ERANGE;
    }
    *out = value;
    return HD_OK;
}

int hd_num_hex_bytes(struct hd_slice text, uint8_t *out, size_t cap)
{
    if (text.len / 2 != cap || text.len % 2 != 0) {
        return HD_EPARSE;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (hd_hex_value(text.ptr[i]) < 0) {
            return HD_EPARSE;
        }
    }
    for (size_t i = 0; i < cap; i++) {
        out[i] = (uint8_t)(hd_hex_value(text.ptr[2 * i]) << 4 |
                           hd_hex_value(text.ptr[2 * i + 1]));
    }
    return HD_OK;
}

static size_t count_digits(struct hd_slice text, size_t from)
{
    size_t n = 0;
    while (from + n < text.len && hd_is_digit(text.ptr[from + n])) {
        n++;
    }
    return n;
}

/* [-] 1*DIGIT [ "." 1*DIGIT ] [ ("e" / "E") [ "+" / "-" ] 1*DIGIT ] */
static bool is_decimal(struct hd_slice text)
{
    size_t at = text.len > 0 && text.ptr[0] == '-' ? 1 : 0;
    size_t n = count_digits(text, at);
    if (n == 0) {
        return false;
    }
    at += n;
    if (at < text.len && text.ptr[at] == '.') {
        n = count_digits(text, at + 1);
        if (n == 0) {
            return false;
        }
        at += 1 + n;
    }
    if (at < text.len && hd_lower(text.ptr[at]) == 'e') {
        at++;
        if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-')) {
            at++;
        }
        n = count_digits(text, at);
        if (n == 0) {
            return false;
        }
        at += n;
    }
    return at == text.len;
}

int hd_num_double(struct hd_slice text, double *out)
{
    char copy[128];
    if (!is_decimal(text)) {
        return HD_EPARSE;
    }
    if (text.len >= sizeof(copy)) {
        return HD_ERANGE;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    /* the C library keeps the "C" locale ready: no allocation, no locale of the user */
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c_locale == (locale_t)0) {
        return HD_ENOMEM;
    }
    double value = strtod_l(copy, NULL, c_locale);
    freelocale(c_locale);
    if (!isfinite(value)) {
        return HD_ERANGE;
    }
    *out = value;
    return HD_OK;
}

struct unit {
    struct hd_slice name;
    uint64_t factor;
};

/* 1*DIGIT unit, where the unit stands in `units`; the product is at most `max`. */
static int with_unit(struct hd_slice text, const struct unit *units, size_t n,
                     uint64_t max, uint64_t *out)
{
    size_t digits = count_digits(text, 0);
    uint64_t value = 0;
    if (digits == 0) {
        return HD_EPARSE;
    }
    struct hd_slice name = hd_slice_from(text, digits);
    for (size_t i = 0; i < n; i++) {
        if (!hd_slice_eq(name, units[i].name)) {
            continue;
        }
        int err = hd_num_u64(hd_slice_head(text, digits), max / units[i].factor, &value);
        if (err == HD_OK) {
            *out = value * units[i].factor;
        }
        return err;
    }
    return HD_EPARSE;
}

int hd_num_duration(struct hd_slice text, int64_t *ns)
{
    static const uint64_t second = HD_NS_PER_SEC;
    const struct unit units[] = {
        {HD_SLICE("ms"), HD_NS_PER_MS},  {HD_SLICE("s"), second},
        {HD_SLICE("m"), 60 * second},    {HD_SLICE("h"), 3600 * second},
        {HD_SLICE("d"), 86400 * second}, {HD_SLICE("w"), 7 * 86400 * second},
    };
    uint64_t value = 0;
    int err = with_unit(text, units, sizeof(units) / sizeof(units[0]), INT64_MAX, &value);
    if (err == HD_OK) {
        *ns = (int64_t)value;
    }
    return err;
}

int hd_num_size(struct hd_slice text, uint64_t *bytes)
{
    const struct unit units[] = {
        {HD_SLICE_EMPTY, 1},
        {HD_SLICE("KiB"), UINT64_C(1) << 10},
        {HD_SLICE("K"), UINT64_C(1) << 10},
        {HD_SLICE("MiB"), UINT64_C(1) << 20},
        {HD_SLICE("M"), UINT64_C(1) << 20},
        {HD_SLICE("GiB"), UINT64_C(1) << 30},
        {HD_SLICE("G"), UINT64_C(1) << 30},
        {HD_SLICE("TiB"), UINT64_C(1) << 40},
        {HD_SLICE("T"), UINT64_C(1) << 40},
    };
    return with_unit(text, units, sizeof(units) / sizeof(units[0]), UINT64_MAX, bytes);
}

int hd_num_bool(struct hd_slice text, bool *out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true},   {"yes", true}, {"on", true},
                 {"false", false}, {"no", false}, {"off", false}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (hd_slice_eq_nocase(text, hd_slice_str(words[i].word))) {
            *out = words[i].value;
            return HD_OK;
        }
    }
    return HD_EPARSE;
}
