/* SPDX-License-Identifier: Apache-2.0
 *
 * Strings in double quotes, as patterns and pairs have them.
 */
#pragma once
#include <haidang/slice.h>

/* Length of "..." with the quotes and \" inside; 0 when the text begins otherwise. */
static inline size_t rul_quoted_len(struct hd_slice s)
{
    if (s.len < 2 || s.ptr[0] != '"') {
        return 0;
    }
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '\\') {
            i++;
        } else if (s.ptr[i] == '"') {
            return i + 1;
        }
    }
    return 0;
}
