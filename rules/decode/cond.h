/* SPDX-License-Identifier: Apache-2.0
 *
 * Conditions on fields, as decoders declare them. Live in the set's arena.
 */
#pragma once
#include <stdint.h>

#include <haidang/slice.h>

struct rul_cond { /* `when:` and `match.json:`: the field has one of the values */
    uint16_t field;
    uint16_t n;
    const struct hd_slice *values; /* n == 0: any value will do */
};

struct rul_conds { /* all of them must hold */
    const struct rul_cond *list;
    uint16_t n;
};
