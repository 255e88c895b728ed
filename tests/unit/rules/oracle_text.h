/* SPDX-License-Identifier: Apache-2.0
 *
 * For the oracle: written values as lists of symbols, and their encodings.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ONE      256 /* "?" in a pattern */
#define MANY     257 /* "*" */
#define TEXT_MAX 8192

/* A written value as symbols: bytes, ONE, MANY. */
struct symbols {
    size_t n;
    uint16_t at[TEXT_MAX];
};

/* UTF-16 of ASCII, which is all that is used; with its mark or the high byte first. */
void oracle_to_wide(struct symbols *s, bool mark, bool big);
/* Base64 bit by bit; only the whole characters that depend on the text alone when
 * `partial`. */
void oracle_to_base64(struct symbols *s, size_t shift, bool partial);
