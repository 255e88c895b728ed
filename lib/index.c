/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/index.h>

#include <stdlib.h>

#define SLOTS_MIN 16U
#define SLOTS_MAX (UINT32_C(1) << 30)

int hd_index_init(struct hd_index *index, uint32_t want)
{
    uint32_t slots = SLOTS_MIN;
    while (slots < SLOTS_MAX && slots / 4 * 3 < want) {
        slots *= 2;
    }
    index->slots = calloc(slots, sizeof(*index->slots));
    index->mask = slots - 1;
    index->used = 0;
    return index->slots == NULL ? HD_ENOMEM : HD_OK;
}

void hd_index_fini(struct hd_index *index)
{
    free(index->slots);
    *index = (struct hd_index){0};
}

uint32_t hd_index_find(const struct hd_index *index, uint64_t hash, hd_index_same same,
                       const void *ctx)
{
    for (uint32_t i = (uint32_t)hash & index->mask; index->slots[i].at != 0;
         i = (i + 1) & index->mask) {
        if (index->slots[i].hash == hash && same(ctx, index->slots[i].at - 1)) {
            return index->slots[i].at - 1;
        }
    }
    return HD_INDEX_NONE;
}

static void put(struct hd_index *index, struct hd_index_slot slot)
{
    uint32_t i = (uint32_t)slot.hash & index->mask;
    while (index->slots[i].at != 0) {
        i = (i + 1) & index->mask;
    }
    index->slots[i] = slot;
}

static int grow(struct hd_index *index)
{
    uint32_t slots = index->mask + 1;
    if (slots >= SLOTS_MAX) {
        return HD_EFULL;
    }
    struct hd_index bigger = {.mask = slots * 2 - 1, .used = index->used};
    bigger.slots = calloc((size_t)slots * 2, sizeof(*bigger.slots));
    if (bigger.slots == NULL) {
        return HD_ENOMEM;
    }
    for (uint32_t i = 0; i < slots; i++) {
        if (index->slots[i].at != 0) {
            put(&bigger, index->slots[i]);
        }
    }
    free(index->slots);
    *index = bigger;
    return HD_OK;
}

int hd_index_add(struct hd_index *index, uint64_t hash, uint32_t at)
{
    if ((index->used + 1) > (index->mask + 1) / 4 * 3) {
        int err = grow(index);
        if (err != HD_OK) {
            return err;
        }
    }
    put(index, (struct hd_index_slot){hash, at + 1});
    index->used++;
    return HD_OK;
}

/* Closes the hole at i: later slots of the same run that may move up do so. */
static void close_hole(struct hd_index *index, uint32_t i)
{
    uint32_t j = i;
    for (;;) {
        index->slots[i].at = 0;
        uint32_t home;
        do {
            j = (j + 1) & index->mask;
            if (index->slots[j].at == 0) {
                return;
            }
            home = (uint32_t)index->slots[j].hash & index->mask;
        } while (((j - home) & index->mask) < ((j - i) & index->mask));
        index->slots[i] = index->slots[j];
        i = j;
    }
}

void hd_index_remove(struct hd_index *index, uint64_t hash, uint32_t at)
{
    for (uint32_t i = (uint32_t)hash & index->mask; index->slots[i].at != 0;
         i = (i + 1) & index->mask) {
        if (index->slots[i].hash == hash && index->slots[i].at == at + 1) {
            close_hole(index, i);
            index->used--;
            return;
        }
    }
}
