/* SPDX-License-Identifier: Apache-2.0
 *
 * Ids and names of rules -> index in the set. Built while a set is loaded.
 */
#include <stdlib.h>

#include <haidang/hash.h>

#include "rules/snapshot.h"

struct rul_names {
    struct name_slot {
        struct hd_slice name; /* ptr NULL = free */
        uint32_t index;
    } * slots;
    uint32_t mask, used;
};

int rul_names_new(struct rul_names **out)
{
    struct rul_names *names = calloc(1, sizeof(*names));
    if (names == NULL) {
        return HD_ENOMEM;
    }
    names->mask = 255;
    names->slots = calloc(names->mask + 1U, sizeof(*names->slots));
    if (names->slots == NULL) {
        free(names);
        return HD_ENOMEM;
    }
    *out = names;
    return 0;
}

void rul_names_free(struct rul_names *names)
{
    if (names != NULL) {
        free(names->slots);
        free(names);
    }
}

static struct name_slot *slot_of(struct name_slot *slots, uint32_t mask,
                                 struct hd_slice name)
{
    uint32_t at = (uint32_t)hd_hash(name) & mask;
    while (slots[at].name.ptr != NULL && !hd_slice_eq(slots[at].name, name)) {
        at = (at + 1) & mask;
    }
    return &slots[at];
}

static int widen(struct rul_names *names)
{
    uint32_t mask = names->mask * 2 + 1;
    struct name_slot *slots = calloc((size_t)mask + 1, sizeof(*slots));
    if (slots == NULL) {
        return HD_ENOMEM;
    }
    for (uint32_t i = 0; i <= names->mask; i++) {
        if (names->slots[i].name.ptr != NULL) {
            *slot_of(slots, mask, names->slots[i].name) = names->slots[i];
        }
    }
    free(names->slots);
    names->slots = slots;
    names->mask = mask;
    return 0;
}

int rul_names_add(struct rul_names *names, struct hd_slice name, uint32_t *index)
{
    if (names->used > names->mask / 2) {
        int err = widen(names);
        if (err != 0) {
            return err;
        }
    }
    struct name_slot *slot = slot_of(names->slots, names->mask, name);
    if (slot->name.ptr != NULL) {
        *index = slot->index;
        return HD_EEXIST;
    }
    *slot = (struct name_slot){name, *index};
    names->used++;
    return 0;
}

uint32_t rul_names_find(const struct rul_names *names, struct hd_slice name)
{
    const struct name_slot *slot = slot_of(names->slots, names->mask, name);
    return slot->name.ptr == NULL ? UINT32_MAX : slot->index;
}
