/* SPDX-License-Identifier: Apache-2.0
 *
 * Records that belong together by a serial number (those of one audit event): what one
 * says is known when the next is read. The last RUL_JOIN_EVENTS numbers are kept, with
 * RUL_JOIN_BYTES of values each; what does not fit is not remembered. One thread.
 */
#pragma once
#include "rules/event.h"

#define RUL_JOIN_EVENTS 32U
#define RUL_JOIN_BYTES  4096U
#define RUL_JOIN_FIELDS 32U /* of one decoder */

struct rul_join {    /* `join:` */
    uint16_t serial; /* RUL_FIELD_NONE: records stand alone */
    uint16_t n;
    const uint16_t *fields;
};

struct rul_joined {
    struct rul_joined_event {
        uint64_t key;  /* of number, host and source; 0 = none */
        uint64_t kept; /* bit k: fields[k] is in values[k] */
        uint32_t used;
        struct hd_slice values[RUL_JOIN_FIELDS];
        uint8_t bytes[RUL_JOIN_BYTES];
    } events[RUL_JOIN_EVENTS];
    unsigned next; /* to be overwritten */
};

/* The remembered event of this number, a fresh one when there is none. */
struct rul_joined_event *rul_joined_find(struct rul_joined *joined, uint64_t key);
/* Remembers a value; the first one of a field stays. */
void rul_joined_keep(struct rul_joined_event *event, uint16_t k, struct hd_slice value);
