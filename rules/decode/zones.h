/* SPDX-License-Identifier: Apache-2.0
 *
 * The time zones that sources declare, opened once each. A handful is kept: the sources
 * of one SOC are in one zone or two. One thread; zeroed at first; own: rul_zones_close.
 */
#pragma once
#include <haidang/clock.h>
#include <haidang/slice.h>

#define RUL_ZONES_MAX     8U
#define RUL_ZONE_NAME_MAX 64U

struct rul_zones {
    struct rul_zone {
        char name[RUL_ZONE_NAME_MAX];
        struct hd_zone *zone; /* NULL: there is none of that name */
    } known[RUL_ZONES_MAX];
    size_t n;
    size_t last; /* the one found most recently */
    size_t victim;
};

/* The zone of that name; `otherwise` when the name is empty or no zone. Valid until the
 * next call. */
const struct hd_zone *rul_zones_find(struct rul_zones *zones, struct hd_slice name,
                                     const struct hd_zone *otherwise);
void rul_zones_close(struct rul_zones *zones);
