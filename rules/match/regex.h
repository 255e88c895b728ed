/* SPDX-License-Identifier: Apache-2.0
 *
 * PCRE2 behind one door: syntax checks while rules are read, confirmation of what
 * Hyperscan can only approximate, and the slow matcher of the self-test. Byte mode unless
 * asked otherwise, hard limits on steps and depth, so that no expression can hang a
 * thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include <haidang/err.h>
#include <haidang/slice.h>

#define RUL_REGEX_STEPS_MAX 1000000U
#define RUL_REGEX_DEPTH_MAX 10000U
#define RUL_REGEX_HEAP_KIB  20000U

struct rul_regex;         /* compiled; shared by threads */
struct rul_regex_scratch; /* one a thread */

/* flags: enum rul_re_flag. HD_EPARSE: `why` and the byte offset in the pattern. */
int rul_regex_check(struct hd_slice pattern, unsigned flags, size_t *offset,
                    char why[160]) HD_MUST_USE;
int rul_regex_new(struct hd_slice pattern, unsigned flags,
                  struct rul_regex **out) HD_MUST_USE;
void rul_regex_free(struct rul_regex *regex);

int rul_regex_scratch_new(struct rul_regex_scratch **out) HD_MUST_USE;
void rul_regex_scratch_free(struct rul_regex_scratch *scratch);
/* 1 = found, 0 = not, HD_ELIMIT = the limits were reached. */
int rul_regex_find(const struct rul_regex *regex, struct rul_regex_scratch *scratch,
                   struct hd_slice subject);
/* The first match that begins at or behind span->end, which is set. */
struct rul_regex_span {
    size_t begin, end;
};
int rul_regex_find_from(const struct rul_regex *regex, struct rul_regex_scratch *scratch,
                        struct hd_slice subject, struct rul_regex_span *span) HD_MUST_USE;
