/* SPDX-License-Identifier: Apache-2.0
 *
 * From a message or event to the few patterns of a decoder that it may have. Built while
 * a set is loaded (link.c, when.c), then read-only. Internal to rules/decode.
 */
#pragma once
#include <stdint.h>

/* Patterns by the first four bytes of their first literal; those that begin otherwise are
 * in `loose`. Longer first literals come first, then the order of the file. */
struct rul_dispatch {
    struct rul_bucket {
        uint32_t key;
        uint16_t first, n; /* into `order`; n == 0: free */
    } * buckets;
    uint32_t mask; /* buckets - 1 */
    const uint16_t *order;
    const uint16_t *loose;
    uint16_t n_loose;
};
/* The bucket of a key, or the free one where it would be. */
uint32_t rul_dispatch_slot(const struct rul_dispatch *dispatch, uint32_t key);

/* Cases of a decoder by the value of the field that most of them look at. For
 * each value (and for all others) the patterns that may hold, in the order of the file.
 */
struct rul_when_index {
    uint16_t field; /* RUL_FIELD_NONE: no pattern compares one with values */
    struct rul_when_slot {
        uint32_t key;
        uint16_t n; /* 0: free */
        const uint16_t *patterns;
    } * slots;
    uint32_t mask; /* slots - 1 */
    const uint16_t *others;
    uint16_t n_others;
};
