/* SPDX-License-Identifier: Apache-2.0
 *
 * Expressions that Hyperscan would take seconds or hours to compile: repeats of repeats
 * and long repeats of vague things. They are left to PCRE2, which compiles them at once
 * and is held to its limits when it searches.
 */
#pragma once
#include <stdbool.h>

#include <haidang/slice.h>

/* By rule of thumb; the pattern is one that PCRE2 compiles. */
bool rul_regex_is_costly(struct hd_slice pattern);
