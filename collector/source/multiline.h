/* SPDX-License-Identifier: Apache-2.0
 *
 * Events of several lines, by a declared form instead of a regular expression: linear in
 * the input whatever it holds. An event is its first line and all following lines that
 * do not start an event. What starts one:
 *
 *     TIME    [ "<" 1*3DIGIT ">" ] [ "[" ] time, where time is any of
 *             2026-11-21  2026/11/21  21/Nov/2026  21-Nov-2026  21/11/2026  Nov 21
 *             Nov  1  Sat Nov 21  07:50:37  1790000000
 *     PREFIX  the declared text
 *     INDENT  any line that does not start with SP or HT (and is not empty)
 *
 * Pure: no I/O, no clock, no allocation.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/parse.h>
#include <haidang/slice.h>

#include "collector/conf.h"

struct col_multiline {
    enum col_multiline_kind kind;
    struct hd_slice prefix;
    uint32_t max_lines; /* >= 1 */
    size_t max_bytes;   /* an event is split before the line that would pass it */
};

enum col_starts { COL_STARTS_NO, COL_STARTS_YES, COL_STARTS_UNKNOWN /* too few bytes */ };

/* Does a line that begins with `head` start an event? is_whole: head is all of it. */
enum col_starts col_multiline_starts(const struct col_multiline *m, struct hd_slice head,
                                     bool is_whole);

/* `in` begins with an event. HD_PARSE_OK: it takes *used bytes, its last LF included.
 * HD_PARSE_MORE: its end cannot be told yet; *used bytes are whole lines of it. */
enum hd_parse col_multiline_next(const struct col_multiline *m, struct hd_slice in,
                                 size_t *used);
