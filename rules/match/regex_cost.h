/* SPDX-License-Identifier: Apache-2.0
 *
 * Expressions that Hyperscan would take seconds or hours to compile: repeats of repeats
 * and long repeats of vague things. They are left to PCRE2, which compiles them at once
 * and is held to its limits when it searches.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/slice.h>

/* A unit is some 30 us of compiling, ten times that in bad cases. The 217 expressions of
 * the public rules have 10,352 together, at most 1,004 in one rule. */
#define RUL_REGEX_ALONE_WORK    1000U /* of one that is left to PCRE2, for each event */
#define RUL_REGEX_RULE_WORK_MAX 20000U
#define RUL_REGEX_SET_WORK_MAX  500000U

struct rul_regex_cost {
    uint64_t work;
    bool is_costly; /* to be left to PCRE2 */
};

/* By counting, not by trying; the pattern is one that PCRE2 compiles. */
struct rul_regex_cost rul_regex_cost(struct hd_slice pattern);
