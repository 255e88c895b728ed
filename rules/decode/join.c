/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory of joined records: a ring, because their numbers rise.
 */
#include "rules/decode/join.h"

struct rul_joined_event *rul_joined_find(struct rul_joined *joined, uint64_t key)
{
    for (unsigned i = 1; i <= RUL_JOIN_EVENTS; i++) {
        unsigned at = (joined->next + RUL_JOIN_EVENTS - i) % RUL_JOIN_EVENTS;
        if (joined->events[at].key == key) {
            return &joined->events[at];
        }
    }
    struct rul_joined_event *event = &joined->events[joined->next];
    joined->next = (joined->next + 1) % RUL_JOIN_EVENTS;
    event->key = key;
    event->kept = 0;
    event->used = 0;
    return event;
}

void rul_joined_keep(struct rul_joined_event *event, uint16_t k, struct hd_slice value)
{
    bool is_known = (event->kept >> k & 1U) != 0;
    if (is_known || value.len == 0 || value.len > RUL_JOIN_BYTES - event->used) {
        return;
    }
    uint8_t *at = event->bytes + event->used;
    memcpy(at, value.ptr, value.len);
    event->used += (uint32_t)value.len;
    event->values[k] = hd_slice(at, value.len);
    event->kept |= UINT64_C(1) << k;
}
