/* SPDX-License-Identifier: Apache-2.0
 *
 * Canonical values: what makes two spellings of a user, host or address the same group.
 */
#pragma once
#include <haidang/buf.h>

#include "rules/event.h"

/* Appends the fields as u16 length and canonical value each: addresses as RFC 5952 writes
 * them, other text folded, long text shortened to a piece and a hash. False: the event
 * lacks one, and `has_null` does not let that be a value of its own. */
bool rul_key_add(struct hd_buf *key, const struct rul_event_copy *ev,
                 const uint16_t *fields, uint8_t n, bool has_null);
/* Cuts the next value off a key; its ptr is NULL when the events lacked the field. */
struct hd_slice rul_key_next(struct hd_slice *key);

static inline bool rul_group_value_eq(struct hd_slice a, struct hd_slice b)
{
    return (a.ptr == NULL) == (b.ptr == NULL) && hd_slice_eq(a, b);
}
