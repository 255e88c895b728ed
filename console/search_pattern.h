/* SPDX-License-Identifier: Apache-2.0
 *
 * The pattern of a search. PCRE2 decides, on the text of one line; Hyperscan says before,
 * in one pass over the records of a whole batch as they lie there, which lines are worth
 * asking about. For that it gets the pattern rewritten: `^` becomes what stands before a
 * line in a record. Characters are those of UTF-8.
 */
#pragma once
#include <haidang/slice.h>

#include "rules/match/regex.h"

struct con_pattern;         /* shared by threads */
struct con_pattern_scratch; /* one a thread */

struct con_pattern_opts {
    struct hd_slice text;
    bool is_literal; /* no expression */
    bool is_caseless;
};

struct con_pattern_problem {
    size_t offset; /* byte in the text */
    char why[160];
};

/* HD_EPARSE: see the problem. own: con_pattern_free. */
int con_pattern_new(const struct con_pattern_opts *opts, struct con_pattern **out,
                    struct con_pattern_problem *problem) HD_MUST_USE;
void con_pattern_free(struct con_pattern *pattern);
/* Whether records can be sought at once; else each line must be asked about. */
bool con_pattern_is_fast(const struct con_pattern *pattern);

int con_pattern_scratch_new(const struct con_pattern *pattern,
                            struct con_pattern_scratch **out) HD_MUST_USE;
void con_pattern_scratch_free(struct con_pattern_scratch *scratch);

/* Offsets of bytes in `records`, ascending; records that hold none of them do not match.
 * Valid until the next call. HD_EUNSUPPORTED: ask about each line. */
int con_pattern_seek(const struct con_pattern *pattern,
                     struct con_pattern_scratch *scratch, struct hd_slice records,
                     const size_t **at, size_t *n) HD_MUST_USE;

/* 1 = the first match at or behind span->end, 0 = none, HD_ELIMIT = given up. */
int con_pattern_find(const struct con_pattern *pattern,
                     struct con_pattern_scratch *scratch, struct hd_slice line,
                     struct rul_regex_span *span) HD_MUST_USE;
