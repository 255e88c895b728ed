/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/decode/zones.h"

static bool has_name(const struct rul_zone *zone, struct hd_slice name)
{
    return hd_slice_eq(hd_slice_str(zone->name), name);
}

/* A slot for a new name: a free one, else in turn. */
static struct rul_zone *take_slot(struct rul_zones *zones)
{
    if (zones->n < RUL_ZONES_MAX) {
        zones->last = zones->n++;
        return &zones->known[zones->last];
    }
    zones->last = zones->victim;
    zones->victim = (zones->victim + 1) % RUL_ZONES_MAX;
    hd_zone_close(zones->known[zones->last].zone);
    return &zones->known[zones->last];
}

static const struct rul_zone *learn(struct rul_zones *zones, struct hd_slice name)
{
    struct rul_zone *slot = take_slot(zones);
    memcpy(slot->name, name.ptr, name.len);
    slot->name[name.len] = '\0';
    slot->zone = NULL;
    if (hd_zone_open(slot->name, &slot->zone) != HD_OK) {
        slot->zone = NULL;
    }
    return slot;
}

static const struct rul_zone *recall(struct rul_zones *zones, struct hd_slice name)
{
    if (zones->n > 0 && has_name(&zones->known[zones->last], name)) {
        return &zones->known[zones->last];
    }
    for (size_t i = 0; i < zones->n; i++) {
        if (has_name(&zones->known[i], name)) {
            zones->last = i;
            return &zones->known[i];
        }
    }
    return NULL;
}

const struct hd_zone *rul_zones_find(struct rul_zones *zones, struct hd_slice name,
                                     const struct hd_zone *otherwise)
{
    if (name.len == 0 || name.len >= RUL_ZONE_NAME_MAX) {
        return otherwise;
    }
    const struct rul_zone *zone = recall(zones, name);
    if (zone == NULL) {
        zone = learn(zones, name);
    }
    return zone->zone != NULL ? zone->zone : otherwise;
}

void rul_zones_close(struct rul_zones *zones)
{
    for (size_t i = 0; i < zones->n; i++) {
        hd_zone_close(zones->known[i].zone);
    }
    *zones = (struct rul_zones){0};
}
