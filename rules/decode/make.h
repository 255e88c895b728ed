/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields that a decoder puts together out of others, and tables to look them up in. Live
 * in the set's arena.
 */
#pragma once
#include "rules/decode/cond.h"
#include "rules/decode/names.h"

struct rul_table { /* `table:`, a document of its own */
    const char *name;
    struct rul_decode_names keys; /* to an index into `values` */
    const struct hd_slice *values;
};

/* `make:` a field put together out of others, when they are all there and it is not. */
struct rul_make {
    uint16_t field;
    uint8_t n_parts;
    const struct rul_make_part {
        uint16_t field; /* RUL_FIELD_NONE: the text */
        struct hd_slice text;
    } * parts;
    struct rul_conds when;
    const struct rul_table *table; /* what was put together is looked up; or NULL */
};
