/* SPDX-License-Identifier: Apache-2.0
 *
 * key=value text in the dialects that occur: pairs parted by blanks or commas, the
 * extension of CEF (ArcSight Common Event Format, revision 16), the attributes of LEEF
 * (IBM Log Event Extended Format 1.0 and 2.0), records of the Linux audit system. Pure,
 * linear in the text; what is no pair is passed over. Views point into the text.
 */
#pragma once
#include <stdbool.h>

#include <haidang/slice.h>

enum rul_pair_style {
    RUL_PAIRS_BLANKS,
    RUL_PAIRS_COMMAS,
    RUL_PAIRS_CEF,   /* values hold blanks and end before the next key; \= \\ \n \r */
    RUL_PAIRS_LEEF,  /* tabs, or the delimiter that LEEF 2.0 names: "^|a=b^c=d" */
    RUL_PAIRS_AUDIT, /* blanks; values of strings without quotes are hex digits */
};

struct rul_pairs {
    struct hd_slice rest;
    enum rul_pair_style style;
    uint8_t delimiter; /* LEEF */
    bool has_args;     /* audit: a0, a1 ... are words of a command, not numbers */
};

enum rul_pair_escape { RUL_PAIR_PLAIN, RUL_PAIR_BACKSLASH, RUL_PAIR_HEX };

struct rul_pair {
    struct hd_slice key, value; /* without quotes */
    enum rul_pair_escape escape;
    bool is_word; /* audit: a word of a command */
};

void rul_pairs_open(struct rul_pairs *pairs, enum rul_pair_style style,
                    struct hd_slice text);
bool rul_pairs_next(struct rul_pairs *pairs, struct rul_pair *out);

/* Undoes the escape; never longer than the value. NULs in hex (which part the words of a
 * command) become blanks. Returns the length written to `out`. */
size_t rul_pair_unescape(const struct rul_pair *pair, uint8_t *out);
