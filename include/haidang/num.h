/* SPDX-License-Identifier: Apache-2.0
 *
 * The only place where text becomes a number (lint bans every other way). All take the
 * whole slice: trailing bytes, signs where none belong, empty text and values above `max`
 * are HD_EPARSE or HD_ERANGE, and *out is left alone.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/err.h>
#include <haidang/slice.h>

int hd_num_u64(struct hd_slice text, uint64_t max, uint64_t *out) HD_MUST_USE;
int hd_num_u32(struct hd_slice text, uint32_t max, uint32_t *out) HD_MUST_USE;
int hd_num_u16(struct hd_slice text, uint16_t max, uint16_t *out) HD_MUST_USE;
int hd_num_i64(struct hd_slice text, int64_t min, int64_t max, int64_t *out) HD_MUST_USE;
int hd_num_hex_u64(struct hd_slice text, uint64_t max, uint64_t *out) HD_MUST_USE;
/* Finite decimal: [-]digits[.digits][e[+-]digits]. Locale-independent. */
int hd_num_double(struct hd_slice text, double *out) HD_MUST_USE;

/* Digits at the start of `text`, at most max_digits: how many were taken (0 = none or
 * above max). For parsers that know what must follow. */
size_t hd_num_prefix_u64(struct hd_slice text, size_t max_digits, uint64_t max,
                         uint64_t *out);

/* "250ms", "10s", "5m", "2h", "30d", "1w"; a bare number is refused. Nanoseconds. */
int hd_num_duration(struct hd_slice text, int64_t *ns) HD_MUST_USE;
/* "512", "64KiB", "1MiB", "2GiB", "1TiB" (also K, M, G, T = the same powers of 1024). */
int hd_num_size(struct hd_slice text, uint64_t *bytes) HD_MUST_USE;
/* "true" "yes" "on" / "false" "no" "off". */
int hd_num_bool(struct hd_slice text, bool *out) HD_MUST_USE;

/* Hex digits to bytes; text must be exactly 2 * cap digits. */
int hd_num_hex_bytes(struct hd_slice text, uint8_t *out, size_t cap) HD_MUST_USE;
