/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 (RFC 3629): validation, escaping of untrusted bytes, folding for comparison.
 */
#pragma once
#include <stdbool.h>

#include <haidang/buf.h>
#include <haidang/slice.h>

bool hd_utf8_is_ascii(struct hd_slice s);
bool hd_utf8_is_valid(struct hd_slice s);

/* Length of the valid sequence at the start of s (1-4), or 0 when there is none. */
size_t hd_utf8_step(struct hd_slice s);

/* Appends s with control bytes (C0, DEL, C1), bidirectional overrides and invalid bytes
 * written as \xNN or \u{NNNN}: safe for a terminal and for a log line. */
void hd_utf8_escape(struct hd_buf *out, struct hd_slice s);

/* Appends s with each invalid byte replaced by U+FFFD. */
void hd_utf8_repair(struct hd_buf *out, struct hd_slice s);

/* Appends NFC + simple lower case of s (Vietnamese text compares equal however its
 * diacritics were typed). Invalid bytes are kept as they are. ASCII takes a fast path. */
void hd_utf8_fold(struct hd_buf *out, struct hd_slice s);

/* Appends s folded and without diacritics, d for đ: for searching as people type. */
void hd_utf8_plain(struct hd_buf *out, struct hd_slice s);

/* Terminal columns that the text takes. */
size_t hd_utf8_width(struct hd_slice s);
