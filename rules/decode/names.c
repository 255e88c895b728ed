/* SPDX-License-Identifier: Apache-2.0
 *
 * Open addressing; entries of one name form a chain in the order they were added.
 */
#include "rules/decode/names.h"

#include <haidang/hash.h>

uint32_t rul_decode_names_table_size(uint32_t n)
{
    uint32_t size = 4;
    while (size < 2 * n + 2) {
        size *= 2;
    }
    return size;
}

int rul_decode_names_add(struct hd_arena *arena, struct rul_decode_names *names,
                         struct hd_slice name, uint16_t decoder)
{
    struct rul_decode_name *entries =
        hd_arena_grow(arena, names->entries, names->n, sizeof(*entries));
    if (entries == NULL || names->n == RUL_NONE - 1U) {
        return HD_ENOMEM;
    }
    names->entries = entries;
    names->entries[names->n++] = (struct rul_decode_name){name, decoder, RUL_NONE};
    return 0;
}

static uint32_t name_slot(const struct rul_decode_names *names, struct hd_slice name)
{
    uint32_t slot = (uint32_t)hd_hash(name) & names->mask;
    while (names->slots[slot] != 0 &&
           !hd_slice_eq(names->entries[names->slots[slot] - 1U].name, name)) {
        slot = (slot + 1) & names->mask;
    }
    return slot;
}

int rul_decode_names_finish(struct hd_arena *arena, struct rul_decode_names *names)
{
    uint32_t size = rul_decode_names_table_size(names->n);
    names->slots = hd_arena_alloc(arena, size, sizeof(*names->slots));
    if (names->slots == NULL) {
        return HD_ENOMEM;
    }
    names->mask = size - 1;
    for (uint16_t i = 0; i < names->n; i++) {
        uint32_t slot = name_slot(names, names->entries[i].name);
        if (names->slots[slot] == 0) {
            names->slots[slot] = (uint16_t)(i + 1);
            continue;
        }
        struct rul_decode_name *last = &names->entries[names->slots[slot] - 1U];
        while (last->next != RUL_NONE) {
            last = &names->entries[last->next];
        }
        last->next = i;
    }
    return 0;
}

const struct rul_decode_name *rul_decode_names_find(const struct rul_decode_names *names,
                                                    struct hd_slice name)
{
    uint16_t held = names->slots[name_slot(names, name)];
    return held == 0 ? NULL : &names->entries[held - 1U];
}
